"""Accuracies of the answers of one probe at one rank: over images, over taxa, and inside clades.

The accuracy over taxa leads: in every fold each taxon has the same weight, and a probe without any signal scores its
chance level whatever the sizes of the taxa.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.answers import SPLIT, Answers, measure_answers
from bioclip_probe.metrics.intervals import CAUTIOUS_UNITS, with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.scores import constant_accuracy, estimate_macro_accuracy, estimate_mean
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


def top1_accuracy(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of answers that name the correct taxon.

    Parameters
    ----------
    answers : Answers
    placement : Placement, optional
        Every metric takes one; it changes nothing here.
    settings : MeasureSettings, optional
        `level` is used; by default the settings of the answers.

    Returns
    -------
    list of Measurement
        One, in [0, 1], higher is better; chance as `Answers.balanced` says. Frequent taxa weigh more, other than in
        `macro_accuracy`. The interval is about other units (see `Answers.jackknife`) asked of the same probes. If
        images are asked about in several folds, the note gives the standard deviation over folds, as few-shot results
        are published.

    Notes
    -----
    Where taxa are balanced in training but not among the tested images, the answers of a probe without any signal are
    right for 1/taxa only as far as it names all taxa equally often; a vote of the nearest image names frequent taxa.

    References
    ----------
    Alain & Bengio 2017, ICLR workshop, arXiv 1610.01644 (linear probes).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> round(top1_accuracy(corvid_answers())[0].value, 2)
    0.67
    """
    return measure_answers("top1_accuracy", answers, settings, _estimate_top1)


def top5_accuracy(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of answers that have the correct taxon among the first five.

    Parameters
    ----------
    answers, placement, settings
        As for `top1_accuracy`.

    Returns
    -------
    list of Measurement
        One, in [0, 1], higher is better; chance and interval as for `top1_accuracy`. Undefined with fewer than six
        taxa.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> top5_accuracy(corvid_answers())[0].estimate.note
    'needs at least 6 taxa, found 2'
    """
    return measure_answers("top5_accuracy", answers, settings, _estimate_top5)


def macro_accuracy(
    answers: Answers, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy averaged over taxa, see `scores.estimate_macro_accuracy`.

    Parameters
    ----------
    answers, placement, settings
        As for `top1_accuracy`.

    Returns
    -------
    list of Measurement
        One, in [0, 1], higher is better; chance is 1/(taxa to choose from). A probe without any signal reaches chance
        whatever the sizes of the taxa, and so does a memoriser of child taxa that is asked about those it never saw.
        For these (`Answers.unseen`) the row has a one-sided p-value of accuracy above chance, from the same jackknife
        over child taxa as the interval.

    Notes
    -----
    Other species would give other child taxa to ask about, and other images to learn from. The jackknife over child
    taxa shows the first only, so that its intervals are widened for the second, see
    `bioclip_probe.stats.jackknife.cross_validation_widening`. The calibration study (tests/calibration) gives their
    coverage.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> macro_accuracy(corvid_answers())[0].value
    0.75
    """
    return measure_answers("macro_accuracy", answers, settings, _estimate_macro)


def clade_accuracy(
    answers: Answers, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the accuracy inside each clade of the next rank up.

    Parameters
    ----------
    answers : Answers
    placement : Placement
        The pictures in a taxonomy; `Answers.image` is the number of a picture there.
    settings : MeasureSettings, optional
        As for `top1_accuracy`.

    Returns
    -------
    list of Measurement
        One for each clade with at least two tested taxa, with `taxon` the path of the clade; in [0, 1], higher is
        better. An answer outside the clade is wrong. Empty at the highest rank.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_answers
    >>> answers = corvid_answers()
    >>> [row.taxon for row in clade_accuracy(answers, answers.placement)]  # no bird here has a family
    []
    """
    if answers.rank == RANKS[0]:
        return []
    above = placement.at(RANKS[RANKS.index(answers.rank) - 1])
    tested, settings = answers.tested, settings or answers.settings
    clade = above[tested.image]
    order = np.argsort(clade, kind="stable")
    clades, starts = np.unique(clade[order], return_index=True)
    measurements = []
    for node, members in zip(clades.tolist(), np.split(order, starts)[1:], strict=True):
        own = tested.take(members)
        n_taxa = len(np.unique(own.truth))
        if node < 0 or n_taxa < 2:
            continue
        estimate = estimate_mean(own.right, own.left_out, settings, n_taxa=n_taxa)
        estimate = replace(estimate, n_images=len(np.unique(own.image)))
        path = placement.tree.path(node)
        measurements.append(Measurement("clade_accuracy", answers.rank, estimate, taxon=path, split=SPLIT))
    return measurements


def _estimate_top1(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the accuracy, with its scatter over folds in the note."""
    tested = answers.tested
    chance = _chance_among(answers, 1)
    estimate = estimate_mean(tested.right, tested.left_out, settings, chance=chance, null=answers.null)
    return with_note(_about_children(answers, estimate), _scatter_over_folds(tested))


def _estimate_top5(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the share of answers with the truth among the first five."""
    tested = answers.tested
    n_taxa = int(answers.choices[answers.answered].max())
    if n_taxa < 6:
        return Estimate.undefined(f"needs at least 6 taxa, found {n_taxa}")
    among = (tested.place > 0) & (tested.place <= 5)
    chance = _chance_among(answers, 5)
    return estimate_mean(among, tested.left_out, settings, chance=chance, null=answers.null)


def _estimate_macro(answers: Answers, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the accuracy averaged over taxa."""
    tested, choices = answers.tested, answers.choices[answers.answered]
    rows = (tested.truth, tested.predicted, tested.fold, choices)
    estimate = _about_children(answers, estimate_macro_accuracy(*rows, tested.left_out, settings))
    return replace(estimate, null=answers.null, p_value=estimate.p_value if answers.unseen else np.nan)


def _about_children(answers: Answers, estimate: Estimate) -> Estimate:
    """Return an accuracy with a warning where few children were held out."""
    few = answers.unseen and np.isfinite(estimate.ci_low) and estimate.n_units < CAUTIOUS_UNITS
    if not few or "too narrow" in estimate.note:
        return estimate
    return with_note(estimate, f"with {estimate.n_units} children, the interval may be too narrow near chance")


def _chance_among(answers: Answers, k: int) -> float:
    """Return how often k answers that do not depend on the image hold the truth, see `Answers.balanced`."""
    if answers.balanced:
        return float(np.minimum(k / answers.choices[answers.answered], 1).mean())
    truth = answers.tested.truth
    return constant_accuracy(truth, answers.learnt if len(answers.learnt) else truth, k)


def _scatter_over_folds(tested: Answers) -> str:
    """Return the standard deviation of accuracy over folds that ask about the same images; else an empty string."""
    if len(np.unique(tested.image)) == len(tested.image):
        return ""
    _, fold = np.unique(tested.fold, return_inverse=True)
    accuracies = np.bincount(fold, weights=tested.right) / np.bincount(fold)
    return f"sd over folds {np.std(accuracies):.4f} (population)"
