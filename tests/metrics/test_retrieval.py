import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics import kinship, retrieval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.binning import lca_rank
from bioclip_probe.stats.sweep.sweep import sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, patristic_distances, taxonomy
from tests.definitions import retrieval as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.taxa import DEFAULT, rng


def precision_by_rank(vectors, placement, swept=None, executor=None):
    return retrieval.estimate_precision_by_rank(vectors, placement, rng(), DEFAULT, swept, executor)


def made_up(n_species=15, n_images=60, signal=0.8, noise=0.5, d=6, seed=0):
    generator = rng(seed)
    placement = random_taxonomy(n_species, n_images, generator)
    return signal_vectors(placement, d, signal, noise, generator), placement


def swept(vectors, placement, groups=None):
    return sweep(Rows.images(vectors, placement.coarsen("species")), anchors=True, k=10, groups=groups)


def everything(vectors, placement, groups=None):
    found = swept(vectors, placement, groups)
    for table in (
        retrieval.estimate_triplet_accuracy(found, rng(), DEFAULT),
        precision_by_rank(vectors, placement, found),
    ):
        for rank, row in table.items():
            for name, estimate in row.items():
                yield f"{name} {rank}", estimate
    yield "hierarchical_ap", retrieval.estimate_hierarchical_ap(found, rng(), DEFAULT)
    yield from kinship.estimate_lca_depth(found, rng(), DEFAULT).items()
    yield "mistake_severity", kinship.estimate_mistake_severity(found, rng(), DEFAULT)


def steps_between(placement):
    """Ranks below the common ancestor of the species of any two images."""
    species = placement.coarsen("species")
    tip = np.searchsorted(species.tree.tips, species.node)
    return patristic_distances(species.tree)[np.ix_(tip, tip)].round(6)


def lists(vectors, steps):
    wide = vectors.astype(float)
    for a in range(len(wide)):
        yield [(float(steps[a, b]), float(1 - wide[a] @ wide[b])) for b in range(len(wide)) if b != a]


@pytest.mark.slow
def test_triplets_precision_and_hierarchical_ap_are_their_definitions():
    vectors, placement = made_up()
    steps = steps_between(placement)
    occurring = sorted({0.0, *np.unique(steps).tolist()})
    found = dict(everything(vectors, placement))
    every = list(lists(vectors, steps))
    for step in occurring[:-1]:
        right, total = np.sum([definitions.triplets(others, step) for others in every], axis=0)
        estimate = found[f"triplet_accuracy {lca_rank(step)}"]
        assert estimate.value == pytest.approx(right / total, abs=1e-3)
        assert estimate.ci_low <= estimate.value <= estimate.ci_high and estimate.chance == 0.5
    for number, rank in enumerate(RANKS):
        step = len(RANKS) - 1 - number
        scored = [others for others in every if any(t <= step for t, _ in others)]
        for name in ("average_precision", "r_precision"):
            expected = np.mean([getattr(definitions, name)(others, step) for others in scored])
            assert found[f"{name} {rank}"].value == pytest.approx(expected, abs=3e-3)
            assert found[f"{name} {rank}"].n_excluded == len(every) - len(scored)
    expected = np.nanmean([definitions.hierarchical_ap(others, occurring) for others in every])
    assert found["hierarchical_ap"].value == pytest.approx(expected, abs=3e-3)


def test_with_two_levels_hierarchical_ap_is_average_precision():
    rows = [["A", "B", "C", "D", "E", f"G{i % 4}", f"G{i % 4} x"] for i in range(24)]
    placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
    found = dict(everything(unit_rows(rng().standard_normal((24, 4))), placement))
    assert found["hierarchical_ap"].value == pytest.approx(found["average_precision species"].value)
    assert found["hierarchical_ap"].chance == pytest.approx(found["average_precision species"].chance)


@pytest.mark.slow
def test_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score

    vectors, placement = made_up(n_images=200)
    genus, wide = placement.at("family"), vectors.astype(float)
    similarity = wide @ wide.T
    others = ~np.eye(200, dtype=bool)
    expected = [
        average_precision_score(genus[others[a]] == genus[a], similarity[a, others[a]])
        for a in range(200)
        if np.sum(genus == genus[a]) > 1
    ]
    found = precision_by_rank(vectors, placement, swept(vectors, placement))["family"]
    assert found["average_precision"].value == pytest.approx(np.mean(expected), abs=1e-3)


def test_chance_is_met_by_vectors_without_signal():
    placement = random_taxonomy(40, 400, rng())
    found = dict(everything(unit_rows(rng(1).standard_normal((400, 32))).astype(np.float32), placement))
    for name, estimate in found.items():
        if math.isfinite(estimate.value):
            scale = 7.0 if name.startswith(("neighbour", "mistake")) else 1.0
            assert estimate.value == pytest.approx(estimate.chance, abs=0.05 * scale), name


