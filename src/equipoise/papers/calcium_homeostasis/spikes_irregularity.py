"""The paper's central experiment in spikes: inputs of another irregularity at the same rate, and tonic drive.

Single cells under Poisson trains, all alike, and the network. Trains of Fano factor F are Poisson bursts of F spikes at
once: r/F bursts a second that act with F J, which has the same mean and F times the variance.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.circuit import AttachedRule, Circuit
from equipoise.model.connectivity import FixedInDegree
from equipoise.model.homeostasis import CalciumHomeostasis, SetPoint
from equipoise.model.manipulations import TonicDrive
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.papers.calcium_homeostasis.common import LIF_NEURON, SENSOR
from equipoise.papers.calcium_homeostasis.spikes import (
    STANDARD,
    WEIGHTS,
    Net,
    Settled,
    at_rest,
    settled,
    side_by_side,
    silently,
    sizes_of,
    walk,
    with_sizes,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.renewal import resolved
from equipoise.spiking.evolution import Evolution
from equipoise.theory import NeuronScopeEquilibrium, mean_field, network_equilibrium, network_evolve, regulated
from equipoise.units import Hz, hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

RULE = CalciumHomeostasis(SENSOR, SetPoint(rate=10 * Hz, cv=0.9), tau_e=2 * hour, tau_i=1 * hour)
FANO, DRIVE = (2.0, 5.0), (25.0, 50.0)
FANO_GRID, DRIVE_GRID = np.geomspace(1.0, 5.0, 9), np.linspace(0.0, 50.0, 6)
SOURCES, OF_CELLS = ("X", "Y"), ("J_EX", "J_EY")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Single cells (`cells.K` inputs of each kind, `cells.size` of them), the network at rest, and under bursts."""

    cells: Net
    net: Net
    under: Net


PLAN = Plan(cells=Net(K=1000, size=1000, days=14), net=STANDARD, under=replace(STANDARD, days=5))


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """First and last responses of cells to each change in spikes and theory, and the last ones of the network."""
    import xarray as xr

    alone = _alone(plan.cells)
    calm = regulated(alone, network_equilibrium(alone))
    changed = [calm, *(bursts(calm, f, SOURCES) for f in FANO), *(TonicDrive("E", d).apply(calm) for d in DRIVE)]
    paths = side_by_side([partial(walk, c, plan.cells) for c in changed], lambda f: progress(0.5 * f))
    found = settled(plan.net, lambda f: progress(0.5 + 0.2 * f))
    network = plan.net.circuit()
    busy = bursts(with_sizes(network, found.weights), FANO[0], ("X",))
    after = at_rest(walk(busy, plan.under, lambda f: progress(0.7 + 0.3 * f)))
    held = regulated(network, network_equilibrium(network))
    ends = [at_rest(path, OF_CELLS) for path in paths]
    start, (white, gains, unequal) = sizes_of(busy), _network_theory(held)
    return xr.Dataset(
        {
            "first": (("change", "synapse"), [_first(p) for p in paths[1:]]),
            "last": (
                ("change", "synapse", "estimate"),
                [_last(e, c, calm, ends[0]) for e, c in zip(ends[1:], changed[1:], strict=True)],
            ),
            "rate": ("change", [e.rates[0] for e in ends[1:]], {"units": "Hz"}),
            "theory_first": (("theory_change", "synapse"), [_theory_first(c) for c in _grid(calm)]),
            "theory_last": (("theory_change", "synapse"), [_theory_last(c, calm) for c in _grid(calm)]),
            "network": ("name", [after.weights[n] / start[n] - 1.0 for n in WEIGHTS]),
            "network_error": (
                "name",
                [np.hypot(after.errors[n] / start[n], found.errors[n] / found.weights[n]) for n in WEIGHTS],
            ),
            "network_theory": ("name", white),
        },
        coords={
            "change": [f"F {f:g}" for f in FANO] + [f"I {d:g}" for d in DRIVE],
            "synapse": ["e", "i"],
            "theory_change": np.arange(FANO_GRID.size + DRIVE_GRID.size),
            "estimate": ["value", "error"],
            "name": WEIGHTS,
        },
        attrs={"K": plan.net.K, "cells_K": plan.cells.K, "neuron_scope": gains, "unequal": unequal},
    )


def _alone(net: Net) -> Circuit:
    """Cells without connections under K excitatory (X) and K inhibitory (Y) Poisson trains of 10 Hz each."""
    weights = {"X": 1.2 / np.sqrt(net.K), "Y": -1.2 / np.sqrt(net.K)}
    return Circuit(
        populations=[Population("E", size=net.size, neuron=LIF_NEURON), *(Source(s, rate=10 * Hz) for s in SOURCES)],
        projections=[
            Projection(source=s, target="E", weight=w, connectivity=FixedInDegree(net.K)) for s, w in weights.items()
        ],
        rules=[AttachedRule("E", RULE)],
    )


