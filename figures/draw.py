"""Draw figures of a study into this folder: PDF, PNG, the table that was drawn, and the record of what made it.

    python figures/draw.py [NAME ...] [--out RESULTS] [--store STORE] [--width single|double|slide]

Without names, all figures are drawn that the study allows. By default the study is that of the built-in world
(simulated) that `make demo` leaves. Two figures need vectors and not tables, and take them from the store:
`drilldown_paper`, the drill-down of Section 4.6 in the authors' procedure, layout and colours, and `facing_trees`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe import ProbeError, Sample, collect, plots, project, provenance, report, results
from bioclip_probe.plots.figures.drilldown import draw_drilldown
from bioclip_probe.projections import ProjectionSettings
from bioclip_probe.study.plan import WORLD_MODELS

FOLDER = Path(__file__).parent


def drilldown_paper(sample: Sample, settings: plots.FigureSettings) -> Path:
    """Draw the drill-down in `paper` mode: scikit-learn's t-SNE, and one degree of freedom in the outlier rule."""
    table = project(sample, ProjectionSettings(methods=("tsne",), mode="paper")).coordinates
    figure = draw_drilldown(table, settings, columns=6 if settings.width == "slide" else 3)
    return save(figure, table, "drilldown_paper", sample)


def facing_trees(sample: Sample, settings: plots.FigureSettings) -> Path:
    """Draw the families of the first model's dendrogram face to face with the taxonomy."""
    model = next(iter(sample.embeddings))
    titled = replace(settings, title=f"Families: the taxonomy and the embedding of {model}")
    figure = plots.facing_trees(sample.embeddings[model].vectors, sample.placement, titled)
    taxa = sample.images[["kingdom", "phylum", "class", "order", "family"]]
    return save(figure, taxa.drop_duplicates().sort_values([*taxa]), "facing_trees", sample)


def save(figure: Figure, table: pd.DataFrame, name: str, sample: Sample) -> Path:
    """Write a figure that was drawn from a sample."""
    record = {"figure": name, "run": sample.run, "dataset": sample.record["dataset"]}
    return plots.save(figure, table, {**record, "software": provenance.software()}, FOLDER / name)[1]


FROM_VECTORS = {"drilldown_paper": drilldown_paper, "facing_trees": facing_trees}


def main() -> None:
    """Draw the figures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*plots.REGISTRY, *FROM_VECTORS]))
    parser.add_argument("--out", default="results/world", metavar="RESULTS")
    parser.add_argument("--store", default="results/store", metavar="STORE")
    parser.add_argument("--width", default="double", choices=["single", "double", "slide"])
    options = parser.parse_args()
    study, sample, settings = results.read(options.out), None, plots.FigureSettings(width=options.width)
    for name in options.names or [*plots.REGISTRY, *FROM_VECTORS]:
        try:
            if name in FROM_VECTORS:
                sample = sample or collect("world", WORLD_MODELS, store=options.store)
                marked = replace(settings, controls=sample.controls, simulated=sample.simulated)
                print(FROM_VECTORS[name](sample, marked))
            else:
                print(report.draw(study, name, FOLDER / name, settings))
        except ProbeError as error:
            if options.names:
                raise SystemExit(str(error)) from None
            print(f"{name}: not drawn: {error}")


if __name__ == "__main__":
    main()
