"""What the text members of BioCLIP's training shards say: the ranks, and the common name.

A shard has ten texts a picture: names, and captions with ``a photo of`` before a name and a full stop after it. The
tagged one names each rank it knows, and is certain. The taxonomic name leaves out the ranks that are not known without
saying which; the scientific name is genus and epithet, or either of them. What cannot be placed is a hole.
"""

from __future__ import annotations

import json
import re

from bioclip_probe.tables import RANKS

#: What a text is: the members that have it, the plainest first.
TEXTS = {
    "tagged": ("taxonTag.txt", "taxonTag_com.txt"),
    "taxonomic": ("taxonomic_name.txt", "taxon.txt", "taxon_com.txt"),
    "scientific": ("scientific_name.txt", "sci.txt", "sci_com.txt"),
    "common": ("common_name.txt", "com.txt"),
}
JSON = "json"
#: The members that are read, by what follows the first dot of their names.
ENDINGS = (JSON, *(ending for endings in TEXTS.values() for ending in endings))

# Names above the species are one word with a capital; an epithet, of one or more words, has none.
_HIGHER = r"[^\W\d_a-z]\S*"
_FULL = re.compile(rf"((?:{_HIGHER} ){{5}}{_HIGHER})(?: ((?!{_HIGHER})\S.*))?")
_BINOMIAL = re.compile(rf"({_HIGHER}) ((?!{_HIGHER})\S.*)")


def taxa_of(texts: dict[str, bytes]) -> dict[str, str | None]:
    """The ranks and the common name that the texts of one picture give, and `read`, from what the ranks were read.

    Parameters
    ----------
    texts : dict
        Content of the members, by what follows the first dot of their names.

    Returns
    -------
    dict
        `RANKS`, ``common``, and ``read``: ``json``, ``tagged``, ``taxonomic``, ``scientific``, or None where nothing
        could be read. What is not said, or not UTF-8, or no object in the JSON, is None.
    """
    said = {kind: _name(texts, endings) for kind, endings in TEXTS.items()}
    found = _object(texts.get(JSON, b""))
    for kind in ("taxonomic", "scientific", "common"):
        said[kind] = found.get(f"{kind}_name") or found.get(kind) or said[kind]
    readings = {
        "json": {rank: found.get(rank) for rank in RANKS},
        "tagged": _tagged(said["tagged"]),
        "taxonomic": _full(said["taxonomic"]),
        "scientific": _binomial(said["scientific"], said["taxonomic"]),
    }
    read = next((kind for kind, ranks in readings.items() if any(ranks.values())), None)
    # Where no common name is known, the shards repeat another name in its place.
    common = said["common"] if said["common"] not in (said["scientific"], said["taxonomic"]) else None
    return dict.fromkeys(RANKS) | readings.get(read, {}) | {"common": common, "read": read}


def _name(texts: dict[str, bytes], endings: tuple[str, ...]) -> str | None:
    """The name in the first of the members that is there, without the caption around it."""
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


def _object(content: bytes) -> dict[str, str]:
    """The strings in a JSON object, by their names in small letters with ``_`` between words."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    strings = {key: " ".join(value.split()) for key, value in found.items() if isinstance(value, str)}
    names = {key: re.sub(r"(?<=[a-z])(?=[A-Z])|[ -]", "_", key).lower() for key in strings}
    return {names[key]: value for key, value in strings.items() if value and value.isprintable()}


def _tagged(text: str | None) -> dict[str, str]:
    """``kingdom Animalia phylum Chordata …``: each rank is a tag before its name, in order."""
    parts: dict[str, list[str]] = {}
    above = -1
    for word in (text or "").split():
        if word in RANKS[above + 1 :]:
            above = RANKS.index(word)
            parts[word] = []
        elif above >= 0:
            parts[RANKS[above]].append(word)
        else:
            return {}  # it does not begin with a tag
    return {rank: " ".join(words) for rank, words in parts.items() if words}


def _full(text: str | None) -> dict[str, str]:
    """A taxonomic name that has all ranks to the genus; nothing where one is left out, for it may be any."""
    words = _FULL.fullmatch(text or "")
    if words is None:
        return {}
    return dict(zip(RANKS, [*words[1].split(" "), words[2]], strict=True))


def _binomial(scientific: str | None, taxonomic: str | None) -> dict[str, str]:
    """Genus and epithet; nothing where the taxonomic name ends otherwise, as an epithet of two words alone looks so."""
    words = _BINOMIAL.fullmatch(scientific or "")
    if words is None or not (taxonomic or scientific).endswith(scientific):
        return {}
    return {"genus": words[1], "species": words[2]}
