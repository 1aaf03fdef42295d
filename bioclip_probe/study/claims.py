"""Claims of processes on the pieces of a study, so that each piece is computed once."""

from __future__ import annotations

from collections.abc import Sequence

from bioclip_probe.processes import FORKED
from bioclip_probe.study.piece import PieceState

#: Marks of a piece; any other mark is the number of the process that computes it.
FREE, STORED, FAILED = 0, -1, -2


class Claims:
    """The pieces that a results folder lacks, with the process that computes each of them.

    Parameters
    ----------
    pieces : sequence of PieceState

    Examples
    --------
    >>> state = PieceState("measure", "toy, raw", "0" * 32, exists=False, group="toy")
    >>> claims = Claims([state])
    >>> claims.take(state.key, process=1), claims.take(state.key, process=2)
    (True, False)
    """

    def __init__(self, pieces: Sequence[PieceState]) -> None:
        wanted = [piece for piece in pieces if not piece.dependent]
        groups = {group: number for number, group in enumerate(dict.fromkeys(map(group_of, wanted)))}
        self._number = {piece.key: number for number, piece in enumerate(wanted)}
        self._group = [groups[group_of(piece)] for piece in wanted]
        self._owners = FORKED.Array("i", [FREE] * len(groups))
        self._marks = FORKED.Array("i", [FREE] * len(wanted))

    def take(self, key: str, process: int) -> bool:
        """Claim a piece and its group for a process; return True if the process may compute the piece.

        Parameters
        ----------
        key : str
        process : int
            From 1.

        Returns
        -------
        bool
        """
        number = self._number.get(key)
        if number is None:
            return False
        with self._owners.get_lock():
            group = self._group[number]
            if self._owners[group] not in (FREE, process) or self._marks[number] != FREE:
                return False
            self._owners[group] = self._marks[number] = process
        return True

    def mark(self, key: str, mark: int) -> None:
        """Mark a piece that was taken.

        Parameters
        ----------
        key : str
        mark : int
            `STORED` or `FAILED`.
        """
        self._marks[self._number[key]] = mark

    def is_stored(self, key: str) -> bool:
        """Return True if a process has computed and stored a piece.

        Parameters
        ----------
        key : str
        """
        return bool(self._marks[self._number[key]] == STORED)

    def process_at(self, key: str) -> int:
        """Return the process that computes a piece, or that claimed another piece of its group; 0 if there is none.

        Parameters
        ----------
        key : str

        Returns
        -------
        int
        """
        number = self._number[key]
        return 0 if self._marks[number] in (STORED, FAILED) else int(self._owners[self._group[number]])


def group_of(piece: PieceState) -> str:
    """Return the group of a piece; one process should compute all pieces of a group.

    Parameters
    ----------
    piece : PieceState

    Examples
    --------
    >>> group_of(PieceState("measure", "toy, raw", "0" * 32, exists=False, group="toy"))
    'measure toy'
    """
    return f"{piece.step} {piece.group or piece.key}"
