import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bioclip_probe.tree.naming import read_name, read_names, read_taxon
from bioclip_probe.tree.scientific_name import CHANGES, REASONS
from tests.support.scientific_names import AUTHORS, binomials, written_names

SPECIES = {
    "Pica hudsonia (Sabine, 1823)": "Pica hudsonia",
    "Abies alba Mill.": "Abies alba",
    "Euphrasia stricta D.Wolff ex J.F.Lehm.": "Euphrasia stricta",
    "pica hudsonia": "Pica hudsonia",
    "PICA HUDSONIA": "Pica hudsonia",
    "Pica Hudsonia": "Pica hudsonia",
    "Canis_lupus": "Canis lupus",
    "canis_lupus": "Canis lupus",
    "s__Escherichia coli": "Escherichia coli",
    "Ruminococcus_E bromii": "Ruminococcus_E bromii",
    "Aedes (Stegomyia) aegypti (Linnaeus, 1762)": "Aedes aegypti",
    "AEDES (STEGOMYIA) AEGYPTI": "Aedes aegypti",
    "Bombus (Pyrobombus) Impatiens": "Bombus impatiens",
    "Canis lupus familiaris": "Canis lupus",
    "Canis lupus subsp. dingo (Meyer, 1793)": "Canis lupus",
    "Brassica oleracea var. capitata L.": "Brassica oleracea",
    "Felis silvestris f. catus": "Felis silvestris",
    "Fusarium oxysporum f. sp. lycopersici": "Fusarium oxysporum",
    "Escherichia coli K-12": "Escherichia coli",
    "Malus domestica 'Gala'": "Malus domestica",
    "Quercus x bebbiana": "Quercus ×bebbiana",
    "Quercus X bebbiana C.K.Schneid.": "Quercus ×bebbiana",
    "Quercus × bebbiana": "Quercus ×bebbiana",
    "Quercus_x_bebbiana": "Quercus ×bebbiana",
    "Quercus xbebbiana": "Quercus ×bebbiana",
    "Quercus×bebbiana": "Quercus ×bebbiana",
    "xCuprocyparis leylandii": "×Cuprocyparis leylandii",
    "Erica xanthina": "Erica xanthina",
    "pIcA hUdSoNiA": "Pica hudsonia",
    "Pica+hudsonia": "Pica hudsonia",
    "(Pica hudsonia)": "Pica hudsonia",
    "Pica pica subsp. indet.": "Pica pica",
    "Quercus &times; bebbiana": "Quercus ×bebbiana",
    "Quercus ✕ bebbiana": "Quercus ×bebbiana",
    "QUERCUS X BEBBIANA": "Quercus ×bebbiana",
    "x Cuprocyparis leylandii": "×Cuprocyparis leylandii",
    "×Cuprocyparis leylandii": "×Cuprocyparis leylandii",
    "Mentha × piperita nothovar. citrata": "Mentha ×piperita",
    "<i>Pica</i> <i>pica</i>": "Pica pica",
    "Pica\u00a0pica\u200b": "Pica pica",
    "\u2020Mammuthus primigenius": "Mammuthus primigenius",
    '"Candidatus Pelagibacter ubique"': "Pelagibacter ubique",
    "Polygonia c-album (Linnaeus, 1758)": "Polygonia c-album",
    "Coccinella 7-punctata": "Coccinella 7-punctata",
    "Zygiella x-notata": "Zygiella x-notata",
    "Poa pratensis L. s.str.": "Poa pratensis",
    "Oenothera biennis (auct. non L.)": "Oenothera biennis",
    "Isoe\u0308tes lacustris": "Isoëtes lacustris",
    "Trochoidea elegans": "Trochoidea elegans",
    '"Hyla" regilla': "Hyla regilla",
    "*Pica pica*": "Pica pica",
    "Pica pica;": "Pica pica",
    "s_Escherichia coli": "Escherichia coli",
    "species__Escherichia_coli": "Escherichia coli",
    "s__Bacillus_X cereus": "Bacillus_X cereus",
    "\u0421orvus corax": "Corvus corax",  # a Cyrillic letter
}
HOLES = {
    "Pica cf. hudsonia": ("Pica", "open nomenclature"),
    "Pica cf hudsonia": ("Pica", "open nomenclature"),
    "Cudonia aff. circinans": ("Cudonia", "open nomenclature"),
    "Pica nr. hudsonia": ("Pica", "open nomenclature"),
    "Pica ex gr. hudsonia": ("Pica", "open nomenclature"),
    "Aedes (Stegomyia) cf. aegypti": ("Aedes", "open nomenclature"),
    "Pica (cf.) hudsonia": ("Pica", "open nomenclature"),
    "Pica prope hudsonia": ("Pica", "open nomenclature"),
    "Pica c.f. hudsonia": ("Pica", "open nomenclature"),
    "Pica possibly hudsonia": ("Pica", "open nomenclature"),
    "Pica hudsonia (cf.)": ("Pica", "open nomenclature"),
    "Pica hudsonia aff. 1": ("Pica", "open nomenclature"),
    "Pica undet.": ("Pica", "open nomenclature"),
    "Pica spec.": ("Pica", "open nomenclature"),
    "Pica hudsonia?": ("Pica", "open nomenclature"),
    "Pica ?hudsonia": ("Pica", "open nomenclature"),
    "cf. Pica hudsonia": (None, "open nomenclature"),
    "Pica sp.": ("Pica", "open nomenclature"),
    "Pica spp": ("Pica", "open nomenclature"),
    "PICA SP.": ("Pica", "open nomenclature"),
    "Pica sp. nov.": ("Pica", "open nomenclature"),
    "Pica indet.": ("Pica", "open nomenclature"),
    "Aphididae gen. sp.": (None, "open nomenclature"),
    "Aphididae gen sp": (None, "open nomenclature"),
    "Corvidae sp.": (None, "open nomenclature"),
    "Diptera sp.": (None, "open nomenclature"),
    "Pica sp. 1": ("Pica", "interim name"),
    "Ficus sp2": ("Ficus", "interim name"),
    "Ficus spA": ("Ficus", "interim name"),
    "Ruminococcus_E sp003526955": ("Ruminococcus_E", "interim name"),
    "Megaselia sp. BOLD:ACX9534": ("Megaselia", "interim name"),
    "BOLD:ACX9534": (None, "interim name"),
    "Ficus morphospecies 3": ("Ficus", "interim name"),
    "Anas platyrhynchos × rubripes": ("Anas", "hybrid formula"),
    "Anas platyrhynchos x Anas rubripes": ("Anas", "hybrid formula"),
    "Dactylorhiza fuchsii × Gymnadenia conopsea": (None, "hybrid formula"),
    "QUERCUS ALBA X ROBUR": ("Quercus", "hybrid formula"),
    "Quercus x": ("Quercus", "hybrid formula"),
    "Quercus ×": ("Quercus", "hybrid formula"),
    "Anas platyrhynchos hybrid": ("Anas", "hybrid formula"),
    "Anas platyrhynchos × ?": ("Anas", "hybrid formula"),
    "Crataegus x Mespilus": (None, "hybrid formula"),
    "Rosa hybrid cultivar": ("Rosa", "hybrid formula"),
    "Larus argentatus/cachinnans": ("Larus", "several taxa"),
    "Larus argentatus / Larus cachinnans": ("Larus", "several taxa"),
    "Pica pica or Corvus corax": (None, "several taxa"),
    "Pica hudsonia (Sabine, 1823) / Pica pica": ("Pica", "several taxa"),
    "Pica hudsonia & nuttalli": ("Pica", "several taxa"),
    "Pica hudsonia vel nuttalli": ("Pica", "several taxa"),
    "Sterna/Thalasseus sp.": (None, "several taxa"),
    "Pica pica, Corvus corax": (None, "several taxa"),
    "Ranunculus auricomus L. agg.": ("Ranunculus", "aggregate"),
    "Pica hudsonia-group": ("Pica", "aggregate"),
    "Rubus fruticosus coll.": ("Rubus", "aggregate"),
    "Ficus carica species complex": ("Ficus", "aggregate"),
    "Pica Brisson, 1760": (None, "higher taxon"),
    "PICA BRISSON, 1760": (None, "higher taxon"),
    "Ranunculus L.": (None, "higher taxon"),
    "Corvidae": (None, "higher taxon"),
    "Corvidae Leach, 1820": (None, "higher taxon"),
    "Quercus sect. Lobatae": ("Quercus", "higher taxon"),
    "pica": (None, "no genus"),
    "C. lupus": (None, "no genus"),
    "C lupus": (None, "no genus"),
    "Tobacco mosaic virus": (None, "not a name"),
    "Aedes Stegomyia aegypti": ("Aedes", "not a name"),
    "1234": (None, "not a name"),
    "new genus new species": (None, "interim name"),
    "Genus Carex": (None, "higher taxon"),
    "Lepidoptera larva": (None, "not a name"),
    "Pica nan": ("Pica", "placeholder"),
    "Pica <NA>": ("Pica", "placeholder"),
    "Pica unknown": ("Pica", "placeholder"),
    "Aves incertae sedis": (None, "placeholder"),
    "s__": (None, "placeholder"),
    "unclassified Bacteria": (None, "placeholder"),
    "Unknown bird": (None, "placeholder"),
    "Pica other": ("Pica", "placeholder"),
    "Dinophyceae_XXX_sp.": (None, "placeholder"),
}


