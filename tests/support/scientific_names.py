"""Made-up scientific names for property tests: binomials, authors, and names as sources write them."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

#: Authorship as the two codes write it; "" for none.
AUTHORS = (
    *("", "L.", "(L.) Mill.", "Linnaeus, 1758", "(Linnaeus, 1758)", "C.K.Schneid.", "Benth. ex Hook.f."),
    *(
        "Müller & Troschel, 1842",
        "(Gray, 1830) Smith, 1900",
        "[Denis & Schiffermüller], 1775",
        "de Vries",
        "sensu Smith",
    ),
)
_STEMS = "bcdfglmnprstvaeio"
_PARTS = (
    *("Pica", "pica", "PICA", "hudsonia", "Hudsonia", "Corvidae", "Diptera", "Isoëtes", "Isoe\u0308tes", "x", "X", "×"),
    *(
        "cf.",
        "cf",
        "aff.",
        "sp.",
        "sp",
        "spp.",
        "sp2",
        "sp. 1",
        "nov.",
        "gen.",
        "var.",
        "subsp.",
        "f.",
        "agg.",
        "?",
        "/",
    ),
    *("(Aus)", "(L.)", "L.", "Linnaeus, 1758", "&", "ex", "1823", "12", "K-12", "'Gala'", "†", "g__", "s__", "_E", "-"),
    *("Candidatus", "unknown", "virus", "hybrid", "BOLD:AAA0001", "incertae sedis", "c-album", "d'albertisii", ","),
)


#: Words that end as names do, and stand for no genus and no epithet.
_NO_NAMES = ("genus", "virus", "larva", "bacterium")


@st.composite
def binomials(draw: st.DrawFn, letters: str = _STEMS) -> str:
    """A genus and an epithet with Latin endings, so that no marker such as ``cf`` comes about."""
    stem = st.text(letters, min_size=2, max_size=8)
    genus = draw(stem) + draw(st.sampled_from(("us", "a", "is", "ium", "opsis")))
    epithet = draw(stem) + draw(st.sampled_from(("us", "ensis", "oides", "um", "icola")))
    assume(genus not in _NO_NAMES and epithet not in _NO_NAMES)
    return f"{genus.capitalize()} {epithet}"


@st.composite
def written_names(draw: st.DrawFn) -> str:
    """Anything that may stand in a column of names, mostly beginning with a genus."""
    parts = draw(st.lists(st.one_of(st.sampled_from(_PARTS), st.text(max_size=6)), max_size=4))
    start = draw(st.one_of(st.just(""), binomials(), st.sampled_from(("Pica ", "Pica hudsonia ", "x Pica ", "Pica_"))))
    return start + draw(st.sampled_from((" ", "", "_"))).join(parts)
