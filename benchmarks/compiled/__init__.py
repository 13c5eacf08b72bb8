"""Our training step on an accelerator by XLA alone, without TensorFlow.

    python -m benchmarks.compiled.export FOLDER    here, with TensorFlow
    python benchmarks/compiled/run.py FOLDER       there, with JAX
    python -m benchmarks.compiled.peer             there, with PyTorch

TensorFlow hands the step to XLA as one program; whoever has XLA can run it,
such as JAX on a machine where TensorFlow is not installed. It is the program
that `train.py` compiles on a GPU.
"""
