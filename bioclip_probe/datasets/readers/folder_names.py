"""Lineages that the names of folders give: folders that name no taxon, three layouts, and what contradicts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.naming import read_name, read_taxon
from bioclip_probe.tree.spelling import is_placeholder

#: One name for each of `RANKS`, None where it is not known.
Lineage = tuple[str | None, ...]

UNKNOWN: Lineage = (None,) * len(RANKS)
#: Folders that systems and programs make beside pictures.
SYSTEM_FOLDERS = frozenset(
    ["__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "system volume information", "__pycache__"]
)
#: Folders of the parts of a dataset, whose name becomes the split.
SPLITS = frozenset(
    "train training train_mini train_small train_val trainval val valid validation dev eval evaluation test testing "
    "2021_train 2021_train_mini 2021_valid holdout".split()
)
#: Folders around all others.
WRAPPERS = frozenset("images image imgs img photos pictures pics jpg jpeg png data dataset datasets".split())
#: The level above kingdoms, where it has a name of its own.
DOMAINS = frozenset(["eukaryota", "eukarya", "prokaryota", "prokaryotes", "eukaryotes", "life"])
#: Names of kingdoms in the systems that are in use: GBIF, NCBI, iNaturalist, ITIS, ICTV, LPSN.
KINGDOMS = frozenset(
    "animalia metazoa plantae viridiplantae archaeplastida glaucophyta fungi chromista protozoa protista monera "
    "bacteria eubacteria archaea archaebacteria viruses virus bacillati pseudomonadati fusobacteriati thermotogati "
    "methanobacteriati nanobdellati thermoproteati promethearchaeati orthornavirae pararnavirae heunggongvirae "
    "bamfordvirae shotokuvirae sangervirae trapavirae loebvirae zilligvirae helvetiavirae abadenavirae".split()
)
#: Endings of names between two of the ranks: subfamilies.
_SUBFAMILY = re.compile(r"(?:inae|oideae)$", re.IGNORECASE)
_FAMILY = re.compile(r"(?:idae|aceae)$", re.IGNORECASE)
_ORDER = re.compile(r"(?:iformes)$", re.IGNORECASE)
_ARTICLE = {"order": "an order", "family": "a family", "subfamily": "a subfamily"}
_BINOMIAL = re.compile(
    r"(?:[×xX] ?)?[^\W\d_a-z][^\W\d_]*(?:-[^\W\d_]+)? "
    r"(?:[×xX] ?)?[^\W\d_A-Z][^\W\d_]*(?:-[^\W\d_]+)*"
    r"(?:\.| \(.*| [^\W\d_a-z].*| (?:×|(?:x|subsp|ssp|var|f|forma)\b).*|(?<= cf)\.? .*|(?<= aff)\.? .*|(?<= sp)\.? .*)?"
)


@dataclass(frozen=True)
class TaxonFolder:
    """A folder with pictures.

    Attributes
    ----------
    path : PurePosixPath
        As it lies below the dataset's folder.
    taxon : PurePosixPath
        Without the levels that name no taxon.
    split : str or None
        The part of the dataset, where a level names one.
    skipped : tuple of str
        The levels that name no taxon.

    Examples
    --------
    >>> TaxonFolder(PurePosixPath("a"), PurePosixPath("a")).skipped
    ()
    """

    path: PurePosixPath
    taxon: PurePosixPath
    split: str | None = None
    skipped: tuple[str, ...] = ()


def is_system_folder(path: PurePosixPath) -> bool:
    """Return whether a file lies in a folder of a system or a program, such as ``__MACOSX``.

    Parameters
    ----------
    path : PurePosixPath

    Returns
    -------
    bool

    Examples
    --------
    >>> is_system_folder(PurePosixPath("__MACOSX/Pica pica/._1.jpg"))
    True
    """
    return any(part.lower() in SYSTEM_FOLDERS for part in path.parts[:-1])


def without_other_levels(folder: PurePosixPath) -> TaxonFolder:
    """Return a folder without leading levels that name no taxon: ``train``, ``images``, ``Eukaryota``.

    Parameters
    ----------
    folder : PurePosixPath

    Returns
    -------
    TaxonFolder

    Examples
    --------
    >>> folder = without_other_levels(PurePosixPath("train/images/Animalia/Chordata"))
    >>> str(folder.taxon), folder.split
    ('Animalia/Chordata', 'train')
    """
    parts, split, skipped = folder.parts, None, []
    while len(parts) > 1 and parts[0].lower() in SPLITS | WRAPPERS:
        if parts[0].lower() in SPLITS:
            split = parts[0]
        skipped.append(parts[0])
        parts = parts[1:]
    domain = re.sub(r"^[dk]__", "", parts[0]).lower()
    if len(parts) > 1 and domain in DOMAINS:
        skipped.append(parts[0])
        parts = parts[1:]
    return TaxonFolder(folder, PurePosixPath(*parts), split, tuple(skipped))


def lineages_of_folders(root: Path, folders: Sequence[TaxonFolder]) -> tuple[dict[PurePosixPath, Lineage], list[str]]:
    """Return the lineage of each folder, by the first layout that fits them all, and notes.

    Parameters
    ----------
    root : Path
        For messages.
    folders : sequence of TaxonFolder

    Returns
    -------
    lineages : dict from PurePosixPath to tuple of (str or None)
        By the path of the folder.
    notes : list of str

    Raises
    ------
    DataError
        If no layout fits all folders, or one fits and a name cannot stand at its level.

    Examples
    --------
    >>> folder = without_other_levels(PurePosixPath("Pica hudsonia"))
    >>> lineages_of_folders(Path("birds"), [folder])[0][folder.path][-1]
    'Pica hudsonia'
    """
    folders, notes = _without_subfamilies(folders)
    offenders = list(folders)
    for parse, check in LAYOUTS:
        parsed = {folder: parse(folder.taxon) for folder in folders}
        lineages = {folder: lineage for folder, lineage in parsed.items() if lineage is not None}
        refused = [folder for folder in folders if folder not in lineages]
        # A single level of plain words is not a nest of ranks: some folder must reach the genus.
        if not refused and any(lineage[-2] or lineage[-1] for lineage in lineages.values()):
            if check:
                _check_levels(root, lineages)
            return {folder.path: lineage for folder, lineage in lineages.items()}, notes
        if refused and len(refused) < len(offenders):
            offenders = refused
    raise DataError(
        f"{root}: cannot tell the taxa from the folder names; expected Kingdom_..._epithet, Genus species, or seven "
        f"nested ranks throughout, or a table of the folders, folder:{root}#TABLE.csv; "
        f"found: {some(folder.path.as_posix() for folder in offenders)}"
    )


def _without_subfamilies(folders: Sequence[TaxonFolder]) -> tuple[list[TaxonFolder], list[str]]:
    """Return folders without a level of subfamilies below that of families, and a note."""
    found: set[str] = set()
    without = []
    for folder in folders:
        parts = folder.taxon.parts
        extra = [i for i in range(1, len(parts)) if _SUBFAMILY.search(parts[i]) and _FAMILY.search(parts[i - 1])]
        found.update(parts[i] for i in extra)
        kept = [part for i, part in enumerate(parts) if i not in extra]
        without.append(replace(folder, taxon=PurePosixPath(*kept)) if extra else folder)
    return without, [f"levels of subfamilies were skipped: {some(sorted(found))}"] if found else []


def _parse_path(folder: PurePosixPath) -> Lineage | None:
    if len(folder.parts) != 1:
        return None
    name = re.sub(r"^\d+[_-]", "", folder.name)
    # Epithets may have hyphens (c-album), names of higher ranks have none.
    between = "_" if "_" in name else "-"
    *higher, epithet = name.split(between, len(RANKS) - 1)
    if len(higher) < len(RANKS) - 1:
        return None
    # Quercus-x-bebbiana is a hybrid; the spider Zygiella-x-notata is none, as hybrids of animals have no such names.
    if between == "_" or higher[0].lower() not in ("animalia", "metazoa"):
        epithet = re.sub(f"^[xX×]{between}", "× ", epithet)
    return (*higher, epithet) if "_" not in epithet else None


def _parse_binomial(folder: PurePosixPath) -> Lineage | None:
    if len(folder.parts) != 1:
        return None
    name = re.sub(r"[_\s]+", " ", re.sub(r"^\d+[ ._-]+", "", folder.name)).strip()
    read = read_name(name, capital_epithets=False)
    is_binomial = _BINOMIAL.fullmatch(name) and (read.species or read.genus)
    return (*UNKNOWN[:-2], read.genus, name) if is_binomial else None


def _parse_nested(folder: PurePosixPath) -> Lineage | None:
    return (folder.parts + UNKNOWN)[: len(RANKS)] if len(folder.parts) <= len(RANKS) else None


def _check_levels(root: Path, lineages: dict[TaxonFolder, Lineage]) -> None:
    """Refuse lineages with a name that cannot stand at its level, and say how the folders were understood."""
    for folder, lineage in lineages.items():
        problem = _misplaced(lineage)
        if problem:
            understood = ", ".join(f"{rank} {name}" for rank, name in zip(RANKS, lineage, strict=True) if name)
            raise DataError(
                f"{root}: folders are one for each of the seven ranks, from the kingdom; in {folder.path.as_posix()} "
                f"{problem}. It was understood as {understood}. Add or remove the level (a rank that is not known is "
                f"'unknown'), or give a table of the folders: folder:{root}#TABLE.csv"
            )


def _misplaced(lineage: Lineage) -> str:
    """Return what is wrong with the levels of a lineage; empty if nothing is."""
    names = [None if name is None or is_placeholder(name) else read_taxon(name).taxon for name in lineage]
    kingdom = names[0]
    if kingdom and kingdom.lower() not in KINGDOMS:
        below = f", but '{names[1]}' below it is one" if names[1] and names[1].lower() in KINGDOMS else ""
        return f"'{kingdom}' is not a kingdom{below}"
    for level, name in enumerate(names[:-1]):
        for ending, rank in ((_ORDER, "order"), (_FAMILY, "family"), (_SUBFAMILY, "subfamily")):
            if name and rank != RANKS[level] and ending.search(name):
                like = f"ends as the name of {_ARTICLE[rank]} does"
                return f"'{name}', which {like}, stands at the level of the {RANKS[level]}"
    return ""


#: Readers of names from the path of a folder, with True if every level must be of its rank.
LAYOUTS: tuple[tuple[Callable[[PurePosixPath], Lineage | None], bool], ...] = (
    (_parse_path, True),
    (_parse_binomial, False),
    (_parse_nested, True),
)
