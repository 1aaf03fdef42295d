"""The command line: what each command prints and leaves, and one clear line for each kind of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.plots.registry import REGISTRY as FIGURES
from bioclip_probe.study import results
from bioclip_probe.tables import RANKS
from tests.support.command_line import refused, run
from tests.support.pictures import paint
from tests.support.small_study import CONTROLS, FOLDERS, NEWICK, NOT_DRAWN

pytestmark = pytest.mark.slow

#: Intervals and p-values are coarse; values are as they are.
QUICK = ("--n-permutations", 19, "--n-bootstrap", 29)


def files(folder: Path) -> dict:
    """Every file below a folder and when it was last written, but for the locks, which are opened anew."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_models_and_datasets(capsys):
    for command, names in (("models", ("bioclip", "pixels", "local-dir:PATH")), ("datasets", ("world", "inat21:PATH"))):
        status, out, err = run(capsys, command)
        assert (status, err) == (0, "")
        assert all(name in out for name in names)


def test_a_phylogeny_is_checked_first_and_spoken_of_last(few, here, capsys):
    (here / "no.nwk").write_text("(a,b")
    assert "no.nwk: expected one Newick tree" in refused(capsys, "audit", "--data", few, "--tree", "no.nwk")
    (here / "crows.nwk").write_text(NEWICK)
    given = ("--data", few, "--models", "pixels", "--no-controls", "--tree", "crows.nwk", "--quiet", *QUICK)
    out = run(capsys, "measure", *given)[1]
    assert "crows: 3 of 3 species are tips of the tree" in out
    header = ["CPCC", "tree", "signal", "λ", "all", "image", "pairs", "Spearman", "K_mult", "K_mult,", "z"]
    assert out.splitlines()[-3].split() == header


def test_the_steps_leave_what_the_whole_leaves(small_study, here, capsys):
    given = ("--data", f"inat21:{small_study / 'val'}", "--models", *CONTROLS, "--store", small_study / "store")
    given = (*given, "--no-controls", *QUICK, "--quiet")
    tree = ("--tree", small_study / "tree.nwk", "--tree-unit", "Myr")
    probes = ("--probes", "lda", "simpleshot", "--protocols", "seen", "--shots", 1)
    whole = ("reproduce", *given, *tree, *probes, "--method", "pca", "--out", "whole")
    assert run(capsys, *whole)[0] == 0
    for command, *more in (("measure", *tree), ("probe", *probes), ("project", "--method", "pca")):
        status, out, _ = run(capsys, command, *given, *more, "--out", "steps")
        assert status == 0
        assert "pixels" in out
    assert run(capsys, "figure", "--out", "steps")[0] == 0
    assert run(capsys, "report", "--out", "steps") == (0, "steps/report.html\n", "")
    whole, steps = results.read("whole"), results.read("steps")
    for table in ("measurements", "predictions", "coordinates"):
        pd.testing.assert_frame_equal(getattr(steps, table), getattr(whole, table))
    assert list(steps.record["steps"]) == list(whole.record["steps"]) == ["measure", "probe", "project"]
    assert steps.record["steps"]["project"]["panels"] == whole.record["steps"]["project"]["panels"]
    names = ({path.name for path in Path(folder).iterdir()} for folder in ("steps", "whole"))
    of_whole_studies = {"study.toml", "explorer.html", "strays.json"}
    assert next(names) | of_whole_studies == next(names)
    assert steps.record["trees"] == whole.record["trees"], "a later step forgot the phylogeny"


def test_metrics_are_measured_alone(small_study, here, capsys):
    given = ("--data", f"inat21:{small_study / 'val'}", "--models", *CONTROLS, "--store", small_study / "store")
    given = (*given, "--no-controls", *QUICK, "--quiet", "--out", "alone")
    status, out, _ = run(capsys, "measure", *given, "--metrics", "cophenetic_correlation", "knn_purity_1")
    assert status == 0
    assert "knn_purity_1" in out
    alone = results.read("alone").measurements
    assert set(alone["metric"]) == {"cophenetic_correlation", "knn_purity_1"}
    whole = results.read(small_study / "out").measurements
    keys = ["encoder", "space", "tree", "rank", "split", "metric"]
    both = alone.merge(whole[whole["taxon"].isna() & whole["encoder_b"].isna()], on=keys, suffixes=("", "_whole"))
    assert len(both) == len(alone)
    pd.testing.assert_series_equal(both["value"], both["value_whole"], check_names=False)


