import json
import logging

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from bioclip_probe import datasets, encoders
from bioclip_probe.encoders.text_tower import truncated_texts
from bioclip_probe.errors import DataError, ModelError, StoreError
from bioclip_probe.extraction import text as module
from bioclip_probe.extraction.prompts import PROMPT, TEXT_TYPES, zero_shot_templates
from bioclip_probe.extraction.text import embed_names
from bioclip_probe.probes.zero_shot import zero_shot
from bioclip_probe.store.shards import LEDGER, add_checksum, write_json
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import NAMES, read_names
from bioclip_probe.store.verify import verify
from bioclip_probe.tables import IMAGES, RANKS
from tests.support.pictures import MeanColour

MAGPIE = dict(
    zip(RANKS, ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Pica", "Pica hudsonia"), strict=True)
)


class Letters(MeanColour):
    """An encoder whose vector of a text counts three letters."""

    has_text = True

    def __init__(self):
        super().__init__()
        self.texts: list[str] = []

    def encode_text(self, texts):
        self.texts += texts
        return counted(texts)


def counted(texts):
    return np.array([[text.count(letter) for letter in "aei"] for text in texts], np.float32)


def made_up(**facts):
    row = {"image_id": "i0", "source": "0.png", "common": "black-billed magpie"} | MAGPIE | facts
    images = IMAGES.frame([row])
    return datasets.Dataset("few", images, print, datasets.fingerprint_of(images))


def embedded(store, dataset, encoder):
    """The store with the dataset's pictures embedded: what stands in their place does not matter here."""
    with store.open_for_writing(dataset, encoder, shard_size=len(dataset)) as run:
        rows = [{"image_id": name, "row": i, "status": "ok"} for i, name in enumerate(dataset.images["image_id"])]
        run.write_shard(0, LEDGER.frame(rows), np.ones((len(rows), encoder.dimension)))
    return store


@pytest.fixture
def few(tmp_path):
    """A store of one picture; its dataset and encoder."""
    dataset, encoder = made_up(), Letters()
    return embedded(Store(tmp_path / "store"), dataset, encoder), dataset, encoder


def test_read_gives_what_was_embedded(few):
    store, dataset, encoder = few
    done = embed_names(store, dataset, encoder, progress=False)
    names = read_names(store, "few", "mean/colour")
    table, vectors = names.table, names.vectors
    NAMES.check(table)
    assert (done.n_taxa, done.n_texts, done.n_truncated, done.reused) == (7, len(vectors), None, False)
    assert (names.logit_scale, names.templates, names.n_truncated) == (100, "plain", None)
    assert len(table) == (1 + 7) * len(TEXT_TYPES) and table["truncated"].isna().all()
    assert isinstance(vectors, np.memmap) and vectors.dtype == np.float32 and not vectors.flags.writeable
    np.testing.assert_array_equal(vectors[table["row"]], counted(table["text"]))
    by_hand = np.load(
        store.embedding_folder("few", "mean/colour").folder / "names.npy", mmap_mode="r", allow_pickle=False
    )
    np.testing.assert_array_equal(by_hand, vectors)


def test_equal_texts_are_embedded_once(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    assert len(encoder.texts) == len(set(encoder.texts)) == 1 + 1 + 2 * 5 + 5  # root, kingdom, others, species
    table = read_names(store, dataset, encoder).table
    assert table["row"].max() + 1 == len(encoder.texts)
    assert [encoder.texts[row] for row in table["row"]] == table["text"].tolist()


def test_what_vouches_for_them(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    folder = store.embedding_folder(dataset, encoder).folder
    about = json.loads((folder / "names.json").read_text())
    assert (about["version"], about["templates"], about["prompts"], about["dimension"]) == (2, "plain", [PROMPT], 3)
    assert (about["n_names"], about["n_texts"], about["n_truncated"], about["context_length"]) == (40, 17, None, None)
    assert (about["logit_scale"], about["precision"]) == (None, "fp32")
    assert about["vectors"]["bytes"] == (folder / "names.npy").stat().st_size
    assert "numpy" in about["software"]
    assert sorted(path.name for path in folder.glob("names*")) == ["names.json", "names.npy", "names.parquet"]
    assert not list(folder.glob("*.part"))


def test_a_second_run_does_nothing(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    folder = store.embedding_folder(dataset, encoder).folder
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    encoder.texts.clear()
    assert embed_names(Store(store.path), "few", encoder, progress=False).reused
    assert not encoder.texts and before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_other_names_are_embedded_anew(few, monkeypatch):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    own = module.taxon_names
    monkeypatch.setattr(module, "taxon_names", lambda images: own(images.assign(common="Elster")))
    encoder.texts.clear()
    assert not embed_names(store, dataset, encoder, progress=False).reused
    assert len(encoder.texts) == 3 and all("Elster" in text for text in encoder.texts)
    found = read_names(store, dataset, encoder)
    assert not found.table["text"].str.contains("magpie").any() and len(found.vectors) == 17
    np.testing.assert_array_equal(found.vectors[found.table["row"]], counted(found.table["text"]))


def test_an_encoder_without_a_text_tower_is_refused_and_nothing_written(tmp_path):
    dataset, encoder = made_up(), MeanColour()
    store = embedded(Store(tmp_path), dataset, encoder)
    with pytest.raises(ModelError, match="mean/colour has no text tower") as error:
        embed_names(store, dataset, encoder)
    assert "\n" not in str(error.value)
    assert not list(store.embedding_folder(dataset, encoder).folder.glob("names*"))


def test_pictures_come_first(tmp_path):
    with pytest.raises(StoreError, match=r"holds no dataset 'few@.*embed it first"):
        embed_names(Store(tmp_path), made_up(), Letters())


def test_no_name_at_any_rank(tmp_path):
    dataset, encoder = made_up(**dict.fromkeys(RANKS)), Letters()
    with pytest.raises(DataError, match=r"no picture of few@.* has a name at any rank"):
        embed_names(embedded(Store(tmp_path), dataset, encoder), dataset, encoder)


@pytest.mark.parametrize("vectors, reason", [
    (lambda n: np.ones((n, 4)), r"gave an array of shape \(17, 4\) for 17 texts; expected \(17, 3\)"),
    (lambda n: np.full((n, 3), np.nan), "gave NaN or infinite values for the texts: a photo of Eukarya., .* 12 more"),
])  # fmt: skip
def test_vectors_other_than_the_encoder_said(few, vectors, reason):
    store, dataset, encoder = few
    encoder.encode_text = lambda texts: vectors(len(texts))
    with pytest.raises(ModelError, match=reason):
        embed_names(store, dataset, encoder, progress=False)
    assert not list(store.embedding_folder(dataset, encoder).folder.glob("names*"))


def change(path, byte=-1):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "vectors changed": (lambda folder: change(folder / "names.npy"), "names.npy has changed since it was written"),
    "table changed": (lambda folder: change(folder / "names.parquet"), "names.parquet has changed since"),
    "vectors gone": (lambda folder: (folder / "names.npy").unlink(), "are damaged .*No such file"),
    "json cut": (lambda folder: (folder / "names.json").write_text('{"version"'), "cannot be read"),
    "json changed": (lambda folder: (folder / "names.json").write_text('{"version": 2}'), "json has changed since"),
    "json poor": (
        lambda folder: write_json(folder / "names.json", add_checksum({"version": 2})),
        "are damaged .'n_texts'",
    ),
    "json of a later one": (lambda folder: (folder / "names.json").write_text('{"version": 9}'), "has version 9"),
    "json gone": (
        lambda folder: (folder / "names.json").unlink(),
        "no embedded names .names.json.; embed them first",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_line_and_mended_by_another_run(few, damage):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    expected = read_names(store, dataset, encoder).vectors.copy()
    harm, reason = DAMAGE[damage]
    harm(store.embedding_folder(dataset, encoder).folder)
    with pytest.raises(StoreError, match=reason) as error:
        read_names(store, dataset, encoder)
    assert "\n" not in str(error.value)
    assert not embed_names(store, dataset, encoder, progress=False).reused
    np.testing.assert_array_equal(read_names(store, dataset, encoder).vectors, expected)


@pytest.mark.parametrize("file", ["names.npy", "names.parquet", "names.json"])
def test_a_run_that_breaks_off_leaves_nothing_that_is_read_and_loses_nothing(few, monkeypatch, file):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, types=["common"], progress=False)

    def full_disk(beside, path):
        if path.name == file:
            raise OSError(28, "No space left on device")
        beside.rename(path)

    with monkeypatch.context() as patched, pytest.raises(StoreError, match="No space left"):
        patched.setattr("bioclip_probe.files.os.replace", full_disk)
        embed_names(store, dataset, encoder, progress=False)
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)
    encoder.texts.clear()
    assert not embed_names(store, dataset, encoder, progress=False).reused
    assert not encoder.texts  # all had been embedded when the disk was full
    names = read_names(store, dataset, encoder)
    np.testing.assert_array_equal(names.vectors[names.table["row"]], counted(names.table["text"]))
    assert len(list(store.embedding_folder(dataset, encoder).folder.glob("names*"))) == 3


# Long work, broken off and added to


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)


def stop_after(encoder, calls, error=KeyboardInterrupt):
    read, left = type(encoder).encode_text, iter(range(calls))

    def encode_text(texts):
        if next(left, None) is None:
            raise error
        return read(encoder, texts)

    encoder.encode_text = encode_text


def test_a_run_that_was_broken_off_goes_on_where_it_was(few, small_blocks):
    store, dataset, encoder = few
    stop_after(encoder, 3)
    with pytest.raises(KeyboardInterrupt):
        embed_names(store, dataset, encoder, progress=False)
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)
    before = list(encoder.texts)
    del encoder.encode_text
    embed_names(store, dataset, encoder, progress=False)
    assert len(before) == 12 and len(encoder.texts) == len(set(encoder.texts)) == 17
    names = read_names(store, dataset, encoder)
    np.testing.assert_array_equal(names.vectors[names.table["row"]], counted(names.table["text"]))
    assert len(list(store.embedding_folder(dataset, encoder).folder.glob("names*"))) == 3


HALF_DONE = {
    "half a row": (lambda npy, journal: npy.write_bytes(npy.read_bytes()[:-5]), 8),
    "half a block more": (lambda npy, journal: npy.write_bytes(npy.read_bytes() + b"half a block"), 12),
    "a changed row": (
        lambda npy, journal: change(npy, 150),
        0,
    ),
    "half a line": (lambda npy, journal: journal.write_bytes(journal.read_bytes()[:-9]), 8),
    "no line": (lambda npy, journal: journal.write_bytes(b""), 0),
    "another's lines": (lambda npy, journal: journal.write_bytes(b"1\n2\n"), 0),
    "no vectors": (lambda npy, journal: npy.unlink(), 0),
}


@pytest.mark.parametrize("harm", HALF_DONE)
def test_what_was_half_done_is_not_believed(few, small_blocks, harm):
    store, dataset, encoder = few
    stop_after(encoder, 3)
    with pytest.raises(KeyboardInterrupt):
        embed_names(store, dataset, encoder, progress=False)
    folder = store.embedding_folder(dataset, encoder).folder
    do, kept = HALF_DONE[harm]
    do(folder / "names.begun.npy", folder / "names.begun.jsonl")
    encoder.texts.clear()
    del encoder.encode_text
    embed_names(store, dataset, encoder, progress=False)
    assert len(encoder.texts) == 17 - kept
    names = read_names(store, dataset, encoder)
    np.testing.assert_array_equal(names.vectors[names.table["row"]], counted(names.table["text"]))


def test_types_asked_for_later_are_added(few, small_blocks):
    store, dataset, encoder = few
    encoder.tokenizer = lambda: open_clip.SimpleTokenizer(context_length=16)
    embed_names(store, dataset, encoder, types=["scientific", "taxonomic_common"], progress=False)
    first = read_names(store, dataset, encoder)
    assert set(first.table["type"]) == {"scientific", "taxonomic_common"}
    encoder.texts.clear()
    assert embed_names(store, dataset, encoder, types=["scientific"], progress=False).reused
    assert not embed_names(store, dataset, encoder, types=["common"], progress=False).reused
    assert encoder.texts == ["a photo of black-billed magpie."]
    assert not embed_names(store, dataset, encoder, progress=False).reused
    assert len(encoder.texts) == 3  # and the two other types of the species
    both = read_names(store, dataset, encoder)
    assert both.table["type"].drop_duplicates().tolist() == list(TEXT_TYPES)
    np.testing.assert_array_equal(both.vectors[both.table["row"]], counted(both.table["text"]))
    old = first.table.merge(both.table, on=["rank", "taxon", "type"])
    assert (old["truncated_x"] == old["truncated_y"]).all() and old["truncated_x"].any()
    assert both.n_truncated == both.table.drop_duplicates("row")["truncated"].sum()


def test_names_of_another_precision_are_not_mixed_in(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, types=["scientific"], progress=False)
    encoder.record["precision"] = "bf16"
    encoder.texts.clear()
    assert embed_names(store, dataset, encoder, types=["scientific"], progress=False).reused
    embed_names(store, dataset, encoder, progress=False)
    assert len(encoder.texts) == 17


def test_texts_that_fail_leave_what_was_done(few, small_blocks):
    store, dataset, encoder = few
    stop_after(encoder, 2, ModelError("out of memory"))
    with pytest.raises(ModelError, match="out of memory"):
        embed_names(store, dataset, encoder, progress=False)
    (finding,) = verify(store, progress=False).itertuples()
    assert (finding.check, finding.finding) == (
        "incomplete",
        "names were begun and not finished; embed the names again to go on",
    )
    del encoder.encode_text
    embed_names(store, dataset, encoder, progress=False)
    assert verify(store, progress=False).empty


@pytest.mark.parametrize("given, reason", [
    ({"types": ["latin"]}, "text types are scientific, common, .*; got latin"),
    ({"types": []}, "text types are .*; got none"),
    ({"templates": "clip"}, "names stand in prompts of plain or openai; got 'clip'"),
])  # fmt: skip
def test_what_cannot_be_asked_for(few, given, reason):
    store, dataset, encoder = few
    with pytest.raises(DataError, match=reason):
        embed_names(store, dataset, encoder, **given)


# The root of all, and the 81 prompts


def test_the_root_is_there_in_every_type(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    root = read_names(store, dataset, encoder).table.query("rank == 'life'")
    assert root["type"].tolist() == list(TEXT_TYPES)
    assert set(root["taxon"]) == {""} and set(root["text"]) == {"a photo of Eukarya."}


def test_81_prompts_are_the_mean_of_81(few):
    store, dataset, encoder = few
    done = embed_names(store, dataset, encoder, templates="openai", progress=False)
    assert (done.n_texts, done.path.name) == (17, "names-openai.npy") and len(encoder.texts) == 17 * 81
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)
    names = read_names(store, dataset, encoder, "openai")
    assert names.templates == "openai" and names.table["text"].str.startswith("a photo of ").all()
    for line in names.table.iloc[::5].itertuples():
        shown = [template.format(line.text[11:-1]) for template in zero_shot_templates()]
        unit = torch.nn.functional.normalize(torch.from_numpy(counted(shown)), dim=-1).mean(dim=0)
        np.testing.assert_allclose(names.vectors[line.row], unit / unit.norm(), atol=1e-6)
    embed_names(store, dataset, encoder, progress=False)
    assert embed_names(store, dataset, encoder, templates="openai", progress=False).reused
    assert verify(store, progress=False).empty
    assert len(list(store.embedding_folder(dataset, encoder).folder.glob("names*"))) == 6


def test_the_81_prompts_as_open_clip_s_own_classifier(tmp_path):
    dataset, encoder = made_up(common="waves {of} the sea"), encoders.load("world-taxonomic")
    store = embedded(Store(tmp_path), dataset, encoder)
    embed_names(store, dataset, encoder, templates="openai", types=["scientific_common"], progress=False)
    names = read_names(store, dataset, encoder, "openai")
    folder = encoders.WORLD / "world-taxonomic"
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    shown = [text[11:-1] for text in names.table["text"]]
    hand = open_clip.build_zero_shot_classifier(model, tokens, shown, zero_shot_templates()).T.numpy()
    np.testing.assert_allclose(names.vectors[names.table["row"]], hand, atol=1e-5)
    assert names.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_a_prompt_among_81_that_does_not_fit_is_counted(few):
    store, dataset, encoder = few
    tokenizer = open_clip.SimpleTokenizer(context_length=31)
    encoder.tokenizer = lambda: tokenizer
    assert embed_names(store, dataset, encoder, progress=False).n_truncated == 0
    done = embed_names(store, dataset, encoder, templates="openai", progress=False)
    table = read_names(store, dataset, encoder, "openai").table.drop_duplicates("row")
    for line in table.itertuples():
        longest = max(len(tokenizer.encode(prompt.format(line.text[11:-1]))) + 2 for prompt in zero_shot_templates())
        assert line.truncated == (longest > 31)
    assert 0 < done.n_truncated == table["truncated"].sum() < 17


ODD = [
    "Isoëtes × Łódź",
    "鵲",
    "Bra{ce}s {} {0} {name!r:>{width}}",
    "the 'so-called' \"magpie\"",
    "100% %s \\n \\x00",
    "<end_of_text> of magpies",
    "🐦 " * 40,
    "very " * 300,
    "a\u0301\u200b|b",
]


@pytest.mark.parametrize("common", ODD)
@pytest.mark.parametrize("templates", ["plain", "openai"])
def test_odd_names_come_through_as_they_are(tmp_path, common, templates):
    dataset, encoder = made_up(common=common), encoders.load("world-taxonomic")
    store = embedded(Store(tmp_path), dataset, encoder)
    embed_names(store, dataset, encoder, types=["common"], templates=templates, progress=False)
    names = read_names(store, dataset, encoder, templates)
    (text,) = names.table.query("rank == 'species'")["text"]
    shown = " ".join(common.split())
    assert text == f"a photo of {shown}."
    prompts = zero_shot_templates() if templates == "openai" else [PROMPT]
    by_hand = encoder.encode_text([prompt.replace("{}", shown) for prompt in prompts])
    if len(prompts) > 1:
        by_hand = (by_hand / np.linalg.norm(by_hand, axis=1, keepdims=True)).mean(axis=0, keepdims=True)
        by_hand /= np.linalg.norm(by_hand)
    (row,) = names.table.query("rank == 'species'")["row"]
    np.testing.assert_allclose(names.vectors[row], by_hand[0], atol=1e-5)


def test_progress_counts_texts(few, capsys):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder)
    assert "mean/colour on the names of few@" in (said := capsys.readouterr().err) and "17 of 17 texts" in said


