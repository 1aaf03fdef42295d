"""The contents of a results folder from which the files beside the tables are made."""

from __future__ import annotations

from dataclasses import dataclass

from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample


@dataclass(frozen=True, eq=False)
class Contents:
    """A study, as the writers of files see it.

    Attributes
    ----------
    results : Results
        The record and all tables that the folder holds once this step is written. Its folder need not exist yet.
    sample : Sample

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(Contents(Results(Path("out"), {}), corvid_sample()).sample.images)
    3
    """

    results: Results
    sample: Sample
