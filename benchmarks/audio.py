"""Log-mel frames of sounds, and both views of a batch of them."""

from benchmarks import report
from benchmarks.contest import OURS, Contest, Contestant, chosen, hold

SECONDS = 1.0  # length of a sound, at 16 kHz
TITLES = {
    "log_mel": "Log-mel of 1 s sounds",
    "views": "Log-mel and both views of 1 s sounds",
}


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Holds the contests; returns tables and results."""
    results = [hold(each, options.rounds) for each in contests(options)]
    return [report.table_of(result) for result in results], results


def contests(options) -> list[Contest]:
    """Makes contests of frames, with two peers, and of views, without one."""
    batch = 16 if options.quick else 64
    all_contests = []
    for quantity, title in TITLES.items():
        contestants = [Contestant(OURS, "ours_audio")]
        if quantity == "log_mel":
            contestants += [
                Contestant("librosa", "peer_librosa"),
                Contestant("nnAudio", "peer_nnaudio", options.peers_python),
            ]
        all_contests.append(
            Contest(
                f"{title}, batch {batch}",
                "seconds of audio/s",
                {
                    **{"what": quantity, "batch": batch, "length": SECONDS},
                    "seconds": options.seconds,
                },
                chosen(contestants, options.only)
                if quantity == "log_mel"
                else contestants,
            )
        )
    return [
        contest for contest in all_contests if options.cases in contest.title
    ]
