"""Decodes the bytes of image files to pixels, inside a TensorFlow graph.

It replaces `decode.decode_square` in exported models, which have neither Python
nor Pillow.
"""

from collections.abc import Sequence

import tensorflow as tf

from byol_tf.modalities.image import graph_bytes
from byol_tf.modalities.image.decode import MAX_PIXELS, OVERSAMPLING
from byol_tf.modalities.signature import OK

FORMATS = ("JPEG", "PNG", "GIF", "BMP")
NO_IMAGE = f"not an image ({', '.join(FORMATS)})"
TOO_LARGE = "more pixels than the limit"
UNSUPPORTED = "only BMP of 24 or 32 bits without compression can be read"
SMALL_FRAMES = "only GIF with a frame as large as its screen can be read"
NO_ADOBE = "only CMYK JPEG with Adobe's mark can be read"
DAMAGED = "damaged image"
PNG = b"\x89PNG\r\n\x1a\n"
STATUSES = (
    *(OK, NO_IMAGE, TOO_LARGE, UNSUPPORTED, SMALL_FRAMES, NO_ADOBE, DAMAGED),
)

_HEAD = 2**20  # bytes at the start that are searched for EXIF
_REDUCTIONS = (8, 4, 2, 1)  # that JPEG decoders can apply
_GIF_BLOCKS = 100_000  # limit; a file with more is too large
_LUMA = (19595, 38470, 7471)  # of ITU-R 601 in 1 / 65536, as in Pillow


