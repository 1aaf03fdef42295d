import math
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.variance import NAMES, estimate_variance_by_rank
from bioclip_probe.metrics.variance import variance_by_rank as metric
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, taxonomy
from tests.definitions import variance as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, unit_vectors
from tests.support.strategies import lineage_tables
from tests.support.taxa import rng

DEFINITIONS = {"nested_r2": definitions.nested_r2, "variance_ratio": definitions.variance_ratio}


def variance_by_rank(vectors, placement, settings=MeasureSettings(n_null_permutations=3)):  # noqa: B008
    # Only groups and permutations are shared, so that vectors need not be of length 1 to seven digits.
    shared = SharedResults(np.tile(np.eye(1, 3), (len(placement), 1)), placement, settings)
    return estimate_variance_by_rank(vectors, placement, shared.jackknife(), shared.permuted_labels, settings)


@st.composite
def in_a_taxonomy(draw, max_rows: int = 14, holes: bool = True):
    placement = taxonomy(draw(lineage_tables(max_rows=max_rows, holes=holes)))
    return draw(unit_vectors(len(placement))), placement


def made(signal=1.0, noise=0.5, n_species=60, seed=0):
    placement = random_taxonomy(n_species, 5 * n_species, rng(seed))
    return signal_vectors(placement, 12, signal, noise, rng(seed + 1)), placement


# What the numbers are.


@pytest.mark.slow
@settings(max_examples=50)
@given(in_a_taxonomy())
def test_both_are_their_definition_at_every_rank(case):
    vectors, placement = case
    found = variance_by_rank(vectors, placement)
    assert list(found) == list(RANKS)
    for rank, estimates in found.items():
        n = len(definitions.named(vectors, placement, rank)[0])
        for name, estimate in estimates.items():
            expected = DEFINITIONS[name](vectors, placement, rank)
            assert estimate.value == pytest.approx(expected, abs=1e-9, rel=1e-7, nan_ok=True)
            assert estimate.note or math.isfinite(expected)
            assert (estimate.n_images, estimate.n_excluded) == (n, len(vectors) - n)
        if rank == "species" and math.isfinite(estimates["nested_r2"].value):
            assert estimates["nested_r2"].chance == pytest.approx(definitions.chance_r2(vectors, placement, rank))


def test_the_interval_is_that_of_the_values_without_each_group_of_species():
    vectors, placement = made(n_species=24)
    shared = SharedResults(vectors, placement, MeasureSettings(n_null_permutations=2))
    found = {(row.metric, row.rank): row.estimate for row in metric(shared, placement)}
    group = shared.jackknife().group
    for rank in ("phylum", "order"):
        for name, definition in DEFINITIONS.items():
            deleted = []
            for number in range(shared.jackknife().n_groups):
                kept = np.flatnonzero(group != number)
                deleted.append(definition(vectors[kept].astype(float), placement.take(kept), rank))
            estimate = found[name, rank]
            np.testing.assert_allclose(estimate.replicates, deleted, rtol=1e-6)
            bounds = (0.0, 1.0 if name == "nested_r2" else np.inf)
            expected = jackknife_interval(estimate.value, np.array(deleted), bounds)
            assert (estimate.ci_low, estimate.ci_high) == pytest.approx(expected, rel=1e-6)
            assert estimate.resampled == "species" and "jackknife" in estimate.ci_method


def test_scikit_bio_agrees_on_the_pseudo_f():
    from scipy.spatial.distance import pdist, squareform
    from skbio.stats.distance import DistanceMatrix, permanova

    vectors, placement = made()
    distances = DistanceMatrix(squareform(pdist(vectors.astype(float))))
    found = variance_by_rank(vectors, placement)
    for rank in ("class", "genus", "species"):
        grouping = placement.at(rank).astype(str)
        expected = permanova(distances, grouping, permutations=0)["test statistic"]
        assert found[rank]["variance_ratio"].value == pytest.approx(expected, rel=1e-6)


# What they claim.


@pytest.mark.slow
@settings(max_examples=40)
@given(in_a_taxonomy(holes=False))
def test_without_holes_the_shares_add_up_to_the_r2_of_species(case):
    vectors, placement = case
    shares = [estimates["nested_r2"].value for estimates in variance_by_rank(vectors, placement).values()]
    if math.isfinite(shares[0]):
        x, species, _ = definitions.named(vectors, placement, "species")
        r2 = 1 - definitions.within(x, species) / definitions.sum_of_squares(x)
        assert sum(shares) == pytest.approx(r2, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True])
def test_vectors_that_know_no_tree_explain_what_chance_does(known):
    """Images dealt out at random, and a memoriser of species: pseudo-F is far above 1, and yet at chance."""
    placement = random_taxonomy(60, 60, rng()).take(np.repeat(np.arange(60), 5))
    difference = {(rank, name): [] for rank in RANKS for name in NAMES}
    for seed in range(40):
        species = rng(seed).standard_normal((len(placement.tree), 12))[placement.node]
        vectors = unit_rows(1 + known * 2 * species + rng(seed + 99).standard_normal(species.shape))
        found = variance_by_rank(vectors, placement, MeasureSettings(n_null_permutations=10, seed=seed))
        for rank, name in difference:
            estimate = found[rank][name]
            difference[rank, name].append(estimate.value - estimate.chance)
            assert estimate.null == ("images" if rank == "species" else "species")
        assert not known or found["genus"]["variance_ratio"].chance > 3
    for (rank, _), values in difference.items():
        error = max(np.std(values) / np.sqrt(40), 1e-9)
        assert (known and rank == "species") or abs(np.mean(values)) < 4.5 * error


