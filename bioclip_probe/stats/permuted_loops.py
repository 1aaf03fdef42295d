"""Compiled loops over a tree from its tips to its root, for many orders of the vectors at the tips.

The loops release the interpreter's lock, so that threads can share the orders. Clades are visited in post-order: the
clades directly below a clade are the last ones on a stack, and their sums are replaced by its own. So the sums stay in
cache, whatever the number of clades.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bioclip_probe.stats.table_loops import copy_to, fill


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def clade_form_pass(
    values: np.ndarray,
    signs: np.ndarray,
    orders: np.ndarray,
    clades: tuple[np.ndarray, np.ndarray, np.ndarray],
    forms: np.ndarray,
) -> None:
    """Add Σ_j sign_j s_j² of the sum s over each clade, for several orders of the values at the tips.

    Parameters
    ----------
    values : ndarray, shape (k, b), float32 or float64
        Some columns of the values of k groups. Each form of these columns is computed in their type.
    signs : ndarray, shape (b,)
        1 or -1 for each column, of the same type.
    orders : ndarray, shape (P, k), int32
        In order p, group ``orders[p, i]`` stands at tip i.
    clades : tuple of ndarray
        Tips, their starts and numbers of children, see `bioclip_probe.stats.all_pairs.clade_forms.CladePlan`.
    forms : ndarray, shape (P, n), float64
        For each clade in post-order; changed in place.
    """
    tips, starts, n_children = clades
    b = values.shape[1]
    stack = np.empty((len(n_children) + 1, b), values.dtype)
    for p in range(len(orders)):
        top = 0
        for clade in range(len(n_children)):
            own, tip = top - n_children[clade], starts[clade]
            if own == top:  # a clade without a clade below it has two tips at least
                first, second = np.uint32(orders[p, tips[tip]]), np.uint32(orders[p, tips[tip + 1]])
                for j in range(b):
                    stack[own, j] = values[first, j] + values[second, j]
                tip += 2
            for child in range(own + 1, top):
                for j in range(b):
                    stack[own, j] += stack[child, j]
            for place in range(tip, starts[clade + 1]):
                first = np.uint32(orders[p, tips[place]])
                for j in range(b):
                    stack[own, j] += values[first, j]
            form = values.dtype.type(0)
            for j in range(b):
                form += signs[j] * stack[own, j] * stack[own, j]
            forms[p, clade] += form
            top = own + 1


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def direction_square_pass(
    sums: np.ndarray,
    orders: np.ndarray,
    members: tuple[np.ndarray, np.ndarray],
    clades: tuple[np.ndarray, np.ndarray, np.ndarray],
    origin: np.ndarray,
    depth: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return squared norms of sums of directions of taxa, for several orders of the species that they hold.

    The direction of a taxon is the sum of its species, put on the unit sphere; x is a direction minus the origin.

    Parameters
    ----------
    sums : ndarray, shape (s, d), float32 or float64
        The sum of the images of each species. Vectors are summed in their type.
    orders : ndarray, shape (P, s), int64
        In order p, species ``orders[p, i]`` stands in place i.
    members : tuple of ndarray
        The places of all k taxa, taxon by taxon, and where those of each taxon start, shape (k + 1,).
    clades : tuple of ndarray
        As for `clade_form_pass`; their tips are the taxa.
    origin : ndarray, shape (d,)
        Of the same type.
    depth : ndarray, shape (k,)
        A number for each taxon, of the same type.

    Returns
    -------
    at_taxa : ndarray, shape (P, k), float64
        ‖x‖² of each taxon; NaN where its species cancel out.
    of_clades : ndarray, shape (P, n), float64
        ‖Σx‖² over the taxa of each clade.
    along : ndarray, shape (P,), float64
        Σ depth x·s, where s is the sum of x over all taxa.
    """
    places, firsts = members
    tips, starts, n_children = clades
    (n_orders, d), k = (len(orders), sums.shape[1]), len(depth)
    at_taxa, of_clades, along = np.empty((n_orders, k)), np.empty((n_orders, len(n_children))), np.empty(n_orders)
    dtype, zero = sums.dtype, sums.dtype.type(0)
    stack, x, by_depth = np.zeros((len(n_children) + 1, d), dtype), np.empty(d, dtype), np.empty(d, dtype)
    for p in range(n_orders):
        top = 0
        fill(by_depth, 0.0)
        for clade in range(len(n_children)):
            own = top - n_children[clade]
            if own == top:
                fill(stack[own], 0.0)
            for child in range(own + 1, top):
                for j in range(d):
                    stack[own, j] += stack[child, j]
            for tip in range(starts[clade], starts[clade + 1]):
                taxon = tips[tip]
                fill(x, 0.0)
                for place in range(firsts[taxon], firsts[taxon + 1]):
                    species = orders[p, places[place]]
                    for j in range(d):
                        x[j] += sums[species, j]
                square = zero
                for j in range(d):
                    square += x[j] * x[j]
                scale = dtype.type(1 / np.sqrt(square) if square > 1e-12 else np.nan)
                square = zero
                for j in range(d):
                    x[j] = scale * x[j] - origin[j]
                    square += x[j] * x[j]
                    stack[own, j] += x[j]
                    by_depth[j] += depth[taxon] * x[j]
                at_taxa[p, taxon] = square
            square = zero
            for j in range(d):
                square += stack[own, j] * stack[own, j]
            of_clades[p, clade] = square
            top = own + 1
        square = zero
        for j in range(d):
            square += by_depth[j] * stack[0, j]
        along[p] = square
    return at_taxa, of_clades, along


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def contrast_pass_up(
    values: np.ndarray,
    orders: np.ndarray,
    clades: tuple[np.ndarray, np.ndarray, np.ndarray],
    share: np.ndarray,
    precision: np.ndarray,
    squares: np.ndarray,
) -> np.ndarray:
    """Return the estimate at the root, and add the sum of squared contrasts to `squares`, for several orders.

    The children of a clade are merged one after the other: first its clades, then its tips. Each is compared with the
    estimate from those before it, and moves that estimate.

    Parameters
    ----------
    values : ndarray, shape (k, b)
        Some columns of the traits.
    orders, clades
        As for `clade_form_pass`.
    share, precision : ndarray, shape (k + n,)
        As `merge_weights` returns them.
    squares : ndarray, shape (P,), float64
        Changed in place.

    Returns
    -------
    ndarray, shape (P, b), float64
    """
    tips, starts, n_children = clades
    k, b = values.shape
    estimates = np.empty((len(orders), b))
    stack, node = np.empty((len(n_children) + 1, b)), np.empty(len(n_children) + 1, dtype=np.int64)
    for p in range(len(orders)):
        top = 0
        for clade in range(len(n_children)):
            own, first = top - n_children[clade], starts[clade]
            if own == top:
                species = np.uint32(orders[p, tips[first]])
                for j in range(b):
                    stack[own, j] = values[species, j]
                first += 1
            for child in range(own + 1, top):
                square, weight = 0.0, share[node[child]]
                for j in range(b):
                    contrast = stack[child, j] - stack[own, j]
                    square += contrast * contrast
                    stack[own, j] += weight * contrast
                squares[p] += precision[node[child]] * square
            for place in range(first, starts[clade + 1]):
                species, tip = np.uint32(orders[p, tips[place]]), tips[place]
                square, weight = 0.0, share[tip]
                for j in range(b):
                    contrast = values[species, j] - stack[own, j]
                    square += contrast * contrast
                    stack[own, j] += weight * contrast
                squares[p] += precision[tip] * square
            node[own] = k + clade
            top = own + 1
        copy_to(stack[0], estimates[p])
    return estimates


