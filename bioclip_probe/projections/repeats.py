"""A panel projected again: by further seeds, and as vectors without structure, so that a reader can judge the plane."""

from __future__ import annotations

import numpy as np

from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.stats.kept_neighbors import shuffled_axes
from bioclip_probe.tables import RANKS


def panel_stream(seed: int, rank: str, number: int | None = None) -> np.random.Generator:
    """Return the random stream of one projection of a panel.

    Parameters
    ----------
    seed : int
    rank : str
    number : int, optional
        Of the repeat, from 1 on; 0 shuffles vectors. None for the projection that is drawn.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> streams = [panel_stream(0, "order", number) for number in (None, 0, 1)]
    >>> len({stream.integers(2**31) for stream in streams})
    3
    """
    key = () if number is None else (number,)
    return np.random.default_rng(np.random.SeedSequence([seed, RANKS.index(rank)], spawn_key=key))


def project_again(
    vectors: np.ndarray, method: str, rank: str, settings: ProjectionSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return a panel in the plane by each further seed, and vectors of the same spectrum without structure.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
        Those of the panel, which can be projected, see `projection_obstacle`.
    method, rank : str
    settings : ProjectionSettings
        Its `seed`, `n_seeds` and `mode` are used.

    Returns
    -------
    planes : ndarray, shape (n_seeds - 1, n, 2), float64
    control : ndarray, shape (n, 2), float64
        The plane of the vectors that `shuffled_panel` returns.

    Examples
    --------
    >>> planes, control = project_again(np.eye(6), "pca", "order", ProjectionSettings())
    >>> planes.shape, control.shape
    ((2, 6, 2), (6, 2))
    """
    function, seed = REGISTRY[method].function, settings.seed
    planes = [
        function(vectors, panel_stream(seed, rank, number), settings.mode) for number in range(1, settings.n_seeds)
    ]
    control = function(shuffled_panel(vectors, rank, seed), panel_stream(seed, rank), settings.mode)
    return np.array(planes).reshape(-1, len(vectors), 2), control


def shuffled_panel(vectors: np.ndarray, rank: str, seed: int) -> np.ndarray:
    """Return the vectors of a panel without their structure, see `shuffled_axes`; the same for every method.

    Parameters
    ----------
    vectors : ndarray, shape (n, d), float
    rank : str
    seed : int

    Returns
    -------
    ndarray, shape (n, min(n, d)), float32

    Examples
    --------
    >>> shuffled_panel(np.eye(6), "order", 0).shape
    (6, 6)
    """
    return shuffled_axes(vectors, panel_stream(seed, rank, 0))