def test_perfect_neighbours_reach_the_ends():
    placement = random_taxonomy(12, 60, rng())
    species = np.unique(placement.node, return_inverse=True)[1]
    vectors = np.eye(12)[species]
    found = dict(everything(vectors, placement))
    assert found["average_precision species"].value == pytest.approx(1)
    assert found["r_precision species"].value == pytest.approx(1)
    assert found["triplet_accuracy species"].value == pytest.approx(1)
    assert found["triplet_accuracy kingdom"].value == pytest.approx(0.5)


def test_one_sweep_or_one_for_each_rank_is_the_same():
    vectors, placement = made_up()
    one = precision_by_rank(vectors, placement, swept(vectors, placement))
    each = precision_by_rank(vectors, placement)
    for rank in RANKS:
        for name in one[rank]:
            assert one[rank][name].value == pytest.approx(each[rank][name].value, abs=1e-9)
            assert one[rank][name].chance == pytest.approx(each[rank][name].chance, abs=1e-9)


@pytest.mark.slow
def test_an_executor_finds_the_same(monkeypatch):
    vectors, placement = made_up()
    here = precision_by_rank(vectors, placement)
    monkeypatch.setattr("bioclip_probe.stats.sweep.sweep._threads", lambda n: pytest.fail("looked at pairs here"))
    with ThreadPoolExecutor(2) as pool:
        assert precision_by_rank(vectors, placement, executor=pool) == here


def test_an_image_without_a_name_takes_no_part_at_that_rank():
    rows = [["A", "B", "C", "D", "E", f"G{i % 3}", f"G{i % 3} x"] for i in range(12)]
    rows[0][6] = None  # known to its genus
    rows[1][4] = None  # a hole at family
    placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
    vectors = unit_rows(rng().standard_normal((12, 4)))
    found = precision_by_rank(vectors, placement, swept(vectors, placement))
    species = found["species"]["average_precision"]
    assert (species.n_images, species.n_excluded) == (10, 2)  # its path sets the one with a hole apart from the others
    genus = found["genus"]["average_precision"]
    taxa = placement.at("genus")
    every = [
        [(float(taxa[b] != taxa[a]), float(1 - vectors[a] @ vectors[b])) for b in range(12) if b != a]
        for a in range(12)
        if np.sum(taxa == taxa[a]) > 1
    ]
    expected = np.mean([definitions.average_precision(others, 0) for others in every])
    assert genus.value == pytest.approx(expected, abs=1e-6) and genus.n_images == len(every)
    assert found["family"]["average_precision"].note == "only one taxon"


def test_rotation_order_and_names_leave_all_as_it_is():
    vectors, placement = made_up()
    order, rotation = rng().permutation(60), np.linalg.qr(rng().standard_normal((6, 6)))[0]
    tree = placement.tree
    names = np.array([f"x{i}" for i in range(len(tree))], dtype=object)
    other = Placement(Tree(tree.parent, tree.length, names, tree.rank, tree.unit), placement.node[order])
    groups = rng(4).integers(-1, 12, 60)
    found = dict(everything(vectors, placement, groups))
    turned = dict(everything((vectors @ rotation)[order], other, groups[order]))
    assert set(found) == set(turned)
    for name, estimate in found.items():
        assert turned[name].value == pytest.approx(estimate.value, abs=2e-3, nan_ok=True), name


def test_more_signal_is_better_retrieval():
    low, high = (dict(everything(*made_up(40, 200, 0.9, noise, 32))) for noise in (2.0, 0.2))
    for name in ("hierarchical_ap", "neighbour_lca_depth_1", "average_precision family", "triplet_accuracy species"):
        assert low[name].value < high[name].value


@pytest.mark.parametrize(
    ("rows", "notes"),
    [
        ([["A"] * 6 + ["A x"]], {"only one taxon", "needs at least 2 images", "no image has a candidate"}),
        ([["A"] * 6 + ["A x"]] * 5, {"only one taxon", "no two images share a taxon"}),
        (
            [["A"] * 6 + [f"A {c}"] for c in "wxyz"],
            {"only one taxon", "every taxon has a single image", "no two images share a taxon"},
        ),
    ],
)
def test_degenerate_data_say_what_they_lack(rows, notes):
    placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
    for _, estimate in everything(np.eye(8)[: len(rows)], placement):
        assert math.isfinite(estimate.value) or estimate.note in notes


def test_equal_vectors_are_at_chance():
    _, placement = made_up()
    same = np.tile(unit_rows(np.ones((1, 4))), (60, 1))
    for name, estimate in everything(same, placement):
        if name.startswith(("triplet", "average", "r_prec", "hier")) and math.isfinite(estimate.value):
            assert estimate.value == pytest.approx(estimate.chance)


def test_a_sweep_without_what_is_asked_for_is_an_error():
    vectors, placement = made_up()
    bare = sweep(Rows.images(vectors, placement))
    with pytest.raises(ValueError, match="anchors=True"):
        retrieval.estimate_hierarchical_ap(bare, rng(), DEFAULT)
    with pytest.raises(ValueError, match="pass k"):
        kinship.estimate_mistake_severity(bare, rng(), DEFAULT)
