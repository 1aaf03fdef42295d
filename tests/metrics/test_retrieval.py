import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics import retrieval
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep import scoring
from bioclip_probe.stats.sweep.binning import lca_rank
from bioclip_probe.stats.sweep.sweep import sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, Tree, patristic_distances, taxonomy
from tests.definitions import retrieval as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.taxa import DEFAULT, rng


def made_up(n_species=15, n_images=60, signal=0.8, noise=0.5, d=6, seed=0):
    generator = rng(seed)
    placement = random_taxonomy(n_species, n_images, generator)
    return signal_vectors(placement, d, signal, noise, generator), placement


def everything(vectors, placement, settings=DEFAULT, executor=None):
    shared = SharedResults(np.asarray(vectors, dtype=np.float32), placement, settings, executor=executor)
    functions = (retrieval.triplet_accuracy, retrieval.precision_by_rank, retrieval.hierarchical_ap)
    rows = [row for function in functions for row in function(shared, placement)]
    return {f"{row.metric} {row.rank}": row.estimate for row in rows}


def steps_between(placement):
    """Ranks below the common ancestor of the species of any two images."""
    species = placement.coarsen("species")
    tip = np.searchsorted(species.tree.tips, species.node)
    return patristic_distances(species.tree)[np.ix_(tip, tip)].round(6)


def lists(vectors, steps, apart=None):
    wide, apart = vectors.astype(float), np.ones(steps.shape, bool) if apart is None else apart
    for a in range(len(wide)):
        yield [(float(steps[a, b]), float(1 - wide[a] @ wide[b])) for b in range(len(wide)) if b != a and apart[a, b]]


PRECISIONS = ("average_precision", "r_precision")


def expected_values(vectors, steps, occurring, apart=None):
    """All numbers from the lists of the anchors, by metric and rank; `apart` are the pairs that are no copies."""
    every, expected = list(lists(vectors, steps, apart)), {}
    for step in occurring[:-1]:
        right, total = np.sum([definitions.triplets(others, step) for others in every], axis=0)
        expected[f"triplet_accuracy {lca_rank(step)}"] = right / total if total else math.nan
    for number, rank in enumerate(RANKS):
        step = len(RANKS) - 1 - number
        for suffix, every_list in (("", every), ("_other_species", [definitions.other_species(one) for one in every])):
            scored = [others for others in every_list if any(t <= step for t, _ in others)]
            for name in PRECISIONS if step or not suffix else ():
                values = [getattr(definitions, name)(others, step) for others in scored]
                expected[f"{name}{suffix} {rank}"] = np.mean(values) if values else math.nan
    expected["hierarchical_ap species"] = np.nanmean([definitions.hierarchical_ap(one, occurring) for one in every])
    return expected


@pytest.mark.slow
def test_triplets_precision_and_hierarchical_ap_are_their_definitions_without_each_group_too():
    vectors, placement = made_up(n_species=15, n_images=45)
    steps = steps_between(placement)
    occurring = sorted({0.0, *np.unique(steps).tolist()})
    settings = MeasureSettings(n_groups=5)
    found = everything(vectors, placement, settings)
    for name, value in expected_values(vectors, steps, occurring).items():
        assert found[name].value == pytest.approx(value, abs=3e-3, nan_ok=True), name
    group = SharedResults(vectors, placement, settings).jackknife().group
    for left_out in range(5):
        kept = np.flatnonzero(group != left_out)
        for name, value in expected_values(vectors[kept], steps[np.ix_(kept, kept)], occurring).items():
            if found[name].replicates is not None:
                got = found[name].replicates[left_out]
                # Without two taxa there is no precision; the coarse bins of the jackknife are wider.
                assert got == pytest.approx(value, abs=0.015) or math.isnan(got), (name, left_out)


def test_the_number_of_anchors_without_a_score_is_given():
    vectors, placement = made_up()
    steps = steps_between(placement)
    found = everything(vectors, placement)
    for number, rank in enumerate(RANKS):
        step = len(RANKS) - 1 - number
        of_taxon = (steps <= step).sum(axis=1) - 1
        assert found[f"average_precision {rank}"].n_excluded == np.sum(of_taxon == 0)
        if step:
            estimate = found[f"average_precision_other_species {rank}"]
            n_scored = np.sum(of_taxon > (steps == 0).sum(axis=1) - 1)
            assert (estimate.n_images, estimate.n_excluded) == (n_scored, 60 - n_scored) or not n_scored


def test_with_two_levels_hierarchical_ap_is_average_precision():
    rows = [["A", "B", "C", "D", "E", f"G{i % 4}", f"G{i % 4} minor"] for i in range(24)]
    placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
    found = everything(unit_rows(rng().standard_normal((24, 4))), placement)
    assert found["hierarchical_ap species"].value == pytest.approx(found["average_precision species"].value)


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
    found = everything(vectors, placement)["average_precision family"]
    assert found.value == pytest.approx(np.mean(expected), abs=1e-3)


