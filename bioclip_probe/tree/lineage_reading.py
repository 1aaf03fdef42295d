"""Lineages as their source writes them, read into the seven ranks, with what was dropped or set right on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, some
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.naming import read_name, read_taxon
from bioclip_probe.tree.scientific_name import CHANGES, REASONS, Name
from bioclip_probe.tree.spelling import clean, name_key
from bioclip_probe.tree.tree import SEPARATOR

#: A finding beside `REASONS` and `CHANGES`: a species of another genus than the column of the genus gives.
OTHER_GENUS = "other genus"


@dataclass(frozen=True)
class Finding:
    """A name that was not taken as it is written.

    Attributes
    ----------
    kind : str
        A key of `REASONS` or `CHANGES`, or `OTHER_GENUS`.
    rank : str
    written : str
        The name in the source.
    name : str or None
        The name as it is read; None for a hole.
    n_rows : int

    Examples
    --------
    >>> Finding("author", "species", "Pica pica (L.)", "Pica pica", 3).n_rows
    3
    """

    kind: str
    rank: str
    written: str
    name: str | None
    n_rows: int


@dataclass(frozen=True, eq=False)
class LineageReading:
    """Lineages that were read, and what was found on the way.

    Attributes
    ----------
    lineages : DataFrame, n rows, columns `RANKS`, dtype str
    findings : tuple of Finding
    n_genera : int
        Rows whose genus was taken from the name of their species.

    Examples
    --------
    >>> read_lineages(pd.DataFrame({"genus": ["Pica"], "species": ["Pica pica (L.)"]})).notes
    ["authors were dropped in 1 names: 'Pica pica (L.)' is Pica pica"]
    """

    lineages: pd.DataFrame
    findings: tuple[Finding, ...]
    n_genera: int = 0

    @property
    def notes(self) -> list[str]:
        """One line for each kind of finding, with the number of rows and examples."""
        genera = f"the genus of {self.n_genera} images was read from their species' binomial"
        return [*([genera] if self.n_genera else []), *notes_on_findings(self.findings)]


def read_lineages(frame: pd.DataFrame) -> LineageReading:
    """Read the seven ranks of a table.

    Every distinct name is read once, by `naming`. A species may be its binomial or its epithet; a genus that is missing
    is taken from the name of the species. Names that differ only in case, accents or the sign of a hybrid are one name.

    Parameters
    ----------
    frame : DataFrame, n rows
        At least one of the columns kingdom … species. Other columns are ignored.

    Returns
    -------
    LineageReading
        The index of its table is that of `frame`.

    Raises
    ------
    DataError
        If there is no rank column, or if a name contains ``|``, which stands between the names of a path.

    Examples
    --------
    >>> frame = pd.DataFrame({"genus": ["Pica", "Pica"], "species": ["hudsonia", "cf. pica"]})
    >>> reading = read_lineages(frame)
    >>> reading.lineages["species"].tolist(), reading.findings[0].kind
    (['Pica hudsonia', nan], 'open nomenclature')
    """
    present = [rank for rank in RANKS if rank in frame.columns]
    if not present:
        raise DataError(f"expected at least one rank column ({', '.join(RANKS)}); found: {', '.join(map(str, frame))}")
    columns = {rank: _Column.of(frame[rank]) for rank in present}
    _refuse_separator(columns)
    findings: list[Finding] = []
    names = {rank: _read_higher(columns[rank], rank, findings) for rank in present if rank != "species"}
    lineages = {rank: columns[rank].take(names[rank]) for rank in names}
    n_genera = 0
    if "species" in columns:
        genus = lineages.get("genus", np.full(len(frame), None, dtype=object))
        above = {name_key(name): rank for rank in names for name in names[rank] if name}
        lineages["genus"], lineages["species"] = _read_species(genus, columns["species"], above, findings)
        n_genera = int(pd.notna(lineages["genus"]).sum() - pd.notna(genus).sum())
    table = {rank: pd.Series(lineages.get(rank), index=frame.index, dtype="str") for rank in RANKS}
    return LineageReading(pd.DataFrame(table, index=frame.index, dtype="str"), tuple(findings), n_genera)


def notes_on_findings(findings: Sequence[Finding]) -> list[str]:
    """Return one line for each kind of finding, with the number of images and examples.

    Parameters
    ----------
    findings : sequence of Finding

    Returns
    -------
    list of str

    Examples
    --------
    >>> notes_on_findings([Finding("aggregate", "species", "Poa alpina agg.", None, 2)])
    ["the species of 2 images is missing, its column gives an aggregate or complex of species: 'Poa alpina agg.'"]
    """
    order = [*REASONS, OTHER_GENUS, *CHANGES]
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        rank = finding.rank if finding.kind in REASONS else ""
        groups.setdefault((finding.kind, rank), []).append(finding)
    notes = []
    for kind, rank in sorted(groups, key=lambda key: (order.index(key[0]), key[1] and RANKS.index(key[1]))):
        found = sorted(groups[kind, rank], key=lambda item: (-item.n_rows, item.written))
        n_rows = sum(item.n_rows for item in found)
        written = some([f"'{item.written}'" for item in found])
        if kind in REASONS:
            notes.append(f"the {rank} of {n_rows} images is missing, its column gives {REASONS[kind]}: {written}")
        elif kind == OTHER_GENUS:
            notes.append(f"the species of {n_rows} images is of another genus than their genus column: {written}")
        else:
            pairs = some([f"'{item.written}' is {item.name}" for item in found], 3)
            notes.append(f"{CHANGES[kind]} in {n_rows} names: {pairs}")
    return notes


@dataclass(frozen=True, eq=False)
class _Column:
    """The distinct texts of a column, and the number of the text of each row, -1 for a missing one."""

    texts: list[str]
    codes: np.ndarray

    @classmethod
    def of(cls, values: pd.Series) -> _Column:
        codes, texts = pd.factorize(values.astype("str"))
        return cls([str(text) for text in texts], codes)

    @property
    def n_rows(self) -> np.ndarray:
        """The number of rows of each text."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    def take(self, names: Sequence[str | None]) -> np.ndarray:
        """Return the name of each row, where every text has been given a name or None."""
        return np.array([*names, None], dtype=object)[self.codes]


