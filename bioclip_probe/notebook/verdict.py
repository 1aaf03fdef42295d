"""The verdict of a study: its sentences, printed in a shell and listed in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioclip_probe.report.sentences import Sentence

SIMULATED = "Simulated: nothing here is about real organisms or models."
NOTHING = "No primary endpoint was measured, so there is nothing to say."


@dataclass(frozen=True, repr=False)
class Verdict:
    """The verdict of a study: sentences that are made from its numbers by rule.

    Attributes
    ----------
    sentences : tuple of Sentence
        Each with the rows of the measurements that it rests on.
    simulated : bool
        True if the pictures come from the built-in world; the verdict then says so first.

    Examples
    --------
    >>> Verdict((), simulated=False)
    No primary endpoint was measured, so there is nothing to say.
    """

    sentences: tuple[Sentence, ...]
    simulated: bool = False

    @property
    def lines(self) -> list[str]:
        """The sentences as text."""
        texts = [sentence.text for sentence in self.sentences] or [NOTHING]
        return [SIMULATED, *texts] if self.simulated else texts

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        """Return the sentences as a list."""
        return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in self.lines)}</ul>"
