"""The data of a page can be read back, and no name in it can close its element."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bioclip_probe.report.explorer.packing import NOBODY, NOWHERE, as_json, packed, positions
from bioclip_probe.report.explorer.page import page_of
from bioclip_probe.report.explorer.thumbnails import Thumbnails
from tests.support.explorer_study import made_up_contents


@pytest.fixture(scope="module")
def contents():
    return made_up_contents(children=(2, 2, 1, 1, 1, 1, 2))


def array_of(packer, name):
    content = gzip.decompress(base64.b64decode(packer.as_text()))
    entry = packer.directory[name]
    return np.frombuffer(content, np.dtype(entry["type"]).newbyteorder("<"), entry["length"], entry["start"])


def test_arrays_are_read_back(contents):
    packer = packed(contents)
    tree, model = contents.placement.tree, contents.models[1]
    assert array_of(packer, "parent")[1:].tolist() == tree.parent[1:].tolist()
    assert array_of(packer, "rank").tolist() == (tree.rank + 1).tolist()
    assert array_of(packer, "taxon").tolist() == contents.placement.node.tolist()
    assert array_of(packer, "nearest/1").reshape(-1, 5).tolist() == model.neighbors.nearest.tolist()
    assert array_of(packer, "similarity/1") / 1000 == pytest.approx(model.neighbors.similarity.ravel(), abs=5e-4)
    assert json.loads(bytes(array_of(packer, "names"))) == tree.name.tolist()
    assert json.loads(bytes(array_of(packer, "common"))) == {str(contents.placement.node[0]): "magpie"}
    assert np.isnan(array_of(packer, "correlation/1")).tolist() == np.isnan(model.correlations).tolist()


def test_the_same_data_give_the_same_page(contents):
    nothing = Thumbnails.none(len(contents.images))
    assert page_of(contents, nothing).page == page_of(made_up_contents(children=(2, 2, 1, 1, 1, 1, 2)), nothing).page


def test_missing_neighbors_have_a_number_of_their_own(contents):
    neighbors = contents.models[0].neighbors
    neighbors.nearest[0, 4] = -1
    assert array_of(packed(contents), "nearest/0")[4] == NOBODY


coordinates = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(-1e6, 1e6) | st.just(np.nan)
)


@given(coordinates)
def test_positions_keep_proportions(points):
    x, y = positions(points)
    finite = np.isfinite(points).all(axis=1)
    assert ((x == NOWHERE) == ~finite).all()
    if finite.any():
        own, taken = points[finite], np.stack([x, y], axis=1)[finite].astype(float)
        span = np.ptp(own, axis=0).max()
        step = span / (NOWHERE - 1)
        assert taken.min(axis=0).tolist() == [0, 0]
        assert np.abs(taken * step - (own - own.min(axis=0))).max() <= 0.51 * step + 1e-9


@given(st.dictionaries(st.text(), st.text() | st.integers(), max_size=3))
def test_json_holds_no_markup_and_means_the_same(value):
    text = as_json(value)
    assert "<" not in text
    assert json.loads(text) == value
