"""The protocol: what it fixes, how a study departs from it, and what it was done with."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study import protocol_id
from bioclip_probe.study.plan import Plan

#: The digest of each version of the protocol, for ever.
GOLDEN = {1: "9f714dadb70948fd2a073fe53c52552288176ea359b8efb211933bd9495e5181"}
#: Definition of the version of today, to show what has changed.
DEFINITION = Path(__file__).with_name("treeoflife-alignment.json")
WHAT_TO_DO = (
    "The rules of the protocol have changed, so that new numbers cannot be compared with those of "
    f"{protocol_id.NAME}/{protocol_id.NUMBER}. Raise NUMBER in study/protocol_id.py, add the digest of the new number "
    "to GOLDEN here, write the definition to treeoflife-alignment.json, and say in the changelog what changed. Digests "
    "of numbers that a release has are never replaced."
)
CONTROLS = [{"id": "control:pixels"}, {"id": "control:color-histogram"}, {"id": "untrained:world:world-taxonomic"}]


def images(**changes: object) -> pd.DataFrame:
    rows = {
        "image_id": ["a", "b"],
        "sha256": ["0f", None],
        "taxon": ["Animalia|Pica", "Animalia|Corvus"],
        "group": ["1", None],
        "split": ["val", "val"],
    }
    return pd.DataFrame({**rows, **changes})


def test_the_definition_is_that_of_its_number():
    known = json.loads(DEFINITION.read_text(encoding="utf-8"))
    assert protocol_id.definition() == known, WHAT_TO_DO
    assert GOLDEN.get(protocol_id.NUMBER) == protocol_id.definition_digest(), WHAT_TO_DO


def test_a_metric_of_another_version_makes_another_definition(monkeypatch):
    before, entry = protocol_id.definition_digest(), protocol_id.METRICS["pagel_lambda"]
    monkeypatch.setitem(protocol_id.METRICS, "pagel_lambda", replace(entry, version=2))
    assert protocol_id.definition_digest() != before


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("measure", MeasureSettings(seed=1)),
        ("measure", MeasureSettings(n_permutations=998)),
        ("measure", MeasureSettings(n_bootstrap=998)),
        ("measure", MeasureSettings(resample="genus")),
        ("probe", ProbeSettings(n_deals=4)),
        ("projection", ProjectionSettings(seed=1)),
    ],
    ids=["seed", "permutations", "bootstrap", "resampled unit", "deals", "seed of projections"],
)
def test_another_default_makes_another_definition(monkeypatch, section, settings):
    before = protocol_id.definition_digest()
    monkeypatch.setitem(protocol_id._SETTINGS, section, settings)
    assert protocol_id.definition_digest() != before


def test_what_is_free_are_settings_that_exist():
    holders = {"plan": Plan(), **protocol_id._SETTINGS}
    for section, names in protocol_id.FREE.items():
        assert set(names) <= {item.name for item in fields(holders[section])}


@pytest.mark.parametrize(
    "plan",
    [
        Plan(),
        Plan(data="inat21:/data/val", models=("clip",), tree=Path("birds.nwk")),
        Plan(measure=MeasureSettings(metrics=("silhouette",), device="cuda", per_species=5)),
        Plan(probe=ProbeSettings(probes=("knn",), protocols=("seen",), shots=(1,))),
        Plan(extraction=replace(Plan().extraction, precision="fp32", batch_size=7)),
    ],
    ids=["all defaults", "other data and models", "some metrics", "some probes", "fp32"],
)
def test_data_models_machines_and_a_choice_of_numbers_are_free(plan):
    for step in protocol_id.SECTIONS:
        assert protocol_id.deviations(plan, step, CONTROLS) == {}


@pytest.mark.parametrize(
    ("plan", "step", "expected"),
    [
        (Plan(measure=MeasureSettings(seed=1)), "measure", {"measure.seed": "1"}),
        (Plan(measure=MeasureSettings(level=0.9)), "probe", {"measure.level": "0.9"}),
        (Plan(probe=ProbeSettings(mode="paper")), "probe", {"probe.mode": "paper"}),
        (Plan(probe=ProbeSettings(mode="paper")), "measure", {}),
        (Plan(projection=ProjectionSettings(mode="paper")), "project", {"projection.mode": "paper"}),
        (Plan(lineages="as-given"), "measure", {"plan.lineages": "as-given"}),
        (Plan(extraction=replace(Plan().extraction, precision="bf16")), "measure", {"extraction.precision": "bf16"}),
        (Plan(extraction=replace(Plan().extraction, dtype="float16")), "measure", {"extraction.dtype": "float16"}),
    ],
    ids=["seed", "level of a probe", "mode", "mode of another step", "projection", "lineages", "precision", "dtype"],
)
def test_a_departure_is_named_in_the_steps_that_it_changes(plan, step, expected):
    assert protocol_id.deviations(plan, step, CONTROLS) == expected


def test_a_study_without_controls_departs():
    assert protocol_id.deviations(Plan(), "measure", CONTROLS[:2]) == {"controls": "without untrained:"}


def test_the_id_depends_on_the_departures_and_not_on_their_order():
    one, other = {"measure.seed": "1", "measure.level": "0.9"}, {"measure.level": "0.9", "measure.seed": "1"}
    assert protocol_id.id_of({}) == f"{protocol_id.NAME}/{protocol_id.NUMBER}"
    assert protocol_id.id_of(one) == protocol_id.id_of(other) != protocol_id.id_of({"measure.seed": "2"})


def test_the_instance_does_not_depend_on_the_order_of_images_or_on_ids_of_pictures_with_bytes():
    one, renamed = images(), images(image_id=["z", "b"])
    for other in (one.iloc[::-1].reset_index(drop=True), renamed):
        assert protocol_id.instance_parts(other) == protocol_id.instance_parts(one)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": ["0e", None]},
        {"image_id": ["a", "c"]},
        {"taxon": ["Animalia|Pica", "Animalia|Pica"]},
        {"group": ["1", "1"]},
        {"split": ["val", "train"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_instance_depends_on_what_changes_numbers(changes):
    assert protocol_id.instance_parts(images(**changes)) != protocol_id.instance_parts(images())


def test_the_protocol_of_a_folder_joins_the_departures_of_its_steps():
    parts = protocol_id.instance_parts(images())
    own = protocol_id.protocol_record({"probe.mode": "paper"}, parts)
    steps = {"measure": {"deviations": {"measure.seed": "1"}}, "probe": {"deviations": {"probe.mode": "paper"}}}
    joined = protocol_id.with_protocol({"protocol": own, "steps": steps})["protocol"]
    assert joined["id"] == protocol_id.id_of({"measure.seed": "1", "probe.mode": "paper"})
    assert joined["instance"] == own["instance"]
    assert joined["parts"]["deviations"] == "measure.seed = 1; probe.mode = paper"


def test_a_folder_with_a_step_of_an_earlier_version_has_no_protocol():
    record = {"protocol": protocol_id.protocol_record({}, {}), "steps": {"measure": {}, "probe": {"deviations": {}}}}
    assert protocol_id.with_protocol(record)["protocol"] is None
