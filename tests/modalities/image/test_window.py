"""Which values of deep images are black and white."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.data.examples import Examples
from byol_tf.modalities.image.graph_decode import decode_files
from byol_tf.modalities.image.inputs import decode_row
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.modalities.image.reading import load_images
from byol_tf.modalities.image.views import CentreView, TwoViews, View
from byol_tf.modalities.image.window import fit_window, parse_window
from configs import base

RAMP = np.tile(np.arange(64, dtype=np.uint16), (64, 1))[None, ..., None]


def examples(rows):
    return Examples(rows, np.zeros(len(rows), np.int32), name="scans")


@pytest.mark.parametrize(
    "most,window",
    [
        (4080, (0, 4095)),
        (4095, (0, 4095)),
        (4096, (0, 8191)),
        (1000, (0, 1023)),
        (252, (0, 255)),
        (3, (0, 255)),
        (65535, None),
        (32768, None),
    ],
)
def test_auto_takes_as_many_bits_as_are_used(most, window, caplog):
    rows = (RAMP * (most / 63)).round().astype(np.uint16)
    with caplog.at_level(logging.WARNING):
        assert fit_window(examples(rows), "auto") == window
    assert ("data.window=auto" in caplog.text) == (window is not None)


def test_floats_and_bytes_need_no_window():
    assert (
        fit_window(examples(np.zeros((2, 4, 4, 1), np.uint8)), "auto") is None
    )
    assert fit_window(examples(RAMP / np.float32(63)), "auto") is None
    assert fit_window(examples(RAMP.astype(np.uint8)), "5,9") is None


@pytest.mark.parametrize(
    "rows,setting",
    [(RAMP * 65, "full"), (RAMP / np.float32(63 * 20), "auto")],
)
def test_a_set_that_uses_little_of_its_range_gets_a_warning(
    rows, setting, caplog
):
    rows = rows if rows.dtype == np.float32 else (rows / 2).astype(np.uint16)
    with caplog.at_level(logging.WARNING):
        assert fit_window(examples(rows), setting) is None
    assert "less than a sixteenth" in caplog.text


@pytest.mark.parametrize(
    "setting,expected",
    [
        ("auto", "auto"),
        ("full", "full"),
        ("0,4095", (0.0, 4095.0)),
        ("(-1000, 400.5)", (-1000.0, 400.5)),
        ((0, 1), (0.0, 1.0)),
    ],
)
def test_a_setting_is_a_word_or_a_pair(setting, expected):
    assert parse_window(setting) == expected


@pytest.mark.parametrize("setting", ["best", "3", "9,2", "1,2,3", "a,b", (1,)])
def test_another_setting_is_refused(setting):
    with pytest.raises(ValueError, match="auto, full or LOW,HIGH"):
        parse_window(setting)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("layer", [CentreView, View])
def test_layers_scale_by_the_window_and_keep_it(layer, dtype):
    options = {} if layer is CentreView else {"area": (1, 1), "aspect": (1, 1)}
    options |= (
        {} if layer is CentreView else {"flip": 0, "jitter": 0, "blur": 0}
    )
    made = layer(64, window=(630, 3150), **options)
    copy = layer.from_config(made.get_config())
    expected = np.clip((RAMP * 65.0 - 630) / 2520, 0, 1)
    np.testing.assert_allclose(
        copy((RAMP * 65).astype(dtype)), expected, atol=1e-6
    )


def test_without_a_window_the_configuration_is_that_of_earlier_releases():
    for layer in (CentreView(4), View(4)):
        assert not {"window", "stored"} & layer.get_config().keys()


def test_views_cut_from_originals_are_windowed_once():
    views = TwoViews.byol(16, window=(0, 4095), jitter=0.0, blur=(0.0, 0.0))
    seed = keras.ops.convert_to_tensor([3, 4])
    (numbers,) = views.numbers(seed, 1)
    crops = views.cut(keras.ops.convert_to_tensor(RAMP[0] * 65), numbers)
    assert all(float(np.max(crop)) <= 1 for crop in crops)
    first, _ = views(tuple(crop[None] for crop in crops), seed=seed)
    np.testing.assert_allclose(
        np.sort(np.ravel(first)), np.sort(np.ravel(crops[0])), atol=1e-6
    )


@pytest.mark.parametrize("most", [4095, 1023, 255])
def test_files_of_few_bits_keep_their_levels(tmp_path, most):
    for name in "ab":
        Image.fromarray(RAMP[0, ..., 0] * (most // 63)).save(
            tmp_path / f"{name}.png"
        )
    images = load_images("folder", directory=str(tmp_path), image_size=64)
    assert images.rows.dtype == np.uint16
    window = fit_window(images, "auto")
    view = CentreView(64, window=window, stored="uint16")(images.rows[:1])
    assert len(np.unique(view)) == 64 and np.max(view) > 0.9


def test_few_deep_files_among_others_are_brought_to_bytes(tmp_path):
    for name in "abc":
        Image.fromarray(RAMP[0, ..., 0].astype(np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    Image.fromarray(RAMP[0, ..., 0] * 1040).save(tmp_path / "d.png")
    images = load_images("folder", directory=str(tmp_path), image_size=64)
    assert images.rows.dtype == np.uint8 and images.rows[3].max() == 255


GRAY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)


def png(pixels):
    return tf.io.encode_png(pixels[..., None]).numpy()


@pytest.mark.parametrize("window", [(0.0, 4095.0), (100.0, 1123.0)])
@pytest.mark.parametrize("in_graph", [False, True])
def test_files_of_8_bits_are_brought_into_the_window(window, in_graph):
    """White of 8 bits is white: not 65535, far beyond a white of 4095."""
    low, high = window
    deep = np.round(low + GRAY / 255 * (high - low)).astype(np.uint16)
    for pixels in (GRAY, deep):
        if in_graph:
            files = tf.constant([png(pixels)])
            sizes = 16, 1, 10**6, "uint16", False, window
            decoded = decode_files(files, *sizes)[0][0]
        else:
            sizes = {"image_size": 16, "channels": 1, "max_pixels": 10**6}
            more = {"dtype": "uint16", "window": window}
            decoded = decode_row(png(pixels), {**sizes, **more})
        np.testing.assert_allclose(decoded[..., 0], deep, atol=1)


def test_a_window_that_is_given_holds_for_both_depths_of_a_folder(tmp_path):
    config = base.get_config()
    config.data.window = "0,4095"
    deep = GRAY.astype(np.uint16) * 16
    for name, pixels in {"a": GRAY, "b": deep}.items():
        (tmp_path / f"{name}.png").write_bytes(png(pixels))
    files = sorted(tmp_path.iterdir())
    decode = IMAGE.decoder(config).of_files(files).decode
    first, second = (decode(file)[..., 0].astype(int) for file in files)
    np.testing.assert_allclose(first, second, atol=16)
