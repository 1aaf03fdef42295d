"""The costs of measuring and projecting grow with what they are made of, and pieces find theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.costs import SampleSize, probe_seconds
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study.costs import measure_seconds, project_seconds, study_memory, table_seconds
from bioclip_probe.study.piece_costs import PieceCosts

SIZE = SampleSize(2000, 128, (1, 2, 4, 10, 30, 90, 200))
LARGER = {
    "more images": replace(SIZE, n_images=4000),
    "longer vectors": replace(SIZE, dimension=256),
    "more species": replace(SIZE, taxa=(1, 2, 4, 10, 30, 90, 400)),
}


@pytest.mark.parametrize("case", LARGER)
def test_more_work_takes_longer(case: str) -> None:
    assert measure_seconds(MeasureSettings(), LARGER[case]) > measure_seconds(MeasureSettings(), SIZE)


def test_fewer_permutations_fewer_metrics_and_more_cores_take_less() -> None:
    whole = measure_seconds(MeasureSettings(), SIZE)
    assert measure_seconds(MeasureSettings(n_primary_permutations=19), SIZE) < whole
    assert measure_seconds(MeasureSettings(metrics=("silhouette",)), SIZE) < whole
    assert measure_seconds(MeasureSettings(), SIZE, n_cores=4) < whole
    assert measure_seconds(MeasureSettings(device="cuda"), SIZE) < whole


@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_projections_take_longer_for_more_images(method: str) -> None:
    assert project_seconds(method, 4000) > project_seconds(method, 2000) > 0


def test_memory_grows_with_the_number_of_encoders() -> None:
    assert study_memory({"a": SIZE, "b": SIZE}) > study_memory({"a": SIZE})


def test_a_piece_is_of_the_encoder_that_it_names() -> None:
    wide = replace(SIZE, dimension=4096)
    costs = PieceCosts({"clip": SIZE, "clip-wide": wide, "pixels": SIZE}, MeasureSettings(), ProbeSettings(), 2)
    assert costs.encoder("clip-wide, raw, taxonomy") == "clip-wide"
    assert costs.encoder("clip, centred, birds") == "clip"
    assert costs.encoder("pixels and clip-wide") == "pixels"
    assert costs.encoder("photographer") == "clip"
    assert PieceCosts({}, MeasureSettings(), ProbeSettings()).encoder("clip, raw") is None
    narrow, broad = (costs.seconds("measure", f"{name}, raw, taxonomy", 1.0) for name in ("clip", "clip-wide"))
    assert narrow < broad


def test_the_pieces_of_probes_cost_what_probes_say() -> None:
    settings = ProbeSettings(probes=("linear", "lda"), shots=(1, 5))
    costs = PieceCosts({"clip": SIZE}, MeasureSettings(), settings, 2)
    expected = probe_seconds(settings, SIZE, 2)
    for name in settings.probes:
        pieces = [f"clip, {name}, {protocol}" for protocol in ("seen", "shuffled", "seen-children")]
        tables = table_seconds(settings, SIZE.n_images, 2)
        whole = pytest.approx(expected[name] + tables)
        assert sum(costs.seconds("probe", piece, 1.0) for piece in pieces) == whole
    assert costs.seconds("probe", "scores of clip", 0.2) > costs.seconds("probe", "differences between encoders", 0.2)


def test_hours_of_logistic_regression_are_told_with_what_is_fast() -> None:
    real = SampleSize(100_000, 512, (3, 13, 51, 273, 1_103, 4_884, 10_000))
    costs = PieceCosts({"bioclip": real, "clip": real}, MeasureSettings(), ProbeSettings(probes=("linear",)), 2)
    assert "hours" in costs.long_probing
    assert "lda" in costs.long_probing and "ridge" in costs.long_probing
    assert replace(costs, sizes={"bioclip": SIZE}).long_probing == ""
    assert replace(costs, probe=ProbeSettings(probes=("lda",))).long_probing == ""


def test_umap_is_loaded_once() -> None:
    costs = PieceCosts({"clip": SIZE}, MeasureSettings(), ProbeSettings())
    pieces = [f"clip, umap, {rank}" for rank in ("family", "genus")]
    assert costs.start_seconds(pieces) == costs.start_seconds(pieces[:1]) > costs.start_seconds(["clip, tsne, genus"])
