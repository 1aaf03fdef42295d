"""Agreement of clusters with many labellings of the same images, from the counts of their contingency tables."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

#: Terms with a probability below exp(-NEGLIGIBLE), which is 4e-18, are left out of an expectation.
NEGLIGIBLE = 40.0


def contingency_cells(clusters: np.ndarray, taxa: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cells of the contingency table of two partitions that are not empty, by cluster.

    Parameters
    ----------
    clusters, taxa : ndarray, shape (n,), int64
        Cluster and taxon of each image.

    Returns
    -------
    cluster, taxon : ndarray, shape (c,), int64
        Cluster and taxon of each cell, numbered from 0.
    cell : ndarray, shape (n,), int64
        Cell of each image.

    Examples
    --------
    >>> cluster, taxon, cell = contingency_cells(np.array([5, 5, 7]), np.array([1, 2, 2]))
    >>> cluster.tolist(), taxon.tolist(), cell.tolist()
    ([0, 0, 1], [0, 1, 1], [0, 1, 2])
    """
    _, cluster = np.unique(clusters, return_inverse=True)
    names, taxon = np.unique(taxa, return_inverse=True)
    cells, cell = np.unique(cluster * len(names) + taxon, return_inverse=True)
    return *np.divmod(cells, len(names)), cell


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
    purities = []
    for labels in labellings:
        cluster, _, cell = contingency_cells(clusters, labels)
        _, starts = np.unique(cluster, return_index=True)
        purities.append([np.maximum.reduceat(np.bincount(cell), starts).sum() / len(clusters)])
    return np.array(purities)


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
    n = len(clusters)
    rows = np.unique(clusters, return_counts=True)[1]
    columns = [np.unique(labels, return_counts=True)[1] for labels in labellings]
    # The mean information depends on the sizes only: each pair of sizes is summed once for all labellings.
    row_sizes, n_rows = np.unique(rows, return_counts=True)
    column_sizes = np.unique(np.concatenate(columns))
    expected = n_rows @ expected_information(row_sizes, column_sizes, n)
    same_row, n_pairs = np.sum(rows * (rows - 1) / 2), n * (n - 1) / 2
    agreements = []
    for labels, sizes in zip(labellings, columns, strict=True):
        cluster, taxon, cell = contingency_cells(clusters, labels)
        count = np.bincount(cell)
        information = np.sum(count / n * np.log(n * count / (rows[cluster] * sizes[taxon])))
        chance = expected[np.searchsorted(column_sizes, sizes)].sum()
        same_cell, same_column = np.sum(count * (count - 1) / 2), np.sum(sizes * (sizes - 1) / 2)
        ami = _adjust_for_chance(information, chance, (_entropy(rows) + _entropy(sizes)) / 2)
        ari = _adjust_for_chance(same_cell, same_row * same_column / n_pairs, (same_row + same_column) / 2)
        agreements.append((ami, ari))
    return np.array(agreements)


def _adjust_for_chance(value: float, chance: float, most: float) -> float:
    """Return (value - chance)/(most - chance), or 0 where the two are equal."""
    return float((value - chance) / (most - chance)) if abs(most - chance) > 1e-12 else 0.0


def _entropy(sizes: np.ndarray) -> float:
    """Return the entropy of a partition with given sizes, in nats."""
    share = sizes / sizes.sum()
    return -float(np.sum(share * np.log(share)))


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
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    expected = np.empty((len(rows), len(columns)))
    for number, row in enumerate(rows.tolist()):
        mean = row * columns / n
        reach = NEGLIGIBLE / 3 + np.sqrt(NEGLIGIBLE**2 / 9 + 2 * NEGLIGIBLE * mean)
        least = np.maximum(np.maximum(1, row + columns - n), np.floor(mean - reach).astype(np.int64))
        most = np.minimum(np.minimum(row, columns), np.ceil(mean + reach).astype(np.int64))
        shared = least + np.arange((most - least).max() + 1)[:, None]
        possible = shared <= most
        shared = np.where(possible, shared, least)
        log_probability = (
            (log_factorial[row] + log_factorial[n - row] - log_factorial[n])
            + (log_factorial[columns] + log_factorial[n - columns])
            - log_factorial[shared]
            - log_factorial[row - shared]
            - log_factorial[columns - shared]
            - log_factorial[n - row - columns + shared]
        )
        probability = np.where(possible, np.exp(log_probability), 0.0)
        expected[number] = np.sum(probability * (shared / n * np.log(shared / mean)), axis=0)
    return expected
