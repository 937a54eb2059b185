"""The rules in a network of 80 E and 20 I units with random weights, each unit with its own two weights.

Cross-homeostasis senses the mean rate of the other population, the homeostatic term the unit's own rate: the first
holds the means and leaves units unequal, both together bring every unit to its set point.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.slow_variables import SlowRule
from equipoise.model.synaptic_rules import CrossHomeostasis, HomeostaticWeights
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED
from equipoise.rate import RateNetwork
from equipoise.units import second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SIZES = {"E": 80, "I": 20}
SET_POINTS = {"E": 5.0, "I": 14.0}
WEIGHTS = (4.6, PUBLISHED.weights[1], 10.4, PUBLISHED.weights[3])
"""Mean weights at the start, off those that hold the set points."""
SPREAD, SEED = 0.4, 44
"""Relative SD of single weights."""
SPEED, SPAN = 1e-3, 2000 * second
TERMS = {"cross": 0.0, "two-term": 0.5}
"""Homeostatic beside the cross term."""


def compute() -> "xr.Dataset":
    """Mean and spread of the rates over time under both rules, and the rates of all units before and after."""
    import xarray as xr

    net = _network()
    start = rate.settle(net, start=[4.0, 9.0]).rates
    times = np.concatenate([[0.0], np.geomspace(1.0, SPAN, 40)])
    paths = [rate.evolve(net, rules=_rules(x), duration=SPAN, start=start, times=times) for x in TERMS.values()]
    dims = ("rule", "time", "population")
    return xr.Dataset(
        {
            "rate": (dims, [p["rate"].values for p in paths], {"units": "Hz"}),
            "spread": (dims, [p["rate_sd"].values for p in paths], {"units": "Hz"}),
            "start": ("unit", start, {"units": "Hz"}),
            "end": (("rule", "unit"), [p["unit_rate"].values[-1] for p in paths], {"units": "Hz"}),
        },
        coords={
            "rule": list(TERMS), "time": ("time", times, {"units": "s"}), "population": list(SIZES),
            "of": ("unit", np.repeat(list(SIZES), list(SIZES.values()))),
        },
    )  # fmt: skip


def _network() -> RateNetwork:
    """Units with random positive weights, whose sums are those of the pair on average."""
    rng = np.random.default_rng(SEED)
    circuit = replace(PUBLISHED, weights=WEIGHTS, ceilings=(100.0, 250.0)).circuit()
    for name, size in SIZES.items():
        circuit = circuit.with_node(name, size=size)
    links = {
        (source, target): np.maximum(1.0 + SPREAD * rng.standard_normal((SIZES[target], n)), 0.0) / n
        for source, n in SIZES.items()
        for target in SIZES
    }
    return rate.units(circuit, seed=SEED, links=links)


def _rules(own: float) -> list[SlowRule]:
    """Cross-homeostasis of each unit's weights, with a homeostatic term of relative strength `own`."""
    other = {"E": SET_POINTS["I"], "I": SET_POINTS["E"]}
    rules: list[SlowRule] = [CrossHomeostasis(n, rate=r, speed=SPEED, scope="unit") for n, r in other.items()]
    if own > 0.0:
        rules += [HomeostaticWeights(n, rate=r, speed=own * SPEED, scope="unit") for n, r in SET_POINTS.items()]
    return rules


def claims(data: "xr.Dataset") -> list[Claim]:
    """Means and single units under both rules."""
    targets = np.array(list(SET_POINTS.values()))
    off = np.abs(data["rate"].isel(time=-1).values - targets).max(axis=1)
    first, last = data["spread"].isel(time=0).values[0], data["spread"].isel(time=-1).values
    each = np.abs(data["end"].sel(rule="two-term").values - np.repeat(targets, list(SIZES.values()))).max()
    return [
        Claim("Cross-homeostasis holds the mean rates of a network of units", "Soldado-Magraner et al. 2022",
              f"means within {off[0]:.1e} Hz of 5 and 14 Hz", bool(off[0] < 0.02)),
        Claim("It brings every unit to its set point", "derived",
              f"SD over units {first[0]:.2f} and {first[1]:.2f} Hz at the start, {last[0, 0]:.2f} and {last[0, 1]:.2f} "
              "Hz at the end: what it senses is a mean", bool((last[0] < 0.1).all()), expected=False),
        Claim("With a homeostatic term beside it every unit reaches its set point", "Soldado-Magraner et al. 2022",
              f"all {data.sizes['unit']} units within {each:.1e} Hz", bool(each < 0.05)),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Mean rates and their spread over time, and the rates of single units."""
    means, spread, cross, both = panels(canvas, "Mean rates", "Spread over units", "Units, cross", "Units, two-term")
    for rule, style in (("cross", "-"), ("two-term", ":")):
        for name in SIZES:
            colour, here = plotting.LOOK[name.lower()]["color"], data.sel(rule=rule, population=name)
            means.plot(np.maximum(data["time"], 0.5), here["rate"], color=colour, ls=style, label=f"{name}, {rule}")
            spread.plot(np.maximum(data["time"], 0.5), here["spread"], color=colour, ls=style)
    for target in SET_POINTS.values():
        means.axhline(target, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
    for ax, label in ((means, "mean rate (Hz)"), (spread, "SD over units (Hz)")):
        ax.set(xscale="log", xlabel=r"time (s), $\alpha$ = 0.001", ylabel=label, ylim=(0, None))
    means.legend(fontsize=7.5, loc="center right", bbox_to_anchor=(1.0, 0.58))
    for ax, rule in ((cross, "cross"), (both, "two-term")):
        _draw_units(ax, data, rule)
    cross.legend(loc="upper left")


def _draw_units(ax: "Axes", data: "xr.Dataset", rule: str) -> None:
    for name, marker in (("E", "o"), ("I", "s")):
        mine = data["of"].values == name
        start, end = data["start"].values[mine], data["end"].sel(rule=rule).values[mine]
        ax.plot(start, end, marker, color=plotting.LOOK[name.lower()]["color"], ms=4, mec="white", mew=0.4, label=name)
    for target in SET_POINTS.values():
        ax.axhline(target, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
    ax.set(xlabel="rate before (Hz)", ylabel="rate after (Hz)", ylim=(0, None))
