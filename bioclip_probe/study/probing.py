"""What probes and names make of a sample: every answer is a row of a `PREDICTIONS` table.

>>> from bioclip_probe import collect, probing
>>> sample = collect("world", ["world-taxonomic", "pixels"], store="store", templates="plain")
>>> probing.probe(sample)                                 # linear probes at every rank: seen, unseen, shuffled
>>> probing.probe(sample, ["lda"], ["seen"], shots=[1, 2, 5])
>>> probing.few_shot(sample)                              # SimpleShot, 1 and 5 images a species
>>> probing.zero_shot(sample)                             # names prompted, for models with a text tower

`scoring.score` turns answers into numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bioclip_probe import probes
from bioclip_probe.errors import ProbeError, some
from bioclip_probe.executors import resolve_device
from bioclip_probe.extraction.prompts import MAIN_TYPE, TEXT_TYPES
from bioclip_probe.metrics import stream
from bioclip_probe.probes import DEFAULT_PROTOCOLS, LEAVE_ONE_OUT, SEEN, SHUFFLED, UNSEEN, centroid
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.splits import (
    FOLDS,
    hold_out_children,
    leave_one_out,
    shuffle_children,
    split_by_image,
    thin,
)
from bioclip_probe.probes.zero_shot import zero_shot as nearest_name
from bioclip_probe.probes.zero_shot import zero_shot_summed
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import PREDICTIONS, RANKS
from bioclip_probe.tree import Tree

log = logging.getLogger(__name__)

CHOSEN = ("C", "alpha", "shrinkage", "k")  # settings that a probe chooses on val, as they are told
TYPES = (MAIN_TYPE, *(kind for kind in TEXT_TYPES if kind != MAIN_TYPE))
MOST_LEFT_OUT = 2000  # as many probes are learnt at each rank


@dataclass(frozen=True, eq=False)
class Task:
    """One thing that a probe is asked at all ranks.

    Attributes
    ----------
    protocol : str
    labels : ndarray, shape (R, n), int64
        What is to be named; −1 for nothing.
    split : ndarray, shape (R, n), of str
        As `probes` take it.
    left_out : ndarray, shape (R, n), bool
        Images to be told as left out at that rank: those that no task of the protocol asks about, with the first task.
    shots, fold : int, optional
    whole : bool
        Answers on train and val images are kept too: by them the chance level is known.
    """

    protocol: str
    labels: np.ndarray
    split: np.ndarray
    left_out: np.ndarray
    shots: int | None = None
    fold: int | None = None
    whole: bool = False


def probe(
    sample: Sample,
    learners: Sequence[str] = ("linear",),
    protocols: Sequence[str] = DEFAULT_PROTOCOLS,
    shots: Sequence[int] = (),
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """What probes name at each rank, for every encoder, on the same splits.

    Parameters
    ----------
    sample : Sample
    learners : sequence of str
        Probes that learn from a split, by name; see `probes.catalogue`.
    protocols : sequence of str
        Of `probes.PROTOCOLS`.
    shots : sequence of int
        Ask the first protocol again after so many images of each taxon (taxa with fewer: all they have), as long as
        that is fewer than all: the curve of sample efficiency.
    seed : int
    device : str
        Where the linear probe learns: ``cpu``, ``cuda``.

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table. Of protocol ``seen`` it holds every image, else those tested; images that could not be
        asked about at a rank have an empty split there, once a protocol.

    Raises
    ------
    ProbeError
        If there is no such probe or protocol, or too many images to leave each out.
    """
    learn = {name: probes.load(name) for name in learners}
    tables = [PREDICTIONS.frame()]
    for task in _tasks(sample, protocols, shots, seed):
        asked = f"{task.protocol}{_numbered(', shots', task.shots)}{_numbered(', fold', task.fold)}"
        for name, embeddings in sample.embeddings.items():
            for learner, of in learn.items():
                if task.protocol != LEAVE_ONE_OUT:
                    log.info("probing %s: %s, %s", name, learner, asked)
                where = {"device": device} if learner == "linear" else {}
                found = of(embeddings.vectors, task.labels, task.split, refit=task.shots is None, **where)
                tables.append(_table(sample, name, learner, task, found))
    return pd.concat(tables, ignore_index=True)


def ask(sample: Sample, plan: Plan) -> pd.DataFrame:
    """All that a plan asks, as a `PREDICTIONS` table."""
    learners = [name for name in plan.probes if name in probes.LEARNERS]
    tables = [PREDICTIONS.frame()]
    if learners and plan.protocols:
        tables.append(probe(sample, learners, plan.protocols, plan.shots, plan.seed, resolve_device(plan.device)))
    if "simpleshot" in plan.probes:
        tables.append(few_shot(sample, mode=plan.mode, seed=plan.seed))
    if "zero_shot" in plan.probes:
        tables.append(zero_shot(sample))
    return pd.concat(tables, ignore_index=True)


def few_shot(
    sample: Sample,
    shots: Sequence[int] = (1, 5),
    mode: str = "corrected",
    seed: int = 0,
    ranks: Sequence[str] = ("species",),
) -> pd.DataFrame:
    """SimpleShot: the nearest of the means of a few images a taxon, over five folds.

    Parameters
    ----------
    sample : Sample
    shots : sequence of int
        Images a taxon; in mode ``paper`` in the order in which the published run took them.
    mode : str
        ``paper``: the folds are drawn as the authors drew them, each from the order that the last one left.
        ``corrected``: each on its own; images of one observation never on both sides.
    seed : int
        Of mode ``corrected``.
    ranks : sequence of str

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table with the test images of each fold. Taxa with too few images are named in the log; in mode
        ``paper`` as many shots are then not asked at all, as the published run would have stopped.
    """
    tables = [PREDICTIONS.frame()]
    for rank in ranks:
        labels = sample.placement.at(rank)
        drawn = _few_shot_folds(sample, rank, shots, mode, seed)
        for k, folds in drawn.items():
            left_out = (folds == "").all(axis=0)
            for name, embeddings in sample.embeddings.items():
                log.info("probing %s: simpleshot, %d shots at rank %s", name, k, rank)
                for fold, found in enumerate(centroid.few_shot(embeddings.vectors, labels, folds)):
                    told = left_out & (fold == 0)
                    task = Task(mode, labels[None], found.split[None], told[None], shots=k, fold=fold)
                    tables.append(_table(sample, name, "simpleshot", task, [found], (rank,)))
    return pd.concat(tables, ignore_index=True)


def _few_shot_folds(sample: Sample, rank: str, shots: Sequence[int], mode: str, seed: int) -> dict[int, np.ndarray]:
    """The folds for each number of shots, shape (F, n); empty throughout where they cannot be drawn."""
    labels = sample.placement.at(rank)
    taxa, counts = np.unique(labels[labels >= 0], return_counts=True)
    folds = {k: np.full((centroid.N_FOLDS, len(labels)), "", dtype="<U5") for k in shots}
    for k in shots:
        few = taxa[counts < (k if mode == "paper" else k + 1)]
        if len(few):
            names = some(sample.placement.tree.name[few])
            log.info("%d of %d taxa have too few images for %d shots: %s", len(few), len(taxa), k, names)
    if mode == "paper":
        able = [k for k in shots if len(counts) and k <= counts.min()]
        return folds | (centroid.paper_folds(labels, able) if able else {})
    drawn = {k: stream(seed, "few-shot", rank, str(k)) for k in shots}
    return {k: centroid.independent_folds(labels, k, rng, groups=sample.groups) for k, rng in drawn.items()}


def zero_shot(sample: Sample, types: Sequence[str] = TYPES) -> pd.DataFrame:
    """What models of text name: the nearest name, and the taxon whose species' names together are the most probable.

    Parameters
    ----------
    sample : Sample
        With `names`.
    types : sequence of str
        Text types; the first is asked at every rank, the others at rank species.

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table of the probes ``zero_shot`` (the rank's own names) and ``zero_shot_summed``; empty if no
        model of the sample takes text. The taxa to choose from are those of the sample.
    """
    tables = [PREDICTIONS.frame()]
    labels = np.stack([sample.placement.at(rank) for rank in RANKS])
    for name, names in sample.names.items():
        vectors = sample.embeddings[name].vectors
        for kind in types:
            log.info("probing %s: zero-shot, names of type %s", name, kind)
            at = slice(None) if kind == types[0] else slice(len(RANKS) - 1, None)
            task = Task(kind, labels[at], np.empty(0), labels[at] < 0)
            text = sample.named(name, kind)
            found = nearest_name(vectors, labels[at], text[at], names.logit_scale)
            tables.append(_table(sample, name, "zero_shot", task, found, RANKS[at]))
            if kind == types[0]:
                species, vectors_of_species = text[-1]
                above = np.stack([sample.placement.tree.ancestor_at(rank)[species] for rank in RANKS])
                found = zero_shot_summed(vectors, labels, species, vectors_of_species, above, names.logit_scale)
                tables.append(_table(sample, name, "zero_shot_summed", task, found))
    return pd.concat(tables, ignore_index=True)


def _tasks(sample: Sample, protocols: Sequence[str], shots: Sequence[int], seed: int) -> Iterator[Task]:
    probes.check((), protocols, shots)
    labels = np.stack([sample.placement.at(rank) for rank in RANKS])
    split = split_by_image(labels, stream(seed, "split"), groups=sample.groups)
    for protocol in protocols:
        if protocol == SEEN:
            yield Task(SEEN, labels, split, split == "", whole=True)
            yield from _curve(labels, split, shots, seed)
        elif protocol == UNSEEN:
            yield from _unseen(labels, sample.groups, seed)
        elif protocol == SHUFFLED:
            shuffled = np.full_like(labels, -1)
            for rank in range(len(RANKS) - 1):
                shuffled[rank] = shuffle_children(*labels[rank : rank + 2], stream(seed, SHUFFLED, RANKS[rank]))
            asked = np.where(shuffled >= 0, split, "")
            yield Task(SHUFFLED, shuffled, asked, asked == "")
        else:
            yield from _each_left_out(labels, sample.groups, seed)


def _curve(labels: np.ndarray, split: np.ndarray, shots: Sequence[int], seed: int) -> Iterator[Task]:
    """The split with ever more train images, up to the last number that leaves any out, at each rank."""
    for k in sorted(shots):
        thinned = np.stack([thin(split[r], labels[r], k, stream(seed, "shots", rank)) for r, rank in enumerate(RANKS)])
        thinned[(thinned == split).all(axis=1)] = ""  # that is the whole, which has been asked
        if (thinned != "").any():
            yield Task(SEEN, labels, thinned, split == "", shots=k)


def _unseen(labels: np.ndarray, groups: np.ndarray, seed: int) -> Iterator[Task]:
    splits = np.full((FOLDS, *labels.shape), "", dtype="<U5")
    for rank in range(len(RANKS) - 1):
        rng = stream(seed, UNSEEN, RANKS[rank])
        splits[:, rank] = hold_out_children(*labels[rank : rank + 2], rng, groups=groups)
    left_out = (splits != "test").all(axis=0)
    for fold, split in enumerate(splits):
        yield Task(UNSEEN, labels, split, left_out & (fold == 0), fold=fold)


def _each_left_out(labels: np.ndarray, groups: np.ndarray, seed: int) -> Iterator[Task]:
    n = labels.shape[1]
    if n > MOST_LEFT_OUT:
        raise ProbeError(f"{LEAVE_ONE_OUT} learns a probe for each image: at most {MOST_LEFT_OUT}, got {n}; ask {SEEN}")
    splits = np.full((n, *labels.shape), "", dtype="<U5")
    for rank, own in enumerate(labels):
        found = leave_one_out(own, stream(seed, LEAVE_ONE_OUT, RANKS[rank]), groups)
        if len(found):
            splits[np.argmax(found == "test", axis=1), rank] = found
    left_out = (splits != "test").all(axis=0)
    for image in np.flatnonzero(~left_out.all(axis=0)):
        yield Task(LEAVE_ONE_OUT, labels, splits[image], left_out)
        left_out = np.zeros_like(left_out)


def _table(
    sample: Sample,
    encoder: str,
    learner: str,
    task: Task,
    found: Sequence[Predictions],
    ranks: Sequence[str] = RANKS,
) -> pd.DataFrame:
    """The rows of one task of one encoder and probe."""
    taxon = taxon_paths(sample.placement.tree)
    tables = []
    for rank, labels, left_out, one in zip(ranks, task.labels, task.left_out, found, strict=True):
        if rank == RANKS[-1] and task.protocol in (UNSEEN, SHUFFLED):
            continue  # species have no child taxa
        if one.note and learner != "simpleshot" and task.protocol != LEAVE_ONE_OUT:
            log.info("%s, %s at rank %s: %s", encoder, learner, rank, one.note)
        asked = one.split != "" if task.whole else one.split == "test"
        rows = np.flatnonzero(asked | left_out)
        place = pd.array(one.place[rows], dtype="Int64")
        place[one.place[rows] == 0] = pd.NA
        tables.append(
            pd.DataFrame(
                {
                    "rank": rank,
                    "image_id": sample.images["image_id"].array.take(rows),
                    "split": np.where(asked[rows], one.split[rows], ""),
                    "truth": taxon.take(labels[rows], allow_fill=True),
                    "predicted": taxon.take(one.predicted[rows], allow_fill=True),
                    "place": place,
                    "confidence": one.confidence[rows],
                    "chosen": ", ".join(f"{key} = {value:g}" for key, value in one.settings.items() if key in CHOSEN),
                }
            )
        )
    shared = {"run": sample.run, "encoder": encoder, "dataset": sample.dataset, "probe": learner}
    asked = {"protocol": task.protocol, "shots": task.shots, "fold": task.fold}
    return PREDICTIONS.frame(pd.concat(tables, ignore_index=True).assign(**shared, **asked))


def taxon_paths(tree: Tree) -> pd.api.extensions.ExtensionArray:
    """The path of each node: what `PREDICTIONS` calls a taxon."""
    return pd.array(tree.paths, dtype="str")


def _numbered(word: str, number: int | None) -> str:
    return "" if number is None else f"{word} {number}"
