import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from bioclip_probe.stats.all_pairs.nested import NestedSums
from bioclip_probe.stats.centroids import image_moments
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, taxonomy
from tests.definitions import components as definitions
from tests.support.made_up_vectors import random_taxonomy, unit_vectors
from tests.support.strategies import lineage_tables
from tests.support.taxa import rng


def nested_sums(vectors: np.ndarray, placement: Placement) -> NestedSums:
    """Return the sums of the images of each species."""
    tree, moments = image_moments(vectors, placement.coarsen("species"))
    return NestedSums(tree, moments.counts, moments.sums, moments.norms)


def effects(placement: Placement, deviations: dict[str, float], noise: float, d: int, draw: np.random.Generator):
    """Return images as sums of independent effects of their taxa; a trace of deviation² for each rank."""
    x = np.full((len(placement), d), 2.0) + noise / math.sqrt(d) * draw.standard_normal((len(placement), d))
    for rank, deviation in deviations.items():
        of_taxa = deviation / math.sqrt(d) * draw.standard_normal((len(placement.tree), d))
        x += of_taxa[placement.at(rank)]
    return x


@st.composite
def in_a_taxonomy(draw):
    placement = taxonomy(draw(lineage_tables(min_rows=2, max_rows=14)))
    return draw(unit_vectors(len(placement))), placement


@pytest.mark.slow
@settings(max_examples=80)
@given(in_a_taxonomy())
def test_components_solve_the_expected_sums_of_squares(case):
    vectors, placement = case
    species = placement.coarsen("species")
    at = np.flatnonzero(species.node >= 0)
    if not len(at):
        return
    sums = nested_sums(vectors, placement)
    levels = definitions.distinct_levels(species.tree, species.node[at].tolist(), len(RANKS))
    assert list(sums.ranks) == [RANKS[number] for number in levels]
    assert set(sums.ranks) | set(sums.confounded) == set(RANKS)
    expected = definitions.variance_components(vectors[at], list(levels.values()))
    assert sums.components() == pytest.approx(expected, abs=1e-7, nan_ok=True)


@pytest.mark.slow
@settings(max_examples=40)
@given(in_a_taxonomy(), st.integers(0, 99))
def test_species_that_are_left_out_or_moved_are_as_if_the_data_were_so(case, seed):
    vectors, placement = case
    sums = nested_sums(vectors, placement)
    k = len(sums.counts)
    tree, moments = image_moments(vectors, placement.coarsen("species"))
    if not moments.n:
        return
    order = rng(seed).permutation(k)
    moved = NestedSums(tree, moments.counts[order], moments.sums[order], moments.norms[order])
    for device in ("cpu", "cpu:0"):
        (found,) = sums.permuted_components(1, rng(seed), device)
        assert found == pytest.approx(moved.components(), abs=1e-9, nan_ok=True)
    kept = rng(seed).random(k) < 0.8
    species = placement.coarsen("species")
    of_image = np.full(len(placement), -1)
    of_image[species.node >= 0] = np.searchsorted(
        np.unique(species.node[species.node >= 0]), species.node[species.node >= 0]
    )
    rows = np.flatnonzero((of_image >= 0) & kept[of_image])
    if len(rows):
        others = nested_sums(vectors[rows], placement.take(rows))
        if others.ranks == sums.ranks and others.images_repeat == sums.images_repeat:
            assert sums.components(kept=kept) == pytest.approx(others.components(), abs=1e-7, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 6, 300])
def test_the_mean_over_unbalanced_samples_is_the_true_component(d):
    deviations = {"kingdom": 0.5, "phylum": 1.0, "order": 0.8, "genus": 0.6, "species": 1.2}
    placement = random_taxonomy(120, 500, rng(1))
    found = []
    for seed in range(60 if d > 1 else 400):
        sums = nested_sums(effects(placement, deviations, 1.0, d, rng(seed)), placement)
        found.append(sums.components())
    assert sums.ranks == RANKS
    truth = [deviations.get(rank, 0.0) ** 2 for rank in RANKS] + [1.0]
    error = np.std(found, axis=0) / math.sqrt(len(found))
    assert np.all(np.abs(np.mean(found, axis=0) - truth) < 4 * error)


def balanced() -> Placement:
    """Return three images of each of two species in each of four genera in each of five families."""
    rows = [
        ["K", "P", "C", "O", f"F{f}", f"F{f}G{g}", f"F{f}G{g} s{s}"] for f in range(5) for g in range(4) for s in (0, 1)
    ]
    return taxonomy(pd.DataFrame(np.repeat(rows, 3, axis=0), columns=RANKS))


def test_on_balanced_data_they_are_the_maximum_of_the_restricted_likelihood():
    placement = balanced()
    x = effects(placement, {"family": 1.0, "genus": 0.8, "species": 0.9}, 0.7, 3, rng(4))
    found = nested_sums(x, placement).components()
    blocks = [np.array(placement.at(rank)[:, None] == placement.at(rank)) for rank in ("family", "genus", "species")]
    parts = [*(block.astype(float) for block in blocks), np.eye(len(x))]
    ones = np.ones((len(x), 1))

    def deviance(log_components: np.ndarray) -> float:
        """Return -2 times the restricted log-likelihood of dimensions that share their components."""
        v = sum(np.exp(log) / 3 * part for log, part in zip(log_components, parts, strict=True))
        inverse = np.linalg.inv(v)
        information = (ones.T @ inverse @ ones).item()
        projection = inverse - inverse @ ones @ ones.T @ inverse / information
        return 3 * (np.linalg.slogdet(v)[1] + math.log(information)) + np.trace(x.T @ projection @ x)

    assert found.min() > 0
    best = minimize(
        deviance, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000}
    )
    assert found == pytest.approx(np.exp(best.x), rel=1e-3)


def test_a_rank_that_divides_nothing_is_part_of_the_rank_above():
    frame = pd.DataFrame(
        [["K", "P", "C", f"O{i // 4}", f"F{i // 4}", f"G{i // 2}", f"G{i // 2} s{i}"] for i in range(8)]
    )
    sums = nested_sums(rng().standard_normal((8, 3)), taxonomy(frame.set_axis(RANKS, axis=1)))
    assert sums.ranks == ("order", "genus", "species") and not sums.images_repeat
    assert sums.freedom == {"order": 1, "genus": 2, "species": 4}
    assert sums.confounded["kingdom"] == "needs at least 2 taxa, found 1"
    assert sums.confounded["family"] == "each order has one family: its component is part of that of the order"


def test_a_hole_in_the_ranks_is_passed_through():
    """Two orders without a class count as classes of their own, as in the tree distance."""
    rows = [["K", "P", cls, f"O{o}", "F", f"G{o}", f"G{o} s{s}"] for o, cls in enumerate("AAB??") for s in range(2)]
    frame = pd.DataFrame(rows, columns=RANKS)
    hole = frame.assign(**{"class": frame["class"].replace("?", None)})
    own = frame.assign(
        **{"class": [f"C{o}" if c == "?" else c for c, o in zip(frame["class"], frame["order"], strict=True)]}
    )
    x = rng().standard_normal((20, 3))
    found, expected = (nested_sums(x, taxonomy(pd.concat([each, each]))) for each in (hole, own))
    assert found.ranks == expected.ranks and "class" in found.ranks
    assert found.components() == pytest.approx(expected.components())
