import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import dendrogram, dendrogram_clades
from bioclip_probe.metrics.dendrogram import COPHENETIC, TRIPLETS
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sampled_dendrograms import SampledDendrograms
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, brownian, taxonomy
from bioclip_probe.tree.newick import parse_newick
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_on_trees
from tests.support.taxa import rng

FEW_HALVES = MeasureSettings(n_half_samples=12)


def drawn(vectors, placement, settings=FEW_HALVES, units=None):
    """Return the dendrograms of vectors, and the jackknife that they are drawn by."""
    units = ("species", placement.node) if units is None else (units, placement.at(units))
    jackknife = Jackknife.of(*units, rng(), settings.n_groups, dated=placement.tree.unit != "rank")
    taxa = Rows.taxa(vectors, placement)
    n_halves = settings.n_half_samples if len(taxa.vectors) <= settings.max_dendrogram_species else 0
    return SampledDendrograms.of(taxa, jackknife, n_halves, rng()), jackknife


def dendrogram_agreement(vectors, placement, settings=FEW_HALVES, units=None):
    return dendrogram.estimate_dendrogram_agreement(*drawn(vectors, placement, settings, units), settings)


def clade_recovery(vectors, placement, settings=FEW_HALVES, units=None):
    return dendrogram_clades.estimate_clade_recovery(*drawn(vectors, placement, settings, units), settings)


def dendrogram_purity(vectors, placement, labels, units=None):
    dendrograms, jackknife = drawn(vectors, placement, units=units)
    return dendrogram.estimate_dendrogram_purity(dendrograms, labels, jackknife, FEW_HALVES)


def taxon_recall(vectors, placement, labels):
    dendrograms, jackknife = drawn(vectors, placement)
    return dendrogram_clades.estimate_taxon_recall(dendrograms, labels, jackknife, FEW_HALVES)


# The metrics.


def made(strength: float = 1.0, n_species: int = 60, seed: int = 0):
    placement = random_taxonomy(n_species, 3 * n_species, rng(seed))
    return signal_vectors(placement, 12, strength, 0.1, rng(seed + 1)), placement


def labels(placement: Placement) -> dict[str, np.ndarray]:
    return {rank: placement.at(rank) for rank in RANKS[:-1]}


def everything(vectors, placement):
    found = dendrogram_agreement(vectors, placement) | clade_recovery(vectors, placement)
    by_rank = {f"recall {rank}": each for rank, each in taxon_recall(vectors, placement, labels(placement)).items()}
    return found | dendrogram_purity(vectors, placement, labels(placement)) | by_rank


@pytest.mark.slow
@settings(max_examples=60)
@given(vectors_on_trees())
def test_any_input_gives_numbers_within_bounds_or_says_why(case):
    vectors, placement = case
    for name, found in everything(vectors, placement).items():
        assert found.note or not math.isnan(found.value)
        low, high = dendrogram.BOUNDS.get(name, (0, 1))
        if not math.isnan(found.value):
            assert low - 1e-12 <= found.value <= high + 1e-12
            assert low - 1e-12 <= found.chance <= high + 1e-12 and found.null == "species"
            assert math.isnan(found.ci_low) or low <= found.ci_low <= found.ci_high <= high


@pytest.mark.slow
def test_more_signal_agrees_more_and_none_is_chance():
    weak, strong = (everything(*made(strength)) for strength in (0.0, 1.0))
    for name, found in strong.items():
        if not math.isnan(found.value):
            more = weak[name].value - found.value if name == "robinson_foulds" else found.value - weak[name].value
            assert more > 0 or (more == 0 and name.startswith("recall")), name
    assert weak[COPHENETIC].value == pytest.approx(0, abs=0.15)
    assert weak[TRIPLETS].value == pytest.approx(1 / 3, abs=0.08)
    for rank in ("family", "order", "phylum"):
        assert weak[rank].value == pytest.approx(weak[rank].chance, abs=0.1)
        assert strong[rank].value > strong[rank].chance + 0.15


