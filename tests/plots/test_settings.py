"""Settings that all figures share."""

from bioclip_probe.plots.settings import FigureSettings


def test_by_default_every_encoder_is_drawn_and_none_is_a_control() -> None:
    settings = FigureSettings()
    assert settings.models is None
    assert tuple(settings.controls) == ()
    assert not settings.simulated
