"""Appendices of made-up studies, compiled by LaTeX where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from bioclip_probe.report.appendix import folder as appendix_folder
from bioclip_probe.report.appendix import write
from bioclip_probe.report.appendix.source_code import SourceCode
from bioclip_probe.study.results import Results
from tests.support.appendix_study import HOSTILE, Compiled, latex, made_up_results

PROGRAMS = ("latexmk", "pdflatex", "pdftotext")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figure, and know the version of the code, which others may change while tests run."""
    monkeypatch.setattr(appendix_folder, "FIGURES", {})
    monkeypatch.setattr(
        appendix_folder, "source_code", lambda: SourceCode("0.1.0", "0123456789abcdef" * 2 + "01234567")
    )


@pytest.fixture(scope="session")
def tex() -> None:
    """LaTeX; tests are skipped without it, but not where REQUIRE_TEX says so."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        reason = f"no LaTeX on this system: {', '.join(missing)} missing"
        pytest.fail(reason) if os.environ.get("REQUIRE_TEX") else pytest.skip(reason)


@pytest.fixture(scope="session")
def compile_appendix(tex: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Compiled]:
    """A function that writes and compiles the appendix of a made-up study, once for all tests."""
    done: dict[str, Compiled] = {}

    def compiled(kind: str) -> Compiled:
        if kind not in done:
            done[kind] = _compiled(_results(kind, tmp_path_factory.mktemp(kind)))
        return done[kind]

    return compiled


def _results(kind: str, folder: Path) -> Results:
    """Return the results of a made-up study: of the two models of the paper, simulated, or with hostile names."""
    if kind == "hostile":
        return made_up_results(folder, HOSTILE[:3], HOSTILE[3:], names=HOSTILE)
    return made_up_results(folder, simulated=kind == "simulated")


def _compiled(results: Results) -> Compiled:
    """Write and compile an appendix."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        figures = {name: appendix_folder.FIGURES[name] for name in ("headline", "strays", "layers")}
        patch.setattr(appendix_folder, "FIGURES", figures)  # the others take long, and are drawn in the same way
        warnings.filterwarnings("ignore", "Glyph")  # the font of the figures lacks letters too
        folder = write(results, results.folder / "appendix", progress=False)
    log = latex(folder / "main.tex")
    text = subprocess.run(["pdftotext", "-layout", "main.pdf", "-"], cwd=folder, capture_output=True, check=True)
    return Compiled(results, folder, log, text.stdout.decode("utf-8"))
