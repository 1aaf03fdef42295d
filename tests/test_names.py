import json
import logging

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from bioclip_probe import datasets, encoders
from bioclip_probe.errors import DataError, ModelError, StoreError
from bioclip_probe.names import NAMES, embed_names, read_names, truncated_texts, zero_shot_templates
from bioclip_probe.prompts import PROMPT, TEXT_TYPES
from bioclip_probe.shards import LEDGER
from bioclip_probe.store import Store
from bioclip_probe.tables import IMAGES, RANKS
from tests.made_up import MeanColour

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
        return np.array([[text.count(letter) for letter in "aei"] for text in texts], np.float32)


def made_up(**facts):
    row = {"image_id": "i0", "source": "0.png", "common": "black-billed magpie"} | MAGPIE | facts
    images = IMAGES.frame([row])
    return datasets.Dataset("few", images, print, datasets.fingerprint_of(images))


def embedded(store, dataset, encoder):
    """The store with the dataset's pictures embedded: what stands in their place does not matter here."""
    with store.writing(dataset, encoder, shard_size=len(dataset)) as run:
        rows = [{"image_id": name, "row": i, "status": "ok"} for i, name in enumerate(dataset.images["image_id"])]
        run.land(0, LEDGER.frame(rows), np.ones((len(rows), encoder.dimension)))
    return store


@pytest.fixture
def few(tmp_path):
    """A store of one picture; its dataset and encoder."""
    dataset, encoder = made_up(), Letters()
    return embedded(Store(tmp_path / "store"), dataset, encoder), dataset, encoder


def test_read_gives_what_was_embedded(few):
    store, dataset, encoder = few
    done = embed_names(store, dataset, encoder, progress=False)
    table, vectors = read_names(store, "few", "mean/colour")
    NAMES.check(table)
    assert (done.n_taxa, done.n_texts, done.n_truncated, done.reused) == (7, len(vectors), None, False)
    assert len(table) == 7 * len(TEXT_TYPES) and table["truncated"].isna().all()
    assert isinstance(vectors, np.memmap) and vectors.dtype == np.float32 and not vectors.flags.writeable
    expected = [[text.count(letter) for letter in "aei"] for text in table["text"]]
    np.testing.assert_array_equal(vectors[table["row"]], expected)
    by_hand = np.load(store.embedded("few", "mean/colour").folder / "names.npy", mmap_mode="r", allow_pickle=False)
    np.testing.assert_array_equal(by_hand, vectors)


