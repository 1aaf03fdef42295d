"""Predictions of probes about a sample: every answer is a row of a `PREDICTIONS` table.

`probe` asks the probes that learn from a split, `few_shot` SimpleShot, `zero_shot` the names of taxa, and
`predicting.predict` all that the settings name. `scoring.score` turns predictions into numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bioclip_probe import probes
from bioclip_probe.errors import some
from bioclip_probe.extraction.prompts import MAIN_TYPE, TEXT_TYPES
from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.probes import LearnSettings, LearnTask, ProbeSettings
from bioclip_probe.probes import folds as few_shot_folds
from bioclip_probe.probes.centroid import few_shot as simpleshot_in_folds
from bioclip_probe.probes.zero_shot import zero_shot as nearest_name
from bioclip_probe.probes.zero_shot import zero_shot_summed
from bioclip_probe.study.prediction_rows import PredictionRows, Remarks
from bioclip_probe.study.protocols import MOST_LEFT_OUT, Task, tasks_of_protocols
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import PREDICTIONS, RANKS
from bioclip_probe.torch_device import resolve_device

log = logging.getLogger(__name__)

TYPES = (MAIN_TYPE, *(kind for kind in TEXT_TYPES if kind != MAIN_TYPE))
FEW_SHOTS = (1, 5)  # images of each taxon from which SimpleShot learns
LINEAR_ONLY = ProbeSettings(probes=("linear",))


def probe(sample: Sample, settings: ProbeSettings = LINEAR_ONLY, *, most_left_out: int = MOST_LEFT_OUT) -> pd.DataFrame:
    """Return what probes that learn name at each rank, for every encoder, on the same splits.

    Parameters
    ----------
    sample : Sample
    settings : ProbeSettings
        Of its probes, those that learn from a split are asked; the linear probe by default.
    most_left_out : int
        Images at most for protocol ``leave-one-out``, which learns a probe for each.

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table. In protocol ``seen`` it holds every image, else those tested; images that could not be
        asked about at a rank have an empty split there, once a protocol.

    Raises
    ------
    ProbeError
        If there are too many images to leave each out.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> answers = probe(corvid_sample(), ProbeSettings(probes=("lda",), protocols=("seen",)))
    >>> answers["probe"].unique().tolist()
    ['lda']
    """
    learners = [name for name in settings.probes if name in probes.LEARNERS]
    tasks, remarks = list(tasks_of_protocols(sample, settings, most_left_out)) if learners else [], Remarks()
    tables = [
        probe_encoder(sample, encoder, name, tasks, settings, remarks)
        for encoder in sample.embeddings
        for name in learners
    ]
    remarks.log()
    return PREDICTIONS.concat([PREDICTIONS.frame(), *tables])


def probe_encoder(
    sample: Sample,
    encoder: str,
    name: str,
    tasks: Sequence[tuple[Task, ...]],
    settings: ProbeSettings,
    remarks: Remarks | None = None,
) -> pd.DataFrame:
    """Return what one probe names for one encoder.

    Parameters
    ----------
    sample : Sample
    encoder : str
        Name of an encoder of the sample.
    name : str
        Name of a probe that learns from a split.
    tasks : sequence of tuple of Task
        From `protocols.tasks_of_protocols`.
    settings : ProbeSettings
        Its device is used.
    remarks : Remarks, optional
        Collects why there are no predictions at some ranks.

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample, settings = corvid_sample(), ProbeSettings(protocols=("seen",))
    >>> tasks = list(tasks_of_protocols(sample, settings))
    >>> (encoder,) = sample.embeddings
    >>> probe_encoder(sample, encoder, "lda", tasks, settings)["protocol"].unique().tolist()
    ['seen']
    """
    vectors, device = sample.embeddings[encoder].vectors, resolve_device(settings.device)
    learn_tasks = [
        LearnTask(
            task.labels,
            task.split,
            LearnSettings(refit=task.shots is None, balanced=task.balanced, only_test=not task.whole, device=device),
        )
        for task, *_ in tasks
    ]
    rows = PredictionRows(sample)
    for together, predictions in zip(tasks, probes.learn_tasks(name, vectors, learn_tasks), strict=True):
        for task in together:
            rows.add(encoder, name, task, predictions)
            if remarks is not None:
                remarks.add(task, predictions)
    return rows.table()


def few_shot(
    sample: Sample,
    shots: Sequence[int] = FEW_SHOTS,
    mode: str = "corrected",
    seed: int = 0,
    ranks: Sequence[str] = ("species",),
) -> pd.DataFrame:
    """Return the predictions of SimpleShot: the nearest of the means of a few images a taxon, over five folds.

    Parameters
    ----------
    sample : Sample
    shots : sequence of int
        Images a taxon; in mode ``paper`` in the order in which the published run took them.
    mode : str
        ``paper`` draws the folds as the authors did, each from the order that the last one left. ``corrected`` draws
        each on its own, and images of one observation are never on both sides.
    seed : int
        Used in mode ``corrected``.
    ranks : sequence of str

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table with the test images of each fold. The log names taxa with too few images; in mode
        ``paper`` that number of shots is then left out, since the published run would have stopped.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> few_shot(corvid_sample(), shots=(1,), ranks=("genus",))["probe"].unique().tolist()
    ['simpleshot']
    """
    tables = [PREDICTIONS.frame()]
    for rank in ranks:
        for k, folds in draw_few_shot_folds(sample, rank, shots, mode, seed).items():
            tables += [few_shot_encoder(sample, encoder, {k: folds}, mode, rank) for encoder in sample.embeddings]
    return PREDICTIONS.concat(tables)


def few_shot_encoder(
    sample: Sample, encoder: str, drawn: Mapping[int, np.ndarray], mode: str, rank: str = "species"
) -> pd.DataFrame:
    """Return the predictions of SimpleShot for one encoder.

    Parameters
    ----------
    sample : Sample
    encoder : str
        Name of an encoder of the sample.
    drawn : mapping from int to ndarray, shape (F, n), of str
        The folds for each number of shots, see `draw_few_shot_folds`.
    mode : str
        The mode by which they were drawn.
    rank : str

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = corvid_sample()
    >>> drawn = draw_few_shot_folds(sample, "genus", (1,), "corrected", seed=0)
    >>> few_shot_encoder(sample, "toy", drawn, "corrected", "genus")["rank"].unique().tolist()
    ['genus']
    """
    rows = PredictionRows(sample)
    labels, vectors = sample.placement.at(rank), sample.embeddings[encoder].vectors
    for k, folds in drawn.items():
        left_out = (folds == "").all(axis=0)
        for fold, found in enumerate(simpleshot_in_folds(vectors, labels, folds)):
            told = left_out & (fold == 0)
            task = Task(mode, labels[None], found.split[None], told[None], shots=k, fold=fold)
            rows.add(encoder, "simpleshot", task, [found], (rank,))
    return rows.table()


def draw_few_shot_folds(
    sample: Sample, rank: str, shots: Sequence[int] = FEW_SHOTS, mode: str = "corrected", seed: int = 0
) -> dict[int, np.ndarray]:
    """Return the folds of SimpleShot for each number of shots; taxa with too few images are logged.

    Parameters
    ----------
    sample, rank, shots, mode, seed
        As for `few_shot`.

    Returns
    -------
    dict from int to ndarray, shape (F, n), of str
        ``train``, ``test`` or empty for each image; empty throughout where no folds can be drawn.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> draw_few_shot_folds(corvid_sample(), "genus", (1,))[1].shape
    (5, 3)
    """
    labels = sample.placement.at(rank)
    taxa, counts = np.unique(labels[labels >= 0], return_counts=True)
    folds = {k: np.full((few_shot_folds.N_FOLDS, len(labels)), "", dtype="<U5") for k in shots}
    for k in shots:
        few = taxa[counts < (k if mode == "paper" else k + 1)]
        if len(few):
            names = some(sample.placement.tree.name[few])
            log.info("%d of %d taxa have too few images for %d shots: %s", len(few), len(taxa), k, names)
    if mode == "paper":
        if np.any(sample.copies >= 0):
            log.warning("exact copies of pictures may be in support and queries: folds of mode paper are as published")
        able = [k for k in shots if len(counts) and k <= counts.min()]
        return folds | (few_shot_folds.paper_folds(labels, able) if able else {})
    drawn = {k: random_stream(seed, "few-shot", rank, str(k)) for k in shots}
    return {k: few_shot_folds.independent_folds(labels, k, rng, groups=sample.groups) for k, rng in drawn.items()}


def zero_shot(sample: Sample, types: Sequence[str] = TYPES) -> pd.DataFrame:
    """Return the predictions by names: the nearest name, and the taxon whose species' names are together most probable.

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

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(zero_shot(corvid_sample()))  # no names were embedded
    0
    """
    rows = PredictionRows(sample)
    labels = np.stack([sample.placement.at(rank) for rank in RANKS])
    for name, names in sample.names.items():
        vectors = sample.embeddings[name].vectors
        for kind in types:
            at = slice(None) if kind == types[0] else slice(len(RANKS) - 1, None)
            task = Task(kind, labels[at], np.empty(0), labels[at] < 0)
            text = sample.named(name, kind)
            found = nearest_name(vectors, labels[at], text[at], names.logit_scale)
            rows.add(name, "zero_shot", task, found, RANKS[at])
            if kind == types[0]:
                species, _ = text[-1]
                above = np.stack([sample.placement.tree.ancestor_at(rank)[species] for rank in RANKS])
                found = zero_shot_summed(vectors, labels, text[-1], above, names.logit_scale)
                rows.add(name, "zero_shot_summed", task, found)
    return rows.table()
