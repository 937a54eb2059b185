"""Fig. 3: equilibrium weights against the number of inputs K, and the local scaling exponent."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.papers.calcium_homeostasis.common import driven, rule
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import equilibrium, evolve, feasibility
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

TARGETS = (0.5, 0.8, 0.9)
EVOLVED = (50, 200, 1000)


def compute() -> "xr.Dataset":
    """Weights for K from 30 to 1e6 and three C_v*, exponents, K_min, and end points of trajectories at three K."""
    import xarray as xr

    K = np.geomspace(30, 1e6, 55)
    points = [[equilibrium(driven(float(k)), rule(c)) for k in K] for c in TARGETS]
    weights = np.array([[[p.j_e, p.j_i] for p in row] for row in points])
    exponent = -np.gradient(np.log(weights), np.log(K), axis=1, edge_order=2)
    limits = [feasibility(driven(), rule(c)) for c in TARGETS]
    evolved = [_evolved(k) for k in EVOLVED]
    return xr.Dataset(
        {
            "weight": (("cv", "K", "synapse"), weights, {"units": "V"}),
            "exponent": (("cv", "K", "synapse"), exponent),
            "K_min": ("cv", [f.K_min for f in limits]),
            "mu": ("cv", [f.mu for f in limits], {"units": "V/s"}),
            "sigma": ("cv", [f.sigma for f in limits], {"units": "V/sqrt(s)"}),
            "evolved": (("evolved_K", "synapse"), evolved, {"units": "V"}),
        },
        coords={"cv": list(TARGETS), "K": K, "synapse": ["e", "i"], "evolved_K": list(EVOLVED)},
    )


def _evolved(K: int) -> list[float]:
    """Weights after the slow dynamics has run from a disturbed start to its end."""
    cell = driven(K)
    point = equilibrium(cell, rule())
    path = evolve(cell, rule(), duration=20000 * hour, start=np.array([0.7 * point.j_e, 1.2 * point.j_i]))
    return [float(path["j_e"][-1]), float(path["j_i"][-1])]


def claims(data: "xr.Dataset") -> list[Claim]:
    """The scaling, its exponents, and the agreement of dynamics and closed form."""
    exponent = data["exponent"].sel(cv=0.8)
    last = exponent.isel(K=-2).values
    both = data["exponent"].interp(K=100.0).values
    exact = np.array([[*_closed(k)] for k in EVOLVED])
    error = np.abs(data["evolved"].values / exact - 1).max()
    above = [bool((row[0] > 0.5) != (row[1] > 0.5)) for row in both]
    return [
        Claim("Weights decrease with K", "Fig. 3A", "both, at all K and C_v*",
              bool((np.diff(data["weight"].values, axis=1) < 0).all())),
        Claim("Both exponents converge to 0.5", "Fig. 3B", f"{last[0]:.4f} (E) and {last[1]:.4f} (I) at K = 1e6",
              bool(np.abs(last - 0.5).max() < 2e-3)),
        Claim("One exponent approaches 0.5 from above, the other from below", "Eqs. 30-31",
              "at K = 100: " + ", ".join(f"C_v* {c}: {e:.3f}/{i:.3f}" for c, (e, i) in zip(TARGETS, both, strict=True)),
              all(above)),
        Claim("The slow dynamics ends at the closed-form weights", "Fig. 3, Eqs. 23-24, 30-31",
              f"largest relative difference {error:.1e} at K = 50, 200, 1000", bool(error < 1e-6)),
    ]  # fmt: skip


def _closed(K: int) -> tuple[float, float]:
    point = equilibrium(driven(K), rule())
    return point.j_e, point.j_i


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Weights and local exponents against K."""
    weights, exponents = panels(canvas, "Equilibrium weights, $C_v^* = 0.8$", "Local exponent")
    for key, label in (("e", "$J_E$"), ("i", "$J_I$")):
        look = plotting.LOOK[key]
        weights.plot(data["K"], data["weight"].sel(cv=0.8, synapse=key), **look, label=label)
        weights.plot(data["evolved_K"], data["evolved"].sel(synapse=key), "o", mfc="none", color=look["color"])
        for cv, alpha in zip(TARGETS, (0.35, 1.0, 0.65), strict=True):
            exponents.plot(data["K"], data["exponent"].sel(cv=cv, synapse=key), **look, alpha=alpha)
    guide = 2.2 * data["K"] ** -0.5
    weights.plot(data["K"], guide, color=plotting.QUIET, lw=0.8)
    weights.text(
        float(data["K"][20]), float(guide[20]) * 0.8, r"$\propto K^{-1/2}$", color=plotting.QUIET, ha="right", va="top"
    )
    weights.set(xscale="log", yscale="log", xlabel="number of inputs $K$", ylabel="weight (V)")
    weights.legend()
    for cv, synapse in ((0.5, "e"), (0.5, "i"), (0.9, "e"), (0.9, "i")):
        at = data["exponent"].sel(cv=cv, synapse=synapse)
        exponents.text(26, float(at[0]), f"{cv}", va="center", ha="right", color=plotting.LOOK[synapse]["color"])
    exponents.text(0.97, 0.97, "numbers: $C_v^*$", transform=exponents.transAxes, ha="right", va="top")
    exponents.axhline(0.5, color=plotting.GRID, zorder=0)
    exponents.set(
        xscale="log", xlim=(10, None), xlabel="number of inputs $K$", ylabel=r"$\gamma = -d \log J / d \log K$"
    )
