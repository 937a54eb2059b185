"""The slow dynamics of the network of Fig. 4 over K: how fast homeostasis answers, and that fixed set points hold it.

The set points are those of the balanced limit, fixed, at every K. Two of six directions are neutral, since each
population's two excitatory weights obey the same rule; the figure shows the other four.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.dynamics import duration_text
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumHomeostasis, Scale
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import branch, network_set_points
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

FROM, TO = 1e6, 50.0
SCALES: tuple[Scale, ...] = ("absolute", "relative")
TAU = 1 * hour
STEP = 0.06


def compute() -> "xr.Dataset":
    """The homeostatic fixed point from K = 1e6 down to 50 at both scales, tau = 1 h for all weights."""
    import xarray as xr

    network = Circuit.example("balanced_network").infinite()
    targets = network_set_points(network, SENSOR)
    found: dict[Scale, xr.Dataset] = {}
    for scale in SCALES:
        rules = [
            AttachedRule(n, CalciumHomeostasis(SENSOR, t, tau_e=TAU, tau_i=TAU, scale=scale))
            for n, t in targets.items()
        ]
        circuit = network.with_rules(rules)
        data = branch(lambda K, circuit=circuit: circuit.scaled(K), FROM, TO, log=True, step=STEP)
        data = data.drop_dims(["special", "weight_name"]).rename(point=f"point_{scale}")
        order = np.argsort(-data["eigenvalue_real"].values, axis=1)  # slowest first
        for part in ("eigenvalue_real", "eigenvalue_imag"):
            data[part] = (data[part].dims, np.take_along_axis(data[part].values, order, axis=1))
        found[scale] = data.rename({name: f"{name}_{scale}" for name in data.data_vars}).drop_attrs()
    return xr.merge([found[scale] for scale in SCALES], compat="equals", join="exact")


def claims(data: "xr.Dataset") -> list[Claim]:
    """Stability at all K, and the speeds of the slow and fast pair."""
    stable = [bool(data[f"stable_{s}"].all()) for s in SCALES]
    points = sum(data[f"stable_{s}"].size for s in SCALES)
    slow = {s: -1.0 / data[f"eigenvalue_real_{s}"].values[:, 0] for s in SCALES}
    lnk = {s: np.log(data[f"parameter_{s}"].values) for s in SCALES}
    at = {s: float(np.exp(np.interp(np.log(1000.0), lnk[s][::-1], np.log(slow[s][::-1])))) for s in SCALES}
    exponent = float(np.diff(np.log(slow["absolute"][:2]))[0] / np.diff(lnk["absolute"][:2])[0])
    spread = float(slow["relative"].max() / slow["relative"].min())
    fast = data["eigenvalue_real_relative"].values
    ratio = fast[:, 2] / fast[:, 0]
    return [
        Claim("Networks with fixed asymptotic set points are stable at every K and both scales", "derived",
              f"all of {points} fixed points from K = 50 to 1e6" if all(stable) else "not all", all(stable)),
        Claim("tau = 1 h means minutes at absolute scale and a day at relative scale", "derived",
              f"slowest mode at K = 1000: {duration_text(at['absolute'])}, {duration_text(at['relative'])}",
              at["absolute"] < 1 * hour < 10 * hour < at["relative"]),
        Claim("Recovery times scale as K^-1/2 at absolute scale and not at all at relative scale", "derived",
              f"exponent {exponent:.3f} near K = 1e6; factor {spread:.2f} over all K",
              abs(exponent + 0.5) < 0.02 and spread < 1.5),
        Claim("Rates are corrected much faster than irregularity", "derived",
              f"the slower fast mode by a factor of {ratio.min():.0f} to {ratio.max():.0f}", bool(ratio.min() > 10)),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Recovery times of the four modes over K at both scales."""
    marks = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h", 86400: "1 day"}
    for ax, scale in zip(panels(canvas, "Absolute scale", "Relative scale"), SCALES, strict=True):
        times = -1.0 / data[f"eigenvalue_real_{scale}"]
        for mode in range(times.sizes["mode"]):
            color, dashes = plotting.INK if mode < 2 else plotting.QUIET, "-" if mode % 2 == 0 else (0, (4, 1.6))
            ax.plot(data[f"parameter_{scale}"], times.isel(mode=mode), color=color, ls=dashes)
        ax.set(xscale="log", yscale="log", xlabel="number of inputs $K$", ylim=(0.05, 4e5))
        ax.set_yticks(list(marks), list(marks.values()))
        ax.minorticks_off()
        ax.grid(axis="y")
        ax.text(0.97, 0.97, r"$\tau$ = 1 h for all weights", transform=ax.transAxes, ha="right", va="top")
        at = int(np.argmin(np.abs(np.log(data[f"parameter_{scale}"].values / 3e3))))
        for mode, word, color in ((1, "irregularity", plotting.INK), (3, "rates", plotting.QUIET)):
            ax.text(3e3, 0.45 * float(times[at, mode]), word, color=color, va="top", ha="right")
    canvas.axes[0].set_ylabel("recovery time")
