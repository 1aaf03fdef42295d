"""Answers across ranks, written out plainly, an image at a time. Holes and ranks without an answer are None."""

from itertools import pairwise


def known(truth, predicted):
    """Ranks at which an image has a name and an answer, top down."""
    return [r for r in range(len(truth)) if truth[r] is not None and predicted[r] is not None]


def all_right(truth, predicted):
    return all(truth[r] == predicted[r] for r in known(truth, predicted))


def right_prefix(truth, predicted):
    length = 0
    for r in known(truth, predicted):
        if truth[r] != predicted[r]:
            break
        length += 1
    return length


def consistent_pairs(truth, predicted):
    ranks = known(truth, predicted)
    both = [truth[a] == predicted[a] and truth[b] == predicted[b] for a, b in pairwise(ranks)]
    return sum(both) / len(both)


def lineage(tree, node):
    """The taxon of each rank at or above a node, None where there is none."""
    found = [None] * 7
    while node > 0:
        found[tree.rank[node]] = int(node)
        node = int(tree.parent[node])
    return found


def inside_above(tree, truth, predicted, r):
    """Whether the answer at rank r lies in the answer at the next known rank up that the tree has; None if none."""
    if r not in known(truth, predicted):
        return None
    above = lineage(tree, predicted[r])
    for q in reversed(range(r)):
        if q in known(truth, predicted) and above[q] is not None:
            return above[q] == predicted[q]
    return None


def ranks_apart(tree, a, b, r):
    """Ranks from two taxa of rank r up to the lowest taxon that holds both; the root is one above the kingdoms."""
    mine, other = lineage(tree, a), lineage(tree, b)
    shared = [q for q in range(r + 1) if mine[q] is not None and mine[q] == other[q]]
    return r - max(shared, default=-1)
