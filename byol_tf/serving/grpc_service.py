"""TensorFlow Serving's PredictionService and ModelService."""

import asyncio

import grpc
import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from byol_tf.serving import protos
from byol_tf.serving.errors import BadRequest
from byol_tf.serving.service import GRPC, Service, request_id


def make_server(
    service: Service, address: str, connections: int
) -> tuple[grpc.aio.Server, int]:
    """Makes a server; does not start it.

    Args:
        service: service that answers.
        address: host and port; port 0: any free one.
        connections: largest number of open connections.

    Returns:
        The server and its port.

    Raises:
        OSError: if it cannot listen there.
    """
    limits = service.settings.limits
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limits.request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # or two servers could share a port
            ("grpc.max_allowed_incoming_connections", connections),
            ("grpc.server_handshake_timeout_ms", int(1000 * limits.header_s)),
            ("grpc.max_connection_idle_ms", int(1000 * limits.idle_s)),
        ]
    )
    servicer = _Servicer(service)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        servicer, server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address} for gRPC") from error


async def _observe(service, method, context, answer, request):
    code, text = "OK", ""
    number = request_id(dict(context.invocation_metadata() or ()))
    context.set_trailing_metadata((("x-request-id", number),))
    try:
        return await answer(service, request)
    except asyncio.CancelledError:
        code = "CANCELLED"
        raise
    except Exception as error:
        failure = service.explain(error, number, f"gRPC {method}")
        code, text = failure.grpc, str(failure)
    finally:
        service.metrics.requests.labels(GRPC, method, code).inc()
        logging.debug("%s %s gRPC %s %s", number, context.peer(), method, code)
    await context.abort(grpc.StatusCode[code], text)


async def _predict(service, request):
    with service.admitted(GRPC):
        return await service.in_time(_prediction(service, request))


async def _metadata(service, request):
    if list(request.metadata_field) != [protos.SIGNATURES]:
        raise BadRequest(f"`metadata_field` must be [{protos.SIGNATURES}]")
    number = _version(service, request.model_spec)
    return protos.metadata(service.name, service.versions.find(number))


async def _status(service, request):
    number = _version(service, request.model_spec)
    return protos.status(service.versions, number)


def _method(name, answer):
    async def method(self, request, context):
        return await _observe(self.service, name, context, answer, request)

    return method


class _Servicer(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, service):
        self.service = service

    Predict = _method("predict", _predict)
    GetModelMetadata = _method("metadata", _metadata)
    GetModelStatus = _method("status", _status)


async def _prediction(service, request):
    spec = request.model_spec
    number = _version(service, spec)
    answer = await service.predict(
        spec.name,
        number,
        spec.signature_name,
        lambda signature: protos.inputs_of(
            request.inputs, signature, service.settings.limits.request_bytes
        ),
    )
    output_names = list(request.output_filter) or list(answer.outputs)
    if unknown := set(output_names) - set(answer.outputs):
        raise BadRequest(
            f"there are no outputs {sorted(unknown)}; `{answer.signature}` "
            f"has {sorted(answer.outputs)}"
        )
    response = predict_pb2.PredictResponse()
    response.model_spec.name = spec.name
    response.model_spec.version.value = answer.version
    response.model_spec.signature_name = answer.signature
    for name in output_names:
        tensor = tf.make_tensor_proto(answer.outputs[name])
        response.outputs[name].CopyFrom(tensor)
    return response


def _version(service, spec):
    """Returns the requested number, or None for the newest."""
    service.check_name(spec.name)
    if spec.version_label:
        raise BadRequest("there are no version labels here")
    return spec.version.value if spec.HasField("version") else None
