"""The study: the one place where files meet arrays.

=============  ===================================================================================
`plan`         what a study compares, on what, and with which settings
`sample`       pictures become arrays: embed what the store lacks, read it, join it by image
`measuring`    every metric of every encoder, and of pairs of encoders
`protocols`    which images a probe learns from, and which it is asked about
`probing`      predictions of probes; `scoring` turns them into numbers
`projecting`   the drill-down of Section 4.6
`run`          the steps of a plan, into one results folder
`results`      the folder of tables
`families`     families of tests, and p-values adjusted within them
`ranking`      the places of models in the primary endpoints, shared by those that are not told apart
`streaming`    moments of a store that memory does not hold
`export`       vectors in files of other programs
`model_card`   the tasks of BioCLIP's model card
`published`    published numbers beside those of a run
=============  ===================================================================================
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
