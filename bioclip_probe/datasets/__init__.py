"""Datasets give images and taxa: one file a dataset.

`catalogue` lists the datasets, `load` returns the one that ``NAME`` or ``NAME:PATH`` names.
"""

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.identity import Identity, fingerprint_of
from bioclip_probe.datasets.registry import catalogue, load

__all__ = ["Dataset", "Identity", "catalogue", "fingerprint_of", "load"]
