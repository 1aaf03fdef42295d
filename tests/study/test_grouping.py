import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.study.grouping import merge_groups

LABELS = st.integers(-1, 5)


def merged_plainly(groups: list[int], copies: list[int]) -> list[set[int]]:
    """Return the sets of images that are linked, found by joining sets until nothing changes."""
    together = [{image} for image in range(len(groups))]
    for labels in (groups, copies):
        for first in range(len(labels)):
            for second in range(first):
                if labels[first] == labels[second] >= 0:
                    union = together[first] | together[second]
                    for image in union:
                        together[image] = union
    return together


@given(st.lists(st.tuples(LABELS, LABELS), max_size=12))
def test_groups_are_linked_by_group_and_by_picture(images):
    groups, copies = np.array(images, dtype=np.int64).reshape(-1, 2).T
    merged = merge_groups(groups, copies)
    together = merged_plainly(groups.tolist(), copies.tolist())
    for image, linked in enumerate(together):
        if groups[image] < 0 and copies[image] < 0:
            assert merged[image] == -1
        else:
            assert set(np.flatnonzero(merged == merged[image]).tolist()) == linked


def test_groups_without_copies_stay_as_they_are():
    groups = np.array([3, -1, 3, 0])
    assert merge_groups(groups, np.empty(0, dtype=np.int64)) is groups
    assert merge_groups(groups, np.full(4, -1)) is groups
