"""Measure how well vision models' embeddings follow the tree of life.

Datasets give images and taxa; encoders give vectors; the store keeps them. A metric returns a number, a probe returns
predictions, a projection returns coordinates. The study puts them in tables; plots draw tables; the report binds them.

====================  ==============================================================================
`collect`             dataset × encoders → `Sample`: embed what the store lacks, read it, join it by image
`from_arrays`         vectors in memory and a DataFrame of taxa → `Sample`
`measure`             every metric of every encoder at every rank → measurements
`compare`             every metric of every two encoders → measurements
`texts`               the names of taxa against the tree, and against their images → measurements
`probe`, `predict`    the taxa that probes name at every rank → predictions
`few_shot`            SimpleShot → predictions
`zero_shot`           the nearest names → predictions
`score`               predictions → measurements
`project`             the drill-down of Section 4.6 → coordinates
`measure_panels`      purity in each of its panels → measurements
`taxa`                embeddings of the taxa of a rank
`Plan`, `reproduce`   a whole study into a results folder
`Phylogeny`           a file with a tree of the species
`…Settings`           `ExtractionSettings`, `MeasureSettings`, `ProbeSettings`, `ProjectionSettings`
`Store`               embeddings on disk
`datasets`            the shelf of datasets: ``load``, ``catalogue``
`encoders`            the shelf of encoders: ``load``, ``catalogue``
`metrics`             the shelf of metrics: each by its name, ``catalogue``
`probes`              the shelf of probes
`projections`         the shelf of projections
`plots`               table → matplotlib figure
`report`              figures and one page from a results folder
`results`             the folder of tables: ``read``, ``write``
`tree`                taxonomies and phylogenies as arrays
`stats`               the numeric kernels
`world`               the built-in, simulated world
====================  ==============================================================================

Names are loaded when first used: ``import bioclip_probe`` is quick and imports no torch.
"""

import lazy_loader

__version__ = "0.1.0"

#: The public names stand in `__init__.pyi`, where type checkers read them too.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
