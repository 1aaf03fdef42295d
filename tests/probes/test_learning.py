"""The settings that probes share: chunks keep all rows, and each probe has its own grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.probes.learning import Chunks, LearnSettings


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 40), st.integers(1, 12))
def test_chunks_keep_all_rows_in_order_and_their_bounds(n, rows, cells, n_taxa):
    chunks = [chunk.tolist() for chunk in Chunks(rows, cells).of(np.arange(n), n_taxa)]
    assert [row for chunk in chunks for row in chunk] == list(range(n))
    assert all(1 <= len(chunk) <= max(1, min(rows, cells // n_taxa)) for chunk in chunks)


@pytest.mark.parametrize(("refit", "learnt_from"), [(True, "train and val"), (False, "train")])
def test_the_record_names_the_subsets_of_the_final_fit(refit, learnt_from):
    assert LearnSettings(refit=refit).learnt_from == learnt_from


def test_a_grid_of_the_probe_replaces_a_missing_grid_only():
    missing, own = LearnSettings(refit=False, device="cuda"), LearnSettings((3.0,))
    assert missing.or_grid((1.0, 2.0)) == LearnSettings((1.0, 2.0), refit=False, device="cuda")
    assert own.or_grid((1.0, 2.0)) is own
