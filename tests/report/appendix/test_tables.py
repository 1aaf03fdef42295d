"""The widths of the columns of a table."""

from __future__ import annotations

import re

import pytest

from bioclip_probe.report.appendix.tables import FITTING, Column, PaperTable, width_of

COLUMNS = (Column("model"), Column("value", "number"), Column("note"))


def test_short_columns_have_their_own_width() -> None:
    widths = PaperTable("t", "T", COLUMNS, [("clip", "0.351", "none")]).widths
    assert all(re.fullmatch(r"\d+\.\d\dem", width) for width in widths)
    assert sum(float(width.removesuffix("em")) for width in widths) < FITTING


def test_long_columns_share_the_line_and_numbers_keep_their_width() -> None:
    widths = PaperTable("t", "T", COLUMNS, [("clip" * 20, "0.351", "note " * 40)]).widths
    shares = [int(share) for share in re.findall(r"\*(\d+)/1000", " ".join(widths))]
    assert len(shares) == 2
    assert sum(shares) <= 1000
    assert widths[1] == f"{width_of('value', 'number'):.2f}em"


def test_a_table_without_rows_has_widths() -> None:
    assert len(PaperTable("t", "T", COLUMNS, []).widths) == 3


def test_groups_leave_out_repeated_cells() -> None:
    rows = [("genus", "1", "a"), ("genus", "2", "b"), ("species", "3", "c")]
    groups = PaperTable("t", "T", COLUMNS, rows, grouped=True).groups
    assert [[row[0] for row in group] for group in groups] == [["genus", ""], ["species"]]
    assert PaperTable("t", "T", COLUMNS, rows).groups == [[list(row) for row in rows]]


def test_letters_that_are_printed_as_numbers_count_as_such() -> None:
    assert width_of("猫") > width_of("cat")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of column"):
        Column("x", "picture")