@pytest.mark.parametrize(("text", "species"), SPECIES.items())
def test_a_name_gives_its_species(text, species):
    name = read_name(text)
    assert (name.species, name.reason) == (species, "")
    assert name.species == f"{name.genus} {name.epithet}"


@pytest.mark.parametrize(("text", "expected"), HOLES.items())
def test_a_name_of_no_species_is_a_hole_with_its_reason_and_keeps_its_genus(text, expected):
    name = read_name(text)
    assert name.species is None
    assert (name.genus, name.reason) == expected


@pytest.mark.parametrize(
    ("genus", "text", "expected"),
    [
        ("Pica", "hudsonia", "Pica hudsonia"),
        ("Pica", "Hudsonia", "Pica hudsonia"),
        ("Pica", "HUDSONIA", "Pica hudsonia"),
        ("Pica", "hudsonia (Sabine, 1823)", "Pica hudsonia"),
        ("Pica", "pica hudsonia", "Pica hudsonia"),
        ("Pica", "P. hudsonia", "Pica hudsonia"),
        ("Canis", "lupus familiaris", "Canis lupus"),
        ("Bison", "bison", "Bison bison"),
        ("Bison", "Bison", None),
        ("Malus", "x domestica", "Malus ×domestica"),
        ("Malus", "×domestica", "Malus ×domestica"),
        ("Malus", "xdomestica", "Malus ×domestica"),
        ("×Cuprocyparis", "leylandii", "×Cuprocyparis leylandii"),
        ("×Cuprocyparis", "x Cuprocyparis leylandii", "×Cuprocyparis leylandii"),
        ("Aus", "Bus albus", "Bus albus"),
        ("Pica", "cf. hudsonia", None),
        ("Pica", "Cf. hudsonia", None),
        ("Pica", "sp. 1", None),
        ("Pica", "Sp. A", None),
        ("Pica", "BOLD:ACX9534", None),
        ("Pica", "Corvidae", None),
        ("Pica", "unknown", None),
        ("Pica", "12", None),
    ],
)
def test_an_epithet_takes_the_genus_of_its_row(genus, text, expected):
    name = read_name(text, genus=genus)
    assert name.species == expected
    assert name.species or name.genus == genus


