"""The figures of a circuit's report, from the Dataset of `theory.study` alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting import circuits, schematic
from equipoise.report.parts import subplots

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MOST_NODES = 4
"""Populations up to which a schematic is clearer than a matrix alone."""


def figures_of(data: "xr.Dataset") -> "dict[str, Figure]":
    """All figures that the data allow, by name, in the order of the page."""
    state = bool(np.isfinite(data["rate"].isel(condition=0)).all())
    spread = state and bool(np.isfinite(data["density"]).any() and data["rate"].max() > schematic.SILENT)
    slow = "recovery_time" in data and circuits.visible_modes(data).size > 0
    wanted: list[tuple[str, bool, Callable]] = [
        ("circuit", True, circuit_figure),
        ("state", state, state_figure),
        ("neurons", spread, neuron_figure),
        ("path", "path_rate" in data, path_figure),
        ("spectrum", slow, spectrum_figure),
    ]
    return {name: make(data) for name, possible, make in wanted if possible}


def circuit_figure(data: "xr.Dataset") -> "Figure":
    """Who projects to whom, and how strongly, with the weights as given."""
    given, n, unit = data.isel(condition=0), data.sizes["population"], data.attrs["potential_unit"]
    if n > MOST_NODES:
        figure, axes = subplots(1, 1, 1.0 + 0.36 * n)
        circuits.draw_input_matrix(axes[0, 0], given)
    else:
        figure, axes = subplots(1, 2, 3.0 if n <= 2 else 4.6, width_ratios=[1.3, 1.0])
        schematic.draw_schematic(axes[0, 0], given)
        circuits.draw_input_matrix(axes[0, 1], given)
    axes[0, -1].set_title(f"Mean input ({circuits.input_unit(unit)})")
    return figure


def state_figure(data: "xr.Dataset") -> "Figure":
    """Inputs and their cancellation, and the rates that result."""
    rows = data.sizes["population"] * data.sizes["condition"]
    figure, axes = subplots(1, 3, 1.4 + 0.34 * rows, sharey=True, width_ratios=[1.5, 0.8, 0.6])
    circuits.draw_inputs(axes[0, 0], data, data.attrs["potential_unit"])
    circuits.draw_state_rates(axes[0, 1], data)
    circuits.draw_state_cv(axes[0, 2], data)
    for ax in axes[0, 1:]:
        ax.tick_params(axis="y", labelleft=False)
    key = circuits.input_key(data)
    columns = len(key) if len(key) <= 6 else (len(key) + 1) // 2
    figure.legend(handles=key, loc="outside upper left", ncols=columns, handlelength=1.4)
    return figure


def neuron_figure(data: "xr.Dataset") -> "Figure":
    """How rate and irregularity differ between the neurons of a population."""
    n = data.sizes["population"]
    figure, axes = subplots(1, 2, max(3.5, 1.2 + 0.5 * n), width_ratios=[1.15, 1.0])
    circuits.draw_densities(axes[0, 0], data)
    circuits.draw_neurons(axes[0, 1], data)
    axes[0, 0].set_title("Distribution of rates")
    axes[0, 1].set_title("Rate and irregularity of neurons")
    return figure


def path_figure(data: "xr.Dataset") -> "Figure":
    """Rates and weights while the rules act."""
    panels = ["Calcium", "Rates", "Weights"] if "path_calcium" in data else ["Rates", "Weights"]
    figure, axes = subplots(1, len(panels), 3.3)
    for ax, title in zip(axes[0], panels, strict=True):
        ax.set_title(title)
    circuits.draw_path_rates(axes[0, -2], data)
    circuits.draw_path_weights(axes[0, -1], data, data.attrs["potential_unit"])
    if "path_calcium" in data:
        circuits.draw_path_calcium(axes[0, 0], data)
    return figure


def spectrum_figure(data: "xr.Dataset") -> "Figure":
    """How fast disturbances of the weights fade, and which weights they move."""
    modes = circuits.visible_modes(data).size
    figure, axes = subplots(1, 2, 1.2 + 0.52 * modes, width_ratios=[1.0, 1.1])
    circuits.draw_recovery(axes[0, 0], data)
    circuits.draw_loadings(axes[0, 1], data)
    return figure
