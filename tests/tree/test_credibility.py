import numpy as np

from bioclip_probe.tree import Tree
from bioclip_probe.tree.credibility import most_credible
from bioclip_probe.tree.newick import parse_newick


def clades(tree: Tree) -> set[frozenset]:
    tips = [(node, tree.name[node]) for node in tree.tips]
    below = [frozenset(name for tip, name in tips if node <= tip < tree.stop[node]) for node in range(len(tree))]
    return {clade for clade in below if len(clade) > 1}


def by_definition(trees: list[Tree]) -> int:
    """The first tree with the largest product of the frequencies of its clades."""
    own = [clades(tree) for tree in trees]
    scores = [sum(np.log(np.mean([clade in other for other in own])) for clade in each) for each in own]
    return int(np.argmax(np.round(scores, 9)))


def random_tree(rng: np.random.Generator, n_tips: int) -> Tree:
    parts = [f"t{i}:1" for i in range(n_tips)]
    while len(parts) > 1:
        first, second = (parts.pop(rng.integers(len(parts))) for _ in range(2))
        parts.append(f"({first},{second}):1")
    return parse_newick(parts[0].removesuffix(":1") + ";")


def test_the_most_credible_tree_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    for n_tips in (3, 4, 4, 5, 5, 5):
        trees = [random_tree(rng, n_tips) for _ in range(8)]
        assert most_credible(trees) == by_definition(trees)


def test_an_odd_tree_is_not_taken_and_one_tree_is():
    texts = ["((a,d),(b,c));", "((a,b),(c,d));", "((b,a),(d,c));"]
    assert most_credible([parse_newick(text) for text in texts]) == 1
    assert most_credible([parse_newick(texts[0])]) == 0