def test_vectors_without_signal_reach_chance_or_less():
    """Without species too, they are at chance where it is of images or among other species, and below it elsewhere."""
    placement = random_taxonomy(40, 400, rng())
    found = everything(unit_rows(rng(1).standard_normal((400, 32))), placement)
    for name, estimate in found.items():
        if name.endswith("_other_species") or name.startswith("triplet") or estimate.null == "images":
            assert estimate.value == pytest.approx(estimate.chance, abs=0.05, nan_ok=True), name
        else:
            assert estimate.value < estimate.chance + 0.02, name


def memoriser(seed=0, n_species=100, each=10, scatter=1e-3):
    """A model that knows each species by heart and no tree: species in random directions, images close to them."""
    generator = rng(seed)
    placement = random_taxonomy(n_species, n_species, generator).take(np.repeat(np.arange(n_species), each))
    directions = unit_rows(generator.standard_normal((n_species, 64)))[np.repeat(np.arange(n_species), each)]
    return unit_rows(directions + scatter * generator.standard_normal(directions.shape)), placement


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_memoriser_of_species_without_a_tree_is_at_chance_above_species(seed):
    found = everything(*memoriser(seed))
    for name, estimate in found.items():
        if estimate.null == "species" and estimate.n_units >= 10 and estimate.n_images >= 300:
            assert estimate.ci_low <= estimate.chance <= estimate.ci_high, name
    assert found["hierarchical_ap species"].chance > 0.4  # what recognising species alone reaches
    for name in ("average_precision species", "r_precision species", "triplet_accuracy species"):
        assert found[name].null == "images"
        assert found[name].value == pytest.approx(1) and found[name].ci_low > found[name].chance


@pytest.mark.slow
def test_the_species_null_is_the_mean_over_trees_whose_species_are_permuted():
    vectors, placement = made_up(n_species=20, n_images=80)
    settings = MeasureSettings(n_null_permutations=60)
    found = everything(vectors, placement, settings)
    species, generator, moved = placement.coarsen("species"), rng(9), []
    tips = species.tree.tips
    for _ in range(60):
        order = generator.permutation(len(tips))
        moved.append(everything(vectors, Placement(placement.tree, tips[order][np.searchsorted(tips, species.node)])))
    for name in ("average_precision class", "r_precision_other_species phylum", "hierarchical_ap species"):
        values = [one[name].value for one in moved]
        error = np.std(values) * np.sqrt(2 / 60)
        assert found[name].chance == pytest.approx(np.mean(values), abs=4 * error), name
    ratios = [one["triplet_accuracy phylum"].value for one in moved]
    assert np.mean(ratios) == pytest.approx(0.5, abs=4 * np.std(ratios) / np.sqrt(60))


def test_few_anchors_estimate_the_same_null():
    vectors, placement = made_up(n_species=40, n_images=400)
    whole, part = (everything(vectors, placement, MeasureSettings(n_null_anchors=n)) for n in (400, 100))
    for name, estimate in whole.items():
        assert part[name].value == pytest.approx(estimate.value, nan_ok=True)
        assert part[name].chance == pytest.approx(estimate.chance, abs=0.05, nan_ok=True), name
        assert (part[name].chance != estimate.chance) == (estimate.null == "species" and estimate.chance != 0.5)


def test_perfect_neighbours_reach_the_ends():
    placement = random_taxonomy(12, 60, rng())
    species = np.unique(placement.node, return_inverse=True)[1]
    vectors = np.eye(12)[species]
    found = everything(vectors, placement)
    assert found["average_precision species"].value == pytest.approx(1)
    assert found["r_precision species"].value == pytest.approx(1)
    assert found["triplet_accuracy species"].value == pytest.approx(1)
    assert found["triplet_accuracy kingdom"].value == pytest.approx(0.5)


def test_one_sweep_or_one_for_each_rank_is_the_same():
    vectors, placement = made_up()
    one = everything(vectors, placement)
    jackknife, shared = SharedResults(vectors, placement).jackknife(), SharedResults(vectors, placement)
    for rank in RANKS:
        alone = shared.sweep_among_named(rank)
        for name, estimate in retrieval.estimate_precision(alone, placement, rank, jackknife, DEFAULT).items():
            expected = one[f"{name} {rank}"]
            assert estimate.value == pytest.approx(expected.value, abs=1e-9, nan_ok=True)
            assert estimate.n_excluded == expected.n_excluded and estimate.null == expected.null
            assert estimate.chance == pytest.approx(expected.chance, abs=0.05, nan_ok=True)
            assert estimate.ci_low == pytest.approx(expected.ci_low, abs=1e-6, nan_ok=True)


