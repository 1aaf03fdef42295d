"""A scientific name that was read: its genus and epithet or why it has none, and what was dropped or set right."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bioclip_probe.tree.spelling import HYBRID_SIGN

#: Why a name gives no species, as `Name.reason` says it.
REASONS = {
    "placeholder": "a placeholder such as 'unknown'",
    "higher taxon": "the name of a genus or of a higher taxon",
    "open nomenclature": "open nomenclature: cf., aff., sp.",
    "interim name": "an interim name or a code, such as sp. 1",
    "hybrid formula": "a hybrid without a name of its own",
    "several taxa": "more than one taxon",
    "aggregate": "an aggregate or complex of species",
    "no genus": "an epithet, or an abbreviated genus, without its genus",
    "not a name": "no scientific name that could be read",
}
#: Changes of a name, the values of `Name.changes`.
CHANGES = {
    "author": "authors were dropped",
    "subgenus": "subgenera were dropped",
    "subspecies": "subspecies, varieties, forms and strains went to their species",
    "hybrid": "signs of hybrids were written as ×",
    "case": "capital and small letters were set right",
    "prefix": "rank prefixes such as g__ were dropped",
    "spelling": "characters and blanks were set right",
    "variant": "spellings that differ in accents or the sign of a hybrid were made one",
}


@dataclass(frozen=True)
class Name:
    """A scientific name that was read.

    Attributes
    ----------
    genus : str or None
        The genus, kept where the species is a hole.
    epithet : str or None
        The epithet of the species, with ``×`` before it for a named hybrid; None for a hole.
    taxon : str or None
        The name of a genus or a higher taxon, where the text is one: *Corvidae*.
    reason : str
        Why there is no species: a key of `REASONS`; empty where there is one.
    changes : tuple of str
        What was dropped or set right: keys of `CHANGES`.

    Examples
    --------
    >>> Name("Pica", "hudsonia").species, Name("Pica", reason="open nomenclature").species
    ('Pica hudsonia', None)
    """

    genus: str | None = None
    epithet: str | None = None
    taxon: str | None = None
    reason: str = ""
    changes: tuple[str, ...] = ()

    @property
    def species(self) -> str | None:
        """The binomial, or None."""
        return f"{self.genus} {self.epithet}" if self.genus and self.epithet else None


def changes_of(name: str, written: str, others: Collection[str] = ()) -> tuple[str, ...]:
    """Return what was changed between a text and the name that was read from it.

    Parameters
    ----------
    name : str
        A binomial, or the name of a higher taxon.
    written : str
        The text, prepared.
    others : collection of str
        Changes that are known: keys of `CHANGES`.

    Returns
    -------
    tuple of str
        These, and ``hybrid`` or ``case`` where the name shows them, in the order of `CHANGES`.

    Examples
    --------
    >>> changes_of("Pica hudsonia", "PICA HUDSONIA (Sabine)", ["author"])
    ('author', 'case')
    """
    plain = written.replace(f"{HYBRID_SIGN} ", HYBRID_SIGN)
    changes = set(others)
    if HYBRID_SIGN in name and name.lower() not in written.lower():
        changes.add("hybrid")
    elif name not in plain and name.lower() in plain.lower():
        changes.add("case")
    return tuple(change for change in CHANGES if change in changes)
