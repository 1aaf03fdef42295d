import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from bioclip_probe.stats import silhouettes
from bioclip_probe.stats.silhouettes import mean_silhouettes
from tests.definitions import separation as definition
from tests.support.made_up_vectors import unit_rows


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(2, 20), st.integers(1, 8), st.sampled_from([1.0, 1e-3, 1e-5]))
def test_mean_silhouettes_equal_their_definition(seed, n, n_species, spread):
    rng = np.random.default_rng(seed)
    vectors = unit_rows(rng.standard_normal(3) + spread * rng.standard_normal((n, 3)))
    species, labels = rng.integers(0, n_species, n), rng.integers(-1, 4, (5, n_species))
    for found, row in zip(mean_silhouettes(vectors, species, labels), labels, strict=True):
        taxa = row[species]
        named = taxa >= 0
        _, size = np.unique(taxa[named], return_counts=True)
        if len(size) < 2 or size.max() < 2:
            assert np.isnan(found)
        else:
            expected = definition.silhouettes(vectors[named], taxa[named]).mean()
            assert found == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(2, 8))
def test_without_some_species_it_is_the_labelling_of_the_others(seed, n, n_species):
    rng = np.random.default_rng(seed)
    vectors, species = unit_rows(rng.standard_normal((n, 3))), rng.integers(0, n_species, n)
    whole, group = rng.integers(-1, 4, (2, n_species)), rng.integers(0, 5, n_species)
    labels = [[row, *(np.where(group == number, -1, row) for number in range(5))] for row in whole]
    labels = np.concatenate(labels)
    alone = [mean_silhouettes(vectors, species, row[None])[0] for row in labels]
    assert mean_silhouettes(vectors, species, labels) == pytest.approx(alone, abs=1e-12, nan_ok=True)


def test_mean_silhouettes_equal_those_of_scikit_learn_in_any_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    species = rng.integers(0, 30, 200)
    vectors = unit_rows(rng.standard_normal((30, 16))[species] + rng.standard_normal((200, 16))).astype(np.float32)
    labels = rng.integers(0, 6, (3, 30))
    expected = [silhouette_score(vectors.astype(float), row[species], metric="cosine") for row in labels]
    assert mean_silhouettes(vectors, species, labels) == pytest.approx(expected, abs=1e-6)
    monkeypatch.setattr(silhouettes, "BLOCK", 7)
    assert mean_silhouettes(vectors, species, labels) == pytest.approx(expected, abs=1e-6)


def test_constant_vectors_and_no_vectors_tell_nothing():
    vectors = np.tile(unit_rows(np.ones((1, 512))).astype(np.float32), (40, 1))
    assert mean_silhouettes(vectors, np.arange(40) % 8, np.arange(8)[None] % 3).tolist() == [0.0]
    assert np.isnan(mean_silhouettes(vectors[:0], np.zeros(0, dtype=int), np.arange(8)[None])).all()
