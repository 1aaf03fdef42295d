"""Ridge regression, linear discriminant analysis and votes of neighbours, written out plainly."""

import math

import numpy as np


def ridge_scores(learnt, taxa, asked, alpha):
    """x W + b where W and b minimise Σ ‖y − x W − b‖² + α ‖W‖²; a column for each taxon, ascending."""
    d = learnt.shape[1]
    left, right = np.zeros((d + 1, d + 1)), []
    left[:d, :d] = alpha * np.eye(d)
    extended = [np.append(row, 1.0) for row in learnt]  # the last weight is the intercept, which is free
    for row in extended:
        left += np.outer(row, row)
    for taxon in sorted(set(taxa.tolist())):
        right.append(sum(row for row, own in zip(extended, taxa, strict=True) if own == taxon))
    weights = np.linalg.solve(left, np.array(right).T)
    return np.array([np.append(row, 1.0) @ weights for row in asked])


def lda_posterior(learnt, taxa, asked, shrinkage):
    """Share of each taxon in the sum of n_k exp(−(x − m_k)ᵀ S⁻¹ (x − m_k)/2); a column for each taxon, ascending."""
    names, d = sorted(set(taxa.tolist())), learnt.shape[1]
    own = [learnt[taxa == taxon] for taxon in names]
    means = [rows.mean(axis=0) for rows in own]
    covariance = np.zeros((d, d))
    for rows, mean in zip(own, means, strict=True):
        for row in rows:
            covariance += np.outer(row - mean, row - mean) / len(learnt)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / d * np.eye(d)
    inverse = np.linalg.inv(covariance)
    posterior = []
    for x in asked:
        logs = [math.log(len(r)) - (x - m) @ inverse @ (x - m) / 2 for r, m in zip(own, means, strict=True)]
        total = math.log(sum(math.exp(one - max(logs)) for one in logs)) + max(logs)
        posterior.append([math.exp(one - total) for one in logs])
    return np.array(posterior)


def vote(vectors, labels, learnt, row, k, balanced=False):
    """Taxa among the k nearest of the rows `learnt`, `row` itself left out: (votes, similarity, taxon), best first.

    Balanced: a vote for a taxon counts one part in its images among `learnt`.
    """
    cosine = {other: float(vectors[other].astype(float) @ vectors[row].astype(float)) for other in learnt}
    near = sorted((other for other in learnt if other != row), key=lambda other: (-cosine[other], other))[:k]
    ballots = []
    for taxon in {int(labels[other]) for other in near}:
        own = [cosine[other] for other in near if labels[other] == taxon]
        share = 1 / sum(labels[other] == taxon for other in learnt) if balanced else 1
        ballots.append((len(own) * share, sum(own), taxon))
    return sorted(ballots, key=lambda ballot: (-ballot[0], -ballot[1], ballot[2]))
