import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn import metrics as peer

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.scores import adjusted
from bioclip_probe.metrics.separation import LabelledImages, estimate_knn_purity, estimate_silhouette
from bioclip_probe.stats.kmeans import kmeans
from bioclip_probe.stats.sweep.neighbors import nearest_neighbors
from tests.definitions import separation as definition
from tests.support.labelled import DEFAULT, cluster_agreement, cluster_purity, labelled_world, unit_rows32


def rng():
    return np.random.default_rng(5)


def knn_purity(neighbors, labels, species, k, rng, groups=None):
    return estimate_knn_purity(neighbors, LabelledImages(labels, species, groups), k, rng, DEFAULT)


def silhouette(vectors, labels, species, rng, block=1024):
    return estimate_silhouette(vectors, LabelledImages(labels, species), rng, DEFAULT, block)


def knn(vectors, labels, species, k=5, groups=None):
    neighbours, _ = nearest_neighbors(vectors, k, groups, among=labels >= 0)
    return knn_purity(neighbours, labels, species, k, rng(), groups)


def clusters_purity(vectors, labels, species):
    return cluster_purity(kmeans(vectors, labels, rng()), labels, species, rng())


def ami(vectors, labels, species):
    return cluster_agreement(kmeans(vectors, labels, rng()), labels, species, rng())["cluster_ami"]


def ari(vectors, labels, species):
    return cluster_agreement(kmeans(vectors, labels, rng()), labels, species, rng())["cluster_ari"]


def cosine_silhouette(vectors, labels, species):
    return silhouette(vectors, labels, species, rng())


METRICS = [knn, clusters_purity, ami, ari, cosine_silhouette]
every = pytest.mark.parametrize("metric", METRICS)


@st.composite
def labelled(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 20))
    vectors = unit_rows32(random.standard_normal((n, draw(st.integers(2, 4)))))
    labels = random.integers(-1, draw(st.integers(1, 8)), n)
    return vectors, labels, random.integers(0, 5, n), random.integers(-1, 6, n)


# Definitions


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(labelled(), st.integers(1, 6), st.booleans())
def test_knn_purity_equals_its_definition(case, k, grouped):
    vectors, labels, species, groups = case
    groups = groups if grouped else None
    found = knn(vectors, labels, species, k, groups)
    if np.isnan(found.value):
        assert found.note
        return
    purity, chance, n = definition.knn_purity(vectors, labels, k, groups)
    assert (found.value, found.chance) == pytest.approx((purity, chance))
    assert (found.n_images, found.n_excluded) == (n, len(labels) - n)


@settings(deadline=None, max_examples=100)
@given(labelled(), st.integers(1, 30))
def test_silhouette_equals_its_definition(case, block):
    vectors, labels, species, _ = case
    found = silhouette(vectors, labels, species, rng(), block)
    if np.isnan(found.value):
        assert found.note
        return
    expected = definition.silhouettes(vectors[labels >= 0], labels[labels >= 0])
    assert found.value == pytest.approx(expected.mean(), abs=1e-5)


def test_silhouette_equals_scikit_learn():
    vectors, labels, species = labelled_world()
    labels[0] = 99  # a taxon with a single image
    found = silhouette(vectors, labels, species, rng(), block=7)
    named = labels >= 0
    expected = peer.silhouette_score(vectors[named].astype(np.float64), labels[named], metric="cosine")
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert (found.n_taxa, found.n_images, found.n_excluded) == (7, named.sum(), (~named).sum())


# Claims


@every
def test_signal_is_found_and_lies_in_its_interval(metric):
    strong, weak = (metric(*labelled_world(signal=signal)) for signal in (3.0, 0.3))
    assert strong.value > weak.value
    assert strong.value > 0.5
    assert strong.value <= 1
    assert strong.ci_low <= strong.value <= strong.ci_high <= 1
    assert strong.resampled == "species"


@pytest.mark.parametrize("metric", [knn, cosine_silhouette])
def test_rotation_changes_nothing(metric):
    vectors, labels, species = labelled_world()
    turned = (vectors.astype(np.float64) @ ortho_group.rvs(12, random_state=3)).astype(np.float32)
    assert metric(turned, labels, species).value == pytest.approx(metric(vectors, labels, species).value, abs=1e-6)


@every
def test_order_of_rows_is_irrelevant(metric):
    vectors, labels, species = labelled_world()
    order = np.random.default_rng(9).permutation(len(labels))
    one, other = metric(vectors, labels, species), metric(vectors[order], labels[order], species[order])
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert a == b or a == pytest.approx(b, abs=1e-9, nan_ok=True)


@every
def test_names_of_taxa_and_species_are_irrelevant(metric):
    vectors, labels, species = labelled_world()
    other = np.where(labels >= 0, (labels * 5 + 3) % 7 + 100, -1)
    one, renamed = metric(vectors, labels, species), metric(vectors, other, species + 1000)
    assert renamed.value == pytest.approx(one.value)
    assert (renamed.ci_low, renamed.ci_high) == pytest.approx((one.ci_low, one.ci_high), nan_ok=True)


