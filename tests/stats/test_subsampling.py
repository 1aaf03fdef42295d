import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.subsampling import balanced_rows

GROUPS = st.lists(st.integers(-1, 4), max_size=30).map(lambda labels: np.array(labels, dtype=np.int64))


@given(GROUPS, st.integers(1, 4), st.integers(0, 9))
def test_every_taxon_with_enough_images_has_exactly_the_given_number(groups, n, seed):
    rows, left_out = balanced_rows(groups, n, np.random.default_rng(seed))
    counts = {taxon: int(np.sum(groups == taxon)) for taxon in set(groups.tolist()) - {-1}}
    assert rows.tolist() == sorted(set(rows.tolist()))
    drawn = groups[rows].tolist()
    assert {taxon: drawn.count(taxon) for taxon in set(drawn)} == {t: n for t, have in counts.items() if have >= n}
    assert left_out == sum(have < n for have in counts.values())


def test_all_rows_of_a_taxon_are_equally_likely():
    groups = np.repeat([3, 7, -1], [5, 2, 4])
    draws = [balanced_rows(groups, 2, np.random.default_rng(seed))[0] for seed in range(2_000)]
    times = np.bincount(np.concatenate(draws), minlength=11) / 2_000
    assert times[:5] == pytest.approx(np.full(5, 0.4), abs=0.05)
    assert times[5:].tolist() == [1, 1, 0, 0, 0, 0]


def test_zero_images_per_taxon_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        balanced_rows(np.zeros(3, dtype=int), 0, np.random.default_rng())
