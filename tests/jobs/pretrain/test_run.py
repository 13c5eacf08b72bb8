"""A whole run on a few images: what is in its folder, and what it says."""

import json
import shutil
import types

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

from byol_tf import CentreView
from byol_tf.jobs.pretrain import build as builders
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.jobs.pretrain import judging
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.runs import config as run_config
from byol_tf.runs.encoder import load_encoder
from configs import (
    base,
    cifar10,
    cifar10_cpu,
    cifar10_minutes,
    quickstart,
)
from tests.support.eager import eagerly
from tests.support.runs import tiny_config, write_arrays


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_arrays(folder / "data.npz")
    config = tiny_config(folder / "data.npz")
    workdir = folder / "run"
    job = builders.pretraining(config, workdir)
    run_config.save_config(config, workdir)
    result = job.run(workdir)
    return config, workdir, result, job


@pytest.fixture(autouse=True)
def _only_the_finished_run_is_compiled(finished):
    with eagerly():
        yield


def test_the_run_folder_explains_itself(finished):
    _, workdir, _, _ = finished
    names = {path.name for path in workdir.iterdir()}
    assert {
        "config.yaml",
        "metrics.jsonl",
        "tensorboard",
        "checkpoints",
        "views.png",
        "encoder.keras",
        "train.json",
        "report.html",
    } <= names
    assert not [name for name in names if name.startswith(".")]


def test_train_json_has_before_and_after(finished):
    _, workdir, result, _ = finished
    written = json.loads((workdir / "train.json").read_text())
    assert written == result
    for when in ("before", "after"):
        for key in (
            "knn_accuracy",
            "linear_accuracy",
            "few_shot_accuracy",
            "few_shot_std",
            "feature_std",
            "effective_rank",
        ):
            assert np.isfinite(written[when][key])
    assert written["steps"] == 8 and written["images"] == 64


def test_the_table_shows_the_numbers_of_train_json(finished):
    _, _, result, job = finished
    table = job.table(result)
    assert f"{100 * result['after']['knn_accuracy']:.1f} %" in table
    assert "3 labels per class" in table


def test_the_saved_encoder_gives_the_evaluated_features(finished):
    _, workdir, _, job = finished
    encoder = keras.saving.load_model(workdir / "encoder.keras")
    x = job.test.rows[:8] / np.float32(255)
    np.testing.assert_allclose(
        encoder.predict(x, verbose=0),
        job.judge.extractor(job.test.rows[:8]),
        rtol=1e-4,
        atol=1e-5,
    )


def test_an_evaluation_shows_how_far_it_is_if_it_takes_long(
    finished, monkeypatch, capsys
):
    judge = finished[-1].judge
    monkeypatch.setattr(judging, "PATIENCE", 3600.0)
    judge.measure("after training")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(judging, "PATIENCE", 0.0)
    judge.measure("after training")
    assert "after training: features: 100%" in capsys.readouterr().err


def test_the_report_shows_the_table_and_the_pictures(finished):
    _, workdir, result, _ = finished
    html = (workdir / "report.html").read_text()
    assert f"{100 * result['after']['linear_accuracy']:.1f} %" in html
    assert html.count("data:image/png;base64") == 4


