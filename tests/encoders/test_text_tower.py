"""Text towers run over as few tokens as are exact, and give the vectors of the full length."""

import json

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe import encoders
from bioclip_probe.encoders import text_tower
from bioclip_probe.encoders.text_tower import text_function, truncated_texts
from bioclip_probe.errors import ModelError
from tests.support.model_folders import TINY, make_folder

END = 519  # the last of TINY's vocabulary


def make_model(kind=open_clip.CLIP, seed=1, **text):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(**TINY | {"text_cfg": TINY["text_cfg"] | text}).eval()


def some_tokens(lengths, context=16):
    """Rows of `lengths` tokens, the last of them the end, then filling."""
    rng = np.random.default_rng(0)
    rows = torch.zeros(len(lengths), context, dtype=torch.long)
    for row, length in zip(rows, lengths, strict=True):
        row[: length - 1] = torch.from_numpy(rng.integers(1, END, length - 1))
        row[length - 1] = END
    return rows


def compared(model, tokens):
    """Whole and cut vectors, and over how many positions the cut ones were computed."""
    seen = []
    with torch.inference_mode():
        whole = model.encode_text(tokens)
        transformer = model.transformer if hasattr(model, "transformer") else model.text.transformer
        hook = transformer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[1]))
        cut = text_function(model)(tokens)
        hook.remove()
    return whole, cut, seen


@pytest.mark.parametrize("kind", [open_clip.CLIP, open_clip.CustomTextCLIP])
@pytest.mark.parametrize("text", [{}, {"pool_type": "eos", "eos_id": END}, {"proj_bias": True}])
def test_a_batch_is_cut_after_its_last_end_and_equals_the_full_length(kind, text):
    whole, cut, positions = compared(make_model(kind, **text), some_tokens([3, 7, 5, 2]))
    np.testing.assert_allclose(cut, whole, atol=1e-5)
    assert positions == [7]


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(st.integers(2, 16), min_size=1, max_size=6))
def test_a_batch_of_any_lengths_is_cut_after_the_longest(lengths):
    whole, cut, positions = compared(make_model(), some_tokens(lengths))
    np.testing.assert_allclose(cut, whole, atol=1e-5)
    assert positions == [max(lengths)]


@pytest.mark.parametrize("kind, text", [
    (open_clip.CLIP, {"no_causal_mask": True}),
    (open_clip.CLIP, {"pool_type": "last"}),
    (open_clip.CustomTextCLIP, {"no_causal_mask": True, "pool_type": "last"}),  # as SigLIP's
    (open_clip.CustomTextCLIP, {"embed_cls": True}),  # as CoCa's
])  # fmt: skip
def test_towers_where_cutting_is_not_exact_run_at_full_length(kind, text):
    whole, cut, positions = compared(make_model(kind, **text), some_tokens([3, 7]))
    np.testing.assert_array_equal(cut, whole)
    assert positions == [16 + bool(text.get("embed_cls"))]


def test_a_text_with_two_ends_or_none_equals_the_full_length():
    tokens = some_tokens([9, 5, 4])
    tokens[0, 2] = END  # a name that holds the mark itself: the first one counts
    tokens[1, 4] = 17
    for text in ({}, {"pool_type": "eos", "eos_id": END}):
        whole, cut, _ = compared(make_model(**text), tokens)
        np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_the_model_stays_unchanged():
    model = make_model()
    before = {key: value.clone() for key, value in [*model.named_parameters(), *model.named_buffers()]}
    text_function(model)(some_tokens([4]))
    after = dict([*model.named_parameters(), *model.named_buffers()])
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert isinstance(model.positional_embedding, torch.nn.Parameter)


def test_the_order_of_texts_and_their_batch_change_nothing(tiny):
    encoder = encoders.load(f"local-dir:{tiny}")
    texts = ["the waves " * n + end for n in (4, 0, 2, 1, 3) for end in ("", "oar", "è{}")]
    together = encoder.encode_text(texts, batch_size=4)
    alone = np.concatenate([encoder.encode_text([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(texts[::-1])[::-1], together, atol=1e-5)
    assert not together.flags.writeable


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_logit_scale_is_that_of_the_model_at_every_precision(tiny, precision):
    model = open_clip.create_model(f"local-dir:{tiny}")
    encoder = encoders.load(f"local-dir:{tiny}", precision=precision)
    assert encoder.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6) == pytest.approx(1 / 0.07)
    assert encoders.load(f"unprojected:local-dir:{tiny}").logit_scale is None


@pytest.mark.parametrize("name", ["world-taxonomic", "world-generic", "world-subset"])
def test_texts_of_the_world_s_models_equal_open_clip_by_hand(name):
    folder = encoders.WORLD / name
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))
    texts = ["a photo of Pica hudsonia.", "a small spotted teal creature", "", "a photo of " + "x" * 99]
    with torch.inference_mode():
        expected = open_clip.create_model(f"local-dir:{folder}").eval().encode_text(tokens(texts)).numpy()
    np.testing.assert_allclose(encoders.load(name).encode_text(texts), expected, atol=1e-5)


def test_a_tokenizer_that_is_not_there_is_an_error(tmp_path):
    config = TINY | {"text_cfg": TINY["text_cfg"] | {"hf_tokenizer_name": "org/tokens"}}
    bare = {key: value for key, value in config.items() if key != "text_cfg"} | {"text_cfg": TINY["text_cfg"]}
    folder = make_folder(tmp_path / "hf", config=bare)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    (folder / "bpe_vocab.txt.gz").unlink()
    with pytest.raises(ModelError, match="text cannot be tokenised"):
        encoders.load(f"local-dir:{folder}").encode_text(["a bird"])


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


def test_a_vocabulary_that_unpacks_to_any_size_is_refused(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "bomb")
    monkeypatch.setattr(text_tower, "MAX_VOCABULARY", 20)
    with pytest.raises(ModelError, match=r"its text cannot be tokenised here: .*unpacks to more than 20 bytes"):
        encoders.load(f"local-dir:{folder}").encode_text(["a wave"])
