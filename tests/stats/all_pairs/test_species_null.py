import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs.species_null import SpeciesNull
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, taxonomy
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import unit_vectors
from tests.support.strategies import lineage_tables
from tests.support.taxa import rng


@st.composite
def at_a_rank(draw):
    placement = taxonomy(draw(lineage_tables(min_rows=3, max_rows=12)))
    return draw(unit_vectors(len(placement))), placement, draw(st.sampled_from(RANKS[1:6]))


@pytest.mark.slow
@settings(max_examples=60)
@given(at_a_rank(), st.sampled_from((1, 2**20)), st.sampled_from(("cpu", "cpu:0")))
def test_each_permutation_moves_whole_species_with_their_images(case, most_numbers, device):
    vectors, placement, rank = case
    of_rank = placement.coarsen(rank)
    named = np.flatnonzero(of_rank.node >= 0)
    units, first, unit = np.unique(placement.node[named], return_index=True, return_inverse=True)
    tips = np.unique(of_rank.node[named])
    if len(tips) < 3:
        return
    node = of_rank.node[named][first]
    tree, new = of_rank.tree.subset(tips)
    sums = np.array([vectors[named][unit == each].sum(axis=0) for each in range(len(units))])
    taxon = np.searchsorted(tips, node)
    null = SpeciesNull(tree, sums, taxon, device, most_numbers)
    draw = rng(1)
    for value, covariance in zip(null.correlations(3, rng(1)), null.covariances(3, rng(1)), strict=True):
        order = draw.permutation(len(units))
        moved = np.empty(len(units), dtype=int)
        moved[order] = node  # species order[i] stands where species i stood
        try:
            pairing = definitions.taxon_pairing(vectors[named], Placement(tree, new[moved[unit]]))
            expected, mean_t = definitions.pearson(pairing), math.fsum(t for t, _ in pairing) / len(pairing)
            together = math.fsum((t - mean_t) * c for t, c in pairing)
        except ZeroDivisionError:  # a centroid without direction
            expected = together = math.nan
        assert value == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert covariance == pytest.approx(together, abs=1e-9, nan_ok=True)


def test_vectors_that_nearly_coincide_keep_their_digits():
    placement = taxonomy(lineages())
    spread_out = rng(2).standard_normal((16, 6))
    wide = permuted(placement, np.pad(spread_out, ((0, 0), (1, 0))), 10.0)
    close = permuted(placement, np.pad(spread_out, ((0, 0), (1, 0))), 1e3)
    assert np.corrcoef(wide, close)[0, 1] > 0.98 and np.isfinite(close).all()


def lineages():
    rows = [["K", "P", "C", f"O{i // 8}", f"F{i // 4}", f"G{i // 2}", f"G{i // 2} s{i}"] for i in range(16)]
    return pd.DataFrame(rows, columns=RANKS)


def permuted(placement, vectors, common: float) -> np.ndarray:
    """Return the null at genus of vectors about a long common one."""
    x = vectors + common * np.eye(7)[0]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    genera = placement.coarsen("genus")
    return SpeciesNull(genera.tree, x, np.arange(16) // 2).correlations(50, rng(0))
