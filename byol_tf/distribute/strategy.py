"""Several devices: strategy, parts of a batch, and the writing worker.

Uses TensorFlow's `tf.distribute`. Every replica makes the same step on its part
of the batch; sums over replicas are in the step itself. A worker is a process;
the first one, the chief, is the only one that measures and writes.
"""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf
from absl import logging

from byol_tf.checks import check_choice
from byol_tf.lines import first_line

STRATEGIES = ("auto", "one", "mirrored", "multi_worker", "tpu")
JOBS = ("chief", "worker")  # in TF_CONFIG

# Errors of TensorFlow in the other workers when one is gone.
_LOST_WORKER_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


class WorkerLostError(OSError):
    """Raised if another worker of the run died, or cannot be reached."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """The parts of a batch, one per replica, that this process makes."""

    first: int = 0  # replica of the first part
    count: int = 1  # replicas of this process
    replicas: int = 1  # of all processes


WHOLE = Shard()


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The devices of a run, as seen by process `worker` of `workers`."""

    strategy: tf.distribute.Strategy = dataclasses.field(
        default_factory=tf.distribute.get_strategy
    )
    worker: int = 0
    workers: int = 1

    @property
    def replicas(self) -> int:
        """Number of devices of all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """Whether this process measures and writes."""
        return self.worker == 0

    @property
    def shard(self) -> Shard:
        """The part of every batch that this process makes."""
        count = self.replicas // self.workers
        return Shard(self.worker * count, count, self.replicas)

    def step_function(
        self, step: Callable[..., dict], jit_compile: bool = False
    ) -> Callable[..., dict]:
        """Compiles a step for all replicas, which returns their means.

        Args:
            step: of one replica's batch; returns float32 scalars by name.
            jit_compile: whether to compile by XLA; ignored on several.
        """
        if self.replicas == 1:
            return tf.function(step, jit_compile=jit_compile, autograph=False)
        names = []

        def replica_step(*batch):
            logs = step(*batch)
            names[:] = logs
            return self._reduced("MEAN", tf.stack(list(logs.values())))

        @tf.function(autograph=False)
        def all_steps(*batch):
            means = self._first(self.strategy.run(replica_step, args=batch))
            return dict(zip(names, tf.unstack(means), strict=True))

        return all_steps

    def batches(self, make: Callable[[Shard], Iterable]) -> Iterable:
        """Returns the batches of a run, each with a part per local replica.

        Args:
            make: returns the parts of a shard, `(inputs, labels)`, those of a
                step in the order of the replicas.
        """
        parts = make(self.shard)
        return parts if self.replicas == 1 else self._grouped(parts)

    def gather(self, number: float) -> list[float]:
        """Returns the number of every worker; waits for all of them."""
        if self.workers == 1:
            return [number]
        contribution = (
            tf.one_hot(self.worker, self.workers, dtype=tf.float64) * number
        )
        numbers = (self._sum(contribution) / self.shard.count).numpy().tolist()
        # Others may still need the part of a worker that has the sum; after a
        # second sum each of them may end.
        with contextlib.suppress(*_LOST_WORKER_ERRORS):
            self._sum(contribution)
        return numbers

    def wait(self) -> None:
        """Waits until all workers call it."""
        self.gather(0)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turns the loss of a worker into a `WorkerLostError`."""
        try:
            yield
        except _LOST_WORKER_ERRORS as error:
            if self.workers == 1:
                raise
            logging.debug("%s", error)
            raise WorkerLostError(
                "another worker of the run died or cannot be reached; this is "
                f"worker {self.worker} of 0 to {self.workers - 1}. Start all "
                "of them again with the same command: they go on from the "
                "last checkpoint"
            ) from error

    def _grouped(self, parts):
        parts = iter(parts)
        while step_parts := list(itertools.islice(parts, self.shard.count)):
            remaining = iter(step_parts)
            yield self.strategy.experimental_distribute_values_from_function(
                lambda _, remaining=remaining: next(remaining)
            )

    @functools.cached_property
    def _sum(self):
        @tf.function(autograph=False)
        def total(number):
            # Made inside the replica, on the replica's device.
            return self._first(
                self.strategy.run(
                    lambda: self._reduced("SUM", tf.identity(number))
                )
            )

        return total

    def _first(self, values):
        return self.strategy.experimental_local_results(values)[0]

    @staticmethod
    def _reduced(operation, value):
        context = tf.distribute.get_replica_context()
        return context.all_reduce(operation, value)


