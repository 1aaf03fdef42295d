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


@pytest.mark.parametrize(
    ("name", "species"),
    [
        ("Quercus x bebbiana", "Quercus ×bebbiana"),
        ("Quercus_×_bebbiana", "Quercus ×bebbiana"),
        ("017.Pica_hudsonia", "Pica hudsonia"),
        ("Pica hudsonia (Sabine, 1823)", "Pica hudsonia"),
        ("Canis lupus subsp. dingo", "Canis lupus"),
        ("Pica_sp.", None),
        ("Pica_cf._hudsonia", None),
    ],
)
def test_folders_are_named_as_names_are_written(tmp_path, name, species):
    dataset = load(tmp_path, f"{name}/1.jpg", "Corvus corax/1.jpg")
    row = lineages(dataset)[dataset.images["image_id"].tolist().index(f"{name}/1.jpg")]
    assert (row[5], row[6]) == (name.lstrip("017.").replace("_", " ").split()[0], species)


@pytest.mark.parametrize("above", ["train", "Training", "images/val", "data"])
@pytest.mark.parametrize(
    "inner", ["/".join([*MAGPIE[:6], "hudsonia"]), "Pica hudsonia", "_".join([*MAGPIE[:6], "hudsonia"])]
)
def test_levels_that_name_no_taxon_are_skipped_and_noted(tmp_path, above, inner):
    dataset = load(tmp_path, f"{above}/{inner}/1.jpg")
    assert lineages(dataset)[0][5:] == MAGPIE[5:]
    assert dataset.images["image_id"].tolist() == [f"{above}/{inner}/1.jpg"]
    last = above.split("/")[-1]
    assert dataset.images["split"].fillna("").tolist() == ["" if last == "data" else last]
    assert dataset.notes[0].startswith("levels of folders that name no taxon were skipped: ")
    assert ("split" in dataset.notes[0]) == (last != "data")


def test_a_domain_and_subfamilies_are_skipped_and_noted(tmp_path):
    with_subfamily = [*MAGPIE[:5], "Corvinae", "Pica", "hudsonia"]
    dataset = load(
        tmp_path,
        "/".join(["Eukaryota", *with_subfamily, "1.jpg"]),
        "/".join(["Eukaryota", *MAGPIE[:5], "Corvus", "2.jpg"]),
    )
    assert sorted(lineages(dataset), key=str) == sorted([MAGPIE, [*MAGPIE[:5], "Corvus", None]], key=str)
    assert dataset.notes == (
        "levels of folders that name no taxon were skipped: Eukaryota",
        "levels of subfamilies were skipped: Corvinae",
    )


def test_folders_of_systems_are_left_out_and_noted(tmp_path):
    dataset = load(tmp_path, "Pica hudsonia/1.jpg", "__MACOSX/Pica hudsonia/1.jpg", "Pica hudsonia/@eaDir/1.jpg")
    assert dataset.images["image_id"].tolist() == ["Pica hudsonia/1.jpg"]
    assert "2 files left out, they are in folders of a system" in dataset.notes[0]


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        (
            "birds/Chordata/Aves/Passeriformes/Corvidae/Pica",
            "'Birds' is not a kingdom.*understood as kingdom birds, phylum",
        ),
        ("Chordata/Aves/Passeriformes/Corvidae/Pica/hudsonia", "'Chordata' is not a kingdom"),
        (
            "mine/Animalia/Chordata/Aves/Passeriformes/Corvidae/Pica",
            "'Mine' is not a kingdom, but 'Animalia' below it is one",
        ),
        (
            "Animalia/Vertebrata/Chordata/Aves/Passeriformes/Corvidae/Pica",
            "'Passeriformes', which ends as the name of an order does, stands",
        ),
        ("Animalia/Aves/Passeriformes/Corvidae/Pica/hudsonia", "at the level of the class"),
        (
            "Animalia/Chordata/Aves/Passeriformes/Oscines/Corvidae/Pica",
            "as the name of a family does, stands.*of the genus",
        ),
        ("Chordata_Aves_Passeriformes_Corvidae_Corvinae_Pica_hudsonia", "'Chordata' is not a kingdom"),
    ],
)
def test_a_level_of_another_rank_is_refused_with_what_was_understood(tmp_path, folder, problem):
    with pytest.raises(DataError, match=problem):
        load(tmp_path, f"{folder}/1.jpg")


