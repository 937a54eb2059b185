"""Figures of avalanches and branching ratios, each beside chance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.plotting.style import INK, QUIET, plain

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# The recording and its nulls: colour, line, marker, words.
SOURCES: dict[str, tuple[str, Any, str, str]] = {
    "recording": (INK, "-", "o", "recording"),
    "poisson": ("#8A9199", (0, (1, 1.5)), "s", "Poisson"),
    "rate": ("#CC5FA0", (0, (4, 1.6)), "D", "rate smoothed"),
    "intervals": ("#009E73", (0, (6, 1.5, 1, 1.5)), "^", "intervals shuffled"),
    "shift": ("#D98C0D", (0, (2, 1)), "v", "units shifted"),
}


def draw_survival(ax: "Axes", share: "xr.DataArray", fit: "xr.DataArray", *, words: str) -> None:
    """Share of avalanches (source, size or duration) of at least so much, and the power law through the recording's."""
    x = share[share.dims[-1]].values
    for source, (color, line, _, name) in reversed(SOURCES.items()):
        y, ours = share.sel(source=source).values, source == "recording"
        ax.plot(x, y, color=color, ls=line, lw=2.0 if ours else 1.3, label=name)
    law = fit.sel(source="recording").values
    ax.plot(x, law, color="#C4302B", ls=(0, (1, 1)), lw=2.2, label="power law")
    ax.set(xscale="log", yscale="log")
    ax.set_xlabel(words)
    ax.set_ylabel("share at least so large")


def draw_slopes(ax: "Axes", slope: "xr.DataArray", fit: "xr.DataArray", *, step: float, words: str) -> None:
    """Slopes of activity on its past (source, lag) and the fit through the recording's; `step` [ms] is a lag."""
    t = slope["lag"].values * step
    for source, (color, line, _, name) in reversed(SOURCES.items()):
        if source != "recording":
            ax.plot(t, slope.sel(source=source).values, color=color, ls=line, lw=0.9, alpha=0.9, label=name)
    color, _, marker, name = SOURCES["recording"]
    ax.plot(t, slope.sel(source="recording").values, marker, color=color, ms=2.4, mew=0, label=name)
    ax.plot(t, fit.sel(source="recording").values, color="#C4302B", lw=1.8, label="fit")
    ax.annotate(words, (0.98, 0.95), xycoords="axes fraction", ha="right", va="top", fontsize=8.5)
    ax.axhline(0.0, color=QUIET, lw=0.8, zorder=0)
    ax.set_xlim(0.0, t[-1])
    ax.set_xlabel("lag (ms)")
    ax.set_ylabel("slope $r_k$")


def draw_beside_chance(ax: "Axes", value: "xr.DataArray", ends: "xr.DataArray", names: Sequence[str]) -> None:
    """A number (row, source) with its interval `ends` (row, source, end), recording and nulls in each row."""
    rows = np.arange(value.sizes["row"])
    for j, (source, (color, _, marker, name)) in enumerate(SOURCES.items()):
        y = rows + 0.15 * (j - 2)
        low, high = (ends.sel(source=source).isel(end=e).values for e in (0, 1))
        ax.hlines(y, low, high, color=color, lw=1.3, alpha=0.8)
        ax.plot(value.sel(source=source).values, y, marker, color=color, ms=4.2, mew=0, label=name)
    ax.set_yticks(rows, [plain(name) for name in names])
    ax.set_ylim(rows.size - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
