"""The second depth: numbers follow from vectors, whatever the checksums say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import TreeError
from bioclip_probe.files import sha256_of_json
from bioclip_probe.study import results as results_of
from bioclip_probe.study.verification.checking import verify
from bioclip_probe.study.verification.numbers import check_numbers, cosines, read_witness
from bioclip_probe.study.verification.settings import VerifySettings
from bioclip_probe.tables import PREDICTIONS
from tests.support.verified_study import change_table, change_witness, rewrite_sums, swap_vectors

QUICK = VerifySettings()


def numbers_of(out, store, settings=QUICK):
    """Return the outcome of the second depth."""
    return check_numbers(results_of.read(out), store, settings)


def of_encoder(rows: pd.DataFrame, metric: str) -> pd.Series:
    """Return where a table has a number of pixels on the taxonomy."""
    chosen = (rows["metric"] == metric) & (rows["encoder"] == "pixels") & (rows["tree"] == "taxonomy")
    return chosen & rows["value"].notna()


def test_numbers_as_they_were_written_pass(endpoints_study):
    outcome = numbers_of(endpoints_study / "out", endpoints_study / "store")
    assert outcome.failures == ()
    assert outcome.state == "passed"
    n_rows = len(results_of.read(endpoints_study / "out").measurements)
    assert int(outcome.checked.split()[0]) > n_rows / 4


@pytest.mark.slow
def test_all_numbers_and_answers_as_they_were_written_pass(endpoints_study):
    everything = replace(QUICK, everything=True)
    outcome = numbers_of(endpoints_study / "out", endpoints_study / "store", everything)
    assert outcome.failures == ()
    n_rows = len(results_of.read(endpoints_study / "out").measurements)
    assert int(outcome.checked.split()[0].replace(",", "")) == n_rows


def test_changed_numbers_with_new_checksums_are_named(copied):
    out, store = copied
    columns = ("value", "chance", "ci_low", "p_value")

    def change(rows):
        first = rows.index[of_encoder(rows, "cophenetic_correlation") & rows["ci_low"].notna()][0]
        rows.loc[first, [*columns]] += 0.2
        return rows

    change_table(out, change)
    lines = numbers_of(out, store).failures
    assert len(lines) == len(columns)
    for line, column in zip(lines, columns, strict=True):
        assert line.startswith("cophenetic_correlation of pixels, ")
        assert f": {column} is " in line
        assert ", recomputed " in line


def test_a_changed_count_a_removed_and_an_invented_number_are_named(copied):
    out, store = copied

    def change(rows):
        first, second = (
            rows.index[of_encoder(rows, "pagel_lambda")][:1],
            rows.index[of_encoder(rows, "effective_dimension")],
        )
        rows.loc[first, "n_images"] = rows.loc[first, "n_images"] + 1
        invented = rows.loc[first].assign(rank="genus", value=0.9)
        return pd.concat([rows.drop(index=second[:1]), invented], ignore_index=True)

    change_table(out, change)
    found = numbers_of(out, store).failures
    assert len(found) == 3
    assert any(line.startswith("pagel_lambda of pixels") and ": n_images is " in line for line in found)
    assert any(
        line.startswith("effective_dimension of pixels") and "recomputed, but not in the folder" in line
        for line in found
    )
    assert any("genus" in line and "stored, but not recomputed" in line for line in found)


def test_changed_answers_of_a_probe_do_not_fit_its_scores(copied):
    out, store = copied

    def change(rows):
        wrong = (rows["rank"] == "family") & (rows["encoder"] == "pixels") & (rows["split"] == "test")
        rows.loc[wrong, "predicted"] = rows.loc[wrong, "truth"]
        return rows

    change_table(out, change, PREDICTIONS)
    assert any("macro_accuracy of pixels, family" in line for line in numbers_of(out, store).failures)


def test_the_rounding_is_that_of_the_settings(copied):
    out, store = copied

    def change(rows):
        rows.loc[of_encoder(rows, "pagel_lambda"), "value"] += 1e-3
        return rows

    change_table(out, change)
    assert numbers_of(out, store).state == "failed"
    assert numbers_of(out, store, replace(QUICK, rounding=0.01)).state == "passed"


def test_without_a_store_or_with_another_one_numbers_are_not_checked(endpoints_study, tmp_path):
    out = endpoints_study / "out"
    assert numbers_of(out, None).obstacles == ("no store was named: --store STORE",)
    assert "there is no store at" in numbers_of(out, tmp_path).obstacles[0]
    verification = verify(out, tmp_path)
    assert verification.outcomes[1].state == "not checked"
    assert not verification.passed  # what was asked for and could not be done has not passed


def test_without_the_phylogeny_the_numbers_on_it_are_not_checked(copied, endpoints_study):
    out, store = copied
    record = json.loads((out / "runs.json").read_text())
    for step in record["steps"].values():
        step["plan"]["tree"] = "/no/such/tree.nwk"
    (out / "runs.json").write_text(json.dumps(record))
    outcome = numbers_of(out, store)
    assert outcome.state == "not checked"
    assert "numbers on the tree 'tree'" in outcome.obstacles[0]
    assert numbers_of(out, store, replace(QUICK, tree=endpoints_study / "tree.nwk")).state == "passed"


def test_a_tree_that_is_not_there_is_refused_at_any_depth(copied, tmp_path):
    out, store = copied
    for asked in (None, store):
        with pytest.raises(TreeError, match=r"cannot read the tree .*nope\.nwk: there is no such file"):
            verify(out, asked, settings=replace(QUICK, tree=tmp_path / "nope.nwk"))


def test_a_tree_for_a_study_without_one_is_not_checked(copied, endpoints_study):
    out, store = copied
    record = json.loads((out / "runs.json").read_text())
    for step in record["steps"].values():
        step["plan"]["tree"] = None
    (out / "runs.json").write_text(json.dumps(record))
    outcome = numbers_of(out, store, replace(QUICK, tree=endpoints_study / "tree.nwk"))
    assert any("the study has none, and names no file of a tree" in line for line in outcome.obstacles)


def test_swapped_vectors_in_the_store_are_found(copied):
    out, store = copied
    swap_vectors(store)
    found = numbers_of(out, store).failures
    assert "the vectors of pixels in the store are not those of embeddings.json (their digest differs)" in found
    assert any(line.startswith("witness.npz: 2 of ") and "vectors of pixels" in line for line in found)
    assert any("recomputed" in line for line in found)


def test_damaged_vectors_in_the_store_are_a_failure(copied):
    out, store = copied
    (path,) = store.glob("*@*/pixels@*/vectors-00000.npy")
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert numbers_of(out, store).state == "failed"


def test_a_swapped_witness_is_found(copied):
    out, store = copied
    change_witness(out, lambda arrays: {**arrays, "vectors_0": arrays["vectors_0"][::-1]})
    assert any(line.startswith("witness.npz: ") for line in numbers_of(out, store).failures)


def test_a_witness_with_pickles_is_not_opened(tmp_path):
    np.savez(tmp_path / "witness.npz", image_id=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(Exception, match=r"witness.npz cannot be read: .*allow_pickle=False"):
        read_witness(tmp_path / "witness.npz")


def test_a_plan_of_another_version_is_not_run(copied):
    out, store = copied
    record = json.loads((out / "runs.json").read_text())
    for step in record["steps"].values():
        step["plan"]["measure"]["n_wonders"] = 3
    (out / "runs.json").write_text(json.dumps(record))
    rewrite_sums(out)
    assert "the plan in runs.json is not one of this version" in numbers_of(out, store).obstacles[0]


def test_a_protocol_of_another_definition_is_noted(copied):
    out, store = copied
    record = json.loads((out / "runs.json").read_text())
    record["protocol"]["parts"]["definition"] = sha256_of_json("another")
    (out / "runs.json").write_text(json.dumps(record))
    assert any("another definition here" in note for note in numbers_of(out, store).notes)


def test_a_vector_without_length_has_the_cosine_zero():
    assert cosines(np.zeros((1, 2)), np.ones((1, 2))).tolist() == [0.0]
