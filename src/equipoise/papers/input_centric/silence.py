"""Silence under reading B, what ends it, and what sensing excitatory drive alone would cost.

A silent cell's required input is its threshold, which B brings to h_set: for h_set >= 0 and no drive the cells then
never fire again, for h_set < 0 they restart. An external drive above h_set ends silence too; a smooth transfer function
does not, since what silent cells receive still lies below h_set.

Sensing s = W_EE E - kappa W_EI I in place of the required input is stable under A's sign for kappa < W_EE/(W_IE w),
where dE_ss/dtheta_I = -kappa w/(W_EE - kappa W_IE w) is zero (kappa = 0) or of the wrong sign.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.intrinsic_rules import DriveCentricThreshold, InputCentricThreshold
from equipoise.model.manipulations import During, TonicDrive
from equipoise.model.rate_neurons import RateNeuron, Softplus, ThresholdLinear
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TAU, SPAN = 2 * hour, 30 * hour
BLOCK = During(TonicDrive("E", -20.0), 4 * hour, 10 * hour)
"""Inhibition of E that silences the network for six hours."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A set point and what is done against silence: drive to E, and the neurons."""

    h_set: float
    drive: float = 0.0
    kind: type[RateNeuron] = ThresholdLinear
    width: float | None = None


CASES = {
    "$h_{set}$ = 9.8": Case(h_set=9.8),
    "$h_{set}$ = −1": Case(h_set=-1.0),
    "9.8, drive 12": Case(h_set=9.8, drive=12.0),
    "9.8, smooth curve": Case(h_set=9.8, kind=Softplus, width=2.0),
}
SILENT = 0.01
KAPPA = np.linspace(0.0, 1.6, 161)
DOTS = np.array([0.0, 0.2, 0.4, 0.6, 0.75, 0.9, 1.1, 1.4])
STEP = 1e-3
E, I = 5.0, 14.0  # noqa: E741


def compute() -> "xr.Dataset":
    """A day around six hours of silence, and the sensing of inhibition from none to more than all."""
    import xarray as xr

    times = np.linspace(0.0, SPAN, 181)
    paths = np.array([_day(case, times) for case in CASES.values()])
    found = np.array([_sensed(kappa) for kappa in DOTS])
    return xr.Dataset(
        {
            "day": (("case", "time"), paths, {"units": "Hz"}),
            "slope": ("kappa", _slope(KAPPA), {"units": "Hz per unit"}),
            "slope_found": ("dot", found[:, 0], {"units": "Hz per unit"}),
            "growth": ("dot", found[:, 1], {"units": "1/tau"}),
        },
        coords={"case": list(CASES), "time": ("time", times, {"units": "s"}), "kappa": KAPPA, "dot": DOTS},
    )  # fmt: skip


def _day(case: Case, times: np.ndarray) -> np.ndarray:
    """E [Hz] under reading B from its rest, silenced for a while."""
    pair = replace(PUBLISHED, drives=(case.drive, 0.0))
    held = pair.set_point(case.h_set)[0]
    pair = replace(pair, thresholds=(case.h_set - held / pair.gains[0], pair.thresholds[1]))
    more = {} if case.width is None else {"width": case.width}
    circuit = pair.circuit(case.kind, **more)
    rule = InputCentricThreshold("E", set_point=case.h_set, tau=TAU, reading="B")
    rest = rate.equilibrium(circuit, [rule], start=[held, pair.inhibition(held)])
    there = replace(pair, thresholds=(rest.values["threshold_E"], pair.thresholds[1]))
    path = rate.evolve(
        there.circuit(case.kind, **more), rules=[rule], duration=SPAN, start=rest.rates, schedule=[BLOCK], times=times
    )
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    return path["rate"].values[at, 0]


def _slope(kappa) -> np.ndarray:
    """dE_ss/dtheta_I = -kappa w/D_kappa with D_kappa = W_EE - kappa W_IE w."""
    W_EE, _, W_IE, _ = PUBLISHED.weights
    return -kappa * PUBLISHED.w / (W_EE - kappa * W_IE * PUBLISHED.w)


