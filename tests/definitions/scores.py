"""What answers are worth, written out plainly."""

import itertools

import numpy as np


def calibration_error(confidence, right, weight=None, n_bins=15):
    """Bins of equally many by confidence, equal confidences in the bin of the first of them."""
    n = len(confidence)
    weight = [1] * n if weight is None else weight
    bins = {}
    for c, r, w in zip(confidence, right, weight, strict=True):
        lower = sum(other < c for other in confidence)
        bins.setdefault(lower * n_bins // n, []).append(w * (r - c))
    return sum(abs(sum(members)) for members in bins.values()) / sum(weight)


def macro_accuracy(truth, predicted, fold):
    """Mean over folds of the mean over the taxa that a fold asks about of the share of right answers."""
    folds = {}
    for taxon, answer, number in zip(truth, predicted, fold, strict=True):
        folds.setdefault(number, {}).setdefault(taxon, []).append(taxon == answer)
    return np.mean([np.mean([np.mean(right) for right in taxa.values()]) for taxa in folds.values()])


def most_frequent_accuracies(truth, train, k):
    """Share of `truth` among the k most frequent taxa of `train`, for every way to choose them among equals."""
    train = [taxon for taxon in train if taxon >= 0]
    taxa = sorted(set(train))
    chosen = []
    for order in itertools.permutations(taxa):
        chosen.append(set(sorted(order, key=lambda taxon: -train.count(taxon))[:k]))  # sorting keeps equals in order
    return [sum(t in favourites for t in truth) / len(truth) for favourites in chosen]


def accuracy_in_folds(image, truth, predicted, split, fold):
    """Right answers of each fold, by fold, of rows of test images with a name and an answer."""
    folds = {}
    for row in range(len(image)):
        if split[row] == "test" and truth[row] >= 0 and predicted[row] >= 0:
            folds.setdefault(fold[row], {})[image[row]] = truth[row] == predicted[row]
    return folds


def paired_difference(a, b):
    """Mean of a less b over images in both; each maps an image to its scores, one a fold."""
    shared = sorted(set(a) & set(b))
    return np.mean([np.mean(a[image]) - np.mean(b[image]) for image in shared]), shared
