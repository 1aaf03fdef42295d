import math
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics import ordinal
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.binning import lca_rank
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.stats.sweep.sweep import sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, patristic_distances, taxonomy
from tests.definitions import hierarchy as definitions
from tests.definitions import retrieval as slow
from tests.support import taxa
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.taxa import DEFAULT, rng


def made_up(n_species=40, n_images=120, signal=0.8, noise=0.3, d=16, seed=0):
    generator = rng(seed)
    placement = random_taxonomy(n_species, n_images, generator)
    return signal_vectors(placement, d, signal, noise, generator), placement


def jackknife_of(placement, n_groups=20):
    """Groups of the species, or of the tips of a phylogeny."""
    return Jackknife.of("species", placement.node, rng(7), n_groups)


def rank_correlations(vectors, placement):
    rows = Rows.taxa(vectors, placement)
    return ordinal.estimate_rank_correlations(rows, jackknife_of(placement), DEFAULT)


def distance_by_lca(vectors, placement):
    rows = Rows.taxa(vectors, placement.coarsen("species"))
    return ordinal.estimate_distance_by_lca(rows, jackknife_of(placement), DEFAULT)


def image_rank_correlations(swept):
    return ordinal.estimate_image_rank_correlations(swept[0], swept[1], DEFAULT)


def lca_auc(swept):
    return ordinal.estimate_lca_auc(swept[0], swept[1], DEFAULT)


def swept(vectors, placement, n_groups=20):
    rows, jackknife = Rows.images(vectors, placement), jackknife_of(placement, n_groups)
    return sweep(rows, Replicates.jackknife(jackknife.group, jackknife.n_groups)), jackknife


def everything(vectors, placement):
    found = swept(vectors, placement, n_groups=3)
    yield from rank_correlations(vectors, placement).values()
    yield from image_rank_correlations(found).values()
    for table in (lca_auc(found), distance_by_lca(vectors, placement)):
        for row in table.values():
            yield from row.values()


def test_rank_correlations_are_their_definitions_with_the_jackknife_between_taxa():
    vectors, placement = made_up(n_species=12, n_images=40)
    found = rank_correlations(vectors, placement)
    pairing = definitions.taxon_pairing(vectors, placement)
    assert found["spearman"].value == pytest.approx(definitions.spearman(pairing), abs=1e-5)
    assert found["kendall_tau_b"].value == pytest.approx(slow.kendall_tau_b(pairing), abs=1e-5)
    group = jackknife_of(placement).group
    for name, definition in (("spearman", definitions.spearman), ("kendall_tau_b", slow.kendall_tau_b)):
        deleted = []
        for number in range(12):
            kept = np.flatnonzero(group != number)
            deleted.append(definition(definitions.taxon_pairing(vectors[kept], placement.take(kept))))
        assert found[name].replicates == pytest.approx(deleted, abs=1e-4)
        expected = jackknife_interval(found[name].value, np.array(deleted), (-1, 1))
        assert (found[name].ci_low, found[name].ci_high) == pytest.approx(expected, abs=1e-3)
        assert (found[name].resampled, found[name].chance, found[name].null) == ("species", 0, "species")


@pytest.mark.slow
def test_on_a_phylogeny_spearman_is_of_the_distances_themselves():
    from scipy.stats import kendalltau, spearmanr

    vectors, placement = made_up(80, 80)
    tree = placement.tree
    length = tree.length * rng(5).uniform(0.5, 1.5, len(tree))
    placement = Placement(Tree(tree.parent, length, tree.name, tree.rank, "Myr"), placement.node)
    taxa = centroids(vectors, placement)
    upper = np.triu_indices(80, 1)
    t = patristic_distances(taxa.tree)[upper]
    c = (1 - taxa.directions @ taxa.directions.T)[upper]
    found = rank_correlations(vectors, placement)
    assert found["spearman"].value == pytest.approx(spearmanr(t, c)[0], abs=1e-5)
    assert found["spearman"].ci_low < found["spearman"].value < found["spearman"].ci_high
    assert found["kendall_tau_b"].value == pytest.approx(kendalltau(t, c)[0], abs=0.02)
    assert found["kendall_tau_b"].note == "tree distances in 64 levels" and not found["spearman"].note


