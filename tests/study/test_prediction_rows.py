"""Rows of predictions: their size in memory and on disk, and remarks that are logged once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study import probing
from bioclip_probe.study.prediction_rows import PredictionRows, taxon_paths
from bioclip_probe.tables import PREDICTIONS
from tests.support.evolved import evolved_sample

#: Bytes of a row, so that ten million rows take less than half of 2 GiB.
MOST_BYTES = 100
N_ROWS = 300_000


def many_rows():
    """Return rows with long names, as text."""
    random = np.random.default_rng(0)
    taxa = np.array(
        [f"Animalia|Chordata|Aves|Passeriformes|Family{i // 40}|Genus{i // 4}|Species {i}" for i in range(999)]
    )
    images = np.array([f"{number:032x}.jpg" for number in range(20_000)])
    return pd.DataFrame(
        {
            "run": "0123456789ab",
            "encoder": random.choice(["bioclip", "clip", "inat21-only"], N_ROWS),
            "dataset": "inat21:val",
            "probe": random.choice(["linear", "knn"], N_ROWS),
            "protocol": random.choice(["seen", "unseen", "seen-children"], N_ROWS),
            "rank": random.choice(["family", "genus", "species"], N_ROWS),
            "image_id": np.resize(images, N_ROWS),
            "split": "test",
            "truth": random.choice(taxa, N_ROWS),
            "predicted": random.choice(taxa, N_ROWS),
            "place": 1,
            "confidence": random.random(N_ROWS),
            "chosen": random.choice(["C = 10", "C = 100"], N_ROWS),
        }
    )


def test_ten_million_rows_fit_in_memory_and_on_disk(tmp_path):
    rows = many_rows()
    table = PREDICTIONS.frame(rows)
    assert table.memory_usage(deep=True).sum() / N_ROWS < MOST_BYTES
    table.to_parquet(tmp_path / "predictions.parquet", index=False)
    assert (tmp_path / "predictions.parquet").stat().st_size / N_ROWS < MOST_BYTES
    found = PREDICTIONS.read(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(found, table)
    both = PREDICTIONS.concat([found, table])
    assert both.memory_usage(deep=True).sum() / len(both) < MOST_BYTES
    assert (found["truth"] == found["predicted"]).tolist() == (rows["truth"] == rows["predicted"]).tolist()


def test_files_with_text_are_read_as_categories(tmp_path):
    rows = many_rows()[:1000]
    table = PREDICTIONS.frame(rows)
    as_text = {column.name: "str" for column in PREDICTIONS.columns if column.dtype == "category"}
    table.astype(as_text).to_parquet(tmp_path / "old.parquet", index=False)
    found = PREDICTIONS.read(tmp_path / "old.parquet")
    pd.testing.assert_frame_equal(found, table)


def test_tables_of_other_categories_are_put_together():
    rows = many_rows()
    first, second = PREDICTIONS.frame(rows[:5]), PREDICTIONS.frame(rows[5:9])
    together = PREDICTIONS.concat([first, PREDICTIONS.frame(), second])
    for name in ("image_id", "truth", "predicted", "encoder"):
        assert together[name].astype("str").tolist() == rows[name][:9].tolist()
    PREDICTIONS.check(together)
    assert together["truth"].dtype == together["predicted"].dtype


@pytest.mark.slow
def test_rows_of_a_study_have_equal_categories_and_remarks_are_logged_once(caplog):
    sample = evolved_sample(scatter=0.5)
    settings = ProbeSettings(probes=("knn", "lda"), shots=(1, 2))
    with caplog.at_level("INFO"):
        found = probing.probe(sample, settings)
    lines = [message for message in caplog.messages if "only one taxon to learn" in message]
    assert len(lines) == 1 and "protocol seen at kingdom" in lines[0]
    assert found["truth"].cat.categories.tolist() == list(taxon_paths(sample.placement.tree))
    assert found["image_id"].dtype == PredictionRows(sample).categories["image_id"]
