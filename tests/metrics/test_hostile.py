"""Every number on input that has no business being measured: it is undefined and says why, or keeps its bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from tests.support.relatives import lineage_frame, related_vectors
from tests.support.settings import FEW
from tests.support.subjects import measured

pytestmark = pytest.mark.slow

OF_EMBEDDINGS = [name for name, entry in REGISTRY.items() if entry.subject == "embeddings"]
OF_PAIRS = [
    name
    for name, entry in REGISTRY.items()
    if entry.subject in ("pair", "control pair") and entry.function is not None  # differences are made from numbers
]


def table_of(vectors: np.ndarray, frame: pd.DataFrame) -> pd.DataFrame:
    """Return all measurements of an embedding."""
    return measured([SharedResults(vectors, taxonomy(frame), FEW)])


def one_row(frame, vectors):
    return frame[:1], vectors[:1]


def two_rows(frame, vectors):
    return frame[:2], vectors[:2]


def one_species(frame, vectors):
    return frame.assign(**frame.iloc[0]), vectors


def constant_vectors(frame, vectors):
    return frame, np.tile(vectors[:1], (len(vectors), 1))


def two_places(frame, vectors):
    """All images at one of two opposite points, so that centroids may cancel out."""
    return frame, np.where(np.arange(len(vectors))[:, None] % 2, vectors[:1], -vectors[:1])


def a_star(frame, vectors):
    """One genus: all pairs of species are equally far apart on the tree."""
    shared = {rank: frame[rank].iloc[0] for rank in RANKS[:-1]}
    epithets = frame["species"].str.split(" ").str[-1]
    return frame.assign(**shared, species=shared["genus"] + " " + epithets), vectors


def duplicated(frame, vectors):
    return pd.concat([frame, frame], ignore_index=True), np.concatenate([vectors, vectors])


def only_holes(frame, vectors):
    return frame.assign(**dict.fromkeys(RANKS)), vectors


def holes_everywhere(frame, vectors):
    rng = np.random.default_rng(0)
    return frame.mask(rng.random(frame.shape) < 0.3), vectors


def one_image_a_species(frame, vectors):
    frame = frame.assign(
        species=frame["genus"] + " " + pd.Series([f"s{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in frame.index])
    )
    return frame, vectors


def nearly_coincident(frame, vectors):
    """As an untrained network's, whose cosine distances are around 1e-5."""
    vectors = vectors.astype(np.float64) * 3e-3
    vectors[:, 0] += 1
    return frame, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


CASES = (
    one_row, two_rows, one_species, constant_vectors, two_places, a_star, duplicated, only_holes, holes_everywhere,
    one_image_a_species, nearly_coincident,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_every_number_is_undefined_and_says_why_or_keeps_its_bounds(case):
    frame = lineage_frame()
    frame, vectors = case(frame, related_vectors(frame))
    before = vectors.copy()
    table = table_of(vectors, frame.reset_index(drop=True))
    np.testing.assert_array_equal(vectors, before)
    assert not np.isinf(table[["value", "ci_low", "ci_high", "p_value"]].to_numpy(float)).any()
    undefined = table[table["value"].isna()]
    assert (undefined["note"].fillna("") != "").all(), undefined.loc[undefined["note"].fillna("") == "", "metric"]
    assert undefined[["ci_low", "p_value"]].isna().all(axis=None)
    for name, group in table.dropna(subset=["value"]).groupby("metric"):
        low, high = REGISTRY[name].bounds
        assert group["value"].between(low - 1e-9, high + 1e-9).all(), name
        ends = group.dropna(subset=["ci_low"])
        assert (ends["ci_low"] <= ends["ci_high"]).all(), name
    counts = table.dropna(subset=["n_images", "n_excluded"])
    assert (counts["n_images"] + counts["n_excluded"] <= len(frame)).all()


def test_what_nearly_coincides_is_still_measured():
    frame = lineage_frame()
    vectors = related_vectors(frame)
    plain, near = (
        table_of(v, frame).set_index(["metric", "rank"])["value"]
        for v in (vectors, nearly_coincident(frame, vectors)[1])
    )
    for metric in ("cophenetic_correlation", "image_tree_correlation", "spearman"):
        assert np.isfinite(near[metric, "species"]), metric
        assert np.sign(near[metric, "species"]) == np.sign(plain[metric, "species"]), metric


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused_by_the_id_of_their_image(bad):
    vectors = np.ones((4, 3), dtype=np.float16)
    vectors[2, 1] = bad
    with pytest.raises(DataError, match="1 are not: c"):
        Embeddings.of(np.array(list("abcd")), vectors)


def test_half_precision_gives_the_same_numbers_to_three_digits():
    frame = lineage_frame()
    vectors = related_vectors(frame)
    agreement = tuple(name for name in OF_EMBEDDINGS if not REGISTRY[name].needs_ranks)
    settings = replace(FEW, metrics=agreement)
    half = Embeddings.of(np.arange(len(vectors)).astype(str), vectors.astype(np.float16)).vectors
    assert half.dtype == np.float32
    exact, rounded = (
        measured([SharedResults(v, taxonomy(frame), settings)]).set_index(["metric", "rank"])["value"]
        for v in (vectors, half)
    )
    np.testing.assert_allclose(rounded, exact, atol=2e-3)


def unnormalised(vectors):
    vectors[7] *= 3
    return vectors


def with_nan(vectors):
    vectors[7, 1] = np.nan
    return vectors


def too_short(vectors):
    return vectors[:-1]


WRONG = ((unnormalised, "must have norm 1; 1 do not, in rows 7"), (with_nan, "must be finite; 1 are not, in rows 7"),
         (too_short, r"expected vectors of shape \(60, d\), one row per image"))  # fmt: skip


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("metric", [*OF_EMBEDDINGS, *OF_PAIRS])
def test_every_metric_refuses_vectors_that_are_no_unit_vectors_in_one_line(metric, wrong, message):
    frame = lineage_frame()
    vectors = related_vectors(frame)
    broken = wrong(vectors.copy())
    given = broken if metric in OF_EMBEDDINGS else (vectors, broken)
    with pytest.raises(DataError, match=message) as error:
        REGISTRY[metric].function(given, taxonomy(frame), FEW)
    assert "\n" not in str(error.value)
