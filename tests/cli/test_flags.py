"""Flags become settings: nothing is lost on the way, and every default stands in the settings alone."""

from __future__ import annotations

import pytest

from bioclip_probe.cli.flags import (
    extraction_settings,
    interval_settings,
    measure_settings,
    probe_settings,
    projection_settings,
)
from bioclip_probe.cli.parser import build_parser
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import USUAL_SHOTS, ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings


def test_without_flags_the_settings_are_their_defaults() -> None:
    options = build_parser().parse_args(["reproduce"])
    assert extraction_settings(options) == ExtractionSettings()
    assert measure_settings(options) == MeasureSettings(device="auto")
    assert probe_settings(options) == ProbeSettings(shots=USUAL_SHOTS, device="auto")
    assert projection_settings(options) == ProjectionSettings()


def test_every_flag_arrives_in_its_settings() -> None:
    given = "--batch-size 7 --workers 3 --shard-size 9 --dtype float16 --max-failures 1% --retry-failed --device cpu"
    given += " --precision bf16 --engine processes:2 --quiet --resample genus --per-species 4 --seed 5 --level 0.9"
    given += " --n-permutations 19 --n-bootstrap 29 --probes lda --protocols seen --shots 1 2 --templates openai"
    given += " --n-deals 2 --own-split --methods umap --mode paper --preparation threads"
    given += " --n-seeds 5 --repeat-up-to 1000"
    options = build_parser().parse_args(["reproduce", *given.split()])
    assert extraction_settings(options) == ExtractionSettings(
        device="cpu",
        precision="bf16",
        engine="processes:2",
        batch_size=7,
        workers=3,
        preparation="threads",
        shard_size=9,
        dtype="float16",
        max_failures=0.01,
        redo=("failed",),
        progress=False,
    )
    assert measure_settings(options) == MeasureSettings(
        resample="genus", per_species=4, seed=5, level=0.9, n_permutations=19, n_bootstrap=29
    )
    assert probe_settings(options) == ProbeSettings(
        probes=("lda",),
        protocols=("seen",),
        shots=(1, 2),
        mode="paper",
        templates="openai",
        n_deals=2,
        own_split=True,
        seed=5,
        device="cpu",
    )
    assert projection_settings(options) == ProjectionSettings(
        methods=("umap",), mode="paper", seed=5, n_seeds=5, repeat_up_to=1000
    )


@pytest.mark.parametrize("limit", ["-1", "100%", "many"])
def test_a_limit_is_a_number_or_a_share_below_all(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["embed", "--max-failures", limit])
    assert "expected a number of images, or a share below 100%" in capsys.readouterr().err


def test_shots_are_dropped_without_protocol_seen_and_may_be_none() -> None:
    parser = build_parser()
    assert probe_settings(parser.parse_args(["reproduce", "--protocols", "unseen"])).shots == ()
    assert probe_settings(parser.parse_args(["reproduce", "--shots"])).shots == ()


@pytest.mark.parametrize("command", ["measure", "probe", "project", "reproduce"])
def test_every_command_with_intervals_can_leave_out_whole_genera(command: str) -> None:
    assert interval_settings(build_parser().parse_args([command, "--resample", "genus"])).resample == "genus"
