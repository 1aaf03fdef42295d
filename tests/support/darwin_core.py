"""Made-up Darwin Core archives: their description, three records, and their media."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

DWC = "http://rs.tdwg.org/dwc/terms/"
TAB_SEPARATED = (
    r'encoding="UTF-8" fieldsTerminatedBy="\t" linesTerminatedBy="\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
)
CORE = [
    "gbifID", "kingdom", "phylum", "class", "order", "family", "genus", "specificEpithet", "scientificName",
    "recordedBy", "vernacularName",
]  # fmt: skip
MAGPIE = ["Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "hudsonia"]
RECORDS = [
    ["101", *MAGPIE, "Pica hudsonia (Sabine, 1823)", 'A. "Al" Bird', "Black-billed Magpie"],
    ["102", *MAGPIE[:5], "Polygonia", "c-album", "", "", ""],
    ["103", "Plantae", "", "", "", "", "", "", "Pteris vittata L.", "B", ""],
]
MEDIA = [
    ["101", "StillImage", "https://example.org/photos/9/original.jpg"],
    ["102", "StillImage", "https://example.org/photos/10/original.jpg"],
    ["103", "Sound", "https://example.org/song.mp3"],
]


def describe_table(
    tag: str, row_type: str, location: str, terms: Sequence[str], form: str = TAB_SEPARATED, key: int = 0
) -> str:
    """Return the description of one table, as it stands in a `meta.xml`."""
    fields = "".join(f'<field index="{i}" term="{DWC}{term}"/>' for i, term in enumerate(terms))
    key_tag = "id" if tag == "core" else "coreid"
    files = f"<files><location>{location}</location></files>"
    return f'<{tag} {form} rowType="{row_type}">{files}<{key_tag} index="{key}"/>{fields}</{tag}>'


def describe_archive(*tables: str) -> str:
    """Return the content of a `meta.xml`."""
    return f'<?xml version="1.0"?><archive xmlns="http://rs.tdwg.org/dwc/text/">{"".join(tables)}</archive>'


META = describe_archive(
    describe_table("core", f"{DWC}Occurrence", "occurrence.txt", CORE),
    describe_table(
        "extension", "http://rs.gbif.org/terms/1.0/Multimedia", "multimedia.txt", ["gbifID", "type", "identifier"]
    ),
)


def _lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in [header, *rows])


def write_archive(root: Path, records: Sequence = RECORDS, media: Sequence = MEDIA, description: str = META) -> Path:
    """Write an archive into a folder, and return the folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "meta.xml").write_text(description, encoding="utf-8")
    (root / "occurrence.txt").write_text(_lines(CORE, records), encoding="utf-8")
    (root / "multimedia.txt").write_text(_lines(["gbifID", "type", "identifier"], media), encoding="utf-8")
    return root


def zip_archive(root: Path) -> Path:
    """Move the files of an archive into a ``.zip`` beside its folder, and return the path of the ``.zip``."""
    with zipfile.ZipFile(root.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("meta.xml", "occurrence.txt", "multimedia.txt"):
            archive.write(root / name, name)
            (root / name).unlink()
    return root.with_suffix(".zip")
