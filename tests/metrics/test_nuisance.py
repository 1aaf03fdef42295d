"""Agreement of embeddings with columns of the images, beside the tree."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.metrics.nuisance import (
    ImageColumn,
    column_agreement,
    cophenetic_correlation_within_values,
    knn_purity_within_values,
)
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.tree import taxonomy
from tests.definitions import nuisance as definitions
from tests.support.settings import FEW

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def families(n_families: int, n_species: int, n_images: int):
    """Return images of families of species, one genus each, as a placement."""
    rows = [
        (f"F{LETTERS[f]}idae", f"G{LETTERS[f]}{LETTERS[s]}", f"G{LETTERS[f]}{LETTERS[s]} s{LETTERS[s]}")
        for f in range(n_families)
        for s in range(n_species)
        for _ in range(n_images)
    ]
    return taxonomy(pd.DataFrame(rows, columns=["family", "genus", "species"]))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def by_name(rows):
    return {(row.metric, row.rank): row.estimate for row in rows}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4), st.booleans(), st.booleans())
def test_agreement_equals_its_definition(seed, n_values, duplicates, with_copies):
    rng = np.random.default_rng(seed)
    placement = families(3, 3, 2)
    vectors = rng.normal(size=(len(placement), 3))
    if duplicates:
        vectors = vectors[rng.integers(4, size=len(vectors))]
    values = rng.integers(-1, n_values, size=len(placement))
    nothing = np.full(len(values), -1)
    copies = rng.integers(-1, 6, size=len(values)) if with_copies else None
    column = ImageColumn(SharedResults(unit(vectors), placement, FEW, copies=copies), "place", values)
    found = by_name(column_agreement(column))
    if len(set(values[values >= 0])) < 2:
        assert all(np.isnan(estimate.value) for estimate in found.values())
        return
    copies = nothing if copies is None else copies
    for name, excluded in (("column_agreement", copies), ("column_agreement_other_species", placement.node)):
        estimate = found[name, "species"]
        expected = definitions.column_agreement(unit(vectors), values, excluded)
        assert (estimate.value, estimate.chance) == pytest.approx(expected)
        assert estimate.null == "images" and estimate.n_images == np.sum(values >= 0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.integers(1, 3))
def test_purity_inside_values_equals_its_definition(seed, n_values):
    rng = np.random.default_rng(seed)
    placement = families(3, 3, 2)
    vectors = unit(rng.normal(size=(len(placement), 3)))
    values = rng.integers(-1, n_values, size=len(placement))
    column = ImageColumn(SharedResults(vectors, placement, FEW), "place", values)
    estimate = by_name(knn_purity_within_values(column))["knn_purity_1_within_values", "family"]
    expected = definitions.purity_within_values(vectors, values, placement.at("family"), placement.node)
    assert estimate.value == pytest.approx(expected, nan_ok=True)
    assert np.isnan(estimate.value) or estimate.null == "within place"


def background_only(rng: np.random.Generator):
    """Return vectors that know a background alone, which half of the families share."""
    placement = families(12, 4, 4)
    family = np.unique(placement.at("family"), return_inverse=True)[1]
    values = family % 2
    scenes = rng.normal(size=(2, 16))
    return unit(4 * scenes[values] + rng.normal(size=(len(values), 16))), placement, values


def test_a_model_that_knows_the_background_alone_is_found_out():
    vectors, placement, values = background_only(np.random.default_rng(3))
    column = ImageColumn(SharedResults(vectors, placement, FEW), "background", values)
    agreement = by_name(column_agreement(column))["column_agreement_other_species", "species"]
    assert agreement.ci_low > 0.9 and agreement.chance < 0.55
    inside = by_name(knn_purity_within_values(column))["knn_purity_1_within_values", "family"]
    assert inside.ci_low < inside.chance < inside.ci_high


def test_cpcc_of_the_background_does_not_survive_a_permutation_inside_it():
    vectors, placement, values = background_only(np.random.default_rng(4))
    shared = SharedResults(vectors, placement, FEW)
    (row,) = cophenetic_correlation_within_values(ImageColumn(shared, "background", values))
    assert row.estimate.value > 0.05 and row.estimate.p_value > 0.05
    assert row.estimate.null == "within background" and row.column == "background"
    assert row.estimate.chance == pytest.approx(row.estimate.value, abs=0.05)


def test_a_species_has_its_most_frequent_value():
    placement = families(1, 2, 3)
    column = ImageColumn(SharedResults(unit(np.eye(6)), placement, FEW), "place", np.array([1, 1, 0, -1, -1, 2]))
    assert column.species.tolist() == [1, 2] and column.n_species_with_several == 1


def test_one_value_or_none_is_said():
    placement = families(1, 2, 2)
    shared = SharedResults(unit(np.eye(4)), placement, FEW)
    notes = [
        column_agreement(ImageColumn(shared, "place", values))[0].estimate.note
        for values in (np.zeros(4, dtype=int), np.full(4, -1))
    ]
    assert notes == ["all images have one value", "no image has a value"]
