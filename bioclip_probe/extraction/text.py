"""Embeddings of the names of taxa, kept in the store beside those of the pictures.

>>> from bioclip_probe.extraction.text import embed_names, read_names
>>> embed_names(store, dataset, encoder)                  # every taxon in five text types; a second run does nothing
>>> names = read_names(store, "world", "world-taxonomic")
>>> names.vectors[names.table["row"]]                     # a vector a line of the table

Written format, version 2
-------------------------
In the encoder's folder of the store (see `store.store`) lie ``names.npy``, float32, (n different texts, d), as
the model gives them, not normalised; ``names.parquet``, a `NAMES` table whose `row` points into it; and ``names.json``
with ``version``, ``templates``, ``prompts``, the fingerprints of ``dataset`` and ``encoder``, the ``precision`` they
were computed in, ``logit_scale`` (null where the model tells none), ``n_names``, ``n_texts``, ``n_truncated`` (null
where that cannot be known), ``context_length``, ``dimension``, ``software``, of both files ``bytes`` and ``sha256``,
and its own ``sha256``. It is written last, and vouches for the others: without it nothing is read.

With the 81 templates of published zero-shot numbers the files are called ``names-openai.*``, and a vector is the mean
of the normalised vectors of 81 prompts, normalised.

While they are made, the vectors grow block by block in ``names.begun.npy``. Each block has a line in
``names.begun.jsonl`` with its ``rows`` and ``sha256`` and which of its texts were ``truncated``; the first line says
what they are made from. A run that was broken off goes on behind the last whole block.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, StoreError, one_line, some
from bioclip_probe.extraction.prompts import (
    PROMPT,
    ROOT,
    ROOT_RANK,
    TEMPLATES,
    TEXT_TYPES,
    prompts,
    taxon_names,
)
from bioclip_probe.extraction.text_reader import LOGIT_SCALE, Reader
from bioclip_probe.progress import progress_bar
from bioclip_probe.provenance import software
from bioclip_probe.store.append_only import Growing
from bioclip_probe.store.shards import check_seal, read_json, sealed, write, write_json
from bioclip_probe.tables import Column, Table

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store.store import Store

logger = logging.getLogger(__name__)

VERSION = 2
BLOCK = 2048  # prompts between two lines of the journal
MEND = "embed the names again"

NAMES = Table(
    "names",
    (
        Column("rank", "str", f"the rank of the taxon; {ROOT_RANK} for the root of all"),
        Column("taxon", "str", "the taxon: its path from the root; empty for the root"),
        Column("type", "str", "the text type", " | ".join(TEXT_TYPES)),
        Column("text", "str", f"the name in the first of its prompts, `{PROMPT}`"),
        Column("truncated", "boolean", "the model reads only the beginning of a prompt; missing if that is not known"),
        Column("row", "int64", "line of its vector; equal texts share one"),
    ),
)


@dataclass(frozen=True)
class EmbeddedNames:
    """What a run of `embed_names` did.

    Attributes
    ----------
    n_taxa, n_texts : int
        Taxa, and different texts among their names.
    n_truncated : int or None
        Texts that the model reads only the beginning of, in one of their prompts; None where that cannot be known.
    reused : bool
        An earlier run had done it.
    path : Path
        Where the vectors are.
    """

    n_taxa: int
    n_texts: int
    n_truncated: int | None
    reused: bool
    path: Path


@dataclass(frozen=True, eq=False)
class Names:
    """The names of a dataset's taxa as one model reads them.

    Attributes
    ----------
    table : DataFrame
        A `NAMES` table: a row for each taxon and text type, and for the root ``Eukarya`` of all (rank ``life``).
    vectors : ndarray, shape (n, d), float32, read-only, memory-mapped
        The vector of a name is ``vectors[row]``; not normalised.
    logit_scale : float
        What the model multiplies cosines of pictures and texts by; 100 where it does not tell.
    templates : str
        The prompts they stand in: ``plain`` or ``openai``.
    n_truncated : int or None
        As in `EmbeddedNames`.
    """

    table: pd.DataFrame
    vectors: np.ndarray
    logit_scale: float
    templates: str
    n_truncated: int | None


@dataclass(frozen=True)
class Files:
    """Where the names in one kind of prompts lie in an encoder's folder."""

    templates: str
    about: Path
    table: Path
    vectors: Path
    begun: Path
    journal: Path

    @classmethod
    def of(cls, folder: Path, templates: str) -> Files:
        """Those of `templates`, which must be one of `TEMPLATES`."""
        if templates not in TEMPLATES:
            raise DataError(f"names stand in prompts of {' or '.join(TEMPLATES)}; got '{templates}'")
        stem = "names" if templates == "plain" else f"names-{templates}"
        ends = (".json", ".parquet", ".npy", ".begun.npy", ".begun.jsonl")
        return cls(templates, *(folder / f"{stem}{end}" for end in ends))

    def vouched_for(self) -> list[Path]:
        """Those that a record names, or that belong to a run which was broken off."""
        finished = [self.about, self.table, self.vectors]
        return [*finished, self.begun, self.journal] if self.journal.exists() else finished * self.about.exists()


