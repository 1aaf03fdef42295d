"""Datasets give images and taxa: one file a dataset.

`catalogue` lists the datasets, `load` returns the one that ``NAME`` or ``NAME:PATH`` names. `from_frame` makes one of a
DataFrame.
"""

from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.frames import from_frame, from_rows
from bioclip_probe.datasets.identity import Identity, fingerprint_of
from bioclip_probe.datasets.registry import catalogue, load

__all__ = ["Dataset", "Identity", "catalogue", "fingerprint_of", "from_frame", "from_rows", "load"]
