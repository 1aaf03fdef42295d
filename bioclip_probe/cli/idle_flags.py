"""Flags that were given and do nothing, so that nobody believes that they did."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterator

from bioclip_probe.probes.registry import LEARNERS

#: A model, or a dataset, that is a file of ready vectors.
_READY = re.compile(r"([\w.+-]+=)?vectors:.+", re.DOTALL)
#: Flags of the networks.
_OF_NETWORKS = ("precision", "batch_size", "workers", "preparation", "max_failures")
#: Commands that do nothing after embedding, which other commands do on the same device and engine.
_ONLY_EMBEDDING = ("embed", "taxa")


def idle_flags(options: argparse.Namespace, changed: Collection[str]) -> list[str]:
    """Return a sentence for each flag that does nothing beside the others.

    Parameters
    ----------
    options : Namespace
        The options of a command.
    changed : collection of str
        Names of the options that are not as they are by default.

    Returns
    -------
    list of str

    Examples
    --------
    >>> idle_flags(argparse.Namespace(command="measure", tree=None, tree_unit="Myr"), {"tree_unit"})
    ['--tree-unit does nothing without --tree']
    """
    reasons: dict[str, str] = {}
    for names, reason in _reasons(options):
        for name in names:
            reasons.setdefault(name, reason)
    return [f"--{name.replace('_', '-')} does nothing {reasons[name]}" for name in reasons if name in changed]


def _reasons(options: argparse.Namespace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield names of options, and why they would do nothing in this command."""
    if not getattr(options, "tree", None):
        yield ("tree_unit", "tree_names", "tree_at_genus"), "without --tree"
    if not getattr(options, "confound", ()) and not getattr(options, "within", ()):
        yield ("attributes",), "without --confound or --within"
    if options.command == "card":
        yield ("data",), "in card: its tasks lie in the folder"
    if options.command in _ONLY_EMBEDDING:
        yield ("seed",), f"in {options.command}: nothing is drawn at random"
    if options.command == "card":
        yield ("lineages",), "in card, whose tasks have names of their own"
    if options.command == "board" and not options.verify:
        yield ("store",), "without --verify"
    if options.command == "verify":
        yield from _reasons_of_verifying(options)
    if _all_ready(options):
        only = ("device", "engine") if options.command in _ONLY_EMBEDDING else ()
        yield (*_OF_NETWORKS, *only), "with ready vectors: no network runs"
    if hasattr(options, "protocols"):
        yield from _reasons_of_probing(options)
    elif not getattr(options, "names", True):
        yield ("templates",), "without --names"


def _reasons_of_probing(options: argparse.Namespace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield names of options of probing, and why they would do nothing."""
    protocols, probes = set(options.protocols), set(options.probes)
    if not probes & set(LEARNERS):
        yield ("protocols", "shots", "own_split", "n_deals"), "without a probe that learns from a split"
    if "seen" not in protocols:
        yield ("shots",), "without the protocol seen"
    if not protocols & {"seen", "shuffled"}:
        yield ("own_split",), "without the protocols seen and shuffled"
    if not protocols & {"seen-children", "unseen"}:
        yield ("n_deals",), "without the protocols seen-children and unseen"
    if "zero_shot" not in probes:
        yield ("templates",), "without the probe zero_shot"
    if options.command == "probe" and "simpleshot" not in probes:
        yield ("mode",), "without the probe simpleshot"


def _reasons_of_verifying(options: argparse.Namespace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield names of options of `verify`, and why they would do nothing."""
    if options.depth == "files" or (options.depth is None and options.store is None):
        yield ("tree", "all", "rounding"), "where files alone are checked; --store leads to the numbers"
    if options.depth != "vectors":
        yield ("data", "models", "pictures"), "without --depth vectors"


def _all_ready(options: argparse.Namespace) -> bool:
    """Return True if all models are files of ready vectors."""
    models = getattr(options, "models", None)
    if models is None:
        return False
    return all(_READY.fullmatch(model) for model in models or (options.data,))
