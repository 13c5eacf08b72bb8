"""`byol_tf system explore`, on three rooms."""

import json

import numpy as np
import pytest

pytest.importorskip("minigrid")

from byol_tf.systems.explore import verbs
from configs import explore


def test_a_run_compares_the_rewards(tmp_path, capsys):
    config = explore.get_config()
    config.rooms, config.side, config.steps = 3, 5, 200
    config.seeds = (0, 1)
    verbs.run(config, None, str(tmp_path / "run"))
    found = json.loads((tmp_path / "run" / "explore.json").read_text())
    assert set(found) == {"steps", *verbs.REWARDS}
    for kind in verbs.REWARDS:
        for curve in found[kind].values():
            assert curve["mean"] == sorted(curve["mean"])
            last = np.mean(curve["seeds"])
            assert curve["mean"][-1] == pytest.approx(last)
    assert (tmp_path / "run" / "explore.png").read_bytes()[:4] == b"\x89PNG"
    assert "BYOL error" in capsys.readouterr().out


def test_coverage_counts_cells_and_rooms_but_no_doors():
    room_of = np.array([[0, 0, 2, 1, -1]])  # 2: a door
    first = np.array([[0, -1, 5, 7, -1]])
    found = verbs.coverage(first, room_of, [1, 6, 8])
    np.testing.assert_allclose(found, [[0.25, 0.5, 0.75], [1, 1, 2]])
