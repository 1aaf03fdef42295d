"""Invented names: each is given once, and follows the rules of its rank."""

import numpy as np

from bioclip_probe.world.names import Namer


def test_every_name_is_given_once():
    namer = Namer(np.random.default_rng(0))
    names = [namer.genus()[0] for _ in range(60)] + [namer.higher_taxon("class") for _ in range(60)]
    names += [namer.common_name() for _ in range(60)]
    assert len(set(names)) == len(names)


def test_a_second_family_of_one_stem_gets_another_name():
    namer = Namer(np.random.default_rng(0))
    assert [namer.name_after("Brevant", "idae") for _ in range(2)] == ["Brevantidae", "Brevantelidae"]


def test_an_epithet_agrees_with_its_genus_in_gender():
    namer = Namer(np.random.default_rng(0))
    free = ("ensis", "oides")
    assert all(namer.epithet("Brevantus").endswith(("us", *free)) for _ in range(20))
    assert all(namer.epithet("Brevantella").endswith(("a", *free)) for _ in range(20))
