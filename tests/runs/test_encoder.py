"""A saved encoder with what is said of it, and what is refused."""

import json
import logging
import shutil

import keras
import numpy as np
import pytest

from byol_tf.data.examples import Examples
from byol_tf.files import sha256, write_json
from byol_tf.modalities.image.decode import decode_square
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.runs import samples
from byol_tf.runs.config import save_config
from byol_tf.runs.encoder import load_encoder
from configs import base
from tests.support.embeddings import save_image
from tests.support.encoders import image_encoder

SIZE = 16


def network_of_class():
    # Draws the weights of shortcuts before those of the blocks around them.
    return make_resnet("slim", (SIZE, SIZE, 3), blocks=(1, 1), widths=(4, 8))


def network():
    keras.utils.set_random_seed(0)
    return network_of_class()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    image_encoder(network(), SIZE).save(folder, title="a title")
    return folder


@pytest.fixture
def workdir(saved, tmp_path):
    return shutil.copytree(saved, tmp_path, dirs_exist_ok=True)


@keras.saving.register_keras_serializable("byol_tf_tests")
class Doubled(keras.Sequential):
    """A model that computes something else than its graph."""

    def call(self, inputs, **kwargs):
        return 2 * super().call(inputs, **kwargs)


def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)


def vectors(encoder):
    return np.asarray(encoder.model(encoder.preprocessor(images())))


def change(workdir, **values):
    path = workdir / "preprocessor.json"
    write_json(path, {**json.loads(path.read_text()), **values})


def refused(workdir, told, **options):
    with pytest.raises(ValueError, match=told) as error:
        load_encoder(workdir, **options)
    assert "\n" not in str(error.value)


def test_a_folder_of_data_is_not_advised_as_a_run(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(ValueError, match="byol_tf pretrain DATA RUN"):
        load_encoder(tmp_path)


def test_it_gives_the_same_after_loading(workdir):
    given = image_encoder(network(), SIZE)
    loaded = load_encoder(workdir)
    np.testing.assert_allclose(vectors(loaded), vectors(given), atol=1e-5)
    assert loaded.about["title"] == "a title"
    assert loaded.about["precision"] == "float32"
    assert loaded.about["features"] == loaded.features == 8
    assert loaded.about["sha256"] == sha256(workdir / "encoder.keras")


def test_it_is_saved_as_plain_keras_and_loaded_as_our_layers(workdir):
    plain = keras.saving.load_model(workdir / "encoder.keras")
    ours = load_encoder(workdir).model
    modules = [{type(x).__module__ for x in m.layers} for m in (plain, ours)]
    assert not any(name.startswith("byol_tf") for name in modules[0])
    assert any(name.startswith("byol_tf") for name in modules[1])


def test_the_first_training_step_keeps_the_statistics(workdir):
    model = load_encoder(workdir).model
    norms = [x for x in model.layers if hasattr(x, "moving_variance")]
    for norm in norms:
        norm.moving_variance.assign(norm.moving_variance * 0 + 7)
    model(images() / np.float32(255), training=True)
    for norm in norms:
        # Of a batch the variance is near 1: 0.9 * 7 stays, with decay 0.9.
        assert np.asarray(norm.moving_variance).min() > 6.2


def test_a_fresh_one_is_drawn_as_the_original_class_draws(workdir):
    keras.utils.set_random_seed(3)
    expected = network_of_class().get_weights()
    fresh = load_encoder(workdir).fresh(3).model.get_weights()
    for ours, theirs in zip(fresh, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_fresh_one_of_a_foreign_class_keeps_its_form(tmp_path):
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3)(inputs)
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(x))
    image_encoder(model, SIZE).save(tmp_path)
    loaded = load_encoder(tmp_path)
    shapes = [weight.shape for weight in loaded.model.get_weights()]
    one, again, other = (
        loaded.fresh(seed).model.get_weights() for seed in (1, 1, 2)
    )
    assert [weight.shape for weight in one] == shapes
    np.testing.assert_array_equal(one[0], again[0])
    assert np.abs(one[0] - other[0]).max() > 0.01


def test_files_are_decoded_to_stored_rows(workdir, tmp_path):
    save_image(tmp_path, "a.png", 1, (40, 30))
    encoder, path = load_encoder(workdir), tmp_path / "a.png"
    wanted = decode_square(path, SIZE, 3)
    np.testing.assert_array_equal(encoder.decode(path), wanted)
    np.testing.assert_array_equal(encoder.decode(path.read_bytes()), wanted)
    assert encoder.origin(path) == {"size": (40, 30)}
    smaller = load_encoder(workdir, image_size=9)
    assert smaller.decode(path).shape == (9, 9, 3)


def test_levels_are_kept_with_their_strides(workdir):
    encoder = load_encoder(workdir)
    assert encoder.levels == image_encoder(network(), SIZE).levels
    name = max(encoder.levels, key=encoder.levels.get)
    stride = encoder.levels[name]
    side = 2 * SIZE
    maps = encoder.outputs_of(name, input_shape=(side, side, 3))
    (map_,) = maps(np.zeros((1, side, side, 3), np.float32)).values()
    assert map_.shape[1] == side // stride
    with pytest.raises(ValueError, match=f"levels: .*{name}.*Received: P9"):
        encoder.outputs_of("P9")


def test_another_size_is_prepared_where_the_model_takes_any(tmp_path):
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    image_encoder(keras.Model(inputs, pooled), SIZE).save(tmp_path)
    encoder = load_encoder(tmp_path, size=5, crop_fraction=0.5)
    assert encoder.preprocessor(images()).shape == (4, 5, 5, 3)
    assert encoder.sizes["view_size"] == 5


