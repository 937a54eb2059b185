"""Theorem 3 assumes signs for the derivatives of r and C_v; this maps where PIF, LIF and EIF have them."""

import math
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, renewal
from equipoise.papers.calcium_homeostasis.common import EIF_NEURON, LIF_NEURON, PIF_NEURON
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.renewal import threshold_integration
from equipoise.results import NumericalFailure, Status

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

NEURONS = {"PIF": PIF_NEURON, "LIF": LIF_NEURON, "EIF": EIF_NEURON}
CONDITIONS = ("dr/dmu > 0", "dr/dsigma >= 0", "dCv/dmu <= 0", "dCv/dsigma > 0", "orientation")
SIZE = 61
SLOWEST = 1e-2
"""Below this rate [Hz] the cell counts as silent: C_v is 1 to all digits and its derivatives have no sign left."""
SHADES = ("#B9BDC2", "#F2C9A1", "#9CC7E8", "#5B7FA6")
"""Neither; rate conditions only; irregularity conditions only; all four."""


def compute() -> "xr.Dataset":
    """Signs of the four derivatives and of d(r, C_v)/d(mu, sigma) on a grid of normalised input."""
    import xarray as xr

    mean, noise = np.linspace(-1.0, 2.0, SIZE), np.geomspace(0.05, 2.0, SIZE)
    signs = np.array([_signs(neuron, mean, noise) for neuron in NEURONS.values()])
    return xr.Dataset(
        {"holds": (("neuron", "condition", "mean", "noise"), signs)},
        coords={"neuron": list(NEURONS), "condition": list(CONDITIONS), "mean": mean, "noise": noise},
    )


def _signs(neuron, mean: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The conditions (5, mean, noise); input in units of the span from reset to threshold and of the membrane time."""
    span = neuron.v_threshold - neuron.v_reset if neuron is not EIF_NEURON else EIF_NEURON.v_onset - EIF_NEURON.v_reset
    time = getattr(neuron, "tau_m", 0.1)
    mu, sigma = np.meshgrid(mean * span / time, noise * span / math.sqrt(time), indexing="ij")
    rate, (r_mu, r_sigma), (c_mu, c_sigma) = _gradients(neuron, mu, sigma)
    signs = np.array([r_mu > 0, r_sigma >= 0, c_mu <= 0, c_sigma > 0, r_mu * c_sigma - r_sigma * c_mu > 0])
    return np.where(rate > SLOWEST, signs, np.nan)


def _gradients(neuron, mu: Array, sigma: Array) -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    """The rate and the gradients of its logarithm and of C_v; those of the EIF by one integration for all."""
    if neuron is not EIF_NEURON:
        r_slopes = renewal.log_rate_gradient(neuron, mu=mu, sigma=sigma)
        return renewal.rate(neuron, mu=mu, sigma=sigma), r_slopes, renewal.cv_gradient(neuron, mu=mu, sigma=sigma)
    found = threshold_integration.statistics(neuron, mu=mu, sigma=sigma)
    if not np.all(found.status == Status.OK):
        raise NumericalFailure(Status.NOT_CONVERGED, "theorem3: the rate of the EIF is not known everywhere.")
    return found.rate, found.log_rate_gradient, found.cv_gradient


def claims(data: "xr.Dataset") -> list[Claim]:
    """How much of the map, where the cell fires, meets each condition; and of its fluctuation-driven part."""
    share = data["holds"].mean(("mean", "noise"))
    below = data["holds"].where(data["mean"] < 1.0).sel(condition=list(CONDITIONS[:4]))
    met = below.min("condition", skipna=False).mean(("mean", "noise")).sel(neuron=["LIF", "EIF"])

    def text(values: "xr.DataArray") -> str:
        return (
            ", ".join(f"{n} {100 * float(v):.0f} %" for n, v in zip(values["neuron"].values, values, strict=True))
            + " of the map"
        )

    def condition(claim: str, source: str, name: str, neurons: tuple[str, ...], everywhere: bool) -> Claim:
        chosen = share.sel(condition=name, neuron=list(neurons))
        return Claim(claim, source, text(share.sel(condition=name)), bool(((chosen == 1.0) == everywhere).all()))

    every = tuple(NEURONS)
    return [
        Claim("Standard neurons meet the conditions of Theorem 3 in fluctuation-driven regimes", "Sec. 2.3.2",
              text(met) + " below threshold", bool((met == 1.0).all()), expected=False),
        condition("The rate grows with the mean input", "Eq. 29", "dr/dmu > 0", every, True),
        condition("The rate falls with the noise in part of the map of the EIF", "derived", "dr/dsigma >= 0",
                  ("EIF",), False),
        condition("C_v rises with the mean input in part of the map of LIF and EIF", "derived", "dCv/dmu <= 0",
                  ("LIF", "EIF"), False),
        condition("C_v falls with the noise in part of every map", "derived", "dCv/dsigma > 0", every, False),
        condition("(mu, sigma) -> (r, C_v) keeps its orientation, which is all the determinant needs", "derived",
                  "orientation", every, True),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Where the conditions of Theorem 3 hold, per neuron."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    axes = panels(canvas, *NEURONS)
    for ax, neuron in zip(axes, NEURONS, strict=True):
        holds = data["holds"].sel(neuron=neuron)
        rate = holds.sel(condition=list(CONDITIONS[:2])).all("condition").values.astype(int)
        irregularity = holds.sel(condition=list(CONDITIONS[2:4])).all("condition").values.astype(int)
        kind = np.where(np.isnan(holds.isel(condition=0)), np.nan, rate + 2 * irregularity)
        ax.pcolormesh(
            data["mean"], data["noise"], kind.T, cmap=ListedColormap(SHADES), vmin=-0.5, vmax=3.5,
            rasterized=True,
        )  # fmt: skip
        ax.set(yscale="log", xlabel="mean input (threshold distances)", ylabel="noise (threshold distances)")
        ax.axvline(1.0, color=plotting.INK, lw=0.8, ls=":")
    for ax in axes[1:]:
        ax.set_ylabel("")
    looks = {"silent": "white", "on rate only": SHADES[1], "on $C_v$ only": SHADES[2], "on both": SHADES[3]}
    looks |= {"neither": SHADES[0]}
    handles = [Patch(fc=c, ec=plotting.QUIET, label=t) for t, c in looks.items()]
    canvas.legend(handles=handles, loc="outside lower center", ncol=5, title="conditions of Theorem 3 hold")