@njit(cache=True, nogil=True)
def merge_weights(
    clades: tuple[np.ndarray, np.ndarray, np.ndarray], length: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Return the weights of independent contrasts, which depend on the tree only.

    Parameters
    ----------
    clades
        As for `clade_form_pass`.
    length : ndarray, shape (k + n,)
        Length of the branch above each tip and each clade.
    kept : ndarray, shape (k,), bool
        The tips that enter.

    Returns
    -------
    share : ndarray, shape (k + n,), float64
        Weight of each child in the estimate of its clade when it is merged; 1 for the first one that has a tip which is
        kept, 0 for those without any.
    precision : ndarray, shape (k + n,), float64
        1/variance of the contrast of each child with those before it; 0 where there is none.
    root_variance : float
        Variance of the estimate at the upper end of the last branch.
    coinciding : int
        Number of contrasts without variance: both sides are at one point of the tree.
    """
    tips, starts, n_children = clades
    k, n = len(kept), len(n_children)
    share, precision, variance = np.zeros(k + n), np.zeros(k + n), np.zeros(k + n)
    for node in range(k + n):
        variance[node] = 0.0 if node < k and kept[node] else -1.0  # -1 where nothing is kept
    stack, top, coinciding = np.empty(n + 1, dtype=np.int64), 0, 0
    for clade in range(n):
        own, total = top - n_children[clade], -1.0
        for child in range(n_children[clade] + starts[clade + 1] - starts[clade]):
            node = stack[own + child] if child < n_children[clade] else tips[starts[clade] + child - n_children[clade]]
            if variance[node] < 0:
                continue
            new = variance[node] + length[node]
            if total < 0:
                share[node], total = 1.0, new
                continue
            if total + new > 0:
                share[node], precision[node] = total / (total + new), 1 / (total + new)
                total *= new / (total + new)
            else:
                coinciding += 1
        variance[k + clade] = total
        stack[own] = k + clade
        top = own + 1
    return share, precision, variance[k + n - 1] + length[k + n - 1], coinciding


@njit(cache=True, nogil=True)
def shuffle_within(orders: np.ndarray, members: np.ndarray, starts: np.ndarray, draws: np.ndarray) -> None:
    """Permute groups among the tips of each stratum, in place, by the algorithm of Fisher and Yates.

    Parameters
    ----------
    orders : ndarray, shape (P, k), int64
    members : ndarray, shape (m,), int64
        The tips of all strata, stratum by stratum.
    starts : ndarray, shape (strata + 1,), int64
        Where the tips of each stratum start.
    draws : ndarray, shape (P, m), float64
        Uniform in [0, 1). The draw for each tip says with which of the tips up to its own place it changes.

    Examples
    --------
    >>> orders = np.array([[0, 1, 2]])
    >>> shuffle_within(orders, np.array([0, 2]), np.array([0, 2]), np.zeros((1, 2)))
    >>> orders.tolist()
    [[2, 1, 0]]
    """
    for p in range(len(orders)):
        for stratum in range(len(starts) - 1):
            first = starts[stratum]
            for place in range(starts[stratum + 1] - 1, first, -1):
                other = first + int(draws[p, place] * (place - first + 1))
                own, its = members[place], members[other]
                orders[p, own], orders[p, its] = orders[p, its], orders[p, own]
