"""A run of the tasks of BioCLIP's model card, see `card_tasks`.

Names stand in the 81 prompts of the published evaluation. A name that several classes share makes them one class, as in
the authors' run. Rare Species is also measured by SimpleShot, on the authors' folds: those follow the order of the
images, and are the authors' where the dataset comes as ``metadata.csv`` of their repository.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import encoders, metrics, provenance
from bioclip_probe.errors import DataError, ModelError, some
from bioclip_probe.extraction.prompt_encoder import PromptEncoder
from bioclip_probe.extraction.ready_vectors import VECTORS
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.centroid import few_shot
from bioclip_probe.probes.folds import paper_folds
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.zero_shot import zero_shot
from bioclip_probe.progress import progress_bar
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.store.text_embeddings import LOGIT_SCALE
from bioclip_probe.study import results
from bioclip_probe.study.card_tasks import ABSENT, TASKS, Task, class_names, classes, load_tasks
from bioclip_probe.study.collecting import collect
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import MEASUREMENTS

log = logging.getLogger(__name__)

NAME = "model-card"
TEMPLATES = "openai"
NAMES_AT_ONCE = 32
DEFAULTS = ExtractionSettings()


def run(
    folder: str | Path,
    models: Sequence[str],
    store: str | Path,
    out: str | Path,
    seed: int = 0,
    settings: ExtractionSettings = DEFAULTS,
) -> results.Results:
    """Run the tasks of the card that lie in a folder; the numbers go to the folder `out`.

    Parameters
    ----------
    folder : str or Path
        With a folder for each task, see `card_tasks`.
    models : sequence of str
        Names of encoders. One without a text tower is measured by SimpleShot only.
    store : str or Path
        Where embeddings are kept; a second run embeds no picture again.
    out : str or Path
        The results folder. An earlier card that it holds is replaced.
    seed : int
    settings : ExtractionSettings

    Raises
    ------
    DataError
        If the folder holds the results of a study, or no task can be run. One that cannot, beside others that can, is
        named in the notes and left out.
    """
    start = time.perf_counter()
    results.check_dataset(results.check_folder(out), name=NAME)  # before the long work
    loaded, left_out = load_tasks(Path(folder))
    tables, records = [], {}
    for name, dataset in loaded.items():
        try:
            sample = collect(dataset, models, store, settings=settings)
        except DataError as error:
            log.warning("%s left out: %s", name, error)
            left_out[name] = str(error)
            continue
        records[name] = sample.record
        tables.append(_ask(sample, TASKS[name], models, seed, settings))
    if not tables:
        reasons = [reason for reason in left_out.values() if reason != ABSENT]
        raise DataError(f"no task of {folder} can be run: {some(reasons)}")
    measured = pd.concat(tables, ignore_index=True)
    record = _record(records, left_out, time.perf_counter() - start)
    measured = pd.concat([measured, _mean(measured)], ignore_index=True).assign(run=record["run"])
    return results.write(out, record, {"measurements": MEASUREMENTS.frame(measured)}, fresh=True)


def table(found: results.Results) -> pd.DataFrame:
    """Return the card's table: a row a model, a column a task that ran, at the card's text type; then few-shot.

    Parameters
    ----------
    found : Results
        Of `run`.

    Returns
    -------
    DataFrame
        Top-1 accuracies, indexed by encoder.
    """
    measurements = found.table("measurements")
    rows = measurements[measurements["metric"] == "top1_accuracy"]
    columns = {}
    for task in TASKS.values():
        columns[task.title] = rows[(rows["dataset"] == task.dataset) & (rows["protocol"] == task.texts[0])]
    columns["Mean"] = rows[rows["dataset"] == NAME]
    for task in TASKS.values():
        for shots in task.shots:
            columns[f"{task.title}, {shots}-shot"] = rows[(rows["dataset"] == task.dataset) & rows["shots"].eq(shots)]
    order = found.encoders
    filled = {title: part.set_index("encoder")["value"] for title, part in columns.items() if len(part)}
    return pd.DataFrame(filled).reindex(order).rename_axis("encoder")


def _ask(sample: Sample, task: Task, models: Sequence[str], seed: int, settings: ExtractionSettings) -> pd.DataFrame:
    """Return the scores of all encoders in one task, as a `MEASUREMENTS` table."""
    names = class_names(sample.images, task)
    own = pd.Index(names["class"]).get_indexer(classes(sample.images))  # −1 for an image without a class
    tables = []
    for model, (encoder, embeddings) in zip(models, sample.embeddings.items(), strict=True):
        log.info("measuring %s: %s", encoder, task.title)
        rows = [
            *_by_name(embeddings.vectors, own, *_embedded(names, task, model, settings), task, seed),
            *_by_shots(embeddings.vectors, own, task, seed),
        ]
        tables.append(sample.table(rows, encoder=encoder, space="raw"))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Names:
    """Names of the classes in one text type: the number of each class's name, the vectors, the logit scale."""

    of_class: np.ndarray
    vectors: np.ndarray
    logit_scale: float


