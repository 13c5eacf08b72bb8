"""Image files of every kind, and damage of every kind, from a seed."""

import io
import random
import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, features

from byol_tf.modalities.image.decode import decode_square

HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
ORIENTATION = 0x0112
SIZE = 8  # of decoded squares


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """The contents of an image file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0):
    """An image of smooth random colours."""
    rng = np.random.default_rng(seed)
    channels = len(Image.new(mode, (1, 1)).getbands())
    small = rng.integers(0, 256, (3, 3, channels), np.uint8)
    planes = [
        Image.fromarray(small[..., i]).resize((width, height), Image.BILINEAR)
        for i in range(channels)
    ]
    return Image.merge(mode, planes) if channels > 1 else planes[0]


def turned(orientation: int) -> Image.Exif:
    """EXIF that says nothing but an orientation, 1 to 8."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def seeds() -> dict[str, bytes]:
    """A small good file of each kind."""
    frames = [noise(14, 11, seed=seed) for seed in range(3)]
    animated = {"save_all": True, "append_images": frames[1:]}
    sixteen = np.arange(12 * 9, dtype=np.uint16).reshape(9, 12) * 600
    made = {
        "jpeg": encoded(noise(24, 16), "JPEG"),
        "progressive.jpeg": encoded(noise(20, 30), "JPEG", progressive=True),
        "gray.jpg": encoded(noise(17, 17, "L"), "JPEG"),
        "cmyk.jpg": encoded(noise(16, 16, "CMYK"), "JPEG"),
        "turned.jpg": encoded(noise(24, 16), "JPEG", exif=turned(6)),
        "png": encoded(noise(13, 19), "PNG"),
        "16-bit.png": encoded(Image.fromarray(sixteen), "PNG"),
        "1-bit.png": encoded(noise(12, 12, "L").convert("1"), "PNG"),
        "palette.png": encoded(noise(12, 12).quantize(8), "PNG"),
        "alpha.png": encoded(noise(12, 9, "RGBA"), "PNG"),
        "turned.png": encoded(noise(12, 18), "PNG", exif=turned(8)),
        "1x1.png": encoded(noise(1, 1), "PNG"),
        "1x20000.png": encoded(Image.new("L", (1, 20_000), 90), "PNG"),
        "gif": encoded(noise(15, 12).quantize(8), "GIF"),
        "animated.gif": encoded(frames[0], "GIF", **animated),
        "bmp": encoded(noise(11, 10), "BMP"),
    }
    if features.check("webp"):
        made["webp"] = encoded(noise(18, 14), "WEBP")
        made["animated.webp"] = encoded(frames[0], "WEBP", **animated)
    return made


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The file, damaged in one of many ways; it may still be readable."""
    return rng.choice(_DAMAGES)(data, rng)


def _place(data, rng):
    # Headers are short, and what is wrong there is worse.
    most = rng.choice((32, len(data)))
    return rng.randrange(min(most, len(data)))


def _flip_bits(data, rng):
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data, rng):
    place, length = _place(data, rng), rng.randrange(1, 16)
    filler = rng.choice((b"\0", b"\xff", rng.randbytes(1))) * length
    return data[:place] + filler + data[place + length :]


def _insert(data, rng):
    place = _place(data, rng)
    return data[:place] + rng.randbytes(rng.randrange(1, 64)) + data[place:]


def _cut_out(data, rng):
    place = _place(data, rng)
    return data[:place] + data[place + rng.randrange(1, 64) :]


def _largest(data, rng):
    """A number in the header becomes as large as it can be."""
    place, width = _place(data[:64], rng), rng.choice((2, 4))
    return data[:place] + b"\xff" * width + data[place + width :]


_DAMAGES = (
    *(_flip_bits, _overwrite, _insert, _cut_out, _largest),
    lambda data, rng: data[: rng.randrange(len(data))],
    lambda data, rng: b"",
    lambda data, rng: HTML,
    lambda data, rng: data[: rng.randrange(len(data))] + HTML,
    lambda data, rng: rng.randbytes(rng.randrange(200)),
    lambda data, rng: data[: rng.randrange(len(data))] + data,
)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def png_bomb(side: int) -> bytes:
    """A whole PNG of black pixels, a bit each: thousands of times smaller."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    lines = bytes((1 + (side + 7) // 8) * side)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines, 1))
        + chunk(b"IEND", b"")
    )


def within(seconds: float, function: Callable):
    """What the function returns, or an error if it takes too long."""
    result = []

    def run():
        try:
            result.append((function(), None))
        except Exception as error:
            result.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert result, f"not done after {seconds} seconds"
    value, error = result[0]
    if error is not None:
        raise error
    return value


def save(path, seed=0):
    """Writes a good image, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(noise(12, 10, seed=seed), "PNG"))


def fill(folder, count):
    """Good images, and what they must become, by path."""
    for number in range(count):
        save(folder / f"{number:04}.png", seed=number)
    return {
        path.name: decode_square(path, SIZE, 3)
        for path in sorted(folder.iterdir())
    }