def test_the_staircase_is_its_definition():
    vectors, placement = made_up(30, 90)
    found = distance_by_lca(vectors, placement)
    expected = definitions.distances_by_lca(vectors, placement, RANKS)
    assert set(found) == set(expected)
    for rank, distances in expected.items():
        row = found[rank]
        assert row["lca_distance_mean"].value == pytest.approx(math.fsum(distances) / len(distances), abs=1e-6)
        for q in ordinal.QUANTILES:
            name = f"lca_distance_q{round(100 * q):02d}"
            assert row[name].value == pytest.approx(definitions.quantile(distances, q), abs=1e-4)
            assert row[name].note.startswith(f"{len(distances)} pairs")


@pytest.mark.slow
def test_intervals_of_the_staircase_leave_out_species():
    vectors, placement = made_up(30, 90)
    found = distance_by_lca(vectors, placement)["root"]["lca_distance_mean"]
    group, deleted = jackknife_of(placement).group, []
    for number in range(20):
        kept = np.flatnonzero(group != number)
        deleted.append(np.mean(definitions.distances_by_lca(vectors[kept], placement.take(kept), RANKS)["root"]))
    expected = jackknife_interval(found.value, np.array(deleted), (0, 2))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, abs=1e-6)


def test_the_lca_of_species_with_holes_is_the_deepest_shared_name():
    names = [
        ["A", "B", "C", None, None, "G", "G b"],
        ["A", "B", "C", None, None, "G", "G y"],
        ["A", "B", "C", "D", None, None, "H z"],
        ["A", "B", "C", "D", "E", "I", "I z"],
        [None, None, None, None, None, None, "K w"],
    ]
    placement = taxonomy(pd.DataFrame(names, columns=RANKS))
    vectors = unit_rows(rng().standard_normal((5, 4)))
    table = distance_by_lca(vectors, placement)
    found = {rank: row["lca_distance_mean"].note.split(";")[0] for rank, row in table.items()}
    assert found == {
        "genus": "1 pairs of species",
        "order": "1 pairs of species",
        "class": "4 pairs of species",
        "root": "4 pairs of species",
    }


@pytest.mark.slow
def test_an_executor_finds_the_same(monkeypatch):
    """Of every call, here as there; small sweeps are sent too, so that no machine but the workers looks at pairs."""
    vectors, placement = made_up()
    cancelled = np.concatenate([vectors, -vectors]), placement.take(np.tile(np.arange(120), 2))
    functions = (ordinal.rank_correlations, ordinal.distance_by_lca, ordinal.image_rank_correlations)
    subjects = ((vectors, placement), cancelled)

    def by(executor):
        shared = [SharedResults(*made, executor=executor) for made in subjects]
        return [repr(of(one, one.placement)) for of in functions for one in shared]  # NaN is like NaN

    here = by(None)
    monkeypatch.setattr("bioclip_probe.stats.sweep.comparison.threads_of", lambda *of: pytest.fail("compared here"))
    with ThreadPoolExecutor(2) as pool:
        assert by(pool) == here


def test_one_sweep_of_species_serves_both_metrics(monkeypatch):
    shared, calls = SharedResults(*made_up()), []
    monkeypatch.setattr(ordinal, "sweep", lambda *args: pytest.fail("swept again"))
    for of in (ordinal.rank_correlations, ordinal.distance_by_lca):
        calls.append(of(shared, shared.placement))
    assert all(np.isfinite(rows[0].value) for rows in calls)


def test_the_rank_of_a_step():
    assert [lca_rank(step) for step in range(8)] == [*reversed(RANKS), "root"]


def test_auc_compares_neighbouring_ranks():
    vectors, placement = made_up(20, 60)
    found = lca_auc(swept(vectors, placement))
    t = patristic_distances(placement.tree)
    tip = np.searchsorted(placement.tree.tips, placement.node)
    wide = vectors.astype(float)
    lists: dict[float, list[float]] = {}
    for a in range(60):
        for b in range(a):
            lists.setdefault(round(t[tip[a], tip[b]]), []).append(float(1 - wide[a] @ wide[b]))
    steps = sorted(lists)
    assert list(found) == [lca_rank(step) for step in steps[:-1]]
    for near, far in pairwise(steps):
        estimate = found[lca_rank(near)]["lca_auc"]
        assert estimate.value == pytest.approx(slow.auc(lists[near], lists[far]), abs=2e-3)
        assert 0 <= estimate.ci_low <= estimate.value <= estimate.ci_high <= 1 or math.isnan(estimate.ci_low)
        assert estimate.null == ("images" if near == 0 else "species") and estimate.chance == 0.5


