"""The command line about a store: embed and its flags, status, verify, export, ready vectors."""

from __future__ import annotations

import numpy as np
import pytest

from bioclip_probe import datasets
from bioclip_probe.store.store import Store
from tests.support.command_line import refused, run
from tests.support.pictures import paint, paint_many
from tests.support.stores import rewrite_as_format_2

EMBED = ("--models", "pixels", "--no-controls", "--shard-size", "4", "--store", "s")


@pytest.fixture
def data(here):
    """``--data`` for ten pictures, one of which is broken."""
    names = paint_many(here / "ten", 10)
    (here / "ten" / "003.png").write_bytes(b"")
    lines = ["path,genus,species", *(f"{name},Pica,{'pica' if i % 2 else 'hudsonia'}" for i, name in enumerate(names))]
    (here / "ten" / "labels.csv").write_text("\n".join(lines))
    return f"table:{here / 'ten' / 'labels.csv'}"


def embedded(capsys, data, *more) -> str:
    status, out, err = run(capsys, "embed", "--data", data, *EMBED, "--quiet", *more)
    assert status == 0, err
    return out


def vectors_of(store, shard: int):
    (path,) = store.rglob(f"vectors-0000{shard}.npy")
    return path


def test_status_and_verify_of_a_sound_store(data, here, capsys):
    assert "pixels: 9 embedded (0 before), 1 failed" in embedded(capsys, data)
    status, out, _ = run(capsys, "status", "s")
    assert status == 0
    facts = dict(zip(*map(str.split, out.splitlines()[:2]), strict=False))
    assert [facts[key] for key in ("encoder", "images", "ok", "failed", "missing", "state", "shards")] == [
        "pixels", "10", "9", "1", "0", "complete", "3/3"
    ]  # fmt: skip
    assert out.rstrip().endswith("empty 1")
    assert run(capsys, "verify", "s", "--quiet")[:2] == (0, "no damage found\n")


@pytest.mark.slow
def test_a_damaged_shard_is_found_refused_and_repaired(data, here, capsys):
    embedded(capsys, data)
    path = vectors_of(here / "s", 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    status, out, _ = run(capsys, "verify", "s", "--quiet")
    assert status == 1
    assert "vectors-00001.npy has changed since it was written" in out
    path.write_bytes(whole[:-1])
    assert "embed again with --repair" in refused(capsys, "embed", "--data", data, *EMBED)
    assert "9 embedded (6 before), 1 failed" in embedded(capsys, data, "--repair")
    assert path.read_bytes() == whole
    assert run(capsys, "verify", "s", "--quiet")[0] == 0


def test_failed_pictures_stop_a_run_or_are_tried_again(data, here, capsys):
    line = refused(capsys, "embed", "--data", data, *EMBED, "--max-failures", "0")
    assert "1 of the 4 images so far failed, more than the 0 allowed (1 empty)" in line
    assert "9 embedded (4 before), 1 failed" in embedded(capsys, data, "--max-failures", "20%")
    assert "9 embedded (6 before), 1 failed" in embedded(capsys, data, "--retry-failed")


@pytest.mark.parametrize("wrong", ["x", "-1", "100%", "nan", "inf"])
def test_a_limit_that_is_none(data, capsys, wrong):
    with pytest.raises(SystemExit) as error:
        run(capsys, "embed", "--data", data, f"--max-failures={wrong}")
    assert error.value.code == 2
    assert f"expected a number of images, or a share below 100%; got '{wrong}'" in capsys.readouterr().err


@pytest.mark.slow
def test_by_two_processes(data, here, capsys):
    embedded(capsys, data, "--engine", "processes:1")
    other = [*EMBED[:-1], "other"]
    assert run(capsys, "embed", "--data", data, *other, "--quiet")[0] == 0
    one, two = (Store(here / name).read("ten", "pixels") for name in ("s", "other"))
    assert one[0].equals(two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert "no engine is called 'spark'" in refused(capsys, "embed", "--data", data, "--engine", "spark")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".h5ad"])
