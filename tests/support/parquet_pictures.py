"""Made-up Parquet files of pictures, as the Hugging Face hub has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_pictures(
    path: Path, images: Sequence, rows_per_group: int = 7, kind: str | pa.DataType = "struct", **columns: Sequence
) -> Path:
    """Write a Parquet file with a column `image`, of structs or of bytes, and text columns; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "struct":
        column = pa.array(
            [image if isinstance(image, dict) else {"bytes": image, "path": None} for image in images],
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        )
    else:
        column = pa.array(images, kind)
    pq.write_table(pa.table({"image": column, **columns}), path, row_group_size=rows_per_group)
    return path


def name_columns(number: int) -> dict[str, list[str]]:
    """Return genus and species of some pictures."""
    return {"genus": ["Pica"] * number, "species": [f"p{i % 3}" for i in range(number)]}
