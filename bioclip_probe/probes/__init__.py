"""Probes name a taxon for every image, from its frozen embedding.

===============  =============================================================================
`registry`       the probes by name, and the protocols by which they are tested
`settings`       `ProbeSettings`: which probes a study runs, and how
`linear`         logistic regression, optimised by `softmax` of `objectives`
`closed_form`    ridge regression and linear discriminant analysis, from moments
`neighbors`      a vote of the nearest images; `device_neighbors` searches them by torch
`centroid`       SimpleShot: the nearest of the means of a few images of each taxon
`zero_shot`      the nearest of the names of taxa; learns nothing from images
`splits`         splits of images into train, val and test
`children`       deals of child taxa to folds, which learn from some and are asked about all
`folds`          folds of SimpleShot: support and queries
`predictions`    `Predictions`, the result of a probe at one rank
`costs`          the seconds that probes will take, estimated beforehand
`learning`       `LearnSettings`, which all probes that learn take, and `LearnTask`
`scheduling`     `Learner`, and the order in which a probe learns many splits
===============  =============================================================================

Names are loaded when first used: the command line reads the registry and the settings only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