def test_a_wrong_metric_is_refused_before_the_work(few, here, capsys):
    line = refused(capsys, "measure", "--data", few, "--metrics", "cophenetic_corelation")
    assert "no metric 'cophenetic_corelation'; did you mean cophenetic_correlation" in line
    line = refused(capsys, "measure", "--data", few, "--metrics", "top1_accuracy")
    assert "'top1_accuracy' is measured by `bioclip-probe probe`" in line
    assert not (here / "store").exists()


def test_published_runs_from_the_command_line(small_study, capsys):
    status, out, _ = run(capsys, "published", "--out", small_study / "out")
    assert (status, out) == (0, "no published number is about the models and data of this run\n")


def test_card_runs_from_the_command_line(here, capsys):
    rows = []
    for number, name in enumerate(("Leaf___spot", "Leaf___rust") * 3):
        paint(here / "tasks" / "plantdoc" / "images" / f"{number}.png", (40 * number, 90, 10))
        rows.append({"FILE_NAME": f"{number}.png", "CATEGORY": name, "SUPER_CATEGORY": "leaf"})
    pd.DataFrame(rows).to_csv(here / "tasks" / "plantdoc" / "labels.csv", index=False)
    status, out, _ = run(capsys, "card", "tasks", "--models", "pixels", "--out", "card", "--quiet")
    assert status == 0
    assert "birds_525: absent" in out
    assert set(results.read("card").measurements["dataset"]) == {"meta-album-PLT_DOC_Mini"}


def test_reproduce_says_how_it_went(few, here, capsys):
    status, out, err = run(
        capsys, "reproduce", "--data", few, "--models", *CONTROLS, "--method", "pca", "--out", "out", *QUICK
    )
    assert status == 0
    assert "inat21-val" in out
    assert "no number of the summary is defined here" in out  # three species of one genus have no tree to follow
    assert "Report: out/report.html" in out
    assert "simulated" not in out
    assert "embedding inat21-val with pixels" in err
    assert "Explorer: out/explorer.html" in out
    assert 'href="explorer.html"' in Path("out/report.html").read_text("utf-8")
    assert Path("out/explorer.html").is_file()


def test_embed_twice(few, here, capsys):
    given = ("embed", "--data", few, "--models", "pixels", "--store", "s", "--quiet")
    assert "pixels: 9 embedded (0 before), 0 failed" in run(capsys, *given)[1]
    before = files(here / "s")
    assert "pixels: 9 embedded (9 before), 0 failed\n" in run(capsys, *given)[1]
    assert files(here / "s") == before


def test_bad_pictures_are_named_on_stderr_and_in_the_report(few, here, capsys):
    (here / "val" / FOLDERS[4] / "empty.png").write_bytes(b"")
    status, _, err = run(
        capsys, "reproduce", "--data", few, "--models", *CONTROLS, "--method", "pca", "--out", "out", "--quiet"
    )
    assert status == 0
    assert "left out empty" in err
    assert "the file is empty" in Path("out/report.html").read_text("utf-8")
    failures = json.loads(Path("out/runs.json").read_text("utf-8"))["failures"]
    assert [failure["image_id"] for failure in failures["pixels"]] == ["empty"]


def test_taxa(few, here, capsys):
    given = ("taxa", "--data", few, "--models", "v1.5=pixels", "--rank", "species", "--quiet")
    assert "Corvus corax" in run(capsys, *given)[1]
    assert run(capsys, *given, "--out", "taxa")[0] == 0
    table, means = pd.read_csv("taxa/v1.5-species.csv"), np.load("taxa/v1.5-species.npy", allow_pickle=False)
    assert table["n_images"].tolist() == [3, 3, 3]
    assert means.shape == (3, 768)


def test_audit(few, here, capsys):
    (here / "crows.nwk").write_text(NEWICK.replace("Corvus_cornix", "Corvus_frugilegus"))
    status, out, _ = run(capsys, "audit", "--data", few, "--tree", "crows.nwk")
    assert status == 0
    assert "9 images" in out
    assert "crows.nwk: 2 of 3 species are tips of the tree" in out
    assert "Corvus cornix" in out


def test_figures_by_name_and_all(small_study, here, capsys):
    import shutil

    shutil.copytree(small_study / "out", here / "out")
    (here / "out" / "coordinates.parquet").unlink()
    assert run(capsys, "figure", "headline", "--out", "out")[1] == "out/figures/headline.png\n"
    status, out, _ = run(capsys, "figure", "--out", "out")
    assert status == 0
    assert out.count(".png") == len(FIGURES) - 1 - len(NOT_DRAWN)
    assert "drilldown: not drawn: out holds no coordinates yet; run `bioclip-probe project" in out


