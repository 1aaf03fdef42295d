"""The tasks of each protocol: which images a probe learns from, and which it is asked about."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bioclip_probe.errors import ProbeError
from bioclip_probe.metrics.measurement import random_stream
from bioclip_probe.probes import (
    LEAVE_ONE_OUT,
    SEEN,
    SEEN_CHILDREN,
    SHUFFLED,
    UNSEEN,
    ProbeSettings,
    SampleSize,
    long_work,
    probe_seconds,
)
from bioclip_probe.probes.children import N_FOLDS, SEEN_CHILD, UNSEEN_CHILD, hold_out_children
from bioclip_probe.probes.splits import (
    copies_of_tested,
    given_subsets,
    leave_one_out,
    limit_shots,
    shuffle_children,
    split_as_given,
    split_by_image,
)
from bioclip_probe.processors import available_processors
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import RANKS
from bioclip_probe.torch_device import resolve_device

log = logging.getLogger(__name__)

MOST_LEFT_OUT = 2000


@dataclass(frozen=True, eq=False)
class Task:
    """One split of the images for the probes, at all ranks.

    Attributes
    ----------
    protocol : str
        Name in `probes.PROTOCOLS`, or the mode or text type of a probe that does not learn from a split.
    labels : ndarray, shape (R, n), int64
        Taxa to be named; −1 for none.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test``, or empty.
    left_out : ndarray, shape (R, n), bool
        Images that no task of the protocol asks about at that rank; one task of a protocol lists them.
    shots, fold : int, optional
    whole : bool
        Keep the answers on train and val images too.
    tested : ndarray, shape (R, n), bool, optional
        The test images whose answers are kept; by default all.
    balanced : bool
        Give each taxon the same weight in training.

    Examples
    --------
    >>> labels = np.array([[3, 7]])
    >>> Task("seen", labels, np.array([["train", "test"]]), labels < 0).shots is None
    True
    """

    protocol: str
    labels: np.ndarray
    split: np.ndarray
    left_out: np.ndarray
    shots: int | None = None
    fold: int | None = None
    whole: bool = False
    tested: np.ndarray | None = None
    balanced: bool = False


def tasks_of_protocols(
    sample: Sample, settings: ProbeSettings, most_left_out: int = MOST_LEFT_OUT
) -> Iterator[tuple[Task, ...]]:
    """Yield the splits of each protocol that the settings name.

    Parameters
    ----------
    sample : Sample
    settings : ProbeSettings
    most_left_out : int
        Images at most for protocol ``leave-one-out``.

    Yields
    ------
    tuple of Task
        Tasks with the same labels and split, so that one probe answers them.

    Raises
    ------
    ProbeError
        If there are too many images to leave each out.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> tasks = tasks_of_protocols(corvid_sample(), ProbeSettings(n_deals=1))
    >>> [" and ".join(task.protocol for task in together) for together in tasks][:3]
    ['seen', 'shuffled', 'seen-children and unseen']
    """
    seed, labels = settings.seed, np.stack([sample.placement.at(rank) for rank in RANKS])
    _warn_of_long_work(sample, labels, settings)
    if {SEEN, SHUFFLED} & set(settings.protocols):
        split = _split_of_images(sample, labels, settings)
    for protocol in settings.protocols:
        if protocol == SEEN:
            yield (Task(SEEN, labels, split, split == "", whole=True),)
            yield from ((task,) for task in _few_image_tasks(labels, split, settings.shots, seed))
        elif protocol == SHUFFLED:
            yield (_shuffled_task(labels, split, seed),)
        elif protocol == LEAVE_ONE_OUT:
            yield from ((task,) for task in _leave_one_out_tasks(labels, sample.groups, seed, most_left_out))
    of_children = [protocol for protocol in settings.protocols if protocol in (SEEN_CHILDREN, UNSEEN)]
    if of_children:
        yield from _children_tasks(labels, sample.groups, settings, of_children)


def _warn_of_long_work(sample: Sample, labels: np.ndarray, settings: ProbeSettings) -> None:
    """Log how long logistic regression will take, where that is long, and what is fast; nothing else is done."""
    here = replace(settings, device=resolve_device(settings.device))
    taxa = tuple(len(np.unique(own[own >= 0])) for own in labels)
    total: dict[str, float] = {}
    for embeddings in sample.embeddings.values():
        size = SampleSize(labels.shape[1], embeddings.vectors.shape[1], taxa)
        for name, seconds in probe_seconds(here, size, available_processors()).items():
            total[name] = total.get(name, 0.0) + seconds
    if warning := long_work(total):
        log.warning("%s", warning)


def _split_of_images(sample: Sample, labels: np.ndarray, settings: ProbeSettings) -> np.ndarray:
    """Return the train, val and test images of protocol `SEEN`: the dataset's own where it has them, else drawn."""
    rng = random_stream(settings.seed, "split")
    given = sample.images["split"].fillna("").to_numpy(dtype=object).astype(str)
    words = ", ".join(sorted(set(given.tolist()) - {""}))
    subsets = given_subsets(given)
    if words and settings.own_split:
        log.info("the dataset's own split (%s) is not used, as was asked: images are divided at random", words)
    elif (subsets != "").any():
        n_learnt, n_tested = int(np.isin(subsets, ("train", "val")).sum()), int((subsets == "test").sum())
        about = (
            "protocol %s learns from the %d images that the dataset gives for training, and tests its %d test images"
        )
        log.info(about + "; --own-split divides them at random instead", SEEN, n_learnt, n_tested)
        _log_both_sides(sample, subsets)
        return split_as_given(labels, given, rng, sample.groups, sample.copies)
    elif words:
        unused = "the dataset's own split (%s) has no train and test images and is not used"
        log.info(unused + "; call its parts train and test to have it used", words)
    elif settings.own_split:
        log.info("--own-split does nothing: the dataset has no split of its own")
    return split_by_image(labels, rng, groups=sample.groups)