@pytest.mark.slow
def test_rotation_order_and_names_leave_all_as_it_is():
    vectors, placement = made_up()
    order, rotation = rng().permutation(len(vectors)), np.linalg.qr(rng().standard_normal((16, 16)))[0]
    tree = placement.tree
    renamed = Tree(
        tree.parent, tree.length, np.array([f"x{i}" for i in range(len(tree))], dtype=object), tree.rank, tree.unit
    )
    found = list(everything(vectors, placement))
    other = list(everything((vectors @ rotation)[order], Placement(renamed, placement.node[order])))
    for a, b in zip(found, other, strict=True):
        assert a.value == pytest.approx(b.value, abs=2e-4)
        assert (a.n_images, a.n_taxa, a.n_excluded) == (b.n_images, b.n_taxa, b.n_excluded)


@pytest.mark.slow
def test_more_signal_is_more_order_and_none_is_chance():
    def values(signal):
        vectors, placement = made_up(150, 300, signal, 0.2, 64)
        images = swept(vectors, placement, n_groups=3)
        taxa = rank_correlations(vectors, placement)
        auc = lca_auc(images)["kingdom"]["lca_auc"]
        estimates = [*taxa.values(), *image_rank_correlations(images).values(), auc]
        return np.array([estimate.value for estimate in estimates])

    none, some, full = values(0.0), values(0.5), values(1.0)
    assert (none < some).all() and (some < full).all()
    assert np.abs(none[:2]).max() < 0.05 and abs(none[4] - 0.5) < 0.05


def test_the_staircase_climbs_with_signal():
    found = distance_by_lca(*made_up(300, 300, 1.0, 0.0, 256))
    means = [found[rank]["lca_distance_mean"].value for rank in (*reversed(RANKS[:-1]), "root") if rank in found]
    assert means == sorted(means) and means[-1] > 3 * means[0]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_taxa_are_no_error(n):
    _, placement = made_up(3, 3)
    vectors, placement = np.eye(3)[:n], placement.take(np.arange(n))
    for estimate in everything(vectors, placement):
        assert math.isnan(estimate.value) == bool(math.isnan(estimate.value) and estimate.note) or n == 2
    assert math.isnan(rank_correlations(vectors, placement)["spearman"].value)
    assert "at least 3 taxa" in rank_correlations(vectors, placement)["kendall_tau_b"].note


@pytest.mark.slow
def test_vectors_all_equal_and_images_that_cancel_out():
    _, placement = made_up(10, 30)
    same = np.tile(unit_rows(np.ones((1, 4))), (30, 1))
    for estimate in rank_correlations(same, placement).values():
        assert estimate.note == "tree distance or embedding distance does not vary"
    for row in lca_auc(swept(same, placement)).values():
        assert row["lca_auc"].value == 0.5
    for row in distance_by_lca(same, placement).values():
        assert row["lca_distance_mean"].value == pytest.approx(0, abs=1e-6)
    vectors, placement = made_up(10, 30)
    lost = np.flatnonzero(placement.node == placement.node[0])
    kept = np.concatenate([lost[:2], np.flatnonzero(placement.node != placement.node[0])])
    vectors = vectors[kept].copy()
    vectors[1] = -vectors[0]
    for row in distance_by_lca(vectors, placement.take(kept)).values():
        assert all("cancel out" in estimate.note for estimate in row.values())


@pytest.mark.slow
def test_image_correlations_are_their_definitions_without_each_group_too():
    vectors, placement = made_up(n_species=12, n_images=40)
    found = image_rank_correlations(swept(vectors, placement))
    group = jackknife_of(placement).group
    for name, definition in (("image_spearman", definitions.spearman), ("image_kendall_tau_b", slow.kendall_tau_b)):
        assert found[name].value == pytest.approx(definition(definitions.image_pairing(vectors, placement)), abs=1e-4)
        for number in (0, 7):
            kept = np.flatnonzero(group != number)
            expected = definition(definitions.image_pairing(vectors[kept], placement.take(kept)))
            assert found[name].replicates[number] == pytest.approx(expected, abs=1e-4)


