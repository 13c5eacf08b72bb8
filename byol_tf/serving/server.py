"""Runs the server until it is stopped."""

import asyncio
import base64
import contextlib
import ipaddress
import os
import signal
import socket
import urllib.parse

from absl import logging

from byol_tf.serving import grpc_service
from byol_tf.serving.connections import RestServer, most_connections
from byol_tf.serving.model import DEFAULT, tiny_file
from byol_tf.serving.service import NoVersions, Routes, Service
from byol_tf.serving.settings import Settings
from byol_tf.serving.versions import Versions

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    directory: str | os.PathLike,
    name: str,
    settings: Settings,
    host: str,
    port: int,
    grpc_port: int | None,
) -> None:
    """Serves a model until SIGTERM or Ctrl-C, and finishes its requests.

    When it listens, it prints where, and how to send a request. If requests
    could not be finished in the time of grace, it ends the process with status
    1.

    Args:
        directory: folder of the versions, see `Versions`.
        name: name of the model.
        settings: see `configs/serve.py`.
        host: address to listen on, name or number.
        port: port for REST; 0: any free one.
        grpc_port: port for gRPC; 0: any free one; None: no gRPC.

    Raises:
        ValueError: if no version can be served.
        OSError: if it cannot listen.
    """
    addresses = host, port, grpc_port
    _run(_serve(directory, name, settings, *addresses))


def serve_routes(
    routes: Routes, settings: Settings, host: str, port: int
) -> None:
    """Serves functions, without a model, as `serve` does.

    Args:
        routes: the functions, by method and path.
        settings: see `configs/serve.py`.
        host: address to listen on, name or number.
        port: port; 0: any free one.

    Raises:
        OSError: if it cannot listen.
    """
    _run(_serve_routes(routes, settings, host, port))


def _run(serving):
    finished = asyncio.run(serving)
    print("stopped" if finished else "stopped too early", flush=True)
    if not finished:
        # Python would wait for the threads, even if they never end.
        os._exit(1)


async def _serve(directory, name, settings, host, port, grpc_port) -> bool:
    """Serves; returns whether all requests were finished."""
    # Before loading the model, to report a used port early.
    listener = _listen(host, port)
    versions = Versions(
        directory, settings.versions_kept, load_s=settings.load_s
    )
    service = Service(name, versions, settings)
    max_connections = most_connections(settings.limits.connections)
    servers = [RestServer(service, listener, max_connections)]
    bracketed_host = _bracketed(host)
    rest_address, grpc_address = (
        f"{bracketed_host}:{listener.getsockname()[1]}",
        None,
    )
    if grpc_port is not None:
        server, grpc_port = grpc_service.make_server(
            service, f"{bracketed_host}:{grpc_port}", max_connections
        )
        servers.append(server)
        grpc_address = f"{bracketed_host}:{grpc_port}"
    await _load(versions, directory)
    for server in servers:
        await server.start()
    watch = asyncio.ensure_future(versions.watch(settings.poll_s))
    _warn(host)
    # Before the listing, since readers of it may stop the server.
    signals = _signals()
    print(_listing(service, directory, rest_address, grpc_address), flush=True)
    await _until_stopped(service, servers, settings, *signals)
    watch.cancel()
    return service.close()


async def _serve_routes(routes, settings, host, port) -> bool:
    """Serves; returns whether all requests were finished."""
    listener = _listen(host, port)
    service = Service("", NoVersions(), settings, routes)
    max_connections = most_connections(settings.limits.connections)
    server = RestServer(service, listener, max_connections)
    await server.start()
    _warn(host)
    signals = _signals()
    url = f"http://{_bracketed(host)}:{listener.getsockname()[1]}"
    lines = [f"{method:5} {url}{path}" for method, path in routes]
    print("\n".join([*lines, f"GET   {url}/healthz"]), flush=True)
    await _until_stopped(service, [server], settings, *signals)
    return service.close()


async def _load(versions, directory):
    await versions.update()
    if versions.newest is None:
        errors = [s.error for s in versions.states.values() if s.error]
        reason = errors[0] if errors else "there is no <number>/saved_model.pb"
        raise ValueError(
            f"no version of a model in {directory} can be served: {reason}; "
            "byol_tf export writes such a folder"
        )


def _signals():
    """Returns events of the first and of the second stop signal."""
    first_signal, second_signal = asyncio.Event(), asyncio.Event()

    def stop():
        (second_signal if first_signal.is_set() else first_signal).set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    return first_signal, second_signal


async def _until_stopped(
    service, servers, settings, first_signal, second_signal
):
    """Waits for the first signal, and until all servers ended."""
    await first_signal.wait()
    service.draining = True
    logging.info("stopping; requests in progress are finished")
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(second_signal.wait(), settings.drain_s)
    grace = settings.grace_s
    stop_tasks = [asyncio.ensure_future(s.stop(grace)) for s in servers]
    force = asyncio.ensure_future(second_signal.wait())
    all_ended = asyncio.gather(*stop_tasks)
    await asyncio.wait([all_ended, force], return_when="FIRST_COMPLETED")
    if not all_ended.done():
        logging.warning("stopping at once; some requests are not answered")
        await asyncio.gather(*(s.stop(0) for s in servers))
        await all_ended
    force.cancel()


def _listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Explicitly TCP, else asyncio delays small packets, and a response has two.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror or error}"
        ) from error
    return listener


def _warn(host):
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    if host != "localhost":
        logging.warning(
            "listening on %s: everybody who reaches it can use the model, "
            "since there is neither a password nor encryption",
            host,
        )


def _bracketed(host):
    return f"[{host}]" if ":" in host else host


def _listing(service, directory, rest_address, grpc_address):
    """Describes the model, its addresses, and a command to try it."""
    version = service.versions.newest
    name = urllib.parse.quote(service.name, errors="surrogateescape")
    url = f"http://{rest_address}/v1/models/{name}"
    lines = [
        f"Model:  {service.name}, version {version.number} of {directory}",
        *(_signature(s) for _, s in sorted(version.signatures.items())),
        f"REST:   {url}",
        *([f"gRPC:   {grpc_address}"] if grpc_address else []),
        f"Health: http://{rest_address}/healthz /readyz /metrics",
    ]
    default = version.signatures.get(DEFAULT)
    if default is not None and default.takes_files:
        example = tiny_file(version.signatures)
        example = base64.b64encode(example).decode()
        data = f'\'{{"instances": [{{"b64": "{example}"}}]}}\''
        lines.append(f"Try:    curl {url}:predict -d {data}")
    else:
        lines.append(f"Try:    curl {url}/metadata")
    return "\n".join(lines)


def _signature(signature):
    inputs, outputs = (
        ", ".join(_spec(*item) for item in sorted(specs.items()))
        for specs in (signature.inputs, signature.outputs)
    )
    return f"  {signature.name}: {inputs} -> {outputs}"


def _spec(name, spec):
    if spec.shape is None:
        return f"{name} {spec.dtype.name}"
    lengths = ", ".join("n" if n == -1 else str(n) for n in spec.shape)
    return f"{name} {spec.dtype.name} [{lengths}]"