@pytest.mark.parametrize(
    "text", ["Pica pica [L.]", "Pica pica\tL.", "Pica  pica,L.", "((", "×", "x x x", "_", "Aa\n\nbb", "a" * 5000]
)
def test_odd_texts_are_read_or_refused_without_an_exception(text):
    assert (read_name(text).species is None) == (read_name(text).reason != "")
    assert read_name(text).reason in {"", *REASONS}
    assert (read_taxon(text).taxon is None) == (read_taxon(text).reason != "")


@settings(max_examples=60, deadline=None)
@given(binomials(), st.sampled_from(AUTHORS), st.sampled_from([str, str.upper, str.lower, str.title]))
@example("Pica hudsonia", "", str.title)
@example("Pica hudsonia", "de Vries", str.upper)
def test_case_and_authors_do_not_change_the_taxon(binomial, author, change_case):
    text = f"{binomial} {author}".strip()
    if change_case is str.title and author and not author.startswith("("):
        text = f"{binomial.title()} {author}"
    elif author != "":
        text = f"{change_case(binomial)} {author}" if change_case is not str.lower else text.lower()
    else:
        text = change_case(text)
    assert read_name(text).species == binomial


@settings(max_examples=60, deadline=None)
@given(binomials(letters="aeiouëéüçñörst"), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]), st.data())
def test_unicode_forms_and_invisible_signs_do_not_change_the_taxon(binomial, form, data):
    text = unicodedata.normalize(form, binomial)
    place = data.draw(st.integers(0, len(text)))
    sign = data.draw(st.sampled_from(["", "\u200b", "\ufeff", "\u00ad", "\u200e", "\u2060"]))
    blank = data.draw(st.sampled_from([" ", "  ", "\u00a0", "\t", "\u2009", "\u3000", "_"]))
    text = (text[:place] + sign + text[place:]).replace(" ", blank)
    assert read_name(text).species == unicodedata.normalize("NFC", binomial)


