"""The claim of the paper, and what a study says about it."""

from __future__ import annotations

import pandas as pd

from bioclip_probe.errors import some
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.report.appendix.measured import DASH
from bioclip_probe.report.appendix.methods import deviations
from bioclip_probe.report.appendix.models_and_data import encoder_name
from bioclip_probe.report.appendix.tables import Column, PaperTable
from bioclip_probe.report.endpoints import EndpointNumbers, p_as_text, with_interval
from bioclip_probe.study.results import Results

CLAIM = "BioCLIP’s image embeddings are aligned with the tree of life better than CLIP’s (Section 4.6)"
PUBLISHED = "no number; a t-SNE figure"


def models_of_claim(results: Results) -> tuple[str, str] | None:
    """Return the encoders of a study that stand for BioCLIP and CLIP.

    Parameters
    ----------
    results : Results

    Returns
    -------
    tuple of str or None
        None if the study does not hold both, or is simulated.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> models_of_claim(two_models_measured()) is None  # their identifiers are others
    True
    """
    names = {encoder_name(encoder): encoder["name"] for encoder in results.record["encoders"]}
    if results.simulated or not {"bioclip", "clip"} <= set(names):
        return None
    return names["bioclip"], names["clip"]


def claim_sentence(results: Results) -> str:
    """Return what a study says about the claim of the paper.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> claim_sentence(two_models_measured())
    'This run does not compare BioCLIP with CLIP (it compares bioclip and clip), so that it does not test the claim.'
    """
    if results.simulated:
        return "This run is simulated: it shows the procedure, and does not test the claim."
    pair = models_of_claim(results)
    if pair:
        return f"This run puts numbers to the claim: {pair[0]} stands for BioCLIP, {pair[1]} for CLIP."
    models = results.models
    listed = " and ".join(models) if len(models) == 2 else some(models)
    return f"This run does not compare BioCLIP with CLIP (it compares {listed}), so that it does not test the claim."


def claim_table(results: Results) -> PaperTable:
    """Return the claim of the paper beside what a study measured of it.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable
        Claim, the number here, the published number, what is done differently; a row for each primary endpoint.

    Raises
    ------
    DataError
        If the folder holds no measurements.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> [row[1:3] for row in claim_table(two_models_measured()).rows]
    [('not tested by this run', 'no number; a t-SNE figure')]
    """
    columns = (Column("claim"), Column("here"), Column("published"), Column("differs in"))
    differs = ", ".join(deviation.partition(":")[0].lower() for deviation in deviations(results))
    pair, rows = models_of_claim(results), []
    for endpoint in PRIMARY if pair else ():
        numbers = EndpointNumbers.of(endpoint, results.table("measurements"))
        found = _compared(numbers, *pair) if pair else ""
        if found:
            rows.append((CLAIM, f"{numbers.heading}: {found}", PUBLISHED, differs))
    if not rows:
        why = "not tested: the run is simulated" if results.simulated else "not tested by this run"
        rows.append((CLAIM, why, PUBLISHED, differs if not results.simulated else DASH))
    return PaperTable("claims", "The claim, and the numbers of this run", columns, rows, grouped=True)


def _compared(numbers: EndpointNumbers, first: str, second: str) -> str:
    """Return the numbers of two encoders in an endpoint, empty if they lack one."""
    one, other = numbers.row(first), numbers.row(second)
    if one is None or other is None:
        return ""
    pair, sign = numbers.difference(first, second)
    text = f"{with_interval(one)} against {with_interval(other)}"
    if pair is None or pd.isna(pair["value"]):
        return text
    p = f", {p_as_text(pair['p_adjusted'])}" if pd.notna(pair["p_adjusted"]) else ""
    return f"{text}; difference {with_interval(pair, sign)}{p}"
