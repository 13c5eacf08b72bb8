"""Two random views of every image of a batch, and of JPEG files."""

import pathlib
import tempfile

from benchmarks import report
from benchmarks.contest import OURS, Contest, Contestant, chosen, hold
from benchmarks.photos import write_photos

PHOTOS = 512  # files; a round takes as many of them as it needs


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Holds the contests; returns tables and results."""
    with tempfile.TemporaryDirectory() as folder:
        results = [
            hold(contest, options.rounds)
            for contest in contests(options, pathlib.Path(folder))
        ]
    return [report.table_of(result) for result in results], results


def contests(options, folder: pathlib.Path) -> list[Contest]:
    """Makes contests on small images, on large ones, and on files."""
    batch = 16 if options.quick else 64
    small = {"source": 32, "size": 32, "batch": 256}
    large = {"source": 256, "size": 224, "batch": batch}
    files = {"folder": str(folder), "size": 224, "batch": batch}
    contests = [
        _contest("Two 32 px views of 32 px images, batch 256", small, options),
        _contest(
            f"Two 224 px views of 256 px images, batch {batch}", large, options
        ),
        _contest("Two 224 px views of JPEG files", files, options),
    ]
    contests = [c for c in contests if options.cases in c.title]
    if any("folder" in c.case for c in contests):
        write_photos(folder, 4 * batch if options.quick else PHOTOS)
    return contests


def _contest(title, case, options):
    contestants = [
        Contestant(OURS, "ours_augment"),
        Contestant("lightly", "peer_lightly_augment", options.peers_python),
    ]
    if "folder" not in case:
        contestants.append(Contestant("keras_cv", "peer_keras_cv"))
    return Contest(
        title,
        "images/s",
        {**case, "seconds": options.seconds},
        chosen(contestants, options.only),
    )
