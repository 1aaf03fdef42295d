"""Embeddings of the names of taxa: the texts that a dataset needs, and how the text tower of an encoder embeds them.

`bioclip_probe.store.text_embeddings` describes the files and reads them::

    embed_names(store, dataset, encoder)  # every taxon in five text types; a second run does nothing
    names = read_names(store, "world", "world-taxonomic")
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioclip_probe.errors import DataError, ModelError, StoreError, some
from bioclip_probe.extraction.prompt_encoder import PromptEncoder
from bioclip_probe.extraction.prompts import PROMPT, ROOT, name_prompts, taxon_names
from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.progress import progress_bar
from bioclip_probe.provenance import software
from bioclip_probe.store.append_only import AppendOnlyArray
from bioclip_probe.store.text_embeddings import (
    NAMES,
    ROOT_RANK,
    TEXT_TYPES,
    VERSION,
    NameFiles,
    StoredNames,
    open_unfinished,
    read_files,
    write_files,
)
from bioclip_probe.tables import TEMPLATES

if TYPE_CHECKING:
    from bioclip_probe.datasets import Dataset
    from bioclip_probe.encoders import Encoder
    from bioclip_probe.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NameSettings:
    """Settings of embedding the names of taxa.

    Attributes
    ----------
    types : tuple of str
        Text types, see `prompts.taxon_names`.
    templates : str
        The prompts: ``plain`` for `a photo of {}.`, ``openai`` for the mean over the 81 of `zero_shot_templates`.
    block_size : int
        Prompts that are embedded between two lines of the journal: what an interruption loses.
    progress : bool
        Show progress on standard error.

    Raises
    ------
    DataError
        If a text type or the prompts are unknown.

    Examples
    --------
    >>> NameSettings(types=("latin",))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: text types are scientific, common, taxonomic, scientific_common, \
