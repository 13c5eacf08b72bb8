"""Measures our training step on an accelerator by XLA, without TensorFlow.

    python -m benchmarks.compiled.export FOLDER    here, with TensorFlow
    python benchmarks/compiled/run.py FOLDER       there, with JAX
    python -m benchmarks.compiled.peer             there, with PyTorch

TensorFlow compiles the step to one XLA program, the same that `train.py`
compiles on a GPU. Any runtime with XLA can run it, such as JAX on a machine
without TensorFlow.
"""
