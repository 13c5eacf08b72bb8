"""The server's REST form, in this process."""

import asyncio
import json
import re
import shutil
import weakref

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image.graph_decode import TOO_LARGE
from byol_tf.serving import limits, server
from byol_tf.serving.errors import BadRequest
from byol_tf.serving.versions import Versions
from tests.support.serve_model import ask, b64, bomb, export, picture
from tests.support.settings import batching_settings, limit_settings

URL = "/v1/models/tiny"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return export(tmp_path_factory.mktemp("served") / "tiny")


@pytest.fixture(scope="module")
def loaded(model):
    return tf.saved_model.load(str(model / "1"))


def get(model, path, **settings):
    async def steps(client, _):
        response = await client.get(path)
        return response.status_code, response

    return ask(model, steps, **settings)


def post(model, body, path=f"{URL}:predict", **settings):
    async def steps(client, _):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await client.post(path, content=content)
        return response.status_code, response.json()

    return ask(model, steps, **settings)


def test_files_become_what_the_model_makes_of_them(model, loaded):
    files = [picture(seed) for seed in range(3)]
    wanted = loaded.signatures["serving_default"](bytes=tf.constant(files))
    wanted = wanted["representations"].numpy()
    rows = [b64(file) for file in files]
    code, answer = post(model, {"instances": rows})
    assert code == 200
    assert [row["status"] for row in answer["predictions"]] == ["ok"] * 3
    got = [row["representations"] for row in answer["predictions"]]
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
    _, answer = post(model, {"inputs": {"bytes": rows}})
    got = answer["outputs"]["representations"]
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_a_lone_output_has_no_name(model, loaded):
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    request = {"signature_name": "images", "instances": image.tolist()}
    wanted = loaded.signatures["images"](images=tf.constant(image))
    path = f"{URL}/versions/1:predict"
    _, answer = post(model, request, path)
    np.testing.assert_allclose(
        answer["predictions"], wanted["representations"], rtol=1e-6
    )


def test_a_bad_image_is_a_row_of_null_and_the_others_are_answered(model):
    rows = [b64(picture(1)), "text", b64(bomb(2000)), b64(picture(2))]
    _, answer = post(model, {"instances": rows})
    told = [row["status"] for row in answer["predictions"]]
    assert told[0] == told[3] == "ok" and "not an image" in told[1]
    assert told[2] == TOO_LARGE
    assert answer["predictions"][1]["representations"] == [None] * 5


def test_a_bomb_is_refused_before_it_is_decoded(model):
    small = limit_settings(image_bytes=5000)
    files = [picture(1), bomb(), bomb(1001), picture(3, 60)]

    async def steps(client, service):
        body = {"instances": [b64(file) for file in files]}
        response = await client.post(f"{URL}:predict", json=body)
        metrics = (await client.get("/metrics")).text
        return response.json()["predictions"], metrics

    rows, metrics = ask(model, steps, limits=small)
    told = [row["status"] for row in rows]
    too_long = limits.TOO_MANY_BYTES
    assert told == ["ok", TOO_LARGE, TOO_LARGE, too_long]
    assert [row["representations"][0] is None for row in rows] == [
        False,
        True,
        True,
        True,
    ]
    refused = "byol_refused_images_total{reason="
    assert f'{refused}"{TOO_LARGE}"}} 2.0' in metrics
    assert f'{refused}"{too_long}"}} 1.0' in metrics


@pytest.mark.parametrize(
    "path,body,code",
    [
        (f"{URL}:predict", b"{", 400),
        (f"{URL}:predict", {"instances": []}, 400),
        (f"{URL}:predict", {"instances": [[b64(b"")]]}, 400),
        (f"{URL}:predict", {"instances": ["a"], "signature_name": "x"}, 400),
        (f"{URL}:predict", {"instances": ["a"] * 1025}, 400),
        ("/v1/models/other:predict", {"instances": ["a"]}, 404),
        (f"{URL}/versions/2:predict", {"instances": ["a"]}, 404),
        (f"{URL}/versions/x:predict", {"instances": ["a"]}, 404),
        (f"{URL}:classify", {"examples": []}, 405),
        (URL, b"", 405),
    ],
)
def test_a_wrong_request_gets_an_error_in_json(model, path, body, code):
    got, answer = post(model, body, path)
    assert got == code
    assert list(answer) == ["error"] and answer["error"]


