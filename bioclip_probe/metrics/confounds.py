"""Is it just colour? What is left of the tree correlation once a control's distances are taken out."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.cross import jackknifed_cross_correlations
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.all_pairs.moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_orders
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval, permutation_p
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import Placement

N_PERMUTATIONS = 999
BOUNDS = (-1.0, 1.0)
#: A correlation nearer to 1 than this leaves nothing but rounding.
SAME = 1e-9


def residual_cophenetic_correlation(
    vectors: np.ndarray,
    control_vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    test: bool = False,
) -> Estimate:
    """CPCC after the centroid distance of a control (colour, pixels) is regressed out of both distances.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    control_vectors : ndarray, shape (n, d')
        Those of the control, of the same images in the same order.
    placement : Placement
        The taxa compared are its tips.
    rng : numpy.random.Generator
    test : bool
        Give the p of the partial Mantel test too. It failed its calibration (see Notes) and is withdrawn from studies.

    Returns
    -------
    Estimate
        The partial correlation of tree distance t and centroid distance c given the control's z, over all pairs of
        taxa: ``(r_tc - r_tz r_cz)/sqrt((1 - r_tz²)(1 - r_cz²))``. In [-1, 1], higher is better, 0 without any signal
        beyond the control's. `p_value` permutes taxa of the tree, not embedding against control, one-sided;
        the interval leaves out one group of taxa after the other. Undefined where CPCC is, and where the control's
        distances do not vary or determine one of the other two.

    Raises
    ------
    DataError
        If a vector is not finite.
    ValueError
        If the two are not of the same images.

    Notes
    -----
    Not a causal control. What is taken out is what is linear in the control's distance at the level of species, no
    more: colour that acts otherwise stays, and what colour truly shares with descent goes. The partial Mantel test is
    too liberal where distances of all three kinds follow a structure of their own, as on a tree (Guillot & Rousset
    2013): a small p does not show that colour is not the reason. In the calibration study (`tests/calibration`) an
    embedding that had all it knew of the tree from the control, with noise of its own, got p ≤ 0.05 in more than half
    of the draws, and a value of about 0.14. Read the value as a description, beside CPCC and beside the control's.

    References
    ----------
    Smouse, Long & Sokal 1986, Syst. Zool. 35, 627; Guillot & Rousset 2013, Methods Ecol. Evol. 4, 336.
    """
    if len(vectors) != len(control_vectors):
        raise ValueError(f"expected the same images of both, got {len(vectors)} and {len(control_vectors)}")
    taxa, control = Rows.taxa(vectors, placement), Rows.taxa(control_vectors, placement)
    if reason := taxa.reason_undefined() or _of_control(control):
        return Estimate.undefined(reason, **taxa.counts)
    resampled, part = taxa.jackknife_groups(None, rng)
    tree_c, tree_z = (_with_tree(rows, part) for rows in (taxa, control))
    c_z = jackknifed_cross_correlations(taxa.vectors, control.vectors, part)
    values = partial_correlation(tree_c, tree_z, c_z)
    if np.isnan(values[0]):
        return Estimate.undefined("the control's distances determine the others", **taxa.counts)
    value = float(values[0])
    return Estimate(
        value,
        chance=0.0,
        **{"resampled": resampled, **interval(*jackknife_interval(value, values[1:], BOUNDS), JACKKNIFE, resampled)},
        p_value=permutation_p(value, _permuted(taxa.sums, control.sums, c_z[0], rng)) if test else np.nan,
        **taxa.counts,
    )


def partial_correlation(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray) -> np.ndarray:
    """Correlation of x and y given z, from the three; NaN where z determines x or y."""
    left_x, left_y = 1 - np.square(xz), 1 - np.square(yz)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.clip((xy - xz * yz) / np.sqrt(left_x * left_y), -1, 1)
    return np.where((left_x > SAME) & (left_y > SAME), value, np.nan)


def _of_control(control: Rows) -> str:
    return f"of the control: {reason}" if (reason := control.reason_undefined()) else ""


def _with_tree(rows: Rows, part: np.ndarray) -> np.ndarray:
    """Correlation with tree distance over all pairs, then without each part, shape (1 + P,)."""
    sums = JackknifeSums.of(rows.tree, JackknifeMoments.of([(rows.vectors, rows.tips)], part))
    return np.array([sums.correlation(), *sums.without_each_group()])


def _permuted(taxa: TreeSums, control: TreeSums, c_z: float, rng: np.random.Generator) -> np.ndarray:
    """Partial correlations with taxa permuted at the tips: the relation of embedding and control stays."""
    values = [
        partial_correlation(taxa.correlations(orders), control.correlations(orders), c_z)
        for orders in permuted_orders(taxa, N_PERMUTATIONS, rng)
    ]
    return np.concatenate(values)