def _log_both_sides(sample: Sample, subsets: np.ndarray) -> None:
    """Log what lies on both sides of the dataset's own split: copies of pictures, and observations or photographers."""
    if len(sample.copies) and (n_copies := int(copies_of_tested(subsets, sample.copies).sum())):
        log.warning("%d images are not learnt from: test images are exact copies of them", n_copies)
    groups = pd.factorize(sample.images["group"])[0]
    both = np.intersect1d(groups[np.isin(subsets, ("train", "val"))], groups[subsets == "test"])
    if n_both := int(np.sum(both >= 0)):
        about = (
            "%d groups (observation or photographer) are on both sides of the dataset's own split, which stays as it is"
        )
        log.warning(about, n_both)


def _few_image_tasks(labels: np.ndarray, split: np.ndarray, shots: Sequence[int], seed: int) -> Iterator[Task]:
    """Yield the split with more and more train images, up to the last number that leaves any out, at each rank."""
    for k in sorted(shots):
        rows = [limit_shots(split[r], labels[r], k, random_stream(seed, "shots", rank)) for r, rank in enumerate(RANKS)]
        thinned = np.stack(rows)
        thinned[(thinned == split).all(axis=1)] = ""  # that is the whole split, which has a task already
        if (thinned != "").any():
            yield Task(SEEN, labels, thinned, split == "", shots=k)


def _children_tasks(
    labels: np.ndarray, groups: np.ndarray, settings: ProbeSettings, protocols: Sequence[str]
) -> Iterator[tuple[Task, ...]]:
    """Yield the folds that hold out whole child taxa, over all deals; one probe answers about both kinds of child."""
    asked = {SEEN_CHILDREN: SEEN_CHILD, UNSEEN: UNSEEN_CHILD}
    ever = {protocol: np.zeros(labels.shape, dtype=bool) for protocol in protocols}
    for deal in range(settings.n_deals):
        folds = np.full((N_FOLDS, *labels.shape), "", dtype="<U6")
        for rank in range(len(RANKS) - 1):
            rng = random_stream(settings.seed, UNSEEN, RANKS[rank], str(deal))
            folds[:, rank] = hold_out_children(labels[rank], labels[rank + 1], rng, groups=groups)
        for fold, roles in enumerate(folds):
            split = np.where(np.isin(roles, tuple(asked.values())), "test", roles)
            is_last = (deal, fold) == (settings.n_deals - 1, N_FOLDS - 1)
            tasks = []
            for protocol in protocols:
                tested = roles == asked[protocol]
                ever[protocol] |= tested
                left_out = ~ever[protocol] & is_last
                number = deal * N_FOLDS + fold
                tasks.append(Task(protocol, labels, split, left_out, fold=number, tested=tested, balanced=True))
            yield tuple(tasks)


def _shuffled_task(labels: np.ndarray, split: np.ndarray, seed: int) -> Task:
    """Return the control task: labels shuffled between child taxa, on the same split."""
    shuffled = np.full_like(labels, -1)
    for rank in range(len(RANKS) - 1):
        rng = random_stream(seed, SHUFFLED, RANKS[rank])
        shuffled[rank] = shuffle_children(labels[rank], labels[rank + 1], rng)
    named = np.where(shuffled >= 0, split, "")
    return Task(SHUFFLED, shuffled, named, named == "")


def _leave_one_out_tasks(labels: np.ndarray, groups: np.ndarray, seed: int, most_left_out: int) -> Iterator[Task]:
    """Yield one split for each image, which alone is tested."""
    n = labels.shape[1]
    if n > most_left_out:
        raise ProbeError(f"{LEAVE_ONE_OUT} learns a probe for each image: at most {most_left_out}, got {n}; ask {SEEN}")
    splits = np.full((n, *labels.shape), "", dtype="<U5")
    for rank, own in enumerate(labels):
        by_image = leave_one_out(own, random_stream(seed, LEAVE_ONE_OUT, RANKS[rank]), groups)
        if len(by_image):
            splits[np.argmax(by_image == "test", axis=1), rank] = by_image
    left_out = (splits != "test").all(axis=0)
    for image in np.flatnonzero(~left_out.all(axis=0)):
        yield Task(LEAVE_ONE_OUT, labels, splits[image], left_out)
        left_out = np.zeros_like(left_out)
