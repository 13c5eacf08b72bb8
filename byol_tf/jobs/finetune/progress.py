"""Progress of a fine-tuning over all of its trainings."""

from collections.abc import Sequence

from byol_tf.lines import progress_bar, restart


class Progress:
    """Shows one bar: number of the training, steps per second, time left.

    Rate and time left are means over all steps, including those saved by early
    stopping, since later trainings stop early about as often.

    Args:
        planned: `(trainings, steps of each)` of each variant of each fraction.
    """

    def __init__(self, planned: Sequence[tuple[int, int]]):
        self._trainings = sum(count for count, _ in planned)
        self._num_begun = 0
        self._compiled = False
        steps = sum(count * each for count, each in planned)
        self.bar = progress_bar(
            "fine-tune", total=steps, unit="step", smoothing=0
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def begin(self, name: str) -> None:
        """Starts the next training."""
        self._num_begun += 1
        position = f"training {self._num_begun} of {self._trainings}"
        self.bar.set_description(f"{position} ({name})")

    def update(self, steps: int) -> None:
        """Counts steps that were made or skipped.

        The first ones are compiled, so the rate is measured from there.
        """
        if self._compiled:
            self.bar.update(steps)
        else:
            self._compiled = True
            self.skip(steps)

    def skip(self, steps: int) -> None:
        """Counts steps that are not timed, as those of an earlier run."""
        restart(self.bar, steps)
