"""Loss of balance in a patch of 3000 neurons, and what calcium homeostasis does about it: it rescues, or drives it.

Inhibition of pyramidal cells that is weak, late, or of a shifted reversal makes them discharge together; GABA_B ends
each discharge. Calcium homeostasis of E, with the calcium moments of the intact patch as its set point, takes most of
a partial loss back. After half of the external inputs of E are lost, homeostasis of its rate raises excitation and
lowers inhibition until discharges supply spikes that are missing (Houweling et al. 2005, Cereb. Cortex 15:834).

Caveats: a discharge has no depolarisation block, no ions that accumulate and no adaptation, so that it ends by GABA_B
alone. Homeostasis is sped up so much that the steps of weights are cut where a discharge would take them further, which
changes how many discharges it settles at; that there are some, and which way weights went, stands.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures, plotting, spiking
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumHomeostasis, CalciumSetPoint, RateHomeostasis
from equipoise.model.manipulations import Deafferentation, WeightBlock
from equipoise.model.synaptic_manipulations import LaterSynapse, ReversalShift
from equipoise.papers.calcium_homeostasis.spikes import side_by_side, silently
from equipoise.papers.ei_balance.circuits import patch
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.renewal import calcium_moments_of
from equipoise.spiking import Pace, Record, Run
from equipoise.units import hour, ms, mV, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LOSSES = {
    "intact": None,
    "weak": WeightBlock(source="I", target="E", fraction=0.4),
    "late": LaterSynapse(source="I", target="E", delay=5 * ms),
    "reversal": ReversalShift(source="I", target="E", shift=20 * mV),
    "deafferented": Deafferentation(source="X", target="E", fraction=0.5),
}
HEALED = ("weak", "deafferented")
"""Losses that homeostasis is let loose on."""
LABELS = {"intact": "intact", "weak": "weak", "late": "late", "reversal": "shifted reversal"}
WEIGHTS = ("J_EE", "J_EX", "J_EI")
SENSOR = Calcium()
TAU_E, TAU_I = 4 * hour, 2 * hour
BIN = 5 * ms


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to look at each patch, how long homeostasis acts, how fast, and the seed."""

    look: float = 30 * second
    hours: float = 6 * hour
    speed: float = 20_000.0
    stride: float = 0.1
    seed: int = 1


