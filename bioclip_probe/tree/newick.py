"""Phylogenies read from Newick and Nexus by way of ete3, which no other module imports."""

from __future__ import annotations

import gzip
import math
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bioclip_probe.errors import TreeError, some
from bioclip_probe.tree.tree import NO_RANK, Tree

_COMMENT = r"\[[^\]]*\]"
#: A quoted name, which begins where a name can begin, or a comment, which may hold anything.
_QUOTED_OR_COMMENT = re.compile(
    rf"""(?P<before>^|[(),])(?:\s|{_COMMENT})*(?P<name>'(?:[^']|'')*'|"(?:[^"]|"")*")|{_COMMENT}"""
)
_END_OF_MESSAGE = 120


def read_tree(path: str | Path, unit: str = "unknown") -> Tree:
    """Return the phylogeny in a Newick or Nexus file, which may be compressed by gzip.

    Parameters
    ----------
    path : str or Path
        A file of one tree. Of a Nexus file, its first tree is read.
    unit : str
        The unit of branch lengths, e.g. ``Myr``. The file does not say it.

    Returns
    -------
    Tree
        Tips keep their names. If no branch has a length, every branch counts 1 and the unit is ``branches``.

    Raises
    ------
    TreeError
        If the file is missing or does not parse, if some branches have a length and others have none, if a length is
        negative, if two tips share a name, or if a tip has none.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "birds.nwk"
    ...     _ = path.write_text("((Pica_pica:1,Pica_nuttalli:1):2,Corvus_corax:3);")
    ...     read_tree(path, unit="Myr")
    Tree(3 tips, 5 nodes, unit='Myr')
    """
    text = _text_of(Path(path))
    try:
        return parse_newick(next(_nexus_trees(text)) if _is_nexus(text) else text, unit)
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from None


