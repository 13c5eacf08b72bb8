"""Settings of the server."""

import dataclasses

from byol_tf.checks import check_choice, check_number

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

    enabled: bool
    max_batch: int
    max_wait_ms: float

    def __post_init__(self):
        check_number("batching.max_batch", self.max_batch, 1)
        check_number("batching.max_wait_ms", self.max_wait_ms, 0, 60_000)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes:
        connections: open at once, by REST and by gRPC each; fewer where the
            process may not open that many files.
        header_s: seconds until the head of a request has come.
        body_s: seconds until its body has.
        idle_s: seconds that a connection stays open without a request. More
            than clients keep them, so that none is closed just when one comes.
        requests: in progress: being read, waiting or computed.
        request_bytes: of the body of a request.
        instances: images of a request.
        image_bytes: of an image file.
        pixels: of an image that comes as numbers; of files the exported
            model has a limit of its own.
    """

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
        for field in dataclasses.fields(self):
            least = 0.01 if field.name.endswith("_s") else 1
            value = getattr(self, field.name)
            check_number(f"limits.{field.name}", value, least)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything else.

    Attributes:
        workers: threads that compute; each call may use every core.
        timeout_s: seconds from the start of a request to its answer.
        poll_s: seconds between two looks for new versions.
        load_s: seconds until a new version has failed that is not loaded yet.
        versions_kept: newest versions that are served.
        nan: how NaN and infinity are written in JSON: "null", which every
            reader takes, or "NaN", as TensorFlow Serving does.
        drain_s: seconds from the signal to stop, when `/readyz` begins to
            fail and answers to close connections, until new ones are refused.
        grace_s: seconds that requests in progress get after that.
    """

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