def _embedded(
    names: pd.DataFrame, task: Task, model: str, settings: ExtractionSettings
) -> tuple[dict[str, _Names], str]:
    """Return the embedded names of each text type; none, and the reason, where the model has no text tower."""
    if VECTORS in model:
        return {}, "ready vectors come without a text tower"
    encoder = encoders.load(model, settings.device, settings.precision)
    prompt_encoder, found = PromptEncoder.of(encoder, TEMPLATES), {}
    for kind in task.texts:
        of_class, different = pd.factorize(names[kind])
        blocks = [different[start : start + NAMES_AT_ONCE] for start in range(0, len(different), NAMES_AT_ONCE)]
        bar = f"{encoder.name} on the names of {task.title}", 0, len(different), settings.progress
        vectors = []
        try:
            with progress_bar(*bar, "name") as advance:
                for block in blocks:
                    vectors.append(prompt_encoder.encode(block)[0])
                    advance(len(block))
        except ModelError as error:
            log.warning("%s: not measured by name: %s", task.title, error)
            return {}, str(error)
        found[kind] = _Names(of_class, np.concatenate(vectors), getattr(encoder, "logit_scale", None) or LOGIT_SCALE)
    return found, ""


def _by_name(
    vectors: np.ndarray, own: np.ndarray, names: dict[str, _Names], reason: str, task: Task, seed: int
) -> Iterator[dict]:
    """Yield the zero-shot scores for each text type of the task; undefined with the reason where there are no names."""
    for kind in task.texts:
        asked = {"probe": "zero_shot", "protocol": kind}
        if kind not in names:
            yield from _scored(None, own, task, seed, note=reason, **asked)
            continue
        named = names[kind]
        labels = np.where(own >= 0, named.of_class[own], -1)
        found = zero_shot(vectors, labels[None], [(np.arange(len(named.vectors)), named.vectors)], named.logit_scale)
        n_classes, n_names = len(named.of_class), len(named.vectors)
        shared = f"{n_classes} classes have {n_names} different names; those of one name count as one"
        note = shared if n_names < n_classes else ""
        yield from _scored((labels, found), own, task, seed, note=note, **asked)


def _by_shots(vectors: np.ndarray, own: np.ndarray, task: Task, seed: int) -> Iterator[dict]:
    """Yield the scores of SimpleShot as published, for each number of shots of the task."""
    if not task.shots:
        return
    try:
        drawn, note = paper_folds(own, task.shots), ""
    except DataError as error:
        drawn, note = {}, str(error)
    for shots in task.shots:
        found = (own, few_shot(vectors, own, drawn[shots])) if shots in drawn else None
        yield from _scored(found, own, task, seed, note=note, probe="simpleshot", protocol="paper", shots=shots)


