"""One step of each neuron model: what becomes of the potential, of constant input, noise and currents.

The LIF has du/dt = -u/tau + input with u = v - v_leak, integrated exactly; the PIF the same without the first term and
with a floor; the EIF has the LIF's terms and slope e^{(v - v_onset)/slope}/tau, held constant over a step (exponential
Euler, first order in dt).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, IntegrateAndFire
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking.explicit import Pair
from equipoise.spiking.layout import Layout

Floats = NDArray[np.float32]
POTENTIAL = -1
"""The sink that is no current."""
NO_FLOOR = -float(np.finfo(np.float32).max)


class Channel(NamedTuple):
    """A mean weight that arrives with one synaptic time constant, 0 for delta synapses.

    `summed`: its synapses have weights of their own, else they are alike and counted.
    """

    weight: float
    tau_s: float
    summed: bool


@dataclass(frozen=True)
class Receptors:
    """How the neurons of a population take input: channels, and the time constants of currents.

    `given`: projections, by (source, target), whose synapses are given weights of their own.
    """

    channels: tuple[Channel, ...]
    times: tuple[float, ...]
    given: frozenset[Pair] = frozenset()

    @classmethod
    def of(cls, circuit: Circuit, population: str, given: Iterable[Pair] = ()) -> "Receptors":
        """All that projects to a population; sources have no channels, but currents."""
        mine, given = [p for p in circuit.projections if p.target == population], frozenset(given)
        senders = {p.name for p in circuit.populations}
        channels = dict.fromkeys(_channel(p, given) for p in mine if p.source in senders)
        times = dict.fromkeys(p.synapse.time_constant for p in mine if p.synapse.time_constant > 0.0)
        return cls(tuple(channels), tuple(times), given)

    def channel_of(self, p: Projection) -> int:
        """The channel of a projection."""
        return self.channels.index(_channel(p, self.given))

    def sink(self, tau_s: float) -> int:
        """The current of a time constant."""
        return POTENTIAL if tau_s == 0.0 else self.times.index(tau_s)


def _channel(p: Projection, given: frozenset[Pair]) -> Channel:
    own = p.weight_spread is not None or (p.source, p.target) in given
    return Channel(p.weight, p.synapse.time_constant, own)


def jump(weight: float, tau_s: float) -> float:
    """What a spike adds to its sink: J [V], or J/tau_s [V/s]."""
    return weight if tau_s == 0.0 else weight / tau_s


def cell(neuron: IntegrateAndFire, refractory: int, dt: float) -> list[float]:
    """Decay of the potential, floor, reset, steps of refractoriness; gain, onset and steepness of the upstroke."""
    if isinstance(neuron, LIF | EIF):
        common = [math.exp(-dt / neuron.tau_m), NO_FLOOR, neuron.v_reset - neuron.v_leak, refractory]
        if isinstance(neuron, LIF):
            return [*common, 0.0, 0.0, 0.0]
        onset = neuron.v_onset - neuron.v_leak
        return [*common, neuron.slope * -math.expm1(-dt / neuron.tau_m), onset, 1.0 / neuron.slope]
    return [1.0, neuron.lower_bound(0.0, 0.0), neuron.v_reset, refractory, 0.0, 0.0, 0.0]


def leak(neuron: IntegrateAndFire) -> float:
    """1/tau_m, or 0 without a leak [Hz]."""
    return 1.0 / neuron.tau_m if isinstance(neuron, LIF | EIF) else 0.0


def gain_of_step(neuron: IntegrateAndFire, dt: float) -> float:
    """What one step makes of a constant input mu [V/s]: mu tau (1 - e^{-dt/tau}), or mu dt [s]."""
    rate = leak(neuron)
    return -math.expm1(-dt * rate) / rate if rate else dt


def noise_of_step(rate: float, dt: float) -> float:
    """Standard deviation of noise of strength 1 over one step while it decays at `rate` [Hz]: [sqrt(s)]."""
    return math.sqrt(-0.5 * math.expm1(-2.0 * dt * rate) / rate) if rate else math.sqrt(dt)


def current_of_step(neuron: IntegrateAndFire, tau_s: float, dt: float) -> tuple[float, float]:
    """Transfer [s] to the potential and decay of a current: tau tau_s/(tau_s - tau) (e^{-dt/tau_s} - e^{-dt/tau}).

    Rotter & Diesmann 1999, Biol. Cybern. 81:381; written so that tau_s = tau is no special case but its limit.
    """
    difference = leak(neuron) - 1.0 / tau_s
    stretch = math.expm1(difference * dt) / difference if difference else dt
    return math.exp(-dt * leak(neuron)) * stretch, math.exp(-dt / tau_s)


# --- over all places --------------------------------------------------------------------------------------------------
def thresholds_of(circuit: Circuit, layout: Layout) -> Floats:
    """Thresholds from the leak potential; infinite for padding, which never fires."""
    out = np.full(layout.places, np.inf, np.float32)
    for k, p in enumerate(circuit.populations):
        out[layout.neurons(k)] = p.neuron.v_threshold - getattr(p.neuron, "v_leak", 0.0)
    return out


def drive_of(circuit: Circuit, layout: Layout, mean: Array, dt: float) -> Floats:
    """What the potential gains per step from a mean input [V/s] at each place."""
    out = np.zeros(layout.places, np.float32)
    for k, p in enumerate(circuit.populations):
        out[layout.neurons(k)] = mean[layout.neurons(k)] * gain_of_step(p.neuron, dt)
    return out


def weights_of(receptors: list[Receptors], layout: Layout) -> Floats:
    """What one arrival adds to its sink (channel, place)."""
    out = np.zeros((max(len(r.channels) for r in receptors), layout.places), np.float32)
    for k, r in enumerate(receptors):
        for c, channel in enumerate(r.channels):
            out[c, layout.neurons(k)] = jump(channel.weight, channel.tau_s)
    return out


def currents_of(circuit: Circuit, receptors: list[Receptors], dt: float) -> Array:
    """Rows (population, transfer, decay)."""
    rows = [
        [k, *current_of_step(p.neuron, tau_s, dt)]
        for k, (p, r) in enumerate(zip(circuit.populations, receptors, strict=True))
        for tau_s in r.times
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def sinks_of(receptors: list[Receptors]) -> NDArray[np.int64]:
    """The sink of each channel (population, channel); those that a population lacks go nowhere in particular."""
    n = max(len(r.channels) for r in receptors)
    rows = [[r.sink(c.tau_s) for c in r.channels] + [POTENTIAL] * (n - len(r.channels)) for r in receptors]
    return np.array(rows, dtype=np.int64).reshape(len(receptors), n)


def summed_of(receptors: list[Receptors]) -> NDArray[np.bool_]:
    """Whether each channel is summed (population, channel)."""
    n = max(len(r.channels) for r in receptors)
    rows = [[c.summed for c in r.channels] + [False] * (n - len(r.channels)) for r in receptors]
    return np.array(rows, dtype=bool).reshape(len(receptors), n)
