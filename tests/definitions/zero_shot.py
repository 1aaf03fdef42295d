"""Zero-shot answers, written out plainly."""

import math


def cosine(a, b):
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def masses(image, names, logit_scale):
    """The softmax over the names for one image."""
    scores = [math.exp(logit_scale * cosine(image, name)) for name in names]
    return [score / sum(scores) for score in scores]


def answer(image, names, ancestors, logit_scale):
    """(mass, taxon) for every taxon that has a name, the best first, of equals the lowest number."""
    summed = {}
    for mass, taxon in zip(masses(image, names, logit_scale), ancestors, strict=True):
        if taxon >= 0:
            summed[taxon] = summed.get(taxon, 0.0) + mass
    return sorted(((mass, taxon) for taxon, mass in summed.items()), key=lambda one: (-one[0], one[1]))