def _refuse_separator(columns: Mapping[str, _Column]) -> None:
    wrong = {text for column in columns.values() for text in column.texts if SEPARATOR in text}
    if wrong:
        raise DataError(
            f"a name may not hold '{SEPARATOR}', which stands between the names of a path; "
            f"rename: {some(sorted(wrong))}"
        )


def _read_higher(column: _Column, rank: str, findings: list[Finding]) -> list[str | None]:
    """Return the name of a rank above the species that each text of its column gives."""
    read = [read_taxon(text, rank) for text in column.texts]
    names = _without_variants([name.taxon for name in read])
    for text, name, taxon, n_rows in zip(column.texts, read, names, column.n_rows.tolist(), strict=True):
        findings += _findings(rank, text, name, name.taxon, taxon, n_rows)
    return names


def _read_species(
    genus: np.ndarray, column: _Column, above: Mapping[str, str], findings: list[Finding]
) -> tuple[np.ndarray, np.ndarray]:
    """Return genus and species of each row. `above` has the key of each name of a higher rank, and the rank."""
    genus_codes, genera = pd.factorize(genus)
    pairs, row_pairs, n_rows = np.unique(
        (genus_codes + 1) * (len(column.texts) + 1) + column.codes + 1, return_inverse=True, return_counts=True
    )
    given = [None, *genera]
    texts = [None, *column.texts]
    written = [(given[pair // len(texts)], texts[pair % len(texts)]) for pair in pairs.tolist()]
    read = [_species_of(genus, text, above) if text else Name(genus) for genus, text in written]
    species = _without_variants([name.species for name in read])
    own_genera = []
    for (given_genus, text), name, binomial, n in zip(written, read, species, n_rows.tolist(), strict=True):
        if text:
            findings += _findings("species", text, name, name.species, binomial, n)
        own = binomial.split(" ")[0] if binomial else name.genus
        if given_genus and binomial and name_key(own) != name_key(given_genus):
            findings.append(Finding(OTHER_GENUS, "species", f"{given_genus}: {text}", binomial, n))
        is_genus = own is not None and (binomial is not None or above.get(name_key(own), "genus") == "genus")
        own_genera.append(given_genus or (own if is_genus else None))
    genera_and_species = [np.array(values, dtype=object)[row_pairs] for values in (own_genera, species)]
    return genera_and_species[0], genera_and_species[1]


def _species_of(genus: str | None, text: str, above: Mapping[str, str]) -> Name:
    """Return the name in a column of species; a word with a capital that names a higher taxon is no epithet."""
    word = clean(text)
    if word[:1].isupper() and " " not in word and name_key(word) in above:
        return Name(genus, reason="higher taxon")
    return read_name(text, genus)


def _findings(rank: str, text: str, name: Name, own: str | None, final: str | None, n_rows: int) -> list[Finding]:
    """Return what there is to say of a text that was read as `own`, and written as `final`."""
    if own is None:
        return [] if not clean(text) else [Finding(name.reason, rank, text, None, n_rows)]
    kinds = name.changes if own == final else (*name.changes, "variant")
    return [Finding(kind, rank, text, final, n_rows) for kind in kinds]


def _without_variants(names: Sequence[str | None]) -> list[str | None]:
    """Return names in one spelling each, where names of one key are one; the spelling with most signs is kept."""
    best: dict[str, str] = {}
    for name in {name for name in names if name}:
        key = name_key(name) or name
        best[key] = max(best.get(key, ""), name, key=lambda one: (sum(not sign.isascii() for sign in one), one))
    return [best[name_key(name) or name] if name else None for name in names]
