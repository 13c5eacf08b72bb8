"""What the process that is copied for scripts has imported.

The garbage collector of a copy passes over all of it: else it goes through
TensorFlow's objects again and again, a seventh of the time of a short run.
"""

import gc

import tensorflow  # noqa: F401

import byol_tf.jobs.pretrain.build  # noqa: F401

gc.freeze()
