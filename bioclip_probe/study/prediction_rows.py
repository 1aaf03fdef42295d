"""Rows of a `PREDICTIONS` table, from what a probe names; and the remarks of probes, which are logged once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.extraction.prompts import TEXT_TYPES
from bioclip_probe.probes import LEAVE_ONE_OUT, PROTOCOLS, REGISTRY, SEEN_CHILDREN, SHUFFLED, UNSEEN
from bioclip_probe.probes.inputs import SUBSETS
from bioclip_probe.probes.predictions import Predictions
from bioclip_probe.probes.settings import MODES
from bioclip_probe.study.protocols import Task
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import PREDICTIONS, RANKS
from bioclip_probe.tree import Tree

log = logging.getLogger(__name__)

MISSING, WITH_MISSING = -1, ("shots", "fold", "place")
CHOSEN = ("C", "alpha", "shrinkage", "k")  # hyperparameters that a probe chooses on val


class PredictionRows:
    """Rows of a `PREDICTIONS` table about one sample, collected answer by answer and put together once.

    All tables of one sample have equal categories, so that they are joined fast.

    Parameters
    ----------
    sample : Sample

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> rows = PredictionRows(corvid_sample())
    >>> rows.categories["rank"].categories.tolist() == list(RANKS), len(rows.table())
    (True, 0)
    """

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        values = {
            "run": [sample.run],
            "encoder": list(sample.embeddings),
            "dataset": [sample.dataset],
            "probe": [*REGISTRY, "zero_shot_summed"],
            "protocol": [*PROTOCOLS, *MODES, *TEXT_TYPES],
            "rank": RANKS,
            "image_id": sample.images["image_id"].array,
            "split": ["", *SUBSETS],
            "truth": taxon_paths(sample.placement.tree),
        }
        self.categories = {name: pd.CategoricalDtype(pd.Index(own, dtype="str")) for name, own in values.items()}
        self.categories["predicted"] = self.categories["truth"]
        self._chosen: dict[str, int] = {}
        self._parts: list[tuple[int, dict[str, Any]]] = []

    def add(
        self, encoder: str, probe: str, task: Task, predictions: Sequence[Predictions], ranks: Sequence[str] = RANKS
    ) -> None:
        """Collect the predictions of one encoder and probe on one task.

        They are the answers that the protocol keeps, and the images that it leaves out. Species have no child taxa, so
        they have no rows in protocols that ask about these.

        Parameters
        ----------
        encoder, probe : str
        task : Task
        predictions : sequence of Predictions
            One for each of `ranks`.
        ranks : sequence of str
            The ranks of the task.
        """
        of_children = task.protocol in (SEEN_CHILDREN, UNSEEN, SHUFFLED)
        of_task = {
            "run": self._code("run", self.sample.run),
            "encoder": self._code("encoder", encoder),
            "dataset": self._code("dataset", self.sample.dataset),
            "probe": self._code("probe", probe),
            "protocol": self._code("protocol", task.protocol),
            "shots": MISSING if task.shots is None else task.shots,
            "fold": MISSING if task.fold is None else task.fold,
        }
        for number, rank in enumerate(ranks):
            if not (of_children and rank == RANKS[-1]):
                of_images = self._of_images(task, number, predictions[number])
                of_rank = {
                    "rank": self._code("rank", rank),
                    "n_choices": _n_choices(task.labels[number], predictions[number].split),
                    "chosen": self._chosen.setdefault(_chosen(predictions[number]), len(self._chosen)),
                }
                self._parts.append((len(of_images["image_id"]), of_task | of_rank | of_images))

    def table(self) -> pd.DataFrame:
        """Return all that was collected.

        Returns
        -------
        DataFrame
            A `PREDICTIONS` table.
        """
        if not self._parts:
            return PREDICTIONS.frame()
        columns = {}
        for name in self._parts[0][1]:
            values = np.concatenate([np.broadcast_to(part[name], n) for n, part in self._parts])
            if name == "chosen":
                columns[name] = pd.Categorical.from_codes(values, pd.Index(list(self._chosen), dtype="str"))
            elif name in self.categories:
                columns[name] = pd.Categorical.from_codes(values, dtype=self.categories[name])
            elif name in WITH_MISSING:
                columns[name] = pd.arrays.IntegerArray(values.astype(np.int64), values == MISSING)
            else:
                columns[name] = values
        return PREDICTIONS.frame(pd.DataFrame(columns))

    def _of_images(self, task: Task, number: int, predictions: Predictions) -> dict[str, np.ndarray]:
        """Return the columns that differ between images, at one rank of a task."""
        tested = predictions.split == "test"
        kept = (
            predictions.split != "" if task.whole else tested if task.tested is None else tested & task.tested[number]
        )
        rows = np.flatnonzero(kept | task.left_out[number])
        split = np.where(kept[rows], predictions.split[rows], "")
        place = np.asarray(predictions.place)[rows]
        return {
            "image_id": rows.astype(np.int32),
            "split": sum((split == name) * np.int8(1 + code) for code, name in enumerate(SUBSETS)),
            "truth": task.labels[number][rows].astype(np.int32),
            "predicted": np.asarray(predictions.predicted)[rows].astype(np.int32),
            "place": np.where(place == 0, MISSING, place),
            "confidence": np.asarray(predictions.confidence)[rows],
        }

    def _code(self, name: str, value: str) -> int:
        """Return the number of a value among the categories of a column."""
        return int(self.categories[name].categories.get_loc(value))


class Remarks:
    """Reasons why probes give no predictions, and other notes; each is logged once, with the ranks it is about.

    Examples
    --------
    >>> remarks = Remarks()
    >>> split = np.array([[""]])
    >>> task = Task("seen", np.array([[-1]]), split, split == "")
    >>> remarks.add(task, [Predictions.undefined(split[0], "only one taxon to learn")], ranks=("kingdom",))
    >>> remarks.ranks
    {'only one taxon to learn': {'seen': {'kingdom': None}}}
    """

    def __init__(self) -> None:
        self.ranks: dict[str, dict[str, dict[str, None]]] = {}

    def add(self, task: Task, predictions: Sequence[Predictions], ranks: Sequence[str] = RANKS) -> None:
        """Collect the notes on the answers to one task.

        Parameters
        ----------
        task : Task
        predictions : sequence of Predictions
            One for each rank.
        ranks : sequence of str
        """
        for rank, of_rank in zip(ranks, predictions, strict=True):
            without_children = rank == RANKS[-1] and task.protocol in (SEEN_CHILDREN, UNSEEN, SHUFFLED)
            if of_rank.note and not without_children and task.protocol != LEAVE_ONE_OUT:
                self.ranks.setdefault(of_rank.note, {}).setdefault(task.protocol, {})[rank] = None

    def log(self) -> None:
        """Log every note in one line, with the protocols and ranks that it is about."""
        for note, protocols in self.ranks.items():
            places = [f"protocol {name} at {', '.join(ranks)}" for name, ranks in protocols.items()]
            log.info("%s: %s", note, "; ".join(places))


def _chosen(predictions: Predictions) -> str:
    """Return the hyperparameters that a probe chose on val, as text."""
    return ", ".join(f"{name} = {predictions.settings[name]:g}" for name in CHOSEN if name in predictions.settings)


def _n_choices(labels: np.ndarray, split: np.ndarray) -> int:
    """Return the number of taxa that a probe chose among: those that it learnt from, or all that have a name."""
    learnt = labels[np.isin(split, ("train", "val")) & (labels >= 0)]
    return len(np.unique(learnt if len(learnt) else labels[labels >= 0]))


def taxon_paths(tree: Tree) -> pd.api.extensions.ExtensionArray:
    """Return the path of each node of a taxonomy, which identifies a taxon in `PREDICTIONS`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> list(taxon_paths(corvids()[1].tree))[-1].endswith("Pica pica")
    True
    """
    return pd.array(tree.paths, dtype="str")
