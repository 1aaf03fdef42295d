"""How well do vision models' embeddings follow the tree of life?

Datasets give images and taxa; encoders give vectors; the store keeps them. A metric returns a number, a probe returns
predictions, a projection returns coordinates. The study puts them in tables; plots draw tables; the report binds them.

=================  ===============================================================================
`collect`          dataset × encoders → `Sample`: embed what is missing, read it all, join by image
`measure`          every metric of every encoder at every rank → a measurements table
`compare`          every two encoders beside each other → measurements
`probe`, `score`   what probes name at every rank → predictions → measurements
`few_shot`         SimpleShot → predictions
`zero_shot`        the nearest names → predictions
`texts`            the names of taxa against the tree, and against their images → measurements
`project`          the drill-down of Section 4.6 → coordinates
`measure_panels`   purity in each of its panels → measurements
`taxa`             embeddings of the taxa of a rank
`Plan`             what a study compares; `reproduce` runs it into a folder
`datasets`         the shelf of datasets: ``load``, ``catalogue``
`encoders`         the shelf of encoders: ``load``, ``catalogue``
`metrics`          the shelf of metrics: ``catalogue``
`probes`           the shelf of probes
`projections`      the shelf of projections
`plots`            table → matplotlib figure
`report`           figures and one page from a results folder
`results`          the folder of tables: ``read``, ``write``
`tree`             taxonomies and phylogenies as arrays
`stats`            the numeric kernels
`world`            the built-in, simulated world
`Store`            embeddings on disk
=================  ===============================================================================

Names are loaded when first used: ``import bioclip_probe`` is quick and imports no torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = (
    "datasets", "encoders", "errors", "extract", "metrics", "plots", "probes", "projections", "provenance", "report",
    "results", "stats", "store", "study", "tables", "tree", "world",
)  # fmt: skip
_NAMES = {
    **dict.fromkeys(("compare", "measure", "measure_panels", "project", "reproduce", "taxa", "texts"), "study"),
    **dict.fromkeys(("few_shot", "probe", "zero_shot"), "probing"),
    "score": "scoring",
    **dict.fromkeys(("Sample", "collect"), "sample"),
    "Plan": "plan",
    "ProbeError": "errors",
    "Store": "store",
}
__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
