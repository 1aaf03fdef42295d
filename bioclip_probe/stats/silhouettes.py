"""Mean silhouettes of the taxa of many labellings of species at once, from sums over species.

The distance of a row to a taxon depends on the sums of the species of that taxon only. So the products of all rows with
the sums of all species are computed once, and each labelling adds up what it needs, such as species permuted over taxa.
Without a group of species, that group is subtracted from the sums with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bioclip_probe.stats.table_loops import clear_table, copy_to, fill
from bioclip_probe.stats.threads import in_threads, n_threads

#: Rows whose products with all species a thread computes at once, and those that it then adds up, which stay in its
#: cache with the products of ten thousand species.
BLOCK, LANES = 64, 8
#: Distances below this share of the mean squared distance to the mean, or below the second number, are 0.
ROUNDING, SMALLEST = 1e-9, 1e-24


class Labelings(NamedTuple):
    """Taxa of species in several labellings.

    Attributes
    ----------
    taxon : ndarray, shape (j, k), int64
        The taxon of each of k species in each labelling, numbered from 0; -1 for none.
    size : ndarray, shape (j, t), float64
        Rows of each taxon; 0 for one that a labelling does not have.
    squares : ndarray, shape (j, t), float64
        Sum of the squared norms of its rows.
    share, spread : ndarray, shape (j, t), float64
        1/size, and the mean of half the squared norms of its rows; 0 and ∞ for a taxon without rows.
    n_taxa, n_numbers : ndarray, shape (j,), int64
        Number of taxa that have rows, and of numbers in use.
    base : ndarray, shape (j,), int64
        The labelling before it that it leaves few species out of, in the same numbers of taxa; else -1.
    start : ndarray, shape (j + 1,), int64
        Where the species that each labelling leaves out of its base begin.
    left_out : ndarray, int64
        These species.

    Examples
    --------
    >>> labels = np.array([[4, 4, 7], [4, 4, -1], [7, 4, 4]])
    >>> labelings = Labelings.of(labels, np.array([1, 1, 1]), np.arange(3), np.ones(3))
    >>> labelings.base.tolist(), labelings.left_out.tolist(), labelings.size.tolist()
    ([-1, 0, -1], [2], [[2.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
    """

    taxon: np.ndarray
    size: np.ndarray
    squares: np.ndarray
    share: np.ndarray
    spread: np.ndarray
    n_taxa: np.ndarray
    n_numbers: np.ndarray
    base: np.ndarray
    start: np.ndarray
    left_out: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, images: np.ndarray, species: np.ndarray, squares: np.ndarray) -> Labelings:
        """Return the labellings with the sizes of their taxa.

        Parameters
        ----------
        labels : ndarray, shape (j, k), int64
            -1 for none.
        images : ndarray, shape (k,), int64
            Rows of each species.
        species, squares : ndarray, shape (n,)
            The species and the squared norm of each row.

        Returns
        -------
        Labelings
        """
        taxon = np.full(labels.shape, -1, dtype=np.int64)
        base, left_out, whole = np.full(len(labels), -1), [], -1
        for one, row in enumerate(np.where(images > 0, labels, -1)):
            missing = np.flatnonzero((row < 0) & (labels[whole] >= 0) & (images > 0))
            if whole >= 0 and 2 * len(missing) < len(row) and np.all((row < 0) | (row == labels[whole])):
                base[one], taxon[one] = whole, np.where(row < 0, -1, taxon[whole])
            else:
                missing, whole = missing[:0], one
                taxon[one, row >= 0] = np.unique(row[row >= 0], return_inverse=True)[1]
            left_out.append(missing)
        of_species = np.bincount(species, weights=squares, minlength=len(images))
        size, sums = np.zeros((2, len(labels), int(taxon.max(initial=0)) + 1))
        for one, row in enumerate(taxon):
            size[one] = np.bincount(row[row >= 0], weights=images[row >= 0], minlength=size.shape[1])
            sums[one] = np.bincount(row[row >= 0], weights=of_species[row >= 0], minlength=size.shape[1])
        share = np.divide(1.0, size, out=np.zeros(size.shape), where=size > 0)
        spread = np.where(size > 0, sums * share / 2, np.inf)
        numbers = taxon.max(axis=1, initial=-1) + 1
        numbers = np.where(base >= 0, numbers[base], numbers)
        start = np.cumsum([0, *map(len, left_out)])
        species = np.concatenate([*left_out, np.zeros(0, dtype=np.int64)])
        n_taxa = (size > 0).sum(axis=1)
        return cls(taxon, size, sums, share, spread, n_taxa, numbers, base, start, species)


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
    no pair of rows is ever formed: O(n k d) time once, and O(n k) for each labelling, or O(n t) with t taxa for one
    that leaves few species out of one before it. It is exact in float64, also where the vectors nearly coincide.

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
    labelings = Labelings.of(labels, np.bincount(species, minlength=n_species), species, squares)
    tiny = max(ROUNDING * float(squares.mean()), SMALLEST)

    def add_up(start: int) -> np.ndarray:
        """Return the sums of the silhouettes of a block of rows."""
        rows = _unit_rows(vectors[start : start + BLOCK]) - mean
        totals = np.zeros(len(labels))
        of_rows = slice(start, start + BLOCK)
        _add_silhouettes(sums @ rows.T, squares[of_rows], species[of_rows], labelings, tiny, totals)
        return totals

    totals = np.sum(list(in_threads(add_up, starts, n_threads(n * labels.size))), axis=0)
    defined = (labelings.n_taxa > 1) & (labelings.size > 1).any(axis=1)
    return np.where(defined, totals / np.maximum(labelings.size.sum(axis=1), 1), np.nan)


def _unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return rows in float64 with norm 1."""
    rows = np.asarray(vectors, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


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
    of_species, room = np.zeros((len(products), LANES)), np.empty((2, labelings.size.shape[1], LANES))
    own, square = np.empty(LANES, dtype=np.int64), np.zeros(LANES)
    for first in range(0, products.shape[1], LANES):
        lanes = min(LANES, products.shape[1] - first)
        copy_to(squares[first : first + lanes], square)
        for k in range(len(products)):
            copy_to(products[k, first : first + lanes], of_species[k])
        for one in range(len(totals)):
            fill(own, -1)
            for lane in range(lanes):
                own[lane] = labelings.taxon[one, species[first + lane]]
            n_numbers, base = labelings.n_numbers[one], labelings.base[one]
            of_base, of_taxon = room[0, :n_numbers], room[1, :n_numbers]
            if base < 0:
                _add_species(of_species, labelings.taxon[one], of_base)
                of_taxon = of_base
            else:
                for t in range(n_numbers):
                    copy_to(of_base[t], of_taxon[t])
                left_out = labelings.left_out[labelings.start[one] : labelings.start[one + 1]]
                _subtract_species(of_species, labelings.taxon[base], left_out, of_taxon)
            if labelings.n_taxa[one] > 1:
                totals[one] += _sum_of_lanes(of_taxon, square, own, labelings, one, tiny)


@njit(cache=True, nogil=True)
def _add_species(of_species: np.ndarray, taxon: np.ndarray, of_taxon: np.ndarray) -> None:
    """Add the species of each taxon up."""
    clear_table(of_taxon)
    for k in range(len(taxon)):
        if taxon[k] >= 0:
            t = np.uint32(taxon[k])  # no index from the end
            for lane in range(LANES):
                of_taxon[t, lane] += of_species[k, lane]


@njit(cache=True, nogil=True)
def _subtract_species(of_species: np.ndarray, taxon: np.ndarray, left_out: np.ndarray, of_taxon: np.ndarray) -> None:
    """Subtract the species that are left out from their taxa."""
    for k in left_out:
        for lane in range(LANES):
            of_taxon[taxon[k], lane] -= of_species[k, lane]


@njit(cache=True, nogil=True)
def _sum_of_lanes(
    of_taxon: np.ndarray, square: np.ndarray, own: np.ndarray, labelings: Labelings, one: int, tiny: float
) -> float:
    """Return the sum of the silhouettes of some rows in one labelling, from their products with the taxa, (t, LANES).

    Whatever its product, a taxon at -∞ is not the nearest one. So the own taxon of each row is put there meanwhile.
    """
    size, squares = labelings.size[one], labelings.squares[one]
    between, of_own, total = np.empty(LANES), np.empty(LANES), 0.0
    for lane in range(LANES):
        if own[lane] >= 0:
            of_own[lane], of_taxon[own[lane], lane] = of_taxon[own[lane], lane], -np.inf
    _fill_least(of_taxon, labelings.share[one], labelings.spread[one], between)
    for lane in range(LANES):
        t = own[lane]
        if t < 0:
            continue
        of_taxon[t, lane] = of_own[lane]
        if size[t] < 2:
            continue
        inside = ((square[lane] * size[t] + squares[t]) / 2 - of_own[lane]) / (size[t] - 1)
        outside = square[lane] / 2 + between[lane]
        inside, outside = inside if inside > tiny else 0.0, outside if outside > tiny else 0.0
        if max(inside, outside) > 0:
            total += (outside - inside) / max(inside, outside)
    return total


@njit(cache=True, nogil=True)
def _fill_least(of_taxon: np.ndarray, share: np.ndarray, spread: np.ndarray, least: np.ndarray) -> None:
    """Write the least mean distance of some rows from a taxon, less half the square of the row."""
    fill(least, np.inf)
    for t in range(len(of_taxon)):
        for lane in range(LANES):
            distance = spread[t] - of_taxon[t, lane] * share[t]
            least[lane] = distance if distance < least[lane] else least[lane]
