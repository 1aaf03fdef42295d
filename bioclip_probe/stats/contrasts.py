"""Phylogenetically independent contrasts of many traits at once, on any tree with branch lengths.

Under Brownian motion the best estimate of the traits at a node is the mean of its children's estimates, weighted by
their precision p = 1/(v + ℓ). Here ℓ is the branch to the child and v the variance of the child's own estimate, 0 at a
tip. From the tips to the root::

    x_v = Σ_c p_c x_c / Σ_c p_c        v_v = 1/Σ_c p_c        SS = Σ_v Σ_c p_c ‖x_c - x_v‖²

At the root x is the phylogenetic mean, v is 1/(1ᵀC⁻¹1), and SS is tr((X - x)ᵀC⁻¹(X - x)), where C holds the depths of
common ancestors. This costs O(nodes·d) instead of the inverse of a k × k matrix. Polytomies need no resolution, and a
node with one child passes its estimate on. The weights depend on the tree only, so a permutation of the tips only sums
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bioclip_probe.stats.all_pairs.clade_forms import MOST_NUMBERS, CladePlan, column_blocks, orders_at_once
from bioclip_probe.stats.all_pairs.tree_sums import permuted_orders
from bioclip_probe.stats.permuted_loops import contrast_pass_up, merge_weights
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.stats.threads import in_threads, n_threads
from bioclip_probe.tree.tree import Tree

#: Branches shorter than this share of the height of the tree count as zero.
SHORTEST = 1e-12


@dataclass(frozen=True, eq=False)
class Contrasts:
    """The weights of the independent contrasts of some tips of a tree.

    Attributes
    ----------
    plan : CladePlan
        The clades of the tree; it has k tips.
    kept : ndarray, shape (k,), bool
        The tips that enter.
    share, precision : ndarray, shape (k + n,), float64
        Weights of the tips and of the clades, see `merge_weights`.
    root_variance : float
        1/(1ᵀC⁻¹1).
    coinciding : int
        Number of tips, or of nodes at one point with a tip, beyond the first at each point of the tree. If it is not
        zero, C is singular.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> contrasts = Contrasts.of(tree)
    >>> contrasts.share.round(3).tolist(), round(contrasts.root_variance, 3)
    ([1.0, 0.5, 0.429, 1.0, 0.0], 0.857)
    """

    plan: CladePlan
    kept: np.ndarray
    share: np.ndarray
    precision: np.ndarray
    root_variance: float
    coinciding: int

    @classmethod
    def of(cls, tree: Tree, kept: np.ndarray | None = None) -> Contrasts:
        """Return the weights of the contrasts.

        Parameters
        ----------
        tree : Tree
            With k tips, 2 at least.
        kept : ndarray, shape (k,), bool, optional
            The tips that enter; all by default.

        Returns
        -------
        Contrasts
        """
        plan = CladePlan.of(tree)
        kept = np.ones(plan.k, dtype=bool) if kept is None else kept
        length = np.where(tree.length > SHORTEST * tree.depth.max(), tree.length, 0.0)
        return cls(plan, kept, *merge_weights(plan.loop, plan.per_clade(length[None])[0], kept))

    def fit(self, blocks: Sequence[np.ndarray], orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the phylogenetic mean and SS for P orders of the traits at the tips.

        Parameters
        ----------
        blocks : sequence of ndarray, shape (k, b)
            The traits, as `column_blocks` returns them.
        orders : ndarray, shape (P, k), int
            In order p, row ``orders[p, i]`` of the traits stands at tip i.

        Returns
        -------
        mean : ndarray, shape (P, d), float64
        squares : ndarray, shape (P,), float64
        """
        squares, orders = np.zeros(len(orders)), np.ascontiguousarray(orders, dtype=np.int32)
        weights = self.plan.loop, self.share, self.precision
        return np.concatenate([contrast_pass_up(each, orders, *weights, squares) for each in blocks], axis=1), squares

    def expected_ratio(self) -> float:
        """Return the ratio of squares about the phylogenetic mean to SS that Brownian motion gives on average.

        Returns
        -------
        float
            (tr C - n/(1ᵀC⁻¹1))/(n - 1), for n tips.
        """
        n = int(self.kept.sum())
        depth = self.plan.tree.depth[self.plan.tree.tips]
        return float((depth[self.kept] - self.root_variance).sum() / (n - 1))

    def signal(self, traits: np.ndarray) -> float:
        """Return the phylogenetic signal K_mult of traits at their own tips.

        Parameters
        ----------
        traits : ndarray, shape (k, d)

        Returns
        -------
        float
            At least 0, 1 under Brownian motion; NaN where the traits do not vary.

        References
        ----------
        Adams 2014, Syst. Biol. 63, 685.
        """
        return float(self._of_orders(traits)(np.arange(len(traits))[None])[0])

    def permuted_signal(
        self, traits: np.ndarray, n_permutations: int, rng: np.random.Generator, most_numbers: int = MOST_NUMBERS
    ) -> np.ndarray:
        """Return K_mult after random permutations of the tips.

        Parameters
        ----------
        traits : ndarray, shape (k, d)
            As `centred_traits` returns them.
        n_permutations : int
        rng : numpy.random.Generator
        most_numbers : int
            Numbers that one thread looks at for the permutations that it sums together.

        Returns
        -------
        ndarray, shape (n_permutations,), float64

        Notes
        -----
        O(nodes·d) for each permutation, on all cores.

        Examples
        --------
        >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), [*"rxabc"], [-1] * 5)
        >>> Contrasts.of(tree).permuted_signal(np.eye(3), 4, np.random.default_rng(0)).round(3).tolist()
        [0.833, 0.833, 0.833, 0.833]
        """
        at_once = orders_at_once(traits.size, most_numbers)
        orders = permuted_orders(len(traits), n_permutations, rng, at_once=at_once)
        threads = n_threads(traits.size * n_permutations)
        values = in_threads(self._of_orders(traits), orders, threads)
        return np.concatenate([np.empty(0), *values])

    def _of_orders(self, traits: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that gives K_mult for P orders of the traits; with tips left out, for their own order."""
        # All orders have the same rows, so that the squares about the mean of the rows are the same.
        own, blocks = traits[self.kept], column_blocks(traits)
        center = own.mean(axis=0)
        least, n = float(np.square(own - center).sum()), len(own)

        def signal(orders: np.ndarray) -> np.ndarray:
            mean, squares = self.fit(blocks, orders)
            scatter = least + n * np.square(mean - center).sum(axis=1)
            ratio = np.divide(scatter, squares, out=np.full(len(orders), np.nan), where=squares > 0)
            return np.asarray(ratio / self.expected_ratio())

        return signal


def centred_traits(traits: np.ndarray) -> np.ndarray:
    """Return traits minus their mean, in no more dimensions than there are tips; a rotation does not change K_mult.

    Parameters
    ----------
    traits : ndarray, shape (k, d)

    Returns
    -------
    ndarray, shape (k, min(k, d)), float64

    Examples
    --------
    >>> centred_traits(np.array([[1.0], [3.0]])).tolist()
    [[-1.0], [1.0]]
    """
    return rotate_into_span(traits - traits.mean(axis=0))
