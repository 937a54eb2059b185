"""Figures of a prediction: what each rule makes of a manipulation over time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.plotting.style import EPOCHS, GRID, QUIET
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

LINES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), "-.", (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)))
COLORS = (*EPOCHS, "#7A4B2A")
"""Of rules; the same on every figure of a page."""


def rule_look(index: int) -> dict[str, Any]:
    """Colour and line of the rule with this index."""
    return {"color": COLORS[index % len(COLORS)], "linestyle": LINES[(index + index // len(COLORS)) % len(LINES)]}


def draw_manipulation(ax: "Axes", duration: float) -> None:
    """Shade the `duration` [s] of the manipulation, and mark no change."""
    ax.axvspan(0.0, duration / hour, color=GRID, alpha=0.6, lw=0)
    ax.axhline(0.0, color=QUIET, lw=0.8)
    ax.set_xlabel("time (h)")


def draw_courses(ax: "Axes", time: "xr.DataArray", change: "xr.DataArray", *, faint: bool = False) -> None:
    """Changes (rule, moment) over `time` (rule, moment) [s], one line a rule, without labels where `faint`.

    A line ends where the rule's state does.
    """
    for k, rule in enumerate(change["rule"].values):
        t, values = time.values[k] / hour, change.values[k]
        known = np.isfinite(t) & np.isfinite(values)
        if known.any():
            width, label = (0.9, None) if faint else (1.7, str(rule))
            ax.plot(t[known], values[known], lw=width, alpha=0.6 if faint else 1.0, label=label, **rule_look(k))


def draw_spikes(ax: "Axes", at: "xr.DataArray", change: "xr.DataArray", error: "xr.DataArray") -> None:
    """Changes (rule, phase) measured in spikes with their standard errors, at times `at` (phase,) [s]."""
    for k, _ in enumerate(change["rule"].values):
        look = {"color": rule_look(k)["color"], "marker": "o", "mfc": "white", "ms": 4.5, "ls": "", "zorder": 4}
        ax.errorbar(at.values / hour, change.values[k], error.values[k], lw=1.0, **look)
