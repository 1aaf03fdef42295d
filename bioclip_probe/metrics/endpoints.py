"""The primary endpoints: the four numbers that a study is judged by, declared before it is run.

A study gives thousands of numbers, and some of them lie beyond chance, or differ between two encoders, by luck. What
is claimed of a model first is therefore fixed here, before any data are seen:

1. **Cophenetic correlation (CPCC)** at species: does the embedding follow the tree at all?
2. **Tree signal (Pagel's λ)** at species: how much of what it says about species is inherited along the tree? The
   effective dimension stands beside it, since one heritable trait has a high λ too.
3. **1-NN purity among other species**, at family: is the nearest image of *another* species a relative?
4. **Macro accuracy for unseen children**, at family, of a linear probe: are genera recognised as members of their
   family that the probe has never seen?

All are of embeddings as they are (not centred) and of all images. The first two are on the phylogeny where the study
has one, else on the taxonomy. Each is tested against its own null, one-sided; models are compared two-sided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TAXONOMY, TRUE_TREE = "taxonomy", "true tree"
#: The rows of the linear probe in a table of measurements.
LINEAR = {"probe": "linear", "split": "test"}


@dataclass(frozen=True)
class Endpoint:
    """A number that a study is judged by.

    Attributes
    ----------
    title : str
        Its heading in the report.
    metric : str
        Name in the registry of metrics.
    rank : str
    split : str
        As in the column of measurements: ``all`` images, or the ``test`` images of a probe.
    probe, protocol : str, optional
        Of the answers that it scores; None for a number of embeddings.
    on_phylogeny : bool
        It is read on the phylogeny where there is one.
    beside : tuple of str
        Metrics without which it should not be read.

    Examples
    --------
    >>> PRIMARY[0].metric
    'cophenetic_correlation'
    """

    title: str
    metric: str
    rank: str
    split: str = "all"
    probe: str | None = None
    protocol: str | None = None
    on_phylogeny: bool = False
    beside: tuple[str, ...] = ()


#: The primary endpoints, in the order in which they are shown.
PRIMARY = (
    Endpoint("CPCC", "cophenetic_correlation", "species", on_phylogeny=True),
    Endpoint("Tree signal", "pagel_lambda", "species", on_phylogeny=True, beside=("effective_dimension",)),
    Endpoint("1-NN among other species", "knn_purity_1_other_species", "family"),
    Endpoint("Unseen children", "macro_accuracy", "family", split="test", probe="linear", protocol="unseen"),
)


def primary_tree(trees: Sequence[str]) -> str:
    """Return the tree on which the endpoints `on_phylogeny` are read.

    Parameters
    ----------
    trees : sequence of str
        The trees of a study, as in the column ``tree`` of measurements.

    Returns
    -------
    str
        The phylogeny that the user gave, else that of the dataset, else ``taxonomy``.

    Examples
    --------
    >>> primary_tree(["taxonomy", "true tree", "birds"]), primary_tree(["taxonomy"])
    ('birds', 'taxonomy')
    """
    given = [tree for tree in trees if tree not in (TAXONOMY, TRUE_TREE)]
    return next(iter(given or [tree for tree in trees if tree == TRUE_TREE]), TAXONOMY)
