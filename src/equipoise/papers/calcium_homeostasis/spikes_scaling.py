"""Fig. 4 in spikes: where homeostasis takes networks of K = 100 to 3000 inputs, beside theory at the same K.

Networks grow with K, so that K/N stays 0.2. Each starts with the weights of the balanced limit and is followed until
they rest; then rates are measured with these weights, and with those of the balanced limit for comparison.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import compare, plotting
from equipoise.model.circuit import Circuit
from equipoise.papers.calcium_homeostasis.spikes import (
    POPULATIONS,
    WEIGHTS,
    Net,
    held,
    over_graphs,
    settled_graphs,
    silently,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.theory import NetworkEquilibrium, balanced_limit, network_equilibrium
from equipoise.units import second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

RATE = 10.0
SHARE = 0.2
"""K/N: the largest network, K = 3000, then has 30,000 neurons and 1.8e8 synapses."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The networks, from the fewest inputs to the most, how long their rates are measured [s], and points of theory."""

    nets: tuple[Net, ...]
    measured: float = 5 * second
    points: int = 24


PLAN = Plan(
    nets=(
        Net(K=100, size=500, days=6, graphs=4),
        Net(K=200, size=1000, days=6, graphs=3),
        Net(K=400, size=2000, days=6, graphs=2),
        Net(K=1000, size=5000, days=5),
        Net(K=3000, size=15_000, days=3),
    )
)


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Weights at rest with their errors, rates and their spread with and without homeostasis, and theory over K."""
    import xarray as xr

    nets = plan.nets
    found = settled_graphs(nets, lambda f: progress(0.85 * f))
    circuits = [c for net, group in zip(nets, found, strict=True) for c in (held(net, group[0]), _free(net))]
    measured = []
    for k, circuit in enumerate(circuits):
        levels = compare.levels(circuit, levels=("spiking",), seed=nets[k // 2].seed, duration=plan.measured)
        measured.append(levels.sel(level="spiking"))
        progress(0.85 + 0.15 * (k + 1) / len(circuits))
    K = np.array([net.K for net in nets])
    grid = np.geomspace(K[0], K[-1], plan.points)
    theory, limit = [_theory(k) for k in grid], balanced_limit(nets[0].circuit().infinite())
    rates = np.array([[m["rate"], m["rate_sd"]] for m in measured]).reshape(len(nets), 2, 2, 2)
    weights, errors = over_graphs(nets, found)
    first = np.array([[group[0].weights[w] for w in WEIGHTS] for group in found])
    held_rates = [np.mean([one.rates for one in group], axis=0) for group in found]
    return xr.Dataset(
        {
            "weight": (("K", "name"), weights, {"units": "threshold"}),
            "weight_error": (("K", "name"), errors),
            "rate": (("K", "state", "moment", "population"), rates, {"units": "Hz"}),
            "window_rate": (("K", "population"), held_rates, {"units": "Hz"}),
            "variances": (("K", "kind", "population"), _variances(nets, first, rates[:, 0])),
            "theory_weight": (("grid", "name"), [_ordered(t) for t in theory], {"units": "threshold"}),
            "theory_variances": (("grid", "kind", "population"), [_from_state(t) for t in theory]),
            "limit": (("kind", "population"), np.array([limit.s, limit.beta])),
            "size": ("K", [net.size for net in nets]),
            "graphs": ("K", [net.graphs for net in nets]),
        },
        coords={
            "K": K,
            "grid": grid,
            "name": WEIGHTS,
            "population": POPULATIONS,
            "state": ["held", "free"],
            "moment": ["mean", "sd"],
            "kind": ["temporal", "quenched"],
        },
    )


def _theory(K: float) -> NetworkEquilibrium:
    """The homeostatic fixed point with in-degrees that vary by K (1 - K/N)."""
    net = Net(K=round(K), size=round(K / SHARE), days=1)
    found = network_equilibrium(net.circuit())
    assert isinstance(found, NetworkEquilibrium)
    return found


def _free(net: Net) -> Circuit:
    """The network with the weights of the balanced limit, and no rules."""
    return net.circuit().with_rules(())


def _ordered(found: NetworkEquilibrium) -> list[float]:
    return [float(found.weights[found.names.index(name)]) for name in WEIGHTS]


def _from_state(found: NetworkEquilibrium) -> list[list[float]]:
    return [[p.sigma**2 for p in found.state.populations], [p.beta for p in found.state.populations]]


def _variances(nets: tuple[Net, ...], sizes: Array, rates: Array) -> Array:
    """K sum J^2 r, and sum J^2 D, D = K (1 - K/N) q or K r^2 of the source, by rates of the spikes (net, 2, post)."""
    J = np.array([[[row[WEIGHTS.index(f"J_{a}{b}")] for b in "EIX"] for a in POPULATIONS] for row in sizes])
    K, kept = np.array([[net.K, 1.0 - net.K / net.size] for net in nets]).T
    r = np.append(rates[:, 0], np.full((len(nets), 1), RATE), axis=1)
    q = np.append(kept[:, None] * (rates**2).sum(1), np.full((len(nets), 1), RATE**2), axis=1)
    return np.stack([K[:, None] * np.einsum("nab,nb->na", J**2, x) for x in (r, q)], axis=1)


# --- claims -----------------------------------------------------------------------------------------------------------
def _exponents(K: np.ndarray, weight: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of log J on log K: the exponents -d log J/d log K, and their standard errors from those of J."""
    x = np.log(K) - np.log(K).mean()
    gain = x[:, None] / (x**2).sum()
    return -(gain * np.log(weight)).sum(0), np.sqrt((gain**2 * (error / weight) ** 2).sum(0))


