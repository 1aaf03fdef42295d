"""Captions of the pictures: names and looks."""

import numpy as np

from bioclip_probe import world
from bioclip_probe.world import captions


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
        creature, scene = world.creature(species, 7), world.scene_of(species, 7)
        caption = captions.looks_caption(creature, scene, rng)
        assert not names & set(caption.strip(".").split())
        assert captions.hue_name(creature.hue) in caption
        assert not ("left" in caption and not scene.left)


def test_hues_go_round():
    assert captions.hue_name(0.0) == captions.hue_name(0.999) == "red"
    assert captions.hue_name(1 / 3) == "green"
