"""Measurements on a tree of genera, a sample of trees and a distance matrix, from files to the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bioclip_probe import collect
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.study.families import rows_of
from bioclip_probe.study.measuring import measure
from bioclip_probe.study.phylogeny import Phylogeny
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.tree_samples import measure_tree_samples

GENERA = ("Felis", "Puma", "Lynx", "Canis", "Vulpes", "Ursus")
NEWICK = "(((Felis:6,Puma:6):2,Lynx:8):4,((Canis:5,Vulpes:5):3,Ursus:8):4);"
#: The distances of the tree, above the diagonal.
DISTANCES = {(0, 1): 12, (0, 2): 16, (1, 2): 16, (3, 4): 10, (3, 5): 16, (4, 5): 16}
SETTINGS = MeasureSettings(
    metrics=("cophenetic_correlation", "spearman"), n_permutations=19, n_primary_permutations=19, n_bootstrap=19
)


def matrix() -> str:
    rows = [[0 if a == b else DISTANCES.get((min(a, b), max(a, b)), 24) for b in range(6)] for a in range(6)]
    lines = (f"{name},{','.join(map(str, row))}" for name, row in zip(GENERA, rows, strict=True))
    return "\n".join([f",{','.join(GENERA)}", *lines]) + "\n"


@pytest.fixture
def collected(tmp_path: Path):
    """Return a function that collects images named to genus, with a file of trees."""
    rng, genus = np.random.default_rng(0), np.repeat(GENERA, 4)
    ids = [f"i{number}" for number in range(len(genus))]
    np.savez(tmp_path / "mine.npz", ids=ids, vectors=rng.standard_normal((len(genus), 6)), genus=genus)
    data = f"vectors:{tmp_path / 'mine.npz'}"

    def sample(name: str, text: str) -> Sample:
        (tmp_path / name).write_text(text)
        phylogeny = Phylogeny(tmp_path / name, "Myr")
        return collect(data, [data], tmp_path / "store", phylogeny, settings=ExtractionSettings(progress=False))

    return sample


def test_numbers_on_a_tree_of_genera_are_at_genus(collected):
    sample = collected("genera.nwk", NEWICK)
    table = measure(sample, SETTINGS)
    rows = table[(table["tree"] == "genera") & (table["space"] == "raw")]
    assert set(rows["rank"]) == {"genus"} and rows["value"].notna().all() and set(rows["n_taxa"]) == {6}
    assert rows["note"].str.contains("the tips of the tree are genera").all()
    assert table.loc[rows_of(PRIMARY[0], table), "rank"].tolist() == ["genus"]
    record = sample.record["trees"]["genera"]
    assert (record["rank"], record["ultrametric"], record["tips"]) == ("genus", True, 6)
    assert record["notes"] == ["the tips of the tree are matched at rank genus, and numbers on it are of genera"]


def test_a_distance_matrix_gives_the_numbers_of_its_tree(collected):
    on_tree, on_matrix = measure(collected("genera.nwk", NEWICK), SETTINGS), collected("matrix.csv", matrix())
    table = measure(on_matrix, SETTINGS)
    for metric in SETTINGS.metrics:
        values = [
            each[(each["tree"] == name) & (each["metric"] == metric)]["value"].to_numpy()
            for each, name in ((on_tree, "genera"), (table, "matrix"))
        ]
        np.testing.assert_allclose(values[0], values[1], atol=1e-6)
    assert not on_matrix.record["trees"]["matrix"]["ultrametric"]
    rows = table[table["tree"] == "matrix"]
    assert rows["note"].str.contains("on a distance matrix, which has no clades").all()


def test_the_spread_over_a_sample_of_trees_of_genera_is_at_genus(collected):
    sample = collected("sample.nwk", NEWICK * 2)
    table = measure_tree_samples(sample, SETTINGS)
    assert table["tree"].unique().tolist() == ["sample (2 trees)"]
    assert table["rank"].unique().tolist() == ["genus"]
