"""The built-in world as a dataset."""

import pytest

from bioclip_probe import datasets, world
from bioclip_probe.errors import DataError
from bioclip_probe.tables import IMAGES, RANKS


@pytest.fixture(scope="module")
def dataset():
    return datasets.load("world")


def test_five_pictures_of_every_species(dataset):
    IMAGES.check(dataset.images)
    assert dataset.simulated
    assert (dataset.images["species"].value_counts() == 5).all()
    assert len(dataset) == 1200
    assert dataset.images[list(RANKS)].notna().all(axis=None)


def test_the_split_is_the_one_the_models_were_trained_with(dataset):
    species = dataset.images.drop_duplicates("species")
    assert ((species["split"] == "seen").to_numpy() == world.seen_in_training()).all()
    assert (species["species"].to_numpy() == world.taxa()["species"].to_numpy()).all()


def test_the_true_tree_has_the_species_as_tips(dataset):
    assert set(dataset.tree.name[dataset.tree.tips]) == set(dataset.images["species"])


def test_sources_open(dataset):
    row = dataset.images.iloc[17]
    assert dataset.open(row["source"]).tobytes() == world.render(3, 2).tobytes()


def test_what_is_drawn_on_a_picture_does_not_stay_for_the_next_reader(dataset):
    source = dataset.images["source"].iloc[0]
    before = dataset.open(source).tobytes()
    dataset.open(source).paste("red", (0, 0, 64, 64))
    assert dataset.open(source).tobytes() == before


@pytest.mark.parametrize("source", ["", "3", "240/0", "a/b", "../x"])
def test_a_wrong_source_is_one_clear_line(dataset, source):
    with pytest.raises(DataError, match="the world has no picture"):
        dataset.open(source)


@pytest.mark.slow
def test_the_fingerprint_is_stable_and_depends_on_the_seed(dataset):
    from bioclip_probe.datasets.world import load

    assert load().fingerprint == dataset.fingerprint != load(seed=3).fingerprint
