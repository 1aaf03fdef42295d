import math
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import clades as module
from bioclip_probe.metrics.clades import ANCESTORS, NAMES
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, taxonomy
from tests.definitions import clades as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, unit_vectors
from tests.support.strategies import lineage_tables
from tests.support.taxa import DEFAULT, cophenetic_correlation, jackknife_of, rng


def clade_correlations(vectors, placement, settings=DEFAULT):
    taxa = Rows.taxa(vectors, placement.coarsen("species"))
    jackknife = jackknife_of(taxa)
    sums = taxa.node_sums(jackknife.of_tips(taxa), jackknife.n_groups) if taxa.counts["n_taxa"] else []
    return module.clade_correlations(taxa, sums, jackknife, settings)


def within_clade_correlation(clades):
    return module.clade_summaries(clades, Jackknife("species", 99, np.arange(20)), DEFAULT)


@st.composite
def in_a_taxonomy(draw, max_rows: int = 16):
    placement = taxonomy(draw(lineage_tables(max_rows=max_rows)))
    return draw(unit_vectors(len(placement))), placement


def made(signal=1.0, noise=0.3, n_species=250, seed=0):
    placement = random_taxonomy(n_species, 2 * n_species, rng(seed))
    return signal_vectors(placement, 24, signal, noise, rng(seed + 1)), placement


def paths(found):
    return {(rank, path): estimate for rank, of_rank in found.items() for path, estimate in of_rank.items()}


# What the numbers are.


@pytest.mark.slow
@settings(max_examples=50)
@given(in_a_taxonomy(), st.sampled_from((2, 3, 5)))
def test_each_clade_has_the_correlation_of_its_own_pairs(case, fewest):
    vectors, placement = case
    found = clade_correlations(vectors, placement, MeasureSettings(min_clade_species=fewest))
    species = placement.coarsen("species")
    expected = definitions.clade_correlations(vectors, species, fewest)
    assert {rank: set(of_rank) for rank, of_rank in found.items()} == {
        rank: set(of_rank) for rank, of_rank in expected.items()
    }
    for (rank, path), estimate in paths(found).items():
        assert estimate.value == pytest.approx(expected[rank][path], abs=1e-6, nan_ok=True)
        assert estimate.note or math.isfinite(expected[rank][path])


@pytest.mark.slow
def test_a_clade_is_its_own_study():
    vectors, placement = made()
    found = paths(clade_correlations(vectors, placement))
    tree, species = placement.tree, placement.coarsen("species")
    for rank in ("kingdom", "class", "family"):
        at = placement.at(rank)
        for node in np.unique(at)[:3]:
            kept = np.flatnonzero(at == node)
            estimate = found[rank, tree.path(node)]
            assert (estimate.n_images, estimate.n_taxa) == (len(kept), len(np.unique(placement.node[kept])))
            if math.isfinite(estimate.value):
                alone = cophenetic_correlation(vectors[kept], species.take(kept), rng())
                assert estimate.value == pytest.approx(alone.value, abs=1e-7)


def test_the_summary_is_the_mean_and_the_spread_of_the_clades_that_enter():
    found = clade_correlations(*made())
    for rank, summary in within_clade_correlation(found).items():
        entered = [clade for clade in found[rank].values() if math.isfinite(clade.value)]
        values = [clade.value for clade in entered]
        mean, spread = (summary[name] for name in NAMES)
        assert mean.value == pytest.approx(np.mean(values))
        assert spread.value == pytest.approx(np.std(values, ddof=1))
        left = len(found[rank]) - len(values)
        assert mean.note == f"ancestors: {len(values)} entered, {left} could not"
        assert mean.n_images + mean.n_excluded == sum(clade.n_images for clade in found[rank].values())
        assert mean.n_taxa == sum(clade.n_taxa for clade in entered)
        assert mean.resampled == "species" and mean.ci_low <= mean.value <= mean.ci_high
        assert math.isnan(spread.ci_low) and "no interval" in spread.note


def test_clades_and_their_mean_are_recomputed_without_each_group_of_species():
    vectors, placement = made(n_species=80)
    shared = SharedResults(vectors, placement, MeasureSettings(min_clade_species=8))
    found = {
        (row.metric, row.rank, row.taxon): row.estimate for row in module.within_clade_correlation(shared, placement)
    }
    jackknife = shared.jackknife()
    for number in (0, 11):
        kept = jackknife.group != number
        others = paths(clade_correlations(vectors[kept], placement.take(kept), MeasureSettings(min_clade_species=2)))
        for (metric, rank, taxon), estimate in found.items():
            if metric == "clade_correlation":
                assert estimate.replicates[number] == pytest.approx(others[rank, taxon].value, abs=1e-6, nan_ok=True)
            elif metric == "within_clade_correlation" and math.isfinite(estimate.value):
                entered = [key[2] for key in found if key[:2] == ("clade_correlation", rank)]
                values = [others[rank, taxon].value for taxon in entered]
                assert estimate.replicates[number] == pytest.approx(np.nanmean(values), abs=1e-6)
    for (metric, _, _), estimate in found.items():
        if metric == "clade_correlation":
            assert (estimate.n_units, estimate.null) == (estimate.n_taxa, "species")
            assert math.isfinite(estimate.ci_low) == (estimate.n_taxa >= 10)


