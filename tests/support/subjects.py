"""Subjects of all metrics, made up from one small dataset: embeddings, pairs, panels, answers, columns and names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from bioclip_probe import metrics, projections
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.suite import Subject
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import Placement, taxonomy
from tests.support.relatives import lineage_frame, related_vectors
from tests.support.settings import FEW


def two_encoders() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Return two embeddings, of 8 and of 5 dimensions, of two images of each of 36 species."""
    frame = lineage_frame(60).iloc[:36].reset_index(drop=True)
    frame["species"] = frame["genus"] + " " + pd.Series([f"t{chr(97 + i // 6)}{chr(97 + i % 6)}us" for i in range(36)])
    frame = pd.concat([frame, frame], ignore_index=True)
    return related_vectors(frame), related_vectors(frame, d=5, noise=0.8, seed=6), frame


def pairs_of_encoders(
    vectors: np.ndarray, other: np.ndarray, placement: Placement, settings: MeasureSettings = FEW
) -> list[Subject]:
    """Return two embeddings as a pair, and as an embedding and its control."""
    first, second = (metrics.SharedResults(each, placement, settings) for each in (vectors, other))
    return [metrics.EmbeddingPair(first, second), metrics.ControlPair(first, second)]


def subjects_of(
    vectors: np.ndarray, placement: Placement, settings: MeasureSettings = FEW, order: np.ndarray | None = None
) -> list[Subject]:
    """Return all that is measured of one embedding.

    `order` permutes the rows of the stand-in for a probe, whose answers do not depend on the embedding.
    """
    order = np.arange(len(placement)) if order is None else order
    shared = metrics.SharedResults(vectors, placement, settings)
    column = metrics.ImageColumn(shared, "place", order % 4)
    return [shared, column, panels_of(shared), *answers_of(shared, order), names_of(shared, order)]


def panels_of(shared: metrics.SharedResults) -> metrics.Panels:
    """Return the panels of the drill-down with the plane of PCA."""
    placement = shared.placement
    plan = projections.ProjectionSettings(methods=("pca",), seed=shared.settings.seed)
    coordinates = projections.project(shared.vectors, placement, plan).coordinates
    plane = dict(list(coordinates.groupby("rank", sort=False)))
    inside = []
    for panel in projections.drill_down(placement, projections.FIGURE_RANKS):
        labels = np.where(np.isin(panel.taxon, panel.plotted), panel.taxon, -1)
        images = metrics.LabelledImages(labels, placement.node[panel.rows])
        positions = plane[panel.rank][["x", "y"]].to_numpy()
        own = shared.vectors[panel.rows]
        repeats = metrics.Repeats(positions[None, :, ::-1] ** 3, own[::-1], positions[::-1]) if len(own) > 5 else None
        inside.append(metrics.Panel(panel.rank, "focus", own, positions, images, repeats))
    return metrics.Panels(inside, placement, shared.settings)


def answers_of(shared: metrics.SharedResults, order: np.ndarray) -> list[Subject]:
    """Return the answers of stand-ins for probes: at genus under three protocols, and at every rank."""
    placement, settings = shared.placement, shared.settings
    labels = np.stack([placement.at(rank) for rank in RANKS])
    favourite = np.array([[np.bincount(own).argmax()] for own in labels])
    truth = labels[RANKS.index("genus")]
    split = np.resize(["train", "test", "val", "test"], len(order))[order]

    def at_genus(wrong: np.ndarray, split: np.ndarray, fold: np.ndarray) -> metrics.Answers:
        predicted = np.where(wrong, favourite[RANKS.index("genus")], truth)
        return metrics.Answers(
            image=np.arange(len(order)),
            truth=truth,
            predicted=predicted,
            place=np.where(predicted == truth, 1, 2 + order % 6),
            confidence=0.3 + order % 7 / 10,
            split=split,
            fold=fold,
            n_choices=np.full(len(order), len(np.unique(truth))),
            jackknife=shared.jackknife(),
            rank="genus",
            placement=placement,
            settings=settings,
        )

    once = np.zeros(len(order), dtype=np.int64)
    seen = at_genus(order % 3 == 0, split, once)
    unseen = at_genus(order % 2 == 0, np.full(len(order), "test"), order % 5)
    other = at_genus(order % 5 == 0, split, once)
    wrong = order % np.arange(9, 2, -1)[:, None] == 0  # the lower the rank, the more often
    return [
        replace(seen, placement=None),
        replace(unseen, settings=replace(settings, metrics=("clade_accuracy",))),
        metrics.UnseenPair(seen, unseen),
        metrics.ShuffledPair(seen, other),
        metrics.PathAnswers(labels, np.where(wrong, favourite, labels), placement, settings),
    ]


def names_of(shared: metrics.SharedResults, order: np.ndarray) -> metrics.TextEmbeddings:
    """Return names beside images; the name of a taxon lies nearest to a few of its images."""
    placement = shared.placement
    weighted = shared.vectors * np.where(order % 5 == 0, 9, 1)[:, None]

    def name(rows: np.ndarray) -> np.ndarray:
        return weighted[rows].sum(axis=0) / np.linalg.norm(weighted[rows].sum(axis=0))

    names = []
    for rank in RANKS:
        taxa = np.unique(placement.at(rank))
        names.append((taxa, np.stack([name(placement.at(rank) == taxon) for taxon in taxa])))
    root = name(order % 2 == 0)
    return metrics.TextEmbeddings(names, placement, root, shared, shared.settings)


def measured(subjects: Iterable[Subject]) -> pd.DataFrame:
    """Return all measurements of some subjects as a `MEASUREMENTS` table."""
    rows = [row.as_row(simulated=False) for subject in subjects for row in metrics.measure(subject)]
    return MEASUREMENTS.frame(rows)


def measured_small(settings: MeasureSettings = FEW) -> pd.DataFrame:
    """Return all measurements of all subjects of the small dataset."""
    frame = lineage_frame()
    one, other, both = two_encoders()
    return measured(
        subjects_of(related_vectors(frame), taxonomy(frame), settings)
        + pairs_of_encoders(one, other, taxonomy(both), settings)
    )
