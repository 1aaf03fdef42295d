"""The tasks of BioCLIP's model card: which they are, how their classes are named, and a run of those that are there.

>>> card.run("data", ["bioclip", "clip", "inat21-only", "openclip"], "store", "card")      # -> Results
>>> card.table(_)                                         # the card's table
>>> published.compare(_.measurements, _.record)           # beside the published one

``data`` holds a folder a task, by the names below; those that are not there are told, the others run.

==================  ===================================================================  ======  =======================
folder              what lies in it                                                      images  a class is named
==================  ===================================================================  ======  =======================
``birds_525``       Kaggle's 100-bird-species: ``test/`` and ``birds.csv``                2,625  see below
``plankton``        Meta-Album's PLK, Mini: ``labels.csv`` and ``images/``                3,440  as its label
``insects``         INS, Mini                                                             4,160  as its label
``insects_2``       INS_2, Mini                                                           4,080  as its label
``plantnet``        PLT_NET, Mini                                                         1,000  as its label
``fungi``           FNG, Mini                                                             1,000  as its label
``plantvillage``    PLT_VIL, Mini                                                         1,520  as its label
``medicinal_leaf``  MED_LF, Mini                                                          1,000  as its label
``plantdoc``        PLT_DOC, Mini                                                         1,080  as its label
``rare_species``    Rare Species: as ``rare-species:PATH`` takes it                      11,983  taxonomic + common name
==================  ===================================================================  ======  =======================

A class is a label where the pictures have labels, since that need be no taxon (``Tomato___Late_blight``,
``mix_elongated``), and a species elsewhere. The authors' annotations of the Meta-Album sets hold the class as its
folder is called and no other name, and they ask by it ``asis``: underscores, authors of names and all. Rare Species is
asked by taxonomic and common name; its own card asks CLIP and OpenCLIP by the common name, so that this runs too. How
they named the classes of Birds 525 is not published: taxonomic + common is inferred, without order and family, which
the source does not hold; scientific and common names run beside it. Names stand in the 81 prompts; a name that several
classes share makes them one, as it does in the authors' run. Rare Species is also asked by SimpleShot, on the authors'
folds: those follow the order of the images, and are theirs where the dataset comes as ``metadata.csv`` of their
repository.

References
----------
Imageomics/bioclip: README, data/annotation, src/evaluation/{data,zero_shot_iid,few_shot}.py, src/imageomics/
naming_eval.py, eval_zero_shot.sh, docs/imageomics/RareSpecies_DatasetCard.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bioclip_probe import encoders, metrics, provenance
from bioclip_probe.datasets import Dataset, birds_525, meta_album, rare_species
from bioclip_probe.errors import DataError, ModelError, some
from bioclip_probe.extraction import prompts
from bioclip_probe.extraction.prompt_encoder import PromptEncoder
from bioclip_probe.extraction.ready_vectors import VECTORS
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.centroid import few_shot
from bioclip_probe.probes.folds import paper_folds
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.zero_shot import zero_shot
from bioclip_probe.progress import progress_bar
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.store.text_embeddings import LOGIT_SCALE
from bioclip_probe.study import results
from bioclip_probe.study.sample import Sample, collect
from bioclip_probe.tables import MEASUREMENTS
from bioclip_probe.tree import taxonomy

log = logging.getLogger(__name__)

AS_IS = "asis"
NAME = "model-card"
TEMPLATES = "openai"
NAMES_AT_ONCE = 32
ABSENT = "absent"
DEFAULTS = ExtractionSettings()


@dataclass(frozen=True)
class Task:
    """One task of the card.

    Attributes
    ----------
    title : str
        As the card calls it.
    dataset : str
        The name of its dataset in tables.
    load : callable
        From the task's folder to its dataset.
    texts : tuple of str
        Text types that classes are named by, that of the card first: ``asis`` or one of `prompts.TEXT_TYPES`.
    rank : str, optional
        The rank of its classes, where all have the same.
    shots : tuple of int
        Images a class that SimpleShot learns from.
    """

    title: str
    dataset: str
    load: Callable[[Path], Dataset]
    texts: tuple[str, ...] = (AS_IS,)
    rank: str | None = None
    shots: tuple[int, ...] = ()


def _meta_album(title: str, name: str, rank: str | None = None) -> Task:
    return Task(title, f"meta-album-{name}_Mini", partial(meta_album.load, name=name), rank=rank)


TASKS: dict[str, Task] = {
    "birds_525": Task(
        "Birds 525", birds_525.NAME, birds_525.load, ("taxonomic_common", "scientific", "common"), "species"
    ),
    "plankton": _meta_album("Plankton", "PLK"),
    "insects": _meta_album("Insects", "INS"),
    "insects_2": _meta_album("Insects 2", "INS_2"),
    "plantnet": _meta_album("PlantNet", "PLT_NET", "species"),
    "fungi": _meta_album("Fungi", "FNG", "species"),
    "plantvillage": _meta_album("PlantVillage", "PLT_VIL"),
    "medicinal_leaf": _meta_album("Med. Leaf", "MED_LF"),
    "plantdoc": _meta_album("PlantDoc", "PLT_DOC"),
    "rare_species": Task(
        "Rare Species", rare_species.NAME, rare_species.load, ("taxonomic_common", "common"), "species", (1, 5)
    ),
}


def run(
    folder: str | Path,
    models: Sequence[str],
    store: str | Path,
    out: str | Path,
    seed: int = 0,
    settings: ExtractionSettings = DEFAULTS,
) -> results.Results:
    """Ask models the tasks of the card that lie in a folder; the numbers go to the folder `out`.

    Parameters
    ----------
    folder : str or Path
        With a folder a task, see `TASKS`.
    models : sequence of str
        Encoders, by name. One without a text tower is asked by SimpleShot only.
    store : str or Path
        Where embeddings are kept; a second run embeds no picture anew.
    out : str or Path
        For the results; what it holds is replaced.
    seed : int
    settings : ExtractionSettings

    Raises
    ------
    DataError
        If no task is there that can be run. One that cannot, beside others that can, is told and left out.
    """
    start = time.perf_counter()
    results.check_folder(out)  # before the long work
    loaded, left_out = _load(Path(folder))
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
    """The card's table: a row a model, a column a task that ran, at the card's text type; then those by shots."""
    rows = found.measurements[found.measurements["metric"] == "top1_accuracy"]
    columns = {}
    for task in TASKS.values():
        columns[task.title] = rows[(rows["dataset"] == task.dataset) & (rows["protocol"] == task.texts[0])]
    columns["Mean"] = rows[rows["dataset"] == NAME]
    for task in TASKS.values():
        for shots in task.shots:
            columns[f"{task.title}, {shots}-shot"] = rows[(rows["dataset"] == task.dataset) & rows["shots"].eq(shots)]
    order = [encoder["name"] for encoder in found.record["encoders"]]
    filled = {title: part.set_index("encoder")["value"] for title, part in columns.items() if len(part)}
    return pd.DataFrame(filled).reindex(order).rename_axis("encoder")


def class_names(images: pd.DataFrame, task: Task) -> pd.DataFrame:
    """What the classes of a task are called.

    Parameters
    ----------
    images : DataFrame
        An `IMAGES` table.
    task : Task

    Returns
    -------
    DataFrame, a row a class, in alphabetical order
        Columns ``class``, and a name for each of the task's text types. A class that is no species is called as is.
    """
    own = classes(images)
    names = pd.DataFrame({"class": np.sort(own.dropna().unique())}, dtype="str")
    place = taxonomy(images)
    taxa = pd.Series([place.tree.path(node) if node >= 0 else None for node in place.at("species")], dtype="str")
    taxon = pd.DataFrame({"class": own.to_numpy(), "taxon": taxa}).dropna().drop_duplicates("class").set_index("class")
    known = prompts.taxon_names(images)
    for kind in task.texts:
        by_taxon = known[known["type"] == kind].set_index("taxon")["name"]
        names[kind] = names["class"].map(taxon["taxon"]).map(by_taxon).astype("str").fillna(names["class"])
    return names


def classes(images: pd.DataFrame) -> pd.Series:
    """The class of each picture: its label where pictures have labels, else its species; missing where it has none."""
    return images["label"] if images["label"].notna().any() else images["species"]


def _load(folder: Path) -> tuple[dict[str, Dataset], dict[str, str]]:
    """The datasets of the tasks that are there, and why each other one is left out."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one with a folder for each task: {', '.join(TASKS)}")
    loaded, left_out = {}, {}
    for name, task in TASKS.items():
        if not (folder / name).is_dir():
            left_out[name] = ABSENT
            continue
        try:
            loaded[name] = replace(task.load(folder / name), name=task.dataset)
        except DataError as error:
            log.warning("%s left out: %s", name, error)
            left_out[name] = str(error)
    absent = [name for name, reason in left_out.items() if reason == ABSENT]
    if len(absent) == len(TASKS):
        found = some(sorted(child.name for child in folder.iterdir()))
        raise DataError(f"{folder} holds none of the tasks: {', '.join(TASKS)}; found: {found or 'nothing'}")
    if absent:
        log.info("absent: %s", ", ".join(absent))
    return loaded, left_out


