"""Sec. 2.2: the protein kinetics reduce to the calcium rules where calcium is far below K_M, and how they fail."""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import plotting, renewal
from equipoise.model.homeostasis import KineticHomeostasis
from equipoise.model.kinetics import Pathway, ProteinKinetics
from equipoise.papers.calcium_homeostasis.common import RATE, SENSOR, driven, rule
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.renewal import kinetics
from equipoise.theory import equilibrium
from equipoise.units import minute

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

HALF = np.geomspace(1.0, 1000.0, 13)
TRACE, SEED = 40.0, 3
CELLS_AT = np.geomspace(20.0, 2000.0, 11)


def proteins(half: float, gamma: float = 1 / minute) -> ProteinKinetics:
    """Both pathways half-saturated at `half` µM (the excitatory one at half^2 µM^2), with turnover rate `gamma`."""
    fast: dict[str, Any] = {"k_off": 499.0, "k_cat": 1.0, "substrate": 1.0, "gamma": gamma}
    return ProteinKinetics(
        inhibitory=Pathway(k_on=500.0 / half, **fast), excitatory=Pathway(order=2, k_on=500.0 / half**2, **fast)
    )


def compute() -> "xr.Dataset":
    """Saturation error of both pathways, a stiff trace beside its reductions, and the weights each K_M leads to."""
    import xarray as xr

    law = renewal.GammaISI(rate=RATE, cv=0.8)
    mean, second = renewal.calcium_moments(SENSOR, law)
    sensed = np.array([[_occupied(law, h, 1) / mean, _occupied(law, h**2, 2) / second] for h in HALF])
    weights = np.array([_weights(float(h)) for h in CELLS_AT])
    plain = equilibrium(driven(), rule())
    trace, reduced, linear = _traces(5.0)
    return xr.Dataset(
        {
            "sensed": (("half", "pathway"), sensed),
            "weights": (("cells_at", "quantity"), weights),
            "plain": ("quantity", [plain.j_e, plain.j_i, plain.rate, plain.cv]),
            "full": (("pathway", "time"), np.array([trace.p_i, trace.p_e])),
            "quasi_steady": (("pathway", "time"), np.array([reduced.p_i, reduced.p_e])),
            "linear": (("pathway", "time"), np.array([linear.p_i, linear.p_e])),
        },
        coords={
            "half": ("half", HALF, {"units": "uM"}), "pathway": ["inhibitory", "excitatory"],
            "cells_at": ("cells_at", CELLS_AT, {"units": "uM"}), "quantity": ["j_e", "j_i", "rate", "cv"],
            "time": ("time", trace.t, {"units": "s"}),
        },
    )  # fmt: skip


def _occupied(law, constant: float, order: int) -> float:
    """K <C^n/(K + C^n)>, which tends to <C^n> as K grows."""
    return constant * float(renewal.calcium_average(SENSOR, law, lambda c: c**order / (constant + c**order)))


def _weights(half: float) -> list[float]:
    """Equilibrium of the full kinetics at half-saturation `half`."""
    plain = rule()
    full = KineticHomeostasis(SENSOR, plain.target, tau_e=plain.tau_e, tau_i=plain.tau_i, proteins=proteins(half))
    point = equilibrium(driven(), full)
    return [point.j_e, point.j_i, point.rate, point.cv]


def _traces(half: float):
    """Proteins along one gamma train by the full stiff system, with instant binding, and far from saturation."""
    rng = np.random.default_rng(SEED)
    spikes = np.cumsum(renewal.sample(renewal.GammaISI(rate=RATE, cv=0.8), int(2 * TRACE * RATE), rng))
    spikes, grid = spikes[spikes < TRACE], np.linspace(0.0, TRACE, 801)
    chemistry = proteins(half, gamma=0.2)
    ways = (kinetics.integrate, kinetics.integrate_quasi_steady, kinetics.integrate_linear)
    return [way(chemistry, SENSOR, spikes, t_stop=TRACE, t=grid) for way in ways]