def test_a_kingdom_may_be_unknown_or_have_a_prefix(tmp_path):
    dataset = load(tmp_path, "unknown/Chordata/Aves/unknown/Corvidae/Pica/1.jpg", "d__Bacteria/p__Bacillota/1.jpg")
    assert lineages(dataset) == [
        ["Bacteria", "Bacillota", *[None] * 5],
        [None, "Chordata", "Aves", None, *MAGPIE[4:6], None],
    ]


def test_a_table_gives_the_lineages_of_folders_with_other_names(tmp_path):
    (tmp_path / "lineages.csv").write_text(
        "class,genus,scientificName,common\nblack billed magpie,Pica,Pica hudsonia,Magpie\nraven,Corvus,Corvus corax,\n"
        "junk,,,\nowls,,Strix aluco,\n"
    )
    for file in ("train/Black_billed_magpie/1.jpg", "test/raven/1.jpg", "test/junk/1.jpg"):
        paint(tmp_path / file)
    dataset = datasets.load(f"folder:{tmp_path}#lineages.csv")
    assert dataset.images["species"].fillna("").tolist() == ["", "Corvus corax", "Pica hudsonia"]
    assert dataset.images["common"].fillna("").tolist() == ["", "", "Magpie"]
    assert dataset.images["split"].tolist() == ["test", "test", "train"]
    assert "names were read from lineages.csv, by its column 'class'" in dataset.notes
    assert "1 rows of lineages.csv are of other folders: owls" in dataset.notes


def test_common_names_of_folders_are_common_names(tmp_path):
    (tmp_path / "names.csv").write_text("common_name,species\nRaven,Corvus corax\n")
    paint(tmp_path / "raven" / "1.jpg")
    dataset = datasets.load(f"folder:{tmp_path}#{tmp_path / 'names.csv'}")
    assert dataset.images[["species", "common"]].iloc[0].tolist() == ["Corvus corax", "Raven"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("class,species\nmagpie,Pica pica\n", "lacks 1 of 2 folders: raven; add a row"),
        ("class,species\nowl,Strix aluco\n", "has none of the folders in any column: magpie, raven"),
        ("class,label\nmagpie,1\nraven,2\n", "has no rank columns"),
        (
            "class,species\nmagpie,Pica pica\nmagpie,Pica nuttalli\nraven,\n",
            "give 1 folders several names; keep one row of each: magpie",
        ),
    ],
)
def test_tables_of_folders_that_do_not_fit_are_refused(tmp_path, text, problem):
    (tmp_path / "lineages.csv").write_text(text)
    for name in ("magpie", "raven"):
        paint(tmp_path / name / "1.jpg")
    with pytest.raises(DataError, match=problem):
        datasets.load(f"folder:{tmp_path}#lineages.csv")
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        datasets.load(f"folder:{tmp_path}#none.csv")


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


def test_folders_may_be_called_by_the_names_that_a_table_completes(tmp_path):
    (tmp_path / "lineages.csv").write_text("family,species,split\nCorvidae,Pica pica,seen\nCorvidae,Corvus_corax,new\n")
    for name in ("Pica_pica", "Corvus corax"):
        paint(tmp_path / name / "1.jpg")
    dataset = datasets.load(f"folder:{tmp_path}#lineages.csv")
    assert dataset.images[["family", "species", "split"]].to_numpy().tolist() == [
        ["Corvidae", "Corvus corax", "new"],
        ["Corvidae", "Pica pica", "seen"],
    ]


@pytest.mark.parametrize(("sign", "between"), [("x", "-"), ("x", "_"), ("×", "-")])
def test_hybrids_in_folders_of_seven_names(tmp_path, sign, between):
    ranks = ("Plantae", "Tracheophyta", "Magnoliopsida", "Fagales", "Fagaceae", "Quercus")
    dataset = load(tmp_path, f"{between.join((*ranks, sign, 'bebbiana'))}/1.jpg")
    assert dataset.images["species"].tolist() == ["Quercus ×bebbiana"]
