"""Settings of the server."""

import dataclasses

from byol_tf.checks import check_number
from byol_tf.modalities.image.decode import MAX_PIXELS

NANS = ("null", "NaN")


@dataclasses.dataclass(frozen=True)
class Batching:
    """How requests are joined.

    Attributes:
        enabled: whether they are; if not, each is computed alone.
        max_batch: images that are computed at once; a request of more is
            computed alone, in one piece.
        max_wait_ms: how long a request waits for others while there is
            nothing else to do. While all workers are busy, requests wait and
            are joined anyhow.
    """

    enabled: bool = True
    max_batch: int = 64
    max_wait_ms: float = 0.0

    def __post_init__(self):
        check_number("batching.max_batch", self.max_batch, 1)
        check_number("batching.max_wait_ms", self.max_wait_ms, 0, 60_000)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes:
        requests: in progress: being read, waiting or computed.
        request_bytes: of the body of a request.
        instances: images of a request.
        image_bytes: of an image file.
        pixels: of an image that comes as numbers; of files the exported
            model has a limit of its own.
    """

    requests: int = 256
    request_bytes: int = 32 * 2**20
    instances: int = 1024
    image_bytes: int = 16 * 2**20
    pixels: int = MAX_PIXELS

    def __post_init__(self):
        for field in dataclasses.fields(self):
            check_number(f"limits.{field.name}", getattr(self, field.name), 1)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything else.

    Attributes:
        workers: threads that compute; each call may use every core.
        timeout_s: seconds from the start of a request to its answer.
        poll_s: seconds between two looks for new versions.
        versions_kept: newest versions that are served.
        nan: how NaN and infinity are written in JSON: "null", which every
            reader takes, or "NaN", as TensorFlow Serving does.
        drain_s: seconds from the signal to stop, when `/readyz` begins to
            fail, until new connections are refused.
        grace_s: seconds that requests in progress get after that.
    """

    workers: int = 2
    timeout_s: float = 30.0
    poll_s: float = 2.0
    versions_kept: int = 1
    nan: str = "null"
    drain_s: float = 0.0
    grace_s: float = 30.0
    batching: Batching = dataclasses.field(default_factory=Batching)
    limits: Limits = dataclasses.field(default_factory=Limits)

    def __post_init__(self):
        check_number("workers", self.workers, 1, 256)
        check_number("timeout_s", self.timeout_s, 1e-3)
        check_number("poll_s", self.poll_s, 1e-2)
        check_number("versions_kept", self.versions_kept, 1)
        check_number("drain_s", self.drain_s, 0)
        check_number("grace_s", self.grace_s, 0)
        if self.nan not in NANS:
            raise ValueError(
                f"`nan` must be one of {', '.join(NANS)}. "
                f"Received: nan={self.nan!r}"
            )
