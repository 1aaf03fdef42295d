import math

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.components import HERITABLE, NAMES, OF_SPECIES, OF_TOTAL, variance_components
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import Placement, taxonomy
from tests.definitions import components as definitions
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.settings import FEW
from tests.support.taxa import rng


def genera_of_species(n_genera: int, n_species: int, n_images: int) -> Placement:
    """Return images of species in genera, four genera in each family and four families in each order."""
    rows = [
        ["K", "P", "C", f"O{genus // 16}", f"F{genus // 4}", f"G{genus}", f"G{genus} s{number}"]
        for genus in range(n_genera)
        for number in range(n_species)
    ]
    return taxonomy(pd.DataFrame(np.repeat(rows, n_images, axis=0), columns=RANKS))


def scattered(placement: Placement, deviations: dict[str, float], d: int, seed: int, noise: float = 1.0) -> np.ndarray:
    """Return unit vectors, sums of independent effects of the taxa of some ranks and of the image."""
    draw = rng(seed)
    x = 4 * np.eye(d)[0] + noise / math.sqrt(d) * draw.standard_normal((len(placement), d))
    for rank, deviation in deviations.items():
        x = x + deviation / math.sqrt(d) * draw.standard_normal((len(placement.tree), d))[placement.at(rank)]
    return unit_rows(x).astype(np.float32)


def by_name(measurements: list[Measurement]) -> dict:
    return {(row.metric, row.rank): row.estimate for row in measurements}


# What the numbers are.


@pytest.mark.slow
def test_the_shares_are_those_of_the_components():
    placement = random_taxonomy(60, 200, rng(3))
    vectors = signal_vectors(placement, 8, 0.7, 0.5, rng(4))
    found = by_name(variance_components(vectors, placement, FEW))
    levels = definitions.distinct_levels(placement.tree, placement.node.tolist(), len(RANKS))
    *components, of_images = definitions.variance_components(vectors, list(levels.values()))
    for number, component in zip(levels, components, strict=True):
        rank = RANKS[number]
        assert found[OF_TOTAL, rank].value == pytest.approx(component / (sum(components) + of_images), abs=1e-6)
        assert found[OF_SPECIES, rank].value == pytest.approx(component / sum(components), abs=1e-6)
        assert found[OF_TOTAL, rank].n_taxa == len(set(levels[number]))
    assert found[HERITABLE, "species"].value == pytest.approx(sum(components[:-1]) / sum(components), abs=1e-6)


def test_the_interval_is_that_of_the_numbers_without_each_group_of_species():
    placement = genera_of_species(12, 3, 2)
    vectors = scattered(placement, {"family": 1.0, "species": 1.0}, 6, 1)
    found = by_name(variance_components(vectors, placement, FEW))[HERITABLE, "species"]
    jackknife = SharedResults(vectors, placement, FEW).jackknife()
    deleted = [
        by_name(variance_components(vectors[kept], placement.take(kept), FEW))[HERITABLE, "species"].value
        for kept in (jackknife.group != number for number in range(jackknife.n_groups))
    ]
    np.testing.assert_allclose(found.replicates, deleted, atol=1e-9)
    assert found.ci_low < found.value < found.ci_high
    assert (found.resampled, found.n_units) == ("species", 36)


# What they claim.


@pytest.mark.parametrize("d", [4, 96])
def test_a_memoriser_of_species_has_nothing_above_species(d):
    """Known truth: species at random directions, whatever their relatives."""
    placement = genera_of_species(24, 4, 5)
    values, held, p = [], 0, []
    for seed in range(12):
        found = by_name(variance_components(scattered(placement, {"species": 2.0}, d, seed), placement, FEW))
        share = found[HERITABLE, "species"]
        values.append([share.value, *(found[OF_TOTAL, rank].value for rank in ("order", "family", "genus"))])
        held += share.ci_low <= 0 <= share.ci_high
        p.append(share.p_value)
        assert (share.chance, share.null) == (0.0, "species")
        assert found[OF_TOTAL, "species"].value > 0.6 and found[OF_TOTAL, "species"].null == "images"
    assert np.all(np.abs(np.mean(values, axis=0)) < 4 * np.std(values, axis=0) / math.sqrt(12))
    assert held >= 10 and np.mean(p) > 0.25


@pytest.mark.parametrize("d", [8, 200])
def test_a_known_share_is_found_in_few_and_in_many_dimensions(d):
    """Two parts in three of the variance between species are inherited, in any dimension and scatter of images."""
    placement = genera_of_species(32, 4, 3)
    for noise in (0.3, 2.0):
        found = [
            by_name(
                variance_components(
                    scattered(placement, {"family": 0.7, "genus": 0.7, "species": 0.7}, d, seed, noise), placement, FEW
                )
            )
            for seed in range(10)
        ]
        shares = np.array([each[HERITABLE, "species"].value for each in found])
        assert abs(shares.mean() - 2 / 3) < max(4 * shares.std() / math.sqrt(10), 0.04)
        assert all(each[HERITABLE, "species"].p_value == 1 / 20 for each in found)


