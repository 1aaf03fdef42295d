"""The files of a study that can be shared: submission, model cards, evaluation results, archive. Nothing is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioclip_probe.errors import DataError
from bioclip_probe.files import write_together
from bioclip_probe.report.sharing import evaluations as hub
from bioclip_probe.report.sharing.archive import archive_members, zip_bytes
from bioclip_probe.report.sharing.model_cards import model_card
from bioclip_probe.study import results
from bioclip_probe.study.submission import FILE, as_json, submission_of
from bioclip_probe.study.submission_file import problems, read_submission

CARD = "model-card.md"
#: The most characters of a folder's name.
LONGEST_NAME = 80
#: Names that Windows reserves for devices.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


@dataclass(frozen=True)
class Origin:
    """The person or laboratory that shares a study, and the labels of what is shared.

    Attributes
    ----------
    who : str
        Person or laboratory; empty if unknown.
    licence : str
        Licence of the numbers, an SPDX identifier; empty for none.
    benchmark : str
        The dataset of Hugging Face's Hub that would hold the benchmark, ``OWNER/NAME``.
    url : str
        Address at which the results can be seen; empty if there is none.

    Examples
    --------
    >>> Origin().benchmark
    'bioclip-probe/treeoflife-alignment'
    """

    who: str = ""
    licence: str = ""
    benchmark: str = hub.BENCHMARK
    url: str = ""


@dataclass(frozen=True)
class SharedFiles:
    """The files that were written to be shared.

    Attributes
    ----------
    folder : Path
    archive : Path
        The zip for another laboratory.
    cards, evaluations : tuple of Path
        The card and the evaluation results of each model that is not a control.
    submission : Path
    members : tuple of str
        The names of the files in the archive.
    left_out : dict from str to str
        The reason for each file or folder that the archive does not hold.
    """

    folder: Path
    archive: Path
    cards: tuple[Path, ...]
    evaluations: tuple[Path, ...]
    submission: Path
    members: tuple[str, ...]
    left_out: dict[str, str]


def share(folder: str | Path, out: str | Path | None = None, origin: Origin | None = None) -> SharedFiles:
    """Write what can be shared of a results folder. Nothing is uploaded.

    ::

        OUT/
          submission.json                                     the primary endpoints, see `study.submission`
          DATASET-RUN.zip                                     for another laboratory, see `archive`
          models/MODEL/model-card.md                          a section for the card of the model
          models/MODEL/.eval_results/treeoflife-alignment.yaml
                                                              for the model's repository on Hugging Face

    Parameters
    ----------
    folder : str or Path
        A results folder with measurements.
    out : str or Path, optional
        By default the folder ``share`` in it. Files of an earlier call are replaced.
    origin : Origin, optional

    Returns
    -------
    SharedFiles

    Raises
    ------
    ProbeError
        If the folder holds no results or no measurements, or a field cannot be published as it is.

    Examples
    --------
    >>> share("no/such/folder")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder holds no results (no runs.json); run `bioclip-probe measure --out ...
    """
    origin = origin or Origin()
    benchmark, url = hub.check_benchmark(origin.benchmark), hub.check_address(origin.url)
    found = results.read(folder)
    try:
        content = submission_of(found, origin.who, origin.licence)
    except KeyError as error:  # a record that somebody has changed
        raise DataError(f"{found.folder / 'runs.json'} lacks the field {error}, which a submission needs") from None
    if wrong := problems(content):
        raise DataError(f"{folder} cannot be shared as it is: {wrong[0]}")
    out = Path(out) if out is not None else found.folder / "share"
    if out.resolve() == found.folder.resolve():
        raise DataError(f"{out} is the results folder; name another folder")
    archive, (members, left_out) = out / _archive_name(content), archive_members(found.folder, content)
    homes = _homes_of_models(content, out)
    cards = {homes[name] / CARD: model_card(content, name) for name in homes}
    evaluations = {
        homes[name] / hub.FOLDER / hub.FILE: hub.eval_results(content, name, benchmark, url) for name in homes
    }
    data = {path: text.encode() for path, text in {out / FILE: as_json(content), **cards, **evaluations}.items()}
    data[archive] = zip_bytes(members, archive.stem)
    obsolete = _earlier_files(out) - set(data)
    for path in data:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_together({path: _writer(own) for path, own in data.items()}, obsolete)
    return SharedFiles(out, archive, tuple(cards), tuple(evaluations), out / FILE, tuple(sorted(members)), left_out)


def _homes_of_models(content: Mapping[str, Any], out: Path) -> dict[str, Path]:
    """Return the folder of each model that is not a control, by its name."""
    names = [model["name"] for model in content["models"] if not model["control"]]
    return {name: out / "models" / own for name, own in zip(names, safe_names(names), strict=True)}


def _archive_name(content: Mapping[str, Any]) -> str:
    """Return the name of the archive of a submission."""
    return safe_names([f"{content['dataset']['name']}-{content['run']}"])[0] + ".zip"


def safe_names(names: Iterable[str]) -> list[str]:
    """Return a folder name for each name, of letters, digits, dots and hyphens, and different from all others.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str

    Examples
    --------
    >>> safe_names(["org/model", "org model", "../x", "CON"])
    ['org-model', 'org-model-2', 'x', 'CON-']
    """
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:LONGEST_NAME].strip("-.") or "model"
        plain = f"{plain}-" if _DEVICES.match(plain) else plain
        taken, number, own = {other.lower() for other in found}, 2, plain
        while own.lower() in taken:
            own, number = f"{plain}-{number}", number + 1
        found.append(own)
    return found


def _earlier_files(out: Path) -> set[Path]:
    """Return the files that an earlier call wrote, perhaps for another run: cards, evaluation results and archive."""
    models = out / "models"
    found = {*models.glob(f"*/{CARD}"), *models.glob(f"*/{hub.FOLDER}/{hub.FILE}")}
    try:
        return {*found, out / _archive_name(read_submission(out / FILE))}
    except DataError:  # there was none
        return found


def _writer(content: bytes) -> Callable[[Path], object]:
    """Return a function that writes bytes to a path."""
    return lambda path: path.write_bytes(content)
