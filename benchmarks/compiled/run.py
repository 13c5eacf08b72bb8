"""Runs exported steps by JAX's runtime, and measures their speed.

    python run.py FOLDER [NAME ...]

Needs only JAX and this file; prints a line per step, and writes all to
`FOLDER/jax.json`.
"""

import json
import pathlib
import re
import statistics
import sys
import time

import jax
import ml_dtypes
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lib import xla_client

jax.config.update("jax_enable_x64", True)  # some variables are int64

ROUNDS, SECONDS, WARM = 7, 1.5, 5


class Step:
    """A step with its state on the first device.

    Args:
        path: path of its files, without a suffix.
        inputs: arrays that it is called with.
    """

    def __init__(self, path: pathlib.Path, inputs: list):
        self.description = json.loads(path.with_suffix(".json").read_text())
        rng = np.random.default_rng(0)
        parameters = [value_of(p, rng) for p in self.description["parameters"]]
        self.device = jax.devices()[0]
        self.arguments = [
            jax.device_put(array, self.device)
            for array in (*inputs, *parameters)
        ]
        self.program = self._compile(path.with_suffix(".hlo").read_bytes())

    def __call__(self) -> dict:
        """Starts a step; returns its scalars by name, without waiting."""
        results = self.program.execute(self.arguments)
        for output, parameter in self.description["state"]:
            self.arguments[parameter] = results[output]
        return dict(zip(self.description["outputs"], results, strict=False))

    def _compile(self, serialized):
        computation = xla_client.XlaComputation(serialized)
        convert = xla_client._xla.mlir.xla_computation_to_mlir_module
        text = with_donation(convert(computation), self.description["state"])
        with mlir.make_ir_context():
            module = mlir.ir.Module.parse(text)
            return self.device.client.compile_and_load(
                module,
                xla_client.DeviceList((self.device,)),
                xla_client.CompileOptions(),
            )


def with_donation(text: str, state: list) -> str:
    """Marks the parameters of a program that results may overwrite."""
    # A copy is no operation of StableHLO; a reshape to the same shape is.
    text = re.sub(
        r"= mhlo\.copy (%[\w#]+) : (tensor<[^>]*>)",
        r"= stablehlo.reshape \1 : (\2) -> \2",
        text,
    )
    text = re.sub(
        r"mhlo\.input_output_alias = \[.*?\](?=, mhlo|\})",
        "mhlo.aliases_told_below = true",
        text,
        count=1,
        flags=re.DOTALL,
    )
    begin = text.index("func.func @main(")
    end = text.index("\n", begin)
    outputs = {parameter: output for output, parameter in state}

    def marked(match):
        number, tensor_type = int(match[1]), match[2]
        if number not in outputs:
            return match[0]
        mark = f"tf.aliasing_output = {outputs[number]} : i32"
        return f"%arg{number}: {tensor_type} {{{mark}}}"

    signature = re.sub(r"%arg(\d+): (tensor<[^>]*>)", marked, text[begin:end])
    return text[:begin] + signature + text[end:]


def value_of(parameter: dict, rng: np.random.Generator) -> np.ndarray:
    """Returns a parameter's value, or random numbers of its deviation."""
    shape, name = parameter["shape"], parameter["dtype"]
    dtype = ml_dtypes.bfloat16 if name == "bfloat16" else np.dtype(name)
    if "value" in parameter:
        # All entries, or one that stands for all.
        value = np.resize(parameter["value"], int(np.prod(shape)))
        return value.reshape(shape).astype(dtype)
    return (rng.normal(size=shape) * parameter["deviation"]).astype(dtype)


def images(shape: list, dtype: str) -> np.ndarray:
    """Makes smooth random images: uint8, or float in [0, 1]."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 255, (shape[0], 8, 8, shape[3])).astype(np.float32)
    pixels = np.clip(jax.image.resize(low, shape, "cubic"), 0, 255)
    if dtype == "uint8":
        return pixels.astype(np.uint8)
    noise = rng.uniform(-0.1, 0.1, shape)
    return np.clip(pixels / 255 + noise, 0, 1).astype(np.float32)


def measure(step: Step) -> dict:
    """Returns images a second, and first and last loss on the same images."""

    def loss():
        return float(step()["loss"])

    first = loss()
    for _ in range(WARM):
        loss()
    begin = time.perf_counter()
    loss()
    count = max(3, int(SECONDS / (time.perf_counter() - begin)))
    batch, rates = step.description["info"]["batch"], []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(count):
            result = step()
        jax.block_until_ready(list(result.values()))
        rates.append(batch * count / (time.perf_counter() - begin))
    rate = statistics.median(rates)
    return {
        "images_per_second": rate,
        "range": [min(rates), max(rates)],
        "losses": [first, loss()],
        "tflops": rate * step.description["info"]["flops_per_image"] / 1e12,
    }


def main(folder: str, *names: str) -> None:
    """Measures the named steps, or all, one after another."""
    folder = pathlib.Path(folder)
    names = names or sorted(path.stem for path in folder.glob("*.hlo"))
    results = {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }
    for name in names:
        description = json.loads((folder / f"{name}.json").read_text())
        inputs = [images(*each) for each in description["inputs"]]
        results[name] = measure(Step(folder / name, inputs))
        print(name, json.dumps(results[name]), flush=True)
        (folder / "jax.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
