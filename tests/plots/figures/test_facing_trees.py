"""Trees face to face: where the taxa stand, their colours, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.examples import corvids
from bioclip_probe.plots import FigureSettings, facing_trees
from bioclip_probe.plots.figures.facing_trees import untangled
from bioclip_probe.stats.dendrograms import Dendrogram
from tests.support.measurement_tables import texts


def test_each_taxon_is_joined_to_itself_and_named_at_both_sides():
    vectors, placement = corvids()
    figure = facing_trees(vectors, placement, FigureSettings(simulated=True), rank="species")
    middle = figure.axes[1]
    (lines,) = (part for part in middle.collections if isinstance(part, LineCollection))
    ends = np.array([segment[:, 1] for segment in lines.get_segments()])
    k = len(ends)
    assert sorted(ends[:, 0]) == sorted(ends[:, 1]) == list(range(k))
    names = [text.get_text() for text in middle.texts]
    assert len(names) == 2 * k and len(set(names)) == k
    assert "simulated data" in texts(figure)


def test_a_dendrogram_that_agrees_with_the_order_crosses_no_line():
    angles = np.linspace(0, 1, 6) ** 2
    dendrogram = Dendrogram.average_linkage(np.column_stack([np.cos(angles), np.sin(angles)]))
    assert untangled(dendrogram.tree, dendrogram.leaves).tolist() == list(range(6))


def test_fewer_than_three_taxa_are_refused():
    with pytest.raises(DataError, match="need three taxa of rank kingdom or more"):
        facing_trees(*corvids(), rank="kingdom")