taxonomic_common; got latin
    """

    types: tuple[str, ...] = TEXT_TYPES
    templates: str = TEMPLATES[0]
    block_size: int = 2048
    progress: bool = True

    def __post_init__(self) -> None:
        unknown = [text_type for text_type in self.types if text_type not in TEXT_TYPES]
        if unknown or not self.types:
            raise DataError(f"text types are {', '.join(TEXT_TYPES)}; got {some(unknown) or 'none'}")
        if self.templates not in TEMPLATES:
            raise DataError(f"names stand in prompts of {' or '.join(TEMPLATES)}; got '{self.templates}'")


#: The settings of a run that names none.
DEFAULTS = NameSettings()


@dataclass(frozen=True)
class NamesSummary:
    """Counts of the embedded names of one encoder after a run.

    Attributes
    ----------
    n_taxa, n_texts : int
        Taxa, and different texts among their names.
    n_truncated : int or None
        Texts of which the model reads only the beginning, in one of their prompts; None if that cannot be known.
    reused : bool
        True if an earlier run had finished them all.
    path : Path
        The file of the vectors.
    """

    n_taxa: int
    n_texts: int
    n_truncated: int | None
    reused: bool
    path: Path


def embed_names(
    store: Store, dataset: Dataset | str, encoder: Encoder, settings: NameSettings = DEFAULTS
) -> NamesSummary:
    """Embed the name of every taxon of a dataset, at each rank, and of their common root ``Eukarya``.

    Equal texts are embedded once. What an earlier run has embedded is kept: the run adds other text types to it, and
    goes on where an interrupted run stopped.

    Parameters
    ----------
    store : Store
        Holds the pictures' vectors already, and receives the names.
    dataset : Dataset or str
        Its name is enough.
    encoder : Encoder
        The one that has embedded the pictures. It must have a text tower.
    settings : NameSettings
        Text types, prompts and progress.

    Returns
    -------
    NamesSummary

    Raises
    ------
    ModelError
        If the encoder has no text tower, or returns vectors other than it declares.
    StoreError
        If the pictures are not in the store, or it cannot be written.
    DataError
        If no image of the dataset has a name at any rank.

    Examples
    --------
    An encoder without a text tower embeds no names:

    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.encoders import load
    >>> from bioclip_probe.store.store import Store
    >>> with TemporaryDirectory() as folder:
    ...     embed_names(Store(folder), "world", load("pixels"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: pixels has no text tower: it embeds pictures only; for text, take a CLIP
    """
    if not encoder.has_text:
        raise ModelError(f"{encoder.name} has no text tower: it embeds pictures only; for text, take a CLIP")
    embedded = store.embedding_folder(dataset, encoder)
    files = NameFiles.in_folder(embedded.folder, settings.templates)
    images = store.images(dataset)
    stored = _stored_names(files)
    names = _texts_of_taxa(images, {*settings.types, *([] if stored is None else stored[1]["type"])})
    if (names["rank"] == ROOT_RANK).all():
        raise DataError(
            f"no picture of {embedded.folder.parent.name} has a name at any rank; there are no names to embed"
        )
    n_taxa = names["taxon"].nunique() - 1
    reused = stored is not None and stored[1][names.columns].equals(names)
    if stored is not None and reused:
        record = stored[0]
    else:
        with store.lock_folder(embedded):
            record = _write_names(files, names, stored, encoder, settings)
    return NamesSummary(n_taxa, record["n_texts"], record["n_truncated"], reused, files.vectors)


def _stored_names(files: NameFiles) -> StoredNames | None:
    """Return what an earlier run has finished; None if there is nothing, or if it is damaged."""
    if not files.record.is_file():
        return None
    try:
        return read_files(files)
    except StoreError as error:
        log.warning("%s", error)
        return None


def _texts_of_taxa(images: pd.DataFrame, types: set[str]) -> pd.DataFrame:
    """Return the names of the root and of all taxa in some text types: columns rank, taxon, type, text."""
    root = pd.DataFrame({"rank": ROOT_RANK, "taxon": "", "type": TEXT_TYPES, "name": ROOT}, dtype="str")
    names = pd.concat([root, taxon_names(images)], ignore_index=True)
    names = names[names["type"].isin(types)].reset_index(drop=True)
    names["text"] = pd.array(name_prompts(names.pop("name")), "str")
    return names


def _name_in(text: str) -> str:
    """Return the name in a text of the table, which is the name in `PROMPT`."""
    before, after = (len(rest) for rest in PROMPT.split("{}"))
    return text[before : len(text) - after]


def _conditions(prompt_encoder: PromptEncoder) -> dict[str, Any]:
    """Return the conditions under which stored vectors may be used again."""
    return {"version": VERSION, **prompt_encoder.record()}


def _write_names(
    files: NameFiles, names: pd.DataFrame, stored: StoredNames | None, encoder: Encoder, settings: NameSettings
) -> dict[str, Any]:
    """Embed the texts that are not stored yet, write the files, and return their record."""
    prompt_encoder = PromptEncoder.of(encoder, files.templates)
    texts = names["text"].unique().tolist()
    made_from = _conditions(prompt_encoder) | {"texts": sha256_of_bytes("\n".join(texts).encode())}
    array = open_unfinished(files, made_from, (len(texts), prompt_encoder.encoder.dimension))
    n_prompts = len(prompt_encoder.prompts)
    label = f"{encoder.name} on the names of {files.record.parent.parent.name}"
    with progress_bar(label, array.n_rows * n_prompts, len(texts) * n_prompts, settings.progress, "text") as advance:
        try:
            for vectors, truncated in _blocks(texts[array.n_rows :], stored, prompt_encoder, settings.block_size):
                array.append(vectors, truncated=truncated.tolist())
                advance(len(vectors) * n_prompts)
        except BaseException:
            if not array.n_rows:
                array.discard()
            raise
    row = pd.Index(texts).get_indexer(names["text"])
    truncated, n_truncated = _truncated(array, texts, prompt_encoder)
    table = NAMES.frame(names.assign(row=row, truncated=truncated.take(row)))
    facts = {
        **_conditions(prompt_encoder),
        "templates": files.templates,
        "dataset": files.record.parent.parent.name,
        "encoder": files.record.parent.name,
        "logit_scale": getattr(prompt_encoder.encoder, "logit_scale", None),
        "n_names": len(table),
        "n_texts": len(texts),
        "n_truncated": n_truncated,
        "software": software(),
    }
    return write_files(files, table, array, facts)


def _truncated(
    array: AppendOnlyArray, texts: list[str], prompt_encoder: PromptEncoder
) -> tuple[pd.api.extensions.ExtensionArray, int | None]:
    """Return which texts are too long for the model, and their number; missing and None without a tokenizer."""
    if prompt_encoder.tokenizer is None:
        return pd.array([pd.NA] * len(texts), "boolean"), None
    truncated = np.concatenate([block["truncated"] for block in array.blocks])
    too_long = [texts[index] for index in np.flatnonzero(truncated)]
    if too_long:
        length = prompt_encoder.tokenizer.context_length
        facts = (prompt_encoder.encoder.name, length, len(too_long), len(texts), some(too_long, 3))
        log.warning("%s reads only the first %d tokens of %d of %d texts: %s", *facts)
    return pd.array(truncated, "boolean"), len(too_long)


def _blocks(
    texts: list[str], stored: StoredNames | None, prompt_encoder: PromptEncoder, block_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, block by block, the vectors of the texts and which texts are truncated.

    Stored vectors are used again if they were made under the same conditions.
    """
    rows: dict[str, int] = {}
    if stored is not None and _conditions(prompt_encoder).items() <= stored[0].items():
        _, table, stored_vectors = stored
        rows = dict(zip(table["text"], table["row"], strict=True))
        stored_flags = table.drop_duplicates("row").set_index("row")["truncated"]
    step = max(1, block_size // len(prompt_encoder.prompts))
    for start in range(0, len(texts), step):
        block = texts[start : start + step]
        known = np.array([text in rows for text in block])
        vectors = np.empty((len(block), prompt_encoder.encoder.dimension), np.float32)
        truncated = np.zeros(len(block), bool)
        if known.any():
            known_rows = [rows[text] for text in block if text in rows]
            vectors[known] = stored_vectors[known_rows]
            truncated[known] = stored_flags[known_rows].fillna(False)
        if not known.all():
            new_names = [_name_in(text) for text in block if text not in rows]
            vectors[~known], truncated[~known] = prompt_encoder.encode(new_names)
        yield vectors, truncated
