import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import audit, clean_lineages, patristic_distances, taxonomy
from tests.definitions import tree as definitions
from tests.support.strategies import HOLES, lineage_tables

IRIS = ["Plantae", "Tracheophyta", "Liliopsida", "Asparagales", "Iridaceae", "Iris", "Iris setosa"]


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame([list(row) for row in rows], columns=list(RANKS), dtype="str")


def lists(clean: pd.DataFrame) -> list[list[str | None]]:
    return [[None if pd.isna(name) else name for name in row] for row in clean.to_numpy(dtype=object)]


def cleaned(frame: pd.DataFrame) -> list[list[str | None]]:
    """`clean_lineages` by its definition."""
    rows = [[definitions.clean_name(name) for name in row] for row in frame.to_numpy(dtype=object)]
    return [[*row[:5], *definitions.genus_and_species(row[5], row[6])] for row in rows]


def genus_species(genus, species) -> list:
    return clean_lineages(pd.DataFrame({"genus": genus, "species": species}))["species"].tolist()


@pytest.mark.slow
@settings(max_examples=50)
@given(lineage_tables())
def test_cleaning_follows_its_definition_is_idempotent_and_keeps_the_input(frame):
    before = frame.copy()
    clean = clean_lineages(frame)
    assert lists(clean) == cleaned(frame)
    pd.testing.assert_frame_equal(clean_lineages(clean), clean)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.slow
@settings(max_examples=50)
@given(lineage_tables())
def test_taxa_are_the_distinct_paths_and_every_row_is_placed_at_its_own(frame):
    place = taxonomy(frame)
    lineages = cleaned(frame)
    paths = {tuple(name or None for name in place.tree.path(i).split("|")) for i in range(1, len(place.tree))}
    assert paths == definitions.taxa(lineages)
    assert len(paths) == len(place.tree) - 1
    for node, lineage in zip(place.node, lineages, strict=True):
        path = definitions.known_path(lineage)
        assert place.tree.path(node) == "|".join(name or "" for name in path)
        assert place.tree.rank[node] == len(path) - 1
    for rank, taxa in zip(RANKS, zip(*lineages, strict=True), strict=True):
        assert np.array_equal(place.at(rank) >= 0, [name is not None for name in taxa])


@pytest.mark.slow
@settings(max_examples=50)
@given(lineage_tables(min_rows=2))
def test_distance_of_two_species_is_the_number_of_ranks_below_their_common_ancestor(frame):
    place = taxonomy(frame)
    lineages = cleaned(frame)
    column = {tip: i for i, tip in enumerate(place.tree.tips)}
    distance = patristic_distances(place.tree)
    species = [row for row, lineage in enumerate(lineages) if lineage[-1] is not None]
    for a in species:
        assert place.tree.depth[place.node[a]] == 3.5  # all species are at one height, holes or not
        for b in species:
            expected = definitions.ranks_below_mrca(lineages[a], lineages[b])
            assert distance[column[place.node[a]], column[place.node[b]]] == expected


@pytest.mark.slow
@settings(max_examples=30)
@given(st.data(), lineage_tables())
def test_the_order_of_the_rows_does_not_matter(data, frame):
    order = data.draw(st.permutations(range(len(frame))))
    one, other = taxonomy(frame), taxonomy(frame.iloc[order])
    assert one.tree.name.tolist() == other.tree.name.tolist()
    assert one.tree.parent.tolist() == other.tree.parent.tolist()
    assert one.node[order].tolist() == other.node.tolist()
    assert audit(frame).to_dict("records") == audit(frame.iloc[order]).to_dict("records")


@pytest.mark.slow
@settings(max_examples=30)
@given(lineage_tables())
def test_repeated_rows_add_nothing_to_the_tree(frame):
    one, twice = taxonomy(frame), taxonomy(pd.concat([frame, frame]))
    assert one.tree.parent.tolist() == twice.tree.parent.tolist()
    assert twice.node.tolist() == [*one.node, *one.node]


@pytest.mark.slow
@settings(max_examples=30)
@given(lineage_tables(holes=False))
def test_without_missing_names_every_branch_is_half_a_rank_and_the_tree_is_ultrametric(frame):
    tree = taxonomy(frame).tree
    assert np.all(tree.length[1:] == 0.5)
    assert tree.is_ultrametric
    assert tree.unit == "rank"


