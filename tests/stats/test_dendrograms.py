import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist, squareform

from bioclip_probe.stats.dendrograms import Dendrogram
from bioclip_probe.tree import patristic_distances
from tests.definitions import dendrogram as definitions
from tests.definitions import hierarchy
from tests.support.made_up_vectors import unit_rows
from tests.support.taxa import rng


def joining_heights(dendrogram: Dendrogram) -> np.ndarray:
    """Return the joining height of each two rows, shape (k, k)."""
    found = np.empty((len(dendrogram.leaves),) * 2)
    found[np.ix_(dendrogram.leaves, dendrogram.leaves)] = patristic_distances(dendrogram.tree)
    return found


@settings(max_examples=60)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_average_linkage_agrees_with_its_definition(k, seed):
    vectors = unit_rows(rng(seed).standard_normal((k, 4)))
    distances = [[hierarchy.cosine_distance(u, v) for v in vectors] for u in vectors]
    heights = definitions.average_linkage(distances)
    found = joining_heights(Dendrogram.average_linkage(vectors))
    for a in range(k):
        for b in range(k):
            expected = definitions.joining_height(heights, a, b) if a != b else 0
            assert found[a, b] == pytest.approx(expected, abs=1e-12)


def test_joining_heights_agree_with_scipy_for_any_block_size():
    vectors = unit_rows(rng().standard_normal((150, 8)))
    merges = linkage(pdist(vectors, "cosine"), "average")
    found = joining_heights(Dendrogram.average_linkage(vectors, block=7))
    assert found == pytest.approx(squareform(cophenet(merges)), abs=1e-12)


def test_a_subset_of_a_dendrogram_keeps_its_joining_heights():
    vectors = unit_rows(rng().standard_normal((20, 4)))
    dendrogram, keep = Dendrogram.average_linkage(vectors), np.arange(20) % 3 > 0
    assert joining_heights(dendrogram.subset(keep)) == pytest.approx(joining_heights(dendrogram)[np.ix_(keep, keep)])
