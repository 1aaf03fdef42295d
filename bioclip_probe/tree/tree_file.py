"""Files of phylogenies: Newick or Nexus, one tree or a sample of them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bioclip_probe.errors import TreeError
from bioclip_probe.limits import check_declared, max_memory
from bioclip_probe.tree.newick import parse_newick
from bioclip_probe.tree.nexus import NexusTree, is_nexus, nexus_trees
from bioclip_probe.tree.notation import statements, without_comments
from bioclip_probe.tree.tree import Tree

#: The share of a chain that is left out as burn-in, as BEAST's TreeAnnotator does.
BURN_IN = 0.1
#: Programs of Bayesian inference name a tree by the state of the chain: STATE_1000, gen.1000, rep.1000.
_STATE = re.compile(r"(?:state|gen|rep)[_.]?(\d{1,18})", re.IGNORECASE)
#: Bytes that a byte of a file compressed by gzip becomes, where it holds trees; a file that grows by more is an attack.
_MOST_UNPACKED = 200
_UNROOTED = re.compile(r"\s*\[&U\]", re.IGNORECASE)
#: PHYLIP and PAML write the number of tips or of trees above the trees.
_COUNTS = re.compile(r"\s*\d+(?:[ \t]+\d+)?[ \t]*\r?\n(?=\s*[(\[])")


@dataclass(frozen=True, eq=False)
class TreeFile:
    """The trees of a file.

    Attributes
    ----------
    trees : tuple of Tree
        Those that are read, in the order of the file.
    names : tuple of str
        The name of each in the file, such as ``STATE_1000``; of Newick its number, such as ``tree 2``.
    n_trees : int
        The number of trees that the file holds.
    n_burn_in : int
        The number of its first trees that are left out, because the chain that they sample had not settled.
    unrooted : bool
        True if the file says that a tree has no root, by ``[&U]``.

    Examples
    --------
    >>> TreeFile((parse_newick("(a:1,b:1);"),), ("tree 1",), 1).n_burn_in
    0
    """

    trees: tuple[Tree, ...]
    names: tuple[str, ...]
    n_trees: int
    n_burn_in: int = 0
    unrooted: bool = False


def read_tree(path: str | Path, unit: str = "unknown") -> Tree:
    """Return the phylogeny in a Newick or Nexus file, which may be compressed by gzip.

    Parameters
    ----------
    path : str or Path
        A file of one tree.
    unit : str
        The unit of branch lengths, e.g. ``Myr``. The file does not say it.

    Returns
    -------
    Tree
        Tips keep their names. If no branch has a length, every branch counts 1 and the unit is ``branches``.

    Raises
    ------
    TreeError
        If the file is missing, does not parse, or holds several trees, if some branches have a length and others have
        none, if a length is negative, or if a tip has no name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "birds.nwk"
    ...     _ = path.write_text("((Pica_pica:1,Pica_nuttalli:1):2,Corvus_corax:3);")
    ...     read_tree(path, unit="Myr")
    Tree(3 tips, 5 nodes, unit='Myr')
    """
    found = _trees_of(Path(path))
    if len(found) > 1:
        raise TreeError(
            f"{path}: expected one tree, found {len(found)}; read_trees reads them all, or keep one of them"
        )
    return _parsed(path, found[0], 1, unit)


def read_trees(path: str | Path, unit: str = "unknown", at_most: int | None = None) -> list[Tree]:
    r"""Return the trees of a Newick or Nexus file, such as a posterior sample of phylogenies.

    Parameters
    ----------
    path, unit, at_most
        As for `read_tree_file`.

    Returns
    -------
    list of Tree
        The trees of `read_tree_file`.

    Raises
    ------
    TreeError
        As for `read_tree_file`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "birds.nwk"
    ...     _ = path.write_text("((a:1,b:1):2,c:3);\n((a:2,b:2):1,c:3);")
    ...     read_trees(path, unit="Myr")
    [Tree(3 tips, 5 nodes, unit='Myr'), Tree(3 tips, 5 nodes, unit='Myr')]
    """
    return list(read_tree_file(path, unit, at_most).trees)


def read_tree_file(path: str | Path, unit: str = "unknown", at_most: int | None = None) -> TreeFile:
    r"""Return the trees of a Newick or Nexus file with their names and their number.

    Parameters
    ----------
    path : str or Path
        A file of one or more trees, which may be compressed by gzip.
    unit : str
        The unit of branch lengths, e.g. ``Myr``.
    at_most : int, optional
        Read this many trees at most, at equal steps through the file.

    Returns
    -------
    TreeFile
        Of a chain that is given from its first state on, such as ``STATE_0``, the first tenth is burn-in: trees of
        states below a tenth of the last one are left out.

    Raises
    ------
    TreeError
        As for `read_tree`, with the number of the tree.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cats.trees"
    ...     _ = path.write_text("#NEXUS begin trees; tree STATE_0 = (a:1,b:1); tree STATE_9 = (a:2,b:2); end;")
    ...     chain = read_tree_file(path)
    >>> chain.names, chain.n_trees, chain.n_burn_in
    (('STATE_9',), 2, 1)
    """
    found = _trees_of(Path(path))
    n_burn_in = _n_burn_in([tree.name for tree in found])
    step = 1 if at_most is None else max(-(-(len(found) - n_burn_in) // at_most), 1)
    read = range(n_burn_in, len(found), step)
    trees = tuple(_parsed(path, found[number], number + 1, unit, len(found)) for number in read)
    names = tuple(found[number].name or f"tree {number + 1}" for number in read)
    unrooted = any(_UNROOTED.match(found[number].newick) for number in read)
    return TreeFile(trees, names, len(found), n_burn_in, unrooted)


def _parsed(path: str | Path, tree: NexusTree, number: int, unit: str, n_trees: int = 1) -> Tree:
    """Return one tree of a file."""
    try:
        return parse_newick(tree.newick, unit, tree.tip_name)
    except TreeError as error:
        raise TreeError(f"{path}: tree {number}: {error}" if n_trees > 1 else f"{path}: {error}") from None


def _trees_of(path: Path) -> list[NexusTree]:
    """Return the trees of a file as text; those of a Newick file have no name."""
    text = _text_of(path)
    try:
        if is_nexus(text):
            return list(nexus_trees(text))
        return [NexusTree("", newick) for newick in _newick_trees(text)]
    except TreeError as error:
        raise TreeError(f"{path}: {error}") from None


def _newick_trees(text: str) -> Iterator[str]:
    """Yield the trees of a Newick text; if there is none, the text itself."""
    counts = _COUNTS.match(text)
    n_trees = 0
    for statement in statements(text[counts.end() :] if counts else text):
        if statement.endswith(";") or without_comments(statement).strip():
            n_trees += 1
            yield statement
    if not n_trees:
        yield text


def _n_burn_in(names: list[str]) -> int:
    """Return the number of trees at the beginning of a chain that are burn-in."""
    states = [int(match[1]) if (match := _STATE.fullmatch(name)) else -1 for name in names]
    if len(states) < 2 or states[0] not in (0, 1) or states != sorted(states):
        return 0
    return sum(state < BURN_IN * states[-1] for state in states)


def _text_of(path: Path) -> str:
    """Return the text of a file, which may be compressed by gzip."""
    try:
        if path.suffix != ".gz":
            return path.read_text(encoding="utf-8-sig")
        n_bytes = path.stat().st_size
        most = max(max_memory(), _MOST_UNPACKED * n_bytes)
        with gzip.open(path, "rb") as file:
            content = file.read(most + 1)
        check_declared(path, "unpacked text", len(content), n_bytes, _MOST_UNPACKED)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TreeError(f"cannot read the tree {path}: it is not UTF-8 ({error.reason}); save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:  # the latter two: a damaged gzip file
        raise TreeError(f"cannot read the tree {path}: {getattr(error, 'strerror', None) or error}") from error
