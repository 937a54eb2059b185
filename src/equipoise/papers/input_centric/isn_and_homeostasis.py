"""An inhibition-stabilised network finds *a* fixed point; whether homeostasis restores *the* set point is the rule's.

A lasting current X shifts the rates at once by the fast response, dE/dX_E = G and dI/dX_I = gamma (1 - g_E W_EE)/(1 -
g_E D), and over hours by the rule: a rate set point brings E back, the required input ends at dE/dX_E = -1/D, dE/dX_I =
w/D, and the excitatory drive at dE/dX_E = -1/W_EE, dE/dX_I = 0.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.intrinsic_rules import DriveCentricThreshold, InputCentricThreshold, OutputCentricThreshold
from equipoise.model.manipulations import During, TonicDrive
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, Pair
from equipoise.units import hour, ms

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

RULES = {
    "required input (B)": InputCentricThreshold("E", set_point=9.8, tau=3 * hour, reading="B"),
    "excitatory drive": DriveCentricThreshold("E", set_point=25.0, tau=3 * hour),
    "rate": OutputCentricThreshold("E", rate=5.0, span=10.0, tau=3 * hour),
}
"""Three rules that all rest at 5 and 14 Hz without current."""
NONE = "no rule"
CURRENT, BEGIN, SPAN = 1.0, 6 * hour, 48 * hour
RECURRENCE = np.linspace(0.2, 6.0, 59)
DOTS = np.array([0.5, 0.8, 1.5, 2.5, 4.0, 5.0])
FAST = 0.1
"""Seconds shown of the fast response, half of them before the current."""


def compute() -> "xr.Dataset":
    """The fast response over time and over W_EE, and two days under a current to E and to I for each rule."""
    import xarray as xr

    pulse = rate.simulate(
        PUBLISHED.circuit(), duration=FAST, start=[5.0, 14.0], schedule=[During(TonicDrive("I", CURRENT), FAST / 2)]
    )
    times = np.linspace(0.0, SPAN, 97)
    paths = np.array([[_days(rule, to, times) for rule in (None, *RULES.values())] for to in "EI"])
    return xr.Dataset(
        {
            "fast": (("moment", "population"), pulse["rate"].values, {"units": "Hz"}),
            "slope": ("w_ee", _paradox(_same_rates(RECURRENCE)), {"units": "Hz per unit"}),
            "slope_found": ("dot", [_response(w) for w in DOTS], {"units": "Hz per unit"}),
            "days": (("current_to", "rule", "time", "population"), paths, {"units": "Hz"}),
        },
        coords={
            "moment": pulse["time"].values, "population": ["E", "I"], "w_ee": RECURRENCE, "dot": DOTS,
            "current_to": ["E", "I"], "rule": [NONE, *RULES], "time": ("time", times, {"units": "s"}),
        },
    )  # fmt: skip


def _same_rates(w_ee) -> Pair:
    """The published pair with another W_EE; a current to E keeps its rates."""
    return replace(PUBLISHED, weights=(w_ee, *PUBLISHED.weights[1:]), drives=(5.0 * (PUBLISHED.weights[0] - w_ee), 0.0))


def _paradox(pair: Pair) -> np.ndarray:
    """dI/dX_I = gamma (1 - g_E W_EE)/(1 - g_E D)."""
    g = pair.gains[0]
    return pair.gamma * (1.0 - g * pair.weights[0]) / (1.0 - g * pair.D)


def _response(w_ee: float) -> float:
    """dI/dX_I of the circuit's fixed point."""
    state = rate.settle(_same_rates(w_ee).circuit(), start=[5.0, 14.0])
    return float(state.response.sel(population="I", stimulated="I"))


