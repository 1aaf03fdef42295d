"""The small vocabulary: its merges, and open_clip's tokenizer that reads them."""

import gzip

import numpy as np

from bioclip_probe import world
from bioclip_probe.world import captions, words


def test_merges_are_the_most_frequent_pairs():
    merges = words.learn_merges(["lala lala la", "lo"], 3)
    assert merges == [("l", "a</w>"), ("a", "la</w>"), ("l", "ala</w>")]  # 3 times, then twice each, ties by alphabet
    assert words.learn_merges(["a"], 5) == []


def test_open_clips_tokenizer_reads_the_merges_and_gives_the_words_back(tmp_path):
    from open_clip.tokenizer import SimpleTokenizer

    texts = captions.name_captions(world.taxa(), captions.common_names(240, np.random.default_rng(0)))["taxonomic"]
    merges = words.learn_merges(texts[:100], 200)
    path = tmp_path / "bpe_vocab.txt.gz"
    path.write_bytes(words.merges_file(merges))
    tokens = SimpleTokenizer(str(path), context_length=60)
    assert tokens.vocab_size == words.BYTES + len(merges) + words.SPECIAL
    row = tokens(texts[0])[0]
    assert row.argmax() == (row > 0).sum() - 1  # the end of the text has the highest number: CLIP pools there
    assert tokens.decode(tokens.encode(texts[200])).strip() == texts[200].lower().replace(".", " .")
    assert gzip.decompress(path.read_bytes()).decode().count("\n") == len(merges)
