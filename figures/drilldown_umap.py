"""Draw the drill-down of Section 4.6 with UMAP instead of t-SNE, on the built-in world (simulated).

python figures/drilldown_umap.py [STORE]
"""

import sys
from pathlib import Path

from bioclip_probe import collect, measure_panels, plots, project, provenance
from bioclip_probe.projections import ProjectionSettings
from bioclip_probe.study.plan import WORLD_MODELS

sample = collect("world", WORLD_MODELS, store=sys.argv[1] if len(sys.argv) > 1 else "results/store")
table = project(sample, ProjectionSettings(method="umap")).coordinates
panels = measure_panels(sample, table)
settings = plots.FigureSettings(controls=sample.controls, simulated=sample.simulated)
figure = plots.drilldown(table, settings, measurements=panels)
record = {
    "figure": "drilldown_umap",
    "run": sample.run,
    "dataset": sample.record["dataset"],
    "software": provenance.software(),
}
print(plots.save(figure, table, record, Path(__file__).with_suffix(""))[1])
