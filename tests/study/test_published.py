import pandas as pd
import pytest

from bioclip_probe import encoders, metrics
from bioclip_probe.encoders.registry import REGISTRY
from bioclip_probe.errors import DataError
from bioclip_probe.study import published
from bioclip_probe.tables import MEASUREMENTS, RANKS

IDS = {entry.name: entry.id for entry in REGISTRY.values()}


def run(*models, simulated=False, templates="openai", **more):
    """The record of a run of models of the catalogue, by their own ids."""
    known = [{"name": name, "id": IDS[name], "revision": "7b4abf1", "precision": "fp32", **more} for name in models]
    return {
        "dataset": {"name": "rare-species", "simulated": simulated},
        "encoders": known,
        "steps": {"card": {"templates": templates}},
    }


def row(encoder, value=0.4, **more):
    """A measured zero-shot accuracy on Rare Species, just as the model card's was made."""
    usual = {
        "encoder": encoder, "dataset": "rare-species", "split": "test", "simulated": False, "space": "raw",
        "rank": "species", "probe": "zero_shot", "protocol": "taxonomic_common", "metric": "top1_accuracy",
        "value": value, "ci_low": value - 0.01, "ci_high": value + 0.01, "n_images": 11983, "n_taxa": 400,
    }  # fmt: skip
    return {**usual, **more}


def compare(*rows, record=None, source="BioCLIP model card"):
    found = published.compare(MEASUREMENTS.frame(rows), record or run("bioclip"))
    return found[found["source"] == source] if source else found


def test_every_published_number_has_a_source_and_can_be_met():
    table = published.table()
    assert len(table) == 119
    for column in ("source", "url", "how", "model", "metric", "value"):
        assert table[column].notna().all()
    assert set(table["how"]) == {"read", "recalled"}
    assert set(table["model"]) <= set(encoders.known())
    assert set(table["metric"]) <= set(metrics.REGISTRY)
    assert set(table["rank"].dropna()) <= set(RANKS)
    accuracies = table[table["metric"] == "top1_accuracy"]
    assert accuracies["value"].between(0, 1).all()
    same = ["source", "model", "dataset", "probe", "protocol", "shots", "rank", "metric"]
    assert not table.duplicated(same).any()
    low = [metrics.REGISTRY[name].bounds[0] for name in table["metric"]]
    assert (table["value"] >= low).all()


@pytest.mark.parametrize(
    ("source", "model", "dataset", "shots", "value"),
    [
        ("BioCLIP model card", "bioclip", "rare-species", None, 0.392),
        ("BioCLIP model card", "inat21-only", "meta-album-MED_LF_Mini", None, 0.222),
        ("BioCLIP project site, later table", "bioclip", "meta-album-FNG_Mini", None, 0.407),
        ("Rare Species dataset card", "openclip", "rare-species", 5, 0.4745),
        ("BioCLIP paper, few-shot table", "clip", "model-card", 1, 0.336),
        ("biobench, docs/data/results.json", "bioclip-2.5", "inat21-val", None, 0.933),
        ("RCME, Table 1", "bioclip", None, None, 0.012),
    ],
)
def test_numbers_are_those_of_their_source(source, model, dataset, shots, value):
    table = published.table()
    table = table[(table["source"] == source) & (table["model"] == model)]
    table = table[table["dataset"].isna() if dataset is None else table["dataset"] == dataset]
    table = table[table["shots"].isna() if shots is None else table["shots"].eq(shots)]
    assert table["value"].tolist() == [value]


@pytest.mark.parametrize("source", ["BioCLIP model card", "BioCLIP project site, later table"])
def test_the_tables_means_are_those_of_their_tasks(source):
    """A number that was typed wrong would show. The printed means are cut, not rounded."""
    table = published.table()
    table = table[table["source"] == source]
    tasks, means = table[table["dataset"] != "model-card"], table[table["dataset"] == "model-card"]
    assert tasks.groupby("model").size().tolist() == [10] * 4
    gap = tasks.groupby("model")["value"].mean() - means.set_index("model")["value"]
    assert gap.between(-1e-9, 0.001).all()


def test_what_was_done_alike_matches():
    (found,) = compare(row("bioclip", 0.40)).to_dict("records")
    assert (found["published"], found["measured"], found["ci_low"]) == (0.392, 0.40, 0.39)
    assert found["difference"] == pytest.approx(0.008)
    assert found["matches"]
    assert found["differs_in"] == ""


@pytest.mark.parametrize(
    ("change", "differs_in"),
    [
        ({"n_taxa": 11}, "11 of 400 taxa"),
        ({"n_taxa": 1400}, "1,400 taxa, published: 400"),
        ({"n_taxa": None}, "taxa not counted, published: 400"),
        ({"protocol": "scientific"}, "text type scientific, published: taxonomic_common"),
    ],
)
def test_what_decides_is_told_and_does_not_match(change, differs_in):
    (found,) = compare(row("bioclip", **change)).to_dict("records")
    assert not found["matches"]
    assert found["differs_in"] == differs_in


@pytest.mark.slow
def test_counts_of_images_decide_where_they_are_published():
    task = {"dataset": "meta-album-PLK_Mini", "protocol": "asis", "rank": None, "n_taxa": 86}
    (found,) = compare(row("clip", **task, n_images=3439), record=run("clip")).to_dict("records")
    assert found["differs_in"] == "3,439 of 3,440 images"
    (found,) = compare(row("clip", **task, n_images=3440), record=run("clip")).to_dict("records")
    assert found["matches"]


@pytest.mark.slow
def test_templates_decide():
    for templates, known in (("plain", "plain"), (None, "not known")):
        (found,) = compare(row("bioclip"), record=run("bioclip", templates=templates)).to_dict("records")
        assert not found["matches"]
        assert found["differs_in"] == f"templates {known}, published: openai"
    record = run("bioclip") | {"steps": {"probe": {"plan": {"probe": {"templates": "openai"}}}}}
    assert compare(row("bioclip"), record=record)["matches"].all()


