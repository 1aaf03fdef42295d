"""Study files on the command line: init writes what the flags say, run does what they do, a dry run does nothing."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from bioclip_probe.cli.parser import build_parser
from bioclip_probe.cli.plans import whole_plan
from bioclip_probe.files import sha256_of_file
from bioclip_probe.study import results
from bioclip_probe.study.site_file import plan_at, read_site
from bioclip_probe.study.study_file import read_studies
from tests.support.command_line import refused, run
from tests.support.small_study import CONTROLS

#: Intervals and p-values are coarse; values are as they are.
QUICK = ("--n-permutations", "19", "--n-primary-permutations", "19", "--n-bootstrap", "29")
#: Few panels, and one probe.
SHORT = ("--methods", "pca", "--probes", "lda", "--protocols", "seen", "--shots")

FLAGS = {
    "none": (),
    "models and numbers": ("--models", "bioclip", "clip", "--seed", "4", "--level", "0.9", "--n-bootstrap", "29"),
    "no controls, no shots": ("--no-controls", "--shots", "--probes", "lda"),
    "without protocol seen": ("--protocols", "unseen", "--n-deals", "2"),
    "machine": ("--device", "cpu", "--engine", "processes:2", "--workers", "3", "--batch-size", "7", "--store", "/s"),
    "paths": ("--data", "inat21:/data/val", "--models", "m=local-dir:/models/m", "clip", "--tree", "TREE"),
    "columns": ("--confound", "photographer", "--within", "place"),
    "extraction": ("--dtype", "float16", "--max-failures", "1%", "--precision", "fp32", "--shard-size", "9"),
    "mode": ("--mode", "paper", "--methods", "pca", "--templates", "openai", "--own-split", "--per-species", "4"),
}


@pytest.mark.parametrize("case", FLAGS)
def test_init_writes_a_study_that_runs_as_the_flags_do(case, here, capsys):
    (here / "birds.nwk").write_text("(a,b);")
    flags = [str(here / "birds.nwk") if flag == "TREE" else flag for flag in FLAGS[case]]
    status, out, err = run(capsys, "init", "study.toml", *flags)
    assert (status, err) == (0, "")
    (study,) = read_studies(Path("study.toml").read_text("utf-8"))
    site = Path("site.toml")
    assert out.splitlines() == ["study.toml", *(["site.toml"] if site.exists() else [])]
    assert site.exists() == (case in ("machine", "paths", "extraction"))
    read = read_site(site.read_text("utf-8") if site.exists() else "")
    assert plan_at(read, study.plan) == whole_plan(build_parser().parse_args(["reproduce", *flags]))
    assert str(here) not in Path("study.toml").read_text("utf-8")


def test_init_replaces_no_file(here, capsys):
    (here / "study.toml").write_text("mine")
    assert "study.toml is there already" in refused(capsys, "init")
    (here / "site.toml").write_text("mine")
    assert "site.toml is there already" in refused(capsys, "init", "other.toml", "--device", "cpu")
    assert (here / "study.toml").read_text() == (here / "site.toml").read_text() == "mine"
    assert not (here / "other.toml").exists()


def test_a_study_that_cannot_be_run_is_refused_in_one_line(here, capsys, monkeypatch):
    assert "there is no study file s.toml; `bioclip-probe init s.toml` writes one" in refused(capsys, "run", "s.toml")
    (here / "s.toml").write_text('data = "inat21"\n')
    assert "this machine has no data 'inat21'; say where it is: [data]" in refused(capsys, "run", "s.toml")
    assert "there is no site file nowhere.toml" in refused(capsys, "run", "s.toml", "--site", "nowhere.toml")
    (here / "elsewhere.toml").write_text('[data]\ninat21 = "inat21:nowhere"\n')
    monkeypatch.setenv("BIOCLIP_PROBE_SITE", str(here / "elsewhere.toml"))
    assert "nowhere: no such folder" in refused(capsys, "run", "s.toml")
    line = refused(capsys, "run", "s.toml", "--set", "mesure.seed=3")
    assert line == "bioclip-probe: s.toml: no setting 'mesure'; did you mean measure, models, tree?"
    (here / "s.toml").write_bytes(b"\xff\xfe")
    assert "s.toml is not text in UTF-8" in refused(capsys, "run", "s.toml")
    assert {path.name for path in here.iterdir()} == {"s.toml", "elsewhere.toml"}
    (here / "study.toml").write_text("seed = 1")
    assert "study.toml is where its results would be stored" in refused(capsys, "run", "study.toml", "--out", ".")


@pytest.fixture
def without_figures(monkeypatch):
    """Draw no figures: the tables are what is compared."""
    monkeypatch.setattr("bioclip_probe.report.drawing", nullcontext)
    monkeypatch.setattr("bioclip_probe.report.write", lambda out, progress, figures: Path(out) / "report.html")


@pytest.mark.slow
def test_a_grid_leaves_what_the_separate_commands_leave(few, here, capsys, without_figures):
    given = ("--data", few, "--no-controls", *QUICK, *SHORT)
    assert run(capsys, "init", *given, "--models", CONTROLS[0])[0] == 0
    text = Path("study.toml").read_text("utf-8").replace('models = ["pixels"]', "").replace("\nseed = 0", "")
    Path("study.toml").write_text(f"{text}\n[grid]\nmodels = {json.dumps(CONTROLS)}\nseed = [0, 1]\n", "utf-8")
    status, out, err = run(capsys, "run", "study.toml", "--out", "grid", "--json", "--quiet")
    assert status == 0, err
    studies = json.loads(out)["studies"]
    labels = [f"models={model},seed={seed}" for model in CONTROLS for seed in (0, 1)]
    assert [study["label"] for study in studies] == labels
    assert {path.name for path in Path("grid").iterdir()} == set(labels)
    for study in studies:
        stored = Path("grid") / study["label"] / "study.toml"
        assert results.read(stored.parent).record["study"]["sha256"] == study["sha256"] == sha256_of_file(stored)
    for model in CONTROLS:
        alone = ("reproduce", *given, "--models", model, "--seed", 1, "--out", f"alone-{model}", "--quiet")
        assert run(capsys, *alone)[0] == 0
        one, other = results.read(f"grid/models={model},seed=1"), results.read(f"alone-{model}")
        for table in ("measurements", "predictions", "coordinates"):
            pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))
        assert one.record["study"] == other.record["study"], "flags and a study file resolve to the same study"


@pytest.mark.slow
def test_a_dry_run_says_what_will_run_and_writes_nothing(few, here, capsys, without_figures):
    given = ("--data", few, "--models", *CONTROLS, "--no-controls", *QUICK, *SHORT, "--quiet")
    before = sorted(here.rglob("*"))
    status, out, err = run(capsys, "reproduce", *given, "--dry-run")
    assert (status, err) == (0, "")
    assert sorted(here.rglob("*")) == before
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["step", "of", "there", "will", "run", "time", "source", "memory", "disk"]
    assert {line[0] for line in lines[1:]} >= {"embed", "measure", "project", "report", "sum"}
    assert run(capsys, "reproduce", *given)[0] == 0
    status, out, _ = run(capsys, "reproduce", *given, "--dry-run", "--json")
    assert status == 0
    estimated = json.loads(out)
    assert estimated["obstacle"] is None
    to_do = {line["step"]: line["to_do"] for line in estimated["tables"]["steps"]}
    assert to_do.pop("report") == "all"
    assert set(to_do.values()) == {""}, "everything is there already"


@pytest.mark.parametrize("command", ["embed", "measure", "probe", "project", "reproduce"])
def test_every_long_command_has_a_dry_run(command, few, here, capsys):
    given = ("--data", few, "--models", "pixels", "--no-controls", "--dry-run", "--quiet", "--json")
    status, out, err = run(capsys, command, *given)
    assert (status, err) == (0, "")
    estimated = json.loads(out)
    first = estimated["tables"]["steps"][0]
    assert (first["step"], first["subject"], first["to_do"]) == ("embed", "pixels", "9 images")
    assert first["disk_bytes"] == 9 * 768 * 4 + 128
    assert 0 < first["seconds_low"] < first["seconds_high"]
    assert not (here / "store").exists()
    assert not (here / "results").exists()


def test_what_stops_a_run_stops_its_dry_run_with_the_same_line(few, here, capsys, monkeypatch):
    given = ("measure", "--data", few, "--no-controls", "--dry-run")
    assert "unknown model 'pixle'" in refused(capsys, *given, "--models", "pixle")
    assert "there is no model folder" in refused(capsys, *given, "--models", "local-dir:nowhere")
    (here / "file").write_text("")
    assert "file is a file; expected a folder" in refused(capsys, *given, "--models", "pixels", "--out", "file")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(here / "cache"))
    assert "imageomics/bioclip is not in the cache" in refused(capsys, *given, "--models", "bioclip")
    monkeypatch.setattr("bioclip_probe.executors.find_spec", lambda name: None)
    assert "needs the package dask" in refused(capsys, *given, "--models", "pixels", "--engine", "slurm")


def test_too_little_disk_is_told_below_the_table(few, here, capsys, monkeypatch):
    monkeypatch.setattr("bioclip_probe.study.estimates.shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    status, out, err = run(
        capsys, "embed", "--data", few, "--models", "pixels", "--no-controls", "--dry-run", "--quiet"
    )
    assert status == 2
    assert "9 images" in out
    assert err == (
        "bioclip-probe: the store store needs 27.8 kB more, and 1.0 kB are free; free some, or name another --store\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("most", [10_000, 2])
def test_the_explorer_is_left_out_if_it_is_not_wanted_or_the_study_is_large(
    few, here, capsys, without_figures, monkeypatch, most
):
    monkeypatch.setattr("bioclip_probe.report.explorer.settings.MOST_PICTURES", most)
    given = ("--data", few, "--models", CONTROLS[0], "--no-controls", *QUICK, *SHORT)
    status, out, err = run(capsys, "reproduce", *given, *(["--no-explorer"] if most > 2 else []))
    assert status == 0, err
    assert "To explore it: bioclip-probe explorer --out results --store store" in out
    assert not Path("results/explorer.html").exists()
