"""The study file: text becomes plans, a grid becomes several, and what does not belong there is refused in one line."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import USUAL_SHOTS, ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.site_file import Site, divided, plan_at
from bioclip_probe.study.study_file import LONGEST_LABEL, Study, read_studies
from bioclip_probe.tables import RANKS

#: Texts with what TOML must escape.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
COUNTS = st.integers(1, 10**6)


@st.composite
def portable_plans(draw: st.DrawFn) -> Plan:
    """Draw a plan without anything of one machine."""
    seeds = draw(st.sampled_from([(3, 3, 3), (1, 2, 3)]))
    return Plan(
        data=draw(st.sampled_from(["world", "inat21", "birds"])),
        models=tuple(draw(st.lists(st.sampled_from(["bioclip", "clip", "hf-hub:a/b@c"]), unique=True))),
        controls=draw(st.booleans()),
        tree=draw(st.none() | st.just(Path("birds"))),
        tree_unit=draw(TEXTS),
        confounds=tuple(draw(st.lists(TEXTS))),
        extraction=ExtractionSettings(
            revision=draw(st.none() | TEXTS), max_failures=draw(st.none() | st.floats(0, 1e9)), dtype="float16"
        ),
        measure=MeasureSettings(
            resample=draw(st.sampled_from(RANKS)),
            per_species=draw(st.none() | COUNTS),
            level=draw(st.floats(0.001, 0.999)),
            n_bootstrap=draw(COUNTS),
            seed=seeds[0],
        ),
        probe=ProbeSettings(shots=tuple(draw(st.lists(COUNTS, max_size=3))), names=draw(st.booleans()), seed=seeds[1]),
        projection=ProjectionSettings(methods=("pca",), seed=seeds[2]),
    )


@given(portable_plans())
def test_the_text_of_a_study_is_read_back_as_the_same_plan(plan: Plan) -> None:
    study = Study("", plan)
    (again,) = read_studies(study.text)
    assert again.plan == plan
    assert again.sha256 == study.sha256


def test_an_empty_file_is_the_whole_study_without_flags() -> None:
    assert [study.plan for study in read_studies("")] == [Plan(probe=ProbeSettings(shots=USUAL_SHOTS))]


def test_shots_are_left_out_without_protocol_seen_and_may_be_none() -> None:
    assert read_studies('[probe]\nprotocols = ["unseen"]')[0].plan.probe.shots == ()
    assert read_studies("[probe]\nshots = []")[0].plan.probe.shots == ()


def test_one_seed_reaches_all_sections_and_a_section_may_have_its_own() -> None:
    plan = read_studies("seed = 7\n[probe]\nseed = 8")[0].plan
    assert (plan.measure.seed, plan.probe.seed, plan.projection.seed) == (7, 8, 7)


def test_a_grid_is_every_combination_in_the_order_of_its_axes() -> None:
    text = """
        controls = false
        [grid]
        models = [["bioclip", "clip"], "siglip"]
        data = ["inat21", "rare-species"]
        measure.seed = [0, 1]
    """
    studies = read_studies(text)
    assert [study.label for study in studies] == [
        f"models={models},data={data},seed={seed}"
        for models in ("bioclip+clip", "siglip")
        for data in ("inat21", "rare-species")
        for seed in (0, 1)
    ]
    assert studies[0].plan.models == ("bioclip", "clip")
    assert studies[-1].plan == replace(
        read_studies("controls = false")[0].plan,
        models=("siglip",),
        data="rare-species",
        measure=MeasureSettings(seed=1),
    )


def test_each_study_of_a_grid_is_a_study_file_of_its_own() -> None:
    for study in read_studies('[grid]\nmodels = ["bioclip", "clip"]\nseed = [0, 1]'):
        assert read_studies(study.text)[0].plan == study.plan
        assert "grid" not in tomllib.loads(study.text)


def test_labels_are_folder_names_and_differ() -> None:
    studies = read_studies("[grid]\nmodels = ['hf-hub:a/b@c', 'timm:x', []]\n")
    assert [study.label for study in studies] == ["models=hf-hub-a-b-c", "models=timm-x", "models=none"]
    long = read_studies(f"[grid]\nmodels = [['{'a' * 90}', 'b{'b' * 90}'], ['{'a' * 90}', 'c']]")
    assert len({study.label for study in long}) == 2
    assert all(len(study.label) <= LONGEST_LABEL for study in long)


def test_changes_from_the_command_line_are_toml_or_bare_text() -> None:
    changes = ["measure.seed=3", "data=rare-species", 'models=["a", "b"]', "measure.level = 0.9", "grid.seed=[1, 2]"]
    studies = read_studies('data = "inat21"\n[measure]\nlevel = 0.95', changes=changes)
    assert [study.label for study in studies] == ["seed=1", "seed=2"]
    plan = studies[1].plan
    assert (plan.data, plan.models, plan.measure.level) == ("rare-species", ("a", "b"), 0.9)
    assert (plan.measure.seed, plan.probe.seed) == (3, 2)
    assert read_studies("", changes=["models=clip"])[0].plan.models == ("clip",)


REFUSED = {
    "no TOML": ("seed =", "study.toml: Invalid value (at end of document)"),
    "unknown setting": ("modles = []", "study.toml: no setting 'modles'; did you mean models"),
    "unknown setting of a section": (
        "[probe]\nn_deal = 1",
        "study.toml [probe]: no setting 'n_deal'; did you mean n_deals",
    ),
    "unknown section": ("[measures]", "no setting 'measures'; did you mean measure"),
    "number as text": ("[measure]\nn_bootstrap = '9'", "measure.n_bootstrap must be a whole number; got '9'"),
    "truth as number": ("[measure]\nseed = true", "measure.seed must be a whole number; got true"),
    "number as truth": ("controls = 1", "study.toml: controls must be true or false; got 1"),
    "number in a list of texts": ("models = ['a', 1]", "each of study.toml: models must be a text in quotes; got 1"),
    "section as value": ("[data]\na = 1", "data must be a text in quotes; got a section"),
    "value as section": ("measure = 3", "measure is a section; write [measure]"),
    "value out of range": (
        "[measure]\nlevel = 95",
        "study.toml: the level of an interval lies between 0 and 1; got 95",
    ),
    "unknown probe": ("[probe]\nprobes = ['liner']", "study.toml: no probe 'liner'; did you mean linear"),
    "model twice": ("models = ['a', 'a']", "study.toml: a model is named twice: a"),
    "store": ("store = 's'", "store belongs to one machine, not to the study; move it to site.toml as store"),
    "device": (
        "[measure]\ndevice = 'cuda'",
        "measure.device belongs to one machine, not to the study; move it to site.toml",
    ),
    "engine": ("[extraction]\nengine = 'local'", "extraction.engine belongs to one machine"),
    "out": ("out = 'x'", "out belongs to one run, not to the study"),
    "redo": ("[extraction]\nredo = ['failed']", "extraction.redo belongs to one run"),
    "path of data": (
        "data = 'inat21:/data/val'",
        "in site.toml (or the file that BIOCLIP_PROBE_SITE names) write [data] NAME =",
    ),
    "path of a model": ("models = ['m=local-dir:~/m']", 'write [models] NAME = "m=local-dir:~/m"'),
    "path of a tree": ("tree = '/t.nwk'", "tree '/t.nwk' is a path of one machine"),
    "path on Windows": (r"tree = 'C:\t.nwk'", "is a path of one machine"),
    "axis that is no list": ("[grid]\nseed = 1", "each axis of [grid] is a list of values; got grid.seed"),
    "empty axis": ("[grid]\nseed = []", "each axis of [grid] is a list of values; got grid.seed"),
    "grid that is no section": ("grid = 1", "grid is a section"),
    "axis with a value": ("seed = 1\n[grid]\nseed = [1]", "seed has a value and is an axis of [grid] too"),
    "axis that is unknown": ("[grid]\nsed = [1]", "no setting 'sed'; did you mean seed"),
    "axis of another type": ("[grid]\nmeasure.seed = ['x']", "measure.seed must be a whole number; got 'x'"),
    "axis with a value twice": ("[grid]\nseed = [1, 1]", "two studies of the grid would both be called 'seed=1'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case: str) -> None:
    text, line = REFUSED[case]
    with pytest.raises(DataError) as told:
        read_studies(text)
    assert line in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("change", ["seed", "=3", "a..b=3"])
def test_a_change_without_name_or_value_is_refused(change: str) -> None:
    with pytest.raises(DataError, match="--set takes NAME=VALUE, such as measure"):
        read_studies("", changes=[change])


def test_a_change_below_a_setting_is_refused() -> None:
    with pytest.raises(DataError, match="'seed' is a setting, not a section"):
        read_studies("seed = 1", changes=["seed.b=3"])


def test_a_plan_of_flags_becomes_a_study_and_a_site_and_comes_back(tmp_path: Path) -> None:
    tree = tmp_path / "birds.nwk"
    tree.write_text("(a,b);")
    plan = Plan(
        data=f"inat21:{tmp_path}/val",
        models=("bioclip", f"mine=local-dir:{tmp_path}/m", f"custom:{tmp_path}/net.py:Net", "ViT-B-32/openai"),
        tree=tree,
        extraction=ExtractionSettings(device="cuda", engine="processes:2", workers=3, batch_size=7, shard_size=9),
        measure=MeasureSettings(device="cuda", seed=4),
        probe=ProbeSettings(device="cuda", shots=(1,)),
    )
    portable, site = divided(plan, tmp_path / "store")
    assert str(tmp_path) not in Study("", portable).text
    (study,) = read_studies(Study("", portable).text)
    assert plan_at(site, study.plan, Path("elsewhere")) == plan
    assert site.store == tmp_path / "store"
    assert study.plan.models == ("bioclip", "mine", "net", "ViT-B-32/openai")


def test_models_that_would_have_one_name_are_numbered() -> None:
    portable, site = divided(Plan(models=("local-dir:/a/m", "local-dir:/b/m")), Path("store"))
    assert portable.models == ("m", "m-2")
    assert site.models == {"m": "local-dir:/a/m", "m-2": "local-dir:/b/m"}


def test_a_local_model_is_not_named_like_one_of_the_registry() -> None:
    portable, site = divided(Plan(models=("local-dir:/models/bioclip",)), Path("store"))
    assert portable.models == ("bioclip-local",)
    assert site == Site(models={"bioclip-local": "local-dir:/models/bioclip"})
