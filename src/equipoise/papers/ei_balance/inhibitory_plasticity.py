"""Inhibitory plasticity: a network finds its rate and its balance, and inhibition takes the tuning of excitation.

After Vogels, Sprekeler, Zenke, Clopath & Gerstner (2011), Science 334:1569, Figs. 2 and 3, with independent seeds.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures, plotting, spiking
from equipoise.model.plasticity import InhibitoryPlasticity
from equipoise.papers.ei_balance import plastic_circuits as circuits
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.units import Hz, ms, nS, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TARGET = 5 * Hz
LOOKED = 40
"""Neurons whose currents are followed."""
SOURCE = "Vogels et al. 2011"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Neurons, seconds and learning rate of the network; seconds and learning rate of the cells under tuned input."""

    neurons: int = circuits.NEURONS
    duration: float = 100 * second
    eta: float = 0.01
    tuned: float = 60 * second
    eta_tuned: float = 0.05


PLAN = Plan()


def compute(progress: Progress = lambda _: None, plan: Plan = PLAN) -> "xr.Dataset":
    """Rates, currents and weights of the network over time, and of the cells by channel before and after."""
    import xarray as xr

    network = _network(plan, lambda done: progress(0.8 * done))
    tuned = _tuned(plan, lambda done: progress(0.8 + 0.2 * done))
    return xr.merge([network, tuned]).assign_attrs(neurons=plan.neurons, duration=plan.duration)


def _network(plan: Plan, progress: Progress) -> "xr.Dataset":
    import xarray as xr

    net = circuits.network(InhibitoryPlasticity(TARGET, eta=plan.eta), neurons=plan.neurons)
    network = spiking.build(net, seed=1)
    record = spiking.Record(cells=500, bin=500 * ms, membrane={"E": LOOKED}, every=5 * ms)
    run = spiking.run(network, duration=plan.duration, record=record, progress=progress)
    rates, late = run.rate_trace(), plan.duration - min(10.0, 0.2 * plan.duration)
    currents = [run.membrane_between(0.0, 1.0), run.membrane_between(late, run.duration)]
    found = [measures.balance(m.excitation + m.drive, m.inhibition) for m in currents]
    relative = network.synaptic_weights("I", "E", learned=run.end.learned)
    edges = np.linspace(0.0, 8.0, 41) * nS
    last = run.spikes_between(late, run.duration)
    irregular = measures.cv(last).values[run.units_of("E")]
    return xr.Dataset(
        {
            "rate": (("population", "time"), rates.values),
            "late_rate": ("population", rates.sel(time=slice(late, None)).mean("time").values),
            "balance_index": (("stage", "cell"), [x["index"].values for x in found]),
            "tracking": (("stage", "cell"), [x.tracking.values for x in found]),
            "excitation": (("stage", "moment"), [(m.excitation + m.drive).values[-100:, 0] for m in currents]),
            "inhibition": (("stage", "moment"), [m.inhibition.values[-100:, 0] for m in currents]),
            "weights": ("weight", np.histogram(relative, bins=edges, density=True)[0]),
            "cv": float(np.nanmean(irregular)),
            "wall": run.wall,
        },
        coords={
            "population": list(run.names),
            "time": rates.time.values,
            "stage": ["first second", "end"],
            "moment": 5 * ms * np.arange(100),
            "weight": 0.5 * (edges[1:] + edges[:-1]),
        },
    )


def _tuned(plan: Plan, progress: Progress) -> "xr.Dataset":
    import xarray as xr

    net = circuits.tuned(InhibitoryPlasticity(TARGET, eta=plan.eta_tuned))
    network = spiking.build(net, seed=2, wiring=circuits.tuned_wiring(net))
    record = spiking.Record(cells=np.inf, membrane={"cell": 10}, every=1 * ms)
    first = spiking.run(network, duration=2.0, record=record)
    end = spiking.run(network, duration=plan.tuned, start=first.end, record=spiking.Record(cells=0)).end
    progress(0.8)
    last = spiking.run(network, duration=5.0, start=end, record=record)
    learned = [network.learning.begin(), end.learned]
    pre, _ = network.synapses("I", "cell")
    weights = [network.synaptic_weights("I", "cell", learned=x) for x in learned]
    found = [measures.balance(r.membrane.excitation, r.membrane.inhibition) for r in (first, last)]
    return xr.Dataset(
        {
            "tuning": ("channel", circuits.tuning() * circuits.tuned(None).projection("E", "cell").weight),
            "inhibitory": (("stage", "channel"), [circuits.by_channel(w, pre, "I") for w in weights]),
            "tuned_tracking": ("stage", [float(x.tracking.mean()) for x in found]),
            "tuned_rate": ("stage", [r.rates[net.names.index("cell")] for r in (first, last)]),
        },
        coords={"stage": ["first second", "end"], "channel": np.arange(1, circuits.CHANNELS + 1)},
    )


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """What the rule brings about in both circuits."""
    return [*_claims_on_network(data), *_claims_on_tuning(data)]


