"""The suite and the catalogue: every row is catalogued, keeps its bounds, and is invariant to what it declares."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from bioclip_probe import metrics, projections
from bioclip_probe.metrics import CATALOGUE
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import taxonomy

pytestmark = pytest.mark.usefixtures("quick")
KEY = ["metric", "rank", "taxon", "tree", "split"]


def lineages(n: int = 60, seed: int = 3) -> pd.DataFrame:
    """Lineages of n images of twelve species; no two taxa of a rank have equally many."""
    species = np.repeat(np.arange(12), [13, 9, 7, 6, 5, 4, 4, 3, 3, 2, 2, 2])[:n]
    divisors = dict(zip(RANKS, (8, 5, 4, 3, 2.5, 2, 1), strict=True))
    frame = pd.DataFrame(
        {rank: [f"{rank[:2].title()}{int(s // by)}" for s in species] for rank, by in divisors.items()}
    )
    frame["species"] = frame["genus"] + " " + pd.Series([f"sp{chr(97 + s)}" for s in species])
    return frame.iloc[np.random.default_rng(seed).permutation(len(frame))].reset_index(drop=True)


def embedded(frame: pd.DataFrame, d: int = 8, noise: float = 1.2, seed: int = 5) -> np.ndarray:
    """Unit vectors in which relatives lie near one another, with noise enough to err."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, noise, (len(frame), d))
    for rank in RANKS:
        codes, names = pd.factorize(frame[rank])
        vectors += rng.normal(0, 0.5, (len(names) + 1, d))[codes]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def everything(vectors: np.ndarray, frame: pd.DataFrame, seed: int = 0, drawn: np.ndarray | None = None) -> list[dict]:
    """All rows of one embedding: the suite, the panels in full dimension and in the plane, a probe's scores.

    `drawn` permutes the rows of the stand-in for a probe, whose answers do not depend on the embedding.
    """
    placement = taxonomy(frame)
    rows = metrics.measure(vectors, placement, seed=seed)
    panels = projections.drill_down(placement, projections.FIGURE_RANKS)
    settings = projections.ProjectionSettings(method="pca", seed=seed)
    coordinates = projections.project(vectors, placement, settings).coordinates
    plane = dict(list(coordinates.groupby("rank", sort=False)))
    for metric in ("panel_purity", "panel_purity_2d"):
        inside = [
            (
                panel.rank,
                "focus",
                vectors[panel.rows] if metric == "panel_purity" else plane[panel.rank][["x", "y"]].to_numpy(),
                np.where(np.isin(panel.taxon, panel.plotted), panel.taxon, -1),
            )
            for panel in panels
        ]
        rows += metrics.measure_panels(inside, [placement.node[panel.rows] for panel in panels], metric, seed)
    drawn = np.arange(len(frame)) if drawn is None else drawn
    return rows + answered(placement, drawn, seed) + told_by_names(vectors, placement, drawn, seed)


def answered(placement, drawn: np.ndarray, seed: int) -> list[dict]:
    """All scores of the answers of stand-ins for probes: at genus under three protocols, and at every rank."""
    labels = np.stack([placement.at(rank) for rank in RANKS])
    favourite = np.array([[np.bincount(own).argmax()] for own in labels])
    truth, clade = labels[RANKS.index("genus")], labels[RANKS.index("family")]
    split = np.resize(["train", "test", "val", "test"], len(drawn))[drawn]

    def at(wrong: np.ndarray, split: np.ndarray, fold: np.ndarray) -> metrics.Answers:
        predicted = np.where(wrong, favourite[RANKS.index("genus")], truth)
        place = np.where(predicted == truth, 1, 2 + drawn % 6)
        confidence = 0.3 + drawn % 7 / 10
        return metrics.Answers(drawn, truth, predicted, place, confidence, split, fold, placement.node)

    once = np.zeros(len(drawn), dtype=np.int64)
    seen = at(drawn % 3 == 0, split, once)
    unseen = at(drawn % 2 == 0, np.full(len(drawn), "test"), drawn % 5)
    other = at(drawn % 5 == 0, split, once)
    rows = metrics.score_answers(seen, "genus", seed)
    rows += metrics.clade_accuracies(unseen, clade, placement.tree.path, "genus", seed)
    rows += [metrics.unseen_gap(seen, unseen, "genus", seed), metrics.selectivity(seen, other, "genus", seed)]
    rows += metrics.compare_answers(seen, other, "genus", seed)
    wrong = drawn % np.arange(9, 2, -1)[:, None] == 0  # the lower the rank, the more often
    paths = metrics.PathAnswers(labels, np.where(wrong, favourite, labels), placement.node, placement.tree)
    return rows + metrics.score_paths(paths, seed)


