"""An analysis on the screen; print with `rich`."""

from typing import TYPE_CHECKING

from equipoise.inference import Analysis
from equipoise.report import tables
from equipoise.report.populations_chapter import render_populations
from equipoise.report.spikes_chapter import render_spikes
from equipoise.report.stability_chapter import render_stability
from equipoise.report.verdict_chapter import render_verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

RENDERED = {
    "cells": tables.render_table,
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
