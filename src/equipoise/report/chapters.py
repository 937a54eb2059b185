"""What each topic of an analysis contributes to the page and to the screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equipoise.report.parts import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Flag = tuple[str, str, str, str]
"""Epoch, unit or signal, what kind of flag, and why."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table: its title, the headings, and rows of text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False

    def html(self) -> str:
        """As a part of the page."""
        return f"<h3>{self.title}</h3>" + table(self.head, self.rows, words=self.words)


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A topic: sentences for the top of the page, figures with title and caption, tables, flags, and fixed words.

    Sentences, captions, caveats and methods are HTML; tables and flags are text.
    """

    title: str
    glance: Sequence[str]
    figures: Sequence[tuple["Figure", str, str]]
    tables: Sequence[Grid]
    flags: Sequence[Flag] = ()
    caveats: Sequence[str] = ()
    methods: Sequence[str] = ()
