"""Evaluation results for Hugging Face's Hub: its own library reads them."""

from __future__ import annotations

import pytest
import yaml

from bioclip_probe.errors import ProbeError
from bioclip_probe.report.sharing.evaluations import check_address, check_benchmark, eval_results
from tests.support.submissions import INSTANCE, valid

PRIMARY = ["cophenetic_correlation", "pagel_lambda", "knn_purity_1_other_species", "macro_accuracy"]


def test_the_hub_reads_an_entry_for_each_primary_endpoint() -> None:
    from huggingface_hub import parse_eval_result_entries

    content = valid()
    text = eval_results(content, "bioclip", "lab/birds", "https://example.org/birds")
    entries = parse_eval_result_entries(yaml.safe_load(text))
    assert [entry.task_id for entry in entries] == PRIMARY
    assert {entry.dataset_id for entry in entries} == {"lab/birds"}
    values = {number["metric"]: number["value"] for number in content["models"][0]["endpoints"]}
    assert all(entry.value == pytest.approx(values[entry.task_id], abs=1e-6) for entry in entries)
    assert {(entry.date, entry.source_url) for entry in entries} == {
        ("2026-11-27T13:39:03+00:00", "https://example.org/birds")
    }


def test_notes_hold_what_the_format_has_no_field_for() -> None:
    notes = yaml.safe_load(eval_results(valid(), "bioclip"))[0]["notes"]
    assert "95 % interval 0.400 to 0.620" in notes
    assert f"treeoflife-alignment/1, instance {INSTANCE}" in notes
    assert "simulated: pictures of invented species" in notes


def test_keys_are_those_of_the_format_and_an_unset_source_is_left_out() -> None:
    for entry in yaml.safe_load(eval_results(valid(), "bioclip")):
        assert set(entry) <= {"dataset", "value", "verifyToken", "date", "source", "evaluation_framework", "notes"}
        assert set(entry["dataset"]) == {"id", "task_id"}
        assert "source" not in entry


def test_undefined_numbers_are_left_out_and_a_missing_protocol_is_said() -> None:
    content = valid(protocol=None)
    content["models"][0]["endpoints"][0] |= {"value": None, "interval": None, "no_interval_because": "undefined"}
    entries = yaml.safe_load(eval_results(content, "bioclip"))
    assert [entry["dataset"]["task_id"] for entry in entries] == PRIMARY[1:]
    assert "no protocol: not comparable" in entries[0]["notes"]


@pytest.mark.parametrize(
    "name", ["a: b", "- x\n- y", "!!python/object:os.system", "'\"#{}[]&*%@`|>", "\u202e", "yes", "null"]
)
def test_hostile_names_stay_texts(name: str) -> None:
    content = valid()
    content["dataset"]["name"] = name
    assert f"on {name}," in yaml.safe_load(eval_results(content, "bioclip"))[0]["notes"]


@pytest.mark.parametrize("id", ["", "birds", "a/b/c", "../x", "a b/c", "a/b\n", "a/" + "b" * 200])
def test_what_is_no_dataset_of_the_hub_is_refused(id: str) -> None:
    with pytest.raises(ProbeError, match="is not a dataset of the Hub; expected OWNER/NAME"):
        check_benchmark(id)


@pytest.mark.parametrize("url", ["example.org", "javascript:alert(1)", "https://", "https://a b", 'https://a/"x'])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ProbeError, match="is not a web address; expected https"):
        check_address(url)
    assert check_address("") == ""
