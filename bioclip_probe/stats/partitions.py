"""How far two partitions of the same images agree, from the counts of their contingency table."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

#: What is left out of an expectation has a probability below e to the power of minus this, 4e-18.
NEGLIGIBLE = 40.0


def contingency_cells(clusters: np.ndarray, taxa: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The filled cells of the contingency table of two partitions, by cluster.

    Parameters
    ----------
    clusters, taxa : ndarray, shape (n,), int64

    Returns
    -------
    cluster, taxon : ndarray, shape (c,), int64
        Of each cell, numbered from 0.
    cell : ndarray, shape (n,), int64
        Of each image.
    """
    _, cluster = np.unique(clusters, return_inverse=True)
    names, taxon = np.unique(taxa, return_inverse=True)
    filled, cell = np.unique(cluster * len(names) + taxon, return_inverse=True)
    return *np.divmod(filled, len(names)), cell


def partition_agreement(cluster: np.ndarray, taxon: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Adjusted mutual information and adjusted Rand index of two partitions.

    Parameters
    ----------
    cluster, taxon : ndarray, shape (c,), int64
        From `cells`.
    count : ndarray, shape (c,), int64
        Images in each cell, in all at least two; cells may have become empty.

    Returns
    -------
    ami, ari : float
        1 for equal partitions, 0 on average for random ones with the same sizes; at most 1. 0 where every partition of
        these sizes agrees as well.

    References
    ----------
    Vinh, Epps & Bailey 2010, J. Mach. Learn. Res. 11, 2837, with the mean of both entropies as the upper bound;
    Hubert & Arabie 1985, J. Classif. 2, 193, eq. 5.
    """
    cluster, taxon, count = (values[count > 0] for values in (cluster, taxon, count))
    rows, columns = np.bincount(cluster, weights=count), np.bincount(taxon, weights=count)
    n = count.sum()
    together, apart = np.sum(count * (count - 1) / 2), n * (n - 1) / 2
    information = np.sum(count / n * np.log(n * count / (rows[cluster] * columns[taxon])))
    rows, columns = rows[rows > 0], columns[columns > 0]
    by_row, by_column = np.sum(rows * (rows - 1) / 2), np.sum(columns * (columns - 1) / 2)
    rand = _beyond_chance(together, by_row * by_column / apart, (by_row + by_column) / 2)
    bound = (_entropy(rows) + _entropy(columns)) / 2
    return _beyond_chance(information, expected_mutual_information(rows, columns), bound), rand


def _beyond_chance(value: float, chance: float, most: float) -> float:
    return float((value - chance) / (most - chance)) if abs(most - chance) > 1e-12 else 0.0


def _entropy(sizes: np.ndarray) -> float:
    share = sizes / sizes.sum()
    return -float(np.sum(share * np.log(share)))


def expected_mutual_information(rows: np.ndarray, columns: np.ndarray) -> float:
    """Mean mutual information, in nats, of random partitions into parts of these sizes (Vinh et al. 2010, eq. 24a).

    Notes
    -----
    How many images a row and a column share is hypergeometric, with mean μ = row · column / n. Equal sizes are summed
    once and counted, logarithms of factorials are looked up, and only the counts within ``t`` of μ are summed, where
    ``t²/(2 (μ + t/3))`` is 40: by Bernstein's inequality all others together have a probability below 1e-17. So the
    cost is O(distinct row sizes · distinct column sizes · √μ), and 10,000 clusters of 10,000 taxa take no minutes.
    """
    n = int(rows.sum())
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    columns, n_columns = np.unique(columns.astype(np.int64), return_counts=True)
    expected = 0.0
    for row, n_rows in zip(*np.unique(rows.astype(np.int64), return_counts=True), strict=True):
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
        information = shared / n * np.log(shared / mean)
        expected += float(n_rows * (np.sum(probability * information, axis=0) @ n_columns))
    return expected
