"""The input-centric rule in spikes: which reading is stable, whose rate is held, and who overshoots.

Spiking networks follow the rule in real time with tau = 20 s; theory is the level of rates of the same circuit. Cells
of their own start at the set points at which they rest, for one set point for all leaves no cell at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.intrinsic_rules import InputCentricThreshold, Reading
from equipoise.model.slow_variables import SlowRule
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.input_centric.spiking_circuits import (
    STRONG,
    WEAK,
    WINDOW,
    OwnSetPoints,
    built,
    circuit,
    mean_required,
    played,
    rates_of,
    rest,
)
from equipoise.quantities import Array
from equipoise.rate import evolve
from equipoise.rate.network import network as rate_network
from equipoise.spiking import Network, Run, nudged
from equipoise.units import Hz, hour, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
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
    readings: float = 100 * second
    drift: float = 200 * second
    slowly: float = 60 * second
    recovery: float = 120 * second
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
        of = circuit(weights, plan.size, alike=True)
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


def _bins(network: Network, rules: Sequence[SlowRule], plan: Plan) -> Array:
    found = played(network, rules, plan.drift, warmup=2 * second)
    return _binned(found, plan)


def _binned(found: Run, plan: Plan) -> Array:
    edges = np.arange(0.0, found.duration + 0.5 * plan.bin, plan.bin)
    return np.array([rates_of(found, a, b) for a, b in pairwise(edges.tolist())])


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


# --- what decides -----------------------------------------------------------------------------------------------------
def spread_of_logs(rates: Array) -> Array:
    """Variance over cells of log r(bin)/r(first bin), of cells that are active at first (bin,)."""
    active = rates[:, rates[0] > ACTIVE]
    return np.log(np.maximum(active, 0.05) / active[0]).var(axis=1)


def overshoots(before: Array, after: Array) -> tuple[Array, Array]:
    """Last rate over that before of active cells, of the first responders and of all.

    First responders are the cells that stand highest, relative to themselves, in the first bin after the step; their
    rates are then read from other bins.
    """
    active = before > ACTIVE
    x, last = after[0, active] / before[active], after[-3:, active].mean(axis=0) / before[active]
    first = np.argsort(-x)[: round(FIRST * x.size)]
    return last[first], last


def claims(data: "xr.Dataset") -> list[Claim]:
    """What the rule holds, and what it does not."""
    return [*_claims_on_readings(data), *_claims_on_cells(data), *_claims_on_steps(data)]


def _claims_on_readings(data: "xr.Dataset") -> list[Claim]:
    late = data.isel(time=slice(-20, None)).mean("time")
    stable, other = {"D < 0": "B", "D > 0": "A"}, {"D < 0": "A", "D > 0": "B"}
    at, lost = ({k: late.sel(network=k, reading=v) for k, v in which.items()} for which in (stable, other))
    rates = np.array([float(x["rate"]) for x in at.values()])
    inputs = np.array([float(x["net_input"]) for x in at.values()])
    gone = np.array([float(x["rate"]) for x in lost.values()])
    theory, wanted = data["theory_rate"].values, data["set_point"].values
    d = ", ".join(f"{x:+.2f}" for x in data["recurrence"].values)
    return [
        Claim(
            "Which reading of the rule is stable follows from the sign of the net recurrence",
            "derived",
            f"D = {d}: E at {rates[0]:.1f} Hz under B, {rates[1]:.1f} Hz under A, and at {gone[0]:.2f} and "
            f"{gone[1]:.2f} Hz under the other reading",
            bool((gone < 0.1 * rates).all()),
        ),
        Claim(
            "The rate that it settles at is that of theory within a tenth",
            "Eq. for E_ss",
            f"{rates[0]:.2f} and {rates[1]:.2f} Hz, theory {theory[0]:.2f} and {theory[1]:.2f} Hz",
            bool(np.abs(rates / theory - 1.0).max() < 0.1),
        ),
        Claim(
            "The input that the network gives is the one asked for, within 2 thresholds/s",
            "W_EE E - W_EI I = h_set",
            f"net input {inputs[0]:.1f} and {inputs[1]:.1f} thresholds/s, set points {wanted[0]:.1f} and "
            f"{wanted[1]:.1f}: the f-I curve by which a cell reads its rate is that of white noise in continuous time, "
            "and the difference, of an excitation of some 100, is what steps of 0.1 ms and regular trains make of it",
            bool(np.abs(inputs - wanted).max() < 2.0),
            expected=False,
        ),
    ]


def _claims_on_cells(data: "xr.Dataset") -> list[Claim]:
    alone, control = data["drifting"].values, data["control"].values
    drift, null = spread_of_logs(alone), spread_of_logs(control)
    taus = data["bin"].values / data.attrs["slowly"]
    k = int(np.searchsorted(taus, 2.0)) - 1
    mean = alone[: k + 1].mean(axis=1)
    return [
        Claim(
            "Single rates drift while the rate of the population stays",
            "Fig. 1E of the cited work",
            f"after {taus[k]:.1f} tau the variance of log rates has grown to {drift[k]:.3f} ({null[k]:.3f} by counting "
            f"alone), and the mean stayed within {100 * np.abs(mean / mean[0] - 1.0).max():.1f} %",
            bool(drift[k] > 5.0 * null[k] and np.abs(mean / mean[0] - 1.0).max() < 0.03),
        ),
        Claim(
            "Single cells that each follow the rule stay near their rates in the long run",
            "derived",
            f"after {taus[-1]:.1f} tau the SD of rates has grown from {alone[0].std():.1f} to {alone[-1].std():.1f} "
            "Hz: a random network amplifies some differences between cells, and winners take all",
            bool(alone[-1].std() < 1.2 * alone[0].std()),
            expected=False,
        ),
    ]


def _claims_on_steps(data: "xr.Dataset") -> list[Claim]:
    before = data["before"].values
    first, all_ = overshoots(before, data["recovery"].values)
    null, _ = overshoots(before, data["unhurt"].values)
    drop, end = (data["recovery"].isel(later=k).mean() / before.mean() - 1.0 for k in (0, slice(-3, None)))
    return [
        Claim(
            "After a sustained step in the cells' own currents the population returns",
            "Fig. 16A of the cited work",
            f"mean rate {100 * float(drop):+.0f} % in the first 20 s and {100 * float(end):+.0f} % at the end",
            bool(abs(float(end)) < 0.1 and float(drop) < -0.1),
        ),
        Claim(
            "First responders overshoot by more than half",
            "Fig. 16A of the cited work",
            f"they end at {first.mean():.2f} times their rates (all cells {all_.mean():.2f}; {null.mean():.2f} where "
            "nothing was done and cells are chosen alike)",
            bool(first.mean() > 1.5 and null.mean() < 1.1),
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Both readings in both networks, cells that drift, and a step with its first responders."""
    axes = canvas.subplots(1, 4)
    for ax, name in zip(axes[:2], NETWORKS, strict=True):
        _draw_readings(ax, data.sel(network=name), name)
    _draw_drift(axes[2], data)
    _draw_step(axes[3], data)


