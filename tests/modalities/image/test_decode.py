"""Image files of every kind come out with the colours they show."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from byol_tf.modalities.image import decode
from byol_tf.modalities.image.decode import ImageError, decode_image

COLOUR = (200, 100, 40)
LUMA = round(0.299 * 200 + 0.587 * 100 + 0.114 * 40)
SIZE = (24, 16)  # width, height


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def plain(mode, colour):
    return Image.new(mode, SIZE, colour)


def png(pixels, bit_depth, colour_type):
    """A PNG written by hand, for kinds that Pillow cannot write."""

    def chunk(name, data):
        check = zlib.crc32(name + data)
        return (
            struct.pack(">I", len(data))
            + name
            + data
            + struct.pack(">I", check)
        )

    height, width = pixels.shape[:2]
    header = struct.pack(
        ">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0
    )
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def without_adobe_marker(jpeg):
    start = jpeg.index(b"\xff\xee")
    length = struct.unpack(">H", jpeg[start + 2 : start + 4])[0]
    return jpeg[:start] + jpeg[start + 2 + length :]


def palette():
    image = Image.new("P", SIZE, 1)
    image.putpalette([0, 0, 0, *COLOUR])
    return image


def cmyk_of(colour):
    return (*(255 - value for value in colour), 0)


FILES = {
    "jpeg": (encode(plain("RGB", COLOUR), "JPEG", quality=95), COLOUR, 3),
    "progressive jpeg": (
        encode(plain("RGB", COLOUR), "JPEG", quality=95, progressive=True),
        COLOUR,
        3,
    ),
    "gray jpeg": (encode(plain("L", 90), "JPEG"), (90,), 1),
    "adobe cmyk jpeg": (
        encode(plain("CMYK", cmyk_of(COLOUR)), "JPEG", quality=95),
        COLOUR,
        3,
    ),
    "png": (encode(plain("RGB", COLOUR), "PNG"), COLOUR, 0),
    "gray png": (encode(plain("L", 90), "PNG"), (90,), 0),
    "one-bit png": (encode(plain("1", 1), "PNG"), (255,), 0),
    "palette png": (encode(palette(), "PNG"), COLOUR, 0),
    "palette png, see-through": (
        encode(palette(), "PNG", transparency=1),
        (255, 255, 255),
        0,
    ),
    "colour-keyed png": (
        encode(plain("RGB", COLOUR), "PNG", transparency=COLOUR),
        (255, 255, 255),
        0,
    ),
    "rgba png, half see-through": (
        encode(plain("RGBA", (*COLOUR, 128)), "PNG"),
        tuple(round((c * 128 + 255 * 127) / 255) for c in COLOUR),
        1,
    ),
    "gray and alpha png": (
        encode(plain("LA", (90, 128)), "PNG"),
        (round((90 * 128 + 255 * 127) / 255),),
        1,
    ),
    "16-bit gray png": (
        png(np.full((16, 24), round(90 / 255 * 65535), ">u2"), 16, 0),
        (90,),
        0,
    ),
    "16-bit rgb png": (
        png(np.full((16, 24, 3), np.multiply(COLOUR, 257), ">u2"), 16, 2),
        COLOUR,
        0,
    ),
    "gif": (encode(palette(), "GIF"), COLOUR, 0),
    "bmp": (encode(plain("RGB", COLOUR), "BMP"), COLOUR, 0),
    "gray bmp": (encode(plain("L", 90), "BMP"), (90,), 0),
}
if features.check("webp"):
    FILES["webp"] = (
        encode(plain("RGB", COLOUR), "WEBP", lossless=True),
        COLOUR,
        0,
    )
    FILES["webp, see-through"] = (
        encode(plain("RGBA", (*COLOUR, 0)), "WEBP", lossless=True, exact=True),
        (255, 255, 255),
        0,
    )
if features.check("avif"):
    options = {"quality": 100, "subsampling": "4:4:4"}
    FILES["avif"] = encode(plain("RGB", COLOUR), "AVIF", **options), COLOUR, 2


@pytest.mark.parametrize(
    "brand,package", [(b"heic", "pillow-heif"), (b"avif", "pillow-avif-plugin")]
)
def test_a_plug_in_that_is_missing_is_named(monkeypatch, brand, package):
    monkeypatch.setattr(decode, "_formats", lambda: list(decode.FORMATS))
    data = b"\0\0\0\x18ftyp" + brand + bytes(40)
    with pytest.raises(ImageError, match=f"need the package {package}"):
        decode_image(data)


@pytest.mark.parametrize("kind", FILES)
def test_colours_are_those_that_the_file_shows(kind):
    data, expected, tolerance = FILES[kind]
    image = decode_image(data, dtype="uint8")
    assert image.dtype == np.uint8
    assert image.shape == (16, 24, len(expected))
    error = np.abs(image.astype(int) - np.array(expected))
    assert error.max() <= tolerance


def test_cmyk_without_adobes_mark_is_not_inverted():
    # Stored as Adobe would store the inverse; without the mark the same
    # values mean themselves.
    stored = tuple(255 - value for value in cmyk_of(COLOUR))
    jpeg = encode(plain("CMYK", stored), "JPEG", quality=95)
    image = decode_image(without_adobe_marker(jpeg))
    assert np.abs(image.astype(int) - COLOUR).max() <= 3


def test_sixteen_bits_keep_their_gradation_and_are_not_clipped():
    values = np.linspace(0, 65535, 256 * 3).round().astype(">u2")
    file = png(values.reshape(3, 256), 16, 0)
    whole = decode_image(file)
    assert whole.dtype == np.uint16
    np.testing.assert_array_equal(whole[..., 0], values.reshape(3, 256))
    image = decode_image(file, dtype="uint8")
    expected = np.floor(values.astype(float) * 255 / 65535 + 0.5)
    np.testing.assert_array_equal(image[..., 0], expected.reshape(3, 256))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :12] = 255  # white at the top left
    stored = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encode(stored, "PNG", exif=exif))[..., 0] > 128
    # EXIF 2.3: where row 0 and column 0 of the stored image are shown.
    bottom = orientation in (3, 4, 7, 8)
    right = orientation in (2, 3, 6, 7)
    shape = (24, 16) if orientation >= 5 else (16, 24)
    expected = np.zeros(shape, bool)
    height, width = shape[0] // 2, shape[1] // 2
    expected[
        height * bottom : height * (bottom + 1),
        width * right : width * (right + 1),
    ] = True
    np.testing.assert_array_equal(image, expected)


def test_first_frame_of_an_animation_is_taken():
    frames = [plain("RGB", COLOUR), plain("RGB", (0, 0, 255))]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    np.testing.assert_array_equal(decode_image(data)[3, 3], COLOUR)


def test_one_channel_of_a_colour_image_is_its_luma():
    image = decode_image(FILES["png"][0], channels=1)
    assert image.shape == (16, 24, 1)
    assert np.abs(image.astype(int) - LUMA).max() <= 1


def test_three_channels_of_a_gray_image_repeat_it():
    image = decode_image(FILES["gray png"][0], channels=3)
    assert image.shape == (16, 24, 3)
    assert (image == 90).all()


def test_a_path_gives_what_its_bytes_give(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 7, 3), np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(decode_image(path), pixels)
    np.testing.assert_array_equal(decode_image(path.read_bytes()), pixels)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image"),
        (b"some text", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (FILES["jpeg"][0][:-200], "damaged image"),
        (FILES["png"][0][:60], "damaged image"),
        (FILES["bmp"][0][:200], "damaged image"),
    ],
)
def test_damaged_data_is_a_named_error(data, reason):
    with pytest.raises(ImageError, match=reason):
        decode_image(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP"])
def test_no_other_error_comes_of_random_damage(format):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 40, 3), np.uint8)
    data = encode(Image.fromarray(noise), format)
    refused = 0
    for _ in range(100):
        damaged = bytearray(data)
        for place in rng.integers(0, 200, 4):
            damaged[place] = rng.integers(0, 256)
        try:
            image = decode_image(bytes(damaged))
            assert image.dtype == np.uint8
            assert image.shape[2] in (1, 3)
        except ImageError:
            refused += 1
    assert refused > 0


def test_missing_file_is_a_named_error(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        decode_image(tmp_path / "missing.png")


def test_too_many_pixels_are_refused_before_decoding():
    header_only = FILES["png"][0][:45]  # cannot be decoded
    with pytest.raises(ImageError, match="24x16 pixels are more than"):
        decode_image(header_only, max_pixels=383)
    assert decode_image(FILES["png"][0], max_pixels=384).shape == (16, 24, 3)


def test_a_decompression_bomb_is_refused():
    bomb = png(np.zeros((1, 1), np.uint8), 8, 0)
    header = struct.pack(">II", 60000, 60000) + bomb[24:29]
    check = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    bomb = bomb[:16] + header + check + bomb[33:]
    with pytest.raises(ImageError, match="more"):
        decode_image(bomb)


def test_wrong_channel_count_is_an_error():
    with pytest.raises(ValueError, match="`channels` must be 1 or more"):
        decode_image(FILES["png"][0], channels=0)
    with pytest.raises(ImageError, match="3 channels, which cannot become 4"):
        decode_image(FILES["png"][0], channels=4)
