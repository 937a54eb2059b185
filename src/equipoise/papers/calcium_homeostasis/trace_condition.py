"""Theorem 3 without its trace condition: one fixed point, stable or not as excitation is fast or slow."""

import math
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.papers.calcium_homeostasis.common import driven, rule
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import equilibrium, evolve, feasibility, stability

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

INPUTS, CV = 10, 0.9
SHOWN_K = (5.0, 10.0, 20.0, 50.0)
RATIOS = (1.0, 50.0)
DURATION = 60.0


def compute() -> "xr.Dataset":
    """Largest real part against tau_E/tau_I for four K, the critical ratios, and one cell at two ratios."""
    import xarray as xr

    ratio = np.geomspace(0.5, 200, 40)
    cells = [_two_speeds(r) for r in RATIOS]
    limits = [feasibility(driven(k), _rule(1.0)).max_tau_ratio for k in SHOWN_K]
    return xr.Dataset(
        {
            "growth": (("K", "ratio"), [[_growth(k, float(r)) for r in ratio] for k in SHOWN_K], {"units": "1/s"}),
            "max_ratio": ("K", [math.nan if limit is None else limit for limit in limits]),
            "path": (("tau_ratio", "variable", "time"), [c[0] for c in cells]),
            "eigenvalue": ("tau_ratio", [c[1] for c in cells], {"units": "1/s"}),
        },
        coords={
            "ratio": ratio, "K": list(SHOWN_K), "tau_ratio": list(RATIOS), "time": _times(),
            "variable": ["j_e", "j_i", "rate", "cv"],
        },
    )  # fmt: skip


def _times() -> np.ndarray:
    return np.linspace(0.0, DURATION, 241)


def _rule(ratio: float):
    """Absolute scale in the paper's units, tau_I = 1."""
    return rule(CV, tau_e=ratio, tau_i=1.0, scale="absolute")


def _two_speeds(ratio: float) -> tuple[np.ndarray, float]:
    cell = driven(INPUTS)
    point = equilibrium(cell, _rule(ratio))
    path = evolve(cell, _rule(ratio), duration=DURATION, start=point.state * [1.02, 0.99], times=_times())
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
    """The counter-example to unconditional stability, in the spectrum and in time."""
    equal, slow = (float(data["eigenvalue"].sel(tau_ratio=r)) for r in RATIOS)
    limit = float(data["max_ratio"].sel(K=INPUTS))
    rate = data["path"].sel(variable="rate")
    ends = [float(np.abs(rate.sel(tau_ratio=r) / 5.0 - 1)[-60:].max()) for r in RATIOS]
    return [
        Claim("A fixed point that meets the conditions of the theorem is stable", "Theorem 3",
              f"K = 10, C_v* = 0.9: largest Re(eigenvalue) {equal:+.3f}/s at tau_E/tau_I = 1, {slow:+.3f}/s at 50; "
              f"unstable above {limit:.3g}", slow < 0, expected=False),
        Claim("At equal speeds the same fixed point is stable", "derived", f"{equal:+.3f}/s", equal < 0),
        Claim("The trajectory leaves the unstable fixed point and returns to the stable one", "derived",
              f"largest late deviation of the rate {100 * ends[1]:.0f} % and {100 * ends[0]:.2g} %",
              ends[1] > 0.2 and ends[0] < 0.01),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Growth rate against the ratio of speeds, and two trajectories of the same cell."""
    growth, path = panels(canvas, "Largest real part", "After a 2 % disturbance, $K$ = 10")
    for k, alpha in zip(SHOWN_K, (0.3, 1.0, 0.7, 0.5), strict=True):
        growth.plot(data["ratio"], data["growth"].sel(K=k), color=plotting.INK, alpha=alpha)
        at = float(data["growth"].sel(K=k)[-1]) + {20.0: -0.012, 50.0: 0.008}.get(k, 0.0)  # keep labels apart
        growth.text(220, at, f"$K$ = {k:g}", va="center", color=plotting.INK, alpha=alpha)
    growth.axhline(0.0, color=plotting.QUIET, lw=0.8)
    growth.set(xscale="log", xlim=(0.5, 700), xlabel=r"$\tau_E / \tau_I$", ylabel="largest Re(eigenvalue) (1/s)")
    for ratio, colour in zip(RATIOS, (plotting.QUIET, plotting.INK), strict=True):
        values = data["path"].sel(tau_ratio=ratio, variable="rate")
        path.plot(data["time"], values, color=colour, label=rf"$\tau_E / \tau_I$ = {ratio:g}")
    path.set(xlabel=r"time (s), $\tau_I$ = 1 s at absolute scale", ylabel="rate (Hz)", yscale="log", ylim=(1, 1e4))
    path.legend()
