"""Known truth about children that a probe never saw: noise, and a memoriser without a tree, are at chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.study import probing, scoring
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy

pytestmark = pytest.mark.slow

N_SPECIES, D, SEEDS = 72, 12, 6
SETTINGS = ProbeSettings(probes=("lda",), protocols=("seen-children", "unseen"), n_deals=1)


def sample_of(kind: str, seed: int) -> Sample:
    """Return species in genera, families, orders and classes of unequal size, with two to seven images each."""
    random = np.random.default_rng(seed)
    genus = (24 * (np.arange(N_SPECIES) / N_SPECIES) ** 1.6).astype(int)
    lineages = [
        ("Animalia", f"P{g // 16}", f"C{g // 8}", f"O{g // 4}", f"F{g // 2}", f"G{g}", f"G{g} s{s}")
        for s, g in enumerate(genus.tolist())
    ]
    each = random.integers(2, 8, N_SPECIES)
    images = pd.DataFrame(lineages, columns=RANKS).loc[np.repeat(np.arange(N_SPECIES), each)].reset_index(drop=True)
    images = images.assign(image_id=[f"i{k}" for k in range(len(images))], group=None, split=None, common=None)
    rows = random.standard_normal((len(images), D))
    if kind == "memoriser":
        rows += 4 * random.standard_normal((N_SPECIES, D))[np.repeat(np.arange(N_SPECIES), each)]
    embeddings = {"model": Embeddings.of(images["image_id"].to_numpy(dtype=object), rows.astype(np.float32))}
    return Sample("made-up", False, images, taxonomy(images), embeddings)


@pytest.mark.parametrize("kind", ["noise", "memoriser"])
def test_without_a_tree_children_that_were_never_seen_are_named_by_chance(kind, all_intervals):
    scores = []
    for seed in range(SEEDS):
        sample = sample_of(kind, seed)
        found = scoring.score(sample, probing.probe(sample, SETTINGS), MeasureSettings(seed=seed))
        scores.append(found[found["value"].notna()])
    table = pd.concat(scores)
    unseen = table[(table["metric"] == "macro_accuracy") & (table["protocol"] == "unseen")]
    assert set(unseen["rank"]) == {"class", "order", "family", "genus"}
    for rank, rows in unseen.groupby("rank"):
        above = rows["value"] - rows["chance"]
        assert abs(above.mean()) < 4 * max(above.std(), 0.02) / np.sqrt(len(rows)), rank
        assert np.allclose(rows["chance"], 1 / rows["n_taxa"])
    tested = unseen.dropna(subset=["ci_low"])
    holds = (tested["ci_low"] <= tested["chance"]) & (tested["chance"] <= tested["ci_high"])
    assert holds.mean() > 0.8 and (tested["p_value"] < 0.05).mean() < 0.2
    gap = table[table["metric"] == "unseen_gap"]
    of_rank = gap.groupby("rank")["value"].mean()
    if kind == "noise":
        assert of_rank.abs().max() < 0.06
        shown = gap.dropna(subset=["ci_low"])
        assert ((shown["ci_low"] <= 0) & (shown["ci_high"] >= 0)).mean() > 0.8
    else:
        assert of_rank.min() > 0.3, "children that were seen are known, which says nothing of the tree"
