"""The two circuits of Vogels et al. 2011 (Science 334:1569): a recurrent network, and cells under tuned input.

Constants are those of the published network: 10 nS, 200 pF, -60, -50 and -80 mV, 5 and 10 ms, 200 pA, weights 0.3 and
3 nS, one pair in fifty connected.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import Connectivity, ErdosRenyi, FixedInDegree
from equipoise.model.neurons import LIF, ConductanceLIF
from equipoise.model.plasticity import InhibitoryPlasticity
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.model.synapses import ConductanceSynapse, ExponentialSynapse
from equipoise.quantities import Array
from equipoise.spiking.wiring import Wiring
from equipoise.units import Hz, ms, mV, nS, pA, pF

CELL = ConductanceLIF(
    capacitance=200 * pF, g_leak=10 * nS, v_leak=-60 * mV, v_threshold=-50 * mV, v_reset=-60 * mV, tau_ref=5 * ms
)
AMPA, GABA = ConductanceSynapse(5 * ms, reversal=0 * mV), ConductanceSynapse(10 * ms, reversal=-80 * mV)
DRIVE = 200 * pA / CELL.capacitance
DELAY = 0.8 * ms
NEURONS, PROBABILITY = 10_000, 0.02

CHANNELS = 8
SENDERS = {"E": 100, "I": 25}
"""Neurons of each channel."""


def network(rule: InhibitoryPlasticity | None, *, neurons: int = NEURONS, start: float = 1 * nS) -> Circuit:
    """NE : NI = 4 : 1 neurons whose I -> E synapses start from `start` [S]; as many synapses each in smaller ones."""
    wires = ErdosRenyi(probability=PROBABILITY * NEURONS / neurons)

    def onto(source: str, target: str, weight: float, plasticity: InhibitoryPlasticity | None = None) -> Projection:
        return Projection(
            source=source, target=target, weight=weight, synapse=AMPA if source == "E" else GABA, connectivity=wires,
            delay=DELAY, plasticity=plasticity,
        )  # fmt: skip

    return Circuit(
        name="Vogels et al. 2011",
        populations=[
            Population("E", size=neurons * 4 // 5, neuron=CELL, drive=DRIVE),
            Population("I", size=neurons // 5, neuron=CELL, drive=DRIVE),
        ],
        projections=[
            onto("E", "E", 0.3 * nS), onto("E", "I", 0.3 * nS), onto("I", "E", start, rule), onto("I", "I", 3 * nS),
        ],
    )  # fmt: skip


def tuned(rule: InhibitoryPlasticity | None, *, cells: int = 20) -> Circuit:
    """`cells` without synapses among them, each under eight channels of input that excite and inhibit it together.

    A channel is 100 excitatory and 25 inhibitory neurons which fire when their signal S does, and else at random.
    """
    sender = LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV, tau_ref=2 * ms)
    signal = ExponentialSynapse(20 * ms)

    def onto(source: str, target: str, weight: float, degree: Connectivity, **more) -> Projection:
        return Projection(source=source, target=target, weight=weight, connectivity=degree, delay=DELAY, **more)

    background = [onto("X", name, 1 * mV, FixedInDegree(n)) for name, n in (("E", 13), ("I", 13), ("S", 14))]
    whole = {name: FixedInDegree(CHANNELS * n) for name, n in SENDERS.items()}
    return Circuit(
        name="tuned input",
        populations=[
            *(Population(name, size=CHANNELS * n, neuron=sender) for name, n in SENDERS.items()),
            Population("S", size=CHANNELS, neuron=sender),
            Population("cell", size=cells, neuron=CELL),
            Source("X", rate=50 * Hz),
        ],
        projections=[
            *background,
            *(onto("S", name, 12 * mV, FixedInDegree(1), synapse=signal) for name in SENDERS),
            onto("E", "cell", 0.5 * nS, whole["E"], synapse=AMPA),
            onto("I", "cell", 1 * nS, whole["I"], synapse=GABA, plasticity=rule),
        ],
    )


def tuning() -> Array:
    """Excitation of the cells by channel, over its mean (channel,)."""
    size = 0.3 + np.exp(-0.5 * ((np.arange(CHANNELS) - 4.0) / 1.5) ** 2)
    return size / size.mean()


def tuned_wiring(circuit: Circuit) -> Wiring:
    """Each signal reaches its channel, each sender all cells, excitation by the tuning."""
    cells = int(circuit.node("cell").size)
    channel = {name: np.repeat(np.arange(CHANNELS), n) for name, n in SENDERS.items()}
    explicit = {("S", name): (of[:, None] == np.arange(CHANNELS)).astype(float) for name, of in channel.items()}
    explicit |= {(name, "cell"): np.ones((cells, of.size)) for name, of in channel.items()}
    weight = circuit.projection("E", "cell").weight
    return Wiring(explicit=explicit, weights={("E", "cell"): np.tile(weight * tuning()[channel["E"]], (cells, 1))})


def by_channel(weights: Array, pre: NDArray[np.int64], population: str) -> Array:
    """Mean weight of the synapses of each channel (channel,)."""
    of = pre // SENDERS[population]
    return np.bincount(of, weights=weights, minlength=CHANNELS) / np.bincount(of, minlength=CHANNELS)
