"""Three birds in the plane, and answers about them: the data of the examples in the docstrings of the metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.panels import Panel, Panels
from bioclip_probe.metrics.paths import PathAnswers
from bioclip_probe.metrics.separation import LabelledImages
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.text import TextEmbeddings
from bioclip_probe.metrics.units import taxon_jackknife
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from bioclip_probe.tree.tree import Placement


def corvids() -> tuple[np.ndarray, Placement]:
    """Return the embeddings of two magpies and a raven, shape (3, 2), and their placement in a taxonomy.

    Examples
    --------
    >>> vectors, placement = corvids()
    >>> vectors.shape, len(placement)
    ((3, 2), 3)
    """
    species = ["Pica pica", "Pica hudsonia", "Corvus corax"]
    placement = taxonomy(pd.DataFrame({"genus": ["Pica", "Pica", "Corvus"], "species": species}))
    return np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32), placement


def corvid_answers() -> Answers:
    """Return the answers of a probe that takes the second of the `corvids` for a raven.

    Examples
    --------
    >>> answers = corvid_answers()
    >>> answers.rank, len(answers.tested.image)
    ('genus', 3)
    """
    _, placement = corvids()
    truth = placement.at("genus")
    predicted = truth[[0, 2, 2]]
    n = len(truth)
    return Answers(
        image=np.arange(n),
        truth=truth,
        predicted=predicted,
        place=np.where(predicted == truth, 1, 2),
        confidence=np.ones(n),
        split=np.full(n, "test"),
        fold=np.zeros(n, dtype=np.int64),
        n_choices=np.full(n, 2),
        jackknife=taxon_jackknife(placement, "species", MeasureSettings()),
        rank="genus",
        placement=placement,
    )


def corvid_paths() -> PathAnswers:
    """Return `corvid_answers` as answers across ranks, of which the genus alone is known.

    Examples
    --------
    >>> corvid_paths().known.sum(axis=1).tolist()
    [0, 0, 0, 0, 0, 3, 0]
    """
    answers, (_, placement) = corvid_answers(), corvids()
    return PathAnswers.of({answers.rank: answers}, placement)


def corvid_names() -> TextEmbeddings:
    """Return embedded names of the `corvids` beside their images: each name lies at the centroid of the taxon's images.

    Examples
    --------
    >>> corvid_names().root
    array([1., 0.])
    """
    vectors, placement = corvids()
    names = []
    for rank in RANKS:
        labels = placement.at(rank)
        taxa = np.unique(labels[labels >= 0])
        means = np.array([vectors[labels == taxon].mean(axis=0) for taxon in taxa]).reshape(-1, 2)
        names.append((taxa, means / np.linalg.norm(means, axis=1, keepdims=True)))
    return TextEmbeddings(names, placement, np.array([1.0, 0.0]), SharedResults(vectors, placement))


def corvid_panels() -> Panels:
    """Return one panel that plots the genera of the `corvids`, and that could not be projected.

    Examples
    --------
    >>> corvid_panels().panels[0].images.n_taxa
    2
    """
    vectors, placement = corvids()
    images = LabelledImages(placement.at("genus"), placement.node)
    return Panels([Panel("genus", "", vectors, np.full((len(vectors), 2), np.nan), images)], placement)
