"""Whose calcium? The same network under rules that sense population means, and under rules of every single cell.

At population scope, the paper's, the mean moments of the balanced limit are held, and rates stay as unequal as the
wiring makes them. At neuron scope every cell finds the one input of its set point, and gains take the inequality over.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.circuit import AttachedRule, Circuit
from equipoise.model.homeostasis import CalciumHomeostasis, SetPoint
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import (
    NeuronScopeEquilibrium,
    balanced_limit,
    mean_field,
    network_equilibrium,
    network_evolve,
    network_set_points,
    rate_distribution,
)
from equipoise.units import Hz, hour, minute

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

K, OFF = 1000.0, 0.8
"""Inputs of each kind, and the factor by which the weights start below balance."""
POPULATIONS = ["E", "I"]
CELLS = 256
ONE_CELL = SetPoint(rate=10 * Hz, cv=0.9)
RATES = np.linspace(0.25, 45.0, 180)
NEURON, MEAN = "#2A8C6E", "#A14E8F"
"""Colours of the two scopes."""


def compute() -> "xr.Dataset":
    """Both scopes from weights off balance over a week, their ends, and the mean moments asked of single cells."""
    import xarray as xr

    network = Circuit.example("balanced_network").infinite().scaled(K)
    targets, limit = network_set_points(network, SENSOR), balanced_limit(network)
    start = network.with_weights(OFF * network.weights())
    shared, single = _with(start, targets, "population"), _with(start, dict.fromkeys(POPULATIONS, ONE_CELL), "neuron")
    times = np.concatenate([[0.0], np.geomspace(5.0, 7 * 24 * hour, 40)])
    paths = {s: network_evolve(c, duration=times[-1], times=times, cells=CELLS) for s, c in
             (("population", shared), ("neuron", single))}  # fmt: skip
    before, held, alone = mean_field(start), network_equilibrium(shared), network_equilibrium(single)
    impossible = network_equilibrium(_with(start, targets, "neuron"), throw=False)
    assert isinstance(alone, NeuronScopeEquilibrium)
    assert isinstance(impossible, NeuronScopeEquilibrium)
    rates = {s: np.array([p["rate"], np.sqrt(np.maximum(p["second_moment"] - p["rate"] ** 2, 0.0))])
             for s, p in paths.items()}  # fmt: skip
    density = [
        [_density(start, before, n) for n in POPULATIONS],
        [_density(_circuit(shared, held), held.state, n) for n in POPULATIONS],
    ]
    return xr.Dataset(
        {
            "moments": (("scope", "moment", "time", "population"), list(rates.values()), {"units": "Hz"}),
            "density": (("when", "population", "rate"), density, {"units": "s"}),
            "gains": (("population", "kind", "cell"), [c.gains for c in alone.cells]),
            "cell_rate": (("population", "cell_of_path"), paths["neuron"]["cell_rate"].values[-1], {"units": "Hz"}),
            "cv2": (("state", "population"), [_cv2(before), _cv2(held.state), _cv2(alone.state)]),
            "limit_cv2": ("population", limit.second_moments / limit.rates**2 - 1),
            "required": (("what", "population"), [[c.rate for c in impossible.cells], [c.cv for c in impossible.cells],
                                                  [c.mu for c in impossible.cells]]),
            "recovery": (("speed", "edge"), alone.cells[0].recovery, {"units": "s"}),
            "collective": ("mode", alone.spectrum.recovery_times, {"units": "s"}),
        },
        coords={"scope": list(rates), "moment": ["mean", "sd"], "time": times, "population": POPULATIONS,
                "when": ["before", "held"], "kind": ["e", "i"], "rate": RATES, "what": ["rate", "cv", "mu"],
                "state": ["before", "population", "neuron"], "speed": ["fast", "slow"], "edge": ["least", "most"]},
        attrs={"asked": impossible.status.name, "message": impossible.message},
    )  # fmt: skip


def _with(circuit: Circuit, targets, scope) -> Circuit:
    rules = [AttachedRule(n, CalciumHomeostasis(SENSOR, t), scope) for n, t in targets.items()]
    nodes = [*circuit.populations, *circuit.sources]
    return Circuit(populations=nodes, projections=circuit.projections, rules=rules)


def _circuit(circuit: Circuit, held) -> Circuit:
    """The circuit with the weights of an equilibrium; names are J_post,pre of single letters."""
    weights, place = circuit.weights(), {n: k for k, n in enumerate(circuit.names)}
    for name, size in zip(held.names, held.weights, strict=True):
        at = place[name[2]], place[name[3]]
        weights[at] = np.copysign(size, weights[at])
    return circuit.with_weights(weights)


def _density(circuit: Circuit, state, name: str) -> np.ndarray:
    law = rate_distribution(circuit, state, name)
    return np.interp(RATES, law["rate"], law["density"], left=np.nan, right=0.0)


def _cv2(state) -> list[float]:
    return [p.rate_cv2 for p in state.populations]


def claims(data: "xr.Dataset") -> list[Claim]:
    """What either scope does to the heterogeneity of rates, and why its set points are not interchangeable."""
    cv2, limit = data["cv2"], data["limit_cv2"].values
    kept = cv2.sel(state="population").values
    sd = data["moments"].sel(scope="neuron", moment="sd")
    at_hour = float(sd.interp(time=1 * hour).max())
    gains = data["gains"].std("cell") / data["gains"].mean("cell")
    rate, cv, mu = (float(data["required"].sel(what=w, population="E")) for w in ("rate", "cv", "mu"))
    times, slow = data["recovery"].values, float(data["collective"].max())
    return [
        Claim("Population-wide homeostasis keeps the rates of cells unequal", "Sec. 2.4.2",
              f"CV^2 of the rates {kept[0]:.3f} (E), {kept[1]:.3f} (I); balanced limit {limit[0]:.3f}, {limit[1]:.3f}",
              bool(np.abs(kept / limit - 1).max() < 0.15)),
        Claim("Homeostasis of every cell drives all cells of a population to one rate", "derived",
              f"SD of rates from {float(sd[0].max()):.1f} Hz to {1000 * at_hour:.0f} mHz within an hour",
              bool(at_hour < 0.05 and float(sd[-1].max()) < 0.01)),
        Claim("What the rates lose the gains take over", "derived",
              f"CV of the gains {100 * float(gains.min()):.1f} to {100 * float(gains.max()):.1f} %",
              bool((gains > 0.01).all())),
        Claim("The mean moments of a heterogeneous population are no set point for single cells", "derived",
              f"each would have to fire at {rate:.2f} Hz with C_v {cv:.2f}, at mu = {mu:.0f} thresholds/s: "
              f"{data.attrs['asked']}", data.attrs["asked"] != "OK"),
        Claim("A single cell recovers its rate faster than the network as a whole", "derived",
              f"{times[0].mean() / minute:.1f} min against {slow / minute:.1f} min", bool(times[0].max() < slow)),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rate distributions before and after, the spread of rates over time, and the gains of single cells."""
    rates, spread, gains = panels(canvas, "Rates of E cells", "Spread of rates", "Gains of cells, neuron scope")
    before, held = (data["density"].sel(when=w, population="E") for w in ("before", "held"))
    rates.fill_between(data["rate"], before, color=plotting.QUIET, alpha=0.28, lw=0, label="before")
    rates.plot(data["rate"], held, color=MEAN, label="population scope")
    rates.axvline(float(data["cell_rate"].sel(population="E").mean()), color=NEURON, lw=2.2, label="neuron scope")
    rates.set(xlabel="rate (Hz)", ylabel="density (1/Hz)", xlim=(0, 42), ylim=(0, None))
    rates.legend()
    for scope, color in (("population", MEAN), ("neuron", NEURON)):
        for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
            y = data["moments"].sel(scope=scope, moment="sd", population=population)
            line = plotting.LOOK[key]["linestyle"]
            spread.plot(data["time"][1:], y[1:], color=color, ls=line, lw=1.6, label=f"{scope} scope, {population}")
    ticks = {10.0: "10 s", 60.0: "1 min", 600.0: "10 min", 3600.0: "1 h", 86400.0: "1 d", 604800.0: "1 wk"}
    spread.set(xscale="log", xlabel="time", ylabel="SD of rates over cells (Hz)", ylim=(0, 11.5))
    spread.set_xticks(list(ticks), list(ticks.values()))
    spread.minorticks_off()
    spread.legend(loc="center right", bbox_to_anchor=(1.0, 0.42))
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        both = data["gains"].sel(population=population)
        color = plotting.LOOK[key]["color"]
        gains.plot(both.sel(kind="e"), both.sel(kind="i"), "o", ms=2.2, mew=0, alpha=0.55, color=color)
        gains.annotate(
            f"{population} cells", tuple(both.mean("cell")), (26, 24), textcoords="offset points", ha="left",
            color=color, fontweight="bold",
        )  # fmt: skip
    gains.set(xlabel="gain of excitatory weights", ylabel="gain of inhibitory weights")
    gains.margins(0.08)