def _sensed(kappa: float) -> tuple[float, float]:
    """dE_ss/dtheta_I of the circuit [Hz per unit], and the slow eigenvalue [1/tau]."""
    W_EE, W_EI, _, _ = PUBLISHED.weights
    rule = DriveCentricThreshold("E", set_point=W_EE * E - kappa * W_EI * I, inhibition=kappa, tau=TAU)
    there = [
        rate.equilibrium(pair.circuit(), [rule], start=[E, I])
        for pair in (PUBLISHED, PUBLISHED.with_inhibition(threshold=PUBLISHED.thresholds[1] + STEP))
    ]
    growth = float(there[0].slow.eigenvalues.real.max()) * TAU
    return float(there[1].rates[0] - there[0].rates[0]) / STEP, growth


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Where silence is absorbing, what ends it, and what drive-centric sensing loses."""
    during = data["day"].sel(time=9 * hour, method="nearest").values
    before, last = data["day"].isel(time=0).values, data["day"].isel(time=-1).values
    slope, growth, kappa = data["slope_found"].values, data["growth"].values, data["dot"].values
    border = PUBLISHED.weights[0] / (PUBLISHED.weights[2] * PUBLISHED.w)
    stable = growth < 0.0
    error = np.abs(slope - _slope(kappa)).max()
    return [
        Claim("Silence is absorbing for h_set >= 0 without external drive", "derived",
              f"after six silent hours E stays at {last[0]:.2f} of {before[0]:.2f} Hz for h_set = 9.8: nothing reaches "
              "the threshold, which the rule has brought to h_set", last[0] < SILENT),
        Claim("Silence ends by itself for h_set < 0", "derived",
              f"E goes from {during[1]:.2f} Hz under the block back to {last[1]:.2f} of {before[1]:.2f} Hz",
              during[1] < SILENT and abs(last[1] / before[1] - 1.0) < 0.02),
        Claim("An external drive above h_set ends it too", "derived", f"{last[2]:.2f} of {before[2]:.2f} Hz",
              abs(last[2] / before[2] - 1.0) < 0.02),
        Claim("A smooth transfer function ends it", "derived",
              f"E ends at {last[3]:.1e} of {before[3]:.2f} Hz: nearly silent cells receive less than h_set, and B "
              "raises their threshold further", last[3] > SILENT, expected=False),
        Claim("Sensing excitatory drive alone is stable, and its set point depends on nothing inhibitory", "derived",
              f"dE_ss/dtheta_I = {slope[0]:+.1e} Hz per unit, slow eigenvalue {growth[0]:+.2f}/tau",
              abs(slope[0]) < 1e-6 and bool(stable[0])),
        Claim("Sensing part of the inhibition restores the effect of PV excitability on the set point", "derived",
              f"where it is stable (kappa < {border:.3f}) dE_ss/dtheta_I is zero or of the wrong sign: "
              f"{slope[stable].min():.2f} to {slope[stable].max():.2f} Hz per unit",
              bool((slope[stable] > 1e-6).any()), expected=False),
        Claim("Both follow the closed forms", "derived",
              f"dE_ss/dtheta_I within {error:.1e}; stable at {int(stable.sum())} of {kappa.size} kappa, all below "
              f"{border:.3f}", bool(error < 1e-3 and (stable == (kappa < border)).all())),
    ]  # fmt: skip


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates around the block, and the effect of inhibitory thresholds over kappa."""
    day, slope, growth = panels(canvas, "Silenced for six hours", "Inhibition sensed in part", "Its stability")
    _draw_day(day, data)
    border = PUBLISHED.weights[0] / (PUBLISHED.weights[2] * PUBLISHED.w)
    below, above = data["kappa"] < border, data["kappa"] > border
    for part, style in ((below, "-"), (above, ":")):
        slope.plot(data["kappa"][part], data["slope"][part], color=plotting.INK, ls=style)
    stable = data["growth"].values < 0.0
    for chosen, fill in ((stable, plotting.INK), (~stable, "white")):
        slope.plot(data["dot"][chosen], data["slope_found"][chosen], "o", mfc=fill, mec=plotting.INK, ms=5)
        growth.plot(data["dot"][chosen], data["growth"][chosen], "o", mfc=fill, mec=plotting.INK, ms=5)
    slope.set(xlabel=r"sensed part of inhibition $\kappa$", ylabel=r"$dE_{ss}/d\theta_I$ (Hz per unit)", ylim=(-4, 4))
    growth.set(xlabel=r"sensed part of inhibition $\kappa$", ylabel=r"slow eigenvalue $(1/\tau)$")
    slope.text(0.05, 0.6, "wrong sign or none\nwhere stable", color=plotting.INK, fontsize=8)
    for ax in (slope, growth):
        ax.axhline(0.0, color=plotting.QUIET, lw=0.8, zorder=0)
        ax.axvline(border, color=plotting.INK, lw=0.8, ls=":", zorder=0)


def _draw_day(ax: "Axes", data: "xr.Dataset") -> None:
    ax.axvspan(BLOCK.start / hour, BLOCK.stop / hour, color=plotting.GRID, lw=0)
    for k, case in enumerate(CASES):
        style = ("-", "--", "-.", (0, (5, 1)))[k]
        ax.plot(data["time"] / hour, data["day"].sel(case=case), color=plotting.EPOCHS[k], ls=style, label=case)
    ax.set(xlabel="time (h)", ylabel="rate of E (Hz)", xlim=(0, SPAN / hour))
    ax.legend(loc="upper left", bbox_to_anchor=(0.45, 0.62), fontsize=7.5)
