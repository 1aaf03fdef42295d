"""Agreement of clusters with many labellings of the same images, from the counts of their contingency tables."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import gammaln

from bioclip_probe.tree.tree import read_only

#: Terms with a probability below exp(-NEGLIGIBLE), which is 4e-18, are left out of an expectation.
NEGLIGIBLE = 40.0


class Contingency(NamedTuple):
    """Sums over the cells n_ct of the contingency tables of some clusters with each of P labellings.

    Attributes
    ----------
    clusters : ndarray, shape (C,), int64
        Size of each cluster; none is 0.
    taxa : ndarray, shape (P, T), int64
        Size of each taxon in each labelling; 0 for those that it does not have.
    largest : ndarray, shape (P,), float64
        Σ_c max_t n_ct.
    n_log_n : ndarray, shape (P,), float64
        Σ n_ct log n_ct.
    pairs : ndarray, shape (P,), float64
        Σ n_ct (n_ct − 1)/2.

    Examples
    --------
    >>> table = Contingency.of(np.array([5, 5, 7]), np.array([[1, 2, 2]]))
    >>> table.clusters.tolist(), table.taxa.tolist(), table.largest.tolist()
    ([2, 1], [[1, 2]], [2.0])
    """

    clusters: np.ndarray
    taxa: np.ndarray
    largest: np.ndarray
    n_log_n: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, clusters: np.ndarray, labellings: np.ndarray) -> Contingency:
        """Count the cells of each contingency table.

        Parameters
        ----------
        clusters : ndarray, shape (n,), int64
            Cluster of each image.
        labellings : ndarray, shape (P, n), int64
            Labels of the same images, P times.

        Returns
        -------
        Contingency

        Notes
        -----
        O(P (n + T)) time, with T the range of the labels.
        """
        order = np.argsort(clusters, kind="stable")
        sizes = np.bincount(clusters - clusters.min())
        lowest, n_log_n = int(labellings.min()), n_log_n_up_to(len(clusters))
        n_taxa, sizes = int(labellings.max()) - lowest + 1, sizes[sizes > 0]
        taxa, sums = _count_cells(order, sizes, labellings, lowest, n_taxa, n_log_n)
        return cls(sizes, taxa, *sums)


@njit(cache=True, nogil=True)
def _count_cells(
    order: np.ndarray,
    sizes: np.ndarray,
    labellings: np.ndarray,
    lowest: int,
    n_taxa: int,
    n_log_n: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sizes of the taxa, (P, T), and the sums over cells, (3, P), from images in the order of clusters."""
    taxa, sums = np.zeros((len(labellings), n_taxa), dtype=np.int64), np.zeros((3, len(labellings)))
    counts = np.zeros(n_taxa, dtype=np.int64)
    for one in range(len(labellings)):
        first = 0
        for size in sizes:
            largest = 0
            for at in range(first, first + size):
                taxon = labellings[one, order[at]] - lowest
                counts[taxon] += 1
                largest = max(largest, counts[taxon])
            sums[0, one] += largest
            for at in range(first, first + size):
                taxon = labellings[one, order[at]] - lowest
                count = counts[taxon]
                taxa[one, taxon] += count
                sums[1, one] += n_log_n[count]
                sums[2, one] += count * (count - 1) / 2
                counts[taxon] = 0
            first += size
    return taxa, sums


def cluster_purities(clusters: np.ndarray, labellings: np.ndarray) -> np.ndarray:
    """Return the share of images whose label is the most frequent one of their cluster, for each labelling.

    Parameters
    ----------
    clusters : ndarray, shape (n,), int64
        Cluster of each image.
    labellings : ndarray, shape (P, n), int64
        Labels of the same images, P times.

    Returns
    -------
    ndarray, shape (P, 1), float64
        In (0, 1].

    References
    ----------
    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, eq. 16.1.

    Examples
    --------
    >>> cluster_purities(np.array([0, 0, 0, 1]), np.array([[5, 5, 6, 6], [5, 6, 7, 8]])).ravel().tolist()
    [0.75, 0.5]
    """
    return Contingency.of(clusters, labellings).largest[:, None] / len(clusters)


