"""Simple rate rules in an inhibition-stabilised network: what of "they become unstable" holds, and where.

A rate set point on the threshold of E alone is stable wherever the fast dynamics is, dE/dtheta_E = -G. One on E and one
on I have a slow matrix of determinant > 0 and trace proportional to -g_E/tau_E - gamma (1 - g_E W_EE)/tau_I: in an ISN
they are stable if and only if I is slower by tau_I/tau_E > gamma (W_EE - 1/g_E) (at equal movement per Hz).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.intrinsic_rules import OutputCentricThreshold
from equipoise.model.slow_variables import SlowRule
from equipoise.model.synaptic_rules import HomeostaticWeights, SynapticScaling
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, Pair
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

E, I = 5.0, 14.0  # noqa: E741
TAU = 1 * hour
KINDS = ("rate of E, threshold", "rates of both, thresholds", "rates of both, weights", "rates of both, scaling")
RECURRENCE = np.concatenate([np.linspace(0.2, 0.9, 8), np.linspace(1.0, 5.6, 24)])
RATIO = np.geomspace(0.3, 30.0, 25)
KICK, SPAN = 1.0, 34 * hour
SHOWN_RATIOS = {"both, equally fast": 1.0, "both, I five times slower": 5.0}


def compute() -> "xr.Dataset":
    """Growth rates over W_EE at equal speeds and over tau_I/tau_E, and trajectories after a disturbance."""
    import xarray as xr

    times = np.linspace(0.0, SPAN, 241)
    paths = [_path(KINDS[0], 1.0, times), *(_path(KINDS[1], ratio, times) for ratio in SHOWN_RATIOS.values())]
    return xr.Dataset(
        {
            "growth": (("kind", "w_ee"), [[_growth(_same_rates(w), k, 1.0) for w in RECURRENCE] for k in KINDS]),
            "by_ratio": (("kind", "ratio"), [[_growth(PUBLISHED, k, x) for x in RATIO] for k in KINDS]),
            "path": (("case", "time", "population"), paths, {"units": "Hz"}),
        },
        coords={
            "kind": list(KINDS), "w_ee": RECURRENCE, "ratio": RATIO, "time": ("time", times, {"units": "s"}),
            "case": ["E alone", *SHOWN_RATIOS],
            "population": ["E", "I"],
        },
    )  # fmt: skip


def _same_rates(w_ee: float) -> Pair:
    """The published pair with another W_EE; a current to E keeps its rates."""
    return replace(PUBLISHED, weights=(w_ee, *PUBLISHED.weights[1:]), drives=(E * (PUBLISHED.weights[0] - w_ee), 0.0))


def _rules(kind: str, ratio: float) -> Sequence[SlowRule]:
    """The rules of a kind, those of I `ratio` times slower; all move the inputs by comparable amounts per Hz."""
    if kind == KINDS[0]:
        return [OutputCentricThreshold("E", rate=E, span=E, tau=TAU)]
    if kind == KINDS[1]:
        slow = OutputCentricThreshold("I", rate=I, span=I, tau=ratio * TAU)
        return [OutputCentricThreshold("E", rate=E, span=E, tau=TAU), slow]
    rule = HomeostaticWeights if kind == KINDS[2] else SynapticScaling
    speed = 1.0 / TAU / ((E**2 + I**2) if kind == KINDS[2] else (E + I))
    return [rule("E", rate=E, speed=speed), rule("I", rate=I, speed=speed / ratio)]


def _growth(pair: Pair, kind: str, ratio: float) -> float:
    """Largest real part of the slow spectrum [1/tau], the zeros that weight rules always have left out."""
    slow = rate.equilibrium(pair.circuit(), _rules(kind, ratio), start=[E, I]).slow.eigenvalues
    moving = slow[np.argsort(-np.abs(slow))][:2]
    return float(moving.real.max() * TAU)


def _path(kind: str, ratio: float, times: np.ndarray) -> np.ndarray:
    """Rates (time, population) after a disturbance of theta_E; the last ones go on where the path ends."""
    start = replace(PUBLISHED, thresholds=(PUBLISHED.thresholds[0] + KICK, PUBLISHED.thresholds[1]))
    path = rate.evolve(start.circuit(), rules=_rules(kind, ratio), duration=SPAN, start=start.rates, times=times)
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    return path["rate"].values[at]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Which simple rules fail in an ISN, and which do not."""
    growth, w = data["growth"], data["w_ee"].values
    at = {kind: float(data["by_ratio"].sel(kind=kind).interp(ratio=1.0)) for kind in KINDS}
    turn = {kind: _crossing(w, growth.sel(kind=kind).values) for kind in KINDS[1:]}
    border = _crossing(np.log(RATIO), -data["by_ratio"].sel(kind=KINDS[1]).values)
    theory = PUBLISHED.gamma * (PUBLISHED.weights[0] - 1.0 / PUBLISHED.gains[0])
    theory_turn = 1.0 / PUBLISHED.gains[0] + 1.0 / PUBLISHED.gamma
    late = {
        str(c): float(np.abs(data["path"].sel(case=c, population="E")[-60:] - E).max()) for c in data["case"].values
    }
    isn = growth.sel(kind=KINDS[0]).values
    return [
        Claim("Simple homeostatic rules tend to become unstable in strongly coupled circuits", "note, introduction",
              "on both populations at equal speeds: " + "; ".join(f"{k} {at[k]:+.2f}/tau" for k in KINDS[1:]),
              all(at[k] > 0.0 for k in KINDS[1:])),
        Claim("A rate set point on E alone is unstable in an ISN", "note, introduction",
              f"its slow eigenvalue is {at[KINDS[0]]:+.3f}/tau, negative from W_EE = {w[0]:g} to {w[-1]:g}",
              bool((isn > 0.0).any()), expected=False),
        Claim("Thresholds on both rates fail beyond W_EE g_E = 1 + g_E/gamma, inside the ISN regime", "derived",
              f"W_EE = {turn[KINDS[1]]:.3f}, closed form {theory_turn:.3f} (ISN from 1 on)",
              abs(turn[KINDS[1]] - theory_turn) < 0.03),
        Claim("They are stable again once I is slower by gamma (W_EE - 1/g_E)", "derived",
              f"border at tau_I/tau_E = {np.exp(border):.3f}, closed form {theory:.3f}; E ends within "
              f"{late['both, I five times slower']:.1e} Hz at 5",
              abs(np.exp(border) / theory - 1.0) < 0.02 and late["both, I five times slower"] < 0.05),
        Claim("At equal speeds the rates leave the set point", "derived",
              f"E strays by {late['both, equally fast']:.1f} Hz late on; under E alone by {late['E alone']:.0e} Hz",
              late["both, equally fast"] > 2.0 and late["E alone"] < 1e-3),
    ]  # fmt: skip


