"""Serves an exported model by REST and gRPC, as TensorFlow Serving does.

    byol_tf serve OUT

Serves the newest version in the folder and switches to new ones as they appear,
until Ctrl-C or SIGTERM. See docs/serving.md.
"""

import os

from absl import flags
from ml_collections import config_flags

from configs import signals, silence

POSITIONAL = (("model",),)
DEFAULT_CONFIG = "serve.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration; see configs/serve.py, the default."
)
_MODEL = flags.DEFINE_string(
    "model", None, "Folder that `byol_tf export` wrote.", required=True
)
_NAME = flags.DEFINE_string(
    "name", None, "Name of the model; default: that of the folder."
)
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen on; 0.0.0.0: all."
)
_PORT = flags.DEFINE_integer(
    "port", 8501, "Port for REST; 0: any free one.", 0, 65535
)
_GRPC_PORT = flags.DEFINE_integer(
    "grpc_port", 8500, "Port for gRPC; 0: any free one; -1: none.", -1, 65535
)


@silence.decoding()
def main():
    if not os.path.isdir(_MODEL.value):
        raise ValueError(
            "--model must be a folder that byol_tf export wrote. "
            f"Received: {_MODEL.value}"
        )
    with signals.importing(stop=True):
        from byol_tf.jobs.serve import build

    grpc_port = None if _GRPC_PORT.value == -1 else _GRPC_PORT.value
    build.serve(
        _CONFIG.value,
        _MODEL.value,
        _NAME.value,
        _HOST.value,
        _PORT.value,
        grpc_port,
    )
