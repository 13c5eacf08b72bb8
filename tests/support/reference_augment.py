"""The image operations again, image by image in NumPy, SciPy and colorsys."""

import colorsys

import numpy as np
import scipy.ndimage

# Arguments of a `View` that does nothing.
OFF = {
    "area": (1.0, 1.0),
    "aspect": (1.0, 1.0),
    "flip": 0.0,
    "jitter": 0.0,
    "grayscale": 0.0,
    "blur": 0.0,
}


def adjust_brightness(image, delta):
    return np.clip(np.float64(image) + delta, 0, 1)


def adjust_contrast(image, factor):
    image = np.float64(image)
    mean = image.mean(axis=(0, 1))
    return np.clip(mean + factor * (image - mean), 0, 1)


def adjust_hsv(image, hue=0.0, saturation=1.0):
    pixels = []
    for red, green, blue in np.float64(image).reshape(-1, 3):
        h, s, v = colorsys.rgb_to_hsv(red, green, blue)
        h, s = (h + hue) % 1, min(max(s * saturation, 0), 1)
        pixels.append(colorsys.hsv_to_rgb(h, s, v))
    return np.clip(np.reshape(pixels, image.shape), 0, 1)


def adjust_saturation(image, factor):
    return adjust_hsv(image, saturation=factor)


def adjust_hue(image, delta):
    return adjust_hsv(image, hue=delta)


def color_jitter(image, parameters, order):
    """`parameters` of brightness, contrast, saturation and hue."""
    operations = (
        adjust_brightness,
        adjust_contrast,
        adjust_saturation,
        adjust_hue,
    )
    for index in order:
        image = operations[index](image, parameters[index])
    return image


def to_grayscale(image):
    gray = np.float64(image) @ [0.2989, 0.587, 0.114]
    return np.repeat(gray[..., None], 3, axis=-1)


def gaussian_blur(image, sigma, radius):
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(
            np.float64(image), kernel, axis, mode="constant"
        )
    return image


def solarize(image, threshold):
    return np.where(image >= threshold, 1 - image, image)


def rotate(image, angle, mode):
    turned = scipy.ndimage.rotate(
        np.float64(image), angle, reshape=False, order=1, mode=mode
    )
    return np.clip(turned, 0, 1)