def partition_agreements(clusters: np.ndarray, labellings: np.ndarray) -> np.ndarray:
    """Return the adjusted mutual information and the adjusted Rand index of clusters and labels, for each labelling.

    Parameters
    ----------
    clusters : ndarray, shape (n,), int64
        Cluster of each of at least two images.
    labellings : ndarray, shape (P, n), int64
        Labels of the same images, P times.

    Returns
    -------
    ndarray, shape (P, 2), float64
        AMI and ARI: 1 for equal partitions, 0 on average for labels permuted over images; at most 1. They are 0 if
        every partition with these sizes agrees equally well.

    Notes
    -----
    With Σ n log n over clusters, taxa and cells, the entropies are log n − Σ n log n / n and the mutual information is
    the sum of both less that of the cells.

    References
    ----------
    Vinh, Epps & Bailey 2010, J. Mach. Learn. Res. 11, 2837, with the mean of both entropies as the upper bound;
    Hubert & Arabie 1985, J. Classif. 2, 193, eq. 5.

    Examples
    --------
    >>> clusters = np.array([0, 0, 1, 1])
    >>> partition_agreements(clusters, np.array([[3, 3, 4, 4], [3, 4, 3, 4]])).round(3).tolist()
    [[1.0, 1.0], [-0.5, -0.5]]
    """
    n, table = len(clusters), Contingency.of(clusters, labellings)
    n_log_n = n_log_n_up_to(n)
    entropy = np.log(n) - n_log_n[table.clusters].sum() / n
    entropies = np.log(n) - n_log_n[table.taxa].sum(axis=1) / n
    information = entropy + entropies - (np.log(n) - table.n_log_n / n)
    # The mean information depends on the sizes only: each pair of sizes is summed once for all labellings.
    row_sizes, n_rows = np.unique(table.clusters, return_counts=True)
    column_sizes = np.flatnonzero(np.bincount(table.taxa.ravel()))
    column_sizes = column_sizes[column_sizes > 0]
    of_size = np.zeros(int(column_sizes.max(initial=0)) + 1)
    of_size[column_sizes] = n_rows @ expected_information(row_sizes, column_sizes, n)
    ami = _adjust_for_chance(information, of_size[table.taxa].sum(axis=1), (entropy + entropies) / 2)
    same_row = float(np.sum(table.clusters * (table.clusters - 1) / 2))
    same_column = np.sum(table.taxa * (table.taxa - 1) / 2, axis=1)
    by_chance = same_row * same_column / (n * (n - 1) / 2)
    return np.column_stack([ami, _adjust_for_chance(table.pairs, by_chance, (same_row + same_column) / 2)])


def _adjust_for_chance(value: np.ndarray, chance: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return (value - chance)/(most - chance), or 0 where the two are equal."""
    room = most - chance
    equal = abs(room) <= 1e-12
    return np.where(equal, 0.0, (value - chance) / np.where(equal, 1.0, room))


def n_log_n_up_to(n: int) -> np.ndarray:
    """Return i log i for all i from 0 to n, or a few more, from a table that is kept.

    Parameters
    ----------
    n : int

    Returns
    -------
    ndarray, float64

    Examples
    --------
    >>> n_log_n_up_to(3)[:3].round(3).tolist()
    [0.0, 0.0, 1.386]
    """
    return _tables(int(n).bit_length())[0]


@lru_cache(maxsize=2)
def _tables(n_bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return i log i, log i and log i! for all i of so many bits."""
    numbers = np.arange(2**n_bits)
    logarithms = np.log(np.maximum(numbers, 1))
    return read_only(numbers * logarithms), read_only(logarithms), read_only(gammaln(numbers + 1.0))


def expected_information(rows: np.ndarray, columns: np.ndarray, n: int) -> np.ndarray:
    """Return what a pair of sets adds to the mean mutual information of random partitions, for each pair of sizes.

    Parameters
    ----------
    rows, columns : ndarray, shape (R,), (C,), int64
        Sizes of sets of the two partitions.
    n : int
        Number of images.

    Returns
    -------
    ndarray, shape (R, C), float64
        In nats. The sum over all pairs of sets of two partitions is the mean of their mutual information when one is
        permuted over images.

    Notes
    -----
    The number of images that a row and a column share is hypergeometric, with mean μ = row · column / n. Logarithms of
    factorials are looked up. Only counts within t of μ are summed, where t²/(2 (μ + t/3)) is 40; by Bernstein's
    inequality all others together have a probability below 1e-17. The cost is O(R · C · √μ), so 10,000 clusters of
    10,000 taxa take less than minutes.

    References
    ----------
    Vinh, Epps & Bailey 2010, J. Mach. Learn. Res. 11, 2837, eq. 24a.

    Examples
    --------
    >>> round(4 * expected_information(np.array([1]), np.array([1]), 2).item(), 6)
    0.693147
    """
    _, logarithms, log_factorials = _tables(int(n).bit_length())
    expected = np.empty((len(rows), len(columns)))
    _add_expected(np.asarray(rows), np.asarray(columns), n, logarithms, log_factorials, expected)
    return expected


@njit(cache=True, nogil=True)
def _add_expected(
    rows: np.ndarray,
    columns: np.ndarray,
    n: int,
    logarithms: np.ndarray,
    log_factorials: np.ndarray,
    expected: np.ndarray,
) -> None:
    """Fill in what each pair of sizes adds to the mean mutual information, (R, C)."""
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            mean = row * column / n
            reach = NEGLIGIBLE / 3 + np.sqrt(NEGLIGIBLE**2 / 9 + 2 * NEGLIGIBLE * mean)
            least = max(1, row + column - n, int(np.floor(mean - reach)))
            most = min(row, column, int(np.ceil(mean + reach)))
            constant = log_factorials[row] + log_factorials[n - row] - log_factorials[n]
            constant += log_factorials[column] + log_factorials[n - column]
            total, log_mean = 0.0, np.log(mean)
            for shared in range(least, most + 1):
                log_probability = (
                    constant
                    - log_factorials[shared]
                    - log_factorials[row - shared]
                    - log_factorials[column - shared]
                    - log_factorials[n - row - column + shared]
                )
                total += np.exp(log_probability) * shared / n * (logarithms[shared] - log_mean)
            expected[i, j] = total
