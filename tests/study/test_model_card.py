"""None"""

import itertools
import types

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompt_encoder import PromptEncoder
from bioclip_probe.extraction.prompts import zero_shot_templates
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.study import card_tasks, model_card, published, results
from tests.support.pictures import paint

pytestmark = pytest.mark.slow

QUIET = ExtractionSettings(progress=False)


COLOURS = {"red": (220, 10, 10), "green": (10, 220, 10), "blue": (10, 10, 220)}


#: Sees the mean colour of a picture; of a text, the colours it names. Rhodo, Chloro and Cyano mean red, green and blue.
ENCODER = """
import numpy, torch

WORDS = {"red": 0, "Rhodo": 0, "green": 1, "Chloro": 1, "blue": 2, "Cyano": 2}


class Colours:
    name = "colours"
    dimension = 3

    def preprocess(self, image):
        return torch.from_numpy(numpy.array(image, dtype="float32").mean((0, 1)) / 255)

    def encode(self, batch):
        return batch

    def encode_text(self, texts):
        vectors = torch.full((len(texts), 3), 0.1)
        for vector, text in zip(vectors, texts):
            for word, place in WORDS.items():
                vector[place] += word in text
        return vectors
"""


TAXA = ["Animalia,Chordata,Amphibia,Anura,Ranidae"] * 2 + ["Animalia,Chordata,Aves,Passeriformes,Corvidae"]


@pytest.fixture
def colours(tmp_path):
    file = tmp_path / "colours.py"
    file.write_text(ENCODER)
    return f"custom:{file}:Colours"


def meta_album(folder, classes, each=2):
    """A set whose classes are of one colour each: {label: colour}."""
    rows = []
    for (label, colour), i in itertools.product(classes.items(), range(each)):
        name = f"{label.replace(' ', '_')}_{i}.png"
        paint(folder / "images" / name, tuple(min(value + i, 255) for value in COLOURS[colour]))
        rows.append(f'{name},"{label}",NAN')
    (folder / "labels.csv").write_text("\n".join(["FILE_NAME,CATEGORY,SUPER_CATEGORY", *rows]) + "\n")
    return folder


