"""Draw the paired difference of every two models in the primary endpoints, with its interval.

The figure uses the tables of a study. By default they are those of the built-in world (simulated) that `make demo`
writes.

    python figures/differences.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe.report import draw
from bioclip_probe.study.results import read

results = read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
print(draw(results, "differences", Path(__file__).with_suffix("")))
