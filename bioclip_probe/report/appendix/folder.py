"""The folder of an appendix: its files are made beside it, and appear when all are there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bioclip_probe.errors import DataError, some
from bioclip_probe.files import sha256_of_file, write_together
from bioclip_probe.plots.registry import REGISTRY as FIGURES
from bioclip_probe.plots.settings import FigureSettings
from bioclip_probe.progress import weighted_bar
from bioclip_probe.report.appendix.commands import script_of
from bioclip_probe.report.appendix.contents import PROGRAM, Contents
from bioclip_probe.report.appendix.escaping import Raw
from bioclip_probe.report.appendix.references import bibliography, cited_keys
from bioclip_probe.report.appendix.source_code import source_code
from bioclip_probe.report.appendix.writers import LatexWriter, MarkdownWriter, render
from bioclip_probe.report.gallery import draw
from bioclip_probe.study.results import Results

#: The sums of the files of an appendix, as the program sha256sum writes and checks them.
SUMS = "SHA256SUMS"
#: Files that every appendix has.
ALWAYS = (SUMS, "appendix.md", "appendix.tex", "commands.sh", "main.tex", "numbers.tex", "references.bib")


def write(results: Results, folder: str | Path | None = None, progress: bool = True) -> Path:
    r"""Write the reproduction appendix of a study: LaTeX to take into a paper, and the same in Markdown.

    ::

        FOLDER/
          appendix.tex       to be taken in by \input; it needs booktabs, longtable, graphicx and caption
          main.tex           a paper of its own around it: latexmk -pdf main.tex
          numbers.tex        a macro for each headline number
          references.bib     the works that it cites
          tables/, figures/  what it shows
          appendix.md        the same in Markdown
          commands.sh        the commands that made the study
          SHA256SUMS         sums of all these files

    No network is used. The same results give the same files.

    Parameters
    ----------
    results : Results
        With measurements.
    folder : str or Path, optional
        ``appendix`` in the results folder by default. Files of an earlier appendix are replaced, and other files stay.
    progress : bool
        Show progress while figures are drawn, where there is a bar or it takes long.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If there are no measurements, or a file would be replaced that is not of an earlier appendix, or was changed
        since.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> with TemporaryDirectory() as parent:
    ...     folder = write(two_models_measured(), f"{parent}/appendix", progress=False)
    ...     sorted(path.name for path in folder.iterdir())[:4]
    ['SHA256SUMS', 'appendix.md', 'appendix.tex', 'commands.sh']
    """
    results.table("measurements")  # before the long work
    folder = Path(folder or results.folder / "appendix")
    parent = _existing_parent(folder)
    _check_own(folder, ALWAYS)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=parent) as beside:
        made = Path(beside) / "appendix"
        _write_files(results, made, progress)
        _move(made, folder)
    return folder


def _existing_parent(folder: Path) -> Path:
    """Return the folder that holds an appendix, made if it is missing."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; expected a folder for the appendix")
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.parent


def _write_files(results: Results, folder: Path, progress: bool) -> None:
    """Write all files of an appendix into a new folder."""
    (folder / "tables").mkdir(parents=True)
    code = source_code()
    contents = Contents.of(results, code, _draw(results, folder / "figures", progress))
    latex, markdown = LatexWriter(), MarkdownWriter()
    about = {
        "title": contents.title,
        "run": results.record["run"],
        "program": PROGRAM,
        "code": code,
        "simulated": results.simulated,
    }
    words = contents.words(latex)
    keys = cited_keys(words)
    files = {
        "appendix.tex": render("appendix.tex", latex, content=words, **about),
        "main.tex": render("main.tex", latex, **about),
        "numbers.tex": render("numbers.tex", latex, numbers=contents.numbers.by_macro.values(), **about),
        "references.bib": bibliography(keys),
        "appendix.md": render(
            "appendix.md", markdown, content=contents.words(markdown), bibliography=Raw(bibliography(keys)), **about
        ),
        "commands.sh": script_of(results),
        **{f"tables/{table.name}.tex": latex.table_file(table) for table in contents.written_tables},
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    (folder / "commands.sh").chmod(0o755)
    sums = [f"{sha256_of_file(folder / name)}  {name}\n" for name in sorted(_files_in(folder))]
    (folder / SUMS).write_text("".join(sums), encoding="utf-8", newline="\n")


def _draw(results: Results, folder: Path, progress: bool) -> list[str]:
    """Draw every figure that the tables allow as PDF and PNG, and return their names."""
    folder.mkdir()
    drawn, n_figures = [], len(FIGURES)
    with weighted_bar("drawing", (0, n_figures), (0, n_figures), progress, even_short=False) as bar:
        for name in FIGURES:
            bar.begin(name)
            try:
                draw(results, name, folder / name, FigureSettings())
                drawn.append(name)
            except DataError:
                pass  # the tables do not hold what it draws
            bar.finish(1)
    for path in [*folder.glob("*.csv"), *folder.glob("*.json")]:  # they stand in the figures of the results
        path.unlink()
    return drawn


def _files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, as they are written in `SUMS`."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _move(made: Path, folder: Path) -> None:
    """Move a finished appendix to its place, or its files over those of an earlier one."""
    if not folder.exists():
        os.replace(made, folder)
        return
    new, old = set(_files_in(made)), _own_files(folder)
    _check_own(folder, new)
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    files = {folder / name: _copier(made / name) for name in sorted(new, key=lambda name: (name == SUMS, name))}
    write_together(files, [folder / name for name in old - new])


def _check_own(folder: Path, names: Iterable[str]) -> None:
    """Refuse to replace files of a folder that no appendix wrote."""
    own = _own_files(folder)
    foreign = sorted(name for name in names if (folder / name).exists() and name not in own)
    if foreign:
        raise DataError(
            f"{folder} holds files that no appendix wrote, or that were changed since: {some(foreign)}; name another "
            "folder, or move them away"
        )


def _copier(source: Path) -> Callable[[Path], object]:
    """Return what copies a file to the path that it is given."""
    return lambda path: shutil.copy(source, path)


def _own_files(folder: Path) -> set[str]:
    """Return the files of an earlier appendix that are still as it wrote them."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    inside = {name for name in sums if not Path(name).is_absolute() and ".." not in Path(name).parts}
    own = {name for name in inside if (folder / name).is_file() and sha256_of_file(folder / name) == sums[name]}
    return own | ({SUMS} if own else set())
