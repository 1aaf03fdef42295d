"""The explorer of a small study, from its results folder and its store."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil

import numpy as np
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.report.explorer import Explorer, contents_of, explore, write_explorer
from bioclip_probe.report.explorer.sources import dataset_of, stored_sample
from bioclip_probe.report.explorer.strays import read_strays
from bioclip_probe.store.store import open_store
from bioclip_probe.study import results, run_steps
from bioclip_probe.study.examples import corvid_plan
from tests.support.command_line import run

pytestmark = pytest.mark.slow


@pytest.fixture
def study(small_study, tmp_path):
    """A copy of the small study's results, to which the explorer adds what it computes."""
    shutil.copytree(small_study / "out", tmp_path / "out")
    return tmp_path


def contents(study, small_study):
    read = results.read(study / "out")
    dataset = dataset_of(read, open_store(small_study / "store"))
    return contents_of(read, stored_sample(read, small_study / "store", dataset), progress=False), read


def test_contents_are_those_of_the_study(study, small_study):
    found, read = contents(study, small_study)
    assert len(found.images) == read.record["dataset"]["n_usable"]
    assert (np.diff(found.placement.node) >= 0).all(), "pictures stand in the order of the taxonomy"
    assert [model.name for model in found.models] == ["pixels", "color-histogram"]
    paths = found.placement.tree.paths
    for model in found.models:
        rows = read.measurements.query("metric == 'clade_correlation' and encoder == @model.name and space == 'raw'")
        rows = rows[(rows["tree"] == "taxonomy") & (rows["split"] == "all")]
        assert {paths[t] for t in np.flatnonzero(np.isfinite(model.correlations))} == set(
            rows.dropna(subset="value")["taxon"]
        )
        assert {paths[refit.node] for refit in model.refits} == set(read.coordinates["focus"])
        panel = model.refits[0]
        own = read.coordinates[read.coordinates["encoder"] == model.name]
        own = own[own["focus"] == paths[panel.node]].drop_duplicates("image_id").set_index("image_id")
        inside = np.isin(found.placement.node, range(panel.node, found.placement.tree.stop[panel.node]))
        assert panel.points.tolist() == own.loc[found.images["image_id"][inside], ["x", "y"]].to_numpy().tolist()


def test_purity_of_neighbors_is_what_was_measured(study, small_study):
    found, read = contents(study, small_study)
    values = read.measurements.query("metric == 'knn_purity_1_other_species' and space == 'raw' and split == 'all'")
    for model in found.models:
        value = values.loc[(values["encoder"] == model.name) & (values["rank"] == "kingdom"), "value"].item()
        kingdom = found.placement.at("kingdom")
        species = found.placement.at("species")
        counted = [bool(((kingdom == k) & (species != s)).any()) for k, s in zip(kingdom, species, strict=True)]
        assert (kingdom == kingdom[model.neighbors.relative])[counted].mean() == pytest.approx(value)


def test_what_was_computed_is_kept(study, small_study, monkeypatch):
    first = explore(study / "out", small_study / "store", progress=False).page
    monkeypatch.setattr("bioclip_probe.report.explorer.contents.map_of_all", None)
    assert explore(study / "out", small_study / "store", progress=False).page == first


@pytest.mark.parametrize("processors", [1, 3])
def test_the_page_is_the_same_for_any_number_of_threads(study, small_study, processors, monkeypatch):
    first = explore(study / "out", small_study / "store", progress=False).page
    shutil.rmtree(study / "out" / "pieces" / "explore")
    monkeypatch.setattr("bioclip_probe.report.explorer.contents.available_processors", lambda: processors)
    assert explore(study / "out", small_study / "store", progress=False).page == first
    assert (study / "out" / "pieces" / "explore").is_dir(), "the pieces were computed again"


def test_the_command_writes_the_page(study, small_study, capsys):
    status, out, err = run(
        capsys, "explorer", "--out", study / "out", "--store", small_study / "store", "--thumbnails", "none", "--quiet"
    )
    assert (status, out) == (0, f"{study / 'out' / 'explorer.html'}\n"), err
    page = (study / "out" / "explorer.html").read_text("utf-8")
    about = json.loads(re.search('<script type="application/json" id="study">(.*)</script>', page)[1])
    assert about["thumbnails"]["kind"] == "none"
    assert about["arrays"]["taxon"]["length"] == results.read(study / "out").record["dataset"]["n_usable"]
    assert "simulated" not in page.split("<body>")[1].split("<main")[0]


def test_other_pictures_are_refused(study, small_study):
    with pytest.raises(DataError, match=r"is about .*, not about world@.*; name its pictures with --data"):
        explore(study / "out", small_study / "store", data="world", progress=False)


def test_a_notebook_is_told_where_a_large_page_is(tmp_path, monkeypatch):
    monkeypatch.setattr("bioclip_probe.report.explorer.page.MOST_IN_NOTEBOOK", 9)
    explorer = Explorer("<p>A page of more</p>", tmp_path / "a & b" / "explorer.html")
    path = html.escape(str(explorer.path))
    assert f"writes <code>{path}</code>" in explorer._repr_html_()
    assert explorer.write() == explorer.path
    assert f"Open <code>{path}</code> in a browser" in explorer._repr_html_()
    assert explorer.write(tmp_path / "other.html").read_text("utf-8") == explorer.page


def test_strays_of_another_run_are_not_shown(study, small_study):
    read = results.read(study / "out")
    assert [model["encoder"] for model in read_strays(read)] == ["pixels", "color-histogram"]
    assert read_strays(dataclasses.replace(read, record={**read.record, "run": "another"})) == []
    (study / "out" / "strays.json").write_text("{")
    assert read_strays(read) == []


def test_vectors_without_pictures_have_strays_without_pictures(tmp_path):
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["project"])
    assert write_explorer(tmp_path / "out", tmp_path / "store", progress=False) == tmp_path / "out" / "explorer.html"
    (model,) = json.loads((tmp_path / "out" / "strays.json").read_text("utf-8"))["models"]
    assert (model["rank"], model["n_images"], model["n_strays"]) == ("genus", 3, 1)
    assert {stray["taxon"] for stray in model["strays"]} == {"Pica hudsonia", "Corvus corax"}
    assert {stray["picture"] + stray["neighbor_picture"] for stray in model["strays"]} == {""}