def test_the_reason_is_named_if_the_model_cannot_compute(model):
    async def steps(_, service):
        pixels = {"images": np.zeros((1, 4, 0, 3), np.uint8)}
        with pytest.raises(BadRequest, match="must be of non-zero size"):
            await service.predict("tiny", None, "images", lambda _: pixels)

    ask(model, steps)


@pytest.mark.parametrize(
    "version", ["9" * 5000, "0" * 5000, "9" * 19, "-1", "1.0", "²", "%00"]
)
@pytest.mark.parametrize("end", ["", "/metadata"])
def test_a_version_that_is_no_number_is_not_found_and_counted(
    model, version, end
):
    async def steps(client, _):
        answer = await client.get(f"{URL}/versions/{version}{end}")
        return answer, (await client.get("/metrics")).text

    answer, metrics = ask(model, steps)
    assert answer.status_code == 404 and list(answer.json()) == ["error"]
    assert len(answer.json()["error"]) < 200
    assert 'code="404"' in metrics


def test_a_folder_may_have_any_name(model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "a [1]*? ü")
    assert get(folder, f"{URL}/versions/1")[0] == 200


def test_a_model_may_have_any_name_and_its_address_is_printed(model):
    async def steps(client, service):
        service.name = "50 %? #1 ü"
        listing = server._listing(service, model, "tiny", None)
        (address,) = re.findall(r"REST: +(\S+)\n", listing)
        return await client.get(address)

    assert ask(model, steps).status_code == 200


def test_each_answer_has_the_id_of_its_request(model):
    async def steps(client, _):
        return [
            await client.get(URL, headers={"X-Request-ID": number})
            for number in ("mine-1", "x" * 100, "")
        ]

    numbers = [a.headers["x-request-id"] for a in ask(model, steps)]
    assert numbers[0] == "mine-1"
    assert len(set(numbers)) == 3 and max(map(len, numbers)) < 65


def test_the_model_that_fails_otherwise_than_it_may_gets_500(
    model, monkeypatch
):
    async def steps(client, service):
        signature = service.versions.find().signature("slow")
        monkeypatch.setattr(signature, "_function", None)
        monkeypatch.setattr(type(signature), "__call__", lambda *_: 1 / 0)
        asks = [client.post(f"{URL}:predict", json=slow(1)) for _ in range(3)]
        answers = await asyncio.gather(*asks)
        return answers, (await client.get("/metrics")).text

    answers, metrics = ask(model, steps, workers=1)
    for answer in answers:
        assert answer.status_code == 500
        assert answer.headers["x-request-id"] in answer.json()["error"]
    assert 'code="500",method="predict"} 3.0' in metrics


def test_a_body_that_is_too_large_is_refused_while_it_is_read(model):
    read = 0

    async def parts():
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"x" * 1000

    async def steps(client, _):
        path = f"{URL}:predict"
        told = await client.post(path, content=b"x" * 30_000)
        streamed = await client.post(path, content=parts())
        good = await client.post(path, json={"instances": ["a"]})
        return told, streamed, good

    few = limit_settings(request_bytes=10_000)
    told, streamed, good = ask(model, steps, limits=few)
    assert told.status_code == streamed.status_code == 413
    assert "10000" in streamed.json()["error"]
    assert read < 40
    assert good.status_code == 200


def slow(rounds):
    return {"signature_name": "slow", "inputs": [rounds]}


def test_more_requests_than_may_be_in_progress_get_503(model):
    async def steps(client, _):
        asks = [client.post(f"{URL}:predict", json=slow(40)) for _ in range(6)]
        together = await asyncio.gather(*asks)
        after = await client.post(f"{URL}:predict", json=slow(1))
        return together, after

    few = limit_settings(requests=2)
    together, after = ask(model, steps, limits=few)
    codes = sorted(response.status_code for response in together)
    assert codes == [200, 200, 503, 503, 503, 503]
    refused = next(r for r in together if r.status_code == 503)
    assert refused.headers["Retry-After"] and "error" in refused.json()
    assert after.status_code == 200


