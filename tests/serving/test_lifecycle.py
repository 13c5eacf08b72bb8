"""A running server takes new versions, and ends without losing requests."""

import concurrent.futures
import os
import shutil
import time

import httpx
import numpy as np
import pytest
import tensorflow as tf

from tests.support.serve_model import SMALL, Server, b64, export, picture


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return export(tmp_path_factory.mktemp("served") / "tiny")


def wait_for_version(server, number):
    for _ in range(600):
        answer = httpx.get(f"{server.url}/versions/{number}", timeout=60)
        if answer.status_code == 200:
            (status,) = answer.json()["model_version_status"]
            if status["state"] in ("AVAILABLE", "END"):
                return status
        time.sleep(0.1)
    raise AssertionError(f"version {number} never came")


def ask_slowly(server, rounds):
    body = {"signature_name": "slow", "instances": [rounds]}
    answer = httpx.post(f"{server.url}:predict", json=body, timeout=120)
    return answer.status_code, answer.json()


@pytest.mark.slow
def test_it_takes_new_versions_and_finishes_what_it_began(tmp_path, model):
    directory = shutil.copytree(model, tmp_path / "tiny")
    with Server(directory, *SMALL, "--config.batching.max_batch=1") as server:
        (directory / ".new").mkdir()
        (directory / ".new" / "saved_model.pb").write_bytes(b"broken")
        (directory / ".new").rename(directory / "2")
        status = wait_for_version(server, 2)
        assert status["state"] == "END" and status["status"]["error_message"]
        answer = httpx.get(f"{server.root}/readyz", timeout=60)
        assert answer.status_code == 200

        export(directory, seed=5)
        assert wait_for_version(server, 3)["state"] == "AVAILABLE"
        loaded = tf.saved_model.load(str(directory / "3"))
        serve = loaded.signatures["serving_default"]
        wanted = serve(bytes=tf.constant([picture(1)]))["representations"]
        body = {"instances": [b64(picture(1))]}
        answer = httpx.post(f"{server.url}:predict", json=body, timeout=60)
        (row,) = answer.json()["predictions"]
        np.testing.assert_allclose([row["representations"]], wanted, rtol=1e-5)

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            # Long enough that the first still runs when the last has come.
            asked = [pool.submit(ask_slowly, server, 400) for _ in range(6)]
            wait_until_in_progress(server, 6)
            server.terminate()
            time.sleep(0.3)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{server.root}/healthz", timeout=60)
            answers = [future.result() for future in asked]
        assert answers == [(200, {"predictions": [400]})] * 6
        assert server.exit_status(30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index", "data-00000-of-00001"])
def test_a_version_whose_files_block_neither_stops_requests_nor_the_end(
    tmp_path, model, name
):
    directory = shutil.copytree(model, tmp_path / "tiny")
    with Server(directory, *SMALL, "--config.grace_s=3") as server:
        shutil.copytree(directory / "1", tmp_path / "new")
        path = tmp_path / "new" / "variables" / f"variables.{name}"
        path.unlink()
        os.mkfifo(path)
        (tmp_path / "new").rename(directory / "2")
        status = wait_for_version(server, 2)
        assert "no regular file" in status["status"]["error_message"]
        assert httpx.get(f"{server.root}/healthz", timeout=5).text == "alive\n"
        body = {"instances": [b64(picture(1))]}
        answer = httpx.post(f"{server.url}:predict", json=body, timeout=60)
        assert answer.status_code == 200
        server.terminate()
        assert server.exit_status(10) == 0


@pytest.mark.slow
def test_what_takes_longer_than_the_grace_is_given_up(model):
    with (
        Server(model, "--config.grace_s=0.5") as server,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(ask_slowly, server, 10**6)
        wait_until_in_progress(server, 1)
        server.terminate()
        assert server.exit_status(30) == 1
        assert asked.exception() or asked.result()[0] >= 500


def wait_until_in_progress(server, count):
    for _ in range(600):
        text = httpx.get(f"{server.root}/metrics", timeout=60).text
        if f"byol_requests_in_progress {count}.0" in text:
            return
        time.sleep(0.01)
    raise AssertionError("the requests never came together")