def claims(data: "xr.Dataset") -> list[Claim]:
    """The reduction is right where its condition holds, and first order in C/K_M."""
    error = 1 - data["sensed"].sel(pathway="inhibitory").values
    order = float(np.log(error[-2] / error[-1]) / np.log(HALF[-1] / HALF[-2]))
    weights = data["weights"]
    plain = data["plain"].values
    gap = float(np.abs(data["full"] / data["quasi_steady"] - 1)[:, 200:].max())
    saturated = float((data["quasi_steady"] / data["linear"])[:, 200:].sel(pathway="excitatory").mean())
    miss = weights.sel(quantity="j_e").values / plain[0] - 1
    closing = float(np.log(miss[-2] / miss[-1]) / np.log(CELLS_AT[-1] / CELLS_AT[-2]))
    small = float(1 - data["sensed"].sel(pathway="inhibitory").interp(half=50.0))
    fifty = weights.sel(cells_at=50.0, method="nearest").values
    return [
        Claim("For [Ca] << K_M the inhibitory protein follows the calcium mean", "Eq. 7",
              f"error {100 * error[-1]:.2f} % at K_M = 1 mM, falling as K_M^-{order:.2f}", abs(order - 1) < 0.02),
        Claim("Binding is at quasi-steady state", "Sec. 2.2",
              f"full and reduced proteins differ by at most {100 * gap:.2f} %", gap < 0.02),
        Claim("As K_M grows the full kinetics ends at the weights of the calcium rules", "Eqs. 10, 16",
              f"J_E {100 * miss[-1]:+.2f} % at K_M = 2 mM, falling as K_M^-{closing:.2f}",
              abs(closing - 1) < 0.05 and abs(miss[-1]) < 0.02),
        Claim("A K_M 38 times the calcium mean is not enough to hold C_v", "derived",
              f"at K_M = 50 µM the cell ends at {fifty[2]:.2f} Hz, C_v {fifty[3]:.2f} "
              f"instead of 0.8: the slow mode amplifies a saturation of {100 * small:.1f} %",
              abs(fifty[3] - 0.8) > 0.1),
        Claim("The reduction fails where calcium is comparable to K_M", "Sec. 2.2",
              f"at K_M = 5 µM P_E reaches {100 * saturated:.0f} % of its linear value",
              saturated < 0.95),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Saturation, a trace, and the cell it leads to."""
    saturation, trace, cell = panels(canvas, "Saturation", "Along one train, $K_M$ = 5 µM", "Where the cell ends")
    for pathway, key in (("inhibitory", "i"), ("excitatory", "e")):
        look = plotting.LOOK[key]
        saturation.plot(data["half"], data["sensed"].sel(pathway=pathway), label=pathway, **look)
        scale = float(data["linear"].sel(pathway=pathway).max())
        trace.plot(data["time"], data["linear"].sel(pathway=pathway) / scale, color=look["color"], lw=0.8, alpha=0.45)
        trace.plot(data["time"], data["full"].sel(pathway=pathway) / scale, **look)
    saturation.set(xscale="log", xlabel="half-saturation (µM)", ylabel="sensed / calcium moment", ylim=(0, 1.05))
    saturation.legend(loc="lower right")
    trace.set(xlabel="time (s)", ylabel="protein (1 = linear maximum)", ylim=(0, None))
    trace.text(0.98, 0.05, "pale: no saturation", transform=trace.transAxes, ha="right", color=plotting.QUIET)
    cell.axhline(1.0, color=plotting.GRID)
    cell.plot(data["cells_at"], data["weights"].sel(quantity="rate") / RATE, color=plotting.INK, label="rate")
    cell.plot(data["cells_at"], data["weights"].sel(quantity="cv") / 0.8, color=plotting.QUIET, ls="--", label="$C_v$")
    cell.set(xscale="log", xlabel="half-saturation (µM)", ylabel="relative to set point")
    cell.legend()
