"""The README is short, and its numbers are those of the drawn figures and of the benchmarks."""

import re

import pandas as pd
import pytest

import bioclip_probe
from tests.support.documents import ROOT

README = (ROOT / "README.md").read_text("utf-8")
INTERVAL = re.compile(r"(-?\d\.\d+) \[(-?\d\.\d+),\s+(-?\d\.\d+)\]")
MODELS = {"colours": "color-histogram", "untrained network": "world-untrained"}
METRICS = (
    "cophenetic_correlation",
    "pagel_lambda",
    "effective_dimension",
    "knn_purity_1_other_species",
    "macro_accuracy",
)


def drawn(name):
    """Return the rows of a drawn figure."""
    return pd.read_csv(ROOT / "figures" / f"{name}.csv")


def marked(name):
    """Return the paragraph or table after a mark."""
    return README.split(f"<!-- {name} -->\n")[1].split("\n\n")[0]


def cells(table):
    """Return the cells of the rows of a table."""
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_it_is_short():
    assert len(README.splitlines()) < 200


def test_the_sentences_have_the_numbers_of_the_figures():
    text = " ".join(marked("numbers").replace(">", "").split())
    quoted = INTERVAL.findall(text)
    tables = pd.concat([drawn("endpoints"), drawn("differences")])
    known = set(zip(*(tables[column].map("{:.3f}".format) for column in ("value", "ci_low", "ci_high")), strict=True))
    assert len(quoted) == 9
    assert set(quoted) <= known


@pytest.mark.parametrize("row", cells(marked("table")), ids=lambda row: row[0])
def test_the_table_has_the_numbers_of_the_figure(row):
    rows = drawn("endpoints")
    rows = rows[rows["encoder"] == MODELS.get(row[0], row[0])].set_index("metric")
    for cell, metric in zip(row[1:], METRICS, strict=True):
        digits = 1 if metric == "effective_dimension" else 3
        expected = f"{rows.loc[metric, 'value']:.{digits}f}"
        if "[" in cell:
            expected += f" [{rows.loc[metric, 'ci_low']:.3f}, {rows.loc[metric, 'ci_high']:.3f}]"
        assert cell == expected


def test_times_and_memory_are_those_of_the_benchmarks():
    page = (
        (ROOT / "tests" / "benchmarks" / "README.md").read_text("utf-8").split("## A whole study")[1].split("\n## ")[0]
    )
    steps = {
        step: [
            [float(number.replace(",", "")) for number in row]
            for row in re.findall(rf"^{step} +(\S+) +(\S+) +(\S+)$", page, re.M)
        ]
        for step in ("measure", "probe")
    }
    measure = {round(cpu): peak for _, cpu, peak in steps["measure"]}
    probe = {round(cpu) for _, cpu, _ in steps["probe"]}
    rows = cells(README.split("## Time and memory")[1].split("\n\n")[2])
    assert [row[0] for row in rows] == ["100", "1,000", "10,000", "100,000"]
    for *_, measured, probed, memory in rows:
        seconds = {f"{cpu} s" if cpu < 120 else f"{round(cpu / 60)} min": cpu for cpu in measure}
        assert f"{measure[seconds[measured]] / 1024:.1f} GiB" == memory
        assert probed == "not measured" or int(probed.removesuffix(" s")) in probe


def test_the_citation_has_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {bioclip_probe.__version__}\n" in citation
    assert f"version = {{{bioclip_probe.__version__}}}" in README
