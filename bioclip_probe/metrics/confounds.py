"""The tree correlation that is left when the distances of a control, such as colour, are taken out."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.scores import interval, jackknife_method
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import EmbeddingPair
from bioclip_probe.stats.all_pairs.cross import jackknifed_cross_correlations
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_orders
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval, permutation_p
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import Placement

BOUNDS = (-1.0, 1.0)
#: A correlation nearer to 1 than this leaves nothing but rounding.
SAME = 1e-9


def residual_cophenetic_correlation(
    embeddings: tuple[np.ndarray, np.ndarray] | EmbeddingPair,
    placement: Placement,
    settings: MeasureSettings | None = None,
) -> list[Measurement]:
    """Return CPCC after the centroid distance of a control (colour, pixels) is regressed out of both distances.

    Parameters
    ----------
    embeddings : pair of ndarray, shapes (n, d) and (n, d'), or ControlPair
        Unit vectors of the embedding and of the control, of the same images in the same order.
    placement, settings
        As for `cophenetic_correlation`; species are compared.

    Returns
    -------
    list of Measurement
        One, at species: the partial correlation of tree distance t and centroid distance c given the control's z, over
        all pairs of species: ``(r_tc - r_tz r_cz)/sqrt((1 - r_tz²)(1 - r_cz²))``. In [-1, 1], higher is better, 0
        without any signal beyond the control's. The interval leaves out one group of species after the other. There is
        no p-value, see Notes. Undefined where CPCC is, and where the control's distances do not vary or determine one
        of the other two.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    Not a causal control. Only what is linear in the control's distance at the level of species is taken out: an effect
    of colour that is not linear stays, and what colour truly shares with descent is lost. The partial Mantel test is
    too liberal where distances of all three kinds follow a structure of their own, as on a tree (Guillot & Rousset
    2013): a small p does not show that colour is not the reason. In the calibration study (`tests/calibration`) an
    embedding that had all its knowledge of the tree from the control, with noise of its own, got p ≤ 0.05 in more than
    half of the draws, and a value of about 0.14. Read the value as a description, beside CPCC and beside the control's.

    References
    ----------
    Smouse, Long & Sokal 1986, Syst. Zool. 35, 627; Guillot & Rousset 2013, Methods Ecol. Evol. 4, 336.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> residual_cophenetic_correlation((vectors, vectors), placement)[0].estimate.note
    "the control's distances determine the others"
    """
    pair = EmbeddingPair.of(embeddings, placement, settings)
    name = "residual_cophenetic_correlation"
    taxa, control = pair.first.taxa("species"), pair.second.taxa("species")
    estimate = estimate_residual_correlation(taxa, control, pair.first.stream(name), pair.settings)
    return [Measurement(name, "species", estimate)]


def estimate_residual_correlation(
    taxa: Rows, control: Rows, rng: np.random.Generator, settings: MeasureSettings, test: bool = False
) -> Estimate:
    """Return `residual_cophenetic_correlation` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa, control : Rows
        Centroids of the same taxa in both embeddings.
    rng : numpy.random.Generator
        It draws the groups of the jackknife, and then the permutations.
    settings : MeasureSettings
        `n_groups` and `level` are used, and `n_permutations` by the test.
    test : bool
        Give the p-value of the partial Mantel test too: one-sided, it permutes taxa of the tree, and leaves the
        relation of embedding and control. It failed its calibration and is withdrawn from studies.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> estimate_residual_correlation(taxa, taxa, np.random.default_rng(0), MeasureSettings()).note
    "the control's distances determine the others"
    """
    reason = taxa.reason_undefined()
    if not reason and (of_control := control.reason_undefined()):
        reason = f"of the control: {of_control}"
    if reason:
        return Estimate.undefined(reason, **taxa.counts)
    resampled, group = taxa.jackknife_groups(None, rng, settings.n_groups)
    tree_taxa, tree_control = (_tree_correlations(rows, group) for rows in (taxa, control))
    taxa_control = jackknifed_cross_correlations(taxa.vectors, control.vectors, group)
    values = partial_correlation(tree_taxa, tree_control, taxa_control)
    if np.isnan(values[0]):
        return Estimate.undefined("the control's distances determine the others", **taxa.counts)
    value, p = float(values[0]), np.nan
    ends = jackknife_interval(value, values[1:], BOUNDS, settings.level)
    fields = {"resampled": resampled, **interval(*ends, jackknife_method(settings), resampled)}
    if test:
        null = permuted_partial_correlations(taxa.sums, control.sums, taxa_control[0], rng, settings.n_permutations)
        p = permutation_p(value, null)
    return Estimate(value, chance=0.0, **fields, p_value=p, **taxa.counts)


def partial_correlation(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray | float) -> np.ndarray:
    """Return the correlation of x and y given z.

    Parameters
    ----------
    xy, xz, yz : ndarray
        The correlations of the three pairs of variables; their shapes broadcast.

    Returns
    -------
    ndarray
        In [-1, 1]; NaN where z determines x or y.

    Examples
    --------
    >>> partial_correlation(np.array([0.5]), np.array([0.6]), 0.0).round(3).tolist()
    [0.625]
    """
    left_x, left_y = 1 - np.square(xz), 1 - np.square(yz)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.clip((xy - xz * yz) / np.sqrt(left_x * left_y), -1, 1)
    return np.where((left_x > SAME) & (left_y > SAME), value, np.nan)


def permuted_partial_correlations(
    taxa: TreeSums, control: TreeSums, taxa_control: float, rng: np.random.Generator, n_permutations: int
) -> np.ndarray:
    """Return partial correlations with taxa permuted over the tips of the tree.

    Parameters
    ----------
    taxa, control : TreeSums
        Sums over all pairs, see `Rows.sums`.
    taxa_control : float
        Correlation of the distances of embedding and control, which permutations do not change.
    rng : numpy.random.Generator
    n_permutations : int

    Returns
    -------
    ndarray, shape (n_permutations,)

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> taxa, control = Rows.taxa(vectors, placement), Rows.taxa(vectors[::-1], placement)
    >>> permuted_partial_correlations(taxa.sums, control.sums, 0.5, np.random.default_rng(0), 4).shape
    (4,)
    """
    values = [
        partial_correlation(taxa.correlations(orders), control.correlations(orders), taxa_control)
        for orders in permuted_orders(taxa, n_permutations, rng)
    ]
    return np.concatenate(values)


def _tree_correlations(rows: Rows, group: np.ndarray) -> np.ndarray:
    """Return the correlation with tree distance over all pairs, then without each group, shape (1 + G,)."""
    sums = JackknifeSums.of(rows.tree, JackknifeMoments.of([(rows.vectors, rows.tips)], group))
    return np.array([sums.correlation(), *sums.without_each_group()])
