"""The methods of a study in sentences that are filled from its record, and its deviations from the paper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bioclip_probe.errors import some
from bioclip_probe.metrics.endpoints import PRIMARY, TAXONOMY
from bioclip_probe.report.appendix.measured import plural_of
from bioclip_probe.report.appendix.models_and_data import dataset_name, encoder_name
from bioclip_probe.report.appendix.numbers import Numbers, Piece
from bioclip_probe.report.page import DEVIATIONS
from bioclip_probe.study.results import Results

Paragraph = tuple[list[Piece], tuple[str, ...]]
NOT_RECORDED = "not recorded"
#: The names of the projections as papers write them.
PLANES = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}


def methods(results: Results, numbers: Numbers) -> list[Paragraph]:
    """Return the paragraphs of the methods: texts and numbers, and the works that they rest on.

    Parameters
    ----------
    results : Results
    numbers : Numbers

    Returns
    -------
    list of (list of str or Number, tuple of str)
        Only about what was done.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> results = two_models_measured()
    >>> len(methods(results, Numbers.of(results, [])))
    1
    """
    steps = results.record["steps"]
    paragraphs = [_distances(results, numbers)]
    if "measure" in steps:
        paragraphs += [_measured(results, numbers), _tested(numbers)]
    if "probe" in steps:
        paragraphs.append(_probed(steps["probe"].get("settings", {})))
    if "project" in steps:
        paragraphs.append(_projected(steps["project"].get("settings", {})))
    software = results.record.get("software", {})
    if software:
        versions = ", ".join(f"{package} {version}" for package, version in software.items())
        paragraphs.append(([f"Software: {versions}."], ()))
    return paragraphs


def deviations(results: Results) -> list[str]:
    """Return the deviations of a study from Section 4.6 of the paper, in sentences.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> deviations(two_models_measured())[-1]
    'The figure of the paper: it was not drawn.'
    """
    return [*_deviations(results)]


def machine_sentence(results: Results) -> str:
    """Return the kind of machine that a study ran on, in a sentence.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> machine_sentence(two_models_measured())
    'The record does not say on which machine this run was made.'
    """
    machine = results.record.get("machine")
    if not machine:
        return "The record does not say on which machine this run was made."
    kind = " ".join(str(machine.get(key, "")) for key in ("system", "processor"))
    devices = sorted({str(encoder["device"]) for encoder in results.record["encoders"] if encoder.get("device")})
    embedded = f" Images were embedded on: {some(devices)}." if devices else ""
    return f"This run was made on one machine ({kind}, {machine.get('cores', 'unknown')} cores).{embedded}"


def _distances(results: Results, numbers: Numbers) -> Paragraph:
    """Return how distances in the tree and in embeddings are measured."""
    table = results.table("measurements")
    trees = [tree for tree in table["tree"].dropna().unique() if tree != TAXONOMY]
    on = [f"“{tree}”" for tree in trees]
    also = f" Beside the taxonomy, the run has {len(on)} phylogeny: {some(on)}." if len(on) == 1 else ""
    also = f" Beside the taxonomy, the run has {len(on)} phylogenies: {some(on)}." if len(on) > 1 else also
    images, species, models = numbers.get("Images"), numbers.get("Species"), numbers.get("Models")
    size: list[Piece] = ["The run compares ", models or NOT_RECORDED, " models and "]
    size += [f"{len(results.controls)} controls on ", images or NOT_RECORDED, " images of "]
    size += [species or NOT_RECORDED, " species."]
    how = (
        " Tree distance on the taxonomy is the number of ranks below the lowest common ancestor (0 within a species, 7 "
        "across kingdoms); on a phylogeny it is the length of the path. Embedding distance is cosine distance, but for "
        "models whose record names another geometry. Numbers are of embeddings as they are; centred embeddings have "
        "their mean removed and are normalised to length 1 again."
    )
    return [*size, how + also], ()


def _measured(results: Results, numbers: Numbers) -> Paragraph:
    """Return what was resampled, how often, and with which seed."""
    settings = results.record["steps"]["measure"].get("settings", {})
    unit = str(settings.get("resample", "species"))
    replicates = numbers.get("Bootstrap") or NOT_RECORDED
    groups, level, seed = numbers.get("Groups"), numbers.get("Level"), numbers.get("Seed")
    balanced = settings.get("per_species")
    pieces: list[Piece] = ["Intervals are ", level or NOT_RECORDED, " % intervals over "]
    pieces += [f"{plural_of(unit)}: a bootstrap of ", replicates, " replicates, or a jackknife that leaves out one of "]
    pieces += ["at most ", groups or NOT_RECORDED, " groups at a time. Those of unseen children resample child taxa. "]
    pieces += [
        "An interval is shown only where simulations found that it covers; the note of each other number says why it "
        "has none. The seed of all draws is ",
        seed or NOT_RECORDED,
        ".",
    ]
    if balanced:
        pieces.append(f" At most {balanced} images of each species entered, drawn at random.")
    plan: dict[str, Any] = results.record["steps"]["measure"].get("plan", {})
    for key, words in (
        ("confounds", "followed beside the tree"),
        ("strata", "inside whose values species are permuted"),
    ):
        if plan.get(key):
            pieces.append(f" Columns {words}: {some(plan[key])}.")
    return pieces, ("sokal1962comparison", "pagel1999inferring", "ives2007within", "kott2001delete")


def _tested(numbers: Numbers) -> Paragraph:
    """Return how numbers were tested."""
    pieces: list[Piece] = [
        f"Four primary endpoints were declared before the run: {', '.join(endpoint.title for endpoint in PRIMARY)}. "
        "Each is tested one-sided against its null by ",
        numbers.get("PrimaryPermutations") or NOT_RECORDED,
        " permutations; all other numbers by ",
        numbers.get("Permutations") or NOT_RECORDED,
        ". The null named species permutes whole species over the tips of the tree and images stay with their species, "
        "so that recognising species is not mistaken for the tree. A difference of two models is tested two-sided by "
        "the jackknife. The p-values of the primary endpoints are adjusted by Holm’s method over models and endpoints, "
        "all others by that of Benjamini and Hochberg in named families.",
    ]
    return pieces, ("mantel1967detection", "holm1979simple", "benjamini1995controlling")


def _probed(settings: dict) -> Paragraph:
    """Return how probes were asked."""
    probes, protocols = settings.get("probes", []), settings.get("protocols", [])
    text = f"Probes ({some(probes, 9)}) were asked under the protocols {some(protocols, 9)}"
    text += f", with children dealt {settings['n_deals']} times" if settings.get("n_deals") else ""
    shots = (
        f"; few-shot probes learnt from {some(settings['shots'], 9)} images a taxon" if settings.get("shots") else ""
    )
    names = f"; names were written with the templates “{settings['templates']}”" if settings.get("templates") else ""
    seed = f". Seed: {settings['seed']}." if "seed" in settings else "."
    return [text + shots + names + seed], ()


def _projected(settings: dict) -> Paragraph:
    """Return how images were projected into the plane."""
    known = {"tsne": ("vandermaaten2008visualizing", "policar2024opentsne"), "umap": ("mcinnes2018umap",)}
    methods = settings.get("methods", [])
    names = some(PLANES.get(method, method) for method in methods)
    text = f"The drill-down of Section 4.6 was projected by {names} in mode {settings.get('mode')}"
    seed = f", seed {settings['seed']}." if "seed" in settings else "."
    return [text + seed], tuple(key for method in methods for key in known.get(method, ()))


def _deviations(results: Results) -> Iterator[str]:
    """Yield the deviations one by one."""
    data = results.record["dataset"]
    if dataset_name(results) != "inat21" or data.get("n_usable") != 100_000:
        n = f"{data['n_usable']:,} images" if "n_usable" in data else "images"
        yield f"Data: {n} of {data['name']}; the paper: 100,000 images of 10,000 species, the validation set of iNat21."
    names = {encoder_name(encoder) for encoder in results.record["encoders"]}
    if not {"bioclip", "clip"} <= names:
        yield "Models: the two of the paper, BioCLIP and CLIP (ViT-B/16), are not both among those of this run."
    precisions = {str(encoder["precision"]) for encoder in results.record["encoders"] if encoder.get("precision")}
    if precisions - {"fp32"}:
        yield f"Precision: {some(sorted(precisions))}; the paper: fp32."
    yield (
        "Numbers: the paper gives none for Section 4.6. Correlations with the tree, intervals, nulls, controls and "
        "unseen children are additions."
    )
    mode = results.record["steps"].get("project", {}).get("settings", {}).get("mode")
    yield f"The figure of the paper: {DEVIATIONS.get(mode, 'it was not drawn.')}"
