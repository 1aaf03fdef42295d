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
    hits = relevant.cumsum(dim=2).sub_(relevant)  # rows up to a level in nearer bins
    members, before = relevant[:, -1], hits[:, -1]
    rest = total[:, -1:] - total
    scores[:, scoring.SIZE], scores[:, scoring.TRIPLETS] = size, size * rest
    half_tied = 0.5 * (_times(histogram, members) - (histogram * relevant).sum(dim=2))
    nearer = _times(histogram, before) - (histogram * hits).sum(dim=2)  # pairs that are out of order
    scores[:, scoring.TIED], scores[:, scoring.RIGHT] = half_tied, size * rest - nearer - half_tied
    weights = _weights(members, before, harmonic)
    scores[:, scoring.HIERARCHICAL_AP, 0], scores[:, scoring.SCORED_HIERARCHICAL, 0] = _hierarchical_ap(
        histogram, size, weights
    )
    own, own_hits = histogram[:, :1], hits[:, :1].clone()
    for first, others in ((scoring.AP, False), (scoring.AP_OTHER, True)):
        if others:
            relevant, hits, total = relevant.sub_(own), hits.sub_(own_hits), total - total[:, :1]
            weights = _weights(relevant[:, -1], hits[:, -1], harmonic)
        for score, sums in ((first, _precisions(relevant, hits, weights)), (first + 1, _hits(relevant, hits, total))):
            scores[:, score] = sums / total.clamp(min=1)
            scores[:, score, last] = 1.0
            scores[:, score] *= total > 0
        scores[:, first + 2] = (total > 0).to(torch.float64)
    return scores


def _times(table: torch.Tensor, of_bin: torch.Tensor) -> torch.Tensor:
    """Return the sums over bins of a table, shape (V, L, B), times a number for each bin, shape (V, B)."""
    return (table @ of_bin[:, :, None])[:, :, 0]


def _hits(relevant: torch.Tensor, hits: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    """Return how many of the nearest rows are relevant, of as many as are relevant at each level."""
    import torch

    members, before = relevant[:, -1].contiguous(), hits[:, -1].contiguous()
    last = (torch.searchsorted(before, total) - 1).clamp_(min=0)  # the last bin that holds some of them
    part = torch.minimum(members.gather(1, last), total - before.gather(1, last)) / members.gather(1, last).clamp(min=1)
    of_last = [table.gather(2, last[:, :, None])[:, :, 0] for table in (hits, relevant)]
    return of_last[0] + of_last[1] * part


def _weights(members: torch.Tensor, before: torch.Tensor, harmonic: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights a and b of each bin, see `scoring.reduce_row`."""
    first = before.long()
    slope = harmonic[first + members.long()] - harmonic[first]
    share = 1 / members.clamp(min=1)
    return share / (members - 1).clamp(min=1) * (members - (before + 1) * slope), share * slope


def _precisions(relevant: torch.Tensor, hits: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the sum of the precisions of relevant rows, from their numbers in each bin and in nearer bins."""
    a, b = weights
    return _times(relevant * relevant, a) + _times(relevant * hits, b) + _times(relevant, b - a)


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