# Texts that do not fit


@pytest.mark.parametrize("length", [8, 16, 77])
def test_the_longest_text_that_fits_and_the_shortest_that_does_not(length):
    tokenizer = open_clip.SimpleTokenizer(context_length=length)
    fits = " ".join("a" * (length - 2))  # and two that begin and end it
    assert truncated_texts(tokenizer, [fits, fits + " a", "", fits + " a a a"]).tolist() == [False, True, False, True]
    assert truncated_texts(tokenizer, []).tolist() == []


def test_a_tokenizer_that_fills_with_its_end_mark_or_marks_no_end():
    class Words:
        """As SigLIP's (ends with 1, fills with 1) or, without an end, as SigLIP 2's (fills with 0)."""

        context_length = 4

        def __init__(self, end):
            self.end = end

        def __call__(self, texts, context_length=4):
            ends, filling = ([1], 1) if self.end else ([], 0)
            kept = [(text.split()[: context_length - len(ends)], text) for text in texts]
            rows = [[7 + len(word) for word in words] + ends for words, _ in kept]
            return np.array([row + [filling] * (context_length - len(row)) for row in rows])

    texts = ["a b c", "a b c d", "a b c d e", ""]
    assert truncated_texts(Words(True), texts).tolist() == [False, True, True, False]
    assert truncated_texts(Words(False), texts).tolist() == [False, False, True, False]


