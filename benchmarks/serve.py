"""Measures the server: requests a second and how long they take.

    python -m benchmarks.serve --model=exported/quickstart

Each client sends one image, waits for the answer, and sends the next. One
server batches requests, another does not. Both get every load in turn, several
times, and the table has the medians. The clients use the same machine's cores.
"""

import argparse
import base64
import contextlib
import http.client
import io
import json
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from benchmarks import machine, report
from benchmarks.contest import ROOT

APIS = ("REST", "gRPC")
BATCHING = (True, False)


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    flags = argparse.ArgumentParser("python -m benchmarks.serve")
    add = flags.add_argument
    add("--model", required=True, help="folder that export.py wrote")
    add("--clients", default="1,8,32", help="at once")
    add("--rounds", type=int, default=5, help="of every load")
    add("--seconds", type=float, default=4.0, help="of a round of a load")
    add("--side", type=int, default=96, help="pixels of the JPEG that is sent")
    add("--max_wait_ms", type=float, default=0.0, help="of joined requests")
    add("--quick", action="store_true", help="see whether it works; no result")
    add("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "results")
    return flags


def main() -> None:
    options = parser().parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, min(options.seconds, 1.0)
    paths = ("model", "out")  # of this machine
    settings = {k: str(v) for k, v in vars(options).items() if k not in paths}
    settings["quick"] = options.quick
    about = {"machine": machine.describe(), "settings": settings}
    cases = run(options)
    path = report.save(options.out, "serve", [table(cases)], cases, about)
    print(report.markdown(table(cases)))
    print(path)


def run(options) -> list[dict]:
    """Measures every load on each server; returns medians over rounds."""
    image = picture(options.side)
    cases = [
        {"api": api, "batching": batching, "clients": int(clients), "of": []}
        for clients in options.clients.split(",")
        for api in APIS
        for batching in BATCHING
    ]
    with contextlib.ExitStack() as stack:
        servers = {
            batching: stack.enter_context(server(options, batching))
            for batching in BATCHING
        }
        for number in range(options.rounds + 1):  # the first one warms up
            for case in cases:
                address = servers[case["batching"]]
                seconds = options.seconds if number else 0.5
                figures = measure(case, address, image, seconds)
                if number:
                    case["of"].append(figures)
    for case in cases:
        for key in case["of"][0]:
            case[key] = statistics.median(entry[key] for entry in case["of"])
    return cases


def picture(side: int) -> bytes:
    """Makes a JPEG of soft colours, with about the bytes of a photo."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((side, side)).save(file, "JPEG", quality=90)
    return file.getvalue()


@contextlib.contextmanager
def server(options, batching: bool) -> Iterator[dict]:
    """Runs a server; yields its addresses by API."""
    process = subprocess.Popen(
        [
            sys.executable,
            ROOT / "serve.py",
            f"--model={options.model}",
            "--name=model",
            "--port=0",
            "--grpc_port=0",
            f"--config.batching.enabled={batching}",
            f"--config.batching.max_wait_ms={options.max_wait_ms}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        text = ""
        while "Try:" not in text:
            line = process.stdout.readline()
            if not line:
                raise ValueError(f"{options.model} cannot be served")
            text += line
        yield {
            "rest": re.search(r"http://([^/]+)/", text)[1],
            "grpc": re.search(r"gRPC: +(\S+)", text)[1],
        }
    finally:
        process.terminate()
        process.communicate()


def measure(case, address, image, seconds) -> dict:
    """Measures requests a second, latencies and batch sizes of one load."""
    before = counters(address)
    connect = {"REST": by_rest, "gRPC": by_grpc}[case["api"]]
    latencies, elapsed = load(
        lambda: connect(address, image), case["clients"], seconds
    )
    after = counters(address)
    p50, p99 = np.percentile(latencies, [50, 99])
    differences = (after[key] - before[key] for key in ("sum", "count"))
    return {
        "requests_per_second": len(latencies) / elapsed,
        "p50_ms": 1000 * float(p50),
        "p99_ms": 1000 * float(p99),
        "images_per_batch": np.divide(*differences).item(),
    }


def load(
    connect: Callable[[], contextlib.AbstractContextManager],
    clients: int,
    seconds: float,
) -> tuple[list[float], float]:
    """Sends requests from several clients; returns latencies and the time.

    Raises:
        RuntimeError: if a request fails.
    """
    latencies, errors, ends = [], [], []
    start = threading.Barrier(clients)

    def client():
        try:
            with connect() as ask:
                ask()  # opens the connection
                start.wait()
                sent = begin = time.perf_counter()
                while sent - begin < seconds:
                    ask()
                    now = time.perf_counter()
                    latencies.append(now - sent)
                    sent = now
                ends.append(sent - begin)
        except Exception as error:
            errors.append(error)
            start.abort()  # else the others would wait for ever

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(f"{len(errors)} clients failed") from errors[0]
    return latencies, max(ends)


@contextlib.contextmanager
def by_rest(address, image):
    """Yields a function that sends a request on one connection."""
    rows = [{"b64": base64.b64encode(image).decode()}]
    body = json.dumps({"instances": rows})
    connection = http.client.HTTPConnection(address["rest"])

    def ask():
        connection.request("POST", "/v1/models/model:predict", body)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200 or b'"status": "ok"' not in answer:
            raise RuntimeError(answer[:200])

    with contextlib.closing(connection):
        yield ask


@contextlib.contextmanager
def by_grpc(address, image):
    """Yields a function that sends a request on one channel."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import (
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "model"
    request.inputs["bytes"].CopyFrom(tf.make_tensor_proto([image]))
    # Else all clients of a process share one connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address["grpc"], options=options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask():
            response = stub.Predict(request, timeout=60)
            if response.outputs["status"].string_val[0] != b"ok":
                raise RuntimeError(response.outputs["status"])

        yield ask


def counters(address) -> dict[str, float]:
    """Returns the numbers of images and batches a server has computed."""
    connection = http.client.HTTPConnection(address["rest"])
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    return {
        key: float(re.search(rf"^byol_batch_images_{key} (\S+)", text, re.M)[1])
        for key in ("sum", "count")
    }


def table(cases: list[dict]) -> report.Table:
    """Makes the table of medians."""
    columns = ("", "clients", "requests/s", "p50 ms", "p99 ms", "images/batch")
    rows = [
        (
            f"{case['api']}, batching {'on' if case['batching'] else 'off'}",
            str(case["clients"]),
            report.number(case["requests_per_second"]),
            report.number(case["p50_ms"]),
            report.number(case["p99_ms"]),
            report.number(case["images_per_batch"]),
        )
        for case in cases
    ]
    rounds = len(cases[0]["of"])
    note = (
        f"Medians of {rounds} rounds. One image a request; the clients run on "
        "the same cores as the server."
    )
    return report.Table("The server", columns, rows, [note])


if __name__ == "__main__":
    main()
