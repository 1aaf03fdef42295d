"""How an encoder is made: here, or again in another process.

A `Recipe` is what `load` was told, with nothing left open that another machine could read otherwise: paths are
absolute, and once a network is built from it, the precision and the revision are those it really has. It is small, and
it is what an encoder is pickled as: the weights do not travel, they are read where the model runs, once a process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioclip_probe.errors import ModelError, some

if TYPE_CHECKING:
    from bioclip_probe.encoders import Encoder, open_clip

WORLD = Path(__file__).parent.parent / "world" / "weights"

MOST_LOADED = 16  # names under which a process keeps encoders; two for one whose recipe left something open

_loaded: dict[tuple, Encoder] = {}
# One at a time: open_clip's warnings are overheard for the whole process. A custom network may load another.
_building = threading.RLock()


@dataclass(frozen=True)
class Recipe:
    """What one encoder is made from, and where it is to run.

    Attributes
    ----------
    name : str or None
        How tables and figures call it; None is the model's own choice.
    id : str
        What `resolve` made of the name.
    device, precision : str
        As `load` takes them.
    revision : str, optional
        Commit, tag or branch on the hub.
    """

    name: str | None
    id: str
    device: str
    precision: str
    revision: str | None = None

    def load(self) -> Encoder:
        """The encoder, built once per process."""
        with _building:
            key = (self, _stamp(self.id))
            if key not in _loaded:
                encoder = _built(self)
                # What "auto" came to is the same encoder as what was asked for by that name, and is kept once.
                _loaded[key] = _loaded.setdefault((encoder.recipe, key[1]), encoder)
                while len(_loaded) > MOST_LOADED:
                    del _loaded[next(iter(_loaded))]
            return _loaded[key]

    def build(self) -> Encoder:
        """The encoder, built anew: for a check, after which it is let go."""
        with _building:
            return _built(self)

    def at(self, precision: str) -> Recipe:
        """This recipe at another precision."""
        return replace(self, precision=precision)

    def settled(self, record: dict[str, Any]) -> Recipe:
        """This recipe with the precision and the revision that the encoder of this `record` has."""
        return replace(self, precision=record["precision"], revision=record["revision"] or self.revision)

    def __str__(self) -> str:
        return self.name or public(self.id)


def again(recipe: Recipe, expected: str) -> Encoder:
    """The encoder of `recipe` in this process; `expected` is the fingerprint it had in the one it comes from."""
    try:
        encoder = recipe.load()
    except ModelError as error:
        raise ModelError(f"model {recipe}: {error}") from error
    if encoder.fingerprint != expected:
        raise ModelError(
            f"model {recipe}: here it has the fingerprint {encoder.fingerprint}, where it was sent from {expected}: "
            "the two machines have other weights or settings of it; give both the same files, or name a revision"
        )
    return encoder


def recorded(recipe: Recipe) -> dict[str, Any]:
    """The record of the encoder made from `recipe`: for a process that may, to tell one that may not."""
    try:
        return recipe.load().record
    except ModelError as error:
        raise ModelError(f"model {recipe}: {error}") from error


def public(id: str) -> str:
    """`id` as it travels with figures and reports: it names a file or a folder, not the way to it on one machine."""
    path = _path(id)
    return f"{id[: -len(path)]}{Path(path).expanduser().resolve().name}" if path else id


def absolute(id: str) -> str:
    """`id` as it means the same from every working directory."""
    if id.startswith("custom:"):
        file, factory = _custom(id)
        return f"custom:{file.absolute()}:{factory}"
    path = _path(id)
    return f"{id[: -len(path)]}{Path(path).expanduser().absolute()}" if path else id


def _path(id: str) -> str:
    """The end of `id` that is a path on this machine: of a model folder, or of a weights file named as a tag."""
    _, folder, path = id.partition("local-dir:")
    if folder:
        return path
    _, slash, tag = id.rpartition(":")[2].partition("/")
    return tag if slash and "hf-hub:" not in id and Path(tag).expanduser().is_file() else ""


def _folder(id: str) -> Path:
    """The folder of a `local-dir:` model, wrapped or not."""
    return Path(id.partition("local-dir:")[2]).expanduser()


def _custom(id: str) -> tuple[Path, str]:
    """The file and the factory of a `custom:` model."""
    file, _, factory = id.removeprefix("custom:").rpartition(":")
    if not file or not factory:
        raise ModelError(f"'{id}' names no factory; expected custom:FILE.py:FACTORY")
    return Path(file).expanduser(), factory


def _stamp(id: str) -> tuple:
    """What tells that the files of a local model have changed since it was loaded."""
    path = _custom(id)[0] if id.startswith("custom:") else Path(_path(id)).expanduser() if _path(id) else None
    if path is None or not path.exists():
        return ()
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())


def forget() -> None:
    """Let go of all loaded models and their memory."""
    _loaded.clear()


def _built(recipe: Recipe) -> Encoder:
    scheme, _, rest = recipe.id.partition(":")
    if scheme == "control":
        from bioclip_probe.encoders import controls

        return controls.control(rest, recipe)
    if scheme == "custom":
        from bioclip_probe.encoders import custom

        return custom.network(recipe, *_custom(recipe.id))
    from bioclip_probe.encoders import open_clip, timm

    if scheme == "timm":
        timm_name, _, at = rest.partition("@")
        return timm.network(recipe, timm.from_name(timm_name, recipe.revision or at or None))
    if scheme == "local-dir" and timm.is_folder(_folder(recipe.id)):
        return timm.network(recipe, timm.from_folder(_folder(recipe.id)))
    return open_clip.network(recipe, _open_clip_source(recipe.id, recipe.revision))


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
    if scheme == "unprojected":
        return replace(_open_clip_source(rest, revision, random), unprojected=True)
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
