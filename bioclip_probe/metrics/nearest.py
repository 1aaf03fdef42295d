"""Purity of nearest neighbours: how many of the images nearest to an image are of its taxon.

Three forms differ in which images may be neighbours: all others, those of other species, those of other child taxa. An
image nearest to another one of its own species says nothing of a higher rank, so the second form is the headline.

Chance above species rank is that of the species null, which is exact: see `neighborhoods`.

Images at exactly one distance tie, and scores are means over random orders of tied images. Intervals leave out groups
of species, as images and as neighbours, and compute the number and its chance level again.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from bioclip_probe.metrics.image_pass import K_NEIGHBORS
from bioclip_probe.metrics.intervals import with_enough_relatives, with_note, without_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.neighborhoods import Question, with_exact_ends
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.sweep.cells import level_of
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

NO_NAME = "no image has a name at this rank"
ONE_TAXON = "only one taxon"
SINGLE_IMAGES = "every taxon has a single image"
ALONE = "no image has a candidate of its taxon among other {}"
ALL_OWN = "every neighbour is of the image's own species: nothing is left to correct for chance"
#: With fewer units that can be right there is no interval among other species: relatives are right or wrong together,
#: and in trials with fewer the intervals were too narrow.
FEWEST_SCORED = 20
SHARE, ADJUSTED = (0.0, 1.0), (-np.inf, 1.0)
ROUNDING = 1e-9  # shares below this are 0 but for rounding
#: The rank and the number of neighbours of the primary endpoint, whose p-value has more permutations.
PRIMARY = ("family", 1)


def knn_purity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the mean share of an image's k nearest neighbours that are of its own taxon, at each rank.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``knn_purity_1``, ``_5`` and ``_10`` in [0, 1], higher is better, and ``<name>_adjusted``, at most 1 and 0 at
        chance. An image without any other candidate of its taxon can never be right: it is not scored, stays a
        candidate for the others, and counts in ``n_excluded``. An image with fewer than k candidates is scored on
        those it has. ``n_taxa`` counts the taxa scored. The note gives the highest value that can be reached where
        taxa have k images or fewer.

        Above species rank, chance is that of the species null (see `neighborhoods`): what a perfect memoriser of
        species without any tree reaches. The adjusted number, (purity − chance)/(1 − chance), is then about neighbours
        of other species alone: ``n_images`` counts the images that have such a neighbour, and without any it does not
        exist. At species rank chance is the share of candidates that are of the own species: the images null.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> [row.value for row in knn_purity(vectors, placement) if (row.metric, row.rank) == ("knn_purity_1", "genus")]
    [1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rows = []
    for k in K_NEIGHBORS:
        for rank in RANKS:
            question = Question(shared.neighbors(rank), k, level_of(rank))
            purity, adjusted = estimate_knn_purity(question, shared.jackknife(), shared.settings)
            rows.append(Measurement(f"knn_purity_{k}", rank, purity))
            rows.append(Measurement(f"knn_purity_{k}_adjusted", rank, adjusted))
    return rows


def estimate_knn_purity(
    question: Question, jackknife: Jackknife, settings: MeasureSettings
) -> tuple[Estimate, Estimate]:
    """Return `knn_purity` at one rank, plain and adjusted.

    Parameters
    ----------
    question : Question
        With `least` 0.
    jackknife : Jackknife
        Of all images; its groups are those of the lists.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    purity, adjusted : Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> question = Question(shared.neighbors("genus"), 1, level_of("genus"))
    >>> estimate_knn_purity(question, shared.jackknife(), shared.settings)[0].value
    1.0
    """
    null = "species" if question.level else "images"
    scores, purity = _estimate(question, null, SINGLE_IMAGES, jackknife, settings)
    if not np.isfinite(purity.value):
        return purity, purity
    values, chances, reachable, free = scores.T
    # The same numbers among the free neighbours alone: those of other species, or all at species rank.
    right, chances, best = (
        1 - np.divide(1 - each, free, out=np.full(len(free), np.nan), where=free > ROUNDING)
        for each in (values, chances, reachable)
    )
    enter = question.scored() * (question.free() > ROUNDING) > 0
    rows = question.lists.rows[enter[question.lists.cell]]
    counts: dict[str, Any] = {"n_images": len(rows), "n_taxa": len(np.unique(question.taxon[enter]))}
    counts["n_excluded"] = len(jackknife.group) - len(rows)
    if not len(rows) or chances[0] > 1 - ROUNDING:
        return purity, Estimate.undefined("chance alone is perfect" if len(rows) else ALL_OWN, **counts)
    corrected, ends = ((each - chances) / (1 - chances) for each in (right, np.array([0 * best, best])))
    adjusted = Estimate(float(corrected[0]), chance=0.0, null=null, **counts)
    adjusted = with_exact_ends(adjusted, corrected[1:], ends.T, jackknife.take(rows), settings, ADJUSTED)
    if question.level:
        kept = question.lists.kept() > 0
        adjusted = with_enough_relatives(adjusted, question.taxon[kept], question.lists.taxa(0)[kept])
    if len(rows) < purity.n_images:
        some_free = f"{len(rows):,} of {purity.n_images:,} images have a neighbour of another species"
        adjusted = with_note(adjusted, some_free)
    return purity, adjusted


def knn_purity_other_species(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the mean share of its own taxon among an image's k nearest images of other species, above species rank.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``knn_purity_1_other_species``, ``_5_`` and ``_10_`` at the ranks kingdom to genus, in [0, 1]; higher is better.
        An image whose taxon has no other species is not scored and counts in ``n_excluded``. Chance is exact under the
        species null (see `neighborhoods`). The p-value permutes whole species over the tips, ``n_permutations`` times,
        and ``n_primary_permutations`` times for k = 1 at family, which is a primary endpoint.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    The neighbours are found once; a permutation adds up one number for each pair of species that are linked by
    neighbours.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> rows = knn_purity_other_species(vectors, placement)
    >>> [row.value for row in rows if (row.metric, row.rank) == ("knn_purity_1_other_species", "genus")]
    [1.0]
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rows = []
    for k in K_NEIGHBORS:
        name = f"knn_purity_{k}_other_species"
        for rank in RANKS[:-1]:
            question = Question(shared.neighbors(rank), k, level_of(rank), least=1)
            primary = (rank, k) == PRIMARY
            n = shared.settings.n_primary_permutations if primary else shared.settings.n_permutations
            p_value = (shared.stream(name, rank), n)
            estimate = estimate_purity_among_others(question, "species", p_value, shared.jackknife(), shared.settings)
            rows.append(Measurement(name, rank, estimate))
    return rows


def knn_purity_other_children(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how often the nearest image of another child taxon is of the same taxon, at the ranks kingdom to family.

    At family, images of the own genus are no candidates: is the nearest image of another genus of the same family?

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``knn_purity_1_other_children``, in [0, 1]; higher is better. Images without a name at the child rank are left
        out. An image whose taxon has no other child is not scored and counts in ``n_excluded``. Chance and p-value
        permute whole child taxa among the taxa (see `neighborhoods`); the column ``null`` names the child rank.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> knn_purity_other_children(vectors, placement)[0].estimate.note
    'no image has a name at this rank'
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name, rows = "knn_purity_1_other_children", []
    for rank, child in pairwise(RANKS[:-1]):
        question = Question(shared.neighbors(rank, child), 1, level_of(rank), least=level_of(rank))
        p_value = (shared.stream(name, rank), shared.settings.n_permutations)
        estimate = estimate_purity_among_others(question, child, p_value, shared.jackknife(), shared.settings)
        rows.append(Measurement(name, rank, estimate))
    return rows


def estimate_purity_among_others(
    question: Question,
    null: str,
    permutations: tuple[np.random.Generator, int],
    jackknife: Jackknife,
    settings: MeasureSettings,
) -> Estimate:
    """Return `knn_purity_other_species` or `knn_purity_other_children` at one rank.

    Parameters
    ----------
    question : Question
        With `least` above 0.
    null : str
        Rank of the taxa whose images are no candidates of each other, and which the null permutes.
    permutations : (numpy.random.Generator, int)
        Random stream and number of permutations of the p-value.
    jackknife : Jackknife
        Of all images; its groups are those of the lists.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> shared = SharedResults(*corvids())
    >>> question, permutations = Question(shared.neighbors("genus"), 1, 1, least=1), (np.random.default_rng(0), 99)
    >>> estimate_purity_among_others(question, "species", permutations, shared.jackknife(), shared.settings).value
    1.0
    """
    _, purity = _estimate(question, null, ALONE.format(null), jackknife, settings)
    if not np.isfinite(purity.value):
        return purity
    if purity.n_units < FEWEST_SCORED:
        few = f"{purity.n_units} units ({jackknife.rank}) can be right, needs at least {FEWEST_SCORED}"
        purity = without_interval(purity, few)
    return replace(purity, p_value=question.p_value(*permutations))


def _estimate(
    question: Question, null: str, alone: str, jackknife: Jackknife, settings: MeasureSettings
) -> tuple[np.ndarray, Estimate]:
    """Return the scores of all images and without each group, shape (G + 1, 4), and the purity with its interval."""
    n, taxon, weight = len(jackknife.group), question.taxon, question.scored()
    named, n_taxa = int(question.lists.kept().sum()), int(taxon.max(initial=-1)) + 1
    if n_taxa < 2 or not weight.any():
        reason = (NO_NAME, ONE_TAXON)[n_taxa] if n_taxa < 2 else alone
        return np.zeros((0, 4)), Estimate.undefined(reason, named, n_taxa, n - named)
    scores = question.all_scores
    # The last groups may hold no image with a name; leaving them out changes nothing.
    scores = np.concatenate([scores, np.tile(scores[:1], (jackknife.n_groups + 1 - len(scores), 1))])
    value, chance, reachable, _ = scores[0].tolist()
    purity = Estimate(
        value,
        chance=chance,
        null=null,
        n_images=int(weight.sum()),
        n_taxa=len(np.unique(taxon[weight > 0])),
        n_excluded=n - int(weight.sum()),
    )
    if reachable < 1 - 1e-12:
        purity = with_note(purity, f"at most {reachable:.3f} can be reached: some taxa have few images")
    ends = np.stack([np.zeros(len(scores)), scores[:, 2]], axis=1)
    rows = question.lists.rows[weight[question.lists.cell] > 0]
    return scores, with_exact_ends(purity, scores[1:, 0], ends, jackknife.take(rows), settings, SHARE)