@pytest.mark.parametrize("command", ["reproduce", "measure", "embed", "audit"])
def test_a_missing_folder(here, capsys, command):
    assert "nowhere: no such folder" in refused(capsys, command, "--data", "inat21:nowhere")
    assert not files(here)


def test_a_table_without_rank_columns(here, capsys):
    paint(here / "a.png")
    (here / "labels.csv").write_text("path,colour\na.png,red\n")
    line = refused(capsys, "reproduce", "--data", "table:labels.csv", "--models", "pixels")
    assert "has no rank columns: expected some of kingdom" in line
    assert set(files(here)) == {here / "a.png", here / "labels.csv"}


def test_an_unknown_dataset(here, capsys):
    assert "no dataset 'inat'; did you mean inat21:PATH?" in refused(capsys, "reproduce", "--data", "inat:x")
    assert not files(here)


REFUSED = {
    "unknown model": (["--models", "bioclop"], "unknown model 'bioclop'; did you mean bioclip"),
    "unknown model beside a known one": (["--models", "pixels", "pixle"], "did you mean pixels"),
    "one model twice": (["--models", "pixels", "pixels"], "a model is named twice: pixels"),
    "two models of one name": (["--models", "a=pixels", "a=color-histogram"], "two models are called 'a'"),
    "missing tree": (["--tree", "nowhere.nwk"], "cannot read the tree nowhere.nwk"),
    "tree that does not parse": (["--tree", "broken.nwk"], "broken.nwk: "),
    "tree of other species": (["--tree", "others.nwk"], "only 0 of 3 species are tips of the tree"),
    "no model there": (["--models", "local-dir:nowhere"], "nowhere"),
    "model folder without config": (["--models", "pixels", "local-dir:no-config"], "open_clip_config.json"),
    "out that is a file": (["--out", "broken.nwk"], "broken.nwk is a file; expected a folder"),
    "store that is a file": (["--store", "broken.nwk"], "broken.nwk is a file; expected the folder of a store"),
    "store that is something else": (["--store", "no-config"], "is not a store"),
    "batch size": (["--batch-size", "0"], "batch size and workers must be at least 1; got 0"),
    "workers": (["--workers", "0"], "must be at least 1"),
    "seed": (["--seed", "-1"], "the seed must be 0 or more; got -1"),
}


