"""Encoders: pictures (and for some, texts) in, vectors out.

>>> from bioclip_probe import encoders
>>> encoders.catalogue()                                  # what there is, and how to name anything else
>>> encoder = encoders.load("bioclip", device="auto")     # -> Encoder
>>> vectors = encoder.encode([encoder.preprocess(image) for image in images])

One file a model family: `open_clip` (with `text_tower`), `timm`, `custom`, `controls`; `weights` finds and hashes their
files; `encoder` says what an encoder is, `recipe` how it is made, here or in another process; `registry` is the
catalogue: a new model is one line there. Importing this imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import Executor
from difflib import get_close_matches

import pandas as pd

from bioclip_probe.encoders.encoder import Elsewhere, Encoder, fingerprints_by_precision
from bioclip_probe.encoders.recipe import WORLD, Recipe, absolute, forget, public, recorded
from bioclip_probe.encoders.registry import FORMS, REGISTRY, SCHEMES, WRAPPERS
from bioclip_probe.errors import ModelError, some

__all__ = [
    "WORLD",
    "Elsewhere",
    "Encoder",
    "Recipe",
    "catalogue",
    "controls_for",
    "elsewhere",
    "fingerprints_by_precision",
    "forget",
    "known",
    "load",
    "on_hub",
    "resolve",
]

PLAIN = ("hf-hub", "timm", "local-dir")  # shown without their scheme


def known() -> list[str]:
    """Names in the catalogue that can be loaded as they stand."""
    return [entry.name for entry in REGISTRY]


def catalogue() -> pd.DataFrame:
    """The known encoders, then the forms in which any other is named.

    Returns
    -------
    pandas.DataFrame
        name, what, id (for a form, an example), dimension (missing where the model itself tells), text, notes.
    """
    frame = pd.DataFrame([vars(entry) for entry in REGISTRY + FORMS])
    return frame.astype({"dimension": "Int64", "text": "boolean"})


def controls_for(models: Iterable[str]) -> list[str]:
    """The controls that stand beside `models`: pixels, colours, and the untrained twin of what is compared."""
    models = list(models)
    ids = [resolve(model)[1] for model in models]
    networks = [id for id in ids if not id.startswith(("control:", "untrained:"))]
    simulated = [id for id in networks if id.startswith("world:")]
    controls = ["pixels", "color-histogram"]
    if simulated:
        controls.append("world-untrained")
    if len(simulated) < len(networks):
        controls.append("untrained-vit-b-16")
    return [control for control in controls if resolve(control)[1] not in ids]


def resolve(name: str) -> tuple[str | None, str]:
    """What `name` means: the name to be shown (None: the model's own choice) and its id, `SCHEME:...` or `ARCH/TAG`.

    Raises
    ------
    ModelError
        If it is neither in the catalogue nor in one of its forms; the nearest names are suggested.
    """
    alias, equals, rest = name.partition("=")
    if equals and re.fullmatch(r"[\w.+-]+", alias):
        return alias, resolve(rest)[1]
    for entry in REGISTRY:
        if entry.name == name:
            return entry.name, entry.id
    scheme, colon, rest = name.partition(":")
    if colon and rest and scheme in WRAPPERS:
        return public(name), f"{scheme}:{_wrapped(rest)}"
    if colon and rest and scheme in SCHEMES:
        shown = public(name)
        return None if scheme == "custom" else shown.removeprefix(f"{scheme}:") if scheme in PLAIN else shown, name
    architecture, slash, tag = name.partition("/")
    if not colon and slash and architecture and tag:
        return public(name), name
    near = get_close_matches(name.lower(), known(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {some(known(), 30)};"
    raise ModelError(
        f"unknown model '{name}'; {hint} any other is named by one of {', '.join(form.name for form in FORMS[:-1])}"
    )


def _wrapped(name: str) -> str:
    """The id of what stands behind a wrapper, which may be another wrapper."""
    scheme, _, rest = name.partition(":")
    if rest and scheme in WRAPPERS:
        return f"{scheme}:{_wrapped(rest)}"
    return next((entry.id for entry in REGISTRY if entry.name == name), name)


def load(name: str, device: str = "cpu", precision: str = "auto", revision: str | None = None) -> Encoder:
    """The encoder called `name`, built once per process. It pickles as its `Recipe`.

    Parameters
    ----------
    name : str
        A name of the catalogue, or any of its forms.
    device : str
        "cpu", "cuda", "cuda:N", or "auto" for a GPU where there is one.
    precision : str
        "fp32", "bf16", or "fp16" (GPU only): the network's weights and inputs whole; vectors are float32 always.
        "auto" is the fastest that pays here, see `encoder.chosen_precision`; the record has what it came to.
        The controls `pixels` and `color-histogram` are no networks and take no notice of it.
    revision : str, optional
        Commit, tag or branch on the hub.

    Raises
    ------
    ModelError
        If it is unknown, cannot be had, or would compute something other than its name says.
    """
    recipe = _recipe(name, device, precision, revision)
    try:
        return recipe.load()
    except ModelError as error:
        raise ModelError(f"model {name}: {error}") from error


def elsewhere(
    name: str, executor: Executor, device: str = "auto", precision: str = "auto", revision: str | None = None
) -> Elsewhere:
    """The encoder called `name` as a worker of `executor` has it, without loading it here.

    For a process that hands out work and has no GPU, or should not hold the weights. Arguments as for `load`; "auto"
    is decided by the worker, and the others must agree: an encoder that comes out otherwise there is refused.
    """
    recipe = _recipe(name, device, precision, revision)
    record = executor.submit(recorded, recipe).result()
    return Elsewhere(recipe.settled(record), record)


def on_hub(name: str) -> bool:
    """Whether the encoder called `name` comes from the hub, and so has revisions."""
    return bool(re.match(r"((quickgelu|unprojected):)*(hf-hub:|timm:|[^:]+/)", resolve(name)[1]))


def _recipe(name: str, device: str, precision: str, revision: str | None) -> Recipe:
    shown, id = resolve(name)
    if revision and not on_hub(name):
        raise ModelError(f"model {name}: it is not on the hub, so it has no revision '{revision}'")
    try:
        return Recipe(shown, absolute(id), device, precision, revision)
    except ModelError as error:
        raise ModelError(f"model {name}: {error}") from error
