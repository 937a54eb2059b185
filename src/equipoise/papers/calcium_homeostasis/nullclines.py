"""Fig. 2: nullclines of the closed loop in input space and in activity space (PIF)."""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import dynamics, plotting, renewal
from equipoise.model.homeostasis import CalciumMean, CalciumSecondMoment, targets_of
from equipoise.papers.calcium_homeostasis.common import PIF_NEURON, RATE, SENSOR, driven, rule
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import equilibrium, resolve, sensing, stability

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

CV = 0.8


def compute() -> "xr.Dataset":
    """Both nullclines as curves (mu, sigma), the firing along them, and the fixed point."""
    import xarray as xr

    sigma = np.linspace(8.0, 40.0, 129)
    mean, second = targets_of(resolve(driven(), rule(CV)).target)  # type: ignore[attr-defined]
    point = equilibrium(driven(), rule(CV))
    curves: dict[str, Any] = {}
    for name, sense, target in (("i", CalciumMean(SENSOR), mean), ("e", CalciumSecondMoment(SENSOR), second)):
        mu = _nullcline(sense, target, sigma, point.mu)
        curves[f"mu_{name}"] = ("sigma", mu, {"units": "V/s"})
        curves[f"rate_{name}"] = ("sigma", renewal.rate(PIF_NEURON, mu=mu, sigma=sigma), {"units": "Hz"})
        curves[f"cv_{name}"] = ("sigma", renewal.cv(PIF_NEURON, mu=mu, sigma=sigma))
    fixed: dict[str, Any] = {"point": ("entry", [point.mu, point.sigma, point.rate, point.cv])}
    spectrum = stability(driven(), rule(CV), at=point)
    fixed["recovery_times"] = ("mode", spectrum.recovery_times, {"units": "s"})
    return xr.Dataset(curves | fixed, coords={"sigma": sigma, "entry": ["mu", "sigma", "rate", "cv"]})


def _nullcline(sense, target: float, sigma: np.ndarray, mu_start: float) -> np.ndarray:
    """mu at which the sensed moment meets its target, for each sigma, each start from the neighbour."""
    start = int(np.argmin(np.abs(sigma - 22.8)))
    mu = np.empty_like(sigma)
    for indices in (range(start, sigma.size), range(start, -1, -1)):
        guess = mu_start
        for k in indices:
            guess = mu[k] = _root(sense, target, float(sigma[k]), guess)
    return mu


def _root(sense, target: float, sigma: float, guess: float) -> float:
    found = dynamics.fixed_point(
        lambda x: np.array([sensing.value(sense, PIF_NEURON, x[0], sigma**2) / target - 1.0]),
        lambda x: np.array([[sensing.gradient(sense, PIF_NEURON, x[0], sigma**2)[0] / target]]),
        np.array([guess]),
    )
    return float(found.x[0])


def claims(data: "xr.Dataset") -> list[Claim]:
    """One crossing, at the target activity, stable."""
    gap = data["mu_i"].values - data["mu_e"].values
    crossings = int((np.diff(np.sign(gap)) != 0).sum())
    rate, cv = float(data["point"].sel(entry="rate")), float(data["point"].sel(entry="cv"))
    slowest = data["recovery_times"].values
    return [
        Claim("The nullclines cross in one fixed point", "Fig. 2A", f"{crossings} crossing(s)", crossings == 1),
        Claim("The fixed point maps onto the target activity", "Fig. 2B", f"r = {rate:.6f} Hz, C_v = {cv:.6f}",
              abs(rate / RATE - 1) < 1e-9 and abs(cv / CV - 1) < 1e-9),
        Claim("The fixed point is stable", "Fig. 2, Theorem 3",
              f"recovery in {slowest[0] / 3600:.3g} h and {slowest[-1]:.3g} s", bool((slowest > 0).all())),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Nullclines in input space and in activity space."""
    space, activity = panels(canvas, "Input space", "Activity space")
    names = (("i", r"$\dot J_I = 0$ (mean)"), ("e", r"$\dot J_E = 0$ (second moment)"))
    for key, label in names:
        space.plot(data[f"mu_{key}"], data["sigma"], **plotting.LOOK[key], label=label)
        activity.plot(data[f"rate_{key}"], data[f"cv_{key}"], **plotting.LOOK[key])
    point = data["point"]
    space.plot(point.sel(entry="mu"), point.sel(entry="sigma"), "o", color=plotting.INK, zorder=5)
    activity.plot(
        point.sel(entry="rate"), point.sel(entry="cv"), "o", color=plotting.INK, zorder=5, label="fixed point"
    )
    space.set(xlabel=r"mean input $\mu$ (V/s)", ylabel=r"noise $\sigma$ (V/$\sqrt{\mathrm{s}}$)")
    activity.set(xlabel="rate (Hz)", ylabel="$C_v$", ylim=(0, 1))
    space.legend(loc="upper right")
    activity.legend(loc="lower right")
