# lazy_loader reads the imports of names below, and nothing else.
import collections.abc
import pathlib
import typing

from . import datasets as datasets
from . import encoders as encoders
from . import errors as errors
from . import executors as executors
from . import extraction as extraction
from . import metrics as metrics
from . import notebook as notebook
from . import plots as plots
from . import probes as probes
from . import projections as projections
from . import provenance as provenance
from . import report as report
from . import stats as stats
from . import store as store
from . import tables as tables
from . import tree as tree
from . import world as world
from .errors import ProbeError as ProbeError
from .extraction.settings import ExtractionSettings as ExtractionSettings
from .metrics.settings import MeasureSettings as MeasureSettings
from .notebook.columns import ColumnSettings as ColumnSettings
from .notebook.inputs import dataset as dataset
from .notebook.inputs import encoder as encoder
from .notebook.study import Study as Study
from .notebook.study import open_study as open_study
from .probes.settings import ProbeSettings as ProbeSettings
from .projections.settings import ProjectionSettings as ProjectionSettings
from .store.store import Store as Store
from .study import results as results
from .study.arrays import from_arrays as from_arrays
from .study.collecting import collect as collect
from .study.comparing import compare as compare
from .study.measuring import measure as measure
from .study.measuring import texts as texts
from .study.phylogeny import Phylogeny as Phylogeny
from .study.plan import Plan as Plan
from .study.predicting import predict as predict
from .study.probing import few_shot as few_shot
from .study.probing import probe as probe
from .study.probing import zero_shot as zero_shot
from .study.projecting import measure_panels as measure_panels
from .study.projecting import project as project
from .study.run import reproduce as reproduce
from .study.sample import Sample as Sample
from .study.scoring import score as score
from .study.taxon_means import taxa as taxa
from .study.verification.checking import verify as verify

__version__: str

class _CallableStudy:
    """The subpackage `study`, which is also a function; `__init__.py` makes it one."""
    def __call__(
        self,
        sample: Sample,
        out: str | pathlib.Path | None = None,
        *,
        measure: MeasureSettings | None = None,
        probe: ProbeSettings | None = None,
        projection: ProjectionSettings | None = None,
        columns: ColumnSettings | None = None,
        steps: collections.abc.Collection[str] = ...,
        progress: bool = True,
    ) -> Study: ...
    def __getattr__(self, name: str) -> typing.Any: ...

study: _CallableStudy
