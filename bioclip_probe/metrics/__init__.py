"""Metrics: each returns numbers with intervals. `registry` says what each is; `suite.measure` runs them all.

===============  ============================================================================
`hierarchy`      tree distance against centroid distance, over all pairs of taxa
`image_pairs`    tree distance against embedding distance, over all pairs of images
`balanced`       both with every rank of a common ancestor at the same weight
`ordinal`        the same by ranks; the distance of two species by their common ancestor
`retrieval`      triplets, average precision, the kinship of nearest neighbours
`clades`         tree correlation inside each clade
`variance`       variance of images explained by the taxa of each rank
`reliability`    the noise ceiling that the scatter of images sets
`confounds`      tree correlation beyond that of a control
`separation`     purity of neighbours and clusters, silhouette
`panels`         purity in the panels of the drill-down
`signal`         phylogenetic signal
`dendrogram`     the dendrogram of centroids against the tree
`shape`          how tree-like the embedding is, whatever the tree
`differences`    two embeddings: difference in tree correlation
`similarity`     two embeddings: how alike they are
`scores`         numbers from one score an image, accuracy and calibration of answers
`answers`        the answers of a probe at one rank; two protocols, two models
`paths`          the answers of a probe across ranks
`text`           names of taxa, and images beside their names
===============  ============================================================================

Every metric is called as ``metric(embeddings, placement, settings)`` and returns a list of `Measurement`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
