import pytest

from bioclip_probe.metrics.measurement import (
    Measurement,
    estimates,
    measurements_at,
    measurements_by_rank,
    random_stream,
)
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.tables import MEASUREMENTS

HALF = Estimate(0.5, chance=0.1, n_images=4, n_taxa=2, note="few")


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b")])
def test_a_random_stream_is_made_of_its_seed_and_names(names):
    assert random_stream(1, *names).random() == random_stream(1, *names).random()
    assert random_stream(1, *names).random() != random_stream(2, *names).random()
    assert random_stream(1, *names).random() != random_stream(1, *names, "c").random()


def test_a_row_holds_the_estimate_and_the_columns_that_the_metric_knows():
    row = Measurement("silhouette", "order", HALF, taxon="A|B").as_row(encoder="clip", simulated=False)
    assert "split" not in row
    assert (row["metric"], row["rank"], row["taxon"], row["encoder"]) == ("silhouette", "order", "A|B", "clip")
    assert (row["value"], row["chance"], row["n_images"], row["note"]) == (0.5, 0.1, 4, "few")
    MEASUREMENTS.frame([row])


def test_estimates_are_those_of_one_metric_about_all_taxa():
    rows = measurements_by_rank({"order": {"a": HALF, "b": Estimate(0.2)}, "genus": {"a": Estimate(0.3)}})
    rows.append(Measurement("a", "family", HALF, taxon="A"))
    assert estimates(rows, "a") == {"order": HALF, "genus": Estimate(0.3)}
    assert [(row.rank, row.metric, row.value) for row in measurements_at("order", {"a": HALF})] == [("order", "a", 0.5)]


def test_a_number_of_less_than_half_of_the_images_says_so():
    def note(value: float, n_images: int, n_excluded: int) -> object:
        estimate = Estimate(value, n_images=n_images, n_excluded=n_excluded, note="few")
        return Measurement("silhouette", "order", estimate).as_row()["note"]

    assert note(0.5, 24, 76) == "few; more than half of the images are left out: 76 of 100"
    assert note(0.5, 50, 50) == note(float("nan"), 24, 76) == "few"
