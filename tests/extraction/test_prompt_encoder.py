import json

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from bioclip_probe import datasets, encoders
from bioclip_probe.errors import ModelError, StoreError
from bioclip_probe.extraction.prompts import PROMPT, zero_shot_templates
from bioclip_probe.extraction.text import NameSettings, embed_names
from bioclip_probe.probes.zero_shot import zero_shot
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import read_names
from bioclip_probe.store.verify import verify
from tests.support.names import LetterCounts, letter_counts, one_magpie, store_with_pictures

pytestmark = pytest.mark.slow

QUIET = NameSettings(progress=False)
SMALL_BLOCKS = NameSettings(block_size=4, progress=False)


@pytest.fixture
def few(tmp_path):
    """A store of one picture; its dataset and encoder."""
    dataset, encoder = one_magpie(), LetterCounts()
    return store_with_pictures(Store(tmp_path / "store"), dataset, encoder), dataset, encoder


@pytest.mark.parametrize("vectors, reason", [
    (lambda n: np.ones((n, 4)), r"returned an array of shape \(17, 4\) for 17 texts; expected \(17, 3\)"),
    (lambda n: np.full((n, 3), np.nan), "returned NaN or infinite values .*: a photo of Eukarya., .* 12 more"),
])  # fmt: skip
def test_vectors_other_than_the_encoder_declares_are_refused(few, vectors, reason):
    store, dataset, encoder = few
    encoder.encode_text = lambda texts: vectors(len(texts))
    with pytest.raises(ModelError, match=reason):
        embed_names(store, dataset, encoder, QUIET)
    assert not list(store.embedding_folder(dataset, encoder).folder.glob("names*"))


def test_the_vector_of_81_prompts_is_the_mean_of_their_unit_vectors(few):
    store, dataset, encoder = few
    done = embed_names(store, dataset, encoder, NameSettings(templates="openai", progress=False))
    assert (done.n_texts, done.path.name) == (17, "names-openai.npy") and len(encoder.texts) == 17 * 81
    with pytest.raises(StoreError, match="embed them first"):
        read_names(store, dataset, encoder)
    names = read_names(store, dataset, encoder, "openai")
    assert names.templates == "openai" and names.table["text"].str.startswith("a photo of ").all()
    for line in names.table.iloc[::5].itertuples():
        shown = [template.format(line.text[11:-1]) for template in zero_shot_templates()]
        unit = torch.nn.functional.normalize(torch.from_numpy(letter_counts(shown)), dim=-1).mean(dim=0)
        np.testing.assert_allclose(names.vectors[line.row], unit / unit.norm(), atol=1e-6)
    embed_names(store, dataset, encoder, QUIET)
    assert embed_names(store, dataset, encoder, NameSettings(templates="openai", progress=False)).reused
    assert verify(store, progress=False).empty
    assert len(list(store.embedding_folder(dataset, encoder).folder.glob("names*"))) == 6


def test_81_prompts_give_the_weights_of_open_clip_s_own_classifier(tmp_path):
    dataset, encoder = one_magpie(common="waves {of} the sea"), encoders.load("world-taxonomic")
    store = store_with_pictures(Store(tmp_path), dataset, encoder)
    embed_names(store, dataset, encoder, NameSettings(templates="openai", types=("scientific_common",), progress=False))
    names = read_names(store, dataset, encoder, "openai")
    folder = encoders.WORLD / "world-taxonomic"
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    shown = [text[11:-1] for text in names.table["text"]]
    hand = open_clip.build_zero_shot_classifier(model, tokens, shown, zero_shot_templates()).T.numpy()
    np.testing.assert_allclose(names.vectors[names.table["row"]], hand, atol=1e-5)
    assert names.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_a_name_counts_as_truncated_if_one_of_its_81_prompts_is_too_long(few):
    store, dataset, encoder = few
    tokenizer = open_clip.SimpleTokenizer(context_length=31)
    encoder.tokenizer = lambda: tokenizer
    assert embed_names(store, dataset, encoder, QUIET).n_truncated == 0
    done = embed_names(store, dataset, encoder, NameSettings(templates="openai", progress=False))
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
    "🐦 bird " * 40,
    "very " * 300,
    "\u00e1 |b",
]


@pytest.mark.parametrize("common", ODD)
@pytest.mark.parametrize("templates", ["plain", "openai"])
def test_odd_names_reach_the_text_tower_unchanged(tmp_path, common, templates):
    dataset, encoder = one_magpie(common=common), encoders.load("world-taxonomic")
    store = store_with_pictures(Store(tmp_path), dataset, encoder)
    embed_names(store, dataset, encoder, NameSettings(types=("common",), templates=templates, progress=False))
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


def by_hand(name, texts, **options):
    model = open_clip.create_model(name)
    with torch.no_grad():
        return model.eval().encode_text(open_clip.get_tokenizer(name, **options)(texts)).numpy()


@pytest.mark.parametrize("name", ["world-taxonomic", "world-generic"])
def test_names_of_the_world_equal_open_clip_by_hand(tmp_path, name):
    dataset, encoder = datasets.load("world"), encoders.load(name)
    store = store_with_pictures(Store(tmp_path), dataset, encoder)
    assert embed_names(store, dataset, encoder, QUIET).n_taxa == 450
    table, vectors = (names := read_names(store, dataset, encoder)).table, names.vectors
    some = table.iloc[:: len(table) // 40]
    folder = encoders.WORLD / name
    hand = by_hand(f"local-dir:{folder}", some["text"].tolist(), bpe_path=str(folder / "bpe_vocab.txt.gz"))
    np.testing.assert_allclose(vectors[some["row"]], hand, atol=1e-5)


def test_names_and_answers_equal_those_of_open_clip_by_hand_for_a_model_of_usual_vocabulary_and_context(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    config = open_clip.get_model_config("ViT-B-16")
    config["embed_dim"] = 64  # narrow and with few layers, which changes nothing about texts and tokens
    config["vision_cfg"] |= {"layers": 1, "width": 64}
    config["text_cfg"] |= {"layers": 2, "width": 128, "heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        save_file(open_clip.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    dataset = one_magpie(common="very " * 70 + "common magpie")
    encoder = encoders.load(f"local-dir:{folder}")
    store = store_with_pictures(Store(tmp_path / "store"), dataset, encoder)
    embed_names(store, dataset, encoder, QUIET)
    names = read_names(store, dataset, encoder)
    text = names.vectors[names.table["row"]]
    hand = by_hand(f"local-dir:{folder}", names.table["text"].tolist())
    np.testing.assert_allclose(text, hand, atol=1e-5)
    assert names.n_truncated == 3 and names.logit_scale == pytest.approx(1 / 0.07)

    images = torch.nn.functional.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(50, 64))).float())
    mass = (images @ torch.nn.functional.normalize(torch.from_numpy(hand)).T / 0.07).softmax(dim=-1).numpy()
    labels, taxa = np.zeros((1, 50), dtype=np.int64), np.arange(len(text))
    (found,) = zero_shot(images.numpy(), labels, [(taxa, text)], names.logit_scale)
    np.testing.assert_allclose(found.confidence, mass.max(axis=1), rtol=1e-4)
    np.testing.assert_allclose(mass[np.arange(50), found.predicted], mass.max(axis=1), rtol=1e-4)  # names may be alike
    encoders.clear_cache()
    (folder / "open_clip_model.safetensors").unlink()  # 25 MB are not left for later
