"""TensorFlow Serving's REST API, with health and metrics."""

import asyncio
import functools
import json
import re
import time
from collections.abc import Callable

from absl import logging
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from byol_tf.serving import protos, rest_json
from byol_tf.serving.errors import (
    BadRequest,
    Malformed,
    NotAllowed,
    NotFound,
    Overloaded,
    TooLarge,
    TooSlow,
)
from byol_tf.serving.service import REST, Service, request_id

_MODEL = re.compile(
    r"/v1/models/(?P<name>[^/]+?)(/versions/(?P<version>[^/]+?))?"
    r"(?P<verb>:predict|/metadata|)"
)
_JSON = "application/json"
_DIGITS = 19  # of the largest version that messages can hold


def make_app(service: Service) -> Callable:
    """Makes the ASGI application of a service."""

    async def app(scope, receive, send):
        request = Request(scope, receive)
        response = await _respond(service, request)
        if service.draining or _is_surplus(request):
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    return app


async def _respond(service, request):
    """Returns the response, or a TensorFlow Serving error; counts both."""
    start, number = time.perf_counter(), request_id(request.headers)
    method, response = "other", None
    try:
        method, handler, arguments = _find(service, request)
        response = await handler(service, request, **arguments)
    except ClientDisconnect:
        response = Response(status_code=499)  # nobody reads it
    except Exception as error:
        failure = service.explain(error, number, request.url.path[:200])
        body = json.dumps({"error": str(failure)}).encode()
        response = Response(body, failure.http, dict(failure.headers), _JSON)
    finally:
        code = str(response.status_code) if response else "cancelled"
        if method != "health" or code != "200":
            service.metrics.requests.labels(REST, method, code).inc()
        host = request.client.host if request.client else "-"
        logging.debug(
            "%s %s %s %s %s %.1f ms",
            *(number, host, request.method, request.url.path, code),
            1000 * (time.perf_counter() - start),
        )
    response.headers["X-Request-ID"] = number
    return response


def _find(service, request):
    """Returns name, handler and arguments for a request."""
    _check_framing(request)
    path = request.scope["path"]  # as the client meant it, without escapes
    if plain := _PLAIN.get(path):
        _check_method(request, "GET")
        return "health", plain, {}
    if _is_surplus(request):
        raise Overloaded("too many connections are open; try later")
    if answer := service.routes.get((request.method, path)):
        return "route", _by_route, {"answer": answer}
    if not (match := _MODEL.fullmatch(path)):
        raise NotFound(f"Not Found: {request.method} {path[:200]}")
    http_method, method, handler = _HANDLERS[match["verb"]]
    _check_method(request, http_method)
    version = match["version"] and _number(match["version"])
    return method, handler, {"name": match["name"], "version": version}


def _is_surplus(request):
    """Returns whether it came by a connection beyond the limit."""
    return request.scope.get("state", {}).get("surplus", False)


def _check_framing(request):
    """Refuses a body whose end is ambiguous (request smuggling)."""
    if request.scope["http_version"] not in ("1.0", "1.1"):
        raise Malformed("only HTTP/1.0 and HTTP/1.1 are supported")
    if "transfer-encoding" in request.headers and (
        "content-length" in request.headers
        or request.scope["http_version"] == "1.0"
    ):
        raise Malformed(
            "a request has either Content-Length or, in HTTP/1.1, "
            "Transfer-Encoding"
        )


def _check_method(request, allowed):
    if request.method not in (allowed, {"GET": "HEAD"}.get(allowed)):
        error = NotAllowed(
            f"Method Not Allowed: {request.method} {request.url.path[:200]}"
        )
        error.headers = (("Allow", allowed),)
        raise error


def _number(text):
    digits = text.lstrip("0")
    if text.isascii() and text.isdigit() and len(digits) <= _DIGITS:
        return int(digits or 0)
    raise NotFound(f"there is no version {text[: 2 * _DIGITS]}")


async def _predict(service, request, name, version):
    async def answer():
        parsed = rest_json.parse(await _body(service, request))
        answer = await service.predict(
            name,
            version,
            parsed.get("signature_name", ""),
            functools.partial(rest_json.inputs_of, parsed),
        )
        by_row = rest_json.ROWS in parsed
        return rest_json.answer(answer.outputs, by_row, service.settings.nan)

    with service.admitted(REST):
        return _json(await service.in_time(answer()))


async def _by_route(service, request, answer):
    async def compute():
        body = await _body(service, request)
        try:
            return await asyncio.to_thread(answer, body)
        except ValueError as error:
            raise BadRequest(str(error)) from error

    with service.admitted(REST):
        text, media_type = await service.in_time(compute())
    return Response(text, media_type=media_type)


async def _status(service, request, name, version):
    service.check_name(name)
    return _message(protos.status(service.versions, version))


async def _metadata(service, request, name, version):
    service.check_name(name)
    return _message(protos.metadata(name, service.versions.find(version)))


async def _alive(service, request):
    return PlainTextResponse("alive\n")


async def _ready(service, request):
    if service.ready:
        return PlainTextResponse("ready\n")
    return PlainTextResponse("not ready\n", 503)


async def _metrics(service, request):
    metrics = service.metrics
    return Response(metrics.text(), media_type=metrics.content_type)


_PLAIN = {"/healthz": _alive, "/readyz": _ready, "/metrics": _metrics}
_HANDLERS = {
    ":predict": ("POST", "predict", _predict),
    "/metadata": ("GET", "metadata", _metadata),
    "": ("GET", "status", _status),
}


async def _body(service, request):
    limits = service.settings.limits
    try:
        return await asyncio.wait_for(
            _read(request, limits.request_bytes), limits.body_s
        )
    except asyncio.TimeoutError as error:
        raise TooSlow(
            f"the body did not arrive within {limits.body_s:g} s"
        ) from error


async def _read(request, limit):
    """Reads the body; keeps nothing of one beyond the limit."""
    length = int(request.headers.get("content-length", 0))
    too_large = TooLarge(f"the body has more bytes than the limit of {limit}")
    if length > 2 * limit:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if max(size, length) <= limit:
            parts.append(part)
        # Read and drop as much again, so that a client that writes everything
        # before reading can see the response.
        elif size > 2 * limit:
            break
    if max(size, length) > limit:
        raise too_large
    return b"".join(parts)


def _message(message):
    return _json(json.dumps(protos.to_json(message), indent=1).encode())


def _json(body):
    return Response(body, media_type=_JSON)
