"""A detector beside keras-cv's RetinaNet, on the same encoder."""

from benchmarks import report
from benchmarks.contest import OURS, Contest, Contestant, chosen, hold

BATCH = 8
# Title, and work of a round.
CASES = (("Training step of a detector", "train"), ("Detection", "detect"))


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Holds the contests; returns tables and results."""
    results = [hold(c, options.rounds) for c in contests(options)]
    return [report.table_of(result) for result in results], results


def contests(options) -> list[Contest]:
    """Makes a contest of training and one of prediction."""
    contestants = [
        Contestant(OURS, "ours_detect"),
        Contestant("keras-cv", "peer_keras_cv_detect"),
    ]
    side = 128 if options.quick else 256
    return [
        Contest(
            f"{title}, {side} px, batch {BATCH}",
            "images/s",
            {
                "work": mode,
                "side": side,
                "batch": BATCH,
                "seconds": options.seconds,
                # A quick run checks that it works, without compiling.
                "eager": options.quick,
            },
            chosen(contestants, options.only),
        )
        for title, mode in CASES
        if options.cases in title
    ]