def _ask(sample: Sample, task: Task, models: Sequence[str], seed: int, settings: ExtractionSettings) -> pd.DataFrame:
    """All that is asked in one task, as a `MEASUREMENTS` table."""
    names = class_names(sample.images, task)
    own = pd.Index(names["class"]).get_indexer(classes(sample.images))  # −1 for an image without a class
    tables = []
    for model, (encoder, embeddings) in zip(models, sample.embeddings.items(), strict=True):
        log.info("asking %s: %s", encoder, task.title)
        rows = [
            *_by_name(embeddings.vectors, own, *_embedded(names, task, model, settings), task, seed),
            *_by_shots(embeddings.vectors, own, task, seed),
        ]
        tables.append(sample.table(rows, encoder=encoder, space="raw"))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Names:
    """The classes by one text type: the number of the name of each, the vectors of the names, the logit scale."""

    of_class: np.ndarray
    vectors: np.ndarray
    logit_scale: float


def _embedded(
    names: pd.DataFrame, task: Task, model: str, settings: ExtractionSettings
) -> tuple[dict[str, _Names], str]:
    """The embedded names of each text type; where they cannot be had there are none, and the reason."""
    if VECTORS in model:
        return {}, "ready vectors come without a text tower"
    encoder = encoders.load(model, settings.device, settings.precision)
    prompt_encoder, found = PromptEncoder.of(encoder, TEMPLATES), {}
    for kind in task.texts:
        of_class, different = pd.factorize(names[kind])
        blocks = [different[start : start + NAMES_AT_ONCE] for start in range(0, len(different), NAMES_AT_ONCE)]
        told = f"{encoder.name} on the names of {task.title}", 0, len(different), settings.progress
        vectors = []
        try:
            with progress_bar(*told, "name") as advance:
                for block in blocks:
                    vectors.append(prompt_encoder.encode(block)[0])
                    advance(len(block))
        except ModelError as error:
            log.warning("%s: not asked by name: %s", task.title, error)
            return {}, str(error)
        found[kind] = _Names(of_class, np.concatenate(vectors), getattr(encoder, "logit_scale", None) or LOGIT_SCALE)
    return found, ""


