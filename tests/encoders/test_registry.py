"""The registry of encoders: its entries, and the forms in which any other encoder is named."""

import subprocess
import sys

import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders.loading import factory_of
from bioclip_probe.encoders.registry import FORMS, REGISTRY


@pytest.mark.slow
def test_the_catalogue_needs_no_torch():
    code = "import sys; from bioclip_probe import encoders; encoders.catalogue(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_catalogue_has_its_columns_and_the_promised_names():
    frame = encoders.catalogue()
    assert list(frame.columns) == ["name", "title", "id", "dimension", "text", "notes"]
    assert len(frame) == len(REGISTRY) + len(FORMS) and frame["name"].is_unique
    assert frame["dimension"].dtype == "Int64" and frame["text"].dtype == "boolean"
    promised = "bioclip clip inat21-only openclip openclip-laion400m bioclip-2 bioclip-2.5 biocap rcme siglip2".split()
    controls = ["pixels", "color-histogram", "untrained-vit-b-16", "world-untrained"]
    assert set(promised + controls + ["world-taxonomic", "world-generic", "world-subset"]) <= set(encoders.known())


def test_every_name_and_every_example_resolves():
    for entry in REGISTRY.values():
        assert encoders.resolve(entry.name) == (entry.name, entry.id)
        assert encoders.resolve(entry.id)[1] == entry.id or entry.id.startswith("control:")
    for form in FORMS.values():
        assert encoders.resolve(form.id)[1]


def test_the_function_of_an_entry_is_the_one_that_builds_its_id():
    assert all(entry.function is factory_of(entry.id) for entry in REGISTRY.values())
    assert all(form.function is None for form in FORMS.values())
