"""Plans: what the flags of each command say that a study compares, on what, and how."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from bioclip_probe.cli.flags import (
    extraction_settings,
    interval_settings,
    measure_settings,
    probe_settings,
    projection_settings,
)
from bioclip_probe.probes.settings import ProbeSettings

if TYPE_CHECKING:
    from bioclip_probe.study import Plan

#: No probes.
SILENT = ProbeSettings(probes=())


def whole_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `reproduce`."""
    return replace(
        _on_trees(options),
        measure=measure_settings(options),
        probe=probe_settings(options),
        projection=projection_settings(options),
    )


def embed_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `embed`."""
    return replace(_of_models(options), probe=ProbeSettings(probes=(), names=options.names))


def measure_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `measure`."""
    return replace(
        _on_trees(options),
        measure=measure_settings(options, tuple(options.metrics)),
        probe=ProbeSettings(probes=(), names=options.names, templates=options.templates),
    )


def probe_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `probe`."""
    return replace(_of_models(options), probe=probe_settings(options), measure=interval_settings(options))


def project_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `project`."""
    return replace(
        _of_models(options),
        probe=SILENT,
        measure=interval_settings(options),
        projection=projection_settings(options),
    )


def taxa_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `taxa`."""
    from bioclip_probe.study.plan import Plan

    return Plan(
        options.data, tuple(options.models), controls=False, extraction=extraction_settings(options), probe=SILENT
    )


def _of_models(options: argparse.Namespace) -> Plan:
    """Return a plan of the data and models that every step needs."""
    from bioclip_probe.study.plan import Plan

    return Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        extraction=extraction_settings(options),
    )


def _on_trees(options: argparse.Namespace) -> Plan:
    """Return a plan with the phylogeny and the columns of images too, which measuring needs."""
    return replace(
        _of_models(options),
        tree=options.tree,
        tree_unit=options.tree_unit,
        tree_names=options.tree_names,
        tree_at_genus=options.tree_at_genus,
        confounds=tuple(options.confound),
        strata=tuple(options.within),
        attributes=options.attributes,
    )
