"""States of made-up pieces."""

from __future__ import annotations

from bioclip_probe.study.piece import PieceState


def states(*groups: str) -> list[PieceState]:
    """Missing pieces ``0``, ``1``, … of these groups."""
    return [PieceState("measure", key, key, False, group=group) for key, group in zip("0123456", groups, strict=False)]