def claims(data: "xr.Dataset") -> list[Claim]:
    """The scaling and its error, the rates, both variances, and how far the weights are from theory's."""
    K, weight, error = data["K"].values, data["weight"].values, data["weight_error"].values
    slope, uncertain = _exponents(K, weight, error)
    theory = np.exp([np.interp(np.log(K), np.log(data["grid"]), np.log(w)) for w in data["theory_weight"].values.T]).T
    expected, _ = _exponents(K, theory, error)
    shown = ", ".join(
        f"{n} {s:.3f} ± {1.96 * u:.3f} (theory {t:.3f})"
        for n, s, u, t in zip(data["name"].values, slope, uncertain, expected, strict=True)
        if n[-1] != "X"
    )
    off = data["window_rate"].values / RATE - 1.0
    free = data["rate"].sel(state="free", moment="mean").values / RATE - 1.0
    below = weight / theory - 1.0
    gaps = [data["variances"].sel(kind=k).values / data["limit"].sel(kind=k).values - 1.0 for k in data["kind"].values]
    spread = data["rate"].sel(state="held", moment="sd").values / data["rate"].sel(state="held", moment="mean").values
    return [
        Claim(
            "In spikes excitatory, external and inhibitory weights scale as K^-1/2, exponents within 0.15 as in theory",
            "Fig. 4A",
            f"exponents with 95 % intervals: {shown}",
            bool((np.abs(slope - 0.5) < 0.15).all()),
        ),
        Claim(
            "The population rates are held at every K",
            "Fig. 4B",
            f"within {100 * np.abs(off).max():.1f} % of 10 Hz; without homeostasis off by {_range(free[:, 0])} (E), "
            f"{_range(free[:, 1])} (I)",
            bool(np.abs(off).max() < 0.02),
        ),
        Claim(
            "Temporal and quenched variance of the input converge to the balanced limit, within 10 % at the largest K",
            "Fig. 4C-D",
            f"at K = {K[-1]} temporal {_range(gaps[0][-1])}, quenched {_range(gaps[1][-1])}, at K = {K[0]} "
            f"{_range(gaps[0][0])} and {_range(gaps[1][0])}: K/N stays {SHARE:g}, and so do correlations of inputs",
            bool((np.abs([gap[-1] for gap in gaps]) < 0.1).all()),
            expected=False,
        ),
        Claim(
            "Rates stay heterogeneous under population-wide homeostasis",
            "Sec. 2.4.2",
            f"SD over mean {spread.min():.2f} to {spread.max():.2f}",
            bool((spread > 0.5).all()),
        ),
        Claim(
            "The weights are those of white-noise theory at the same K, within 10 %",
            "theory against spikes",
            f"{_range(below[0])} at K = {K[0]}, {_range(below[-1])} at K = {K[-1]}: recurrent "
            "input is less noisy than theory takes it (spikes_asynchrony)",
            bool((np.abs(below) < 0.1).all()),
            expected=False,
        ),
    ]


