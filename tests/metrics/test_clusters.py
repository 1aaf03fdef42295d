import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from bioclip_probe.metrics.clusters import (
    AGREEMENT,
    PURITY,
    ClusteredImages,
    cluster_agreement,
    cluster_purity,
    estimate_index,
)
from bioclip_probe.metrics.measurement import estimates
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.kmeans import kmeans
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from tests.definitions import separation as definition
from tests.support.labelled import cluster_numbers, clustered, labelled_world
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.settings import FEW

NAMES = ("cluster_purity", "cluster_ami", "cluster_ari")


def rng():
    return np.random.default_rng(5)


def every_number(shared: SharedResults, rank: str) -> dict:
    """Return all cluster numbers of an embedding at one rank."""
    clustered_images = ClusteredImages.at(shared, rank)
    purity, agreement = (estimate_index(index, clustered_images, shared.settings) for index in (PURITY, AGREEMENT))
    return purity | agreement


def test_metrics_give_every_number_at_each_rank():
    placement = random_taxonomy(20, 40, rng())
    shared = SharedResults(signal_vectors(placement, 8, 1.0, 0.3, rng()), placement, FEW)
    rows = cluster_purity(shared, placement) + cluster_agreement(shared, placement)
    for rank in RANKS:
        expected = every_number(shared, rank)
        assert {row.metric: row.estimate.note for row in rows if row.rank == rank} == {
            name: estimate.note for name, estimate in expected.items()
        }
        assert all(row.estimate == expected[row.metric] for row in rows if row.rank == rank and not np.isnan(row.value))


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 6), st.integers(2, 8))
def test_cluster_numbers_equal_their_definitions_and_scikit_learn(seed, n, k, n_taxa):
    random = np.random.default_rng(seed)
    clusters, labels = random.integers(0, k, (2, n)), random.integers(-1, n_taxa, n)
    clusters[:, labels < 0] = -1
    found = cluster_numbers(clusters, labels, labels)
    if np.isnan(found["cluster_purity"].value):
        assert len({estimate.note for estimate in found.values()}) == 1 and found["cluster_ami"].note
        return
    taxa = labels[labels >= 0]
    starts = clusters[:, labels >= 0]
    expected = np.mean([definition.cluster_purity(start, taxa) for start in starts])
    assert found["cluster_purity"].value == pytest.approx(expected)
    ari = np.mean([definition.adjusted_rand(start, taxa) for start in starts])
    assert found["cluster_ari"].value == pytest.approx(ari, abs=1e-9)
    # Strings, for scikit-learn warns of many distinct numbers.
    names = [f"t{taxon}" for taxon in taxa]
    for name, outsider in (("ami", peer.adjusted_mutual_info_score), ("ari", peer.adjusted_rand_score)):
        expected = np.mean([outsider(names, [f"c{c}" for c in start]) for start in starts])
        assert found[f"cluster_{name}"].value == pytest.approx(expected, abs=1e-9)


def test_purity_of_kmeans_equals_scikit_learn_contingency():
    vectors, labels, species = labelled_world()
    clusters = kmeans(vectors, labels, rng())
    named = labels >= 0
    assert np.all(clusters[:, ~named] == -1)
    tables = [peer.cluster.contingency_matrix(labels[named], start[named]) for start in clusters]
    expected = np.mean([table.max(axis=0).sum() / named.sum() for table in tables])
    assert cluster_numbers(clusters, labels, species)["cluster_purity"].value == pytest.approx(expected)


def test_chance_is_the_mean_over_long_permutations_of_species_and_of_images():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"genus": np.repeat([f"G{i}" for i in range(6)], 4)})
    frame["species"] = [f"{genus} s{number % 4}" for number, genus in enumerate(frame["genus"])]
    frame = frame.loc[frame.index.repeat(random.integers(1, 6, len(frame)))].reset_index(drop=True)
    vectors = unit_rows(random.standard_normal((24, 8))[pd.factorize(frame["species"])[0]]).astype(np.float32)
    long = MeasureSettings(n_null_permutations=300, n_label_permutations=300, n_groups=3)
    shared = SharedResults(vectors, taxonomy(frame), long)
    genus, species = shared.placement.at("genus"), shared.placement.at("species")
    names, code = np.unique(species, return_inverse=True)
    of_species = np.array([genus[species == name][0] for name in names])
    expected = {"genus": [], "species": []}
    for _ in range(300):
        permuted = random.permutation(of_species)[code]
        expected["genus"] += [definition.cluster_purity(start, permuted) for start in shared.clusters("genus").starts]
        permuted = random.permutation(species)
        expected["species"] += [
            definition.cluster_purity(start, permuted) for start in shared.clusters("species").starts
        ]
    for rank, null in (("genus", "species"), ("species", "images")):
        found = every_number(shared, rank)
        assert found["cluster_purity"].chance == pytest.approx(np.mean(expected[rank]), abs=0.01)
        assert {estimate.null for estimate in found.values()} == {null}
    # Permuted over images, both indices are 0 on average.
    assert found["cluster_ami"].chance == found["cluster_ari"].chance == 0


