"""Thumbnails: which pictures have one, and where it stands."""

from __future__ import annotations

import base64
import io
import logging

import numpy as np
import pytest
from PIL import Image

from bioclip_probe.errors import PictureError, ProbeError
from bioclip_probe.report.explorer import thumbnails
from bioclip_probe.report.explorer.thumbnails import NO_THUMBNAIL, PER_ATLAS, SIZE, thumbnails_of

COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
SOURCES = ["0", "1", "2"]


def opened(source):
    if source == "broken":
        raise PictureError("broken: the file is empty")
    return Image.new("RGB", (90, 70), COLORS[int(source) % 3])


def color_at(drawn, slot):
    atlas = Image.open(io.BytesIO(base64.b64decode(drawn.atlases[slot // PER_ATLAS])))
    row, column = divmod(slot % PER_ATLAS, 32)
    return np.array(atlas.convert("RGB").getpixel((column * SIZE + 32, row * SIZE + 32)))


def test_each_picture_has_its_own():
    drawn = thumbnails_of(opened, SOURCES, np.array([5, 5, 6]), "all", progress=False)
    assert drawn.slot.tolist() == [0, 1, 2]
    for slot, color in enumerate(COLORS):
        assert np.abs(color_at(drawn, slot) - color).max() < 15


def test_the_first_picture_stands_for_its_species():
    drawn = thumbnails_of(opened, SOURCES, np.array([5, 5, 6]), "species", progress=False)
    assert drawn.slot.tolist() == [0, 0, 1]
    assert np.abs(color_at(drawn, 1) - COLORS[2]).max() < 15


def test_a_broken_picture_has_none_and_the_others_have():
    drawn = thumbnails_of(opened, ["0", "broken", "2"], np.arange(3), progress=False)
    assert drawn.slot.tolist() == [0, NO_THUMBNAIL, 2]
    none = thumbnails_of(opened, ["broken"] * 2, np.arange(2), progress=False)
    assert (none.kind, none.atlases, none.slot.tolist()) == ("none", [], [NO_THUMBNAIL] * 2)


def test_more_pictures_than_usual_have_one_a_species(monkeypatch):
    monkeypatch.setattr(thumbnails, "MOST_PICTURES", 2)
    assert thumbnails_of(opened, SOURCES, np.array([5, 5, 6]), progress=False).kind == "species"
    assert thumbnails_of(opened, SOURCES[:2], np.array([5, 6]), progress=False).kind == "all"


def test_the_budget_is_kept_and_the_rest_is_counted(monkeypatch, caplog):
    monkeypatch.setattr(thumbnails, "PER_ATLAS", 4)
    sources, rows = ["0"] * 10, np.arange(10)
    every = thumbnails_of(opened, sources, rows, "all", progress=False)
    first, second, _ = (len(base64.b64decode(atlas)) for atlas in every.atlases)
    with caplog.at_level(logging.WARNING, "bioclip_probe"):
        drawn = thumbnails_of(opened, sources, rows, "all", progress=False, budget=first + second)
    assert drawn.atlases == every.atlases[:2]
    assert drawn.slot.tolist() == [*range(8), NO_THUMBNAIL, NO_THUMBNAIL]
    assert "are left out: 2" in caplog.text


def test_none_and_unknown_choices():
    assert thumbnails_of(opened, SOURCES, np.arange(3), "none").atlases == []
    with pytest.raises(ProbeError, match="unknown choice of thumbnails 'some'; expected one of: auto, all, species"):
        thumbnails_of(opened, SOURCES, np.arange(3), "some")