@pytest.mark.slow
def test_what_is_not_published_cannot_match():
    birds = {"dataset": "birds-525", "n_taxa": 525, "n_images": 2625}
    (found,) = compare(row("bioclip", **birds)).to_dict("records")
    assert not found["matches"]
    assert found["differs_in"] == "text type taxonomic_common, published: not said"
    text = {"dataset": "world", "probe": None, "protocol": "taxonomic", "metric": "text_radial_tau", "split": "all"}
    (found,) = compare(row("bioclip", **text), source="RCME, Table 1").to_dict("records")
    assert found["differs_in"] == "names of world, published: not said of which taxa"


@pytest.mark.slow
def test_precision_and_weights_are_remarks():
    record = run("bioclip", precision="bf16", revision="")
    (found,) = compare(row("bioclip"), record=record).to_dict("records")
    assert found["matches"]
    assert found["differs_in"] == "precision bf16; weights not pinned to a revision"
    shots = {"dataset": "model-card", "rank": None, "probe": "simpleshot", "protocol": "paper", "shots": 1}
    (found,) = compare(row("bioclip", **shots), source="BioCLIP paper, few-shot table").to_dict("records")
    assert found["differs_in"] == "the published number is recalled"


@pytest.mark.slow
def test_shots_and_probes_stand_beside_their_own():
    few = {"probe": "simpleshot", "protocol": "corrected", "shots": 5}
    (found,) = compare(row("bioclip", 0.66, **few), source="Rare Species dataset card").to_dict("records")
    assert (found["published"], found["matches"]) == (0.657, False)
    assert found["differs_in"] == "protocol corrected, published: paper"
    assert compare(row("bioclip", probe="zero_shot_summed"), source=None).empty
    assert compare(row("bioclip", probe="simpleshot", protocol="paper", shots=2), source=None).empty
    linear = {"dataset": "inat21-val", "probe": "linear", "protocol": "seen", "n_taxa": 10000, "n_images": 20000}
    (found,) = compare(row("bioclip", **linear), source=None).to_dict("records")
    assert found["differs_in"] == "20,000 of 100,000 images; protocol seen, published: train_mini"
    assert found["ci_half_width"] == 0.003
    assert "AdamW" in found["conditions"]


@pytest.mark.slow
def test_of_several_numbers_the_one_made_most_alike():
    rows = [row("clip", 0.1, protocol="scientific"), row("clip", 0.3, protocol="common"), row("clip", 0.2)]
    assert compare(*rows, record=run("clip"))["measured"].tolist() == [0.2]
    (found,) = compare(*rows, record=run("clip"), source="Rare Species dataset card").to_dict("records")
    assert (found["protocol"], found["measured"], found["matches"]) == ("common", 0.3, True)


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "meta-album-PLK_Mini"}, {"rank": "genus"}, {"metric": "macro_accuracy"}, {"value": float("nan")},
        {"taxon": "Animalia"}, {"encoder_b": "clip"}, {"space": "centred"}, {"split": "seen"}, {"encoder": "other"},
    ],
)  # fmt: skip
def test_other_numbers_stand_beside_nothing(change):
    assert compare(row("bioclip") | change, source=None).empty


@pytest.mark.slow
def test_a_model_is_what_it_was_made_of_and_not_what_it_is_called():
    record = run("bioclip")
    record["encoders"][0] |= {"name": "mine"}
    assert compare(row("mine"), record=record)["matches"].all()
    record["encoders"][0] |= {"name": "mine", "id": f"{IDS['bioclip']}@7b4abf1"}
    assert compare(row("mine"), record=record)["matches"].all()
    for other in (
        "untrained:ViT-B-16",
        "quickgelu:hf-hub:imageomics/bioclip",
        "world:world-taxonomic",
        "control:pixels",
    ):
        record["encoders"][0] |= {"name": "bioclip", "id": other}
        assert compare(row("bioclip"), record=record, source=None).empty
    record["encoders"][0] |= {"id": "local-dir:/models/bioclip", "sha256": "ab" * 32}
    (found,) = compare(row("bioclip"), record=record).to_dict("records")
    assert not found["matches"]
    assert found["differs_in"].startswith("weights of a local folder (sha256 abababababab), which may not be those")


def test_a_simulated_run_covers_nothing():
    record = run("bioclip", simulated=True)
    found = compare(row("bioclip"), record=record, source=None)
    assert found.empty
    assert list(found.columns) == published.COLUMNS
    assert published.coverage(found, record) == "simulated: no published number is about these models and pictures"


@pytest.mark.slow
def test_coverage_is_one_line():
    record = run("bioclip", "clip")
    found = compare(row("bioclip"), row("clip"), record=record, source=None)
    assert published.coverage(found, record) == "6 published numbers stand beside this run's, 5 done alike"
    assert "no published number is about the models and data" in published.coverage(found.iloc[:0], record)


@pytest.mark.slow
def test_the_input_stays_as_it_is():
    measurements = MEASUREMENTS.frame([row("bioclip"), row("clip", value=float("nan"))])
    before = measurements.copy()
    published.compare(measurements, run("bioclip"))
    pd.testing.assert_frame_equal(measurements, before)


def test_a_damaged_file_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "FILE", tmp_path / "published.csv")
    for text in ("source,value\na,b\n", "source\na\n", None):
        if text is None:
            (tmp_path / "published.csv").unlink()
        else:
            (tmp_path / "published.csv").write_text(text)
        with pytest.raises(DataError) as told:
            published.table()
        assert "\n" not in str(told.value)
