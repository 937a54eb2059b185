"""Rows of axes that the figures of all papers share."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def panels(canvas: "Canvas", *titles: str) -> list["Axes"]:
    """A row of axes, lettered from A."""
    axes = canvas.subplots(1, len(titles), squeeze=False)[0]
    for letter, ax, title in zip("ABCDEF", axes, titles, strict=False):
        ax.set_title(f"{letter}  {title}")
    return list(axes)
