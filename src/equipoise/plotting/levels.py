"""Levels side by side: rates and irregularity of every population as theory and simulation have them."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.style import INK, QUIET

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

LEVEL_LOOK = {"theory": ("o", "white"), "spectral": ("D", QUIET), "spiking": ("s", INK)}
"""Marker and filling of each level."""


def draw_level(ax: "Axes", data: "xr.Dataset", quantity: str, label: str) -> None:
    """One quantity of all populations at all levels, with standard errors where there are any."""
    names, levels = data["population"].values, data["level"].values
    rows = np.arange(names.size)[::-1].astype(float)
    for k, level in enumerate(levels):
        marker, filling = LEVEL_LOOK[str(level)]
        values = data[quantity].sel(level=level).values
        error = data[f"{quantity}_error"].sel(level=level).values if f"{quantity}_error" in data else 0.0 * values
        y = rows + 0.22 * ((levels.size - 1) / 2.0 - k)
        ax.errorbar(values, y, xerr=2.0 * error, fmt=marker, color=INK, mfc=filling, mec=INK, ms=5, lw=1.0, label=level)
    ax.set_yticks(rows, names)
    ax.set_ylim(-0.6, names.size - 0.4)
    ax.set_xlim(0.0, 1.1 * float(data[quantity].max()))
    ax.set_xlabel(label)