def bursts(circuit: Circuit, fano: float, sources: tuple[str, ...]) -> Circuit:
    """The circuit whose sources fire Poisson bursts of `fano` spikes at the same rate of spikes."""
    for source in sources:
        circuit = circuit.with_node(source, rate=circuit.node(source).rate / fano)  # pyright: ignore[reportAttributeAccessIssue]
    projections = [replace(p, weight=fano * p.weight) if p.source in sources else p for p in circuit.projections]
    return replace(circuit, projections=projections)


def _grid(calm: Circuit) -> list[Circuit]:
    return [*(bursts(calm, f, SOURCES) for f in FANO_GRID), *(TonicDrive("E", d).apply(calm) for d in DRIVE_GRID)]


# --- responses --------------------------------------------------------------------------------------------------------
def _speeds(sensed: "xr.Dataset") -> Array:
    """Relative speeds of both weights [1/h] by what is sensed (Eqs. 10 and 16, relative)."""
    moments = np.array([sensed["calcium_mean"].item(), sensed["calcium_second_moment"].item()])
    return hour * resolved(RULE, LIF_NEURON).rhs(np.ones(2), moments)


def _first(path: Evolution) -> Array:
    return _speeds(path.data.isel(time=0, population=0))


def _theory_first(circuit: Circuit) -> Array:
    return _speeds(network_evolve(circuit, duration=1.0, times=[0.0]).isel(time=0, population=0))


def _theory_last(circuit: Circuit, calm: Circuit) -> list[float]:
    end = sizes_of(regulated(circuit, network_equilibrium(circuit)))
    return [float(v) for v in _per_spike(end, circuit, calm) - 1.0]


def _last(end: Settled, circuit: Circuit, calm: Circuit, rest: Settled) -> Array:
    """Relative change of both weights against those of the unchanged cells at rest, with errors (synapse, estimate)."""
    ratio = _per_spike(end.weights, circuit, calm) / _per_spike(rest.weights, calm, calm)
    parts = [np.hypot(end.errors[n] / end.weights[n], rest.errors[n] / rest.weights[n]) for n in OF_CELLS]
    return np.array([ratio - 1.0, ratio * parts]).T


def _per_spike(sizes: dict[str, float], circuit: Circuit, calm: Circuit) -> Array:
    """Weights of single spikes as parts of those of `calm`: a burst of F spikes acts with F J."""
    start, before = sizes_of(circuit), sizes_of(calm)
    fano = {n: max(1.0, round(start[n] / before[n], 6)) for n in OF_CELLS}
    return np.array([sizes[n] / fano[n] / before[n] for n in OF_CELLS])


def _network_theory(rest: Circuit) -> tuple[Array, list[float], list[float]]:
    """Relative changes of weights under bursts, of gains at neuron scope; CV^2 of the rates of E, before and acute."""
    busy = bursts(rest, FANO[0], ("X",))
    end, start = (sizes_of(c) for c in (regulated(busy, network_equilibrium(busy)), busy))
    rule = AttachedRule("E", RULE, "neuron")
    single = [network_equilibrium(replace(c, rules=[rule, replace(rule, population="I")])) for c in (rest, busy)]
    gains = [cells.cells[0].gains.mean(1) for cells in single if isinstance(cells, NeuronScopeEquilibrium)]
    unequal = [mean_field(c.with_rules(())).populations[0].rate_cv2 for c in (rest, busy)]
    return np.array([end[n] / start[n] - 1.0 for n in WEIGHTS]), [float(g) for g in gains[1] / gains[0] - 1.0], unequal


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Signs and sizes of the responses of cells, and the sign of that of the network."""
    first, (last, error) = data["first"].values, np.moveaxis(data["last"].values, -1, 0)
    white_last = _theory_at_marks(data)
    more, lit = slice(None, len(FANO)), slice(len(FANO), None)
    off, relative = np.abs((1 + last) / (1 + white_last) - 1.0), (1 + last[lit, 1]) / (1 + last[lit, 0]) - 1.0
    network, stated, white = (data[v].sel(name="J_EE").item() for v in ("network", "network_error", "network_theory"))
    gains, unequal = data.attrs["neuron_scope"], data.attrs["unequal"]
    return [
        Claim(
            "In spikes more irregular input at the same rate scales the excitation of a cell down, first and last",
            "Discussion",
            _told(data, more, 0),
            bool((first[more, 0] < 0).all() and (last[more, 0] < -2 * error[more, 0]).all()),
        ),
        Claim(
            "... and inhibition with it in the end, though it grows at first",
            "derived",
            _told(data, more, 1),
            bool((first[more, 1] > 0).all() and (last[more, 1] < -2 * error[more, 1]).all()),
        ),
        Claim(
            "In spikes smooth tonic drive scales the inhibition of a cell up, in the end relative to excitation",
            "Discussion",
            f"{_told(data, lit, 1)}; relative to excitation " + ", ".join(f"{100 * r:+.0f} %" for r in relative),
            bool((first[lit, 1] > 0).all() and (last[lit, 1] > 0).all() and (relative > 0.03).all()),
        ),
        Claim(
            "The changes are those of white-noise theory, within 10 % of the weight",
            "theory against spikes",
            f"largest difference {100 * off.max():.0f} %",
            bool(off.max() < 0.1),
        ),
        Claim(
            "In a network at population scope more irregular external input scales excitation down",
            "Discussion",
            f"J_EE {100 * network:+.0f} ± {100 * stated:.0f} % at Fano factor {FANO[0]:g} (theory "
            f"{100 * white:+.0f} %): noise makes rates less unequal (CV^2 {unequal[0]:.2f} to "
            f"{unequal[1]:.2f} at once, in theory), and the second moment of the population falls",
            bool(network < 0.0),
            expected=False,
        ),
        Claim(
            "... but does so where every cell regulates itself",
            "derived",
            f"theory: gains {100 * gains[0]:+.0f} % (E), {100 * gains[1]:+.0f} % (I)",
            bool(max(gains) < 0.0),
        ),
    ]


def _theory_at_marks(data: "xr.Dataset") -> Array:
    """Theory's final changes at the Fano factors and drives of the spikes (change, synapse)."""
    n, theory = FANO_GRID.size, data["theory_last"].values
    ends = [[np.interp(FANO, FANO_GRID, theory[:n, k]), np.interp(DRIVE, DRIVE_GRID, theory[n:, k])] for k in range(2)]
    return np.array([np.concatenate(end) for end in ends]).T


