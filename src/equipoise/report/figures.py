"""The figures of a report, from the results of an analysis and the spikes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings, operating_map
from equipoise.quantities import Array
from equipoise.report.parts import subplots
from equipoise.results import Epoch, Recording

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

EXCERPT = 20.0  # s of each epoch in the raster
BIN = 0.25  # s
RARE = 0.05  # Hz


@dataclass(frozen=True, eq=False, kw_only=True)
class Excerpt:
    """A stretch of one epoch: spike times per unit [s], and the population rate [Hz per unit] in bins."""

    name: str
    window: tuple[float, float]
    trains: tuple[Array, ...]
    edges: Array
    rate: Array


def excerpt(recording: Recording, epoch: Epoch) -> Excerpt:
    """The middle of an epoch, `EXCERPT` seconds of it at most."""
    half = min(EXCERPT, epoch.stop - epoch.start) / 2.0
    middle = (epoch.start + epoch.stop) / 2.0
    window = (max(middle - half, epoch.start), min(middle + half, epoch.stop))
    trains = recording.spikes.between(*window)
    edges = np.linspace(*window, max(2, round(2 * half / BIN)) + 1)
    counts = np.histogram(trains.times, edges)[0]
    rate = counts / np.diff(edges) / max(trains.n_units, 1)
    return Excerpt(name=epoch.name, window=window, trains=tuple(trains), edges=edges, rate=rate)


def unit_labels(dataset: "xr.Dataset") -> list[str]:
    """Unit names with their region or type, "3 adn"."""
    names = [str(n) for n in dataset["unit"].values]
    group = groups(dataset)
    return [f"{n}  {g}".strip() for n, g in zip(names, group, strict=True)]


def groups(dataset: "xr.Dataset") -> list[str]:
    """Region or type of each unit, else empty."""
    for key in ("region", "type"):
        if key in dataset.coords:
            return [str(v) for v in dataset[key].values]
    return [""] * dataset.sizes["unit"]


def raster_figure(recording: Recording, dataset: "xr.Dataset") -> "Figure":
    """Spikes and population rate of a stretch of each epoch."""
    excerpts = [excerpt(recording, e) for e in recording.epochs]
    height = min(1.8 + 0.16 * recording.spikes.n_units, 8.0)
    figure, axes = subplots(2, len(excerpts), height, height_ratios=[3, 1], sharex="col", sharey="row")
    for i, part in enumerate(excerpts):
        plotting.draw_raster(axes[0, i], part.trains, unit_labels(dataset), window=part.window)
        plotting.draw_population_rate(axes[1, i], part.edges, part.rate, color=plotting.epoch_look(i)["color"])
        axes[0, i].set_title(plotting.plain(part.name))
    _outer_labels(axes)
    return figure


def rate_figure(dataset: "xr.Dataset") -> "Figure":
    """Rates by epoch, and global against local irregularity."""
    figure, axes = subplots(1, 2, 3.7, width_ratios=[1, 1.25])
    plotting.draw_rates(axes[0, 0], dataset["rate"], dataset["rate_low"], dataset["rate_high"], groups(dataset))
    plotting.draw_irregularity(axes[0, 1], dataset["cv_local"], dataset["cv"])
    axes[0, 0].set_title("Firing rate of each unit")
    axes[0, 1].set_title("Global and local irregularity")
    return figure


def calcium_figure(dataset: "xr.Dataset", moment: str) -> "Figure":
    """Calcium that simpler descriptions of the spikes predict, in per cent of the actual one."""
    n = dataset.sizes["epoch"]
    figure, axes = subplots(1, n, min(1.6 + 0.24 * dataset.sizes["unit"], 11.0), sharex=True, sharey=True)
    actual = dataset[f"calcium_{moment}"].sel(source="actual")
    scale = 100.0 / actual.where(actual > 0)
    ratio, low, high = (dataset[f"calcium_{moment}{end}"] * scale for end in ("", "_low", "_high"))
    for i, name in enumerate(dataset["epoch"].values):
        here = {"epoch": i}
        plotting.draw_calcium(axes[0, i], ratio.isel(here), low.isel(here), high.isel(here), unit_labels(dataset))
        axes[0, i].set_title(plotting.plain(name))
        axes[0, i].set_xlabel("predicted / actual (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    axes[0, 0].set_ylabel("unit")
    return figure


def operating_figure(dataset: "xr.Dataset", settings: AnalysisSettings) -> "Figure":
    """Where the model neuron must be put to fire like each unit."""
    neuron = settings.neuron
    step = neuron.v_threshold - neuron.v_reset
    across = np.linspace(neuron.v_reset - 6.0 * step, neuron.v_threshold + 0.8 * step, 280)
    background = operating_map(neuron, mean=across, sd=np.geomspace(0.015 * step, 4.0 * step, 120))
    figure, axes = subplots(1, 1, 4.6)
    background["cv"] = background["cv"].where(background["rate"] > RARE)  # below, C_v is 1 whatever the input
    mean, sd, status = (dataset[name] for name in ("membrane_mean", "membrane_sd", "input_status"))
    plotting.draw_operating_points(axes[0, 0], mean, sd, status, background)
    return figure


def weight_figure(dataset: "xr.Dataset") -> "Figure":
    """Predicted weights against the number of inputs, one panel per epoch."""
    figure, axes = subplots(1, dataset.sizes["epoch"], 3.6, sharey=True)
    height = float(dataset["j_e"].isel(k=0).median())
    for i, name in enumerate(dataset["epoch"].values):
        part = dataset.isel(epoch=i)
        plotting.draw_weights(axes[0, i], part["j_e"], part["j_i"])
        if np.isfinite(height):
            plotting.draw_slope(axes[0, i], dataset["k"].values, 3.0 * height)
        axes[0, i].set_title(f"{plotting.plain(name)} (inputs at {float(part['input_rate_e']):.3g} Hz)")
    _outer_labels(axes)
    axes[0, -1].legend(loc="upper right")
    return figure


def _outer_labels(axes: np.ndarray) -> None:
    for ax in axes.flat:
        ax.label_outer()