def read_trees(path: str | Path, unit: str = "unknown", at_most: int | None = None) -> list[Tree]:
    r"""Return all trees of a Newick or Nexus file, such as a posterior sample of phylogenies.

    Parameters
    ----------
    path : str or Path
        A file of one or more trees, which may be compressed by gzip.
    unit : str
        The unit of branch lengths, e.g. ``Myr``.
    at_most : int, optional
        Read this many trees at most, at equal steps through the file from its first tree on.

    Returns
    -------
    list of Tree
        In the order of the file, each as `read_tree` returns it.

    Raises
    ------
    TreeError
        As for `read_tree`, with the number of the tree.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "birds.nwk"
    ...     _ = path.write_text("((a:1,b:1):2,c:3);\n((a:2,b:2):1,c:3);")
    ...     read_trees(path, unit="Myr")
    [Tree(3 tips, 5 nodes, unit='Myr'), Tree(3 tips, 5 nodes, unit='Myr')]
    """
    text = _text_of(Path(path))
    trees, number = [], 0
    try:
        texts = list(_nexus_trees(text) if _is_nexus(text) else _newick_trees(text))
        step = 1 if at_most is None else max(-(-len(texts) // at_most), 1)
        for number in range(0, len(texts), step):
            trees.append(parse_newick(texts[number], unit))
    except TreeError as error:
        raise TreeError(f"{path}: tree {number + 1}: {error}" if number else f"{path}: {error}") from None
    return trees


def _text_of(path: Path) -> str:
    """Return the text of a file, which may be compressed by gzip."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig") as file:
                return file.read()
        return path.read_text(encoding="utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:  # the middle two: a damaged gzip file
        raise TreeError(f"cannot read the tree {path}: {getattr(error, 'strerror', None) or error}") from error


def _is_nexus(text: str) -> bool:
    return text.lstrip()[:6].upper() == "#NEXUS"


def parse_newick(text: str, unit: str = "unknown") -> Tree:
    """Return the phylogeny in a Newick string.

    Parameters
    ----------
    text : str
        One tree that ends with ``;``. Comments in ``[]`` are dropped; names may be quoted.
    unit : str
        The unit of branch lengths.

    Returns
    -------
    Tree
        As for `read_tree`.

    Raises
    ------
    TreeError
        As for `read_tree`.

    Examples
    --------
    >>> parse_newick("((a:1,b:1):2,c:3);").name.tolist()
    ['', '', 'a', 'b', 'c']
    >>> parse_newick("(a:1,b);")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.TreeError: 1 of 2 branches have no length; give all or none
    """
    text, quoted_names = _hide_quotes(text)
    text = re.sub(r"\s+", " ", text)  # ete3 drops tabs and line ends, also from within a name
    text = re.sub(r"(:\s*)\.(?=\d)", r"\g<1>0.", text)  # ete3 does not take .5 for a number
    _check_one_tree(text)
    nodes = list(_parsed_by_ete3(text).traverse("preorder"))
    index = {id(node): i for i, node in enumerate(nodes)}
    parent = np.array([-1] + [index[id(node.up)] for node in nodes[1:]], dtype=np.int64)
    length = np.array([0.0] + [node.dist for node in nodes[1:]])
    names = [quoted_names.get(node.name, node.name) for node in nodes]
    _check_tip_names([name for name, node in zip(names, nodes, strict=True) if not node.children])
    missing = np.isnan(length)
    if missing[1:].all() and len(nodes) > 1:
        length, unit = np.where(np.arange(len(nodes)) > 0, 1.0, 0.0), "branches"
    elif missing.any():
        raise TreeError(f"{int(missing.sum())} of {len(nodes) - 1} branches have no length; give all or none")
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


def _parsed_by_ete3(text: str) -> Any:
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
        raise TreeError(f"not a Newick tree ({_first_line(error)})") from None


def _check_one_tree(text: str) -> None:
    """Raise `TreeError` if a text is not one Newick tree at first sight."""
    if not text.endswith(";") or text == ";":
        line = " ".join(text.split())
        beginning = f"'{line[:20]} … {line[-20:]}'" if len(line) > 40 else f"'{line}'" if line else "nothing"
        raise TreeError(f"expected one Newick tree that ends with ';', found {beginning}")
    if text.count(";") > 1:
        raise TreeError(f"expected one Newick tree, found {text.count(';')}; keep one of them")
    if open_quote := re.search(r"(?:^|[(),])\s*(['\"].{0,20})", text):
        raise TreeError(f"not a Newick tree (a quote that does not end: {open_quote[1]} …)")


def _check_tip_names(tips: list[str]) -> None:
    """Raise `TreeError` if two tips share a name or one has none."""
    repeated = [name for name, count in Counter(tips).items() if count > 1]
    if repeated:
        raise TreeError(
            f"every tip needs a name of its own; {len(repeated)} are given more than once: {some(repeated)}"
        )
    if "" in tips:
        raise TreeError("every tip needs a name; one has none")


def _first_line(error: Exception) -> str:
    """Return the first line of a message of ete3 that is not empty, or the type of the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:_END_OF_MESSAGE] if lines else type(error).__name__


def _hide_quotes(text: str) -> tuple[str, dict[str, str]]:
    """Return the Newick string without comments and with keys for its quoted names, and the name of each key.

    ete3 knows neither a doubled quote within quotes nor an apostrophe within a plain name.
    """
    names: dict[str, str] = {}

    def key_or_nothing(match: re.Match[str]) -> str:
        if match["name"] is None:
            return ""
        key = f"\ue000{len(names)}"  # a character of Unicode's private use area, which no name has
        quote = match["name"][0]
        names[key] = match["name"][1:-1].replace(quote * 2, quote)
        return match["before"] + key

    return _QUOTED_OR_COMMENT.sub(key_or_nothing, text).strip(), names


def _newick_trees(text: str) -> Iterator[str]:
    """Yield the trees of a Newick text. A semicolon in a quoted name or a comment ends no tree."""
    start = 0
    for match in re.finditer(rf"{_QUOTED_OR_COMMENT.pattern}|(?P<end>;)", text):
        if match["end"]:
            yield text[start : match.end()]
            start = match.end()
    if text[start:].strip() or not start:
        yield text[start:]


def _nexus_trees(text: str) -> Iterator[str]:
    """Yield the trees of a Nexus file as Newick, with the names of its translation table."""
    text = re.sub(rf"('[^']*')|{_COMMENT}", lambda match: match[1] or "", text)
    if text.count("'") % 2:
        raise TreeError("a Nexus file with a quote that does not end")
    names: dict[str, str] = {}
    found = False
    for statement in re.findall(r"(?:'[^']*'|[^';])+", text):
        if table := re.match(r"\s*translate\s(.*)", statement, re.IGNORECASE | re.DOTALL):
            names = dict(re.findall(r"([^\s,]+)\s+((?:'[^']*')+|[^\s,]+)", table[1]))
        elif re.match(r"\s*u?tree\s[^=]*=", statement, re.IGNORECASE):
            found = True
            yield _with_names(statement.split("=", 1)[1] + ";", names)
    if not found:
        raise TreeError("a Nexus file without a statement 'tree NAME = …;'")


def _with_names(newick: str, names: dict[str, str]) -> str:
    """Return a Newick string with the key of each tip replaced by its name."""
    return re.sub(r"(?<=[(,])\s*([^\s(),:;']+)", lambda match: names.get(match[1], match[1]), newick)
