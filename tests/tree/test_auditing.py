import pandas as pd
import pytest

from bioclip_probe.tables import RANKS
from bioclip_probe.tree import audit

IRIS = ["Plantae", "Tracheophyta", "Liliopsida", "Asparagales", "Iridaceae", "Iris", "Iris setosa"]


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame([list(row) for row in rows], columns=list(RANKS), dtype="str")


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


@pytest.mark.slow
def test_the_audit_of_inat21_reports_sixteen_genera_of_two_parents_and_proboscidea(shared_data):
    inat21 = pd.read_csv(shared_data / "inat21" / "inat21_taxa.csv")
    found = audit(inat21)
    twice = found[found["finding"] == "two parents"]
    parents = inat21[["genus", "family"]].drop_duplicates().groupby("genus").size()
    assert sorted(twice["name"]) == sorted(parents[parents > 1].index)
    assert (len(twice), set(twice["rank"]), set(twice["count"])) == (16, {"genus"}, {2})
    homonyms = found[found["finding"] == "homonym"]
    assert homonyms["name"].tolist() == ["Proboscidea"]
    assert set(found["finding"]) == {"two parents", "homonym", "singletons"}
