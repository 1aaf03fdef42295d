"""The drill-down of Section 4.6, three models over six ranks, t-SNE.

Drawn from the tables of a study; by default the built-in world's (simulated), as `make demo` leaves them.

    python figures/drilldown.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe import report
from bioclip_probe.study import results

found = results.read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
print(report.draw(found, "drilldown", Path(__file__).with_suffix("")))
