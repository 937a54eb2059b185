"""The figures of a circuit's study by spikes, from the Dataset of `spiking.study` alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting import activity, circuits
from equipoise.report.circuit_figures import circuit_figure
from equipoise.report.parts import subplots

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def figures_of(data: "xr.Dataset") -> "dict[str, Figure]":
    """All figures that the data allow, by name, in the order of the page."""
    wanted: list[tuple[str, bool, Callable[[xr.Dataset], Figure]]] = [
        ("circuit", True, lambda d: circuit_figure(_one(d))),
        ("activity", True, activity_figure),
        ("neurons", bool((data["rate"] > 0.0).any()), neuron_figure),
        ("balance", True, balance_figure),
        ("together", "power" in data or "survival" in data, together_figure),
        ("course", True, course_figure),
        ("learned", "learned_mean" in data, learned_figure),
        ("answers", "answer" in data, answer_figure),
        ("rules", "path_slow" in data, rule_figure),
    ]
    return {name: make(data) for name, possible, make in wanted if possible}


def _one(data: "xr.Dataset") -> "xr.Dataset":
    """The data as the only condition, as figures of theory take them."""
    names = ("rate", "cv_median", "quantile", "cv_quantile", "neuron_rate", "neuron_cv", "weight", "input")
    return data.assign({k: data[k].expand_dims(condition=["as given"]) for k in names})


def activity_figure(data: "xr.Dataset") -> "Figure":
    """Spikes and population rates of the last second."""
    rows = float(data["raster_rows"].sum())
    figure, axes = subplots(2, 1, 2.4 + 0.016 * rows, sharex=True, height_ratios=[1.0 + rows / 90, 1.0])
    activity.draw_raster(axes[0, 0], data)
    activity.draw_shown_rates(axes[1, 0], data)
    return figure


def neuron_figure(data: "xr.Dataset") -> "Figure":
    """How rate and irregularity differ between neurons."""
    one = _one(data)
    figure, axes = subplots(1, 3, max(3.3, 1.4 + 0.5 * data.sizes["population"]), width_ratios=[1.1, 0.9, 1.3])
    circuits.draw_spread(axes[0, 0], one, "rate", "quantile")
    axes[0, 0].set_xlabel("rate (Hz)")
    if "theory_rate" in data:
        activity.draw_theory(axes[0, 0], data, circuits.rows_of(one)[0][0])
    circuits.draw_spread(axes[0, 1], one, "cv_median", "cv_quantile")
    axes[0, 1].set_xlabel("$C_v$ of intervals")
    axes[0, 1].locator_params(axis="x", nbins=5)
    circuits.draw_neurons(axes[0, 2], one)
    return figure


def balance_figure(data: "xr.Dataset") -> "Figure":
    """Currents and conductances of one neuron, and index and tracking of many."""
    first = 0
    figure, axes = subplots(1, 3, 3.3, width_ratios=[1.25, 1.1, 1.0])
    name = data["population"].values[first]
    activity.draw_currents(axes[0, 0], data, first)
    axes[0, 0].set_title(f"Currents of a neuron of {name}")
    has_conductances = "mean_g_ratio" in data and bool(np.isfinite(data["mean_g_ratio"].values[first]))
    draw = activity.draw_conductances if has_conductances else activity.draw_potential
    draw(axes[0, 1], data, first)
    axes[0, 1].set_title("Its conductances" if has_conductances else "Its potential")
    activity.draw_cells(axes[0, 2], data)
    axes[0, 2].set_title("Balance of neurons")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))
    return figure


def together_figure(data: "xr.Dataset") -> "Figure":
    """Spectra and avalanches."""
    draws = [(activity.draw_power, "Population rates", "power"), (activity.draw_field, "LFP proxy", "field"),
             (activity.draw_avalanches, "Avalanches", "survival")]  # fmt: skip
    possible = [(draw, title) for draw, title, name in draws if name in data]
    figure, axes = subplots(1, len(possible), 3.3)
    for ax, (draw, title) in zip(axes[0], possible, strict=True):
        draw(ax, data)
        ax.set_title(title)
    return figure


def course_figure(data: "xr.Dataset") -> "Figure":
    """Rates and the ratio of currents all along the run."""
    figure, axes = subplots(1, 2, 2.9)
    activity.draw_course_rates(axes[0, 0], data)
    activity.draw_course_ratio(axes[0, 1], data)
    return figure


def learned_figure(data: "xr.Dataset") -> "Figure":
    """Weights of synapses that learn."""
    figure, axes = subplots(1, 2, 2.9)
    activity.draw_learned_means(axes[0, 0], data)
    activity.draw_learned_spread(axes[0, 1], data)
    return figure


def answer_figure(data: "xr.Dataset") -> "Figure":
    """Rates around the volleys of each source."""
    n = data.sizes["volleys"]
    figure, axes = subplots(1, n, 3.0)
    for k, ax in enumerate(axes[0]):
        activity.draw_answer(ax, data, k)
    return figure


def rule_figure(data: "xr.Dataset") -> "Figure":
    """Rates and slow variables while the rules act."""
    figure, axes = subplots(1, 2, 3.3)
    activity.draw_rule_rates(axes[0, 0], data)
    activity.draw_rule_variables(axes[0, 1], data)
    return figure
