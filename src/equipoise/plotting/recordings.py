"""Figures of recorded units."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.style import (
    EPOCHS,
    EXCITATION,
    INHIBITION,
    INHIBITION_LINE,
    INK,
    QUIET,
    epoch_look,
    plain,
    plain_log,
)
from equipoise.quantities import Array
from equipoise.units import mV

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

MANY = 60  # units above which details are left out

# The predictions of calcium beside the actual value: colour, marker, words.
PREDICTIONS = {
    "shuffled": ("#009E73", "o", "own intervals, shuffled"),
    "inhomogeneous": ("#CC5FA0", "D", "Poisson, smoothed rate"),
    "poisson": ("#8A9199", "s", "Poisson, mean rate"),
}


def draw_raster(ax: "Axes", trains: Sequence[Array], names: Sequence[str], *, window: tuple[float, float]) -> None:
    """Spike raster: one row per unit, times in s over `window`."""
    size = min(7.0, 150.0 / max(len(trains), 1))
    for row, times in enumerate(trains):
        ax.plot(times, np.full(times.size, row), "|", color=INK, markersize=size, markeredgewidth=0.6)
    _unit_rows(ax, names)
    ax.set_xlim(*window)
    ax.locator_params(axis="x", nbins=5, integer=True)
    ax.set_ylabel("unit")


def draw_population_rate(ax: "Axes", edges: Array, rate: Array, *, color: str = INK) -> None:
    """Population rate [Hz per unit] in bins with the given edges [s]."""
    ax.stairs(rate, edges, fill=True, color=color, alpha=0.85, linewidth=0)
    ax.set_ylim(bottom=0)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel("time (s)")
    ax.set_ylabel("rate per unit\n(Hz)")


def draw_rates(
    ax: "Axes", rate: "xr.DataArray", low: "xr.DataArray", high: "xr.DataArray", groups: Sequence[str]
) -> None:
    """Firing rate of every unit [Hz] (unit, epoch) with its interval, one line per unit, coloured by group."""
    x = np.arange(rate.sizes["epoch"])
    for u in range(rate.sizes["unit"]):
        color = _group_color(groups, u)
        y, lower, upper = (a.isel(unit=u).values for a in (rate, low, high))
        shift = 0.06 * (u / max(rate.sizes["unit"] - 1, 1) - 0.5)  # so that bars of different units do not coincide
        shown = y > 0
        ax.plot((x + shift)[shown], y[shown], color=color, lw=1.0, marker="o", ms=3.5, alpha=0.9)
        ax.vlines((x + shift)[shown], np.maximum(lower, 1e-9)[shown], upper[shown], color=color, lw=1.0, alpha=0.6)
    _log_scale(ax, rate.values)
    ax.set_xticks(x, [plain(name) for name in rate.epoch.values])
    ax.set_xlim(-0.4, len(x) - 0.6)
    ax.set_ylabel("firing rate (Hz)")
    _group_legend(ax, groups)


def draw_irregularity(ax: "Axes", local: "xr.DataArray", overall: "xr.DataArray") -> None:
    """Global C_v against local irregularity (unit, epoch), one marker per unit and epoch."""
    for i, name in enumerate(local.epoch.values):
        ax.scatter(
            local.isel(epoch=i), overall.isel(epoch=i), s=26, alpha=0.9, lw=0, label=plain(name), **epoch_look(i)
        )
    low, high = 0.3, 1.15 * max(3.0, _largest(overall))
    ax.plot([low, high], [low, high], color=QUIET, lw=1.0, zorder=0)
    ax.annotate("equal", (1.5, 1.5), (4, -4), textcoords="offset points", color=QUIET, fontsize=8.5, va="top")
    ax.set(xscale="log", yscale="log", xlim=(low, 1.15 * max(2.0, _largest(local))), ylim=(low, high))
    for axis in (ax.xaxis, ax.yaxis):
        plain_log(axis)
    ax.set_xlabel("local irregularity $C_{v,\\mathrm{local}}$")
    ax.set_ylabel("global $C_v$")
    ax.legend(loc="upper right")


def draw_calcium(
    ax: "Axes", ratio: "xr.DataArray", low: "xr.DataArray", high: "xr.DataArray", names: Sequence[str]
) -> None:
    """Predicted over actual calcium (unit, source) [%], around 100, with the range of the surrogates up to `MANY`."""
    rows = np.arange(ratio.sizes["unit"])
    many = rows.size > MANY  # then bars would hide each other and the points
    ax.axvline(100.0, color=INK, lw=1.4)
    for j, (source, (color, marker, words)) in enumerate(PREDICTIONS.items()):
        y = rows + 0.22 * (j - 1)
        ends = low.sel(source=source).values, high.sel(source=source).values
        if not many:
            ax.hlines(y, *ends, color=color, lw=1.4, alpha=0.7)
        ax.plot(ratio.sel(source=source).values, y, marker, color=color, ms=2.0 if many else 4.2, mew=0, label=words)
    _unit_rows(ax, names)
    ax.grid(axis="y")


def draw_operating_points(
    ax: "Axes", mean: "xr.DataArray", sd: "xr.DataArray", status: "xr.DataArray", background: "xr.Dataset"
) -> None:
    """The model neuron's input (unit, epoch) as mean and sd of its free membrane [V], over lines of equal rate and C_v.

    `background` holds `log_rate` [log Hz] and `cv` over (sd, mean) [V] and the attributes `v_threshold` and `v_reset`.
    Points beyond the map stand at its edge, as triangles; implausible ones are hollow.
    """
    _contours(ax, background)
    x_low, x_high = (float(background["mean"][i]) / mV for i in (0, -1))
    y_low, y_high = (float(background["sd"][i]) / mV for i in (0, -1))
    for i, name in enumerate(mean.epoch.values):
        x, y = mean.isel(epoch=i).values / mV, sd.isel(epoch=i).values / mV
        solid = status.isel(epoch=i).values == "OK"
        look, known = epoch_look(i), np.isfinite(x)
        inside = known & (x > x_low) & (y < y_high)
        for chosen, face in ((inside & solid, look["color"]), (inside & ~solid, "white")):
            ax.plot(x[chosen], y[chosen], look["marker"], ms=5.5, mfc=face, mec=look["color"], mew=1.2, zorder=3)
        outside = known & ~inside
        place = np.clip(x, x_low, x_high), np.clip(y, y_low, y_high)
        ax.plot(
            place[0][outside], place[1][outside], "<", ms=6, mfc="white", mec=look["color"], zorder=3, clip_on=False
        )
        ax.plot([], [], look["marker"], color=look["color"], ms=5.5, label=plain(name))
    ax.plot([], [], "o", mfc="white", mec=QUIET, ms=5.5, label="implausible")
    ax.set(xlim=(x_low, x_high), ylim=(y_low, y_high), yscale="log")
    plain_log(ax.yaxis)
    ax.set_xlabel("mean potential without threshold (mV from rest)")
    ax.set_ylabel("its standard deviation (mV)")
    ax.legend(loc="lower left")


def _contours(ax: "Axes", background: "xr.Dataset") -> None:
    """Lines of equal rate, labelled at the left, and of equal C_v, labelled at the right."""
    families = (("log_rate", {1: "1 Hz", 5: "5 Hz", 20: "20 Hz"}, np.log, QUIET, "-", 0.36),)
    families += (("cv", {0.5: "$C_v$ 0.5", 1.0: "$C_v$ 1", 1.4: "$C_v$ 1.4"}, float, "#A88F5F", "--", 0.93),)
    x, y = background["mean"].values / mV, background["sd"].values / mV
    for name, words, transform, color, line, across in families:
        levels = {float(transform(v)): text for v, text in words.items()}
        values = background[name].values
        lines = ax.contour(x, y, values, levels=list(levels), colors=color, linewidths=0.9, linestyles=line)
        column = int(across * (x.size - 1))
        known = np.isfinite(values[:, column])
        if not known.any():
            continue
        # Both rise with the noise there, so that the height of a label can be read off the column.
        heights = np.interp(list(levels), values[known, column], y[known])
        places = [(float(x[column]), float(h)) for h in heights]
        ax.clabel(lines, manual=places, fmt=levels, fontsize=8)
    for key, words in (("v_threshold", "threshold"), ("v_reset", "reset")):
        value = background.attrs[key] / mV
        ax.axvline(value, color=INK, lw=0.9, ls=":")
        ax.annotate(
            words, (value, 1.0), (2, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
            fontsize=8, ha="center", va="bottom",
        )  # fmt: skip


def draw_weights(ax: "Axes", j_e: "xr.DataArray", j_i: "xr.DataArray") -> None:
    """Equilibrium weights (unit, k) [V] against the number of inputs K, one line per unit, with the slope K^(-1/2)."""
    k = j_e["k"].values
    looks = ((j_e, EXCITATION, "-", "excitatory $J_E$"), (j_i, INHIBITION, INHIBITION_LINE, "inhibitory $J_I$"))
    for weights, color, line, words in looks:
        for u in range(weights.sizes["unit"]):
            ax.plot(k, weights.isel(unit=u).values / mV, color=color, ls=line, lw=1.0, marker="o", ms=2.5, alpha=0.55)
        ax.plot([], [], color=color, ls=line, lw=1.6, label=words)
    ax.set_xscale("log")
    _log_scale(ax, np.concatenate([j_e.values, j_i.values]))
    ax.set_xlim(k[0] / 1.3, k[-1] * 1.3)
    ax.set_xticks(k, [f"{int(v):,}" for v in k])
    ax.minorticks_off()
    ax.set_xlabel("number of inputs $K$ of each kind")
    ax.set_ylabel("weight (mV)")


def draw_slope(ax: "Axes", k: Array, y: float) -> None:
    """A guide of slope K^(-1/2) through the first K at height `y` [V]."""
    line = y / mV * np.sqrt(k[0] / k)
    ax.plot(k, line, color=INK, lw=1.0, ls=":", label=r"slope $K^{-1/2}$")


def _unit_rows(ax: "Axes", names: Sequence[str]) -> None:
    step = max(1, round(len(names) / 30))
    ax.set_yticks(np.arange(0, len(names), step), [plain(name) for name in names[::step]])
    ax.set_ylim(len(names) - 0.3, -0.7)
    ax.tick_params(axis="y", length=0)


def _log_scale(ax: "Axes", values: Array) -> None:
    """A logarithmic y axis where there is something to show on it, else a word."""
    if np.any(np.isfinite(values) & (values > 0)):
        ax.set_yscale("log")
        plain_log(ax.yaxis)
    else:
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", color=QUIET)


def _group_color(groups: Sequence[str], unit: int) -> str:
    known = sorted(set(groups))
    return (INK, EPOCHS[2], EPOCHS[3], EPOCHS[0])[known.index(groups[unit]) % 4]


def _group_legend(ax: "Axes", groups: Sequence[str]) -> None:
    known = sorted(set(groups))
    if len(known) < 2:
        return
    for name in known:
        ax.plot([], [], color=_group_color(groups, list(groups).index(name)), marker="o", ms=3.5, label=plain(name))
    ax.legend(loc="best")


def _largest(array: "xr.DataArray") -> float:
    finite = array.values[np.isfinite(array.values)]
    return float(finite.max()) if finite.size else 1.0
