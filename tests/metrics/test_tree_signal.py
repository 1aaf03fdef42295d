import math
from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.dimension import effective_dimension
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.tree_signal import pagel_lambda
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.tree import Placement, Tree
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import hierarchy
from tests.definitions import tree_signal as definitions
from tests.support.evolutions import evolved_images, spectrum
from tests.support.made_up_vectors import unit_rows
from tests.support.taxa import made_up, random_phylogeny, rng

FEW_DRAWS = MeasureSettings(n_primary_permutations=39, n_null_permutations=3)
#: Neither permutations nor groups are needed for the value.
VALUE = MeasureSettings(n_primary_permutations=1, n_null_permutations=1, n_groups=1)


def signal_of(vectors, placement, settings=FEW_DRAWS):
    (row,) = pagel_lambda(vectors, placement, settings)
    assert (row.metric, row.rank) == ("pagel_lambda", "species")
    return row.estimate


def dimension_of(vectors, placement):
    return effective_dimension(vectors, placement, VALUE)[0].estimate.value


@pytest.mark.slow
def test_it_is_its_definition():
    tree = random_phylogeny(12, 4)
    vectors, placement = evolved_images(tree, spectrum("flat", 6), 0.6, 0.5, rng(1), 3)
    vectors, placement = vectors[:-2], placement.take(np.arange(len(vectors) - 2))  # the last species has one image
    taxa = list(hierarchy.images_of_taxa(placement).values())
    means = np.array([np.mean([vectors[i] for i in images], axis=0) for images in taxa])
    scatter = sum(math.dist(vectors[i], means[k]) ** 2 for k, images in enumerate(taxa) for i in images)
    errors = scatter / (len(vectors) - len(taxa)) / np.array([len(images) for images in taxa])
    signal, _, _ = definitions.best_fit(tree, tree.tips, means, errors)
    found = signal_of(vectors, placement)
    assert found.value == pytest.approx(signal, abs=1e-5)
    assert (found.n_taxa, found.n_images, found.n_excluded) == (12, 34, 0)


