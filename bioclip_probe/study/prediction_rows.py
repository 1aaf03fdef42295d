"""Rows of a `PREDICTIONS` table, from what a probe names; and the remarks of probes, which are logged once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

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

CHOSEN = ("C", "alpha", "shrinkage", "k")  # hyperparameters that a probe chooses on val


class PredictionRows:
    """Maker of the rows of one sample; all its tables have equal categories, so that they are put together fast.

    Parameters
    ----------
    sample : Sample

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> PredictionRows(corvid_sample()).categories["rank"].categories.tolist() == list(RANKS)
    True
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

    def table(
        self, encoder: str, probe: str, task: Task, predictions: Sequence[Predictions], ranks: Sequence[str] = RANKS
    ) -> pd.DataFrame:
        """Return the predictions of one encoder and probe on one task as rows of the table.

        Parameters
        ----------
        encoder, probe : str
        task : Task
        predictions : sequence of Predictions
            One for each of `ranks`.
        ranks : sequence of str
            The ranks of the task.

        Returns
        -------
        DataFrame
            The answers that the protocol keeps, and the images that it leaves out. Species have no child taxa, so they
            have no rows in protocols that ask about these.
        """
        of_children = task.protocol in (SEEN_CHILDREN, UNSEEN, SHUFFLED)
        wanted = [number for number, rank in enumerate(ranks) if not (of_children and rank == RANKS[-1])]
        tables = [self._at_rank(ranks[number], task, number, predictions[number]) for number in wanted]
        if not tables:
            return PREDICTIONS.frame()
        table = pd.concat(tables, ignore_index=True)
        columns = {"run": self.sample.run, "encoder": encoder, "dataset": self.sample.dataset, "probe": probe}
        for name, value in (columns | {"protocol": task.protocol}).items():
            table[name] = self._constant(name, value, len(table))
        return PREDICTIONS.frame(table.assign(shots=task.shots, fold=task.fold))

    def _at_rank(self, rank: str, task: Task, number: int, predictions: Predictions) -> pd.DataFrame:
        """Return the columns that differ between images, at one rank of a task."""
        labels = task.labels[number]
        tested = predictions.split == "test"
        kept = (
            predictions.split != "" if task.whole else tested if task.tested is None else tested & task.tested[number]
        )
        rows = np.flatnonzero(kept | task.left_out[number])
        split = np.where(kept[rows], predictions.split[rows], "")
        place = np.asarray(predictions.place)[rows]
        chosen = ", ".join(
            f"{name} = {predictions.settings[name]:g}" for name in CHOSEN if name in predictions.settings
        )
        columns = {
            "rank": self._constant("rank", rank, len(rows)),
            "image_id": self._column("image_id", rows),
            "split": self._column("split", sum((split == name) * (1 + code) for code, name in enumerate(SUBSETS))),
            "truth": self._column("truth", labels[rows]),
            "predicted": self._column("predicted", np.asarray(predictions.predicted)[rows]),
            "place": pd.arrays.IntegerArray(place.astype(np.int64), place == 0),
            "confidence": np.asarray(predictions.confidence)[rows],
            "n_choices": _n_choices(labels, predictions.split),
            "chosen": pd.Categorical.from_codes(np.zeros(len(rows), dtype=np.int8), pd.Index([chosen], dtype="str")),
        }
        return PREDICTIONS.frame(pd.DataFrame(columns))

    def _column(self, name: str, codes: np.ndarray) -> pd.Categorical:
        """Return the column of some numbers of values; −1 is missing."""
        return pd.Categorical.from_codes(codes, dtype=self.categories[name])

    def _constant(self, name: str, value: str, n: int) -> pd.Categorical:
        """Return a column of one value."""
        return self._column(name, np.full(n, self.categories[name].categories.get_loc(value), dtype=np.int32))


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
