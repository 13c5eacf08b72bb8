"""Measures a BYOL training step on given views, and its share of the peak."""

from benchmarks import report
from benchmarks.contest import OURS, Contest, Contestant, chosen, hold

PEAK = "matmul"
# Title, encoder, batch, and the heads' hidden and projection size.
CASES = (
    ("ResNet-20, width 16, batch 64", "resnet20", 64, 1024, 256),
    ("ResNet-18, batch 64", "resnet18", 64, 1024, 256),
    ("slim, batch 256", "slim", 256, 512, 128),
)


def run(options) -> tuple[list[report.Table], list[dict]]:
    """Holds the contests; returns tables and results."""
    results = [hold(c, options.rounds) for c in contests(options)]
    for result in results:
        share_of_peak(result)
    return [report.table_of(result) for result in results], results


def contests(options) -> list[Contest]:
    """Makes a contest for each encoder."""
    contestants = [
        Contestant(OURS, "ours_step"),
        Contestant("torch", "peer_torch_step", options.peers_python),
    ]
    peak = Contestant(PEAK, "ours_matmul", unit="GFLOP/s")
    return [
        Contest(
            f"Step of {title}, 32 px",
            "images/s",
            {
                "encoder": encoder,
                "batch": batch,
                "hidden": hidden,
                "projection": projection,
                "seconds": options.seconds,
                "compile": not options.quick,
            },
            [*chosen(contestants, options.only), peak],
        )
        for title, encoder, batch, hidden, projection in CASES
        if options.cases in title
    ]


def share_of_peak(result: dict) -> None:
    """Adds its share of the peak rate of matrix products to every entry.

    All contestants have the same networks, so our worker counts the operations
    for all.
    """
    entries = result["entries"]
    flops = entries.get(OURS, {}).get("info", {}).get("flops_per_image")
    if PEAK not in entries or not flops:
        return
    for name, entry in entries.items():
        if name != PEAK:
            gflops = entry["median"] * flops / 1e9
            entry["share_of_peak"] = gflops / entries[PEAK]["median"]
            entry["remark"] = (
                f"{gflops:.0f} GFLOP/s, {entry['share_of_peak']:.0%} of peak"
            )
