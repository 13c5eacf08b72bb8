"""The configuration that a run folder keeps."""

import pytest

from byol_tf.runs import config as run_config
from configs import base

SECTION = "a: &a {x: 1}\nb: &b {k0: *a, k1: *a}\n"
LIST = "a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n"
MERGED = "a: &a {x: 1}\nb: {<<: *a}\n"


@pytest.mark.parametrize("text", [SECTION, LIST, MERGED])
@pytest.mark.parametrize(
    "read",
    [
        run_config.read_values,
        lambda folder: run_config.config_of_run(
            None, folder, base.get_config()
        ),
    ],
)
def test_aliases_that_may_expand_without_bound_are_refused(
    tmp_path, text, read
):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match="stands for a section"):
        read(tmp_path)


def test_an_alias_of_numbers_is_read(tmp_path):
    text = "a: &a [0.1, 2.0]\nb: *a\nc: &c 3\nd: *c\n"
    (tmp_path / "config.yaml").write_text(text)
    values = run_config.read_values(tmp_path)
    assert values == {"a": [0.1, 2.0], "b": [0.1, 2.0], "c": 3, "d": 3}
