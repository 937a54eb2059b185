"""Self-organisation in spikes: networks that start far from balance, beside what theory says from the same starts.

Weights are followed over a week. Where they end, excitation of several thresholds is cancelled by inhibition, and the
end does not depend on the start.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.circuit import Circuit
from equipoise.model.populations import Source
from equipoise.papers.calcium_homeostasis.common import LIF_NEURON
from equipoise.papers.calcium_homeostasis.spikes import (
    POPULATIONS,
    STANDARD,
    WEIGHTS,
    Net,
    at_rest,
    rates_along,
    side_by_side,
    silently,
    sizes_of,
    walk,
    weights_along,
    with_sizes,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.theory import network_equilibrium, network_evolve, regulated
from equipoise.units import Hz, day, hour, minute

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TICKS = {minute: "1 min", 10 * minute: "10 min", hour: "1 h", 10 * hour: "10 h", 2 * day: "2 d", 7 * day: "7 d"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The network, its starts, and at how many times it is shown.

    A start is the factors of excitatory (and external) and of inhibitory weights, relative to the balanced limit.
    """

    net: Net
    starts: tuple[tuple[float, float], ...] = ((0.6, 0.6), (1.5, 1.5), (0.7, 1.3))
    points: int = 160


PLAN = Plan(net=replace(STANDARD, days=7))


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Weights, rates and calcium moments over a week from three starts in spikes and in theory, and theory's end."""
    import xarray as xr

    net = plan.net
    starts = [_start(net.circuit(), *factors) for factors in plan.starts]
    paths = side_by_side([partial(walk, circuit, net) for circuit in starts], lambda f: progress(0.95 * f))
    times = np.concatenate([[0.0], np.geomspace(20.0, net.days * day, plan.points - 1)])
    theory = [network_evolve(circuit, duration=times[-1], times=times) for circuit in starts]
    progress(1.0)
    ends, point = [at_rest(path) for path in paths], network_equilibrium(net.circuit())
    fixed = sizes_of(regulated(net.circuit(), point))
    targets = [attached.rule.target for attached in net.circuit().rules]  # pyright: ignore[reportAttributeAccessIssue]
    root = np.sqrt(net.K)
    return xr.Dataset(
        {
            "weight": (
                ("start", "name", "time"),
                [root * weights_along(p, c, times) for p, c in zip(paths, starts, strict=True)],
            ),
            "rate": (("start", "population", "time"), [rates_along(p, times) for p in paths], {"units": "Hz"}),
            "theory_weight": (("start", "name", "time"), [root * _named(t, times) for t in theory]),
            "theory_rate": (("start", "time", "population"), [t["rate"].interp(time=times).values for t in theory]),
            "end": (("start", "name"), [[root * e.weights[w] for w in WEIGHTS] for e in ends]),
            "end_error": (("start", "name"), [[root * e.errors[w] for w in WEIGHTS] for e in ends]),
            "end_rate": (("start", "population"), [e.rates for e in ends], {"units": "Hz"}),
            "end_moment": (("start", "population", "moment"), [e.moments for e in ends]),
            "target": (("population", "moment"), [[t.mean, t.second_moment] for t in targets]),
            "fixed_point": ("name", [root * fixed[w] for w in WEIGHTS]),
            "input": (("start", "part"), [_inputs(net, e.weights, e.rates) for e in ends], {"units": "threshold"}),
        },
        coords={
            "start": [_title(*factors) for factors in plan.starts],
            "name": WEIGHTS,
            "population": POPULATIONS,
            "time": ("time", times, {"units": "s"}),
            "moment": ["mean", "second moment"],
            "part": ["excitation", "inhibition"],
        },
        attrs={"K": net.K, "size": net.size, "simulated": sum(p.simulated for p in paths), "speed": net.speed},
    )


def _start(circuit: Circuit, e: float, i: float) -> Circuit:
    return with_sizes(circuit, {k: v * (i if k[-1] == "I" else e) for k, v in sizes_of(circuit).items()})


def _title(e: float, i: float) -> str:
    return f"all weights × {e:g}" if e == i else f"E × {e:g}, I × {i:g}"


def _named(theory: "xr.Dataset", times: np.ndarray) -> np.ndarray:
    return theory["weight"].sel(weight_name=WEIGHTS).interp(time=times).transpose("weight_name", "time").values


