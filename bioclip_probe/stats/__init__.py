"""Numeric kernels on arrays: no names, no files, and torch only where a device of it is asked for.

================  ==================================================================================
`moments`         pass one: sums that hold every pair of images, exactly; they add and subtract
`tree_sums`       the same along any tree, and under permutations of its tips
`clades`          the same by the node at which two images meet
`parts`           the same without each part of the taxa, for the jackknife
`balance`         every rank of a common ancestor at one weight
`sweep`           pass two: one blocked sweep over all pairs; `counting`, `points` and `histograms` do its parts
`pairs`           rank correlation on a tree of many distances
`neighbours`      exact nearest neighbours, by the same sweep
`rows`            what a correlation runs over, images or centroids, and the units that are resampled
`centroids`       taxa as the mean of their images
`resampling`      bootstrap, delete-group jackknife, permutation p
`reweighting`     correlations under many weightings of the taxa, for the bootstrap
`subsampling`     images drawn so that every taxon has equally many
`contrasts`       independent contrasts on a tree with branch lengths
`dendrograms`     the tree that centroids draw, beside another tree
`distance_sums`   two encoders' distances, summed over pairs; `cross` without each part of the taxa
`variance`        sums of squares by rank
`kmeans`          k-means that copes with ten thousand clusters
`partitions`      agreement of two partitions
`embeddings`      unit vectors with the ids of their images
`estimate`        a number with its chance level, interval, counts and note
`tasks`           work for an executor: cut, handed over, results in order
`threads`         one thread for small work, and for work that has a processor of its own
================  ==================================================================================
"""
