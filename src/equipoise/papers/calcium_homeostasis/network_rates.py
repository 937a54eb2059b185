"""Rates over the neurons of a network: how heterogeneous they are under homeostasis, and how soon K is large enough.

The paper states that homeostasis preserves the heterogeneity that quenched disorder causes; the distributions are ours.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.circuit import AttachedRule, Circuit
from equipoise.model.homeostasis import CalciumHomeostasis
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import (
    mean_field,
    network_equilibrium,
    network_set_points,
    neuron_sample,
    rate_distribution,
    regulated,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

K = [100.0, 1000.0, 1e4, 1e8]
"""The last stands for the limit: deviations there are of order 1e-4."""
RATE = np.geomspace(0.02, 150.0, 600)
NEURONS = 1500
POPULATIONS = ["E", "I"]


def compute() -> "xr.Dataset":
    """Densities with and without homeostasis at several K, and a sample of neurons at K = 1000."""
    import xarray as xr

    network = Circuit.example("balanced_network").infinite()
    rules = [
        AttachedRule(name, CalciumHomeostasis(SENSOR, target))
        for name, target in network_set_points(network, SENSOR).items()
    ]
    density = np.zeros((2, len(K), 2, RATE.size))
    cells = {}
    near = None
    for at, k in reversed(list(enumerate(K))):
        free = network.scaled(k).with_rules(rules)
        near = network_equilibrium(free, near=near)
        held = regulated(free, near)
        for kind, (circuit, state) in enumerate([(held, near.state), (free, mean_field(free))]):
            for p, name in enumerate(POPULATIONS):
                law = rate_distribution(circuit, state, name)
                density[kind, at, p] = np.interp(RATE, law["rate"], law["density"], left=0.0, right=0.0)
        if k == 1000.0:
            cells = {name: neuron_sample(held, near.state, name, NEURONS, seed=4) for name in POPULATIONS}
    return xr.Dataset(
        {
            "density": (("homeostasis", "K", "population", "rate"), density, {"units": "s"}),
            "cell_rate": (("population", "neuron"), [cells[n]["rate"].values for n in POPULATIONS], {"units": "Hz"}),
            "cell_cv": (("population", "neuron"), [cells[n]["cv"].values for n in POPULATIONS]),
        },
        coords={
            "K": K, "population": POPULATIONS, "homeostasis": ["held", "free"],
            "rate": ("rate", RATE, {"units": "Hz"}),
        },
    )  # fmt: skip


def claims(data: "xr.Dataset") -> list[Claim]:
    """Heterogeneity and skewness, the distance to the limit at each K, and who fires irregularly."""
    cumulative = _cumulative(data["density"].values)
    gaps = np.abs(cumulative[:, :-1] - cumulative[:1, -1:]).max((2, 3))  # (homeostasis, K)
    rates, cvs = data["cell_rate"].values, data["cell_cv"].values
    skewness = ((rates - rates.mean(1, keepdims=True)) ** 3).mean(1) / rates.std(1) ** 3
    corr = [float(np.corrcoef(np.argsort(np.argsort(r)), np.argsort(np.argsort(c)))[0, 1])
            for r, c in zip(rates, cvs, strict=True)]  # fmt: skip
    ratio = rates.mean(1) / np.median(rates, axis=1)
    return [
        Claim("The heterogeneity of rates due to quenched disorder is preserved", "Sec. 2.4.2",
              f"SD over mean at K = 1000: {rates.std(1)[0] / rates.mean(1)[0]:.2f} (E), "
              f"{rates.std(1)[1] / rates.mean(1)[1]:.2f} (I)", bool((rates.std(1) > 0.5 * rates.mean(1)).all())),
        Claim("The rates are skewed: most neurons fire less than the mean", "derived",
              f"mean over median {ratio[0]:.2f} (E), {ratio[1]:.2f} (I); skewness {skewness[0]:.1f}, {skewness[1]:.1f}",
              bool((ratio > 1.05).all() and (skewness > 0.5).all())),
        Claim("Homeostasis gives the distribution of the balanced limit at finite K", "derived",
              "largest distance of the cumulative distributions at K = " + ", ".join(
                  f"{k:.0f}: {held:.3f} (free {free:.3f})" for k, held, free in zip(K, gaps[0], gaps[1], strict=False)),
              bool((gaps[0] < 0.2 * gaps[1]).all())),
        Claim("Neurons that fire less are more irregular", "derived",
              f"rank correlation of rate and C_v {corr[0]:.2f} (E), {corr[1]:.2f} (I)", max(corr) < -0.5),
    ]  # fmt: skip


def _cumulative(density: np.ndarray) -> np.ndarray:
    """P(rate <= r) by the trapezoid rule over the last axis."""
    steps = 0.5 * (density[..., 1:] + density[..., :-1]) * np.diff(RATE)
    return np.cumsum(steps, axis=-1)


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Densities per decade of E with and without homeostasis, and the (rate, C_v) plane of both populations."""
    held, free, plane = panels(canvas, "E with homeostasis", "E without", "Neurons, K = 1000")
    for ax, kind in ((held, "held"), (free, "free")):
        laws = data["density"].sel(homeostasis=kind, population="E") * data["rate"] * np.log(10.0)
        limit = data["density"].sel(homeostasis="held", population="E").isel(K=-1) * data["rate"] * np.log(10.0)
        ax.fill_between(data["rate"], limit, color=plotting.GRID, lw=0, label="balanced limit")
        for k, alpha in zip(K[:-1], (0.35, 0.65, 1.0), strict=True):
            ax.plot(data["rate"], laws.sel(K=k), **plotting.LOOK["e"], lw=1.3, alpha=alpha, label=f"K = {k:,.0f}")
        ax.set(xscale="log", xlim=(0.3, 100), ylim=(0, 1.15), xlabel="rate of a neuron (Hz)")
    held.set_ylabel("density (per decade)")
    held.legend(loc="upper left")
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        cells = data.sel(population=population)
        plane.plot(cells["cell_rate"], cells["cell_cv"], "o" if key == "e" else "D", ms=2.2, mew=0, alpha=0.4,
                   color=plotting.LOOK[key]["color"], label=population)  # fmt: skip
    plane.set(xscale="log", xlim=(0.1, 100), ylim=(0.6, 1.1), xlabel="rate of a neuron (Hz)", ylabel="$C_v$")
    plane.legend(loc="lower left", markerscale=3)
