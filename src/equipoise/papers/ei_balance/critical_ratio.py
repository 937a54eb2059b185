"""The ratio of inhibition to excitation as the knob of criticality, in probabilistic units and in leaky integrators.

Along g, the strength of an inhibitory synapse relative to an excitatory one: branching ratio, susceptibility and
dynamic range. They peak where sigma = 1 in the network of probabilistic units, and where the quiet state ends (a fold
of mean field) in that of leaky integrate-and-fire neurons. Beside them stand independent Poisson counts of the same
mean.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import branching, measures, plotting
from equipoise.model.circuit import Circuit
from equipoise.model.delays import UniformDelay
from equipoise.model.neurons import LIF
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.papers.framework import Claim, Progress
from equipoise.spiking import Record, simulate
from equipoise.theory import branch
from equipoise.units import Hz, ms, mV, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

NEURON = LIF(tau_m=20 * ms, tau_ref=5 * ms, v_threshold=20 * mV, v_reset=0 * mV)
K, WEIGHT, KICK = 100, 0.6 * mV, 25 * mV
"""Excitatory inputs of a neuron, four times the inhibitory ones; a stimulus spike lifts any neuron over threshold."""
TRAINS = 4
"""Trains of which the stimulus of a neuron is made."""
BACKGROUND, STEP = 12 * mV, 1 * mV
"""Mean of the background input, made of spikes of this size."""
BIN = 2 * ms
QUANTITIES = ("branching_ratio", "susceptibility", "dynamic_range")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Values of g, sizes and lengths of both networks; `stimuli` [Hz] are those of the leaky integrators."""

    unit_g: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.2, 1.35, 1.5, 1.65, 1.8, 2.0, 2.25, 2.5, 3.0)
    units: int = 100_000
    steps: int = 40_000
    lif_g: tuple[float, ...] = (1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0, 6.0)
    excitatory: int = 1600
    measured: float = 6 * second
    stimuli: tuple[float, ...] = (0.1, 0.4, 1.6, 4.0, 10.0, 25.0, 60.0, 150.0, 400.0, 1000.0, 3000.0)
    stimulated: float = 0.6 * second


PLAN = Plan()


def compute(progress: Progress = lambda _: None, plan: Plan = PLAN) -> "xr.Dataset":
    """The three quantities along g for both networks, of chance, and what theory says of them."""
    import xarray as xr

    units = np.array([_of_units(g, plan) for g in plan.unit_g])
    progress(0.1)
    lif = []
    for g in plan.lif_g:
        lif.append(_of_lif(g, plan))
        progress(0.1 + 0.9 * len(lif) / len(plan.lif_g))
    folds = branch(lambda g: circuit(g, plan.excitatory), 6.0, 1.5)
    ends = folds["special_parameter"].values[folds["special_kind"].values == "fold"]
    unit_names = [*QUANTITIES, "chance_branching_ratio", "chance_susceptibility", "theory_dynamic_range", "rate"]
    lif_names = [*QUANTITIES, "chance_branching_ratio", "chance_susceptibility", "rate"]
    return xr.Dataset(
        {f"unit_{name}": ("unit_g", units[:, i]) for i, name in enumerate(unit_names)}
        | {f"lif_{name}": ("lif_g", np.array(lif)[:, i]) for i, name in enumerate(lif_names)},
        coords={"unit_g": list(plan.unit_g), "lif_g": list(plan.lif_g)},
        attrs={
            "critical_g": _network(1.0, plan).critical_g,
            "quiet_ends": float(ends.min()),
            "busy_begins": float(ends.max()),
            "uncoupled_range": float(_range_of(branching.ExcitableNetwork(size=10, coupling=0.0, refractory=2))),
        },
    )


# --- probabilistic units ----------------------------------------------------------------------------------------------
DRIVES = np.geomspace(1e-6, 1.0, 25)
QUIET_DRIVE = 1e-5


def _network(g: float, plan: Plan) -> branching.ExcitableNetwork:
    return branching.ExcitableNetwork(size=plan.units, coupling=2.0, g=g, refractory=2)


def _range_of(network: branching.ExcitableNetwork) -> float:
    return measures.dynamic_range(DRIVES, network.density(DRIVES))


