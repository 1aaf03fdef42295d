"""Embedding of a dataset by encoders that are named: dataset × names of models → vectors in the store.

This module loads the encoders and hands them to `bioclip_probe.extraction.extract`. A model may also be a file of ready
vectors, which is read instead::

    embed(datasets.load("world"), ["world-taxonomic", "pixels"], Store("store"))
    embed(dataset, ["bioclip", "mine=vectors:mine.parquet"], store)

or an encoder in memory, which is used as it is, in this process::

    embed(dataset, [encoders.from_module(network, transform, "mine"), "bioclip"], store)
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, cast

from bioclip_probe import datasets, encoders, executors
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.extract import ExtractionSummary, extract
from bioclip_probe.extraction.ready_vectors import VECTORS, ReadyVectors, open_ready_vectors, store_ready_vectors
from bioclip_probe.extraction.settings import DEFAULTS, ExtractionSettings
from bioclip_probe.extraction.text import NameSettings, NamesSummary, embed_names
from bioclip_probe.store.store import Store

log = logging.getLogger(__name__)

#: Failed images of one encoder that the log names.
N_LOGGED = 5

#: A model: the name of an encoder or of a file of ready vectors, or an encoder in memory.
Model: TypeAlias = "str | encoders.Encoder"
Source: TypeAlias = "encoders.Encoder | ReadyVectors"


def embed(
    dataset: datasets.Dataset,
    models: Sequence[Model],
    store: Store,
    settings: ExtractionSettings = DEFAULTS,
) -> list[tuple[dict, ExtractionSummary]]:
    """Embed a dataset with some models; each picture is opened once for all of them.

    All encoders are loaded before the first picture is opened, so that a wrong name stops the run at once.

    Parameters
    ----------
    dataset : Dataset
        The pictures.
    models : sequence of str or Encoder
        Names of encoders, see `encoders.catalogue`, or encoders. ``[NAME=]vectors:FILE`` is a file of ready vectors.
    store : Store
        Receives the vectors. If it already has the vectors of an encoder at another precision, and the settings say
        ``auto``, they are kept and used.
    settings : ExtractionSettings
        Device, precision, sizes, allowed failures and so on. A revision belongs to the one model that is on the hub.
        The engine is opened for the time of this call, unless it is an open executor.

    Returns
    -------
    list of (dict, ExtractionSummary)
        The record of each encoder, with its name, its fingerprint and ``stored_as``, and what the run did; in the order
        of `models`.

    Raises
    ------
    ProbeError
        If a model is unknown, two models have the same name, or the revision does not belong to one model; and the
        errors of `extract`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", ids=["a", "b"], vectors=np.eye(2), genus=["Pica", "Corvus"])
    ...     dataset, store = datasets.load(f"vectors:{folder}/mine.npz"), Store(f"{folder}/store")
    ...     settings = ExtractionSettings(progress=False)
    ...     ((record, summary),) = embed(dataset, [f"vectors:{folder}/mine.npz"], store, settings)
    >>> record["name"], summary.n_ok
    ('mine', 2)
    """
    _check_types(models)
    for model in models:
        if isinstance(model, str) and not _is_ready(model):
            encoders.resolve(model)
    ready = {model: _open_ready(model) for model in models if isinstance(model, str) and _is_ready(model)}
    summaries: dict[Model, ExtractionSummary] = {}
    named = [model for model in models if isinstance(model, str) and model not in ready]
    in_memory = [model for model in models if not isinstance(model, str)]
    with executors.open_executor(settings.engine if named else executors.LOCAL) as workers:
        sources = load_sources(dataset, models, store, settings, workers, ready)
        for model, vectors in sources.items():
            if isinstance(vectors, ReadyVectors):
                summaries[model] = _store_ready(dataset, vectors, store, settings)
        # Workers cannot build an encoder that is in memory only. Without workers all encoders share each picture.
        runs: list[tuple[list[Model], Executor | None]] = [([*in_memory, *named], None)]
        if workers is not None:
            runs = [([*in_memory], None), ([*named], workers)]
        for group, executor in runs:
            if group:
                networks = [cast("encoders.Encoder", sources[model]) for model in group]
                log.info("embedding %s with %s", dataset.name, ", ".join(encoder.name for encoder in networks))
                summaries |= zip(group, extract(dataset, networks, store, settings, executor), strict=True)
    for model in models:
        _log_summary(sources[model], summaries[model])
    return [(_record(sources[model], summaries[model]), summaries[model]) for model in models]


def load_sources(
    dataset: datasets.Dataset,
    models: Sequence[Model],
    store: Store,
    settings: ExtractionSettings = DEFAULTS,
    workers: Executor | None = None,
    ready: Mapping[str, ReadyVectors] | None = None,
) -> dict[Model, Source]:
    """Return the encoder or the ready vectors of each model, as `embed` uses them.

    Parameters
    ----------
    dataset, models, store, settings
        As for `embed`; the engine is not opened.
    workers : Executor, optional
        Its workers load the encoders; by default this process does.
    ready : mapping from str to ReadyVectors, optional
        The files of ready vectors among the models, where they are open already.

    Returns
    -------
    dict from str or Encoder to Encoder or ReadyVectors
        In the order of `models`; an encoder in memory stands for itself.

    Raises
    ------
    ProbeError
        If a model cannot be had, or two have the same name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", ids=["a", "b"], vectors=np.eye(2), genus=["Pica", "Corvus"])
    ...     dataset, store = datasets.load(f"vectors:{folder}/mine.npz"), Store(f"{folder}/store")
    ...     load_sources(dataset, [f"vectors:{folder}/mine.npz", "pixels"], store)["pixels"].dimension
    768
    """
    if ready is None:
        ready = {model: _open_ready(model) for model in models if isinstance(model, str) and _is_ready(model)}
    sources: dict[Model, Source] = {model: model for model in models if not isinstance(model, str)}
    for file, vectors in ready.items():
        sources[file] = vectors
    to_load = [model for model in models if isinstance(model, str) and model not in ready]
    for name, revision in _revisions(to_load, settings.revision).items():
        sources[name] = _load(dataset, store, name, replace(settings, revision=revision), workers)
    sources = {model: sources[model] for model in models}
    _check_names({model: source.name for model, source in sources.items()})
    return sources


def embed_all_names(
    dataset: datasets.Dataset,
    models: Sequence[Model],
    store: Store,
    settings: ExtractionSettings = DEFAULTS,
    templates: str = "plain",
) -> list[tuple[str, NamesSummary]]:
    """Embed the names of all taxa with every model that takes text. The pictures must have been embedded before.

    Parameters
    ----------
    dataset, models, store
        As for `embed`. Files of ready vectors are skipped: no model is there to embed names.
    settings : ExtractionSettings
        Its device, precision, revision and progress are used. If the vectors of the pictures have another precision
        than this machine can compute in, names are embedded in the precision that it can.
    templates : str
        The prompts, ``plain`` or ``openai``, as for `embed_names`.

    Returns
    -------
    list of (str, NamesSummary)
        The name of each encoder that takes text, and what the run did.

    Raises
    ------
    ProbeError
        As for `embed_names`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", ids=["a", "b"], vectors=np.eye(2), genus=["Pica", "Corvus"])
    ...     dataset, store = datasets.load(f"vectors:{folder}/mine.npz"), Store(f"{folder}/store")
    ...     embed_all_names(dataset, [f"vectors:{folder}/mine.npz"], store)
    []
    """
    results = []
    to_load = [model for model in models if isinstance(model, str) and not _is_ready(model)]
    revisions = _revisions(to_load, settings.revision)
    for model in models:
        if isinstance(model, str) and model not in revisions:
            continue
        if isinstance(model, str):
            encoder = _load(dataset, store, model, replace(settings, revision=revisions[model]), None)
        else:
            encoder = model
        if encoder.has_text:
            log.info("embedding the names of %s with %s", dataset.name, encoder.name)
            names = embed_names(store, dataset, encoder, NameSettings(templates=templates, progress=settings.progress))
            results.append((encoder.name, names))
    return results


def _is_ready(model: str) -> bool:
    """Return True if the name of a model names a file of ready vectors."""
    return re.fullmatch(rf"([\w.+-]+=)?{VECTORS}.+", model) is not None


def _open_ready(model: str) -> ReadyVectors:
    """Open the file of ready vectors that a model names."""
    name, _, file = model.rpartition(VECTORS)
    return open_ready_vectors(Path(file).expanduser(), name.removesuffix("=") or None)


def _store_ready(
    dataset: datasets.Dataset, vectors: ReadyVectors, store: Store, settings: ExtractionSettings
) -> ExtractionSummary:
    """Write ready vectors into the store and return a summary like that of an encoder."""
    before = store.find_folder(dataset, vectors.name, vectors.fingerprint)
    embedded = store_ready_vectors(dataset, vectors, store, settings)
    return ExtractionSummary.of(embedded, before.n_ok + before.n_failed if before else 0, float("nan"))


def _revisions(models: Sequence[str], revision: str | None) -> dict[str, str | None]:
    """Return the revision of each model: only the one model that is on the hub has the given one."""
    on_hub = [model for model in models if encoders.on_hub(model)]
    if revision and len(on_hub) != 1:
        raise ProbeError(
            f"a revision belongs to one model on the hub, and there are {len(on_hub)}; name each with its own: "
            "hf-hub:ORG/REPO@REVISION"
        )
    return {model: revision if model in on_hub else None for model in models}


def _load(
    dataset: datasets.Dataset, store: Store, model: str, settings: ExtractionSettings, executor: Executor | None
) -> encoders.Encoder:
    """Load an encoder, here or in the workers; at precision ``auto`` prefer the one whose vectors the store has."""
    wanted = (settings.device, settings.precision, settings.revision)
    encoder = encoders.load(model, *wanted) if executor is None else encoders.load_remote(model, executor, *wanted)
    if settings.precision != "auto" or store.find_folder(dataset, encoder.name, encoder.fingerprint) is not None:
        return encoder
    for precision, fingerprint in encoders.fingerprints_by_precision(encoder.record).items():
        embedded = store.find_folder(dataset, encoder.name, fingerprint)
        if embedded is not None and embedded.complete:
            log.info("%s: the store has its vectors at precision %s; they are used", encoder.name, precision)
            here = encoder if executor is None else None
            record = embedded.meta["encoder"]["record"]
            return encoders.RemoteEncoder(encoder.recipe.at_precision(precision), record, here)
    return encoder


def _check_types(models: object) -> None:
    """Raise `ProbeError` if the models are not a list of names and encoders."""
    expected = "expected a list of models, each a name such as 'bioclip' or what bioclip_probe.encoder returns"
    if isinstance(models, str) or not isinstance(models, Sequence):
        raise ProbeError(f"{expected}; got a {type(models).__name__}")
    for model in models:
        if not isinstance(model, str) and not hasattr(model, "encode"):
            raise ProbeError(f"{expected}; got a {type(model).__name__} in the list")
    if not models:
        raise ProbeError(f"{expected}; the list is empty")
    for number, model in enumerate(models):
        if model in models[:number]:
            raise ProbeError(f"a model is named twice: {model if isinstance(model, str) else model.name}")


def _check_names(names: Mapping[Model, str]) -> None:
    """Raise `ProbeError` if two models have the same name, which tables and figures could not tell apart."""
    shown = list(names.values())
    for model, name in reversed(list(names.items())):
        if shown.count(name) > 1:
            hint = f"name one of them: NAME={model}" if isinstance(model, str) else "give one of them another name"
            raise ProbeError(f"two models are called '{name}'; {hint}")


def _log_summary(source: Source, summary: ExtractionSummary) -> None:
    """Log the parity and the failed images of one encoder."""
    if summary.parity == summary.parity:
        facts = (source.name, source.record["precision"], summary.parity)
        log.info("%s at %s: cosine with fp32 at least %.5f on the first pictures", *facts)
    for failure in summary.failures.head(N_LOGGED).itertuples():
        log.warning("left out %s: %s", failure.image_id, failure.error)
    if summary.n_failed > N_LOGGED:
        log.warning("left out %d images in total; `runs.json` and the report list them", summary.n_failed)


def _record(source: Source, summary: ExtractionSummary) -> dict:
    """Return the record of an encoder, with its name, its fingerprint and the type of the stored vectors."""
    return {**source.record, "name": source.name, "fingerprint": source.fingerprint, "stored_as": summary.dtype}
