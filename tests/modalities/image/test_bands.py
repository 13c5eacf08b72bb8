"""TIFF, `.npy` and arrays of any depth and any number of channels."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from byol_tf.data import sources
from byol_tf.export.signatures import describe, make_module
from byol_tf.modalities.image.decode import (
    ImageError,
    decode_image,
    decode_square,
    look,
)
from byol_tf.modalities.image.modality import IMAGE
from byol_tf.modalities.image.reading import image_decoder, load_images
from byol_tf.runs.artifact import Encoder
from tests.support.runs import tiny_config

UNIT = np.random.default_rng(0).random((9, 12), np.float32)
DEEP = np.round(UNIT * 65535).astype(np.uint16)
FLAT = (UNIT * 255).astype(np.uint8)
COLOURS = Image.fromarray(np.stack([FLAT, FLAT[::-1], FLAT[:, ::-1]], -1))


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, "TIFF", **options)
    return file.getvalue()


def array(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def lab():
    profiles = map(ImageCms.createProfile, ("sRGB", "LAB"))
    return ImageCms.profileToProfile(COLOURS, *profiles, outputMode="LAB")


MODES = {
    "1": (COLOURS.convert("1"), 1, "uint8"),
    "L": (Image.fromarray(FLAT), 1, "uint8"),
    "LA": (COLOURS.convert("LA"), 1, "uint8"),
    "P": (COLOURS.quantize(200), 3, "uint8"),
    "PA": (COLOURS.convert("P").convert("PA"), 3, "uint8"),
    "RGB": (COLOURS, 3, "uint8"),
    "RGBA": (COLOURS.convert("RGBA"), 3, "uint8"),
    "RGBX": (COLOURS.convert("RGBX"), 3, "uint8"),
    "CMYK": (COLOURS.convert("CMYK"), 3, "uint8"),
    "YCbCr": (COLOURS.convert("YCbCr"), 3, "uint8"),
    "I;16": (Image.fromarray(DEEP), 1, "uint16"),
    "I;16B": (
        Image.frombytes("I;16B", (12, 9), DEEP.astype(">u2").tobytes()),
        *(1, "uint16"),
    ),
    "I": (Image.fromarray(DEEP.astype(np.int32) - 999), 1, "float32"),
    "F": (Image.fromarray(UNIT), 1, "float32"),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_is_read_whole(mode):
    image, channels, dtype = MODES[mode]
    pixels = decode_image(saved(image))
    assert pixels.shape == (9, 12, channels) and pixels.dtype == dtype
    assert tuple(look(saved(image))) == (9, 12, channels, dtype)
    if mode in ("CMYK", "YCbCr", "RGB", "RGBA", "RGBX"):
        error = np.abs(pixels.astype(int) - np.asarray(COLOURS))
        assert error.max() <= (3 if mode == "YCbCr" else 0)
    elif dtype != "uint8":
        np.testing.assert_array_equal(pixels[..., 0], np.asarray(image))


def test_a_mode_that_cannot_be_read_says_so():
    with pytest.raises(ImageError, match="LAB cannot be read; save it as RGB"):
        decode_image(saved(lab()))


def test_a_tiff_is_turned_upright():
    data = saved(COLOURS, tiffinfo={274: 6})
    turned = np.rot90(np.asarray(COLOURS), -1)
    np.testing.assert_array_equal(decode_image(data), turned)
    assert look(data)[:2] == (12, 9)


@pytest.mark.parametrize("values", [FLAT, DEEP])
def test_white_may_be_zero_in_a_tiff(values):
    tifffile = pytest.importorskip("tifffile")
    white = np.iinfo(values.dtype).max - values
    data = tifffile_bytes(tifffile, white, photometric="miniswhite")
    np.testing.assert_array_equal(decode_image(data)[..., 0], values)


BANDS = {
    "rgb uint16": (np.stack([DEEP] * 3, -1), {"photometric": "rgb"}),
    "large file": (
        np.stack([DEEP] * 3, -1),
        {"photometric": "rgb", "bigtiff": True},
    ),
    "five bands": (
        np.stack([DEEP + i for i in range(5)]),
        {"photometric": "minisblack", "planarconfig": "separate"},
    ),
    "four bytes": (
        np.stack([FLAT] * 4, -1),
        {"photometric": "minisblack", "planarconfig": "contig"},
    ),
    "floats": (
        np.stack([UNIT] * 2, -1),
        {"photometric": "minisblack", "planarconfig": "contig"},
    ),
}


@pytest.mark.parametrize("name", BANDS)
def test_bands_that_pillow_does_not_know_are_read_by_tifffile(name):
    tifffile = pytest.importorskip("tifffile")
    values, options = BANDS[name]
    file = io.BytesIO()
    tifffile.imwrite(file, values, compression="zlib", **options)
    values = np.moveaxis(values, 0, -1) if name == "five bands" else values
    np.testing.assert_array_equal(decode_image(file.getvalue()), values)
    assert look(file.getvalue())[:3] == values.shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_of_any_bands_is_turned_as_pillow_turns_gray(orientation):
    tifffile = pytest.importorskip("tifffile")
    tag = (274, "H", 1, orientation, True)
    upright, deep = (
        tifffile_bytes(tifffile, values, extratags=[tag])
        for values in (FLAT, np.stack([FLAT.astype(np.uint16)] * 3, -1))
    )
    with Image.open(io.BytesIO(upright)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    pixels = decode_image(deep)
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, np.stack([expected] * 3, -1))
    assert look(deep)[:2] == expected.shape


def tifffile_bytes(tifffile, values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "values,dtype",
    [
        (FLAT, "uint8"),
        (DEEP, "uint16"),
        (DEEP.astype(">u2"), "uint16"),
        (np.stack([UNIT] * 7, -1), "float32"),
        (UNIT.astype(np.float64), "float32"),
        (DEEP.astype(np.int32), "float32"),
        (np.asfortranarray(np.stack([FLAT] * 2, -1)), "uint8"),
    ],
)
def test_an_array_in_a_file_is_taken_as_it_is(values, dtype):
    pixels = decode_image(array(values))
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, values.reshape(9, 12, -1))


def test_truth_values_are_black_and_white():
    pixels = decode_image(array(UNIT > 0.5))[..., 0]
    np.testing.assert_array_equal(pixels, np.where(UNIT > 0.5, 255, 0))


@pytest.mark.parametrize(
    "data,reason",
    [
        (array(UNIT[None, None]), r"\[height, width\] or"),
        (array(np.array("text")), r"\[height, width\] or"),
        (array(UNIT + 1j), "not numbers"),
        (array(np.array([[{}]], object)), "not numbers"),
        (array(DEEP)[:-20], "damaged"),
        (array(UNIT * np.nan), "NaN or infinite"),
        (array(np.zeros((0, 3))), r"\[height, width\] or"),
    ],
)
def test_an_array_that_is_no_image_is_refused(data, reason):
    with pytest.raises(ImageError, match=reason):
        decode_image(data)


def test_the_limit_of_pixels_holds_before_an_array_is_read():
    with pytest.raises(ImageError, match="more than the limit of 100"):
        decode_image(array(DEEP), max_pixels=100)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_black_and_white_stay_in_every_depth(dtype):
    ends = array(np.array([[0, 255]], np.uint8))
    white = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    pixels = decode_image(ends, dtype=dtype)
    assert pixels.dtype == dtype and pixels.ravel().tolist() == [0, white]


def test_a_deep_square_is_resized_in_floats():
    square = decode_square(array(DEEP), 6, 1, dtype="uint16")
    floats = decode_square(array(UNIT), 6, 1, dtype="float32")
    np.testing.assert_allclose(square / 65535, floats.clip(0, 1), atol=2e-5)


@pytest.mark.parametrize(
    "values", [np.stack([UNIT] * 5, -1), np.stack([DEEP] * 4, -1), DEEP]
)
def test_a_folder_of_arrays_says_what_its_rows_are(tmp_path, values):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", values[number:])
    images = load_images("folder", directory=str(tmp_path), image_size=6)
    channels = max(values.reshape(9, 12, -1).shape[-1], 3)
    assert images.rows.shape == (3, 6, 6, channels)
    expected = "float32" if values.dtype == np.float32 else "uint16"
    assert images.rows.dtype == expected
    free = image_decoder().of_files(sorted(tmp_path.iterdir()))
    assert free.spec["image"].shape == (None, None, channels)
    assert free.decode(tmp_path / "2.npy").shape == (7, 12, channels)


@pytest.mark.parametrize("image_size", [None, 6])
def test_files_of_floats_beyond_white_are_refused_without_a_window(image_size):
    data = array(UNIT * 255)
    decode = image_decoder(image_size).of_files([data]).decode
    with pytest.raises(ImageError, match=r"not in \[0, 1\]; say what is black"):
        decode(data)
    windowed = image_decoder(image_size, window=(0.0, 255.0)).of_files([data])
    assert windowed.decode(data).max() > 99


@pytest.mark.parametrize(
    "dtype,channels,window",
    [("uint16", 5, "auto"), ("float32", 2, "0,300"), ("uint16", 1, "auto")],
)
def test_deep_rows_come_through_fit_views_and_export(
    tmp_path, dtype, channels, window
):
    rows = np.random.default_rng(0).random((6, 12, 12, channels)) * 300
    np.savez(tmp_path / "set.npz", images=rows.astype(dtype))
    config = tiny_config(tmp_path / "set.npz", **{"data.window": window})
    examples = sources.load(
        *("arrays", "", "train", config.data.dir),
        decoder=IMAGE.decoder(config),
    )
    prepare = IMAGE.fit(examples, config)
    assert prepare.window == ((0, 511) if window == "auto" else (0, 300))
    views = IMAGE.views(config, prepare)
    pair = views(examples.rows[:2], seed=np.int32([1, 2]))
    assert all(0 <= np.min(v) < 0.3 and 0.3 < np.max(v) <= 1 for v in pair)
    shape = examples.row_shape
    about = {
        "modality": "image",
        "sizes": IMAGE.sizes(shape, config, prepare),
        "spec": {},
    }
    model = IMAGE.encoder(config, prepare, shape)
    encoder = Encoder(model, prepare, about)
    _, signatures = make_module(encoder)
    expected = model(prepare(examples.rows[:2]))
    given = encoder.inputs("saved_model")["images"].of_rows(examples.rows[:2])
    found = signatures["images"](given)["representations"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    file = array(rows[0].astype(dtype))
    np.testing.assert_array_equal(encoder.decode(file), examples.rows[0])
    takes = describe(signatures, encoder)["serving_default"]["inputs"]
    assert set(takes) == ({"bytes"} if channels == 1 else {"images"})
    said = {"signatures": describe(signatures, encoder), **encoder.sizes}
    example = IMAGE.card(
        {**said, "format": "saved_model", "encoder": encoder.sizes}
    ).example
    assert ("np.load" in example) == (channels != 1)
