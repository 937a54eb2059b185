"""Figures of a circuit studied as rates; `data` is the Dataset of `rate.study`."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.schematic import node_looks
from equipoise.plotting.style import EPOCHS, GRID, INK, QUIET
from equipoise.units import day, hour, minute

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

PURPLE, GREEN = "#7B5AA6", "#2A8C6E"


def draw_plane(ax: "Axes", data: "xr.Dataset") -> None:
    """Where each of two populations is at rest with the other: nullclines, states on them, and the joint fixed point.

    Full dots are stable states, open ones unstable; the diamond is where the rules lead.
    """
    looks, names = node_looks(data), [str(n) for n in data["population"].values]
    x, y = data["plane_0"].values, data["plane_1"].values
    for a, name in enumerate(names):
        part = data["residual"].values[:, :, a].T
        line = looks[name]["linestyle"]
        ax.contour(x, y, part, levels=[0.0], colors=[looks[name]["color"]], linewidths=1.8, linestyles=[line])
        ax.plot([], [], **looks[name], lw=1.8, label=f"{name} at rest")
    rates, stable = data["rate"].values, data["state_stable"].values
    shown = (rates[:, 0] <= x[-1]) & (rates[:, 1] <= y[-1])
    for place, full in zip(rates[shown], stable[shown], strict=True):
        ax.plot(*place, "o", ms=7, color=INK, mfc=INK if full else "white", clip_on=False, zorder=4)
    if "joint_rate" in data:
        ax.plot(*data["joint_rate"].values, "D", ms=7, color=EPOCHS[1], mec="white", label="under the rules", zorder=5)
    ax.set_xlim(0.0, x[-1])
    ax.set_ylim(0.0, y[-1])
    ax.set_xlabel(f"rate of {names[0]} (Hz)")
    ax.set_ylabel(f"rate of {names[1]} (Hz)")
    ax.legend(loc="upper left")


def draw_state_bars(ax: "Axes", data: "xr.Dataset") -> None:
    """Rates of every population in every state; unstable states are pale."""
    looks, names = node_looks(data), [str(n) for n in data["population"].values]
    states = range(data.sizes["state"])
    for a, name in enumerate(names):
        at = [a + 0.8 * (s + 0.5) / len(states) - 0.4 for s in states]
        alpha = [1.0 if data["state_stable"].values[s] else 0.3 for s in states]
        for place, value, strength in zip(at, data["rate"].values[:, a], alpha, strict=True):
            ax.bar(place, value, 0.7 / len(states), color=looks[name]["color"], alpha=strength)
    ax.set_xticks(range(len(names)), names)
    ax.set_ylabel("rate (Hz)")


def draw_response(ax: "Axes", data: "xr.Dataset", state: int) -> None:
    """dr/dI of one state as numbers on colours; a negative number on the diagonal is the paradoxical effect."""
    from matplotlib.colors import LinearSegmentedColormap

    values = data["response"].values[state]
    size = max(float(np.abs(values).max()), 1e-300)
    colors = LinearSegmentedColormap.from_list("response", [PURPLE, "white", GREEN])
    ax.imshow(values / size, cmap=colors, vmin=-1.4, vmax=1.4, aspect="auto")
    for (a, b), value in np.ndenumerate(values):
        ax.text(b, a, f"{value:+.3g}".replace("-", "−"), ha="center", va="center", fontsize=8.5)
    names = [str(n) for n in data["population"].values]
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("input to")
    ax.set_ylabel("rate of")


def draw_path_rates(ax: "Axes", data: "xr.Dataset") -> None:
    """Rates of the populations while the rules act; dotted: the joint fixed point."""
    looks, time, _ = node_looks(data), *_time(data)
    for a, name in enumerate(data["population"].values):
        ax.plot(time, data["path_rate"].values[:, a], lw=1.8, label=str(name), **looks[str(name)])
        if "joint_rate" in data:
            ax.axhline(data["joint_rate"].values[a], color=looks[str(name)]["color"], lw=1.0, ls=":", zorder=0)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("rate (Hz)")
    ax.legend(loc="best")
    _time_axis(ax, data)


def draw_path_slow(ax: "Axes", data: "xr.Dataset", kind: str) -> None:
    """The slow variables of one kind ("threshold", "gain" or "weight") while the rules act; dotted: where they lead."""
    time, _ = _time(data)
    names = [str(v) for v in data["variable"].values]
    for k, name in enumerate(n for n in names if n.startswith(kind)):
        color = EPOCHS[k % len(EPOCHS)]
        at = names.index(name)
        ax.plot(time, data["path_slow"].values[:, at], lw=1.8, color=color, label=symbol(name))
        if "joint_slow" in data:
            ax.axhline(data["joint_slow"].values[at], color=color, lw=1.0, ls=":", zorder=0)
    ax.set_ylabel(kind)
    ax.legend(loc="best")
    _time_axis(ax, data)


def kinds_of(data: "xr.Dataset") -> list[str]:
    """The kinds of slow variables that move."""
    found = [str(v).partition("_")[0] for v in data["variable"].values]
    return list(dict.fromkeys(found))


def symbol(name: str) -> str:
    """Such as threshold_E as a formula."""
    letters = {"threshold": r"\theta", "gain": "g", "weight": "W"}
    kind, _, index = name.partition("_")
    return f"${letters[kind]}_{{\\mathrm{{{index}}}}}$" if kind in letters and index.isalnum() else name


def _time(data: "xr.Dataset") -> tuple[np.ndarray, str]:
    """Times of the path in a unit that suits their length."""
    time = data["path_time"].values
    for unit, word in ((day, "days"), (hour, "h"), (minute, "min")):
        if time[-1] >= 3 * unit:
            return time / unit, word
    return time, "s"


def _time_axis(ax: "Axes", data: "xr.Dataset") -> None:
    ax.set_xlabel(f"time under the rules ({_time(data)[1]})")
    ax.set_xlim(left=0.0)
    ax.grid(axis="y", color=GRID)
    ax.tick_params(axis="both", color=QUIET)