@pytest.mark.parametrize("command", ["reproduce", "measure"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_work(few, here, capsys, command, case):
    (here / "broken.nwk").write_text("((A,B),C")
    (here / "others.nwk").write_text("(A_b:1,C_d:1,E_f:1);")
    (here / "no-config").mkdir()
    (here / "no-config" / "weights.bin").write_bytes(b"0")
    before = files(here)
    flags, line = REFUSED[case]
    models = () if "--models" in flags else ("--models", "pixels")
    controls = ("--no-controls",) if command == "reproduce" else ()
    assert line in refused(capsys, command, "--data", few, *models, *flags, *controls)
    assert files(here) == before
    assert not (here / "store").exists()
    assert not (here / "results").exists()


def test_an_unreachable_hub_names_the_local_way(few, here, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(here / "cache"))
    line = refused(capsys, "reproduce", "--data", few, "--models", "bioclip")
    assert "imageomics/bioclip is not in the cache" in line
    assert "local-dir:PATH" in line
    assert not (here / "store").exists()
    assert not (here / "results").exists()


def test_no_usable_image(here, capsys):
    for number in range(3):
        path = here / "val" / FOLDERS[4 + number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not a picture")
    line = refused(capsys, "reproduce", "--data", "inat21:val", "--models", "pixels")
    assert "has no usable image; the first error" in line
    assert not (here / "results").exists()
    assert not list(here.glob("store/**/vectors*"))
    paint(here / "val" / FOLDERS[4] / "0.png")
    assert run(capsys, "embed", "--data", "inat21:val", "--models", "pixels", "--quiet")[0] == 0, "the store is sound"


@pytest.fixture
def embedded(few, here, capsys) -> tuple:
    given = ("measure", "--data", few, "--no-controls", "--models", "pixels")
    assert run(capsys, "embed", *given[1:], "--quiet")[0] == 0
    return given


def test_a_store_of_another_version(embedded, here, capsys):
    head = here / "store" / "store.json"
    head.write_text(head.read_text().replace('"version": 3', '"version": 99'))
    before = files(here)
    assert "has store format 99" in refused(capsys, *embedded)
    assert files(here) == before


@pytest.mark.parametrize("lost", ["vectors-00000.npy", "rows-00000.parquet", "meta.json", "images.parquet"])
def test_a_half_deleted_store(embedded, here, capsys, lost):
    next(here.rglob(lost)).unlink()
    before = files(here)
    line = refused(capsys, *embedded)
    assert "damaged" in line
    assert "embed again" in line
    assert files(here) == before


def test_a_folder_of_another_run(embedded, here, capsys):
    assert run(capsys, *embedded, "--quiet")[0] == 0
    before = files(here / "results")
    line = refused(capsys, *embedded[:-1], "color-histogram")
    assert "results holds the results of another run (inat21-val: pixels); name another folder" in line
    assert files(here / "results") == before


def test_an_unknown_figure(small_study, here, capsys):
    before = files(small_study / "out")
    line = refused(capsys, "figure", "headline", "headlines", "--out", small_study / "out")
    assert "no figure 'headlines'; did you mean headline" in line
    assert files(small_study / "out") == before


@pytest.mark.parametrize("command", ["report", "figure"])
def test_an_empty_folder_has_no_report(here, capsys, command):
    assert "holds no results (no runs.json); run `bioclip-probe measure" in refused(capsys, command, "--out", here)
    assert not files(here)
    (here / "notes.txt").touch()
    assert "notes.txt is a file; expected a folder of results" in refused(capsys, command, "--out", "notes.txt")


def test_real_animals_with_their_phylogeny(shared_data, here, capsys):
    """187 photographs, one a taxon: most ranks have single images, and the rows say so."""
    arguments = ("--data", f"table:{shared_data / 'animals' / 'labels.csv'}", "--models", *CONTROLS)
    tree = shared_data / "trees" / "mammals_gumbs2023.nwk"
    arguments = (*arguments, "--tree", tree, "--tree-unit", "Myr", "--method", "pca", *QUICK)
    probes = ("--probes", "linear", "--protocols", "seen", "--shots", 1)
    status, _, _ = run(capsys, "reproduce", *arguments, *probes, "--quiet")
    assert status == 0
    found, text = results.read("results"), Path("results/report.html").read_text("utf-8")
    (told,) = found.record["trees"].values()
    matches = pd.DataFrame(told["matches"])
    mammals = found.measurements[found.measurements["tree"] == tree.stem]
    assert matches["matched"].sum() == told["tips"] == 55
    assert {"Bison bison", "Bos taurus", "Vicugna pacos"} <= set(matches.loc[~matches["matched"], "name"])
    for name in ("Bison bison", "Bos taurus", "Vicugna pacos"):
        assert f"<em>{name}</em>" in text
    of_pairs = mammals["metric"].isin(["cophenetic_correlation", "image_tree_correlation", "spearman", "k_mult"])
    assert set(mammals.loc[of_pairs, "n_taxa"]) == {55}
    assert mammals.loc[mammals["metric"] == "cophenetic_correlation", "value"].notna().all()
    table = found.measurements[(found.measurements["space"] == "raw") & (found.measurements["tree"] == "taxonomy")]
    species = table[(table["rank"] == "species") & (table["metric"] == "knn_purity_1")]
    counted = set(zip(species["n_taxa"], species["n_images"], species["n_excluded"], strict=True))
    assert counted == {(4, 8, 179)}, "four species have two photographs, the others one: they are left out and counted"
    kingdom = table[(table["rank"] == "kingdom") & (table["metric"] == "knn_purity_1")]
    assert set(kingdom["note"]) == {"only one taxon"}
    orders = table[(table["rank"] == "order") & (table["metric"] == "knn_purity_1")]
    assert orders["value"].notna().all()
    assert (orders["n_images"] + orders["n_excluded"] == 187).all()
    probed = table[(table["metric"] == "top1_accuracy") & (table["probe"] == "linear") & table["shots"].isna()]
    probed = probed[probed["protocol"] == "seen"].set_index(["rank", "encoder"])
    assert set(probed.loc[["species", "kingdom"], "note"]) == {
        "no taxon has the images or child taxa that the split needs; 187 of 187 images are left out", "only one taxon"
    }  # fmt: skip
    assert probed.loc["class", "value"].notna().all()
    assert set(RANKS) == set(probed.index.get_level_values("rank"))
    assert text.count("Not drawn") == len(NOT_DRAWN | {"signal", "strays"}), "few species have two photographs"