@pytest.mark.parametrize("placeholder", definitions.PLACEHOLDERS)
def test_placeholders_count_as_missing_in_any_spelling(placeholder):
    written = [
        placeholder,
        placeholder.upper(),
        placeholder.title(),
        placeholder.replace(" ", "_"),
        f"  {placeholder}\t",
    ]
    clean = clean_lineages(pd.DataFrame({"family": written, "genus": "Homo", "species": written}))
    assert clean["family"].isna().all()
    assert clean["species"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("hole", [*HOLES, np.nan, pd.NA, "Incertae Sedis", "Asteraceae incertae_sedis"])
@pytest.mark.parametrize("rank", RANKS)
def test_a_missing_name_is_no_taxon_and_the_child_hangs_from_the_nearest_ancestor(hole, rank):
    row = [*IRIS[:6], "setosa"]
    row[RANKS.index(rank)] = hole
    place = taxonomy(pd.DataFrame([row], columns=list(RANKS)))
    missing = {"genus": 2}.get(rank, 1)  # an epithet without its genus names nothing
    assert len(place.tree) == 8 - missing
    assert place.at(rank).tolist() == [-1]
    deepest = {"species": 3.0, "genus": 2.5}.get(rank, 3.5)
    assert place.tree.depth[place.node[0]] == deepest


def test_a_row_without_any_name_is_at_the_root():
    place = taxonomy(table(IRIS, [None] * 7))
    assert place.node.tolist() == [7, 0]
    assert all(place.at(rank)[1] == -1 for rank in RANKS)
    empty = taxonomy(table(["not_classified"] * 7, [""] * 7))
    assert (len(empty.tree), empty.node.tolist()) == (1, [0, 0])
    assert patristic_distances(empty.tree).tolist() == [[0.0]]


def test_a_table_without_rows_is_a_root_without_images():
    place = taxonomy(table())
    assert (len(place.tree), len(place)) == (1, 0)
    assert len(audit(table())) == 0


def test_empty_columns_and_other_columns_change_nothing():
    place = taxonomy(pd.DataFrame({"family": [np.nan, np.nan], "genus": ["Iris", None], "photographer": [1, 2]}))
    assert place.tree.name.tolist() == ["life", "Iris"]
    assert place.node.tolist() == [1, 0]


def test_a_table_without_a_rank_column_is_refused_in_one_line():
    with pytest.raises(DataError, match=r"at least one rank column \(kingdom, .*\); found: name, Genus"):
        clean_lineages(pd.DataFrame({"name": ["a"], "Genus": ["Iris"]}))


def test_a_name_that_holds_the_separator_of_paths_is_refused():
    with pytest.raises(DataError, match=r"may not hold '\|'.*rename: Pi\|ca"):
        clean_lineages(pd.DataFrame({"genus": ["Pica", "Pi|ca"], "species": ["pica", "hudsonia"]}))


def test_cleaning_keeps_the_index():
    frame = table(IRIS, IRIS).set_index(pd.Index(["b", "a"]))
    assert clean_lineages(frame).index.tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("genus", "species", "expected"),
    [
        ("Iris", "setosa", "Iris setosa"),
        ("Iris", "Iris setosa", "Iris setosa"),
        ("Iris", "Iris_setosa", "Iris setosa"),
        ("Iris", "Iris__setosa", "Iris setosa"),
        ("Iris", " Iris  setosa ", "Iris setosa"),
        ("Iris", "iris setosa", "Iris setosa"),
        ("iris", "setosa", "Iris setosa"),
        (None, "Iris setosa", "Iris setosa"),
        ("Aus", "Bus albus", "Bus albus"),
        ("Bison", "bison", "Bison bison"),
        ("Bison", "Bison bison bison", "Bison bison"),
        ("Malus", "×domestica", "Malus ×domestica"),
        ("Malus", "Malus ×domestica", "Malus ×domestica"),
        ("× Cuprocyparis", "leylandii", "×Cuprocyparis leylandii"),
        ("× Cuprocyparis", "× Cuprocyparis leylandii", "×Cuprocyparis leylandii"),
        ("Cuprocyparis", "x leylandii", "Cuprocyparis ×leylandii"),
        ("Canis", "C. lupus", "Canis lupus"),
        ("Canis", "lupus familiaris", "Canis lupus"),
        ("Canis", "lupus Linnaeus, 1758", "Canis lupus"),
        ("Canis", "Lupus", "Canis lupus"),
        ("Æthra", "élégans", "Æthra élégans"),
        ("Çus", "Çus älbus", "Çus älbus"),
    ],
)
def test_a_species_is_genus_and_epithet_in_any_spelling_of_the_source(genus, species, expected):
    assert genus_species([genus], [species]) == [expected]


def test_a_species_without_an_epithet_is_missing():
    assert pd.isna(
        genus_species(["Homo", "Homo", "Homo", "Homo"], ["Homo sp.", "sp", "Homo_not_classified", "Homo spp."])
    ).all()
    assert pd.isna(genus_species([None, "unknown", ""], ["sapiens", "sapiens", "sapiens"])).all()


def test_one_epithet_in_two_genera_is_two_species():
    place = taxonomy(pd.DataFrame({"genus": ["Aus", "Bus"], "species": ["alba", "alba"]}))
    assert place.tree.name[place.node].tolist() == ["Aus alba", "Bus alba"]


def test_a_taxon_is_its_path_not_its_name():
    place = taxonomy(
        pd.DataFrame({"order": ["A", "B"], "family": ["C", "C"], "genus": ["G", "G"], "species": ["s", "s"]})
    )
    assert len(set(place.node)) == 2
    assert len(set(place.at("genus"))) == 2
    assert {place.tree.path(node) for node in place.at("genus")} == {"|||A|C|G", "|||B|C|G"}


