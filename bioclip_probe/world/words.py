"""A small vocabulary for open_clip's own tokenizer: byte-pair merges learned from the world's captions.

CLIP's vocabulary has 49,408 entries, which would make up most of the weights of so small a model. open_clip's
`SimpleTokenizer` reads its merges from a file. This module writes a short one, `bpe_vocab.txt.gz`, which lies beside
the weights.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

BYTES = 512  # the tokenizer has 256 bytes, each inside a word and at the end of one
SPECIAL = 2  # start and end of text


def learn_merges(captions: Iterable[str], n: int) -> list[tuple[str, str]]:
    """Return the most frequent successive merges of two pieces of a word.

    Parameters
    ----------
    captions : iterable of str
    n : int
        Number of merges; there may be fewer where the words end.

    Returns
    -------
    list of (str, str)
        Of equally frequent pairs, the alphabetically first comes first.

    References
    ----------
    Sennrich, Haddow and Birch 2016, ACL, Algorithm 1.

    Examples
    --------
    >>> learn_merges(["lala la"], 1)
    [('l', 'a</w>')]
    """
    words = Counter(word for caption in captions for word in re.findall(r"[a-z]+", caption.lower()))
    split = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < n:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in split.items():
            for pair in pairwise(parts):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word, parts in split.items():
            if best[0] in parts:
                split[word] = _merge(parts, best)
    return merges


def _merge(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """Return the pieces of a word with a pair merged wherever it occurs."""
    out: list[str] = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out


def merges_file(merges: list[tuple[str, str]]) -> bytes:
    """Return the content of a file of merges, as open_clip's `SimpleTokenizer` reads it.

    Parameters
    ----------
    merges : list of (str, str)

    Returns
    -------
    bytes
        Gzipped; a heading in the first line, no newline at the end.

    Examples
    --------
    >>> gzip.decompress(merges_file([("l", "a</w>")])).decode().splitlines()[1]
    'l a</w>'
    """
    text = "\n".join(["#bioclip_probe world", *(" ".join(pair) for pair in merges)])
    return gzip.compress(text.encode(), mtime=0)
