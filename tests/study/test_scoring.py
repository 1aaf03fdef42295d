"""Scores of predictions: in parts of a dataset, between protocols, between encoders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study import probing
from bioclip_probe.study.scoring import Question, answers_by_question, score
from bioclip_probe.tables import MEASUREMENTS, RANKS
from tests.support.evolved import EACH, evolved_sample
from tests.support.settings import FEW

pytestmark = pytest.mark.slow

NEAREST = ProbeSettings(probes=("knn",))


def test_every_protocol_is_scored_and_compared_with_the_seen_one():
    sample = evolved_sample(scatter=0.5)
    scores = score(sample, probing.probe(sample, NEAREST), FEW)
    MEASUREMENTS.check(scores)
    protocols = scores.groupby("metric")["protocol"].agg(set)
    assert protocols["top1_accuracy"] == {"seen", "seen-children", "unseen", "shuffled"}
    assert (protocols["unseen_gap"], protocols["selectivity"]) == ({"unseen"}, {"shuffled"})
    assert protocols["clade_accuracy"] == protocols["path_accuracy"] == {"seen"}
    assert scores["taxon"].notna().equals(scores["metric"] == "clade_accuracy")
    macro = scores[(scores["metric"] == "macro_accuracy")].set_index(["protocol", "rank"])
    gap = scores[scores["metric"] == "unseen_gap"].set_index("rank")
    for rank in ("family", "genus"):
        seen, unseen = macro.loc[("seen-children", rank)], macro.loc[("unseen", rank)]
        assert seen["n_images"] == unseen["n_images"] == gap.loc[rank, "n_images"] == len(sample.images)
        assert seen["n_taxa"] == unseen["n_taxa"] and seen["chance"] == unseen["chance"] == 1 / seen["n_taxa"]
        assert gap.loc[rank, "value"] == pytest.approx(seen["value"] - unseen["value"])
    genus = macro.loc[("unseen", "genus")]
    assert (genus["resampled"], genus["n_units"], genus["null"]) == ("species", 16, "species")
    assert macro.loc[("unseen", "family"), "resampled"] == "genus", "the children of families"
    assert genus["p_value"] < 0.05 and np.isnan(macro.loc[("seen-children", "genus"), "p_value"])


def test_settings_decide_seed_and_replicates_and_not_which_scores_are_given():
    sample = evolved_sample(scatter=2.0)
    predictions = probing.probe(sample, ProbeSettings(probes=("knn",), protocols=("seen",)))
    few, seeded, named = (
        score(sample, predictions, replace(FEW, **changes))
        for changes in ({}, {"seed": 1}, {"metrics": ("cophenetic_correlation",)})
    )
    assert few["ci_method"].dropna().str.contains("16 groups").any()
    pd.testing.assert_series_equal(few["value"], seeded["value"])
    assert (few["ci_low"].dropna() != seeded["ci_low"].dropna()).any()
    pd.testing.assert_frame_equal(few, named)


def test_whole_genera_and_families_can_be_left_out_of_every_score():
    sample = evolved_sample(scatter=0.5)
    predictions = probing.probe(sample, NEAREST)
    for rank in ("genus", "family"):
        scores = score(sample, predictions, replace(FEW, resample=rank))
        assert set(scores["resampled"].dropna()) <= {*RANKS[: RANKS.index(rank) + 1], ""}


def test_points_of_a_curve_are_scored_and_not_compared():
    sample = evolved_sample(scatter=0.3)
    sample.embeddings["other"] = evolved_sample(scatter=0.3, seed=1).embeddings["model"]
    settings = ProbeSettings(probes=("knn",), protocols=("seen",), shots=(1, 2))
    scores = score(sample, probing.probe(sample, settings), FEW)
    assert set(scores.loc[scores["metric"] == "top1_accuracy", "shots"].fillna(0)) == {0, 1, 2}
    assert scores.loc[scores["encoder_b"].notna(), "shots"].isna().all()
    assert Question("a", "simpleshot", "paper", 5).is_comparable(Question("b", "simpleshot", "paper", 5))
    assert not Question("a", "knn", "seen", 5).is_comparable(Question("b", "knn", "seen", 5))
    assert not Question("a", "knn", "seen", 0).is_comparable(Question("b", "knn", "unseen", 0))


def test_intervals_of_held_out_children_also_stand_for_other_images_to_learn_from():
    sample = evolved_sample(scatter=0.5)
    answers = answers_by_question(sample, probing.probe(sample, NEAREST), MeasureSettings())
    widening = {question.protocol: own["family"].jackknife.widening for question, own in answers.items()}
    assert widening == {"seen": 1.0, "shuffled": 1.0, "seen-children": 1.5, "unseen": 1.5}


def test_answers_hold_the_rows_of_their_question():
    sample = evolved_sample(scatter=0.5)
    predictions = probing.probe(sample, ProbeSettings(probes=("knn",), protocols=("seen",)))
    answers = answers_by_question(sample, predictions, MeasureSettings())
    assert set(answers) == {Question("model", "knn", "seen", 0)}
    (by_rank,) = answers.values()
    assert list(by_rank) == [rank for rank in RANKS if rank in set(predictions["rank"])]
    genus = predictions[predictions["rank"] == "genus"]
    np.testing.assert_array_equal(by_rank["genus"].right == 1, genus["truth"] == genus["predicted"])
    np.testing.assert_array_equal(by_rank["genus"].n_choices, 4)
    assert by_rank["genus"].left_out.n_units == 16


def test_no_predictions_have_no_scores():
    sample = evolved_sample(scatter=0.5)
    predictions = probing.probe(sample, ProbeSettings(probes=("knn",), protocols=("seen",)))
    assert score(sample, predictions[:0]).equals(MEASUREMENTS.frame())


def test_names_are_scored_in_each_part_of_a_dataset_too():
    sample = evolved_sample(scatter=0.05, names=True)
    odd = np.arange(len(sample.images)) // EACH % 2 == 1  # every other species
    parts = pd.Series(np.where(odd, "unseen", "seen"), dtype="str")
    sample = replace(sample, images=sample.images.assign(split=parts))
    found = probing.zero_shot(sample, ["scientific"])
    rows = score(sample, found)
    top1 = rows[(rows["metric"] == "top1_accuracy") & (rows["probe"] == "zero_shot") & (rows["rank"] == "species")]
    top1 = top1.set_index("split")
    assert set(top1.index) == {"test", "test, seen", "test, unseen"}
    by_hand = found[(found["probe"] == "zero_shot") & (found["rank"] == "species")]
    right = by_hand["truth"] == by_hand["predicted"]
    of_part = by_hand["image_id"].isin(sample.images.loc[odd, "image_id"])
    assert top1.loc["test, unseen", "value"] == pytest.approx(right[of_part].mean())
    assert top1.loc["test, unseen", "n_images"] == odd.sum()
    assert (top1["chance"] == 1 / 16).all(), "all species are there to choose from"


def test_two_models_are_compared_on_what_both_were_asked():
    sample, worse = evolved_sample(scatter=0.05), evolved_sample(scatter=2.0)
    sample.embeddings["worse"] = worse.embeddings["model"]
    scores = score(sample, probing.probe(sample, ProbeSettings(probes=("knn",), protocols=("seen",))))
    species = scores[(scores["metric"] == "top1_accuracy_difference") & (scores["rank"] == "species")]
    assert (species["encoder"].item(), species["encoder_b"].item()) == ("model", "worse")
    assert species["value"].item() > 0.5
    assert species["p_value"].item() < 0.01


def test_a_sample_without_kin_has_rows_that_say_so():
    sample = evolved_sample(scatter=0.05)
    part = sample.take(np.flatnonzero(sample.images["genus"] == "Genus0")[::6])
    scores = score(part, probing.probe(part))
    assert len(scores)
    assert scores["value"].isna().all()
    assert (scores["note"] != "").all()