def told_by_names(vectors: np.ndarray, placement, drawn: np.ndarray, seed: int) -> list[dict]:
    """All numbers of the text side; the name of a taxon lies nearest to a few of its images."""
    weighted = vectors * np.where(drawn % 5 == 0, 9, 1)[:, None]

    def name(rows: np.ndarray) -> np.ndarray:
        return weighted[rows].sum(axis=0) / np.linalg.norm(weighted[rows].sum(axis=0))

    names = []
    for rank in RANKS:
        taxa = np.unique(placement.at(rank))
        names.append((taxa, np.stack([name(placement.at(rank) == taxon) for taxon in taxa])))
    root = name(drawn % 2 == 0)
    return [
        *metrics.measure_text(names, placement.tree, root, seed),
        *metrics.measure_image_text(vectors, placement, names, seed),
    ]


def comparisons(vectors: np.ndarray, other: np.ndarray, frame: pd.DataFrame, seed: int = 0) -> list[dict]:
    """All rows of two embeddings."""
    placement = taxonomy(frame)
    rows = metrics.compare(vectors, other, placement, seed)
    return rows + metrics.compare_with_control(vectors, other, placement, seed)


def two_encoders() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Two embeddings, of 8 and of 5 dimensions, of two images of each of 36 species."""
    frame = lineages(60).iloc[:36].reset_index(drop=True)
    frame["species"] = frame["genus"] + " " + pd.Series([f"s{chr(97 + i // 6)}{chr(97 + i % 6)}" for i in range(36)])
    frame = pd.concat([frame, frame], ignore_index=True)
    return embedded(frame), embedded(frame, d=5, noise=0.8, seed=6), frame


def table(rows: list[dict]) -> pd.DataFrame:
    return MEASUREMENTS.frame([{"simulated": False, **row} for row in rows])


@cache
def _plain() -> pd.DataFrame:
    frame = lineages()
    return table(everything(embedded(frame), frame) + comparisons(*two_encoders()))


@pytest.fixture
def plain() -> pd.DataFrame:
    return _plain()


def test_every_row_is_catalogued_and_every_entry_is_measured(plain):
    assert set(plain["metric"]) == set(CATALOGUE)


def test_rows_are_told_apart(plain):
    assert not plain.duplicated(KEY).any()


def test_values_keep_their_bounds(plain):
    for name, metric in CATALOGUE.items():
        low, high = metric.bounds
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


def test_titles_stand_alone():
    titles = [metric.title for metric in CATALOGUE.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.startswith("the same")]


def test_catalogue_is_the_catalogue_as_a_table():
    found = metrics.catalogue()
    assert found["name"].tolist() == list(CATALOGUE)
    assert set(found["better"]) <= {"higher", "lower", "neither"}
    assert {change for changes in found["invariant"] for change in changes} <= {"rotation", "order", "names"}


@cache
def _changed(change: str) -> pd.DataFrame:
    """The numbers of the same embeddings after one of the changes."""
    frame = lineages()
    (vectors,), frame, drawn = _change(change, (embedded(frame),), frame)
    one, other, both = two_encoders()
    encoders, both, _ = _change(change, (one, other), both)
    return table(everything(vectors, frame, drawn=drawn) + comparisons(*encoders, both))


def _change(change: str, encoders: tuple[np.ndarray, ...], frame: pd.DataFrame):
    """Embeddings each turned in its own way; or embeddings and names in another order; or other names."""
    rng, drawn = np.random.default_rng(8), np.arange(len(frame))
    if change == "rotation":
        turns = [np.linalg.qr(rng.normal(size=(v.shape[1],) * 2))[0] for v in encoders]
        encoders = [(v.astype(np.float64) @ turn).astype(np.float32) for v, turn in zip(encoders, turns, strict=True)]
    elif change == "order":
        drawn = rng.permutation(len(frame))
        frame, encoders = frame.iloc[drawn].reset_index(drop=True), [v[drawn] for v in encoders]
    else:  # names that turn the alphabet round
        letters = {chr(97 + i): chr(122 - i) for i in range(26)}
        upside_down = str.maketrans(letters | dict(zip("0123456", "9876543", strict=True)))
        frame = frame.apply(lambda column: column.str.lower().str.translate(upside_down).str.capitalize())
    return encoders, frame, drawn


@pytest.mark.parametrize("change", ["rotation", "order", "names"])
@pytest.mark.parametrize("metric", CATALOGUE)
def test_invariance_is_as_declared(metric, change, plain):
    """A number that promises to stay does; one that does not promise it is seen to move."""
    before, after = (
        numbers.loc[numbers["metric"] == metric].set_index("rank").sort_values(["rank", "value"])["value"]
        for numbers in (plain, _changed(change))
    )
    same = np.allclose(before, after, atol=2e-4, equal_nan=True)
    if metric.startswith("panel_purity_2d"):  # this projection, PCA, keeps more than it must
        assert same or change not in CATALOGUE[metric].invariant
    else:
        assert same == (change in CATALOGUE[metric].invariant), pd.concat([before, after], axis=1)


def test_the_same_seed_gives_the_same_table(plain):
    frame = lineages()
    again = table(everything(embedded(frame), frame) + comparisons(*two_encoders()))
    pd.testing.assert_frame_equal(again, plain)


def test_another_seed_moves_intervals_and_no_exact_value(plain):
    frame = lineages()
    other = table(everything(embedded(frame), frame, seed=1) + comparisons(*two_encoders(), seed=1))
    exact = plain["metric"].isin(["cophenetic_correlation", "image_tree_correlation", "knn_purity_5", "silhouette"])
    np.testing.assert_allclose(plain.loc[exact, "value"], other.loc[exact, "value"], rtol=1e-12)
    assert (plain.loc[exact, "ci_low"].dropna() != other.loc[exact, "ci_low"].dropna()).any()


def test_every_number_has_a_stream_of_its_own():
    """Leaving a number out changes no other: the numbers of one rank are those of a tree that has only them."""
    frame = lineages()
    placement = taxonomy(frame)
    whole = table(metrics.measure(embedded(frame), placement))
    alone = table(metrics.agreement(embedded(frame), placement.coarsen("species"), "taxonomy"))
    same = whole.merge(alone, on=["metric", "rank", "tree"], suffixes=("", "_alone"))
    assert len(same) == len(alone)
    np.testing.assert_array_equal(same["ci_low"], same["ci_low_alone"])
    np.testing.assert_array_equal(same["p_value"], same["p_value_alone"])


def test_inputs_are_left_as_they_are():
    frame = lineages()
    vectors = embedded(frame)
    before = vectors.copy()
    vectors.flags.writeable = False
    metrics.measure(vectors, taxonomy(frame))
    np.testing.assert_array_equal(vectors, before)


def of(found: pd.DataFrame, metric: str, rank: str) -> pd.Series:
    rows = found[(found["metric"] == metric) & (found["rank"] == rank)]
    assert len(rows) == 1
    return rows.iloc[0]


AT_EVERY_RANK = ("knn_purity_1", "knn_purity_1_adjusted", "cluster_purity", "cluster_ami", "silhouette")


@pytest.mark.parametrize("metric", AT_EVERY_RANK)
def test_one_taxon_at_a_rank_is_a_row_that_says_so(metric):
    frame = lineages().assign(kingdom="Animalia")
    row = of(table(metrics.measure(embedded(frame), taxonomy(frame))), metric, "kingdom")
    assert np.isnan(row["value"])
    assert row["note"] == "only one taxon"
    assert row["n_images"] == len(frame)


@pytest.mark.parametrize("metric", AT_EVERY_RANK)
def test_singletons_are_a_row_that_says_so(metric):
    frame = lineages().assign(species=[f"Genus sp{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(60)])
    row = of(table(metrics.measure(embedded(frame), taxonomy(frame))), metric, "species")
    assert np.isnan(row["value"])
    assert row["note"] == "every taxon has a single image"


def test_kingdoms_are_a_star_tree(plain):
    row = of(plain, "cophenetic_correlation", "kingdom")
    assert np.isnan(row["value"])
    assert "3 taxa" in row["note"] or "does not vary" in row["note"]


def test_holes_are_counted():
    frame = lineages()
    frame.loc[frame.index[:7], "family"] = None
    found = table(metrics.measure(embedded(frame), taxonomy(frame)))
    for metric in ("cluster_purity", "silhouette", "cophenetic_correlation"):
        assert of(found, metric, "family")["n_excluded"] == 7, metric
        assert of(found, metric, "family")["n_images"] == 53, metric
        assert of(found, metric, "genus")["n_excluded"] == 0, metric


def test_no_image_has_a_name():
    frame = lineages().assign(family=None)
    found = table(metrics.measure(embedded(frame), taxonomy(frame)))
    for metric in (*AT_EVERY_RANK, "cophenetic_correlation"):
        row = of(found, metric, "family")
        assert np.isnan(row["value"]), metric
        assert row["n_excluded"] == 60, metric
        assert row["note"], metric


def test_a_panel_that_could_not_be_projected_says_so():
    points, labels = np.full((6, 2), np.nan), np.array([0, 0, 0, 1, 1, 1])
    rows = metrics.measure_panels([("order", "Animalia", points, labels)], [labels], "panel_purity_2d")
    assert [row["note"] for row in rows] == ["the panel could not be projected"] * 2
    assert all(np.isnan(row["value"]) for row in rows)


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b")])
def test_stream_is_made_of_its_seed_and_names(names):
    assert metrics.stream(1, *names).random() == metrics.stream(1, *names).random()
    assert metrics.stream(1, *names).random() != metrics.stream(2, *names).random()
    assert metrics.stream(1, *names).random() != metrics.stream(1, *names, "c").random()