def test_an_image_identified_to_family_only_is_placed_at_the_family():
    family = [*IRIS[:5], None, None]
    place = taxonomy(table(IRIS, family, [*IRIS[:4], "Orchidaceae", "", ""]))
    assert place.node[1] == place.at("family")[0]
    assert place.at("species").tolist()[1:] == [-1, -1]
    assert place.at("family").tolist()[2] == place.node[2]
    coarse = place.coarsen("species")
    assert coarse.node.tolist() == [7, -1, -1]
    # Orchidaceae ends five ranks down: up 0.5 to the order, down 1.5 to the species.
    assert patristic_distances(place.tree)[0, 1] == 2.0


def test_the_audit_reports_each_oddity_with_its_rank_and_names():
    found = audit(
        table(
            ["K", "P", "C", "O", "F", "G", "G a"],
            ["K", "P", "C", "O", "F2", "G", "G b"],
            ["K", "P", "C", "G", "F3", "", ""],
            [""] * 7,
        )
    )
    by = {(row.finding, row.rank): row for row in found.itertuples()}
    assert by["two parents", "genus"].count == 2
    assert by["two parents", "genus"].detail == "K|P|C|O|F|G; K|P|C|O|F2|G"
    assert (by["homonym", ""].name, by["homonym", ""].count) == ("G", 2)
    assert by["hole", "kingdom"].count == 1
    assert by["hole", "genus"].count == 2
    assert by["unplaced", ""].count == 1
    assert by["singletons", "genus"].detail == "2 of 2 taxa have a single row"
    assert ("singletons", "kingdom") not in by
    assert audit(table(IRIS, IRIS)).empty


@pytest.fixture(scope="module")
def inat21(shared_data) -> pd.DataFrame:
    return pd.read_csv(shared_data / "inat21" / "inat21_taxa.csv")


@pytest.mark.slow
def test_inat21_has_its_published_numbers_of_taxa(inat21):
    place = taxonomy(inat21)
    tree = place.tree
    assert [int(np.sum(tree.rank == rank)) for rank in range(7)] == [3, 13, 51, 273, 1103, 4900, 10000]
    assert len(set(tree.name[tree.rank == RANKS.index("genus")])) == 4884
    assert len(tree.tips) == 10000
    assert tree.is_ultrametric
    assert tree.name[place.node].tolist() == inat21["species"].tolist()
    assert "Malus ×domestica" in tree.name


@pytest.mark.slow
def test_the_audit_of_inat21_reports_sixteen_genera_of_two_parents_and_proboscidea(inat21):
    found = audit(inat21)
    twice = found[found["finding"] == "two parents"]
    parents = inat21[["genus", "family"]].drop_duplicates().groupby("genus").size()
    assert sorted(twice["name"]) == sorted(parents[parents > 1].index)
    assert (len(twice), set(twice["rank"]), set(twice["count"])) == (16, {"genus"}, {2})
    homonyms = found[found["finding"] == "homonym"]
    assert homonyms["name"].tolist() == ["Proboscidea"]
    assert set(found["finding"]) == {"two parents", "homonym", "singletons"}


@pytest.mark.slow
def test_inat21_tree_distances_are_the_ranks_below_the_common_ancestor(inat21):
    place = taxonomy(inat21)
    distance = patristic_distances(place.tree, dtype=np.float32)
    assert distance.shape == (10000, 10000)
    counts = np.zeros(8, dtype=np.int64)
    for row in distance:
        values = row.astype(np.int64)
        assert np.array_equal(values, row)
        counts += np.bincount(values, minlength=8)
    assert counts.sum() == 10**8
    assert counts[0] == 10000
    for rank, label in enumerate(RANKS[:6]):  # pairs that share a taxon of a rank: sum over its taxa of n²
        _, n = np.unique(place.at(label), return_counts=True)
        assert counts[: 7 - rank].sum() == np.sum(n**2)
    column = np.empty(len(place.tree), dtype=np.int64)
    column[place.tree.tips] = np.arange(10000)
    rows = inat21[list(RANKS)].to_numpy(dtype=object).tolist()
    pairs = np.random.default_rng(0).integers(10000, size=(2000, 2))
    near = np.column_stack([np.arange(500), np.arange(500) + 1])  # neighbours in the list are mostly relatives
    for a, b in np.concatenate([pairs, near]):
        measured = distance[column[place.node[a]], column[place.node[b]]]
        assert measured == definitions.ranks_below_mrca(rows[a], rows[b])


def test_rare_species_epithets_become_the_400_binomials(shared_data):
    frame = pd.read_csv(shared_data / "rare_species" / "rare_species_taxa.csv").rename(columns={"cls": "class"})
    clean = clean_lineages(frame)
    assert clean["species"].tolist() == frame["sp"].tolist()
    assert clean["species"].nunique() == 400


def test_images_are_placed_as_deep_as_they_are_identified(shared_data):
    frame = pd.read_csv(shared_data / "animals" / "labels.csv")
    place = taxonomy(frame)
    assert [RANKS[rank] for rank in place.tree.rank[place.node]] == frame["lowest_rank"].tolist()
    counts = [int(np.sum(place.at(rank) >= 0)) for rank in ("class", "order", "family", "species")]
    assert counts == [187, 184, 162, 102]