@pytest.mark.slow
def test_an_executor_finds_the_same(monkeypatch):
    vectors, placement = made_up()
    here = everything(vectors, placement)
    monkeypatch.setattr("bioclip_probe.stats.sweep.comparison.threads_of", lambda *of: pytest.fail("compared here"))
    with ThreadPoolExecutor(2) as pool:
        assert repr(everything(vectors, placement, executor=pool)) == repr(here)


def test_an_image_without_a_name_takes_no_part_at_that_rank():
    rows = [["A", "B", "C", "D", "E", f"G{i % 3}", f"G{i % 3} minor"] for i in range(12)]
    rows[0][6] = None  # known to its genus
    rows[1][4] = None  # a hole at family
    placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
    vectors = unit_rows(rng().standard_normal((12, 4)))
    found = everything(vectors, placement)
    species = found["average_precision species"]
    assert (species.n_images, species.n_excluded) == (10, 2)  # its path sets the one with a hole apart from the others
    genus = found["average_precision genus"]
    taxa = placement.at("genus")
    every = [
        [(float(taxa[b] != taxa[a]), float(1 - vectors[a] @ vectors[b])) for b in range(12) if b != a]
        for a in range(12)
        if np.sum(taxa == taxa[a]) > 1
    ]
    expected = np.mean([definitions.average_precision(others, 0) for others in every])
    assert genus.value == pytest.approx(expected, abs=1e-6) and genus.n_images == len(every)
    assert found["average_precision family"].note == "only one taxon"
    assert genus.null == "species" and math.isfinite(genus.chance)


def test_rotation_order_and_names_leave_all_as_it_is():
    vectors, placement = made_up()
    order, rotation = rng().permutation(60), np.linalg.qr(rng().standard_normal((6, 6)))[0]
    tree = placement.tree
    names = np.array([f"x{i}" for i in range(len(tree))], dtype=object)
    other = Placement(Tree(tree.parent, tree.length, names, tree.rank, tree.unit), placement.node[order])
    found, turned = everything(vectors, placement), everything((vectors @ rotation)[order], other)
    assert set(found) == set(turned)
    for name, estimate in found.items():
        assert turned[name].value == pytest.approx(estimate.value, abs=2e-3, nan_ok=True), name


def test_more_signal_is_better_retrieval():
    low, high = (everything(*made_up(40, 200, 0.9, noise, 32)) for noise in (2.0, 0.2))
    names = ("average_precision", "r_precision", "average_precision_other_species", "r_precision_other_species")
    for name in ("hierarchical_ap species", "triplet_accuracy species", *(f"{name} family" for name in names)):
        assert low[name].value < high[name].value


@pytest.mark.parametrize(
    ("rows", "notes"),
    [
        ([["A"] * 6 + ["A b"]], {"only one taxon", "needs at least 2 images"}),
        ([["A"] * 6 + ["A b"]] * 5, {"only one taxon", "no two images share a taxon"}),
        (
            [["A"] * 6 + [f"A {c}"] for c in "abcd"],
            {"only one taxon", "every taxon has a single image", "no two images share a taxon"},
        ),
    ],
)
def test_degenerate_data_say_what_they_lack(rows, notes):
    placement = taxonomy(pd.DataFrame(rows, columns=RANKS))
    for estimate in everything(np.eye(8)[: len(rows)], placement).values():
        assert math.isfinite(estimate.value) or estimate.note in notes


def test_equal_vectors_are_at_the_chance_of_images_and_below_that_of_species():
    _, placement = made_up()
    for name, estimate in everything(np.tile(unit_rows(np.ones((1, 4))), (60, 1)), placement).items():
        # Where all vectors are equal, a permutation of species changes the numbers of images in taxa only.
        close = 0.0 if estimate.null == "images" or name.startswith("triplet") else 0.1
        assert estimate.value == pytest.approx(estimate.chance, abs=close + 1e-9, nan_ok=True), name


def test_one_group_that_holds_a_whole_kingdom_leaves_no_interval():
    rows = [["A" if i % 12 else "B", "B", "C", "D", "E", "F", f"F s{i % 12}"] for i in range(48)]
    found = everything(unit_rows(rng().standard_normal((48, 4))), taxonomy(pd.DataFrame(rows, columns=RANKS)))
    kingdom = found["average_precision kingdom"]
    assert math.isnan(kingdom.ci_low) and "without some of the units" in kingdom.note


