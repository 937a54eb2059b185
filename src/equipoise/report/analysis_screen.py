"""An analysis on the screen; print with `rich`."""

from typing import TYPE_CHECKING

from equipoise.inference import Analysis
from equipoise.report import tables

if TYPE_CHECKING:
    from rich.console import RenderableType

RENDERED = {"cells": tables.render_table}


def render_analysis(analysis: Analysis) -> "RenderableType":
    """The tables of every topic, and why others are missing."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [RENDERED[topic](analysis[topic]) for topic in analysis]
    if analysis.left_out:
        parts.append(Text("Left out", style="bold"))
        parts.append(Text("\n".join(f"  {topic}: {why}" for topic, why in analysis.left_out.items())))
    return Group(*parts)
