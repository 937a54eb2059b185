"""Endocannabinoids: strong firing silences feedback inhibition for tens of seconds, and spares feedforward."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import motifs, plotting
from equipoise.motifs import Depolarisation, Endocannabinoids
from equipoise.papers.framework import Claim
from equipoise.quantities import Array
from equipoise.units import second, uM

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

SEED = 1
RULE = Endocannabinoids(source="B", target="E")
DEPOLARISATION = Depolarisation(start=5 * second, length=2 * second)
DURATION = 60 * second
LEVEL = 2.8 * uM
"""Calcium above which synapses are plastic."""
SETTLED = 1.5 * second
"""What calcium and rates need after a change."""


def compute() -> "xr.Dataset":
    """The same experiment with and without receptors."""
    import xarray as xr

    rules = {"receptors": RULE, "none": replace(RULE, depth=0.0)}
    runs = [
        motifs.disinhibition(rule, seed=SEED, duration=DURATION, depolarisation=DEPOLARISATION, plasticity=LEVEL)
        for rule in rules.values()
    ]
    return xr.concat(runs, xr.Variable("kind", list(rules)), combine_attrs="drop_conflicts")


def claims(data: "xr.Dataset") -> list[Claim]:
    """Feedback is suppressed and recovers, feedforward is spared, the cell fires more, and calcium stays high."""
    one, none = data.sel(kind="receptors"), data.sel(kind="none")
    back, time = one["feedback"].values, data["time"].values
    stop = DEPOLARISATION.start + DEPOLARISATION.length
    least, tau = back.min(), _decay(time[time > stop + SETTLED], one["endocannabinoids"].values[time > stop + SETTLED])
    before, after = ((time > SETTLED) & (time < DEPOLARISATION.start), (time > stop + SETTLED) & (time < stop + 10))
    rates = [float(x["rate"].values[m].mean()) for x in (one, none) for m in (before, after)]
    opened = [float(x["open_time"]) for x in (one, none)]
    return [
        Claim(
            "Intense firing silences feedback inhibition transiently",
            "Orchestrating the Symphony",
            f"its weight falls to {least:.2f} of that at rest and is back at {back[-1]:.2f} after "
            f"{DURATION - stop:.0f} s; endocannabinoids decay with {tau:.1f} s (the rule: {RULE.tau / second:.0f} s)",
            bool(least < 0.5 and back[-1] > least + 0.2 and abs(tau / RULE.tau - 1) < 0.1),
        ),
        Claim(
            "Feedforward inhibition stays intact",
            "Orchestrating the Symphony",
            f"its weight stays at {one['feedforward'].values.min():.2f} to {one['feedforward'].values.max():.2f}",
            bool((one["feedforward"] == 1.0).all()),
        ),
        Claim(
            "Disinhibition makes the cell more susceptible to sustained input",
            "Orchestrating the Symphony",
            f"rate under the same drive {rates[0]:.1f} -> {rates[1]:.1f} Hz; without receptors {rates[2]:.1f} -> "
            f"{rates[3]:.1f} Hz",
            bool(rates[1] > 1.1 * rates[0] and rates[3] < 1.05 * rates[2]),
        ),
        Claim(
            "It opens a window for plasticity",
            "Orchestrating the Symphony",
            f"calcium is above {LEVEL:g} µM for {opened[0]:.1f} s after the depolarisation, {opened[1]:.1f} s without "
            "receptors",
            bool(opened[0] > 10.0 and opened[0] > 3 * opened[1]),
        ),
    ]


def _decay(time: Array, e: Array) -> float:
    """Time constant of an exponential decay [s], by a straight line through the logarithm."""
    return float(-1.0 / np.polyfit(time, np.log(e), 1)[0])


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Weights, rate and calcium over time."""
    titles = ("Release", "Rate", "Calcium")
    axes = canvas.subplots(1, 3)
    for letter, ax, title in zip("ABC", axes, titles, strict=True):
        ax.set_title(f"{letter}  {title}")
        ax.axvspan(DEPOLARISATION.start, DEPOLARISATION.start + DEPOLARISATION.length, color=plotting.GRID, zorder=0)
        ax.set_xlabel("time (s)")
    one, time = data.sel(kind="receptors"), data["time"]
    axes[0].plot(time, one["feedback"], **plotting.LOOK["i"], label="feedback")
    axes[0].plot(time, one["feedforward"], color=plotting.INK, label="feedforward")
    axes[0].set(ylabel="weight relative to rest", ylim=(0, 1.25))
    axes[0].legend(loc="upper right", ncols=2)
    for name, ax, label in (("rate", axes[1], "rate of E (Hz)"), ("calcium", axes[2], "calcium of E (µM)")):
        for kind, look, text in (
            ("receptors", plotting.LOOK["e"], "receptors"),
            ("none", {"color": plotting.QUIET}, "none"),
        ):
            smooth = np.convolve(data[name].sel(kind=kind), np.ones(10) / 10, mode="valid")
            ax.plot(time.values[5 : 5 + smooth.size], smooth, label=text, **look)
        ax.set(ylabel=label, ylim=(0, None), yscale="linear")
    axes[1].set_ylim(0, 3 * float(data["rate"].sel(kind="none")[20:45].mean()))
    axes[1].legend(loc="upper right")
    axes[2].axhline(LEVEL, color=plotting.QUIET, ls=":")
