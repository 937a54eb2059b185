"""A spiking network that loses a third of its external inputs, or is lit for days, beside theory.

Both begin at rest: spikes with the weights at which the unperturbed network came to rest, theory at its fixed point.
Weights are shown relative to those before.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.dynamics import duration_text
from equipoise.model.manipulations import Deafferentation, During, TonicDrive, manipulated
from equipoise.papers.calcium_homeostasis.spikes import (
    POPULATIONS,
    STANDARD,
    WEIGHTS,
    Net,
    at_rest,
    rates_along,
    settled,
    side_by_side,
    silently,
    walk,
    weights_along,
    with_sizes,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.quantities import Array
from equipoise.theory import mean_field, network_equilibrium, network_evolve, regulated
from equipoise.units import day, hour, minute

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MANIPULATIONS = {
    "loss": (
        "30 % of the external inputs lost",
        tuple(During(Deafferentation(source="X", target=n, fraction=0.3)) for n in POPULATIONS),
    ),
    "light": ("chronic drive of E, 50 /s", (During(TonicDrive("E", 50.0)),)),
}
TICKS = {minute: "1 min", 10 * minute: "10 min", hour: "1 h", 10 * hour: "10 h", 4 * day: "4 d"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The network at rest, the days under a manipulation, and at how many times they are shown."""

    net: Net
    under: Net
    points: int = 160


PLAN = Plan(net=STANDARD, under=replace(STANDARD, days=5))


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Weights and rates over days under each manipulation, in spikes and in theory."""
    import xarray as xr

    found = settled(plan.net, lambda f: progress(0.3 * f))
    plain = plan.net.circuit()
    rest, fixed = with_sizes(plain, found.weights), regulated(plain, network_equilibrium(plain))
    schedules = [schedule for _, schedule in MANIPULATIONS.values()]
    jobs = [partial(walk, manipulated(rest, s, 0.0), plan.under) for s in schedules]
    paths = side_by_side(jobs, lambda f: progress(0.3 + 0.68 * f))
    times = np.concatenate([[0.0], np.geomspace(20.0, plan.under.days * day, plan.points - 1)])
    theory = [network_evolve(fixed, duration=times[-1], times=times, schedule=s) for s in schedules]
    progress(1.0)
    ends = [at_rest(path) for path in paths]
    before = np.array([found.weights[w] for w in WEIGHTS])
    return xr.Dataset(
        {
            "weight": (
                ("manipulation", "name", "time"),
                [weights_along(p, rest, times) / before[:, None] for p in paths],
            ),
            "rate": (("manipulation", "population", "time"), [rates_along(p, times) for p in paths], {"units": "Hz"}),
            "theory_weight": (("manipulation", "name", "time"), [_relative(t, times) for t in theory]),
            "theory_rate": (
                ("manipulation", "population", "time"),
                [t["rate"].interp(time=times).transpose("population", "time").values for t in theory],
            ),
            "end": (("manipulation", "name"), [np.array([e.weights[w] for w in WEIGHTS]) / before for e in ends]),
            "end_error": (
                ("manipulation", "name"),
                [_relative_errors(e.weights, e.errors, found.errors, before) for e in ends],
            ),
            "end_rate": (("manipulation", "population"), [e.rates for e in ends], {"units": "Hz"}),
            "white_rate": (
                ("manipulation", "population"),
                [mean_field(manipulated(rest, s, 0.0).with_rules(())).rates for s in schedules],
            ),
            "rest_rate": ("population", list(found.rates), {"units": "Hz"}),
        },
        coords={
            "manipulation": list(MANIPULATIONS),
            "name": WEIGHTS,
            "population": POPULATIONS,
            "time": ("time", times, {"units": "s"}),
        },
        attrs={"K": plan.net.K, "size": plan.net.size},
    )


def _relative(theory: "xr.Dataset", times: Array) -> Array:
    """Theory's weights relative to those before; a first step in which inputs are lost does not move weights."""
    values = theory["weight"].sel(weight_name=WEIGHTS).interp(time=times).transpose("weight_name", "time").values
    return values / values[:, :1]


