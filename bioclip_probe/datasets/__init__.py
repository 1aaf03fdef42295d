"""Datasets give images and taxa: one file a dataset.

`catalogue` lists the datasets, `load` returns the one that ``NAME`` or ``NAME:PATH`` names.
"""

from bioclip_probe.datasets.dataset import Dataset, fingerprint_of
from bioclip_probe.datasets.registry import catalogue, load

__all__ = ["Dataset", "catalogue", "fingerprint_of", "load"]
