"""Families of tests, and p-values that are adjusted for all tests of a family.

A study of six models has thousands of p-values. Of a hundred tests of things that are not so, five have p < 0.05, so
that a reader who may pick is sure to find something. Each p-value therefore belongs to a named family (`p_family`), and
`p_adjusted` is what it is worth among the tests of that family:

``primary``
    The four endpoints of `bioclip_probe.metrics.endpoints`, of all models. **Holm's method**: any false claim among
    them is at most 5 % likely.
``primary differences``
    The paired differences of every two models in these endpoints, by Holm's method too. They decide which models are
    told apart, see `bioclip_probe.study.ranking`.
``METRIC · SPACE · TREE`` (and column of the images, or probe with its protocol and shots, or part of the dataset)
    All other tests, by **Benjamini and Hochberg's method**: the expected share of false findings among those with
    p_adjusted < 0.05 is at most 5 %. A family is one question asked of all models, at all ranks and in all clades,
    e.g. ``silhouette · raw · taxonomy``: the numbers of one figure, which a reader compares and picks from. Families
    are not merged: a metric in which everything is significant would make the tests of the others lenient, and many
    metrics that cannot be significant would make them strict (Efron 2008). Tests at neighbouring ranks and of models
    trained on the same images are positively dependent, for which the method holds.

**Controls** (colours, pixels, an untrained network) are not claims but checks. They do not count among the models, and
so do not make the tests of the models stricter; their own tests form families of their own, with the ending
``, controls``, and are shown beside. The same holds for pairs of which one is a control.

What is primary is declared before the run and does not depend on the results. The table is adjusted whenever a step of
the study lands, over all rows that the study has by then.

References
----------
Holm 1979, Scand. J. Stat. 6, 65; Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, 289; Efron 2008, Ann. Appl. Stat. 2,
197 (when families should be combined).
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from bioclip_probe.metrics.endpoints import PRIMARY, Endpoint, primary_tree
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.stats.multiplicity import benjamini_hochberg, holm

PRIMARY_FAMILY, DIFFERENCES_FAMILY = "primary", "primary differences"
CONTROLS = ", controls"
#: Columns that name a family of tests that are not primary.
_NAMED_BY = ("metric", "space", "tree", "column", "probe", "protocol", "shots", "split")


def with_adjusted_p(measurements: pd.DataFrame, controls: Collection[str] = ()) -> pd.DataFrame:
    """Return measurements with each p-value's family and its value adjusted for the tests of the family.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table: all rows of a study.
    controls : collection of str
        Names of the encoders that are controls.

    Returns
    -------
    DataFrame
        The same rows in the same order; `p_adjusted` and `p_family` are missing where there is no p-value.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models().assign(tree="taxonomy", split="all", p_value=[0.01, 0.02, 0.03, 0.5])
    >>> adjusted = with_adjusted_p(table)
    >>> adjusted["p_adjusted"].round(2).tolist()
    [0.04, 0.04, 0.04, 0.5]
    >>> adjusted["p_family"][0]
    'cluster_purity · raw · taxonomy'
    """
    family = family_names(measurements, controls)
    adjusted = pd.Series(float("nan"), index=measurements.index)
    for name, rows in measurements.groupby(family):
        method = holm if str(name).startswith(PRIMARY_FAMILY) else benjamini_hochberg
        adjusted[rows.index] = method(rows["p_value"].to_numpy())
    return measurements.assign(p_adjusted=adjusted, p_family=family)


def family_names(measurements: pd.DataFrame, controls: Collection[str] = ()) -> pd.Series:
    """Return the name of the family that each p-value belongs to.

    Parameters
    ----------
    measurements, controls
        As for `with_adjusted_p`.

    Returns
    -------
    Series of str
        Missing where there is no p-value.

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> table = two_models().assign(metric="cophenetic_correlation", tree="taxonomy", split="all", p_value=0.01)
    >>> family_names(table, controls=["clip"]).tolist()[1::2]
    ['primary', 'primary, controls']
    """
    names = measurements[list(_NAMED_BY)].astype("str").fillna("")
    # The whole dataset and the test images of a probe are the rule; only other parts are named.
    names["split"] = names["split"].replace({"all": "", "test": ""})
    names["shots"] = names["shots"].map(lambda shots: f"{shots} images a taxon" if shots else "")
    joined = [" · ".join(filter(None, row)) for row in names.itertuples(index=False)]
    family = pd.Series(joined, index=measurements.index, dtype="str")
    for endpoint in PRIMARY:
        family[rows_of(endpoint, measurements)] = PRIMARY_FAMILY
        family[rows_of(endpoint, measurements, DIFFERENCE)] = DIFFERENCES_FAMILY
    of_controls = measurements["encoder"].isin(controls) | measurements["encoder_b"].isin(controls)
    family[of_controls] += CONTROLS
    return family.where(measurements["p_value"].notna())


def rows_of(endpoint: Endpoint, measurements: pd.DataFrame, suffix: str = "") -> pd.Series:
    """Return True for the rows of a primary endpoint, or of the differences in it.

    Parameters
    ----------
    endpoint : Endpoint
    measurements : DataFrame
        A `MEASUREMENTS` table.
    suffix : str
        `DIFFERENCE` for the rows of the differences of two encoders; empty for those of one.

    Returns
    -------
    Series of bool

    Examples
    --------
    >>> from bioclip_probe.plots.examples import two_models
    >>> rows_of(PRIMARY[0], two_models()).any()
    np.False_
    """
    tree = primary_tree(measurements["tree"].dropna().unique().tolist()) if endpoint.on_phylogeny else "taxonomy"
    wanted = {
        "metric": f"{endpoint.metric}{suffix}",
        "rank": endpoint.rank,
        "space": "raw",
        "tree": tree,
        "split": endpoint.split,
        "probe": endpoint.probe,
        "protocol": endpoint.protocol,
        "taxon": None,
        "column": None,
        "shots": None,
    }
    if tree != "taxonomy":
        del wanted["rank"]  # all numbers on a phylogeny are at the rank of its tips: species, or genera
    keep = measurements["encoder_b"].notna() if suffix else measurements["encoder_b"].isna()
    for column, value in wanted.items():
        keep &= measurements[column].isna() if value is None else measurements[column] == value
    return keep
