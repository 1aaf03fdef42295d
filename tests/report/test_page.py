"""The report: one page that needs no network, says what is simulated, and takes no name at its word."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import collect, datasets, report, study
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.report.gallery import LINEAR
from bioclip_probe.study import probing, results, scoring
from bioclip_probe.tables import RANKS
from tests.support.pictures import break_in_half, paint
from tests.support.small_study import CONTROLS, FOLDERS, NEWICK, OF_TEXT, few_replicates, grow, plan

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a page loads, links to, and runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                self.loads.append(value)


def page_of(folder) -> tuple[str, Page]:
    text = (folder / "report.html").read_text("utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def out(small_study):
    return small_study / "out"


def test_it_needs_no_network(out):
    text, page = page_of(out)
    assert page.loads
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.loads)
    assert {link[1:] for link in page.loads if link.startswith("#")} <= page.ids
    assert not {"script", "iframe", "link", "object", "embed"} & set(page.tags)
    assert not re.search(r"url\(|@import", text)
    assert page.tags.count("img") == len(report.FIGURES) - len(OF_TEXT)


def test_it_holds_what_the_issue_asks(out):
    text, _ = page_of(out)
    record = results.read(out).record
    for encoder in record["encoders"]:
        assert encoder["name"] in text
        assert encoder["fingerprint"] in text
    for part in (record["run"], record["dataset"]["fingerprint"], record["software"]["numpy"], "Nothing odd was found"):
        assert part in text
    for figure in (report.FIGURES[name] for name in report.FIGURES if name not in OF_TEXT):
        assert figure.title in text
    for species in ("Lumbricus terrestris", "Danaus plexippus"):
        assert f"<em>{species}</em>: its genus is not in the tree" in text
    assert "5 of 12 species are tips of the tree" in text
    assert "<em>Corvus corax</em>" in text


def test_what_is_not_simulated_does_not_say_so(out):
    text, _ = page_of(out)
    assert "simulated" not in text.lower()
    for path in (out / "figures").glob("*.json"):
        assert json.loads(path.read_text())["simulated"] is False


def test_figures_have_their_table_and_their_record(out):
    for name in set(report.FIGURES) - OF_TEXT:
        record = json.loads((out / "figures" / f"{name}.json").read_text())
        assert record["run"] == results.read(out).record["run"]
        assert len(pd.read_csv(out / "figures" / f"{name}.csv"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The report of a little of the built-in world."""
    folder = tmp_path_factory.mktemp("world")
    whole = datasets.load("world")
    rows = np.concatenate([np.arange(0, 200, 5), np.flatnonzero(whole.images["split"] == "unseen")[:20]])
    little = dataclasses.replace(whole, images=whole.images.iloc[np.unique(rows)].reset_index(drop=True))
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_replicates(monkeypatch)
        sample = collect(little, CONTROLS, folder / "store", progress=False)
        leave(sample, folder / "out")
    return folder / "out"


def leave(sample, out):
    """Everything of a study in the folder `out`, report and all."""
    predictions, coordinates = probing.ask(sample, plan(out)), study.project(sample, "pca")
    measured = [study.measure(sample), scoring.score(sample, predictions), study.measure_panels(sample, coordinates)]
    results.write(
        out,
        study.step(sample, "measure", 0.0),
        measurements=pd.concat(measured, ignore_index=True),
        predictions=predictions,
        coordinates=coordinates,
    )
    return report.write(out)


def test_a_part_of_the_dataset_called_test_is_not_the_probes(out):
    whole = results.read(out)
    part = whole.measurements[whole.measurements["metric"] == "cophenetic_correlation"]
    measurements = pd.concat([part.assign(split="test", value=-1.0), whole.measurements], ignore_index=True)
    found = dataclasses.replace(whole, measurements=measurements)
    pd.testing.assert_frame_equal(report.summary(found), report.summary(whole))
    for metric, where in (("cophenetic_correlation", {}), ("top1_accuracy", {**LINEAR, "protocol": "seen"})):
        pd.testing.assert_frame_equal(report.by_rank(found, metric, **where), report.by_rank(whole, metric, **where))
    assert report.summary(whole)["probe species"].notna().all()


def test_what_is_simulated_says_so_everywhere(world):
    text, page = page_of(world)
    assert "<strong>Simulated.</strong>" in text
    assert text.count("(simulated)") >= 3 + len(report.FIGURES)
    assert "(simulated)</title>" in text
    found = results.read(world)
    assert found.simulated
    assert found.measurements["simulated"].all()
    for path in (world / "figures").glob("*.json"):
        assert json.loads(path.read_text())["simulated"] is True
    assert page.tags.count("img") + text.count("Not drawn:") == len(report.FIGURES)


