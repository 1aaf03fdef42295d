"""Numeric kernels on arrays: no names, no files, and torch only if a device of it is asked for.

===================== ==================================================================================
`embeddings`          unit vectors with the ids of their images, and the check of vectors
`geometry`            unit vectors whose distances are euclidean or hyperbolic
`estimate`            a number with its chance level, interval, counts and note
`devices`             the processor, or a device of torch, that computes products
`defaults`            numbers of replicates, groups and permutations, and the level of intervals
`resampling`          bootstrap, delete-a-group jackknife, permutation p-value
`jackknife`           the groups of units that intervals leave out
`rows`                images or centroids at the tips of a tree, and the units that are resampled
`centroids`           taxa as the mean of their images
`group_sums`          sums of rows by group on all cores
`subsampling`         random samples with equally many images of every taxon
`contrasts`           independent contrasts on a tree with branch lengths
`pruning`             compiled loops over a tree, from its tips to its root and back
`permuted_loops`      compiled loops over a tree, for many orders of its tips
`brownian_likelihood` likelihood of species means under Brownian motion with Pagel's λ
`contrast_covariance` covariance of species given their tree, and its effective dimension
`evolution`           the fit of Brownian motion to an embedding, and without each jackknife group
`tree_score`          a test of tree signal that is cheap to permute
`dendrograms`         dendrograms of centroids, and their agreement with a tree
`clade_recovery`      clades that a dendrogram shares with a tree or with taxa
`sampled_dendrograms` the dendrogram of all taxa, and those of random halves of them
`half_samples`        random halves of units, for statistics that are not smooth
`kmeans`              k-means for as many as ten thousand clusters
`kept_neighbors`      trustworthiness of a map into the plane, and vectors without structure to compare with
`multiplicity`        p-values adjusted for the number of tests in a family
`partitions`          agreement of clusters with many labellings
`permutation`         labels with whole species permuted
`rotation`            vectors in the fewest dimensions that hold them
`tasks`               tasks of an executor, a value that they share, results in order
`threads`             threads of the linear algebra, matched to the size of the work, and of compiled loops
===================== ==================================================================================

The linear pass, `all_pairs`: sums over images from which the sums over all their pairs follow.

===================== ==================================================================================
`moments`             sums that hold every pair of images exactly; they add and subtract
`jackknife_moments`   moments of every jackknife group of taxa, which subtract from the total
`tree_aggregator`     sums over the tips of every clade
`clade_forms`         squared norms of the sums of all clades, for many permutations of the tips
`tree_sums`           sums over pairs along any tree, and after permutations of its tips
`clades`              sums over pairs by the node where two images meet
`gram_squares`        squared norms of the second moments of all clades
`jackknife_sums`      sums over pairs without each jackknife group of taxa
`balance`             correlation with equal weight for every rank of a common ancestor
`reweighting`         correlations under many weightings of the taxa, for the bootstrap
`distance_sums`       distances of two encoders, summed over pairs
`cross`               correlation of two encoders' distances without each jackknife group
`variance`            sums of squares by rank
===================== ==================================================================================

The quadratic pass, `sweep`: one pass in blocks over all pairs.

===================== ==================================================================================
`sweep`               the pass itself, in several spaces at once
`comparison`          blocks of rows compared with all rows, in threads or by workers
`blocks`              products of points block by block
`points`              unit vectors as points, and the spaces that share their products
`device`              the same comparison on a device of torch
`device_scores`       scores of anchors there
`binning`             levels of tree distance and bins of embedding distance
`counting`            compiled loops that count pairs
`scoring`             compiled loops that score an anchor from its counts
`anchors`             compiled loops that score anchors, without each jackknife group and on permuted trees too
`replicates`          jackknife groups, and permutations of species over the tips
`candidates`          compiled loops that search the nearest rows
`histograms`          rank correlations and quantiles from counts
`neighbors`           exact nearest neighbours
`cells`               images that nothing tells apart, in tree order, and the kin of each
`search`              the search for the nearest images, on products of its own or on those of a sweep
`selection`           compiled loops that search the nearest images at each level of kinship
`entries`             the nearest candidates, and compiled walks along them
`neighbor_lists`      the nearest images of every image, which stay exact without a group of species
`cores`               independent pieces of work on all cores
`pairs`               Spearman correlation on a tree of many distances
`ties`                tree distances that are equal but for rounding
===================== ==================================================================================
"""
