"""Figures of a prediction: what each rule makes of a manipulation over time."""

from collections.abc import Callable
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


def draw_manipulation(ax: "Axes", duration: float, washout: float, tau: float) -> None:
    """Shade the `duration` [s] of the manipulation, and mark no change.

    Time is stretched after each onset, so that what rules with the time constant `tau` [s] do at first is seen beside
    the days that follow; ticks behind the manipulation count from its end.
    """
    end = duration / hour
    ax.set_xscale("function", functions=stretched(0.25 * tau / hour, end))
    ax.axvspan(0.0, end, color=GRID, alpha=0.6, lw=0)
    ax.axhline(0.0, color=QUIET, lw=0.8)
    inside = [0.0, *(t / hour for t in (tau, 10.0 * tau) if t < 0.5 * duration), end]
    after = [*(t / hour for t in (tau,) if t < 0.5 * washout), washout / hour]
    labels = [*(f"{t:g}" for t in inside), *(f"+{t:g}" for t in after)]
    ax.set_xticks([*inside, *(end + t for t in after)], labels)
    ax.set_xlim(0.0, end + washout / hour)
    ax.set_xlabel("time (h), + from the end")


def stretched(unit: float, end: float) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """log(1 + t/unit) from 0 and anew from `end`, and its inverse; linear before 0."""
    top = np.log1p(end / unit)

    def part(t: Any) -> Any:
        return np.where(t < 0.0, t / unit, np.log1p(np.maximum(t, 0.0) / unit))

    def back(x: Any) -> Any:
        return unit * np.where(x < 0.0, x, np.expm1(np.maximum(x, 0.0)))

    def forward(t: Any) -> Any:
        t = np.asarray(t, dtype=float)
        return np.where(t <= end, part(np.minimum(t, end)), top + part(np.maximum(t - end, 0.0)))

    def inverse(x: Any) -> Any:
        x = np.asarray(x, dtype=float)
        return np.where(x <= top, back(np.minimum(x, top)), end + back(np.maximum(x - top, 0.0)))

    return forward, inverse


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
        ax.errorbar(at.values / hour, change.values[k], error.values[k], lw=1.0, clip_on=False, **look)