def test_what_is_exported_comes_in_again_beside_a_model(data, here, capsys, suffix):
    embedded(capsys, data)
    assert run(capsys, "export", "s", "ten", "pixels", f"out{suffix}")[:2] == (0, f"out{suffix}\n")
    models = ("--models", f"mine=vectors:out{suffix}", "pixels")
    status, out, err = run(capsys, "taxa", "--data", data, *models, "--store", "s", "--rank", "species", "--out", "t")
    assert status == 0, err
    assert "mine: 2 taxa of rank species, 768-d" in out
    np.testing.assert_array_equal(np.load("t/mine-species.npy"), np.load("t/pixels-species.npy"))
    status, out, err = run(capsys, "taxa", "--data", f"vectors:out{suffix}", "--store", "alone", "--rank", "species")
    assert status == 0, err
    assert out.startswith("out: 2 taxa of rank species")


def test_wrong_exports_and_stores(data, here, capsys):
    embedded(capsys, data)
    assert "ends in .parquet, .npz, .h5ad, or .csv" in refused(capsys, "export", "s", "ten", "pixels", "out.tsv")
    assert "--results adds projections to .h5ad only" in refused(
        capsys, "export", "s", "ten", "pixels", "out.npz", "--results", "r"
    )
    assert "holds no encoder 'clip'" in refused(capsys, "export", "s", "ten", "clip", "out.npz")
    assert "there is no store at nowhere" in refused(capsys, "status", "nowhere")
    assert "nowhere holds neither results (no runs.json) nor a store" in refused(capsys, "verify", "nowhere")
    assert "there is no store at nowhere" in refused(capsys, "verify", "--store", "nowhere")
    assert not list(here.glob("out*"))


@pytest.mark.slow
def test_names_beside_the_pictures(here, capsys):
    paint(here / "p" / "a.png")
    (here / "p" / "labels.csv").write_text("path,genus,species,common\na.png,Pica,pica,magpie\n")
    arguments = ("--data", f"table:{here / 'p' / 'labels.csv'}", "--models", "world-generic", "pixels", "--no-controls")
    status, out, err = run(capsys, "embed", *arguments, "--store", "s", "--names", "--quiet")
    assert status == 0, err
    assert "world-generic: names of 2 taxa, " in out
    assert "pixels: names" not in out
    assert (next((here / "s").rglob("names.npy")).parent.name).startswith("world-generic@")
    assert run(capsys, "verify", "s", "--quiet")[0] == 0


def test_checksums_are_exported(data, here, capsys):
    embedded(capsys, data)
    assert run(capsys, "export", "s", "ten", "pixels", "images.csv")[:2] == (0, "images.csv\n")
    assert (here / "images.csv").read_text().startswith("filepath,filename,sha256\n000.png,000.png,")


def test_status_and_verify_name_what_an_earlier_version_wrote(data, here, capsys):
    embedded(capsys, data)
    rewrite_as_format_2(Store("s"), datasets.load(data))
    for command, status in (("status", 0), ("verify", 0)):
        found, out, _ = run(capsys, command, "s", "--quiet")
        assert found == status
        assert "written by an earlier version (format 2)" in out
    _, _, err = run(capsys, "embed", "--data", data, *EMBED)
    assert "the store has it as labels@" in err or "the store has it as ten@" in err
    assert len(list((here / "s").glob("*@*"))) == 1


def test_names_of_models_without_text_do_nothing_and_that_is_said(data, here, capsys):
    status, _, err = run(capsys, "embed", "--data", data, *EMBED, "--names", "--seed", "3", "--quiet")
    assert status == 0
    assert err.splitlines()[0] == "--seed does nothing in embed: nothing is drawn at random"
    assert err.splitlines()[-1] == "--names does nothing: none of the models takes text"
