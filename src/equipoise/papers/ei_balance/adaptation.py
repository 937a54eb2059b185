"""Adaptation: a sustained stimulus, through which the ratio of excitation and inhibition moves, and firing with it.

Cells receive excitation and inhibition from Poisson neurons whose rate steps up for two seconds. Where the excitatory
synapses depress more than the inhibitory ones the ratio of conductances falls, and the other way round; where they do
not, adaptation of the cells themselves is left.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, spiking
from equipoise.model.adaptation import Adaptation
from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import FixedInDegree
from equipoise.model.manipulations import During, SourceRate
from equipoise.model.neurons import PIF
from equipoise.model.plasticity import ShortTermPlasticity
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.papers.ei_balance.plastic_circuits import AMPA, CELL, GABA
from equipoise.papers.framework import Claim, Progress
from equipoise.units import Hz, ms, mV, nS, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

STRONG = ShortTermPlasticity(0.5, tau_rec=600 * ms)
WEAK = ShortTermPlasticity(0.5, tau_rec=100 * ms)
OWN = Adaptation(0.3 * mV / ms, tau=300 * ms)
KINDS: dict[str, tuple[ShortTermPlasticity | None, ShortTermPlasticity | None, Adaptation | None]] = {
    "E depresses more": (STRONG, WEAK, None),
    "I depresses more": (WEAK, STRONG, None),
    "cells adapt": (None, None, OWN),
}
"""Short-term plasticity of excitation and of inhibition, and adaptation of the cells."""
BEFORE, DURING = 5 * Hz, 30 * Hz
ON, OFF, END = 1 * second, 3 * second, 4 * second
SENDERS, INPUTS = {"E": 4000, "I": 1000}, {"E": 400, "I": 100}
WEIGHTS = {"E": 0.3 * nS, "I": 0.6 * nS}
RELAY = PIF(v_threshold=1 * mV, v_reset=0.0, v_bound=0.0)
"""Fires with every spike of the one train that reaches it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many cells are averaged over."""

    cells: int = 400


PLAN = Plan()


def circuit(kind: str, cells: int) -> Circuit:
    """The cells under excitation and inhibition of one kind."""
    *short, own = KINDS[kind]
    rules = dict(zip(SENDERS, short, strict=True))
    first = 1.0 if short[0] is None else 1.0 / STRONG.U  # the same first response

    def onto(source: str) -> Projection:
        return Projection(
            source=source, target="cell", weight=first * WEIGHTS[source], synapse=AMPA if source == "E" else GABA,
            connectivity=FixedInDegree(INPUTS[source]), short_term=rules[source],
        )  # fmt: skip

    stimulus = [Projection(source="X", target=name, weight=1.5 * mV, connectivity=FixedInDegree(1)) for name in SENDERS]
    return Circuit(
        name=kind,
        populations=[
            *(Population(name, size=n, neuron=RELAY) for name, n in SENDERS.items()),
            Population("cell", size=cells, neuron=CELL, drive=0.4, adaptation=own),
            Source("X", rate=BEFORE),
        ],
        projections=[*stimulus, *map(onto, SENDERS)],
    )


def compute(progress: Progress = lambda _: None, plan: Plan = PLAN) -> "xr.Dataset":
    """Conductances and rates through the stimulus, for each kind."""
    import xarray as xr

    parts = []
    for k, kind in enumerate(KINDS):
        parts.append(_played(circuit(kind, plan.cells)))
        progress((k + 1) / len(KINDS))
    data = {name: (("kind", "time"), [p[name].values for p in parts]) for name in parts[0].data_vars}
    return xr.Dataset(data, coords={"kind": list(KINDS), "time": parts[0].time.values})


def _played(net: Circuit) -> "xr.Dataset":
    import xarray as xr

    stimulus = During(SourceRate(source="X", rate=DURING), start=ON, stop=OFF)
    record = spiking.Record(bin=20 * ms, membrane={"cell": 40}, every=20 * ms)
    run = spiking.simulate(net, duration=END, seed=1, warmup=2.0, schedule=[stimulus], record=record)
    g = run.membrane[["g_excitatory", "g_inhibitory"]].mean("cell")
    rate = run.rate_trace().sel(population="cell").values
    return xr.Dataset(
        {
            "excitatory": ("time", g.g_excitatory.values),
            "inhibitory": ("time", g.g_inhibitory.values),
            "rate": ("time", rate),
        },
        coords={"time": run.rate_trace().time.values},
    )


def expected_ratio(kind: str, rate: float) -> float:
    """g_E/g_I in the steady state of a rate [Hz]: K g tau of each, times what short-term plasticity leaves of it."""
    *short, _ = KINDS[kind]
    taus = {"E": AMPA.tau, "I": GABA.tau}
    size = [
        INPUTS[name] * WEIGHTS[name] * taus[name] * (1.0 if rule is None else float(rule.steady(rate)))
        for name, rule in zip(SENDERS, short, strict=True)
    ]
    return size[0] / size[1]


def ratio(data: "xr.Dataset", kind: str, start: float, stop: float) -> float:
    """g_E/g_I over a part of the time [s]."""
    part = data.sel(kind=kind, time=slice(start, stop)).mean("time")
    return float(part.excitatory / part.inhibitory)


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """How the ratio moves, and where theory puts it."""
    return [*(_claim_on_ratio(data, kind) for kind in list(KINDS)[:2]), _claim_on_cells(data)]


def _claim_on_ratio(data: "xr.Dataset", kind: str) -> Claim:
    before, late = ratio(data, kind, 0.0, ON), ratio(data, kind, ON + 1.0, OFF)
    wanted = [expected_ratio(kind, rate) for rate in (BEFORE, DURING)]
    falls = kind.startswith("E")
    close = np.allclose([before, late], wanted, rtol=0.1)
    return Claim(
        f"{kind}: the ratio of excitation and inhibition {'falls' if falls else 'rises'} through the stimulus",
        "Adaptation",
        f"g_E/g_I {before:.3f} before and {late:.3f} late; theory {wanted[0]:.3f} and {wanted[1]:.3f}",
        bool(close and (late < before if falls else late > before)),
    )


def _claim_on_cells(data: "xr.Dataset") -> Claim:
    kind = "cells adapt"
    first, late = (float(data.rate.sel(kind=kind, time=slice(*t)).mean()) for t in ((ON, ON + 0.1), (OFF - 1, OFF)))
    before, during = ratio(data, kind, 0.0, ON), ratio(data, kind, ON + 1.0, OFF)
    return Claim(
        "Adaptation of the cells lowers their rate and leaves the ratio of conductances as it is",
        "Adaptation",
        f"rate {first:.1f} Hz at first, {late:.1f} Hz late; g_E/g_I {before:.3f} and {during:.3f}",
        bool(late < 0.8 * first and abs(during / before - 1.0) < 0.1),
    )


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Conductances above, the rate of the cells below, a column for each kind."""
    axes = canvas.subplots(2, len(KINDS), sharex=True, sharey="row")
    for column, kind, letters in zip(axes.T, data.kind.values, ("AD", "BE", "CF"), strict=True):
        one = data.sel(kind=kind)
        t = one.time.values
        column[0].plot(t, one.excitatory / nS, **plotting.LOOK["e"], label="g_E")
        column[0].plot(t, one.inhibitory / nS, **plotting.LOOK["i"], label="g_I")
        column[1].plot(t, one.rate, color=plotting.INK, lw=0.9)
        column[0].set_title(f"{letters[0]}  {kind}")
        column[1].set_title(letters[1])
        column[1].set(xlabel="time (s)")
        for ax in column:
            ax.axvspan(ON, OFF, color=plotting.GRID, zorder=0)
    axes[0, 0].set(ylabel="conductance (nS)")
    axes[1, 0].set(ylabel="rate (Hz)")
    axes[0, 0].legend()
