"""How many pixels an image file claims to have, before it is decoded."""

import math
import struct

_STEPS = 200_000  # of reading a header; a file that needs more is refused
_FRAME_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # without a length


def count_pixels(data: bytes) -> float:
    """Pixels of a JPEG, PNG, GIF or BMP file by its header.

    Of a GIF they are those of all its frames, since TensorFlow decodes all
    of them in order to give the first; or of its screen, if that is larger.

    Args:
        data: the contents of the file; anything is taken.

    Returns:
        The number; 0 where there is none to be read, and infinity for a file
        made so that reading its header takes long.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return math.prod(struct.unpack_from(">II", data, 16))
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _gif(data)
        if data.startswith(b"BM"):
            return abs(math.prod(struct.unpack_from("<ii", data, 18)))
    except struct.error:  # the file ends before
        pass
    return 0


def _jpeg(data):
    place = 2
    for _ in range(_STEPS):
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            return 0
        marker = data[place + 1]
        if marker in _FRAME_SIZES:
            return math.prod(struct.unpack_from(">HH", data, place + 5))
        if marker == 0xFF:
            place += 1
        elif marker in _ALONE:
            place += 2
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return math.inf


def _gif(data):
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place, steps, pixels = 13 + _table(flags), 0, 0
    screen = width * height
    while place < len(data) and data[place] in b"\x21\x2c":
        if data[place] == 0x2C:
            if place + 10 > len(data):
                break
            width, height, flags = struct.unpack_from("<HHB", data, place + 5)
            pixels += width * height
            place += 11 + _table(flags)
        else:
            place += 2
        while place < len(data) and data[place]:
            place += 1 + data[place]
            steps += 1
            if steps > _STEPS:
                return math.inf
        place, steps = place + 1, steps + 1
    return max(screen, pixels)


def _table(flags):
    """Bytes of a table of colours."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