def test_a_size_that_the_model_does_not_take_is_refused(workdir):
    refused(workdir, "size=5 does not fit.*16x16", size=5)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '"a"', "{}", '{"schema": 1}']
)
def test_a_damaged_description_is_refused(workdir, text):
    (workdir / "preprocessor.json").write_text(text)
    refused(workdir, r"preprocessor\.json cannot be loaded: ")


@pytest.mark.parametrize(
    "values,told",
    [
        ({"schema": 99}, "schema must be 1. Received: 99"),
        ({"sha256": "0" * 64}, "another model than encoder.keras"),
        ({"modality": "smell"}, "modality"),
        ({"modality": "os:nothing"}, "cannot be imported"),
        ({"modality": "os:path"}, "Missing"),
        ({"spec": 3}, "cannot be loaded"),
        ({"spec": {"image": {"shape": "x", "dtype": 3}}}, "cannot be loaded"),
        ({"sizes": None}, "cannot be loaded"),
        ({"preparation": None}, "preparation must be a Keras layer"),
    ],
)
def test_a_foreign_description_is_refused(workdir, values, told):
    change(workdir, **values)
    refused(workdir, rf"preprocessor\.json cannot be loaded: .*{told}|{told}")


def test_the_encoder_of_another_run_is_refused(workdir, tmp_path):
    other = tmp_path / "other"
    keras.utils.set_random_seed(1)
    flat = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    image_encoder(flat, 4).save(other)
    (other / "encoder.keras").replace(workdir / "encoder.keras")
    refused(workdir, "another model than encoder.keras.*copy both")


def test_a_modality_is_not_imported_unless_it_is_allowed(
    workdir, tmp_path, monkeypatch
):
    marker = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    change(workdir, modality="evil:thing")
    refused(workdir, "allow it by --config.modality=evil:thing")
    assert not marker.exists()
    refused(workdir, "evil:thing.*cannot be imported", modality="evil:thing")
    assert marker.exists()


def test_a_model_that_is_no_graph_is_saved_as_it_is(tmp_path, caplog):
    model = Doubled(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    with caplog.at_level(logging.WARNING, logger="absl"):
        image_encoder(model, SIZE).save(tmp_path)
    assert "no graph of layers" in caplog.text
    loaded = load_encoder(tmp_path)
    assert type(loaded.model) is Doubled
    np.testing.assert_array_equal(
        vectors(loaded), vectors(image_encoder(model, SIZE))
    )


# ---- folders of earlier releases --------------------------------------


def earlier(workdir, **fields):
    """The folder as release 0.2 would have left it."""
    (workdir / "preprocessor.json").unlink()
    config = base.get_config()
    config.update_from_flattened_dict(fields)
    save_config(config, workdir)
    return workdir


def test_what_an_earlier_folder_takes_follows_from_its_configuration(
    workdir, caplog
):
    before = load_encoder(workdir)
    earlier(workdir, **{"data.image_size": 20, "augment.size": SIZE})
    with caplog.at_level(logging.WARNING, logger="absl"):
        encoder = load_encoder(workdir)
    assert "has no preprocessor.json" in caplog.text
    np.testing.assert_allclose(vectors(encoder), vectors(before), atol=1e-6)
    assert encoder.sizes["image_size"] == 20
    assert encoder.sizes["max_pixels"] == 100_000_000
    assert encoder.about["crops"]["flip"] == 0.5
    assert encoder.identity["preparation"] == before.identity["preparation"]


def test_a_view_without_a_size_has_that_of_the_images(workdir):
    assert load_encoder(earlier(workdir)).sizes["image_size"] == SIZE


def test_a_size_that_nothing_says_must_be_given(workdir, tmp_path):
    save_image(tmp_path, "a.png", 1, (40, 30))
    earlier(workdir, **{"augment.size": SIZE})
    with pytest.raises(ValueError, match=r"earlier.*--config\.image_size"):
        load_encoder(workdir).decode(tmp_path / "a.png")
    told = load_encoder(workdir, image_size=9)
    assert told.decode(tmp_path / "a.png").shape == (9, 9, 3)


def test_a_view_that_nothing_says_must_be_given(tmp_path):
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    image_encoder(keras.Model(inputs, pooled), SIZE).save(tmp_path)
    earlier(tmp_path)
    refused(tmp_path, r"--config\.size")
    assert load_encoder(tmp_path, size=7).sizes["view_size"] == 7


# ---- rows that are kept -----------------------------------------------


def test_rows_are_drawn_by_the_seed_and_kept_bit_for_bit(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (50, 3, 3, 1), np.uint8)
    examples = Examples(rows, np.arange(50))
    drawn = samples.draw_samples(examples, seed=4, count=10)
    again = samples.draw_samples(examples, seed=4, count=10)
    other = samples.draw_samples(examples, seed=5, count=10)
    np.testing.assert_array_equal(drawn.rows, again.rows)
    assert (drawn.labels != other.labels).any()
    np.testing.assert_array_equal(drawn.rows, examples.rows[drawn.labels])
    assert len(set(drawn.labels)) == 10
    samples.save_samples(drawn, tmp_path)
    kept = samples.load_samples(tmp_path)
    np.testing.assert_array_equal(kept.rows, drawn.rows)
    np.testing.assert_array_equal(kept.labels, drawn.labels)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"x" * 99])
def test_damaged_rows_are_refused(tmp_path, content):
    (tmp_path / "samples.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"samples\.npz cannot be loaded"):
        samples.load_samples(tmp_path)
