"""Datasets give images and taxa. One file a dataset."""

from __future__ import annotations

from bioclip_probe.datasets.dataset import Dataset, fingerprint_of

__all__ = ["Dataset", "fingerprint_of"]
