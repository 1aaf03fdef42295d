"""Embeddings of the names of taxa, kept in the store beside those of the pictures.

>>> from bioclip_probe.names import embed_names, read_names
>>> embed_names(store, dataset, encoder)                  # every taxon in five text types; a second run does nothing
>>> table, vectors = read_names(store, "world", "world-taxonomic")

Written format, version 1
-------------------------
In the encoder's folder of the store (see `bioclip_probe.store`) lie ``names.npy``, float32, (n different texts, d), as
the model gives them, not normalised; ``names.parquet``, a `NAMES` table whose `row` points into it; and ``names.json``
with ``version``, ``template``, the fingerprints of ``dataset`` and ``encoder``, ``n_names``, ``n_texts``,
``n_truncated`` (null where that cannot be known), ``context_length``, ``dimension``, ``software``, and of both files
``bytes`` and ``sha256``. It is written last, and vouches for the others: without it nothing is read.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, StoreError, some
from bioclip_probe.progress import said
from bioclip_probe.prompts import PROMPT, TEXT_TYPES, prompts, taxon_names
from bioclip_probe.provenance import software
from bioclip_probe.shards import read_json, write, write_json
from bioclip_probe.tables import Column, Table

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store import Store

logger = logging.getLogger(__name__)

VERSION = 1
BATCH = 256
MEND = "embed the names again"

NAMES = Table(
    "names",
    (
        Column("rank", "str", "the rank of the taxon"),
        Column("taxon", "str", "the taxon: its path from the root"),
        Column("type", "str", "the text type", " | ".join(TEXT_TYPES)),
        Column("text", "str", "the whole prompt"),
        Column("truncated", "boolean", "the model reads only its beginning; missing where that cannot be known"),
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
        Texts that the model reads only the beginning of; None where that cannot be known.
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


def embed_names(store: Store, dataset: Dataset | str, encoder: Encoder, *, progress: bool = True) -> EmbeddedNames:
    """Embed the name of every taxon of a dataset in the store, at each rank, in the five text types.

    Parameters
    ----------
    store, dataset, encoder
        The dataset's pictures have been embedded with `encoder` in `store`.
    progress : bool
        Show how far it is on standard error.

    Raises
    ------
    ModelError
        If the encoder has no text tower, or gives vectors other than it said.
    StoreError
        If the pictures are not in the store, or it cannot be written.
    """
    if not encoder.has_text:
        raise ModelError(f"{encoder.name} has no text tower: it embeds pictures only; for text, take a CLIP")
    embedded = store.embedded(dataset, encoder)
    folder = embedded.folder
    names = taxon_names(store.images(dataset))
    if names.empty:
        raise DataError(f"no picture of {folder.parent.name} has a name at any rank; there are no names to embed")
    names["text"] = prompts(names.pop("name"))
    n_taxa = names["taxon"].nunique()
    path = folder / "names.npy"
    about = _finished(folder, names)
    if about is not None:
        return EmbeddedNames(n_taxa, about["n_texts"], about["n_truncated"], True, path)
    with store.alone(embedded):
        about = _land(folder, names, encoder, progress)
    return EmbeddedNames(n_taxa, about["n_texts"], about["n_truncated"], False, path)


def _land(folder: Path, names: pd.DataFrame, encoder: Encoder, progress: bool) -> dict:
    """Embed the texts of `names` and write the three files; what names.json says."""
    row, texts = pd.factorize(names["text"])
    texts = texts.tolist()
    tokenizer = encoder.tokenizer() if getattr(encoder, "tokenizer", None) else None
    truncated = pd.array([pd.NA] * len(texts) if tokenizer is None else truncated_texts(tokenizer, texts), "boolean")
    table = NAMES.frame(names.assign(row=row, truncated=truncated.take(row)))
    n_truncated = None if tokenizer is None else int(truncated.sum())
    if n_truncated:
        logger.warning(
            "%s reads only the first %d tokens of %d of %d texts: %s",
            *(encoder.name, tokenizer.context_length, n_truncated, len(texts)),
            some([text for text, cut in zip(texts, truncated, strict=True) if cut], 3),
        )
    with said(f"{encoder.name} on the names of {folder.parent.name}", 0, len(texts), progress, "text") as advance:
        vectors = _embedded(encoder, texts, advance)
    as_npy, as_parquet = io.BytesIO(), io.BytesIO()
    np.save(as_npy, vectors, allow_pickle=False)
    table.to_parquet(as_parquet, index=False)
    (folder / "names.json").unlink(missing_ok=True)  # it vouched for what is now replaced
    about = {
        "version": VERSION,
        "template": PROMPT,
        "dataset": folder.parent.name,
        "encoder": folder.name,
        "n_names": len(table),
        "n_texts": len(texts),
        "n_truncated": n_truncated,
        "context_length": None if tokenizer is None else tokenizer.context_length,
        "dimension": encoder.dimension,
        "software": software(),
        "vectors": write(folder / "names.npy", as_npy.getvalue()),
        "table": write(folder / "names.parquet", as_parquet.getvalue()),
    }
    write_json(folder / "names.json", about)
    return about


def read_names(store: Store, dataset: Dataset | str, encoder: Encoder | str) -> tuple[pd.DataFrame, np.ndarray]:
    """The names of a dataset's taxa and their vectors.

    Returns
    -------
    table : DataFrame
        A `NAMES` table: five rows a taxon.
    vectors : (n, d) float32 array, read-only, memory-mapped
        Not normalised; the vector of a name is ``vectors[row]``.

    Raises
    ------
    StoreError
        If they are not there, or damaged: the sha256 of both files is checked.
    """
    return _read(store.embedded(dataset, encoder).folder)[1:]


def zero_shot_templates() -> list[str]:
    """The 81 prompts of BioCLIP's zero-shot evaluation: `a photo of {}.`, then the 80 that CLIP used on ImageNet.

    References
    ----------
    Imageomics/bioclip, src/training/imagenet_zeroshot_data.py; Radford et al. 2021, ICML, Section 3.1.4.
    """
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return [PROMPT, *(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)]


def truncated_texts(tokenizer: Any, texts: list[str]) -> np.ndarray:
    """(n,) bool: which of n texts are longer than what `tokenizer`, one of open_clip's, keeps of them.

    With room for one more token a text that fits gets one more filling at its end, and is otherwise the same.
    """
    length = tokenizer.context_length
    filling = int(tokenizer([""], context_length=length + 1)[0, -1])
    cut = [np.empty(0, bool)]
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        kept = np.asarray(tokenizer(batch))
        wider = np.asarray(tokenizer(batch, context_length=length + 1))
        cut.append((wider[:, -1] != filling) | (wider[:, :-1] != kept).any(axis=1))
    return np.concatenate(cut)


def _embedded(encoder: Encoder, texts: list[str], advance: Callable[..., None]) -> np.ndarray:
    """(n, d) float32 vectors of n texts, or a `ModelError` if they are not what the encoder said."""
    vectors = np.empty((len(texts), encoder.dimension), np.float32)
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        given = np.asarray(encoder.encode_text(batch))
        if given.shape != (len(batch), encoder.dimension):
            raise ModelError(
                f"{encoder.name} gave an array of shape {given.shape} for {len(batch)} texts; "
                f"expected {(len(batch), encoder.dimension)}"
            )
        finite = np.isfinite(given).all(axis=1)
        if not finite.all():
            broken = [text for text, good in zip(batch, finite, strict=True) if not good]
            raise ModelError(f"{encoder.name} gave NaN or infinite values for the texts: {some(broken)}")
        vectors[start : start + len(batch)] = given
        advance(len(batch))
    return vectors


def _finished(folder: Path, names: pd.DataFrame) -> dict | None:
    """What `names.json` says, if an earlier run has embedded these very names; damaged ones are embedded again."""
    if not (folder / "names.json").is_file():
        return None
    try:
        about, table, _ = _read(folder)
    except StoreError as error:
        logger.warning("%s", error)
        return None
    columns = ["rank", "taxon", "type", "text"]
    return about if table[columns].equals(names[columns]) else None


def _read(folder: Path) -> tuple[dict, pd.DataFrame, np.ndarray]:
    """What the three files of `folder` hold, checked."""
    path = folder / "names.json"
    if not path.is_file():
        raise StoreError(f"{folder} has no embedded names; embed them first")
    about = read_json(path)
    if about.get("version") != VERSION:
        raise StoreError(f"{path} has version {about.get('version')}, this one reads {VERSION}; {MEND}")
    try:
        expected = (about["n_texts"], about["dimension"])
        for name, kind in (("names.npy", "vectors"), ("names.parquet", "table")):
            with open(folder / name, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != about[kind]["sha256"]:
                    raise StoreError(f"{folder / name} has changed since it was written (its sha256 differs); {MEND}")
        table = NAMES.read(folder / "names.parquet")
        vectors = np.load(folder / "names.npy", mmap_mode="r", allow_pickle=False)
    except (KeyError, TypeError, DataError, ValueError, OSError) as error:
        raise StoreError(f"the names in {folder} are damaged ({' '.join(str(error).split())}); {MEND}") from error
    rows = table["row"]
    if vectors.shape != expected or vectors.dtype != np.float32 or not rows.between(0, len(vectors) - 1).all():
        raise StoreError(f"{folder / 'names.npy'} does not fit its table; {MEND}")
    return about, table, vectors