def _told(data: "xr.Dataset", changes: slice, synapse: int) -> str:
    """First and last responses to some of the changes in words."""
    names, theory = data["change"].values[changes], _theory_at_marks(data)[changes, synapse]
    first, last = data["first"].values[changes, synapse], 100 * data["last"].values[changes, synapse]
    return "; ".join(
        f"{name}: {speed:+.2f}/h at first, {value:+.0f} ± {error:.0f} % in the end (theory {100 * white:+.0f} %)"
        for name, speed, (value, error), white in zip(names, first, last, theory, strict=True)
    )


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """First and last responses of cells to irregularity, last ones to drive, and those of the network."""
    first, last, drive, network = panels(
        canvas, "Cells: first response", "Cells: final", "Cells: tonic drive", "Network, Fano factor 2"
    )
    n = FANO_GRID.size
    for k, key in enumerate("ei"):
        look, dots = plotting.LOOK[key], {"fmt": "o", "ms": 5, "lw": 1.0, "color": plotting.LOOK[key]["color"]}
        first.plot(FANO_GRID, data["theory_first"].values[:n, k], **look, label=f"$J_{key.upper()}$, theory")
        first.errorbar(FANO, data["first"].values[: len(FANO), k], **dots, label=f"$J_{key.upper()}$, spikes")
        values, error = np.moveaxis(100 * data["last"].values[:, k], -1, 0)
        last.plot(FANO_GRID, 100 * data["theory_last"].values[:n, k], **look)
        last.errorbar(FANO, values[: len(FANO)], 1.96 * error[: len(FANO)], **dots)
        drive.plot(DRIVE_GRID, 100 * data["theory_last"].values[n:, k], **look)
        drive.errorbar(DRIVE, values[len(FANO) :], 1.96 * error[len(FANO) :], **dots)
    for ax in (first, last):
        ax.set(xscale="log", xlabel="Fano factor of the inputs")
        ax.set_xticks([1, 2, 5], ["1", "2", "5"])
        ax.minorticks_off()
    first.set(ylabel="relative change per hour")
    first.legend()
    last.set(ylabel="change at rest (%)")
    drive.set(xlabel="tonic drive (threshold/s)", ylabel="change at rest (%)")
    _draw_network(network, data)
    for ax in (first, last, drive, network):
        ax.axhline(0.0, color=plotting.QUIET, lw=0.8, zorder=0)


def _draw_network(ax: "Axes", data: "xr.Dataset") -> None:
    shown = ("J_EE", "J_EI", "J_IE", "J_II")
    for x, name in enumerate(shown):
        at, color = data.sel(name=name), plotting.LOOK[name[-1].lower()]["color"]
        ax.errorbar(x, 100 * at["network"], 1.96 * 100 * at["network_error"], fmt="o", ms=5, lw=1.0, color=color)
        ax.plot(x, 100 * at["network_theory"], "_", ms=16, mew=1.6, color=color)
    ax.set_xticks(range(len(shown)), [f"$J_{{{name[2:]}}}$" for name in shown])
    ax.set(xlim=(-0.6, len(shown) - 0.4), ylabel="change at rest (%)")
    ax.margins(y=0.3)
    ax.text(0.03, 0.97, "marks: spikes, 95 %\nbars: theory", transform=ax.transAxes, va="top")
