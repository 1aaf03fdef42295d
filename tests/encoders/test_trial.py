"""The trial of a new encoder on grey pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.encoders.trial import tried, vector_length
from bioclip_probe.errors import ModelError


@pytest.fixture(scope="module")
def world():
    return encoders.load("world-generic")


def test_an_encoder_that_works_is_returned_as_it_is(world):
    assert tried(world) is world and vector_length(world) == world.dimension


@pytest.mark.parametrize("changes, message", [
    ({"transform": lambda image: image}, r"preprocess \(its result is neither tensor nor array\) failed"),
    ({"transform": lambda image: np.asarray(image)}, r"preprocess gives \(48, 64, 3\) and \(80, 48, 3\)"),
    ({"transform": lambda image: 1 / 0}, "preprocess failed: ZeroDivisionError"),
    ({"forward": lambda batch: batch @ batch.flatten()}, "encode failed: RuntimeError"),
    ({"forward": lambda batch: batch.flatten(1)[:, :3]}, r"gave an array of shape \(1, 3\)"),
    ({"forward": lambda batch: torch.full((len(batch), 128), torch.nan)}, "gave NaN or infinite values"),
])  # fmt: skip
def test_what_does_not_work_is_one_line(world, changes, message):
    with pytest.raises(ModelError, match=message) as caught:
        tried(replace(world, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("forward, message", [
    (lambda batch: batch, r"gave \(1, 3, \d+, \d+\) for one picture; expected a tensor of shape \(1, d\)"),
    (lambda batch: [1.0], "gave list for one picture"),
    (lambda batch: 1 / 0, "a grey picture cannot be embedded: ZeroDivisionError"),
])  # fmt: skip
def test_a_length_that_cannot_be_found_is_one_line(world, forward, message):
    with pytest.raises(ModelError, match=message):
        vector_length(replace(world, forward=forward))