def decode_squares(
    files: tf.Tensor,
    size: int,
    channels: int,
    max_pixels: int = MAX_PIXELS,
    dtype: str = "uint8",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes image files to squares; a bad one does not affect the others.

    Like `decode_square`: centre square, bicubic with antialiasing, upright by
    the EXIF of a JPEG or PNG, transparent PNG over white, first frame of a GIF.
    Unlike it: refuses WebP, TIFF, `.npy`, BMP with a palette or compression,
    and CMYK JPEG without Adobe's mark; ignores EXIF beyond the first MiB of a
    JPEG.

    Args:
        files: string `[n]`, the contents of the files; n may be 0.
        size: side in pixels.
        channels: 1 or 3.
        max_pixels: larger images are refused before decoding; all frames of a
            GIF count.
        dtype: "uint8" or "uint16"; white stays white in either.

    Returns:
        `[n, size, size, channels]` of that dtype, zero where there is no image,
        and string `[n]`, each one of `STATUSES`.

    Raises:
        ValueError: if `channels` is neither 1 nor 3.
    """
    return decode_files(files, size, channels, max_pixels, dtype)[:2]


def decode_files(
    files: tf.Tensor,
    size: int,
    channels: int,
    max_pixels: int = MAX_PIXELS,
    dtype: str = "uint8",
    whole: bool = False,
    window: Sequence[float] | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Does what `decode_squares` does, and returns sizes too: int32 `[n, 2]`.

    Sizes are width and height of the upright image; 1 where there is none.

    Args:
        whole: letterbox whole images to squares, see `resize.letterbox`.
        window: black and white values to which 8-bit files are scaled; None:
            the whole range of `dtype`.
    """
    if channels not in (1, 3):
        raise ValueError(
            "a graph decodes files of 1 or 3 channels. "
            f"Received: channels={channels}"
        )
    count = tf.shape(files, tf.int64)[0]

    def decode(index, data):
        arguments = data, size, channels, max_pixels, dtype, whole
        pixels, status, shape = _decode(*arguments)
        if window and dtype != "uint8":
            scaled = _scale_into(pixels, window)
            pixels = tf.where(_is_deep(data), pixels, scaled)
        return index, pixels, status, shape

    # A graph cannot catch the error of an op, but a dataset can skip the
    # elements that fail. Of those the status remains "damaged".
    images = tf.data.Dataset.from_tensor_slices((tf.range(count), files))
    images = images.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    images = images.ignore_errors()
    # One extra image, so that there is one even if none can be read.
    blank = tf.zeros([size, size, channels], dtype)
    last = tf.data.Dataset.from_tensors((count, blank, 0, [1, 1]))
    images = images.concatenate(last).batch(count + 1)
    index, pixels, codes, sizes = images.get_single_element()
    places = index[:, None]
    shape = [count + 1, size, size, channels]
    pixels = tf.scatter_nd(places, pixels, tf.cast(shape, tf.int64))
    damaged = tf.fill([count + 1], STATUSES.index(DAMAGED))
    codes = tf.tensor_scatter_nd_update(damaged, places, codes)
    status = tf.gather(tf.constant(STATUSES), codes)
    ones = tf.ones([count + 1, 2], tf.int32)
    sizes = tf.tensor_scatter_nd_update(ones, places, sizes)
    pixels = tf.ensure_shape(pixels[:-1], [None, *shape[1:]])
    return pixels, status[:-1], sizes[:-1]


def _decode(data, size, channels, max_pixels, dtype, whole):
    """Returns pixels, status and size of one file; fails if it is damaged."""
    is_format = [
        _starts(data, b"\xff\xd8\xff"),
        _starts(data, PNG),
        _starts(data, b"GIF87a") | _starts(data, b"GIF89a"),
        _starts(data, b"BM"),
        True,
    ]
    format_index = tf.argmax(
        tf.cast(tf.stack(is_format), tf.int32), output_type=tf.int32
    )
    blank, no_size = (
        tf.zeros([size, size, channels], dtype),
        tf.constant([1, 1]),
    )

    def limited(lengths, decode, orientation=1, file_shape=None):
        """Checks sizes; `file_shape` is the file's, if decoded to others."""

        def read():
            image = decode()
            shape = tf.shape(image)[:2] if file_shape is None else file_shape
            shape = tf.where(orientation >= 5, shape, shape[::-1])
            image = _letterbox(image, orientation) if whole else image
            return _square(image, size, channels, dtype), 0, shape

        pixels = tf.reduce_prod(tf.cast(lengths, tf.int64))
        refused = blank, STATUSES.index(TOO_LARGE), no_size
        square, status, shape = tf.cond(
            pixels > max_pixels, lambda: refused, read
        )
        return _upright(square, orientation), status, shape

    def jpeg():
        shape = tf.image.extract_jpeg_shape(data)
        head = graph_bytes.bytes_of(data, 0, _HEAD)
        pixels, status, lengths = limited(
            shape[:2],
            lambda: _decode_jpeg(data, shape[:2], size, whole),
            graph_bytes.orientation(head, b"Exif\0\0"),
            shape[:2],
        )
        # TensorFlow assumes that all CMYK is inverted; only Adobe's is.
        lacks_adobe = (
            (status == 0)
            & (shape[2] == 4)
            & (graph_bytes.find(head, b"Adobe") < 0)
        )
        status = tf.where(lacks_adobe, STATUSES.index(NO_ADOBE), status)
        return tf.where(lacks_adobe, blank, pixels), status, lengths

    def png():
        lengths = graph_bytes.number_of(
            graph_bytes.bytes_of(data, 16, 8), 4, big=True
        )
        # This chunk may follow the pixels.
        values = tf.io.decode_raw(data, tf.uint8)
        orientation = graph_bytes.orientation(values, b"eXIf")
        return limited(lengths, lambda: _decode_png(data, dtype), orientation)

    def gif():
        pixels, fills_screen = _gif_pixels(data)
        image, status, lengths = limited([pixels], lambda: _decode_any(data))
        differs = (status == 0) & ~fills_screen
        status = tf.where(differs, STATUSES.index(SMALL_FRAMES), status)
        return tf.where(differs, blank, image), status, lengths

    def bmp():
        lengths = tf.abs(
            graph_bytes.number_of(
                graph_bytes.bytes_of(data, 18, 8), 4, signed=True
            )
        )
        bits = graph_bytes.number_of(graph_bytes.bytes_of(data, 28, 2), 2)[0]
        is_uncompressed = (
            graph_bytes.number_of(graph_bytes.bytes_of(data, 30, 4), 4)[0] == 0
        )
        return tf.cond(
            is_uncompressed & ((bits == 24) | (bits == 32)),
            lambda: limited(lengths, lambda: _decode_any(data)[..., :3]),
            lambda: (blank, STATUSES.index(UNSUPPORTED), no_size),
        )

    def other():
        return blank, STATUSES.index(NO_IMAGE), no_size

    decoders = [jpeg, png, gif, bmp, other]
    pixels, status, lengths = tf.switch_case(format_index, decoders)
    return tf.ensure_shape(pixels, [size, size, channels]), status, lengths


def _starts(data, magic):
    return tf.strings.substr(data, 0, len(magic)) == magic


def _is_deep(data):
    """Returns whether a file has 16 bits per channel, as only PNG has here."""
    bits = graph_bytes.number_of(graph_bytes.bytes_of(data, 24, 1), 1)[0]
    return _starts(data, PNG) & (bits > 8)


def _scale_into(pixels, window):
    """Scales pixels of the whole range into a window, in the same dtype."""
    low, high = window
    share = tf.cast(pixels, tf.float32) / pixels.dtype.max
    scaled = tf.round(low + share * (high - low))
    scaled = tf.clip_by_value(scaled, 0.0, float(pixels.dtype.max))
    return tf.cast(scaled, pixels.dtype)


def _decode_jpeg(data, lengths, size, whole):
    """Decodes to RGB, at the reduction that Pillow uses for `decode_square`."""
    side, least = tf.reduce_min(lengths), OVERSAMPLING * size
    if whole:  # rounded up
        least = -(-least * side // tf.reduce_max(lengths))
    scale = side // least
    fits = tf.cast(scale >= tf.constant(_REDUCTIONS[:-1]), tf.int32)
    branches = [
        lambda ratio=ratio: tf.io.decode_jpeg(
            data, 3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )
        for ratio in _REDUCTIONS
    ]
    # They fit from some reduction on.
    return tf.switch_case(len(_REDUCTIONS) - 1 - tf.reduce_sum(fits), branches)


def _decode_png(data, dtype):
    """Decodes to RGB over white."""
    image, white = tf.io.decode_png(data, 4, dtype), tf.as_dtype(dtype).max
    colours, alpha = image[..., :3], image[..., 3:]
    # The alpha that TensorFlow adds if the file has none.
    opaque = (
        2
        ** tf.minimum(
            graph_bytes.number_of(graph_bytes.bytes_of(data, 24, 1), 1)[0], 8
        )
        - 1
    )
    opaque *= white // 255

    def over_white():
        share = tf.cast(alpha, tf.float32) / white
        mixed = white + share * (tf.cast(colours, tf.float32) - white)
        return tf.cast(tf.round(mixed), dtype)

    return tf.cond(
        tf.reduce_all(tf.cast(alpha, tf.int64) == opaque),
        lambda: colours,
        over_white,
    )


def _decode_any(data):
    image = tf.io.decode_image(data, expand_animations=False)
    return tf.ensure_shape(image, [None, None, None])


def _gif_pixels(data):
    """Returns the pixels of the screen, or of all frames if these are more.

    To return the first frame, TensorFlow decodes all of them, and their sizes
    may differ from the screen's.

    Returns:
        The number of pixels, and whether a frame is as large as the screen,
        since TensorFlow uses the largest frame as the screen.
    """
    values = tf.io.decode_raw(data, tf.uint8)
    values = tf.concat([values, tf.zeros([16], tf.uint8)], 0)
    end = tf.strings.length(data)

    def table_size(flags):
        size = 3 * tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
        return tf.where(flags >= 128, size, 0)

    def step(place, inside, pixels, largest, steps):
        first = tf.cast(values[place], tf.int32)
        # A frame: where it is, its size, and flags, in nine bytes.
        lengths = graph_bytes.number_of(values[place + 5 : place + 9], 2)
        frame = ~inside & (first == 0x2C)
        extension = ~inside & (first == 0x21)
        flags = tf.cast(values[place + 9], tf.int32)
        ahead = tf.where(
            frame, 11 + table_size(flags), tf.where(extension, 2, end)
        )
        ahead = tf.where(inside, 1 + first, ahead)
        pixels += tf.where(frame, tf.reduce_prod(lengths), 0)
        largest = tf.maximum(largest, tf.where(frame, lengths, 0))
        # Frames and extensions begin a list of blocks, ended by 0.
        inside = ~inside | (first > 0)
        return place + ahead, inside, pixels, largest, steps + 1

    start = 13 + table_size(tf.cast(values[10], tf.int32))
    zero = tf.constant(0, tf.int64)
    place, _, pixels, largest, _ = tf.while_loop(
        lambda place, _, __, ___, steps: (place < end) & (steps < _GIF_BLOCKS),
        step,
        (start, False, zero, tf.stack([zero, zero]), 0),
    )
    screen = graph_bytes.number_of(values[6:10], 2)
    pixels = tf.maximum(pixels, tf.reduce_prod(screen))
    pixels = tf.where(place < end, tf.int64.max, pixels)
    return pixels, (place < end) | tf.reduce_all(largest == screen)


def _letterbox(image, orientation):
    """Pads to a square with black at the right or bottom, once upright."""
    lengths = tf.shape(image)[:2]
    padding = tf.reduce_max(lengths) - lengths
    mirrored = tf.stack(
        [_among(orientation, 3, 4, 7, 8), _among(orientation, 2, 3, 6, 7)]
    )
    mirrored = tf.where(orientation >= 5, mirrored[::-1], mirrored)
    before = tf.where(mirrored, padding, 0)
    paddings = tf.stack([before, padding - before], axis=1)
    return tf.pad(image, tf.concat([paddings, [[0, 0]]], axis=0))


def _among(orientation, *values):
    return tf.reduce_any(orientation == tf.constant(values))


def _square(image, size, channels, dtype):
    """Resizes the centre square of RGB; see `resize_and_centre_crop`."""
    white = tf.as_dtype(dtype).max
    if channels == 1:
        wide_dtype = tf.int32 if image.dtype == tf.uint8 else tf.int64
        weighted = tf.cast(image, wide_dtype) * tf.constant(_LUMA, wide_dtype)
        luma = tf.reduce_sum(weighted, -1, keepdims=True) + 32768
        image = tf.cast(luma // 65536, image.dtype)
    if image.dtype == tf.uint8 and white > 255:
        image = tf.cast(image, tf.int32) * (white // 255)
    lengths = tf.cast(tf.shape(image)[:2], tf.float32)
    side = tf.reduce_min(lengths)
    scale = size / side
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=[size, size],
        scale=tf.stack([scale, scale]),
        translation=-(lengths - side) / 2.0 * scale,
        kernel_type="keyscubic",
        antialias=True,
    )[0]
    resized = tf.clip_by_value(tf.floor(resized + 0.5), 0.0, white)
    resized = tf.cast(resized, dtype)
    return tf.ensure_shape(resized, [size, size, channels])


def _upright(square, orientation):
    """Turns a square upright by EXIF's orientation, 1 to 8."""
    transposed = tf.transpose(square, [1, 0, 2])
    square = tf.where(orientation >= 5, transposed, square)
    mirrored = _among(orientation, 2, 3, 6, 7)
    square = tf.where(mirrored, square[:, ::-1], square)
    flipped = _among(orientation, 3, 4, 7, 8)
    return tf.where(flipped, square[::-1], square)
