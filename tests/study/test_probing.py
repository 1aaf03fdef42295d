"""Probes of a sample, and the numbers that are made from their answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import collect
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.prompts import TEXT_TYPES
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study import probing, scoring
from bioclip_probe.tables import PREDICTIONS, RANKS
from tests.support.evolved import evolved_sample

pytestmark = pytest.mark.slow

EACH_LEFT_OUT = ProbeSettings(probes=("knn",), protocols=("leave-one-out",))


def accuracy(predictions: pd.DataFrame, **where: object) -> float:
    for column, value in where.items():
        predictions = predictions[predictions[column] == value]
    tested = predictions[predictions["split"] == "test"]
    return float((tested["truth"] == tested["predicted"]).mean())


@pytest.mark.parametrize("learner", ["linear", "ridge", "lda", "knn"])
def test_what_evolves_along_the_tree_is_named_and_kin_never_seen_are_too(learner):
    """Species hardly scatter: genera are known from other species of theirs, which shuffled labels do not allow."""
    found = probing.probe(evolved_sample(scatter=0.05), ProbeSettings(probes=(learner,)))
    assert accuracy(found, protocol="seen", rank="species") > 0.9
    assert accuracy(found, protocol="unseen", rank="genus") > 0.6
    assert accuracy(found, protocol="unseen", rank="genus") > accuracy(found, protocol="shuffled", rank="genus") - 0.4
    assert accuracy(found, protocol="seen-children", rank="genus") > 0.8
    PREDICTIONS.check(found)


def test_one_probe_is_asked_about_children_that_it_saw_and_that_it_never_saw():
    sample = evolved_sample(scatter=0.5)
    found = probing.probe(sample, ProbeSettings(probes=("knn",), protocols=("unseen", "seen-children"), n_deals=2))
    tested = found[(found["split"] == "test") & (found["rank"] == "genus")]
    assert set(tested["fold"]) == set(range(10)), "two deals of five folds"
    assert (tested["n_choices"] == 4).all()
    times = tested.groupby(["protocol", "image_id"]).size()
    assert (times["seen-children"] == 2).all() and (times["unseen"] >= 2).all(), "every image, in each deal"
    assert len(times["seen-children"]) == len(times["unseen"]) == len(sample.images)
    asked = tested.groupby(["protocol", "fold"])["truth"].nunique()
    assert (asked == 4).all(), "every genus, in each fold"
    alone = probing.probe(sample, ProbeSettings(probes=("knn",), protocols=("unseen",), n_deals=2))
    pd.testing.assert_frame_equal(alone, found[found["protocol"] == "unseen"].reset_index(drop=True))


def test_the_datasets_own_train_and_test_are_used_unless_others_are_asked_for(caplog):
    sample = evolved_sample(scatter=0.5)
    given = pd.Series(np.where(np.arange(len(sample.images)) % 3 == 0, "Test", "train"), dtype="str")
    given[:6] = "train"  # the first species has no test image
    sample = replace(sample, images=sample.images.assign(split=given))
    settings = ProbeSettings(probes=("knn",), protocols=("seen",))
    with caplog.at_level("INFO"):
        found = probing.probe(sample, settings)
    assert "learns from the 66 images that the dataset gives for training, and tests its 30 test images" in caplog.text
    given_of = dict(zip(sample.images["image_id"], given, strict=True))
    for rank, rows in found.groupby("rank"):
        assert set(rows.loc[rows["split"] == "test", "image_id"].map(given_of)) == {"Test"}
        assert set(rows.loc[rows["split"].isin(["train", "val"]), "image_id"].map(given_of)) == {"train"}
        assert (rows["split"] == "").sum() == (6 if rank == "species" else 0)
    caplog.clear()
    with caplog.at_level("INFO"):
        own = probing.probe(sample, replace(settings, own_split=True))
    assert "own split (Test, train) is not used, as was asked" in caplog.text
    assert set(own.loc[own["split"] == "test", "image_id"].map(given_of)) == {"Test", "train"}
    parts = replace(sample, images=sample.images.assign(split=given.map({"Test": "unseen", "train": "seen"})))
    caplog.clear()
    with caplog.at_level("INFO"):
        probing.probe(parts, settings)
    assert "(seen, unseen) has no train and test images and is not used; call its parts train and test" in caplog.text


def test_without_signal_probes_are_at_chance(all_intervals):
    sample = evolved_sample(scatter=1e4)
    found = probing.probe(sample, ProbeSettings(probes=("linear", "knn")))
    for protocol, rank, chance in (("seen", "species", 1 / 16), ("seen", "genus", 1 / 4), ("unseen", "genus", 1 / 4)):
        assert abs(accuracy(found, protocol=protocol, rank=rank) - chance) < 0.2
    scores = scoring.score(sample, found)
    gap = scores[(scores["metric"] == "unseen_gap") & (scores["rank"] == "genus")]
    assert len(gap) == 2 and ((gap["ci_low"] <= 0) & (gap["ci_high"] >= 0)).all()


def test_more_shots_are_asked_until_they_are_all():
    found = probing.probe(
        evolved_sample(scatter=0.3), ProbeSettings(probes=("linear",), protocols=("seen",), shots=(1, 2, 60))
    )
    assert set(found["shots"].fillna(0)) == {0, 1, 2}, "no taxon has 60 images to learn from"
    tested = found[found["split"] == "test"]
    per_shot = tested[tested["rank"] == "species"].groupby(tested["shots"].fillna(0))["image_id"].agg(set)
    assert all(images == per_shot[0] for images in per_shot), "one set of test images"


def test_each_image_is_left_out_once():
    sample = evolved_sample(scatter=0.05)
    part = sample.take(np.arange(0, len(sample.images), 3))
    found = probing.probe(part, EACH_LEFT_OUT)
    tested = found[found["split"] == "test"]
    assert not tested.duplicated(["rank", "image_id"]).any()
    assert len(tested[tested["rank"] == "genus"]) == len(part.images)
    assert accuracy(found, rank="genus") > 0.6
    scores = scoring.score(part, found)
    top1 = scores[(scores["metric"] == "top1_accuracy") & (scores["rank"] == "genus")]
    assert top1["value"].item() == accuracy(found, rank="genus")


def test_few_shots_are_reported_over_folds():
    sample = evolved_sample(scatter=0.05)
    found = probing.few_shot(sample, shots=(1, 5))
    assert set(found["fold"]) == set(range(5))
    scores = scoring.score(sample, found)
    top1 = scores[scores["metric"] == "top1_accuracy"].set_index("shots")
    by_fold = found[(found["split"] == "test") & (found["shots"] == 1)]
    right = (by_fold["truth"] == by_fold["predicted"]).groupby(by_fold["fold"]).mean()
    assert top1.loc[1, "value"] == pytest.approx(right.mean())
    assert f"sd over folds {right.std(ddof=0):.4f}" in top1.loc[1, "note"]
    assert top1.loc[1, "chance"] == pytest.approx(1 / 16)


@pytest.mark.parametrize("mode", ["paper", "corrected"])
def test_taxa_with_too_few_images_are_named_and_the_rest_goes_on(mode, caplog):
    sample = evolved_sample(scatter=0.05)
    part = sample.take(np.setdiff1d(np.arange(len(sample.images)), [0, 1, 2]))  # three of the first species are left
    with caplog.at_level("INFO"):
        found = probing.few_shot(part, shots=(1, 5), mode=mode)
    assert "1 of 16 taxa have too few images for 5 shots: Genus0 no0" in caplog.text
    tested = found[found["split"] == "test"]
    assert set(tested["shots"]) == ({1} if mode == "paper" else {1, 5})
    top1 = scoring.score(part, found).query("metric == 'top1_accuracy'").set_index("shots")
    assert top1.loc[1, "value"] > 0.9
    assert mode == "corrected" or top1.loc[5, "note"]


def test_names_are_answers_where_a_model_takes_text():
    sample = evolved_sample(scatter=0.05, names=True)
    found = probing.zero_shot(sample)
    assert set(found["protocol"]) == set(TEXT_TYPES)
    assert set(found.loc[found["protocol"] == "taxonomic_common", "rank"]) == set(RANKS)
    assert accuracy(found, probe="zero_shot", protocol="scientific") > 0.9
    assert accuracy(found, probe="zero_shot_summed", rank="family") > 0.9
    assert probing.zero_shot(evolved_sample(scatter=0.05)).empty, "no names, no answers"


def test_what_cannot_be_asked_is_told():
    sample = evolved_sample(scatter=0.05)
    with pytest.raises(ProbeError, match="no protocol 'sene'; did you mean seen"):
        ProbeSettings(protocols=("sene",))
    with pytest.raises(ProbeError, match=r"leave-one-out learns a probe for each image: at most 95, got 96; ask seen"):
        probing.probe(sample, EACH_LEFT_OUT, most_left_out=95)


def test_real_animals_are_named_at_class_and_order_one_left_out(shared_data, tmp_path, all_intervals):
    """187 photographs of as many animals: only leaving one out asks about nearly all of them."""
    network = Path(__file__).parents[1] / "support" / "mobilenets.py"
    data = f"table:{shared_data / 'animals' / 'labels.csv'}"
    sample = collect(
        data, [f"custom:{network}:imagenet", "pixels"], tmp_path, settings=ExtractionSettings(progress=False)
    )
    part = sample.take(np.arange(0, len(sample.images), 2))
    scores = scoring.score(part, probing.probe(part, EACH_LEFT_OUT))
    top1 = scores[(scores["metric"] == "top1_accuracy") & scores["encoder_b"].isna()].set_index(["rank", "encoder"])
    network, pixels = list(sample.embeddings)
    for rank in ("class", "order"):
        assert top1.loc[(rank, network), "value"] > top1.loc[(rank, pixels), "value"]
        assert top1.loc[(rank, network), "ci_low"] > top1.loc[(rank, network), "chance"]
        assert top1.loc[(rank, network), ["n_images", "n_excluded"]].sum() == len(part.images)
