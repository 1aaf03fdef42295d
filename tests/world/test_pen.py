"""The pen: it maps and clips."""

import numpy as np
from PIL import Image

from bioclip_probe.world.pen import Pen, curve, mix, oval


def test_the_pen_maps_and_clips():
    image = Image.new("RGB", (60, 60), "white")
    pen = Pen(image, np.eye(2) * 20, np.array([30.0, 30.0]), (0, 0, 0))
    pen.patterned_shape(oval(0, 0, 1, 0.5), (10, 200, 10), lambda inner: inner.dot(0, 0, 5, (200, 10, 10)), outline=0)
    pixels = np.asarray(image)
    assert tuple(pixels[30, 30]) == (200, 10, 10)
    assert tuple(pixels[5, 30]) == (255, 255, 255)
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)


def test_curves_begin_and_end_at_their_control_points():
    points = curve((0, 0), (1, 2), (2, 0))
    assert points[0].tolist() == [0, 0] and points[-1].tolist() == [2, 0] and points[:, 1].max() < 2
    assert curve((0, 0), (1, 2)).tolist() == [[0, 0], [1, 2]]


def test_an_oval_lies_round_its_centre_and_turns():
    turned = oval(3, 1, 2, 0.5, np.pi / 2)
    np.testing.assert_allclose(turned[0], (3, 3))
    np.testing.assert_allclose(np.ptp(turned, axis=0), (1, 4), atol=0.1)
