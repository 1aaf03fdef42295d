"""Training on a few pictures: it runs, repeats itself, and writes a folder that open_clip can load."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.world import contrast, train

pytestmark = pytest.mark.slow

TINY = train.TrainingSettings(individuals=2, epochs=2, warm_up=1)


@pytest.fixture(scope="module")
def data():
    return {name: _first_species(train.training_data(name, TINY)) for name in ("world-subset", "world-generic")}


def _first_species(whole: train.TrainingData, n: int = 8) -> train.TrainingData:
    """Return the data of the first species only."""

    def captions(rng: np.random.Generator, shown: np.ndarray) -> list[str]:
        return whole.captions(rng, np.resize(shown, len(whole.pictures)))[:n]

    return replace(whole, pictures=whole.pictures[:n], captions=captions, corpus=whole.corpus[:40])


@pytest.mark.parametrize("name", ["world-subset", "world-generic"])
def test_training_leaves_a_folder_that_open_clip_loads(name, data, tmp_path):
    lines = []
    record = train.train(data[name], TINY, tmp_path / name, lines.append)
    assert len(lines) == len(record["loss"]) == TINY.epochs
    assert record == json.loads((tmp_path / name / "training.json").read_text())
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
        "bpe_vocab.txt.gz",
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "training.json",
    ]
    model, preprocess, tokens = contrast.load_model(tmp_path / name)
    vectors = contrast.embed(model, preprocess, [world.render(0, 0), world.render(1, 0)])
    assert vectors.shape == (2, 128)
    assert np.isfinite(vectors).all()
    assert np.isfinite(model.encode_text(tokens(["a photo of a red creature."])).detach().numpy()).all()


def test_one_seed_one_model(data, tmp_path):
    digests = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        train.train(data["world-subset"], replace(TINY, epochs=1, seed=seed), tmp_path / folder, lambda line: None)
        digests.append((tmp_path / folder / "open_clip_model.safetensors").read_bytes())
    assert digests[0] == digests[1] != digests[2]


def test_training_leaves_the_global_random_state_alone(data, tmp_path):
    import torch

    before = torch.random.get_rng_state()
    train.train(data["world-subset"], replace(TINY, epochs=1), tmp_path, lambda line: None)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_unknown_model_is_refused(capsys, tmp_path):
    with pytest.raises(SystemExit):
        train.main(["world-wrong", "--out", str(tmp_path)])
    assert "no model is called world-wrong" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
