"""Flags that do nothing say so."""

from __future__ import annotations

import pytest

from bioclip_probe.cli.idle_flags import idle_flags
from bioclip_probe.cli.parser import build_parser

IDLE = {
    "unit of no tree": ("measure --tree-unit Myr", ["--tree-unit does nothing without --tree"]),
    "names for no tree": ("measure --tree-at-genus", ["--tree-at-genus does nothing without --tree"]),
    "unit of a tree": ("measure --tree birds.nwk --tree-unit Myr", []),
    "columns of nothing": ("measure --attributes a.csv", ["--attributes does nothing without --confound or --within"]),
    "columns of something": ("measure --attributes a.csv --confound place", []),
    "seed of embedding": ("embed --seed 3", ["--seed does nothing in embed: nothing is drawn at random"]),
    "ready vectors": (
        "embed --data vectors:a.npz --device cuda --precision bf16",
        [
            "--precision does nothing with ready vectors: no network runs",
            "--device does nothing with ready vectors: no network runs",
        ],
    ),
    "ready vectors of models": (
        "measure --data world --models mine=vectors:a.npz --batch-size 8 --device cuda",
        ["--batch-size does nothing with ready vectors: no network runs"],
    ),
    "a network beside ready vectors": ("measure --data vectors:a.npz --models vectors:a.npz clip --batch-size 8", []),
    "templates of no names": ("measure --templates openai", ["--templates does nothing without --names"]),
    "templates of names": ("measure --names --templates openai", []),
    "shots of no learner": (
        "probe --protocols unseen --shots 1 5 --own-split",
        [
            "--shots does nothing without the protocol seen",
            "--own-split does nothing without the protocols seen and shuffled",
        ],
    ),
    "deals of no children": (
        "probe --protocols seen --n-deals 9",
        ["--n-deals does nothing without the protocols seen-children and unseen"],
    ),
    "mode of no folds": ("probe --mode paper", ["--mode does nothing without the probe simpleshot"]),
    "protocols of no learner": (
        "probe --probes zero_shot --protocols unseen --n-deals 9 --shots 3",
        [
            f"--{flag} does nothing without a probe that learns from a split"
            for flag in ("protocols", "n-deals", "shots")
        ],
    ),
    "data of a card": ("card tasks --data world", []),
    "other data of a card": ("card tasks --data x", ["--data does nothing in card: its tasks lie in the folder"]),
    "a tree where files are checked": (
        "verify out --tree birds.nwk --all --pictures 4",
        [
            "--tree does nothing where files alone are checked; --store leads to the numbers",
            "--all does nothing where files alone are checked; --store leads to the numbers",
            "--pictures does nothing without --depth vectors",
        ],
    ),
    "a tree where numbers are checked": (
        "verify out --store store --tree birds.nwk --data birds",
        ["--data does nothing without --depth vectors"],
    ),
    "all of a verification": ("verify out --store s --depth vectors --tree birds.nwk --data birds --pictures 4", []),
    "nothing": ("reproduce", []),
    "a command without models": ("status store", []),
}


@pytest.mark.parametrize("case", IDLE)
def test_flags_that_do_nothing_are_named(case):
    line, sentences = IDLE[case]
    parser = build_parser()
    options = parser.parse_args(line.split())
    assert sorted(idle_flags(options, parser.changed(options))) == sorted(sentences)