def test_what_is_cut_is_flagged_and_said_once(few, caplog):
    store, dataset, encoder = few
    encoder.tokenizer = lambda: open_clip.SimpleTokenizer(context_length=16)
    with caplog.at_level(logging.WARNING):
        done = embed_names(store, dataset, encoder, progress=False)
    table = read_names(store, dataset, encoder).table
    longest = table["text"].str.len().idxmax()
    assert table["truncated"][longest] and not table["truncated"][0]
    assert done.n_truncated == table.drop_duplicates("row")["truncated"].sum()
    (record,) = caplog.records
    assert f"reads only the first 16 tokens of {done.n_truncated} of 17 texts" in record.getMessage()
    assert embed_names(store, dataset, encoder, progress=False).n_truncated == done.n_truncated


# As open_clip by hand


def by_hand(name, texts, **options):
    model = open_clip.create_model(name)
    with torch.no_grad():
        return model.eval().encode_text(open_clip.get_tokenizer(name, **options)(texts)).numpy()


@pytest.mark.parametrize("name", ["world-taxonomic", "world-generic"])
def test_the_world_as_by_hand(tmp_path, name):
    dataset, encoder = datasets.load("world"), encoders.load(name)
    store = embedded(Store(tmp_path), dataset, encoder)
    assert embed_names(store, dataset, encoder, progress=False).n_taxa == 450
    table, vectors = (names := read_names(store, dataset, encoder)).table, names.vectors
    some = table.iloc[:: len(table) // 40]
    folder = encoders.WORLD / name
    hand = by_hand(f"local-dir:{folder}", some["text"].tolist(), bpe_path=str(folder / "bpe_vocab.txt.gz"))
    np.testing.assert_allclose(vectors[some["row"]], hand, atol=1e-5)


def test_full_size_as_by_hand(tmp_path):
    """From names to answers, and the same with open_clip alone."""
    folder = tmp_path / "model"
    folder.mkdir()
    config = open_clip.get_model_config("ViT-B-16")
    config["vision_cfg"]["layers"] = 1  # the text tower is what counts here
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        save_file(open_clip.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    dataset = made_up(common="very " * 70 + "common magpie")
    encoder = encoders.load(f"local-dir:{folder}")
    store = embedded(Store(tmp_path / "store"), dataset, encoder)
    embed_names(store, dataset, encoder, progress=False)
    names = read_names(store, dataset, encoder)
    text = names.vectors[names.table["row"]]
    hand = by_hand(f"local-dir:{folder}", names.table["text"].tolist())
    np.testing.assert_allclose(text, hand, atol=1e-5)
    assert names.n_truncated == 3 and names.logit_scale == pytest.approx(1 / 0.07)

    images = torch.nn.functional.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(50, 512))).float())
    mass = (images @ torch.nn.functional.normalize(torch.from_numpy(hand)).T / 0.07).softmax(dim=-1).numpy()
    labels, taxa = np.zeros((1, 50), dtype=np.int64), np.arange(len(text))
    (found,) = zero_shot(images.numpy(), labels, [(taxa, text)], names.logit_scale)
    np.testing.assert_allclose(found.confidence, mass.max(axis=1), rtol=1e-4)
    np.testing.assert_allclose(mass[np.arange(50), found.predicted], mass.max(axis=1), rtol=1e-4)  # names may be alike
    encoders.clear_cache()
    (folder / "open_clip_model.safetensors").unlink()  # 0.3 GB: not left for later


def test_the_81_templates():
    templates = zero_shot_templates()
    assert len(templates) == len(set(templates)) == 81
    assert templates[:2] == ["a photo of {}.", "a bad photo of a {}."] and templates[-1] == "a tattoo of the {}."
    assert all(template.count("{}") == 1 for template in templates)
