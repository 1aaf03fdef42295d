"""`Study`: a results folder as an object, with its numbers, figures, sentences and pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bioclip_probe.errors import DataError, one_line
from bioclip_probe.notebook.figures import StudyFigures
from bioclip_probe.notebook.measurements import Measurements
from bioclip_probe.notebook.verdict import Verdict
from bioclip_probe.study import results as study_results
from bioclip_probe.study.collecting import default_store
from bioclip_probe.study.pairs import differences
from bioclip_probe.study.results import Results
from bioclip_probe.study.sample import Sample
from bioclip_probe.summaries import Summary
from bioclip_probe.tree.placing import PLURALS

if TYPE_CHECKING:
    from bioclip_probe.report.explorer.page import Explorer
    from bioclip_probe.study.verification.outcome import Verification


class Study:
    """A study: the tables of a results folder, its figures, its sentences and its pages.

    Parameters
    ----------
    results : Results
        The content of a results folder.
    sample : Sample, optional
        The measured sample, if it is in memory. A study that was opened from a folder has none, and the explorer then
        reads vectors from the store.

    Attributes
    ----------
    results : Results
    folder : Path
        The results folder.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> Study(two_models_measured()).models
    ['bioclip', 'clip']
    """

    def __init__(self, results: Results, sample: Sample | None = None) -> None:
        self.results, self._sample = results, sample

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Return the study in a results folder, whether Python or the command line wrote it.

        Parameters
        ----------
        folder : str or Path

        Raises
        ------
        DataError
            If the folder holds no results.
        """
        return cls(study_results.read(folder))

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self.results.folder

    @property
    def models(self) -> list[str]:
        """Names of the encoders that are compared."""
        return self.results.models or self.results.encoders

    @property
    def controls(self) -> list[str]:
        """Names of the controls: colours, pixels, an untrained network."""
        return list(self.results.controls)

    @property
    def measurements(self) -> Measurements:
        """The numbers; ``measurements.table`` is the table of all of them."""
        return Measurements(self.results.table("measurements"))

    @property
    def predictions(self) -> pd.DataFrame:
        """The answers of the probes, a `PREDICTIONS` table."""
        return self.results.table("predictions")

    @property
    def coordinates(self) -> pd.DataFrame:
        """The panels of the projections, a `COORDINATES` table."""
        return self.results.table("coordinates")

    @property
    def plot(self) -> StudyFigures:
        """The figures, each a method: ``study.plot.headline(width="single")``."""
        return StudyFigures(self.results)

    def verdict(self) -> Verdict:
        """Return the verdict of the study: sentences that are made from its numbers.

        Returns
        -------
        Verdict

        Raises
        ------
        DataError
            If nothing was measured.
        """
        from bioclip_probe.report.sentences import verdict

        return Verdict(tuple(verdict(self.results)), self.results.simulated)

    def difference(self, first: str, second: str, metrics: Sequence[str] = ()) -> pd.DataFrame:
        """Return how two encoders differ, by rank: the number of each, the difference, its interval, adjusted p and n.

        Parameters
        ----------
        first, second : str
            Names of encoders; the difference is `first` less `second`.
        metrics : sequence of str
            Names of metrics; by default those of the primary endpoints.

        Returns
        -------
        DataFrame
            See `bioclip_probe.study.pairs.differences`.

        Raises
        ------
        ProbeError
            If there is no such encoder or metric, or the difference was not measured.
        """
        return differences(self.results.table("measurements"), first, second, metrics)

    def explorer(self, thumbnails: str = "auto", store: str | Path | None = None, data: str = "") -> Explorer:
        """Return the explorer, which a notebook shows: from all life to one picture, in the maps of every model.

        Parameters
        ----------
        thumbnails : {'auto', 'all', 'species', 'none'}
            Pictures with a thumbnail; ``auto`` is all up to 10,000.
        store, data : str, optional
            The store and the dataset of a study that was opened from a folder; by default the store of `collect` and
            the dataset that the study names.

        Returns
        -------
        Explorer

        Raises
        ------
        ProbeError
            If nothing was projected, or the store does not hold what the study measured.
        """
        from bioclip_probe.report.explorer.contents import contents_of
        from bioclip_probe.report.explorer.page import FILE, explore, page_of
        from bioclip_probe.report.explorer.thumbnails import Thumbnails, thumbnails_of

        self.results.table("coordinates")  # before the long work
        if self._sample is None:
            return explore(self.folder, store or default_store(), thumbnails, data, progress=False)
        contents = contents_of(self.results, self._sample, progress=False)
        sources, opener = contents.images["source"].tolist(), self._sample.open
        if opener is None or self._sample.record["encoders"][0].get("family") == "array":
            pictures = Thumbnails.none(len(sources))
        else:
            pictures = thumbnails_of(opener, sources, contents.placement.node, thumbnails, False)
        return replace(page_of(contents, pictures), path=self.folder / FILE)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report: one HTML file with verdict, figures and tables, which needs no network.

        Parameters
        ----------
        path : str or Path, optional
            By default ``report.html`` in the results folder.

        Returns
        -------
        Path
            The file.
        """
        from bioclip_probe.report import page

        if path is not None and Path(path).is_dir():  # before the long work
            raise DataError(f"{path} is a folder; expected a file, such as {Path(path) / 'report.html'}")
        written = page.write(self.folder, progress=False)
        return written if path is None else _copied(written, Path(path))

    def appendix(self, folder: str | Path) -> Path:
        """Write the reproduction appendix of a paper: LaTeX, Markdown, tables, figures and the commands.

        Parameters
        ----------
        folder : str or Path

        Returns
        -------
        Path
            The folder.
        """
        from bioclip_probe.report import appendix

        return appendix.write(self.results, Path(folder), progress=False)

    def verify(self, store: str | Path | None = None, depth: str | None = None) -> Verification:
        """Return whether the results folder is what it says, as `bioclip_probe.verify` does.

        Parameters
        ----------
        store : str or Path, optional
            The store with the vectors of the study.
        depth : str, optional
            ``files``, ``numbers`` or ``vectors``.

        Returns
        -------
        Verification

        Raises
        ------
        ProbeError
            If there is no such depth.
        """
        from bioclip_probe.study.verification.checking import verify

        return verify(self.folder, store, depth)

    def save(self, folder: str | Path) -> Study:
        """Copy the results folder, and return the study in its new place.

        Parameters
        ----------
        folder : str or Path
            New, empty, or with results of the same run.

        Returns
        -------
        Study

        Raises
        ------
        DataError
            If the folder holds another run, or something else.
        """
        folder = study_results.check_folder(folder)
        if folder.resolve() != self.folder.resolve():
            if folder.resolve().is_relative_to(self.folder.resolve()):
                raise DataError(f"{folder} is inside the results folder {self.folder}; name a folder elsewhere")
            if folder.is_dir() and any(folder.iterdir()) and not (folder / "runs.json").exists():
                raise DataError(f"{folder} holds other files than results; name a new folder")
            study_results.check_run(folder, self.results.record["run"])
            with _refused_in_one_line(folder):
                shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Study(study_results.read(folder), self._sample)

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: images, models, steps, and lists that open with a click."""
        return self._summary().html()

    def _summary(self) -> Summary:
        """Return the summary of the study for a shell or a notebook."""
        record = self.results.record
        dataset: dict[str, Any] = record["dataset"]
        taxa = {rank: number for rank, number in dataset.get("taxa", {}).items() if number}
        counts = [f"{number:,} {rank if number == 1 else PLURALS[rank]}" for rank, number in taxa.items()]
        facts = {
            "images": f"{dataset['n_usable']:,}" if "n_usable" in dataset else "",
            "taxa": ", ".join(counts),
            "models": ", ".join(self.models),
            "controls": ", ".join(name for name in self.controls if name not in self.models),
            "steps": ", ".join(record["steps"]) or "none",
            "folder": str(self.folder),
        }
        lists = {"sentences of the verdict": self._lines(), "notes": dataset.get("notes", [])}
        return Summary(f"Study of '{dataset['name']}'{' (simulated)' * dataset['simulated']}", facts, lists)

    def _lines(self) -> list[str]:
        """Return the sentences of the verdict; none before anything is measured."""
        return [] if self.results.measurements is None else [sentence.text for sentence in self.verdict()]


def open_study(folder: str | Path) -> Study:
    """Return the study in a results folder, whether Python or the command line wrote it.

    Parameters
    ----------
    folder : str or Path
        As `Study.save` or the command line wrote it.

    Returns
    -------
    Study

    Raises
    ------
    DataError
        If the folder holds no results.

    Examples
    --------
    >>> open_study("no/such/folder")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder holds no results (no runs.json); run `bioclip-probe measure --out ...
    """
    return Study.open(folder)


@contextmanager
def _refused_in_one_line(path: Path) -> Iterator[None]:
    """Turn the error of a path that cannot be written into one line."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {one_line(error)}") from error


def _copied(file: Path, path: Path) -> Path:
    """Copy a file unless it is there already, and return its path."""
    if path.resolve() != file.resolve():
        with _refused_in_one_line(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, path)
    return path