def test_equal_texts_are_embedded_once(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    assert len(encoder.texts) == len(set(encoder.texts)) == 1 + 2 * 5 + 5
    table, _ = read_names(store, dataset, encoder)
    assert table["row"].max() + 1 == len(encoder.texts)
    assert [encoder.texts[row] for row in table["row"]] == table["text"].tolist()


def test_what_vouches_for_them(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    folder = store.embedded(dataset, encoder).folder
    about = json.loads((folder / "names.json").read_text())
    assert (about["version"], about["template"], about["dimension"]) == (1, PROMPT, 3)
    assert (about["n_names"], about["n_texts"], about["n_truncated"], about["context_length"]) == (35, 16, None, None)
    assert about["vectors"]["bytes"] == (folder / "names.npy").stat().st_size
    assert "numpy" in about["software"]
    assert not list(folder.glob("*.part"))


def test_a_second_run_does_nothing(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    folder = store.embedded(dataset, encoder).folder
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    encoder.texts.clear()
    assert embed_names(Store(store.path), "few", encoder, progress=False).reused
    assert not encoder.texts and before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_other_names_are_embedded_anew(few, monkeypatch):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    monkeypatch.setattr("bioclip_probe.names.prompts", lambda names: [f"a drawing of {name}." for name in names])
    assert not embed_names(store, dataset, encoder, progress=False).reused
    assert read_names(store, dataset, encoder)[0]["text"].str.startswith("a drawing of").all()


def test_an_encoder_without_a_text_tower_is_refused_and_nothing_written(tmp_path):
    dataset, encoder = made_up(), MeanColour()
    store = embedded(Store(tmp_path), dataset, encoder)
    with pytest.raises(ModelError, match="mean/colour has no text tower") as error:
        embed_names(store, dataset, encoder)
    assert "\n" not in str(error.value)
    assert not list(store.embedded(dataset, encoder).folder.glob("names*"))


def test_pictures_come_first(tmp_path):
    with pytest.raises(StoreError, match=r"holds no dataset 'few@.*embed it first"):
        embed_names(Store(tmp_path), made_up(), Letters())


def test_no_name_at_any_rank(tmp_path):
    dataset, encoder = made_up(**dict.fromkeys(RANKS)), Letters()
    with pytest.raises(DataError, match=r"no picture of few@.* has a name at any rank"):
        embed_names(embedded(Store(tmp_path), dataset, encoder), dataset, encoder)


@pytest.mark.parametrize("vectors, reason", [
    (lambda n: np.ones((n, 4)), r"gave an array of shape \(16, 4\) for 16 texts; expected \(16, 3\)"),
    (lambda n: np.full((n, 3), np.nan), "gave NaN or infinite values for the texts: a photo of Animalia., .* 11 more"),
])  # fmt: skip
def test_vectors_other_than_the_encoder_said(few, vectors, reason):
    store, dataset, encoder = few
    encoder.encode_text = lambda texts: vectors(len(texts))
    with pytest.raises(ModelError, match=reason):
        embed_names(store, dataset, encoder, progress=False)
    assert not list(store.embedded(dataset, encoder).folder.glob("names*"))


def change(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "vectors changed": (lambda folder: change(folder / "names.npy"), "names.npy has changed since it was written"),
    "table changed": (lambda folder: change(folder / "names.parquet"), "names.parquet has changed since"),
    "vectors gone": (lambda folder: (folder / "names.npy").unlink(), "are damaged .*No such file"),
    "json cut": (lambda folder: (folder / "names.json").write_text('{"version"'), "cannot be read"),
    "json poor": (lambda folder: (folder / "names.json").write_text('{"version": 1}'), "are damaged .'n_texts'"),
    "json of a later one": (lambda folder: (folder / "names.json").write_text('{"version": 9}'), "has version 9"),
    "json gone": (lambda folder: (folder / "names.json").unlink(), "has no embedded names; embed them first"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_line_and_mended_by_another_run(few, damage):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    expected = read_names(store, dataset, encoder)[1].copy()
    harm, reason = DAMAGE[damage]
    harm(store.embedded(dataset, encoder).folder)
    with pytest.raises(StoreError, match=reason) as error:
        read_names(store, dataset, encoder)
    assert "\n" not in str(error.value)
    assert not embed_names(store, dataset, encoder, progress=False).reused
    np.testing.assert_array_equal(read_names(store, dataset, encoder)[1], expected)


@pytest.mark.parametrize("file", ["names.npy", "names.parquet", "names.json"])
def test_a_run_that_breaks_off_leaves_nothing_that_is_read(few, monkeypatch, file):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, progress=False)
    monkeypatch.setattr("bioclip_probe.names.PROMPT", "{}")
    monkeypatch.setattr("bioclip_probe.names.prompts", list)
    replace = "bioclip_probe.shards.os.replace"

    def full_disk(beside, path):
        if path.name == file:
            raise OSError(28, "No space left on device")
        beside.rename(path)

    monkeypatch.setattr(replace, full_disk)
    with pytest.raises(StoreError, match="No space left"):
        embed_names(store, dataset, encoder, progress=False)
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)


def test_progress_counts_texts(few, capsys):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder)
    assert "mean/colour on the names of few@" in (said := capsys.readouterr().err) and "16 of 16 texts" in said


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
    table, _ = read_names(store, dataset, encoder)
    longest = table["text"].str.len().idxmax()
    assert table["truncated"][longest] and not table["truncated"][0]
    assert done.n_truncated == table.drop_duplicates("row")["truncated"].sum()
    (record,) = caplog.records
    assert f"reads only the first 16 tokens of {done.n_truncated} of 16 texts" in record.getMessage()
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
    table, vectors = read_names(store, dataset, encoder)
    some = table.iloc[:: len(table) // 40]
    folder = encoders.WORLD / name
    hand = by_hand(f"local-dir:{folder}", some["text"].tolist(), bpe_path=str(folder / "bpe_vocab.txt.gz"))
    np.testing.assert_allclose(vectors[some["row"]], hand, atol=1e-5)


def test_full_size_as_by_hand(tmp_path):
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
    table, vectors = read_names(store, dataset, encoder)
    hand = by_hand(f"local-dir:{folder}", table["text"].tolist())
    np.testing.assert_allclose(vectors[table["row"]], hand, atol=1e-5)
    encoders.forget()
    (folder / "open_clip_model.safetensors").unlink()  # 0.3 GB: not left for later


def test_the_81_templates():
    templates = zero_shot_templates()
    assert len(templates) == len(set(templates)) == 81
    assert templates[:2] == ["a photo of {}.", "a bad photo of a {}."] and templates[-1] == "a tattoo of the {}."
    assert all(template.count("{}") == 1 for template in templates)
