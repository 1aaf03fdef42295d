import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision import transforms

from bioclip_probe import encoders
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.embed import embed, embed_all_names
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.store.text_embeddings import read_names
from tests.support.extraction import painted_dataset
from tests.support.vector_files import write_npz

ON_CPU = ExtractionSettings(device="cpu", progress=False)
IN_BF16 = ExtractionSettings(device="cpu", precision="bf16", progress=False)
SQUARE = transforms.Compose([transforms.Resize((4, 4)), transforms.ToTensor()])
IN_FP32 = ExtractionSettings(device="cpu", precision="fp32", progress=False)


@pytest.fixture
def dataset(tmp_path):
    return painted_dataset(tmp_path / "four", 4)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_records_and_summaries_come_in_the_order_of_the_models(dataset, store, tmp_path):
    ready = f"mine=vectors:{write_npz(tmp_path / 'v.npz', ids=np.array(['000.png', '001.png', 'x', 'y', 'z']))}"
    results = embed(dataset, ["pixels", ready, "color-histogram"], store, ON_CPU)
    assert [record["name"] for record, _ in results] == ["pixels", "mine", "color-histogram"]
    assert [(summary.n_ok, summary.n_failed) for _, summary in results] == [(4, 0), (2, 2), (4, 0)]
    assert [summary.n_reused for _, summary in results] == [0, 0, 0]
    assert all(len(record["fingerprint"]) == 12 and record["stored_as"] == "float32" for record, _ in results)
    again = embed(dataset, ["pixels", ready, "color-histogram"], store, ON_CPU)
    assert [summary.n_reused for _, summary in again] == [4, 4, 4]


@pytest.mark.slow
def test_the_vectors_of_another_precision_that_the_store_has_are_used(dataset, store):
    encoder = encoders.load("world-generic", precision="bf16")
    ((first, _),) = embed(dataset, ["world-generic"], store, IN_BF16)
    assert (first["precision"], first["fingerprint"]) == ("bf16", encoder.fingerprint)
    ((second, summary),) = embed(dataset, ["world-generic"], store, ON_CPU)
    assert (second["precision"], second["fingerprint"], summary.n_reused) == ("bf16", encoder.fingerprint, 4)
    assert 0.999 <= summary.parity < 1
    ((exact, summary),) = embed(dataset, ["world-generic"], store, IN_FP32)
    assert (exact["precision"], summary.n_reused) == ("fp32", 0)
    assert np.isnan(summary.parity)


def test_a_revision_belongs_to_one_model(dataset, store):
    for models in (["bioclip", "clip"], ["pixels"]):
        with pytest.raises(ProbeError, match="a revision belongs to one model on the hub, and there are"):
            embed(dataset, models, store, ExtractionSettings(revision="abc"))
    assert status(store).empty


def test_two_models_of_one_name_are_refused(dataset, store):
    with pytest.raises(ProbeError, match="two models are called 'pixels'; name one of them: NAME="):
        embed(dataset, ["pixels", "pixels=color-histogram"], store, ON_CPU)
    assert status(store).empty


@pytest.mark.slow
def test_names_are_embedded_in_the_precision_at_hand_beside_pictures_of_another_one(dataset, store):
    embed(dataset, ["world-taxonomic", "pixels"], store, IN_BF16)
    in_bf16, in_fp32 = (encoders.load("world-taxonomic", precision=precision) for precision in ("bf16", "fp32"))
    ((name, summary),) = embed_all_names(dataset, ["world-taxonomic"], store, ON_CPU)
    assert (name, summary.path.parent.name) == ("world-taxonomic", f"world-taxonomic@{in_bf16.fingerprint}")
    names = read_names(store, dataset, "world-taxonomic")
    np.testing.assert_allclose(names.vectors[names.table["row"]], in_fp32.encode_text(names.table["text"]), atol=1e-5)
    assert json.loads(summary.path.with_suffix(".json").read_text())["precision"] == "fp32"
    assert names.logit_scale == in_fp32.logit_scale
    assert embed_all_names(dataset, ["pixels"], store, ON_CPU) == []  # it has no text tower, and no error is raised


def test_encoders_in_memory_run_here_also_where_workers_embed_the_others(dataset, store):
    class Elsewhere(ThreadPoolExecutor):
        """An executor whose workers get copies, as those of another process do, and none of the encoder in memory."""

        def submit(self, function, /, *arguments):
            sent = pickle.dumps((function, arguments))
            assert b"module:mine" not in sent
            function, arguments = pickle.loads(sent)
            return super().submit(function, *arguments)

    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    mine = encoders.from_module(network, SQUARE, "mine")
    with Elsewhere(1) as executor:
        results = embed(dataset, ["pixels", mine], store, replace(ON_CPU, engine=executor))
    assert [(record["name"], summary.n_ok) for record, summary in results] == [("pixels", 4), ("mine", 4)]
    assert embed_all_names(dataset, [mine, "pixels"], store, ON_CPU) == []


def test_an_encoder_in_memory_and_a_model_of_one_name_are_refused(dataset, store):
    mine = encoders.from_module(torch.nn.Flatten(), SQUARE, "pixels")
    with pytest.raises(ProbeError, match="two models are called 'pixels'; give one of them another name"):
        embed(dataset, ["pixels", mine], store, ON_CPU)
    with pytest.raises(ProbeError, match="two models are called 'pixels'; name one of them: NAME=pixels"):
        embed(dataset, [mine, "pixels"], store, ON_CPU)
