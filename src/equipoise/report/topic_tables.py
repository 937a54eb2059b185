"""What the chapters of several topics share: text of estimates, and their tables on the screen."""

from collections.abc import Sequence
from html import unescape
from typing import TYPE_CHECKING

import numpy as np

from equipoise.report.chapters import Flag, Grid
from equipoise.report.tables import MOST_NOTES, NONE, number

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType


def estimated(row: "xr.Dataset", name: str) -> str:
    """A value with its interval where it has one, "1.01 [0.64, 1.25]", or a dash."""
    value, low, high = (float(row[name + end]) for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return NONE
    return number(value) + (f" [{number(low)}, {number(high)}]" if np.isfinite(low) else "")


def ranged(row: "xr.Dataset", name: str) -> str:
    """The ends of a null, "0.067 to 0.232", or a dash."""
    low, high = (float(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{number(low)} to {number(high)}" if np.isfinite(low) else NONE


def probability(p: float) -> str:
    """A probability without more zeros than it is worth."""
    return "< 0.001" if 0.0 <= p < 0.001 else number(p)


def rendered(grids: Sequence[Grid], flags: Sequence[Flag], *, lead: str = "") -> "RenderableType":
    """Tables for the screen under a leading sentence, with what is flagged below."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(lead, style="bold")] if lead else []
    parts += [screen_table(grid) for grid in grids]
    notes = ["  " + ", ".join(word for word in flag[:3] if word) + f": {flag[3]}" for flag in flags[:MOST_NOTES]]
    if len(flags) > MOST_NOTES:
        notes.append(f"  and {len(flags) - MOST_NOTES} more, see the report")
    return Group(*parts, Text("\n".join(notes), style="yellow"))


def screen_table(grid: Grid) -> "RenderableType":
    """A table for the screen, units below their headings."""
    from rich.table import Table
    from rich.text import Text

    # Text, since a name such as "[tt1] 3" in a str would be read as markup.
    table = Table(title=Text(unescape(grid.title)), title_justify="left", box=None, pad_edge=False)
    for i, heading in enumerate(grid.head):
        table.add_column(Text(heading.replace(" (", "\n(")), justify="left" if grid.words or i == 0 else "right")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    return table
