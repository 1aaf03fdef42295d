"""Further columns of the images that a study in a notebook looks at, such as photographer or place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bioclip_probe.tables import check_no_text


@dataclass(frozen=True, eq=False)
class ColumnSettings:
    """Columns of the images that a study looks at beside their taxa.

    Attributes
    ----------
    confounds : tuple of str
        Columns that embeddings may follow instead of the tree, such as photographer.
    strata : tuple of str
        Columns inside whose values species are permuted.
    table : DataFrame, str or Path, optional
        The table that has them, with a column of image ids. A DataFrame without such a column has a row for each image,
        in the order of the one that `from_arrays` was given. By default the file of the dataset.

    Raises
    ------
    ProbeError
        If a text stands in place of a list of names.

    Examples
    --------
    >>> ColumnSettings(confounds=("photographer",)).strata
    ()
    """

    confounds: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    table: pd.DataFrame | str | Path | None = None

    def __post_init__(self) -> None:
        check_no_text("confounds", self.confounds)
        check_no_text("strata", self.strata)
