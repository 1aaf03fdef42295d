"""UMAP: its settings suit any number of images."""

from __future__ import annotations

from bioclip_probe.projections.umap import umap_settings


def test_umap_asks_for_no_more_neighbours_than_there_are():
    assert all(umap_settings(n)["n_neighbors"] < n for n in range(5, 40))
    assert umap_settings(1000)["n_neighbors"] == 15


def test_umap_starts_at_random_where_its_graph_is_too_small():
    assert [umap_settings(n)["init"] for n in (15, 16)] == ["random", "spectral"]
