"""Are relatives nearer? Triplets, average precision and AUC by rank.

Drawn from the tables of a study; by default the built-in world's (simulated), as `make demo` leaves them.

    python figures/relatives.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe import report
from bioclip_probe.study import results

found = results.read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
print(report.draw(found, "relatives", Path(__file__).with_suffix("")))
