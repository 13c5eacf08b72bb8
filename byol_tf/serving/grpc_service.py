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
from byol_tf.serving.service import GRPC, Service, as_serving_error


def make_server(service: Service, address: str) -> tuple[grpc.aio.Server, int]:
    """A server that is not started yet, and its port.

    Args:
        service: that answers.
        address: host and port; port 0 is any free one.

    Raises:
        OSError: it cannot listen there.
    """
    limit = service.settings.limits.request_bytes
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # else two servers could share a port
        ]
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(service), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _Model(service), server
    )
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address} for gRPC") from error


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service):
        self._service = service

    async def Predict(self, request, context):
        service = self._service

        async def answer():
            with service.admitted(GRPC):
                return await service.in_time(_predict(service, request))

        return await _observed(service, "predict", context, answer())

    async def GetModelMetadata(self, request, context):
        service = self._service

        async def answer():
            if list(request.metadata_field) != [protos.SIGNATURES]:
                raise BadRequest(
                    f"`metadata_field` must be [{protos.SIGNATURES}]"
                )
            number = _version(service, request.model_spec)
            version = service.versions.find(number)
            return protos.metadata(service.name, version)

        return await _observed(service, "metadata", context, answer())


class _Model(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service):
        self._service = service

    async def GetModelStatus(self, request, context):
        service = self._service

        async def answer():
            number = _version(service, request.model_spec)
            return protos.status(service.versions, number)

        return await _observed(service, "status", context, answer())


async def _predict(service, request):
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
    wanted = list(request.output_filter) or list(answer.outputs)
    if unknown := set(wanted) - set(answer.outputs):
        raise BadRequest(
            f"there are no outputs {sorted(unknown)}; `{answer.signature}` "
            f"has {sorted(answer.outputs)}"
        )
    response = predict_pb2.PredictResponse()
    response.model_spec.name = spec.name
    response.model_spec.version.value = answer.version
    response.model_spec.signature_name = answer.signature
    for name in wanted:
        tensor = tf.make_tensor_proto(answer.outputs[name])
        response.outputs[name].CopyFrom(tensor)
    return response


def _version(service, spec):
    """The number that is asked for, or None for the newest."""
    service.check_name(spec.name)
    if spec.version_label:
        raise BadRequest("there are no version labels here")
    return spec.version.value if spec.HasField("version") else None


async def _observed(service, method, context, answer):
    """The answer, or its error as gRPC has it; either is counted."""
    code, text = "OK", ""
    try:
        return await answer
    except asyncio.CancelledError:
        code = "CANCELLED"
        raise
    except Exception as error:
        told = as_serving_error(error)
        if told is not error:
            logging.exception("gRPC %s", method)
        code, text = told.grpc, str(told)
    finally:
        service.metrics.requests.labels(GRPC, method, code).inc()
        logging.debug("%s gRPC %s %s", context.peer(), method, code)
    await context.abort(grpc.StatusCode[code], text)
