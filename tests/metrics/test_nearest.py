from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from sklearn.neighbors import NearestNeighbors

from bioclip_probe.metrics.nearest import (
    ALL_OWN,
    knn_purity,
    knn_purity_other_children,
    knn_purity_other_species,
)
from bioclip_probe.metrics.neighborhoods import Question
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.sweep.cells import level_of
from bioclip_probe.stats.sweep.search import neighbor_lists
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, brownian, taxonomy
from tests.definitions import nearest as definition
from tests.support.made_up_vectors import unit_rows
from tests.support.settings import FEW
from tests.support.strategies import lineage_tables, placements
from tests.support.taxa import made_up


def balanced(n_families=10, genera=2, species=5, each=10):
    """Images of families with equally many genera, species and images."""
    lineages = [
        ("Animalia", "Chordata", f"C{family // 5}", f"O{family // 2}", f"F{family}", f"G{family}{genus}", f"g{one}")
        for family in range(n_families)
        for genus in range(genera)
        for one in range(species)
    ]
    frame = pd.DataFrame(lineages, columns=RANKS)
    frame["species"] = frame["genus"] + " " + frame["species"]
    return taxonomy(frame.loc[np.repeat(np.arange(len(frame)), each)].reset_index(drop=True))


def memoriser(placement, noise, d=64, seed=0):
    """Vectors of species at random places, which know no tree; images lie about their species."""
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((len(placement.tree), d))[placement.node]
    return unit_rows(places + noise * rng.standard_normal(places.shape)).astype(np.float32)


def estimates(function, vectors, placement, settings=FEW, **shared):
    rows = function(SharedResults(vectors, placement, settings, **shared), placement)
    return {(row.metric, row.rank): row.estimate for row in rows}


# Definitions


