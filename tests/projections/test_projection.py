"""The coordinates of the panels: the declared columns, seeds, and panels that cannot be projected."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.drilldown import FIGURE_RANKS, drill_down
from bioclip_probe.projections.outliers import is_outlier
from bioclip_probe.projections.pca import pca
from bioclip_probe.projections.projection import project, projection_obstacle
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.tables import COORDINATES, RANKS
from bioclip_probe.tree import taxonomy

PCA = ProjectionSettings(methods=("pca",))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Run t-SNE of few images on one thread: waking others takes longer than the work."""
    with threadpool_limits(1):
        yield


def vectors_for(placement, seed: int = 0, dimension: int = 8) -> np.ndarray:
    """Embeddings that have something to do with the species."""
    rng = np.random.default_rng(seed)
    taxa = rng.normal(size=(len(placement.tree), dimension))
    vectors = taxa[placement.node] + 0.3 * rng.normal(size=(len(placement.node), dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def beetles():
    """Ninety images of insects; some have no name at family, one has no name at all."""
    rows = []
    for number in range(90):
        order, family, genus = number % 7 % 4, number % 13 % 5, number % 5
        rows.append(
            ("Animalia", "Arthropoda", "Insecta", f"Order{order}", f"Fam{order}{family}", f"Gen{family}{genus}")
        )
    frame = pd.DataFrame(rows, columns=list(RANKS[:-1]), dtype="str")
    frame["species"] = frame["genus"] + " " + pd.Series(np.arange(90) % 3).map(lambda k: "abc"[k] * 3)
    frame.loc[[3, 10, 24], "family"] = np.nan
    frame.loc[5, :] = np.nan
    return taxonomy(frame)


def test_project_gives_the_declared_columns_and_every_image(beetles):
    vectors = vectors_for(beetles)
    before = vectors.copy()
    table = project(vectors, beetles, PCA).coordinates
    assert np.array_equal(vectors, before)
    full = table.drop(columns="row").assign(run="r", encoder="e", dataset="d", image_id="i")
    COORDINATES.check(COORDINATES.frame(full))
    assert table["row"].dtype == np.int64
    for panel in drill_down(beetles, FIGURE_RANKS):
        part = table[table["rank"] == panel.rank]
        assert part["row"].tolist() == panel.rows.tolist()
        assert (part["focus"] == beetles.tree.path(panel.focus)).all()
        assert part["taxon"].isna().sum() == panel.n_unnamed
        assert part["plotted"].sum() == sum(panel.n_plotted)
        if panel.n_images < 5:
            continue
        own = pca(vectors[panel.rows])
        np.testing.assert_array_equal(part[["x", "y"]].to_numpy(), own)
        for _, taxon in part[part["plotted"]].groupby("taxon"):
            assert taxon["hidden"].tolist() == is_outlier(taxon[["x", "y"]].to_numpy(), "corrected").tolist()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["paper", "corrected"])
def test_a_rank_or_a_method_left_out_changes_no_other(beetles, mode):
    vectors = vectors_for(beetles)
    both = project(vectors, beetles, ProjectionSettings(("pca", "tsne"), mode, 7), ("family", "genus")).coordinates
    alone = project(vectors, beetles, ProjectionSettings(("tsne",), mode, 7), ("genus",)).coordinates
    among = both[(both["rank"] == "genus") & (both["method"] == "tsne")].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


def test_a_panel_that_cannot_be_projected_keeps_its_rows_and_states_the_reason(beetles):
    vectors = vectors_for(beetles)
    rows = drill_down(beetles, ("genus",))[0].rows
    vectors[rows] = vectors[rows[0]]
    projection = project(vectors, beetles, PCA)
    table, notes = projection.coordinates, {entry["rank"]: entry for entry in projection.panels}
    assert notes["genus"]["note"] == "all embeddings are the same"
    assert notes["species"]["note"] == f"{notes['species']['n_images']} images; an embedding needs 5"
    assert notes["order"]["note"] == ""
    for rank in ("genus", "species"):
        part = table[table["rank"] == rank]
        assert len(part) == notes[rank]["n_images"] > 0
        assert part["x"].isna().all()
        assert not part["hidden"].any()
        assert notes[rank]["settings"] == {}


@pytest.mark.slow
def test_the_record_is_json_and_states_the_settings_used(beetles):
    entries = json.loads(
        json.dumps(project(vectors_for(beetles), beetles, ProjectionSettings(("tsne",), seed=3)).panels)
    )
    assert [entry["rank"] for entry in entries] == list(FIGURE_RANKS)
    small = next(entry for entry in entries if 5 <= entry["n_images"] <= 30)
    assert small["settings"]["perplexity"] == pytest.approx((small["n_images"] - 1) / 3)
    assert small["seed"] == 3
    assert sum(entries[2]["plotted"].values()) <= entries[2]["n_images"]


def test_rows_must_match_and_be_finite(beetles):
    vectors = vectors_for(beetles)
    with pytest.raises(ProbeError, match="one vector for each of 90 images"):
        project(vectors[1:], beetles)
    vectors[4, 0] = np.nan
    with pytest.raises(ProbeError, match="1 vectors have values that are not finite"):
        project(vectors, beetles)


@pytest.mark.parametrize(
    ("vectors", "obstacle"),
    [
        (np.eye(4), "4 images; an embedding needs 5"),
        (np.arange(6.0)[:, None], "the embedding has one dimension"),
        (np.ones((6, 2)), "all embeddings are the same"),
        (np.eye(5), ""),
    ],
)
def test_the_obstacle_is_named(vectors, obstacle):
    assert projection_obstacle(vectors) == obstacle


def test_a_panel_of_no_rank_gives_an_empty_table(beetles):
    projection = project(vectors_for(beetles), beetles, PCA, ranks=())
    assert projection.panels == []
    assert projection.coordinates.empty
    assert projection.coordinates["x"].dtype == np.float64
