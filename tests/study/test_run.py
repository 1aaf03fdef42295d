"""The study end to end: one command and its single steps give the same numbers."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import pandas as pd
import pytest

from bioclip_probe import study
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.plots.registry import REGISTRY as FIGURES
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import results, scoring
from bioclip_probe.study.bundle.registry import REGISTRY as FILES
from bioclip_probe.study.examples import corvid_plan
from bioclip_probe.study.families import with_adjusted_p
from bioclip_probe.tables import COORDINATES, MEASUREMENTS, PREDICTIONS, RANKS
from tests.support.settings import FEW
from tests.support.small_study import CONTROLS, NOT_DRAWN, plan

pytestmark = pytest.mark.slow

KEY = results.KEYS["measurements"]


QUIET = ExtractionSettings(progress=False)


PCA = ProjectionSettings(methods=("pca",))


def test_what_it_leaves(small_study):
    files = {path.relative_to(small_study / "out").as_posix() for path in (small_study / "out").rglob("*.*")}
    files = {file for file in files if not file.startswith("pieces/")}
    tables = ("measurements.parquet", "measurements.csv", "predictions.parquet", "coordinates.parquet")
    figures = [f"figures/{name}.{kind}" for name in set(FIGURES) - NOT_DRAWN for kind in ("pdf", "png", "csv", "json")]
    pages = {"report.html", "explorer.html", "strays.json"}
    assert files == {*pages, "runs.json", "study.toml", *tables, *figures, *FILES, "ro-crate-metadata.json"}


def test_tables_are_what_they_declare(found):
    for table, declared in (
        (found.measurements, MEASUREMENTS),
        (found.predictions, PREDICTIONS),
        (found.coordinates, COORDINATES),
    ):
        declared.check(table)
        assert set(table["run"]) == {found.record["run"]}
        assert set(table["encoder"]) == set(CONTROLS)
        assert set(table["dataset"]) == {"inat21-val"}


def test_measurements(found):
    table = found.measurements
    assert not table.duplicated(KEY).any()
    assert not table["simulated"].any()
    not_asked = ("text", "column of the images")
    alone = {name for name, entry in REGISTRY.items() if entry.function and entry.subject not in not_asked}
    metrics = set(table["metric"])
    assert alone <= metrics <= set(REGISTRY)
    assert table.loc[table["metric"].isin(metrics - alone), "encoder_b"].notna().all(), "the others are differences"
    assert set(table["space"]) == {"raw", "centred"}
    assert set(table["tree"]) == {"taxonomy", "tree"}
    for metric in ("knn_purity_1", "cluster_purity", "silhouette", "cophenetic_correlation"):
        for encoder in CONTROLS:
            rows = table[(table["metric"] == metric) & (table["encoder"] == encoder) & (table["space"] == "raw")]
            assert set(rows["rank"]) == set(RANKS), (metric, encoder)
    assert (table.loc[table["value"].isna(), "note"] != "").all()
    assert table["n_images"].between(0, 60).all()


def test_every_p_value_is_adjusted_within_a_named_family(found):
    table = found.measurements
    tested = table[table["p_value"].notna()]
    assert (tested["p_adjusted"] >= tested["p_value"]).all() and tested["p_family"].notna().all()
    assert table.loc[table["p_value"].isna(), ["p_adjusted", "p_family"]].isna().all(axis=None)
    assert tested["p_family"].str.endswith(", controls").all(), "both encoders are controls"
    assert {"primary, controls", "silhouette · raw · taxonomy, controls"} & {*tested["p_family"]}


def test_predictions_and_their_accuracy(found):
    table = found.predictions
    assert set(table["split"]) <= {"train", "val", "test", ""}
    asked = table.groupby(["probe", "protocol"], sort=False).size().index.tolist()
    learnt = set(itertools.product(("linear", "lda"), ("seen", "seen-children", "unseen", "shuffled")))
    assert set(asked) == {*learnt, ("simpleshot", "corrected")}
    whole = table[(table["protocol"] == "seen") & table["shots"].isna()]
    assert len(whole) == 60 * len(RANKS) * len(CONTROLS) * 2
    splits = whole.groupby("image_id")["split"].agg(lambda parts: set(parts) - {""})
    assert (splits.map(len) <= 1).all(), "encoders, probes and ranks share one split"
    keys = ["encoder", "probe", "protocol", "shots", "rank"]
    test = table[(table["split"] == "test") & table["predicted"].notna()]
    asked = [test[key] if key == "shots" else test[key].astype("str") for key in keys]  # categories otherwise
    by_hand = (test["truth"] == test["predicted"]).groupby(asked, dropna=False).mean()
    rows = found.measurements[found.measurements["metric"] == "top1_accuracy"]
    accuracy = rows[rows["value"].notna()].set_index(keys)["value"]
    pd.testing.assert_series_equal(accuracy.sort_index(), by_hand.sort_index(), check_names=False)
    assert table["truth"].dropna().astype("str").str.startswith(("Animalia", "Plantae", "Fungi")).all()
    assert ((table["place"] == 1) == (table["truth"] == table["predicted"]).fillna(False)).all()


def test_children_seen_and_held_out_are_asked_of_one_probe(found):
    """Each image with kin is tested in every deal, and the gap is that of the accuracies over taxa."""
    table = found.predictions
    of_children = table[table["protocol"].isin(["seen-children", "unseen"])]
    own = of_children[(of_children["encoder"] == "pixels") & (of_children["probe"] == "linear")]
    tested = own[own["split"] == "test"]
    assert set(own["rank"]) == set(RANKS[:-1]), "species have no child taxa"
    unseen = tested[tested["protocol"] == "unseen"]
    assert set(unseen["fold"]) == set(range(15)), "three deals of five folds"
    assert (unseen.groupby(["rank", "image_id"]).size() >= 3).all()
    of_genus = unseen[unseen["rank"] == "genus"]
    assert set(of_genus["truth"].str.split("|").str[-1]) == {"Corvus"}, "the one genus with two species"
    rows = found.measurements[(found.measurements["encoder"] == "pixels") & (found.measurements["probe"] == "linear")]
    macro = rows[rows["metric"] == "macro_accuracy"].set_index(["protocol", "rank"])
    gap = rows[rows["metric"] == "unseen_gap"].set_index("rank")
    assert set(gap["protocol"]) == {"unseen"}
    assert (gap.loc[gap["value"].isna(), "note"] == "no image is tested on both sides").all()
    measured = gap.index[gap["value"].notna()]
    assert len(measured)
    for rank in measured:
        seen, held_out = macro.loc[("seen-children", rank)], macro.loc[("unseen", rank)]
        assert seen["chance"] == held_out["chance"] == pytest.approx(1 / held_out["n_taxa"])
        if seen["n_images"] == held_out["n_images"]:
            assert gap.loc[rank, "value"] == pytest.approx(seen["value"] - held_out["value"])


def test_the_record(found, small_study):
    record = found.record
    assert record["dataset"]["n_images"] == record["dataset"]["n_usable"] == 60
    assert record["dataset"]["taxa"]["species"] == 12
    assert [encoder["name"] for encoder in record["encoders"]] == list(CONTROLS)
    assert all(encoder["fingerprint"] for encoder in record["encoders"])
    assert record["failures"] == {name: [] for name in CONTROLS}
    matched = {match["name"] for match in record["trees"]["tree"]["matches"] if match["matched"]}
    assert matched == {"Corvus albus", "Corvus corax", "Corvus cornix", "Parus major", "Canis latrans"}
    assert {"numpy", "scikit-learn", "python"} <= record["software"].keys()
    made = record["steps"]["measure"]
    assert made["plan"]["models"] == list(CONTROLS)
    assert made["compared"] == list(CONTROLS)
    assert (small_study / "out" / "runs.json").stat().st_size < 100_000


def test_the_steps_give_the_numbers_of_the_whole(sample, found, small_study):
    predictions = study.predict(sample, plan(small_study / "val").probe)
    drawn = study.project(sample, PCA)
    steps = [
        study.measure(sample, FEW),
        study.compare(sample, FEW),
        study.texts(sample, settings=FEW),
        scoring.score(sample, predictions, FEW),
        study.measure_panels(sample, drawn, FEW),
    ]
    together = with_adjusted_p(pd.concat(steps, ignore_index=True), found.controls)
    assert len(set(found.measurements["protocol_id"])) == 1
    pd.testing.assert_frame_equal(together.assign(protocol_id=found.measurements["protocol_id"]), found.measurements)
    pd.testing.assert_frame_equal(predictions, found.predictions)
    pd.testing.assert_frame_equal(drawn.coordinates, found.coordinates)


def test_a_second_run_embeds_nothing_anew_and_says_the_same(small_study, found, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "bioclip_probe.datasets.readers.pictures.open_picture", lambda path: pytest.fail("opened a picture")
    )
    made = plan(small_study / "val", tree=small_study / "tree.nwk", tree_unit="Myr")
    again = study.reproduce(made, small_study / "store", tmp_path / "out")
    pd.testing.assert_frame_equal(again.measurements, found.measurements)
    pd.testing.assert_frame_equal(again.predictions, found.predictions)
    pd.testing.assert_frame_equal(again.coordinates, found.coordinates)


def test_a_wrong_folder_is_told_before_the_work(small_study, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ProbeError, match="is a file"):
        study.reproduce(plan(small_study / "val"), tmp_path / "store", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_loop_is_compiled_meanwhile_where_no_picture_is_embedded(tmp_path, monkeypatch):
    numbers = []

    def noted(n_pictures, steps):
        numbers.append(n_pictures)
        return nullcontext()

    monkeypatch.setattr("bioclip_probe.study.run.compiling_meanwhile", noted)
    study.run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["project"])
    assert numbers == [0]