def rare_species(folder, each=7):
    """Three species, two of which share their common name."""
    genera, colours, names = (
        ("Rhodo", "Chloro", "Cyano"),
        ("red", "green", "blue"),
        ("red-green frog", "red-green frog", "blue crow"),
    )
    rows = []
    for (above, genus, colour, name), i in itertools.product(
        zip(TAXA, genera, colours, names, strict=True), range(each)
    ):
        paint(folder / f"{genus}_{i}.png", tuple(min(value + i, 255) for value in COLOURS[colour]))
        rows.append(f"{above},{genus},prima,{name},{genus}_{i}.png")
    header = "kingdom,phylum,class,order,family,genus,species,common,filepath"
    (folder / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def birds(folder):
    rows = ["class id,filepaths,labels,data set,scientific name"]
    for label, name, colour in (("BLUE CROW", "CYANO CORAX", "blue"), ("RED CROW", "RHODO CORAX", "red")):
        for i in (1, 2):
            paint(folder / "test" / label / f"{i}.png", tuple(min(value + i, 255) for value in COLOURS[colour]))
            rows.append(f"0,test/{label}/{i}.png,{label},test,{name}")
    (folder / "birds.csv").write_text("\n".join(rows) + "\n")
    return folder


def number(found, **of):
    """The one row of measurements with these values."""
    rows = found.measurements
    for column, value in of.items():
        rows = rows[rows[column].isna() if value is None else rows[column].eq(value).fillna(False)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_classifier_is_the_mean_direction_of_81_prompts(colours):
    encoder = encoders.load(colours)
    names = ["red frog", "of {braces}", "blue and green", *(f"red {i}" for i in range(40))]
    found = PromptEncoder.of(encoder, "openai").encode(names)[0]
    for name, vector in zip(names, found, strict=True):
        directions = []
        for template in zero_shot_templates():
            prompt = encoder.encode_text([template.replace("{}", name)])[0].astype(np.float64)
            directions.append(prompt / np.linalg.norm(prompt))
        mean = np.mean(directions, axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), rtol=1e-5)


def test_a_classifier_is_that_of_open_clip(colours):
    encoder = encoders.load(colours)
    names = ["red frog", "blue crow"]

    def encode_text(texts, normalize):
        vectors = torch.from_numpy(np.array(encoder.encode_text(texts.texts)))
        return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors

    def tokenizer(texts):
        tokens = types.SimpleNamespace(texts=texts)
        tokens.to = lambda device: tokens
        return tokens

    model = types.SimpleNamespace(encode_text=encode_text)
    templates = [template.format for template in zero_shot_templates()]
    theirs = open_clip.build_zero_shot_classifier(model, tokenizer, names, templates, num_classes_per_batch=None)
    np.testing.assert_allclose(PromptEncoder.of(encoder, "openai").encode(names)[0], theirs.numpy().T, rtol=1e-5)


def test_tasks_that_are_there_are_asked(tmp_path, colours):
    folder = tmp_path / "data"
    meta_album(folder / "plankton", {"mix_red": "red", "green_detritus": "green", "blue": "red"})
    rare_species(folder / "rare_species")
    birds(folder / "birds_525")
    (folder / "fungi").mkdir()
    found = model_card.run(folder, [colours, "color-histogram"], tmp_path / "store", tmp_path / "out", settings=QUIET)
    usual = {"encoder": "colours", "metric": "top1_accuracy", "probe": "zero_shot"}

    plankton = number(found, dataset="meta-album-PLK_Mini", **usual)
    assert plankton["value"] == pytest.approx(2 / 3)
    assert plankton[["protocol", "resampled"]].tolist() == ["asis", "class"]
    assert plankton[["n_images", "n_taxa"]].tolist() == [6, 3]
    assert plankton["chance"] == pytest.approx(1 / 3)
    assert pd.isna(plankton["rank"])

    assert number(found, dataset="rare-species", protocol="taxonomic_common", **usual)["value"] == 1
    common = number(found, dataset="rare-species", protocol="common", **usual)
    assert common["value"] == 1  # both frogs are named by the name they share
    assert common["note"].endswith("3 classes have 2 different names; those of one name count as one")
    assert common[["n_images", "n_taxa", "rank"]].tolist() == [21, 3, "species"]
    for protocol in card_tasks.TASKS["birds_525"].texts:
        assert number(found, dataset="birds-525", protocol=protocol, **usual)["value"] == 1

    for shots in (1, 5):
        few = number(found, dataset="rare-species", shots=shots, **usual | {"probe": "simpleshot"})
        assert few[["value", "protocol", "rank"]].tolist() == [1, "paper", "species"]
        assert few["n_images"] <= 21
        assert "sd over folds 0.0000" in few["note"]

    blind = number(found, dataset="rare-species", protocol="common", **usual | {"encoder": "color-histogram"})
    assert np.isnan(blind["value"])
    assert "has no text tower" in blind["note"]
    assert not (found.measurements["dataset"] == model_card.NAME).any()

    notes = found.record["dataset"]["notes"]
    assert "plantnet: absent" in notes
    assert any(note.startswith("fungi: ") and "is not a set of Meta-Album" in note for note in notes)
    assert list(found.record["tasks"]) == ["birds_525", "plankton", "rare_species"]
    assert set(found.measurements["run"]) == {found.record["run"]}
    pd.testing.assert_frame_equal(results.read(tmp_path / "out").measurements, found.measurements)

    table = model_card.table(found)
    titles = ["Birds 525", "Plankton", "Rare Species", "Rare Species, 1-shot", "Rare Species, 5-shot"]
    assert table.columns.tolist() == titles
    assert table.index.tolist() == ["colours", "color-histogram"]
    assert table.loc["colours", "Plankton"] == plankton["value"]
    assert published.compare(found.measurements, found.record).empty  # no model of the card was run


def test_the_mean_is_of_all_ten_tasks_or_of_none(tmp_path, colours):
    folder = tmp_path / "data"
    for i, name in enumerate(card_tasks.TASKS):
        if name not in ("birds_525", "rare_species"):
            meta_album(folder / name, {"of red": "red", "of green": "green", "of blue": "red" if i % 2 else "blue"})
    rare_species(folder / "rare_species", each=3)
    found = model_card.run(folder, [colours], tmp_path / "store", tmp_path / "out", settings=QUIET)
    assert not (found.measurements["dataset"] == model_card.NAME).any()
    birds(folder / "birds_525")
    found = model_card.run(folder, [colours], tmp_path / "store", tmp_path / "out", settings=QUIET)
    mean = number(found, dataset=model_card.NAME)
    tasks = model_card.table(found).loc["colours", [task.title for task in card_tasks.TASKS.values()]]
    assert mean["value"] == pytest.approx(tasks.mean())
    assert 0.8 < mean["value"] < 1
    assert mean["n_images"] == 8 * 6 + 9 + 4
    assert model_card.table(found).loc["colours", "Mean"] == mean["value"]

    few = number(found, dataset="rare-species", shots=5, metric="top1_accuracy")  # three images a species
    assert np.isnan(few["value"])
    assert few["note"].startswith("the published few-shot run needs 5 images of every taxon")


def test_what_cannot_be_run_is_one_line(tmp_path, colours):
    with pytest.raises(DataError, match=r"data: no such folder; expected one with a folder for each task: birds_525"):
        model_card.run(tmp_path / "data", [colours], tmp_path / "store", tmp_path / "out")
    (tmp_path / "data" / "pictures").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds none of the tasks: birds_525, .*; found: pictures$"):
        model_card.run(tmp_path / "data", [colours], tmp_path / "store", tmp_path / "out")
    (tmp_path / "data" / "fungi").mkdir()
    with pytest.raises(DataError, match=r"no task of .* can be run: .*fungi is not a set of Meta-Album"):
        model_card.run(tmp_path / "data", [colours], tmp_path / "store", tmp_path / "out")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out is a file"):
        model_card.run(tmp_path / "data", [colours], tmp_path / "store", tmp_path / "out")
