"""TensorFlow Serving's REST form, with health and metrics."""

import functools
import json
import time

from absl import logging
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from byol_tf.serving import protos, rest_json
from byol_tf.serving.errors import TooLarge
from byol_tf.serving.service import REST, Service, as_serving_error

_MODEL = "/v1/models/{name}"
_VERSION = _MODEL + "/versions/{version:int}"


def make_app(service: Service) -> Starlette:
    """The ASGI application of a service."""
    posts, gets = {"methods": ["POST"]}, {"methods": ["GET"]}
    routes = [
        Route(path, functools.partial(handler, service), **methods)
        for path, handler, methods in (
            (f"{_MODEL}:predict", _predict, posts),
            (f"{_VERSION}:predict", _predict, posts),
            (f"{_MODEL}/metadata", _metadata, gets),
            (f"{_VERSION}/metadata", _metadata, gets),
            (_VERSION, _status, gets),
            (_MODEL, _status, gets),
            ("/healthz", _alive, gets),
            ("/readyz", _ready, gets),
            ("/metrics", _metrics, gets),
        )
    ]
    unknown = functools.partial(_unknown, service)
    return Starlette(routes=routes, exception_handlers={HTTPException: unknown})


def _observed(method):
    """A handler whose errors become answers; every answer is counted."""

    def decorate(handler):
        async def observed(service: Service, request: Request) -> Response:
            start = time.perf_counter()
            try:
                response = await handler(service, request)
            except ClientDisconnect:
                response = _error(499, "the client left")
            except Exception as error:
                told = as_serving_error(error)
                if told is not error:
                    logging.exception("%s", request.url.path)
                response = _error(told.http, str(told))
            _log(service, request, response, method, start)
            return response

        return observed

    return decorate


@_observed("predict")
async def _predict(service, request):
    limit = service.settings.limits.request_bytes

    async def answer():
        asked = rest_json.parse(await _body(request, limit))
        answer = await service.predict(
            request.path_params["name"],
            request.path_params.get("version"),
            asked.get("signature_name", ""),
            functools.partial(rest_json.inputs_of, asked),
        )
        by_row = rest_json.ROWS in asked
        nan = service.settings.nan
        return rest_json.answer(answer.outputs, by_row, nan)

    with service.admitted(REST):
        return _json(await service.in_time(answer()))


@_observed("status")
async def _status(service, request):
    service.check_name(request.path_params["name"])
    number = request.path_params.get("version")
    message = protos.status(service.versions, number)
    return _json(json.dumps(protos.to_json(message), indent=1).encode())


@_observed("metadata")
async def _metadata(service, request):
    service.check_name(request.path_params["name"])
    version = service.versions.find(request.path_params.get("version"))
    message = protos.metadata(service.name, version)
    return _json(json.dumps(protos.to_json(message), indent=1).encode())


async def _alive(service, request):
    return PlainTextResponse("alive\n")


async def _ready(service, request):
    if service.ready:
        return PlainTextResponse("ready\n")
    return PlainTextResponse("not ready\n", 503)


async def _metrics(service, request):
    metrics = service.metrics
    return Response(metrics.text(), media_type=metrics.content_type)


async def _unknown(service, request, error):
    start = time.perf_counter()
    text = f"{error.detail}: {request.method} {request.url.path}"
    response = _error(error.status_code, text)
    response.headers.update(error.headers or {})
    _log(service, request, response, "other", start)
    return response


async def _body(request, limit):
    """The body, read no further than it may be long."""
    told = int(request.headers.get("content-length", 0))
    too_large = TooLarge(f"the body has more bytes than the limit of {limit}")
    if told > 2 * limit:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if max(size, told) <= limit:
            parts.append(part)
        # As much again is read and dropped, so that a client that writes all
        # before it reads gets to see the answer.
        elif size > 2 * limit:
            break
    if max(size, told) > limit:
        raise too_large
    return b"".join(parts)


def _json(body):
    return Response(body, media_type="application/json")


def _error(code, text):
    body = json.dumps({"error": text}).encode()
    headers = {"Retry-After": "1"} if code == 503 else None
    return Response(body, code, headers, "application/json")


def _log(service, request, response, method, start):
    code = str(response.status_code)
    service.metrics.requests.labels(REST, method, code).inc()
    host = request.client.host if request.client else "-"
    logging.debug(
        "%s %s %s %s %.1f ms",
        host,
        request.method,
        request.url.path,
        code,
        1000 * (time.perf_counter() - start),
    )
