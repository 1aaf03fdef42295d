import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import TreeError
from bioclip_probe.tree.distance_matrix import DistanceMatrix, place_on_matrix

NAMES = ["Pica pica", "Corvus corax", "Sitta europaea", "Canis lupus"]
DISTANCE = np.array([[0.0, 1, 2, 5], [1, 0, 3, 6], [2, 3, 0, 7], [5, 6, 7, 0]])


def test_images_are_placed_by_name_with_the_distances_of_their_taxa():
    matrix = DistanceMatrix(["Canis_lupus_ott1", "Sitta_europaea", "Corvus corax", "Pica pica"], DISTANCE[::-1, ::-1])
    placement, matches = place_on_matrix(
        matrix, pd.Series(["Corvus corax", "Canis lupus", None, "Pica pica", "Morus alba"])
    )
    names = placement.tree.name[placement.tree.tips].tolist()
    assert names == ["Canis_lupus_ott1", "Corvus corax", "Pica pica"]
    assert placement.distance.tolist() == [[0, 6, 5], [6, 0, 1], [5, 1, 0]]
    assert [names[node - 1] if node > 0 else None for node in placement.node] == [
        names[1],
        names[0],
        None,
        names[2],
        None,
    ]
    assert matches["matched"].tolist() == [True, True, False, True]


def test_one_triangle_is_enough_and_rounding_does_not_matter():
    lower = np.where(np.tri(4) > 0, DISTANCE, np.nan)
    assert DistanceMatrix(NAMES, lower).distance.tolist() == DISTANCE.tolist()
    assert np.allclose(DistanceMatrix(NAMES, DISTANCE + np.triu(np.full((4, 4), 1e-9), 1)).distance, DISTANCE)


def changed(*entries: tuple[int, int, float]) -> np.ndarray:
    matrix = DISTANCE.copy()
    for i, j, value in entries:
        matrix[i, j] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "line"),
    [
        (changed((0, 1, 4)), "symmetric; 1 pairs have two distances: Pica pica and Corvus corax (4, 1)"),
        (changed((0, 1, -1), (1, 0, -1)), "at least 0; those of 1 pairs are not: Pica pica and Corvus corax (-1, -1)"),
        (
            changed((2, 3, np.nan), (3, 2, np.nan)),
            "those of 1 pairs are not: Sitta europaea and Canis lupus (nan, nan)",
        ),
        (
            changed((2, 3, np.inf), (3, 2, np.inf)),
            "those of 1 pairs are not: Sitta europaea and Canis lupus (inf, inf)",
        ),
        (changed((1, 1, 2)), "the distance of a taxon from itself is 0; of 1 it is not: Corvus corax"),
        (DISTANCE[:3], "a row and a column for each name; got (3, 4) and 4 names"),
    ],
)
def test_what_is_no_distance_matrix_is_refused_in_one_line(matrix, line):
    with pytest.raises(TreeError) as caught:
        DistanceMatrix(NAMES, matrix)
    assert line in str(caught.value)


def test_a_name_may_stand_once_only():
    with pytest.raises(TreeError, match="1 are repeated: a"):
        DistanceMatrix(["a", "a", "b", "c"], DISTANCE)