def _of_units(g: float, plan: Plan) -> list[float]:
    """Branching ratio, susceptibility over mean and dynamic range; the first two by chance; in theory; activity."""
    network = _network(g, plan)
    counts = branching.run(network, plan.steps, drive=QUIET_DRIVE, seed=1, warmup=1000, active=0.1)
    short = plan.steps // 10
    answer = [branching.run(network, short, drive=h, seed=2, warmup=500, active=0.1).mean() for h in DRIVES]
    return [
        *_fluctuations(counts, plan.units),
        measures.dynamic_range(DRIVES, answer),
        *_fluctuations(measures.poisson_null(counts, seed=3), plan.units),
        _range_of(network),
        float(counts.mean() / plan.units),
    ]


def _fluctuations(counts: NDArray[np.int64], size: int) -> tuple[float, float]:
    """Branching ratio, and susceptibility relative to that of independent units, <A>/N."""
    return float(measures.branching_ratio(counts, kmax=1)), measures.susceptibility(counts, size) * size / float(
        counts.mean()
    )


# --- leaky integrators ------------------------------------------------------------------------------------------------
def circuit(g: float, excitatory: int, stimulus: float = 0.0) -> Circuit:
    """E and I neurons that differ in what they send, under background input and a stimulus [Hz] that fires them."""
    background = BACKGROUND / (STEP * K * NEURON.tau_m)
    nodes = [
        Population("E", size=excitatory, neuron=NEURON),
        Population("I", size=excitatory // 4, neuron=NEURON),
        Source("X", rate=background),
        *([Source("S", rate=stimulus / TRAINS)] if stimulus else []),
    ]
    delay = UniformDelay(low=0.5 * ms, high=4.5 * ms)
    recurrent = {"E": (WEIGHT, K), "I": (-g * WEIGHT, K // 4)}
    outside = {"X": (STEP, K)} | ({"S": (KICK, TRAINS)} if stimulus else {})
    projections = [
        Projection(source=s, target=t, weight=w, in_degree=k, delay=delay)
        for t in recurrent
        for s, (w, k) in recurrent.items()
    ] + [Projection(source=s, target=t, weight=w, in_degree=k) for t in recurrent for s, (w, k) in outside.items()]
    return Circuit(populations=nodes, projections=projections)


def _of_lif(g: float, plan: Plan) -> list[float]:
    """Branching ratio, susceptibility over mean and dynamic range; the first two by chance; rate [Hz]."""
    found = simulate(circuit(g, plan.excitatory), duration=plan.measured, seed=4, record=Record(bin=BIN, cells=0))
    counts, size = found.counts.sum(axis=0), plan.excitatory // 4 * 5
    answer = [_answer(g, plan, stimulus) for stimulus in plan.stimuli]
    return [
        *_fluctuations(counts, size),
        measures.dynamic_range(plan.stimuli, np.maximum.accumulate(answer)),
        *_fluctuations(measures.poisson_null(counts, seed=5), size),
        float(counts.sum() / (size * found.duration)),
    ]


def _answer(g: float, plan: Plan, stimulus: float) -> float:
    """Mean rate under a stimulus [Hz], of a network half the size."""
    net = circuit(g, plan.excitatory // 2, stimulus)
    found = simulate(net, duration=plan.stimulated, seed=6, warmup=200 * ms, record=Record(cells=0))
    return float(found.rates @ [0.8, 0.2]) / Hz


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """The peaks, where theory has them, and their absence in chance."""
    return [*_claims_on_units(data), *_claims_on_lif(data)]


def _peaks(data: "xr.Dataset", kind: str) -> dict[str, float]:
    return {name: float(data[f"{kind}_{name}"].idxmax()) for name in QUANTITIES}


def _told(peaks: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} at g = {g:g}" for name, g in peaks.items())


def _claims_on_units(data: "xr.Dataset") -> list[Claim]:
    peaks, critical = _peaks(data, "unit"), data.attrs["critical_g"]
    error = np.abs(data["unit_dynamic_range"] - data["unit_theory_dynamic_range"]).max()
    best, ratio = float(data["unit_dynamic_range"].max()), float(data["unit_branching_ratio"].max())
    alone = data.attrs["uncoupled_range"]
    return [
        Claim(
            "The ratio of inhibition to excitation is the knob: probabilistic units are critical at one g",
            "Living on the Edge",
            f"{_told(peaks)}; sigma = 1 at g = {critical:g}",
            bool(all(abs(g - critical) <= 0.16 for g in peaks.values()) and 0.95 < ratio < 1.0),
        ),
        Claim(
            "The dynamic range is largest at the critical point",
            "Kinouchi & Copelli 2006",
            f"{best:.1f} dB, uncoupled units {alone:.1f} dB; theory within {float(error):.2f} dB",
            bool(best > alone + 5.0 and error < 0.4),
        ),
        Claim(
            "Independent Poisson counts of the same mean show none of it",
            "derived",
            f"branching ratio at most {float(np.abs(data['unit_chance_branching_ratio']).max()):.3f}, susceptibility "
            f"{float(data['unit_chance_susceptibility'].max()):.2f} times that of independent units",
            bool(np.abs(data["unit_chance_branching_ratio"]).max() < 0.05),
        ),
    ]


def _claims_on_lif(data: "xr.Dataset") -> list[Claim]:
    peaks, (ends, begins) = _peaks(data, "lif"), (data.attrs["quiet_ends"], data.attrs["busy_begins"])
    ratio, rate, g = data["lif_branching_ratio"].values, data["lif_rate"].values, data["lif_g"].values
    chance = float(np.abs(data["lif_chance_branching_ratio"]).max())
    return [
        Claim(
            "Leaky integrate-and-fire neurons are most sensitive where excitation is about to win",
            "Living on the Edge",
            f"{_told(peaks)}; the quiet state of mean field ends at g = {ends:.2f}",
            bool(all(abs(at - ends) <= 0.55 for at in peaks.values())),
        ),
        Claim(
            "Activity barely branches far from the border, and almost sustains itself there",
            "Living on the Edge",
            f"branching ratio in {BIN / ms:g} ms {ratio.max():.2f} near the border, {ratio[0]:.2f} at g = {g[0]:g}, "
            f"{ratio[-1]:.2f} at g = {g[-1]:g}; chance at most {chance:.2f}",
            bool(ratio.max() > 0.85 and max(ratio[0], ratio[-1]) < 0.6 and chance < 0.1),
        ),
        Claim(
            "Beyond the border activity explodes, up to the refractory time",
            "Living on the Edge",
            f"{rate[0]:.0f} Hz at g = {g[0]:g}, {rate[-1]:.1f} Hz at g = {g[-1]:g}",
            bool(rate[0] > 30 * rate[-1]),
        ),
        Claim(
            "The border of the leaky integrators is a continuous transition, as that of the branching process is",
            "derived",
            f"mean field holds a quiet and a busy state for g in [{ends:.2f}, {begins:.2f}]; noise blurs the jump",
            bool(begins <= ends),
            expected=False,
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
LABELS = {
    "branching_ratio": "branching ratio",
    "susceptibility": "susceptibility (independent = 1)",
    "dynamic_range": "dynamic range (dB)",
}


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Three quantities along g: probabilistic units above, leaky integrators below."""
    axes = canvas.subplots(2, 3)
    names = {"unit": "probabilistic units", "lif": "leaky integrators"}
    borders = {"unit": data.attrs["critical_g"], "lif": data.attrs["quiet_ends"]}
    for row, (kind, name) in zip(axes, names.items(), strict=True):
        for ax, quantity in zip(row, QUANTITIES, strict=True):
            _draw_one(ax, data, kind, quantity)
            ax.axvline(borders[kind], color=plotting.QUIET, lw=0.8, ls=":")
            ax.set(xlabel="inhibition / excitation g", ylabel=LABELS[quantity])
        row[1].set_yscale("log")
        row[0].set_title(name)
    for letter, ax in zip("ABCDEF", axes.flat, strict=True):
        ax.set_title(f"{letter}  {ax.get_title(loc='left')}")
    axes[0, 2].plot(data["unit_g"], data["unit_theory_dynamic_range"], color=plotting.INK, lw=0.9, label="mean field")
    axes[0, 2].axhline(data.attrs["uncoupled_range"], color=plotting.QUIET, lw=0.9, ls="--", label="uncoupled")
    axes[0, 0].legend(loc="best")
    axes[0, 2].legend(loc="best")


def _draw_one(ax: "Axes", data: "xr.Dataset", kind: str, quantity: str) -> None:
    g = data[f"{kind}_g"]
    ax.plot(g, data[f"{kind}_{quantity}"], "o-" if kind == "lif" or "range" not in quantity else "o", ms=4,
            lw=0.9, color=plotting.INK, label="network")  # fmt: skip
    if f"{kind}_chance_{quantity}" in data:
        ax.plot(g, data[f"{kind}_chance_{quantity}"], "x--", ms=4, lw=0.8, color=plotting.QUIET, label="chance")
