"""The design of an experiment: power against recordings, and what each observable tells; `data` is Design.dataset()."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.predictions import rule_look
from equipoise.plotting.style import INK, QUIET, epoch_look, plain, plain_log

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def draw_power(ax: "Axes", data: "xr.Dataset", directions: Sequence[int], rules: Sequence[str]) -> None:
    """Mean power of the best contrast of some directions against recordings; each of the `rules` keeps its look."""
    x = data["recordings"].values
    for d in directions:
        part = data.isel(direction=d)
        truth, y = str(part["truth"].values), part["expected_power"].isel(contrast=int(part["best"])).values
        look = epoch_look(rules.index(truth)) | {"color": rule_look(rules.index(truth))["color"]}
        ax.plot(x, y, lw=1.5, ms=4, alpha=0.85, label=plain(truth), **look)
    ax.axhline(data.attrs["power"], color=QUIET, lw=1.0, ls=":")
    ax.set_xscale("log")
    plain_log(ax.xaxis)
    ax.set_ylim(0.0, 1.02)
    ax.set_xlabel("recordings")


def draw_effects(ax: "Axes", data: "xr.Dataset", direction: int, *, color: str = INK) -> None:
    """Mean power of every contrast of a direction with the chosen recordings, by observable; the best one is full."""
    part = data.isel(direction=direction)
    power = part["expected_power"].sel(recordings=data.attrs["chosen_recordings"]).values
    names = list(dict.fromkeys(str(name) for name in data["observable"].values))
    rows = np.array([names.index(str(name)) for name in data["observable"].values])
    for beside, marker in (("before", "o"), ("acute", "^")):
        here = data["beside"].values == beside
        ax.plot(power[here], rows[here], marker, ms=4.5, mfc="none", mec=color, alpha=0.8)
    best = int(part["best"])
    ax.plot(power[best], rows[best], "o" if data["beside"].values[best] == "before" else "^", ms=6, color=color)
    phase = str(data["phase"].values[best])
    ax.annotate(phase, (power[best], rows[best]), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel("mean power")
