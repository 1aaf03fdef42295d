"""Plans: what the flags of each command say that a study compares, on what, and how."""

from __future__ import annotations

import argparse
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
    from bioclip_probe.study.plan import Plan

    return Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        tree=options.tree,
        tree_unit=options.tree_unit,
        confounds=tuple(options.confound),
        strata=tuple(options.within),
        attributes=options.attributes,
        extraction=extraction_settings(options),
        measure=measure_settings(options),
        probe=probe_settings(options),
        projection=projection_settings(options),
    )


def embed_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `embed`."""
    from bioclip_probe.study.plan import Plan

    return Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        extraction=extraction_settings(options),
        probe=ProbeSettings(probes=(), names=options.names),
    )


def measure_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `measure`."""
    from bioclip_probe.study.plan import Plan

    return Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        tree=options.tree,
        tree_unit=options.tree_unit,
        confounds=tuple(options.confound),
        strata=tuple(options.within),
        attributes=options.attributes,
        extraction=extraction_settings(options),
        measure=measure_settings(options, tuple(options.metrics)),
        probe=ProbeSettings(probes=(), names=options.names, templates=options.templates),
    )


def probe_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `probe`."""
    from bioclip_probe.study.plan import Plan

    return Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        extraction=extraction_settings(options),
        probe=probe_settings(options),
        measure=interval_settings(options),
    )


def project_plan(options: argparse.Namespace) -> Plan:
    """Return the plan of `project`."""
    from bioclip_probe.study.plan import Plan

    return Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        extraction=extraction_settings(options),
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
