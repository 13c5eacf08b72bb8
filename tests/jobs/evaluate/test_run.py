"""A whole linear evaluation of a tiny encoder, and what it refuses."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

from byol_tf.files import save_model, sha256
from byol_tf.jobs.evaluate import build as evaluation_builders
from byol_tf.jobs.evaluate import results as linear_results
from byol_tf.jobs.evaluate import run as linear_evaluation
from byol_tf.jobs.pretrain import data as data_builders
from byol_tf.runs.description import weights_digest
from byol_tf.runs.encoder import load_encoder
from configs import base, eval_linear
from tests.support.eager import eagerly
from tests.support.runs import make_run, write_arrays


def evaluation_config(**overrides):
    config = eval_linear.get_config()
    config.update_from_flattened_dict(
        {
            "sgd.epochs": 2,
            "sgd.batch_size": 40,
            "sgd.learning_rates": (0.4, 0.05),
            "logistic.penalties": (1e-1, 1e-2, 1e-3),
            "knn.neighbours": (1, 5, 500),
            "bootstrap.resamples": 50,
            **overrides,
        }
    )
    return config


def build(workdir, **overrides):
    return evaluation_builders.linear_evaluation(
        evaluation_config(**overrides), workdir, base.get_config()
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = make_run(tmp_path_factory.mktemp("evaluated"))
    job = build(workdir)
    before = weights_digest(job.contestants[-1].encoder.model)
    file_before = sha256(workdir / "encoder.keras")
    result = job.run(workdir)
    return workdir, job, result, (before, file_before)


@pytest.fixture(autouse=True)
def _only_the_finished_run_is_compiled(finished):
    with eagerly():
        yield


def test_every_encoder_is_judged_by_every_protocol_it_can_be(finished):
    results = finished[2]["results"]
    assert list(results) == ["raw pixels", "random encoder", "pretrained"]
    assert set(results["raw pixels"]) == {"logistic", "knn"}
    assert set(results["pretrained"]) == {"sgd", "logistic", "knn"}
    assert set(results["random encoder"]) == {"sgd", "logistic", "knn"}
    for row in results.values():
        for numbers in row.values():
            low, high = numbers["accuracy_interval"]
            assert 0 <= low <= numbers["accuracy"] <= high <= 1
            assert "top5_accuracy" not in numbers  # of two classes


def test_stripes_are_told_apart_by_their_pixels(finished):
    assert finished[2]["results"]["raw pixels"]["logistic"]["accuracy"] == 1


def test_the_file_holds_the_result(finished):
    workdir, _, result, _ = finished
    assert json.loads((workdir / "eval_linear.json").read_text()) == (
        json.loads(json.dumps(result))
    )
    assert result["held_out"] == 12 and result["images"] == 120
    assert result["settings"]["sgd"]["learning_rates"] == (0.4, 0.05)
    assert len(result["encoder"]["sha256"]) == 64
    assert result["machine"]["versions"]["keras"] == keras.__version__


def test_settings_are_written_as_they_were_given(finished):
    sgd = finished[2]["results"]["pretrained"]["sgd"]
    assert list(sgd["held_out_accuracy"]) == ["0.4", "0.05"]
    assert sgd["learning_rate"] in (0.4, 0.05)
    knn = finished[2]["results"]["pretrained"]["knn"]
    assert list(knn["accuracy_by_k"]) == ["1", "5"]
    assert knn["accuracy"] == knn["accuracy_by_k"][str(knn["k"])]


def test_the_picture_and_the_counts_are_of_all_test_images(finished):
    workdir, _, result, _ = finished
    assert np.sum(result["confusion"]["matrix"]) == 40
    assert result["confusion"]["method"] == "sgd"
    assert Image.open(workdir / "eval_linear_confusion.png").size[0] > 1000


def test_the_gain_is_the_difference_of_the_accuracies(finished):
    results, gain = finished[2]["results"], finished[2]["gain"]
    for method, numbers in gain["by_method"].items():
        difference = (
            results["pretrained"][method]["accuracy"]
            - results["random encoder"][method]["accuracy"]
        )
        assert numbers["accuracy"] == pytest.approx(difference, abs=1e-6)


def test_the_table_has_a_row_for_each_encoder(finished):
    table = linear_results.table(finished[2])
    accuracy = finished[2]["results"]["pretrained"]["sgd"]["accuracy"]
    assert f"{100 * accuracy:.1f} % [" in table
    assert "linear (SGD)" in table and "raw pixels" in table
    assert "12 of 120 training examples" in table


def test_the_encoder_stays_bit_for_bit_as_it_was(finished):
    workdir, job, _, (before, file_before) = finished
    assert weights_digest(job.contestants[-1].encoder.model) == before
    assert sha256(workdir / "encoder.keras") == file_before


def test_the_random_encoder_has_other_weights_and_the_same_form(finished):
    fresh, pretrained = (s.encoder.model for s in finished[1].contestants[1:])
    shapes = [[w.shape for w in m.get_weights()] for m in (fresh, pretrained)]
    assert shapes[0] == shapes[1]
    assert weights_digest(fresh) != (weights_digest(pretrained))
    again = finished[1].contestants[-1].encoder.fresh(0).model
    assert weights_digest(again) == weights_digest(fresh)
    other = finished[1].contestants[-1].encoder.fresh(1).model
    assert weights_digest(other) != weights_digest(fresh)


def test_features_are_kept_and_read_again(finished, monkeypatch):
    workdir, _, result, _ = finished
    assert len(list((workdir / "features").iterdir())) == 4

    class NoExtractor(linear_evaluation.FeatureExtractor):
        def __call__(self, *args):
            assert not self.encoder.weights  # raw pixels, which no file has
            return super().__call__(*args)

    monkeypatch.setattr(linear_evaluation, "FeatureExtractor", NoExtractor)
    again = build(workdir, **{"sgd.epochs": 0}).run(workdir, "again")
    for method in ("logistic", "knn"):
        assert (
            again["results"]["pretrained"][method]["accuracy"]
            == result["results"]["pretrained"][method]["accuracy"]
        )
    assert again["confusion"]["method"] == "logistic"


def test_no_test_image_is_loaded_until_all_is_fitted(tmp_path, monkeypatch):
    workdir = make_run(tmp_path)
    events = []
    for name in ("choose_probe", "choose_logistic", "choose_neighbours"):
        real = getattr(linear_evaluation, name)

        def recorded(*args, _real=real, _name=name, **kwargs):
            choice = _real(*args, **kwargs)
            events.append(_name)
            return choice

        monkeypatch.setattr(linear_evaluation, name, recorded)
    loaded = data_builders.sources.load

    def load(*args, split, **kwargs):
        events.append(f"load {split}")
        return loaded(*args, split=split, **kwargs)

    monkeypatch.setattr(data_builders.sources, "load", load)
    job = build(workdir, **{"sgd.epochs": 1, "sgd.random_encoder": False})
    assert events == ["load train"]
    job.run(workdir)
    assert events.index("load test") == len(events) - 1
    assert sorted(set(events[1:-1])) == [
        "choose_logistic",
        "choose_neighbours",
        "choose_probe",
    ]
    assert len(events) == 1 + 2 + 2 + 3 + 1


def test_what_was_fitted_does_not_depend_on_the_test_images(tmp_path):
    workdir = make_run(tmp_path)
    job = build(workdir, **{"sgd.random_encoder": False})
    turned = dataclasses.replace(
        job.load_test(), labels=1 - job.load_test().labels
    )
    first = job.run(workdir)
    job.load_test = lambda: turned
    second = job.run(workdir)
    for row in ("random encoder", "pretrained"):
        for method, numbers in first["results"][row].items():
            other = second["results"][row][method]
            assert other["held_out_accuracy"] == numbers["held_out_accuracy"]
            assert other["accuracy"] == pytest.approx(1 - numbers["accuracy"])


def test_weights_as_they_came_are_judged_beside_what_became_of_them(tmp_path):
    workdir = make_run(tmp_path, **{"encoder.weights": "given.keras"})
    assert len(build(workdir).contestants) == 3  # it does not hold them
    given = load_encoder(workdir).fresh(7)
    save_model(given.model, workdir / "start.keras")
    _, _, came, last = build(workdir).contestants
    assert came.name == "as it came (given.keras)"
    assert came.encoder.identity is None and came.view is not None
    for ours, theirs in zip(
        came.encoder.model.get_weights(),
        given.model.get_weights(),
        strict=True,
    ):
        if ours.ndim:  # a file counts the updates of a batch norm anew
            np.testing.assert_array_equal(ours, theirs)
    assert last.name == "pretrained"


def test_a_batch_is_no_larger_than_the_training_set(tmp_path, capsys):
    job = build(make_run(tmp_path), **{"sgd.batch_size": 256})
    assert job.settings.sgd.batch_size == 120
    assert "sgd.batch_size: 120, all labelled" in capsys.readouterr().out
    some = dataclasses.replace(job, train=job.train.subset(np.arange(90)))
    assert some.settings.sgd.batch_size == 90  # of groups held out


@pytest.mark.parametrize(
    "folders,told",
    [(["train/a", "train/b"], "no sub-folder 'test'"), (["test"], "no labels")],
)
def test_what_the_test_split_lacks_is_said_before_anything_is_decoded(
    tmp_path, folders, told
):
    workdir, data = make_run(tmp_path), tmp_path / "data"
    for folder in ("train/a", "train/b", *folders):
        (data / folder).mkdir(parents=True, exist_ok=True)
        (data / folder / "1.png").write_bytes(b"never read")
    fields = {"data.source": "folder", "data.dir": str(data)}
    with pytest.raises(ValueError, match=rf"config\.data: .*{told}"):
        build(workdir, **fields, **{"data.test_split": "test"})


def test_another_data_set_has_files_of_its_own(tmp_path):
    workdir = make_run(tmp_path)
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 80), ("test", 30)):
        labels = np.arange(count) % 8
        images = rng.integers(0, 20, (count, 20, 16))
        images += 25 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels
    np.savez(tmp_path / "grays.npz", **arrays)
    overrides = {
        "data.dir": str(tmp_path / "grays.npz"),
        "data.channels": 3,
        "sgd.epochs": 0,
    }
    job = build(workdir, **overrides)
    name = evaluation_builders.linear_evaluation_name(
        evaluation_config(**overrides)
    )
    result = job.run(workdir, name)
    assert name == "eval_linear_grays"
    assert (workdir / "eval_linear_grays.json").exists()
    pretrained = result["results"]["pretrained"]["logistic"]
    assert pretrained["top5_accuracy"] >= pretrained["accuracy"]
    assert result["encoder"]["image_size"] == 12
    assert "pretrained, top-5" in linear_results.table(result)


def test_without_a_test_split_a_tenth_of_the_training_images_is_kept(tmp_path):
    workdir = make_run(tmp_path, **{"data.test_split": ""})
    job = build(workdir)
    assert job.train.num_examples == 108
    assert job.load_test().num_examples == 12


def test_images_without_a_label_are_left_out(tmp_path):
    workdir = make_run(tmp_path)
    with np.load(tmp_path / "data.npz") as file:
        arrays = dict(file)
    arrays["train_labels"][:20] = -1
    np.savez(tmp_path / "data.npz", **arrays)
    assert build(workdir).train.num_examples == 100
    assert build(workdir, max_train=60).train.num_examples == 60


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no encoder in .*byol_tf pretrain"):
        build(tmp_path)


def test_a_damaged_encoder_is_refused(tmp_path):
    workdir = make_run(tmp_path)
    path = workdir / "encoder.keras"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="cannot be loaded"):
        build(workdir)


def test_a_model_that_gives_no_vectors_is_refused(tmp_path):
    workdir = make_run(tmp_path)
    inputs = keras.Input((12, 12, 3))
    maps = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    save_model(maps, workdir / "encoder.keras")
    with pytest.raises(ValueError, match="to vectors"):
        build(workdir)


def test_an_encoder_of_another_channel_count_is_refused(tmp_path):
    workdir = make_run(tmp_path, channels=1)
    write_arrays(tmp_path / "data.npz", channels=3)
    with pytest.raises(
        ValueError, match=r"takes 1 channels.*have 3.*data\.channels=1"
    ):
        build(workdir)


def test_a_size_that_the_encoder_does_not_take_is_refused(tmp_path):
    workdir = make_run(tmp_path)
    with pytest.raises(ValueError, match=r"size=16 does not fit.*12x12"):
        build(workdir, size=16)


def test_images_of_another_size_are_brought_to_the_encoders(tmp_path):
    workdir = make_run(tmp_path, size=8)
    result = build(workdir, **{"sgd.epochs": 0}).run(workdir)
    assert result["encoder"]["image_size"] == 8


def test_one_class_only_is_refused(tmp_path):
    workdir = make_run(tmp_path)
    with np.load(tmp_path / "data.npz") as file:
        arrays = dict(file)
    arrays["train_labels"][:] = 0
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=r"two classes or more.*--data=DIR"):
        build(workdir)


def test_images_without_labels_are_refused(tmp_path):
    workdir = make_run(tmp_path)
    write_arrays(tmp_path / "data.npz", labels=False)
    with pytest.raises(ValueError, match="has no labels"):
        build(workdir)


def test_a_test_label_that_training_lacks_is_refused(tmp_path):
    workdir = make_run(tmp_path)
    job = build(workdir)
    test = job.load_test()
    with pytest.raises(ValueError, match=r"labels up to 2.*only up to 1"):
        linear_results.checked_test(
            dataclasses.replace(test, labels=test.labels + 1), job.train
        )


def test_features_that_are_not_finite_are_refused(tmp_path):
    workdir = make_run(tmp_path)
    job = build(workdir)
    for weight in job.contestants[-1].encoder.model.weights:
        weight.assign(weight * np.nan)
    with pytest.raises(ValueError, match="pretrained have NaN"):
        job.run(workdir)


@pytest.mark.parametrize(
    "field,value",
    [
        ("sgd.epochs", -1),
        ("sgd.batch_size", 0),
        ("sgd.learning_rates", ()),
        ("sgd.learning_rates", (0.1, 0.1)),
        ("sgd.learning_rates", (0.1, -0.1)),
        ("sgd.momentum", 1.5),
        ("view.area", (0.5, 1.5)),
        ("view.flip", 2.0),
        ("logistic.penalties", (0.0,)),
        ("knn.neighbours", ()),
        ("knn.temperature", 0.0),
        ("bootstrap.resamples", 0),
        ("bootstrap.level", 1.0),
        ("holdout", 1.0),
        ("seed", -1),
        ("crop_fraction", 0.0),
    ],
)
def test_an_impossible_value_is_refused_by_name(finished, field, value):
    workdir = finished[0]
    with pytest.raises(ValueError, match=field.rpartition(".")[2]):
        build(workdir, **{field: value})
