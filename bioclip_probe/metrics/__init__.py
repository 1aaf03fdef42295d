"""Metrics: functions that return numbers with intervals; `registry` lists them, `suite.measure` runs them.

=====================  ============================================================================
`hierarchy`            tree distance against centroid distance, over all pairs of taxa
`image_pairs`          tree distance against embedding distance, over all pairs of images
`balanced`             both with every rank of a common ancestor at the same weight
`ordinal`              rank correlations; the distance of two species by their common ancestor
`clades`               tree correlation inside each clade
`variance`             variance of images explained by the taxa of each rank
`reliability`          the noise ceiling that the scatter of images sets
`signal`               phylogenetic signal K_mult
`tree_signal`          Pagel's λ of the whole embedding
`dimension`            in how many independent directions species differ
`attainable`           CPCC under Brownian motion along the tree
`dendrogram`           heights, triplets and purity of the dendrogram of centroids, against the tree
`dendrogram_clades`    clades of the tree that the dendrogram recovers
`shape`                how close the embedding is to any tree; distances along its surface
`retrieval`            triplets, average precision
`kinship`              ranks that nearest neighbours share; the severity of mistakes
`nearest`              purity of neighbours, of all and of those of other species
`neighborhoods`        the neighbours that count, and what a memoriser of species would reach
`hubs`                 images that are neighbours of very many others
`separation`           silhouette
`clusters`             purity and agreement of k-means clusters
`panels`               purity in the panels of the drill-down
`projection_quality`   what the plane keeps, over seeds, beside vectors without structure
`differences`          two encoders: difference in any number
`bands`                simultaneous bands of numbers at several ranks
`endpoints`            the four primary endpoints
`similarity`           two embeddings: how alike they are
`nuisance`             a column of the images: what embeddings follow beside the tree
`confounds`            an embedding and a control: tree correlation beyond that of the control
`answers`              the answers of a probe at one rank
`accuracies`           how many of the answers are right: over images, over taxa, in clades
`calibration`          how far the confidence of a probe is from the share of its right answers
`answer_pairs`         the answers of two protocols
`paths`                the answers of a probe at all ranks
`consistency`          answers at one rank against the answer at the rank above
`text`                 names of taxa, and images beside their names
`scores`               estimates from one score per image
=====================  ============================================================================

Every metric is called as ``metric(embeddings, placement, settings)`` and returns a list of `Measurement`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
