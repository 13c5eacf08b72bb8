import inspect

import keras
import numpy as np
import pytest

import byol_tf
from byol_tf.modalities.image import adapters
from tests.support.encoders import undrawn


def images():
    return np.random.default_rng(0).random((4, 32, 32, 3), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name,features",
    [
        ("applications/MobileNetV3Small", 576),
        ("keras_cv/resnet18_v2", 512),
    ],
)
def test_a_foreign_backbone_is_pretrained_saved_and_loaded(
    name, features, tmp_path
):
    if name.startswith("keras_cv"):
        pytest.importorskip("keras_cv")
    encoder = adapters.make_encoder(name, (32, 32, 3))
    assert encoder.output_shape == (None, features)
    model = byol_tf.BYOL(encoder, hidden_size=16, projection_size=8)
    model.compile(keras.optimizers.SGD(0.01))
    before = encoder.trainable_variables[0].numpy()
    x = images()
    logs = model.pretrain_step((x, x[:, :, ::-1]))
    assert 0 < float(logs["loss"]) < 8
    assert not np.allclose(before, encoder.trainable_variables[0].numpy())
    encoder.save(tmp_path / "encoder.keras")
    copy = keras.saving.load_model(tmp_path / "encoder.keras", safe_mode=True)
    np.testing.assert_allclose(
        copy.predict(x, verbose=0), encoder.predict(x, verbose=0), atol=1e-5
    )


def test_models_that_rescale_get_pixels_up_to_255():
    encoder = adapters.from_applications("MobileNetV3Small", (32, 32, 3))
    assert encoder.get_layer("rescale").scale == 255.0


def test_models_that_do_not_rescale_are_fed_as_they_are():
    encoder = adapters.from_applications("MobileNetV2", (32, 32, 3))
    assert "rescale" not in [layer.name for layer in encoder.layers]


# Those that normalise, and one that does not; the others build no such layer.
FAMILIES = (
    *("ConvNeXtTiny", "EfficientNetB0", "EfficientNetV2B0"),
    *("EfficientNetV2S", "MobileNetV3Small", "MobileNet"),
)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_normalisation_gives_a_deviation_of_about_one(family):
    with undrawn():
        encoder = adapters.make_encoder(f"applications/{family}", (32, 32, 3))
    x = images()
    for layer in encoder.layers[1:]:
        if isinstance(
            layer, keras.layers.Rescaling | keras.layers.Normalization
        ):
            x = np.array(layer(x))
        elif layer.weights:
            break
    assert 0.2 < x.std(axis=(0, 1, 2)).min() <= x.std() < 3


@pytest.mark.parametrize(
    "name", [name for name in dir(keras.applications) if name[0].isupper()]
)
def test_models_that_normalise_are_known_without_being_built(name):
    normalises = name.startswith(("ConvNeXt", "EfficientNet", "MobileNetV3"))
    scale = adapters._scale_of(getattr(keras.applications, name))
    assert scale == (255.0 if normalises else 1.0)


@pytest.mark.parametrize(
    "name",
    ["ResNet50", "VGG16", "MobileNetV2", "DenseNet121", "EfficientNetB0"],
)
def test_pixels_are_prepared_as_the_weights_expect(name):
    function = getattr(keras.applications, name)
    x = images()
    scale, offset, order = adapters.preparation(function)
    found = np.empty_like(x)
    found[..., order] = x * scale + offset
    wanted = inspect.getmodule(function).preprocess_input(255 * x)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["VGG16", "MobileNetV3Small"])
def test_imagenet_weights_give_what_keras_gives(name, monkeypatch, tmp_path):
    """Weights as Keras would download them, of which one is swapped BGR."""
    function = getattr(keras.applications, name)
    options = {"include_top": False, "pooling": "avg"}
    keras.utils.set_random_seed(0)
    theirs = function(weights=None, input_shape=(32, 32, 3), **options)
    theirs.save_weights(tmp_path / "kept.weights.h5")
    module = inspect.getmodule(function)
    kept = str(tmp_path / "kept.weights.h5")
    monkeypatch.setattr(
        module.file_utils, "get_file", lambda *args, **kwargs: kept
    )
    ours = adapters.make_encoder(
        f"applications/{name}", (32, 32, 3), imagenet=True
    )
    x = images()
    wanted = theirs(module.preprocess_input(255 * x))
    np.testing.assert_allclose(ours(x), wanted, rtol=1e-3, atol=1e-5)


def test_without_a_network_a_line_says_what_to_take(monkeypatch):
    def failing(*args, **kwargs):
        raise Exception("URL fetch failure on https://...: None -- unreachable")

    module = inspect.getmodule(keras.applications.MobileNetV3Small)
    monkeypatch.setattr(module.file_utils, "get_file", failing)
    with pytest.raises(ValueError, match=r"(?s)unreachable.*\[pretrained\]"):
        adapters.make_encoder(
            "applications/MobileNetV3Small", (32, 32, 3), imagenet=True
        )


def test_the_global_policy_is_left_alone():
    before = keras.config.dtype_policy().name
    name = "applications/MobileNetV3Small"
    adapters.make_encoder(name, (32, 32, 3), dtype="mixed_bfloat16")
    assert keras.config.dtype_policy().name == before


def test_feature_maps_are_pooled():
    maps = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)])
    encoder = adapters.vector_encoder(maps, scale=2.0, offset=-1.0)
    x = images()[:, :8, :8]
    expected = maps(2 * x - 1).numpy().mean((1, 2))
    np.testing.assert_allclose(encoder(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["applications/MobileNetV3Small", "keras_cv/resnet18_v2"]
)
def test_all_layers_lie_in_one_graph_of_keras_layers(name):
    if name.startswith("keras_cv"):
        pytest.importorskip("keras_cv")
    encoder = adapters.make_encoder(name, (32, 32, 3))
    assert encoder.input.name == "images"
    assert not [x for x in encoder.layers if isinstance(x, keras.Model)]
    modules = {type(layer).__module__.split(".")[0] for layer in encoder.layers}
    assert modules == {"keras"}


def test_a_wrapped_model_shares_its_layers_with_the_encoder():
    maps = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)])
    encoder = adapters.vector_encoder(maps)
    assert maps.layers[0] in encoder.layers
    x = images()[:, :8, :8]
    expected = maps(x).numpy().mean((1, 2))
    np.testing.assert_allclose(encoder(x), expected, atol=1e-5)


def test_a_wrapped_model_may_have_a_layer_of_the_name_pool():
    pool = keras.layers.MaxPooling2D(name="pool")
    encoder = adapters.vector_encoder(
        keras.Sequential([keras.Input((8, 8, 3)), pool])
    )
    x = images()[:, :8, :8]
    expected = pool(x).numpy().mean((1, 2))
    np.testing.assert_allclose(encoder(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["applications/NoNet", "keras_cv/resnet19", "timm/resnet18"]
)
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=name.rpartition("/")[2]):
        adapters.make_encoder(name, (32, 32, 3))


def test_sequences_are_refused():
    model = keras.Sequential([keras.Input((8, 3)), keras.layers.Conv1D(5, 3)])
    with pytest.raises(ValueError, match="feature maps"):
        adapters.vector_encoder(model)