#: Dimensions, spectrum, and variance of images within species over that of species.
CELLS = ((64, "flat", 0.05), (64, "steep", 1.0), (8, "1/j", 1.0), (512, "1/j", 0.05), (512, "flat", 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_the_signal_is_found_whatever_dimension_spectrum_and_noise(signal):
    tree, errors = random_phylogeny(150, 3), []
    for d, kind, noise in CELLS:
        values = []
        for seed in range(4):
            made = evolved_images(tree, spectrum(kind, d), signal, noise, rng(seed), 5)
            values.append(signal_of(*made, VALUE).value)
        errors.append(abs(np.mean(values) - signal))
    assert np.mean(errors) < 0.06 and max(errors) < 0.15


def test_a_memoriser_of_species_without_a_tree_has_no_signal():
    tree = random_phylogeny(80, 3)
    vectors, placement = evolved_images(tree, spectrum("flat", 32), 0.0, 0.1, rng(1))
    found = signal_of(vectors, placement, replace(FEW_DRAWS, n_primary_permutations=199))
    assert found.value < 0.05 and found.p_value > 0.05 and found.null == "species"
    assert found.value == pytest.approx(found.chance, abs=0.05)


def test_unequal_scatter_among_clades_is_no_signal():
    tree = random_phylogeny(80, 3)
    species = rng(2).standard_normal((80, 32)) * np.where(np.arange(80) < 30, 4.0, 1.0)[:, None]
    images = np.repeat(species, 4, axis=0) + rng(3).standard_normal((320, 32))
    found = signal_of(unit_rows(images), Placement(tree, np.repeat(tree.tips, 4)))
    assert found.value < 0.05 and found.p_value > 0.05


def test_one_heritable_trait_is_signal_in_one_direction():
    tree = random_phylogeny(100, 3)
    variances = np.r_[1.0, np.zeros(31)]
    vectors, placement = evolved_images(tree, variances, 1.0, 0.3, rng(1))
    vectors = unit_rows(vectors + np.r_[np.zeros(31), 5.0])  # on one side of the sphere, else it has two poles
    assert signal_of(vectors, placement, VALUE).value > 0.85 and dimension_of(vectors, placement) < 1.5


def test_models_that_differ_in_dimension_or_noise_alone():
    tree = random_phylogeny(150, 3)
    models = {}
    for name, d, noise in (("narrow", 8, 0.1), ("wide", 128, 0.1), ("noisy", 128, 2.0)):
        made = evolved_images(tree, spectrum("flat", d), 0.6, noise, rng(1))
        models[name] = signal_of(*made, VALUE).value, dimension_of(*made), SharedResults(*made)
    (narrow, wide, noisy), dimensions = ([one[i] for one in models.values()] for i in (0, 1))
    assert wide == pytest.approx(narrow, abs=0.15) and noisy == pytest.approx(wide, abs=0.06)
    assert dimensions[0] < 9 and dimensions[1] > 100 and dimensions[2] > 80
    cpcc = [one[2].taxa("species").sums.correlation() for one in models.values()]
    assert cpcc[1] > cpcc[0] + 0.1 and cpcc[1] > cpcc[2]


def test_the_interval_leaves_out_units_whole():
    vectors, placement = made_up(60, 200, 0.5)
    by_species = signal_of(vectors, placement)
    by_family = signal_of(vectors, placement, replace(FEW_DRAWS, resample="family"))
    assert 0 <= by_species.ci_low < by_species.value < by_species.ci_high <= 1
    assert (by_species.resampled, by_species.n_units, len(by_species.replicates)) == ("species", 60, 20)
    assert by_family.resampled == "family" and by_family.ci_low != by_species.ci_low
    shared = SharedResults(vectors, placement, FEW_DRAWS)
    kept = shared.jackknife().group != 3
    without = signal_of(vectors[kept], placement.take(kept))
    assert signal_of(shared, placement).replicates[3] == pytest.approx(without.value, abs=1e-4)


def test_at_its_bound_without_every_group_there_is_no_interval():
    tree = random_phylogeny(60, 3)
    vectors, placement = evolved_images(tree, spectrum("flat", 400), 1.0, 0.05, rng(1))
    found = signal_of(vectors, placement)
    assert found.value == pytest.approx(1, abs=0.01)
    if np.all(found.replicates == found.value):
        assert math.isnan(found.ci_low) and "bound" in found.note


def test_species_of_one_image_each():
    vectors, placement = made_up(30, 30, 1.0)
    found = signal_of(vectors, placement)
    assert "no species has two images" in found.note and 0 <= found.value <= 1


def test_rotation_order_and_scale_of_the_tree_change_nothing():
    vectors, placement = made_up(40, 130, 0.7)
    found = signal_of(vectors, placement)
    rotation = np.linalg.qr(rng(5).standard_normal((16, 16)))[0]
    order = rng(6).permutation(len(vectors))
    tree = placement.tree
    longer = Tree(tree.parent, 7 * tree.length, tree.name, tree.rank, tree.unit)
    for other in (
        signal_of(vectors @ rotation, placement),
        signal_of(vectors[order], placement.take(order)),
        signal_of(vectors, Placement(longer, placement.node)),
    ):
        assert other.value == pytest.approx(found.value, abs=1e-5) and other.p_value == found.p_value
    assert found.p_value == 1 / 40


@pytest.mark.parametrize(("text", "reason"), [("(A:1,B:1);", "at least 3 taxa"), ("(A:1,B:1,C:1,D:2);", "star tree")])
def test_what_has_no_signal_says_why(text, reason):
    tree = parse_newick(text)
    vectors = unit_rows(rng().standard_normal((len(tree.tips), 3)))
    found = signal_of(vectors, Placement(tree, tree.tips))
    assert math.isnan(found.value) and reason in found.note and found.n_taxa == len(tree.tips)


def test_nan_is_an_error():
    tree = parse_newick("((A:1,B:1):1,(C:1,D:1):1);")
    with pytest.raises(DataError, match="rows 2"):
        pagel_lambda(np.array([[1, 0], [0, 1], [np.nan, 1], [1, 0]]), Placement(tree, tree.tips))


def test_sampling_error_is_not_taken_for_lack_of_signal():
    tree = random_phylogeny(100, 3)
    vectors, placement = evolved_images(tree, spectrum("flat", 64), 1.0, 2.0, rng(1), 4)
    known = signal_of(vectors, placement, VALUE).value
    taxa = centroids(vectors, placement)
    blind = signal_of(unit_rows(taxa.means), Placement(taxa.tree, taxa.tree.tips), VALUE).value
    assert known > 0.95 > 0.85 > blind