def _range(values: np.ndarray) -> str:
    return f"{100 * values.min():+.0f} to {100 * values.max():+.0f} %"


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Weights, weights times the square root of K, rates and both variances over K; lines are theory, marks spikes."""
    weights, scaled, rates, variances = panels(
        canvas, "Weights", "Weights onto E, times $\\sqrt{K}$", "Rates", "Input variance"
    )
    root, curve = np.sqrt(data["K"]), np.sqrt(data["grid"])
    for name in ("J_EE", "J_EI", "J_IE", "J_II"):
        look = plotting.LOOK[name[-1].lower()]
        pale = 1.0 if name.startswith("J_E") else 0.4
        weights.plot(data["grid"], data["theory_weight"].sel(name=name), **look, lw=1.0, alpha=pale)
        weights.plot(
            data["K"], data["weight"].sel(name=name), "o" if pale == 1 else "s", ms=4, color=look["color"], alpha=pale
        )
        if pale == 1.0:
            value, error = (root * data[v].sel(name=name) for v in ("weight", "weight_error"))
            scaled.plot(data["grid"], curve * data["theory_weight"].sel(name=name), **look, lw=1.0)
            scaled.errorbar(data["K"], value, 1.96 * error, fmt="o", ms=4, lw=1.0, color=look["color"])
            scaled.axhline(1.0 if name == "J_EE" else 2.0, color=plotting.QUIET, lw=0.8, ls=":")
    weights.plot(data["grid"], 0.6 * data["grid"] ** -0.5, color=plotting.QUIET, lw=0.8)
    weights.text(0.03, 0.06, "grey: $K^{-1/2}$\npale: onto I", transform=weights.transAxes, va="bottom")
    weights.set(yscale="log", ylabel="weight (threshold)")
    scaled.set(ylabel=r"$\sqrt{K} J$ (threshold)", ylim=(0, None))
    scaled.text(
        0.97,
        0.97,
        "lines: theory\nmarks: spikes, 95 %\ndots: balanced limit",
        transform=scaled.transAxes,
        ha="right",
        va="top",
    )
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        color = plotting.LOOK[key]["color"]
        rates.plot(
            data["K"],
            data["window_rate"].sel(population=population),
            "o-",
            ms=4,
            lw=1,
            color=color,
            label=f"{population}, held",
        )
        free = data["rate"].sel(state="free", moment="mean", population=population)
        rates.plot(data["K"], free, "o:", ms=4, lw=1, mfc="white", color=color, label=f"{population}, free")
    rates.axhline(RATE, color=plotting.QUIET, lw=0.8, ls=":")
    rates.set(ylabel="rate (Hz)", ylim=(0, None))
    rates.legend()
    for kind, marker in (("temporal", "o"), ("quenched", "D")):
        for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
            at: dict[str, Any] = {"kind": kind, "population": population}
            look = plotting.LOOK[key]
            scale = float(data["limit"].sel(**at))
            variances.plot(data["grid"], data["theory_variances"].sel(**at) / scale, **look, lw=1.0)
            variances.plot(data["K"], data["variances"].sel(**at) / scale, marker, ms=4, color=look["color"])
    variances.axhline(1.0, color=plotting.QUIET, lw=0.8, ls=":")
    variances.text(
        0.97, 0.97, "circles: temporal\ndiamonds: quenched", transform=variances.transAxes, ha="right", va="top"
    )
    variances.set(ylabel="variance (balanced limit = 1)", ylim=(0, None))
    for ax in (weights, scaled, rates, variances):
        ax.set(xscale="log", xlabel="number of inputs $K$")