def _days(rule, to: str, times: np.ndarray) -> np.ndarray:
    """Rates (time, population) under a current from BEGIN on; a report at a jump is of what follows it."""
    circuit, during = PUBLISHED.circuit(), During(TonicDrive(to, CURRENT), BEGIN)
    if rule is None:
        driven = rate.settle(during.manipulation.apply(circuit), start=[5.0, 14.0]).rates
        return np.where((times >= BEGIN)[:, None], driven, [5.0, 14.0])
    path = rate.evolve(circuit, rules=[rule], duration=SPAN, start=[5.0, 14.0], schedule=[during], times=times)
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    return path["rate"].values[at]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """What the fast dynamics does, and which rule restores the set point."""
    p, last = PUBLISHED, data["days"].isel(time=-1)
    acute = data["days"].isel(time=int(np.searchsorted(data["time"], BEGIN)))
    E = last.sel(current_to="E", population="E") - 5.0
    I = last.sel(current_to="I")  # noqa: E741
    shift = float(acute.sel(current_to="E", rule=NONE, population="E")) - 5.0
    stays = float(E.sel(rule=NONE))
    rules = {name: float(E.sel(rule=name)) for name in RULES}
    expected = {"required input (B)": -1.0 / p.D, "excitatory drive": -1.0 / p.weights[0], "rate": 0.0}
    slope, found = data["slope"].values, data["slope_found"].values
    theory = _paradox(_same_rates(DOTS))
    turn = float(np.interp(0.0, -slope, RECURRENCE))
    net, fast = I.sel(rule="required input (B)").values, acute.sel(current_to="I", rule=NONE).values
    drive = I.sel(rule="excitatory drive").values
    return [
        Claim("An ISN under a lasting current settles at a new fixed point and stays there", "note, introduction",
              f"E shifts by {shift:+.4f} Hz at once (G X = {p.G * CURRENT:+.4f}) and by {stays:+.4f} Hz for good",
              abs(shift - p.G * CURRENT) < 1e-6 and abs(stays - shift) < 1e-9),
        Claim("A rate set point restores the rate under the current", "note, introduction",
              f"{rules['rate']:+.4f} Hz are left after {(SPAN - BEGIN) / hour:.0f} h", abs(rules["rate"]) < 0.01),
        Claim("Input-centric homeostasis restores the set point under a lasting current to E", "note, introduction",
              f"reading B enlarges the shift to {rules['required input (B)']:+.3f} Hz: the current is part of the "
              f"required input, dE/dX_E = -1/D = {-1 / p.D:+.3f}", abs(rules["required input (B)"]) < 0.01,
              expected=False),
        Claim("The slow responses to current are 0, -1/D and -1/W_EE", "derived",
              ", ".join(f"{name} {value:+.4f}" for name, value in rules.items()) + " Hz per unit",
              all(abs(rules[k] - v * CURRENT) < 0.01 for k, v in expected.items())),
        Claim("Recruited inhibition turns an excitatory push of the E population around", "note, introduction",
              f"E rises, dE/dX_E = {p.G:+.3f} > 0 wherever the network is stable; the paradox is in I, whose own drive "
              f"lowers it, dI/dX_I = {fast[1] - 14.0:+.3f}", shift < 0.0, expected=False),
        Claim("I is paradoxical if and only if the network is an ISN, W_EE g_E > 1", "note, introduction",
              f"dI/dX_I changes sign at W_EE g_E = {turn:.3f}; circuits within {np.abs(found - theory).max():.0e}",
              abs(turn - 1.0) < 1e-3 and bool(np.abs(found - theory).max() < 1e-6)),
        Claim("Under current to I the paradox lasts if required input is held, and ends if excitatory drive is",
              "derived", f"(E, I) from (5, 14) at once to ({fast[0]:.3f}, {fast[1]:.3f}), then to ({net[0]:.3f}, "
              f"{net[1]:.3f}) or ({drive[0]:.3f}, {drive[1]:.3f}) Hz",
              bool(np.allclose([*fast, *net, *drive], [4.708, 12.923, 4.437, 11.407, 5.0, 14.56], atol=2e-3))),
        Claim("One of these rules brings E back and keeps I low under current to I, as Dlx-Gq does",
              "note, constraints",
              "; ".join(f"{name}: E {v[0]:.2f}, I {v[1]:.2f}" for name, v in zip(RULES, I.values[1:], strict=True)),
              any(abs(v[0] - 5.0) < 0.05 and v[1] < 13.9 for v in I.values[1:]), expected=False),
    ]  # fmt: skip


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """The paradoxical response, where it is, and two days under either current."""
    fast, paradox, excited, inhibited = panels(
        canvas, "Current to I, fast", "The paradox marks an ISN", "Lasting current to E", "Lasting current to I"
    )
    for name in "EI":
        shift = data["fast"].sel(population=name) - data["fast"].sel(population=name)[0]
        fast.plot((data["moment"] - FAST / 2) / ms, shift, **plotting.LOOK[name.lower()], label=name)
    fast.axvline(0.0, color=plotting.QUIET, lw=0.8, ls=":")
    fast.set(xlabel="time after onset (ms)", ylabel="change of rate (Hz)", xlim=(-15, 50))
    fast.legend()
    paradox.plot(data["w_ee"], data["slope"], **plotting.LOOK["i"])
    paradox.plot(data["dot"], data["slope_found"], "o", color=plotting.INHIBITION, ms=5, mec="white", mew=0.6)
    paradox.axhline(0.0, color=plotting.QUIET, lw=0.8)
    paradox.axvline(1.0, color=plotting.INK, lw=0.8, ls=":")
    paradox.text(1.15, -1.5, "ISN", color=plotting.INK)
    paradox.set(xlabel="$W_{EE}\\, g_E$", ylabel="$dI/dX_I$ (Hz per unit)")
    _draw_days(excited, data, "E", "E")
    _draw_days(inhibited, data, "I", "I")
    excited.legend(loc="center right", bbox_to_anchor=(1.02, 0.42), fontsize=7.5, labelspacing=0.3)


def _draw_days(ax: "Axes", data: "xr.Dataset", to: str, shown: str) -> None:
    for k, rule in enumerate(data["rule"].values):
        values = data["days"].sel(current_to=to, rule=rule, population=shown)
        colour = plotting.QUIET if rule == NONE else plotting.EPOCHS[k - 1]
        ax.plot((data["time"] - BEGIN) / hour, values, color=colour, ls=("--", "-", "-.", "-")[k], label=rule)
    ax.axvline(0.0, color=plotting.QUIET, lw=0.8, ls=":")
    ax.set(xlabel="time under current (h)", ylabel=f"rate of {shown} (Hz)")
