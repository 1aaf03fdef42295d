"""Registries: every shelf of interchangeable things has one, and all have the same shape."""

import dataclasses
import importlib

import pytest

from bioclip_probe import tables

SHELVES = ("datasets", "encoders", "metrics", "probes", "projections", "plots", "study.bundle")
#: Few-shot and zero-shot classifiers are not learners: `study` calls them on other inputs than the probes that learn.
WITHOUT_FUNCTION = {("probes", "simpleshot"), ("probes", "zero_shot")}


def registry_of(shelf: str) -> dict[str, tables.Entry]:
    return importlib.import_module(f"bioclip_probe.{shelf}.registry").REGISTRY


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_registry_is_a_dict_from_names_to_entries(shelf):
    registry = registry_of(shelf)
    assert type(registry) is dict and registry
    assert all(isinstance(entry, tables.Entry) for entry in registry.values())
    assert [entry.name for entry in registry.values()] == list(registry)


@pytest.mark.parametrize("shelf", SHELVES)
def test_all_entries_of_a_shelf_are_of_one_class_and_cannot_be_changed(shelf):
    (kind,) = {type(entry) for entry in registry_of(shelf).values()}
    for entry in registry_of(shelf).values():
        with pytest.raises(dataclasses.FrozenInstanceError):
            entry.name = "other"
    assert {"name", "title", "notes", "function"} <= {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_entry_has_a_title_of_one_line(shelf):
    for name, entry in registry_of(shelf).items():
        assert entry.title.strip() == entry.title != "", name
        assert entry.title.isprintable() and isinstance(entry.notes, str), name


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_entry_has_a_function(shelf):
    """Except those of `WITHOUT_FUNCTION`, and differences, which are made of the numbers of two encoders."""
    entries = {name: entry for name, entry in registry_of(shelf).items() if not name.endswith("_difference")}
    missing = {(shelf, name) for name, entry in entries.items() if not callable(entry.function)}
    assert missing == {entry for entry in WITHOUT_FUNCTION if entry[0] == shelf}


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_registry_can_be_listed(shelf):
    registry = registry_of(shelf)
    table = tables.catalogue(registry)
    assert table["name"].tolist() == list(registry)
    assert table["title"].tolist() == [entry.title for entry in registry.values()]


@pytest.mark.parametrize("shelf", SHELVES)
def test_an_unknown_name_gets_the_nearest_ones_of_its_shelf(shelf):
    first = next(iter(registry_of(shelf)))
    tables.check_name(shelf, first, registry_of(shelf))
    with pytest.raises(tables.ProbeError, match="did you mean"):
        tables.check_name(shelf, f"{first}x", registry_of(shelf))