def test_metrics_cover_all_steps(finished):
    _, workdir, _, _ = finished
    lines = [
        json.loads(line)
        for line in (workdir / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 6, 8]
    assert [line["step"] for line in lines if "knn_accuracy" in line] == [4, 8]


def test_a_finished_run_is_not_trained_again(finished):
    config, workdir, result, _ = finished
    again = builders.pretraining(config, workdir).run(workdir)
    assert again["steps"] == 8
    assert again["training_seconds"] == result["training_seconds"]
    assert again["after"] == pytest.approx(result["after"])
    assert again["before"] == result["before"]


def test_the_folder_alone_gives_its_configuration(finished):
    config, workdir, _, _ = finished
    kept = run_config.config_of_run(None, workdir, base.get_config())
    assert kept.to_dict() == config.to_dict()


def test_another_configuration_in_the_same_folder_is_refused(finished):
    config, workdir, _, _ = finished
    other = tiny_config(config.data.dir, seed=7)
    with pytest.raises(ValueError, match=r"another configuration .*seed"):
        run_config.config_of_run(other, workdir, base.get_config())


@pytest.mark.parametrize(
    "text", ["", "batch_size: many", "oops: 3", "a: [", "encoder: 3"]
)
def test_a_spoilt_configuration_is_refused_by_its_path(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml is not"):
        run_config.config_of_run(None, tmp_path, base.get_config())


def test_a_folder_of_an_earlier_version_takes_the_defaults(tmp_path, finished):
    config, _, _, _ = finished
    values = yaml.safe_load(run_config.config_text(config))
    del values["monitor"]["probe"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    kept = run_config.config_of_run(None, tmp_path, base.get_config())
    assert kept.monitor.probe is True


def test_views_in_the_pipeline_are_those_of_the_step(tmp_path):
    write_arrays(tmp_path / "data.npz")
    seen = {}
    for place in ("step", "pipeline"):
        config = tiny_config(tmp_path / "data.npz", **{"augment.place": place})
        job = builders.pretraining(config, tmp_path)
        batches = iter(job.batches(0))
        seen[place] = []
        for _ in range(3):
            inputs, _ = next(batches)
            seen[place].append(job.model.make_views(inputs))
            job.model.step.assign_add(1)
    for ours, theirs in zip(seen["step"], seen["pipeline"], strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5)
    assert not np.allclose(seen["step"][0][0], seen["step"][1][0])


def test_images_without_labels_are_pretrained_and_judged(tmp_path):
    write_arrays(tmp_path / "data.npz", labels=False, channels=1)
    arrays = dict(np.load(tmp_path / "data.npz"))
    arrays["train_images"][1] = arrays["train_images"][0]
    np.savez(tmp_path / "data.npz", **arrays)
    config = tiny_config(tmp_path / "data.npz", epochs=1)
    job = builders.pretraining(config, tmp_path / "run")
    result = job.run(tmp_path / "run")
    assert "knn_accuracy" not in result["after"]
    assert result["after"]["feature_std"] > 0
    assert job.model.probe is None
    html = (tmp_path / "run" / "report.html").read_text()
    assert "early in training" in html and "There are no labels" in html
    assert result["duplicates"]["groups"] and "two of each group" in html
    # Of other images there are no early vectors.
    arrays["train_images"] = 255 - arrays["train_images"][::-1]
    np.savez(tmp_path / "data.npz", **arrays)
    job = builders.pretraining(config, tmp_path / "run")
    job.accept_changes = True
    job.run(tmp_path / "run")
    html = (tmp_path / "run" / "report.html").read_text()
    assert "early in training" not in html and "two of each group" in html


def test_a_folder_with_a_corrupt_image_is_pretrained(tmp_path, caplog):
    rng = np.random.default_rng(0)
    for index in range(40):
        folder = tmp_path / "images" / f"class {index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (14, 18, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    broken = folder / "broken.jpg"
    broken.write_bytes(b"not a picture")
    config = tiny_config(
        tmp_path / "images",
        epochs=1,
        **{
            "data.source": "folder",
            "data.image_size": 12,
            "data.test_split": "",
        },
    )
    with caplog.at_level("WARNING"):
        job = builders.pretraining(config, tmp_path / "run")
    assert "broken.jpg" in caplog.text
    result = job.run(tmp_path / "run")
    assert result["skipped_images"] == 1
    assert result["images"] == 36
    assert job.train.class_names == ("class 0", "class 1")


def test_few_labels_among_many_images_are_enough(tmp_path):
    write_arrays(tmp_path / "data.npz")
    with np.load(tmp_path / "data.npz") as file:
        arrays = dict(file)
    arrays["train_labels"] = np.full(64, -1)
    arrays["train_labels"][:3] = [0, 1, 1]
    np.savez(tmp_path / "data.npz", **arrays)
    config = tiny_config(tmp_path / "data.npz", epochs=1)
    job = builders.pretraining(config, tmp_path / "run")
    result = job.run(tmp_path / "run")
    assert 0 < result["after"]["knn_accuracy"] <= 1
    assert "few_shot_accuracy" not in result["after"]


def test_labels_of_one_image_each_are_left_out_with_a_line(tmp_path, capsys):
    for number in range(8):
        folder = tmp_path / "products" / f"item{number}"
        folder.mkdir(parents=True)
        Image.new("RGB", (12, 12), (30 * number,) * 3).save(folder / "a.png")
    config = tiny_config(
        tmp_path / "products",
        **{"data.source": "folder", "data.test_split": ""},
    )
    train, test = data_builders.data(config, tmp_path)
    assert (train.num_examples, test.num_examples) == (6, 2)
    assert not train.labelled and not test.labelled
    assert "Labels: ignored, since no class has two" in capsys.readouterr().out


def test_a_single_test_image_is_refused(tmp_path):
    write_arrays(tmp_path / "data.npz")
    with np.load(tmp_path / "data.npz") as file:
        arrays = dict(file)
    for key in ("test_images", "test_labels"):
        arrays[key] = arrays[key][:1]
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match="at least 2 examples to test on"):
        builders.pretraining(tiny_config(tmp_path / "data.npz"), tmp_path)


def test_without_a_test_split_a_tenth_is_held_out(tmp_path):
    write_arrays(tmp_path / "data.npz", count=100)
    config = tiny_config(tmp_path / "data.npz", **{"data.test_split": ""})
    job = builders.pretraining(config, tmp_path)
    assert (job.train.num_examples, job.test.num_examples) == (90, 10)


def test_of_very_many_examples_less_than_a_tenth_is_held_out(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(data_builders, "MOST_HELD_OUT", 4)
    write_arrays(tmp_path / "data.npz", count=100)
    config = tiny_config(tmp_path / "data.npz", **{"data.test_split": ""})
    train, test = data_builders.data(config, tmp_path)
    assert (train.num_examples, test.num_examples) == (96, 4)


def test_accumulation_takes_smaller_steps_and_as_many_images(tmp_path):
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(
        tmp_path / "data.npz", **{"optimizer.accumulate_steps": 4}
    )
    job = builders.pretraining(config, tmp_path)
    inputs, _ = next(iter(job.batches(0)))
    assert len(inputs) == 4
    assert job.total_steps == 32
    assert job.model.optimizer.gradient_accumulation_steps == 4
    assert job.model.tau.total_steps == 8


@pytest.mark.parametrize(
    "module", [base, quickstart, cifar10, cifar10_cpu, cifar10_minutes]
)
def test_every_configuration_builds_a_model(module, tmp_path):
    config = module.get_config()
    builders.check(config)
    encoder = IMAGE.encoder(config, CentreView(32), (32, 32, 3))
    assert len(encoder.output_shape) == 2
    assert IMAGE.views(config, CentreView(32))
    assert "command" in module.__doc__ or "byol_tf pretrain" in module.__doc__


@pytest.mark.parametrize(
    "field,value",
    [
        ("batch_size", 1),
        ("epochs", 0),
        ("seed", -1),
        ("precision", "float8"),
        ("heads.hidden_size", -1),
        ("heads.projection_size", -1),
        ("objective.name", "byoll"),
        ("objective.tau", 1.5),
        ("objective.target_init", "zeros"),
        ("optimizer.name", "adamax"),
        ("optimizer.base_lr", 0.0),
        ("optimizer.warmup_epochs", -2.0),
        ("optimizer.accumulate_steps", 3),
        ("augment.place", "cloud"),
        ("augment.area", (0.5, 1.5)),
        ("augment.blur", (0.5,)),
        ("augment.flip", 1.5),
        ("augment.resize", "lanczos"),
        ("encoder.name", "resnet19"),
        ("encoder.stem", "huge"),
        ("encoder.widths", ("a", "b")),
        ("data.source", "cloud"),
        ("data.labels", "maybe"),
        ("data.store", "tape"),
        ("data.store_side", -1),
        ("data.cache", "tape"),
        ("data.cache_gb", -1.0),
        ("data.train_split", ""),
        ("data.image_size", -1),
        ("data.channels", 2),
        ("data.max_megapixels", 179.0),
        ("data.max_bad_share", 1.5),
        ("data.layout", "tree"),
        ("strategy", "two"),
        ("log_every", 0),
        ("peak_tflops", -1.0),
        ("optimizer.lr_rule", "cubic"),
        ("optimizer.weight_decay", -1.0),
        ("objective.tau_batch", -1),
        ("monitor.samples", 1),
        ("checkpoint.every_seconds", 0.0),
        ("evaluate.knn_k", 0),
        ("evaluate.knn_temperature", 0.0),
        ("evaluate.knn_bank", 0),
        ("evaluate.shots", 0),
        ("evaluate.draws", 1),
        ("evaluate.max_train", 1),
        ("monitor.every_epochs", 0),
        ("checkpoint.keep", 0),
        ("faults.action", "explode"),
        ("faults.in_a_row", 0),
        ("jit_compile", "perhaps"),
    ],
)
def test_an_impossible_value_is_refused_by_name(tmp_path, field, value):
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(tmp_path / "data.npz", **{field: value})
    with pytest.raises(ValueError, match=field.rpartition(".")[2]):
        builders.pretraining(config, tmp_path)


@pytest.mark.parametrize(
    "field,value,told",
    [
        (
            "optimizer.base_lr",
            -1.0,
            "optimizer.base_lr must be a number above 0. "
            "Received: base_lr=-1.0",
        ),
        (
            "evaluate.draws",
            1,
            "evaluate.draws must be a number of at least 2. Received: draws=1",
        ),
        (
            "data.cache",
            "tape",
            "data.cache must be one of auto, memory, disk. "
            "Received: cache='tape'",
        ),
    ],
)
def test_a_settings_error_has_the_name_of_the_field(field, value, told):
    config = tiny_config("data.npz", **{field: value})
    with pytest.raises(ValueError) as error:
        builders.check(config)
    assert str(error.value) == told


@pytest.mark.parametrize(
    "field,value",
    [
        ("augment.flip", 1.5),
        ("augment.area", (0.5, 1.5)),
        ("encoder.name", "resnet19"),
        ("encoder.stem", "huge"),
        ("optimizer.name", "adamax"),
        ("optimizer.momentum", 1.0),
    ],
)
def test_a_constructors_error_has_the_name_of_the_field(tmp_path, field, value):
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(tmp_path / "data.npz", **{field: value})
    config.optimizer.name = value if field == "optimizer.name" else "lars"
    with pytest.raises(ValueError, match=rf"^{field} must be .*Received: "):
        builders.pretraining(config, tmp_path)


def test_a_batch_larger_than_the_data_is_refused(tmp_path):
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(tmp_path / "data.npz", batch_size=128)
    with pytest.raises(ValueError, match=r"batch_size=128.*has 64"):
        builders.pretraining(config, tmp_path)


def test_labels_that_are_wanted_but_absent_are_an_error(tmp_path):
    write_arrays(tmp_path / "data.npz", labels=False)
    config = tiny_config(tmp_path / "data.npz", **{"data.labels": "required"})
    with pytest.raises(ValueError, match="has no labels"):
        builders.pretraining(config, tmp_path)


def test_a_class_of_test_examples_alone_is_refused(tmp_path):
    write_arrays(tmp_path / "data.npz")
    arrays = dict(np.load(tmp_path / "data.npz"))
    arrays["test_labels"][0] = 2
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=r"up to 2, .* up to 1; move"):
        builders.pretraining(tiny_config(tmp_path / "data.npz"), tmp_path)


def test_a_run_does_not_go_on_with_other_data(finished, tmp_path):
    config, workdir, _, _ = finished
    shutil.copytree(workdir, tmp_path / "run")
    with np.load(config.data.dir) as file:
        arrays = dict(file)
    arrays["train_images"] = 255 - arrays["train_images"]
    np.savez(tmp_path / "other.npz", **arrays)
    other = tiny_config(tmp_path / "other.npz")
    job = builders.pretraining(other, tmp_path / "run")
    with pytest.raises(ValueError, match=r"training data .*--accept_changes"):
        job.run(tmp_path / "run")


def test_a_run_that_goes_on_with_other_test_data_is_compared_on_these(
    finished, tmp_path
):
    config, workdir, before, _ = finished
    shutil.copytree(workdir, tmp_path / "run")
    with np.load(config.data.dir) as file:
        arrays = dict(file)
    for key in ("test_images", "test_labels"):
        arrays[key] = arrays[key][:20]
    np.savez(tmp_path / "other.npz", **arrays)
    other = tiny_config(tmp_path / "other.npz")
    result = builders.pretraining(other, tmp_path / "run").run(tmp_path / "run")
    assert result["before"]["tested"] == result["after"]["tested"]
    assert result["before"]["tested"] == before["before"]["tested"] - 20


def test_the_finished_encoder_may_take_larger_images_than_the_views(tmp_path):
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(tmp_path / "data.npz", **{"encoder.input_size": 16})
    job = builders.pretraining(config, tmp_path / "run")
    job.run(tmp_path / "run")
    saved = load_encoder(tmp_path / "run")
    assert job.model.encoder.input_shape == (None, 12, 12, 3)
    assert saved.model.input_shape == (None, 16, 16, 3)
    assert saved.preprocessor.size == (16, 16)
    images = job.test.rows[:4]
    np.testing.assert_allclose(
        saved.model(saved.preprocessor(images)),
        job.encoder(CentreView(16)(images)),
        rtol=1e-5,
    )
    first = job.model.encoder.get_weights()[0]
    np.testing.assert_array_equal(saved.model.get_weights()[0], first)


def test_a_larger_input_is_for_encoders_of_images_of_any_size(
    tmp_path, monkeypatch
):
    write_arrays(tmp_path / "data.npz")
    config = tiny_config(tmp_path / "data.npz", **{"encoder.input_size": 16})

    def of_one_size(*_):
        pixels = keras.Input((12, 12, 3))
        dense = keras.layers.Dense(4)(keras.layers.Flatten()(pixels))
        return keras.Model(pixels, dense)

    monkeypatch.setattr(type(IMAGE), "encoder", of_one_size)
    with pytest.raises(
        ValueError, match=r"encoder\.input_size=16: the encoder only"
    ):
        builders.pretraining(config, tmp_path / "run")


def test_vectors_before_training_are_of_test_rows_from_first_to_last(tmp_path):
    data = types.SimpleNamespace(fingerprint=lambda: "a")
    judge = object.__new__(judging.Judge)
    judge._job = types.SimpleNamespace(train=data, test=data)
    judge.measure = lambda title: ({}, (None, np.arange(5000.0)[:, None]))
    judge.before(tmp_path)
    vectors, rows = judge.vectors_before(tmp_path)
    assert len(rows) == 1000 and (rows[0], rows[-1]) == (0, 4999)
    np.testing.assert_array_equal(vectors[:, 0], rows)
    np.savez(tmp_path / "before.npz", test=vectors)  # as in release 0.2
    assert judge.vectors_before(tmp_path)[1].tolist() == [*range(1000)]