def _inputs(net: Net, sizes: dict[str, float], rates: tuple[float, ...]) -> list[float]:
    """Mean input of E within a membrane time constant."""
    scale, (source,) = net.K * LIF_NEURON.tau_m, net.circuit().sources
    assert isinstance(source, Source)
    return [scale * (sizes["J_EE"] * rates[0] + sizes["J_EX"] * source.rate), scale * sizes["J_EI"] * rates[1]]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """That rates, calcium and weights come to one end from all starts, and whether it is theory's."""
    rates, moments = data["end_rate"].values, data["end_moment"].values / data["target"].values - 1.0
    first = data["rate"].isel(time=0).values
    pairs = list(combinations(range(data.sizes["start"]), 2))
    end, error = data["end"].values, data["end_error"].values
    apart = max(float(np.abs(end[a] / end[b] - 1.0).max()) for a, b in pairs)
    score = max(float((np.abs(end[a] - end[b]) / np.hypot(error[a], error[b])).max()) for a, b in pairs)
    below = end.mean(0) / data["fixed_point"].values - 1.0
    excitation, inhibition = data["input"].values.mean(0)
    early = data["time"].values < hour
    gap = np.abs(data["weight"].values / data["theory_weight"].values - 1.0)
    return [
        Claim(
            "Networks far from balance reach the rates of the balanced state",
            "Sec. 2.4.2",
            f"from {first.min():.1f} to {first.max():.1f} Hz at the start to {rates.min():.2f} to {rates.max():.2f} Hz",
            bool((np.abs(rates / (10 * Hz) - 1.0) < 0.01).all()),
        ),
        Claim(
            "Both calcium moments of both populations reach their set points",
            "Sec. 2.4.2",
            f"largest difference {100 * np.abs(moments).max():.1f} %",
            bool((np.abs(moments) < 0.01).all()),
        ),
        Claim(
            "In one graph the weights end at the same place, whatever the start",
            "Sec. 2.4.2",
            f"ends differ by at most {100 * apart:.1f} %, {score:.1f} times the stated standard error",
            bool(apart < 0.04 and score < 3.0),
        ),
        Claim(
            "Balance emerges: inhibition cancels most of an excitation of several thresholds",
            "Sec. 2.4.2",
            f"onto E, within a membrane time constant: {excitation:.2f} thresholds of excitation, {inhibition:.2f} of "
            f"inhibition, {100 * inhibition / excitation:.0f} % of it",
            bool(excitation > 2.0 and 0.9 < inhibition / excitation < 1.2),
        ),
        Claim(
            "Within the first hour the weights of spikes and theory take the same way, within 10 %",
            "theory against spikes",
            f"largest difference {100 * gap[..., early].max():.1f} % within an hour, {100 * gap.max():.0f} % in all",
            bool(gap[..., early].max() < 0.1),
        ),
        Claim(
            "The weights end at the fixed point of white-noise theory, within 10 %",
            "theory against spikes",
            f"{100 * below.max():+.0f} to {100 * below.min():+.0f} %: recurrent input is less noisy than theory takes "
            "it (spikes_asynchrony), rates are more unequal for it, and weaker weights meet the second moment",
            bool((np.abs(below) < 0.1).all()),
            expected=False,
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates and weights from each start; pale lines are theory."""
    axes = canvas.subplots(2, data.sizes["start"], sharex=True, sharey="row")
    for letter, column, start in zip("ABC", axes.T, data["start"].values, strict=False):
        column[0].set_title(f"{letter}  {start}")
        _draw(column[0], column[1], data.sel(start=start))
    rates, weights = axes[:, 0]
    rates.set(ylabel="rate (Hz)", ylim=(0, None), xscale="log", xlim=(20.0, float(data["time"][-1])))
    weights.set(ylabel=r"$\sqrt{K} J$ (threshold)", ylim=(0, None))
    shown = {t: label for t, label in TICKS.items() if t <= float(data["time"][-1])}
    weights.set_xticks(list(shown), list(shown.values()))
    weights.minorticks_off()
    axes[0, -1].text(
        0.97, 0.97, "solid: E, dashed: I\npale: theory", transform=axes[0, -1].transAxes, ha="right", va="top"
    )
    names = {"J_EE": "from E and X", "J_EI": "from I"}
    for name, label in names.items():
        axes[1, 0].plot([], [], **plotting.LOOK[name[-1].lower()], label=label)
    axes[1, 0].legend(loc="upper left", title="onto E", alignment="left")


def _draw(rates: "Axes", weights: "Axes", path: "xr.Dataset") -> None:
    t = path["time"].values[1:]
    for a, look in enumerate((plotting.LOOK["e"], plotting.LOOK["i"])):
        rates.plot(t, path["theory_rate"].values[1:, a], **look, alpha=0.3, lw=3)
        rates.plot(t, path["rate"].values[a, 1:], **look, lw=1)
    for name in ("J_EE", "J_EI"):
        look = plotting.LOOK[name[-1].lower()]
        weights.plot(t, path["theory_weight"].sel(name=name).values[1:], **look, alpha=0.3, lw=3)
        weights.plot(t, path["weight"].sel(name=name).values[1:], **look, lw=1.3)
    weights.set_xlabel("time")
