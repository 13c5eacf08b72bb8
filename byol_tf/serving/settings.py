"""Settings of the server; `configs/serve.py` explains the fields."""

import dataclasses

from byol_tf.checks import check_choice, check_number

NANS = ("null", "NaN")


@dataclasses.dataclass(frozen=True)
class Batching:
    """How requests are batched."""

    enabled: bool
    max_batch: int
    max_wait_ms: float

    def __post_init__(self):
        check_number("batching.max_batch", self.max_batch, 1)
        check_number("batching.max_wait_ms", self.max_wait_ms, 0, 60_000)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of requests and connections; fields in `_s` are seconds."""

    connections: int
    header_s: float
    body_s: float
    idle_s: float
    requests: int
    request_bytes: int
    instances: int
    image_bytes: int
    pixels: int

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            low = 0.01 if name.endswith("_s") else 1
            check_number(f"limits.{name}", value, low)


@dataclasses.dataclass(frozen=True)
class Settings:
    """All other settings; fields in `_s` are seconds."""

    workers: int
    timeout_s: float
    poll_s: float
    load_s: float
    versions_kept: int
    nan: str
    drain_s: float
    grace_s: float
    batching: Batching
    limits: Limits

    def __post_init__(self):
        check_number("workers", self.workers, 1, 256)
        check_number("timeout_s", self.timeout_s, 1e-3)
        check_number("poll_s", self.poll_s, 1e-2)
        check_number("load_s", self.load_s, 1e-2)
        check_number("versions_kept", self.versions_kept, 1)
        check_number("drain_s", self.drain_s, 0)
        check_number("grace_s", self.grace_s, 0)
        check_choice("nan", self.nan, NANS)
