"""Ids of encoders, and the parts of an id that are paths on this machine.

An id is ``ARCHITECTURE/TAG`` or ``SCHEME:REST``. Some ids hold a path: of a model folder (``local-dir:PATH``), of a
Python file (``custom:FILE.py:FACTORY``), or of a weights file in place of the tag (``ARCHITECTURE/FILE``).
"""

from __future__ import annotations

import re
from pathlib import Path

from bioclip_probe.errors import ModelError

_LAYER = r"layer:\d+(?::(?:cls|mean))?"
_WRAPPER = re.compile(rf"({_LAYER}|silhouette|background|scrambled):(.+)")
_CONTROL = re.compile(rf"((quickgelu|unprojected|{_LAYER}):)*(control|untrained|silhouette|background|scrambled):")


def is_control_id(id: str) -> bool:
    """Return whether an id names a control: a statistic of the picture, random weights, or altered pictures.

    Parameters
    ----------
    id : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_control_id("control:pixels"), is_control_id("untrained:ViT-B-16"), is_control_id("ViT-B-16/openai")
    (True, True, False)
    """
    return _CONTROL.match(id) is not None


def split_wrapper(id: str) -> tuple[str, str]:
    """Return what an id does to another encoder, and the id of that encoder.

    Parameters
    ----------
    id : str

    Returns
    -------
    wrapper : str
        ``layer:N``, ``layer:N:cls``, ``layer:N:mean``, ``silhouette``, ``background`` or ``scrambled``; empty where
        the id stands for itself.
    id : str

    Examples
    --------
    >>> split_wrapper("layer:6:mean:untrained:ViT-B-16"), split_wrapper("ViT-B-16/openai")
    (('layer:6:mean', 'untrained:ViT-B-16'), ('', 'ViT-B-16/openai'))
    """
    match = _WRAPPER.fullmatch(id)
    return (match[1], match[2]) if match else ("", id)


def split_layer(wrapper: str) -> tuple[int, str]:
    """Return the number of the block of a ``layer:N[:cls|mean]``, and its pooling.

    Parameters
    ----------
    wrapper : str

    Returns
    -------
    number : int
    pooling : str
        Empty where none is named.

    Examples
    --------
    >>> split_layer("layer:6"), split_layer("layer:6:mean")
    ((6, ''), (6, 'mean'))
    """
    _, number, pooling = f"{wrapper}:".split(":")[:3]
    return int(number), pooling


def public_id(id: str) -> str:
    """Return an id that holds no path of this machine, for records, figures and reports.

    Parameters
    ----------
    id : str

    Returns
    -------
    str
        The same id with each path replaced by the name of its file or folder.

    Examples
    --------
    >>> public_id("local-dir:/home/ada/models/mine")
    'local-dir:mine'
    """
    folder = _transformers_folder(id)
    if folder:
        before, _, after = id.rpartition(folder)
        return f"{before}{Path(folder).expanduser().resolve().name}{after}"
    path = local_path(id)
    return f"{id[: -len(path)]}{Path(path).expanduser().resolve().name}" if path else id


def absolute_id(id: str) -> str:
    """Return an id with absolute paths, so that it means the same in every working directory.

    Parameters
    ----------
    id : str

    Returns
    -------
    str

    Raises
    ------
    ModelError
        If a ``custom:`` id names no factory.

    Examples
    --------
    >>> absolute_id("custom:/models/mine.py:Net")
    'custom:/models/mine.py:Net'
    """
    wrapper, inner = split_wrapper(id)
    if wrapper:
        return f"{wrapper}:{absolute_id(inner)}"
    if id.startswith("custom:"):
        file, factory = split_custom_id(id)
        return f"custom:{file.absolute()}:{factory}"
    folder = _transformers_folder(id)
    if folder:
        before, _, after = id.rpartition(folder)
        return f"{before}{Path(folder).expanduser().absolute()}{after}"
    path = local_path(id)
    return f"{id[: -len(path)]}{Path(path).expanduser().absolute()}" if path else id


def local_path(id: str) -> str:
    """Return the end of an id that is the path of a model folder or of a weights file.

    Parameters
    ----------
    id : str

    Returns
    -------
    str
        Empty where the id ends in no path. A tag counts as a path where a file of that name exists.

    Examples
    --------
    >>> local_path("quickgelu:local-dir:models/mine"), local_path("hf-hub:imageomics/bioclip")
    ('models/mine', '')
    """
    _, scheme, path = id.partition("local-dir:")
    if scheme:
        return path
    _, slash, tag = id.rpartition(":")[2].partition("/")
    return (
        tag if slash and "hf-hub:" not in id and "transformers:" not in id and Path(tag).expanduser().is_file() else ""
    )


def model_folder(id: str) -> Path:
    """Return the folder of a ``local-dir:`` id, which may stand behind a wrapper such as ``quickgelu:``.

    Parameters
    ----------
    id : str

    Returns
    -------
    Path

    Examples
    --------
    >>> model_folder("quickgelu:local-dir:models/mine").name
    'mine'
    """
    return Path(id.partition("local-dir:")[2]).expanduser()


def split_custom_id(id: str) -> tuple[Path, str]:
    """Return the file and the name of the factory of a ``custom:`` id.

    Parameters
    ----------
    id : str

    Returns
    -------
    file : Path
    factory : str

    Raises
    ------
    ModelError
        If the id names no file or no factory.

    Examples
    --------
    >>> split_custom_id("custom:mine.py:Net")[1]
    'Net'
    """
    file, _, factory = id.removeprefix("custom:").rpartition(":")
    if not file or not factory:
        raise ModelError(f"'{id}' names no factory; expected custom:FILE.py:FACTORY")
    return Path(file).expanduser(), factory


def split_transformers_id(id: str) -> tuple[str, str]:
    """Return the repository or folder of a ``transformers:`` id, and its pooling.

    Parameters
    ----------
    id : str

    Returns
    -------
    name : str
    pooling : str
        ``cls``, ``pooler`` or ``mean``.

    Raises
    ------
    ModelError
        If the id says no pooling.

    Examples
    --------
    >>> split_transformers_id("transformers:facebook/dinov2-base@main:cls")
    ('facebook/dinov2-base@main', 'cls')
    """
    name, _, pooling = id.removeprefix("transformers:").rpartition(":")
    if not name or pooling not in ("cls", "pooler", "mean"):
        raise ModelError(f"'{id}' says no pooling; expected transformers:ORG/MODEL:cls, :pooler or :mean")
    return name, pooling


def file_stamp(id: str) -> tuple[tuple[str, int, int], ...]:
    """Return the name, time and size of each file of a local model, which change when the model changes.

    Parameters
    ----------
    id : str

    Returns
    -------
    tuple of (str, int, int)
        Name, time of the last change in nanoseconds, and size in bytes; empty for a model that is not local.

    Examples
    --------
    >>> file_stamp("ViT-B-16/openai")
    ()
    """
    wrapper, inner = split_wrapper(id)
    if wrapper:
        return file_stamp(inner)
    if id.startswith("custom:"):
        path = split_custom_id(id)[0]
    elif text := _transformers_folder(id) or local_path(id):
        path = Path(text).expanduser()
    else:
        return ()
    if not path.exists():
        return ()
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())


def _transformers_folder(id: str) -> str:
    """Return the folder of a ``transformers:`` id, as it stands there; empty for a model of the hub."""
    _, scheme, rest = id.partition("transformers:")
    folder = rest.rpartition(":")[0]
    return folder if scheme and folder and Path(folder).expanduser().is_dir() else ""
