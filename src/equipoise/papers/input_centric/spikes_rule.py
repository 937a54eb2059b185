"""The input-centric rule in spikes: which reading is stable, whose rate is held, and who overshoots.

Spiking networks follow the rule in real time with tau = 20 s; theory is the level of rates of the same circuit. Cells
of their own start at the set points at which they rest, for one set point for all leaves no cell at rest.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.intrinsic_rules import InputCentricThreshold, Reading
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.input_centric.spiking_circuits import (
    STRONG,
    WEAK,
    WINDOW,
    OwnSetPoints,
    built,
    circuit,
    correlation,
    mean_required,
    played,
    rates_of,
    rest,
)
from equipoise.quantities import Array
from equipoise.rate import evolve
from equipoise.rate.network import network as rate_network
from equipoise.spiking import Network, nudged
from equipoise.units import Hz, hour, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

NETWORKS = {"D < 0": (STRONG, -2.0), "D > 0": (WEAK, 1.0)}
"""Weights, and how far the set point lies from the net input at rest [V/s]."""
READINGS: tuple[Reading, ...] = ("A", "B")
ACTIVE = 3 * Hz
"""Rate from which a change is looked at relative to itself."""
FIRST = 0.1
"""The part of the cells that counts as first responders."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Size of the network, tau of the rule [s], how long each run takes and each bin of single rates [s]."""

    size: int = 1000
    tau: float = 20 * second
    readings: float = 140 * second
    drift: float = 200 * second
    slowly: float = 60 * second
    recovery: float = 160 * second
    bin: float = 20 * second
    kick: tuple[float, float] = (12.0, 12.0)
    seed: int = 1


PLAN = Plan()


def compute(progress: Progress = lambda _fraction: None, plan: Plan = PLAN) -> "xr.Dataset":
    """Paths under both readings, rates of cells with rules of their own, and the recovery from a step."""
    import xarray as xr

    both = _readings(plan)
    progress(0.4)
    network = built(circuit(STRONG, plan.size), plan.seed)
    alone, control = _drifting(network, plan)
    progress(0.7)
    kicked = _kicked(network, plan)
    progress(1.0)
    bins = (np.arange(alone.shape[0]) + 0.5) * plan.bin
    later = (np.arange(kicked["recovery"][1].shape[0]) + 0.5) * plan.bin
    dims = ("network", "reading", "time")
    return xr.Dataset(
        {
            **{k: (dims, v, {"units": u}) for k, (v, u) in both["paths"].items()},
            **{k: ("network", v) for k, v in both["theory"].items()},
            "drifting": (("bin", "cell"), alone, {"units": "Hz"}),
            "control": (("bin", "cell"), control, {"units": "Hz"}),
            "recovery": (("later", "cell"), kicked["recovery"][1], {"units": "Hz"}),
            "unhurt": (("later", "cell"), kicked["unhurt"][1], {"units": "Hz"}),
            "before": ("cell", kicked["recovery"][0], {"units": "Hz"}),
        },
        coords={
            "network": list(NETWORKS),
            "reading": list(READINGS),
            "time": ("time", both["time"], {"units": "s"}),
            "bin": ("bin", bins, {"units": "s"}),
            "later": ("later", later, {"units": "s"}),
        },
        attrs={"tau": plan.tau, "slowly": plan.slowly, "size": plan.size},
    )


# --- which reading ----------------------------------------------------------------------------------------------------
def _readings(plan: Plan) -> dict:
    """Thresholds and rates of both networks under both readings, and what theory says."""
    theta, rate, inputs, time = [], [], [], np.empty(0)
    theory: dict[str, list[float]] = {k: [] for k in ("recurrence", "set_point", "theory_rate", "theory_rest")}
    for weights, away in NETWORKS.values():
        of = circuit(weights, plan.size)
        point, network = rest(of), built(of, plan.seed)
        set_point = float(point.inputs[0]) + away
        stable = "B" if point.recurrence < 0.0 else "A"
        rule = InputCentricThreshold("E", set_point=set_point, reading=stable, tau=2 * hour)
        held = evolve(of, rules=[rule], duration=48 * hour, start=point.rates)
        found = (point.recurrence, set_point, float(held["rate"][-1, 0]), float(point.rates[0]))
        for name, value in zip(theory, found, strict=True):
            theory[name].append(value)
        paths = [_path(network, set_point, reading, plan) for reading in READINGS]
        time = paths[0][0]
        for rows, k in ((theta, 1), (rate, 2), (inputs, 3)):
            rows.append([p[k] for p in paths])
    values = {"theta": (theta, "V/s"), "rate": (rate, "Hz"), "net_input": (inputs, "V/s")}
    return {"paths": values, "theory": theory, "time": time}


def _path(network: Network, set_point: float, reading: Reading, plan: Plan) -> tuple[Array, Array, Array, Array]:
    """Time, threshold and rate of E, and its net input J K r by the rates of both populations in each window."""
    rule = InputCentricThreshold("E", set_point=set_point, reading=reading, tau=plan.tau)
    found = played(network, [rule], plan.readings, warmup=WINDOW)
    slow = found.homeostasis
    sizes = np.array([p.size for p in network.circuit.populations])
    counts = found.counts.reshape(sizes.size, slow.sizes["time"], -1).sum(axis=2)
    rates = counts / (sizes[:, None] * WINDOW)
    net = rate_network(network.circuit)
    inputs = np.array([net.inputs(r)[0][0] for r in rates.T])
    return slow["time"].values, slow["theta_E"].values, rates[0], inputs


# --- cells of their own -----------------------------------------------------------------------------------------------
def _drifting(network: Network, plan: Plan) -> tuple[Array, Array]:
    """Rates of cells (bin, cell) with set points of their own, and without a rule."""
    _, set_points = mean_required(network, 0.5 * plan.drift)
    rule = OwnSetPoints(population="E", set_points=set_points, tau=plan.slowly)
    return _bins(network, [rule], plan), _bins(network, [], plan)


def _bins(network: Network, rules: list, plan: Plan) -> Array:
    found = played(network, rules, plan.drift, warmup=2 * second)
    return _binned(found, plan)


def _binned(found, plan: Plan) -> Array:
    edges = np.arange(0.0, found.duration + 0.5 * plan.bin, plan.bin)
    return np.array([rates_of(found, a, b) for a, b in zip(edges, edges[1:], strict=False)])


# --- a sustained step -------------------------------------------------------------------------------------------------
def _kicked(network: Network, plan: Plan) -> dict[str, tuple[Array, Array]]:
    """Rates at rest, and (bin, cell) after thresholds rose by unequal steps, or did not."""
    set_point = float(rest(network.circuit).inputs[0])
    rule = InputCentricThreshold("E", set_point=set_point, reading="B", tau=plan.tau)
    settled = played(network, [rule], 4.0 * plan.tau, warmup=2 * second)
    calm = played(network, [rule], 2.0 * plan.recovery, start=settled.end)
    mean, sd = plan.kick
    steps = np.random.default_rng(plan.seed).normal(mean, sd, plan.size)
    out = {}
    for name, kick in (("recovery", steps), ("unhurt", np.zeros(plan.size))):
        after = played(network, [rule], plan.recovery, start=nudged(calm.end, "E", theta=kick))
        out[name] = rates_of(calm), _binned(after, plan)
    return out
