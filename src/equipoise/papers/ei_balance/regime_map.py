"""Drawing of a map of regimes over strength and delay of inhibition."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.units import ms, nS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SHADES = {
    "silent": "#E4E7EA", "irregular": "#CFE3F1", "precise": "#9CC8E4", "rhythm": "#9CC8E4", "floodgate": "#F4C98B",
    "bursts": "#F4C98B", "runaway": plotting.EXCITATION,
}  # fmt: skip


def draw_regimes(ax: "Axes", data: "xr.Dataset") -> None:
    """A coloured field for each strength and delay, with the first letters of its regime in it."""
    regime = data["regime"].transpose("strength", "delay").values
    strength, delay = data["strength"].values / nS, data["delay"].values / ms
    for i, row in enumerate(regime):
        for j, name in enumerate(row):
            ax.add_patch(_field(j, i, SHADES[str(name)]))
            dark = name == "runaway"
            ax.text(
                j, i, str(name)[:3], ha="center", va="center", fontsize=6.5, color="white" if dark else plotting.INK
            )
    ax.set(
        xlim=(-0.5, delay.size - 0.5), ylim=(-0.5, strength.size - 0.5), xlabel="delay of inhibition (ms)",
        ylabel="strength of inhibition (nS)",
    )  # fmt: skip
    ax.set_xticks(np.arange(delay.size), [f"{x:g}" for x in delay])
    ax.set_yticks(np.arange(strength.size), [f"{x:g}" for x in strength])


def _field(x: float, y: float, colour: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.5, y - 0.5), 1.0, 1.0, facecolor=colour, edgecolor="white", linewidth=0.8)
