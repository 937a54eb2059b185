"""Fig. 4: a recurrent network under calcium homeostasis, from few to many inputs, beside the same network without it.

The paper prints neither its weights nor its K; the package's standard balanced network takes their place.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.circuit import AttachedRule, Circuit
from equipoise.model.homeostasis import CalciumHomeostasis
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import balanced_limit, mean_field, network_equilibrium, network_set_points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

K = np.geomspace(50, 1e6, 20)
POPULATIONS = ["E", "I"]


def compute() -> "xr.Dataset":
    """Homeostatic fixed points and free states at 20 K, their spectra, and the balanced limit."""
    import xarray as xr

    network = Circuit.example("balanced_network").infinite()
    limit = balanced_limit(network)
    targets = network_set_points(network, SENSOR)
    rules = [
        AttachedRule(n, CalciumHomeostasis(SENSOR, t, tau_e=1.0, tau_i=1.0, scale="absolute"))
        for n, t in targets.items()
    ]
    held, near = [], None
    for k in K[::-1]:  # from the balanced limit down, each from its neighbour
        near = network_equilibrium(network.scaled(float(k)).with_rules(rules), near=near)
        held.insert(0, near)
    free = [mean_field(network.scaled(float(k))) for k in K]
    states = [h.state for h in held]
    return xr.Dataset(
        {
            "weight": (("K", "name"), [h.weights for h in held], {"units": "threshold"}),
            "rate": (("K", "population"), [s.rates for s in states], {"units": "Hz"}),
            "free_rate": (("K", "population"), [s.rates for s in free], {"units": "Hz"}),
            "variance": (("K", "population"), [[p.sigma**2 for p in s.populations] for s in states]),
            "quenched": (("K", "population"), [[p.beta for p in s.populations] for s in states]),
            "rate_cv2": (("K", "population"), [[p.rate_cv2 for p in s.populations] for s in states]),
            "growth": ("K", [float(np.sort(h.spectrum.eigenvalues.real)[-3]) for h in held]),
            "zero_modes": ("K", [len(h.spectrum.zero_modes) for h in held]),
            "limit": (("quantity", "population"), np.array([limit.rates, limit.s, limit.beta])),
        },
        coords={
            "K": K,
            "name": list(held[0].names),
            "population": POPULATIONS,
            "quantity": ["rate", "variance", "quenched"],
        },
    )


def claims(data: "xr.Dataset") -> list[Claim]:
    """The scaling, the rates, both variances, and the stability of fixed set points."""
    exponent = -np.gradient(np.log(data["weight"].values), np.log(K), axis=0)[:-1]  # the last is one-sided
    off = np.abs(exponent - 0.5).max(1)
    held = float(np.abs(data["rate"] / 10.0 - 1).max())
    at = data["free_rate"].interp(K=400.0).values / 10.0 - 1

    def gaps(name: str) -> tuple[float, float]:
        gap = np.abs(data[name].values / data["limit"].sel(quantity=name).values - 1).max(1)
        return float(gap[0]), float(gap[-1])

    variance, quenched = gaps("variance"), gaps("quenched")
    stable, zero = bool((data["growth"] < 0).all()), data["zero_modes"].values
    return [
        Claim("Excitatory, external and inhibitory weights scale as K^-1/2", "Fig. 4A",
              f"largest deviation of the exponents from 0.5: {off[0]:.2f} at K = 50, {off[-1]:.4f} near 1e6, falling",
              bool(off[-1] < 0.005 and (np.diff(off[8:]) < 0).all())),
        Claim("The population rates converge to their large-K values", "Fig. 4B",
              f"within {100 * held:.2f} % of 10 Hz at every K from 50 to 1e6", held < 0.02),
        Claim("Without homeostasis finite K misses the balanced rates", "derived",
              f"at K = 400 by {100 * at[0]:+.0f} % (E) and {100 * at[1]:+.0f} % (I)", bool((at > 0.1).all())),
        Claim("The temporal variance of the input matches the balanced limit", "Fig. 4C",
              f"off by {100 * variance[0]:.1f} % at K = 50, {100 * variance[1]:.2f} % at K = 1e6", variance[1] < 0.01),
        Claim("The variance due to quenched disorder matches the balanced limit", "Fig. 4D",
              f"off by {100 * quenched[0]:.1f} % at K = 50, {100 * quenched[1]:.2f} % at K = 1e6", quenched[1] < 0.01),
        Claim("Rates stay heterogeneous under population-wide homeostasis", "Sec. 2.4.2",
              f"CV^2 of the rates {float(data['rate_cv2'].min()):.2f} to {float(data['rate_cv2'].max()):.2f}",
              bool((data["rate_cv2"] > 0.1).all())),
        Claim("Fixed asymptotic set points may destabilise finite networks", "Discussion",
              "every fixed point from K = 50 to 1e6 is stable", not stable, expected=False),
        Claim("Six weights meet four constraints: two neutral directions", "derived",
              f"{zero.min()} to {zero.max()} zero modes", bool((zero == 2).all())),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Weights, rates, temporal and quenched variance against K."""
    weights, rates, variance, quenched = panels(canvas, "Weights", "Rates", "Temporal variance", "Quenched variance")
    for name in data["name"].values:
        look = plotting.LOOK["i" if name.endswith("I") else "e"]
        weights.plot(data["K"], data["weight"].sel(name=name), **look, alpha=0.9 if name.startswith("J_E") else 0.45)
    weights.plot(data["K"], 3.5 * data["K"] ** -0.5, color=plotting.QUIET, lw=0.8)
    weights.set(yscale="log", ylabel="weight (threshold)")
    weights.text(0.97, 0.95, "grey: $K^{-1/2}$\npale: onto I", transform=weights.transAxes, ha="right", va="top")
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        look = plotting.LOOK[key]
        rates.plot(data["K"], data["rate"].sel(population=population), **look, label=f"{population}, held")
        rates.plot(
            data["K"], data["free_rate"].sel(population=population), **look, alpha=0.35, label=f"{population}, free"
        )
        for ax, name in ((variance, "variance"), (quenched, "quenched")):
            ax.plot(data["K"], data[name].sel(population=population), **look)
            at = float(data["limit"].sel(quantity=name, population=population))
            ax.axhline(at, color=plotting.QUIET, lw=0.8, ls=":")
    rates.set(ylabel="rate (Hz)", ylim=(0, None))
    rates.legend()
    variance.set(ylabel=r"$\sigma^2$ (threshold$^2$/s)", ylim=(0, None))
    quenched.set(ylabel=r"Var($\Delta\mu$) (threshold$^2$/s$^2$)", ylim=(0, None))
    for ax in (weights, rates, variance, quenched):
        ax.set(xscale="log", xlabel="number of inputs $K$")
