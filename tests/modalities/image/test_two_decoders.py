"""Files decoded in Python and in a graph: one table says what differs."""

import io
import pathlib
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageChops, PngImagePlugin

from byol_tf.modalities.image.decode import ImageError, decode_square
from byol_tf.modalities.image.graph_decode import decode_squares

GUIDE = pathlib.Path(__file__).parents[3] / "docs/guides/image_formats.md"
SIZE = 16
PIXELS = np.kron(
    np.random.default_rng(0).integers(0, 255, (4, 6, 3)), np.ones((4, 4, 1))
).astype(np.uint8)
RGB = Image.fromarray(PIXELS)
GRAY, PALETTE = RGB.convert("L"), RGB.quantize(16)
OTHER = Image.fromarray(255 - PIXELS).quantize(16)
DEEP = PIXELS.astype(">u2") * 257 + 100 * (PIXELS < 250).astype(">u2")
SIDEWAYS = Image.Exif()
SIDEWAYS[0x112] = 6
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def save(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_alpha(image):
    image = image.copy()
    ramp = np.arange(24) * 10 * np.ones((16, 1))
    image.putalpha(Image.fromarray(ramp.astype(np.uint8)))
    return image


def chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(values, bits, colour, extra=b""):
    height, width = values.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IEND", b"")


def interlaced(image):
    """A PNG by Adam7, which Pillow reads and does not write."""
    values, rows = np.asarray(image), b""
    for top, left, down, across in (
        *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
        *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
    ):
        part = values[top::down, left::across]
        rows += b"".join(b"\0" + row.tobytes() for row in part)
    head = struct.pack(">IIBBBBB", 24, 16, 8, 2, 0, 0, 1)
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def texts(*, exif=None, xmp=None):
    info = PngImagePlugin.PngInfo()
    if exif:
        body = exif.tobytes()
        text = f"\nexif\n{len(body):8}\n{body.hex()}\n"
        info.add_text("Raw profile type exif", text, zip=True)
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info


def array(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def without_adobe(jpeg):
    start = jpeg.index(b"\xff\xee")
    (length,) = struct.unpack(">H", jpeg[start + 2 : start + 4])
    return jpeg[:start] + jpeg[start + 2 + length :]


def odd_files():
    """One file for each row of the guide's table."""
    jpeg = save(RGB, "JPEG", quality=95)
    turned = save(RGB, "JPEG", quality=95, exif=SIDEWAYS)
    filler = (b"\xff\xe2" + struct.pack(">H", 65000) + bytes(64998)) * 2
    alpha, key = DEEP[::-1, :, :1], DEEP[0, 0]
    small = bytearray(save(PALETTE, "GIF"))
    small[6:10] = struct.pack("<HH", 30, 20)
    bmp = save(RGB, "BMP")
    clear, twice = {"transparency": 3}, {"append_images": [OTHER]}
    floats = PIXELS[..., 0] / np.float32(255)
    return {
        "jpeg": turned,
        "jpeg gray": save(GRAY, "JPEG", quality=95),
        "jpeg progressive": save(RGB, "JPEG", progressive=True),
        "jpeg cmyk": save(RGB.convert("CMYK"), "JPEG", quality=95),
        "jpeg cmyk without adobe": without_adobe(
            save(ImageChops.invert(RGB.convert("CMYK")), "JPEG", quality=95)
        ),
        "jpeg exif far behind": turned[:2] + filler + turned[2:],
        "jpeg xmp orientation": save(RGB, "JPEG", quality=95, xmp=XMP),
        "jpeg with bytes behind": jpeg + bytes(100),
        "jpeg cut off": jpeg[:-200],
        "png": save(RGB, "PNG", exif=SIDEWAYS),
        "png exif in text": save(RGB, "PNG", pnginfo=texts(exif=SIDEWAYS)),
        "png xmp orientation": save(RGB, "PNG", pnginfo=texts(xmp=XMP)),
        "png interlaced": interlaced(RGB),
        "png 1 bit": save(GRAY.convert("1"), "PNG"),
        "png palette transparent": save(PALETTE, "PNG", **clear),
        "png palette half transparent": save(
            PALETTE, "PNG", transparency=bytes(range(0, 256, 16))
        ),
        "png gray alpha": save(with_alpha(GRAY), "PNG"),
        "png rgba": save(with_alpha(RGB), "PNG"),
        "png gray transparent colour": save(
            GRAY, "PNG", transparency=GRAY.getpixel((0, 0))
        ),
        "png rgb transparent colour": save(
            RGB, "PNG", transparency=RGB.getpixel((0, 0))
        ),
        "png 16 bits gray": png(DEEP[..., :1], 16, 0),
        "png 16 bits rgb": png(DEEP, 16, 2),
        "png 16 bits gray alpha": png(
            np.concatenate([DEEP[..., :1], alpha], -1), 16, 4
        ),
        "png 16 bits rgba": png(np.concatenate([DEEP, alpha], -1), 16, 6),
        "png 16 bits transparent colour": png(
            DEEP, 16, 2, chunk(b"tRNS", key.tobytes())
        ),
        "png animated": save(RGB, "PNG", save_all=True, **twice),
        "png cut off": save(RGB, "PNG")[:-60],
        "gif": save(PALETTE, "GIF"),
        "gif transparent": save(PALETTE, "GIF", **clear),
        "gif animated": save(PALETTE, "GIF", save_all=True, **twice),
        "gif animated transparent": save(
            PALETTE, "GIF", save_all=True, disposal=2, **clear, **twice
        ),
        "gif frame smaller than screen": bytes(small),
        "bmp": bmp,
        "bmp 32 bits": save(with_alpha(RGB), "BMP"),
        "bmp top down": bmp[:22] + struct.pack("<i", -16) + bmp[26:],
        "bmp gray": save(GRAY, "BMP"),
        "bmp palette": save(PALETTE, "BMP"),
        "webp": save(RGB, "WEBP", lossless=True),
        "tiff": save(RGB, "TIFF"),
        "tiff 16 bits": save(
            Image.fromarray(DEEP[..., 0].astype(np.uint16)), "TIFF"
        ),
        "tiff float": save(Image.fromarray(floats), "TIFF"),
        "npy": array(PIXELS),
    }


FILES = odd_files()


def table():
    """Rows of the guide: what a file becomes, and what a server answers."""
    lines = GUIDE.read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if "|" in line]
    return {name: rest for name, *rest in rows[2:]}


@pytest.fixture(scope="module", params=["uint8", "uint16"])
def served(request):
    """Pixels and statuses of all files, decoded in a graph."""
    files = tf.constant(list(FILES.values()))
    pixels, status = tf.function(
        lambda files: decode_squares(files, SIZE, 3, dtype=request.param)
    )(files)
    found = zip(pixels.numpy(), status.numpy(), strict=True)
    return request.param, dict(zip(FILES, found, strict=True))


def test_the_table_has_a_row_for_each_file():
    assert list(table()) == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_and_served_as_the_table_says(name, served):
    dtype, answers = served
    (read, wanted), (pixels, status) = table()[name], answers[name]
    if read == "refused":
        with pytest.raises(ImageError, match="damaged image"):
            decode_square(FILES[name], SIZE, 3, dtype=dtype)
    elif name == "tiff float":  # floats have no white
        with pytest.raises(ImageError, match="floats"):
            decode_square(FILES[name], SIZE, 3, dtype=dtype)
    else:
        ours = decode_square(FILES[name], SIZE, 3, dtype=dtype).astype(float)
        levels = 4 if name.startswith("jpeg") else 1
        if wanted == "same":
            error = np.abs(ours - pixels).max()
            assert error <= levels * (257 if dtype == "uint16" else 1)
        assert np.ptp(ours) > 100
    assert status.decode() == ("ok" if wanted == "same" else wanted)


@pytest.mark.parametrize("name", [n for n in FILES if "16 bits" in n])
def test_sixteen_bits_are_kept_in_either_decoder(name, served):
    dtype, answers = served
    if dtype == "uint16" and not name.startswith("tiff"):
        assert (answers[name][0] % 257 != 0).any()
    square = decode_square(FILES[name], SIZE, 3, dtype="uint16")
    assert (square % 257 != 0).any()
