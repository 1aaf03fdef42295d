"""Variance components of nested random effects, without bias from unequal numbers, from the sums of the linear pass.

An image of species s is x = μ + Σ_r a_r + e, where a_r is the random effect of its taxon at rank r and e that of the
image. All effects are independent; σ²_r = E‖a_r‖² is a trace, so that the whole embedding is one trait, a rotation
changes nothing, and the dimension may exceed the number of species. With n_t and s_t the count and the sum of taxon t::

    T_r    = Σ_{t at r} ‖s_t‖²/n_t                      (T of the root: ‖s‖²/n; T of images: Σ‖x‖²)
    E[T_r] = n‖μ‖² + Σ_q c_rq σ²_q
    c_rq   = Σ_{t at r} Σ_{u at q, inside t} n_u²/n_t   for q below r;   n   for q at or above r

Differences of consecutive T are the sums of squares between nested levels. They equal their expectations in a
triangular system whose solution are the components (ANOVA estimators; Henderson's method 1). They are unbiased for any
counts and any distribution of the effects. On balanced data they equal REML estimates where none is below 0.

A rank that a lineage has no name at is as in the tree distance: the next taxon below it has an effect of its own there.

References: Henderson 1953, Biometrics 9, 226; Searle, Casella & McCulloch 1992, Variance Components, ch. 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bioclip_probe.stats.all_pairs.clade_forms import CladeForms, CladePlan
from bioclip_probe.stats.all_pairs.tree_aggregator import TreeAggregator
from bioclip_probe.stats.all_pairs.tree_sums import permuted_orders
from bioclip_probe.stats.devices import CPU
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Tree, read_only

#: A smaller share of the images in a coefficient is rounding: the level cannot be told apart from the one above.
CONFOUNDED = 1e-9
#: Numbers of an array of orders, ranks and nodes that is in memory at once.
MOST_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class NestedSums:
    """Count, sum and Σ‖x‖² of the images of each species, at the tips of a taxonomy.

    Attributes
    ----------
    tree : Tree
        With m nodes; its k tips are species.
    counts : ndarray, shape (k,), float64
        At least 1.
    sums : ndarray, shape (k, d), float64
        About an origin near the mean, so that no digits cancel.
    norms : ndarray, shape (k,), float64

    Examples
    --------
    >>> tree = Tree([-1, 0, 1, 1, 0, 4], [0, 6, 1, 1, 6, 1], [*"rGabHc"], [-1, 5, 6, 6, 5, 6], "rank")
    >>> sums = NestedSums(tree, np.full(3, 2.0), np.array([[4.0], [8.0], [0.0]]), np.array([10.0, 34.0, 2.0]))
    >>> sums.ranks
    ('genus', 'species')
    >>> sums.components().round(2).tolist()
    [3.0, 1.0, 2.0]
    """

    tree: Tree
    counts: np.ndarray
    sums: np.ndarray
    norms: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "sums", read_only(rotate_into_span(self.sums)))

    @cached_property
    def taxa_at(self) -> np.ndarray:
        """True for the nodes that are taxa of each rank, shape (7, m), bool; each species has one taxon at each."""
        rank = self.tree.rank
        above = np.where(self.tree.parent >= 0, rank[self.tree.parent], -1)
        return np.array([(rank >= number) & (above < number) for number in range(len(RANKS))])

    @cached_property
    def confounded(self) -> dict[str, str]:
        """Why a rank has no component of its own, for each rank that has none."""
        reasons, last, n_above = {}, "root", 1
        for number, rank in enumerate(RANKS):
            n_taxa = int(self.taxa_at[number].sum())
            if not np.any(self.tree.rank == number):
                reasons[rank] = "no image has a name at this rank"
            elif n_taxa == n_above:
                one_each = f"each {last} has one {rank}: its component is part of that of the {last}"
                reasons[rank] = "needs at least 2 taxa, found 1" if n_taxa == 1 else one_each
            else:
                last, n_above = rank, n_taxa
        return reasons

    @property
    def ranks(self) -> tuple[str, ...]:
        """The ranks that have a component of their own, from the top down."""
        return tuple(rank for rank in RANKS if rank not in self.confounded)

    @cached_property
    def freedom(self) -> dict[str, int]:
        """Degrees of freedom of each of `ranks`: its taxa less those of the rank above it, of which it has one each."""
        n_taxa = self._levels.sum(axis=1).astype(int)
        return dict(zip(self.ranks, np.diff(n_taxa).tolist(), strict=True))

    @property
    def images_repeat(self) -> bool:
        """True if a species has two images, so that the variance of images is told apart from that of species."""
        return bool(np.any(self.counts > 1))

    def components(self, kept: np.ndarray | None = None) -> np.ndarray:
        """Return the variance component of each of `ranks`, and of images where a species has two of them.

        Parameters
        ----------
        kept : ndarray, shape (k,), bool, optional
            The species that enter; by default all.

        Returns
        -------
        ndarray, shape (R,) or (R + 1,), float64
            Unbiased, so that a component of about 0 is as often below 0. NaN where the species that are kept no longer
            tell all levels apart.

        Notes
        -----
        O(nodes·d).
        """
        weight = np.ones(len(self.counts)) if kept is None else kept.astype(np.float64)
        own = self.sums if kept is None else self.sums * weight[:, None]
        squares = self._squares(CladeForms(self._plan, own, np.ones(own.shape[1])), np.arange(len(own))[None])
        counts = self._aggregator.clade_sums((self.counts * weight)[:, None])
        return self._solve(squares, counts.T, float(self.norms @ weight))[0]

    def permuted_components(self, n_permutations: int, rng: np.random.Generator, device: str = CPU) -> np.ndarray:
        """Return the components with species permuted over the tips, each with its images.

        Parameters
        ----------
        n_permutations : int
        rng : numpy.random.Generator
        device : str
            Where clades are summed.

        Returns
        -------
        ndarray, shape (n_permutations, R) or (n_permutations, R + 1), float64
            In the order of `components`.
        """
        norms, forms = float(self.norms.sum()), CladeForms(self._plan, self.sums, np.ones(self.sums.shape[1]), device)

        def of_orders(orders: np.ndarray) -> np.ndarray:
            at_once = max(MOST_NUMBERS // self._levels.size, 1)
            blocks = [orders[start : start + at_once] for start in range(0, len(orders), at_once)]
            return np.concatenate([solutions(block) for block in blocks])

        def solutions(orders: np.ndarray) -> np.ndarray:
            # With as many images of each species, all orders have the same counts.
            of_counts = orders[:1] if np.ptp(self.counts) == 0 else orders
            counts = self._aggregator.clade_sums(self.counts[of_counts].T).T
            return self._solve(self._squares(forms, orders), counts, norms)

        orders = permuted_orders(self._plan.k, n_permutations, rng, at_once=forms.orders_at_once())
        return np.concatenate(list(forms.each(of_orders, orders)))

    def _squares(self, forms: CladeForms, orders: np.ndarray) -> np.ndarray:
        """Return ‖s‖² of each node, shape (P, m)."""
        return np.concatenate([forms.of_groups[orders], forms.of_clades(orders)], axis=1)[:, self._plan.clade]

    def _solve(self, squares: np.ndarray, n: np.ndarray, norms: float) -> np.ndarray:
        """Return the components of several orders, (P, R) or (P, R + 1).

        They follow from ‖s‖² of each node, (P, m), its number of images, (P, m) or (1, m), and Σ‖x‖² of all images.
        """
        per_image = np.divide(1.0, n, out=np.zeros(n.shape), where=n > 0.5)
        explained, coefficients = (squares * per_image) @ self._levels.T, self._coefficients(n, per_image)
        if self.images_repeat:
            explained = np.pad(explained, ((0, 0), (0, 1)), constant_values=norms)
            of_images = np.broadcast_to(n[:, :1, None], (len(n), 1, coefficients.shape[2]))
            coefficients = np.concatenate([coefficients, of_images], axis=1)
        else:
            coefficients = coefficients[:, :, :-1]
        system = np.diff(coefficients, axis=1)
        diagonal = np.diagonal(system, axis1=1, axis2=2)
        told_apart = np.broadcast_to(np.all(diagonal > CONFOUNDED * n[:, :1], axis=1), len(squares))
        components = np.full((len(squares), diagonal.shape[1]), np.nan)
        right = np.diff(explained, axis=1)[told_apart]
        system = np.broadcast_to(np.triu(system), (len(squares), *system.shape[1:]))[told_apart]
        components[told_apart] = np.linalg.solve(system, right[:, :, None])[:, :, 0]
        return components

    @cached_property
    def _plan(self) -> CladePlan:
        return CladePlan.of(self.tree)

    @cached_property
    def _aggregator(self) -> TreeAggregator:
        return TreeAggregator.of(self.tree)

    @cached_property
    def _levels(self) -> np.ndarray:
        """The root and the taxa of each of `ranks`, shape (1 + R, m)."""
        at_root = np.arange(len(self.tree)) == 0
        own = [self.taxa_at[RANKS.index(rank)] for rank in self.ranks]
        return np.array([at_root, *own], dtype=np.float64)

    def _coefficients(self, n: np.ndarray, per_image: np.ndarray) -> np.ndarray:
        """Return c of the root and of each rank (rows) for each rank and for images (columns), for each order."""
        levels, n_orders = self._levels, len(n)
        cumulated = np.cumsum(np.pad(levels[1:] * n[:, None] ** 2, ((0, 0), (0, 0), (1, 0))), axis=2)
        inside = cumulated[:, :, self.tree.stop] - cumulated[:, :, :-1]  # Σ n_u² over the taxa inside each clade
        coefficients = np.matmul(levels, (inside * per_image[:, None]).transpose(0, 2, 1))
        at_or_below = np.tri(len(levels), len(levels) - 1, -1, dtype=bool)
        coefficients = np.where(at_or_below, n[:, :1, None], coefficients)
        n_taxa = np.broadcast_to((n > 0.5) @ levels.T, (n_orders, len(levels)))
        return np.concatenate([coefficients, n_taxa[:, :, None]], axis=2)