@every
def test_inputs_stay_and_results_repeat(metric):
    arrays = labelled_world()
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    first = dataclasses.astuple(metric(*arrays))
    np.testing.assert_equal(dataclasses.astuple(metric(*arrays)), first)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.slow
def test_shuffled_labels_give_chance():
    vectors, labels, species = labelled_world(n_taxa=5, per_taxon=20)
    named, shuffled = labels >= 0, labels.copy()
    clusters = kmeans(vectors, labels, rng())  # they depend on the number of taxa, not on who is of which
    random = np.random.default_rng(11)
    found = []
    for _ in range(40):
        shuffled[named] = random.permutation(labels[named])
        agreement = cluster_agreement(clusters, shuffled, species, rng())
        found.append(
            [
                adjusted(knn(vectors, shuffled, species, 1)).value,
                adjusted(knn(vectors, shuffled, species, 5)).value,
                adjusted(cluster_purity(clusters, shuffled, species, rng())).value,
                agreement["cluster_ami"].value,
                agreement["cluster_ari"].value,
            ]
        )
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(mean) < 4 * error + 1e-3)
    assert np.all(np.abs(mean) < 0.03)


def test_knn_chance_is_the_textbook_formula_without_single_images():
    vectors, labels, species = labelled_world()
    _, counts = np.unique(labels[labels >= 0], return_counts=True)
    n = counts.sum()
    assert knn(vectors, labels, species).chance == pytest.approx(np.sum(counts * (counts - 1)) / (n * (n - 1)))


def test_knn_scores_no_single_image_but_keeps_it_as_a_candidate():
    vectors = unit_rows32(np.array([[1, 0], [0.9, 0.3], [0, 1], [0.98, 0.05]]))
    found = knn(vectors, np.array([0, 0, 1, 2]), np.arange(4), k=1)
    # Both images of taxon 0 have taxon 2's only image as their nearest.
    assert (found.value, found.n_images, found.n_taxa, found.n_excluded) == (0, 2, 1, 2)
    assert found.chance == pytest.approx(1 / 3)


def test_knn_says_what_can_be_reached():
    vectors, labels, species = labelled_world(signal=20.0)
    assert knn(vectors, labels, species, 3).note == ""
    found = knn(vectors, labels, species, 10)
    assert found.value < 1
    assert found.note.startswith(f"at most {found.value:.3f} can be reached")


def test_knn_leaves_groups_out():
    vectors, labels, species = labelled_world()
    # Each pair of neighbours in the list is one observation, and its two images are equal.
    groups = np.arange(len(labels)) // 2
    vectors = vectors[groups * 2]
    assert knn(vectors, labels, species, 1).value > knn(vectors, labels, species, 1, groups).value


def test_knn_refuses_neighbours_made_otherwise():
    vectors, labels, species = labelled_world()
    every_row, _ = nearest_neighbors(vectors, 5)
    with pytest.raises(ValueError, match="among=labels >= 0"):
        knn_purity(every_row, labels, species, 5, rng())
    with pytest.raises(ValueError, match="at least k = 6"):
        knn_purity(every_row, labels, species, 6, rng())
    all_named = np.abs(labels)
    with pytest.raises(ValueError, match="same group"):
        knn_purity(every_row, all_named, species, 5, rng(), groups=np.arange(len(labels)) // 4)


# Edges


@every
@pytest.mark.parametrize(
    ("labels", "note"),
    [
        ([-1, -1, -1, -1], "no image has a name"),
        ([0, 0, 0, -1], "only one taxon"),
        ([0, 1, 2, -1], "every taxon has a single image"),
    ],
)
def test_undefined_says_why(metric, labels, note):
    found = metric(unit_rows32(rng().standard_normal((4, 3))), np.array(labels), np.arange(4))
    assert np.isnan(found.value)
    assert note in found.note
    assert found.n_excluded == labels.count(-1)
    assert np.isnan(adjusted(found).value) and adjusted(found).note == found.note


@every
def test_one_row(metric):
    assert np.isnan(metric(np.ones((1, 2), dtype=np.float32), np.array([0]), np.array([0])).value)


@every
def test_constant_vectors_tell_nothing(metric):
    vectors, labels, species = labelled_world()
    vectors = np.tile(vectors[:1], (len(vectors), 1))
    found = metric(vectors, labels, species)
    assert np.isfinite(found.value)
    if metric is not knn:  # with every similarity equal, neighbours are the first rows
        assert abs(adjusted(found).value if metric is clusters_purity else found.value) < 1e-9


def test_one_species_has_no_interval():
    vectors, labels, species = labelled_world()
    found = silhouette(vectors, labels, np.zeros_like(species), rng())
    assert np.isnan(found.ci_low) and found.ci_method == found.resampled == ""


def test_silhouette_refuses_what_is_not_finite():
    vectors, labels, species = labelled_world()
    vectors[3, 0] = np.inf
    with pytest.raises(DataError, match="row 3"):
        silhouette(vectors, labels, species, rng())
