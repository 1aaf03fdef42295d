"""Every command that prints a table prints one JSON object instead, and nothing else on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioclip_probe.cli.output import SCHEMA
from bioclip_probe.tables import RANKS
from tests.support.command_line import command_names, process, run
from tests.support.pictures import paint
from tests.support.small_study import NEWICK

QUICK = ("--n-permutations", 19, "--n-primary-permutations", 19, "--n-bootstrap", 29)
#: Commands that print no table.
WITHOUT_TABLE = {"init", "notebooks", "appendix", "export", "figure", "report", "explorer"}
#: The tables of each command, and flags beside the data and the model.
MODEL = ("--models", "pixels", "--no-controls")
COMMANDS: dict[str, tuple[tuple[object, ...], set[str]]] = {
    "embed": ((*MODEL, "--names"), {"embeddings", "names"}),
    "measure": ((*MODEL, *QUICK, "--tree", "crows.nwk"), {"summary", "places", "phylogeny"}),
    "probe": ((*MODEL, *QUICK, "--probes", "lda", "--protocols", "seen"), {"accuracies"}),
    "project": ((*MODEL, *QUICK, "--methods", "pca"), {"panels"}),
    "taxa": (("--models", "pixels", "--rank", "species"), {"pixels"}),
    "audit": (("--tree", "crows.nwk"), {"findings", "copies", "matches", "tree_names"}),
}


def object_of(capsys: pytest.CaptureFixture[str], command: str, *flags: object) -> dict[str, Any]:
    """Return the one object that a command prints."""
    status, out, err = run(capsys, command, *flags, "--json")
    assert status == 0, err
    assert out.count("\n") == 1
    content = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (content["schema"], content["command"]) == (SCHEMA, command)
    return content


def test_every_command_but_those_without_a_table_takes_the_flag(capsys):
    for command in command_names():
        with pytest.raises(SystemExit):
            run(capsys, command, "--help")
        assert ("--json" in capsys.readouterr().out) == (command not in WITHOUT_TABLE)


@pytest.mark.parametrize("command", ["models", "datasets"])
def test_listings(capsys, command):
    rows = object_of(capsys, command)["tables"][command]
    assert all(row["name"] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_tables_of_each_command(few, here, capsys, command):
    (here / "crows.nwk").write_text(NEWICK)
    flags, tables = COMMANDS[command]
    content = object_of(capsys, command, "--data", few, *flags)
    assert set(content["tables"]) == tables
    assert any(content["tables"].values())


@pytest.mark.slow
def test_numbers_have_full_precision_and_nan_is_null(few, here, capsys):
    flags = ("--data", few, *MODEL, *QUICK, "--out", "out")
    content = object_of(capsys, "measure", *flags, "--metrics", "knn_purity_1", "silhouette")
    rows = pd.DataFrame(content["tables"]["measurements"])
    table = pd.read_parquet("out/measurements.parquet")
    assert rows["value"].isna().any(), "a rank with one taxon has no number"
    assert rows["value"].dropna().tolist() == table.loc[table["taxon"].isna(), "value"].dropna().tolist()
    assert set(rows["rank"]) <= set(RANKS)
    assert content["results"] == "out"
    published = object_of(capsys, "published", "--out", "out")
    assert published["tables"]["published"] == []


def test_the_protocol_stands_beside_numbers(few, capsys):
    content = object_of(capsys, "measure", "--data", few, *MODEL, "--metrics", "silhouette", "--out", "out", "--quiet")
    assert content["protocol"]["id"].startswith("treeoflife-alignment/1+custom-")
    assert "controls = without" in content["protocol"]["parts"]["deviations"]
    assert {row["protocol_id"] for row in content["tables"]["measurements"]} == {content["protocol"]["id"]}


def test_a_store(few, here, capsys):
    assert run(capsys, "embed", "--data", few, *MODEL, "--store", "s", "--quiet")[0] == 0
    (row,) = object_of(capsys, "status", "s")["tables"]["embeddings"]
    assert (row["encoder"], row["n_ok"], row["parity"]) == ("pixels", 9, None)
    assert object_of(capsys, "verify", "s", "--quiet")["tables"] == {"findings": []}
    Path(next((here / "s").rglob("vectors-*.npy"))).write_bytes(b"")
    status, out, _ = run(capsys, "verify", "s", "--quiet", "--json")
    assert status == 1
    assert json.loads(out)["tables"]["findings"]


@pytest.mark.slow
def test_the_card(here, capsys):
    rows = []
    for number, name in enumerate(("Leaf___spot", "Leaf___rust") * 3):
        paint(here / "tasks" / "plantdoc" / "images" / f"{number}.png", (40 * number, 90, 10))
        rows.append({"FILE_NAME": f"{number}.png", "CATEGORY": name, "SUPER_CATEGORY": "leaf"})
    pd.DataFrame(rows).to_csv(here / "tasks" / "plantdoc" / "labels.csv", index=False)
    content = object_of(capsys, "card", "tasks", "--models", "pixels", "--out", "card", "--quiet")
    assert set(content["tables"]) == {"card", "published"}
    assert content["notes"]


@pytest.mark.slow
def test_the_log_and_libraries_stay_on_standard_error(few, here):
    done = process("-m", "bioclip_probe", "embed", "--data", few, "--models", "pixels", "--no-controls", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["tables"]["embeddings"][0]["n_ok"] == 9
    assert "embedding inat21-val with pixels" in done.stderr