def _crossing(x: np.ndarray, y: np.ndarray) -> float:
    """Where y first turns positive."""
    k = int(np.argmax(y > 0.0))
    return float(np.interp(0.0, y[k - 1 : k + 1], x[k - 1 : k + 1]))


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Growth over recurrence and over the ratio of speeds, and trajectories."""
    growth, ratio, path = panels(canvas, "At equal speeds", "In the published ISN", "Rate of E after a disturbance")
    for k, kind in enumerate(KINDS):
        look: dict = {"color": plotting.EPOCHS[k], "ls": ("-", "--", "-.", ":")[k]}
        growth.plot(data["w_ee"], data["growth"].sel(kind=kind), label=kind, **look)
        ratio.plot(data["ratio"], data["by_ratio"].sel(kind=kind), **look)
    for ax in (growth, ratio):
        ax.axhline(0.0, color=plotting.QUIET, lw=0.8)
        ax.set_ylabel(r"largest Re(eigenvalue) $(1/\tau)$")
    growth.axvline(1.0, color=plotting.INK, lw=0.8, ls=":")
    growth.text(1.1, growth.get_ylim()[0], "ISN", va="bottom", color=plotting.INK)
    growth.set(xlabel="$W_{EE}\\, g_E$")
    growth.legend(loc="upper left", fontsize=7.5)
    ratio.set(xscale="log", ylim=(-1, 4), xlabel=r"$\tau_I / \tau_E$ of the rules")
    _draw_paths(path, data)


def _draw_paths(ax: "Axes", data: "xr.Dataset") -> None:
    for k, case in enumerate(data["case"].values):
        values = data["path"].sel(case=case, population="E")
        colour = (plotting.EPOCHS[0], *plotting.EPOCHS[3:])[k]
        ax.plot(data["time"] / hour, values, color=colour, ls=("-", "--", "-.")[k], label=case)
    ax.set(xlabel="time (h)", ylabel="rate of E (Hz)", xlim=(0, SPAN / hour), ylim=(0, 16))
    ax.legend(loc="upper right", fontsize=7.5)
