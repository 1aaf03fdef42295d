"""The drill-down of Section 4.6 laid out as the paper has it: two blocks of three ranks, in `paper` mode.

The modes differ in the outlier rule alone (one degree of freedom instead of two), so one projection serves both.
By default on the built-in world (simulated), as `make demo` leaves it.

    python figures/drilldown_paper.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe import plots
from bioclip_probe.projections.outliers import cut_outliers
from bioclip_probe.study import results

found = results.read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
table = cut_outliers(found.coordinates, "paper")
settings = plots.FigureSettings(controls=found.controls, simulated=found.simulated)
figure = plots.drilldown(table, settings, columns=3)
record = {
    "figure": "drilldown_paper",
    "mode": "paper",
    **{key: found.record[key] for key in ("run", "dataset", "software")},
}
print(plots.save(figure, table, record, Path(__file__).with_suffix(""))[1])
