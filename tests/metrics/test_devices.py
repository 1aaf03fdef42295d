"""Numbers that permute species are the same by NumPy, by numba, and by torch on the CPU."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from bioclip_probe import metrics
from bioclip_probe.metrics.embedding_pairs import EmbeddingPair
from bioclip_probe.metrics.shared import SharedResults
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows
from tests.support.settings import FEW
from tests.support.taxa import rng

PERMUTED = (
    "cophenetic_correlation",
    "cophenetic_correlation_within",
    "image_tree_correlation",
    "balanced_tree_correlation",
    "balanced_image_tree_correlation",
    "pagel_lambda",
    "heritable_share",
)


def rows_on(device: str, kind: str) -> dict:
    placement = random_taxonomy(40, 120, rng())
    vectors = unit_rows(signal_vectors(placement, 12, 1.0, 0.3, rng(1)).astype(float))
    names = PERMUTED if kind == "embeddings" else ("cka", "rsa")
    shared = SharedResults(vectors, placement, replace(FEW, metrics=names, device=device))
    subject = shared if kind == "embeddings" else EmbeddingPair(shared, SharedResults(-vectors[:, ::-1], placement))
    return {(row.metric, row.rank): asdict(row.estimate) for row in metrics.measure(subject)}


@pytest.mark.parametrize("kind", ["embeddings", "pair"])
def test_torch_gives_the_numbers_of_numpy(kind):
    ours, theirs = rows_on("cpu", kind), rows_on("cpu:0", kind)
    assert {metric for metric, _ in ours} == ({*PERMUTED} if kind == "embeddings" else {"cka", "rsa"})
    for key, estimate in ours.items():
        for name, value in estimate.items():
            if isinstance(value, float | np.ndarray):
                np.testing.assert_allclose(value, theirs[key][name], rtol=1e-10, atol=1e-12, err_msg=f"{key} {name}")
            else:
                assert value == theirs[key][name]
