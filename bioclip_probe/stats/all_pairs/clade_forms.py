"""Squared norms of the sums over every clade of a tree, for many orders of the vectors at its tips.

All statistics of the linear pass that permute species are made of them. A permutation costs O(nodes·d), on all cores or
on a device of torch. Nodes with the same tips have the same sum, so that only clades of two tips or more are summed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bioclip_probe.stats.devices import free_bytes, tensor, uses_torch
from bioclip_probe.stats.permuted_loops import clade_form_pass
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.tree import Tree, read_only

#: Columns in float64 that a compiled loop carries through the tree at a time, and in float32; those of all groups stay
#: in a processor's cache.
BLOCK, BLOCK_FLOAT32 = 64, 128
#: Of fewer groups all columns are summed in float64: their permutations repeat each other, and must tie to be counted.
FEWEST_ROUNDED = 100
#: Numbers that one thread, or a device, looks at for the orders that it sums together.
MOST_NUMBERS = 2**25
MOST_ON_DEVICE = 2**29
#: Most orders that are summed together, whose numbers for each clade are in memory at once.
MOST_ORDERS = 1024


@dataclass(frozen=True, eq=False)
class CladePlan:
    """The n clades of two of k tips or more of a tree, in post-order.

    Attributes
    ----------
    tree : Tree
        With m nodes.
    clade : ndarray, shape (m,), int64
        What each node is: i for a node that holds tip i alone, k + v for one that holds the tips of clade v.
    spans : ndarray, shape (n, 2), int64
        The first tip of each clade, and one after its last.
    loop : tuple of ndarray
        The tips directly below all clades, clade by clade, shape (t,), int32; where those of each clade start, shape
        (n + 1,); and the number of clades directly below each, shape (n,). What compiled loops need.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> plan = CladePlan.of(tree)
    >>> plan.clade.tolist(), plan.spans.tolist()
    ([4, 3, 0, 1, 2], [[0, 2], [0, 3]])
    """

    tree: Tree
    clade: np.ndarray
    spans: np.ndarray
    loop: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, tree: Tree) -> CladePlan:
        """Return the plan of a tree; the last ones are remembered.

        Parameters
        ----------
        tree : Tree

        Returns
        -------
        CladePlan
        """
        return _plan_of(tree)

    @property
    def k(self) -> int:
        """Number of tips."""
        return len(self.tree.tips)

    def per_clade(self, weights: np.ndarray) -> np.ndarray:
        """Return weights of nodes added up over the nodes that hold the same tips.

        Parameters
        ----------
        weights : ndarray, shape (R, m)

        Returns
        -------
        ndarray, shape (R, k + n), float64
            Of the tips, then of the clades.
        """
        size = self.k + len(self.spans)
        return np.array([np.bincount(self.clade, row, size) for row in weights])


@lru_cache(maxsize=16)
def _plan_of(tree: Tree) -> CladePlan:
    k = len(tree.tips)
    first = np.concatenate([[0], np.cumsum(tree.stop == np.arange(len(tree)) + 1)])
    low, high = first[:-1], first[tree.stop]
    # Sorted by their last tip and then by size, clades come after the clades that they hold.
    keys, number = np.unique(high * (k + 1) + k - low, return_inverse=True)
    is_clade = keys % (k + 1) + keys // (k + 1) > k + 1
    of_key = np.where(is_clade, k - 1 + np.cumsum(is_clade), keys // (k + 1) - 1)
    spans = np.stack([k - keys % (k + 1), keys // (k + 1)], axis=1)[is_clade]
    tips: list[int] = []
    starts, n_children = [0], []
    open_tips: list[int] = []
    open_clades: list[int] = []
    n_seen = 0
    for start, stop in spans.tolist():
        open_tips.extend(range(n_seen, stop))
        n_seen = max(n_seen, stop)
        place = len(open_tips)
        while place and open_tips[place - 1] >= start:
            place -= 1
        tips += open_tips[place:]
        del open_tips[place:]
        starts.append(len(tips))
        n_below = len(open_clades)
        while open_clades and open_clades[-1] >= start:
            open_clades.pop()
        n_children.append(n_below - len(open_clades))
        open_clades.append(start)
    loop = np.array(tips, dtype=np.int32), np.array(starts), np.array(n_children, dtype=np.int64)
    return CladePlan(tree, read_only(of_key[number]), read_only(spans), loop)


def column_blocks(values: np.ndarray, block: int = BLOCK) -> list[np.ndarray]:
    """Return values in blocks of columns.

    Parameters
    ----------
    values : ndarray, shape (k, d)
    block : int
        Columns of a block, about.

    Returns
    -------
    list of ndarray, shape (k, b)
        Each in one piece of memory.

    Examples
    --------
    >>> [block.shape for block in column_blocks(np.ones((3, 130)))]
    [(3, 65), (3, 65)]
    """
    d = values.shape[1]
    number = max(1, round(d / block))
    edges = [d * i // number for i in range(number + 1)]
    return [np.ascontiguousarray(values[:, low:high]) for low, high in itertools.pairwise(edges)]


def orders_at_once(size: int, most_numbers: int = MOST_NUMBERS) -> int:
    """Return how many orders of some values one thread sums together.

    Parameters
    ----------
    size : int
        Number of values of one order.
    most_numbers : int
        Numbers that the thread looks at.

    Returns
    -------
    int
        At least 1 and at most `MOST_ORDERS`.

    Examples
    --------
    >>> orders_at_once(100, most_numbers=1000)
    10
    """
    return min(max(1, most_numbers // max(size, 1)), MOST_ORDERS)


@dataclass(frozen=True, eq=False)
class CladeForms:
    """The form Σ_j sign_j s_j² of the sum s of the groups in each clade, for orders of the groups at the tips.

    With signs of 1 it is a squared norm. With columns a and b, the two columns (a + b)/2 and (a - b)/2 and the signs 1
    and -1 give the product of their sums.

    Attributes
    ----------
    plan : CladePlan
        With k tips and n clades.
    values : ndarray, shape (k, d), float64
        Of the k groups.
    signs : ndarray, shape (d,), float64
    device : str
        Where the sums are computed, see `bioclip_probe.stats.devices`.
    n_rounded : int
        So many columns, the first ones, may be summed in float32, which rounds their part of a form by about 1e-7 of
        it and takes half the time. Nothing may cancel out among them: their signs are the same.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> forms = CladeForms(CladePlan.of(tree), np.array([[1.0], [2.0], [4.0]]), np.ones(1))
    >>> forms.of_clades(np.array([[0, 1, 2], [2, 1, 0]])).tolist()
    [[9.0, 49.0], [36.0, 49.0]]
    """

    plan: CladePlan
    values: np.ndarray
    signs: np.ndarray
    device: str = "cpu"
    n_rounded: int = 0

    @cached_property
    def of_groups(self) -> np.ndarray:
        """The form of each group alone, shape (k,), float64."""
        return np.einsum("ij,ij,j->i", self.values, self.values, self.signs)

    def of_clades(self, orders: np.ndarray) -> np.ndarray:
        """Return the form of each clade of two tips or more.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int
            In order p, group ``orders[p, i]`` stands at tip i.

        Returns
        -------
        ndarray, shape (P, n), float64
            In the order of the plan.
        """
        if uses_torch(self.device):
            return self._on_device(orders)
        forms = np.zeros((len(orders), len(self.plan.spans)))
        orders = np.ascontiguousarray(orders, dtype=np.int32)
        for values, signs in self._blocks:
            clade_form_pass(values, signs, orders, self.plan.loop, forms)
        return forms

    def weighted(self, orders: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return weighted sums of the forms of all tips and clades.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int
        weights : ndarray, shape (R, k + n)
            See `CladePlan.per_clade`.

        Returns
        -------
        ndarray, shape (P, R), float64
        """
        k = self.plan.k
        return self.of_groups[orders] @ weights[:, :k].T + self.of_clades(orders) @ weights[:, k:].T

    def orders_at_once(self, most_numbers: int | None = None) -> int:
        """Return how many orders one thread, or the device, sums together, see `orders_at_once`.

        Parameters
        ----------
        most_numbers : int, optional
            Numbers that it looks at for them.

        Returns
        -------
        int
        """
        if most_numbers is None:
            most_numbers = MOST_NUMBERS
            if uses_torch(self.device):
                most_numbers = min(MOST_ON_DEVICE, free_bytes(self.device) // 64)
        return orders_at_once(self.values.size, most_numbers)

    def each(self, function: Callable[[np.ndarray], np.ndarray], orders: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield what a function of these forms returns for some orders at a time, on all cores.

        Parameters
        ----------
        function : callable
            Takes orders, shape (P, k).
        orders : iterable of ndarray, shape (P, k)

        Yields
        ------
        ndarray
        """
        # On a device, one batch is drawn while another one is summed.
        threads = 2 if uses_torch(self.device) else n_threads(self.values.size * self.orders_at_once())
        _ = self.of_groups, self._tensors if uses_torch(self.device) else self._blocks  # once, not in every thread
        return in_threads(function, orders, threads)

    @cached_property
    def _blocks(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Values and signs in blocks of columns."""
        rounded = self.n_rounded if self.plan.k >= FEWEST_ROUNDED else 0
        parts = (slice(rounded), np.float32, BLOCK_FLOAT32), (slice(rounded, None), np.float64, BLOCK)
        blocks: list[tuple[np.ndarray, np.ndarray]] = []
        for columns, dtype, block in parts:
            values, signs = (array[..., columns].astype(dtype) for array in (self.values, self.signs[None]))
            if values.shape[1]:
                rows_of_signs = (row[0] for row in column_blocks(signs, block))
                blocks += zip(column_blocks(values, block), rows_of_signs, strict=True)
        return blocks

    @cached_property
    def _tensors(self) -> tuple[Any, ...]:
        """Values, signs, and first tip and one after the last of each clade, on the device."""
        low, high = self.plan.spans.T
        return tuple(tensor(array, self.device) for array in (self.values, self.signs, low, high))

    def _on_device(self, orders: np.ndarray) -> np.ndarray:
        """Return the form of each clade by torch, from running sums over the tips."""
        values, signs, low, high = self._tensors
        running = values[tensor(orders, self.device, "int64")].cumsum(dim=1)
        sums = running[:, high - 1]
        sums -= running[:, (low - 1).clamp(min=0)] * (low > 0)[:, None]
        return np.asarray((sums.square_() @ signs).cpu().numpy())