def test_a_number_that_few_species_have_says_how_many_and_has_no_interval():
    vectors, placement = memoriser(n_species=60, each=3)
    found = everything(vectors, placement)
    n_units = {}
    for rank in RANKS[:-1]:
        taxa = placement.at(rank)
        with_relatives = [taxon for taxon in set(taxa) if len(set(placement.node[taxa == taxon])) > 1]
        n_species = len(np.unique(placement.node[np.isin(taxa, with_relatives)]))
        estimate = found[f"average_precision_other_species {rank}"]
        if n_species:
            assert (estimate.n_units, estimate.n_images) == (n_species, 3 * n_species)
            assert math.isnan(estimate.ci_low) == (n_species < 10)
        assert found[f"average_precision {rank}"].n_units == 60
        n_units[rank] = n_species
    assert any(0 < n < 10 for n in n_units.values()) and any(n > 10 for n in n_units.values())


def test_whole_genera_are_left_out_where_the_settings_ask_for_it():
    vectors, placement = made_up(40, 200)
    for estimate in everything(vectors, placement, MeasureSettings(resample="genus")).values():
        assert estimate.resampled == "genus" or math.isnan(estimate.value)


def test_a_sweep_without_what_is_asked_for_is_an_error():
    vectors, placement = made_up()
    bare = sweep(Rows.images(vectors, placement))
    with pytest.raises(ValueError, match="anchors=True"):
        retrieval.estimate_triplet_accuracy(bare, SharedResults(vectors, placement).jackknife(), DEFAULT)


def with_copies(seed=3):
    """Return made-up images of which every fifth is a copy of the one before it, or carries another species' name."""
    vectors, placement = made_up(n_species=12, n_images=40, seed=seed)
    order = np.arange(40)
    order[5::5] = order[4:-1:5]
    picture = np.where(np.isin(order, order[5::5]), order, -1)
    named = placement.take(np.where(np.arange(40) == 35, 0, order))  # one copy has the name of the first image
    return vectors[order].astype(np.float32), named, picture


def test_copies_of_an_anchor_take_no_part_in_its_scores():
    vectors, placement, picture = with_copies()
    steps, settings = steps_between(placement), MeasureSettings(n_groups=5)
    occurring = sorted({0.0, *np.unique(steps).tolist()})
    shared = SharedResults(vectors, placement, settings, copies=picture)
    functions = (retrieval.triplet_accuracy, retrieval.precision_by_rank, retrieval.hierarchical_ap)
    found = {f"{row.metric} {row.rank}": row.estimate for function in functions for row in function(shared, placement)}
    apart = (picture[:, None] != picture) | (picture < 0)
    for name, value in expected_values(vectors, steps, occurring, apart).items():
        assert found[name].value == pytest.approx(value, abs=3e-3, nan_ok=True), name
    with_them = everything(vectors, placement, settings)["average_precision species"]
    assert with_them.value > found["average_precision species"].value


def test_copies_take_no_part_without_a_group_of_the_jackknife_either():
    vectors, placement, picture = with_copies()
    shared = SharedResults(vectors, placement, MeasureSettings(n_groups=4), copies=picture)
    exact = [scoring.TRIPLETS, scoring.SCORED, scoring.SCORED_OTHER, scoring.SIZE]  # they do not depend on bins
    for left_out, sums in enumerate(shared.image_sweep.without_group):
        kept = np.flatnonzero(shared.jackknife().group != left_out)
        alone = SharedResults(vectors[kept], placement.take(kept), copies=picture[kept]).image_sweep
        level = np.searchsorted(shared.image_sweep.joint.steps, alone.joint.steps - 0.5)
        np.testing.assert_allclose(sums[exact][:, level], alone.sums[exact])


def test_copies_take_no_part_on_permuted_trees_either():
    """A species whose images are all of one picture finds none of its own, whatever tip it is moved to."""
    vectors, placement = memoriser(n_species=40, each=2)
    wide, copies = vectors.astype(np.float32), np.repeat(np.arange(40), 2)
    without, with_them = (
        {f"{row.metric} {row.rank}": row.estimate for row in retrieval.precision_by_rank(shared, placement)}
        for shared in (SharedResults(wide, placement, copies=copies), SharedResults(wide, placement))
    )
    assert without["r_precision species"].note == retrieval.SINGLE_IMAGES
    assert without["r_precision class"].chance < with_them["r_precision class"].chance - 0.1
    other = "r_precision_other_species class"
    assert without[other].chance == pytest.approx(with_them[other].chance)


def test_numbers_of_copies_that_no_two_images_share_change_nothing():
    vectors, placement = made_up()
    of_each = SharedResults(np.asarray(vectors, np.float32), placement, copies=np.arange(60))
    alike = SharedResults(np.asarray(vectors, np.float32), placement)
    np.testing.assert_array_equal(of_each.image_sweep.scores, alike.image_sweep.scores)
    np.testing.assert_array_equal(of_each.image_sweep.without_group, alike.image_sweep.without_group)
