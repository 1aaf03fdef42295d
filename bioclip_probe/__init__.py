"""Measure how well vision models' embeddings follow the tree of life.

Datasets give images and taxa; encoders give vectors; the store keeps them. A metric returns a number, a probe returns
predictions, a projection returns coordinates. The study puts them in tables; plots draw tables; the report binds them.

====================  ==============================================================================
`dataset`             DataFrame, folder, Hugging Face dataset or name → `Dataset`
`encoder`             torch module and transform → encoder
`collect`             dataset × encoders → `Sample`: embed what the store lacks, read it, join it by image
`from_arrays`         vectors in memory and a DataFrame of taxa → `Sample`
`study`               sample → `Study`: measured, probed and projected, with figures, sentences and pages
`open_study`          results folder → `Study`
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
`…Settings`           `ExtractionSettings`, `MeasureSettings`, `ProbeSettings`, `ProjectionSettings`,
                      `ColumnSettings`
`Store`               embeddings on disk
`datasets`            the shelf of datasets: ``load``, ``catalogue``
`encoders`            the shelf of encoders: ``load``, ``catalogue``
`metrics`             the shelf of metrics: each by its name, ``catalogue``
`probes`              the shelf of probes
`projections`         the shelf of projections
`plots`               table → matplotlib figure
`report`              figures and one page from a results folder
`results`             the folder of tables: ``read``, ``write``
`verify`              results folder → which depths pass: files, numbers from vectors, vectors from pictures
`tree`                taxonomies and phylogenies as arrays
`stats`               the numeric kernels
`world`               the built-in, simulated world
====================  ==============================================================================

Names are loaded when first used: ``import bioclip_probe`` is quick and imports no torch.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import lazy_loader

__version__ = "0.1.0"

#: The public names stand in `__init__.pyi`, where type checkers read them too.
__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__", "study"]


def __dir__() -> list[str]:
    return [*__all__]


class _CallableStudy(ModuleType):
    """The subpackage `study`, which is also a function: ``bp.study(sample)`` runs a study."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Measure, probe and project a sample, and return the `Study`; see `bioclip_probe.notebook.run_study`."""
        return __getattr__("notebook").run_study(*arguments, **options)


# `bp.study.results` goes on to be a module. The package is light: it loads its own names when they are used.
study = import_module(f"{__name__}.study")
study.__class__ = _CallableStudy
