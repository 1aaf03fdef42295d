"""Draw the drill-down of Section 4.6 in the layout of the paper and in `paper` mode: two blocks of three ranks.

In this mode t-SNE is scikit-learn's, as the authors used it, and the outlier rule has one degree of freedom. By default
the figure shows the built-in world (simulated), from the embeddings that `make demo` leaves.

    python figures/drilldown_paper.py [STORE]
"""

import sys
from pathlib import Path

from bioclip_probe import collect, plots, project, provenance
from bioclip_probe.projections import ProjectionSettings
from bioclip_probe.study.plan import WORLD_MODELS

sample = collect("world", WORLD_MODELS, store=sys.argv[1] if len(sys.argv) > 1 else "results/store")
table = project(sample, ProjectionSettings(methods=("tsne",), mode="paper")).coordinates
settings = plots.FigureSettings(controls=sample.controls, simulated=sample.simulated)
figure = plots.drilldown(table, settings, columns=3)
record = {"figure": "drilldown_paper", "mode": "paper", "run": sample.run, "dataset": sample.record["dataset"]}
record["software"] = provenance.software()
print(plots.save(figure, table, record, Path(__file__).with_suffix(""))[1])
