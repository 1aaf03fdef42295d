"""A test of tree signal that is cheap to permute: the derivative of the likelihood by Pagel's λ at λ = 0.

At λ = 0 species are independent, and the derivative of the log-likelihood of `brownian_likelihood` grows with::

    Σ_{i≠j} C_ij y_i·y_j

C_ij is the depth of the common ancestor of two species, and y_i the vector of species i from the center of all. The
statistic takes unit vectors from the spatial median (spatial signs) for y. In clades that scatter more than others,
large vectors stand side by side, and a mean lies where these pull it; both would be taken for signal. With equal
scatter this costs no power in two or more directions. The statistic is linear in the products of different species,
whose mean is 0 for embeddings that are blind to the tree. y goes with the species and not with the tip, so that the
test is exact where species are exchangeable. With s_e the sum of y over the tips below edge e, and a_i the depth of the
parent of tip i::

    Σ_{i≠j} C_ij y_i·y_j = Σ_{inner e} ℓ_e ‖s_e‖² - Σ_i a_i ‖y_i‖²

which costs O(nodes·d) a permutation without a fit. In 300 draws of 80 mammals, tree-blind vectors had p ≤ 0.05 in 0.04
to 0.07, with equal scatter and where the scatter or the number of images differed between clades. At λ = 0.2 the power
was 0.4 with 4 and 0.99 with 32 dimensions.
"""

from __future__ import annotations

import numpy as np

from bioclip_probe.stats.all_pairs.clade_forms import CladeForms, CladePlan
from bioclip_probe.stats.brownian_likelihood import BrownianLikelihood
from bioclip_probe.stats.devices import CPU

#: Steps towards the spatial median, and what counts as no distance, as a share of the largest coordinate.
MOST_STEPS, NEAR = 200, 1e-8


class TreeScore:
    """The statistic of the test, Σ_{i≠j} C_ij y_i·y_j, for orders of the species.

    Parameters
    ----------
    likelihood : BrownianLikelihood
        Of all tips.
    device : str
        Where clades are summed.

    Attributes
    ----------
    forms : CladeForms
        The squared norms ‖s_e‖² of all clades.

    Examples
    --------
    >>> from bioclip_probe.stats.brownian_likelihood import BrownianTree
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> splits = BrownianTree(parse_newick("((a:1,b:1):1,(c:1,d:1):1);"))
    >>> means = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    >>> score = TreeScore(BrownianLikelihood.of(splits, means, np.zeros(4)))
    >>> score.of_orders(np.array([[0, 1, 2, 3], [0, 2, 1, 3]])).round(2).tolist()
    [4.0, -4.0]
    """

    def __init__(self, likelihood: BrownianLikelihood, device: str = CPU) -> None:
        splits, signs = likelihood.splits, spatial_signs(likelihood.blocks)
        plan = CladePlan.of(splits.tree)
        length = np.zeros((1, len(splits.tree)))
        length[0, splits.nodes] = splits.depth - splits.depth_above
        length[0, splits.nodes[splits.tips]] = splits.depth[0] - splits.depth_above[splits.tips]
        self._weights = plan.per_clade(length)
        values = signs.transpose(1, 0, 2).reshape(plan.k, -1)
        self.forms = CladeForms(plan, values, np.ones(values.shape[1]), device, n_rounded=values.shape[1])

    def of_orders(self, orders: np.ndarray) -> np.ndarray:
        """Return the statistic for P orders of the species.

        Parameters
        ----------
        orders : ndarray, shape (P, k), int
            In order p, species ``orders[p, i]`` stands at tip i.

        Returns
        -------
        ndarray, shape (P,), float64
            Higher the more alike relatives are.
        """
        return self.forms.weighted(orders, self._weights)[:, 0]


def permuted_tree_scores(
    score: TreeScore, n_permutations: int, rng: np.random.Generator, most_numbers: int | None = None
) -> tuple[float, np.ndarray]:
    """Return the statistic of the test, and that after random permutations of the species over the tips.

    Parameters
    ----------
    score : TreeScore
    n_permutations : int
    rng : numpy.random.Generator
    most_numbers : int, optional
        Numbers that one thread looks at for the permutations that it sums together.

    Returns
    -------
    score : float
        In units of the largest of the statistic and its permutations.
    permuted : ndarray, shape (n_permutations,), float64

    Examples
    --------
    >>> from bioclip_probe.stats.brownian_likelihood import BrownianTree
    >>> from bioclip_probe.tree.newick import parse_newick
    >>> splits = BrownianTree(parse_newick("((a:1,b:1):1,(c:1,d:1):1);"))
    >>> likelihood = BrownianLikelihood.of(splits, np.array([[1.0], [1.0], [-1.0], [-1.0]]), np.zeros(4))
    >>> score, permuted = permuted_tree_scores(TreeScore(likelihood), 9, np.random.default_rng(0))
    >>> bool(score >= permuted.max())
    True
    """
    at_once = score.forms.orders_at_once(most_numbers)
    unpermuted = np.arange(score.forms.plan.k, dtype=np.int32)
    orders = (
        rng.permuted(np.tile(unpermuted, (min(at_once, n_permutations - start), 1)), axis=1)
        for start in range(0, n_permutations, at_once)
    )
    together = np.concatenate([score.of_orders(unpermuted[None]), *score.forms.each(score.of_orders, orders)])
    together /= max(np.abs(together).max(), np.finfo(float).tiny)
    return float(together[0]), together[1:]


def spatial_signs(blocks: np.ndarray) -> np.ndarray:
    """Return the unit vector of each species from the spatial median of all, the point at which they add up to 0.

    Parameters
    ----------
    blocks : ndarray, shape (blocks, k, b)
        Traits, as `in_blocks` returns them.

    Returns
    -------
    ndarray, shape (blocks, k, b), float64
        0 for a species at the median.

    References
    ----------
    Weiszfeld 1937, Tohoku Math. J. 43, 355; Möttönen & Oja 1995, J. Nonparametr. Stat. 5, 201.

    Examples
    --------
    >>> spatial_signs(np.array([[[0.0], [1.0], [50.0]]])).ravel().round(2).tolist()
    [-1.0, 0.0, 1.0]
    """
    median = np.median(blocks, axis=1, keepdims=True)
    size = float(np.abs(blocks).max(initial=0.0)) or 1.0
    for _ in range(MOST_STEPS):
        values = blocks - median
        distance = np.sqrt(np.einsum("bkj,bkj->k", values, values))
        weight = 1 / np.maximum(distance, NEAR * size)
        step = np.einsum("bkj,k->bj", values, weight)[:, None] / weight.sum()
        median = median + step
        if np.abs(step).max() < NEAR * size:
            break
    values = blocks - median
    distance = np.sqrt(np.einsum("bkj,bkj->k", values, values))
    values /= np.where(distance > 10 * NEAR * size, distance, np.inf)[:, None]
    return np.asarray(values)
