"""Draw the drill-down of Section 4.6 with UMAP instead of t-SNE: three models and six ranks.

The figure uses the tables of a study. By default they are those of the built-in world (simulated) that `make demo`
writes.

    python figures/drilldown_umap.py [RESULTS]
"""

import sys
from pathlib import Path

from bioclip_probe.report import draw
from bioclip_probe.study.results import read

results = read(sys.argv[1] if len(sys.argv) > 1 else "results/world")
print(draw(results, "drilldown_umap", Path(__file__).with_suffix("")))
