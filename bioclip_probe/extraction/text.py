"""Embeddings of the names of taxa: which texts a dataset needs, and how an encoder's text tower embeds them.

`bioclip_probe.store.text_embeddings` describes the files and reads them::

    embed_names(store, dataset, encoder)  # every taxon in five text types; a second run does nothing
    names = read_names(store, "world", "world-taxonomic")
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, StoreError, some
from bioclip_probe.extraction.prompts import PROMPT, ROOT, TEXT_TYPES, prompts, taxon_names
from bioclip_probe.extraction.text_reader import Reader
from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.progress import progress_bar
from bioclip_probe.provenance import software
from bioclip_probe.store.append_only import AppendOnlyArray
from bioclip_probe.store.text_embeddings import (
    NAMES,
    ROOT_RANK,
    VERSION,
    NameFiles,
    StoredNames,
    open_unfinished,
    read_files,
    write_files,
)

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store.store import Store

logger = logging.getLogger(__name__)

BLOCK = 2048  # prompts between two lines of the journal


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
    embedded = store.embedding_folder(dataset, encoder)
    files = NameFiles.in_folder(embedded.folder, templates)
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
        with store.lock_folder(embedded):
            about = _land(files, names, before, encoder, progress)
    return EmbeddedNames(n_taxa, about["n_texts"], about["n_truncated"], reused, files.vectors)


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


def _land(files: NameFiles, names: pd.DataFrame, before: StoredNames | None, encoder: Encoder, progress: bool) -> dict:
    """Embed the texts of `names`, but for those embedded `before`, and write the files; what their record says."""
    reader = Reader.of(encoder, files.templates)
    texts = names["text"].unique().tolist()
    growing = _begun(files, reader, texts)
    each = len(reader.prompts)
    what = f"{encoder.name} on the names of {files.record.parent.parent.name}"
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
    facts = {
        **_made_by(reader),
        "templates": files.templates,
        "dataset": files.record.parent.parent.name,
        "encoder": files.record.parent.name,
        "logit_scale": getattr(reader.encoder, "logit_scale", None),
        "n_names": len(table),
        "n_texts": len(texts),
        "n_truncated": _n_truncated(reader, texts, cut),
        "software": software(),
    }
    return write_files(files, table, growing, facts)


def _begun(files: NameFiles, reader: Reader, texts: list[str]) -> AppendOnlyArray:
    """The file that the vectors of `texts` grow in, with what an earlier run has made of the same."""
    made_from = _made_by(reader) | {"texts": sha256_of_bytes("\n".join(texts).encode())}
    return open_unfinished(files, made_from, (len(texts), reader.encoder.dimension))


def _n_truncated(reader: Reader, texts: list[str], truncated: np.ndarray) -> int | None:
    """How many texts the model reads only the beginning of; they are told of. None where that cannot be known."""
    if reader.tokenizer is None:
        return None
    cut = [texts[i] for i in np.flatnonzero(truncated)]
    if cut:
        told = (reader.encoder.name, reader.tokenizer.context_length, len(cut), len(texts), some(cut, 3))
        logger.warning("%s reads only the first %d tokens of %d of %d texts: %s", *told)
    return len(cut)


def _blocks(texts: list[str], before: StoredNames | None, reader: Reader) -> Iterator[tuple[np.ndarray, np.ndarray]]:
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


def _before(files: NameFiles) -> StoredNames | None:
    """What an earlier run has left, if it is whole and sound; else it is embedded again."""
    if not files.record.is_file():
        return None
    try:
        return read_files(files)
    except StoreError as error:
        logger.warning("%s", error)
        return None
