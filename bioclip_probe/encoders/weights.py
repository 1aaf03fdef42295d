"""Weights files in folders: which one is meant, its hash, and whether it holds code. This module imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.errors import ModelError, one_line, some
from bioclip_probe.files import sha256_of_bytes, sha256_of_chunks, sha256_of_file

if TYPE_CHECKING:
    import torch

#: Folder of the models of the built-in world, which come with the package.
WORLD = Path(__file__).parent.parent / "world" / "weights"

OPEN_CLIP_CONFIG = "open_clip_config.json"
TIMM_CONFIG = "config.json"
# The order in which open_clip chooses among the files of a folder; a test compares it with open_clip's own.
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
SHARDS_INDEX = "model.safetensors.index.json"  # of weights in several files
TRANSFORMERS_FILES = ("model.safetensors", SHARDS_INDEX)
_SUFFIXES = (".safetensors", ".bin", ".pth")


def sha256_of_weights(path: Path) -> str:
    """Return the sha256 of a weights file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        64 hex digits.

    Raises
    ------
    ModelError
        If the file cannot be read.

    Examples
    --------
    >>> sha256_of_weights(Path("no_such_file.bin"))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: the weights file no_such_file.bin cannot be read: No such file or directory
    """
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise ModelError(f"the weights file {path} cannot be read: {error.strerror}") from error


def sha256_of_weights_files(files: Sequence[Path]) -> tuple[str, dict[str, str]]:
    """Return one sha256 for several weights files, and the sha256 of each by its name.

    Parameters
    ----------
    files : sequence of Path

    Returns
    -------
    digest : str
        For one file the sha256 of that file; empty if there is none.
    digests : dict from str to str

    Raises
    ------
    ModelError
        If two files have the same name, or one cannot be read.

    Examples
    --------
    >>> sha256_of_weights_files([])
    ('', {})
    """
    if len({path.name for path in files}) < len(files):
        raise ModelError(f"the weights files need different names, so that they can be told apart: {some(files)}")
    digests = {path.name: sha256_of_weights(path) for path in files}
    if len(digests) < 2:
        return "".join(digests.values()), digests
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return sha256_of_bytes(lines.encode()), digests


def sha256_of_parameters(module: torch.nn.Module) -> str:
    """Return the sha256 of the names and values of all parameters and buffers, for networks that come from no file.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    str
        64 hex digits.

    Examples
    --------
    >>> import torch
    >>> sha256_of_parameters(torch.nn.Identity())[:8]
    'e3b0c442'
    """
    return sha256_of_chunks(_parameter_chunks(module))


def _parameter_chunks(module: torch.nn.Module) -> Iterator[bytes]:
    """Yield the bytes that `sha256_of_parameters` hashes."""
    for name, value in sorted(module.state_dict().items()):
        yield f"{name} {tuple(value.shape)} {value.dtype}\n".encode()
        yield value.detach().cpu().contiguous().numpy().tobytes()


def weights_file(folder: Path, names: Sequence[str]) -> Path:
    """Return the weights file of a model folder.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Known names of weights files, the preferred one first.

    Returns
    -------
    Path
        The first of the known names that the folder holds, else its only weights file of another name.

    Raises
    ------
    ModelError
        If there is none, or several of other names.

    Examples
    --------
    >>> weights_file(WORLD / "world-generic", OPEN_CLIP_FILES).name
    'open_clip_model.safetensors'
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    others = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if len(others) == 1:
        return others[0]
    there = f"several: {', '.join(path.name for path in others)}" if others else "none"
    raise ModelError(f"the model folder {folder} holds no weights file of a known name ({there}); expected {names[0]}")


def refuse_pickled_code(path: Path) -> None:
    """Raise an error if a weights file holds more than tensors: a pickle may run code when it is opened.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ModelError
        If the file is a pickle that holds other objects, is compressed, or is damaged.

    Examples
    --------
    >>> refuse_pickled_code(Path("model.safetensors"))
    """
    import zipfile

    import torch

    if path.suffix == ".safetensors":
        return
    try:
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            with zipfile.ZipFile(path) as archive:
                if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                    raise ValueError("it is compressed, which torch never does, and may unpack to any size")
        torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)
    except Exception as error:
        raise ModelError(
            f"the weights file {path} is damaged or holds more than weights: {one_line(error, with_type=True)}"
        ) from error