def test_permuted_species_have_a_heritable_share_of_zero_on_average():
    placement = genera_of_species(16, 4, 3)
    vectors = scattered(placement, {"family": 1.0, "species": 0.5}, 16, 5)
    values = []
    for seed in range(60):
        moved = rng(seed).permutation(64)
        rows = (3 * moved[:, None] + np.arange(3)).ravel()
        values.append(
            by_name(variance_components(vectors[rows], placement, MeasureSettings(n_permutations=1)))[
                HERITABLE, "species"
            ].value
        )
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(60)


def test_dimensions_that_say_nothing_change_no_share():
    placement = genera_of_species(8, 3, 2)
    vectors = scattered(placement, {"genus": 1.0, "species": 1.0}, 6, 2)
    wide = np.pad(vectors, ((0, 0), (0, 500)))
    found, other = (by_name(variance_components(each, placement, FEW)) for each in (vectors, wide))
    for key, estimate in found.items():
        assert other[key].value == pytest.approx(estimate.value, abs=1e-6, nan_ok=True)


# Where they do not exist.


def test_every_rank_has_a_row_that_says_why_it_is_empty():
    placement = genera_of_species(8, 3, 2)
    found = by_name(variance_components(scattered(placement, {"genus": 1.0}, 6, 2), placement, FEW))
    assert set(found) == {(name, rank) for name in NAMES[:2] for rank in RANKS} | {(HERITABLE, "species")}
    assert found[OF_TOTAL, "kingdom"].note == "needs at least 2 taxa, found 1"
    assert "no interval: 1 more taxa" in found[OF_TOTAL, "family"].note and math.isnan(found[OF_TOTAL, "family"].ci_low)
    one_genus_each = placement.take(
        np.flatnonzero(np.char.endswith(placement.tree.name[placement.node].astype(str), "s0"))
    )
    found = by_name(variance_components(scattered(one_genus_each, {"genus": 1.0}, 6, 2), one_genus_each, FEW))
    assert found[HERITABLE, "species"].note.startswith("each genus has one species")


def test_a_component_has_no_interval_where_hardly_any_taxon_has_two_taxa_of_the_rank_below():
    everything = genera_of_species(40, 2, 2)
    species = everything.tree.name[everything.node].astype(str)
    first_genera = np.unique(everything.at("genus"))[:5]
    rare = everything.take(
        np.flatnonzero(np.char.endswith(species, "s0") | np.isin(everything.at("genus"), first_genera))
    )
    found = by_name(variance_components(scattered(rare, {"genus": 1.0}, 6, 2), rare, FEW))[OF_TOTAL, "genus"]
    assert "no interval: 5 more taxa at species than at genus" in found.note
    assert math.isfinite(found.value) and math.isnan(found.ci_low)
    shown = variance_components(scattered(everything, {"genus": 1.0}, 6, 2), everything, FEW)
    assert math.isfinite(by_name(shown)[OF_TOTAL, "genus"].ci_low)


def test_one_image_of_each_species_and_vectors_that_do_not_vary():
    placement = genera_of_species(8, 3, 1)
    found = by_name(variance_components(scattered(placement, {"genus": 1.0}, 6, 2), placement, FEW))
    assert math.isfinite(found[OF_TOTAL, "genus"].value)
    for key in ((OF_TOTAL, "species"), (OF_SPECIES, "genus"), (HERITABLE, "species")):
        assert found[key].note.startswith("no species has two images")
    flat = np.tile(unit_rows(np.ones((1, 6))), (len(placement), 1)).astype(np.float32)
    assert {row.estimate.note for row in variance_components(flat, placement, FEW)} == {"the vectors do not vary"}
    two = placement.take(np.arange(2))
    assert {row.estimate.note for row in variance_components(flat[:2], two, FEW)} == {"needs at least 3 taxa, found 2"}


def test_images_without_a_species_are_left_out_and_holes_are_noted():
    placement = genera_of_species(8, 3, 2)
    vectors = scattered(placement, {"genus": 1.0}, 6, 2)
    node = placement.node.copy()
    node[:2] = placement.tree.parent[node[:2]]
    found = by_name(variance_components(vectors, Placement(placement.tree, node), FEW))
    alone = by_name(variance_components(vectors[2:], placement.take(np.arange(2, 48)), FEW))
    for key, estimate in found.items():
        assert (estimate.n_images, estimate.n_excluded) == (46, 2)
        assert estimate.value == pytest.approx(alone[key].value, abs=1e-9, nan_ok=True)


def test_units_are_whole_genera_where_that_is_asked_for():
    placement = genera_of_species(24, 4, 2)
    vectors = scattered(placement, {"genus": 1.0, "species": 1.0}, 6, 2)
    found = by_name(variance_components(vectors, placement, MeasureSettings(resample="genus", n_permutations=1)))
    share = found[HERITABLE, "species"]
    assert (share.resampled, share.n_units, len(share.replicates)) == ("genus", 24, 20)
    assert "24 units (genus)" in share.note
