"""What the files beside the tables are made from: the sample of a study, and its results so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bioclip_probe.study.bundle.images import images_table
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import Entry


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
    >>> len(Contents(Results(Path("out"), {}), corvid_sample()).images)
    3
    """

    results: Results
    sample: Sample

    @cached_property
    def images(self) -> pd.DataFrame:
        """The images of the study, see `images.images_table`."""
        return images_table(self.sample)


@dataclass(frozen=True)
class FileEntry(Entry):
    """A file of a results folder.

    Attributes
    ----------
    name : str
        Its name in the folder.
    title : str
        What it holds, in one line.
    notes : str
        Its media type.
    function : callable
        ``function(contents) -> bytes``, or None where the study has nothing for the file.
    """

    function: Callable[[Contents], bytes | None] | None = None
