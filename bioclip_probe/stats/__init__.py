"""Numeric kernels on arrays: no names, no files, no torch.

================  ==================================================================================
`moments`         pass one: sums that hold every pair of images, exactly, along any tree
`pairs`           pass two: blocked sweeps over pairs for what no linear sum holds
`neighbours`      exact nearest neighbours, blocked
`centroids`       taxa as the mean of their images
`resampling`      bootstrap by reweighting species, permutation p
`embeddings`      unit vectors with the ids of their images
`estimate`        a number with its chance level, interval, counts and note
`threads`         one thread for small work
================  ==================================================================================
"""
