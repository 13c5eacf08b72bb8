"""What a run takes on other machines, on paper.

Rates, times, bandwidths and bytes as pure functions of what is known before a
run: the operations of an image (`training.flops`), the parameters, and what the
makers state of their accelerators. Units are plain: FLOP/s, bytes, seconds.
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
        name: what it is called.
        peak: FLOP/s of dense bfloat16 products.
        memory: bytes.
        link: bytes/s to its neighbours, each way, of all links together.
        linked: devices that have such links to each other.
        network: bytes/s each way beyond those, for one device.
        source: where that stands.
    """

    name: str
    peak: float
    memory: float
    link: float
    linked: int
    network: float
    source: str

    def bandwidth(self, devices: int) -> float:
        """Bytes/s each way of the slowest link among so many devices."""
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
    """Images a second: `devices * peak * utilisation / flops_per_image`.

    Args:
        flops_per_image: of a training step, see `byol_tf.training.flops.step`.
        peak: FLOP/s of one device.
        utilisation: share of the peak that is reached, in (0, 1].
        devices: how many there are.
    """
    return devices * peak * utilisation / flops_per_image


def days(images: int, epochs: float, rate: float) -> float:
    """Days of so many passes over so many images, at a rate a second."""
    return images * epochs / rate / SECONDS_A_DAY


def input_bandwidth(rate: float, bytes_per_image: float) -> float:
    """Bytes a second that the input has to deliver, at a rate a second."""
    return rate * bytes_per_image


def cores(rate: float, seconds: float) -> float:
    """Returns the cores needed to prepare `rate` images a second.

    Args:
        rate: images a second, at least 0.
        seconds: processor time of one image.
    """
    return rate * seconds


def pixel_bytes(size: int, channels: int = 3) -> int:
    """Bytes of a square image stored as uint8 pixels."""
    return size * size * channels


def all_reduce_bytes(parameters: int, devices: int) -> float:
    """Bytes that each device sends, and receives, to sum the gradients.

    A ring passes every float32 gradient round twice but for its own share:
    `2 (n - 1) / n * 4 * parameters`.

    Args:
        parameters: trainable ones, of the online networks.
        devices: n, 1 or more.

    Reference: Patarasuk and Yuan 2009.
    """
    return 2.0 * (devices - 1) / devices * FLOAT32 * parameters


def all_reduce_seconds(
    parameters: int, devices: int, bandwidth: float
) -> float:
    """Seconds of that at a bandwidth in bytes/s each way, without latency."""
    return all_reduce_bytes(parameters, devices) / bandwidth


def state_bytes(online: int, target: int, slots: int = 1) -> int:
    """Bytes of weights, gradients, optimizer and target on each device.

    Everything is float32: `4 ((2 + slots) online + target)`. Activations come
    on top, and grow with the batch.

    Args:
        online: parameters of the online networks.
        target: parameters of the target networks.
        slots: numbers that the optimizer keeps for each parameter: 1 of LARS
            and SGD (momentum), 2 of AdamW.
    """
    return FLOAT32 * ((2 + slots) * online + target)
