"""The order in which a probe learns many splits: shared work once, small splits in parallel, the largest first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from bioclip_probe.probes.inputs import check_split, learning_obstacle
from bioclip_probe.probes.learning import LearnSettings, LearnTask
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.processors import available_processors
from bioclip_probe.stats.devices import uses_torch
from bioclip_probe.stats.threads import SMALL_WORK, in_threads, matched_threads

#: Numbers of all vectors up to which several splits are in memory at once.
SMALL_VECTORS = 2**24


class Learner(ABC):
    """A probe for the vectors of one encoder, with what all its splits share.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    device : str
        ``cpu``, or a device of torch.
    """

    def __init__(self, vectors: np.ndarray, device: str = "cpu") -> None:
        self.vectors, self.device = vectors, device

    @abstractmethod
    def check(self, settings: LearnSettings) -> LearnSettings:
        """Return the settings with the probe's own grid where they have none.

        Raises
        ------
        ValueError
            If the grid is not one of the probe's.
        """

    @abstractmethod
    def learn(self, task: LearnTask) -> list[Predictions]:
        """Return the predictions of the ranks of one group, all of which can be learnt."""

    def groups(self, split: np.ndarray, settings: LearnSettings) -> list[list[int]]:
        """Return the ranks that are learnt together; by default each alone."""
        return [[rank] for rank in range(len(split))]

    def work(self, task: LearnTask) -> float:
        """Return the multiply-adds of one pass over the images, by which groups are ordered and threads matched."""
        n_taxa = sum(len(np.unique(own)) for own in task.labels)
        return self.vectors.size * n_taxa


def learn_all(
    learner_of: Callable[[np.ndarray, str], Learner], vectors: np.ndarray, tasks: Sequence[LearnTask]
) -> Iterator[list[Predictions]]:
    """Learn a probe on many splits, and yield the predictions of each in order.

    Parameters
    ----------
    learner_of : callable
        Takes the vectors and the device, and returns a `Learner`.
    vectors : ndarray, shape (n, d)
    tasks : sequence of LearnTask
        All with the same device.

    Yields
    ------
    list of Predictions

    Notes
    -----
    Where one pass over the images has few multiply-adds, groups of ranks of all splits are learnt in parallel, each
    with one thread of linear algebra, the largest first. Larger ones are learnt one after the other with all
    processors, so that one is in memory at a time. The result is the same up to rounding.

    Examples
    --------
    >>> from bioclip_probe.probes.closed_form import RidgeProbe
    >>> labels = np.array([[3, 7] * 3])
    >>> task = LearnTask(labels, np.array([["train", "train", "val", "val", "test", "test"]]))
    >>> ((predictions,),) = learn_all(RidgeProbe, np.eye(2)[labels[0] // 4], [task])
    >>> predictions.predicted.tolist()
    [3, 7, 3, 7, 3, 7]
    """
    if not tasks:
        return
    checked = [replace(task, split=check_split(vectors, task.labels, task.split)) for task in tasks]
    device = tasks[0].settings.device
    with matched_threads(vectors.size * vectors.shape[1]):
        learner = learner_of(vectors, device)
    checked = [replace(task, settings=learner.check(task.settings)) for task in checked]
    if uses_torch(device) or vectors.size > SMALL_VECTORS or available_processors() < 2:
        for task in checked:
            yield _learn_in_turn(learner, task)
        return
    yield from _learn_in_parallel(learner, checked)


def learn_one(
    learner_of: Callable[[np.ndarray, str], Learner], vectors: np.ndarray, task: LearnTask
) -> list[Predictions]:
    """Return the predictions of one split.

    Parameters
    ----------
    learner_of, vectors
        As for `learn_all`.
    task : LearnTask

    Returns
    -------
    list of Predictions
        One for each rank.

    Examples
    --------
    >>> from bioclip_probe.probes.closed_form import RidgeProbe
    >>> labels = np.array([[3, 7] * 3])
    >>> task = LearnTask(labels, np.array([["train", "train", "val", "val", "test", "test"]]))
    >>> learn_one(RidgeProbe, np.eye(2)[labels[0] // 4], task)[0].predicted.tolist()
    [3, 7, 3, 7, 3, 7]
    """
    (predictions,) = learn_all(learner_of, vectors, [task])
    return predictions


def _learn_in_turn(learner: Learner, task: LearnTask) -> list[Predictions]:
    """Return the predictions of one split, one group of ranks after the other."""
    results, groups = _prepare(learner, task)
    for ranks, part in groups:
        with matched_threads(learner.work(part)):
            for rank, predictions in zip(ranks, learner.learn(part), strict=True):
                results[rank] = predictions
    return results


def _learn_in_parallel(learner: Learner, tasks: Sequence[LearnTask]) -> list[list[Predictions]]:
    """Return the predictions of many splits; groups of little work are learnt in parallel, the others in turn.

    The groups of one split follow each other, because they share features.
    """
    results, units = [], []
    for task in tasks:
        undefined, groups = _prepare(learner, task)
        results.append(undefined)
        own = [(learner.work(part), undefined, ranks, part) for ranks, part in groups]
        units.append(sorted(own, key=lambda unit: unit[0], reverse=True))
    in_order = [
        unit for own in sorted(units, key=lambda own: sum(work for work, *_ in own), reverse=True) for unit in own
    ]

    def learn(unit: tuple[float, list[Predictions], list[int], LearnTask]) -> None:
        _, all_ranks, ranks, part = unit
        for rank, predictions in zip(ranks, learner.learn(part), strict=True):
            all_ranks[rank] = predictions

    for unit in in_order:
        if unit[0] >= SMALL_WORK:
            with matched_threads(unit[0]):
                learn(unit)
    small = [unit for unit in in_order if unit[0] < SMALL_WORK]
    for _ in in_threads(learn, small, min(available_processors(), len(small))):
        pass
    return results


def _prepare(learner: Learner, task: LearnTask) -> tuple[list[Predictions], list[tuple[list[int], LearnTask]]]:
    """Return undefined predictions of every rank, and the groups of ranks that can be learnt."""
    obstacles = [learning_obstacle(*rank) for rank in zip(task.labels, task.split, strict=True)]
    results = [Predictions.undefined(*rank) for rank in zip(task.split, obstacles, strict=True)]
    learnable = [rank for rank, obstacle in enumerate(obstacles) if not obstacle]
    groups = [[learnable[number] for number in group] for group in learner.groups(task.split[learnable], task.settings)]
    return results, [(ranks, task.take(ranks)) for ranks in groups]
