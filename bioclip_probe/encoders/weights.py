"""Where weights are: files in folders, the hub and its cache; and their hashes. Imports no torch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.errors import ModelError, one_line, some

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# The order in which open_clip chooses among the files of a folder; a test holds it against open_clip's own.
OPEN_CLIP_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
TIMM_FILES = ("model.safetensors", "pytorch_model.bin")
SUFFIXES = (".safetensors", ".bin", ".pth")
COMPANIONS = ("*.json", "*.txt", "*.model", "*.txt.gz")  # configuration and tokenizer
HUB_TIMEOUT = 6.0  # seconds; a hub that does not answer by then counts as unreachable


def sha256(path: Path) -> str:
    """sha256 of a file, 64 hex digits."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"the weights file {path} cannot be read: {error.strerror}") from error


def sha256_of_files(files: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """One sha256 for `files`, and each one's own by its name; that of a single file is the file's."""
    if len({path.name for path in files}) < len(files):
        raise ModelError(f"the weights files need different names, to be told apart: {some(files)}")
    each = {path.name: sha256(path) for path in files}
    if len(each) < 2:
        return "".join(each.values()), each
    listed = "".join(f"{name} {digest}\n" for name, digest in sorted(each.items()))
    return hashlib.sha256(listed.encode()).hexdigest(), each


def sha256_of_parameters(module: torch.nn.Module) -> str:
    """sha256 over the names and values of all that `module` would save: for networks that come from no file."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def weights_file(folder: Path, names: Sequence[str]) -> Path:
    """The weights file of a model folder: the first of `names` that is there, or its only one."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    others = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    if len(others) == 1:
        return others[0]
    found = f"several: {', '.join(path.name for path in others)}" if others else "none"
    raise ModelError(f"the model folder {folder} holds no weights file of a known name ({found}); expected {names[0]}")


def refuse_pickled_code(path: Path) -> None:
    """Refuse a weights file that does not open as tensors alone: a pickle may run code when opened."""
    import zipfile

    import torch

    if path.suffix == ".safetensors":
        return
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None)
    except Exception as error:
        raise ModelError(
            f"the weights file {path} is damaged or holds more than weights: {one_line(error, with_type=True)}"
        ) from error


def hub_weights(repository: str, revision: str | None, names: Sequence[str], config: str = "") -> tuple[Path, str]:
    """The weights file of a hub repository, and the revision (commit) it is of.

    What is in the cache is used as it is and the network is not asked: runs repeat, and nodes without a network work.
    To have a newer version, name its revision.

    Parameters
    ----------
    repository : str
        ORG/REPO.
    revision : str or None
        Commit, tag or branch; None is `main`.
    names : sequence of str
        Names of weights files, the preferred one first.
    config : str
        A file without which the repository is of no use.

    Raises
    ------
    ModelError
        If the hub cannot be reached, or has no such repository, revision or file.
    """
    path = _cached(repository, revision, names, config)
    where = "from the cache"
    if path is None:
        _download(repository, revision, names, config)
        path = _cached(repository, revision, names, config)
        where = "downloaded"
    if path is None:
        raise ModelError(f"{repository} was downloaded but is not in the cache; {_local_way(config)}")
    commit = path.parent.name
    logger.info("%s: %s, revision %s, %s", repository, where, commit, path.name)
    return path, commit


def _cached(repository: str, revision: str | None, names: Sequence[str], config: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in names:
        try:
            found = try_to_load_from_cache(repository, name, revision=revision)
        except HFValidationError as error:
            raise ModelError(f"'{repository}' is no repository name; expected hf-hub:ORG/REPO") from error
        if isinstance(found, str) and (not config or (Path(found).parent / config).is_file()):
            return Path(found)
    return None


def _download(repository: str, revision: str | None, names: Sequence[str], config: str) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        # Asked first, since this call alone has a time limit and is not retried.
        info = HfApi().model_info(repository, revision=revision, timeout=HUB_TIMEOUT)
        there = {file.rfilename for file in info.siblings or ()}
        wanted = [name for name in names if name in there][:1]
        if not wanted or (config and config not in there):
            lacks = config if wanted else names[0]
            raise ModelError(f"the hub repository {repository} has no {lacks}; {_local_way(config)}")
        snapshot_download(repository, revision=revision, allow_patterns=[*wanted, *COMPANIONS])
    except HFValidationError as error:
        raise ModelError(f"'{repository}' is no repository name; expected hf-hub:ORG/REPO") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"the hub repository {repository} has no revision '{revision or 'main'}'") from error
    except GatedRepoError as error:
        terms = "accept its terms there and set HF_TOKEN, or"
        raise ModelError(
            f"the hub repository {repository} is for members only; {terms} {_local_way(config)}"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no repository {repository}, or a private one; {_local_way(config)}") from error
    except ModelError:
        raise
    except Exception as error:  # each version of the hub's client has its own for "no network"
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            token = f"the hub refuses {repository} (status {status}): set HF_TOKEN to a token that may read it, or"
            raise ModelError(f"{token} {_local_way(config)}") from error
        why = (
            "HF_HUB_OFFLINE is set" if isinstance(error, OfflineModeIsEnabled) else one_line(error, 120, with_type=True)
        )
        what = f"{repository} (revision {revision})" if revision else repository
        raise ModelError(
            f"{what} is not in the cache, and the hub cannot be reached ({why}); {_local_way(config)}"
        ) from error


def _local_way(config: str) -> str:
    what = config or "open_clip_config.json, or timm's config.json,"
    return f"copy its folder from elsewhere and name it: local-dir:PATH (with {what} and its weights)"
