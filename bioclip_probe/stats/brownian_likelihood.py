"""The likelihood of species means under Brownian motion along a tree, with Pagel's λ and the means' sampling error.

The summed outer product of d traits, S = Σ_j m_j m_jᵀ, has the expectation::

    V = g·C_λ + diag(e)

C holds the depths of common ancestors below the root of the tree, and C_λ is C with its off-diagonal multiplied by λ.
A sample of species keeps the root of the whole tree, so that λ means the same for every sample. g is the evolutionary
variance of all d traits together per unit of branch length. e_i is the variance of all d traits of the mean of species
i that the scatter of its images causes. The pseudo-REML log-likelihood is that of one trait with this covariance::

    -½ [log|V| + log(1ᵀV⁻¹1) + tr(V⁻¹S)]

with S about the phylogenetic mean. If the d traits are independent and equally variable, it is one d-th of their
log-likelihood, up to a constant; if not, it has the same expected score of 0 at the true λ and g. Only traces enter, so
that rotations change nothing and d may exceed the number of species.

V is the covariance of a tree: λ shortens inner branches and lengthens the branches of tips, and e lengthens those of
tips again. Independent contrasts of that tree have the variances T_c, and::

    log|V| + log(1ᵀV⁻¹1) = Σ_c log T_c        tr(V⁻¹S) = Σ_c ‖contrast c‖²/T_c

up to a constant. One pass up the tree gives the sum, one pass down its derivative by every branch, at O(nodes·d).

References
----------
Felsenstein 1973, Am. J. Hum. Genet. 25, 471; Pagel 1999, Nature 401, 877; Freckleton et al. 2002, Am. Nat. 160, 712;
Ives et al. 2007, Syst. Biol. 56, 252 (sampling error); Clavel et al. 2019, Syst. Biol. 68, 93 (many traits).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize

from bioclip_probe.stats.pruning import add_parents, trait_pass, variance_pass
from bioclip_probe.stats.rotation import rotate_into_span
from bioclip_probe.stats.threads import one_thread
from bioclip_probe.tree.tree import Tree

#: Traits that one thread carries through the tree at a time; their values at all nodes stay in its cache.
BLOCK = 16
#: The evolutionary variance is searched between these shares of the variance between species.
VARIANCE_RANGE = (1e-7, 1e2)
#: The highest λ where two tips are at one point of the tree, so that V is singular at 1.
NEARLY_ONE = 1 - 1e-6
#: λ from which the search begins. The likelihood of few species can have more than one maximum, so that all are
#: followed; of more species only the best start is.
STARTS, FEW = (0.05, 0.5, 0.95), 500
#: Of very few species the search begins at every λ of a finer grid and at several shares of the expected g.
VERY_FEW, FINE_STARTS, SHARES = 50, (0.02, 0.2, 0.4, 0.6, 0.8, 0.98), (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class BrownianFit:
    """The parameters that maximise the pseudo-REML likelihood.

    Attributes
    ----------
    signal : float
        Pagel's λ, in [0, 1].
    variance : float
        g, above 0.
    log_likelihood : float
        At these parameters, up to a constant.

    Examples
    --------
    >>> BrownianFit(0.5, 1.0, -3.0).signal
    0.5
    """

    signal: float
    variance: float
    log_likelihood: float


class BrownianTree:
    """The nodes of a tree that matter for Brownian motion: its tips, and the nodes at which it splits.

    Parameters
    ----------
    tree : Tree
        With k tips.

    Attributes
    ----------
    parent : ndarray, shape (m,), int64
        The parent of each node, which comes before it; -1 at the first split.
    tip : ndarray, shape (m,), int64
        The tip position of each node; -1 at a split.
    depth : ndarray, shape (m,), float64
        Distance below the root of the tree.
    tree : Tree
    nodes : ndarray, shape (m,), int64
        The nodes in that tree.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1]), np.array([0.0, 9, 1, 2]), np.array([*"rxab"], object), [-1] * 4)
    >>> splits = BrownianTree(tree)
    >>> splits.parent.tolist(), splits.tip.tolist(), splits.depth.tolist()
    ([-1, 0, 0], [-1, 0, 1], [9.0, 10.0, 11.0])
    """

    def __init__(self, tree: Tree) -> None:
        children = np.bincount(tree.parent[1:], minlength=len(tree))
        kept = children != 1
        nearest = np.where(kept, np.arange(len(tree)), -1).tolist()
        for node, above in enumerate(tree.parent.tolist()):
            if nearest[node] < 0 and above >= 0:
                nearest[node] = nearest[above]
        self.tree, self.nodes = tree, np.flatnonzero(kept)
        new = np.cumsum(kept) - 1
        above = np.array(nearest)[tree.parent[self.nodes[1:]]]
        self.parent = np.concatenate([[-1], new[above]])
        self.tip = np.full(len(self.nodes), -1)
        self.tip[new[tree.tips]] = np.arange(len(tree.tips))
        self.depth = tree.depth[self.nodes]

    @cached_property
    def tips(self) -> np.ndarray:
        """The node of each tip position, shape (k,), int64."""
        return np.flatnonzero(self.tip >= 0)

    @cached_property
    def depth_above(self) -> np.ndarray:
        """Depth of the parent of each node, shape (m,), float64; that of the first split is its own depth."""
        return np.asarray(self.depth[np.maximum(self.parent, 0)])

    @cached_property
    def is_star(self) -> bool:
        """True if no branch parts two tips from others, so that all tips are equally related."""
        inner = self.depth[self.tip < 0]
        return bool(np.all(inner <= inner.min(initial=np.inf)))

    def lengths(self, signal: float) -> np.ndarray:
        """Return the length of the branch above each node once λ has changed it, shape (m,), float64."""
        lengths = signal * (self.depth - self.depth_above)
        lengths[self.tips] = self.depth[self.tips] - signal * self.depth_above[self.tips]
        return lengths

    def traits(self, steps: np.ndarray) -> np.ndarray:
        """Return independent traits of the tips after Brownian motion from the first split, which is at 0.

        Parameters
        ----------
        steps : ndarray, shape (m, d)
            A standard normal number for each node and trait. Each trait has variance 1 per unit of branch length.

        Returns
        -------
        ndarray, shape (k, d), float64
        """
        traits = steps * np.sqrt(self.depth - self.depth_above)[:, None]
        add_parents(traits, self.parent)
        return traits[self.tips]

    def nodes_above(self, kept: np.ndarray) -> np.ndarray:
        """Return True for each node with a tip that is kept at or below it, shape (m,), bool."""
        present = np.zeros(len(self.parent), dtype=bool)
        present[self.tips[kept]] = True
        for node in range(len(present) - 1, 0, -1):
            if present[node]:
                present[self.parent[node]] = True
        return present


@dataclass(frozen=True, eq=False)
class BrownianLikelihood:
    """The pseudo-REML likelihood of the means of species at the tips of a tree.

    Attributes
    ----------
    splits : BrownianTree
        With k tips.
    blocks : ndarray, shape (blocks, k, BLOCK), float64
        The means less their average, as `in_blocks` returns them.
    errors : ndarray, shape (k,), float64
        e, the sampling variance of each mean, summed over the d traits; 0 where it is unknown.
    kept : ndarray, shape (k,), bool
        The tips that enter. The tree keeps its root without the others.

    Examples
    --------
    >>> tree = Tree(np.array([-1, 0, 1, 1, 0]), np.array([0.0, 1, 1, 1, 2]), np.array([*"rxabc"], object), [-1] * 5)
    >>> means = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> likelihood = BrownianLikelihood.of(BrownianTree(tree), means, np.zeros(3))
    >>> likelihood.fit().signal > 0.5
    True
    """

    splits: BrownianTree
    blocks: np.ndarray
    errors: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, splits: BrownianTree, means: np.ndarray, errors: np.ndarray) -> BrownianLikelihood:
        """Return the likelihood of all tips.

        Parameters
        ----------
        splits : BrownianTree
            With k tips.
        means : ndarray, shape (k, d)
            Means of the species; not on the sphere.
        errors : ndarray, shape (k,)

        Returns
        -------
        BrownianLikelihood
        """
        means = np.asarray(means, dtype=np.float64)
        blocks = in_blocks(rotate_into_span(means - means.mean(axis=0)))
        return cls(splits, blocks, np.asarray(errors, dtype=np.float64), np.ones(len(means), dtype=bool))

    def permuted(self, order: np.ndarray) -> BrownianLikelihood:
        """Return the likelihood with species permuted over the tips; each keeps its mean and its sampling error.

        Parameters
        ----------
        order : ndarray, shape (k,), int64
            Species ``order[i]`` stands at tip i.

        Returns
        -------
        BrownianLikelihood
        """
        return replace(self, blocks=np.ascontiguousarray(self.blocks[:, order]), errors=self.errors[order])

    @cached_property
    def present(self) -> np.ndarray:
        """True for each node with a tip that enters at or below it, shape (m,), bool."""
        return self.splits.nodes_above(self.kept)

    @cached_property
    def scale(self) -> float:
        """The variance between species per unit of branch length, all d traits together."""
        rows = self.blocks[:, self.kept]
        squares = np.square(rows).sum() - np.square(rows.sum(axis=1)).sum() / rows.shape[1]
        depth = self.splits.depth[self.splits.tips[self.kept]].mean()
        return float(squares / max(rows.shape[1] - 1, 1) / depth)

    def lengths(self, signal: float, variance: float) -> np.ndarray:
        """Return the variance of the branch above each node, with sampling errors at the tips.

        Parameters
        ----------
        signal, variance : float
            λ in [0, 1], and g above 0.

        Returns
        -------
        ndarray, shape (m,), float64
        """
        lengths = variance * self.splits.lengths(signal)
        lengths[self.splits.tips] += self.errors
        return lengths

    def value(self, signal: float, variance: float) -> float:
        """Return the pseudo-REML log-likelihood, up to a constant.

        Parameters
        ----------
        signal, variance : float
            λ in [0, 1], and g above 0.

        Returns
        -------
        float
            -inf where V is singular.
        """
        return -0.5 * self._objective(signal, variance)[0]

    def fit(self, start: BrownianFit | None = None, threads: ThreadPoolExecutor | None = None) -> BrownianFit:
        """Return the λ in [0, 1] and the g that maximise the likelihood.

        Parameters
        ----------
        start : BrownianFit, optional
            Where the search begins; by default at several λ.
        threads : ThreadPoolExecutor, optional
            They share the traits.

        Returns
        -------
        BrownianFit

        Raises
        ------
        ValueError
            If two tips are at one point of the tree for every λ, so that V is singular.
        """
        n = max(int(self.kept.sum()) - 1, 1)

        def per_contrast(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            signal, variance = float(parameters[0]), self.scale * float(np.exp(parameters[1]))
            value, by_signal, by_variance = self._objective(signal, variance, threads)
            return value / n, np.array([by_signal, by_variance * variance]) / n

        if not np.isfinite(self.value(0.0, self.scale)):
            raise ValueError("two tips are at one point of the tree, and their sampling error is 0")
        highest = 1.0 if np.isfinite(self.value(1.0, self.scale)) else NEARLY_ONE
        if start is not None:
            begins = [(np.clip(start.signal, 0.02, 0.98), np.log(start.variance / self.scale))]
        else:
            depth = self.splits.depth[self.splits.tips[self.kept]].mean()
            share = max(1 - self.errors[self.kept].mean() / (self.scale * depth), 0.05)
            begins = [(signal, np.log(share)) for signal in STARTS]
            if n < VERY_FEW:
                begins = [(signal, np.log(share * factor)) for signal in FINE_STARTS for factor in SHARES]
            if n > FEW:
                begins = [min(begins, key=lambda begin: per_contrast(np.array(begin))[0])]
        bounds = [(0.0, highest), tuple(np.log(VARIANCE_RANGE))]
        options = {"ftol": 1e-12, "gtol": 1e-7, "maxiter": 200}
        with one_thread:  # the search solves systems of two numbers, which wake all threads of scipy's own library
            ends = [
                minimize(per_contrast, np.array(begin), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
                for begin in begins
            ]
        best = min(ends, key=lambda end: float(end.fun))
        return BrownianFit(float(best.x[0]), float(self.scale * np.exp(best.x[1])), -0.5 * n * float(best.fun))

    def _objective(
        self, signal: float, variance: float, threads: ThreadPoolExecutor | None = None
    ) -> tuple[float, float, float]:
        """Return -2 log-likelihood and its derivatives by λ and by g."""
        splits, tips = self.splits, self.splits.tips
        lengths = self.lengths(signal, variance)
        log_det, share, precision, by_length = variance_pass(splits.parent, lengths, self.present)
        if not np.isfinite(log_det):
            return np.inf, 0.0, 0.0
        arguments = splits.parent, splits.tip, self.present, share, precision
        run = threads.map if threads else map
        squares = np.sum(list(run(lambda block: trait_pass(block, *arguments), self.blocks)), axis=0)
        by_length -= squares[1:]
        by_signal = variance * (splits.depth - splits.depth_above)
        by_signal[tips] = -variance * splits.depth_above[tips]
        by_variance = splits.lengths(signal)
        return log_det + squares[0], float(by_length @ by_signal[1:]), float(by_length @ by_variance[1:])


def in_blocks(traits: np.ndarray) -> np.ndarray:
    """Return traits in blocks of `BLOCK` columns, the last one filled with zeros.

    Parameters
    ----------
    traits : ndarray, shape (k, d), float64

    Returns
    -------
    ndarray, shape (blocks, k, BLOCK), float64

    Examples
    --------
    >>> in_blocks(np.ones((2, 20))).sum(axis=(1, 2)).tolist()
    [32.0, 8.0]
    """
    k, d = traits.shape
    padded = np.zeros((k, -(-d // BLOCK) * BLOCK))
    padded[:, :d] = traits
    return np.ascontiguousarray(padded.reshape(k, -1, BLOCK).transpose(1, 0, 2))
