"""The study end to end: one command and its single steps give the same numbers."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import collect, study
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.plots.registry import REGISTRY as FIGURES
from bioclip_probe.projections import FIGURE_RANKS
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import probing, results, scoring
from bioclip_probe.study.plan import PAPER_MODELS, WORLD_MODELS, Plan
from bioclip_probe.study.sample import Phylogeny
from bioclip_probe.tables import COORDINATES, MEASUREMENTS, PREDICTIONS, RANKS
from tests.support.encoders import use_encoders
from tests.support.pictures import MeanColour
from tests.support.settings import FEW
from tests.support.small_study import CONTROLS, FOLDERS, OF_TEXT, grow, plan

KEY = results.KEYS["measurements"]
QUIET = ExtractionSettings(progress=False)
PCA = ProjectionSettings(method="pca")


@pytest.fixture(scope="session")
def found(small_study) -> results.Results:
    return results.read(small_study / "out")


@pytest.fixture(scope="session")
def sample(small_study):
    return collect(
        f"inat21:{small_study / 'val'}",
        CONTROLS,
        small_study / "store",
        Phylogeny(small_study / "tree.nwk", "Myr"),
        settings=QUIET,
    )


def test_what_it_leaves(small_study):
    files = {path.relative_to(small_study / "out").as_posix() for path in (small_study / "out").rglob("*.*")}
    tables = ("measurements.parquet", "measurements.csv", "predictions.parquet", "coordinates.parquet")
    figures = [f"figures/{name}.{kind}" for name in set(FIGURES) - OF_TEXT for kind in ("pdf", "png", "csv", "json")]
    assert files == {"report.html", "runs.json", *tables, *figures}


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
    of_text = {name for name in REGISTRY if name.startswith(("text_", "image_text_"))}
    assert set(table["metric"]) == set(REGISTRY) - of_text
    assert set(table["space"]) == {"raw", "centred"}
    assert set(table["tree"]) == {"taxonomy", "tree"}
    for metric in ("knn_purity_1", "cluster_purity", "silhouette", "cophenetic_correlation"):
        for encoder in CONTROLS:
            rows = table[(table["metric"] == metric) & (table["encoder"] == encoder) & (table["space"] == "raw")]
            assert set(rows["rank"]) == set(RANKS), (metric, encoder)
    assert (table.loc[table["value"].isna(), "note"] != "").all()
    assert table["n_images"].between(0, 60).all()


def test_predictions_and_their_accuracy(found):
    table = found.predictions
    assert set(table["split"]) <= {"train", "val", "test", ""}
    asked = table.groupby(["probe", "protocol"], sort=False).size().index.tolist()
    learnt = set(itertools.product(("linear", "lda"), ("seen", "unseen", "shuffled")))
    assert set(asked) == {*learnt, ("simpleshot", "corrected")}
    whole = table[(table["protocol"] == "seen") & table["shots"].isna()]
    assert len(whole) == 60 * len(RANKS) * len(CONTROLS) * 2
    splits = whole.groupby("image_id")["split"].agg(lambda parts: set(parts) - {""})
    assert (splits.map(len) <= 1).all(), "encoders, probes and ranks share one split"
    keys = ["encoder", "probe", "protocol", "shots", "rank"]
    test = table[(table["split"] == "test") & table["predicted"].notna()]
    by_hand = (test["truth"] == test["predicted"]).groupby([test[key] for key in keys], dropna=False).mean()
    rows = found.measurements[found.measurements["metric"] == "top1_accuracy"]
    accuracy = rows[rows["value"].notna()].set_index(keys)["value"]
    pd.testing.assert_series_equal(accuracy.sort_index(), by_hand.sort_index(), check_names=False)
    assert table["truth"].dropna().str.startswith(("Animalia", "Plantae", "Fungi")).all()
    assert ((table["place"] == 1) == (table["truth"] == table["predicted"]).fillna(False)).all()


def test_children_held_out_are_never_learnt_from(found):
    """Each image with kin is tested once at each rank above species, and the gap is over what both protocols tested."""
    table = found.predictions
    unseen = table[(table["protocol"] == "unseen") & (table["encoder"] == "pixels") & (table["probe"] == "linear")]
    tested = unseen[unseen["split"] == "test"]
    assert not tested.duplicated(["rank", "image_id"]).any()
    assert set(unseen["rank"]) == set(RANKS[:-1]), "species have no child taxa"
    of_genus = tested[tested["rank"] == "genus"]
    assert set(of_genus["truth"].str.split("|").str[-1]) == {"Corvus"}, "the one genus with two species"
    gap = found.measurements[found.measurements["metric"] == "unseen_gap"]
    assert set(gap["protocol"]) == {"unseen"}
    assert gap["value"].dropna().between(-1, 1).all()


def test_coordinates_are_the_panels_of_the_record(found):
    drawn = found.coordinates.groupby(["encoder", "rank"], sort=False)
    for name, panels in found.record["steps"]["project"]["panels"].items():
        assert [panel["rank"] for panel in panels] == list(FIGURE_RANKS)
        for panel in panels:
            rows = drawn.get_group((name, panel["rank"]))
            assert len(rows) == panel["n_images"]
            plotted = rows[rows["plotted"]]["taxon"].value_counts().to_dict()
            assert plotted == panel["plotted"]
            assert bool(panel["note"]) == bool(rows["x"].isna().all())


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


def test_agreement_with_the_phylogeny_leaves_out_what_it_lacks(found):
    table = found.measurements
    rows = table[(table["tree"] == "tree") & (table["metric"] == "image_tree_correlation")]
    assert set(rows["n_images"]) == {25}
    assert set(rows["n_excluded"]) == {35}
    assert set(rows["n_taxa"]) == {5}


def test_the_steps_give_the_numbers_of_the_whole(sample, found, small_study):
    predictions = probing.predict(sample, plan(small_study / "val").probe)
    coordinates = study.project(sample, PCA).coordinates
    steps = [
        study.measure(sample, FEW),
        study.compare(sample, FEW),
        study.texts(sample, settings=FEW),
        scoring.score(sample, predictions, FEW),
        study.measure_panels(sample, coordinates, FEW),
    ]
    pd.testing.assert_frame_equal(pd.concat(steps, ignore_index=True), found.measurements)
    pd.testing.assert_frame_equal(predictions, found.predictions)
    pd.testing.assert_frame_equal(coordinates, found.coordinates)


def test_whole_genera_are_resampled_where_asked(sample):
    plain, genera = (study.measure(sample, replace(FEW, resample=rank)).set_index(KEY) for rank in ("species", "genus"))
    found = genera[genera.index.get_level_values("metric") == "cophenetic_correlation"]
    found = found[found.index.get_level_values("rank") == "species"]
    assert set(found["resampled"]) == {"genus"}
    np.testing.assert_allclose(genera["value"], plain["value"], rtol=1e-9, atol=1e-12)


def test_pairs_of_encoders_and_what_is_left_beyond_each_control(sample):
    found = study.compare(sample, FEW)
    assert set(zip(found["encoder"], found["encoder_b"], strict=True)) == {CONTROLS, CONTROLS[::-1]}
    residual = found[found["metric"] == "residual_cophenetic_correlation"]
    assert residual["encoder_b"].tolist() == list(CONTROLS) and residual["p_value"].isna().all()
    MEASUREMENTS.check(found)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"per_species": 0}, "at least 1 image a species"),
        ({"resample": "tribe"}, "intervals resample taxa of a rank"),
        ({"seed": -1}, "must be"),
    ],
)
def test_measure_settings_out_of_range_are_refused(wrong, said):
    with pytest.raises(ProbeError, match=said):
        MeasureSettings(**wrong)


def test_equal_vectors_get_equal_numbers(sample):
    """The streams are paired: two encoders meet the same resampled species and the same permutations."""
    rows = np.flatnonzero(sample.images["family"] == "Corvidae")
    part = sample.take(rows)
    twins = {"one": part.embeddings["pixels"], "two": part.embeddings["pixels"]}
    part = replace(part, embeddings=twins)
    predictions = probing.probe(part)
    coordinates = study.project(part, PCA).coordinates
    scores = scoring.score(part, predictions, FEW)
    for table in (
        study.measure(part, FEW),
        scores[scores["encoder_b"].isna()],
        study.measure_panels(part, coordinates, FEW),
        predictions,
        coordinates,
    ):
        one, two = (table[table["encoder"] == name].drop(columns="encoder").reset_index(drop=True) for name in twins)
        assert len(one)
        pd.testing.assert_frame_equal(one, two)


def test_where_centring_leaves_no_direction_the_numbers_are_undefined_and_say_so(sample):
    """A part of one image, as in a table whose column `split` holds a stray word, stops nothing."""
    images = sample.images.assign(split=["odd"] + ["val"] * (len(sample.images) - 1)).astype({"split": "str"})
    table = study.measure(replace(sample, images=images, trees={}), FEW)
    odd = table[table["split"] == "odd"]
    assert set(odd["space"]) == {"raw", "centred"}
    assert odd["value"].isna().all()
    assert (odd["note"] != "").all()
    assert odd.loc[odd["space"] == "centred", "note"].str.contains("without direction").all()
    whole = table[(table["split"] == "val") & (table["space"] == "centred")]
    assert whole["value"].notna().any()


@pytest.mark.parametrize("rows", [[0], [0, 1], [0, 5, 10], range(5)])
def test_a_handful_of_images(sample, rows):
    """Whatever is undefined is a row that says so; nothing raises."""
    part = sample.take(np.array(rows))
    part = replace(part, trees={})
    predictions = probing.probe(part)
    coordinates = study.project(part, PCA).coordinates
    table = pd.concat(
        [study.measure(part, FEW), scoring.score(part, predictions, FEW), study.measure_panels(part, coordinates, FEW)],
        ignore_index=True,
    )
    MEASUREMENTS.check(table)
    assert (table.loc[table["value"].isna(), "note"] != "").all()
    accuracy = table[table["metric"].isin(["top1_accuracy", "macro_accuracy"]) & table["encoder_b"].isna()]
    assert len(accuracy) == 2 * (3 * len(RANKS) - 2) * len(CONTROLS)
    assert accuracy["value"].isna().all(), "nothing can be learnt from so few"


def test_taxa_of_a_rank(sample):
    table, means = study.taxa(sample, "family", "pixels")
    assert table["n_images"].sum() == 60
    assert table["taxon"].is_unique
    assert table["taxon"].str.endswith(tuple(table["name"])).all()
    vectors = sample.embeddings["pixels"].vectors.astype(np.float64)
    for row, mean in zip(table.itertuples(), means, strict=True):
        inside = vectors[sample.images["family"] == row.name]
        assert len(inside) == row.n_images
        np.testing.assert_allclose(mean, inside.mean(0), atol=1e-6)
        spread = np.sqrt(np.mean(np.sum((inside - inside.mean(0)) ** 2, axis=1)))
        assert row.spread == pytest.approx(spread, abs=1e-6)


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


def test_holes_are_counted_and_probed_around(tmp_path, monkeypatch):
    """A table in which some images have no family."""
    grow(tmp_path, FOLDERS[3:7], each=3)
    rows = [
        (path.relative_to(tmp_path).as_posix(), *path.parent.name.split("_")[1:])
        for path in sorted(tmp_path.rglob("*.png"))
    ]
    table = pd.DataFrame(rows, columns=["path", *RANKS])
    table.loc[:1, "family"] = "incertae sedis"
    table.to_csv(tmp_path / "labels.csv", index=False)
    sample = collect(f"table:{tmp_path / 'labels.csv'}", ["pixels"], tmp_path / "store", settings=QUIET)
    measured = study.measure(sample, FEW)
    family = measured[(measured["rank"] == "family") & (measured["metric"] == "knn_purity_1")]
    assert set(family["n_excluded"]) == {2}
    predictions = probing.probe(sample)
    family = predictions[(predictions["rank"] == "family") & (predictions["protocol"] == "seen")]
    assert (family.loc[family["truth"].isna(), "split"] == "").all()
    assert family["truth"].isna().sum() == 2


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": 0}])
def test_extraction_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ProbeError, match="must be"):
        Plan(extraction=ExtractionSettings(**wrong))


def test_plan_defaults():
    assert Plan().compared == WORLD_MODELS
    assert Plan(data="inat21:x").compared == PAPER_MODELS
    assert Plan(data="inat21:x", models=("clip",)).encoders == (
        "clip", "pixels", "color-histogram", "untrained-vit-b-16"
    )  # fmt: skip
    assert Plan(models=CONTROLS).encoders == CONTROLS
    with pytest.raises(ProbeError, match="named twice: pixels"):
        Plan(models=("pixels", "pixels"))


def test_a_constant_encoder_is_measured_and_said_to_be_undefined(tmp_path, monkeypatch):
    class Constant(MeanColour):
        name = "constant"

        def encode(self, batch):
            return np.ones((len(batch), 3), np.float32)

    grow(tmp_path / "val", FOLDERS[4:7], each=3)
    use_encoders(monkeypatch, lambda name: Constant())
    sample = collect(f"inat21:{tmp_path / 'val'}", ["constant"], tmp_path / "store", settings=QUIET)
    table = study.measure(sample, FEW)
    assert (table.loc[table["value"].isna(), "note"] != "").all()
    correlations = table[table["metric"].isin(["cophenetic_correlation", "image_tree_correlation"])]
    assert correlations["value"].isna().all()
    assert table.loc[table["space"] == "centred", "note"].str.contains("without direction").all()
    drawn = study.project(sample)
    assert drawn.coordinates["x"].isna().all()
    json.dumps(drawn.panels)
    panels = study.measure_panels(sample, drawn.coordinates, FEW)
    assert (panels.loc[panels["metric"] == "panel_purity_2d", "note"] == "the panel could not be projected").all()
