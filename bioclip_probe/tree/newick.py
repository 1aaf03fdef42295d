"""Phylogenies read from Newick by way of ete3, which no other module imports."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bioclip_probe.errors import TreeError, some
from bioclip_probe.limits import check_declared
from bioclip_probe.tree.notation import COMMENT, QUOTED, pieces, unquoted
from bioclip_probe.tree.tree import NO_RANK, Tree

_END_OF_MESSAGE = 120
#: Memory that a node takes while ete3 parses, and that a byte of a tree with names and lengths becomes at most.
_NODE_BYTES, _GROWTH = 2048, 400
#: Stands for a quoted name while ete3 parses: a character of Unicode's private use area, which no name has.
_KEY = re.compile("\ue000\\d+\ue000")


def parse_newick(text: str, unit: str = "unknown", tip_name: Callable[[str], str] | None = None) -> Tree:
    """Return the phylogeny in a Newick string.

    Parameters
    ----------
    text : str
        One tree that ends with ``;``. Comments in ``[]`` are dropped, which may be nested; names may be quoted.
    unit : str
        The unit of branch lengths.
    tip_name : callable, optional
        Function that returns the name of a tip from its label; by default the label is the name.

    Returns
    -------
    Tree
        Tips keep their names, and several tips may have the same. If no branch has a length, every branch counts 1 and
        the unit is ``branches``.

    Raises
    ------
    TreeError
        If the text does not parse, if some branches have a length and others have none, if a length is negative, or if
        a tip has no name.
    DataError
        If the tree would take more memory than allowed, see `limits`.

    Examples
    --------
    >>> parse_newick("((a:1,b:1):2,c:3);").name.tolist()
    ['', '', 'a', 'b', 'c']
    >>> parse_newick("(a:1,b);")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.TreeError: 1 of 2 branches have no length: b; give all or none
    """
    text, quoted_names = _without_comments_and_quotes(text)
    text = re.sub(r"\s+", " ", text)  # ete3 drops tabs and line ends, also from within a name
    text = re.sub(r"(:\s*)\.(?=\d)", r"\g<1>0.", text)  # ete3 does not take .5 for a number
    _check_one_tree(text)
    n_nodes = text.count("(") + text.count(",")
    check_declared("a Newick tree", f"{n_nodes:,} nodes", n_nodes * _NODE_BYTES, len(text), _GROWTH)
    nodes = list(_parsed_by_ete3(text, quoted_names).traverse("preorder"))
    index = {id(node): i for i, node in enumerate(nodes)}
    parent = np.array([-1] + [index[id(node.up)] for node in nodes[1:]], dtype=np.int64)
    length = np.array([0.0] + [node.dist for node in nodes[1:]])
    names = [quoted_names.get(node.name, node.name) for node in nodes]
    if tip_name is not None:
        names = [name if node.children else tip_name(name) for name, node in zip(names, nodes, strict=True)]
    if any(not name for name, node in zip(names, nodes, strict=True) if not node.children):
        raise TreeError("every tip needs a name; one has none")
    missing = np.isnan(length)
    if missing[1:].all() and len(nodes) > 1:
        length, unit = np.where(np.arange(len(nodes)) > 0, 1.0, 0.0), "branches"
    elif missing.any():
        lacking = [_called(nodes[i], names[i], quoted_names) for i in np.flatnonzero(missing)]
        raise TreeError(
            f"{len(lacking)} of {len(nodes) - 1} branches have no length: {some(lacking)}; give all or none"
        )
    return Tree(parent, length, np.array(names, dtype=object), np.full(len(nodes), NO_RANK), unit)


def to_ete3(tree: Tree) -> Any:
    """Return the same tree as a tree of ete3, which can draw it.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    ete3.TreeNode
        The root. Every node has the features ``rank`` and ``index``, its node in `tree`.

    Examples
    --------
    >>> to_ete3(parse_newick("((a:1,b:1):2,c:3);")).write(format=1)
    '((a:1,b:1):2,c:3);'
    """
    ete3 = _import_ete3()
    nodes = [
        ete3.TreeNode(name=str(name), dist=float(length)) for name, length in zip(tree.name, tree.length, strict=True)
    ]
    for i, node in enumerate(nodes):
        node.add_features(rank=int(tree.rank[i]), index=i)
        if i:
            nodes[tree.parent[i]].add_child(node, dist=node.dist)
    return nodes[0]


def _import_ete3() -> ModuleType:
    """Import ete3 without its warnings."""
    with warnings.catch_warnings():
        # ete3 3.1.3 has invalid escape sequences and, up to Python 3.12, imports the deprecated `cgi`.
        warnings.simplefilter("ignore")
        import ete3
    return ete3


def _parsed_by_ete3(text: str, quoted_names: dict[str, str]) -> Any:
    """Return the root of a Newick tree as ete3 parses it; the length of a branch without one is NaN."""
    ete3 = _import_ete3()
    tree_node: Any = ete3.TreeNode

    class Node(tree_node):
        """A node whose length is NaN until one is read. The default of ete3, 1, would hide that it is missing."""

        def __init__(self, *args: Any, dist: float = math.nan, **kwargs: Any) -> None:
            super().__init__(*args, dist=dist, **kwargs)

    try:
        return ete3.parser.newick.read_newick(text, root_node=Node(), format=1)
    except Exception as error:  # ete3 raises many kinds of errors, also IndexError and AttributeError
        line = _KEY.sub(lambda key: quoted_names.get(key[0], ""), _first_line(error))
        raise TreeError(f"not a Newick tree ({line})") from None


def _check_one_tree(text: str) -> None:
    """Raise `TreeError` if a text is not one Newick tree at first sight."""
    if not text.endswith(";") or text == ";":
        line = " ".join(text.split())
        beginning = f"'{line[:20]} … {line[-20:]}'" if len(line) > 40 else f"'{line}'" if line else "nothing"
        raise TreeError(f"expected one Newick tree that ends with ';', found {beginning}")
    if text.count(";") > 1:
        raise TreeError(f"expected one Newick tree, found {text.count(';')}; keep one of them")


def _called(node: Any, name: str, quoted_names: dict[str, str]) -> str:
    """Return the name of a node for a message, or where it is."""
    if name:
        return name
    tips = [node, node]
    for side, child in enumerate((0, -1)):
        while tips[side].children:
            tips[side] = tips[side].children[child]
    first, last = (quoted_names.get(tip.name, tip.name) for tip in tips)
    return f"the node above {first} and {last}"


def _first_line(error: Exception) -> str:
    """Return the first line of a message of ete3 that is not empty, or the type of the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:_END_OF_MESSAGE] if lines else type(error).__name__


def _without_comments_and_quotes(text: str) -> tuple[str, dict[str, str]]:
    """Return the Newick string without comments and with keys for its quoted names, and the name of each key.

    ete3 knows neither a doubled quote within quotes nor an apostrophe within a plain name.
    """
    names: dict[str, str] = {}
    parts, before = [], ""  # `before` is the last character that is no blank
    for kind, piece in pieces(text):
        if kind == COMMENT:
            continue
        if kind == QUOTED and before in ("", "(", ",", ")"):
            key = f"\ue000{len(names)}\ue000"
            names[key] = unquoted(piece)
            piece = key
        parts.append(piece)
        before = piece.rstrip()[-1:] or before
    return "".join(parts).strip(), names
