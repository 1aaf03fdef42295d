"""The files beside the tables: what another laboratory reads in them, and how they are written."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.study import checksums, results
from bioclip_probe.study.bundle import crate, vectors
from bioclip_probe.study.bundle.images import images_table
from bioclip_probe.study.bundle.registry import REGISTRY, bundle_files
from bioclip_probe.study.checksums import SUMS, read_sums
from bioclip_probe.study.examples import corvid_plan, corvid_sample
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.run import collect_sample, run_steps
from tests.support.pictures import paint_many


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Return the results folder of a study of three birds, measured and projected."""
    folder = tmp_path_factory.mktemp("corvids")
    run_steps(corvid_plan(folder), folder / "store", folder / "out", ["measure", "project"])
    return folder / "out"


def test_every_file_is_there_and_in_the_list(out):
    there = {path.name for path in out.iterdir() if path.is_file()}
    assert {*REGISTRY, "ro-crate-metadata.json", "measurements.parquet", "runs.json", SUMS} <= there
    assert set(read_sums(out)) == there - {SUMS}


def test_a_folder_of_somebody_else_is_known_by_the_same_names():
    assert set(results.BESIDE) == {*REGISTRY, crate.FILE}


def test_images_have_digests_taxa_groups_splits_and_licences():
    sample = corvid_sample()
    more = {"licence": ["CC0", "CC-BY", None]}
    sample = replace(sample, pictures=pd.Series(["0f", None, "1a"]), attributes=pd.DataFrame(more))
    table = images_table(sample)
    assert list(table) == ["image_id", "sha256", "taxon", "group", "split", "licence"]
    assert table["sha256"].fillna("").tolist() == ["0f", "", "1a"]
    assert table["licence"].fillna("").tolist() == ["CC0", "CC-BY", ""]
    assert table["taxon"].str.split("|").str[-1].tolist() == ["Pica pica", "Pica hudsonia", "Corvus corax"]


def test_licences_come_from_the_file_of_the_dataset(tmp_path):
    names = paint_many(tmp_path, 4)
    lines = [f"{name},Pica,{'pica' if row % 2 else 'hudsonia'},CC{row}" for row, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,genus,species,License", *lines]))
    plan = Plan(f"table:{tmp_path / 'labels.csv'}", ("pixels",), controls=False)
    plan = replace(plan, extraction=replace(plan.extraction, progress=False))
    table = images_table(collect_sample(plan, tmp_path / "store"))
    assert table["licence"].tolist() == ["CC0", "CC1", "CC2", "CC3"]
    assert table["sha256"].str.fullmatch("[0-9a-f]{64}").all()


def test_pictures_of_some_images_are_those_of_these_images():
    sample = replace(corvid_sample(), pictures=pd.Series(["0f", None, "1a"]))
    assert images_table(sample.take(np.array([2, 0])))["sha256"].tolist() == ["1a", "0f"]


def test_embeddings_are_identified_by_the_digests_of_the_store(out):
    (encoder,) = json.loads((out / "embeddings.json").read_text())["encoders"]
    assert encoder["name"] == "corvids"
    assert encoder["vectors"]["n_images"] == 3
    assert re.fullmatch("[0-9a-f]{64}", encoder["vectors"]["digest"])


def test_the_witness_needs_no_pickle_and_is_the_same_each_time(out, tmp_path):
    with np.load(out / "witness.npz", allow_pickle=False) as arrays:
        assert arrays["encoder"].tolist() == ["corvids"]
        assert arrays["image_id"].shape == (3,)
        assert arrays["vectors_0"].dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(arrays["vectors_0"], axis=1), 1, rtol=1e-6)
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["measure"])
    assert (tmp_path / "out" / "witness.npz").read_bytes() == (out / "witness.npz").read_bytes()


def test_nobody_chooses_the_witnesses():
    ids = pd.Series([f"image {number}" for number in range(300)])
    chosen = ids[vectors.witnesses(ids)].tolist()
    shuffled = ids.sample(frac=1, random_state=0).reset_index(drop=True)
    assert shuffled[vectors.witnesses(shuffled)].tolist() == chosen
    assert len(chosen) == vectors.N_WITNESSES


def test_requirements_are_exact_versions_of_packages(out):
    first, *lines = (out / "requirements.txt").read_text().splitlines()
    assert first.startswith("# Python 3.")
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in lines)
    assert {"bioclip_probe", "numpy", "openTSNE"} <= {line.partition("==")[0] for line in lines}