@settings(max_examples=300, deadline=None, derandomize=True)  # odd texts without end: the same in every run
@given(written_names())
def test_reading_is_idempotent(text):
    name = read_name(text)
    assert set(name.changes) <= set(CHANGES)
    assert (name.species is None) == (name.reason in REASONS)
    if name.species:
        again = read_name(name.species)
        assert (again.species, again.changes) == (name.species, ())
        assert read_name(name.species, genus=name.genus).species == name.species
        assert read_name(name.epithet, genus=name.genus).species == name.species
    for rank in ("family", "genus"):
        taxon = read_taxon(text, rank).taxon
        if taxon:
            assert read_taxon(taxon, rank).taxon == taxon


@pytest.mark.parametrize(
    ("text", "rank", "taxon"),
    [
        ("corvidae", "family", "Corvidae"),
        ("CORVIDAE", "family", "Corvidae"),
        ("Corvidae Leach, 1820", "family", "Corvidae"),
        ("Asteraceae Bercht. & J.Presl", "family", "Asteraceae"),
        ("f__[Tissierellaceae]", "family", "Tissierellaceae"),
        ("D_4__Ruminococcaceae", "family", "Ruminococcaceae"),
        ("Family: Corvidae", "family", "Corvidae"),
        ("Corvidae sp.", "family", "Corvidae"),
        ("Corvidae Leach", "family", "Corvidae"),
        ("CORVIDAE LEACH, 1820", "family", "Corvidae"),
        ("Insecta larva", "class", "Insecta"),
        ("Clade Amorphea", "phylum", "Clade Amorphea"),
        ("Bacillota_A", "phylum", "Bacillota_A"),
        ("UBA1234", "genus", "UBA1234"),
        ("Pica Brisson, 1760", "genus", "Pica"),
        ("Rosa L.", "genus", "Rosa"),
        ("Pica hudsonia", "genus", "Pica"),
        ("Aedes (Stegomyia)", "genus", "Aedes"),
        ("× Cuprocyparis", "genus", "×Cuprocyparis"),
        ("x Cuprocyparis", "genus", "×Cuprocyparis"),
        ("Corvidae", "genus", None),
        ("Aphididae gen. sp.", "genus", None),
        ("Pica?", "genus", None),
        ("cf. Pica", "genus", None),
        ("Sterna/Thalasseus", "genus", None),
        ("Crataegus × Mespilus", "genus", None),
        ("Corvidae incertae sedis", "genus", None),
        ("g__", "genus", None),
        ("g_Pica", "genus", "Pica"),
        ("g__Bacillus_X", "genus", "Bacillus_X"),
        ("'et†", "family", "Et"),
        ("subsp.", "genus", None),
        ("Corvidae gen. sp.", "family", "Corvidae"),
        ("Pica.", "genus", "Pica"),
        ("P.", "genus", None),
        ("Genus_1", "genus", None),
        ("Pica & Corvus", "genus", None),
        ("unidentified_3", "genus", None),
        ("Class Aves", "class", "Aves"),
        ("Dinophyceae_X", "order", None),
        ("no_family", "family", None),
        ("other", "family", None),
        ("\u0410ves", "class", "Aves"),  # a Cyrillic letter
        ("3", "class", None),
    ],
)
def test_names_above_the_species(text, rank, taxon):
    assert read_taxon(text, rank).taxon == taxon


def test_made_up_names_of_single_letters_are_species():
    letters = "abcdefghijklmnopqrstuvwyz"
    assert [read_name(f"A {letter}").species for letter in letters] == [f"A {letter}" for letter in letters]
    assert [read_name(letter, genus="X").species for letter in letters] == [f"X {letter}" for letter in letters]
    assert [read_name(f"G{i} s{i}").species for i in range(20)] == [f"G{i} s{i}" for i in range(20)]


def test_a_genus_with_its_author_is_no_species_where_other_epithets_are_small():
    names = read_names(["Pica hudsonia", "Pica Brisson"])
    assert [name.species for name in names.values()] == ["Pica hudsonia", None]
    names = read_names(["Pica Hudsonia", "Corvus Corax"])
    assert [name.species for name in names.values()] == ["Pica hudsonia", "Corvus corax"]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("Pica pica", ()),
        ("Pica_pica", ()),
        ("Malus ×domestica", ()),
        ("Pica pica (L.)", ("author",)),
        ("Aedes (Stegomyia) aegypti", ("subgenus",)),
        ("Canis lupus familiaris", ("subspecies",)),
        ("Malus x domestica", ("hybrid",)),
        ("PICA PICA", ("case",)),
        ("s__Pica pica", ("prefix",)),
        ("Pica  pica", ("spelling",)),
    ],
)
def test_what_was_changed_is_said(text, changes):
    assert read_name(text).changes == changes
