"""Phylogenies in and out, by way of ete3, which is imported here and nowhere else."""

from __future__ import annotations

import gzip
import math
import re
import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bioclip_probe.errors import TreeError, some
from bioclip_probe.tree.tree import NO_RANK, Tree

if TYPE_CHECKING:
    import ete3


def _ete3():
    with warnings.catch_warnings():
        # ete3 3.1.3 has invalid escape sequences and, up to Python 3.12, imports the deprecated `cgi`.
        warnings.simplefilter("ignore")
        import ete3
    return ete3


def read_tree(path: str | Path, unit: str = "unknown") -> Tree:
    """A phylogeny from a Newick or Nexus file (also gzipped).

    Parameters
    ----------
    path : str or Path
        Of a file that holds one tree; of a Nexus file, its first tree is read.
    unit : str
        What a branch length is, e.g. ``Myr``; the file does not say.

    Returns
    -------
    Tree
        Tips keep their names; where no branch has a length, every branch counts 1 and the unit is ``branches``.

    Raises
    ------
    TreeError
        If the file is missing or does not parse, if some branches have a length and others not, if a length is
        negative, or if two tips share a name or one has none.
    """
    path = Path(path)
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:  # the middle two: a damaged gzip file
        raise TreeError(f"cannot read the tree {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        return parse_newick(_first_of_nexus(text) if text.lstrip()[:6].upper() == "#NEXUS" else text, unit)
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from None


def parse_newick(text: str, unit: str = "unknown") -> Tree:
    """A phylogeny from a Newick string; see `read_tree`."""
    text, quoted = _hide_quotes(text)
    text = re.sub(r"\s+", " ", text)  # ete3 drops tabs and line ends, also from within a name
    text = re.sub(r"(:\s*)\.(?=\d)", r"\g<1>0.", text)  # ete3 takes .5 for no number
    if not text.endswith(";") or text == ";":
        line = " ".join(text.split())
        found = f"'{line[:20]} … {line[-20:]}'" if len(line) > 40 else f"'{line}'" if line else "nothing"
        raise TreeError(f"expected one Newick tree that ends with ';', found {found}")
    if text.count(";") > 1:
        raise TreeError(f"expected one Newick tree, found {text.count(';')}; keep one of them")
    if open_quote := re.search(r"(?:^|[(),])\s*(['\"].{0,20})", text):
        raise TreeError(f"not a Newick tree (a quote that does not end: {open_quote[1]} …)")
    ete3 = _ete3()

    class Node(ete3.TreeNode):
        """A node whose length is NaN until one is read: ete3's own default of 1 hides what is missing."""

        def __init__(self, *args, dist=math.nan, **kwargs):
            super().__init__(*args, dist=dist, **kwargs)

    try:
        root = ete3.parser.newick.read_newick(text, root_node=Node(), format=1)
    except Exception as error:  # ete3 raises whatever comes, also IndexError and AttributeError
        raise TreeError(f"not a Newick tree ({_first_line(error)})") from None
    nodes = list(root.traverse("preorder"))
    index = {id(node): i for i, node in enumerate(nodes)}
    parent = np.array([-1] + [index[id(node.up)] for node in nodes[1:]], dtype=np.int64)
    length = np.array([0.0] + [node.dist for node in nodes[1:]])
    names = [quoted.get(node.name, node.name) for node in nodes]
    tips = [name for name, node in zip(names, nodes, strict=True) if not node.children]
    twice = [name for name, count in Counter(tips).items() if count > 1]
    if twice:
        raise TreeError(f"every tip needs a name of its own; {len(twice)} are given more than once: {some(twice)}")
    if "" in tips:
        raise TreeError("every tip needs a name; one has none")
    missing = np.isnan(length)
    if missing[1:].all() and len(nodes) > 1:
        length, unit = np.where(np.arange(len(nodes)) > 0, 1.0, 0.0), "branches"
    elif missing.any():
        raise TreeError(f"{int(missing.sum())} of {len(nodes) - 1} branches have no length; give all or none")
    return Tree(parent, length, np.array(names, dtype=object), np.full(len(nodes), NO_RANK), unit)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:120] if lines else type(error).__name__


def _hide_quotes(text: str) -> tuple[str, dict[str, str]]:
    """Newick without comments, its quoted names replaced by keys, and the name of each key.

    ete3 knows neither a doubled quote within quotes nor an apostrophe within a plain name.
    """
    names: dict[str, str] = {}

    def hidden(match: re.Match) -> str:
        if match["name"] is None:
            return ""
        key = f"\ue000{len(names)}"  # of Unicode's private use area: no one's name
        quote = match["name"][0]
        names[key] = match["name"][1:-1].replace(quote * 2, quote)
        return match["before"] + key

    return _QUOTED_OR_COMMENT.sub(hidden, text).strip(), names


_COMMENT = r"\[[^\]]*\]"
#: A quoted name, which begins where a name can begin, or a comment, which may hold anything.
_QUOTED_OR_COMMENT = re.compile(
    rf"""(?P<before>^|[(),])(?:\s|{_COMMENT})*(?P<name>'(?:[^']|'')*'|"(?:[^"]|"")*")|{_COMMENT}"""
)


def _first_of_nexus(text: str) -> str:
    """The first tree of a Nexus file as Newick, its translated names put back."""
    text = re.sub(rf"('[^']*')|{_COMMENT}", lambda match: match[1] or "", text)
    if text.count("'") % 2:
        raise TreeError("a Nexus file with a quote that does not end")
    names: dict[str, str] = {}
    for statement in re.findall(r"(?:'[^']*'|[^';])+", text):
        if table := re.match(r"\s*translate\s(.*)", statement, re.IGNORECASE | re.DOTALL):
            names = dict(re.findall(r"([^\s,]+)\s+((?:'[^']*')+|[^\s,]+)", table[1]))
        elif re.match(r"\s*u?tree\s[^=]*=", statement, re.IGNORECASE):
            newick = statement.split("=", 1)[1] + ";"
            return _translated(newick, names)
    raise TreeError("a Nexus file without a statement 'tree NAME = …;'")


def _translated(newick: str, names: dict[str, str]) -> str:
    return re.sub(r"(?<=[(,])\s*([^\s(),:;']+)", lambda match: names.get(match[1], match[1]), newick)


def to_ete3(tree: Tree) -> ete3.TreeNode:
    """The same tree as an ``ete3.TreeNode``, for those who draw with it; nodes have features ``rank`` and ``index``."""
    ete3 = _ete3()
    nodes = [
        ete3.TreeNode(name=str(name), dist=float(length)) for name, length in zip(tree.name, tree.length, strict=True)
    ]
    for i, node in enumerate(nodes):
        node.add_features(rank=int(tree.rank[i]), index=i)
        if i:
            nodes[tree.parent[i]].add_child(node, dist=node.dist)
    return nodes[0]
