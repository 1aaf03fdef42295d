"""Models whose answer is known: vectors that are made from a tree, so that what they know of it is known too.

They stand in for encoders. Measure them to learn how to read a number, or to see whether a number can tell them apart
with as many species and images as a dataset has.

============  =================================================  =======  ==========
model         what it knows                                      species  their tree
============  =================================================  =======  ==========
`noise`       nothing                                            no       no
`memoriser`   species apart, and nothing of their relatives      yes      no
`one_trait`   one heritable trait, such as size                  partly   one trait
`evolved`     the tree, as far as Pagel's λ says                 yes      a share λ
============  =================================================  =======  ==========

All functions take the images as they are placed in a tree, a taxonomy or a phylogeny, and return one vector for each.
Everything that is measured on such vectors is *simulated*.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.tree import Placement, brownian

N_DIMENSIONS, SCATTER = 64, 0.3


def noise(placement: Placement, rng: np.random.Generator, n_dimensions: int = N_DIMENSIONS) -> np.ndarray:
    """Return vectors that know nothing: those of two images of one species are independent.

    Parameters
    ----------
    placement : Placement
        The n images in a tree.
    rng : numpy.random.Generator
    n_dimensions : int
        Length of the vectors.

    Returns
    -------
    ndarray, shape (n, n_dimensions), float32
        Not normalised.

    Raises
    ------
    ValueError
        If an image has no place in the tree.

    Examples
    --------
    >>> from bioclip_probe import tree, world
    >>> placement = tree.taxonomy(world.taxa())
    >>> noise(placement, np.random.default_rng(0)).shape
    (240, 64)
    """
    node = _nodes(placement)
    return np.asarray(rng.standard_normal((len(node), n_dimensions)), dtype=np.float32)


def memoriser(
    placement: Placement, rng: np.random.Generator, n_dimensions: int = N_DIMENSIONS, scatter: float = SCATTER
) -> np.ndarray:
    """Return vectors that tell every species from every other, and know nothing of their tree.

    Species have independent vectors, so that two species of one genus are as far apart as two of different kingdoms.

    Parameters
    ----------
    placement : Placement
        The n images in a tree.
    rng : numpy.random.Generator
    n_dimensions : int
        Length of the vectors.
    scatter : float
        Root mean squared distance of images from the vector of their species, whose own length is about 1.

    Returns
    -------
    ndarray, shape (n, n_dimensions), float32
        Not normalised.

    Raises
    ------
    ValueError
        If an image has no place in the tree.

    Examples
    --------
    >>> from bioclip_probe import tree, world
    >>> placement = tree.taxonomy(world.taxa())
    >>> vectors = memoriser(placement, np.random.default_rng(0), scatter=0)
    >>> len(np.unique(vectors, axis=0)) == len(np.unique(placement.node))  # one vector a species
    True
    """
    species, of_image = np.unique(_nodes(placement), return_inverse=True)
    vectors = rng.standard_normal((len(species), n_dimensions)) / np.sqrt(n_dimensions)
    return _scattered(vectors[of_image], scatter, rng)


def one_trait(
    placement: Placement, rng: np.random.Generator, n_dimensions: int = N_DIMENSIONS, scatter: float = 0.1
) -> np.ndarray:
    """Return vectors that know one heritable trait and nothing else, as a model does that sees only size.

    The trait evolves by Brownian motion along the tree. It is an angle, so that species lie on an arc of a circle:
    relatives are close together, and so are species of distant clades that happen to have the same trait.

    Parameters
    ----------
    placement : Placement
        The n images in a tree.
    rng : numpy.random.Generator
    n_dimensions : int
        Length of the vectors, at least 2; only scatter fills the dimensions beyond the second.
    scatter : float
        Root mean squared distance of images from the vector of their species, whose own length is 1.

    Returns
    -------
    ndarray, shape (n, n_dimensions), float32
        Not normalised.

    Raises
    ------
    ValueError
        If an image has no place in the tree, or there are fewer than two dimensions.

    Examples
    --------
    >>> from bioclip_probe import tree, world
    >>> placement = tree.taxonomy(world.taxa())
    >>> vectors = one_trait(placement, np.random.default_rng(0), scatter=0)
    >>> int(np.linalg.matrix_rank(vectors))  # an arc lies in a plane
    2
    """
    if n_dimensions < 2:
        raise ValueError(f"an arc needs at least 2 dimensions, not {n_dimensions}")
    angle = 0.5 * _standard_traits(placement, 1, rng, 1.0)[:, 0]
    arc = np.zeros((len(angle), n_dimensions))
    arc[:, 0], arc[:, 1] = np.cos(angle), np.sin(angle)
    return _scattered(arc, scatter, rng)


def evolved(
    placement: Placement,
    rng: np.random.Generator,
    signal: float = 1.0,
    n_dimensions: int = N_DIMENSIONS,
    scatter: float = SCATTER,
) -> np.ndarray:
    """Return vectors that evolved along the tree by Brownian motion with a known tree signal (Pagel's λ).

    Parameters
    ----------
    placement : Placement
        The n images in a tree.
    rng : numpy.random.Generator
    signal : float, from 0 to 1
        Pagel's λ: the share of the covariance between species that the tree carries. At 0 the vectors are those of a
        `memoriser`.
    n_dimensions : int
        Length of the vectors: independent traits with equal variance.
    scatter : float
        Root mean squared distance of images from the vector of their species, whose own length is about 1.

    Returns
    -------
    ndarray, shape (n, n_dimensions), float32
        Not normalised.

    Raises
    ------
    ValueError
        If an image has no place in the tree, or `signal` is not between 0 and 1.

    See Also
    --------
    bioclip_probe.tree.brownian : The traits of every node of a tree.

    Examples
    --------
    >>> from bioclip_probe import tree, world
    >>> placement = tree.taxonomy(world.taxa())
    >>> evolved(placement, np.random.default_rng(0), signal=0.5, n_dimensions=8).shape
    (240, 8)
    """
    return _scattered(_standard_traits(placement, n_dimensions, rng, signal) / np.sqrt(n_dimensions), scatter, rng)


def _nodes(placement: Placement) -> np.ndarray:
    """Return the node of each image, after a check that each has one."""
    lacking = int((placement.node < 0).sum())
    if lacking:
        raise ValueError(f"{lacking} of {len(placement)} images have no place in the tree; leave them out")
    return placement.node


def _standard_traits(placement: Placement, n_traits: int, rng: np.random.Generator, signal: float) -> np.ndarray:
    """Return traits of the species of each image, shape (n, n_traits), with variance 1 at the mean depth of tips."""
    node, tree = _nodes(placement), placement.tree
    return np.asarray(brownian(tree, n_traits, rng, signal)[node] / np.sqrt(tree.depth[tree.tips].mean()))


def _scattered(vectors: np.ndarray, scatter: float, rng: np.random.Generator) -> np.ndarray:
    """Return vectors of images, which scatter around those of their species alike in all directions."""
    images = vectors + scatter / np.sqrt(vectors.shape[1]) * rng.standard_normal(vectors.shape)
    return np.asarray(images, dtype=np.float32)
