"""A circuit as a drawing: who is there, in which colour, and who projects to whom.

Populations that excite are red, those that inhibit blue and their lines dashed, sources amber; several of a kind take
shades from dark to light in the order of the circuit.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.plotting.style import EXCITATION, INHIBITION, INHIBITION_LINE
from equipoise.quantities import Array

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SOURCE = "#C98A1B"
SHADES = {
    "e": (EXCITATION, "#8C1D18", "#EC9A80"),
    "i": (INHIBITION, "#0A3F73", "#79BCE6"),
    "x": (SOURCE, "#94620A", "#E7BF73"),
}
"""Colour of the only one of its kind, and the ends of the range of several."""
SILENT = 1e-3
"""Rate [Hz] below which a population is called silent and axes do not follow it."""


def node_looks(data: "xr.Dataset") -> dict[str, dict[str, Any]]:
    """Colour and line of every population and source, by name."""
    kinds = [
        ("i" if s < 0 else "x" if x else "e")
        for s, x in zip(data["sign"].values, data["is_source"].values, strict=True)
    ]
    looks = {}
    for k, (name, kind) in enumerate(zip(data["pre"].values, kinds, strict=True)):
        line = INHIBITION_LINE if kind == "i" else "-"
        looks[str(name)] = {"color": _shade(kind, kinds[:k].count(kind), kinds.count(kind)), "linestyle": line}
    return looks


def _shade(kind: str, index: int, count: int) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    single, dark, light = map(to_rgb, SHADES[kind])
    return single if count == 1 else _mixed(dark, light, index / (count - 1))


def _mixed(one, other, part: float) -> tuple[float, float, float]:
    r, g, b = ((1.0 - part) * x + part * y for x, y in zip(one, other, strict=True))
    return r, g, b


def tint(color, strength: float) -> tuple[float, float, float]:
    """The colour mixed with white."""
    return _mixed((1.0, 1.0, 1.0), color, strength)


RADIUS = 0.34
GAP = 0.11
"""Room for the head of an arrow before the rim of its node."""


def draw_schematic(ax: "Axes", data: "xr.Dataset") -> None:
    """Populations and sources of one condition, with their projections.

    Arrow heads excite, round ones inhibit; widths are in proportion to the mean input K |J| r that a projection gives.
    """
    looks, names = node_looks(data), [str(n) for n in data["pre"].values]
    places = _places(int((~data["is_source"]).sum()), int(data["is_source"].sum()))
    flow = np.abs(np.nan_to_num(data["input"].values))
    for a, b in np.argwhere(data["weight"].values != 0.0):
        width = 0.8 + 3.0 * flow[a, b] / max(flow.max(), 1e-300)
        curve = _loop(places[a], places) if a == b else _bow(places[b], places[a], straight=b >= len(flow))
        color = looks[names[b]]["color"]
        ax.plot(*curve.T, color=color, lw=width, solid_capstyle="butt", zorder=2)
        _head(ax, curve, color, 0.05 + 0.014 * width, excites=bool(data["sign"].values[b] >= 0))
    for name, (x, y), rate in zip(names, places, _node_rates(data), strict=True):
        _node(ax, (x, y), name, rate, looks[name]["color"], round_=names.index(name) < len(flow))
    low, high = places.min(axis=0), places.max(axis=0)
    ax.set_xlim(low[0] - 1.1, high[0] + 1.1)
    ax.set_ylim(low[1] - (0.5 if len(flow) <= 2 else 1.0), high[1] + (1.0 if len(flow) != 2 else 0.5))
    ax.set_aspect("equal")
    ax.axis("off")


def _node_rates(data: "xr.Dataset") -> Array:
    sources = data["source_rate"].values[data["is_source"].values]
    return np.concatenate([data["rate"].values, sources])


def _places(n: int, m: int) -> Array:
    """Where populations and then sources stand: a row over the sources, or a ring around them."""
    if n <= 2:
        inner, height = np.array([[1.25 * (2 * k - (n - 1)), 0.0] for k in range(n)]), -1.5
    else:
        angles = np.pi / 2 + np.pi / n - 2 * np.pi * np.arange(n) / n
        inner, height = 1.75 * np.stack([np.cos(angles), np.sin(angles)], axis=-1), 0.0
    outer = np.array([[(k - (m - 1) / 2), height] for k in range(m)]).reshape(m, 2)
    return np.concatenate([inner, outer])


def _bow(start: Array, stop: Array, *, straight: bool) -> Array:
    """A curve between the rims of two nodes, bent to its left so that the two directions stand apart."""
    across, through = stop - start, np.hypot(*(start + stop)) < 0.5  # of a ring: bend around its middle
    bend = 0.0 if straight else 0.42 if through and np.hypot(*across) > 3.0 else 0.2
    middle = (start + stop) / 2 + bend * np.array([-across[1], across[0]])
    t = np.linspace(0.0, 1.0, 200)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * stop
    return _outside(curve, (start, RADIUS), (stop, RADIUS + GAP))


def _loop(at: Array, places: Array) -> Array:
    """A loop at a node, on the side away from the others."""
    away = at - places.mean(axis=0) if len(places) > 1 else np.array([0.0, 1.0])
    away = np.array([np.sign(at[0]), 0.0]) if at[1] == 0.0 and at[0] != 0.0 else away / max(np.hypot(*away), 1e-9)
    side = np.array([-away[1], away[0]])
    t = np.linspace(0.0, 1.0, 300)[:, None]
    out, back = at + 1.15 * away + 0.85 * side, at + 1.15 * away - 0.85 * side  # the handles of a cubic from rim to rim
    curve = (1 - t) ** 3 * at + 3 * t * (1 - t) ** 2 * out + 3 * t**2 * (1 - t) * back + t**3 * at
    return _outside(curve, (at, RADIUS), (at, RADIUS + GAP))


def _outside(curve: Array, first: tuple[Array, float], last: tuple[Array, float]) -> Array:
    """The part of a curve between two rims, from the last point inside the first to the first inside the last."""
    half = len(curve) // 2
    inside = np.hypot(*(curve - first[0]).T) < first[1]
    start = int(np.flatnonzero(inside[:half])[-1]) if inside[:half].any() else 0
    inside = np.hypot(*(curve - last[0]).T) < last[1]
    stop = half + int(np.flatnonzero(inside[half:])[0]) if inside[half:].any() else len(curve)
    return curve[start:stop]


def _head(ax: "Axes", curve: Array, color, size: float, *, excites: bool) -> None:
    from matplotlib.patches import Circle, Polygon

    along = curve[-1] - curve[-min(len(curve), 8)]
    along = along / max(np.hypot(*along), 1e-9)
    side = np.array([-along[1], along[0]])
    tip = curve[-1] + (GAP - 0.02) * along  # just short of the rim
    if excites:
        corners = [tip, tip - 2.0 * size * along + size * side, tip - 2.0 * size * along - size * side]
        ax.add_patch(Polygon(corners, closed=True, color=color, lw=0, zorder=4))
    else:
        ax.add_patch(Circle(tuple(tip - 0.75 * size * along), 0.75 * size, color=color, lw=0, zorder=4))


def _node(ax: "Axes", at: tuple[float, float], name: str, rate: float, color, *, round_: bool) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    look = {"facecolor": tint(color, 0.14), "edgecolor": color, "lw": 1.4, "zorder": 3}
    if round_:
        ax.add_patch(Circle(at, RADIUS, **look))
    else:
        corner, side = (at[0] - RADIUS, at[1] - 0.62 * RADIUS), (2 * RADIUS, 1.24 * RADIUS)
        ax.add_patch(FancyBboxPatch(corner, *side, boxstyle="round,pad=0,rounding_size=0.1", **look))
    ax.text(at[0], at[1] + 0.07, name, ha="center", va="center", weight="bold", fontsize=10, zorder=5)
    words = "no state" if not np.isfinite(rate) else f"{rate:.3g} Hz" if rate >= SILENT else "silent"
    ax.text(at[0], at[1] - 0.12, words, ha="center", va="center", fontsize=7.5, zorder=5)