def test_chance_is_the_mean_of_the_numbers_of_permuted_species():
    vectors, placement = made(n_species=20)
    shared = SharedResults(vectors, placement, MeasureSettings(n_null_permutations=4))
    found = {(row.metric, row.rank): row.estimate for row in metric(shared, placement)}
    for rank in ("class", "genus"):
        values = {name: [] for name in NAMES}
        for labels in shared.permuted_labels(rank):
            moved = Placement(placement.tree, labels)
            for name, definition in DEFINITIONS.items():
                values[name].append(definition(vectors.astype(float), moved, rank))
        for name in NAMES:
            assert found[name, rank].chance == pytest.approx(np.mean(values[name]), rel=1e-6)


def test_signal_on_the_tree_is_explained_at_high_ranks_and_without_it_at_low_ones():
    with_tree, placement = made(1.0)
    without, _ = made(0.0)
    shares = [variance_by_rank(v, placement) for v in (with_tree, without)]
    for rank in RANKS[:3]:
        tree, star = (share[rank]["nested_r2"] for share in shares)
        assert tree.value > star.value
    upper = [shares[0][rank]["nested_r2"] for rank in RANKS[:2]]
    assert all(share.value > 1.2 * share.chance for share in upper)
    assert shares[1]["family"]["nested_r2"].value > shares[0]["family"]["nested_r2"].value
    noisier = variance_by_rank(made(1.0, 3.0)[0], placement)
    for rank in RANKS:
        assert noisier[rank]["variance_ratio"].value < shares[0][rank]["variance_ratio"].value


@pytest.mark.slow
@settings(max_examples=20)
@given(in_a_taxonomy(), st.randoms(use_true_random=False))
def test_rotation_and_the_order_of_rows_do_not_matter(case, random):
    vectors, placement = case
    order = np.array(random.sample(range(len(vectors)), len(vectors)))
    turn = np.linalg.qr(rng(1).standard_normal((vectors.shape[1],) * 2))[0]
    found = variance_by_rank(vectors, placement)
    other = variance_by_rank(vectors[order] @ turn, placement.take(order))
    for rank in RANKS:
        for name in NAMES:
            for a, b in zip(astuple(found[rank][name]), astuple(other[rank][name]), strict=True):
                if a is None or isinstance(a, str):
                    assert a == b
                else:
                    assert a == pytest.approx(b, abs=1e-7, rel=1e-6, nan_ok=True)


@pytest.mark.slow
def test_the_interval_covers_what_more_species_would_give():
    """Genera drawn from one law: the share of many of them is the truth."""
    draw = rng(5)

    def share_of(n_genera):
        rows = [["K", "P", "C", "O", "F", f"G{g}", f"G{g} s{s}"] for g in range(n_genera) for s in range(4)] * 3
        placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
        genus, species = placement.at("genus"), placement.node
        x = 2 + draw.standard_normal((len(placement.tree), 5))[genus]
        x = x + draw.standard_normal((len(placement.tree), 5))[species] + draw.standard_normal((len(rows), 5))
        return variance_by_rank(unit_rows(x), placement)["genus"]["nested_r2"]

    truth = share_of(500).value
    covered = 0
    for _ in range(30):
        estimate = share_of(40)
        covered += estimate.ci_low <= truth <= estimate.ci_high
    assert covered >= 25


# Where they do not exist.


def test_constant_vectors_and_constant_taxa():
    _, placement = made()
    for dtype in (np.float32, np.float64):
        flat = np.full((len(placement), 3), 3**-0.5, dtype=dtype)
        for estimates in variance_by_rank(flat, placement).values():
            assert all(math.isnan(e.value) and e.note == "the vectors do not vary" for e in estimates.values())
    coincide = unit_rows(rng().standard_normal((len(placement.tree), 3)))[placement.node]
    found = variance_by_rank(coincide, placement)["species"]
    assert found["variance_ratio"].note == "the images of a taxon do not vary"
    assert math.isfinite(found["nested_r2"].value)


def test_one_taxon_one_image_a_taxon_and_no_name():
    vectors, placement = made()
    one = np.flatnonzero(placement.at("kingdom") == placement.at("kingdom")[0])
    found = variance_by_rank(vectors[one], placement.take(one))["kingdom"]
    assert (found["nested_r2"].value, found["nested_r2"].chance) == (0, 0) and math.isnan(found["nested_r2"].ci_low)
    assert found["variance_ratio"].note == "needs at least 2 taxa, found 1"
    _, first = np.unique(placement.node, return_index=True)
    found = variance_by_rank(vectors[first], placement.take(first))["species"]
    assert found["variance_ratio"].note == "no taxon has two images"
    nowhere = Placement(placement.tree, np.full(len(vectors), -1))
    for estimates in variance_by_rank(vectors, nowhere).values():
        assert all("no image has a name" in e.note and e.n_excluded == len(vectors) for e in estimates.values())


def test_vectors_that_are_not_finite_are_refused_and_named():
    vectors, placement = made()
    vectors[[4, 6], 1] = np.nan, np.inf
    with pytest.raises(DataError, match="4, 6"):
        variance_by_rank(vectors, placement)
