"""`serve.py` as a user starts it, by HTTP and by TensorFlow Serving's stubs."""

import concurrent.futures
import io
import random
import re
import socket
import subprocess
import sys
import threading

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.support.scripts import ROOT, assert_one_clear_line, run_script
from tests.support.serve_model import SMALL, Server, b64, bomb, export, picture


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return export(tmp_path_factory.mktemp("served") / "tiny")


@pytest.fixture(scope="module")
def server(model):
    with Server(model, *SMALL) as server:
        yield server


@pytest.fixture(scope="module")
def wanted(model):
    """Vectors by the seed of the picture."""
    loaded = tf.saved_model.load(str(model / "1"))
    files = [picture(seed) for seed in range(40)]
    outputs = loaded.signatures["serving_default"](bytes=tf.constant(files))
    return outputs["representations"].numpy()


def predict_request(files, signature="", name="tiny", key="bytes"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    request.inputs[key].CopyFrom(tf.make_tensor_proto(files))
    return request


def stub_of(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def error_of(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=60)
    return caught.value.code().name


def test_the_command_that_it_prints_works(server):
    result = subprocess.run(
        ["sh", "-c", server.command.replace("curl", "curl -sS")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '"status": "ok"' in result.stdout


def test_the_official_stubs_get_the_same_vectors(server, wanted):
    with grpc.insecure_channel(server.address) as channel:
        files = [picture(3), b"text", picture(4)]
        response = stub_of(channel).Predict(predict_request(files), timeout=60)
    vectors = tf.make_ndarray(response.outputs["representations"])
    np.testing.assert_allclose(vectors[[0, 2]], wanted[[3, 4]], rtol=1e-5)
    assert np.isnan(vectors[1]).all()
    status = tf.make_ndarray(response.outputs["status"])
    assert status[0] == b"ok" and b"not an image" in status[1]
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"


def test_the_official_stubs_get_only_the_outputs_they_ask_for(server):
    request = predict_request([picture(1)])
    request.output_filter.append("status")
    with grpc.insecure_channel(server.address) as channel:
        response = stub_of(channel).Predict(request, timeout=60)
        assert list(response.outputs) == ["status"]
        request.output_filter.append("nothing")
        code = error_of(stub_of(channel).Predict, request)
        assert code == "INVALID_ARGUMENT"


def test_the_official_stubs_get_status_and_metadata(server):
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "tiny"
    about = get_model_metadata_pb2.GetModelMetadataRequest()
    about.model_spec.name = "tiny"
    about.metadata_field.append("signature_def")
    with grpc.insecure_channel(server.address) as channel:
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        (entry,) = models.GetModelStatus(
            status, timeout=60
        ).model_version_status
        answer = stub_of(channel).GetModelMetadata(about, timeout=60)
        status.model_spec.version.value = 9
        assert error_of(models.GetModelStatus, status) == "NOT_FOUND"
    assert (entry.version, entry.state) == (1, entry.AVAILABLE)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert "bytes" in signatures.signature_def["serving_default"].inputs


def test_wrong_requests_by_grpc_get_their_codes(server):
    small = np.zeros((1, 2, 2, 3), np.uint8)
    huge = predict_request(small, "images", key="images")
    # 20 bytes that would become an array of a terabyte.
    huge.inputs["images"].ClearField("tensor_content")
    huge.inputs["images"].int_val[:] = [1]
    for dim in huge.inputs["images"].tensor_shape.dim[:3]:
        dim.size = 10_000
    negative = predict_request(small, "images", key="images")
    negative.inputs["images"].tensor_shape.dim[0].size = -1
    cut = predict_request(small, "images", key="images")
    cut.inputs["images"].tensor_content = b"123"
    labelled = predict_request([b"a"])
    labelled.model_spec.version_label = "stable"
    odd = predict_request([b"a"], key="x")
    odd.inputs["x"].dtype = tf.resource.as_datatype_enum
    cases = [
        (predict_request([b"a"], name="other"), "NOT_FOUND"),
        (predict_request([b"a"], "nothing"), "INVALID_ARGUMENT"),
        (predict_request([b"a"], key="x"), "INVALID_ARGUMENT"),
        (predict_request([1.0]), "INVALID_ARGUMENT"),
        (predict_request([[b"a"]]), "INVALID_ARGUMENT"),
        (predict_request([b"a"] * 1025), "INVALID_ARGUMENT"),
        (predict_request([b"a" * 300_000]), "RESOURCE_EXHAUSTED"),
        (huge, "INVALID_ARGUMENT"),
        (negative, "INVALID_ARGUMENT"),
        (cut, "INVALID_ARGUMENT"),
        (labelled, "INVALID_ARGUMENT"),
        (odd, "INVALID_ARGUMENT"),
    ]
    with grpc.insecure_channel(server.address) as channel:
        for number, (request, code) in enumerate(cases):
            got = error_of(stub_of(channel).Predict, request)
            assert got == code, number


def rest_good(server, client, seed):
    body = {"instances": [b64(picture(seed)), b64(picture(seed + 1))]}
    answer = client.post(f"{server.url}:predict", json=body).json()
    return [row["representations"] for row in answer["predictions"]]


def rest_bad(server, client, kind):
    bodies = {
        "json": b'{"instances": [',
        "signature": b'{"instances": ["a"], "signature_name": "x"}',
        "rank": b'{"instances": [["a"]]}',
        "size": b"x" * 250_000,
    }
    code = 413 if kind == "size" else 400
    response = client.post(f"{server.url}:predict", content=bodies[kind])
    assert response.status_code == code and response.json()["error"]


def rest_mixed(server, client, seed):
    """A good image between a bad one and a bomb."""
    rows = [b64(b"no"), b64(picture(seed)), b64(bomb())]
    body = {"instances": rows}
    rows = client.post(f"{server.url}:predict", json=body).json()["predictions"]
    assert [row["status"] == "ok" for row in rows] == [False, True, False]
    assert rows[2]["representations"][0] is None
    return [rows[1]["representations"]]


def grpc_good(channel, seed):
    request = predict_request([picture(seed), picture(seed + 1)])
    response = stub_of(channel).Predict(request, timeout=60)
    return tf.make_ndarray(response.outputs["representations"])


def test_each_good_request_among_bad_ones_gets_its_own_answer(server, wanted):
    tasks = [("rest", seed) for seed in range(39)]
    tasks += [("grpc", seed) for seed in range(39)]
    tasks += [("mixed", seed) for seed in range(20)]
    bad = ("json", "signature", "rank", "size")
    tasks += [("bad", kind) for kind in bad * 6]
    random.Random(0).shuffle(tasks)
    local = threading.local()

    def run(kind, what, channel):
        if not hasattr(local, "client"):
            local.client = httpx.Client(timeout=60)
        if kind == "rest":
            got = rest_good(server, local.client, what)
        elif kind == "grpc":
            got = grpc_good(channel, what)
        elif kind == "mixed":
            got = rest_mixed(server, local.client, what)
        else:
            return rest_bad(server, local.client, what)
        part = wanted[what : what + len(got)]
        np.testing.assert_allclose(got, part, rtol=1e-4, atol=1e-5)

    with (
        grpc.insecure_channel(server.address) as channel,
        concurrent.futures.ThreadPoolExecutor(16) as pool,
    ):
        done = [pool.submit(run, *task, channel) for task in tasks]
        for future in done:
            future.result()


BROKEN = (
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"POST /v1/models/tiny:predict HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    b"GET /healthz HTTP/1.1\r\n",  # and no more
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


def test_good_requests_by_grpc_are_answered_beside_broken_ones_by_rest(
    server, wanted
):
    host, port = server.root.removeprefix("http://").split(":")
    stop = threading.Event()

    def break_rest(data):
        while not stop.is_set():
            with socket.create_connection((host, int(port)), 10) as connection:
                connection.sendall(data)
                stop.wait(0.02)

    with (
        grpc.insecure_channel(server.address) as channel,
        concurrent.futures.ThreadPoolExecutor(len(BROKEN) + 4) as pool,
    ):
        broken = [pool.submit(break_rest, data) for data in BROKEN]
        seeds = list(range(39))
        answers = list(pool.map(lambda s: grpc_good(channel, s), seeds))
        stop.set()
        for future in broken:
            future.result()
    for seed, answer in zip(seeds, answers, strict=True):
        part = wanted[seed : seed + 2]
        np.testing.assert_allclose(answer, part, rtol=1e-4, atol=1e-5)
    text = httpx.get(f"{server.root}/metrics", timeout=60).text
    assert 'code="400",method="malformed"' in text


def test_a_broken_message_by_grpc_is_refused_and_the_next_answered(
    server, wanted
):
    name = "/tensorflow.serving.PredictionService/Predict"
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(name)  # of bytes as they are
        for data in (b"\xff\xff", b"\x0a\x7f", b""):
            with pytest.raises(grpc.RpcError):
                call(data, timeout=60)
        np.testing.assert_allclose(
            grpc_good(channel, 0), wanted[:2], rtol=1e-4, atol=1e-5
        )


def test_a_port_that_is_taken_ends_with_one_clear_line(server, model):
    port = server.root.rsplit(":", 1)[1]
    result = run_script("serve.py", f"--model={model}", f"--port={port}")
    assert_one_clear_line(result, "cannot listen on 127.0.0.1")


GUIDE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
SNIPPETS = [
    (language, text)
    for language in ("bash", "py")
    for text in re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.M | re.S)
]


@pytest.mark.slow
@pytest.mark.parametrize("language,text", SNIPPETS)
def test_what_the_guide_tells_to_ask_works(server, tmp_path, language, text):
    image = Image.open(io.BytesIO(picture(1))).resize((600, 600))
    image.save(tmp_path / "a.jpg", quality=100)
    assert (tmp_path / "a.jpg").stat().st_size > 2**17  # no argument is so long
    text = text.replace("quickstart", "tiny")
    text = text.replace("127.0.0.1:8501", server.root.removeprefix("http://"))
    text = text.replace("127.0.0.1:8500", server.address)
    command = {"bash": "bash", "py": sys.executable}[language]
    result = subprocess.run(
        [command, "-c", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "ok" in result.stdout
