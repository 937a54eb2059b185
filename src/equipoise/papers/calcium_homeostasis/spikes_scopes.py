"""Whose calcium? In spikes: rates stay unequal where a population shares its weights, not where cells have their own.

Both scopes begin with the same network. At neuron scope the set point is that of one cell, 10 Hz at C_v = 0.9, since
mean moments of unequal cells fit no single one.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.circuit import AttachedRule, Circuit
from equipoise.model.homeostasis import CalciumHomeostasis, SetPoint
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.calcium_homeostasis.spikes import (
    POPULATIONS,
    Net,
    held,
    own_spread,
    settled,
    side_by_side,
    silently,
    sizes_of,
    with_sizes,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.results import SpikeTrains
from equipoise.spiking import Pace, evolve, run, simulate
from equipoise.spiking.evolution import Evolution
from equipoise.theory import NeuronScopeEquilibrium, mean_field, network_equilibrium
from equipoise.units import Hz, hour, minute, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

ONE_CELL = SetPoint(rate=10 * Hz, cv=0.9)
OFF = 0.7
SCOPES = {"before": "before", "population": "population scope", "neuron": "neuron scope"}
COLOURS = {"before": plotting.QUIET, "population": plotting.EPOCHS[3], "neuron": plotting.EPOCHS[2]}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The network, how long cells regulate themselves [s], and how long rates are counted [s]."""

    net: Net
    regulated: float = 80 * minute
    measured: float = 40 * second


PLAN = Plan(net=Net(K=200, size=1000, days=8))


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Rates of all cells before, and where either scope ended; weights of single cells; theory's spreads."""
    import xarray as xr

    net, far = plan.net, _off(plan.net.circuit())
    jobs = [partial(_own, far, plan), partial(settled, net)]
    days, shared = side_by_side(jobs, lambda f: progress(0.8 * f))
    calm = held(net, shared)
    counted = {"duration": plan.measured, "warmup": 2 * second, "seed": net.seed}
    runs = [simulate(far.with_rules(()), **counted), simulate(calm, **counted)]
    runs.append(run(days.network, start=days.end, duration=plan.measured))
    progress(1.0)
    trains = [[r.spikes_of(name) for name in POPULATIONS] for r in runs]
    single = network_equilibrium(_by_cells(far))
    assert isinstance(single, NeuronScopeEquilibrium)
    own = days.end.slow
    assert own is not None
    return xr.Dataset(
        {
            "cell_rate": (
                ("scope", "population", "cell"),
                [[_rates(t) for t in row] for row in trains],
                {"units": "Hz"},
            ),
            "spread": (
                ("scope", "population", "estimate"),
                [[own_spread(t) for t in row] for row in trains],
                {"units": "Hz"},
            ),
            "theory_spread": (("scope", "population"), [_spread(far), _spread(calm), [0.0, 0.0]], {"units": "Hz"}),
            "weights": (
                ("population", "kind", "cell"),
                [[own.values[n][f"J_{n}{s}"] for s in "EI"] for n in POPULATIONS],
            ),
            "theory_gain_cv": (("population", "kind"), [c.gains.std(1) / c.gains.mean(1) for c in single.cells]),
        },
        coords={
            "scope": list(SCOPES),
            "population": POPULATIONS,
            "estimate": ["value", "error"],
            "kind": ["e", "i"],
        },
        attrs={"K": net.K, "size": net.size, "speed": days.speeds[0], "minutes": plan.regulated / minute},
    )


def _off(circuit: Circuit) -> Circuit:
    return with_sizes(circuit, {k: OFF * v for k, v in sizes_of(circuit).items()})


def _by_cells(circuit: Circuit) -> Circuit:
    rule = CalciumHomeostasis(SENSOR, ONE_CELL, tau_e=2 * hour, tau_i=1 * hour)
    return replace(circuit, rules=[AttachedRule(n, rule, "neuron") for n in POPULATIONS])


def _own(circuit: Circuit, plan: Plan, progress: Progress) -> Evolution:
    pace = Pace(threads=1)
    return evolve(_by_cells(circuit), duration=plan.regulated, seed=plan.net.seed, pace=pace, progress=progress)


def _rates(trains: SpikeTrains) -> Array:
    return np.bincount(trains.units, minlength=trains.n_units) / trains.duration


