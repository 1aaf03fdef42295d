"""Images of species whose Pagel's λ, spectrum and noise are known, put on the sphere."""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree import Placement, Tree, brownian
from tests.support.made_up_vectors import unit_rows


def spectrum(kind: str, d: int) -> np.ndarray:
    """Return the variances of d directions, with a sum of 1: ``flat``, ``1/j`` or ``steep``."""
    j = np.arange(1, d + 1.0)
    values = {"flat": np.ones(d), "1/j": 1 / j, "steep": np.exp(-j / 2)}[kind]
    return np.asarray(values / values.sum())


def evolved_images(
    tree: Tree, variances: np.ndarray, signal: float, noise: float, rng: np.random.Generator, counts: int = 5
) -> tuple[np.ndarray, Placement]:
    """Return unit vectors of `counts` images of each species, and their placement.

    `noise` is the variance of images within species, in units of the variance of species.
    """
    tips, d = tree.tips, len(variances)
    species = brownian(tree, d, rng, signal)[tips] / np.sqrt(tree.depth[tips].mean()) * np.sqrt(variances)
    images = np.repeat(species, counts, axis=0)
    images += np.sqrt(noise / d) * rng.standard_normal(images.shape)
    return unit_rows(images), Placement(tree, np.repeat(tips, counts))
