"""Objects in memory become a dataset or an encoder, or one line says why they cannot."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torchvision import transforms

import bioclip_probe as bp
from bioclip_probe.errors import DataError, ModelError, ProbeError
from tests.support.notebook_samples import picture_frame

TRANSFORM = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])


@pytest.fixture
def frame(tmp_path):
    return picture_frame(tmp_path)


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 5))


def test_the_named_column_is_read_and_no_other_column_of_paths(frame):
    decoys = frame.rename(columns={"filepath": "where"}).assign(path="nowhere.png", file_name="nowhere.png")
    data = bp.dataset(decoys, image="where", name="birds")
    assert (data.name, len(data), data.images["genus"].iloc[0]) == ("birds", 12, "Pica")
    assert data.open(data.images["source"].iloc[0]).size[0] > 0


def test_ranks_and_paths_are_found_by_name(frame):
    renamed = frame.rename(columns={"filepath": "File_Name", "genus": "dwc:genus", "species": "scientificName"})
    data = bp.dataset(renamed)
    assert data.images["species"].tolist() == bp.dataset(frame, image="filepath").images["species"].tolist()


def test_paths_may_be_objects_and_relative_to_a_root(frame, tmp_path):
    relative = frame.assign(filepath=[path.rpartition("/")[2] for path in frame["filepath"]])
    assert len(bp.dataset(relative, image="filepath", root=tmp_path)) == 12
    assert len(bp.dataset(frame.assign(filepath=frame["filepath"].map(Path)), image="filepath")) == 12


def test_a_path_is_what_lies_there(frame, tmp_path):
    for species, paths in frame.groupby("species")["filepath"]:
        folder = tmp_path / "folders" / species
        folder.mkdir(parents=True)
        for path in paths:
            shutil.copy(path, folder)
    assert bp.dataset(tmp_path / "folders").images["species"].nunique() == 6
    frame.to_csv(tmp_path / "birds.csv", index=False)
    data = bp.dataset(str(tmp_path / "birds.csv"))
    assert (len(data), data.spec) == (12, f"table:{tmp_path / 'birds.csv'}")
    assert bp.dataset(data) is data


def test_a_hugging_face_dataset_is_taken(frame):
    library = pytest.importorskip("datasets")
    columns = {"image": frame["filepath"].tolist(), "species": frame["species"].tolist()}
    rows = library.Dataset.from_dict(columns).cast_column("image", library.Image())
    assert bp.dataset(rows, name="hugging").images["genus"].tolist() == frame["genus"].tolist()
    assert len(bp.dataset(rows.rename_column("image", "photo"), image="photo")) == 12
    with pytest.raises(DataError, match="of a DatasetDict give one split"):
        bp.dataset(library.DatasetDict({"train": rows}))


@pytest.mark.slow
def test_the_library_of_hugging_face_is_not_imported_for_others():
    code = "import sys, bioclip_probe as bp; bp.dataset('world'); sys.exit('datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("data, options, line", [
    (3, {}, "expected a DataFrame, a path, the name of a dataset, or a Hugging Face dataset; got a builtins.int"),
    ([1], {}, "got a builtins.list"),
    ("worlds", {}, "no dataset 'worlds'; did you mean world"),
    (pd.DataFrame({"species": ["Pica pica"]}), {"image": "path"}, "DataFrame has no column 'path'; it has: species"),
    (pd.DataFrame({"a": ["x.png"]}), {"image": "a"}, "has no rank columns"),
    (pd.DataFrame({"a": ["x.png"], "species": ["Pica pica"]}), {"image": "a"}, "no picture below"),
])  # fmt: skip
def test_what_is_no_dataset_is_one_line(data, options, line):
    with pytest.raises(DataError, match=line) as error:
        bp.dataset(data, **options)
    assert "\n" not in str(error.value)


def test_the_record_of_an_encoder_says_which_weights_it_has():
    first, again, other = (bp.encoder(network(seed), TRANSFORM, name="mine") for seed in (0, 0, 1))
    assert first.record["sha256"] == again.record["sha256"] != other.record["sha256"]
    assert first.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize("given, line", [
    ((3, TRANSFORM, "mine"), "a int is not a torch module"),
    ((torch.nn.Flatten(), None, "mine"), "the transform is a NoneType; expected a function of one picture"),
    ((torch.nn.Flatten(), TRANSFORM, "my net"), "'my net' is not a name for an encoder"),
    ((torch.nn.Linear(3, 2), TRANSFORM, "mine"), "mine: a grey picture cannot be embedded: RuntimeError"),
])  # fmt: skip
def test_what_is_no_encoder_is_one_line(given, line):
    with pytest.raises(ModelError, match=line) as error:
        bp.encoder(*given)
    assert "\n" not in str(error.value)


def test_encoders_in_memory_and_names_are_collected_together(frame, tmp_path):
    quiet = bp.ExtractionSettings(progress=False, device="cpu")
    data = bp.dataset(frame, image="filepath")
    mine, other = (bp.encoder(network(seed), TRANSFORM, name=f"net{seed}", device="cpu") for seed in (0, 1))
    sample = bp.collect(data, [mine, "pixels", other], store=tmp_path / "store", settings=quiet)
    assert list(sample.embeddings) == ["net0", "pixels", "net1"]
    assert sample.controls == ["pixels"]
    renamed = bp.encoder(network(1), TRANSFORM, name="net0", device="cpu")  # mine is still what it was
    again = bp.collect(data, [mine], store=tmp_path / "store", settings=quiet)
    changed = bp.collect(data, [renamed], store=tmp_path / "store", settings=quiet)
    assert (again.embeddings["net0"].vectors == sample.embeddings["net0"].vectors).all()
    assert (changed.embeddings["net0"].vectors == sample.embeddings["net1"].vectors).all()


@pytest.mark.parametrize("models, line", [
    ("pixels", "expected a list of models, .*; got a str"),
    ([torch.nn.Flatten()], "expected a list of models, .*; got a Flatten in the list"),
    ([3], "got a int in the list"),
])  # fmt: skip
def test_what_is_no_list_of_models_is_one_line(frame, tmp_path, models, line):
    with pytest.raises(ProbeError, match=line):
        bp.collect(bp.dataset(frame, image="filepath"), models, store=tmp_path / "store")


def test_a_frame_is_no_dataset_yet(frame, tmp_path):
    with pytest.raises(DataError, match=r"expected a dataset, as bioclip_probe.dataset returns it"):
        bp.collect(frame, ["pixels"], store=tmp_path / "store")


def test_the_store_is_where_the_variable_says(frame, tmp_path, monkeypatch):
    monkeypatch.setenv("BIOCLIP_PROBE_STORE", str(tmp_path / "shared"))
    bp.collect(bp.dataset(frame, image="filepath"), ["pixels"], settings=bp.ExtractionSettings(progress=False))
    assert (tmp_path / "shared").is_dir()