def _draw_readings(ax: "Axes", data: "xr.Dataset", name: str) -> None:
    for k, reading in enumerate(READINGS):
        values = data["rate"].sel(reading=reading)
        ax.plot(data["time"] / data.attrs["tau"], values, color=plotting.EPOCHS[k], ls=("-", "--")[k], label=reading)
    ax.axhline(float(data["theory_rate"]), color=plotting.INK, ls=":", label="theory")
    ax.set(
        title=f"{name} ({float(data['recurrence']):+.2f})", xlabel="time (tau)", ylabel="rate of E (Hz)", ylim=(0, None)
    )
    ax.legend()


def _draw_drift(ax: "Axes", data: "xr.Dataset") -> None:
    times = data["bin"] / data.attrs["slowly"]
    for key, label, color in (
        ("drifting", "set points of their own", plotting.INK),
        ("control", "no rule", plotting.QUIET),
    ):
        ax.plot(times[1:], spread_of_logs(data[key].values)[1:], "o-", ms=3, color=color, label=label)
    ax.set(title="Single cells", yscale="log", xlabel="time (tau)", ylabel="variance of log rates")
    ax.legend()


def _draw_step(ax: "Axes", data: "xr.Dataset") -> None:
    before, after = data["before"].values, data["recovery"].values
    active = before > ACTIVE
    relative = after[:, active] / before[active]
    first = np.argsort(-relative[0])[: round(FIRST * active.sum())]
    times = data["later"] / data.attrs["tau"]
    ax.plot(times, relative[:, first[::4]], color=plotting.QUIET, lw=0.5)
    ax.plot(times, relative[:, first].mean(axis=1), color=plotting.EPOCHS[2], label="first responders")
    ax.plot(times, after.mean(axis=1) / before.mean(), color=plotting.INK, label="population")
    ax.axhline(1.0, color=plotting.INK, lw=0.6, ls=":")
    ax.set(title="After a step", xlabel="time (tau)", ylabel="rate over that before")
    ax.legend()
