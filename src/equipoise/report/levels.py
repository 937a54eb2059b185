"""Levels side by side as text, table and figure, from the Dataset of `compare.levels` alone."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.plotting.levels import draw_level
from equipoise.report.parts import bullets, figure, section, subplots, symbols, table
from equipoise.report.tables import number

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

HEAD = ["population", "level", "rate (Hz)", "SD (Hz)", "C_v", "calcium (µM)", "its square (µM²)"]
CAPTION = (
    "Rate (mean over the population) and C<sub>v</sub> (over neurons) at every level. Bars are two standard errors "
    "of a run of finite length; another graph moves rates by about their spread over the square root of the neurons."
)


def rows(data: "xr.Dataset") -> list[list[str]]:
    """One row per population and level."""
    out = []
    for population in data["population"].values:
        for level in data["level"].values:
            here = data.sel(population=population, level=level)
            cells = [_with_error(here, "rate"), number(float(here["rate_sd"])), _with_error(here, "cv")]
            cells += [number(float(here[name])) for name in ("calcium_mean", "calcium_second_moment")]
            out.append([str(population), str(level), *cells])
    return out


def _with_error(here: "xr.Dataset", name: str) -> str:
    value, error = float(here[name]), float(here[f"{name}_error"])
    return f"{number(value)} ± {number(error, 1)}" if np.isfinite(error) and error > 0.0 else number(value)


def render_levels(data: "xr.Dataset") -> "RenderableType":
    """Table and reasons for the screen; print with `rich`."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="")
    for k, title in enumerate(HEAD):
        shown.add_column(title.replace(" (", "\n("), justify="left" if k < 2 else "right", no_wrap=True)
    last = ""
    for row in rows(data):
        shown.add_row(*(Text(cell) for cell in (["", *row[1:]] if row[0] == last else row)))
        last = row[0]
    why = [Text(f"  {reason}") for reason in data.attrs["reasons"]]
    return Group(Text("Theory beside spikes", style="bold"), Text(), shown, Text(), Text("What differs, and why"), *why)


def levels_section(data: "xr.Dataset", index: int) -> str:
    """The part of the page; its figure has the number `index`."""
    with plotting.style():
        n = data.sizes["population"]
        drawn, axes = subplots(1, 2, 1.1 + 0.3 * n + 0.12 * n * data.sizes["level"], sharey=True)
        draw_level(axes[0, 0], data, "rate", "rate (Hz)")
        draw_level(axes[0, 1], data, "cv", "$C_v$ of the intervals")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper left", ncols=len(labels))
        image = figure(index, drawn, "Theory beside spikes", CAPTION)
    facts = f"{data.attrs['duration']:g} s of spikes, dt {1e3 * data.attrs['dt']:g} ms, seed {data.attrs['seed']}."
    reasons = bullets([symbols(escape(reason).replace("-", "−")) for reason in data.attrs["reasons"]])
    body = f"{image}{table(HEAD, rows(data))}<p>{facts}</p><h3>What differs, and why</h3>{reasons}"
    return section("Theory beside spikes", body)
