"""Messages of the command line about real inputs: exact copies, one species, pictures as base64."""

from __future__ import annotations

import pytest

from tests.support.command_line import refused, run
from tests.support.pictures import paint, paint_many


def test_audit_counts_and_lists_exact_copies(here, capsys):
    for name, color in (("a", (1, 2, 3)), ("b", (1, 2, 3)), ("c", (200, 2, 3))):
        paint(here / f"{name}.png", color)
    (here / "birds.csv").write_text(
        "path,species,split\na.png,Pica pica,train\nb.png,Pica hudsonia,test\nc.png,Corvus corax,test\n"
    )
    status, out, _ = run(capsys, "audit", "--data", "table:birds.csv", "--out", "found")
    assert status == 0
    assert "1 of 3 images are exact copies of others (the same bytes): 1 pictures occur more than once" in out
    assert "1 pictures have different names in their copies: a.png; b.png" in out
    assert "1 pictures are in several parts of the dataset's own split: a.png; b.png" in out
    assert (here / "found" / "copies.csv").read_text().endswith(",2,2,test; train,a.png; b.png\n")
    assert "copies" not in run(capsys, "audit", "--data", "table:birds.csv", "--names-only")[1]


@pytest.mark.parametrize("command", ["measure", "probe", "project", "reproduce"])
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_one_species_is_refused_with_the_reason(here, capsys, command, dry):
    (here / "cats").mkdir()
    names = paint_many(here / "cats", 3)
    (here / "cats" / "labels.csv").write_text("\n".join(["path,species", *(f"{name},Felis catus" for name in names)]))
    line = refused(capsys, command, "--data", "table:cats/labels.csv", "--models", "pixels", "--no-controls", *dry)
    assert (
        "are of one species, Felis catus: whether embeddings follow the tree can be told of several taxa only" in line
    )
    assert not (here / "results").exists()


def test_a_picture_as_base64_is_not_printed(here, capsys):
    text = "iVBORw0KGgo" * 4000
    (here / "birds.csv").write_text(f"image,species\n{text},Pica pica\n{text[:-1]},Corvus corax\n")
    for command in ("audit", "measure"):
        _, out, err = run(capsys, command, "--data", "table:birds.csv")
        assert len(out + err) < 3000, command


def test_measure_and_probe_print_the_notes_of_the_dataset(here, capsys):
    rows = ["path,species"]
    for number, name in enumerate(["Pica pica", "Corvus corax"] * 4):
        paint(here / f"{number}.png", (100 * (number % 2), 30 * (number % 4), 9))
        rows.append(f"{number}.png,{name}")
    (here / "birds.csv").write_text("\n".join(rows))
    shared = ("--data", "table:birds.csv", "--models", "pixels", "--no-controls", "--quiet")
    for command, flags in (("measure", ("--metrics", "knn_purity_1")), ("probe", ("--probes", "knn"))):
        status, out, _ = run(capsys, command, *shared, *flags)
        assert status == 0
        assert "\nNotes on the images of birds:\n" in out
        assert "  4 of 8 images are exact copies of others (the same bytes)" in out


@pytest.mark.parametrize("command", ["embed", "measure", "probe", "reproduce"])
def test_a_name_of_no_device_is_refused_before_anything_is_read(here, capsys, command):
    line = refused(capsys, command, "--data", "table:none.csv", "--models", "pixels", "--device", "meta")
    assert line == "bioclip-probe: unknown device 'meta'; expected cpu, cuda, cuda:N or auto"
