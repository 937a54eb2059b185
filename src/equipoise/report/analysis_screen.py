"""An analysis on the screen; print with `rich`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from equipoise.inference import Analysis
from equipoise.report import tables
from equipoise.report.chapters import Grid
from equipoise.report.criticality_chapter import criticality_grids
from equipoise.report.fields_chapter import fields_grids
from equipoise.report.populations_chapter import render_populations
from equipoise.report.spikes_chapter import render_spikes
from equipoise.report.stability_chapter import render_stability
from equipoise.report.topic_tables import screen_table
from equipoise.report.verdict_chapter import render_verdict

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType


def _grids(made: "Callable[[xr.Dataset], Sequence[Grid]]") -> "Callable[[xr.Dataset], RenderableType]":
    """The grids of a topic as tables on the screen."""

    def render(dataset: "xr.Dataset") -> "RenderableType":
        from rich.console import Group

        return Group(*(screen_table(grid) for grid in made(dataset)))

    return render


RENDERED = {
    "cells": tables.render_table,
    "criticality": _grids(criticality_grids),
    "fields": _grids(fields_grids),
    "spikes": render_spikes,
    "stability": render_stability,
    "populations": render_populations,
    "verdict": render_verdict,
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
