"""Made-up folders of BIOSCAN-1M and BIOSCAN-5M: a table of specimens and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tests.support.pictures import paint

LINEAGE = {
    "phylum": "Arthropoda",
    "class": "Insecta",
    "order": "Diptera",
    "family": "Cecidomyiidae",
    "genus": "Asteromyia",
    "species": "Asteromyia carbonifera",
}


def write_bioscan_1m(
    root: Path, sets: Sequence[str] = ("cropped_256",), parts: Sequence[int] = (18, 113), **changes: object
) -> Path:
    """Write two specimens as BIOSCAN-1M has them, one known to the family only, with its many other columns."""
    rows = pd.DataFrame(
        {
            "sampleid": ["BIOUG73231-D12", "BIOUG79013-C04"],
            "processid": ["SCALI001-22", "SCALI002-22"],
            "uri": "BOLD:AAA0001",
            "name": ["Asteromyia carbonifera", "Cecidomyiidae"],
            **LINEAGE,
            "subfamily": "not_classified",
            "nucraw": "AACATTATAT" * 60,
            "image_file": ["5351601.jpg", "BIOUG79013-C04.jpg"],
            "large_diptera_family": "no_split",
            "chunk_number": parts,
        }
    )
    rows.loc[1, ["genus", "species"]] = "not_classified"
    for column, values in changes.items():
        rows[column] = values
    root.mkdir(parents=True, exist_ok=True)
    rows.to_csv(root / "BIOSCAN_Insect_Dataset_metadata.tsv", sep="\t", index=False)
    for name in sets:
        for part, file in zip(parts, ["5351601.jpg", "BIOUG79013-C04.jpg"], strict=True):
            paint(root / "images" / name / f"part{part}" / file)
    return root


def write_bioscan_5m(
    root: Path,
    sets: Sequence[str] = ("original_256",),
    table: str = "",
    splits: Sequence[str] = ("train", "key_unseen"),
) -> Path:
    """Write three specimens as BIOSCAN-5M has them; the pictures of two splits exist."""
    rows = pd.DataFrame(
        {
            "processid": ["SCALI001-22", "SCALI002-22", "SCALI003-22"],
            "sampleid": ["a", "b", "c"],
            "taxon": "Insecta",
            **LINEAGE,
            "subfamily": None,
            "dna_bin": "BOLD:AAA0001",
            "dna_barcode": "AACATTATAT",
            "split": ["train", "key_unseen", "pretrain"],
            "index_bioscan_1M_insect": [1, None, None],
            "chunk": ["0a", None, "10"],
        }
    )
    rows.loc[1, ["genus", "species"]] = None
    (root / table).mkdir(parents=True, exist_ok=True)
    rows.to_csv(root / table / "BIOSCAN_5M_Insect_Dataset_metadata.csv", index=False)
    for name in sets:
        for file in ("train/0a/SCALI001-22.jpg", "key_unseen/SCALI002-22.jpg"):
            if file.split("/")[0] in splits:
                paint(root / "images" / name / file)
    return root
