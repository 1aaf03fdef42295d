"""The files of an appendix: which there are, what they hold, and that nothing of a user is replaced."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.report.appendix import folder as appendix_folder
from bioclip_probe.report.appendix import write
from bioclip_probe.report.appendix.references import cited_keys, entries
from bioclip_probe.study.results import Results
from tests.support.appendix_study import HOSTILE, made_up_results
from tests.support.tex_text import rows_of

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    """Results of the models of the paper, and their appendix with two figures."""
    results = made_up_results(tmp_path_factory.mktemp("real"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appendix_folder, "FIGURES", {"headline": appendix_folder.FIGURES["headline"]})
        return results, write(results, progress=False)


@pytest.fixture
def copy(written: tuple[Results, Path], tmp_path: Path) -> Path:
    """A copy of the appendix, to change it."""
    return Path(shutil.copytree(written[1], tmp_path / "appendix"))


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_all_files(written: tuple[Results, Path]) -> None:
    results, folder = written
    assert folder == results.folder / "appendix"
    expected = {"SHA256SUMS", "appendix.md", "appendix.tex", "commands.sh", "main.tex", "numbers.tex"}
    assert expected | {"references.bib", "figures/headline.pdf", "figures/headline.png"} <= set(_files(folder))
    assert not [name for name in _files(results.folder) if name.startswith(".")]


def test_sums_are_those_of_the_files(written: tuple[Results, Path]) -> None:
    files = _files(written[1])
    sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_every_table_and_figure_that_the_words_name_is_there(written: tuple[Results, Path]) -> None:
    folder = written[1]
    tex = (folder / "appendix.tex").read_text("utf-8")
    tables = set(re.findall(r"tables/([\w-]+)\}", tex))
    assert tables == {path.stem for path in (folder / "tables").iterdir()}
    assert {"claims", "endpoints", "differences", "published", "models", "checklist", "licences"} <= tables
    assert re.findall(r"figures/(\w+)\.pdf", tex) == ["headline"]
    assert "blob/" in tex or "commit not known" in tex


def test_all_citations_have_entries_and_all_entries_are_cited(written: tuple[Results, Path]) -> None:
    folder = written[1]
    cited = cited_keys((folder / "appendix.tex").read_text("utf-8"))
    bib = (folder / "references.bib").read_text("utf-8")
    assert set(re.findall(r"^@\w+\{(\w+),", bib, flags=re.MULTILINE)) == cited <= set(entries())
    assert {"stevens2024bioclip", "radford2021learning", "vanhorn2021benchmarking", "bioclipprobe"} <= cited


def test_every_macro_of_the_words_is_defined(written: tuple[Results, Path]) -> None:
    tex, numbers = ((written[1] / name).read_text("utf-8") for name in ("appendix.tex", "numbers.tex"))
    defined = re.findall(r"\\newcommand\{\\(\w+)\}", numbers)
    assert len(defined) == len(set(defined))
    own = re.findall(r"providecommand\{\\(\w+)\}", tex)
    used = set(re.findall(r"\\(tol[A-Z]\w*)\{\}", tex))
    assert used
    assert used <= {*defined, *own}


@pytest.mark.parametrize("metric", ["average_precision_other_species", "knn_purity_1_other_species"])
def test_tables_hold_the_measurements(written: tuple[Results, Path], metric: str) -> None:
    results, folder = written
    rows = rows_of((folder / "tables" / f"rank-{metric}.tex").read_text("utf-8"))
    table = results.table("measurements")
    table = table[(table["metric"] == metric) & (table["tree"] == "taxonomy") & (table["space"] == "raw")]
    names = [encoder["name"] for encoder in results.record["encoders"]]
    table = table[table["encoder"].isin(names) & table["encoder_b"].isna() & table["taxon"].isna()]
    assert len(rows) == len(table)
    by_place = table.set_index(["rank", "encoder"])
    for rank, encoder, value, interval, chance, _, n_taxa, n_images in rows:
        row = by_place.loc[(rank, encoder)]
        low, high = re.findall(r"[−\d.]+", interval)
        shown = [float(text.replace("−", "-")) for text in (value, low, high, chance)]
        expected = row[["value", "ci_low", "ci_high", "chance"]].astype(float)
        assert shown == pytest.approx(expected.tolist(), abs=5e-4)
        assert [int(n_taxa), int(n_images)] == row[["n_taxa", "n_images"]].astype(int).tolist()


def test_hostile_names_are_read_back_from_the_tables(tmp_path: Path) -> None:
    results = made_up_results(tmp_path, names=HOSTILE)
    folder = write(results, progress=False)
    audit = rows_of((folder / "tables" / "audit.tex").read_text("utf-8"))
    assert [row[2] for row in audit] == list(HOSTILE)
    failures = rows_of((folder / "tables" / "failures.tex").read_text("utf-8"))
    assert [row[1] for row in failures] == list(HOSTILE)


def test_the_same_results_give_the_same_files(written: tuple[Results, Path], tmp_path: Path) -> None:
    results = written[0]
    first = _files(write(results, tmp_path / "first", progress=False))
    again = _files(write(results, tmp_path / "again", progress=False))
    assert first == again


def test_own_files_are_replaced_and_others_stay(copy: Path, written: tuple[Results, Path]) -> None:
    (copy / "main.pdf").write_bytes(b"compiled")
    (copy / "notes.txt").write_text("mine")
    results = written[0]
    renamed = {**results.record, "run": "ba9876543210"}
    write(Results(results.folder, renamed, results.measurements), copy, progress=False)
    assert "ba9876543210" in (copy / "appendix.tex").read_text("utf-8")
    assert (copy / "main.pdf").read_bytes() == b"compiled"
    assert (copy / "notes.txt").read_text() == "mine"
    assert not (copy / "figures" / "headline.pdf").exists()  # it is not drawn any more


@pytest.mark.parametrize("name", ["main.tex", "tables/endpoints.tex"])
def test_a_file_of_a_user_is_not_replaced(written: tuple[Results, Path], tmp_path: Path, name: str) -> None:
    folder = tmp_path / "paper"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("my paper")
    before = _files(folder)
    with pytest.raises(DataError, match=f"no appendix wrote, or that were changed since: {name}"):
        write(written[0], folder, progress=False)
    assert _files(tmp_path) == {f"paper/{own}": content for own, content in before.items()}


def test_a_changed_file_is_not_replaced(copy: Path, written: tuple[Results, Path]) -> None:
    (copy / "main.tex").write_text("changed")
    before = _files(copy)
    with pytest.raises(DataError, match="changed since"):
        write(written[0], copy, progress=False)
    assert _files(copy) == before


def test_sums_cannot_name_files_elsewhere(written: tuple[Results, Path], tmp_path: Path) -> None:
    folder, outside = tmp_path / "appendix", tmp_path / "mine.txt"
    outside.write_text("mine")
    folder.mkdir()
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(b'mine').hexdigest()}  ../mine.txt\n")
    with pytest.raises(DataError, match="SHA256SUMS"):
        write(written[0], folder, progress=False)
    assert outside.read_text() == "mine"


def test_nothing_is_left_where_writing_fails(written: tuple[Results, Path], tmp_path: Path, monkeypatch) -> None:
    def full_disk(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(appendix_folder, "_draw", full_disk)
    with pytest.raises(OSError, match="No space"):
        write(written[0], tmp_path / "appendix", progress=False)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(written: tuple[Results, Path], tmp_path: Path) -> None:
    (tmp_path / "appendix").write_text("mine")
    with pytest.raises(DataError, match="is a file"):
        write(written[0], tmp_path / "appendix", progress=False)


def test_results_without_measurements_are_refused(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    with pytest.raises(DataError, match="bioclip-probe measure"):
        write(Results(tmp_path, results.record), tmp_path / "appendix", progress=False)
    assert not (tmp_path / "appendix").exists()


def test_a_bare_record_is_enough(tmp_path: Path) -> None:
    results = made_up_results(tmp_path)
    encoders = [{"name": name, "control": False} for name in ("bioclip", "clip")]
    bare = {"run": "r", "dataset": {"name": "d", "simulated": False}, "encoders": encoders, "steps": {}, "software": {}}
    folder = write(Results(tmp_path, bare, results.measurements), progress=False)
    assert "not recorded" in (folder / "appendix.md").read_text("utf-8")


def test_markdown_has_the_tables_and_no_latex(written: tuple[Results, Path]) -> None:
    text = (written[1] / "appendix.md").read_text("utf-8")
    assert "| CPCC, birds | bioclip | 0.500 | [0.400, 0.620] |" in text
    assert "\\tol" not in text
    assert "](figures/headline.png)" in text
    assert "@inproceedings{stevens2024bioclip," in text


def test_the_script_of_commands_is_one_of_the_shell(tmp_path: Path) -> None:
    script = write(made_up_results(tmp_path, names=HOSTILE), progress=False) / "commands.sh"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert script.stat().st_mode & 0o100


def test_simulated_results_say_so_everywhere(tmp_path: Path) -> None:
    folder = write(made_up_results(tmp_path, simulated=True), progress=False)
    for path in folder.glob("tables/*.tex"):
        assert re.search(r"\\caption\{.*simulated", path.read_text("utf-8")), path
    for name in ("appendix.tex", "numbers.tex", "main.tex", "appendix.md", "commands.sh"):
        assert "simulated" in (folder / name).read_text("utf-8").lower(), name
    words = (folder / "appendix.tex").read_text("utf-8")
    assert all("simulated" in title for title in re.findall(r"\\section\{(.*)\}", words))
    assert all("simulated" in caption for caption in re.findall(r"\\captionof\{figure\}\{(.*)\}", words))
    assert "not tested: the run is simulated" in (folder / "appendix.md").read_text("utf-8")


def test_published_numbers_stand_beside_those_of_the_study(written: tuple[Results, Path]) -> None:
    rows = rows_of((written[1] / "tables" / "published.tex").read_text("utf-8"))
    published = {row[0]: (row[1], row[2], row[3]) for row in rows}
    assert published["bioclip, inat21-val, linear, seen, species, top1_accuracy"] == (
        "0.500 [0.400, 0.620]",
        "0.754",
        "−0.254",
    )
    assert all("images" in row[4] for row in rows)


def test_the_claim_of_the_paper_has_numbers(written: tuple[Results, Path]) -> None:
    rows = rows_of((written[1] / "tables" / "claims.tex").read_text("utf-8"))
    assert len(rows) == 4
    assert all("difference 0.200 [0.100, 0.300]" in row[1] for row in rows)
