"""A whole fine-tuning of a tiny encoder, and what it refuses."""

import csv
import dataclasses
import functools
import json
import re
import types

import keras
import numpy as np
import pytest
from PIL import Image

from byol_tf.data.examples import Examples
from byol_tf.data.fractions import parse_fractions
from byol_tf.data.label_table import LabelTable
from byol_tf.files import save_model, write_json
from byol_tf.jobs.finetune import build as finetune_builders
from byol_tf.jobs.finetune import results as finetune_results
from byol_tf.jobs.finetune.kept import TrainingStore
from byol_tf.jobs.finetune.run import FineTuning
from byol_tf.modalities.image.supervised import SupervisedAugment
from byol_tf.runs import encoder as encoders
from byol_tf.runs.description import weights_digest
from byol_tf.tasks.classification import Classification
from byol_tf.tasks.keypoints import Keypoints
from byol_tf.tasks.task import Labelled
from tests.support.brightness import Brightness
from tests.support.eager import eagerly
from tests.support.finetuning import build, finetune_config
from tests.support.runs import make_run

OWN = "tests.support.brightness:Brightness"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("finetuned"))


@pytest.fixture(scope="module")
def finished(run_folder):
    job = build(
        run_folder, labels=["10-per-class", "50%"], seeds=2, grid_seeds=1
    )
    before = weights_digest(job.encoder.model)
    fitted = {}
    choose = job._choose

    def watched(*key):
        fitted[key[0].name, key[1]] = choose(*key)
        return fitted[key[0].name, key[1]]

    job._choose = watched
    return job, job.run(run_folder), fitted, before


@pytest.fixture(autouse=True)
def _only_the_finished_run_is_compiled(finished):
    with eagerly():
        yield


def test_every_fraction_has_every_variant_of_every_seed(finished):
    result = finished[1]
    assert list(result["fractions"]) == ["10-per-class", "50%"]
    for row in result["fractions"].values():
        assert list(row["variants"]) == ["fine-tuned", "frozen", "scratch"]
        for variant, numbers in row["variants"].items():
            assert [run["seed"] for run in numbers["runs"]] == [0, 1]
            tried = [t["learning_rate"] for t in numbers["tried"]]
            assert tried == ([2, 1] if variant == "frozen" else [0.4, 0.1])
            assert numbers["learning_rate"] in tried
    row = result["fractions"]["50%"]
    assert (row["labels"], row["learned_from"], row["chosen_by"]) == (
        60,
        48,
        12,
    )


def test_means_deviations_and_gains_follow_from_the_runs(finished):
    for row in finished[1]["fractions"].values():
        values = {
            variant: [run["test"]["accuracy"] for run in numbers["runs"]]
            for variant, numbers in row["variants"].items()
        }
        for variant, numbers in row["variants"].items():
            assert numbers["test"]["mean"] == np.mean(values[variant])
            assert numbers["test"]["std"] == np.std(values[variant], ddof=1)
        gains = np.subtract(values["fine-tuned"], values["scratch"])
        assert row["gain"]["mean"] == pytest.approx(gains.mean())


def test_one_bar_counts_all_trainings_and_their_steps(run_folder, capsys):
    job = build(run_folder, labels=["10-per-class", "50%"], seeds=2)
    job.settings = dataclasses.replace(
        job.settings, variants=("frozen",), grid_seeds=1, patience=1
    )
    job.load_test = lambda: pytest.fail("fitted")
    with pytest.raises(pytest.fail.Exception):
        job.run(run_folder)
    last = capsys.readouterr().err.rpartition("\r")[2]
    # Two rates with one seed and the better with another, of two fractions.
    assert "training 6 of 6 (50%, frozen): 100%" in last
    assert "24.0/24.0" in last and "step/s" in last


def test_default_parts_that_are_too_small_are_left_out_with_a_line(
    run_folder, capsys
):
    with pytest.raises(ValueError, match="too few for 2 classes"):
        build(run_folder, labels=["1%,50%"])
    job = build(run_folder, labels=["1%,50%"], skips=True)
    assert [fraction.name for fraction in job.fractions] == ["50%"]
    assert "Left out of --labels: 1%, since" in capsys.readouterr().out


def test_the_frozen_encoder_and_the_given_one_stay_bit_for_bit(finished):
    job, _, fitted, before = finished
    assert weights_digest(job.encoder.model) == before
    pretrained = job.encoder.model.get_weights()
    for (_, variant), choice in fitted.items():
        for training in choice.trainings:
            same = all(
                np.array_equal(old, new)
                for old, new in zip(
                    pretrained, training.weights.encoder, strict=True
                )
            )
            assert same == (variant == "frozen" or training.step == 0)


