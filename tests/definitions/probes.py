"""Accuracies and the linear probe's objective, written out plainly."""

import numpy as np


def top1_accuracy(truth, predicted):
    right = [t == p for t, p in zip(truth, predicted, strict=True) if t >= 0]
    return sum(right) / len(right)


def macro_accuracy(truth, predicted):
    recalls = []
    for taxon in {t for t in truth.tolist() if t >= 0}:
        rows = [i for i in range(len(truth)) if truth[i] == taxon]
        recalls.append(sum(predicted[i] == taxon for i in rows) / len(rows))
    return sum(recalls) / len(recalls)


def most_frequent_accuracy(truth, train):
    """Accuracy of always naming the taxon most frequent in training; the mean over such taxa."""
    train = train[train >= 0].tolist()
    most = max(train.count(taxon) for taxon in train)
    favourites = [taxon for taxon in set(train) if train.count(taxon) == most]
    return np.mean([top1_accuracy(truth, np.full(len(truth), taxon)) for taxon in favourites])


def objective(weights, intercept, features, taxon, c):
    """C Σ −log p(taxon of the row) + ‖W‖²/2 with p the softmax of W x + b; weights (taxa, d)."""
    loss = 0.0
    for row, own in zip(features, taxon, strict=True):
        scores = weights @ row + intercept
        loss += np.log(np.sum(np.exp(scores - scores.max()))) + scores.max() - scores[own]
    return c * loss + np.sum(weights**2) / 2
