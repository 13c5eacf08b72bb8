"""From a configuration to a running server."""

import os
import pathlib

from byol_tf.checks import check_number, require
from byol_tf.serving.settings import Batching, Limits, Settings

_NEEDED = (
    "starlette",
    "uvicorn",
    "prometheus_client",
    "grpc",
    "tensorflow_serving",
)


def serve(
    config,
    directory: str | os.PathLike,
    name: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8501,
    grpc_port: int | None = 8500,
) -> None:
    """Serves an exported model until it is stopped.

    Args:
        config: see `configs/serve.py`.
        directory: of the model's versions, or one version.
        name: of the model; None is the folder's.
        host: to listen on.
        port: for REST; 0 is any free one.
        grpc_port: for gRPC; 0 is any free one, None is none.

    Raises:
        ValueError: in one line, if a package is missing or the model or a
            setting cannot be used.
        OSError: it cannot listen, or there is no such folder.
    """
    server = _server()
    check_number("port", port, 0, 65535)
    check_number("grpc_port", grpc_port or 0, 0, 65535)
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(
            f"--model must be a folder that byol_tf export wrote. "
            f"Received: {directory}"
        )
    name = name or _name(directory)
    server.serve(directory, name, settings(config), host, port, grpc_port)


def serve_routes(config, routes, host: str, port: int) -> None:
    """Serves functions until it is stopped.

    Args:
        config: see `configs/serve.py`.
        routes: see `byol_tf.serving.service.Routes`.
        host: to listen on.
        port: 0 is any free one.

    Raises:
        ValueError: a package is missing or a setting cannot be used.
        OSError: it cannot listen.
    """
    _server().serve_routes(routes, settings(config), host, port)


def _server():
    """The module of the server, which needs packages of an extra."""
    for module in _NEEDED:
        require(module, "serve")
    from byol_tf.serving import server

    return server


def settings(config) -> Settings:
    """Those of a configuration.

    Raises:
        ValueError: one cannot be used.
    """
    sections = {
        "batching": Batching(**config.batching),
        "limits": Limits(**config.limits),
    }
    return Settings(**{**config, **sections})


def _name(directory):
    """The folder's name; of a version, that of the folder around it."""
    directory = directory.resolve()
    if (directory / "saved_model.pb").is_file() and directory.name.isdigit():
        directory = directory.parent
    return directory.name
