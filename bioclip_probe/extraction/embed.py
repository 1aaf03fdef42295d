"""From names to vectors: a dataset, the models that are to embed it, and the store that keeps what they make.

>>> embed(datasets.load("world"), ["world-taxonomic", "pixels"], Store("store"))
>>> embed(dataset, ["bioclip", "mine=vectors:mine.parquet"], store)      # ready vectors of the same images beside it
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from bioclip_probe import datasets, encoders, executors
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction import extract
from bioclip_probe.extraction.ready_vectors import VECTORS, ReadyVectors, open_ready_vectors, store_ready_vectors
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.extraction.text import EmbeddedNames, embed_names
from bioclip_probe.store.store import Store

log = logging.getLogger(__name__)


def embed(
    dataset: datasets.Dataset,
    models: Sequence[str],
    store: Store,
    *,
    device: str = "auto",
    precision: str = "auto",
    revision: str | None = None,
    engine: str | Executor = executors.LOCAL,
    **settings: object,
) -> list[tuple[dict, extract.Extraction]]:
    """Embed a dataset with all models, each picture opened once. They are loaded before the first picture is opened.

    Parameters
    ----------
    dataset : Dataset
    models : sequence of str
        Encoders, by name; see `encoders.catalogue`. ``[NAME=]vectors:FILE`` are ready vectors, which are landed.
    store : Store
    device, precision, revision : str
        As for `encoders.load`; the revision is of the one model that is on the hub. At precision ``auto`` vectors that
        the store has already are taken at whatever precision they were made.
    engine : str or Executor
        Where pictures are embedded, or an executor that `executors.open_executor` has opened for that.
    **settings
        As `extract.Settings` has them.

    Returns
    -------
    list of (dict, Extraction)
        Each encoder's record, with its fingerprint, and what was done, in the order of `models`.
    """
    for model in models:
        if not _is_ready(model):
            encoders.resolve(model)  # a wrong name stops the run before the first picture is opened
    ready = {model: _ready(model) for model in models if _is_ready(model)}
    rest = [model for model in models if model not in ready]
    made: dict[str, encoders.Encoder | ReadyVectors] = dict(ready)
    results: dict[str, extract.Extraction] = {}
    with executors.open_executor(engine if rest else executors.LOCAL) as executor:
        where = {"device": device, "precision": precision}
        for model, pinned in _revisions(rest, revision).items():
            made[model] = _loaded(dataset, store, executor, model, revision=pinned, **where)
        _check_names({model: made[model].name for model in models})
        for model, found in ready.items():
            results[model] = _landed(dataset, found, store, settings)
        if rest:
            loaded = [made[model] for model in rest]
            log.info("embedding %s with %s", dataset.name, ", ".join(encoder.name for encoder in loaded))
            results |= zip(rest, extract.embed(dataset, loaded, store, executor, **settings), strict=True)
    for model in models:
        _tell(made[model], results[model])
    return [(_record(made[model], results[model]), results[model]) for model in models]


def embed_all_names(
    dataset: datasets.Dataset,
    models: Sequence[str],
    store: Store,
    *,
    device: str = "auto",
    precision: str = "auto",
    revision: str | None = None,
    **settings: object,
) -> list[tuple[str, EmbeddedNames]]:
    """Embed the names of all taxa with every model that takes text; `embed` goes before.

    Parameters
    ----------
    dataset, models, store
        As for `embed`. Ready vectors have no model here to read names, and are passed over.
    device, precision, revision : str
        As for `embed`. Where the pictures' vectors are of another precision, names are read at the one to be had here.
    **settings
        `types`, `templates` and `progress`, as `names.embed_names` has them.

    Returns
    -------
    list of (str, EmbeddedNames)
        The encoder's name and what was done.
    """
    found = []
    where = {"device": device, "precision": precision}
    for model, pinned in _revisions([model for model in models if not _is_ready(model)], revision).items():
        encoder = _loaded(dataset, store, None, model, revision=pinned, **where)
        if encoder.has_text:
            log.info("embedding the names of %s with %s", dataset.name, encoder.name)
            found.append((encoder.name, embed_names(store, dataset, encoder, **settings)))
    return found


def _is_ready(model: str) -> bool:
    return re.fullmatch(rf"([\w.+-]+=)?{VECTORS}.+", model) is not None


def _ready(model: str) -> ReadyVectors:
    name, _, file = model.rpartition(VECTORS)
    return open_ready_vectors(Path(file).expanduser(), name.removesuffix("=") or None)


def _landed(dataset: datasets.Dataset, found: ReadyVectors, store: Store, settings: dict) -> extract.Extraction:
    before = store.begun(dataset, found.name, found.fingerprint)
    known = {key: settings[key] for key in ("shard_size", "dtype", "progress") if key in settings}
    landed = store_ready_vectors(dataset, found, store, ExtractionSettings(**known))
    return extract.summary(landed, before.n_ok + before.n_failed if before else 0, float("nan"))


def _revisions(models: Sequence[str], revision: str | None) -> dict[str, str | None]:
    """The revision of each model: the one that was given is of the one model that is on the hub."""
    on_hub = [model for model in models if encoders.on_hub(model)]
    if revision and len(on_hub) != 1:
        raise ProbeError(
            f"a revision is of one model on the hub, and there are {len(on_hub)}; name each with its own: "
            "hf-hub:ORG/REPO@REVISION"
        )
    return {model: revision if model in on_hub else None for model in models}


def _loaded(
    dataset: datasets.Dataset, store: Store, executor: Executor | None, model: str, **where: object
) -> encoders.Encoder:
    """An encoder, here or as the executor's workers have it; at precision auto the one whose vectors are there."""
    encoder = encoders.load(model, **where) if executor is None else encoders.elsewhere(model, executor, **where)
    if where["precision"] != "auto" or store.begun(dataset, encoder.name, encoder.fingerprint) is not None:
        return encoder
    for precision, fingerprint in encoders.fingerprints_by_precision(encoder.record).items():
        found = store.begun(dataset, encoder.name, fingerprint)
        if found is not None and found.complete:
            log.info("%s: the store has its vectors at precision %s; they are taken", encoder.name, precision)
            here = encoder if executor is None else None
            return encoders.Elsewhere(encoder.recipe.at(precision), found.meta["encoder"]["record"], here)
    return encoder


def _check_names(names: dict[str, str]) -> None:
    """Refuse two models that tables and figures could not tell apart."""
    shown = list(names.values())
    for model, name in reversed(names.items()):
        if shown.count(name) > 1:
            raise ProbeError(f"two models are called '{name}'; name one of them: NAME={model}")


def _tell(encoder: encoders.Encoder | ReadyVectors, result: extract.Extraction) -> None:
    """What a reader of the log should know of one encoder's vectors."""
    if result.parity == result.parity:
        told = (encoder.name, encoder.record["precision"], result.parity)
        log.info("%s at %s: cosine with fp32 at least %.5f on the first pictures", *told)
    for failure in result.failures.head(5).itertuples():
        log.warning("left out %s: %s", failure.image_id, failure.error)
    if result.n_failed > 5:
        log.warning("left out %d images in all; `runs.json` and the report list them", result.n_failed)


def _record(encoder: encoders.Encoder | ReadyVectors, result: extract.Extraction) -> dict:
    known = {"name": encoder.name, "fingerprint": encoder.fingerprint, "stored_as": result.dtype}
    return {**encoder.record, **known}
