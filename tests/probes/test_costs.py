"""The estimate of the seconds that probes take: its growth with the size, and what it warns of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bioclip_probe.probes.costs import SampleSize, long_work, probe_seconds
from bioclip_probe.probes.registry import REGISTRY
from bioclip_probe.probes.settings import ProbeSettings

INAT = SampleSize(100_000, 512, (3, 13, 51, 273, 1_103, 4_884, 10_000))
ALL = ProbeSettings(probes=tuple(REGISTRY), shots=(1, 5))


def test_every_probe_has_a_cost_that_grows_with_the_sample_and_falls_with_cores():
    seconds = probe_seconds(ALL, INAT)
    assert list(seconds) == list(REGISTRY) and min(seconds.values()) > 0
    larger = probe_seconds(ALL, replace(INAT, n_images=200_000))
    four = probe_seconds(ALL, INAT, n_cores=4)
    for name, own in seconds.items():
        assert larger[name] > 1.4 * own
        assert four[name] == pytest.approx(own / 4)


def test_ranks_without_names_and_with_fewer_names_than_above_cost_something():
    for taxa in ((0, 0, 0, 0, 0, 0, 9), (1, 1, 1, 8, 5, 0, 9), (0,) * 7):
        seconds = probe_seconds(ALL, SampleSize(100, 8, taxa))
        assert all(0 <= own < 60 for own in seconds.values())


def test_taxa_with_one_child_take_no_part_in_unseen_children():
    settings = ProbeSettings(probes=("lda",), protocols=("unseen",))
    several, single = (probe_seconds(settings, SampleSize(1_000, 8, (1, 1, 1, 1, 1, 50, n)))["lda"] for n in (100, 60))
    assert several > 3 * single


def test_protocols_and_deals_add_up():
    seen, both = (
        probe_seconds(ProbeSettings(probes=("lda",), protocols=protocols), INAT)["lda"]
        for protocols in (("seen",), ("seen", "unseen"))
    )
    (unseen,) = probe_seconds(ProbeSettings(probes=("lda",), protocols=("unseen",)), INAT).values()
    assert both == pytest.approx(seen + unseen)
    once = probe_seconds(ProbeSettings(probes=("lda",), protocols=("unseen",), n_deals=1), INAT)["lda"]
    assert unseen == pytest.approx(3 * once)
    together = probe_seconds(ProbeSettings(probes=("lda",), protocols=("unseen", "seen-children")), INAT)["lda"]
    assert together == unseen, "one probe is asked both questions"


def test_logistic_regression_of_thousands_of_taxa_is_called_long_on_processors():
    default = ProbeSettings()
    on_processors, on_gpu = (probe_seconds(replace(default, device=device), INAT, 2) for device in ("cpu", "cuda"))
    assert "hours" in long_work(on_processors) and "--probes lda ridge" in long_work(on_processors)
    assert on_gpu["linear"] < on_processors["linear"] / 20
    small = SampleSize(1_200, 128, (3, 7, 14, 30, 60, 96, 240))
    assert long_work(probe_seconds(default, small, 2)) == ""
