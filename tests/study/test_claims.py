"""Each piece of a study is computed by one process, and pieces of a group by the same."""

from __future__ import annotations

from dataclasses import replace

from bioclip_probe.study.claims import FAILED, STORED, Claims
from tests.support.piece_states import states


def test_pieces_of_a_group_go_to_one_process():
    claims = Claims(states("a", "a", "b", ""))
    assert claims.take("0", process=1)
    assert not claims.take("1", process=2), "its group is with the first process"
    assert claims.take("2", process=2) and claims.take("3", process=2)
    assert claims.take("1", process=1)
    assert [claims.process_at(key) for key in "0123"] == [1, 1, 2, 2]


def test_nothing_is_taken_twice_and_nothing_that_was_not_missing():
    dependent = replace(states("a")[0], key="9", dependent=True)
    claims = Claims([*states("a"), dependent])
    assert claims.take("0", process=1) and not claims.take("0", process=1)
    assert not claims.take("9", process=1) and not claims.take("stored before", process=1)
    claims.mark("0", FAILED)
    assert not claims.take("0", process=1) and claims.process_at("0") == 0 and not claims.is_stored("0")
    claims.mark("0", STORED)
    assert claims.is_stored("0")
