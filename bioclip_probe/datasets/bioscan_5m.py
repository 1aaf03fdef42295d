"""BIOSCAN-5M: five million insects and other arthropods, each with its picture and its taxon by DNA barcode.

``bioscan-5m:PATH``, where PATH is the folder with ``BIOSCAN_5M_Insect_Dataset_metadata.csv``, there or in
``metadata/csv`` as the archive unpacks, and with one set of pictures, ``images/<set>/<split>/<chunk>/<processid>.jpg``.
If there are several sets, PATH is the folder of the one to read, such as ``.../images/cropped_256``. Splits that were
not downloaded are left out, and noted.

The `image_id` is the process id, as in BIOSCAN-1M. The subfamily is no rank of this package.
"""

from __future__ import annotations

from pathlib import Path

from bioclip_probe.datasets import bioscan
from bioclip_probe.datasets.dataset import Dataset
from bioclip_probe.datasets.readers.text_tables import CSV, read_columns
from bioclip_probe.tables import RANKS

TABLE = "BIOSCAN_5M_Insect_Dataset_metadata.csv"
#: Pictures of known species are in train, val and test; those of other species in the splits that end in _unseen.
SPLITS = frozenset("pretrain train val test key_unseen val_unseen test_unseen other_heldout".split())
COLUMNS = ("processid", "split", "chunk", *RANKS[1:])


def load(path: Path) -> Dataset:
    """Return BIOSCAN-5M below `path`; the module's docstring describes the path.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing is there, or its layout is not that of BIOSCAN-5M.

    Examples
    --------
    >>> load(Path("nowhere"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: nowhere: no such folder
    """
    table, pictures = bioscan.find_table_and_pictures(
        path, "bioscan5m", [TABLE, f"metadata/csv/{TABLE}"], SPLITS.__contains__
    )
    rows = read_columns(table, CSV, COLUMNS).rename(columns={"processid": "image_id"})
    # A chunk is named by two hexadecimal digits, of which a program may have made a number; small splits have none.
    chunk = (bioscan.without_decimals(rows["chunk"]).str.zfill(2) + "/").fillna("")
    rows["source"] = rows["split"] + "/" + chunk + rows["image_id"] + ".jpg"
    return bioscan.dataset_from_specimens("bioscan-5m", table, pictures, rows)
