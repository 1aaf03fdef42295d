"""The names of taxa against the tree, and against the images of the taxa, by rank.

Drawn from the tables of a study; by default the built-in world's (simulated), as `make demo` leaves them.

    python figures/text_side.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe import report
from bioclip_probe.study import results

found = results.read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
print(report.draw(found, "text_side", Path(__file__).with_suffix("")))
