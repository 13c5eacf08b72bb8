"""Writes the tables of docs/scaling.md from the formulas of the package.

    python -m tools.make_scaling

The text around the tables is written by hand; a table stands between
`<!-- table: name -->` and `<!-- end of table -->`.
"""

import functools
import math
import pathlib
import re
from typing import NamedTuple

from byol_tf.files import write_text
from byol_tf.layers.heads import mlp
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.training import flops
from byol_tf.training.utilisation import utilisation
from configs import lengths
from tools import scaling

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "scaling.md"

HIDDEN, PROJECTION = 4096, 256  # of the paper's heads
ENCODERS = (
    ("slim", "small", 32),
    ("resnet20", "small", 32),
    ("resnet18", "small", 32),
    ("resnet18", "imagenet", 96),
    ("resnet18", "imagenet", 224),
    ("resnet34", "imagenet", 224),
    ("resnet50", "imagenet", 96),
    ("resnet50", "imagenet", 224),
    ("resnet200", "imagenet", 224),
)
IMAGENET_ENCODER = ("resnet50", "imagenet", 224)
MACHINES = (
    (scaling.A100, 1),
    (scaling.A100, 8),
    (scaling.H100, 1),
    (scaling.H100, 8),
    (scaling.H100, 64),
    (scaling.TPU_V5E, 8),
    (scaling.TPU_V5E, 256),
)
UTILISATIONS = (0.1, 0.2, 0.3, 0.4)
ASSUMED_UTILISATION = 0.3  # of the bandwidths
EPOCHS = 1000
STORED_SIDE = 256  # pixels
JPEG_BYTES = 147_897_477_120 / lengths.IMAGENET  # of the training archive
# Processor time of a photo of 500x375 to two crops of 224 pixels, in seconds on
# one core of an AMD EPYC without AVX-512 (python -m benchmarks.reading), and
# what its source stores of ImageNet.
SOURCES = {
    "files": (7.3e-3, JPEG_BYTES),
    "shards": (6.9e-3, JPEG_BYTES),
    "pixels": (6.2e-3, 3 * 500 * 375),
}
FED_DEVICES = (1, 8, 64)  # H100
MEASURED_UTILISATION = 0.14  # utilisation of ResNet-50 on an H100

# What others published: passes, epochs, hours, devices, peak of a device.
PUBLISHED = (
    ("supervised, 1 A100", "supervised", 90, 8.75, 1, scaling.A100.peak),
    ("supervised, 8 A100", "supervised", 90, 1.14, 8, scaling.A100.peak),
    ("BYOL, 512 cores of TPU v3", "byol", 1000, 8.0, 256, 123e12),
)


class Counts(NamedTuple):
    """Parameters and operations of an encoder with the paper's heads."""

    encoder: int  # parameters
    online: int
    target: int
    forward: float  # operations per image
    step: float


@functools.cache
def networks(name: str, stem: str) -> tuple:
    """Makes an encoder for images of any size, projector and predictor."""
    encoder = make_resnet(name, (None, None, 3), stem=stem)
    features = encoder.output_shape[-1]
    projector = mlp(features, HIDDEN, PROJECTION, name="projector")
    predictor = mlp(PROJECTION, HIDDEN, PROJECTION, name="predictor")
    return encoder, projector, predictor


@functools.cache
def count_encoder(name: str, stem: str, side: int) -> Counts:
    """Counts parameters and operations of BYOL with an encoder by name."""
    encoder, projector, predictor = networks(name, stem)
    parameters = [_trainable(m) for m in (encoder, projector, predictor)]
    forward = flops.forward(encoder, (side, side, 3))
    target = forward + flops.forward(projector)
    step = flops.of_passes(target + flops.forward(predictor), target)
    return Counts(
        parameters[0], sum(parameters), sum(parameters[:2]), forward, step
    )


def page(text: str) -> str:
    """Returns the page with new tables.

    Raises:
        ValueError: if a table has no place in the text.
    """
    for name, table in TABLES.items():
        pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"
        text, replaced = re.subn(
            pattern,
            lambda ends, table=table: "\n".join(
                [ends[1], *table(), "", ends[2]]
            ),
            text,
            flags=re.S,
        )
        if replaced != 1:
            raise ValueError(
                f"the page must have one place for the table {name}, between "
                f"<!-- table: {name} --> and <!-- end of table -->. Found: "
                f"{replaced}"
            )
    return text


def encoders():
    """Yields rows of operations and bytes of each encoder."""
    yield _row("encoder", "stem", "view", "parameters, million",
               "forward, GFLOP an image", "step, GFLOP an image",
               "state, GB a device")  # fmt: skip
    for name, stem, side in ENCODERS:
        counts = count_encoder(name, stem, side)
        yield _row(
            name,
            stem,
            side,
            f"{counts.encoder / 1e6:.2f}",
            _digits(counts.forward / 1e9),
            _digits(counts.step / 1e9),
            f"{scaling.state_bytes(counts.online, counts.target) / 1e9:.2f}",
        )