def _spread(circuit: Circuit) -> Array:
    state = mean_field(circuit.with_rules(()))
    return np.sqrt(np.maximum(state.second_moments - state.rates**2, 0.0))


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Heterogeneity kept at one scope and lost at the other, and where it has gone."""
    spread, error = (data["spread"].sel(estimate=e) for e in ("value", "error"))
    before, shared, own = (spread.sel(scope=s).values for s in SCOPES)
    uncertain = error.sel(scope="neuron").values
    theory = data["theory_spread"].sel(scope="population").values
    mean = data["cell_rate"].sel(scope="neuron").mean("cell").values
    gains = data["weights"].std("cell") / data["weights"].mean("cell")
    white = data["theory_gain_cv"].values
    gap = gains.values / white - 1.0
    return [
        Claim(
            "In spikes population-wide homeostasis keeps the rates of cells unequal",
            "Sec. 2.4.2",
            f"SD of rates {before[0]:.1f} (E), {before[1]:.1f} Hz (I) before, {shared[0]:.1f}, {shared[1]:.1f} Hz "
            f"after (theory {theory[0]:.1f}, {theory[1]:.1f} Hz)",
            bool((shared > 0.7 * before).all()),
        ),
        Claim(
            "In spikes homeostasis of every cell takes the differences of rates away",
            "derived",
            f"SD of rates {own[0]:.2f} ± {uncertain[0]:.2f} (E), {own[1]:.2f} ± {uncertain[1]:.2f} Hz (I) after "
            f"{data.attrs['minutes']:.0f} min; what is left is the scatter of weights that the speed-up makes",
            bool((own < 0.15 * before).all()),
        ),
        Claim(
            "... while the mean rates are held",
            "derived",
            f"{mean[0]:.2f} and {mean[1]:.2f} Hz",
            bool(np.abs(mean / ONE_CELL.rate - 1.0).max() < 0.05),
        ),
        Claim(
            "What the rates lose the weights of cells take over, as much as in theory within a third",
            "derived",
            f"CV of weights over cells {100 * float(gains.min()):.0f} to {100 * float(gains.max()):.0f} %, "
            f"theory {100 * white.min():.0f} to {100 * white.max():.0f} %",
            bool(np.abs(gap).max() < 0.33),
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates of E cells in three states, the spreads, and the weights of single cells."""
    rates, spread, weights = panels(canvas, "Rates of E cells", "Spread of rates", "Weights of cells, neuron scope")
    edges = np.linspace(0.0, 45.0, 61).tolist()
    for scope, label in SCOPES.items():
        values = data["cell_rate"].sel(scope=scope, population="E").values
        kind = (
            {"histtype": "stepfilled", "alpha": 0.35, "lw": 0} if scope == "before" else {"histtype": "step", "lw": 1.6}
        )
        rates.hist(values, edges, color=COLOURS[scope], label=label, **kind)
    rates.set(yscale="log", xlabel="rate (Hz)", ylabel="number of neurons", xlim=(0, 45))
    rates.legend()
    x = np.arange(len(SCOPES))
    for a, (population, key) in enumerate(zip(POPULATIONS, ("e", "i"), strict=True)):
        at = x + (0.32 * a - 0.16)
        values, error = (data["spread"].sel(population=population, estimate=e) for e in ("value", "error"))
        spread.bar(
            at, values, 0.28, yerr=2 * error, color=plotting.LOOK[key]["color"], label=population, error_kw={"lw": 1.0}
        )
        spread.plot(
            at,
            data["theory_spread"].sel(population=population),
            "_",
            ms=16,
            mew=1.6,
            color=plotting.INK,
            label="theory" if a else None,
        )
    spread.set(ylabel="SD of rates over cells (Hz)")
    spread.set_xticks(x, [label.replace(" ", "\n") for label in SCOPES.values()])
    spread.legend()
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        both = data["weights"].sel(population=population)
        color = plotting.LOOK[key]["color"]
        weights.plot(
            both.sel(kind="e"),
            both.sel(kind="i"),
            "o",
            ms=2.2,
            mew=0,
            alpha=0.5,
            color=color,
            label=f"{population} cells",
        )
    weights.set(xlabel="excitatory weight (threshold)", ylabel="inhibitory weight (threshold)")
    weights.locator_params(axis="x", nbins=4)
    weights.legend(markerscale=2.5)