def test_the_variants_begin_where_they_should(finished):
    job = finished[0]
    scratch, again = (job._first_weights("scratch", seed) for seed in (0, 0))
    other = job._first_weights("scratch", 1)
    ours = job._first_weights("fine-tuned", 0)
    kernels = [i for i, w in enumerate(ours) if w.ndim == 4]
    for i in kernels:
        np.testing.assert_array_equal(scratch[i], again[i])
        assert (scratch[i] != other[i]).any() and (scratch[i] != ours[i]).any()
    np.testing.assert_array_equal(ours[0], job.encoder.model.get_weights()[0])


def test_weights_as_they_came_are_fine_tuned_beside_the_others(tmp_path):
    workdir = make_run(tmp_path, **{"encoder.weights": "given.keras"})
    given = encoders.load_encoder(workdir).fresh(7)
    save_model(given.model, workdir / "start.keras")
    job = build(workdir, variants=("fine-tuned", "scratch"), grid_seeds=1)
    for ours, theirs in zip(
        job._first_weights("as it came", 0),
        given.model.get_weights(),
        strict=True,
    ):
        if ours.ndim:  # a file counts the updates of a batch norm anew
            np.testing.assert_array_equal(ours, theirs)
    result = job.run(workdir)
    row = result["fractions"]["10-per-class"]
    assert list(row["variants"]) == ["fine-tuned", "scratch", "as it came"]
    ours, came = (
        row["variants"][name]["test"]["mean"]
        for name in ("fine-tuned", "as it came")
    )
    assert row["gain"]["mean"] == pytest.approx(ours - came)
    assert "fine-tuned over as it came" in finetune_results.table(result)
    assert len(build(workdir, variants=("frozen",)).settings.variants) == 1


def test_a_variant_of_weights_that_there_are_not_is_refused(run_folder):
    with pytest.raises(ValueError, match=r"'as it came'.*random weights"):
        build(run_folder, variants=("fine-tuned", "as it came"))


def test_the_crops_are_those_of_the_pretraining_unless_given(
    finished, run_folder
):
    assert finished[1]["view"]["area"] == (0.5, 1.0)
    job = build(run_folder, **{"view.area": (0.25, 0.75)})
    assert job.about["view"]["area"] == (0.25, 0.75)


def test_the_subsets_are_written_down(finished, run_folder):
    written = json.loads((run_folder / "finetune_subsets.json").read_text())
    labels = finished[0].train.examples.labels
    assert written["data_fingerprint"] == finished[1]["data_fingerprint"]
    for seed in ("0", "1"):
        parts = written["fractions"]["10-per-class"][seed]
        learn, chosen_by = (
            parts[key]["positions"] for key in ("learn", "validation")
        )
        assert np.bincount(labels[learn]).tolist() == [8, 8]
        assert np.bincount(labels[chosen_by]).tolist() == [2, 2]
        assert not set(learn) & set(chosen_by)
    first, second = written["fractions"]["10-per-class"].values()
    assert first != second


def test_the_file_holds_the_result(finished, run_folder):
    assert json.loads((run_folder / "finetune.json").read_text()) == (
        json.loads(json.dumps(finished[1]))
    )
    assert finished[1]["settings"]["learning_rates"] == (0.4, 0.1)
    assert len(finished[1]["encoder"]["sha256"]) == 64
    assert Image.open(run_folder / "finetune.png").size[0] > 800


def test_the_table_has_a_row_for_each_fraction(finished):
    table = finetune_results.table(finished[1])
    row = finished[1]["fractions"]["50%"]["variants"]["frozen"]["test"]
    assert f"{100 * row['mean']:.1f} ± {100 * row['std']:.1f} %" in table
    assert "gain" in table and "4 of 20, 12 of 60" in table


def test_the_classifier_is_the_best_seed_of_the_largest_fraction(
    finished, run_folder
):
    job, result, _, _ = finished
    about = json.loads((run_folder / "classifier.json").read_text())
    assert (about["fraction"], about["variant"]) == ("50%", "fine-tuned")
    runs = result["fractions"]["50%"]["variants"]["fine-tuned"]["runs"]
    best = max(runs, key=lambda run: run["validation"]["accuracy"])
    assert about["validation"]["accuracy"] == best["validation"]["accuracy"]
    model = keras.saving.load_model(run_folder / "classifier.keras")
    test = job.load_test().examples
    outputs = model.predict(test.rows / np.float32(255), verbose=0)
    predictions = outputs["probabilities"]
    accuracy = np.mean(predictions.argmax(axis=1) == test.labels)
    assert accuracy == pytest.approx(about["test"]["accuracy"])
    np.testing.assert_allclose(predictions.sum(axis=1), 1, atol=1e-5)


