"""Fig. 1 and Theorem 2: calcium moments against irregularity at fixed rate, and how far the claim reaches."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, renewal
from equipoise.model.calcium import Calcium
from equipoise.papers.calcium_homeostasis.common import RATE, SENSOR
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.results import SpikeTrains

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

SIMULATED_CV = np.array([0.1, 0.5, 1.0, 1.5, 2.0])
TRAINS, INTERVALS, SEED = 40, 20_000, 1


def compute() -> "xr.Dataset":
    """Theory on a grid of C_v, event-driven simulation of gamma trains at five, elasticities, and rate limits."""
    import xarray as xr

    cv = np.linspace(0.05, 2.0, 118)
    mean, second = renewal.calcium_moments(SENSOR, renewal.GammaISI(rate=RATE, cv=cv))
    simulated = np.array([_simulate(c, k) for k, c in enumerate(SIMULATED_CV)])
    buffering = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
    limits = [renewal.divergent_rate_limit(Calcium(tau=SENSOR.tau, buffering=a)) for a in buffering]
    at_one = renewal.calcium_sensitivities(SENSOR, renewal.GammaISI, rate=RATE, cv=1.0)
    elasticity = [[q.rate, q.cv] for q in (at_one.mean, at_one.second_moment, at_one.variance)]
    return xr.Dataset(
        {
            "mean": ("cv", mean, {"units": "uM"}),
            "second_moment": ("cv", second, {"units": "uM^2"}),
            "simulated": (("simulated_cv", "moment", "part"), simulated),
            "rate_limit": ("buffering", limits, {"units": "Hz"}),
            "elasticity": (("quantity", "of"), elasticity),
        },
        coords={
            "cv": cv, "simulated_cv": SIMULATED_CV, "moment": ["mean", "second_moment"], "part": ["value", "error"],
            "buffering": buffering, "quantity": ["mean", "second_moment", "variance"], "of": ["rate", "cv"],
        },
    )  # fmt: skip


def _simulate(cv: float, k: int) -> np.ndarray:
    """Mean over trains and its standard error, for both moments, shape (2, 2)."""
    rng = np.random.default_rng([SEED, k])
    law = renewal.GammaISI(rate=RATE, cv=cv)
    values = []
    for _ in range(TRAINS):
        times = np.cumsum(renewal.sample(law, INTERVALS, rng))
        train = SpikeTrains.single(times, t_start=0.0, t_stop=float(times[-1]))
        values.append([float(m[0]) for m in renewal.calcium_moments_of(SENSOR, train, discard=20 * SENSOR.tau)])
    array = np.array(values)
    return np.stack([array.mean(0), array.std(0, ddof=1) / np.sqrt(TRAINS)], axis=-1)


def claims(data: "xr.Dataset") -> list[Claim]:
    """Fig. 1, Theorem 2 and the sentence of the Discussion on rate."""
    mean, second = data["mean"].values, data["second_moment"].values
    z = _deviations(data)
    elasticity = data["elasticity"].sel(quantity="second_moment")
    limit = float(data["rate_limit"].sel(buffering=0.1))
    by_rate, by_cv = float(elasticity.sel(of="rate")), float(elasticity.sel(of="cv"))
    return [
        Claim("The calcium mean decreases with C_v at fixed rate", "Fig. 1A", _range(data, "mean", "µM"),
              bool((np.diff(mean) < 0).all())),
        Claim("The second moment rises with C_v at fixed rate", "Fig. 1B", _range(data, "second_moment", "µM²"),
              bool((np.diff(second) > 0).all())),
        Claim("Simulations confirm the theory (largest of 10 deviations below 3.5 standard errors)", "Fig. 1",
              f"largest deviation {np.abs(z).max():.2f} standard errors", bool(np.abs(z).max() < 3.5)),
        Claim("The balanced-buffering condition is met for physiologically small alpha (at any rate: none is named)",
              "Sec. 2.3.1, Theorem 2",
              f"at alpha = 0.1 it holds for every C_v in [0.2, 1.5] only up to {limit:.1f} Hz", not np.isfinite(limit),
              expected=False),
        Claim("The second moment is relatively insensitive to rate", "Discussion",
              f"log-sensitivity to rate {by_rate:.3f}, to C_v {by_cv:.3f}", by_rate < by_cv, expected=False),
    ]  # fmt: skip


def _deviations(data: "xr.Dataset") -> np.ndarray:
    law = renewal.GammaISI(rate=RATE, cv=data["simulated_cv"].values)
    theory = np.stack(renewal.calcium_moments(SENSOR, law), axis=-1)
    return (data["simulated"].sel(part="value").values - theory) / data["simulated"].sel(part="error").values


def _range(data: "xr.Dataset", name: str, unit: str) -> str:
    low, high = (float(data[name].interp(cv=c)) for c in (0.1, 2.0))
    return f"{low:.4f} to {high:.4f} {unit} from C_v = 0.1 to 2"


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Both moments against C_v with simulations, and the rate up to which the second one rises."""
    mean, second, limit = panels(canvas, "Calcium mean", "Second moment", "Reach of the claim")
    for ax, name, key in ((mean, "mean", "i"), (second, "second_moment", "e")):
        ax.plot(data["cv"], data[name], **plotting.LOOK[key], label="theory")
        dots = data["simulated"].sel(moment=name)
        ax.errorbar(
            data["simulated_cv"], dots.sel(part="value"), 2 * dots.sel(part="error"), fmt="o", ms=4,
            color=plotting.INK, label="simulation",
        )  # fmt: skip
        ax.set(xlabel="irregularity $C_v$", xlim=(0, 2.05))
    mean.set(ylabel=r"$\mu_\mathrm{Ca}$ (µM)", ylim=(0, 1.5))
    second.set(ylabel=r"$\nu_\mathrm{Ca}$ (µM²)", ylim=(0, 3))
    second.legend(loc="lower right")
    limit.plot(data["buffering"], data["rate_limit"], "o-", ms=4, color=plotting.INK)
    limit.set(xlabel=r"buffering $\alpha$", ylabel="highest rate where B holds (Hz)", yscale="log", xlim=(0, 0.55))
