"""Trees of Nexus files as Newick, and the names that the files give to the numbers of tips."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bioclip_probe.errors import TreeError
from bioclip_probe.tree.notation import COMMENT, PLAIN, pieces, statements, unquoted, without_comments

_NAME = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
_HEADER = re.compile(r"\s*#NEXUS\b", re.IGNORECASE)
_KEYWORD = re.compile(r"\s*(\w+)")
_TREE_NAME = re.compile(rf"\s*u?tree\s*\*?\s*(?P<name>{_NAME}|\S*)\s*", re.IGNORECASE)
_TRANSLATION = re.compile(rf"\s*(?P<key>{_NAME}|[^\s,]+)\s+(?P<name>{_NAME}|[^,]*[^\s,])\s*(?:,|$)")
_LABEL = re.compile(rf"{_NAME}|\S+")


@dataclass(frozen=True)
class NexusTree:
    """One tree of a Nexus file.

    Attributes
    ----------
    name : str
        Its name in the file, such as ``STATE_1000``.
    newick : str
        As it stands in the file, with its comments.
    names : mapping from str to str
        Names of the tips that the tree gives by a key of the statement ``TRANSLATE``.
    labels : mapping from str to str
        The statement ``TAXLABELS``: a tip may be given by the number of its label, from 1 on. A number that is itself a
        label stands for none.
    n_taxa : int
        The number of labels that the statement ``DIMENSIONS`` announces; 0 if it is not given.
    n_labels : int
        The number of labels that there are.

    Examples
    --------
    >>> tree = NexusTree("one", "(a,2);", {"a": "Pica pica"}, {"1": "Corvus corax", "2": "Corvus corone"})
    >>> tree.tip_name("a"), tree.tip_name("2"), tree.tip_name("b")
    ('Pica pica', 'Corvus corone', 'b')
    """

    name: str
    newick: str
    names: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    n_taxa: int = 0
    n_labels: int = 0

    def tip_name(self, label: str) -> str:
        """Return the name that the label of a tip stands for, or the label itself.

        Parameters
        ----------
        label : str

        Returns
        -------
        str

        Raises
        ------
        TreeError
            If the label is the number of one of ``TAXLABELS``, and there are not as many of these as announced.
        """
        name = self.names.get(label, label)
        if name in self.labels and self.n_taxa not in (0, self.n_labels):
            raise TreeError(
                f"the numbers of tips stand for no certain names: DIMENSIONS announces {self.n_taxa} taxa, and "
                f"TAXLABELS has {self.n_labels} words; put names with blanks into quotes"
            )
        return self.labels.get(name, name)


def is_nexus(text: str) -> bool:
    """Return True if a text is that of a Nexus file.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_nexus("#NEXUS begin trees; end;"), is_nexus("(a,b);")
    (True, False)
    """
    return bool(_HEADER.match(text))


def nexus_trees(text: str) -> Iterator[NexusTree]:
    """Yield the trees of a Nexus text.

    Parameters
    ----------
    text : str

    Yields
    ------
    NexusTree

    Raises
    ------
    TreeError
        If there is no tree, or a quoted name or a comment does not end.

    Examples
    --------
    >>> text = "#NEXUS begin taxa; taxlabels a 'b c'; end; begin trees; tree one = (1:1,2:1); end;"
    >>> [(tree.name, tree.newick, tree.tip_name("2")) for tree in nexus_trees(text)]
    [('one', '(1:1,2:1);', 'b c')]
    """
    header = _HEADER.match(text)
    labels: list[str] = []
    names: dict[str, str] = {}
    by_number: dict[str, str] = {}
    n_taxa, n_trees = 0, 0
    for statement in statements(text[header.end() :] if header else text):
        word = _keyword(statement)
        if word == "dimensions":
            n_taxa = _number_of_taxa(_arguments(statement)) or n_taxa
        elif word == "taxlabels":
            labels = [unquoted(label) for label in _LABEL.findall(_arguments(statement))]
            own = set(labels)
            by_number = {str(i): label for i, label in enumerate(labels, start=1) if str(i) not in own}
        elif word == "translate":
            table = _TRANSLATION.finditer(_arguments(statement))
            names = {unquoted(match["key"]): unquoted(match["name"]) for match in table}
        elif word in ("tree", "utree"):
            name, newick = _name_and_tree(statement)
            if newick:
                n_trees += 1
                yield NexusTree(name, newick, names, by_number, n_taxa, len(labels))
    if not n_trees:
        raise TreeError("a Nexus file without a statement 'tree NAME = …;'")


def _keyword(statement: str) -> str:
    """Return the first word of a statement in lower case."""
    text = next((piece for kind, piece in pieces(statement) if kind == PLAIN and piece.strip()), "")
    match = _KEYWORD.match(text)
    return match[1].lower() if match else ""


def _arguments(statement: str) -> str:
    """Return a statement without comments, its first word and its semicolon."""
    return _KEYWORD.sub("", without_comments(statement), count=1).removesuffix(";")


def _name_and_tree(statement: str) -> tuple[str, str]:
    """Return the name of a tree and its Newick string; only what stands before the equals sign is looked at."""
    head, position = "", 0
    for kind, piece in pieces(statement):
        position += len(piece)
        if kind == PLAIN and "=" in piece:
            before, _, after = piece.partition("=")
            match = _TREE_NAME.fullmatch(head + before)
            return unquoted(match["name"]) if match else "", statement[position - len(after) :].strip()
        head += piece if kind != COMMENT else ""
    return "", ""


def _number_of_taxa(dimensions: str) -> int:
    """Return the number that a statement ``DIMENSIONS`` gives for ``NTAX``, 0 if none."""
    match = re.search(r"ntax\s*=\s*(\d{1,9})\b", dimensions, re.IGNORECASE)
    return int(match[1]) if match else 0