def _by_name(
    vectors: np.ndarray, own: np.ndarray, names: dict[str, _Names], reason: str, task: Task, seed: int
) -> Iterator[dict]:
    """Zero-shot, by each text type of the task; undefined, for this `reason`, where there are no names."""
    for kind in task.texts:
        asked = {"probe": "zero_shot", "protocol": kind}
        if kind not in names:
            yield from _scored(None, own, task, seed, note=reason, **asked)
            continue
        named = names[kind]
        labels = np.where(own >= 0, named.of_class[own], -1)
        found = zero_shot(vectors, labels[None], [(np.arange(len(named.vectors)), named.vectors)], named.logit_scale)
        n_classes, n_names = len(named.of_class), len(named.vectors)
        told = f"{n_classes} classes have {n_names} different names; those of one name count as one"
        note = told if n_names < n_classes else ""
        yield from _scored((labels, found), own, task, seed, note=note, **asked)


def _by_shots(vectors: np.ndarray, own: np.ndarray, task: Task, seed: int) -> Iterator[dict]:
    """SimpleShot as published, with each number of shots of the task."""
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
    """Rows of what was `asked`: what was to be named, and the answers of each fold; undefined if it is None.

    Classes are resampled, species or not.
    """
    level = task.rank or "class"
    counts = {"n_images": int(np.sum(own >= 0)), "n_taxa": len(np.unique(own[own >= 0]))}
    if asked is None:
        undefined = Estimate.undefined(note, **counts)
        yield Measurement("top1_accuracy", level, undefined, split="test").as_row() | {"rank": task.rank} | columns
        return
    labels, found = asked
    n_folds = len(found)
    answers = Answers(
        image=np.tile(np.arange(len(own)), n_folds),
        truth=np.tile(labels, n_folds),
        predicted=np.concatenate([one.predicted for one in found]),
        place=np.concatenate([one.place for one in found]),
        confidence=np.concatenate([one.confidence for one in found]),
        split=np.concatenate([one.split for one in found]).astype(str),
        fold=np.repeat(np.arange(n_folds), len(own)),
        units=np.tile(own, n_folds),
        rank=level,
        balanced=True,
        settings=MeasureSettings(seed=seed),
    )
    for row in (measured.as_row() for measured in metrics.measure(answers)):
        more = {"rank": task.rank, "n_taxa": counts["n_taxa"], "note": "; ".join(filter(None, (row["note"], note)))}
        resampled = {"resampled": level} if row["resampled"] else {}
        yield row | more | resampled | columns


def _mean(measured: pd.DataFrame) -> pd.DataFrame:
    """The mean over the card's ten tasks, of models that were asked all of them."""
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
    """What was asked with what, as `results.write` takes it."""
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