def _claims_on_network(data: "xr.Dataset") -> list[Claim]:
    early, late = float(data["rate"][0, 0]), float(data["late_rate"][0])
    index = data["balance_index"].mean("cell").values
    return [
        Claim(
            "The rate of the network goes to the target of the rule",
            f"{SOURCE}, Fig. 3",
            f"{early:.0f} Hz in the first half second, {late:.2f} Hz at the end; target {TARGET:g} Hz",
            abs(late - TARGET) < 0.3 * TARGET < abs(early - TARGET),
        ),
        Claim(
            "Firing becomes irregular",
            f"{SOURCE}, Fig. 3",
            f"C_v {float(data['cv']):.2f} at the end",
            bool(0.7 < data["cv"] < 1.2),
        ),
        Claim(
            "Global balance emerges: inhibition cancels most of the excitation",
            "Plasticity",
            f"net current over excitation {index[0]:.2f} in the first second, {index[1]:.2f} at the end",
            bool(abs(index[1]) < 0.3 and abs(index[1]) < 0.8 * abs(index[0])),
        ),
    ]


def _claims_on_tuning(data: "xr.Dataset") -> list[Claim]:
    tuned = float(measures.cotuning(data["tuning"].values, data["inhibitory"].sel(stage="end").values))
    tracking = data["tuned_tracking"].values
    return [
        Claim(
            "Detailed balance emerges: inhibition takes the tuning of excitation",
            f"{SOURCE}, Fig. 2",
            f"correlation over eight channels {tuned:.3f}, from equal weights",
            tuned > 0.9,
        ),
        Claim(
            "Excitatory and inhibitory currents come to follow each other",
            f"{SOURCE}, Fig. 2",
            f"correlation over time {tracking[0]:.2f} at first, {tracking[1]:.2f} at the end",
            bool(tracking[1] > 0.7 and tracking[1] > tracking[0] + 0.2),
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates of the network, currents of a neuron at both ends, and weights by channel."""
    axes = panels(canvas, "Rates of the network", "Currents of a neuron", "Tuning of weights")
    _draw_rates(axes[0], data)
    _draw_currents(axes[1], data)
    _draw_tuning(axes[2], data)


def _draw_rates(ax: "Axes", data: "xr.Dataset") -> None:
    for name in data["population"].values:
        ax.plot(data["time"], data["rate"].sel(population=name), **plotting.LOOK[name.lower()], label=name)
    ax.axhline(TARGET, color=plotting.INK, lw=0.8, ls=":", label="target")
    ax.set(xlabel="time (s)", ylabel="rate (Hz)", yscale="log")
    ax.legend()


def _draw_currents(ax: "Axes", data: "xr.Dataset") -> None:
    x = data.sel(stage="end")
    t = 1e3 * data["moment"].values
    ax.plot(t, x["excitation"], **plotting.LOOK["e"], label="excitation")
    ax.plot(t, x["inhibition"], **plotting.LOOK["i"], label="inhibition")
    ax.plot(t, x["excitation"] + x["inhibition"], color=plotting.INK, lw=0.8, label="both")
    ax.axhline(0.0, color=plotting.INK, lw=0.5)
    ax.set(xlabel="time, last half second (ms)", ylabel="current / C (V/s)", ylim=(-2.2, 3.2))
    ax.legend(loc="upper right")


def _draw_tuning(ax: "Axes", data: "xr.Dataset") -> None:
    x = data["channel"].values
    ax.plot(x, data["tuning"] / nS, marker="o", ms=3, **plotting.LOOK["e"], label="excitatory")
    before, after = (data["inhibitory"].sel(stage=stage) / nS for stage in data["stage"].values)
    ax.plot(x, before, ":", color=plotting.INHIBITION, label="inhibitory, start")
    ax.plot(x, after, marker="s", ms=3, **plotting.LOOK["i"], label="inhibitory, end")
    ax.set(xlabel="channel", ylabel="peak conductance (nS)", ylim=(0, 1.5 * float(after.max())))
    ax.legend(loc="upper left")
