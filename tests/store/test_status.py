"""The table of how far the runs of a store are."""

import numpy as np

from bioclip_probe.store.shard_files import LEDGER
from bioclip_probe.store.status import STATUS, status
from bioclip_probe.store.store import Store
from bioclip_probe.store.verify import verify
from tests.support.pictures import MeanColour
from tests.support.stores import made_up_dataset


def test_an_empty_store_has_no_row(tmp_path):
    assert status(Store(tmp_path)).empty


def test_status_of_a_finished_run(full, full_folder):
    table = status(full)
    assert list(table.columns) == list(STATUS)
    row = table.loc[0]
    assert (row["dataset"], row["encoder"], row["state"]) == ("few", "mean/colour", "complete")
    assert (row["n_images"], row["n_ok"], row["n_failed"], row["n_missing"]) == (5, 4, 1, 0)
    assert (row["failures"], row["shards_done"], row["n_shards"]) == ("corrupt 1", 3, 3)
    assert (row["dimension"], row["dtype"]) == (3, "float32")
    assert np.isnan(row["parity"])
    assert row["bytes"] == sum(path.stat().st_size for path in full_folder.folder.iterdir())
    assert (full.path / row["folder"] / "meta.json").is_file()


def test_status_counts_failures_by_class_and_gives_the_worst_parity(tmp_path):
    store, kinds = Store(tmp_path), ["missing", "corrupt", "missing", "too large"]
    encoder = MeanColour()
    encoder.record = {"id": "x", "precision": "bf16"}
    with store.open_for_writing(made_up_dataset(6), encoder, 3) as embedded:
        for shard, parity in ((0, 0.9999), (1, 0.9995)):
            lines = [
                {"image_id": f"i{i}", "row": -1, "status": "failed", "error_class": kinds[i - 1], "error": "e"}
                if 1 <= i <= 4
                else {"image_id": f"i{i}", "row": 0, "status": "ok"}
                for i in range(3 * shard, 3 * shard + 3)
            ]
            embedded.write_shard(shard, LEDGER.frame(lines), np.ones((1, 3)), parity)
    row = status(store).loc[0]
    assert row["failures"] == "missing 2, corrupt 1, too large 1"
    assert (row["precision"], row["parity"]) == ("bf16", 0.9995)
    assert verify(store, progress=False).empty


def test_a_run_that_writes_now_is_running(tmp_path):
    store = Store(tmp_path)
    with store.open_for_writing(made_up_dataset(5), MeanColour(), 2) as embedded:
        embedded.write_shard(
            0, LEDGER.frame([{"image_id": f"i{i}", "row": i, "status": "ok"} for i in (0, 1)]), np.eye(2, 3)
        )
        assert status(store)["state"].tolist() == ["running"]
    assert status(store)["state"].tolist() == ["incomplete"]


def test_a_damaged_record_leaves_the_names_of_folders_and_the_size(full, full_folder):
    (full_folder.folder / "meta.json").write_text("[]")
    row = status(full).loc[0]
    assert (row["dataset"], row["encoder"]) == (full_folder.folder.parent.name, "mean-colour@0123456789ab")
    assert (row["state"], row["bytes"] > 0) == ("damaged", True)
