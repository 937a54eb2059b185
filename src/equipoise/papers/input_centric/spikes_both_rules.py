"""Intrinsic and synaptic rules together in spikes: whether the rates of single cells are restored after a step.

The threshold of all E cells follows the input-centric rule of their population (reading B, D < 0). Inhibitory weights
rest, or follow the rate of each cell, to one target for all or to the cell's own rate at rest. Then the threshold of
every cell is stepped by an amount of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.intrinsic_rules import InputCentricThreshold
from equipoise.model.slow_variables import SlowRule
from equipoise.model.synaptic_rules import InhibitoryScaling
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.input_centric.spiking_circuits import (
    STRONG,
    WINDOW,
    OwnRates,
    built,
    circuit,
    correlation,
    played,
    rates_of,
    rest,
)
from equipoise.quantities import Array
from equipoise.spiking import Network, nudged
from equipoise.units import second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

RULES = {"intrinsic": "threshold alone", "common": "one target for all", "own": "a target for each"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Size, tau of thresholds [s], speed of weights [threshold/(Hz s)], lengths of runs [s] and the step [V/s]."""

    size: int = 1000
    tau: float = 20 * second
    speed: float = 1e-4
    settling: float = 120 * second
    recovery: float = 200 * second
    counted: float = 60 * second
    kick: tuple[float, float] = (12.0, 12.0)
    seed: int = 1


PLAN = Plan()


def compute(progress: Progress = lambda _fraction: None, plan: Plan = PLAN) -> "xr.Dataset":
    """Rates of all E cells before, at first and at the end, with each set of rules, and where nothing was done."""
    import xarray as xr

    network = built(circuit(STRONG, plan.size), plan.seed)
    at_rest = rates_of(played(network, [], plan.settling, warmup=WINDOW))
    rows = []
    for k, name in enumerate(RULES):
        rows.append(_perturbed(network, _rules(network, name, at_rest, plan), plan))
        progress((k + 1) / len(RULES))
    names = ("before", "first", "recovered", "unhurt")
    return xr.Dataset(
        {name: (("rules", "cell"), [row[k] for row in rows], {"units": "Hz"}) for k, name in enumerate(names)},
        coords={"rules": list(RULES)},
        attrs={"tau": plan.tau, "size": plan.size, "counted": plan.counted},
    )


def _rules(network: Network, name: str, at_rest: Array, plan: Plan) -> list[SlowRule]:
    set_point = float(rest(network.circuit).inputs[0])
    rules: list[SlowRule] = [InputCentricThreshold("E", set_point=set_point, reading="B", tau=plan.tau)]
    common = InhibitoryScaling("E", "I", rate=float(at_rest.mean()), speed=plan.speed, scope="unit")
    if name == "common":
        rules.append(common)
    if name == "own":
        rules.append(OwnRates(common=common, rates=at_rest))
    return rules


def _perturbed(network: Network, rules: Sequence[SlowRule], plan: Plan) -> tuple[Array, ...]:
    """Rates (cell,) before, at first, at the end, and at the end without a step."""
    settled = played(network, rules, plan.settling, warmup=WINDOW)
    calm = played(network, rules, plan.counted, start=settled.end)
    steps = np.random.default_rng(plan.seed).normal(*plan.kick, plan.size)
    after = played(network, rules, plan.recovery, start=nudged(calm.end, "E", theta=steps))
    unhurt = played(network, rules, plan.counted, start=calm.end)
    late = rates_of(after, plan.recovery - plan.counted)
    return rates_of(calm), rates_of(after, 0.0, 10 * second), late, rates_of(unhurt)


# --- what decides -----------------------------------------------------------------------------------------------------
def kept(data: "xr.Dataset", rules: str) -> tuple[float, float, float]:
    """Correlation of rates before with those at the end, with those where nothing was done, and of shuffled cells."""
    of = data.sel(rules=rules)
    before, after, unhurt = (of[k].values for k in ("before", "recovered", "unhurt"))
    shuffled = np.random.default_rng(0).permutation(before)
    return correlation(before, after), correlation(before, unhurt), correlation(shuffled, after)


def changed(data: "xr.Dataset", rules: str) -> tuple[float, float]:
    """Root mean square change of a cell's rate [Hz] after the step, and where nothing was done."""
    of = data.sel(rules=rules)
    return tuple(float(np.sqrt(np.mean((of[k] - of["before"]) ** 2))) for k in ("recovered", "unhurt"))  # pyright: ignore[reportReturnType]


def claims(data: "xr.Dataset") -> list[Claim]:
    """Which rules restore single rates, and what one target for all does."""
    alone, common, own = (kept(data, name) for name in RULES)
    (off, null), (_, _), (left, floor) = (changed(data, name) for name in RULES)
    means = [float(data["recovered"].sel(rules=k).mean() / data["before"].sel(rules=k).mean()) for k in RULES]
    spread = [float(data["before"].sel(rules=k).std()) for k in RULES]
    return [
        Claim(
            "The population returns under each set of rules",
            "derived",
            ", ".join(f"{label}: {100 * (m - 1):+.1f} %" for label, m in zip(RULES.values(), means, strict=True)),
            bool(np.abs(np.array(means) - 1.0).max() < 0.1),
        ),
        Claim(
            "Intrinsic homeostasis of the population alone does not restore single rates",
            "Refinements",
            f"they change by {off:.1f} Hz (rms; {null:.2f} Hz by counting), correlation {alone[0]:.3f} "
            f"({alone[1]:.3f} without a step)",
            bool(off > 5.0 * null),
        ),
        Claim(
            "Synaptic homeostasis of every cell at one rate for all restores individual rates",
            "Refinements",
            f"SD over cells {spread[1]:.2f} Hz, {spread[0]:.1f} Hz without it; correlation {common[0]:.2f}: there is "
            "no individual rate left to restore",
            bool(spread[1] > 0.5 * spread[0] and common[0] > 0.9),
            expected=False,
        ),
        Claim(
            "With a target of each cell's own, single rates are restored",
            "Refinements",
            f"they change by {left:.2f} Hz ({floor:.2f} Hz by counting), correlation {own[0]:.4f} ({own[1]:.4f} "
            f"without a step, {own[2]:.2f} shuffled)",
            bool(left < 0.3 * off and own[0] > 0.98),
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates of all cells after the step over those before, under each set of rules."""
    axes = canvas.subplots(1, len(RULES), sharex=True, sharey=True)
    top = float(data["before"].max()) * 1.1
    for ax, (name, label) in zip(axes, RULES.items(), strict=True):
        of = data.sel(rules=name)
        ax.plot(of["before"], of["first"], "o", ms=2, mew=0, alpha=0.4, color=plotting.QUIET, label="first 10 s")
        color = plotting.LOOK["e"]["color"]
        ax.plot(of["before"], of["recovered"], "o", ms=2, mew=0, alpha=0.6, color=color, label="at the end")
        ax.plot([0, top], [0, top], color=plotting.INK, lw=0.6, ls=":")
        ax.set(title=f"{label}: r = {kept(data, name)[0]:.2f}", xlabel="rate before (Hz)", xlim=(0, top), ylim=(0, top))
    axes[0].set(ylabel="rate after the step (Hz)")
    axes[0].legend(markerscale=2)