def test_what_takes_too_long_gets_504_and_frees_its_place(model):
    async def steps(client, service):
        late = await client.post(f"{URL}:predict", json=slow(1000))
        return late, (await client.get("/metrics")).text

    late, metrics = ask(model, steps, timeout_s=0.05)
    assert late.status_code == 504
    assert "byol_requests_in_progress 0.0" in metrics


def test_the_status_is_as_documented(model):
    wanted = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for path in (URL, f"{URL}/versions/1"):
        code, response = get(model, path)
        assert code == 200
        assert response.json() == {"model_version_status": [wanted]}
    assert get(model, f"{URL}/versions/9")[0] == 404
    assert get(model, "/v1/models/other")[0] == 404


def test_the_metadata_tell_the_signatures(model):
    _, response = get(model, f"{URL}/metadata")
    about = response.json()
    assert about["model_spec"]["version"] == "1"
    signatures = about["metadata"]["signature_def"]["signature_def"]
    files = signatures["serving_default"]["inputs"]["bytes"]
    assert files["dtype"] == "DT_STRING"
    assert [dim["size"] for dim in files["tensor_shape"]["dim"]] == ["-1"]
    outputs = signatures["images"]["outputs"]["representations"]
    assert [d["size"] for d in outputs["tensor_shape"]["dim"]] == ["-1", "5"]


def test_it_is_ready_until_it_drains(model):
    async def steps(client, service):
        before = await client.get("/readyz")
        service.draining = True
        return before, await client.get("/readyz"), await client.get("/healthz")

    codes = [response.status_code for response in ask(model, steps)]
    assert codes == [200, 503, 200]


def test_joined_requests_get_the_same_answers_as_single_ones(model):
    files = [picture(seed, 5 + seed) for seed in range(24)]

    async def steps(client, _):
        bodies = [{"instances": [b64(file)]} for file in files]
        asks = [client.post(f"{URL}:predict", json=body) for body in bodies]
        responses = await asyncio.gather(*asks)
        metrics = (await client.get("/metrics")).text
        return [r.json()["predictions"] for r in responses], metrics

    joined, metrics = ask(model, steps, workers=1)
    single, alone = ask(model, steps, batching=batching_settings(enabled=False))
    for a, b in zip(joined, single, strict=True):
        np.testing.assert_allclose(
            a[0]["representations"], b[0]["representations"], rtol=1e-5
        )
    assert "byol_images_total 24.0" in metrics
    assert "byol_batch_requests_sum 24.0" in metrics
    assert "byol_batch_requests_count 24.0" in alone
    assert "byol_batch_requests_count 24.0" not in metrics


def test_requests_are_counted_by_code(model):
    async def steps(client, _):
        for body in (b"{", b"{", b'{"instances": ["a"]}'):
            await client.post(f"{URL}:predict", content=body)
        return (await client.get("/metrics")).text

    text = ask(model, steps)
    counted = 'byol_requests_total{api="rest",code="%s",method="predict"} %s'
    assert counted % (400, "2.0") in text and counted % (200, "1.0") in text
    assert 'byol_request_seconds_count{api="rest"} 3.0' in text
    assert "byol_model_version 1.0" in text


def test_what_is_unloaded_leaves_memory(model, tmp_path):
    directory = tmp_path / "tiny"
    shutil.copytree(model / "1", directory / "1")
    versions = Versions(directory)
    asyncio.run(versions.update())
    old = weakref.ref(versions.find())
    with versions.lease() as version:
        variable = weakref.ref(version._loaded.model_variables[0])
        shutil.copytree(model / "1", directory / "2")
        asyncio.run(versions.update())
    del version
    asyncio.run(versions.update())
    assert versions.find().number == 2
    assert old() is None and variable() is None