@pytest.mark.slow
def test_a_memoriser_of_species_without_a_tree_is_at_chance():
    """Its interval holds the chance level, and over draws its numbers are chance on average."""
    beyond = {}
    for seed in range(12):
        placement = random_taxonomy(60, 180, rng(seed))
        of_species = rng(100 + seed).standard_normal((len(placement.tree), 24))
        vectors = unit_rows(of_species[placement.node] + 0.1 * rng(seed).standard_normal((180, 24)))
        for name, found in everything(vectors, placement).items():
            held = not (found.ci_low > found.chance or found.ci_high < found.chance)
            beyond.setdefault(name, []).append((found.value - found.chance, held))
    for name in (COPHENETIC, TRIPLETS, "order", "family", "robinson_foulds", "clade_precision", "recall family"):
        differences, held = zip(*beyond[name], strict=True)
        assert abs(np.mean(differences)) < 4 * np.std(differences) / np.sqrt(12) + 0.005, name
        assert np.mean(held) > 0.8, name


@pytest.mark.slow
def test_rotation_order_and_inputs():
    vectors, placement = made()
    before = vectors.copy()
    expected = everything(vectors, placement)
    assert np.array_equal(vectors, before)
    rotation = np.linalg.qr(rng(5).standard_normal((12, 12)))[0]
    order = rng(6).permutation(len(vectors))
    for other in (everything(vectors @ rotation, placement), everything(vectors[order], placement.take(order))):
        for name, found in expected.items():
            same = (other[name].value, other[name].chance, other[name].ci_low)
            assert same == pytest.approx((found.value, found.chance, found.ci_low), abs=1e-6, nan_ok=True)


def test_intervals_are_those_of_random_halves_of_the_units():
    vectors, placement = made()
    found = dendrogram_agreement(vectors, placement, units="family")
    assert {estimate.resampled for estimate in found.values()} == {"family"}
    assert found[TRIPLETS].ci_method == "half-sampling, 12 halves of the units"
    assert found[TRIPLETS].n_units == len(np.unique(placement.at("family"))) and len(found[TRIPLETS].replicates) == 12
    dendrograms, _ = drawn(vectors, placement, units="family")
    values = []
    for rows, _ in dendrograms.halves:
        half = np.isin(dendrograms.taxa.groups, rows)
        values.append(dendrogram_agreement(vectors[half], placement.take(half))[TRIPLETS].value)
    assert np.std(found[TRIPLETS].replicates) * np.sqrt(11) == pytest.approx(np.std(values))
    dear = dendrogram_agreement(vectors, placement, MeasureSettings(max_dendrogram_species=50))
    assert all("no interval" in estimate.note and math.isnan(estimate.ci_low) for estimate in dear.values())
    assert dear[TRIPLETS].value == found[TRIPLETS].value


def test_every_metric_resamples_the_rank_that_is_asked_for():
    vectors, placement = made()
    shared = SharedResults(vectors, placement, MeasureSettings(resample="genus", n_half_samples=5))
    for metric in (dendrogram.dendrogram_agreement, dendrogram.dendrogram_purity, dendrogram_clades.clade_recovery):
        rows = [row.estimate for row in metric(shared, placement) if not math.isnan(row.estimate.ci_low)]
        assert {row.resampled for row in rows} == {"genus"}


@pytest.mark.slow
def test_intervals_cover_what_other_species_give():
    """Their mean over samples of 80 species out of a thousand; a group left out at a time gave intervals of [0, 1]."""
    population = random_taxonomy(1000, 1000, rng(1))
    everywhere = signal_vectors(population, 24, 0.7, 0.2, rng(2))
    found = []
    for seed in range(25):
        sample = np.sort(rng(seed).choice(1000, 80, replace=False))
        vectors, placement = everywhere[sample], population.take(sample)
        found.append(dendrogram_agreement(vectors, placement) | clade_recovery(vectors, placement))
    for name in found[0]:
        truth = np.mean([each[name].value for each in found])
        covered = [each[name].ci_low <= truth <= each[name].ci_high for each in found]
        assert np.mean(covered) > 0.8, name
        assert np.mean([each[name].ci_high - each[name].ci_low for each in found]) < 0.6, name


