"""The spread of the tree signal over a sample of phylogenies."""

from dataclasses import replace

import numpy as np

from bioclip_probe import metrics
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.study.tree_samples import measure_tree_samples
from bioclip_probe.tree import Placement
from tests.support.settings import FEW


def test_the_value_is_the_median_over_the_trees_and_the_note_gives_their_range(sample):
    (name, (placement, _)), *_ = sample.trees.items()
    tree = placement.tree
    steps = np.arange(len(tree))
    lengths = [np.where(tree.parent < 0, 0.0, tree.length + share * (steps % 3)) for share in (0.0, 1.0, 5.0)]
    trees = tuple(Placement(replace(tree, length=length), placement.node) for length in lengths)
    wanted = replace(FEW, metrics=("cophenetic_correlation",))
    table = measure_tree_samples(replace(sample, tree_samples={name: trees}), wanted)
    assert table["tree"].unique().tolist() == [f"{name} (3 trees)"]
    assert set(table["metric"]) == {"cophenetic_correlation"}
    encoder = table["encoder"][0]
    vectors = sample.embeddings[encoder].vectors
    values = [
        metrics.cophenetic_correlation(SharedResults(vectors, placed, wanted), placed)[0].value for placed in trees
    ]
    assert table["value"][0] == np.median(values)
    low, high = np.quantile(values, [0.05, 0.95])
    assert f"{low:.4f} to {high:.4f}" in table["note"][0] and "no interval" in table["note"][0]
    assert table["ci_low"].isna().all()


def test_one_tree_has_no_spread(sample):
    assert len(measure_tree_samples(sample)) == 0
