import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.tree.spelling import PLACEHOLDERS, clean, is_placeholder, name_key


@pytest.mark.parametrize(
    "text",
    [
        *("<NA>", r"\N", "#N/A", "N/A", "n.a.", "None", "NULL", "nan", "-", "--", "?", "...", "", "  ", "0", "unknown"),
        *("Undetermined", "unspecified", "UNPLACED", "unranked", "not_classified", "Not Available", "incertae sedis"),
        *(
            "Aves incertae_sedis",
            "g__",
            "s__",
            "D_5__",
            "f__unknown",
            "k__unclassified",
            "Unknown photographer",
            "Unknown bird",
            "unknown2",
            "Family unknown",
            "No order",
            "Other",
            "misc.",
            "Corvidae_X",
            "anonymous",
        ),
        *(
            "Anon.",
            "[none]",
            "(unknown)",
            "[None]",
            "<null>",
            "'NA'",
            '"unknown"',
            "\u200bNA",
            "unbekannt",
            "desconocido",
        ),
        *(None, np.nan, pd.NA, pd.NaT, float("nan")),
    ],
)
def test_placeholders(text):
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pica",
        "Nan Goldin",
        "N. A. Smith",
        "Nona",
        "00",
        "1",
        "O'Neill",
        "Nullarbor",
        "g__Pica",
        "x",
        "NN1",
        "Unknowna alba",
        "Ruminococcus_E",
        "Bacillus_X",
    ],
)
def test_names_are_no_placeholders(text):
    assert not is_placeholder(text)


@pytest.mark.parametrize("text", sorted(PLACEHOLDERS))
def test_case_blanks_and_underscores_do_not_matter(text):
    for written in (text.upper(), text.title(), text.replace(" ", "_"), f"  {text}\t", f"'{text}'"):
        assert is_placeholder(written), written


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_cleaning_is_idempotent_and_leaves_single_blanks(text):
    once = clean(text)
    assert "  " not in once
    assert once == once.strip()
    if "&" not in text:
        assert clean(once) == once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Isoëtes lacustris", "Isoetes lacustris"),
        ("Malus ×domestica", "Malus domestica"),
        ("Malus x domestica", "Malus domestica"),
        ("× Cuprocyparis leylandii", "Cuprocyparis leylandii"),
        ("Pica_pica", "PICA  pica"),
        ("Æthra", "Aethra"),
    ],
)
def test_names_of_one_key(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize("other", ["Pica picae", "Picapica", "Pica", "Pica x"])
def test_other_names_have_other_keys(other):
    assert name_key(other) != name_key("Pica pica")