@st.composite
def cases(draw):
    """Few species and few places: images anywhere in a taxonomy, photographers, species in jackknife groups."""
    placement = draw(placements(taxonomy(draw(lineage_tables(max_rows=4))).tree, min_images=3, max_images=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = len(placement)
    places = unit_rows(rng.standard_normal((draw(st.integers(1, 8)), 3))).astype(np.float32)
    groups = rng.integers(-1, draw(st.integers(1, 5)), n) if draw(st.booleans()) else None
    left_out = rng.integers(0, draw(st.integers(1, 3)), len(placement.tree))[placement.node]
    return places[rng.integers(0, len(places), n)], placement, left_out, groups


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(cases(), st.integers(1, 3), st.sampled_from(RANKS), st.sampled_from(["all", "species", "children"]))
def test_purity_and_its_chance_equal_their_definitions_without_each_group(case, k, rank, among):
    vectors, placement, left_out, groups = case
    labels, unit, own, least = placement.at(rank), placement.node, None, 0
    named = labels >= 0
    if among == "species":
        own, least = unit, 1
    if among == "children":
        unit = own = placement.at(RANKS[min(RANKS.index(rank) + 1, 6)])
        named &= own >= 0
        least = level_of(rank)
    if least > level_of(rank) or (among != "all" and level_of(rank) == 0):
        return
    question = Question(neighbor_lists(vectors, placement, left_out, k, groups, named), k, level_of(rank), least)
    for group in range(-1, question.lists.n_groups):
        kept = [row for row in np.flatnonzero(named) if left_out[row] != group]
        near = definition.neighborhoods(vectors, k, kept, groups, own)
        shares, found = definition.purity(labels, near), question.scores(group)
        if not shares or len(set(labels[kept])) < 2:
            assert np.isnan(found).all()
            continue
        assert found[0] == pytest.approx(np.mean(list(shares.values())), abs=1e-9)
        if not level_of(rank):
            chances = {row: np.mean([labels[one] == labels[row] for one in near[row][0]]) for row in shares}
        elif len(set(unit[kept])) < 6:
            chances = definition.chance_over_permutations(unit, {unit[row]: labels[row] for row in kept}, near)
        else:
            continue
        assert found[1] == pytest.approx(np.mean([chances[row] for row in shares]), abs=1e-9)
        assert question.scored(group).sum() == len(shares)


@pytest.mark.parametrize("signal", [0.0, 0.2, 0.8])
def test_the_p_value_is_that_of_a_plain_permutation_of_species(signal):
    vectors, placement = made_up(20, 80, signal, 0.5)
    groups = np.random.default_rng(1).integers(-1, 30, 80)
    lists = neighbor_lists(vectors, placement, placement.node % 5, 5, groups)
    question = Question(lists, 5, level_of("class"), least=1)
    near = definition.neighborhoods(vectors, 5, range(80), groups, placement.node)
    labels = placement.at("class")
    _, first, of_row = np.unique(placement.node, return_index=True, return_inverse=True)
    tiled = np.tile(labels[first], (49, 1))
    permuted = np.random.default_rng(4).permuted(tiled, axis=1)
    observed, *null = [sum(definition.purity(row[of_row], near).values()) for row in [labels[first], *permuted]]
    expected = (1 + sum(each >= observed - 1e-6 for each in null)) / 50
    assert question.p_value(np.random.default_rng(4), 49) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no p-value"):
        Question(lists, 5, level_of("class")).p_value(np.random.default_rng(4), 49)


def test_purity_among_all_and_among_other_species_agrees_with_scikit_learn():
    vectors, placement = made_up(30, 150, 0.8, 0.5)
    labels = placement.at("family")
    found = estimates(knn_purity, vectors, placement) | estimates(knn_purity_other_species, vectors, placement)
    _, size = np.unique(labels, return_counts=True)
    several = np.isin(labels, np.unique(labels)[size > 1])
    near = NearestNeighbors(n_neighbors=5).fit(vectors).kneighbors(return_distance=False)
    expected = (labels[near] == labels[:, None]).mean(axis=1)[several].mean()
    assert found["knn_purity_5", "family"].value == pytest.approx(expected)
    shares = []
    for row in range(150):
        others = placement.node != placement.node[row]
        if np.any(labels[others] == labels[row]):
            model = NearestNeighbors(n_neighbors=5).fit(vectors[others])
            near = model.kneighbors(vectors[row : row + 1], return_distance=False)[0]
            shares.append(np.mean(labels[others][near] == labels[row]))
    assert found["knn_purity_5_other_species", "family"].value == pytest.approx(np.mean(shares))


# Known truth


def test_a_memoriser_of_species_without_a_tree_is_at_chance():
    placement = balanced()
    found = {}
    for noise in (0.05, 3.0):  # with much noise, one nearest image in several is of another species
        vectors = memoriser(placement, noise)
        found[noise] = estimates(knn_purity, vectors, placement) | estimates(
            knn_purity_other_species, vectors, placement
        )
    sure, unsure = found[0.05], found[3.0]
    assert sure["knn_purity_1", "family"].value == pytest.approx(sure["knn_purity_1", "family"].chance) == 1
    assert sure["knn_purity_1_adjusted", "family"].note == ALL_OWN
    for each, k in ((sure, 10), (unsure, 1), (unsure, 5), (unsure, 10)):
        for rank in ("family", "order", "genus"):
            adjusted, plain = each[f"knn_purity_{k}_adjusted", rank], each[f"knn_purity_{k}", rank]
            assert adjusted.ci_low < 0 < adjusted.ci_high
            assert plain.ci_low < plain.chance < plain.ci_high and plain.null == adjusted.null == "species"
    q = 9 / 99
    for each in (sure, unsure):
        for k in (1, 5, 10):
            others = each[f"knn_purity_{k}_other_species", "family"]
            assert others.chance == pytest.approx(q) and others.ci_low < q < others.ci_high
            assert others.p_value > 0.05


def test_a_tree_is_seen_among_other_species_and_other_children():
    placement = balanced(each=3)
    rng = np.random.default_rng(3)
    vectors = unit_rows(brownian(placement.tree, 64, rng)[placement.node] + rng.standard_normal((300, 64)))
    found = estimates(knn_purity_other_species, vectors, placement) | estimates(
        knn_purity_other_children, vectors, placement
    )
    for name in ("knn_purity_1_other_species", "knn_purity_10_other_species", "knn_purity_1_other_children"):
        family = found[name, "family"]
        assert family.ci_low > family.chance and family.p_value == pytest.approx(1 / 20)
    # A genus has nine others of other families, one of its own.
    assert found["knn_purity_1_other_children", "family"].chance == pytest.approx(1 / 19)
    assert found["knn_purity_1_other_children", "family"].null == "genus"


def test_a_memoriser_of_genera_is_at_chance_among_other_genera():
    placement = balanced(each=3)
    rng = np.random.default_rng(6)
    genus = rng.standard_normal((len(placement.tree), 64))[placement.at("genus")]
    vectors = unit_rows(genus + 0.3 * rng.standard_normal(genus.shape))
    others = estimates(knn_purity_other_species, vectors, placement)["knn_purity_1_other_species", "family"]
    children = estimates(knn_purity_other_children, vectors, placement)["knn_purity_1_other_children", "family"]
    assert others.value > 0.99 and children.ci_low <= children.chance <= children.ci_high


@pytest.mark.slow
def test_p_values_are_uniform_where_vectors_know_no_tree():
    placement = balanced(n_families=5, genera=2, species=3, each=3)
    p_values = []
    for seed in range(200):
        lists = neighbor_lists(memoriser(placement, 0.8, 8, seed), placement, np.zeros(90, dtype=int), 10)
        question = Question(lists, 10, level_of("family"), least=1)
        p_values.append(question.p_value(np.random.default_rng(seed), 199))
    assert kstest(p_values, "uniform").pvalue > 0.01


# Ties and order


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_order_of_images_is_irrelevant_where_many_tie(seed, n_places):
    rng = np.random.default_rng(seed)
    _, placement = made_up(15, 60)
    vectors = unit_rows(rng.standard_normal((n_places, 4)))[rng.integers(0, n_places, 60)].astype(np.float32)
    order = rng.permutation(60)
    for function in (knn_purity, knn_purity_other_species, knn_purity_other_children):
        one = estimates(function, vectors, placement)
        other = estimates(function, vectors[order], placement.take(order))
        for key, estimate in one.items():
            for field in ("value", "chance", "ci_low", "ci_high", "p_value"):
                expected = pytest.approx(getattr(estimate, field), abs=1e-9, nan_ok=True)
                assert getattr(other[key], field) == expected, (key, field)


def test_constant_vectors_give_the_share_of_candidates():
    _, placement = made_up(15, 60)
    vectors = np.tile(np.eye(1, 4, dtype=np.float32), (60, 1))
    labels = placement.at("order")
    share = [(np.sum(labels == one) - 1) / 59 for one in labels if np.sum(labels == one) > 1]
    found = estimates(knn_purity, vectors, placement)
    for k in (1, 5, 10):
        assert found[f"knn_purity_{k}", "order"].value == pytest.approx(np.mean(share))


# Claims and edges


def test_species_are_left_out_as_images_and_as_neighbours():
    vectors, placement = made_up(30, 120, 0.5, 0.5)
    shared = SharedResults(vectors, placement, replace(FEW, n_groups=6))
    jackknife = shared.jackknife()
    found = estimates(knn_purity, vectors, placement, shared.settings)["knn_purity_5", "order"]
    labels = placement.at("order")
    for group, value in enumerate(found.replicates):
        kept = np.flatnonzero(jackknife.group != group)
        near = definition.neighborhoods(vectors, 5, kept)
        assert value == pytest.approx(np.mean(list(definition.purity(labels, near).values())))
    scored = np.isin(labels, [one for one in labels if np.sum(labels == one) > 1])
    assert (found.resampled, found.n_units) == ("species", len(np.unique(placement.node[scored])))


def test_few_neighbours_of_other_species_have_no_narrow_interval():
    placement = balanced()
    few = estimates(knn_purity, memoriser(placement, 1.3), placement)["knn_purity_1_adjusted", "genus"]
    assert few.n_images < 100 and f"{few.n_images} of 1,000 images have a neighbour of another species" in few.note
    assert np.isnan(few.ci_low) or few.ci_low < 0 < few.ci_high


def test_the_adjusted_number_computes_chance_again_without_each_group():
    vectors, placement = made_up(30, 120, 0.5, 0.5)
    found = estimates(knn_purity, vectors, placement)
    plain, adjusted = found["knn_purity_5", "family"], found["knn_purity_5_adjusted", "family"]
    assert adjusted.value == pytest.approx((plain.value - plain.chance) / (1 - plain.chance))
    fixed = (plain.replicates - plain.chance) / (1 - plain.chance)
    assert not np.allclose(adjusted.replicates, fixed)
    assert adjusted.chance == 0


def test_whole_genera_can_be_left_out():
    vectors, placement = made_up(40, 160, 0.5, 0.5)
    by_genus = MeasureSettings(n_permutations=19, n_primary_permutations=19, resample="genus")
    for function in (knn_purity, knn_purity_other_species, knn_purity_other_children):
        for key, estimate in estimates(function, vectors, placement, by_genus).items():
            assert not estimate.resampled or estimate.resampled == "genus", key


def test_what_can_be_reached_is_said_of_the_plain_number_only():
    placement = balanced(each=3)
    vectors = memoriser(placement, 0.01)
    found = estimates(knn_purity, vectors, placement)
    assert found["knn_purity_10", "species"].value == pytest.approx(2 / 10)
    assert found["knn_purity_10", "species"].note.startswith("at most 0.200 can be reached")
    assert "reached" not in found["knn_purity_10_adjusted", "species"].note
    # The most that can be reached is reached whichever species are left out, which is no proof for others.
    assert 0.1 < found["knn_purity_10", "species"].ci_low < 0.2
    assert found["knn_purity_10_adjusted", "species"].ci_low < found["knn_purity_10_adjusted", "species"].value
    assert found["knn_purity_1", "species"].null == "images"
    assert found["knn_purity_1", "species"].chance == pytest.approx(2 / 299)


def test_few_species_that_can_be_right_have_no_interval_but_replicates():
    placement = balanced(n_families=3, genera=2, species=3, each=3)
    found = estimates(knn_purity_other_species, memoriser(placement, 0.5), placement)
    family = found["knn_purity_1_other_species", "family"]
    assert family.note == "no interval: 18 units (species) can be right, needs at least 20"
    assert np.isnan(family.ci_low) and np.isfinite(family.replicates).all() and np.isfinite(family.p_value)


def test_the_primary_endpoint_has_more_permutations():
    placement = balanced(each=2)
    rng = np.random.default_rng(3)
    vectors = unit_rows(brownian(placement.tree, 64, rng)[placement.node])
    found = estimates(knn_purity_other_species, vectors, placement, replace(FEW, n_primary_permutations=499))
    assert found["knn_purity_1_other_species", "family"].p_value == pytest.approx(1 / 500)
    assert found["knn_purity_1_other_species", "order"].p_value == pytest.approx(1 / 20)
    assert found["knn_purity_5_other_species", "family"].p_value == pytest.approx(1 / 20)


def test_images_of_a_photographer_are_no_neighbours():
    placement = balanced(each=4)
    vectors = memoriser(placement, 2.0)
    photographer = np.arange(len(placement)) // 2
    vectors = vectors[photographer * 2]  # the two images of a photographer are equal
    found = estimates(knn_purity, vectors, placement)
    apart = estimates(knn_purity, vectors, placement, groups=photographer)
    assert found["knn_purity_1", "species"].value == 1 > apart["knn_purity_1", "species"].value


def test_an_image_alone_in_its_taxon_is_not_scored_but_stays_a_candidate():
    frame = pd.DataFrame({"family": ["A", "A", "B", "C"], "species": ["A a", "A b", "B a", "C a"]})
    vectors = unit_rows(np.array([[1, 0], [0.9, 0.3], [0, 1], [0.98, 0.05]]))
    placement = taxonomy(frame)
    for function, name in ((knn_purity, "knn_purity_1"), (knn_purity_other_species, "knn_purity_1_other_species")):
        found = estimates(function, vectors, placement)[name, "family"]
        assert (found.value, found.n_images, found.n_taxa, found.n_excluded) == (0, 2, 1, 2)
        assert found.chance == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("families", "note"),
    [
        ([None] * 4, "no image has a name at this rank"),
        (["A", "A", "A", None], "only one taxon"),
        (["A", "B", "C", None], "every taxon has a single image"),
    ],
)
def test_undefined_says_why(families, note):
    frame = pd.DataFrame({"family": families, "species": [f"Y {letter}" for letter in "abcd"]})
    placement, vectors = taxonomy(frame), unit_rows(np.random.default_rng(0).standard_normal((4, 3)))
    found = estimates(knn_purity, vectors, placement) | estimates(knn_purity_other_species, vectors, placement)
    for name in ("knn_purity_1", "knn_purity_1_adjusted", "knn_purity_5_other_species"):
        estimate = found[name, "family"]
        other = "no image has a candidate of its taxon among other species"
        assert np.isnan(estimate.value) and estimate.n_excluded == families.count(None)
        assert estimate.note == (other if "other" in name and note.startswith("every") else note)


def test_a_phylogeny_has_no_ranks():
    _, placement = made_up(12, 24)
    tree = placement.tree
    bare = Placement(replace_ranks(tree), placement.node)
    assert all(np.isnan(row.value) for row in knn_purity(np.eye(24), bare, FEW))


def replace_ranks(tree):
    return type(tree)(tree.parent, tree.length, tree.name, np.full(len(tree), -1), "Myr")
