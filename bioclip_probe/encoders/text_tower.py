"""Text towers of open_clip's models: tokens of texts, and vectors of tokens over as few positions as are exact.

A text is padded to the length of the model's context, say 77 tokens. Where each token sees only the tokens before it
(a causal mask) and the vector is read at the end-of-text token, the positions after that token change nothing. A batch
is then cut after the last end-of-text token of its texts. Towers of another make are computed at full length.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bioclip_probe.errors import ModelError, one_line, some

if TYPE_CHECKING:
    import torch

BATCH = 256  # texts tokenised at once
MAX_VOCABULARY = 1 << 26  # bytes; that of CLIP has 3 million
VOCABULARY = "bpe_vocab.txt.gz"  # a model folder may bring its own, as the models of the built-in world do


def load_tokenizer(name: str, architecture: str) -> Any:
    """Return open_clip's tokenizer for a model.

    Parameters
    ----------
    name : str
        Name of the encoder, for the message.
    architecture : str
        One of open_clip's names, or ``local-dir:FOLDER``.

    Returns
    -------
    callable
        From a list of b texts to a (b, context) tensor of tokens.

    Raises
    ------
    ModelError
        If the tokenizer needs a package or a file that is not here.

    Examples
    --------
    >>> load_tokenizer("clip", "ViT-B-16").context_length
    77
    """
    import open_clip

    vocabulary = Path(architecture.removeprefix("local-dir:")) / VOCABULARY
    has_own = architecture.startswith("local-dir:") and vocabulary.is_file()
    try:
        if has_own:
            _check_vocabulary(vocabulary)
        return open_clip.get_tokenizer(architecture, **({"bpe_path": str(vocabulary)} if has_own else {}))
    except Exception as error:  # transformers is missing, or there is no network for its files
        message = one_line(error, 240, with_type=True)
        raise ModelError(f"{name}: its text cannot be tokenised here: {message}") from error


def _check_vocabulary(path: Path) -> None:
    """Raise an error if a compressed vocabulary unpacks to more than `MAX_VOCABULARY` bytes, which it may do to any."""
    unpacked = 0
    with gzip.open(path) as file:
        while chunk := file.read(1 << 20):
            unpacked += len(chunk)
            if unpacked > MAX_VOCABULARY:
                raise ValueError(f"{path.name} unpacks to more than {MAX_VOCABULARY:,} bytes")


def tokenize(name: str, tokenizer: Any, texts: list[str]) -> torch.Tensor:
    """Return the tokens of texts.

    Parameters
    ----------
    name : str
        Name of the encoder, for the message.
    tokenizer : callable
        One of open_clip's.
    texts : list of str
        b texts.

    Returns
    -------
    Tensor, shape (b, context), int64

    Raises
    ------
    ModelError
        If the tokenizer fails.

    Examples
    --------
    >>> tokenize("clip", load_tokenizer("clip", "ViT-B-16"), ["a bird", "a fish"]).shape
    torch.Size([2, 77])
    """
    try:
        return tokenizer(texts)
    except Exception as error:
        message = one_line(error, 240, with_type=True)
        raise ModelError(f"{name}: these texts cannot be tokenised ({some(texts, 3)}): {message}") from error


def truncated_texts(tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """Return which texts are longer than the context of a tokenizer, which then drops their end.

    A text fits if padding follows its end. Any other text is tokenised again with room for one more token: a text that
    fits gets one more padding token and stays the same otherwise.

    Parameters
    ----------
    tokenizer : callable
        One of open_clip's.
    texts : sequence of str
        n texts.

    Returns
    -------
    ndarray, shape (n,), bool

    Examples
    --------
    >>> truncated_texts(load_tokenizer("clip", "ViT-B-16"), ["a bird", "bird " * 100]).tolist()
    [False, True]
    """
    length = tokenizer.context_length
    padding = int(tokenizer([""], context_length=length + 1)[0, -1])
    truncated = np.zeros(len(texts), bool)
    for start in range(0, len(texts), BATCH):
        tokens = np.asarray(tokenizer(list(texts[start : start + BATCH])))
        full = np.flatnonzero((tokens[:, -2:] != padding).any(axis=1))  # the end-of-text token may be the padding too
        if len(full):
            longer = np.asarray(tokenizer([texts[start + int(i)] for i in full], context_length=length + 1))
            truncated[start + full] = (longer[:, -1] != padding) | (longer[:, :-1] != tokens[full]).any(axis=1)
    return truncated


def text_function(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function from tokens to vectors that equals `model.encode_text` and skips positions where it can.

    Parameters
    ----------
    model : torch.nn.Module
        A model of open_clip.

    Returns
    -------
    callable
        From (b, context) tokens to (b, d) vectors, not normalised.

    Examples
    --------
    >>> import open_clip, torch
    >>> image = {"layers": 1, "width": 64, "image_size": 8, "patch_size": 8}
    >>> text = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 9, "context_length": 5}
    >>> model = open_clip.CLIP(16, image, text)
    >>> text_function(model)(torch.tensor([[1, 8, 0, 0, 0], [2, 3, 8, 0, 0]])).shape
    torch.Size([2, 16])
    """
    import open_clip
    import torch
    from open_clip.transformer import TextTransformer

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.model.encode_text(tokens, normalize=False)

    full_length = Tower()
    text: Any
    if type(model) is open_clip.CLIP:
        text, path, pool, end = model, "model", model.text_pool_type, model.text_eos_id
    elif type(model) is open_clip.CustomTextCLIP and type(model.text) is TextTransformer:
        text, path, pool, end = model.text, "model.text", model.text.pool_type, model.text.eos_id
    else:
        return full_length
    if pool not in ("argmax", "eos") or getattr(text, "cls_emb", None) is not None or not _is_causal(text.attn_mask):
        return full_length

    def shortened(tokens: torch.Tensor) -> torch.Tensor:
        is_end = tokens if pool == "argmax" else torch.eq(tokens, end).int()
        length = int(is_end.argmax(dim=-1).max()) + 1
        shorter = {
            f"{path}.positional_embedding": text.positional_embedding[:length],
            f"{path}.attn_mask": text.attn_mask[:length, :length],
        }
        return torch.func.functional_call(full_length, shorter, (tokens[:, :length],))

    return shortened


def _is_causal(mask: torch.Tensor | None) -> bool:
    """Return whether no token sees a later one."""
    import torch

    if mask is None:
        return False
    later = torch.ones_like(mask, dtype=torch.bool).triu(1)
    return bool(torch.isneginf(mask[later]).all())
