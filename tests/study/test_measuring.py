"""Measurements of a sample: every encoder in both spaces, every pair, and whatever is undefined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import collect, datasets, study
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import measuring, probing, results, scoring
from bioclip_probe.study.phylogeny import Phylogeny
from bioclip_probe.tables import MEASUREMENTS, RANKS
from tests.support.settings import FEW
from tests.support.small_study import CONTROLS, FOLDERS, grow

pytestmark = pytest.mark.slow

KEY = results.KEYS["measurements"]
SIMULATED = ("attainable_cophenetic_correlation", "relative_cophenetic_correlation")
KEY_OF_ONE = ["split", "space", "tree", "rank", "taxon", "metric"]


QUIET = ExtractionSettings(progress=False)


PCA = ProjectionSettings(methods=("pca",))


def test_agreement_with_the_phylogeny_leaves_out_what_it_lacks(found):
    table = found.measurements
    rows = table[(table["tree"] == "tree") & (table["metric"] == "image_tree_correlation")]
    assert set(rows["n_images"]) == {25}
    assert set(rows["n_excluded"]) == {35}
    assert set(rows["n_taxa"]) == {5}


def test_whole_genera_are_resampled_where_asked(sample):
    plain, genera = (study.measure(sample, replace(FEW, resample=rank)).set_index(KEY) for rank in ("species", "genus"))
    found = genera[genera.index.get_level_values("metric") == "cophenetic_correlation"]
    found = found[found.index.get_level_values("rank") == "species"]
    assert set(found["resampled"]) == {"genus"}
    # The axes along which embeddings are simulated turn with rounding, and so do the draws.
    simulated = plain.index.get_level_values("metric").isin(SIMULATED)
    np.testing.assert_allclose(genera["value"][~simulated], plain["value"][~simulated], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(genera["value"][simulated], plain["value"][simulated], rtol=0.05)


def test_whole_genera_are_resampled_on_a_phylogeny_too(sample):
    settings = replace(FEW, resample="genus")
    found = study.measure(sample, settings)
    with_units = found[(found["tree"] == "tree") & (found["n_units"] > 0)]
    assert set(with_units["resampled"]) == {"genus"}, set(with_units.loc[with_units["resampled"] != "genus", "metric"])
    assert set(with_units["n_units"]) == {3}, "Corvus, Parus and Canis: the genera that are on the tree"


def test_differences_are_those_of_the_measurements_on_every_tree(sample):
    measured = study.measurements(sample, FEW, spaces=("raw",))
    found = study.compare(sample, FEW, measured)
    differences = found[found["metric"].str.endswith("_difference")]
    assert (differences["encoder"] + "|" + differences["encoder_b"]).unique().tolist() == ["|".join(CONTROLS)]
    alone = study.table_of(sample, measured)
    found = differences.assign(metric=differences["metric"].str.removesuffix("_difference"))
    for name, suffix in zip(CONTROLS, ("_first", "_second"), strict=True):
        own = alone.loc[alone["encoder"] == name, [*KEY_OF_ONE, "value"]]
        found = found.merge(own, on=KEY_OF_ONE, suffixes=("", suffix))
    assert len(found) == len(differences) > 0 and set(found["space"]) == {"raw"}
    np.testing.assert_allclose(found["value"], found["value_first"] - found["value_second"], atol=1e-12)


def test_a_difference_is_measured_where_it_alone_is_asked_for(sample):
    settings = replace(FEW, metrics=("knn_purity_1_adjusted_difference",))
    assert study.measure(sample, settings).empty
    found = study.compare(sample, settings)
    assert set(found["metric"]) == {"knn_purity_1_adjusted_difference"} and len(found)


def test_spaces_that_are_measured_apart_have_the_numbers_of_spaces_together(sample, monkeypatch):
    alone, settings = (
        replace(sample, trees={}),
        replace(FEW, metrics=("knn_purity_1", "lca_distance_mean", "silhouette")),
    )
    apart = study.measure(alone, settings)
    monkeypatch.setattr(measuring, "MOST_APART", 0)
    together = study.measure(alone, settings)
    pd.testing.assert_frame_equal(apart, together, rtol=1e-6, atol=1e-6)


def test_only_raw_embeddings_of_the_whole_dataset_have_primary_permutations(sample):
    settings = replace(
        FEW, metrics=("cophenetic_correlation", "pagel_lambda"), n_permutations=6, n_primary_permutations=13
    )
    images = sample.images.assign(split=np.where(sample.images["species"] < "M", "one", "other")).astype(
        {"split": "str"}
    )
    table = study.measure(replace(sample, images=images), settings)
    species = table[(table["rank"] == "species") & table["p_value"].notna()]
    primary = (species["space"] == "raw") & (species["split"] == "all")
    for number, rows in ((14, species[primary]), (7, species[~primary])):
        numerators = rows["p_value"] * number
        np.testing.assert_allclose(numerators, numerators.round(), atol=1e-9)
    assert set(species.loc[~primary, "split"]) > {"all"}


def test_values_of_parts_say_that_they_do_not_compare(sample):
    species = sample.images["species"]
    seen = species.isin(species.unique()[::2])
    images = sample.images.assign(split=np.where(seen, "seen", "unseen")).astype({"split": "str"})
    table = study.measure(replace(sample, images=images, trees={}), replace(FEW, metrics=("cophenetic_correlation",)))
    of_part = table["split"].isin(["seen", "unseen"])
    assert table.loc[of_part, "note"].str.contains("6 species of one part; compare models in a part, not parts").all()
    assert not table.loc[~of_part, "note"].str.contains("not parts").any()


def test_a_curve_by_rank_has_a_band(sample):
    table = study.measure(sample, replace(FEW, metrics=("knn_purity_1", "knn_purity_1_adjusted")))
    banded = table[table["band_low"].notna()]
    assert (banded["band_low"] <= banded["ci_low"]).all() and (banded["ci_high"] <= banded["band_high"]).all()
    assert banded["ci_low"].notna().all() and (banded["tree"] == "taxonomy").all()


def test_pairs_of_encoders_and_what_is_left_beyond_each_control(sample):
    found = study.compare(sample, FEW)
    assert set(zip(found["encoder"], found["encoder_b"], strict=True)) == {CONTROLS, CONTROLS[::-1]}
    residual = found[found["metric"] == "residual_cophenetic_correlation"]
    assert residual["encoder_b"].tolist() == list(CONTROLS) and residual["p_value"].isna().all()
    MEASUREMENTS.check(found)


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
    assert len(accuracy) == 2 * (4 * len(RANKS) - 3) * len(CONTROLS), "no children are held out at species"
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


def test_holes_are_counted_and_probed_around(tmp_path, monkeypatch):
    """A table in which some images have no family, with its lineages as given."""
    grow(tmp_path, FOLDERS[3:7], each=3)
    rows = [
        (path.relative_to(tmp_path).as_posix(), *path.parent.name.split("_")[1:])
        for path in sorted(tmp_path.rglob("*.png"))
    ]
    table = pd.DataFrame(rows, columns=["path", *RANKS])
    table.loc[:1, "family"] = "incertae sedis"
    table.to_csv(tmp_path / "labels.csv", index=False)
    dataset = datasets.load(f"table:{tmp_path / 'labels.csv'}", lineages="as-given")
    sample = collect(dataset, ["pixels"], tmp_path / "store", settings=QUIET)
    measured = study.measure(sample, FEW)
    family = measured[(measured["rank"] == "family") & (measured["metric"] == "knn_purity_1")]
    assert set(family["n_excluded"]) == {2}
    predictions = probing.probe(sample)
    family = predictions[(predictions["rank"] == "family") & (predictions["protocol"] == "seen")]
    assert (family.loc[family["truth"].isna(), "split"] == "").all()
    assert family["truth"].isna().sum() == 2


def test_on_a_tree_of_genera_the_units_are_genera(tmp_path):
    genera = ("Pica", "Corvus", "Felis", "Canis", "Ursus", "Vulpes")
    (tmp_path / "genera.nwk").write_text("((Pica:1,Corvus:1):2,((Felis:2,Ursus:2):.5,(Canis:1,Vulpes:1):1.5):.5);")
    rows = pd.DataFrame({"id": [str(i) for i in range(24)], "genus": np.resize(genera, 24)})
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(24, 8))).add_prefix("emb_")
    for name, vectors in (("first", numbers), ("second", numbers[::-1].reset_index(drop=True))):
        pd.concat([rows, vectors], axis=1).to_csv(tmp_path / f"{name}.csv", index=False)
    sample = collect(
        datasets.load(f"vectors:{tmp_path / 'first.csv'}"),
        [f"first=vectors:{tmp_path / 'first.csv'}", f"second=vectors:{tmp_path / 'second.csv'}"],
        tmp_path / "store",
        Phylogeny(tmp_path / "genera.nwk"),
    )
    measured = study.measurements(sample, FEW, spaces=("raw",))
    for table in (study.table_of(sample, measured), study.compare(sample, FEW, measured)):
        on_tree = table[table["tree"] == "genera"]
        assert set(on_tree["null"]) <= {"", "images", "genus"}
        assert set(on_tree["resampled"]) <= {"", "genus"}
        assert not on_tree["note"].str.contains("(species)", regex=False).any()
