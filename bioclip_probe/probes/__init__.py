"""Probes: what can be read off frozen embeddings. Each names a taxon for every image it is asked about.

==============  ======================================================================================
`linear`        logistic regression, by `softmax`
`closed_form`   ridge regression and linear discriminants, from moments
`neighbours`    the vote of the nearest images
`centroid`      SimpleShot: the nearest of the means of a few images a taxon
`zero_shot`     the nearest of the names of taxa, which learns nothing
`splits`        who is learnt from and who is asked
`predictions`   what a probe returns
==============  ======================================================================================

To add one that learns from a split, write ``probes/<name>.py`` with a function ``(vectors, labels (R, n), split (R, n))
-> list of R Predictions``, add its line to `CATALOGUE`, and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from bioclip_probe.errors import ProbeError

if TYPE_CHECKING:
    import pandas as pd  # imported where it is used: `--help` would wait for it

SEEN, UNSEEN, SHUFFLED, LEAVE_ONE_OUT = "seen", "unseen", "shuffled", "leave-one-out"
#: What a probe that learns can be asked; the first three by default.
PROTOCOLS = {
    SEEN: "other images of the taxa, and of their children, that it learnt from",
    UNSEEN: "children of its taxa that it never saw, at each rank above species",
    SHUFFLED: "the control task: labels shuffled between child taxa",
    LEAVE_ONE_OUT: "each image by all others, for small collections",
}
DEFAULT_PROTOCOLS = (SEEN, UNSEEN, SHUFFLED)
#: Those that learn from a split of the images have a function; the others are asked in ways of their own.
CATALOGUE = {
    "linear": ("linear:linear", "logistic regression, C chosen on val"),
    "ridge": ("closed_form:ridge", "ridge regression on the taxa, penalty chosen on val"),
    "lda": ("closed_form:lda", "linear discriminant analysis, shrinkage chosen on val"),
    "knn": ("neighbours:knn", "vote of the nearest images, their number chosen on val"),
    "simpleshot": ("", "the nearest of the means of 1 and of 5 images a taxon, five folds"),
    "zero_shot": ("", "the nearest name, and the taxon whose species' names are nearest together; for models of text"),
}
#: What a whole study asks; ridge and lda say little that the linear probe does not.
USUAL = ("linear", "knn", "simpleshot", "zero_shot")
LEARNERS = tuple(name for name, (where, _) in CATALOGUE.items() if where)


def catalogue() -> pd.DataFrame:
    """The probes: name and what it does."""
    import pandas as pd

    return pd.DataFrame([(name, what) for name, (_, what) in CATALOGUE.items()], columns=["name", "what"])


def load(name: str) -> Callable:
    """The probe called `name`, one of those that learn from a split.

    Raises
    ------
    ProbeError
        If there is none of that name.
    """
    check([name])
    if name not in LEARNERS:
        raise ProbeError(f"probe '{name}' does not learn from a split; those that do are {', '.join(LEARNERS)}")
    module, function = CATALOGUE[name][0].split(":")
    return getattr(import_module(f"{__name__}.{module}"), function)


def check(names: Sequence[str], protocols: Sequence[str] = (), shots: Sequence[int] = ()) -> None:
    """Raise `ProbeError` if there is no such probe or protocol, or shots that cannot be asked for."""
    for what, given, known in (("probe", names, CATALOGUE), ("protocol", protocols, PROTOCOLS)):
        for name in given:
            if name not in known:
                near = get_close_matches(name, known, n=3, cutoff=0.4)
                hint = f"did you mean {', '.join(near)}" if near else f"there is {', '.join(known)}"
                raise ProbeError(f"no {what} '{name}'; {hint}?" if near else f"no {what} '{name}'; {hint}")
    if any(k < 1 for k in shots):
        raise ProbeError(f"shots are numbers of images a taxon, at least 1; got {', '.join(map(str, shots))}")
    if shots and protocols and SEEN not in protocols:
        raise ProbeError(f"shots are asked of protocol {SEEN}: name it too")
