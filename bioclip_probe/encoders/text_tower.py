"""The text towers of open_clip's models: from texts to tokens, and from tokens to vectors in as few steps as are exact.

A text is followed by filling up to the model's context of, say, 77 tokens. Where each token sees only those before it
(a causal mask) and the vector is read off at the end-of-text token, what follows that token is computed for nothing:
a batch is cut behind the last one of its texts. Towers of other make are computed whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.errors import ModelError, one_line, some

if TYPE_CHECKING:
    import torch

BATCH = 256  # texts tokenised at once
VOCABULARY = "bpe_vocab.txt.gz"  # a folder may bring its own, as the models of the built-in world do


def tokenizer(name: str, architecture: str) -> Any:
    """open_clip's tokenizer for an architecture of its own, or for the model in ``local-dir:FOLDER``."""
    import open_clip

    own = Path(architecture.removeprefix("local-dir:")) / VOCABULARY
    extra = {"bpe_path": str(own)} if architecture.startswith("local-dir:") and own.is_file() else {}
    try:
        return open_clip.get_tokenizer(architecture, **extra)
    except Exception as error:  # transformers missing, or no network for its files
        raise ModelError(f"{name}: its text cannot be tokenised here: {one_line(error, with_type=True)}") from error


def tokens(name: str, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    """(b, context) tokens of b texts."""
    try:
        return tokenizer(texts)
    except Exception as error:
        raise ModelError(
            f"{name}: these texts cannot be tokenised ({some(texts, 3)}): {one_line(error, with_type=True)}"
        ) from error


def truncated_texts(tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """(n,) bool: which of n texts are longer than what `tokenizer`, one of open_clip's, keeps of them.

    A text with filling behind its end fits. With room for one more token any other that fits gets one more filling at
    its end, and is otherwise the same.
    """
    length = tokenizer.context_length
    filling = int(tokenizer([""], context_length=length + 1)[0, -1])
    cut = np.zeros(len(texts), bool)
    for start in range(0, len(texts), BATCH):
        kept = np.asarray(tokenizer(list(texts[start : start + BATCH])))
        full = np.flatnonzero((kept[:, -2:] != filling).any(axis=1))  # the end mark may be the filling too
        if len(full):
            wider = np.asarray(tokenizer([texts[start + i] for i in full], context_length=length + 1))
            cut[start + full] = (wider[:, -1] != filling) | (wider[:, :-1] != kept[full]).any(axis=1)
    return cut


def tower(model: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """From (b, context) tokens to (b, d) vectors, unnormalised: `model.encode_text`, cut short where that is exact."""
    import open_clip
    import torch
    from open_clip.transformer import TextTransformer

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.model.encode_text(tokens, normalize=False)

    whole = Tower()
    if type(model) is open_clip.CLIP:
        text, part, pool, end = model, "model", model.text_pool_type, model.text_eos_id
    elif type(model) is open_clip.CustomTextCLIP and type(model.text) is TextTransformer:
        text, part, pool, end = model.text, "model.text", model.text.pool_type, model.text.eos_id
    else:
        return whole
    if pool not in ("argmax", "eos") or getattr(text, "cls_emb", None) is not None or not _is_causal(text.attn_mask):
        return whole

    def cut(tokens: torch.Tensor) -> torch.Tensor:
        at = tokens if pool == "argmax" else (tokens == end).int()
        length = int(at.argmax(dim=-1).max()) + 1
        shorter = {
            f"{part}.positional_embedding": text.positional_embedding[:length],
            f"{part}.attn_mask": text.attn_mask[:length, :length],
        }
        return torch.func.functional_call(whole, shorter, (tokens[:, :length],))

    return cut


def _is_causal(mask: torch.Tensor | None) -> bool:
    """Whether no token sees a later one."""
    import torch

    if mask is None:
        return False
    later = torch.ones_like(mask, dtype=torch.bool).triu(1)
    return bool(torch.isneginf(mask[later]).all())
