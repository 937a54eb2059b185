"""An analysis on the screen; print with `rich`."""

from collections.abc import Callable, Sequence
from html import unescape
from typing import TYPE_CHECKING

from equipoise.inference import Analysis
from equipoise.report import tables
from equipoise.report.chapters import Grid
from equipoise.report.criticality_chapter import criticality_grids
from equipoise.report.fields_chapter import fields_grids

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType


def _grids(made: "Callable[[xr.Dataset], Sequence[Grid]]") -> "Callable[[xr.Dataset], RenderableType]":
    """The grids of a topic as tables on the screen."""

    def render(dataset: "xr.Dataset") -> "RenderableType":
        from rich.console import Group

        return Group(*(_table(grid) for grid in made(dataset)))

    return render


def _table(grid: Grid) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    # Text, since a name such as "[tt1] 3" in a str would be read as markup.
    table = Table(title=Text(unescape(grid.title)), title_justify="left", box=None, pad_edge=False)
    for i, heading in enumerate(grid.head):
        table.add_column(Text(heading.replace(" (", "\n(")), justify="left" if grid.words or i == 0 else "right")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    return table


RENDERED = {
    "cells": tables.render_table,
    "criticality": _grids(criticality_grids),
    "fields": _grids(fields_grids),
}


def render_analysis(analysis: Analysis) -> "RenderableType":
    """The tables of every topic, and why others are missing."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [RENDERED[topic](analysis[topic]) for topic in analysis]
    if analysis.left_out:
        parts.append(Text("Left out", style="bold"))
        parts.append(Text("\n".join(f"  {topic}: {why}" for topic, why in analysis.left_out.items())))
    return Group(*parts)