def test_the_test_images_are_loaded_once_and_last(run_folder, tmp_path):
    job = build(run_folder, variants=("frozen",), head_learning_rates=(1.0,))
    events = []
    load, choose = job.load_test, job._choose
    job.load_test = lambda: events.append("test") or load()
    job._choose = lambda *key: events.append("fit") or choose(*key)
    job.run(tmp_path)
    assert events == ["fit", "test"]


def test_class_weights_follow_from_what_is_learned_from(run_folder):
    job = build(run_folder, **{"task.class_weights": "balanced"})
    labels = job.train.examples.labels
    job.train = dataclasses.replace(
        job.train,
        examples=job.train.examples.subset(
            np.r_[np.flatnonzero(labels == 0), np.flatnonzero(labels)[:20]]
        ),
    )
    job.fractions = parse_fractions(["10-per-class", "100%"])
    job.__post_init__()
    few, many = (job._tuner(f, 0).task.class_weights for f in job.fractions)
    assert few == pytest.approx((1, 1))
    assert many[1] / many[0] == pytest.approx(3)


def test_a_head_of_ones_own_from_python(run_folder, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 12, 12, 3), np.uint8)
    images //= np.arange(1, 41, dtype=np.uint8)[:, None, None, None]
    labelled = Labelled(Examples(images, np.full(40, -1, np.int32)))
    result = FineTuning(
        encoder=encoders.load_encoder(run_folder),
        task=Brightness.of(labelled),
        train=labelled,
        load_test=lambda: labelled,
        fractions=parse_fractions(["50%"]),
        settings=finetune_builders.settings(
            finetune_config(variants=("frozen",), head_learning_rates=(1.0,))
        ),
    ).run(tmp_path)
    assert result["task"]["task"] == OWN
    assert result["fractions"]["50%"]["variants"]["frozen"]["test"]["mean"] < 0
    loaded = encoders.load_classifier(tmp_path, "classifier", task=OWN)
    assert isinstance(loaded.task, Brightness)


@pytest.mark.parametrize(
    "task,data,kept",
    [
        ("keypoints", "shop", True),
        ("classification", "other", True),
        ("classification", "shop", False),
    ],
)
def test_an_earlier_one_of_another_task_or_data_is_kept(
    tmp_path, task, data, kept
):
    earlier = {"task": {"task": "classification"}, "data": "shop"}
    write_json(tmp_path / "finetune.json", earlier)
    names = ("classifier.keras", "finetune_subsets.json", "finetune.png")
    for name in names:
        (tmp_path / name).touch()
    finetune_results.keep_earlier(
        tmp_path, task, types.SimpleNamespace(name=data)
    )
    assert (tmp_path / "finetune.json").exists() is not kept
    for name in (
        *(
            "finetune_classification_shop.json",
            "finetune_classification_shop.png",
        ),
        "finetune_classification_shop_subsets.json",
        "classifier_classification_shop.keras",
    ):
        assert (tmp_path / name).exists() is kept


def test_fine_tuning_again_replaces_what_was_kept_of_that_data(tmp_path):
    for data in ("shop", "barn", "shop"):
        finetune_results.keep_earlier(
            tmp_path, "classification", types.SimpleNamespace(name=data)
        )
        about = {"task": {"task": "classification"}, "data": data}
        write_json(tmp_path / "finetune.json", about)
        write_json(tmp_path / "classifier.json", {"task": "classification"})
        (tmp_path / "classifier.keras").touch()
    config = finetune_config(**of_folder("shop"))
    found = finetune_builders.classifier_name(config, tmp_path)
    assert found == "classifier"


def test_data_with_a_similar_name_have_another_classifier(tmp_path):
    for name in ("", "_classification_my_pets", "_classification_cats"):
        (tmp_path / f"classifier{name}.keras").touch()
        about = {"task": "classification"}
        write_json(tmp_path / f"classifier{name}.json", about)
    write_json(tmp_path / "finetune.json", {"data": "pets (breed)"})
    for data, column, expected in (
        ("my_pets", "", "classifier_classification_my_pets"),
        ("pets", "breed", "classifier"),
        ("cats", "", "classifier_classification_cats"),
    ):
        config = finetune_config(
            **of_folder(data), **{"data.label_column": column}
        )
        found = finetune_builders.classifier_name(config, tmp_path)
        assert found == expected


