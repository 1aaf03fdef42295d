"""The study: the one place where files meet arrays.

=============  ===================================================================================
`plan`         what a study compares, on what, and with which settings
`study_file`   a plan as TOML, and a grid of several; `site_file` is what belongs to one machine
`sample`       images, their taxonomy and their embeddings, joined by image
`phylogeny`    a file that holds a phylogeny of the taxa, and a table of names for it
`collecting`   pictures become a sample: embed what the store lacks, read it, join it
`arrays`       vectors in memory become a sample
`measuring`    every metric of every encoder; `taxon_means` are the embeddings of taxa
`comparing`    every metric of pairs of encoders, and differences between them
`pairs`        the differences of two encoders, read from the measurements
`protocols`    which images a probe learns from, and which it is asked about
`probing`      predictions of single probes; `predicting` asks all of a study, and `scoring` turns them into numbers
`projecting`   the drill-down of Section 4.6
`steps`        measure, probe, project
`run`          the steps of a plan, one after the other into one results folder
`checkpoints`  the finished pieces of a study on disk; `inputs` says what they were computed from
`outline`      the pieces of a plan and which of them are there, before anything is computed
`estimates`    what a plan would take: what is there, seconds, memory, disk
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
