"""Draw the drill-down of Section 4.6 in the layout of the paper and in `paper` mode: two blocks of three ranks.

The two modes differ only in the outlier rule (one degree of freedom instead of two), so that both use one projection.
By default the figure shows the built-in world (simulated), from the tables that `make demo` writes.

    python figures/drilldown_paper.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe import plots
from bioclip_probe.projections.outliers import cut_outliers
from bioclip_probe.study.results import read

results = read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
table = cut_outliers(results.coordinates, "paper")
settings = plots.FigureSettings(controls=results.controls, simulated=results.simulated)
figure = plots.drilldown(table, settings, columns=3)
record = {"figure": "drilldown_paper", "mode": "paper"}
record |= {key: results.record[key] for key in ("run", "dataset", "software")}
print(plots.save(figure, table, record, Path(__file__).with_suffix(""))[1])
