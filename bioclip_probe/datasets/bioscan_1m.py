"""BIOSCAN-1M: a million insects of the laboratory in Guelph, each with its picture and its taxon by DNA barcode.

``bioscan-1m:PATH``, where PATH is the folder with ``BIOSCAN_Insect_Dataset_metadata.tsv`` and one set of pictures,
``images/<set>/part<n>/<file>``. If there are several sets, PATH is the folder of the one to read, such as
``.../images/cropped_256``. Parts that were not downloaded are left out, and noted.

The `image_id` is the process id, as in BIOSCAN-5M. Subfamily and tribe are no ranks of this package. `split` stays
empty, because the table has six splits for six tasks, and none for all.
"""

from __future__ import annotations

import re
from pathlib import Path

from bioclip_probe.datasets import bioscan
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.text_tables import TSV, read_columns
from bioclip_probe.tables import RANKS

TABLE = "BIOSCAN_Insect_Dataset_metadata.tsv"
COLUMNS = ("processid", "image_file", "chunk_number", *RANKS[1:])


def load(path: Path) -> Dataset:
    """Return BIOSCAN-1M below `path`; the module's docstring describes the path.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is there, or its layout is not that of BIOSCAN-1M.

    Examples
    --------
    >>> load(Path("nowhere"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere: no such folder
    """
    table, pictures = bioscan.find_table_and_pictures(
        path, "bioscan1m", [TABLE], lambda name: re.fullmatch(r"part\d+", name) is not None
    )
    rows = read_columns(table, TSV, COLUMNS).rename(columns={"processid": "image_id"})
    rows["source"] = "part" + bioscan.without_decimals(rows["chunk_number"]) + "/" + rows["image_file"]
    return bioscan.dataset_from_specimens("bioscan-1m", table, pictures, rows)
