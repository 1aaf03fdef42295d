"""The registry of probes and of the protocols by which they are tested; importing this module is cheap.

To add a probe that learns from a split, write ``probes/<name>.py`` with a `scheduling.Learner` and a function of the
signature `learning.LearnFunction`, add functions that import them and its entry here, and its test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bioclip_probe.errors import ProbeError
from bioclip_probe.probes.learning import DEFAULT_SETTINGS, LearnFunction, LearnSettings, LearnTask
from bioclip_probe.tables import Entry, check_name
from bioclip_probe.tables import catalogue as entries_as_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from bioclip_probe.probes.predictions import Predictions
    from bioclip_probe.probes.scheduling import Learner


@dataclass(frozen=True)
class ProbeEntry(Entry):
    """One probe of the registry.

    Attributes
    ----------
    learns : bool
        The probe learns from a split, and its `function` is a `learning.LearnFunction`. The others have protocols of
        their own and no function here.
    version : int
        Raise it when its answers change for the same input, see `metrics.registry.MetricEntry`.
    """

    learns: bool = False
    version: int = 1


# Each function imports its probe when it is called: `--help` needs the names only, and would wait for NumPy.
def _linear(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    from bioclip_probe.probes.linear import linear

    return linear(vectors, labels, split, settings)


def _ridge(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    from bioclip_probe.probes.closed_form import ridge

    return ridge(vectors, labels, split, settings)


def _lda(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    from bioclip_probe.probes.closed_form import lda

    return lda(vectors, labels, split, settings)


def _knn(
    vectors: np.ndarray, labels: np.ndarray, split: np.ndarray, settings: LearnSettings = DEFAULT_SETTINGS
) -> list[Predictions]:
    from bioclip_probe.probes.neighbors import knn

    return knn(vectors, labels, split, settings)


def _learner(name: str, vectors: np.ndarray, device: str) -> Learner:
    """Return the learner of one encoder's vectors."""
    if name == "linear":
        from bioclip_probe.probes.linear import LinearProbe

        return LinearProbe(vectors, device)
    if name == "knn":
        from bioclip_probe.probes.neighbors import NeighborsProbe

        return NeighborsProbe(vectors, device)
    from bioclip_probe.probes.closed_form import LdaProbe, RidgeProbe

    return (RidgeProbe if name == "ridge" else LdaProbe)(vectors, device)


REGISTRY: dict[str, ProbeEntry] = {
    entry.name: entry
    for entry in (
        ProbeEntry("linear", "logistic regression, C chosen on val", "`linear.linear`", _linear, learns=True),
        ProbeEntry(
            "ridge",
            "ridge regression on the taxa, penalty chosen on val",
            "`closed_form.ridge`",
            _ridge,
            learns=True,
        ),
        ProbeEntry(
            "lda",
            "linear discriminant analysis, shrinkage chosen on val",
            "`closed_form.lda`",
            _lda,
            learns=True,
        ),
        ProbeEntry(
            "knn", "vote of the nearest images, their number chosen on val", "`neighbors.knn`", _knn, learns=True
        ),
        ProbeEntry(
            "simpleshot",
            "the nearest of the means of 1 and of 5 images a taxon, five folds",
            "`centroid.few_shot`; it learns from folds of its own",
        ),
        ProbeEntry(
            "zero_shot",
            "the nearest name, and the taxon whose species' names are most probable together; for models of text",
            "`zero_shot.zero_shot` and `zero_shot.zero_shot_summed`; it learns nothing from images",
        ),
    )
}

#: Names of the probes that learn from a split.
LEARNERS = tuple(name for name, entry in REGISTRY.items() if entry.learns)

SEEN, SHUFFLED, LEAVE_ONE_OUT = "seen", "shuffled", "leave-one-out"
#: Two questions to one probe, about nearly the same images: of children that it learnt from, and of children held out.
SEEN_CHILDREN, UNSEEN = "seen-children", "unseen"

#: The protocols by which a probe that learns can be tested.
PROTOCOLS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            SEEN,
            "other images of the taxa, and of their children, that it learnt from",
            "`splits.split_by_image`, or the dataset's own train and test images",
        ),
        Entry(
            SEEN_CHILDREN,
            "what to hold `unseen` against: the same probes, taxa and images, where the child was learnt from",
            "`children.hold_out_children`",
        ),
        Entry(
            UNSEEN,
            "children of its taxa that it never saw, at each rank above species; taxa weigh the same in training",
            "`children.hold_out_children`",
        ),
        Entry(SHUFFLED, "the control task: labels shuffled between child taxa", "`splits.shuffle_children`"),
        Entry(LEAVE_ONE_OUT, "each image by all others, for small collections", "`splits.leave_one_out`"),
    )
}


def catalogue() -> pd.DataFrame:
    """Return the probes as a table.

    Returns
    -------
    DataFrame
        Columns name, title and notes.

    Examples
    --------
    >>> catalogue()["name"].tolist()
    ['linear', 'ridge', 'lda', 'knn', 'simpleshot', 'zero_shot']
    """
    return entries_as_table(REGISTRY)


def load(name: str) -> LearnFunction:
    """Return the function of a probe that learns from a split.

    Parameters
    ----------
    name : str
        A name of `LEARNERS`.

    Returns
    -------
    callable
        ``probe(vectors (n, d), labels (R, n), split (R, n), settings) -> list of R Predictions``.

    Raises
    ------
    ProbeError
        If no probe has this name, or it does not learn from a split.

    Examples
    --------
    >>> load("simpleshot")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: probe 'simpleshot' does not learn from a split; those that do are linear, ...
    """
    check_name("probe", name, REGISTRY)
    function = REGISTRY[name].function
    if function is None:
        raise ProbeError(f"probe '{name}' does not learn from a split; those that do are {', '.join(LEARNERS)}")
    return function


def learn_tasks(name: str, vectors: np.ndarray, tasks: Sequence[LearnTask]) -> Iterator[list[Predictions]]:
    """Learn a probe on many splits of the same images, and yield the predictions of each split in order.

    What all splits share is computed once, and small splits are learnt in parallel.

    Parameters
    ----------
    name : str
        A name of `LEARNERS`.
    vectors : ndarray, shape (n, d), float32
    tasks : sequence of LearnTask
        All with the same device.

    Yields
    ------
    list of R Predictions
        One for each rank of the task.

    Raises
    ------
    ProbeError
        As for `load`.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[3, 7] * 3])
    >>> task = LearnTask(labels, np.array([["train", "train", "val", "val", "test", "test"]]))
    >>> ((predictions,),) = learn_tasks("ridge", np.eye(2)[labels[0] // 4], [task])
    >>> predictions.predicted.tolist()
    [3, 7, 3, 7, 3, 7]
    """
    from bioclip_probe.probes.scheduling import learn_all

    load(name)  # refuses what does not learn
    return learn_all(partial(_learner, name), vectors, tasks)
