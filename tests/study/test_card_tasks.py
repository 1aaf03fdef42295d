"""The tasks of the model card, and the names of their classes."""

import pandas as pd

from bioclip_probe.study import card_tasks, model_card, published
from bioclip_probe.tables import IMAGES

TAXA = ["Animalia,Chordata,Amphibia,Anura,Ranidae"] * 2 + ["Animalia,Chordata,Aves,Passeriformes,Corvidae"]


def test_the_tasks_are_those_of_the_published_table():
    datasets = {task.dataset for task in card_tasks.TASKS.values()}
    numbers = published.table()
    assert len(card_tasks.TASKS) == 10
    assert datasets == set(numbers.loc[numbers["source"] == "BioCLIP model card", "dataset"]) - {model_card.NAME}
    for task in card_tasks.TASKS.values():
        of_card = numbers[(numbers["dataset"] == task.dataset) & (numbers["source"] == "BioCLIP model card")]
        assert set(of_card["rank"].astype(object).where(of_card["rank"].notna(), None)) == {task.rank}
        assert set(of_card["protocol"].dropna()) <= {task.texts[0]}
        asked = numbers[(numbers["dataset"] == task.dataset) & (numbers["probe"] == "zero_shot")]
        assert set(asked["protocol"].dropna()) <= set(task.texts)


def images(**columns):
    n = len(next(iter(columns.values())))
    return IMAGES.frame(pd.DataFrame({"image_id": [str(i) for i in range(n)], "source": "x", **columns}))


def test_labels_are_asked_as_they_are():
    labels = ["Tomato___Late_blight", "mix_elongated", None, "mix_elongated", "a {} b"]
    names = card_tasks.class_names(images(label=labels), card_tasks.TASKS["plankton"])
    assert names.to_dict("list") == {
        "class": ["Tomato___Late_blight", "a {} b", "mix_elongated"],
        "asis": ["Tomato___Late_blight", "a {} b", "mix_elongated"],
    }


def test_species_are_asked_by_their_names():
    frame = images(
        kingdom=["Animalia"] * 3, genus=["Pica", "Canis", None], species=["Pica hudsonia", "Canis rufus", None],
        common=["black-billed magpie", None, None],
    )  # fmt: skip
    names = card_tasks.class_names(frame, card_tasks.TASKS["rare_species"])
    assert names.to_dict("list") == {
        "class": ["Canis rufus", "Pica hudsonia"],
        "taxonomic_common": ["Animalia Canis rufus", "Animalia Pica hudsonia with common name black-billed magpie"],
        "common": ["Canis rufus", "black-billed magpie"],
    }


def test_a_label_that_is_no_species_is_called_as_is():
    frame = images(
        label=["MAGPIE", "GHOST"], genus=["Pica", None], species=["Pica hudsonia", None], common=["magpie", "ghost"]
    )
    names = card_tasks.class_names(frame, card_tasks.TASKS["birds_525"]).set_index("class")
    assert names.loc["GHOST"].tolist() == ["GHOST"] * 3
    assert names.loc["MAGPIE", "taxonomic_common"] == "Pica hudsonia with common name magpie"