def test_species_without_a_name_are_pruned_and_counted():
    vectors, placement = made()
    at = placement.at("family")
    lost = at == at[0]
    for metric in (dendrogram_purity, taxon_recall):
        found = metric(vectors, placement, {"family": np.where(lost, -1, at)})["family"]
        assert found.n_excluded == lost.sum()
        assert 0 <= found.value <= 1


def test_what_is_undefined_says_why():
    star = parse_newick("(A:1,B:1,C:1,D:1);")
    vectors = unit_rows(rng().standard_normal((4, 3)))
    found = dendrogram_agreement(vectors, Placement(star, star.tips))
    assert "does not vary" in found[COPHENETIC].note and "no triplet" in found[TRIPLETS].note
    clades = clade_recovery(vectors, Placement(star, star.tips))
    assert "no clade" in clades["robinson_foulds"].note and clades["clade_precision"].value == 0
    two = dendrogram_agreement(vectors[:2], Placement(star, star.tips[:2]))
    assert "at least 3 taxa" in two[TRIPLETS].note
    opposite = np.array([[1, 0], [-1, 0], [0, 1], [0, 1], [1, 0]])
    cancelled = dendrogram_agreement(opposite, Placement(star, star.tips[[0, 0, 1, 2, 3]]))
    assert "cancel out" in cancelled[TRIPLETS].note
    alone = dendrogram_purity(vectors, Placement(star, star.tips), {"family": np.arange(4)})
    assert "no two species" in alone["family"].note
    alone = taxon_recall(vectors, Placement(star, star.tips), {"family": np.arange(4)})
    assert "no taxon has two species" in alone["family"].note
    with pytest.raises(DataError, match="rows 1"):
        dendrogram_agreement(np.array([[1, 0], [np.inf, 0], [0, 1], [1, 0]]), Placement(star, star.tips))


def test_brownian_embeddings_draw_their_tree():
    tree = parse_newick("(((A:1,B:1):4,(C:1,D:1):4):5,((E:1,F:1):6,G:7):3);")
    vectors = unit_rows(brownian(tree, 4_000, rng())[tree.tips])
    found = dendrogram_agreement(vectors, Placement(tree, tree.tips))
    assert found[TRIPLETS].value == 1
    assert found[COPHENETIC].value > 0.99
    clades = clade_recovery(vectors, Placement(tree, tree.tips))
    assert (clades["robinson_foulds"].value, clades["clade_recall"].value, clades["clade_precision"].value) == (0, 1, 1)
    assert clades["clade_recall"].chance < 0.1 and "a share of 5 clades" in clades["clade_recall"].note


def test_a_share_of_no_clades_is_as_certain_as_the_number_of_clades_makes_it():
    """Twelve families of two species each, none of them a clade: 400 images do not make twelve families many."""
    species = [f"{family} s{number}" for family in "ABCDEFGHIJKL" for number in range(2)]
    frame = pd.DataFrame({"family": [name[0] for name in species], "species": species})
    placement = taxonomy(frame)
    vectors = np.eye(12)[np.r_[np.arange(12), np.arange(12)]].astype(np.float32)  # each lies with another family's
    found = taxon_recall(vectors, placement, {"family": placement.at("family")})["family"]
    assert (found.value, found.n_taxa, found.n_units) == (0, 12, 24)
    assert (found.ci_low, found.ci_high) == pytest.approx((0, 1 - 0.025 ** (1 / 12)))
    assert found.ci_method == "Clopper-Pearson, by clade"


def test_two_taxa_have_a_purity_and_no_interval():
    tree = parse_newick("(A:1,B:1);")
    found = dendrogram_purity(np.eye(2), Placement(tree, tree.tips), {"family": np.zeros(2, dtype=int)})
    assert (found["family"].value, found["family"].chance) == (1, 1)
    assert math.isnan(found["family"].ci_low) and "no interval" in found["family"].note