# What they claim.


@pytest.mark.slow
def test_without_signal_the_mean_is_none_and_with_it_every_rank_shows_it():
    with_tree = within_clade_correlation(clade_correlations(*made(1.0)))
    without = [within_clade_correlation(clade_correlations(*made(0.0, seed=seed))) for seed in range(8)]
    for rank in ANCESTORS:
        mean = with_tree[rank][NAMES[0]]
        assert mean.value > 0.3 and (mean.ci_low > 0.1 or mean.n_units < 20)
        values = [found[rank][NAMES[0]].value for found in without]
        assert abs(np.nanmean(values)) < 4 * np.nanstd(values) / np.sqrt(8)


@pytest.mark.slow
def test_separation_above_an_ancestor_does_not_count_inside_it():
    _, placement = made()
    kingdom = placement.at("kingdom")
    apart = 5 * rng(1).standard_normal((len(placement.tree), 24))[kingdom]
    vectors = unit_rows(apart + rng(2).standard_normal((len(placement.tree), 24))[placement.node])
    assert cophenetic_correlation(vectors, placement, rng()).value > 0.4
    for summary in within_clade_correlation(clade_correlations(vectors, placement)).values():
        mean = summary[NAMES[0]]
        assert abs(mean.value) < 0.15


@pytest.mark.slow
@settings(max_examples=20)
@given(in_a_taxonomy(), st.randoms(use_true_random=False))
def test_rotation_and_the_order_of_rows_do_not_matter(case, random):
    vectors, placement = case
    order = np.array(random.sample(range(len(vectors)), len(vectors)))
    turn = np.linalg.qr(rng(1).standard_normal((vectors.shape[1],) * 2))[0]
    found = paths(clade_correlations(vectors, placement))
    for key, other in paths(clade_correlations(vectors[order] @ turn, placement.take(order))).items():
        for a, b in zip(astuple(found[key]), astuple(other), strict=True):
            if a is None or isinstance(a, str):
                assert a == b
            else:
                assert a == pytest.approx(b, abs=1e-6, nan_ok=True)


# Where they do not exist.


def test_few_species_equal_distances_and_ranks_without_any():
    vectors, placement = made()
    found = paths(clade_correlations(vectors, placement))
    few = [estimate for estimate in found.values() if estimate.n_taxa < 5]
    assert few and all(math.isnan(e.value) and e.note.startswith("needs at least 5 species, found") for e in few)
    genus = pd.DataFrame([["K", "P", "C", "O", "F", "G", f"G s{n}"] for n in range(8)], columns=RANKS)
    one = taxonomy(genus)
    found = clade_correlations(unit_rows(rng().standard_normal((8, 3))), one)
    assert list(found) == list(ANCESTORS)
    for estimate in paths(found).values():
        assert estimate.note == "tree distance or embedding distance does not vary"
    for summary in within_clade_correlation(found).values():
        assert all(e.note == "ancestors: 0 entered, 1 could not" and math.isnan(e.value) for e in summary.values())


def test_one_ancestor_has_a_mean_but_no_spread_and_few_species_no_interval():
    one = Estimate(0.4, n_images=9, n_taxa=6, n_units=6, replicates=np.full(20, 0.4))
    mean, spread = within_clade_correlation({"order": {"K|P|C|O": one}})["order"].values()
    assert mean.value == 0.4 and math.isnan(mean.ci_low) and math.isnan(spread.value)
    assert "6 units (species), needs at least 10" in mean.note


def test_a_phylogeny_without_ranks_and_images_nowhere_have_no_clades():
    tree = Tree(np.array([-1, 0, 0]), np.array([0.0, 1, 1]), np.array([*"rab"], dtype=object), np.full(3, -1))
    assert clade_correlations(np.eye(2), Placement(tree, np.array([1, 2]))) == {}
    vectors, placement = made(n_species=6)
    assert clade_correlations(vectors, Placement(placement.tree, np.full(len(vectors), -1))) == {}
    assert within_clade_correlation({}) == {}


def test_a_centroid_that_cancels_out_leaves_its_own_ancestors_undefined_only():
    vectors, placement = made()
    first = np.flatnonzero(placement.node == placement.node[0])
    again = np.r_[np.arange(len(vectors)), first]
    found = paths(clade_correlations(np.r_[vectors, -vectors[first]], placement.take(again)))
    before = paths(clade_correlations(vectors, placement))
    lineage = placement.tree.path(placement.node[0])
    for (rank, path), estimate in found.items():
        if lineage.startswith(path + "|"):
            assert estimate.note.startswith("the images of 1 taxa cancel out")
        else:
            assert estimate.value == pytest.approx(before[rank, path].value, abs=1e-9, nan_ok=True)


def test_vectors_that_are_not_finite_are_refused_and_named():
    vectors, placement = made(n_species=8)
    vectors[[4, 6], 1] = np.nan, np.inf
    with pytest.raises(DataError, match="4, 6"):
        clade_correlations(vectors, placement)
