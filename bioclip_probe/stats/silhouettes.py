"""Mean silhouettes of the taxa of many labellings of species at once, from sums over species.

The distance of a row to a taxon depends on the sums of the species of that taxon only. So the products of all rows with
the sums of all species are computed once, and each labelling adds up what it needs: without a group of species, or with
species permuted over taxa.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.sweep.neighbor_lists import on_all_cores
from bioclip_probe.stats.threads import one_thread

#: Rows whose silhouettes a thread computes at once: their products with all species stay in its cache.
BLOCK = 64
#: Distances below this share of the mean squared distance to the mean, or below the second number, are 0.
ROUNDING, SMALLEST = 1e-9, 1e-24


class Labelings(NamedTuple):
    """Taxa of species in several labellings.

    Attributes
    ----------
    taxon : ndarray, shape (j, k), int64
        The taxon of each of k species in each labelling, numbered from 0; -1 for none.
    size : ndarray, shape (j, t), float64
        Rows of each taxon.
    squares : ndarray, shape (j, t), float64
        Sum of the squared norms of its rows.
    n_taxa : ndarray, shape (j,), int64
        Number of taxa.

    Examples
    --------
    >>> Labelings(np.array([[0, -1]]), np.array([[2.0]]), np.array([[2.0]]), np.array([1])).taxon.shape
    (1, 2)
    """

    taxon: np.ndarray
    size: np.ndarray
    squares: np.ndarray
    n_taxa: np.ndarray


def mean_silhouettes(vectors: np.ndarray, species: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean silhouette in cosine distance for each labelling of the species.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Finite rows of norm 1.
    species : ndarray, shape (n,), int64
        The species of each row, from 0.
    labels : ndarray, shape (j, k), int64
        The taxon of each species in each labelling; its rows are left out where it is -1.

    Returns
    -------
    ndarray, shape (j,), float64
        In [-1, 1]. NaN where a labelling has fewer than two taxa, or only taxa of a single row.

    Notes
    -----
    About the mean of all rows, the mean distance of a to a taxon of n rows b is ‖a‖²/2 + Σ ‖b‖²/2n − a·(Σ b)/n, so that
    no pair of rows is ever formed: O(n k d) time once, and O(n k) for each labelling. It is exact in float64, also
    where the vectors nearly coincide.

    References
    ----------
    Rousseeuw, P. J. (1987). J. Comput. Appl. Math. 20, 53–65.

    Examples
    --------
    >>> rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> mean_silhouettes(rows, np.arange(4), np.array([[0, 0, 1, 1], [0, 1, 0, 1]])).round(6).tolist()
    [1.0, -0.5]
    """
    n, n_species = len(species), labels.shape[1]
    if not n:
        return np.full(len(labels), np.nan)
    mean, starts = np.zeros(vectors.shape[1]), range(0, n, BLOCK)
    for start in starts:
        mean += _unit_rows(vectors[start : start + BLOCK]).sum(axis=0) / n
    sums, squares = np.zeros((n_species, vectors.shape[1])), np.empty(n)
    for start in starts:
        rows = _unit_rows(vectors[start : start + BLOCK]) - mean
        np.add.at(sums, species[start : start + BLOCK], rows)
        squares[start : start + BLOCK] = np.einsum("ij,ij->i", rows, rows)
    labelings, defined = _labelings(labels, np.bincount(species, minlength=n_species), species, squares)
    tiny = max(ROUNDING * float(squares.mean()), SMALLEST)

    def add_up(start: int) -> np.ndarray:
        """Return the sums of the silhouettes of a block of rows."""
        rows = _unit_rows(vectors[start : start + BLOCK]) - mean
        totals = np.zeros(len(labels))
        of_rows = slice(start, start + BLOCK)
        _add_silhouettes(sums @ rows.T, squares[of_rows], species[of_rows], labelings, tiny, totals)
        return totals

    with one_thread:
        totals = np.sum(on_all_cores(add_up, starts), axis=0)
    return np.where(defined, totals / np.maximum(labelings.size.sum(axis=1), 1), np.nan)


def _unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return rows in float64 with norm 1."""
    rows = np.asarray(vectors, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _labelings(
    labels: np.ndarray, images: np.ndarray, species: np.ndarray, squares: np.ndarray
) -> tuple[Labelings, np.ndarray]:
    """Return the labellings with the sizes of their taxa, and for each whether it has a silhouette."""
    taxon = np.full(labels.shape, -1, dtype=np.int64)
    of_species = np.bincount(species, weights=squares, minlength=len(images))
    for one, row in enumerate(labels):
        used = (row >= 0) & (images > 0)
        taxon[one, used] = np.unique(row[used], return_inverse=True)[1]
    size, sums = np.zeros((2, len(labels), int(taxon.max(initial=0)) + 1))
    for one, row in enumerate(taxon):
        used = row >= 0
        size[one] = np.bincount(row[used], weights=images[used], minlength=size.shape[1])
        sums[one] = np.bincount(row[used], weights=of_species[used], minlength=size.shape[1])
    n_taxa = taxon.max(axis=1, initial=-1) + 1
    return Labelings(taxon, size, sums, n_taxa), (n_taxa > 1) & (size > 1).any(axis=1)


@njit(cache=True, nogil=True)
def _add_silhouettes(
    products: np.ndarray,
    squares: np.ndarray,
    species: np.ndarray,
    labelings: Labelings,
    tiny: float,
    totals: np.ndarray,
) -> None:
    """Add the silhouettes of b rows to the totals of each labelling, from their products with the k species, (k, b)."""
    n_rows = products.shape[1]
    of_taxon = np.empty((labelings.size.shape[1], n_rows))
    between, own = np.empty(n_rows), np.empty(n_rows, dtype=np.int64)
    for one in range(len(labelings.taxon)):
        taxon, n_taxa = labelings.taxon[one], labelings.n_taxa[one]
        size, sums = labelings.size[one], labelings.squares[one]
        of_taxon[:n_taxa] = 0.0
        for k in range(len(taxon)):
            if taxon[k] >= 0:
                for row in range(n_rows):
                    of_taxon[taxon[k], row] += products[k, row]
        for row in range(n_rows):
            own[row], between[row] = taxon[species[row]], np.inf
        for t in range(n_taxa):
            spread, share = sums[t] / (2 * size[t]), 1 / size[t]
            for row in range(n_rows):
                distance = squares[row] / 2 + spread - of_taxon[t, row] * share
                if own[row] != t and distance < between[row]:
                    between[row] = distance
        for row in range(n_rows):
            t = own[row]
            if t < 0 or size[t] < 2 or n_taxa < 2:
                continue
            inside = ((squares[row] * size[t] + sums[t]) / 2 - of_taxon[t, row]) / (size[t] - 1)
            inside, outside = inside if inside > tiny else 0.0, between[row] if between[row] > tiny else 0.0
            if max(inside, outside) > 0:
                totals[one] += (outside - inside) / max(inside, outside)
