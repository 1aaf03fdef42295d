import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.metrics.hierarchy import cophenetic_correlation
from bioclip_probe.metrics.lca_shares import ANCESTORS, cophenetic_share
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.tree import taxonomy
from tests.definitions import hierarchy as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, unit_vectors
from tests.support.settings import FEW
from tests.support.strategies import lineage_tables
from tests.support.taxa import rng, star


def shares(vectors, placement) -> dict:
    return {row.rank: row.estimate for row in cophenetic_share(vectors, placement, FEW)}


@st.composite
def in_a_taxonomy(draw):
    placement = taxonomy(draw(lineage_tables(max_rows=12)))
    return draw(unit_vectors(len(placement))), placement


@pytest.mark.slow
@settings(max_examples=60)
@given(in_a_taxonomy())
def test_the_parts_are_those_of_the_pairs_that_meet_at_each_rank(case):
    vectors, placement = case
    found, species = shares(vectors, placement), placement.coarsen("species")
    try:
        by_rank = definitions.taxa_by_rank(vectors, species)
    except ZeroDivisionError:  # a centroid without direction
        by_rank = {}
    expected = definitions.parts_of_correlation(by_rank)
    if len(definitions.images_of_taxa(species)) < 3 or not expected or math.isnan(next(iter(expected.values()))):
        assert list(found) == ["root"] and math.isnan(found["root"].value) and found["root"].note
        return
    assert set(found) == {ANCESTORS[rank + 1] for rank in expected}
    for rank, part in expected.items():
        assert found[ANCESTORS[rank + 1]].value == pytest.approx(part, abs=1e-7)


@pytest.mark.parametrize("signal", [0.0, 0.6, 1.0])
def test_the_parts_add_up_to_cpcc(signal):
    placement = random_taxonomy(80, 200, rng(1))
    vectors = signal_vectors(placement, 12, signal, 0.3, rng(2))
    *_, cpcc = cophenetic_correlation(vectors, placement, FEW)
    found = shares(vectors, placement)
    assert sum(share.value for share in found.values()) == pytest.approx(cpcc.value, abs=1e-12)
    without = np.sum([share.replicates for share in found.values()], axis=0)
    np.testing.assert_allclose(without, cpcc.estimate.replicates, atol=1e-9)
    for share in found.values():
        assert share.ci_low <= share.value <= share.ci_high and "of the pairs meet there" in share.note
        assert (share.chance, share.null, share.n_taxa, share.n_units) == (0.0, "species", 80, 80)


def test_a_rank_that_a_model_knows_has_the_part_above_zero():
    """Orders lie apart, and nothing is known inside them: genera of one order are no closer than its families."""
    placement = random_taxonomy(150, 150, rng(3))
    order = rng(4).standard_normal((len(placement.tree), 24))[placement.at("order")]
    found = shares(unit_rows(order + 0.6 * rng(5).standard_normal((150, 24))).astype(np.float32), placement)
    assert found["order"].ci_low > 0 and found["family"].value > 0
    assert abs(found["class"].value) < found["order"].value / 3


def test_a_memoriser_of_species_is_at_chance_at_every_rank():
    placement = random_taxonomy(60, 180, rng(6))
    values = []
    for seed in range(30):
        species = rng(seed).standard_normal((len(placement.tree), 12))[placement.node]
        found = shares(
            unit_rows(1 + species + 0.3 * rng(seed).standard_normal(species.shape)).astype(np.float32), placement
        )
        values.append([share.value for share in found.values()])
    assert np.all(np.abs(np.mean(values, axis=0)) < 4 * np.std(values, axis=0) / math.sqrt(30))


def test_the_interval_leaves_out_species():
    placement = random_taxonomy(24, 60, rng(7))
    vectors = signal_vectors(placement, 6, 0.8, 0.3, rng(8))
    found = shares(vectors, placement)
    jackknife = SharedResults(vectors, placement, FEW).jackknife()
    for number in (0, 7):
        kept = jackknife.group != number
        others = shares(vectors[kept], placement.take(kept))
        for rank, share in found.items():
            expected = others[rank].value if rank in others else 0.0
            assert share.replicates[number] == pytest.approx(expected, abs=1e-7)


def test_a_star_has_one_row_that_says_why():
    found = shares(unit_rows(rng().standard_normal((5, 3))).astype(np.float32), star(5))
    assert list(found) == ["root"] and math.isnan(found["root"].value)
