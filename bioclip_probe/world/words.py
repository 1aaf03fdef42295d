"""A small vocabulary for open_clip's own tokenizer: byte-pair merges learned from the world's captions.

CLIP's vocabulary has 49,408 entries, most of the weight of so small a model. open_clip's `SimpleTokenizer` reads its
merges from a file; this writes a short one, `bpe_vocab.txt.gz`, to lie beside the weights.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

BYTES = 512  # the tokenizer's 256 bytes, each inside a word and at its end
SPECIAL = 2  # start and end of text


def learn_merges(captions: Iterable[str], n: int) -> list[tuple[str, str]]:
    """The `n` (or fewer) most frequent successive pair merges; ties go to the alphabetically first pair.

    References
    ----------
    Sennrich, Haddow and Birch 2016, ACL, Algorithm 1.
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
                split[word] = _merged(parts, best)
    return merges


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out


def merges_file(merges: list[tuple[str, str]]) -> bytes:
    """The merges as SimpleTokenizer reads them: gzipped, a line of heading first, no newline at the end."""
    text = "\n".join(["#bioclip_probe world", *(" ".join(pair) for pair in merges)])
    return gzip.compress(text.encode(), mtime=0)
