import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.metrics import registry
from bioclip_probe.metrics.registry import COMMANDS, DIFFERENCE, REGISTRY, catalogue, check_metrics


def test_titles_stand_alone():
    notes = [entry.notes for entry in REGISTRY.values()]
    titles = [entry.title for entry in REGISTRY.values()]
    assert len(set(titles)) == len(titles) and len(set(notes)) == len(notes)
    assert not [note for note in notes if note.startswith("the same")]


def test_a_title_is_the_label_of_an_axis():
    for entry in REGISTRY.values():
        longest = 60 + len(": difference") * entry.name.endswith(DIFFERENCE)
        assert entry.title == entry.title.strip() and len(entry.title) <= longest, entry.name
        assert "_" not in entry.title or entry.name.startswith("k_mult"), entry.name
        assert "lca " not in entry.title.lower(), entry.name


def test_the_catalogue_is_the_registry_as_a_table():
    table = catalogue()
    assert table["name"].tolist() == list(REGISTRY)
    assert set(table["better"]) <= {"higher", "lower", "neither"}
    assert {change for changes in table["invariant"] for change in changes} <= {"rotation", "order", "names"}
    assert all(low < high for low, high in table["bounds"])


def test_every_metric_has_a_function_that_the_package_exports():
    from bioclip_probe import metrics

    for name, entry in REGISTRY.items():
        assert entry.name == name
        if entry.function is None:
            assert name.endswith(DIFFERENCE), "a difference is made of the numbers of two encoders"
            continue
        assert getattr(metrics, entry.function.__name__) is entry.function, name


def test_names_are_checked_with_the_nearest_names_or_the_command():
    check_metrics(["silhouette", "cka", "text_radial_tau"])
    with pytest.raises(ProbeError, match="silhouette"):
        check_metrics(["silhouete"])
    with pytest.raises(ProbeError, match="bioclip-probe probe"):
        check_metrics(["top1_accuracy"])
    with pytest.raises(ProbeError, match="bioclip-probe project"):
        check_metrics(["panel_purity_2d"])
    assert set(COMMANDS) <= {entry.subject for entry in registry.REGISTRY.values()}
