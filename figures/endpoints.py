"""Draw the primary endpoints of every model with their intervals, and what is read beside them.

The figure uses the tables of a study. By default they are those of the built-in world (simulated) that `make demo`
writes.

    python figures/endpoints.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe.report import draw
from bioclip_probe.study.results import read

results = read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
print(draw(results, "endpoints", Path(__file__).with_suffix("")))
