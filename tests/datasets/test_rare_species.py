import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from tests.support.pictures import encode_picture, paint

COLUMNS = ["kingdom", "phylum", "class", "order", "family", "genus", "species"]
TAXA = [
    ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "hudsonia"),
    ("Animalia", "Chordata", "Mammalia", "Carnivora", "Canidae", "Canis", "rufus"),
    ("Animalia", "Chordata", "Mammalia", "Diprotodontia", "Macropodidae", "Osphranter", "rufus"),
]
SPECIES = ["Pica hudsonia", "Canis rufus", "Osphranter rufus"]  # one epithet, two species


@pytest.mark.parametrize("column", ["image", "file_name"])
@pytest.mark.parametrize("place", ["data", ""])
def test_parquet_of_the_hub(tmp_path, column, place):
    (tmp_path / place).mkdir(exist_ok=True)
    pictures = [{"bytes": encode_picture((i, 2, 3)), "path": f"{i}.png"} for i in range(3)]
    frame = pd.DataFrame(TAXA, columns=COLUMNS).assign(rarespecies_id=["a", "b", "c"], common=["magpie", "wolf", "roo"])
    frame["sciName"] = SPECIES
    table = pa.Table.from_pandas(frame, preserve_index=False).append_column(column, pa.array(pictures))
    pq.write_table(table, tmp_path / place / "train-00000-of-00001.parquet", row_group_size=2)
    dataset = datasets.load(f"rare-species:{tmp_path}")
    assert dataset.name == "rare-species"
    assert dataset.images["image_id"].tolist() == ["a", "b", "c"]
    assert dataset.images["species"].tolist() == SPECIES
    assert dataset.images["common"].tolist() == ["magpie", "wolf", "roo"]
    assert [dataset.open(source).getpixel((0, 0)) for source in dataset.images["source"]] == [
        (i, 2, 3) for i in range(3)
    ]
    assert "held out from the training of BioCLIP" in dataset.notes[0]


@pytest.mark.parametrize("listed", ["nothing", "names", "files"])
def test_folders_of_taxa_and_their_table(tmp_path, listed):
    sources = [f"dataset/{'-'.join(lineage)}/{i}.png" for i, lineage in enumerate(TAXA)]
    for i, source in enumerate(sources):
        paint(tmp_path / source, (i, 2, 3))
    frame = pd.DataFrame(TAXA, columns=COLUMNS)
    if listed == "files":
        frame["filepath"] = [source.removeprefix("dataset/") for source in sources]
        frame = frame.rename(columns={"class": "cls", "common": "common_name"}).assign(sp=SPECIES)
    if listed != "nothing":
        frame.to_csv(tmp_path / "metadata.csv", index=False)
    dataset = datasets.load(f"rare-species:{tmp_path}")
    found = dict(zip(dataset.images["species"], dataset.images["source"], strict=True))
    assert set(found) == set(SPECIES)
    assert dataset.open(found["Canis rufus"]).getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("named", ["metadata.csv", ""])
def test_the_table_of_the_repository_has_a_class_that_is_no_rank(tmp_path, named):
    lines = [",kingdom,phylum,cls,order,family,genus,species,common_name,filepath,class"]
    for i, (lineage, species) in enumerate(zip(TAXA, SPECIES, strict=True)):
        paint(tmp_path / "2024-03-20" / f"{i}.jpg")
        lines.append(f"{i},{','.join(lineage)},'Oma'o,2024-03-20/{i}.jpg,{species}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    images = datasets.load(f"rare-species:{tmp_path / named}").images
    assert images[COLUMNS[:-1]].to_numpy().tolist() == [list(lineage[:-1]) for lineage in TAXA]
    assert images["species"].tolist() == SPECIES
    assert images["common"].tolist() == ["'Oma'o"] * 3
    assert images["label"].isna().all()


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DataError, match=r"is not Rare Species: expected Parquet files, or dataset/ and metadata.csv"):
        datasets.load(f"rare-species:{tmp_path}")


@pytest.mark.slow
def test_the_real_species(shared_data, tmp_path):
    taxa = pd.read_csv(shared_data / "rare_species" / "rare_species_taxa.csv", dtype="str")
    for i in range(len(taxa)):
        paint(tmp_path / f"{i}.png", (i % 256, 0, 0))
    taxa.assign(filepath=[f"{i}.png" for i in range(len(taxa))]).to_csv(tmp_path / "metadata.csv", index=False)
    dataset = datasets.load(f"rare-species:{tmp_path / 'metadata.csv'}")
    assert dataset.images["species"].nunique() == 400
