"""What is written under the pictures, and the small vocabulary it is read with."""

import gzip

import numpy as np

from bioclip_probe import world
from bioclip_probe.world import captions, words


def test_the_five_text_types_say_what_bioclips_say():
    taxa = world.taxa().iloc[:2]
    written = captions.name_captions(taxa, np.array(["merry puddlewing", ""], dtype=object))
    assert tuple(written) == captions.TEXT_TYPES
    lineage = taxa.iloc[0].tolist()
    taxonomic = " ".join([*lineage[:6], lineage[6]]).replace(f"{lineage[5]} {lineage[5]}", lineage[5])
    assert [texts[0] for texts in written.values()] == [
        f"a photo of {lineage[6]}.",
        "a photo of merry puddlewing.",
        f"a photo of {taxonomic}.",
        f"a photo of {lineage[6]} with common name merry puddlewing.",
        f"a photo of {taxonomic} with common name merry puddlewing.",
    ]
    assert written["common"][1] == written["scientific"][1] == written["scientific_common"][1]
    assert written["taxonomic_common"][1] == written["taxonomic"][1]


def test_common_names_are_unique_and_not_for_all():
    names = captions.common_names(240, np.random.default_rng(0))
    given = [name for name in names if name]
    assert len(given) == len(set(given))
    assert 0.6 < len(given) / 240 < 0.8


def test_captions_of_looks_hold_no_name_and_what_is_seen():
    taxa, rng = world.taxa(), np.random.default_rng(0)
    names = {word.lower() for name in taxa.to_numpy().ravel() for word in name.split()}
    for species in range(0, 240, 5):
        one, view = world.creature(species, 7), world.circumstances(species, 7)
        caption = captions.looks_caption(one, view, rng)
        assert not names & set(caption.strip(".").split())
        assert captions.hue_name(one.hue) in caption
        assert not ("left" in caption and not view.left)


def test_hues_go_round():
    assert captions.hue_name(0.0) == captions.hue_name(0.999) == "red"
    assert captions.hue_name(1 / 3) == "green"


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
