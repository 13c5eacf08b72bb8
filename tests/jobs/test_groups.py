"""Labels of some groups, tested on others."""

import dataclasses

import numpy as np
import pytest

from byol_tf.data.examples import Examples
from byol_tf.jobs.evaluate import groups as evaluated
from byol_tf.jobs.groups import Groups, parse_groups

SPEAKERS = ["ann", "bob", "cy", "ann", "bob", "cy", "ann", "dee"]


@pytest.fixture
def sets(tmp_path):
    """Training rows of ann, bob, cy, and test rows of ann, bob and dee."""
    lines = [f"{i}.wav,x,{name}" for i, name in enumerate(SPEAKERS)]
    text = "\n".join(["path,label,speaker", *lines])
    (tmp_path / "labels.csv").write_text(text)
    rows = np.arange(8)[:, None].astype(np.float32)
    every = Examples(
        rows,
        np.zeros(8, np.int32),
        ("x",),
        "sounds",
        paths=tuple(f"{i}.wav" for i in range(8)),
        folder=str(tmp_path),
        taken={"table": "labels.csv"},
    )
    return every.subset(np.arange(6)), every.subset([6, 7])


def numbers(examples):
    return np.asarray(examples.rows)[:, 0].astype(int).tolist()


def test_labels_of_a_group_are_not_learned_from(sets):
    train, test = sets
    others, load = Groups("speaker").split(train, lambda: test, ["ann"])
    assert numbers(others) == [1, 2, 4, 5]
    assert numbers(load()) == [6]


def test_without_test_rows_of_a_group_its_training_rows_are_tested(
    sets, capsys
):
    train, test = sets
    others, load = Groups("speaker").split(train, lambda: test, ["cy"])
    assert numbers(others) == [0, 1, 3, 4]
    assert numbers(load()) == [2, 5]
    assert "No test row is of speaker 'cy'" in capsys.readouterr().out


def test_a_group_of_test_rows_alone_may_be_named(sets):
    train, test = sets
    others, load = Groups("speaker").split(train, lambda: test, ["dee"])
    assert numbers(others) == numbers(train) and numbers(load()) == [7]


def test_groups_are_held_out_in_turn_or_drawn_by_the_seed(sets):
    train, _ = sets
    assert Groups("speaker").folds(train) == [("ann",), ("bob",), ("cy",)]
    assert parse_groups("speaker: cy ,ann").folds(train) == [("cy", "ann")]
    drawn = {Groups("speaker").a_fifth(train, seed) for seed in range(20)}
    assert drawn == {("ann",), ("bob",), ("cy",)}
    assert Groups("speaker", ("cy",)).a_fifth(train, 0) == ("cy",)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        (Groups("town", ("x",)), "no column 'town', but 'label', 'speaker'"),
        (Groups("speaker", ("eve",)), "must name some of"),
        (Groups("speaker", ("ann", "bob", "cy")), "not all"),
    ],
)
def test_what_is_no_group_is_refused(sets, groups, match):
    with pytest.raises(ValueError, match=match):
        groups.split(sets[0], None, groups.names)


def test_groups_need_a_table(sets):
    train = dataclasses.replace(sets[0], taken=None)
    with pytest.raises(ValueError, match="labels"):
        Groups("speaker").folds(train)
    with pytest.raises(ValueError, match="COLUMN"):
        parse_groups(":ann")
    assert parse_groups(None) is None


@dataclasses.dataclass
class Job:
    """An evaluation that knows the answer."""

    train: Examples
    load_test: object
    row_features: object = None

    def run(self, workdir, name):
        share = len(self.load_test().paths) / 10
        row = {"knn": {"accuracy": share, "k": 3}}
        return {"results": {"pretrained": row}}


def test_an_evaluation_tells_the_mean_over_groups(sets, tmp_path):
    job = Job(sets[0], lambda: sets[1])
    result = evaluated.run(job, Groups("speaker"), tmp_path)
    found = [each["pretrained"]["knn"] for each in result["groups"].values()]
    assert found == [0.1, 0.2, 0.2]  # test rows of ann; training rows
    assert result["mean"]["pretrained"]["knn"] == pytest.approx(0.5 / 3)
    assert (tmp_path / "eval_linear_speaker.json").is_file()
    text = evaluated.table(result)
    assert "16.7 ± 4.7 %" in text and "ann, bob, cy" in text


def test_features_of_a_row_are_computed_once(sets):
    train, made = sets[0], []
    # Two rows of each file.
    train = dataclasses.replace(train, paths=("a", "a", "b", "b", "c", "c"))

    def compute(rows):
        made.append(numbers(rows))
        return np.float32(rows.rows) * 10

    features_of = evaluated.RowFeatures()
    for index in ([0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 0, 1]):
        features = features_of("pretrained", train.subset(index), compute)
        np.testing.assert_array_equal(features[:, 0], np.multiply(index, 10))
    assert made == [[0, 1, 2, 3], [4, 5]]
    features_of("random encoder", train, compute)
    assert len(made) == 3
