"""Lineages of the images of a dataset, for comparison with what a test wrote."""

from __future__ import annotations

from bioclip_probe.datasets import Dataset
from bioclip_probe.tables import RANKS


def lineages_of(dataset: Dataset) -> list[tuple[str | None, ...]]:
    """Return the seven ranks of every image, None where one is missing."""
    table = dataset.images[list(RANKS)].astype(object)
    return list(table.where(table.notna(), None).itertuples(index=False, name=None))
