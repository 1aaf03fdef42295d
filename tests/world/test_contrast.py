"""Knowledge of the shipped models, and the numbers that show it."""

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.world import contrast
from tests.definitions.world import cpcc, nearest_agrees, ranks_apart

pytestmark = pytest.mark.slow


def test_rank_distances_are_their_definition():
    taxa = world.taxa().iloc[::13].reset_index(drop=True)
    rows = taxa.to_dict("records")
    np.testing.assert_array_equal(contrast.rank_distances(taxa), [[ranks_apart(a, b) for b in rows] for a in rows])


def test_figures_are_their_definitions():
    taxa = world.taxa().iloc[::20].reset_index(drop=True)
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(len(taxa)), 3)
    vectors = rng.normal(size=(len(kinds), 4))
    found = contrast.cpcc_and_purity(vectors, kinds, taxa, np.ones(len(taxa), bool))
    assert found["cpcc"] == pytest.approx(cpcc(vectors.tolist(), kinds.tolist(), taxa.to_dict("records")))
    for rank in ("species", "genus", "order"):
        assert found[rank] == pytest.approx(nearest_agrees(vectors.tolist(), kinds.tolist(), taxa[rank].tolist()))


def test_a_perfect_embedding_correlates_perfectly():
    taxa = world.taxa().iloc[::16].reset_index(drop=True)
    rows = [[f"{rank}:{name}" for rank, name in lineage.items()] for lineage in taxa.to_dict("records")]
    columns = sorted({name for row in rows for name in row})
    vectors = np.array([[float(column in row) for column in columns] for row in rows])
    found = contrast.cpcc_and_purity(vectors, np.arange(len(taxa)), taxa, np.ones(len(taxa), bool))
    assert found["cpcc"] == pytest.approx(1)


@pytest.fixture(scope="module")
def table():
    frame = contrast.table(world.models(), numbers=range(2), species=range(0, 240, 3))
    return frame.set_index(["split", "encoder"])


def test_the_models_are_small_and_complete():
    for folder in world.models().values():
        assert (folder / "open_clip_model.safetensors").stat().st_size < 4e6
        assert {"open_clip_config.json", "bpe_vocab.txt.gz", "training.json"} <= {p.name for p in folder.iterdir()}


def test_names_teach_the_tree_and_looks_do_not(table):
    value = table["cpcc"]["all"]
    assert value["world-taxonomic"] > 1.5 * max(value["world-generic"], value["pixels"], value["untrained"])
    assert value["world-subset"] > max(value["pixels"], value["untrained"])
    assert table["cpcc"]["unseen"]["world-taxonomic"] > max(value["pixels"], value["untrained"])


@pytest.mark.parametrize("rank", ["species", "genus", "family", "order"])
def test_names_teach_who_is_kin(table, rank):
    value = table[rank]["all"]
    assert value["world-taxonomic"] > max(value["world-generic"], value["pixels"], value["untrained"])
