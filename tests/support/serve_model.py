"""A small model and the server of it, for the tests of serving."""

import asyncio
import base64
import contextlib
import functools
import io
import os
import pathlib
import re
import signal
import struct
import tempfile
import time

import httpx
import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from byol_tf.export import saved_model, signatures
from byol_tf.serving.model import Version
from byol_tf.serving.rest import make_app
from byol_tf.serving.service import Service
from byol_tf.serving.versions import Versions
from tests.support.encoders import image_encoder
from tests.support.scripts import start_script
from tests.support.settings import server_settings

SIZE, FEATURES = 8, 5
# Flags that make limits easy to exceed.
SMALL = (
    "--config.poll_s=0.1",
    "--config.limits.request_bytes=200000",
    "--config.limits.pixels=1000000",
)


def export(directory: pathlib.Path, seed: int = 0) -> pathlib.Path:
    """Writes the next version; another seed gives other vectors.

    Beside the signatures of an encoder it has `slow`, which takes a while.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIZE, SIZE, 3))
    flat = keras.layers.Flatten()(inputs)
    encoder = keras.Model(inputs, keras.layers.Dense(FEATURES)(flat))
    module, functions = signatures.make_module(
        image_encoder(encoder, SIZE, prepare=_prepare)
    )
    module.slow = functions["slow"] = _slow
    with saved_model.new_version(directory) as folder:
        saved_model.save(module, functions, folder)
    return directory


def _prepare(images):
    images = tf.image.convert_image_dtype(images, tf.float32)
    return tf.image.resize(images, (SIZE, SIZE))


@tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "rounds")])
def _slow(rounds):
    product = tf.ones([300, 300])
    for _ in tf.range(tf.reduce_max(rounds)):
        product = tf.linalg.matmul(product, product) / 300.0
    return {"rounds": rounds + tf.cast(product[0, 0], tf.int32) - 1}


def picture(seed: int, side: int = 12) -> bytes:
    """A PNG of noise."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def bomb(side=60_000):
    """The head of a PNG that says that it is huge."""
    data = bytearray(picture(0))
    data[16:24] = struct.pack(">II", side, side)
    return bytes(data)


def b64(data: bytes) -> dict:
    """As JSON has bytes."""
    return {"b64": base64.b64encode(data).decode()}


def make_service(directory: pathlib.Path, **settings) -> Service:
    """A service named `tiny`, without a version yet."""
    versions = Versions(directory, load=_load)
    return Service("tiny", versions, server_settings(**settings))


@functools.lru_cache
def _load(number, folder):
    version = Version(number, folder)
    version.warm_up()
    return version


@contextlib.asynccontextmanager
async def client_of(service: Service):
    """An HTTP client of a service, without a network."""
    await service.versions.update()
    transport = httpx.ASGITransport(make_app(service))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tiny", timeout=60
    ) as client:
        yield client
    service.close()


def ask(directory: pathlib.Path, steps, **settings):
    """What `steps(client, service)` returns, of a new service."""

    async def run():
        service = make_service(directory, **settings)
        async with client_of(service) as client:
            return await steps(client, service)

    return asyncio.run(run())


class Server:
    """A running `serve.py`; `url` is the model's, `root` the server's."""

    def __init__(self, model, *flags):
        self._folder = tempfile.TemporaryDirectory()
        flags = [f"--model={model}", "--port=0", "--grpc_port=0", *flags]
        self._process = start_script(
            "serve.py", *flags, folder=self._folder.name
        )
        text = self._first_lines()
        self.url = re.search(r"http://\S+/v1/models/\w+", text)[0]
        self.root = self.url.split("/v1")[0]
        self.address = re.search(r"gRPC: +(\S+)", text)[1]
        self.command = re.search(r"Try:(.*)\n", text)[1].strip()

    def _first_lines(self):
        output = pathlib.Path(self._folder.name) / "out"
        text = ""
        while not re.search(r"^Try:.*\n", text, re.M):
            assert self._process.is_alive(), "the server ended"
            time.sleep(0.05)
            text = output.read_text() if output.exists() else ""
        return text

    def terminate(self):
        """Asks it to end, as `kill` does."""
        os.kill(self._process.pid, signal.SIGTERM)

    def exit_status(self, seconds: float) -> int | None:
        """Waits for its end; None if it does not come in time."""
        self._process.join(seconds)
        return self._process.exitcode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.join()
        self._folder.cleanup()
