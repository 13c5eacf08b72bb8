"""Estimates what a run needs on other machines.

Computes rates, times, bandwidths and bytes from what is known before a run: the
operations per image (`training.flops`), the parameters, and the makers' data of
accelerators. Units have no prefix: FLOP/s, bytes, seconds.
"""

import dataclasses

from byol_tf.training.utilisation import TERA

GIGA = 1e9
SECONDS_A_DAY = 86_400
FLOAT32 = 4  # bytes


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """One device, as its maker states it.

    Attributes:
        name: its name.
        peak: FLOP/s of dense bfloat16 products.
        memory: bytes.
        link: bytes/s to its neighbours, each way, of all links together.
        linked: number of devices that have such links to each other.
        network: bytes/s each way of one device to devices beyond those.
        source: document with these values.
    """

    name: str
    peak: float
    memory: float
    link: float
    linked: int
    network: float
    source: str

    def bandwidth(self, devices: int) -> float:
        """Returns bytes/s each way of the slowest link among some devices."""
        return self.link if devices <= self.linked else self.network


A100 = Accelerator(
    "A100 SXM 80 GB",
    peak=312 * TERA,
    memory=80 * GIGA,
    link=300 * GIGA,
    linked=8,
    network=25 * GIGA,
    source="NVIDIA A100 and DGX A100 data sheets",
)
H100 = Accelerator(
    "H100 SXM 80 GB",
    peak=989 * TERA,
    memory=80 * GIGA,
    link=450 * GIGA,
    linked=8,
    network=50 * GIGA,
    source="NVIDIA H100 (half of the figure with sparsity) and DGX H100 data "
    "sheets",
)
TPU_V5E = Accelerator(
    "TPU v5e chip",
    peak=197 * TERA,
    memory=16 * GIGA,
    link=200 * GIGA,
    linked=256,
    network=3.125 * GIGA,
    source="Google Cloud documentation, TPU v5e",
)
ACCELERATORS = (A100, H100, TPU_V5E)


def images_per_second(
    flops_per_image: float, peak: float, utilisation: float, devices: int = 1
) -> float:
    """Returns `devices * peak * utilisation / flops_per_image`.

    Args:
        flops_per_image: operations of a training step, see `flops.step`.
        peak: FLOP/s of one device.
        utilisation: share of the peak that is reached, in (0, 1].
        devices: number of devices.
    """
    return devices * peak * utilisation / flops_per_image


def days(images: int, epochs: float, rate: float) -> float:
    """Returns the days of some epochs over images, at images a second."""
    return images * epochs / rate / SECONDS_A_DAY


def input_bandwidth(rate: float, bytes_per_image: float) -> float:
    """Returns bytes a second of the input, at images a second."""
    return rate * bytes_per_image


def cores(rate: float, seconds: float) -> float:
    """Returns the cores needed to prepare `rate` images a second.

    Args:
        rate: images a second, at least 0.
        seconds: processor time of one image.
    """
    return rate * seconds


def pixel_bytes(size: int, channels: int = 3) -> int:
    """Returns the bytes of a square image stored as uint8 pixels."""
    return size * size * channels


def all_reduce_bytes(parameters: int, devices: int) -> float:
    """Returns the bytes that each device sends and receives for gradients.

    In a ring, each device passes on every float32 gradient twice, except for a
    share of 1 / n: `2 (n - 1) / n * 4 * parameters`.

    Args:
        parameters: number of trainable parameters of the online networks.
        devices: n, at least 1.

    Reference: Patarasuk and Yuan 2009.
    """
    return 2.0 * (devices - 1) / devices * FLOAT32 * parameters


def all_reduce_seconds(
    parameters: int, devices: int, bandwidth: float
) -> float:
    """Returns seconds of that at bytes/s each way, without latency."""
    return all_reduce_bytes(parameters, devices) / bandwidth


def state_bytes(online: int, target: int, slots: int = 1) -> int:
    """Returns bytes of weights, gradients, optimizer state and target.

    Everything is float32: `4 ((2 + slots) online + target)`. Activations come
    on top, and grow with the batch.

    Args:
        online: parameters of the online networks.
        target: parameters of the target networks.
        slots: numbers that the optimizer stores per parameter: 1 for LARS and
            SGD with momentum, 2 for AdamW.
    """
    return FLOAT32 * ((2 + slots) * online + target)