def _scored(
    asked: tuple[np.ndarray, Sequence[Predictions]] | None,
    own: np.ndarray,
    task: Task,
    seed: int,
    note: str = "",
    **columns: object,
) -> Iterator[dict]:
    """Yield rows of scores: of labels and the predictions of each fold; one undefined row if there are none.

    Intervals leave out classes, whether they are species or not.
    """
    level = task.rank or "class"
    counts = {"n_images": int(np.sum(own >= 0)), "n_taxa": len(np.unique(own[own >= 0]))}
    if asked is None:
        undefined = Estimate.undefined(note, **counts)
        yield Measurement("top1_accuracy", level, undefined, split="test").as_row() | {"rank": task.rank} | columns
        return
    labels, found = asked
    n_folds, settings = len(found), MeasureSettings(seed=seed)
    answers = Answers(
        image=np.tile(np.arange(len(own)), n_folds),
        truth=np.tile(labels, n_folds),
        predicted=np.concatenate([one.predicted for one in found]),
        place=np.concatenate([one.place for one in found]),
        confidence=np.concatenate([one.confidence for one in found]),
        split=np.concatenate([one.split for one in found]).astype(str),
        fold=np.repeat(np.arange(n_folds), len(own)),
        n_choices=np.zeros(n_folds * len(own), dtype=np.int64),  # all classes that have images
        jackknife=Jackknife.of("taxon", own, random_stream(seed, "jackknife", level), settings.n_groups),
        rank=level,
        balanced=True,
        settings=settings,
    )
    for measurement in metrics.measure(answers):
        row = measurement.as_row()
        notes = "; ".join(filter(None, (measurement.estimate.note, note)))
        more = {"rank": task.rank, "n_taxa": counts["n_taxa"], "note": notes}
        resampled = {"resampled": level} if row["resampled"] else {}
        yield row | more | resampled | columns


def _mean(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over the card's ten tasks, for models that have all of them."""
    rows = []
    chosen = pd.DataFrame({"dataset": task.dataset, "protocol": task.texts[0]} for task in TASKS.values())
    top1 = measured[(measured["metric"] == "top1_accuracy") & (measured["probe"] == "zero_shot")]
    for encoder, part in top1.merge(chosen, on=["dataset", "protocol"]).groupby("encoder", sort=False):
        if len(part) == len(TASKS) and part["value"].notna().all():
            note = "mean of the ten tasks of the card, each at its text type"
            counts = {"n_images": part["n_images"].sum(), "n_taxa": part["n_taxa"].sum()}
            shared = {"encoder": encoder, "dataset": NAME, "split": "test", "simulated": False, "space": "raw"}
            asked = {"probe": "zero_shot", "metric": "top1_accuracy", "value": part["value"].mean()}
            rows.append(shared | asked | counts | {"note": note})
    return MEASUREMENTS.frame(rows)


def _record(records: dict[str, dict], left_out: dict[str, str], seconds: float) -> dict:
    """Return the record of a run of the card, as `results.write` takes it."""
    first = next(iter(records.values()))
    datasets = [record["dataset"] for record in records.values()]
    return {
        "run": provenance.fingerprint([dataset["fingerprint"] for dataset in datasets], first["encoders"], TEMPLATES),
        "dataset": {
            "name": NAME,
            "simulated": False,
            "n_images": sum(dataset["n_images"] for dataset in datasets),
            "n_usable": sum(dataset["n_usable"] for dataset in datasets),
            "notes": [f"{name}: {reason}" for name, reason in left_out.items()],
        },
        "encoders": first["encoders"],
        "tasks": records,
        "software": provenance.software(),
        "machine": provenance.machine(),
        "steps": {
            "card": {
                "command": provenance.command(),
                "finished": provenance.now(),
                "seconds": round(seconds, 1),
                "templates": TEMPLATES,
            }
        },
    }
