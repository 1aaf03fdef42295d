"""Rows that are copies of one picture: an anchor is not scored by its own copies, which say nothing of relatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Copies(NamedTuple):
    """The rows that show the same picture as each row.

    Attributes
    ----------
    members : ndarray, shape (m,), int64
        The rows that have copies, those of one picture one after the other.
    first, last : ndarray, shape (n,), int64
        Row i and its copies are ``members[first[i] : last[i]]``; the slice is empty for a row without a copy.

    Examples
    --------
    >>> copies = Copies.of(np.array([4, -1, 4, 7]))
    >>> [copies.members[start:stop].tolist() for start, stop in zip(copies.first, copies.last)]
    [[0, 2], [], [0, 2], []]
    """

    members: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, picture: np.ndarray) -> Copies:
        """Return the copies of rows that show some pictures.

        Parameters
        ----------
        picture : ndarray, shape (n,), int64
            Number of the picture of each row; -1 is none.

        Returns
        -------
        Copies
        """
        order = np.argsort(picture, kind="stable")
        ends = [np.searchsorted(picture[order], picture, side=side) for side in ("left", "right")]
        alone = (picture < 0) | (ends[1] - ends[0] == 1)
        members = order[~alone[order]]
        begin = np.searchsorted(picture[members], picture)
        return cls(members, begin, np.where(alone, begin, begin + ends[1] - ends[0]))

    @classmethod
    def none(cls, n: int) -> Copies:
        """Return n rows without copies.

        Parameters
        ----------
        n : int

        Returns
        -------
        Copies
        """
        return cls.of(np.full(n, -1, dtype=np.int64))

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of each of some rows with its copies.

        Parameters
        ----------
        rows : ndarray, shape (b,), int64

        Returns
        -------
        position : ndarray, shape (p,), int64
            Of the row, among `rows`.
        copy : ndarray, shape (p,), int64
            A copy of it, among all rows.

        Examples
        --------
        >>> [of.tolist() for of in Copies.of(np.array([4, -1, 4, 7])).pairs(np.array([1, 2]))]
        [[1], [0]]
        """
        number = self.last[rows] - self.first[rows]
        position = np.repeat(np.arange(len(rows)), number)
        within = np.arange(len(position)) - np.repeat(np.cumsum(number) - number, number)
        copy = self.members[self.first[rows][position] + within]
        other = copy != rows[position]
        return position[other], copy[other]
