"""Theorem 3: where the conditions on r and C_v hold for PIF, LIF and EIF, and where the trace condition fails."""

import math
from typing import TYPE_CHECKING

import numpy as np

from equipoise import renewal
from equipoise.papers.calcium_homeostasis.common import EIF_NEURON, LIF_NEURON, PIF_NEURON, driven, rule
from equipoise.papers.framework import Claim
from equipoise.theory import equilibrium, evolve, feasibility, stability

if TYPE_CHECKING:
    import xarray as xr

NEURONS = {"PIF": PIF_NEURON, "LIF": LIF_NEURON, "EIF": EIF_NEURON}
CONDITIONS = ("dr/dmu > 0", "dr/dsigma >= 0", "dCv/dmu <= 0", "dCv/dsigma > 0", "orientation")
SIZE = 41
UNSTABLE = {"K": 10, "cv": 0.9}
RATIOS = (1.0, 50.0)


def compute() -> "xr.Dataset":
    """Signs of the four derivatives and of d(r, C_v)/d(mu, s) on a grid of normalised input; two-speed trajectories."""
    import xarray as xr

    mean, noise = np.linspace(-1.0, 2.0, SIZE), np.geomspace(0.05, 2.0, SIZE)
    signs = np.array([_signs(neuron, mean, noise) for neuron in NEURONS.values()])
    cells = [_two_speeds(ratio) for ratio in RATIOS]
    ratio = np.geomspace(0.5, 200, 40)
    K = np.array([5.0, 10.0, 20.0, 50.0])
    growth = np.array([[_growth(k, float(x)) for x in ratio] for k in K])
    return xr.Dataset(
        {
            "holds": (("neuron", "condition", "mean", "noise"), signs),
            "path": (("tau_ratio", "variable", "time"), [c[0] for c in cells]),
            "eigenvalue": (("tau_ratio",), [c[1] for c in cells], {"units": "1/s"}),
            "growth": (("K", "ratio"), growth, {"units": "1/s"}),
            "max_ratio": (("K",), [feasibility(driven(k), rule(0.9, scale="absolute")).max_tau_ratio or 0.0 for k in K]),
        },
        coords={
            "neuron": list(NEURONS), "condition": list(CONDITIONS), "mean": mean, "noise": noise,
            "tau_ratio": list(RATIOS), "variable": ["j_e", "j_i", "rate", "cv"], "time": _times(), "ratio": ratio, "K": K,
        },
    )  # fmt: skip


def _signs(neuron, mean: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The conditions (5, mean, noise); input in units of the span from reset to threshold and of the membrane time."""
    span = neuron.v_threshold - neuron.v_reset if neuron is not EIF_NEURON else EIF_NEURON.v_onset - EIF_NEURON.v_reset
    time = getattr(neuron, "tau_m", 0.1)
    mu, sigma = np.meshgrid(mean * span / time, noise * span / math.sqrt(time), indexing="ij")
    r_mu, r_sigma = renewal.log_rate_gradient(neuron, mu=mu, sigma=sigma)
    c_mu, c_sigma = renewal.cv_gradient(neuron, mu=mu, sigma=sigma)
    return np.array([r_mu > 0, r_sigma >= 0, c_mu <= 0, c_sigma > 0, r_mu * c_sigma - r_sigma * c_mu > 0])


def _times() -> np.ndarray:
    return np.linspace(0.0, 60.0, 241)


def _rule(ratio: float):
    """Absolute scale in the paper's units, tau_I = 1."""
    return rule(UNSTABLE["cv"], tau_e=ratio, tau_i=1.0, scale="absolute")


def _two_speeds(ratio: float) -> tuple[np.ndarray, float]:
    cell = driven(UNSTABLE["K"])
    point = equilibrium(cell, _rule(ratio))
    path = evolve(cell, _rule(ratio), duration=60.0, start=point.state * [1.02, 0.99], times=_times())
    values = np.full((4, _times().size), np.nan)
    for k, name in enumerate(("j_e", "j_i", "rate", "cv")):
        values[k, : path.sizes["time"]] = path[name].values
    return values, float(np.max(stability(cell, _rule(ratio), at=point).eigenvalues.real))


def _growth(K: float, ratio: float) -> float:
    """Largest real part of the spectrum [1/s], or NaN where the weights are not positive."""
    point = equilibrium(driven(K), _rule(ratio))
    if min(point.state) <= 0.0:
        return math.nan
    return float(np.max(stability(driven(K), _rule(ratio), at=point).eigenvalues.real))


def claims(data: "xr.Dataset") -> list[Claim]:
    """How much of the map meets each condition, and the counter-example to unconditional stability."""
    share = data["holds"].mean(("mean", "noise"))

    def text(condition: str) -> str:
        return ", ".join(f"{n} {100 * float(share.sel(neuron=n, condition=condition)):.0f} %" for n in NEURONS)

    everywhere = lambda c: bool((share.sel(condition=c) == 1.0).all())  # noqa: E731
    slow, fast = (float(data["eigenvalue"].sel(tau_ratio=x)) for x in (50.0, 1.0))
    return [
        Claim("The rate grows with the mean input", "Theorem 3, Eq. 29", text("dr/dmu > 0"), everywhere("dr/dmu > 0")),
        Claim("The rate grows with the noise", "Theorem 3, Eq. 29", text("dr/dsigma >= 0"), everywhere("dr/dsigma >= 0"),
              expected=False),
        Claim("C_v falls with the mean input", "Theorem 3, Eq. 29", text("dCv/dmu <= 0"), everywhere("dCv/dmu <= 0"),
              expected=False),
        Claim("C_v grows with the noise", "Theorem 3, Eq. 29", text("dCv/dsigma > 0"), everywhere("dCv/dsigma > 0"),
              expected=False),
        Claim("The map (mu, sigma) -> (r, C_v) keeps its orientation: what the determinant needs", "derived",
              text("orientation"), everywhere("orientation")),
        Claim("A fixed point that meets the conditions is stable", "Theorem 3",
              f"K = 10, C_v* = 0.9: largest Re(eigenvalue) {fast:+.3f}/s at tau_E/tau_I = 1, {slow:+.3f}/s at 50",
              slow < 0, expected=False),
    ]  # fmt: skip