def make_distribution(name: str) -> Distribution:
    """Makes the devices of a strategy.

    Call it before TensorFlow computes anything, since several workers cannot be
    joined later.

    Args:
        name: "one" (the first device), "mirrored" (all GPUs of this machine),
            "multi_worker" (all GPUs, or the CPU, of the processes in
            `TF_CONFIG`), "tpu" (all chips of this TPU VM), or "auto": whichever
            is available.

    Raises:
        ValueError: if there is no such strategy, or its devices are missing.
    """
    check_choice("strategy", name, STRATEGIES)
    if name == "auto":
        name = _available_strategy()
    if name != "one":
        tf.get_logger().setLevel("WARNING")  # it logs every sum
    make = {
        "one": Distribution,
        "mirrored": _mirrored,
        "multi_worker": _multi_worker,
        "tpu": _tpu,
    }
    return make[name]()


def is_chief(name: str) -> bool:
    """Returns whether this process will measure and write; uses no device."""
    _, job, index = _cluster()
    if name not in ("auto", "multi_worker") or index is None:
        return True
    return index == 0 and (job == "chief" or "chief" not in _cluster()[0])


def several_workers(name: str) -> bool:
    """Returns whether other processes will train too; uses no device."""
    workers = sum(_cluster()[0].values())
    return name in ("auto", "multi_worker") and workers > 1


def _available_strategy():
    if tf.config.list_physical_devices("TPU"):
        return "tpu"
    if sum(_cluster()[0].values()) > 1:
        return "multi_worker"
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return "mirrored"
    return "one"


def _mirrored():
    device_type = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    devices = tf.config.list_logical_devices(device_type)
    if len(devices) < 2:
        raise ValueError(
            "strategy=mirrored needs two GPUs or more on this machine. "
            f"Found: {', '.join(d.name for d in devices)}. Use strategy=one"
        )
    return Distribution(
        tf.distribute.MirroredStrategy([d.name for d in devices])
    )


def _multi_worker():
    jobs, job, index = _cluster()
    if sum(jobs.values()) < 2:
        raise ValueError(
            "strategy=multi_worker needs the environment variable TF_CONFIG "
            "to list two workers or more, as in docs/guides/many_devices.md. "
            f"Found: {sum(jobs.values())}"
        )
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    worker = index + (jobs.get("chief", 0) if job == "worker" else 0)
    return Distribution(strategy, worker, sum(jobs.values()))


def _cluster():
    """Returns processes by job, and this one's job and number, from TF_CONFIG.

    ({}, None, None) if it is not set.

    Raises:
        ValueError: if it is malformed, or has other jobs or another task.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        spec = resolver.cluster_spec()
        jobs = {job: spec.num_tasks(job) for job in spec.jobs}
        job, index = resolver.task_type, resolver.task_id
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"the environment variable TF_CONFIG is malformed ({error}); see "
            "docs/guides/many_devices.md"
        ) from error
    if not jobs:
        return {}, None, None
    unknown_jobs = set(jobs) - set(JOBS)
    if unknown_jobs:
        raise ValueError(
            "the cluster in TF_CONFIG must have only jobs chief and worker. "
            f"Received: {', '.join(sorted(unknown_jobs))}"
        )
    if job not in jobs or index is None or not 0 <= index < jobs[job]:
        raise ValueError(
            "the task in TF_CONFIG must be one of its cluster, which has "
            + ", ".join(f"{count} of {job}" for job, count in jobs.items())
            + f". Received: type={job!r}, index={index!r}"
        )
    return jobs, job, index


def _tpu():
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver("local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return Distribution(tf.distribute.TPUStrategy(resolver))
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(
            "strategy=tpu needs a TPU VM and a TensorFlow built for it: "
            f"{first_line(error)}"
        ) from error
