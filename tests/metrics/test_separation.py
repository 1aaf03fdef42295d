import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ortho_group

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.separation import LabelledImages, estimate_silhouettes, silhouette
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from tests.definitions import separation as definition
from tests.support.made_up_vectors import unit_rows
from tests.support.settings import FEW
from tests.support.taxa import made_up


def silhouettes(vectors, placement, settings=FEW):
    return {row.rank: row.estimate for row in silhouette(vectors, placement, settings)}


def rng():
    return np.random.default_rng(5)


def test_silhouette_and_its_null_and_its_replicates_equal_their_definitions():
    vectors, placement = made_up(20, 60)
    shared = SharedResults(vectors, placement, FEW)
    found, group = silhouettes(vectors, placement), shared.jackknife().group
    for rank in ("order", "genus", "species"):
        labels = placement.at(rank)
        assert found[rank].value == pytest.approx(definition.silhouettes(vectors, labels).mean(), abs=1e-6)
        for left_out in (0, 7):
            kept = group != left_out
            expected = definition.silhouettes(vectors[kept], labels[kept]).mean()
            assert found[rank].replicates[left_out] == pytest.approx(expected, abs=1e-6)
        if rank == "species":
            assert np.isnan(found[rank].chance) and found[rank].null == ""
            continue
        null = [definition.silhouettes(vectors, row).mean() for row in shared.permuted_labels(rank)]
        assert found[rank].chance == pytest.approx(np.mean(null), abs=1e-6)
        assert found[rank].null == "species"


def test_a_memoriser_of_species_without_a_tree_is_at_chance_and_a_tree_lies_above():
    _, placement = made_up(60, 240)
    species = rng().standard_normal((len(placement.tree), 32))[placement.node]
    memoriser = silhouettes(unit_rows(species + 0.3 * rng().standard_normal(species.shape)), placement)
    along_the_tree = silhouettes(*made_up(60, 240, d=32))
    for rank in ("class", "order", "family"):
        assert memoriser[rank].ci_low < memoriser[rank].chance < memoriser[rank].ci_high
        assert along_the_tree[rank].ci_low > along_the_tree[rank].chance


def test_rotation_order_and_names_change_nothing():
    vectors, placement = made_up(20, 60)
    before, order = silhouettes(vectors, placement), rng().permutation(60)
    turned = (vectors.astype(np.float64) @ ortho_group.rvs(16, random_state=3)).astype(np.float32)
    for after in (silhouettes(turned, placement), silhouettes(vectors[order], placement.take(order))):
        for rank, estimate in before.items():
            for field in dataclasses.fields(estimate):
                one, other = getattr(estimate, field.name), getattr(after[rank], field.name)
                if isinstance(one, float):
                    assert other == pytest.approx(one, abs=1e-5, nan_ok=True), (rank, field.name)


def test_one_image_of_a_taxon_scores_0():
    vectors, labels = unit_rows(np.array([[1, 0], [0.9, 0.1], [0, 1.0]])), np.array([4, 4, 9])
    images = {"genus": LabelledImages(labels, np.arange(3))}
    jackknife = SharedResults(vectors, taxonomy(pd.DataFrame({"species": ["A a", "A b", "A c"]}))).jackknife()
    found = estimate_silhouettes(vectors, images, {}, jackknife, FEW)["genus"]
    assert found.value == pytest.approx(definition.silhouettes(vectors, labels).mean())
    assert found.value < 2 / 3


@pytest.mark.parametrize(
    ("families", "note"),
    [
        ([None] * 4, "no image has a name"),
        (["A", "A", "A", None], "only one taxon"),
        (["A", "B", "C", None], "every taxon has a single image"),
    ],
)
def test_undefined_says_why(families, note):
    placement = taxonomy(pd.DataFrame({"family": families, "species": [f"Y {letter}" for letter in "abcd"]}))
    found = silhouettes(unit_rows(rng().standard_normal((4, 3))), placement)["family"]
    assert np.isnan(found.value) and note in found.note
    assert found.n_excluded == families.count(None)


def test_images_without_a_name_are_left_out_and_counted():
    vectors, placement = made_up(20, 60)
    named = np.arange(60) % 4 > 0
    images = {"genus": LabelledImages(np.where(named, placement.at("genus"), -1), placement.node)}
    one_each = SharedResults(vectors[named], placement.take(named)).jackknife()
    alone = {"genus": LabelledImages(placement.at("genus")[named], placement.node[named])}
    expected = estimate_silhouettes(vectors[named], alone, {}, one_each, FEW)["genus"]
    # Images of one species share its name, so that a species is left out whole.
    whole = np.isin(placement.node, placement.node[~named], invert=True)
    images = {"genus": LabelledImages(np.where(whole, placement.at("genus"), -1), placement.node)}
    alone = {"genus": LabelledImages(placement.at("genus")[whole], placement.node[whole])}
    jackknife = SharedResults(vectors, placement).jackknife()
    found = estimate_silhouettes(vectors, images, {}, jackknife, FEW)["genus"]
    expected = estimate_silhouettes(vectors[whole], alone, {}, jackknife.take(whole), FEW)["genus"]
    assert found.value == pytest.approx(expected.value)
    assert (found.n_images, found.n_excluded) == (whole.sum(), 60 - whole.sum())


def test_constant_vectors_tell_nothing():
    _, placement = made_up(20, 60)
    found = silhouettes(np.tile(np.eye(1, 4, dtype=np.float32), (60, 1)), placement)
    assert all(found[rank].value == 0 for rank in RANKS if np.isfinite(found[rank].value))


def test_inputs_stay_and_results_repeat():
    vectors, placement = made_up(20, 60)
    before = vectors.copy()
    vectors.setflags(write=False)
    first = [dataclasses.astuple(each)[:5] for each in silhouettes(vectors, placement).values()]
    np.testing.assert_equal([dataclasses.astuple(each)[:5] for each in silhouettes(vectors, placement).values()], first)
    np.testing.assert_array_equal(vectors, before)


def test_silhouette_refuses_what_is_not_finite():
    vectors, placement = made_up(20, 60)
    shared = SharedResults(vectors, placement)
    vectors = vectors.copy()
    vectors[3, 0] = np.inf
    with pytest.raises(DataError, match="rows 3"):
        estimate_silhouettes(vectors, {"genus": LabelledImages.at(shared, "genus")}, {}, shared.jackknife(), FEW)
