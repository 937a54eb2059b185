"""Figures of what spikes say together: laws of intervals, counts, coincidences, drift."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.recordings import MANY
from equipoise.plotting.style import EPOCHS, INK, QUIET, epoch_look, plain, plain_log

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

LAW_COLORS = {
    "exponential": (QUIET, "exponential"),
    "dead_time": ("#56B4E9", "after a dead time"),
    "gamma": (EPOCHS[0], "gamma"),
    "inverse_gaussian": (EPOCHS[1], "inverse Gaussian"),
    "log_normal": (EPOCHS[2], "log-normal"),
}


def draw_law_weights(ax: "Axes", weights: "xr.DataArray", rejected: "xr.DataArray", names: Sequence[str]) -> None:
    """Akaike weights (unit, law) as one bar per unit; a cross where even the best law is `rejected` (unit,)."""
    rows = np.arange(weights.sizes["unit"])
    left = np.zeros(rows.size)
    for law in weights["law"].values:
        color, words = LAW_COLORS[str(law)]
        width = np.nan_to_num(weights.sel(law=law).values)
        ax.barh(rows, width, left=left, height=0.8, color=color, label=words, lw=0)
        left += width
    ax.plot(np.full(rows.size, 1.04)[rejected.values], rows[rejected.values], "x", color=INK, ms=4, mew=1.1)
    step = max(1, round(len(names) / 30))
    ax.set_yticks(rows[::step], [plain(name) for name in names[::step]])
    ax.set(xlim=(0.0, 1.08), ylim=(len(names) - 0.4, -0.6))
    ax.set_xticks([0.0, 0.5, 1.0])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Akaike weight")


def draw_fano(ax: "Axes", fano: "xr.DataArray") -> None:
    """Fano factors (epoch, window, unit) against the counting window [s], one line per unit, 1 for Poisson."""
    windows = fano["window"].values
    thin = 0.25 if fano.sizes["unit"] > MANY else 0.7
    for i, name in enumerate(fano["epoch"].values):
        look = epoch_look(i)
        lines = fano.isel(epoch=i).transpose("window", "unit").values
        ax.plot(windows, lines, color=look["color"], lw=thin, alpha=0.7, marker=look["marker"], ms=2.2)
        ax.plot([], [], color=look["color"], marker=look["marker"], ms=4, label=plain(name))
    ax.axhline(1.0, color=INK, lw=1.2)
    ax.annotate("Poisson", (windows[0], 1.0), (2, -3), textcoords="offset points", fontsize=8, va="top")
    ax.set(xscale="log", yscale="log")
    plain_log(ax.xaxis, (1.0,))
    plain_log(ax.yaxis)
    ax.set_xlabel("counting window (s)")
    ax.set_ylabel("Fano factor")
    if fano.sizes["epoch"] > 1:
        ax.legend(loc="best")


def draw_correlations(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Mean `correlation` (epoch, pair) with its interval, over the grey range of the null, where it is known."""
    pairs = [str(pair) for pair in dataset["pair"].values]
    n = dataset.sizes["epoch"]
    for i, name in enumerate(dataset["epoch"].values):
        look, one = epoch_look(i), dataset.isel(epoch=i)
        x = np.arange(len(pairs)) + 0.5 * (i - 0.5 * (n - 1)) / max(n, 1)
        ax.vlines(x, one["correlation_null_low"], one["correlation_null_high"], color=QUIET, lw=7, alpha=0.45)
        ax.vlines(x, one["correlation_low"], one["correlation_high"], color=look["color"], lw=1.4)
        ax.plot(x, one["correlation"], ls="", ms=5, label=plain(name), **look)
    ax.axhline(0.0, color=INK, lw=0.8)
    ax.set_xticks(np.arange(len(pairs)), pairs)
    ax.set_xlim(-0.6, len(pairs) - 0.4)
    ax.set_ylabel("mean count correlation")


def draw_coincidences(ax: "Axes", dataset: "xr.Dataset", *, color: str) -> None:
    """Pairs of spikes beside jittered ones (`coincidence`, (lag,)) and the range of no fine timing, lags in ms."""
    lag = dataset["lag"].values * 1e3
    ax.fill_between(
        lag, dataset["coincidence_null_low"], dataset["coincidence_null_high"], color=QUIET, alpha=0.35, lw=0
    )
    ax.plot(lag, dataset["coincidence"], color=color, lw=1.3, marker="o", ms=2.4)
    ax.axhline(1.0, color=INK, lw=0.8)
    ax.set_xlim(lag[0], lag[-1])
    ax.set_xlabel("lag (ms)")
    ax.set_ylabel("pairs of spikes\n/ jittered")


def draw_rate_pairs(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Rate of every unit after (`rate_second`) against before (`rate_first`, (comparison, unit)) [Hz]."""
    for k in range(dataset.sizes["comparison"]):
        one = dataset.isel(comparison=k)
        words = f"{plain(one['first'].item())} to {plain(one['second'].item())}"
        ax.scatter(one["rate_first"], one["rate_second"], s=24, lw=0, alpha=0.85, label=words, **epoch_look(k))
    ax.set(xscale="log", yscale="log")
    ends = [f(pair) for f, pair in zip((max, min), zip(ax.get_xlim(), ax.get_ylim(), strict=True), strict=True)]
    for shift, line in ((1.0, "-"), (2.0, ":"), (0.5, ":")):
        ax.plot(ends, [shift * end for end in ends], color=QUIET, lw=1.0, ls=line, zorder=0)
    for axis in (ax.xaxis, ax.yaxis):
        plain_log(axis)
    ax.set_xlabel("rate in the first stretch (Hz)")
    ax.set_ylabel("rate in the second (Hz)")
    ax.legend(loc="upper left")


def draw_drift(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Median change of units and change of their population (comparison,) [log2], over the range of counting alone."""
    x = np.arange(dataset.sizes["comparison"])
    ax.vlines(x - 0.12, dataset["counting_low"], dataset["counting_high"], color=QUIET, lw=9, alpha=0.45)
    looks = (("unit_change", -0.12, "o", EPOCHS[0], "single units, median"),)
    looks += (("population_change", 0.12, "D", EPOCHS[1], "population"),)
    for name, shift, marker, color, words in looks:
        ax.vlines(x + shift, dataset[f"{name}_low"], dataset[f"{name}_high"], color=color, lw=1.5)
        ax.plot(x + shift, dataset[name], marker, color=color, ms=6, label=words)
    ax.plot([], [], color=QUIET, lw=7, alpha=0.45, label="units, by counting alone")
    names = [
        f"{plain(a)} to\n{plain(b)}" for a, b in zip(dataset["first"].values, dataset["second"].values, strict=True)
    ]
    step = max(1, round(len(names) / 8))
    ax.set_xticks(x[::step], names[::step])
    ax.set(xlim=(-0.6, x.size - 0.4))
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("|change of rate| (log2)")
    ax.legend(loc="best")


def draw_recovery(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Mean rate [Hz] in time since the change (`trace`), beside its `baseline`."""
    ax.plot(dataset["time"], dataset["trace"], color=EPOCHS[0], lw=1.3, marker="o", ms=3)
    ax.axhline(float(dataset["baseline"]), color=INK, lw=1.2)
    ax.annotate(
        "before", (float(dataset["time"][-1]), float(dataset["baseline"])), (0, 3), textcoords="offset points",
        ha="right", fontsize=8,
    )  # fmt: skip
    ax.set_xlabel("time since the change (s)")
    ax.set_ylabel("mean rate of units (Hz)")
    ax.set_ylim(bottom=0.0)
