import logging

import numpy as np
import open_clip
import pytest

from bioclip_probe.errors import DataError, ModelError, StoreError
from bioclip_probe.extraction import text
from bioclip_probe.extraction.text import NameSettings, embed_names
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import NAMES, TEXT_TYPES, read_names
from bioclip_probe.store.verify import verify
from bioclip_probe.tables import RANKS
from tests.support.names import LetterCounts, letter_counts, one_magpie, store_with_pictures
from tests.support.pictures import MeanColour

QUIET = NameSettings(progress=False)
SMALL_BLOCKS = NameSettings(block_size=4, progress=False)


def of_types(*types):
    return NameSettings(types=types, block_size=4, progress=False)


@pytest.fixture
def few(tmp_path):
    """A store of one picture; its dataset and encoder."""
    dataset, encoder = one_magpie(), LetterCounts()
    return store_with_pictures(Store(tmp_path / "store"), dataset, encoder), dataset, encoder


def test_read_names_returns_what_was_embedded(few):
    store, dataset, encoder = few
    done = embed_names(store, dataset, encoder, QUIET)
    names = read_names(store, "few", "mean/colour")
    table, vectors = names.table, names.vectors
    NAMES.check(table)
    assert (done.n_taxa, done.n_texts, done.n_truncated, done.reused) == (7, len(vectors), None, False)
    assert (names.logit_scale, names.templates, names.n_truncated) == (100, "plain", None)
    assert len(table) == (1 + 7) * len(TEXT_TYPES) and table["truncated"].isna().all()
    assert isinstance(vectors, np.memmap) and vectors.dtype == np.float32 and not vectors.flags.writeable
    np.testing.assert_array_equal(vectors[table["row"]], letter_counts(table["text"]))
    by_hand = np.load(
        store.embedding_folder("few", "mean/colour").folder / "names.npy", mmap_mode="r", allow_pickle=False
    )
    np.testing.assert_array_equal(by_hand, vectors)


def test_equal_texts_are_embedded_once(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, QUIET)
    assert len(encoder.texts) == len(set(encoder.texts)) == 1 + 1 + 2 * 5 + 5  # root, kingdom, others, species
    table = read_names(store, dataset, encoder).table
    assert table["row"].max() + 1 == len(encoder.texts)
    assert [encoder.texts[row] for row in table["row"]] == table["text"].tolist()


def test_a_second_run_does_nothing(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, QUIET)
    folder = store.embedding_folder(dataset, encoder).folder
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    encoder.texts.clear()
    assert embed_names(Store(store.path), "few", encoder, QUIET).reused
    assert not encoder.texts and before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_changed_names_are_embedded_and_the_others_kept(few, monkeypatch):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, QUIET)
    own = text.taxon_names
    monkeypatch.setattr(text, "taxon_names", lambda images: own(images.assign(common="Elster")))
    encoder.texts.clear()
    assert not embed_names(store, dataset, encoder, QUIET).reused
    assert len(encoder.texts) == 3 and all("Elster" in text for text in encoder.texts)
    found = read_names(store, dataset, encoder)
    assert not found.table["text"].str.contains("magpie").any() and len(found.vectors) == 17
    np.testing.assert_array_equal(found.vectors[found.table["row"]], letter_counts(found.table["text"]))


def test_an_encoder_without_a_text_tower_is_refused_and_nothing_written(tmp_path):
    dataset, encoder = one_magpie(), MeanColour()
    store = store_with_pictures(Store(tmp_path), dataset, encoder)
    with pytest.raises(ModelError, match="mean/colour has no text tower") as error:
        embed_names(store, dataset, encoder)
    assert "\n" not in str(error.value)
    assert not list(store.embedding_folder(dataset, encoder).folder.glob("names*"))


def test_names_are_refused_before_the_pictures_are_embedded(tmp_path):
    with pytest.raises(StoreError, match=r"holds no dataset 'few@.*embed it first"):
        embed_names(Store(tmp_path), one_magpie(), LetterCounts())


def test_a_dataset_without_any_name_is_refused(tmp_path):
    dataset, encoder = one_magpie(**dict.fromkeys(RANKS)), LetterCounts()
    with pytest.raises(DataError, match=r"no picture of few@.* has a name at any rank"):
        embed_names(store_with_pictures(Store(tmp_path), dataset, encoder), dataset, encoder)


def change(path, byte=-1):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("file", ["names.npy", "names.parquet", "names.json"])
def test_an_interrupted_run_leaves_nothing_readable_and_loses_nothing(few, monkeypatch, file):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, of_types("common"))

    def full_disk(beside, path):
        if path.name == file:
            raise OSError(28, "No space left on device")
        beside.rename(path)

    with monkeypatch.context() as patched, pytest.raises(StoreError, match="No space left"):
        patched.setattr("bioclip_probe.files.os.replace", full_disk)
        embed_names(store, dataset, encoder, QUIET)
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)
    encoder.texts.clear()
    assert not embed_names(store, dataset, encoder, QUIET).reused
    assert not encoder.texts  # all had been embedded when the disk was full
    names = read_names(store, dataset, encoder)
    np.testing.assert_array_equal(names.vectors[names.table["row"]], letter_counts(names.table["text"]))
    assert len(list(store.embedding_folder(dataset, encoder).folder.glob("names*"))) == 3


def stop_after(encoder, calls, error=KeyboardInterrupt):
    read, left = type(encoder).encode_text, iter(range(calls))

    def encode_text(texts):
        if next(left, None) is None:
            raise error
        return read(encoder, texts)

    encoder.encode_text = encode_text


