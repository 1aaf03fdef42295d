"""Plain definitions of the controls that are numbers of a picture."""

import math

import numpy as np


def color_histogram(image, bins=8):
    """Square root of the share of pixels in each RGB cube, red slowest: pixel by pixel."""
    rgb = image.convert("RGB")
    share = [0.0] * bins**3
    for y in range(rgb.height):
        for x in range(rgb.width):
            red, green, blue = (value // (256 // bins) for value in rgb.getpixel((x, y)))
            share[(red * bins + green) * bins + blue] += 1 / (rgb.width * rgb.height)
    return np.array([math.sqrt(value) for value in share])