PLAN = Plan()


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Discharges in each loss, and before and after homeostasis."""
    import xarray as xr

    circuits = {name: loss.apply(patch()) if loss else patch() for name, loss in LOSSES.items()}
    record = Record(bin=BIN)
    runs = {
        name: spiking.simulate(one, duration=plan.look, seed=plan.seed, record=record) for name, one in circuits.items()
    }
    progress(0.2)
    rules = zip(HEALED, _rules(runs["intact"]), strict=True)
    jobs = [partial(_healed, circuits[name].with_rules([AttachedRule("E", rule)]), plan) for name, rule in rules]
    healed = dict(zip(HEALED, side_by_side(jobs, lambda f: progress(0.2 + 0.75 * f)), strict=True))
    runs |= {f"{name}, after": run for name, (run, _) in healed.items()}
    found = {name: _measured(run) for name, run in runs.items()}
    paths = [_along(circuits[name], data, plan) for name, (_, data) in healed.items()]
    progress(1.0)
    return xr.Dataset(
        {
            **{key: ("patch", [one[key] for one in found.values()]) for key in next(iter(found.values()))},
            "course": (("patch", "time"), [_course(run) for run in runs.values()], {"units": "Hz"}),
            "weight": (("healed", "name", "slow"), paths),
            "status": ("healed", [data.attrs["status"] for _, data in healed.values()]),
        },
        coords={
            "patch": list(runs), "time": ("time", _times(plan.look), {"units": "s"}), "healed": list(HEALED),
            "name": list(WEIGHTS), "slow": ("slow", np.linspace(0.0, plan.hours, 121), {"units": "s"}),
        },
    )  # fmt: skip


def _rules(intact: Run) -> tuple[CalciumHomeostasis, RateHomeostasis]:
    """Homeostasis by calcium and by rate, whose set points are those of the intact pyramidal cells."""
    moments = calcium_moments_of(SENSOR, intact.spikes_of("E"), discard=min(3 * second, 0.5 * intact.duration))
    target = CalciumSetPoint(mean=float(moments.mean.mean()), second_moment=float(moments.second_moment.mean()))
    rate = float(intact.rates[0])
    return (
        CalciumHomeostasis(SENSOR, target, tau_e=TAU_E, tau_i=TAU_I),
        RateHomeostasis(target_e=rate, target_i=rate, tau_e=TAU_E, tau_i=TAU_I),
    )


def _healed(circuit: Circuit, plan: Plan, progress: Progress) -> tuple[Run, "xr.Dataset"]:
    """The patch after hours of homeostasis, looked at with weights at real speed, and the hours."""
    pace = Pace(threads=1, stride=plan.stride)
    hours = spiking.evolve(circuit, duration=plan.hours, seed=plan.seed, speed=plan.speed, pace=pace, progress=progress)
    return spiking.run(hours.network, start=hours.end, duration=plan.look, record=Record(bin=BIN)), hours.data


def _measured(run: Run) -> dict[str, float]:
    """Rates, synchrony and discharges of E."""
    found = measures.bursts(run.rate_trace().sel(population="E").values, dt=BIN)
    peak = found["peak"].values.max(initial=0.0)
    synchrony = float(measures.synchrony(run.spikes_of("E")))
    return {
        "rate": float(run.rates[0]), "rate_i": float(run.rates[1]), "synchrony": synchrony,
        "bursts": found.attrs["rate"], "share": found.attrs["share"], "peak": float(peak),
    }  # fmt: skip


def _times(look: float) -> Array:
    return np.linspace(0.5 * BIN, look - 0.5 * BIN, round(look / BIN))


def _course(run: Run) -> Array:
    return run.rate_trace().sel(population="E").values


def _along(circuit: Circuit, data: "xr.Dataset", plan: Plan) -> Array:
    """Weights over their first values (name, time)."""
    first = np.array([circuit.projection(w[3], w[2]).weight for w in WEIGHTS])
    times, slow = np.append(0.0, data["time"].values), np.linspace(0.0, plan.hours, 121)
    return np.array([
        np.interp(slow, times, np.append(f, data[w].values)) / f for w, f in zip(WEIGHTS, first, strict=True)
    ])  # fmt: skip


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Each loss makes hypersynchrony; homeostasis ends one of them, and makes another."""

    def at(name: str, key: str) -> float:
        return float(data[key].sel(patch=name))

    lost = ("weak", "late", "reversal")
    shown = "; ".join(
        f"{LABELS[n]} {at(n, 'synchrony'):.3f}, {at(n, 'bursts'):.1f} discharges/s up to {at(n, 'peak'):.0f} Hz"
        for n in lost
    )
    end = data["weight"].isel(slow=-1)
    healed, gone, driven = "weak, after", "deafferented", "deafferented, after"
    more = {n: float(end.sel(healed=gone, name=n)) for n in WEIGHTS}
    return [
        Claim("The intact patch fires asynchronously", "derived",
              f"chi^2 {at('intact', 'synchrony'):.4f} (1/N = {1 / 2400:.4f}), E {at('intact', 'rate'):.2f} Hz, "
              f"{at('intact', 'bursts'):.2g} discharges/s",
              bool(at("intact", "synchrony") < 0.02 and at("intact", "bursts") == 0.0)),
        Claim("Inhibition that is too weak or too slow lets excitation run rampant: hypersynchrony", "Time and Space",
              shown, all(at(n, "synchrony") > 0.3 and at(n, "bursts") > 0.2 for n in lost)),
        Claim("After a partial loss of inhibition homeostasis takes the rate back and ends most discharges",
              "The Homeostat",
              f"discharges/s {at('weak', 'bursts'):.2f} -> {at(healed, 'bursts'):.2f}, E {at('weak', 'rate'):.2f} -> "
              f"{at(healed, 'rate'):.2f} Hz, intact {at('intact', 'rate'):.2f} Hz",
              at(healed, "bursts") < 0.5 * at("weak", "bursts") and at(healed, "synchrony") < at("weak", "synchrony")),
        Claim("After loss of input homeostasis itself makes discharges", "Houweling et al. 2005",
              f"E {at(gone, 'rate'):.3f} -> {at(driven, 'rate'):.2f} Hz, discharges/s {at(gone, 'bursts'):.2f} -> "
              f"{at(driven, 'bursts'):.2f}, which hold {100 * at(driven, 'share'):.0f} % of its spikes; weights from E "
              f"x {more['J_EE']:.2f}, from I x {more['J_EI']:.2f}",
              bool(at(gone, "bursts") == 0.0 < at(driven, "bursts") and at(driven, "share") > 0.2)),
        Claim("Homeostasis came to its end, in slow steps", "derived",
              ", ".join(str(x) for x in data["status"].values), bool((data["status"] == "OK").all())),
    ]  # fmt: skip


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates in each loss, and before and after homeostasis, with the weights that moved."""
    lost, rescued, driven, weights = panels(
        canvas, "Loss of balance", "Homeostasis rescues", "and drives", "Weights onto E"
    )
    _stacked(lost, data, LABELS)
    _stacked(rescued, data, {"weak": "weak inhibition", "weak, after": "after 6 h"})
    _stacked(driven, data, {"deafferented": "half of its inputs lost", "deafferented, after": "after 6 h"})
    slow = data["slow"] / hour
    for name, shade in zip(HEALED, (0.4, 1.0), strict=True):
        for key in ("J_EE", "J_EI"):
            row = data["weight"].sel(healed=name, name=key)
            weights.plot(slow, row, **plotting.LOOK[key[-1].lower()], alpha=shade, label=f"{name}, from {key[-1]}")
    weights.axhline(1.0, color=plotting.GRID, zorder=0)
    weights.set(xlabel="hours", ylabel="weight/its first", ylim=(0.3, 1.3))
    weights.legend(loc="lower right")


def _stacked(ax: "Axes", data: "xr.Dataset", labels: dict[str, str]) -> None:
    """Rates of E, one above the other."""
    for k, (name, label) in enumerate(reversed(labels.items())):
        y = data["course"].sel(patch=name).values / 1000.0
        ax.plot(data["time"], k + y, color=plotting.EXCITATION, lw=0.8)
        ax.text(0.1, k + 0.55, label, color=plotting.INK, va="bottom")
    ax.set(xlabel="time (s)", yticks=[], xlim=(0, float(data["time"][-1])), ylim=(-0.05, len(labels)))
