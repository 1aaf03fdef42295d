"""Train the world's three small CLIPs with open_clip's own model and objective.

    python -m bioclip_probe.world.train [NAME ...] [--epochs N] [--seed N] [--out DIR]

They differ in what is written under the pictures and in how many species they meet:

=================== ============================================================ ============
model               captions                                                     species
=================== ============================================================ ============
``world-taxonomic`` the five text types of BioCLIP, one drawn for each batch     all seen
``world-generic``   looks (colours, pattern, background, pose), no names         all seen
``world-subset``    as ``world-taxonomic``                                       a quarter
=================== ============================================================ ============

A batch holds one individual of every species, so that no two captions of a batch are alike when they are names.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from bioclip_probe import world
from bioclip_probe.world import captions as written
from bioclip_probe.world import splits, words

CONTEXT = 32
MERGES = 700
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SHIFT = 3  # pixels by which training pictures are moved about


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. One epoch shows every training individual once."""

    individuals: int = 60
    epochs: int = 10
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    warm_up: int = 30
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """What one model is taught: `pictures` (species, individuals, 64, 64, 3) uint8, and a caption for any of them.

    `caption(rng, individuals)` takes for each species the number of the individual shown and gives the captions.
    """

    pictures: np.ndarray
    caption: Callable[[np.random.Generator, np.ndarray], list[str]]
    corpus: tuple[str, ...]


def model_config(vocabulary: int) -> dict:
    """The configuration of the small CLIP, as open_clip's local directories hold it."""
    vision = {"image_size": world.SIZE, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64, "patch_size": None}
    text = {"context_length": CONTEXT, "vocab_size": vocabulary, "width": 96, "heads": 4, "layers": 2}
    return {
        "model_cfg": {"embed_dim": 128, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


def lesson(name: str, recipe: Recipe) -> Lesson:
    """The pictures and captions that model `name` learns from."""
    kin, kinds = world.taxa(), np.flatnonzero(world.seen())
    if name == "world-subset":
        kinds = np.flatnonzero(splits.quarter(world.seen(), np.random.default_rng((world.SEED, 5))))
    numbers = splits.FIRST_TRAINING + np.arange(recipe.individuals)
    pictures = np.stack([[np.asarray(world.render(kind, number)) for number in numbers] for kind in kinds])
    common = world.common_names()
    names = written.name_captions(kin.iloc[kinds], common[kinds])

    def named(rng: np.random.Generator, individuals: np.ndarray) -> list[str]:
        return names[written.TEXT_TYPES[rng.integers(len(written.TEXT_TYPES))]]

    def looked_at(rng: np.random.Generator, individuals: np.ndarray) -> list[str]:
        shown = zip(kinds, splits.FIRST_TRAINING + individuals, strict=True)
        return [written.looks_caption(world.creature(*one), world.circumstances(*one), rng) for one in shown]

    if name == "world-generic":
        rng = np.random.default_rng((world.SEED, 7))
        corpus = [caption for number in range(min(10, recipe.individuals)) for caption in
                  looked_at(rng, np.full(len(kinds), number))]  # fmt: skip
        return Lesson(pictures, looked_at, tuple(corpus))
    return Lesson(pictures, named, tuple(caption for kind in names.values() for caption in kind))


def train(lesson: Lesson, recipe: Recipe, folder: Path, say: Callable[[str], None] = print) -> dict:
    """Train one model and leave it in `folder` in open_clip's local-directory layout.

    Returns
    -------
    dict
        What `training.json` holds: the recipe, the loss of each epoch, seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    merges = words.learn_merges(lesson.corpus, MERGES)
    config = model_config(words.BYTES + len(merges) + words.SPECIAL)
    _put(folder / "bpe_vocab.txt.gz", words.merges_file(merges))
    _put(folder / "open_clip_config.json", (json.dumps(config, indent=2) + "\n").encode())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = new_model(config)
        losses, seconds = _fit(model, lesson, recipe, tokenizer(folder), say)
    _put(folder / "open_clip_model.safetensors", _weights(model))
    record = {
        "simulated": True,
        "recipe": asdict(recipe),
        "species": len(lesson.pictures),
        "pictures": int(np.prod(lesson.pictures.shape[:2])),
        "loss": [round(loss, 4) for loss in losses],
        "seconds": round(seconds),
    }
    _put(folder / "training.json", (json.dumps(record, indent=2) + "\n").encode())
    return record


def new_model(config: dict) -> torch.nn.Module:
    """An untrained open_clip model of this configuration, from torch's current random state."""
    from open_clip.model import CLIP

    return CLIP(**config["model_cfg"])


def tokenizer(folder: Path) -> Callable:
    """open_clip's tokenizer with the merges that lie in `folder`."""
    import open_clip

    return open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe_vocab.txt.gz"))


def _fit(
    model: torch.nn.Module, lesson: Lesson, recipe: Recipe, tokens: Callable, say: Callable[[str], None]
) -> tuple[list[float], float]:
    from open_clip.loss import ClipLoss

    rng = np.random.default_rng((world.SEED, 8, recipe.seed))
    kinds, individuals = lesson.pictures.shape[:2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    other = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": other, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-6)
    total = recipe.epochs * individuals
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min(1, (i + 1) / recipe.warm_up) * 0.5 * (1 + np.cos(np.pi * i / total))
    )
    objective, losses, started = ClipLoss(), [], time.time()
    model.train().to(memory_format=torch.channels_last)  # with bfloat16 a third of the time
    for epoch in range(recipe.epochs):
        order = rng.permuted(np.tile(np.arange(individuals), (kinds, 1)), axis=1)
        summed = 0.0
        for shown in order.T:
            images = _tensor(_moved(lesson.pictures[np.arange(kinds), shown], rng))
            with torch.autocast("cpu", torch.bfloat16):
                image, text, scale = model(images, tokens(lesson.caption(rng, shown)))
            loss = objective(image.float(), text.float(), scale)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, np.log(100))
            summed += loss.item()
        losses.append(summed / individuals)
        say(f"epoch {epoch + 1}/{recipe.epochs}  loss {losses[-1]:.3f}  {time.time() - started:.0f} s")
    return losses, time.time() - started


def _moved(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pictures moved by up to SHIFT pixels, edges repeated. They are not mirrored: captions may say left or right."""
    wide = np.pad(pictures, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    corners = rng.integers(0, 2 * SHIFT + 1, (len(pictures), 2))
    size = pictures.shape[1]
    return np.stack([one[y : y + size, x : x + size] for one, (y, x) in zip(wide, corners, strict=True)])


def _tensor(pictures: np.ndarray) -> torch.Tensor:
    scaled = (pictures.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)  # channels last, as the model


def _weights(model: torch.nn.Module) -> bytes:
    from safetensors.torch import save

    state = model.state_dict()
    return save(
        {key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in state.items()}
    )


def _put(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    os.replace(beside, path)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bioclip_probe.world.train", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(world.MODELS)}; all if none is given")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--individuals", type=int, default=Recipe.individuals, help="training pictures of each species")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in world.MODELS]
    if unknown:
        parser.error(f"no model is called {', '.join(unknown)}; there are {', '.join(world.MODELS)}")
    recipe = Recipe(epochs=given.epochs, individuals=given.individuals, seed=given.seed)
    for name in given.names or world.MODELS:
        print(f"{name}: rendering", file=sys.stderr, flush=True)
        train(lesson(name, recipe), recipe, given.out / name, lambda line: print(line, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main()
