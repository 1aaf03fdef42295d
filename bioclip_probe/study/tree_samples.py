"""The agreement of embeddings with each tree of a sample of phylogenies: how far it depends on the tree."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import rows_of_sample
from bioclip_probe.tables import MEASUREMENTS
from bioclip_probe.tree.placing import rank_of_matches

#: Metrics that are measured on every tree of a sample.
ON_EVERY_TREE = ("cophenetic_correlation", "pagel_lambda", "k_mult")
SPREAD = (0.05, 0.95)


def measure_tree_samples(
    sample: Sample, settings: MeasureSettings | None = None, checkpoints: Checkpoints = NOWHERE
) -> pd.DataFrame:
    """Return the spread of the tree signal over the trees of each sample of phylogenies.

    Parameters
    ----------
    sample : Sample
        With `tree_samples`; without any there are no rows.
    settings : MeasureSettings, optional
        Which metrics: those of `ON_EVERY_TREE` that it asks for.
    checkpoints : Checkpoints
        Where finished measurements are stored; a piece is one encoder on all trees of a file. By default nowhere.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table of raw embeddings. The column ``tree`` says how many trees there are; the value is the
        median over them, and the note gives the range of the central nine tenths. That range says how far the number
        depends on the tree. It is no confidence interval, which the rows of the most credible tree have.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(measure_tree_samples(corvid_sample()))  # no file of several trees was given
    0
    """
    settings = settings or MeasureSettings()
    wanted = tuple(name for name in ON_EVERY_TREE if not settings.metrics or name in settings.metrics)
    # Values only: the fewest permutations and groups.
    few: dict[str, Any] = {
        "n_permutations": 1,
        "n_primary_permutations": 1,
        "n_null_permutations": 1,
        "n_bootstrap": 1,
        "n_groups": 2,
    }
    values_only = replace(settings, metrics=wanted, **few)

    def content(tree: str, encoder: str) -> Content:
        placements, vectors = sample.tree_samples[tree], sample.embeddings[encoder].vectors
        rank = rank_of_matches(sample.trees[tree][1])
        on_trees = [
            {row.metric: row.estimate for row in metrics.measure(SharedResults(vectors, placement, values_only))}
            for placement in placements
        ]
        rows = [
            Measurement(metric, rank, _spread([estimates[metric] for estimates in on_trees])).as_row()
            for metric in on_trees[0]
        ]
        return Content(sample.table(rows, encoder=encoder, space="raw", tree=f"{tree} ({len(placements)} trees)"))

    tables = [MEASUREMENTS.frame()]
    for tree, encoder in itertools.product(sample.tree_samples if wanted else (), sample.embeddings):
        n_trees = len(sample.tree_samples[tree])
        inputs = (("images", ""), ("vectors", encoder), ("trees", tree))
        subject = f"{encoder}, {n_trees} trees of {tree}"
        piece = Piece("measure", subject, inputs, asdict(values_only), weight=0.02 * n_trees)
        tables.append(rows_of_sample(sample, checkpoints.content(piece, partial(content, tree, encoder)).table, wanted))
    return pd.concat(tables, ignore_index=True)


def _spread(estimates: list[Estimate]) -> Estimate:
    """Return the median of some estimates, with their range in the note."""
    first = estimates[0]
    values = np.array([estimate.value for estimate in estimates])
    counts = (first.n_images, first.n_taxa, first.n_excluded)
    if not np.isfinite(values).all():
        reason = next(estimate.note for estimate in estimates if not np.isfinite(estimate.value))
        return Estimate.undefined(f"undefined on some of the trees: {reason}", *counts)
    low, high = np.quantile(values, SPREAD)
    note = f"median of {len(values)} trees; nine tenths of them lie in {low:.4f} to {high:.4f}, which is no interval"
    return Estimate(float(np.median(values)), n_images=counts[0], n_taxa=counts[1], n_excluded=counts[2], note=note)
