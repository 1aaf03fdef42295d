"""Scores of anchors from their counts on a device of torch: the sums of `scoring`, for many anchors at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioclip_probe.stats.sweep import scoring

if TYPE_CHECKING:
    import torch


def scores_of_counts(counts: torch.Tensor, harmonic: torch.Tensor) -> torch.Tensor:
    """Return the scores of several anchors, as `scoring.reduce_row` gives them for one.

    Parameters
    ----------
    counts : tensor, shape (V, L, B), int
        Numbers of other rows by level and bin.
    harmonic : tensor, shape (n + 1,), float64
        Harmonic numbers.

    Returns
    -------
    tensor, shape (V, N_SCORES, L), float64

    Examples
    --------
    >>> import torch
    >>> counts, harmonic = torch.tensor([[[1, 0], [0, 2]]]), torch.tensor([0, 1, 1.5, 1.5 + 1 / 3])
    >>> scores_of_counts(counts, harmonic.double())[0, scoring.AP].tolist()
    [1.0, 1.0]
    """
    import torch

    histogram = counts.to(torch.float64)
    last = histogram.shape[1] - 1
    size = histogram.sum(dim=2)
    total = size.cumsum(dim=1)
    scores = torch.zeros((len(counts), scoring.N_SCORES, last + 1), dtype=torch.float64, device=counts.device)
    relevant = histogram.cumsum(dim=1)
    hits = relevant.cumsum(dim=2) - relevant  # rows up to a level in nearer bins
    members, before = relevant[:, -1], hits[:, -1]
    farther = (members[:, None] - relevant).mul_(0.5)
    scores[:, scoring.SIZE], scores[:, scoring.TRIPLETS] = size, size * (total[:, -1:] - total)
    scores[:, scoring.TIED] = (histogram * farther).sum(dim=2)
    rest = (total[:, -1:] - total)[:, :, None] - (before[:, None] - hits) - farther
    scores[:, scoring.RIGHT] = (histogram * rest).sum(dim=2)
    del farther, rest
    weights = _weights(members, before, harmonic)
    scores[:, scoring.HIERARCHICAL_AP, 0], scores[:, scoring.SCORED_HIERARCHICAL, 0] = _hierarchical_ap(
        histogram, size, weights
    )
    own, own_hits = histogram[:, :1], hits[:, :1]
    for first, others in ((scoring.AP, False), (scoring.AP_OTHER, True)):
        if others:
            relevant, hits, total = relevant - own, hits - own_hits, total - total[:, :1]
            members, before = relevant[:, -1], hits[:, -1]
            weights = _weights(members, before, harmonic)
        within = torch.minimum((total[:, :, None] - before[:, None]).clamp_(min=0), members[:, None])
        found = (relevant * within / members.clamp(min=1)[:, None]).sum(dim=2)
        for score, sums in ((first, _precisions(relevant, hits, weights)), (first + 1, found)):
            scores[:, score] = sums / total.clamp(min=1)
            scores[:, score, last] = 1.0
            scores[:, score] *= total > 0
        scores[:, first + 2] = (total > 0).to(torch.float64)
    return scores


def _weights(members: torch.Tensor, before: torch.Tensor, harmonic: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights a and b of each bin, see `scoring.reduce_row`."""
    first = before.long()
    slope = harmonic[first + members.long()] - harmonic[first]
    share = 1 / members.clamp(min=1)
    return share / (members - 1).clamp(min=1) * (members - (before + 1) * slope), share * slope


def _precisions(relevant: torch.Tensor, hits: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the sum of the precisions of relevant rows, from their numbers in each bin and in nearer bins."""
    a, b = weights
    return (relevant * ((relevant - 1) * a[:, None] + (hits + 1) * b[:, None])).sum(dim=2)


def _hierarchical_ap(
    histogram: torch.Tensor, size: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hierarchical AP and whether it exists: levels are added in the order of their relevance."""
    import torch

    last = size.shape[1] - 1
    level = torch.arange(last, -1, -1, dtype=torch.float64, device=size.device) / max(last, 1)
    relevance = torch.where(size > 0, level / size.clamp(min=1), 0.0)
    best = (relevance * size).sum(dim=1)
    relevance, order = relevance.sort(dim=1, descending=True, stable=True)
    step = relevance - torch.cat([relevance[:, 1:], torch.zeros_like(relevance[:, :1])], dim=1)
    relevant = histogram.gather(1, order[:, :, None].expand(histogram.shape)).cumsum_(dim=1)
    hits = relevant.cumsum(dim=2).sub_(relevant)
    total = (step * _precisions(relevant, hits, weights)).sum(dim=1)
    exists = best > 0
    return torch.where(exists, total / best.clamp(min=1e-300), 0.0), exists.to(torch.float64)
