"""The site file: what belongs to one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.site_file import Site, plan_at, read_site
from bioclip_probe.study.study_text import site_text

SITE = """
store = "store"
device = "cpu"
workers = 2
[data]
inat21 = "inat21:val"
birds = "table:/data/birds.csv"
[models]
bioclip = "bioclip=local-dir:models/bioclip"
[files]
tree = "trees/birds.nwk"
"""


def test_relative_paths_count_from_the_folder_of_the_file() -> None:
    site = read_site(SITE, Path("/site"))
    assert site.store == Path("/site/store")
    assert site.data == {"inat21": "inat21:/site/val", "birds": "table:/data/birds.csv"}
    assert site.models == {"bioclip": "bioclip=local-dir:/site/models/bioclip"}
    assert site.files == {"tree": "/site/trees/birds.nwk"}
    assert read_site("").store == Path("store")


def test_the_text_of_a_site_is_read_back_as_the_same_site() -> None:
    site = read_site(SITE, Path("/site"))
    assert read_site(site_text(site), Path("/elsewhere")) == site


def test_names_become_paths_and_the_device_reaches_every_section() -> None:
    plan = plan_at(read_site(SITE, Path("/site")), Plan("inat21", models=("bioclip", "clip")), progress=False)
    assert plan.data == "inat21:/site/val"
    assert plan.models == ("bioclip=local-dir:/site/models/bioclip", "clip")
    assert plan.extraction.device == plan.measure.device == plan.probe.device == "cpu"
    assert (plan.extraction.workers, plan.extraction.progress) == (2, False)


def test_relative_paths_of_a_study_count_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "birds.nwk").write_text("(a,b);")
    plan = plan_at(Site(), Plan("table:birds.csv", models=("local-dir:m",), tree=Path("birds.nwk")), tmp_path)
    assert plan.data == f"table:{tmp_path}/birds.csv"
    assert plan.models == (f"local-dir:{tmp_path}/m",)
    assert plan.tree == tmp_path / "birds.nwk"


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (Plan("inat21"), 'no data \'inat21\'; say where it is: [data] "inat21" = "inat21:PATH" in site.toml'),
        (Plan("mine"), "no data 'mine'; say where it is: [data] \"mine\" = "),
        (Plan(tree=Path("birds")), 'there is no file here/birds; say where it is: [files] "birds" = "PATH"'),
    ],
)
def test_what_a_machine_does_not_have_is_told_with_the_entry_that_is_missing(plan: Plan, line: str) -> None:
    with pytest.raises(DataError) as told:
        plan_at(Site(), plan, Path("here"))
    assert line in str(told.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("devise = 'cpu'", "site.toml: no setting 'devise'; did you mean device"),
        ("seed = 1", "site.toml: no setting 'seed'"),
        ("workers = 'two'", "site.toml: workers must be a whole number; got 'two'"),
        ("data = 'x'", r"site.toml: \[data\] must be a section"),
        ("[data]\nx = 1", "site.toml: data.x must be a text in quotes; got 1"),
    ],
)
def test_refused_in_one_line(text: str, line: str) -> None:
    with pytest.raises(DataError, match=line):
        read_site(text)


def test_an_engine_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ProbeError, match="no engine is called 'spark'"):
        plan_at(Site(engine="spark"), Plan())
