"""Texts in the tar shards of BioCLIP's training data: the ranks and the common name of each picture.

A shard has ten text members for each picture: names, and captions, which are a name with ``a photo of`` before it and a
full stop after it. The tagged name gives a tag for each rank that it knows, and is certain. The taxonomic name leaves
out unknown ranks without a mark. The scientific name is genus and epithet, or only one of them. A rank that cannot be
identified stays missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bioclip_probe.datasets.readers.columns import is_open_name, match_columns
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.naming import read_name

#: Kind of text: the endings of the members that hold it, the plainest first.
TEXT_MEMBERS = {
    "tagged": ("taxonTag.txt", "taxonTag_com.txt"),
    "taxonomic": ("taxonomic_name.txt", "taxon.txt", "taxon_com.txt"),
    "scientific": ("scientific_name.txt", "sci.txt", "sci_com.txt"),
    "common": ("common_name.txt", "com.txt"),
}
JSON = "json"
#: The endings of the members that are read: the text after the first dot of their names.
ENDINGS = (JSON, *(ending for endings in TEXT_MEMBERS.values() for ending in endings))

_TAXONOMIC_KEYS = frozenset(["taxonomic", "taxonomicname"])
# A name above the species is one word with a capital; an epithet has one or more words and no capital.
_HIGHER = r"[^\W\d_a-z]\S*"
_TAXONOMIC_NAME = re.compile(rf"((?:{_HIGHER} ){{5}}{_HIGHER})(?: ((?!{_HIGHER})\S.*))?")
_BINOMIAL = re.compile(rf"({_HIGHER}) ((?!{_HIGHER})\S.*)")


def parse_texts(texts: dict[str, bytes]) -> dict[str, str | None]:
    """Return the ranks and the common name that the texts of one picture give.

    Parameters
    ----------
    texts : dict from str to bytes
        Content of the members, by the ending of their names.

    Returns
    -------
    dict from str to (str or None)
        `RANKS`, ``common``, and ``read``, the kind of text that gave the ranks: ``json``, ``tagged``, ``taxonomic``,
        ``scientific``, or None. A name that is missing, not UTF-8, or not in the JSON object is None.

    Examples
    --------
    >>> names = parse_texts({"sci.txt": b"a photo of Pica hudsonia.", "com.txt": b"a photo of magpie."})
    >>> names["genus"], names["species"], names["common"], names["read"]
    ('Pica', 'hudsonia', 'magpie', 'scientific')
    """
    names = {kind: _first_name(texts, endings) for kind, endings in TEXT_MEMBERS.items()}
    in_json = _parse_json(texts.get(JSON, b""))
    for kind, meaning in (("taxonomic", "taxonomic"), ("scientific", "binomial"), ("common", "common")):
        names[kind] = in_json.get(meaning) or names[kind]
    readings: dict[str, dict[str, str | None]] = {
        "json": _ranks_of_json(in_json),
        "tagged": _parse_tagged(names["tagged"]),
        "taxonomic": _parse_taxonomic(names["taxonomic"]),
        "scientific": _parse_scientific(names["scientific"], names["taxonomic"]),
    }
    kind_read = next((kind for kind, ranks in readings.items() if any(ranks.values())), None)
    # Where no common name is known, the shards repeat another name in its place.
    common = names["common"] if names["common"] not in (names["scientific"], names["taxonomic"]) else None
    ranks = readings[kind_read] if kind_read else {}
    return dict.fromkeys(RANKS) | ranks | {"common": common, "read": kind_read}


def _first_name(texts: dict[str, bytes], endings: tuple[str, ...]) -> str | None:
    """Return the name in the first of the members that exists, without the caption around it."""
    for ending in endings:
        text = " ".join(texts.get(ending, b"").decode("utf-8", "replace").split())
        if not text or "\ufffd" in text or not text.isprintable():
            continue
        if text.startswith("a photo of ") and text.endswith("."):
            text = text.removeprefix("a photo of ").removesuffix(".")
        if "_com." in ending:
            text = text.partition(" with common name ")[0]
        if text.strip():
            return text.strip()
    return None


def _parse_json(content: bytes) -> dict[str, str]:
    """Return the strings in a JSON object and in objects inside it, by the meanings that their keys have as columns."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    strings = {key: " ".join(text.split()) for key, text in _strings_in(values)}
    strings = {key: text for key, text in strings.items() if text and text.isprintable()}
    taxonomic = next((key for key in strings if re.sub(r"[^a-z]", "", key.lower()) in _TAXONOMIC_KEYS), None)
    matched = match_columns(key for key in strings if key != taxonomic)
    return {
        meaning: strings[key] for meaning, key in (matched | ({"taxonomic": taxonomic} if taxonomic else {})).items()
    }


def _strings_in(values: object, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the strings of an object and of the objects directly inside it, each with its key: taxon.family."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, str):
            yield f"{above}{key}", value
        elif not above:
            yield from _strings_in(value, f"{key}.")


def _ranks_of_json(names: dict[str, str]) -> dict[str, str | None]:
    """Return the ranks that a JSON object gives; its scientific name is the species, unless it is a higher taxon."""
    ranks, binomial = {rank: names.get(rank) for rank in RANKS}, names.get("binomial")
    if not any(ranks.values()):
        return ranks
    if binomial and is_open_name(binomial):
        return ranks | {"species": binomial}
    if not ranks["species"]:
        is_species = binomial and read_name(binomial, capital_epithets=False).reason != "higher taxon"
        ranks["species"] = (names.get("epithet") if ranks["genus"] else None) or (binomial if is_species else None)
    return ranks


def _parse_tagged(text: str | None) -> dict[str, str | None]:
    """Parse ``kingdom Animalia phylum Chordata …``: each rank is a tag before its name, in order."""
    words_of_rank: dict[str, list[str]] = {}
    last_rank = -1
    for word in (text or "").split():
        if word in RANKS[last_rank + 1 :]:
            last_rank = RANKS.index(word)
            words_of_rank[word] = []
        elif last_rank >= 0:
            words_of_rank[RANKS[last_rank]].append(word)
        else:
            return {}  # the text does not begin with a tag
    return {rank: " ".join(words) for rank, words in words_of_rank.items() if words}


def _parse_taxonomic(text: str | None) -> dict[str, str | None]:
    """Parse a taxonomic name with all ranks down to the genus; return nothing if a rank is left out, as any may be."""
    match = _TAXONOMIC_NAME.fullmatch(text or "")
    if match is None:
        return {}
    return dict(zip(RANKS, [*match[1].split(" "), match[2]], strict=True))


def _parse_scientific(scientific: str | None, taxonomic: str | None) -> dict[str, str | None]:
    """Parse genus and epithet; return nothing if the taxonomic name ends otherwise.

    An epithet of two words alone looks like a genus and an epithet; the taxonomic name shows which one it is.
    """
    if scientific is None or not (taxonomic or scientific).endswith(scientific):
        return {}
    if match := _BINOMIAL.fullmatch(scientific):
        return {"genus": match[1], "species": match[2]}
    name = read_name(scientific) if scientific[0].isupper() else None  # PICA HUDSONIA
    return {"genus": name.genus, "species": name.species} if name and name.species else {}
