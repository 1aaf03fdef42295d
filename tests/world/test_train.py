"""Training on a tiny setting: it runs, repeats itself, and leaves what open_clip can load."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe import world
from bioclip_probe.world import contrast, train

TINY = train.Recipe(individuals=2, epochs=2, warm_up=1)


@pytest.fixture(scope="module")
def lessons():
    return {name: _short(train.lesson(name, TINY)) for name in ("world-subset", "world-generic")}


def _short(lesson: train.Lesson) -> train.Lesson:
    """The lesson with its first eight species only."""
    return replace(
        lesson, pictures=lesson.pictures[:8], caption=lambda rng, shown: lesson.caption(rng, _filled(lesson, shown))[:8]
    )


def _filled(lesson: train.Lesson, shown: np.ndarray) -> np.ndarray:
    return np.resize(shown, len(lesson.pictures))


@pytest.mark.parametrize("name", ["world-subset", "world-generic"])
def test_training_leaves_a_folder_that_open_clip_loads(name, lessons, tmp_path):
    lines = []
    record = train.train(lessons[name], TINY, tmp_path / name, lines.append)
    assert len(lines) == len(record["loss"]) == TINY.epochs
    assert record == json.loads((tmp_path / name / "training.json").read_text())
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
        "bpe_vocab.txt.gz",
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "training.json",
    ]
    model, preprocess, tokens = contrast.load(tmp_path / name)
    vectors = contrast.embed(model, preprocess, [world.render(0, 0), world.render(1, 0)])
    assert vectors.shape == (2, 128)
    assert np.isfinite(vectors).all()
    assert np.isfinite(model.encode_text(tokens(["a photo of a red creature."])).detach().numpy()).all()


def test_one_seed_one_model(lessons, tmp_path):
    digests = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        train.train(lessons["world-subset"], replace(TINY, epochs=1, seed=seed), tmp_path / folder, lambda line: None)
        digests.append((tmp_path / folder / "open_clip_model.safetensors").read_bytes())
    assert digests[0] == digests[1] != digests[2]


def test_training_leaves_the_global_random_state_alone(lessons, tmp_path):
    import torch

    before = torch.random.get_rng_state()
    train.train(lessons["world-subset"], replace(TINY, epochs=1), tmp_path, lambda line: None)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_unknown_model_is_refused(capsys, tmp_path):
    with pytest.raises(SystemExit):
        train.main(["world-wrong", "--out", str(tmp_path)])
    assert "no model is called world-wrong" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
