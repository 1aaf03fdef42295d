"""The contents of an appendix, gathered from a results folder for its templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bioclip_probe.files import sha256_of_file
from bioclip_probe.plots.registry import REGISTRY as FIGURES
from bioclip_probe.report.appendix import measured, protocol
from bioclip_probe.report.appendix.checklist import checklist
from bioclip_probe.report.appendix.claims import claim_sentence, claim_table
from bioclip_probe.report.appendix.commands import commands_of
from bioclip_probe.report.appendix.escaping import Raw
from bioclip_probe.report.appendix.methods import deviations, machine_sentence, methods
from bioclip_probe.report.appendix.models_and_data import licence_table
from bioclip_probe.report.appendix.numbers import Numbers
from bioclip_probe.report.appendix.references import PAPER, SOFTWARE, citations_of
from bioclip_probe.report.appendix.source_code import SourceCode
from bioclip_probe.report.appendix.tables import PaperTable
from bioclip_probe.report.appendix.writers import PaperFigure, Writer, render
from bioclip_probe.report.sentences import Sentence, verdict
from bioclip_probe.study import published
from bioclip_probe.study.results import Results

PROGRAM = "bioclip-probe"
SIMULATED = " (simulated)"


@dataclass(frozen=True)
class Contents:
    """The contents of an appendix, before they are written in a markup language.

    Attributes
    ----------
    results : Results
    code : SourceCode
    numbers : Numbers
    tables : dict from str to PaperTable
        The tables that the words name.
    by_rank : tuple of PaperTable
    figures : tuple of PaperFigure
    sentences : list of Sentence
        The verdict.
    coverage : str
        How many published numbers stand beside those of the study.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> contents = Contents.of(two_models_measured(), SourceCode("0.1.0"), figures=())
    >>> contents.tables["models"].caption
    'Models and controls'
    """

    results: Results
    code: SourceCode
    numbers: Numbers
    tables: dict[str, PaperTable]
    by_rank: tuple[PaperTable, ...]
    figures: tuple[PaperFigure, ...]
    sentences: list[Sentence]
    coverage: str

    @classmethod
    def of(cls, results: Results, code: SourceCode, figures: Iterable[str]) -> Contents:
        """Return the contents of the appendix of a study.

        Parameters
        ----------
        results : Results
        code : SourceCode
            The code that writes the appendix.
        figures : iterable of str
            The names of the figures that are drawn.

        Returns
        -------
        Contents

        Raises
        ------
        DataError
            If the folder holds no measurements.
        """
        mark = SIMULATED if results.simulated else ""
        compared, sentences = published.compare(results.table("measurements"), results.record), verdict(results)
        named = {
            "claims": claim_table(results),
            "endpoints": measured.endpoint_table(results),
            "differences": measured.difference_table(results),
            "published": measured.published_table(compared),
            "taxa": protocol.taxa_table(results),
            "audit": protocol.audit_table(results),
            "failures": protocol.failure_table(results),
            "tips": protocol.tip_table(results),
            "models": protocol.model_table(results),
            "steps": protocol.step_table(results),
            "checklist": checklist(results, code),
            "licences": licence_table(results),
        }
        return cls(
            results,
            code,
            Numbers.of(results, sentences),
            {name: _marked(table, mark) for name, table in named.items()},
            tuple(
                _marked(table, mark) for table in (*measured.tables_by_rank(results), *measured.tables_by_tree(results))
            ),
            tuple(_figure(name, code, mark) for name in figures),
            sentences,
            published.coverage(compared, results.record),
        )

    @property
    def written_tables(self) -> list[PaperTable]:
        """The tables that have rows."""
        return [table for table in (*self.tables.values(), *self.by_rank) if table.rows]

    @property
    def title(self) -> str:
        """The title of the appendix."""
        mark = SIMULATED if self.results.simulated else ""
        return f"Reproduction appendix{mark}: {self.results.record['dataset']['name']}"

    def words(self, writer: Writer) -> Raw:
        """Return the words of the appendix in a language of markup.

        Parameters
        ----------
        writer : Writer

        Returns
        -------
        Raw
        """
        results, citations = self.results, citations_of(self.results)
        keys = {**citations, "paper": PAPER, "software": SOFTWARE}
        models = results.encoders
        values: dict[str, Any] = {
            "record": results.record,
            "simulated": results.simulated,
            "mark": SIMULATED if results.simulated else "",
            "program": PROGRAM,
            "code": self.code,
            "numbers": self.numbers,
            "tables": self.tables,
            "by_rank": self.by_rank,
            "figures": self.figures,
            "verdict": [self.numbers.pieces(sentence) for sentence in self.sentences],
            "claim": claim_sentence(results),
            "coverage": self.coverage[0].upper() + self.coverage[1:],
            "methods": methods(results, self.numbers),
            "trees": list(protocol.tree_sentences(results)),
            "parts": _parts(results),
            "cited_models": [(name, citations[name]) for name in models if name in citations],
            "controls": ", ".join(results.controls),
            "deviations": deviations(results),
            "machine": machine_sentence(results),
            "commands": commands_of(results),
            "n_rows": len(results.table("measurements")),
            "sha256": _sha256(results),
            "count": measured.count,
            "cite": lambda name: Raw(f" {writer.cite(keys[name])}" if name in keys else ""),
        }
        return render("appendix.txt", writer, words=True, **values)


def _marked(table: PaperTable, mark: str) -> PaperTable:
    """Return a table whose caption says that it is simulated, if it is."""
    return replace(table, caption=table.caption + mark)


def _figure(name: str, code: SourceCode, mark: str) -> PaperFigure:
    """Return a figure with its caption and the script that draws it."""
    entry = FIGURES[name]
    script = getattr(entry.function, "__module__", "bioclip_probe.plots").replace(".", "/") + ".py"
    title = entry.title + mark + ("" if entry.title.endswith("?") and not mark else ".")
    return PaperFigure(name, f"{title} {entry.notes}".strip(), code.address(script), script, code.commit_text)


def _parts(results: Results) -> str:
    """Return the parts of the dataset with their numbers of images."""
    splits = results.record["dataset"].get("splits") or {}
    return ", ".join(f"{name} ({n:,} images)" for name, n in splits.items())


def _sha256(results: Results) -> str:
    """Return the digest of the table of measurements, empty if there is no such file."""
    path = results.folder / "measurements.csv"
    return sha256_of_file(path) if path.exists() else ""
