"""The suite and the registry: every row is registered, keeps its bounds, and is invariant to what it declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import metrics
from bioclip_probe.metrics import image_pass
from bioclip_probe.metrics import shared as shared_module
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.suite import measure
from bioclip_probe.tables import MEASUREMENTS
from bioclip_probe.tree import Placement, Tree, taxonomy
from tests.support.relatives import lineage_frame, related_vectors
from tests.support.settings import FEW
from tests.support.subjects import measured, measured_small, pairs_of_encoders, subjects_of, two_encoders

pytestmark = pytest.mark.slow

KEY = ["metric", "rank", "taxon", "tree", "split"]
OF_EMBEDDINGS = [name for name, entry in REGISTRY.items() if entry.subject == "embeddings"]
WITH_FUNCTION = [name for name, entry in REGISTRY.items() if entry.function is not None]
OF_PAIRS = [name for name, entry in REGISTRY.items() if entry.subject in ("pair", "control pair")]


def functions_of(names: list[str]) -> list:
    """Return the functions of some metrics, each once, with their names as ids."""
    functions = dict.fromkeys(REGISTRY[name].function for name in names if REGISTRY[name].function is not None)
    return [pytest.param(function, id=function.__name__) for function in functions]


def of_embedding(frame: pd.DataFrame) -> pd.DataFrame:
    """Return all measurements of the embedding of a dataset."""
    return measured([metrics.SharedResults(related_vectors(frame), taxonomy(frame), FEW)])


@cache
def _plain() -> pd.DataFrame:
    return measured_small()


@pytest.fixture
def plain() -> pd.DataFrame:
    return _plain()


def test_every_row_is_registered_and_every_entry_is_measured(plain):
    assert set(plain["metric"]) == set(WITH_FUNCTION)


def test_every_number_with_an_interval_is_compared_between_encoders():
    one, other, frame = two_encoders()
    placement = taxonomy(frame)
    first, second = (measure(metrics.SharedResults(vectors, placement, FEW)) for vectors in (one, other))
    found = {(row.metric, row.rank, row.taxon) for row in metrics.paired_differences(first, second, FEW)}
    both = {(row.metric, row.rank, row.taxon) for row in first if row.estimate.replicates is not None}
    assert found == {(f"{metric}_difference", *where) for metric, *where in both}


def test_rows_are_told_apart(plain):
    assert not plain.duplicated(KEY).any()


def test_values_keep_their_bounds(plain):
    for name in WITH_FUNCTION:
        low, high = REGISTRY[name].bounds
        values = plain.loc[plain["metric"] == name, "value"].dropna()
        # Of clades with five species there are too few here for a spread; tests/metrics/test_clades.py has more.
        assert len(values) or name == "within_clade_correlation_sd", name
        assert values.between(low - 1e-12, high + 1e-12).all(), name


def test_intervals_are_intervals_and_p_values_are_probabilities(plain):
    with_ends = plain.dropna(subset=["ci_low"])
    assert (with_ends["ci_low"] <= with_ends["ci_high"]).all()
    assert (with_ends["ci_method"] != "").all()
    assert plain["p_value"].dropna().between(0, 1).all()


def test_a_number_without_value_says_why(plain):
    assert (plain.loc[plain["value"].isna(), "note"] != "").all()


@cache
def _changed(change: str) -> pd.DataFrame:
    """The numbers of the same embeddings after one of the changes."""
    frame = lineage_frame()
    (vectors,), frame, order = _change(change, (related_vectors(frame),), frame)
    one, other, both = two_encoders()
    encoders, both, _ = _change(change, (one, other), both)
    return measured(subjects_of(vectors, taxonomy(frame), order=order) + pairs_of_encoders(*encoders, taxonomy(both)))


def _change(
    change: str, encoders: tuple[np.ndarray, ...], frame: pd.DataFrame
) -> tuple[list[np.ndarray], pd.DataFrame, np.ndarray]:
    """Turn each embedding in its own way; or put embeddings and names in another order; or change the names."""
    rng, order = np.random.default_rng(8), np.arange(len(frame))
    if change == "rotation":
        turns = [np.linalg.qr(rng.normal(size=(v.shape[1],) * 2))[0] for v in encoders]
        encoders = [(v.astype(np.float64) @ turn).astype(np.float32) for v, turn in zip(encoders, turns, strict=True)]
    elif change == "order":
        order = rng.permutation(len(frame))
        frame, encoders = frame.iloc[order].reset_index(drop=True), [v[order] for v in encoders]
    else:  # names that reverse the alphabet
        letters = {chr(97 + i): chr(122 - i) for i in range(26)}
        upside_down = str.maketrans(letters | dict(zip("0123456", "9876543", strict=True)))
        frame = frame.apply(lambda column: column.str.lower().str.translate(upside_down).str.capitalize())
    return encoders, frame, order


@pytest.mark.parametrize("change", ["rotation", "order", "names"])
@pytest.mark.parametrize("metric", WITH_FUNCTION)
def test_invariance_is_as_declared(metric, change, plain):
    """A number that promises to stay does; one that does not promise it is seen to move."""
    before, after = (
        numbers.loc[numbers["metric"] == metric].set_index("rank").sort_values(["rank", "value"])["value"]
        for numbers in (plain, _changed(change))
    )
    same = np.allclose(before, after, atol=2e-4, equal_nan=True)
    if metric.startswith(("panel_purity_2d", "panel_trustworthiness")):  # this projection, PCA, keeps more than it must
        assert same or change not in REGISTRY[metric].invariant
    else:
        assert same == (change in REGISTRY[metric].invariant), pd.concat([before, after], axis=1)


def test_the_same_seed_gives_the_same_table(plain):
    pd.testing.assert_frame_equal(measured_small(), plain)


def test_another_seed_moves_intervals_and_no_exact_value(plain):
    other = measured_small(replace(FEW, seed=1))
    exact = plain["metric"].isin(["cophenetic_correlation", "image_tree_correlation", "knn_purity_5", "silhouette"])
    np.testing.assert_allclose(plain.loc[exact, "value"], other.loc[exact, "value"], rtol=1e-12)
    assert (plain.loc[exact, "ci_low"].dropna() != other.loc[exact, "ci_low"].dropna()).any()


def test_every_number_has_a_stream_of_its_own():
    """Measuring fewer ranks or fewer metrics changes no number."""
    frame = lineage_frame()
    vectors, placement = related_vectors(frame), taxonomy(frame)
    everything = of_embedding(frame)
    some = replace(FEW, metrics=("cophenetic_correlation", "k_mult", "noise_ceiling", "spearman"))
    species = measured([metrics.SharedResults(vectors, placement.coarsen("species"), some, ranks=("species",))])
    same = everything.merge(species, on=["metric", "rank"], suffixes=("", "_alone"))
    assert len(same) == len(species) == 4
    np.testing.assert_array_equal(same["ci_low"], same["ci_low_alone"])
    np.testing.assert_array_equal(same["p_value"], same["p_value_alone"])


@pytest.mark.parametrize("function", functions_of(OF_EMBEDDINGS))
def test_a_metric_of_an_embedding_run_alone_gives_the_same_rows_as_in_the_suite(function, plain):
    frame = lineage_frame()
    _assert_same_rows(function, function(related_vectors(frame), taxonomy(frame), FEW), plain)


@pytest.mark.parametrize("function", functions_of(OF_PAIRS))
def test_a_metric_of_a_pair_run_alone_gives_the_same_rows_as_in_the_suite(function, plain):
    one, other, frame = two_encoders()
    _assert_same_rows(function, function((one, other), taxonomy(frame), FEW), plain)


def _assert_same_rows(function: Callable, rows: list[metrics.Measurement], plain: pd.DataFrame) -> None:
    """Compare the rows that a function returned with those of the suite."""
    names = [name for name, entry in REGISTRY.items() if entry.function is function]
    alone = MEASUREMENTS.frame([row.as_row(simulated=False) for row in rows])
    in_suite = plain[plain["metric"].isin(names)].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, in_suite)
    assert len(alone)


@pytest.mark.parametrize(
    ("metric", "not_needed"),
    [
        ("cophenetic_correlation", ("sweep", "sweep_spaces", "search_spaces", "Clusters")),
        ("average_precision", ("sweep", "search_spaces", "NeighborSearch", "Clusters")),
        ("knn_purity_5", ("sweep", "sweep_spaces", "Clusters", "centroids")),
        ("cluster_ami", ("sweep", "sweep_spaces", "search_spaces", "centroids")),
        ("silhouette", ("sweep", "sweep_spaces", "search_spaces", "Clusters", "centroids")),
    ],
)
def test_only_what_a_metric_needs_is_computed(metric, not_needed, monkeypatch):
    frame = lineage_frame()
    for name in not_needed:
        module = image_pass if hasattr(image_pass, name) else shared_module
        monkeypatch.setattr(module, name, lambda *args, name=name, **kwargs: pytest.fail(f"computed {name}"))
    subject = metrics.SharedResults(related_vectors(frame), taxonomy(frame), replace(FEW, metrics=(metric,)))
    assert {row.metric for row in measure(subject)} == {metric}


def test_what_metrics_share_is_computed_once(monkeypatch):
    frame, calls = lineage_frame(), []

    def counted(name: str, function: Callable) -> Callable:
        def counting(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        return counting

    monkeypatch.setattr(shared_module, "sweep", counted("of species", shared_module.sweep))
    for name in ("sweep_spaces", "search_spaces"):
        monkeypatch.setattr(image_pass, name, counted(name, getattr(image_pass, name)))
    measure(metrics.SharedResults(related_vectors(frame), taxonomy(frame), FEW))
    assert sorted(calls) == ["of species", "sweep_spaces"]  # the neighbours come from the same products


def test_parts_of_a_dataset_have_the_metrics_that_are_given_for_parts():
    frame = lineage_frame()
    subject = metrics.SharedResults(related_vectors(frame), taxonomy(frame), FEW)
    assert {row.metric for row in measure(subject, parts=True)} == {
        name for name in OF_EMBEDDINGS if REGISTRY[name].by_part
    }


def test_a_phylogeny_has_the_metrics_that_need_no_ranks():
    frame = lineage_frame()
    placement = taxonomy(frame)
    tree = placement.tree
    dated = Placement(Tree(tree.parent, tree.length, tree.name, np.full(len(tree), -1), "Myr"), placement.node)
    rows = measure(metrics.SharedResults(related_vectors(frame), dated, FEW))
    assert {row.metric for row in rows} == {name for name in OF_EMBEDDINGS if not REGISTRY[name].needs_ranks}
    assert {row.rank for row in rows} == {"species"}


def test_inputs_are_left_as_they_are():
    frame = lineage_frame()
    vectors = related_vectors(frame)
    before = vectors.copy()
    vectors.flags.writeable = False
    measure(metrics.SharedResults(vectors, taxonomy(frame), FEW))
    np.testing.assert_array_equal(vectors, before)


def of(found: pd.DataFrame, metric: str, rank: str) -> pd.Series:
    rows = found[(found["metric"] == metric) & (found["rank"] == rank)]
    assert len(rows) == 1
    return rows.iloc[0]


AT_EVERY_RANK = ("knn_purity_1", "knn_purity_1_adjusted", "cluster_purity", "cluster_ami", "silhouette")


@pytest.mark.parametrize("metric", AT_EVERY_RANK)
def test_one_taxon_at_a_rank_is_a_row_that_says_so(metric):
    frame = lineage_frame().assign(kingdom="Animalia")
    row = of(of_embedding(frame), metric, "kingdom")
    assert np.isnan(row["value"])
    assert row["note"] == "only one taxon"
    assert row["n_images"] == len(frame)


@pytest.mark.parametrize("metric", AT_EVERY_RANK)
def test_singletons_are_a_row_that_says_so(metric):
    frame = lineage_frame().assign(species=[f"Pica t{chr(97 + i // 26)}{chr(97 + i % 26)}us" for i in range(60)])
    row = of(of_embedding(frame), metric, "species")
    assert np.isnan(row["value"])
    assert row["note"] == "every taxon has a single image"


def test_kingdoms_are_a_star_tree(plain):
    row = of(plain, "cophenetic_correlation", "kingdom")
    assert np.isnan(row["value"])
    assert "3 taxa" in row["note"] or "does not vary" in row["note"]


def test_holes_are_counted():
    frame = lineage_frame()
    frame.loc[frame.index[:7], "family"] = None
    found = of_embedding(frame)
    for metric in ("cluster_purity", "silhouette", "cophenetic_correlation"):
        assert of(found, metric, "family")["n_excluded"] == 7, metric
        assert of(found, metric, "family")["n_images"] == 53, metric
        assert of(found, metric, "genus")["n_excluded"] == 0, metric


def test_no_image_has_a_name():
    frame = lineage_frame().assign(family=None)
    found = of_embedding(frame)
    for metric in (*AT_EVERY_RANK, "cophenetic_correlation"):
        row = of(found, metric, "family")
        assert np.isnan(row["value"]), metric
        assert row["n_excluded"] == 60, metric
        assert row["note"], metric
