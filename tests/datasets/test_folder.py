import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from tests.support.pictures import INAT21_FOLDERS, paint

MAGPIE = ["Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica hudsonia"]
PUG = ["Animalia", "Arthropoda", "Insecta", "Lepidoptera", "Nymphalidae", "Polygonia", "Polygonia c-album"]


def load(root, *files):
    for file in files:
        paint(root / file)
    return datasets.load(f"folder:{root}")


def lineages(dataset):
    return (
        dataset.images[list(RANKS)].astype(object).where(dataset.images[list(RANKS)].notna(), None).to_numpy().tolist()
    )


@pytest.mark.parametrize("join", ["_", "00002_", "-", "/", "binomial"])
def test_each_layout_gives_the_same_lineages(tmp_path, join):
    if join == "00002_":
        names = [join + "_".join([*lineage[:-1], lineage[-1].split()[1]]) for lineage in (MAGPIE, PUG)]
    elif join == "binomial":
        names = ["/".join(lineage) for lineage in (MAGPIE, PUG)]
    else:
        names = [join.join([*lineage[:-1], lineage[-1].split()[1]]) for lineage in (MAGPIE, PUG)]
    dataset = load(tmp_path / "birds", *(f"{name}/1.jpg" for name in names))
    assert dataset.name == "birds"
    assert sorted(lineages(dataset)) == sorted([MAGPIE, PUG])
    assert set(dataset.images["image_id"]) == {f"{name}/1.jpg" for name in names}
    assert dataset.notes == ()


@pytest.mark.parametrize("name", ["Pica hudsonia", "Pica_hudsonia"])
def test_binomials_give_genus_and_species(tmp_path, name):
    dataset = load(tmp_path, f"{name}/a.png", f"{name}/deeper.png", "Polygonia c-album/a.png")
    assert lineages(dataset)[0] == [None] * 5 + MAGPIE[5:]
    assert dataset.images["species"].nunique() == 2


def test_nested_folders_may_end_early_and_hold_unknown_ranks(tmp_path):
    dataset = load(
        tmp_path,
        "Animalia/Chordata/Aves/Passeriformes/Corvidae/Pica/hudsonia/1.jpg",
        "Animalia/Chordata/Aves/2.jpg",
        "Animalia/Chordata/Aves/unknown/Laridae/Larus/canus/3.jpg",
    )
    assert lineages(dataset) == [
        ["Animalia", "Chordata", "Aves", None, None, None, None],
        MAGPIE,
        ["Animalia", "Chordata", "Aves", None, "Laridae", "Larus", "Larus canus"],
    ]


def test_an_inat21_tree_is_a_folder_too(tmp_path):
    dataset = load(tmp_path, *(f"{name}/1.jpg" for name in INAT21_FOLDERS))
    assert dataset.images["species"].tolist() == ["Lumbricus terrestris", "Zygiella x-notata", "Pteris vittata"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["cats/1.jpg", "dogs/1.jpg"], "cats, dogs"),
        (["Pica hudsonia/1.jpg", "magpies/1.jpg"], "magpies"),
        (["a/b/c/d/e/f/g/h/1.jpg"], "a/b/c/d/e/f/g/h"),
        (["Animalia/Chordata/1.jpg"], "Animalia/Chordata"),
        (["Pica hudsonia subspecies/1.jpg"], "Pica hudsonia subspecies"),
    ],
)
def test_other_layouts_are_refused(tmp_path, files, found):
    with pytest.raises(DataError, match=f"cannot tell the taxa.*found: {found}$"):
        load(tmp_path, *files)


def test_no_picture_is_refused(tmp_path):
    (tmp_path / "Pica hudsonia").mkdir()
    (tmp_path / "Pica hudsonia" / "notes.txt").write_text("seen")
    with pytest.raises(DataError, match="has no usable image"):
        load(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        datasets.load(f"folder:{tmp_path / 'Pica hudsonia' / 'notes.txt'}")


def test_other_files_are_noted(tmp_path):
    paint(tmp_path / "Pica hudsonia" / "1.jpg")
    (tmp_path / "Pica hudsonia" / "1.txt").write_text("seen")
    assert load(tmp_path).notes == ("1 files left out, no pictures in a taxon's folder: Pica hudsonia/1.txt",)
