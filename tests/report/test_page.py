"""The page: it needs no network, marks simulated data, and escapes every name."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import collect, datasets, report
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.plots.registry import REGISTRY
from bioclip_probe.report.explorer.sources import dataset_of, stored_sample
from bioclip_probe.store.store import open_store
from bioclip_probe.study import results
from bioclip_probe.tables import RANKS
from tests.support.pictures import break_in_half, paint
from tests.support.report_pages import page_of, write_study
from tests.support.small_study import CONTROLS, FOLDERS, NEWICK, NOT_DRAWN, grow

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script>"
QUIET = ExtractionSettings(progress=False)


@pytest.fixture(scope="module")
def out(small_study):
    return small_study / "out"


def test_the_page_needs_no_network(out):
    text, page = page_of(out)
    assert page.loads
    assert all(source.startswith("data:image/") for source in page.loads)
    assert not {"script", "iframe", "link", "object", "embed", "base"} & set(page.tags)
    assert not re.search(r"url\(|@import|http-equiv", text)
    assert n_figures(page) == len(REGISTRY) - len(NOT_DRAWN)


def test_links_lead_to_a_place_on_the_page_or_to_the_explorer_beside_it(out):
    _, page = page_of(out)
    places = {link for link in page.links if link.startswith("#")}
    assert {link[1:] for link in places} <= page.ids
    assert set(page.links) - places == {"explorer.html"}
    assert (out / "explorer.html").is_file()


def test_the_page_has_the_worst_strays_of_each_model_with_both_pictures(out):
    text, page = page_of(out)
    nearest = {name: strays["strays"] for name, strays in strays_by_model(out).items()}
    assert list(nearest) == ["pixels", "color-histogram"]
    for stray in (stray for strays in nearest.values() for stray in strays):
        assert f'alt="Picture {stray["image"]}, {stray["taxon"]}"' in text
        assert {stray["picture"], stray["neighbor_picture"]} <= set(page.loads)
        assert len(stray["picture"]) < 4000


def test_strays_are_the_true_nearest_of_the_least_related(out, small_study):
    found = results.read(out)
    sample = stored_sample(found, small_study / "store", dataset_of(found, open_store(small_study / "store")))
    ids, placement = sample.images["image_id"].tolist(), sample.placement
    for name, strays in strays_by_model(out).items():
        vectors = sample.embeddings[name].vectors.astype(float)
        cosine = vectors @ vectors.T
        np.fill_diagonal(cosine, -1)
        nearest = cosine.argmax(axis=1)
        top = placement.at(strays["rank"])
        assert strays["n_strays"] == (top != top[nearest]).sum()
        shared = [
            [placement.at(rank)[i] == placement.at(rank)[nearest[i]] for rank in RANKS].count(True)
            for i in range(len(ids))
        ]
        listed = [i for i in range(len(ids)) if nearest[nearest[i]] != i or i < nearest[i]]
        worst = sorted((shared[i], -cosine[i, nearest[i]]) for i in listed if shared[i] < len(RANKS))
        shown = [(shared[ids.index(stray["image"])], -stray["cosine"]) for stray in strays["strays"]]
        assert shown == [(level, pytest.approx(value, abs=1e-5)) for level, value in worst[: len(shown)]]
        for stray in strays["strays"]:
            assert ids[nearest[ids.index(stray["image"])]] == stray["neighbor"]


def strays_by_model(out):
    return {model["encoder"]: model for model in json.loads((out / "strays.json").read_text())["models"]}


def n_figures(page):
    return sum(source.startswith("data:image/png;base64,") for source in page.loads)


def test_the_page_names_its_run_models_figures_and_species_without_a_tip(out):
    text, _ = page_of(out)
    record = results.read(out).record
    for encoder in record["encoders"]:
        assert encoder["name"] in text
        assert encoder["fingerprint"] in text
    for part in (record["run"], record["dataset"]["fingerprint"], record["software"]["numpy"], "Nothing odd was found"):
        assert part in text
    for figure in (REGISTRY[name] for name in REGISTRY if name not in NOT_DRAWN):
        assert figure.title in text
    for species in ("Lumbricus terrestris", "Danaus plexippus"):
        assert f"<em>{species}</em>: its genus is not in the tree" in text
    assert "5 of 12 species are tips of the tree" in text
    assert "<em>Corvus corax</em>" in text


def test_real_data_are_not_called_simulated(out):
    text, _ = page_of(out)
    assert "simulated" not in text.lower()
    for path in (out / "figures").glob("*.json"):
        assert json.loads(path.read_text())["simulated"] is False


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The report of a small part of the built-in world."""
    folder = tmp_path_factory.mktemp("world")
    dataset = datasets.load("world")
    rows = np.concatenate([np.arange(0, 200, 5), np.flatnonzero(dataset.images["split"] == "unseen")[:20]])
    little = dataclasses.replace(dataset, images=dataset.images.iloc[np.unique(rows)].reset_index(drop=True))
    return write_study(collect(little, CONTROLS, folder / "store", settings=QUIET), folder / "out")


def test_simulated_data_are_marked_everywhere(world):
    text, page = page_of(world)
    assert "<strong>Simulated.</strong>" in text
    assert text.count("(simulated)") >= 3 + len(REGISTRY)
    assert "(simulated)</title>" in text
    found = results.read(world)
    assert found.simulated
    assert found.measurements["simulated"].all()
    for path in (world / "figures").glob("*.json"):
        assert json.loads(path.read_text())["simulated"] is True
    assert n_figures(page) + text.count("Not drawn:") == len(REGISTRY)


def test_the_world_has_parts_and_its_true_tree(world):
    text, _ = page_of(world)
    assert "Parts of the dataset" in text
    assert "<strong>true tree</strong>" in text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The report of pictures, taxa and notes that look like markup or mathematics."""
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
    sample = collect(f"table:{folder / 'labels.csv'}", CONTROLS, folder / "store", settings=QUIET)
    return write_study(sample, folder / "out")


def test_hostile_names_are_escaped(hostile):
    text, page = page_of(hostile)
    assert "script" not in page.tags
    assert "<b>" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;script&gt;alert(2)&lt;/x.png" in text, "the broken picture is named"


def test_hostile_names_are_drawn(hostile):
    text, page = page_of(hostile)
    reasons = re.findall("Not drawn: (.*?)</figcaption>", text)
    assert n_figures(page) + len(reasons) == len(REGISTRY)
    assert (hostile / "figures" / "drilldown.png").is_file(), reasons


def test_a_page_that_is_written_again_differs_in_its_time_only(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    before, _ = page_of(tmp_path / "out")
    report.write(tmp_path / "out")
    after, _ = page_of(tmp_path / "out")
    hide = re.compile(r"\d{4}-\d\d-\d\dT[\d:+]+")
    assert hide.sub("", after) == hide.sub("", before)


def test_the_page_says_why_a_figure_is_not_drawn(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "coordinates.parquet").unlink()
    report.write(tmp_path / "out")
    text, page = page_of(tmp_path / "out")
    assert n_figures(page) == len(REGISTRY) - 1 - len(NOT_DRAWN)
    assert "holds no coordinates yet; run `bioclip-probe project" in text
    assert not list((tmp_path / "out" / "figures").glob("drilldown.*"))


def test_a_report_needs_measurements(out, tmp_path):
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "measurements.parquet").unlink()
    with pytest.raises(DataError, match="run `bioclip-probe measure"):
        report.write(tmp_path / "out")