def test_the_world_has_parts_and_its_true_tree(world):
    text, _ = page_of(world)
    assert "Parts of the dataset" in text
    assert "<strong>true tree</strong>" in text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The report of pictures, taxa and notes that would like to be markup, or mathematics."""
    folder = tmp_path_factory.mktemp("hostile")
    grow(folder, FOLDERS[3:8], each=4)
    break_in_half(paint(folder / "<script>alert(2)<" / "x.png", size=(64, 64)))
    rows = [(path.relative_to(folder).as_posix(), path.parent.name) for path in sorted(folder.rglob("*.png"))]
    table = pd.DataFrame(rows, columns=["path", "folder"])
    kinds = table["folder"].map({name: i for i, name in enumerate(FOLDERS)}).fillna(4).astype(int)
    table["kingdom"], table["phylum"], table["class"] = "Animalia", "Chord&ata", "Aves $x_$"
    table["order"] = r"Order $\frac{"
    table["family"] = ("<b>Corvidae</b> " + kinds.astype("str")).where(kinds < 7, HOSTILE)
    table["genus"] = ("Corvus" + kinds.astype("str")).where(kinds < 7, "<script>")
    table["species"] = table["genus"] + " " + pd.Series("alba", index=table.index).where(kinds < 7, "alert(1)</script>")
    table.drop(columns="folder").to_csv(folder / "labels.csv", index=False)
    (folder / "tree.nwk").write_text(NEWICK.replace("Corvus_", "Corvus4_").replace("Corvus4_albus", "Corvus4_alba"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_replicates(monkeypatch)
        leave(collect(f"table:{folder / 'labels.csv'}", CONTROLS, folder / "store", progress=False), folder / "out")
    return folder / "out"


def test_hostile_names_are_escaped(hostile):
    text, page = page_of(hostile)
    assert "script" not in page.tags
    assert "<b>" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;script&gt;alert(2)&lt;/x.png" in text, "the broken picture is named"


def test_hostile_names_are_drawn(hostile):
    text, page = page_of(hostile)
    reasons = re.findall("Not drawn: (.*?)</p>", text)
    assert page.tags.count("img") + len(reasons) == len(report.FIGURES)
    assert (hostile / "figures" / "drilldown.png").is_file(), reasons


def test_writing_again_changes_only_the_time(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    before, _ = page_of(tmp_path / "out")
    report.write(tmp_path / "out")
    after, _ = page_of(tmp_path / "out")
    hide = re.compile(r"\d{4}-\d\d-\d\dT[\d:+]+")
    assert hide.sub("", after) == hide.sub("", before)


def test_a_figure_that_cannot_be_drawn_is_said_and_its_old_files_go(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "coordinates.parquet").unlink()
    report.write(tmp_path / "out")
    text, page = page_of(tmp_path / "out")
    assert page.tags.count("img") == len(report.FIGURES) - 1 - len(OF_TEXT)
    assert "holds no coordinates yet; run `bioclip-probe project" in text
    assert not list((tmp_path / "out" / "figures").glob("drilldown.*"))


def test_of_two_projections_the_last_is_drawn(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    found = results.read(tmp_path / "out")
    other = found.coordinates.assign(mode="paper").astype({"mode": "str"})
    found = results.write(tmp_path / "out", found.record, coordinates=other)
    assert set(found.coordinates["mode"]) == {"paper", "corrected"}
    report.draw(found, "drilldown")
    assert set(pd.read_csv(tmp_path / "out" / "figures" / "drilldown.csv")["mode"]) == {"paper"}


def test_a_report_needs_measurements(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "measurements.parquet").unlink()
    with pytest.raises(DataError, match="run `bioclip-probe measure"):
        report.write(tmp_path / "out")


def test_an_unknown_figure(out):
    with pytest.raises(ProbeError, match="no figure 'nonsense'; there are: headline, drilldown"):
        report.draw(results.read(out), "nonsense")


def test_summary(out):
    found = results.read(out)
    summary = report.summary(found)
    assert summary.index.tolist() == list(CONTROLS)
    unknown = {"CPCC names", "zero-shot species"}  # no model takes text
    assert summary.columns.tolist() == [heading for heading, *_ in report.SUMMARY if heading not in unknown]
    table = found.measurements
    row = table[
        (table["encoder"] == "pixels") & (table["metric"] == "cophenetic_correlation") & (table["space"] == "raw")
        & (table["tree"] == "taxonomy") & (table["rank"] == "species")
    ]  # fmt: skip
    assert summary.loc["pixels", "CPCC"] == row["value"].item()


def test_by_rank(out):
    found = results.read(out)
    cells = report.by_rank(found, "knn_purity_1")
    assert cells.index.tolist() == [*sorted(CONTROLS), "chance"] or cells.index.tolist() == [*CONTROLS, "chance"]
    assert cells.columns.tolist() == list(RANKS)
    cell = re.fullmatch(r"(\d\.\d{3}) \[(\d\.\d{3}), (\d\.\d{3})\]", cells.loc["pixels", "family"])
    assert float(cell[2]) <= float(cell[1]) <= float(cell[3])
    assert report.by_rank(found, "cophenetic_correlation").loc["pixels", "kingdom"] == "–"