def test_chance_of_image_correlations_is_what_recognising_species_gives():
    """Whole species in random directions know no tree, and images of one species are nearer than others."""
    generator = rng(3)
    placement = random_taxonomy(60, 60, generator).take(np.repeat(np.arange(60), 6))
    directions = unit_rows(generator.standard_normal((60, 32)))[np.repeat(np.arange(60), 6)]
    shared = SharedResults(unit_rows(directions + 1e-3 * generator.standard_normal(directions.shape)), placement)
    for row in ordinal.image_rank_correlations(shared, placement):
        assert row.estimate.chance > 0.02 and row.estimate.null == "species" and math.isnan(row.estimate.p_value)
        assert row.estimate.ci_low <= row.estimate.chance <= row.estimate.ci_high
    for row in ordinal.rank_correlations(shared, placement):
        assert row.estimate.ci_low <= row.estimate.chance == 0 <= row.estimate.ci_high


@pytest.mark.slow
def test_the_chance_levels_that_are_not_drawn_are_the_means_over_permutations_of_species():
    vectors, placement = made_up(20, 40)
    shared = SharedResults(vectors, placement)
    tips, generator, found = shared.species.tree.tips, rng(11), {}
    for _ in range(30):
        order = generator.permutation(len(tips))
        moved = Placement(placement.tree, tips[order][np.searchsorted(tips, placement.node)])
        of_images = lca_auc(swept(vectors, moved, n_groups=2))
        values = {name: row.value for name, row in rank_correlations(vectors, moved).items()}
        values |= {f"lca_auc {rank}": row["lca_auc"].value for rank, row in of_images.items() if rank != "species"}
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        chance = 0.5 if name.startswith("lca_auc") else 0.0
        error = np.std(values) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(chance, abs=4 * error), name


def test_whole_genera_are_left_out_where_the_settings_ask_for_it():
    vectors, placement = made_up()
    shared = SharedResults(vectors, placement, MeasureSettings(resample="genus"))
    functions = (ordinal.rank_correlations, ordinal.image_rank_correlations, ordinal.lca_auc, ordinal.distance_by_lca)
    for function in functions:
        assert {row.estimate.resampled for row in function(shared, placement)} == {"genus"}


def test_a_star_has_no_rank_correlation():
    star = Tree(np.array([-1, 0, 0, 0, 0]), np.array([0, 1.0, 1, 1, 1]), np.array(list("rabcd"), object), [-1] * 5)
    found = rank_correlations(np.eye(4), Placement(star, np.arange(1, 5)))
    assert all("does not vary" in estimate.note for estimate in found.values())


def test_spearman_is_its_definition():
    vectors, placement = taxa.made_up(n_species=25)
    expected = definitions.spearman(definitions.taxon_pairing(vectors, placement))
    assert rank_correlations(vectors, placement)["spearman"].value == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_row_order_and_rotation_leave_the_staircase():
    vectors, placement = taxa.made_up()
    order, rotation = rng().permutation(len(vectors)), np.linalg.qr(rng().standard_normal((16, 16)))[0]
    found, turned = (
        distance_by_lca(vectors, placement),
        distance_by_lca((vectors @ rotation)[order], placement.take(order)),
    )
    for rank, row in found.items():
        for name, estimate in row.items():
            assert turned[rank][name].value == pytest.approx(estimate.value, abs=1e-4)


@pytest.mark.slow
def test_the_staircase_climbs_with_signal_and_is_flat_without():
    def means(signal: float) -> list[float]:
        found = distance_by_lca(*taxa.made_up(300, 300, signal, 0.0, 256))
        return [found[rank]["lca_distance_mean"].value for rank in (*reversed(RANKS[:-1]), "root") if rank in found]

    full = means(1.0)
    assert full == sorted(full) and full[-1] > 3 * full[0]
    assert np.ptp(means(0.0)) < 0.05


def test_every_pair_counts_once():
    vectors, placement = taxa.made_up(20, 20)
    pairs = sum(int(row["lca_distance_mean"].note.split()[0]) for row in distance_by_lca(vectors, placement).values())
    assert pairs == len(list(combinations(range(20), 2)))
