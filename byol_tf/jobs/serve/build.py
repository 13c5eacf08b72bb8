"""Builds and runs a server from a configuration."""

import os
import pathlib

from byol_tf.checks import check_number, require
from byol_tf.serving.settings import Batching, Limits, Settings

_REQUIRED_MODULES = (
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
        directory: folder of the model's versions, or one version.
        name: name of the model; None: that of the folder.
        host: address to listen on.
        port: port for REST; 0: any free one.
        grpc_port: port for gRPC; 0: any free one; None: no gRPC.

    Raises:
        ValueError: if a package is missing, or the model or a setting is
            invalid. One line.
        OSError: if it cannot listen, or there is no such folder.
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
    if "/" in name:
        raise ValueError(f"--name must hold no /. Received: {name}")
    server.serve(directory, name, settings(config), host, port, grpc_port)


def serve_routes(config, routes, host: str, port: int) -> None:
    """Serves functions until it is stopped.

    Args:
        config: see `configs/serve.py`.
        routes: see `byol_tf.serving.service.Routes`.
        host: address to listen on.
        port: port; 0: any free one.

    Raises:
        ValueError: if a package is missing or a setting is invalid.
        OSError: if it cannot listen.
    """
    _server().serve_routes(routes, settings(config), host, port)


def _server():
    """Imports the server, which needs packages of an extra."""
    for module in _REQUIRED_MODULES:
        require(module, "serve")
    from byol_tf.serving import server

    return server


def settings(config) -> Settings:
    """Returns the server's settings from a configuration.

    Raises:
        ValueError: if one is invalid.
    """
    sections = {
        "batching": Batching(**config.batching),
        "limits": Limits(**config.limits),
    }
    return Settings(**{**config, **sections})


def _name(directory):
    """Returns the name of the folder; for a version, of its parent."""
    directory = directory.resolve()
    if (directory / "saved_model.pb").is_file() and directory.name.isdigit():
        directory = directory.parent
    return directory.name