def test_the_next_run_goes_on_where_an_interrupted_one_stopped(few):
    store, dataset, encoder = few
    stop_after(encoder, 3)
    with pytest.raises(KeyboardInterrupt):
        embed_names(store, dataset, encoder, SMALL_BLOCKS)
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)
    before = list(encoder.texts)
    del encoder.encode_text
    embed_names(store, dataset, encoder, SMALL_BLOCKS)
    assert len(before) == 12 and len(encoder.texts) == len(set(encoder.texts)) == 17
    names = read_names(store, dataset, encoder)
    np.testing.assert_array_equal(names.vectors[names.table["row"]], letter_counts(names.table["text"]))
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
def test_incomplete_blocks_are_embedded_again(few, harm):
    store, dataset, encoder = few
    stop_after(encoder, 3)
    with pytest.raises(KeyboardInterrupt):
        embed_names(store, dataset, encoder, SMALL_BLOCKS)
    folder = store.embedding_folder(dataset, encoder).folder
    do, kept = HALF_DONE[harm]
    do(folder / "names.begun.npy", folder / "names.begun.jsonl")
    encoder.texts.clear()
    del encoder.encode_text
    embed_names(store, dataset, encoder, SMALL_BLOCKS)
    assert len(encoder.texts) == 17 - kept
    names = read_names(store, dataset, encoder)
    np.testing.assert_array_equal(names.vectors[names.table["row"]], letter_counts(names.table["text"]))


@pytest.mark.slow
def test_further_text_types_are_added(few):
    store, dataset, encoder = few
    encoder.tokenizer = lambda: open_clip.SimpleTokenizer(context_length=16)
    embed_names(store, dataset, encoder, of_types("scientific", "taxonomic_common"))
    first = read_names(store, dataset, encoder)
    assert set(first.table["type"]) == {"scientific", "taxonomic_common"}
    encoder.texts.clear()
    assert embed_names(store, dataset, encoder, of_types("scientific")).reused
    assert not embed_names(store, dataset, encoder, of_types("common")).reused
    assert encoder.texts == ["a photo of black-billed magpie."]
    assert not embed_names(store, dataset, encoder, SMALL_BLOCKS).reused
    assert len(encoder.texts) == 3  # and the two other types of the species
    both = read_names(store, dataset, encoder)
    assert both.table["type"].drop_duplicates().tolist() == list(TEXT_TYPES)
    np.testing.assert_array_equal(both.vectors[both.table["row"]], letter_counts(both.table["text"]))
    old = first.table.merge(both.table, on=["rank", "taxon", "type"])
    assert (old["truncated_x"] == old["truncated_y"]).all() and old["truncated_x"].any()
    assert both.n_truncated == both.table.drop_duplicates("row")["truncated"].sum()


def test_names_of_another_precision_are_not_mixed_with_new_ones(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, of_types("scientific"))
    encoder.record["precision"] = "bf16"
    encoder.texts.clear()
    assert embed_names(store, dataset, encoder, of_types("scientific")).reused
    embed_names(store, dataset, encoder, QUIET)
    assert len(encoder.texts) == 17


def test_a_failing_text_tower_keeps_the_finished_blocks(few):
    store, dataset, encoder = few
    stop_after(encoder, 2, ModelError("out of memory"))
    with pytest.raises(ModelError, match="out of memory"):
        embed_names(store, dataset, encoder, SMALL_BLOCKS)
    (finding,) = verify(store, progress=False).itertuples()
    assert (finding.check, finding.finding) == (
        "incomplete",
        "names are not finished; embed the names again to continue",
    )
    del encoder.encode_text
    embed_names(store, dataset, encoder, SMALL_BLOCKS)
    assert verify(store, progress=False).empty


@pytest.mark.parametrize("given, reason", [
    ({"types": ("latin",)}, "text types are scientific, common, .*; got latin"),
    ({"types": ()}, "text types are .*; got none"),
    ({"templates": "clip"}, "names stand in prompts of plain or openai; got 'clip'"),
])  # fmt: skip
def test_unknown_text_types_and_prompts_are_refused(given, reason):
    with pytest.raises(DataError, match=reason):
        NameSettings(**given)


def test_the_root_has_every_text_type(few):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder, QUIET)
    root = read_names(store, dataset, encoder).table.query("rank == 'life'")
    assert root["type"].tolist() == list(TEXT_TYPES)
    assert set(root["taxon"]) == {""} and set(root["text"]) == {"a photo of Eukarya."}


def test_progress_counts_texts(few, capsys):
    store, dataset, encoder = few
    embed_names(store, dataset, encoder)
    assert "mean/colour on the names of few@" in (said := capsys.readouterr().err) and "17 of 17 texts" in said


def test_truncated_texts_are_marked_and_reported_once(few, caplog):
    store, dataset, encoder = few
    encoder.tokenizer = lambda: open_clip.SimpleTokenizer(context_length=16)
    with caplog.at_level(logging.WARNING):
        done = embed_names(store, dataset, encoder, QUIET)
    table = read_names(store, dataset, encoder).table
    longest = table["text"].str.len().idxmax()
    assert table["truncated"][longest] and not table["truncated"][0]
    assert done.n_truncated == table.drop_duplicates("row")["truncated"].sum()
    (record,) = caplog.records
    assert f"reads only the first 16 tokens of {done.n_truncated} of 17 texts" in record.getMessage()
    assert embed_names(store, dataset, encoder, QUIET).n_truncated == done.n_truncated
