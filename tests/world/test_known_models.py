"""Models whose answer is known: what each of them knows of species and of the tree is what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.tree import Placement, taxonomy
from bioclip_probe.world import known_models as known

N_IMAGES = 4


@pytest.fixture(scope="module")
def placement():
    """Four images of each species of the built-in world."""
    lineages = world.taxa()
    return taxonomy(lineages.loc[lineages.index.repeat(N_IMAGES)].reset_index(drop=True))


def products(vectors):
    """Return the cosine of every two vectors."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def kinds_of_pairs(placement):
    """Return which pairs of images are of one species, and which are of one family and two species."""
    species, family = placement.at("species"), placement.at("family")
    same_species, same_family = species[:, None] == species, family[:, None] == family
    return same_species & ~np.eye(len(species), dtype=bool), same_family & ~same_species, ~same_family


@pytest.mark.parametrize("make", [known.noise, known.memoriser, known.one_trait, known.evolved])
def test_one_vector_for_each_image_from_the_given_generator(make, placement):
    first = make(placement, np.random.default_rng(3), n_dimensions=16)
    assert first.shape == (len(placement), 16) and first.dtype == np.float32 and np.isfinite(first).all()
    assert np.array_equal(first, make(placement, np.random.default_rng(3), n_dimensions=16))
    assert not np.array_equal(first, make(placement, np.random.default_rng(4), n_dimensions=16))


@pytest.mark.parametrize("make", [known.noise, known.memoriser, known.one_trait, known.evolved])
def test_images_outside_the_tree_are_refused(make, placement):
    outside = Placement(placement.tree, np.array([int(placement.node[0]), -1]))
    with pytest.raises(ValueError, match="1 of 2 images have no place in the tree"):
        make(outside, np.random.default_rng(0))


def test_noise_knows_nothing(placement):
    of_pairs = products(known.noise(placement, np.random.default_rng(0)))
    for kind in kinds_of_pairs(placement):
        assert abs(of_pairs[kind].mean()) < 0.02


def test_a_memoriser_knows_species_and_no_relative(placement):
    of_pairs = products(known.memoriser(placement, np.random.default_rng(0)))
    same_species, relatives, others = kinds_of_pairs(placement)
    assert of_pairs[same_species].mean() == pytest.approx(1 / (1 + known.SCATTER**2), abs=0.02)
    assert abs(of_pairs[relatives].mean()) < 0.02 and abs(of_pairs[others].mean()) < 0.02


@pytest.mark.parametrize("signal", [0.0, 0.5, 1.0])
def test_relatives_of_an_evolved_model_are_alike_as_far_as_its_signal_says(signal, placement):
    wide = known.evolved(placement, np.random.default_rng(0), signal, n_dimensions=1024, scatter=0)
    genus = placement.at("genus")
    species = placement.at("species")
    relatives = (genus[:, None] == genus) & (species[:, None] != species)
    assert (wide**2).sum(axis=1).mean() == pytest.approx(1, abs=0.05)
    assert (wide @ wide.T)[relatives].mean() == pytest.approx(signal * 6 / 7, abs=0.05)  # six of seven ranks are shared


def test_one_trait_lies_on_an_arc_and_is_inherited(placement):
    vectors = known.one_trait(placement, np.random.default_rng(0), n_dimensions=8, scatter=0)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert not vectors[:, 2:].any()
    _, relatives, others = kinds_of_pairs(placement)
    of_pairs = products(vectors)
    assert of_pairs[relatives].mean() > of_pairs[others].mean() + 0.05


def test_one_trait_needs_a_plane(placement):
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        known.one_trait(placement, np.random.default_rng(0), n_dimensions=1)
