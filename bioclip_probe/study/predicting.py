"""Predictions of all probes of a study, piece by piece: one encoder, one probe and one protocol at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache, partial

import numpy as np
import pandas as pd

from bioclip_probe import probes
from bioclip_probe.probes import LEAVE_ONE_OUT, SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN, ProbeSettings
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content, with_progress
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.prediction_rows import Remarks
from bioclip_probe.study.probing import FEW_SHOTS, draw_few_shot_folds, few_shot_encoder, probe_encoder, zero_shot
from bioclip_probe.study.protocols import Task, tasks_of_protocols
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import PREDICTIONS

#: Protocols that one probe answers together.
TOGETHER = {UNSEEN: SEEN_CHILDREN}


def predict(sample: Sample, settings: ProbeSettings | None = None, checkpoints: Checkpoints = NOWHERE) -> pd.DataFrame:
    """Return the predictions of all probes in the settings, as a `PREDICTIONS` table.

    Parameters
    ----------
    sample : Sample
    settings : ProbeSettings, optional
    checkpoints : Checkpoints
        Where finished predictions are stored; a piece is one encoder, one probe and one protocol. By default nowhere.

    Returns
    -------
    DataFrame
        A `PREDICTIONS` table.

    Raises
    ------
    ProbeError
        If there are too many images to leave each out.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(predict(corvid_sample(), ProbeSettings(probes=("zero_shot",))))  # no names were embedded
    0
    """
    if checkpoints is NOWHERE:
        return with_progress("probing", partial(predict, sample, settings))
    settings, remarks = settings or ProbeSettings(), Remarks()
    tables = [PREDICTIONS.frame()]
    tables += _learnt(sample, settings, checkpoints, remarks)
    if "simpleshot" in settings.probes:
        by_encoder = [*_few_shots(sample, settings, checkpoints)]
        tables += [table[table["shots"] == shots] for shots in FEW_SHOTS for table in by_encoder]
    if "zero_shot" in settings.probes:
        tables += [_zero_shots(sample, name, settings, checkpoints) for name in sample.names]
    remarks.log()
    return PREDICTIONS.concat([_of_run(sample, table) for table in tables])


def _learnt(
    sample: Sample, settings: ProbeSettings, checkpoints: Checkpoints, remarks: Remarks
) -> Iterator[pd.DataFrame]:
    """Yield the predictions of the probes that learn from a split."""

    @cache
    def tasks() -> dict[str, list[tuple[Task, ...]]]:
        """Return the splits of each protocol; they are drawn only if a probe is to learn from them."""
        by_protocol: dict[str, list[tuple[Task, ...]]] = {}
        for together in tasks_of_protocols(sample, settings):
            protocol = together[0].protocol
            by_protocol.setdefault(TOGETHER.get(protocol, protocol), []).append(together)
        return by_protocol

    def content(encoder: str, name: str, protocol: str) -> Content:
        return Content(probe_encoder(sample, encoder, name, tasks().get(protocol, []), settings, remarks))

    work = _work_of_protocols(settings)
    for encoder in sample.embeddings:
        for name in settings.probes:
            for protocol, share in work.items() if name in probes.LEARNERS else ():
                piece = _piece(sample, encoder, f"{encoder}, {name}, {protocol}", settings, share)
                yield PREDICTIONS.frame(checkpoints.content(piece, partial(content, encoder, name, protocol)).table)


def _work_of_protocols(settings: ProbeSettings) -> dict[str, float]:
    """Return the protocols of the settings in the order of their tasks, with the share of the work of each."""
    asked = dict.fromkeys(TOGETHER.get(protocol, protocol) for protocol in settings.protocols)
    ordered = [name for name in asked if name != SEEN_CHILDREN] + [name for name in asked if name == SEEN_CHILDREN]
    work = {
        SEEN: 1 + 0.2 * len(settings.shots),
        SHUFFLED: 1.0,
        SEEN_CHILDREN: 5.0 * settings.n_deals,
        LEAVE_ONE_OUT: 100.0,
    }
    total = sum(work[name] for name in ordered)
    return {name: work[name] / total for name in ordered}


def _few_shots(sample: Sample, settings: ProbeSettings, checkpoints: Checkpoints) -> Iterator[pd.DataFrame]:
    """Yield the predictions of SimpleShot for each encoder."""

    @cache
    def folds() -> dict[int, np.ndarray]:
        return draw_few_shot_folds(sample, "species", FEW_SHOTS, settings.mode, settings.seed)

    def content(encoder: str) -> Content:
        return Content(few_shot_encoder(sample, encoder, folds(), settings.mode))

    for encoder in sample.embeddings:
        piece = _piece(sample, encoder, f"{encoder}, simpleshot, {settings.mode}", settings, 0.1)
        yield PREDICTIONS.frame(checkpoints.content(piece, partial(content, encoder)).table)


def _zero_shots(sample: Sample, encoder: str, settings: ProbeSettings, checkpoints: Checkpoints) -> pd.DataFrame:
    """Return the predictions of one encoder by names."""

    def content() -> Content:
        return Content(zero_shot(replace(sample, names={encoder: sample.names[encoder]})))

    piece = _piece(sample, encoder, f"{encoder}, zero_shot", settings, 0.1)
    piece = replace(piece, inputs=(*piece.inputs, ("names", encoder)))
    return PREDICTIONS.frame(checkpoints.content(piece, content).table)


def _piece(sample: Sample, encoder: str, subject: str, settings: ProbeSettings, weight: float) -> Piece:
    """Return the piece of one probe, which does not depend on the other probes that are asked."""
    asked = {name: value for name, value in asdict(settings).items() if name not in ("probes", "protocols")}
    asked["children"] = [name for name in settings.protocols if name in (SEEN_CHILDREN, UNSEEN)]
    return Piece("probe", subject, (("images", ""), ("vectors", encoder)), asked, weight)


def _of_run(sample: Sample, table: pd.DataFrame) -> pd.DataFrame:
    """Return stored predictions as those of a sample: of its run and its dataset."""
    same = np.zeros(len(table), dtype=np.int8)
    columns = {"run": sample.run, "dataset": sample.dataset}
    return table.assign(
        **{name: pd.Categorical.from_codes(same, pd.Index([value], dtype="str")) for name, value in columns.items()}
    )
