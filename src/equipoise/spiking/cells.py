"""One step of each neuron model: what becomes of the potential, of constant input, noise and currents.

The LIF has du/dt = -u/tau + input with u = v - v_leak, integrated exactly; the PIF the same without the first term and
with a floor; the EIF has the LIF's terms and slope e^{(v - v_onset)/slope}/tau, held constant over a step (exponential
Euler, first order in dt).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, PIF
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking.explicit import Pair
from equipoise.spiking.layout import Layout
from equipoise.spiking.neurons import Neurons
from equipoise.spiking.strips import Strips

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


FIELDS = ("decay", "floor", "reset", "silence", "gain", "onset", "steepness")
"""Of the step of a neuron: decay of the potential, floor, reset, steps of refractoriness; the upstroke."""


def fields_of_step(of: Neurons, dt: float) -> tuple[Array, ...]:
    """Values of `FIELDS` in this order; refractory periods that neurons have of their own are rounded."""
    leak, nothing = of.leak, np.zeros(())
    decay, reset, silence = np.exp(-dt * leak), of["v_reset"] - of["v_leak"], np.rint(of["tau_ref"] / dt)
    if isinstance(of.neuron, EIF):
        slope, onset = of["slope"], of["v_onset"] - of["v_leak"]
        return decay, np.asarray(NO_FLOOR), reset, silence, slope * -np.expm1(-dt * leak), onset, 1.0 / slope
    floor = of["v_bound"] if isinstance(of.neuron, PIF) else np.asarray(NO_FLOOR)
    return decay, floor, reset, silence, nothing, nothing, nothing


def gain_of_step(rate: Array, dt: float) -> Array:
    """What one step makes of a constant input mu [V/s] at a leak [Hz]: mu tau (1 - e^{-dt/tau}), or mu dt [s]."""
    leaky = np.where(rate > 0.0, rate, 1.0)
    return np.where(rate > 0.0, -np.expm1(-dt * leaky) / leaky, dt)


def noise_of_step(rate: Array, dt: float) -> Array:
    """Standard deviation of noise of strength 1 over one step while it decays at `rate` [Hz]: [sqrt(s)]."""
    leaky = np.where(rate > 0.0, rate, 1.0)
    return np.sqrt(np.where(rate > 0.0, -0.5 * np.expm1(-2.0 * dt * leaky) / leaky, dt))


def transfer_of_step(rate: Array, tau_s: float, dt: float) -> Array:
    """What of a current reaches the potential [s]: tau tau_s/(tau_s - tau) (e^{-dt/tau_s} - e^{-dt/tau}).

    Rotter & Diesmann 1999, Biol. Cybern. 81:381; written so that tau_s = tau is no special case but its limit.
    """
    difference = rate - 1.0 / tau_s
    apart = difference != 0.0
    return np.exp(-dt * rate) * np.where(apart, np.expm1(difference * dt) / np.where(apart, difference, 1.0), dt)


# --- over all places --------------------------------------------------------------------------------------------------
def thresholds_of(neurons: Sequence[Neurons], layout: Layout) -> Floats:
    """Thresholds from the leak potential; infinite for padding, which never fires."""
    out = np.full(layout.places, np.inf, np.float32)
    for k, of in enumerate(neurons):
        out[layout.neurons(k)] = of["v_threshold"] - of["v_leak"]
    return out


def drive_of(neurons: Sequence[Neurons], layout: Layout, mean: Array, dt: float) -> Floats:
    """What the potential gains per step from a mean input [V/s] at each place."""
    out = np.zeros(layout.places, np.float32)
    for k, of in enumerate(neurons):
        out[layout.neurons(k)] = mean[layout.neurons(k)] * gain_of_step(of.leak, dt)
    return out


def steps_of_cells(neurons: Sequence[Neurons], receptors: Sequence[Receptors], layout: Layout, dt: float) -> Strips:
    """Rows of `FIELDS`, then of the transfer of each current."""
    most = max(len(r.times) for r in receptors)
    rows = np.zeros((len(FIELDS) + most, layout.places), np.float32)
    for k, (of, r) in enumerate(zip(neurons, receptors, strict=True)):
        transfers = [transfer_of_step(of.leak, tau_s, dt) for tau_s in r.times]
        for row, value in zip(rows, [*fields_of_step(of, dt), *transfers], strict=False):
            # Padding takes the values of equal neurons, so that their columns are equal.
            row[layout.neurons(k) if value.ndim else layout.padded(k)] = value
    return Strips.of(rows)


def weights_of(receptors: list[Receptors], layout: Layout) -> Floats:
    """What one arrival adds to its sink (channel, place)."""
    out = np.zeros((max(len(r.channels) for r in receptors), layout.places), np.float32)
    for k, r in enumerate(receptors):
        for c, channel in enumerate(r.channels):
            out[c, layout.neurons(k)] = jump(channel.weight, channel.tau_s)
    return out


def currents_of(receptors: Sequence[Receptors], dt: float) -> Array:
    """Rows (population, decay)."""
    rows = [[k, math.exp(-dt / tau_s)] for k, r in enumerate(receptors) for tau_s in r.times]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


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
