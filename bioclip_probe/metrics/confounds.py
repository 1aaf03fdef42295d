"""The tree correlation that is left when the distances of a control, such as colour, are taken out."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.embedding_pairs import EmbeddingPair
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.all_pairs.distance_sums import centred_points, correlation_of_distances, distance_sums
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_orders
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import Placement

NO_TEST = (
    "a description: no interval and no p-value, because in the calibration study both took an embedding that knows the "
    "tree through the control alone for one that knows more"
)
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
        all pairs of species: ``(r_tc - r_tz r_cz)/sqrt((1 - r_tz²)(1 - r_cz²))``. In [-1, 1], higher is better; chance
        is 0, with species permuted over the tips (null: species). It is a description, without an interval and without
        a p-value, and the note says so, see Notes. Undefined where CPCC is, and where the control's distances do not
        vary or determine one of the other two.

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
    embedding that had all its knowledge of the tree from the control, with noise of its own, had a value of about 0.14;
    its p was 0.05 or less in more than half of the draws, and a jackknife interval left out 0 in 80 of 100. Noise in
    the embedding takes only a part of the shared knowledge out of its distances, and the rest looks like its own. Read
    the value as a description, beside CPCC and beside the control's.

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
    estimate = estimate_residual_correlation(pair.first.taxa("species"), pair.second.taxa("species"))
    return [Measurement("residual_cophenetic_correlation", "species", estimate)]


def estimate_residual_correlation(taxa: Rows, control: Rows) -> Estimate:
    """Return `residual_cophenetic_correlation` of the taxa at the tips of one tree.

    Parameters
    ----------
    taxa, control : Rows
        Centroids of the same taxa in both embeddings.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> estimate_residual_correlation(taxa, taxa).note
    "the control's distances determine the others"
    """
    reason = taxa.reason_undefined()
    if not reason and (of_control := control.reason_undefined()):
        reason = f"of the control: {of_control}"
    if reason:
        return Estimate.undefined(reason, **taxa.counts)
    of_taxa, with_control = (np.array(rows.sums.correlation()) for rows in (taxa, control))
    value = float(partial_correlation(of_taxa, with_control, distance_correlation(taxa, control)))
    if np.isnan(value):
        return Estimate.undefined("the control's distances determine the others", **taxa.counts)
    return Estimate(value, chance=0.0, null="species", **taxa.counts, note=NO_TEST)


def distance_correlation(taxa: Rows, control: Rows) -> float:
    """Return the correlation of the distances of two embeddings over all pairs of taxa.

    Parameters
    ----------
    taxa, control : Rows
        Centroids of the same taxa.

    Returns
    -------
    float
        In [-1, 1]; NaN where the distances of one of them do not vary.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> taxa = Rows.taxa(*corvids())
    >>> round(distance_correlation(taxa, taxa), 6)
    1.0
    """
    c, e = centred_points(taxa.vectors), centred_points(control.vectors)
    return correlation_of_distances(distance_sums(c, e), distance_sums(c, c), distance_sums(e, e))


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
        for orders in permuted_orders(len(taxa.tree.tips), n_permutations, rng, at_once=taxa.forms().orders_at_once())
    ]
    return np.concatenate(values)