def accelerators():
    """Yields rows of what the makers state."""
    yield _row("device", "peak in bfloat16, TFLOP/s", "memory, GB",
               "links, GB/s each way", "network, GB/s each way",
               "source")  # fmt: skip
    for device in scaling.ACCELERATORS:
        yield _row(
            device.name,
            f"{device.peak / 1e12:.0f}",
            f"{device.memory / 1e9:.0f}",
            f"{device.link / 1e9:.0f}, up to {device.linked} devices",
            f"{device.network / 1e9:.3g}",
            device.source,
        )


def published():
    """Yields rows of the utilisation of published runs."""
    yield _row("ResNet-50, 224 pixels", "epochs", "hours", "images/s",
               "utilisation")  # fmt: skip
    counts = count_encoder(*IMAGENET_ENCODER)
    operations = {"supervised": 3 * counts.forward, "byol": counts.step}
    for title, method, epochs, hours, devices, peak in PUBLISHED:
        rate = lengths.IMAGENET * epochs / (hours * 3600)
        share = utilisation(rate, operations[method], devices * peak)
        yield _row(title, epochs, f"{hours:g}", _count(rate), _percent(share))


def days():
    """Yields rows of rate and days at each utilisation."""
    yield _row("", *map(_percent, UTILISATIONS))
    for device, devices in MACHINES:
        rates = [_rate(device, devices, share) for share in UTILISATIONS]
        yield _row(_machine(device, devices), *map(_rate_and_days, rates))


def bandwidths():
    """Yields rows of the bandwidths that input and network need."""
    yield _row("", "images/s", "step, ms", "pixels, GB/s", "JPEG files, GB/s",
               "all-reduce, MB a device", "all-reduce, ms")  # fmt: skip
    online = count_encoder(*IMAGENET_ENCODER).online
    pixels = scaling.pixel_bytes(STORED_SIDE)
    for device, devices in MACHINES:
        rate = _rate(device, devices, ASSUMED_UTILISATION)
        seconds = scaling.all_reduce_seconds(
            online, devices, device.bandwidth(devices)
        )
        yield _row(
            _machine(device, devices),
            _count(rate),
            f"{1000 * lengths.BATCH / rate:.0f}",
            f"{scaling.input_bandwidth(rate, pixels) / 1e9:.1f}",
            f"{scaling.input_bandwidth(rate, JPEG_BYTES) / 1e9:.1f}",
            f"{scaling.all_reduce_bytes(online, devices) / 1e6:.0f}",
            f"{1000 * seconds:.1f}",
        )


def sources():
    """Yields rows of the cores that feed some H100, and stored bytes."""
    machines = [_machine(scaling.H100, devices) for devices in FED_DEVICES]
    yield _row("", "stored, GB", *(f"{name}, cores" for name in machines))
    rates = [
        _rate(scaling.H100, devices, MEASURED_UTILISATION)
        for devices in FED_DEVICES
    ]
    yield _row("photos/s", "", *map(_count, rates))
    for name, (seconds, stored) in SOURCES.items():
        total = stored * lengths.IMAGENET / scaling.GIGA
        cores = [_count(scaling.cores(rate, seconds)) for rate in rates]
        yield _row(f"data.store={name}", _count(total), *cores)


TABLES = {
    "encoders": lambda: _table(encoders()),
    "accelerators": lambda: _table(accelerators()),
    "published": lambda: _table(published()),
    "days": lambda: _table(days()),
    "bandwidths": lambda: _table(bandwidths()),
    "sources": lambda: _table(sources()),
}


def _trainable(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def _rate(device, devices, share):
    step = count_encoder(*IMAGENET_ENCODER).step
    return scaling.images_per_second(step, device.peak, share, devices)


def _rate_and_days(rate):
    days = scaling.days(lengths.IMAGENET, EPOCHS, rate)
    duration = f"{days:.1f} days" if days >= 1 else f"{24 * days:.1f} hours"
    return f"{_count(rate)}/s, {duration}"


def _percent(share):
    return f"{100 * share:.0f} %"


def _machine(device, devices):
    return f"{devices} x {device.name}"


def _digits(number):
    """Formats a number with three significant digits."""
    return f"{number:#.3g}".rstrip(".")


def _count(number):
    """Formats a number with three significant digits, without exponent."""
    return f"{float(f'{number:.3g}'):,.0f}"


def _row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def _table(rows):
    title, *rest = rows
    return [title, "|" + "---|" * (title.count("|") - 1), *rest]


def main():
    """Updates the tables of the page."""
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
