"""byol_tf.jobs.finetune.progress."""

from byol_tf.jobs.finetune.progress import Progress


def test_the_time_left_leaves_compilation_and_earlier_runs_out(monkeypatch):
    clock = [0.0]
    for clocked in ("time.time", "tqdm.std.time"):
        monkeypatch.setattr(clocked, lambda: clock[0])
    with Progress([(2, 10), (1, 20)]) as progress:
        progress.skip(10)
        for seconds in (1000.0, 1.0, 1.0):
            clock[0] += seconds
            progress.update(5)
        kept = progress.bar.format_dict
    assert (kept["n"], kept["total"]) == (25, 40)
    assert (kept["n"] - kept["initial"], kept["elapsed"]) == (10, 2.0)
