"""The section of a model card: numbers, controls, differences, and how they were made."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt

from bioclip_probe.report.sharing.model_cards import model_card
from tests.support.submissions import INSTANCE, valid

HOSTILE = "<img src=x onerror=alert(1)> | [a](b) `c` **d**"


def rendered(content: dict[str, Any], name: str = "bioclip") -> str:
    """Return a card as HTML."""
    return MarkdownIt("commonmark").enable("table").render(model_card(content, name))


def test_it_holds_value_interval_chance_and_counts() -> None:
    card = model_card(valid(), "bioclip")
    assert "| CPCC, birds | 0.500 | 0.400 to 0.620 | 0.100 | – | – | 90 images |" in card
    assert "| read with it: Effective dimension of species, birds | 0.500 |" in card


def test_it_names_protocol_instance_and_that_it_is_simulated() -> None:
    card = model_card(valid(), "bioclip")
    assert f"Protocol **treeoflife-alignment/1**, instance **{INSTANCE[:12]}**" in card
    assert "**Simulated: pictures of invented species" in card
    assert "Simulated" not in model_card(valid(simulated=False), "bioclip")
    assert "names no protocol" in model_card(valid(protocol=None), "bioclip")


def test_controls_stand_beside_or_are_said_to_be_missing() -> None:
    assert "| pixels | 0.300 (0.200 to 0.420) |" in model_card(valid(), "bioclip")
    assert "The study holds no control" in model_card(valid(controls=()), "bioclip")


def test_a_difference_is_this_model_less_the_other() -> None:
    assert "| clip | CPCC, birds | +0.200 | 0.100 to 0.300 | – |" in model_card(valid(), "bioclip")
    card = model_card(valid(), "clip")
    assert "| bioclip | CPCC, birds | -0.200 | -0.300 to -0.100 | – |" in card
    assert "| pixels | CPCC" not in card.partition("Paired differences")[2]


def test_a_missing_interval_has_its_reason() -> None:
    content = valid()
    content["models"][0]["endpoints"][0] |= {"interval": None, "level": None, "no_interval_because": "9 units | few"}
    assert "| none: 9 units &#124; few |" in model_card(content, "bioclip")


def test_how_it_was_made() -> None:
    card = model_card(valid(who="Ada Lovelace", licence="CC-BY-4.0"), "bioclip")
    for fact in (
        "hf-hub:lab/bioclip, revision 0000",
        "Submitted by: Ada Lovelace",
        '{"size": 224, "mean": [0.5, 0.5, 0.5]}',
    ):
        assert fact in card


def test_hostile_names_are_shown_and_start_nothing() -> None:
    content = valid((HOSTILE, "clip"), (), who=HOSTILE, licence=HOSTILE)
    content["dataset"]["name"] = content["software"]["bioclip_probe"] = HOSTILE
    content["models"][0]["preprocessing"] = {"```\n# x": HOSTILE}
    page = rendered(content, HOSTILE)
    assert "<img" not in page
    assert page.count("<a ") == 1  # the package's own address
    assert page.count("<h") == 2
    assert page.count("&lt;img") >= 4


def test_a_model_without_endpoints_says_so() -> None:
    content = valid()
    content["models"][0]["endpoints"] = []
    assert "No primary endpoint was measured." in model_card(content, "bioclip")