def embed_names(
    store: Store,
    dataset: Dataset | str,
    encoder: Encoder,
    *,
    types: Sequence[str] = TEXT_TYPES,
    templates: str = "plain",
    progress: bool = True,
) -> EmbeddedNames:
    """Embed the name of every taxon of a dataset in the store, at each rank, and of the root ``Eukarya`` of them all.

    Equal texts are embedded once. What an earlier run has embedded is kept: other text types are added to it, and a run
    that was broken off goes on where it was.

    Parameters
    ----------
    store, dataset, encoder
        The dataset's pictures have been embedded with `encoder` in `store`.
    types : sequence of str
        Text types.
    templates : str
        Prompts: ``plain``, the one `a photo of {}.`; or ``openai``, the mean over the 81 of `zero_shot_templates`.
    progress : bool
        Show how far it is on standard error.

    Raises
    ------
    ModelError
        If the encoder has no text tower, or gives vectors other than it said.
    StoreError
        If the pictures are not in the store, or it cannot be written.
    DataError
        If there is no such text type or kind of prompts, or nothing in the dataset has a name.
    """
    if not encoder.has_text:
        raise ModelError(f"{encoder.name} has no text tower: it embeds pictures only; for text, take a CLIP")
    unknown = [kind for kind in types if kind not in TEXT_TYPES]
    if unknown or not len(types):
        raise DataError(f"text types are {', '.join(TEXT_TYPES)}; got {some(unknown) or 'none'}")
    embedded = store.embedded(dataset, encoder)
    files = Files.of(embedded.folder, templates)
    images = store.images(dataset)
    before = _before(files)
    names = _wanted(images, {*types, *([] if before is None else before[1]["type"])})
    if (names["rank"] == ROOT_RANK).all():
        raise DataError(
            f"no picture of {embedded.folder.parent.name} has a name at any rank; there are no names to embed"
        )
    n_taxa = names["taxon"].nunique() - 1
    reused = before is not None and before[1][names.columns].equals(names)
    if reused:
        about = before[0]
    else:
        with store.alone(embedded):
            about = _land(files, names, before, encoder, progress)
    return EmbeddedNames(n_taxa, about["n_texts"], about["n_truncated"], reused, files.vectors)


def read_names(store: Store, dataset: Dataset | str, encoder: Encoder | str, templates: str = "plain") -> Names:
    """The names of a dataset's taxa and their vectors.

    Raises
    ------
    StoreError
        If they are not there, or damaged: the sha256 of all files is checked.
    """
    about, table, vectors = _read(Files.of(store.embedded(dataset, encoder).folder, templates))
    return Names(table, vectors, about["logit_scale"] or LOGIT_SCALE, templates, about["n_truncated"])


def _made_by(reader: Reader) -> dict:
    """What vectors must have been made by to be kept."""
    return {"version": VERSION, **reader.about()}


def _bare(text: str) -> str:
    """The name in a text of the table."""
    before, after = (len(part) for part in PROMPT.split("{}"))
    return text[before : len(text) - after]


def _wanted(images: pd.DataFrame, types: set[str]) -> pd.DataFrame:
    """The names of the root and of all taxa in some of the text types, in their prompt."""
    root = pd.DataFrame({"rank": ROOT_RANK, "taxon": "", "type": TEXT_TYPES, "name": ROOT}, dtype="str")
    names = pd.concat([root, taxon_names(images)], ignore_index=True)
    names = names[names["type"].isin(types)].reset_index(drop=True)
    names["text"] = pd.array(prompts(names.pop("name")), "str")
    return names


#: What `_read` returns: the record, the table, the vectors.
_Record = tuple[dict, pd.DataFrame, np.ndarray]