def test_the_citation_is_yaml_with_what_the_format_asks_for(out):
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((out / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "dataset"
    assert all({"type", "title", "authors"} <= set(reference) for reference in citation["references"])


def test_the_crate_is_a_valid_ro_crate(out):
    """Check what version 1.1 of the specification says that a crate must have."""
    crate = json.loads((out / "ro-crate-metadata.json").read_text())
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert len(entities) == len(crate["@graph"])  # the graph is flat, and every id occurs once
    head = entities["ro-crate-metadata.json"]
    assert head["@type"] == "CreativeWork"
    assert head["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = entities[head["about"]["@id"]]
    assert root["@id"] == "./"
    assert root["@type"] == "Dataset"
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", root["datePublished"])
    parts = [part["@id"] for part in root["hasPart"]]
    assert all(entities[part]["@type"] == "File" and (out / unquote(part)).is_file() for part in parts)
    assert {*REGISTRY, "measurements.csv", "coordinates.parquet"} <= set(map(unquote, parts))
    for entity in crate["@graph"]:  # no entity is nested, and every reference leads to one
        for value in entity.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    assert list(item) == ["@id"]
                    assert item["@id"] in entities or item["@id"].startswith("https://w3id.org/ro/crate")


def test_the_protocol_file_says_what_the_id_stands_for(out):
    content = json.loads((out / "protocol.json").read_text())
    record = results.read(out).record["protocol"]
    assert {key: content[key] for key in record} == record
    assert content["definition"]["settings"]["measure"]["n_permutations"] == 999
    assert content["deviations"]["measure"]["controls"].startswith("without control:pixels")


def test_a_file_that_cannot_be_made_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["measure"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}

    def fails(contents):
        raise OSError("the disk is full")

    monkeypatch.setitem(REGISTRY, "witness.npz", replace(REGISTRY["witness.npz"], function=fails))
    with pytest.raises(OSError, match="the disk is full"):
        run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["project"])
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before


def test_a_file_of_which_the_study_has_nothing_is_not_written(monkeypatch, tmp_path):
    monkeypatch.setitem(REGISTRY, "witness.npz", replace(REGISTRY["witness.npz"], function=lambda contents: None))
    record = {"run": "0f", "dataset": {"name": "birds", "simulated": False}, "encoders": [], "steps": {}}
    files = bundle_files(results.Results(tmp_path, record), corvid_sample())
    assert "witness.npz" not in files
    buffer = tmp_path / "crate.json"
    files["ro-crate-metadata.json"](buffer)
    assert "witness.npz" not in buffer.read_text()


def test_no_table_is_read_again_for_its_checksum(tmp_path, monkeypatch):
    """Tables of other steps may have gigabytes; each file is read once, when it is written."""
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["measure"])
    read = []
    monkeypatch.setattr(
        checksums, "sha256_of_file", lambda path: read.append(path.name) or "0" * 64
    )  # the names of temporary files
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["probe"])
    assert not [name for name in read if "coordinates" in name]
    assert len(read) == len(set(read)) == len(read_sums(tmp_path / "out"))


def test_files_of_another_run_do_not_stay(tmp_path):
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["measure"])
    record = {"run": "another", "dataset": {"name": "few", "simulated": False}, "encoders": [], "steps": {}}
    results.write(tmp_path / "out", record, {}, fresh=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file()) == [SUMS, "runs.json"]


def test_numbers_carry_the_id_of_their_step(tmp_path):
    plan = corvid_plan(tmp_path)
    run_steps(plan, tmp_path / "store", tmp_path / "out", ["measure"])
    paper = replace(plan, projection=replace(plan.projection, mode="paper"))
    found = run_steps(paper, tmp_path / "store", tmp_path / "out", ["project"])
    table = found.measurements
    ids = table.groupby(table["metric"].str.startswith("panel"))["protocol_id"].unique()
    assert len(ids[False]) == 1
    assert ids[False][0] != found.record["protocol"]["id"]
    assert "projection.mode = paper" in found.record["protocol"]["parts"]["deviations"]
    assert "protocol_id" in pd.read_csv(io.BytesIO((tmp_path / "out" / "measurements.csv").read_bytes()))
