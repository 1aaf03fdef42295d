"""Estimates of embedding: what the store has, two timed batches of the rest, and the exact size of the vectors."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from bioclip_probe import datasets, executors, torch_device
from bioclip_probe.encoders import is_control
from bioclip_probe.encoders.hub import NotDownloadedError, without_downloads
from bioclip_probe.errors import ModelError
from bioclip_probe.extraction.embed import load_sources
from bioclip_probe.extraction.pipeline import ShardTask, encode_tasks
from bioclip_probe.extraction.prompts import name_prompts, taxon_names, zero_shot_templates
from bioclip_probe.extraction.ready_vectors import ReadyVectors
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.shards import EmbeddingFolder
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import NameFiles
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.step_estimates import NAN, StepEstimate, size

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder

#: Pictures of a timed batch on a processor and on a GPU, and texts.
BATCH, GPU_BATCH, TEXT_BATCH = 32, 256, 64
#: The true time of embedding lies between these multiples of what the timed batches take.
SPREAD = (0.6, 1.5)
TIMED, NOT_TIMED = "two timed batches", "not timed: it runs elsewhere"
#: Bytes before the vectors of a shard.
NPY_HEADER = 128
READY_BYTES_PER_S = 2e8


@dataclass(frozen=True, eq=False)
class EmbeddingState:
    """The sources of a plan and what the store has of their vectors.

    Attributes
    ----------
    sources : dict from str to Encoder or ReadyVectors
        By model; without those that must be downloaded first.
    lines : list of StepEstimate
    complete : bool
        True if nothing is left to embed, names included.
    """

    sources: dict[str, Encoder | ReadyVectors]
    lines: list[StepEstimate]
    complete: bool


def embedding_state(
    dataset: datasets.Dataset, plan: Plan, store: Store, names_of_controls: bool = False
) -> EmbeddingState:
    """Return what embedding a dataset by the encoders of a plan takes; two batches are embedded, nothing is written.

    Parameters
    ----------
    dataset : Dataset
    plan : Plan
    store : Store
    names_of_controls : bool
        Controls that take text embed names too, as they do in `embed` and not in a study.

    Returns
    -------
    EmbeddingState

    Raises
    ------
    ProbeError
        If a model is unknown or its weights cannot be had, a device or a package is missing, or the store is damaged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.study.examples import corvid_plan
    >>> with TemporaryDirectory() as folder:
    ...     plan = corvid_plan(folder)
    ...     embedding_state(datasets.load(plan.data), plan, Store(f"{folder}/store")).lines[0].to_do
    '3 images'
    """
    settings = _local(plan.extraction)
    sources, downloads = _load(dataset, plan, store, settings)
    lines = [*downloads.values()]
    folders = {model: store.find_folder(dataset, source.name, source.fingerprint) for model, source in sources.items()}
    missing = {model: _missing_rows(dataset, folder, settings) for model, folder in folders.items()}
    networks = [
        model for model, source in sources.items() if not isinstance(source, ReadyVectors) and len(missing[model])
    ]
    elsewhere = plan.extraction.engine != executors.LOCAL
    rates = {} if elsewhere or not networks else _seconds_per_image(dataset, sources, networks, missing, settings)
    for model, source in sources.items():
        lines.append(_line(source, len(dataset.images), missing[model], folders[model], settings, rates.get(model)))
    if plan.templates is not None:
        reading = {
            model: source
            for model, source in sources.items()
            if not isinstance(source, ReadyVectors)
            and source.has_text
            and (names_of_controls or not is_control(source.record))
        }
        lines += _name_lines(dataset, plan.templates, reading, folders, elsewhere)
    return EmbeddingState(sources, lines, not any(line.to_do for line in lines))


def _local(settings: ExtractionSettings) -> ExtractionSettings:
    """Return the settings with which this process embeds, without a word and without starting the engine."""
    name = settings.engine if isinstance(settings.engine, str) else executors.LOCAL
    executors.check_packages(name)
    torch_device.resolve_device(settings.device)
    return replace(settings, engine=executors.LOCAL, progress=False)


def _load(
    dataset: datasets.Dataset, plan: Plan, store: Store, settings: ExtractionSettings
) -> tuple[dict[str, Encoder | ReadyVectors], dict[str, StepEstimate]]:
    """Return the sources of a plan, and a line for each model that must be downloaded first."""
    downloads: dict[str, StepEstimate] = {}
    while True:
        models = [model for model in plan.encoders if model not in downloads]
        try:
            with without_downloads():
                sources = load_sources(dataset, models, store, settings)
                return {str(model): source for model, source in sources.items()}, downloads
        except ModelError as error:
            model, lacking = _lacking(models, error)
            n_bytes = lacking.n_bytes()
            text = f"{len(dataset.images)} images, after a download of {size(n_bytes)}"
            downloads[model] = StepEstimate(
                "embed", model, "", text, (NAN, NAN), "not timed: its weights are not here", NAN, float(n_bytes)
            )


def _lacking(models: Sequence[str], error: ModelError) -> tuple[str, NotDownloadedError]:
    """Return the model whose weights are not in the cache; raise any other error."""
    cause = error.__cause__ if isinstance(error.__cause__, NotDownloadedError) else error
    named = [model for model in models if str(error).startswith(f"model {model}: ")]
    if not isinstance(cause, NotDownloadedError) or not named:
        raise error
    return named[0], cause


def _missing_rows(
    dataset: datasets.Dataset, folder: EmbeddingFolder | None, settings: ExtractionSettings
) -> np.ndarray:
    """Return the rows of the images that an encoder will embed."""
    rows = np.arange(len(dataset.images))
    if folder is None:
        return rows
    folder.check_sizes()
    shards = set(folder.missing_shards())
    if "failed" in settings.redo:
        shards |= {shard for shard, facts in folder.shards.items() if facts["n_failed"]}
    if "damaged" in settings.redo:
        shards |= set(folder.damaged_shards())
    return np.concatenate([rows[:0], *(rows[folder.image_slice(shard)] for shard in sorted(shards))])


def _seconds_per_image(
    dataset: datasets.Dataset,
    sources: Mapping[str, Encoder | ReadyVectors],
    networks: Sequence[str],
    missing: Mapping[str, np.ndarray],
    settings: ExtractionSettings,
) -> dict[str, float]:
    """Return the seconds that each encoder takes for an image, from two batches after one that is not timed.

    Pictures are opened once for all encoders; their time is divided among the encoders by that of the networks.
    """
    n = settings.batch_size or (BATCH if torch_device.resolve_device(settings.device) == "cpu" else GPU_BATCH)
    encoders = [cast("Encoder", sources[model]) for model in networks]
    rows = np.unique(np.concatenate([missing[model] for model in networks]))
    drawn = rows[np.unique(np.linspace(0, len(rows) - 1, min(3 * n, len(rows))).astype(int))]
    first, timed = drawn[::3], np.delete(drawn, slice(None, None, 3)) if len(drawn) > 2 else drawn

    def seconds(rows: np.ndarray, numbers: Sequence[int]) -> float:
        images = dataset.images.iloc[rows]
        task = ShardTask(0, images["image_id"].tolist(), images["source"].tolist(), tuple(numbers))
        start = time.perf_counter()
        for _ in encode_tasks(dataset.open, encoders, [task], settings, lambda *_: None):
            pass
        return time.perf_counter() - start

    everyone = range(len(encoders))
    seconds(first, everyone)
    together = seconds(timed, everyone) / len(timed)
    alone = [seconds(first, [number]) for number in everyone] if len(encoders) > 1 else [1.0]
    return {model: together * own / sum(alone) for model, own in zip(networks, alone, strict=True)}


def _line(
    source: Encoder | ReadyVectors,
    n_images: int,
    missing: np.ndarray,
    folder: EmbeddingFolder | None,
    settings: ExtractionSettings,
    rate: float | None,
) -> StepEstimate:
    """Return the line of one encoder's images."""
    n_missing = len(missing)
    there = f"{n_images - n_missing} of {n_images} images"
    if not n_missing:
        return StepEstimate("embed", source.name, there, "")
    dtype = np.dtype(settings.dtype) if folder is None else folder.dtype
    shard_size = settings.shard_size if folder is None else int(folder.meta["shard_size"])
    n_shards = len(np.unique(missing // shard_size))
    disk = n_missing * source.dimension * dtype.itemsize + n_shards * NPY_HEADER
    to_do = f"{n_missing} images"
    if isinstance(source, ReadyVectors):
        seconds = 0.1 + disk / READY_BYTES_PER_S
        return StepEstimate("embed", source.name, there, to_do, (seconds / 2, seconds * 4), "their size", NAN, disk)
    if rate is None:
        return StepEstimate("embed", source.name, there, to_do, (NAN, NAN), NOT_TIMED, NAN, disk)
    low, high = (factor * rate * n_missing for factor in SPREAD)
    return StepEstimate("embed", source.name, there, to_do, (low, high), TIMED, peak_memory(), disk)


def _name_lines(
    dataset: datasets.Dataset,
    templates: str,
    sources: Mapping[str, Encoder],
    folders: Mapping[str, EmbeddingFolder | None],
    elsewhere: bool,
) -> list[StepEstimate]:
    """Return a line for the names of taxa of each encoder that takes text."""
    lines: list[StepEstimate] = []
    texts: list[str] = []
    for model, source in sources.items():
        folder = folders[model]
        if folder is not None and NameFiles.in_folder(folder.folder, templates).record.is_file():
            lines.append(StepEstimate("names", source.name, "all", ""))
            continue
        texts = texts or list(dict.fromkeys(name_prompts(taxon_names(dataset.images)["name"])))
        n_prompts = (len(texts) + 1) * (1 if templates == "plain" else len(zero_shot_templates()))
        disk = (len(texts) + 1) * source.dimension * 4 + NPY_HEADER
        seconds, memory = (NAN, NAN), NAN
        if not elsewhere and texts:
            timed = [texts[row] for row in np.linspace(0, len(texts) - 1, 2 * TEXT_BATCH).astype(int)]
            source.encode_text(timed[:TEXT_BATCH])
            start = time.perf_counter()
            source.encode_text(timed)
            each = (time.perf_counter() - start) / len(timed)
            seconds, memory = (SPREAD[0] * each * n_prompts, SPREAD[1] * each * n_prompts), peak_memory()
        about = (seconds, NOT_TIMED if elsewhere else TIMED, memory, float(disk))
        lines.append(StepEstimate("names", source.name, "", f"{n_prompts} prompts", *about))
    return lines


def peak_memory() -> float:
    """Return the most memory that this process has used so far, in bytes; NaN where the system does not tell.

    Examples
    --------
    >>> peak_memory() > 1e6
    True
    """
    try:
        import resource
    except ImportError:  # on Windows
        return NAN
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)