def _land(files: Files, names: pd.DataFrame, before: _Record | None, encoder: Encoder, progress: bool) -> dict:
    """Embed the texts of `names`, but for those embedded `before`, and write the files; what their record says."""
    reader = Reader.of(encoder, files.templates)
    texts = names["text"].unique().tolist()
    growing = _begun(files, reader, texts)
    each = len(reader.prompts)
    what = f"{encoder.name} on the names of {files.about.parent.parent.name}"
    with progress_bar(what, growing.done * each, len(texts) * each, progress, "text") as advance:
        try:
            for vectors, cut in _blocks(texts[growing.done :], before, reader):
                growing.append(vectors, truncated=cut.tolist())
                advance(len(vectors) * each)
        except BaseException:
            if not growing.done:
                growing.discard()
            raise
    cut = np.concatenate([block["truncated"] for block in growing.blocks])
    truncated = pd.array(cut if reader.tokenizer else [pd.NA] * len(texts), "boolean")
    row = pd.Index(texts).get_indexer(names["text"])
    table = NAMES.frame(names.assign(row=row, truncated=truncated.take(row)))
    as_parquet = io.BytesIO()
    table.to_parquet(as_parquet, index=False)
    about = {
        **_made_by(reader),
        "templates": files.templates,
        "dataset": files.about.parent.parent.name,
        "encoder": files.about.parent.name,
        "logit_scale": getattr(reader.encoder, "logit_scale", None),
        "n_names": len(table),
        "n_texts": len(texts),
        "n_truncated": _n_truncated(reader, texts, cut),
        "software": software(),
    }
    files.about.unlink(missing_ok=True)  # it vouched for what is now replaced
    about |= {"vectors": growing.finish(files.vectors), "table": write(files.table, as_parquet.getvalue())}
    write_json(files.about, sealed(about))
    growing.discard()
    return about


def _begun(files: Files, reader: Reader, texts: list[str]) -> Growing:
    """The file that the vectors of `texts` grow in, with what an earlier run has made of the same."""
    made_from = _made_by(reader) | {"texts": hashlib.sha256("\n".join(texts).encode()).hexdigest()}
    if not files.about.exists() and files.vectors.exists() and not files.begun.exists():
        files.vectors.rename(files.begun)  # the run was broken off before a record could vouch for them
    return Growing(files.begun, files.journal, made_from, (len(texts), reader.encoder.dimension))


def _n_truncated(reader: Reader, texts: list[str], truncated: np.ndarray) -> int | None:
    """How many texts the model reads only the beginning of; they are told of. None where that cannot be known."""
    if reader.tokenizer is None:
        return None
    cut = [texts[i] for i in np.flatnonzero(truncated)]
    if cut:
        told = (reader.encoder.name, reader.tokenizer.context_length, len(cut), len(texts), some(cut, 3))
        logger.warning("%s reads only the first %d tokens of %d of %d texts: %s", *told)
    return len(cut)


def _blocks(texts: list[str], before: _Record | None, reader: Reader) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Block by block vectors, and which of the texts are truncated: from `before` where it was made alike."""
    rows: dict[str, int] = {}
    if before is not None and _made_by(reader).items() <= before[0].items():
        _, table, kept = before
        rows = dict(zip(table["text"], table["row"], strict=True))
        flags = table.drop_duplicates("row").set_index("row")["truncated"]
    step = max(1, BLOCK // len(reader.prompts))
    for start in range(0, len(texts), step):
        block = texts[start : start + step]
        known = np.array([text in rows for text in block])
        vectors = np.empty((len(block), reader.encoder.dimension), np.float32)
        truncated = np.zeros(len(block), bool)
        if known.any():
            there = [rows[text] for text in block if text in rows]
            vectors[known] = kept[there]
            truncated[known] = flags[there].fillna(False)
        if not known.all():
            vectors[~known], truncated[~known] = reader.read([_bare(text) for text in block if text not in rows])
        yield vectors, truncated


def _before(files: Files) -> _Record | None:
    """What an earlier run has left, if it is whole and sound; else it is embedded again."""
    if not files.about.is_file():
        return None
    try:
        return _read(files)
    except StoreError as error:
        logger.warning("%s", error)
        return None


def _read(files: Files) -> _Record:
    """The record, the table and the vectors of names, checked."""
    path = files.about
    if not path.is_file():
        raise StoreError(f"{path.parent} has no embedded names ({path.name}); embed them first")
    about = read_json(path)
    if about.get("version") != VERSION:
        raise StoreError(f"{path} has version {about.get('version')}, this one reads {VERSION}; {MEND}")
    check_seal(about, path)
    try:
        expected = (about["n_texts"], about["dimension"])
        for place, kind in ((files.vectors, "vectors"), (files.table, "table")):
            with open(place, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != about[kind]["sha256"]:
                    raise StoreError(f"{place} has changed since it was written (its sha256 differs); {MEND}")
        table = NAMES.read(files.table)
        vectors = np.load(files.vectors, mmap_mode="r", allow_pickle=False)
    except (KeyError, TypeError, DataError, ValueError, OSError) as error:
        raise StoreError(f"the names in {path.parent} are damaged ({one_line(error)}); {MEND}") from error
    rows = table["row"]
    if vectors.shape != expected or vectors.dtype != np.float32 or not rows.between(0, len(vectors) - 1).all():
        raise StoreError(f"{files.vectors} does not fit its table; {MEND}")
    return about, table, vectors
