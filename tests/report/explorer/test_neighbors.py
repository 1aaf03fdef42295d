"""Neighbours of the explorer are those of the metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.nearest import knn_purity_other_species
from bioclip_probe.report.explorer.neighbors import Near, Neighbors
from bioclip_probe.stats.embeddings import unit_rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy

N = 60


@pytest.fixture(scope="module")
def vectors():
    return unit_rows(np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32))


@pytest.fixture(scope="module")
def placement():
    above = ["Animalia", "Chordata", "Aves", "Passeriformes"]
    genus = [f"Genus{i % 5}" for i in range(N)]
    family = [f"Family{i % 5 % 2}" for i in range(N)]
    species = [f"{name} {('albus', 'niger', 'ruber')[i % 3]}" for i, name in enumerate(genus)]
    rows = [[*above, *names] for names in zip(family, genus, species, strict=True)]
    return taxonomy(pd.DataFrame(rows, columns=RANKS))


def brute(vectors, allowed, k):
    similarity = np.where(allowed, vectors.astype(float) @ vectors.T.astype(float), -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k]


def test_they_are_the_nearest_outside_the_own_group(vectors, placement):
    species, groups = placement.at("species"), np.arange(N) // 4
    neighbors = Neighbors.of(vectors, species, groups)
    other_group = groups[:, None] != groups
    assert neighbors.nearest.tolist() == brute(vectors, other_group, 5).tolist()
    relatives = brute(vectors, other_group & (species[:, None] != species), 1)[:, 0]
    assert np.mean(neighbors.relative == relatives) == 1


def test_purity_among_other_species_is_that_of_the_metric(vectors, placement):
    neighbors = Neighbors.of(vectors, placement.at("species"), np.full(N, -1))
    values = {row.rank: row.value for row in knn_purity_other_species(vectors, placement) if "_1_" in row.metric}
    for rank in ("family", "genus"):
        taxon, species = placement.at(rank), placement.at("species")
        counted = [bool(((taxon == taxon[i]) & (species != species[i])).any()) for i in range(N)]
        assert (taxon == taxon[neighbors.relative])[counted].mean() == pytest.approx(values[rank])


def test_another_order_names_the_same_neighbors(vectors, placement):
    neighbors = Neighbors.of(vectors, placement.at("species"), np.full(N, -1))
    order = np.random.default_rng(1).permutation(N)
    turned = Neighbors.of(vectors[order], placement.at("species")[order], np.full(N, -1))
    assert neighbors.reordered(order).nearest.tolist() == turned.nearest.tolist()


def test_few_pictures_have_few_neighbors(vectors):
    neighbors = Neighbors.of(vectors[:3], np.array([0, 0, 0]), np.full(3, -1))
    assert (neighbors.nearest >= 0).sum(axis=1).tolist() == [2, 2, 2]
    assert neighbors.relative.tolist() == [-1, -1, -1]
    again = Neighbors.from_table(neighbors.as_table())
    assert again.nearest.tolist() == neighbors.nearest.tolist()


@pytest.mark.parametrize("searched", [3, 9, 90])
@pytest.mark.parametrize("size", [1, 4, 20])
def test_other_groups_are_found_however_few_were_searched(vectors, searched, size):
    groups = np.where(np.arange(N) < 5, -1, np.arange(N) // size)
    found = Near.of(vectors, searched).outside(vectors, groups, 5)
    other = (groups[:, None] != groups) | (groups[:, None] < 0)
    np.fill_diagonal(other, False)
    assert found.rows.tolist() == brute(vectors, other, 5).tolist()
    cosine = np.take_along_axis(vectors.astype(float) @ vectors.T.astype(float), found.rows, axis=1)
    assert found.similarity == pytest.approx(cosine, abs=1e-6)
