"""All metrics of two embeddings of the same images, as rows of the `MEASUREMENTS` table."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.confounds import residual_cophenetic_correlation
from bioclip_probe.metrics.hierarchy import cophenetic_correlation_difference, image_tree_correlation_difference
from bioclip_probe.metrics.similarity import similarity
from bioclip_probe.metrics.suite import row, stream
from bioclip_probe.stats.rows import Units
from bioclip_probe.tree.tree import Placement


def compare(
    vectors_a: np.ndarray, vectors_b: np.ndarray, placement: Placement, seed: int = 0, units: Units | None = None
) -> list[dict]:
    """How much more closely the first follows the taxonomy than the second, and how alike the two are.

    Parameters
    ----------
    vectors_a, vectors_b : ndarray, shape (n, d₁), (n, d₂), float32
        Unit vectors of the same images in the same order; the widths may differ.
    placement : Placement
        The n images in the taxonomy; species are compared.
    seed : int
    units : Units, optional
        What intervals of the differences resample; species if not given.

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`: metric, rank, tree and the fields of an `Estimate`.
    """
    species = placement.coarsen("species")
    found = {
        difference.__name__: difference(
            vectors_a, vectors_b, species, stream(seed, difference.__name__, "species"), units
        )
        for difference in (cophenetic_correlation_difference, image_tree_correlation_difference)
    }
    found |= similarity(vectors_a, vectors_b, species, stream(seed, "similarity", "species"))
    return [row(name, "species", estimate, tree="taxonomy") for name, estimate in found.items()]


def compare_with_control(vectors: np.ndarray, control: np.ndarray, placement: Placement, seed: int = 0) -> list[dict]:
    """What is left of an embedding's agreement with the taxonomy once a control's distances are regressed out."""
    name = "residual_cophenetic_correlation"
    estimate = residual_cophenetic_correlation(
        vectors, control, placement.coarsen("species"), stream(seed, name, "species")
    )
    return [row(name, "species", estimate, tree="taxonomy")]
