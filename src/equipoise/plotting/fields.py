"""Figures of continuous signals: spectra with their aperiodic part, and what is measured in them over time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.style import INK, epoch_look, plain, plain_log
from equipoise.quantities import Array

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def draw_spectra(ax: "Axes", spectra: "xr.Dataset", *, unit: str, small: bool = False) -> None:
    """Power (condition, frequency) [unit^2/Hz] with its interval, and the aperiodic line where it was fitted.

    A `small` panel has numbers at decades only.
    """
    for i, name in enumerate(spectra["condition"].values):
        here, look = spectra.isel(condition=i).dropna("frequency", subset=["power"]), epoch_look(i)
        f = here["frequency"].values
        ax.fill_between(f, here["power_low"].values, here["power_high"].values, color=look["color"], alpha=0.22, lw=0)
        ax.plot(f, here["power"].values, color=look["color"], lw=1.3, label=plain(name))
        ax.plot(f, here["line"].values, color=look["color"], ls=(0, (4, 1.6)), lw=1.3)
    ax.set_xscale("log")
    plain_log(ax.xaxis, (1.0,) if small else (1.0, 2.0, 5.0))
    if bool((spectra["power"] > 0.0).any()):
        ax.set_yscale("log")
    ax.set_xlabel("frequency (Hz)")
    ax.set_ylabel(f"power ({plain(unit)}²/Hz)")


def draw_course(
    ax: "Axes", value: "xr.DataArray", low: "xr.DataArray", high: "xr.DataArray", spans: Sequence[tuple[int, Array]]
) -> None:
    """A number (channel, time) with its interval, over stretches [s] (n, 2) of the conditions with these indices.

    Intervals are left out for more than two channels, where they would hide each other.
    """
    for index, stretches in spans:
        for start, stop in stretches:
            ax.axvspan(start, stop, color=epoch_look(index)["color"], alpha=0.13, lw=0)
    lines = ("-", (0, (4, 1.6)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
    for c, name in enumerate(value["channel"].values):
        one = [a.isel(channel=c).dropna("time") for a in (value, low, high)]
        t = one[0]["time"].values
        color = INK if value.sizes["channel"] == 1 else f"C{c}"
        ax.plot(t, one[0].values, color=color, ls=lines[c % 4], lw=1.2, marker=".", ms=3.0, label=plain(name))
        if value.sizes["channel"] <= 2:
            ax.fill_between(t, one[1].values, one[2].reindex_like(one[1]).values, color=color, alpha=0.18, lw=0)


def draw_channels(ax: "Axes", value: "xr.DataArray", low: "xr.DataArray", high: "xr.DataArray") -> None:
    """A number (channel, condition) with its interval, one row per channel."""
    rows = np.arange(value.sizes["channel"])
    for i, name in enumerate(value["condition"].values):
        look, y = epoch_look(i), rows + 0.2 * (i - 0.5 * (value.sizes["condition"] - 1))
        first, last = (a.isel(condition=i).values for a in (low, high))
        ax.hlines(y, first, last, color=look["color"], lw=1.2, alpha=0.7)
        ax.plot(
            value.isel(condition=i).values, y, look["marker"], color=look["color"], ms=3.8, mew=0, label=plain(name)
        )
    step = max(1, round(rows.size / 40))
    ax.set_yticks(rows[::step], [plain(name) for name in value["channel"].values[::step]])
    ax.set_ylim(rows.size - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
