"""Encoders: pictures (and for some, texts) in, vectors out.

>>> from bioclip_probe import encoders
>>> encoders.catalogue()                                  # what there is, and how to name anything else
>>> encoder = encoders.load("bioclip", device="auto")     # -> Encoder
>>> vectors = encoder.encode([encoder.preprocess(image) for image in images])

One file a model family: `open_clip`, `timm`, `custom`, `controls`; `weights` finds and hashes their files; `encoder`
says what an encoder is; `registry` is the catalogue: a new model is one line there. Importing this imports no torch.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bioclip_probe.encoders.encoder import Encoder
from bioclip_probe.encoders.registry import FORMS, REGISTRY, SCHEMES, WRAPPERS
from bioclip_probe.errors import ModelError, some

if TYPE_CHECKING:
    from bioclip_probe.encoders import open_clip

__all__ = ["Encoder", "catalogue", "controls_for", "forget", "known", "load", "resolve"]

WORLD = Path(__file__).parent.parent / "world" / "weights"
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
        id = f"{scheme}:{next((entry.id for entry in REGISTRY if entry.name == rest), rest)}"
        return _public(name), id
    if colon and rest and scheme in SCHEMES:
        shown = _public(name)
        return None if scheme == "custom" else shown.removeprefix(f"{scheme}:") if scheme in PLAIN else shown, name
    architecture, slash, tag = name.partition("/")
    if not colon and slash and architecture and tag:
        return name, name
    near = get_close_matches(name.lower(), known(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {some(known(), 30)};"
    raise ModelError(
        f"unknown model '{name}'; {hint} any other is named by one of {', '.join(form.name for form in FORMS[:-1])}"
    )


def load(name: str, device: str = "cpu", precision: str = "fp32", revision: str | None = None) -> Encoder:
    """The encoder called `name`, built once per process.

    Parameters
    ----------
    name : str
        A name of the catalogue, or any of its forms.
    device : str
        "cpu", "cuda", "cuda:N", or "auto" for a GPU where there is one.
    precision : str
        "fp32", "bf16", or "fp16" (GPU only): the network's weights and inputs whole; vectors are float32 always.
        The controls `pixels` and `color-histogram` are no networks and take no notice of it.
    revision : str, optional
        Commit, tag or branch on the hub.

    Raises
    ------
    ModelError
        If it is unknown, cannot be had, or would compute something other than its name says.
    """
    shown, id = resolve(name)
    if revision and not re.match(r"(quickgelu:)?(hf-hub:|timm:|[^:]+/)", id):
        raise ModelError(f"model {name}: it is not on the hub, so it has no revision '{revision}'")
    try:
        return _load(shown, id, device, precision, revision, _stamp(id))
    except ModelError as error:
        raise ModelError(f"model {name}: {error}") from error


def forget() -> None:
    """Let go of all loaded models and their memory."""
    _load.cache_clear()


def _folder(id: str) -> Path | None:
    """The folder of a `local-dir:` model, wrapped or not."""
    _, found, path = id.partition("local-dir:")
    return Path(path).expanduser() if found else None


def _custom(id: str) -> tuple[Path, str]:
    """The file and the factory of a `custom:` model."""
    file, _, factory = id.removeprefix("custom:").rpartition(":")
    if not file or not factory:
        raise ModelError(f"'{id}' names no factory; expected custom:FILE.py:FACTORY")
    return Path(file).expanduser(), factory


def _public(id: str) -> str:
    """`id` as it travels with figures and reports: it names a local folder, not the way to it on one machine."""
    folder = _folder(id)
    return f"{id.partition('local-dir:')[0]}local-dir:{folder.resolve().name}" if folder else id


def _stamp(id: str) -> tuple:
    """What tells that the files of a local model have changed since it was loaded."""
    path = _custom(id)[0] if id.startswith("custom:") else _folder(id)
    if path is None or not path.exists():
        return ()
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())


@functools.lru_cache(maxsize=8)
def _load(shown: str | None, id: str, device: str, precision: str, revision: str | None, stamp: tuple) -> Encoder:
    scheme, _, rest = id.partition(":")
    if scheme == "control":
        from bioclip_probe.encoders import controls

        return controls.control(rest, shown)
    if scheme == "custom":
        from bioclip_probe.encoders import custom

        return custom.network(shown, *_custom(id), device, precision)
    from bioclip_probe.encoders import open_clip, timm

    if scheme == "timm":
        timm_name, _, at = rest.partition("@")
        source = timm.from_name(timm_name, revision or at or None)
        return timm.network(shown, id, source, device, precision)
    if scheme == "local-dir" and timm.is_folder(_folder(id)):
        return timm.network(shown, _public(id), timm.from_folder(_folder(id)), device, precision)
    return open_clip.network(shown, _public(id), _open_clip_source(id, revision), device, precision)


def _open_clip_source(id: str, revision: str | None, random: bool = False) -> open_clip.Source:
    from bioclip_probe.encoders import open_clip

    scheme, colon, rest = id.partition(":")
    if not colon:
        architecture, _, tag = id.partition("/")
        return open_clip.untrained(architecture) if random else open_clip.from_tag(architecture, tag, revision)
    if scheme == "untrained":
        return _open_clip_source(rest, revision, random=True)
    if scheme == "quickgelu":
        return replace(_open_clip_source(rest, revision, random), quick_gelu=True)
    if scheme == "local-dir":
        return open_clip.from_folder(_folder(id), random=random)
    if scheme == "world":
        if not (WORLD / rest).is_dir():
            there = some(sorted(path.name for path in WORLD.glob("*/")), 9) or "none"
            raise ModelError(f"the built-in world has no model '{rest}' in this installation; it has: {there}")
        return open_clip.from_folder(WORLD / rest, random=random)
    if scheme == "hf-hub" and not random:
        repository, _, at = rest.partition("@")
        return open_clip.from_hub(repository, revision or at or None)
    raise ModelError(
        f"'{id}' is no open_clip model that this can be done to; name ARCHITECTURE/PRETRAINED or local-dir:PATH"
    )