def _relative_errors(
    after: dict[str, float], errors: dict[str, float], before_errors: dict[str, float], before: Array
) -> Array:
    """Standard errors of the ratios, those before and after taken for independent."""
    parts = [np.hypot(errors[w] / after[w], before_errors[w] / b) for w, b in zip(WEIGHTS, before, strict=True)]
    return np.array([after[w] for w in WEIGHTS]) / before * np.array(parts)


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Recovery of the rates, and what the weights do for it."""
    off = data["end_rate"].values / data["rest_rate"].values - 1.0
    acute, expected = data["rate"].isel(time=0).values, data["white_rate"].values
    times = [
        [_recovered(data["time"].values, data[v].sel(manipulation=m)) for m in MANIPULATIONS]
        for v in ("rate", "theory_rate")
    ]
    end, error = data["end"] - 1.0, data["end_error"]
    theory = data["theory_weight"].isel(time=-1) - 1.0
    clear = (np.abs(theory) > 0.02) & (np.abs(end) > 2 * error)
    agree = (np.sign(end) == np.sign(theory)).where(clear).values
    light, light_theory = end.sel(manipulation="light"), theory.sel(manipulation="light")
    ratio = [float((1 + x.sel(name="J_EI")) / (1 + x.sel(name="J_EE")) - 1) for x in (light, light_theory)]
    return [
        Claim(
            "After loss of inputs and under chronic drive the rates return to their set points",
            "Discussion",
            f"acute {_list(acute)} Hz; in the end within {100 * np.abs(off).max():.1f} % of those before",
            bool((np.abs(off) < 0.01).all()),
        ),
        Claim(
            "They return as fast as theory says, within a factor of two",
            "theory against spikes",
            ", ".join(
                f"{m}: within a fifth of the acute change in {duration_text(a)} (theory {duration_text(b)})"
                for m, a, b in zip(MANIPULATIONS, *times, strict=True)
            ),
            bool(all(0.5 < a / b < 2.0 for a, b in zip(*times, strict=True))),
        ),
        Claim(
            "Acute responses are those of theory with the same weights, within 15 %",
            "theory against spikes",
            f"spikes {_list(acute)}, theory {_list(expected)} Hz",
            bool((np.abs(acute / expected - 1) < 0.15).all()),
        ),
        Claim(
            "Loss of inputs scales excitation up",
            "Discussion",
            _changes(end, theory, "loss"),
            bool(end.sel(manipulation="loss", name="J_EE") > 2 * error.sel(manipulation="loss", name="J_EE")),
        ),
        Claim(
            "Chronic drive raises inhibition relative to excitation",
            "Discussion",
            f"J_EI/J_EE {100 * ratio[0]:+.0f} % (theory {100 * ratio[1]:+.0f} %); {_changes(end, theory, 'light')}",
            bool(ratio[0] > 0.05),
        ),
        Claim(
            "Every weight that clearly changes does so in theory's direction",
            "theory against spikes",
            f"{int(np.nansum(agree))} of {int(np.isfinite(agree).sum())}",
            bool(np.nanmin(agree) == 1),
        ),
    ]


def _recovered(times: Array, rates: "xr.DataArray") -> float:
    """When less than a fifth of the acute change of E is left for the first time [s]; less would be lost in noise."""
    path = rates.sel(population="E").values
    change = np.abs(path - path[-1]) / np.abs(path[0] - path[-1])
    return float(times[np.argmax(change < 0.2)])


def _list(rates: Array) -> str:
    return "; ".join(f"{m} {e:.1f} (E), {i:.1f} (I)" for m, (e, i) in zip(MANIPULATIONS, rates, strict=True))


def _changes(end: "xr.DataArray", theory: "xr.DataArray", manipulation: str) -> str:
    here, there = end.sel(manipulation=manipulation), theory.sel(manipulation=manipulation)
    return ", ".join(
        f"{n} {100 * float(here.sel(name=n)):+.0f} % (theory {100 * float(there.sel(name=n)):+.0f} %)"
        for n in ("J_EE", "J_EI", "J_IE", "J_II")
    )


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates and weights over the days under each manipulation; wide pale lines are theory."""
    axes = canvas.subplots(2, len(MANIPULATIONS), sharex=True, sharey="row")
    for letter, column, (name, (title, _)) in zip("AB", axes.T, MANIPULATIONS.items(), strict=True):
        column[0].set_title(f"{letter}  {title}")
        _draw(column[0], column[1], data.sel(manipulation=name))
    rates, weights = axes[:, 0]
    last = float(data["time"][-1])
    rates.set(ylabel="rate (Hz)", ylim=(0, None), xscale="log", xlim=(20.0, last))
    weights.set(ylabel="weight (before = 1)")
    shown = {t: label for t, label in TICKS.items() if t <= last}
    weights.set_xticks(list(shown), list(shown.values()))
    weights.minorticks_off()
    axes[0, 0].legend(loc="lower right")
    axes[0, 1].text(0.97, 0.97, "wide and pale: theory", transform=axes[0, 1].transAxes, ha="right", va="top")
    axes[1, 0].legend(loc="upper left")


def _draw(rates: "Axes", weights: "Axes", path: "xr.Dataset") -> None:
    t = path["time"].values[1:]
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        look = plotting.LOOK[key]
        rates.plot(t, path["theory_rate"].sel(population=population).values[1:], **look, alpha=0.3, lw=3)
        rates.plot(t, path["rate"].sel(population=population).values[1:], **look, lw=1, label=population)
    for name, label in (("J_EE", "onto E, from E and X"), ("J_EI", "onto E, from I")):
        look = plotting.LOOK[name[-1].lower()]
        weights.plot(t, path["theory_weight"].sel(name=name).values[1:], **look, alpha=0.3, lw=3)
        weights.plot(t, path["weight"].sel(name=name).values[1:], **look, lw=1.3, label=label)
    weights.axhline(1.0, color=plotting.GRID, zorder=0)
    weights.set_xlabel("time since the change")
