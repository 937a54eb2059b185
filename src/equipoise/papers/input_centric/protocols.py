"""Days of baclofen, of chemogenetic drive of interneurons and of NMDAR block under four rules of the same pair."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.protocols import NMDARBlock
from equipoise.papers.framework import Claim
from equipoise.papers.input_centric.rules_compared import DAYS, RULES, E, I, pair, protocols
from equipoise.units import day

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

D = -1.08
SHOWN = ("input-centric B, threshold", "drive-centric", "output-centric", "cross-homeostasis")
_EDGES = np.cumsum(list(DAYS.values()))
_SOON = (_EDGES[:2, None] + np.geomspace(1.0, day, 40)).ravel()
GRID = np.unique(np.concatenate([np.linspace(0.0, _EDGES[-1], 100), _SOON]))
"""Times, dense after every change."""


def compute() -> "xr.Dataset":
    """Rates over days of each protocol under each rule, phases, set points, and the block without its excitability."""
    import xarray as xr

    rules = {one.name: one.rules(D) for one in RULES if one.name in SHOWN}
    outcomes = {
        name: [rate.perform(pair(D), p, rules=rules[name], start=[E, I], times=GRID) for p in protocols(D).values()]
        for name in SHOWN
    }
    each = ("rule", "protocol", "population")
    block = NMDARBlock(**DAYS).perturbed(pair(D))
    acute = rate.settle(block, start=[E, I]).rates
    held = rate.equilibrium(block, rules[SHOWN[0]], start=acute).rates
    return xr.Dataset(
        {
            "rate": ((*each[:2], "time", "population"), _gathered(outcomes, _path), {"units": "Hz"}),
            "set_point": (each, _gathered(outcomes, lambda o: o.set_points[1]), {"units": "Hz"}),
            **{
                phase: (each, _gathered(outcomes, lambda o, k=phase: getattr(o.phases, k)), {"units": "Hz"})
                for phase in ("acute", "chronic", "washout")
            },
            "block_alone": ("phase", [float(acute[0]), float(held[0])]),
        },
        coords={
            "rule": list(SHOWN), "protocol": list(protocols(D)), "population": ["E", "I"], "time": GRID,
            "phase": ["acute", "set point"],
        },
    )  # fmt: skip


def _gathered(outcomes, read) -> np.ndarray:
    return np.array([[read(o) for o in row] for row in outcomes.values()])


def _path(outcome: rate.Outcome) -> np.ndarray:
    """Rates on the common times (t, P)."""
    t, r = outcome.days["time"].values, outcome.days["rate"].values
    return np.array([np.interp(GRID, t, r[:, k]) for k in range(r.shape[1])]).T


def claims(data: "xr.Dataset") -> list[Claim]:
    """Paths end where the joint equilibria are, and what the block does by itself."""
    off = np.abs(data["chronic"].values / data["set_point"].values - 1.0).max()
    back = np.abs(data["washout"].values / np.array([E, I]) - 1.0).max()
    b = data.sel(rule=SHOWN[0])
    acute, held = data["block_alone"].values
    worse = (b["chronic"].sel(population="E") < b["acute"].sel(population="E")).values
    low = b["chronic"].sel(population="I", protocol="Dlx-Gq").item()
    return [
        Claim("After six days the rates are at the joint equilibrium of the perturbed pair", "derived",
              f"at most {100 * off:.1f} % away", bool(off < 0.05)),
        Claim("After washout all rates return", "derived", f"at most {100 * back:.1f} % away", bool(back < 0.05)),
        Claim("Under rule B the rule takes E further away from baseline in all three perturbations", "derived",
              "E from " + ", ".join(f"{a:.2f} to {c:.2f}" for a, c in zip(
                  b["acute"].sel(population="E").values, b["chronic"].sel(population="E").values, strict=True)) + " Hz",
              bool(worse.all())),
        Claim("Under rule B chronic drive of interneurons keeps them low", "pINT under Dlx-Gq", f"14 to {low:.2f} Hz",
              low < 0.95 * I),
        Claim("NMDAR block lowers the set point of E without a rise of PV excitability", "PV modulate set points",
              f"block alone: E 5 to {acute:.2f} Hz at once, set point {held:.2f} Hz", bool(held < E), expected=False),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """A row for each rule and a column for each protocol: E and I over days, the set points during the perturbation."""
    rules, kinds = data["rule"].values, data["protocol"].values
    axes = canvas.subplots(len(rules), len(kinds), sharex=True, sharey=True, squeeze=False)
    days = data["time"].values / day
    begin, end = DAYS["onset"] / day, (DAYS["onset"] + DAYS["duration"]) / day
    for i, rule in enumerate(rules):
        for j, kind in enumerate(kinds):
            ax, here = axes[i, j], data.sel(rule=rule, protocol=kind)
            ax.axvspan(begin, end, color=plotting.GRID, alpha=0.6, lw=0)
            for name in here["population"].values:
                look = plotting.LOOK[str(name).lower()]
                ax.plot(days, here["rate"].sel(population=name), **look, label=str(name))
                held = here["set_point"].sel(population=name).item()
                ax.plot([end], [held], marker="o", ms=4, color=look["color"], clip_on=False)
        axes[i, 0].set_ylabel(f"{rule.replace(', ', chr(10))}\nrate (Hz)")
    for j, kind in enumerate(kinds):
        axes[0, j].set_title(str(kind))
        axes[-1, j].set_xlabel("time (days)")
    axes[0, 0].legend(loc="upper right", ncols=2)
    axes[0, 0].set(ylim=(0.0, None), xlim=(0.0, days[-1]))
