"""What the two view layers do with images, seeds and surroundings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from byol_tf.modalities.image.views import TwoViews, View
from tests.support.reference_augment import OFF

SEED = np.array([3, 4], np.int32)
# A recipe in which nothing happens, to be changed in one place.
PARTS = {
    "crop": {"area": (0.3, 0.8), "aspect": (0.75, 1.5), "flip": 0.5},
    "rotate": {"rotate": 30.0},
    "jitter": {"jitter": 0.8},
    "grayscale": {"grayscale": 0.5},
    "blur": {"blur": 0.5},
    "solarize": {"solarize": 0.5},
}
EVERYTHING = {
    key: value for part in PARTS.values() for key, value in part.items()
}


def some_images(batch=8, height=20, width=20, channels=3):
    shape = [batch, height, width, channels]
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


IMAGES = some_images()
FLOATS = np.float32(IMAGES) / 255


# ---- one view ---------------------------------------------------------


def test_view_is_the_parts_one_after_another_in_the_papers_order():
    whole = View(**EVERYTHING)(IMAGES, seed=SEED)
    images = tf.constant(FLOATS)
    for part in PARTS.values():
        images = View(**{**OFF, **part})(images, seed=SEED)
    np.testing.assert_allclose(whole, images, atol=2e-6)


@pytest.mark.parametrize("name", PARTS)
def test_every_part_changes_images(name):
    changed = View(**{**OFF, **PARTS[name]})(IMAGES, seed=SEED)
    assert np.abs(changed - FLOATS).max() > 0.05


def test_view_of_no_strength_is_the_image():
    np.testing.assert_array_equal(View(**OFF)(IMAGES, seed=SEED), FLOATS)
    none = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    view = View(**{**OFF, "jitter": 1.0, **none})
    np.testing.assert_array_equal(view(IMAGES, seed=SEED), FLOATS)


def test_turned_views_are_the_eight_ways_a_square_lies():
    images = np.repeat(IMAGES[:1], 64, axis=0)
    view = View(**{**OFF, "turn": 1.0, "flip_vertical": 0.5})
    turned = view(images, seed=SEED).numpy()
    lies = [
        np.rot90(side, k)
        for side in (FLOATS[0], FLOATS[0][::-1])
        for k in range(4)
    ]
    found = [
        [k for k, lie in enumerate(lies) if np.array_equal(lie, image)]
        for image in turned
    ]
    assert {k for (k,) in found} == set(range(8))
    np.testing.assert_array_equal(view(images, seed=SEED), turned)
    assert View.from_config(view.get_config()).turn == 1.0


@pytest.mark.parametrize("name", ["turn", "flip_vertical"])
def test_targets_do_not_move_with_a_quarter_turn(name):
    with pytest.raises(ValueError, match=f"set {name}=0"):
        View(**{**OFF, name: 1.0}).draw_with_where(IMAGES, SEED)


def test_only_square_views_are_turned():
    view = View(**{**OFF, "turn": 1.0})
    with pytest.raises(ValueError, match="square"):
        view(some_images(width=12), seed=SEED)


def operations_in_graph(view):
    traced = tf.function(view.draw, autograph=False).get_concrete_function(
        IMAGES, SEED
    )
    return {
        operation.type.removeprefix("Stateless")
        for operation in traced.graph.get_operations()
    }


def test_operation_that_cannot_happen_is_not_in_the_graph():
    heavy = {"BatchMatMulV2", "While", "If", "GatherV2"}
    assert not operations_in_graph(View(**OFF)) & heavy
    assert heavy <= operations_in_graph(View(**EVERYTHING))


def test_identical_images_of_a_batch_become_different():
    same = np.repeat(IMAGES[:1], 8, axis=0)
    views = View(**EVERYTHING)(same, seed=SEED).numpy()
    for first in range(8):
        for second in range(first):
            assert np.abs(views[first] - views[second]).max() > 0.01


def test_seed_alone_decides():
    view = View(**EVERYTHING)
    first = view(IMAGES, seed=SEED).numpy()
    np.testing.assert_array_equal(view(IMAGES, seed=SEED), first)
    other = view(IMAGES, seed=SEED + 1).numpy()
    assert np.all(np.abs(other - first).max(axis=(1, 2, 3)) > 0.01)


def test_bytes_and_floats_are_the_same_image():
    view = View(**EVERYTHING)
    np.testing.assert_allclose(
        view(FLOATS, seed=SEED), view(IMAGES, seed=SEED), atol=1e-6
    )


@pytest.mark.parametrize("size,shape", [(9, (9, 9)), ((6, 24), (6, 24))])
@pytest.mark.parametrize("resize", ["bicubic", "bilinear"])
def test_view_has_the_size_asked_for(size, shape, resize):
    view = View(size, resize=resize, rotate=10.0, solarize=0.5)
    images = some_images(height=17, width=22)
    result = view(images, seed=SEED)
    assert result.shape == (8, *shape, 3)
    assert view.compute_output_shape(images.shape) == result.shape


def test_view_without_size_has_the_size_of_the_images():
    images = some_images(height=17, width=22)
    assert View()(images, seed=SEED).shape == (8, 17, 22, 3)


def test_values_stay_in_range():
    extreme = np.where(IMAGES > 127, 255, 0).astype(np.uint8)
    settings = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0}
    view = View(jitter=1.0, solarize=0.5, rotate=20.0, hue=0.5, **settings)
    result = view(extreme, seed=SEED).numpy()
    assert np.all(np.isfinite(result))
    assert result.min() >= 0.0 and result.max() <= 1.0


def test_view_computes_in_float32_under_mixed_precision():
    expected = View(**EVERYTHING)(IMAGES, seed=SEED)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        result = View(**EVERYTHING)(FLOATS, seed=SEED)
    finally:
        keras.config.set_dtype_policy(before)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_blur_of_a_view_too_small_for_it_is_left_out():
    images = some_images(height=19, width=19)
    view = View(**{**OFF, "blur": 1.0})
    np.testing.assert_array_equal(
        view(images, seed=SEED), np.float32(images) / 255
    )


# ---- two views --------------------------------------------------------


def test_default_pair_is_the_papers():
    first, second = TwoViews().view1, TwoViews().view2
    assert (first.blur, second.blur) == (1.0, 0.1)
    assert (first.solarize, second.solarize) == (0.0, 0.2)
    for view in (first, second):
        assert (view.area, view.aspect) == ((0.08, 1.0), (3 / 4, 4 / 3))
        assert (view.flip, view.jitter, view.grayscale) == (0.5, 0.8, 0.2)
        assert (view.brightness, view.contrast) == (0.4, 0.4)
        assert (view.saturation, view.hue) == (0.2, 0.1)
        assert (view.blur_sigma, view.solarize_threshold) == ((0.1, 2), 0.5)


def test_byol_changes_both_recipes():
    views = TwoViews.byol(16, hue=0.0, area=(0.2, 1.0), blur=(0.7, 0.3))
    first, second = views.view1, views.view2
    assert first.size == second.size == (16, 16)
    assert first.hue == second.hue == 0.0
    assert first.area == second.area == (0.2, 1.0)
    assert (first.blur, second.blur) == (0.7, 0.3)
    assert (first.solarize, second.solarize) == (0.0, 0.2)
    both = TwoViews.byol(blur=0.0)
    assert both.view1.blur == both.view2.blur == 0.0


def test_two_views_of_one_recipe_differ():
    views = TwoViews(View(**EVERYTHING), View(**EVERYTHING), jit_compile=False)
    first, second = views(IMAGES, seed=SEED)
    difference = np.abs(first - second).max(axis=(1, 2, 3))
    assert np.all(difference > 0.01)


QUICK = {**OFF, "area": (0.3, 0.8), "resize": "bilinear"}


def quick_pair(jit_compile):
    """A recipe that compiles fast."""
    recipes = (View(4, **{**QUICK, "solarize": p}) for p in (0, 1))
    return TwoViews(*recipes, jit_compile=jit_compile)


@pytest.fixture(scope="module")
def pairs():
    """The quick recipe, not compiled and compiled, for all tests."""
    return {choice: quick_pair(choice) for choice in (False, True)}


@pytest.fixture(scope="module")
def expected(pairs):
    return pairs[False](IMAGES, seed=SEED)


def assert_same(views, expected):
    for ours, theirs in zip(views, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_every_operation_is_the_same_compiled():
    recipes = View(**EVERYTHING), View(8, resize="bilinear", rotate=9.0)
    compiled = TwoViews(*recipes)(IMAGES, seed=SEED)
    assert_same(compiled, TwoViews(*recipes, jit_compile=False)(IMAGES, SEED))


@pytest.mark.parametrize("outer", [None, False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_views_are_the_same_in_a_function(inner, outer, pairs, expected):
    views = pairs[inner]
    if outer is not None:
        views = tf.function(views, jit_compile=outer)
    assert_same(views(IMAGES, seed=SEED), expected)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_views_are_the_same_in_a_pipeline(jit_compile, pairs, expected):
    views = pairs[jit_compile]
    data = tf.data.Dataset.from_tensors((IMAGES, SEED))
    data = data.map(lambda images, seed: views(images, seed=seed))
    (result,) = list(data)
    assert_same(result, expected)


def test_views_compile_once_for_batches_of_one_size():
    views = quick_pair(jit_compile=True)
    traces = []
    transform = views.view1.transform
    views.view1.transform = lambda *inputs: (
        traces.append(True) or transform(*inputs)
    )
    for step in range(3):
        views(IMAGES, seed=SEED + step)
    assert len(traces) == 1


# ---- without a seed ---------------------------------------------------


def test_layer_draws_anew_at_every_call():
    view = View(**PARTS["crop"], seed=1)
    in_graph = tf.function(View(**PARTS["crop"], seed=1))
    for layer in (view, in_graph):
        first, second = layer(IMAGES).numpy(), layer(IMAGES).numpy()
        assert np.abs(first - second).max() > 0.05


def test_layer_draws_anew_for_every_batch_of_a_pipeline():
    views = TwoViews.byol(jitter=0.0, blur=0.0, jit_compile=False, seed=1)
    data = tf.data.Dataset.from_tensors(IMAGES).repeat(2).map(views)
    (first, _), (second, _) = list(data)
    assert np.abs(first - second).max() > 0.05


def test_layers_of_one_seed_draw_the_same():
    first, second = (View(**PARTS["crop"], seed=5) for _ in range(2))
    np.testing.assert_array_equal(first(IMAGES), second(IMAGES))
    other = View(**PARTS["crop"], seed=6)(IMAGES)
    assert np.abs(other - View(**PARTS["crop"], seed=5)(IMAGES)).max() > 0.05


# ---- channels ---------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_channels_leave_out_what_needs_colours(channels, caplog):
    images = some_images(channels=channels)
    view = View(**{**EVERYTHING, "jitter": 1.0})
    result = view(images, seed=SEED)
    view(images, seed=SEED)
    assert result.shape == images.shape
    without = {"saturation": 0.0, "hue": 0.0, "grayscale": 0.0}
    colourless = View(**{**EVERYTHING, "jitter": 1.0, **without})
    np.testing.assert_array_equal(colourless(images, seed=SEED), result)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for word in (f"{channels} channels", "saturation", "hue", "grayscale"):
        assert word in record.getMessage()


def test_two_views_say_once_what_they_leave_out(caplog):
    views = TwoViews.byol(jitter=0.0, jit_compile=False)
    for _ in range(2):
        views(some_images(channels=1), seed=SEED)
    (record,) = caplog.records
    assert "grayscale" in record.getMessage()
    assert "hue" not in record.getMessage()


def test_nothing_is_said_of_colour_images(caplog):
    View()(IMAGES, seed=SEED)
    View(**OFF)(some_images(channels=1), seed=SEED)
    assert not caplog.records


# ---- saving -----------------------------------------------------------


def test_config_gives_the_same_layer():
    views = TwoViews.byol(
        (12, 14), rotate=5.0, blur=(0.2, 0.4), jit_compile=False, seed=3
    )
    again = TwoViews.from_config(views.get_config())
    assert again.get_config() == views.get_config()
    for ours, theirs in zip(
        again(IMAGES, seed=SEED), views(IMAGES, seed=SEED), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_saved_model_loads_in_safe_mode_with_its_views(tmp_path):
    inputs = keras.Input((20, 20, 3), dtype="uint8")
    model = keras.Model(inputs, View(**EVERYTHING, seed=9)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()
    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), atol=1e-6)


def test_views_of_symbolic_images_have_known_shapes():
    first, second = TwoViews.byol(12)(keras.Input((None, None, 3)))
    assert first.shape == second.shape == (None, 12, 12, 3)


# ---- errors -----------------------------------------------------------


@pytest.mark.parametrize(
    "name,value",
    [
        *[("size", value) for value in (0, -3, (4,), (4, 0), 2.5, "big")],
        *[("area", value) for value in ((0.0, 1.0), (0.5, 1.2), (0.6, 0.5))],
        *[("area", value) for value in (0.5, (0.1, 0.2, 0.3), None)],
        *[("aspect", value) for value in ((0.0, 1.0), (2.0, 1.0))],
        ("resize", "nearest"),
        *[("flip", value) for value in (-0.1, 1.1, "often", None)],
        *[(name, 1.5) for name in ("jitter", "grayscale", "blur", "solarize")],
        *[(name, -0.1) for name in ("brightness", "contrast", "saturation")],
        *[(name, 1.1) for name in ("brightness", "contrast", "saturation")],
        ("hue", 0.6),
        ("blur_sigma", (0.0, 2.0)),
        ("blur_divider", 0.5),
        ("solarize_threshold", 2.0),
        ("rotate", 181.0),
        ("rotate", float("nan")),
    ],
)
def test_impossible_argument_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must .* {name}="):
        View(**{name: value})


def test_view_that_is_none_is_refused():
    with pytest.raises(ValueError, match="`view2` must be a `View`"):
        TwoViews(View(), keras.layers.Flatten())


def test_size_is_asked_for_where_it_cannot_be_known():
    signature = tf.TensorSpec([None, None, None, 3], tf.uint8)
    with pytest.raises(ValueError, match="`size` must be given"):
        tf.function(View().draw).get_concrete_function(signature, SEED)
    known = tf.function(View(24, **EVERYTHING).draw, autograph=False)
    traced = known.get_concrete_function(signature, SEED)
    assert traced.output_shapes.as_list() == [None, 24, 24, 3]
    assert traced(IMAGES, SEED).shape == (8, 24, 24, 3)


@pytest.mark.parametrize(
    "images,message",
    [
        (np.zeros([4, 4, 3], np.uint8), r"\[batch, height, width, channels\]"),
        (np.zeros([2, 4, 4, 3], np.int64), "uint16, or float.* int64"),
    ],
)
def test_other_than_a_batch_of_images_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        View()(images, seed=SEED)