@pytest.mark.slow
def test_a_memoriser_of_species_without_a_tree_is_at_chance():
    """Its images agree with the taxa above far better than images that are permuted; adjusted, all of it is gone."""
    beyond = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        placement = random_taxonomy(60, 300, random)
        of_node = random.standard_normal((len(placement.tree), 32))
        vectors = unit_rows(of_node[placement.node] + 0.2 * random.standard_normal((300, 32))).astype(np.float32)
        found = every_number(SharedResults(vectors, placement, MeasureSettings(seed=seed)), "phylum")
        assert found["cluster_ami"].value > 0.1
        for name in NAMES:
            number = found[f"{name}_adjusted"]
            assert number.ci_low <= 0 <= number.ci_high and number.null == "species"
        beyond.append([found[f"{name}_adjusted"].value for name in NAMES])
    assert np.all(np.abs(np.mean(beyond, axis=0)) < 4 * np.std(beyond, axis=0) / np.sqrt(8))


@pytest.mark.slow
def test_a_model_that_knows_the_tree_is_beyond_chance():
    placement = random_taxonomy(120, 360, rng())
    vectors = signal_vectors(placement, 32, 1.0, 0.1, rng())
    found = every_number(SharedResults(vectors, placement), "phylum")
    assert all(found[f"{name}_adjusted"].ci_low > 0 for name in NAMES)


def test_the_interval_clusters_again_without_each_group_and_recomputes_chance():
    vectors, labels, species = labelled_world(n_taxa=12)
    shared_clusters = kmeans(vectors, labels, rng())
    random = np.random.default_rng(3)
    again = np.array([np.where(labels >= 0, random.integers(0, 12, len(labels)), -1) for _ in range(20)])
    both = clustered(shared_clusters, labels, species)
    again[both.jackknife.group == np.arange(20)[:, None]] = -1
    both = clustered(shared_clusters, labels, species, again)
    for index in (PURITY, AGREEMENT):
        found = estimate_index(index, both, MeasureSettings())
        for number, name in enumerate(index.names):
            values, chances = [], []
            for start in again:
                kept = start >= 0
                values.append(index.function(start[kept], labels[None, kept])[0, number])
                chances.append(index.function(start[kept], both.permuted.without(kept)[:, kept])[:, number].mean())
            ends = jackknife_interval(found[name].value, np.array(values), index.bounds)
            assert (found[name].ci_low, found[name].ci_high) == pytest.approx(ends)
            corrected = (np.array(values) - chances) / (1 - np.array(chances))
            assert found[f"{name}_adjusted"].replicates == pytest.approx(corrected)
            assert found[name].n_units == 24 and found[name].resampled == "species"


def test_with_very_many_images_and_taxa_there_is_one_start(monkeypatch):
    placement = random_taxonomy(30, 60, rng())
    vectors = signal_vectors(placement, 8, 0.5, 0.5, rng())
    monkeypatch.setattr("bioclip_probe.stats.kmeans.MOST_STARTED_AGAIN", 60 * 29)
    shared = SharedResults(vectors, placement)
    assert len(shared.clusters("species").starts) == 1 and len(shared.clusters("phylum").starts) == 3


def test_with_too_many_images_and_taxa_there_is_no_interval_and_the_note_says_why():
    placement = random_taxonomy(30, 60, rng())
    vectors = signal_vectors(placement, 8, 1.0, 0.3, rng())
    few = MeasureSettings(max_recluster=600, n_null_permutations=3)
    shared = SharedResults(vectors, placement, few)
    assert shared.clusters("species").without_groups is None and shared.clusters("kingdom").without_groups is not None
    for number in every_number(shared, "species").values():
        assert np.isnan(number.ci_low) and "more than 600 images times taxa" in number.note


def test_intervals_resample_the_rank_that_is_asked_for():
    placement = random_taxonomy(60, 120, rng())
    vectors = signal_vectors(placement, 8, 1.0, 0.3, rng())
    shared = SharedResults(vectors, placement, MeasureSettings(resample="family", n_null_permutations=3))
    found = estimates(cluster_purity(shared, placement), "cluster_purity")["order"]
    assert found.resampled == "family" and found.n_units == len(np.unique(placement.at("family")))


def test_perfect_agreement_of_few_species_claims_no_certainty():
    frame = pd.DataFrame({"genus": np.repeat(["A", "B"], 12)})
    frame["species"] = [f"{genus} s{number // 2}" for number, genus in enumerate(frame["genus"])]
    vectors = unit_rows(np.where(frame["genus"].to_numpy()[:, None] == "A", [[1.0, 0.1]], [[0.1, 1.0]]))
    found = every_number(SharedResults(vectors.astype(np.float32), taxonomy(frame), FEW), "genus")
    purity, ami = found["cluster_purity"], found["cluster_ami"]
    assert (purity.value, purity.ci_high) == (1, 1) and purity.ci_low == pytest.approx(0.025 ** (1 / 12))
    assert ami.value == pytest.approx(1) and np.isnan(ami.ci_low) and "the same without any" in ami.note


def test_one_cluster_has_the_share_of_the_most_frequent_taxon():
    clusters, labels = np.zeros((1, 4), dtype=np.int64), np.array([0, 0, 1, 1])
    found = cluster_numbers(clusters, labels, np.arange(4))["cluster_purity"]
    assert (found.value, found.chance) == (0.5, 0.5)
    assert found.note.startswith("1 clusters; one start")