def test_the_latest_classifier_is_meant_or_that_of_the_task(tmp_path):
    config = finetune_config()
    for name, task in (("", "keypoints"), ("_classification_a", "multilabel")):
        (tmp_path / f"classifier{name}.keras").touch()
        write_json(tmp_path / f"classifier{name}.json", {"task": task})
    named = functools.partial(
        finetune_builders.classifier_name, config, tmp_path
    )
    assert named() == named("keypoints") == "classifier"
    assert named("multilabel") == "classifier_classification_a"
    with pytest.raises(ValueError, match="choose --task=keypoints, ") as error:
        named("regression")
    for advice in re.findall(r"--task=(\w+)", str(error.value))[:2]:
        assert (tmp_path / f"{named(advice)}.keras").is_file()


def make_points(folder, rows=20):
    """Dark images with one bright spot, and where it is."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    with open(folder / "points.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "spot_x", "spot_y"])
        for i in range(rows):
            pixels = rng.integers(0, 40, (12, 12, 3), np.uint8)
            x, y = rng.integers(1, 11, 2)
            pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
            writer.writerow([f"{i:02}.png", (x + 0.5) / 12, (y + 0.5) / 12])
    return folder


def of_folder(folder, **overrides):
    return {
        "data.source": "folder",
        "data.dir": str(folder),
        "data.test_split": "",
        "data.image_size": 12,
        "data.channels": 3,
        **overrides,
    }


def make_tagged(folder, combinations, each=6):
    for combination in combinations:
        (folder / combination).mkdir(parents=True)
        for i in range(each):
            level = 40 * i * ("light" in combination)
            image = Image.new("RGB", (12, 12), (level, level, 255))
            image.save(folder / combination / f"{i}.png")


def test_tags_are_tested_in_other_combinations(run_folder, tmp_path):
    make_tagged(tmp_path / "data" / "train", ["light", "blue", "light+blue"])
    make_tagged(tmp_path / "data" / "test", ["light+blue", "+"])
    job = build(
        run_folder,
        "multilabel",
        ["100%"],
        **of_folder(tmp_path / "data", **{"data.test_split": "test"}),
        variants=("frozen",),
    )
    result = job.run(tmp_path)
    assert result["metric"] == "mean_average_precision"
    assert result["test_images"] == 12


def test_the_same_labels_of_other_images_make_another_training(run_folder):
    job = build(run_folder)
    paths = [f"{number}.png" for number in range(120)]
    folders = set()
    for first in (0, 1):  # as if all labels had been a line too high
        labels = [""] * first + ["x", "y"] * 59 + [""] * (2 - first)
        table = LabelTable(paths, {"label": labels})
        train = Labelled(job.train.examples, table)
        new = dataclasses.replace(job, train=train, task=Classification("xy"))
        folders.add(
            TrainingStore("run", new._dependencies(), new._arrays())._folder
        )
    assert len(folders) == 2


def test_keypoints_are_learned_from_whole_images(run_folder, tmp_path, capsys):
    folder = make_points(tmp_path / "spots", rows=40)
    table = folder / "points.csv"
    header, first, *others = table.read_text().splitlines()
    first = f"{first.split(',')[0]},0.5,1.5"
    table.write_text("\n".join([header, first, *others]))
    job = build(
        run_folder,
        "keypoints",
        ["100%"],
        **of_folder(folder, labels_file="points.csv"),
        **{"task.head": "vector"},
        variants=("fine-tuned",),
        learning_rates=(0.1,),
    )
    assert job.draw is None and isinstance(job.task, Keypoints)
    result = job.run(tmp_path)
    assert result["metric"] == "pck" and result["test_images"] == 4
    assert "Hidden: 1 points of points.csv" in capsys.readouterr().out
    shown = finetune_results.table(result)
    assert "\nconstant guess" in shown and result["constant"]["pck"] <= 1
    assert "\nCorrect keypoints (PCK) on 4 test images of " in shown
    assert "\nR² on " in finetune_results.table({**result, "metric": "r2"})
    written = json.loads((tmp_path / "finetune_subsets.json").read_text())
    part = written["fractions"]["100%"]["0"]["learn"]
    # All but the tests, a fifth and the image whose only point is outside.
    assert part["paths"][0].endswith(".png") and len(part["paths"]) == 28
    loaded = encoders.load_classifier(tmp_path, "classifier")
    assert loaded.task.columns == ("spot_x", "spot_y")


# ---- what it refuses --------------------------------------------------


@pytest.mark.parametrize(
    "options,told",
    [
        ({"labels": ["ten"]}, "`labels` must"),
        ({"labels": ["1%"]}, "class 1 would be left empty"),
        ({"labels": ["1-per-class"]}, "none to choose settings by"),
        ({"labels": ["900-per-class"]}, "at most 60-per-class"),
        ({"task": "poetry"}, "poetry"),
        ({"task": "multilabel", "task.class_weights": "balanced"},
         "task.class_weights is not for"),
        ({"augment.mixup": -1.0}, "augment.mixup"),
        ({"labels_file": "labels.csv"}, "source=folder"),
        ({"batch_norm": "none"}, "batch_norm"),
        ({"data.channels": 1}, "channels"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_any_training(
    run_folder, options, told
):
    with pytest.raises(ValueError, match=told):
        build(run_folder, **options)


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no encoder in"):
        build(tmp_path)


def test_one_class_only_is_refused(run_folder):
    train = build(run_folder).train.examples
    one = train.subset(np.flatnonzero(train.labels == 0))
    with pytest.raises(ValueError, match="two classes or more"):
        Classification.of(Labelled(one))


def test_a_file_of_labels_of_other_images_is_refused(run_folder, tmp_path):
    folder = make_points(tmp_path / "spots", rows=4)
    (folder / "wrong.csv").write_text("path,label\na.png,x\nb.png,y\n")
    overrides = of_folder(folder, labels_file="wrong.csv")
    with pytest.raises(ValueError, match=r"no row of wrong\.csv belongs"):
        build(run_folder, **overrides)


@pytest.mark.parametrize("place", ["", "train"])
def test_one_file_of_labels_covers_both_splits(
    run_folder, tmp_path, place, caplog
):
    whole = make_points(tmp_path / "spots", rows=8)
    header, *lines = (whole / "points.csv").read_text().splitlines()
    for number, line in enumerate(lines):
        name = line.split(",")[0]
        split = whole / ("test" if number < 2 else "train")
        split.mkdir(exist_ok=True)
        (whole / name).rename(split / name)
        lines[number] = f"{split.name}/{line}"
    table = whole / place / "points.csv"
    table.write_text("\n".join([header, *lines]))
    overrides = of_folder(
        whole,
        labels_file="points.csv",
        **{"data.test_split": "test", "task.head": "vector"},
    )
    job = build(run_folder, "keypoints", ["100%"], **overrides)
    assert len(job.train.table) == 6
    if not place:
        assert len(job.load_test().table) == 2
    assert "have no image" not in caplog.text


@pytest.mark.parametrize(
    "task,column,columns",
    [
        ("classification", "", ("l", "m")),
        ("classification", "kind", ("a", "b", "c", "d")),
        ("regression", "age", ("age",)),
    ],
)
def test_the_columns_of_the_data_own_table_are_learned(
    run_folder, tmp_path, task, column, columns
):
    folder = make_points(tmp_path / "spots", rows=16)
    names = sorted(path.name for path in folder.glob("*.png"))
    rows = [
        f"{name},{'lm'[i % 2]},{'abcd'[i // 4]},{i},{'train' if i else 'test'}"
        for i, name in enumerate(names)
    ]
    text = "\n".join(["path,label,kind,age,split", *rows])
    (folder / "labels.csv").write_text(text)
    overrides = of_folder(folder) | {
        "data.test_split": "test",
        "data.label_column": column,
    }
    job = build(run_folder, task, ["100%"], **overrides)
    assert job.task.columns == columns
    assert job.train.examples.num_examples == 15
    assert job.load_test().examples.paths == (names[0],)


def test_targets_that_cannot_be_mixed_are_refused(run_folder):
    job = build(run_folder)
    with pytest.raises(ValueError, match="keypoints cannot be mixed"):
        dataclasses.replace(
            job,
            task=Keypoints(("a_x", "a_y")),
            augment=SupervisedAugment(cutmix=1.0),
        )


def test_no_known_label_is_refused(run_folder):
    job = build(run_folder)
    images = job.train.examples
    none = dataclasses.replace(images, labels=np.full(120, -1, np.int32))
    with pytest.raises(ValueError, match="no label for any training example"):
        dataclasses.replace(job, train=Labelled(none))
