"""The units that intervals leave out."""

import numpy as np

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.units import taxon_jackknife, unit_jackknife
from tests.support.made_up_vectors import random_taxonomy


def test_the_higher_of_both_ranks_is_left_out_and_all_images_of_a_taxon_together():
    placement = random_taxonomy(30, 90, np.random.default_rng(0))
    genera = taxon_jackknife(placement, "species", MeasureSettings(resample="genus"))
    assert genera.rank == "genus" and taxon_jackknife(placement, "family", MeasureSettings()).rank == "family"
    labels = placement.at("genus")
    assert genera.n_units == len(np.unique(labels))
    assert all(len(set(genera.group[labels == genus])) == 1 for genus in np.unique(labels))


def test_an_image_without_a_unit_belongs_to_its_deepest_taxon():
    placement = random_taxonomy(6, 12, np.random.default_rng(1))
    units = np.where(np.arange(12) < 6, 0, -1)
    left_out = unit_jackknife("place", units, placement, MeasureSettings())
    assert left_out.n_units == 1 + len(np.unique(placement.node[6:])) and (left_out.group >= 0).all()
