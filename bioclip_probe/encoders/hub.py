"""The hub of models and its cache: weights files, the commits that they belong to, and runs without downloads."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from bioclip_probe.encoders.weights import OPEN_CLIP_CONFIG, SHARDS_INDEX, TIMM_CONFIG
from bioclip_probe.errors import ModelError, one_line

log = logging.getLogger(__name__)

_may_download: ContextVar[bool] = ContextVar("may_download", default=True)
_COMPANIONS = ("*.json", "*.txt", "*.model", "*.txt.gz")  # configuration and tokenizer
_HUB_TIMEOUT = 6.0


def hub_weights(
    repository: str, revision: str | None, names: Sequence[str], config: str = "", timeout: float = _HUB_TIMEOUT
) -> tuple[Path, str]:
    """Return the weights file of a hub repository, and the commit that it belongs to.

    A file in the cache is used as it is, without a question to the network: runs can be repeated, and machines without
    a network work. To get a newer version, name its revision.

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
    timeout : float
        Seconds. A hub that does not answer within them counts as unreachable.

    Returns
    -------
    path : Path
    commit : str

    Raises
    ------
    ModelError
        If the hub cannot be reached, or has no such repository, revision or file.

    Examples
    --------
    >>> hub_weights("not a repository", None, ("model.safetensors",))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ModelError: 'not a repository' is not the name of a repository; expected hf-hub:ORG/REPO
    """
    path = _cached_file(repository, revision, names, config)
    origin = "from the cache"
    if path is None and not _may_download.get():
        raise NotDownloadedError(repository, revision, names, config)
    if path is None:
        _download(repository, revision, names, config, timeout)
        path = _cached_file(repository, revision, names, config)
        origin = "downloaded"
    if path is None:
        raise ModelError(f"{repository} was downloaded but is not in the cache; {_local_way(config)}")
    commit = path.parent.name
    log.info("%s: %s, revision %s, %s", repository, origin, commit, path.name)
    return path, commit


class NotDownloadedError(ModelError):
    """The weights of a model are not in the cache, and `without_downloads` forbids to download them.

    Parameters
    ----------
    repository, revision, names, config
        As for `hub_weights`.

    Examples
    --------
    >>> str(NotDownloadedError("imageomics/bioclip", None, ("model.safetensors",)))
    'imageomics/bioclip is not in the cache'
    """

    def __init__(self, repository: str, revision: str | None, names: Sequence[str], config: str = "") -> None:
        super().__init__(f"{repository} is not in the cache")
        self._wanted = (repository, revision, names, config)

    def n_bytes(self, timeout: float = _HUB_TIMEOUT) -> int:
        """Return the size of the download, as the hub states it.

        Raises
        ------
        ModelError
            If the hub cannot be reached, or has no such repository, revision or file.
        """
        repository, revision, names, config = self._wanted
        files = _hub_files(repository, revision, names, config, timeout)
        wanted = next(name for name in names if name in files)
        patterns = _wanted_files(wanted)
        return sum(size for name, size in files.items() if any(map(Path(name).match, patterns)))


def may_download() -> bool:
    """Return False inside `without_downloads`.

    Returns
    -------
    bool

    Examples
    --------
    >>> with without_downloads():
    ...     may_download()
    False
    """
    return _may_download.get()


@contextmanager
def without_downloads() -> Iterator[None]:
    """Raise `NotDownloadedError` in this block for weights that are not in the cache, and download nothing.

    Examples
    --------
    >>> with without_downloads():
    ...     hub_weights("nobody/nothing", None, ("model.safetensors",))
    Traceback (most recent call last):
        ...
    bioclip_probe.encoders.hub.NotDownloadedError: nobody/nothing is not in the cache
    """
    token = _may_download.set(False)
    try:
        yield
    finally:
        _may_download.reset(token)


def _cached_file(repository: str, revision: str | None, names: Sequence[str], config: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in names:
        try:
            path = try_to_load_from_cache(repository, name, revision=revision)
        except HFValidationError as error:
            raise ModelError(f"'{repository}' is not the name of a repository; expected hf-hub:ORG/REPO") from error
        if isinstance(path, str) and (not config or (Path(path).parent / config).is_file()):
            return Path(path)
    return None


def _download(repository: str, revision: str | None, names: Sequence[str], config: str, timeout: float) -> None:
    """Download one weights file with its companions into the cache."""
    from huggingface_hub import snapshot_download

    files = _hub_files(repository, revision, names, config, timeout)
    wanted = next(name for name in names if name in files)
    with _hub_errors(repository, revision, config):
        snapshot_download(repository, revision=revision, allow_patterns=_wanted_files(wanted))


def _wanted_files(weights: str) -> list[str]:
    """Return the patterns of the files that are downloaded with a weights file, or with the index of several."""
    return [weights, *_COMPANIONS, *(["model-*-of-*.safetensors"] if weights == SHARDS_INDEX else [])]


def _hub_files(
    repository: str, revision: str | None, names: Sequence[str], config: str, timeout: float
) -> dict[str, int]:
    """Return the files of a repository with their sizes, at least one of the names among them."""
    from huggingface_hub import HfApi

    with _hub_errors(repository, revision, config):
        # This call comes before a download, because it alone has a time limit and is not retried.
        info = HfApi().model_info(repository, revision=revision, timeout=timeout, files_metadata=True)
    files = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    if not any(name in files for name in names) or (config and config not in files):
        missing = config if any(name in files for name in names) else names[0]
        raise ModelError(f"the hub repository {repository} has no {missing}; {_local_way(config)}")
    return files


@contextmanager
def _hub_errors(repository: str, revision: str | None, config: str) -> Iterator[None]:
    """Turn the errors of the hub's client into one line each."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except HFValidationError as error:
        raise ModelError(f"'{repository}' is not the name of a repository; expected hf-hub:ORG/REPO") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"the hub repository {repository} has no revision '{revision or 'main'}'") from error
    except GatedRepoError as error:
        terms = "accept its terms there and set HF_TOKEN, or"
        raise ModelError(
            f"the hub repository {repository} is for members only; {terms} {_local_way(config)}"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no repository {repository}, or a private one; {_local_way(config)}") from error
    except Exception as error:  # each version of the hub's client has its own error for "no network"
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
    """Return the advice to use a local folder."""
    files = config or f"{OPEN_CLIP_CONFIG}, or timm's {TIMM_CONFIG},"
    return f"copy its folder from another machine and name it: local-dir:PATH (with {files} and its weights)"
