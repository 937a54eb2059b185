"""One step of each neuron model: what becomes of the potential, of constant input, noise and currents.

The LIF has du/dt = -u/tau + input with u = v - v_leak, integrated exactly; the PIF the same without the first term and
with a floor; the EIF has the LIF's terms and slope e^{(v - v_onset)/slope}/tau, held constant over a step (exponential
Euler, first order in dt). The ConductanceLIF has dv/dt = sum over k of g_k/C (E_k - v) + input, the leak being one of
the conductances, with each of them and what it draws replaced by its mean over the step (second order in dt).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.model.adaptation import Adaptation, MCurrent
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, PIF, ConductanceLIF, IntegrateAndFire
from equipoise.model.synapses import ConductanceSynapse, DeltaSynapse, ExponentialSynapse, Synapse
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
    """A mean weight that arrives through one kind of synapse.

    `summed`: its synapses have weights of their own, else they are alike and counted.
    """

    weight: float
    synapse: Synapse
    summed: bool


@dataclass(frozen=True)
class Receptors:
    """How the neurons of a population take input: channels, and the synapses of its currents or conductances.

    `members`: the projections of each channel, by number. `adaptation`: the current that is the neuron's own.
    """

    channels: tuple[Channel, ...]
    currents: tuple[ExponentialSynapse | ConductanceSynapse, ...]
    members: tuple[tuple[int, ...], ...]
    adaptation: Adaptation | MCurrent | None = None

    @classmethod
    def of(
        cls, circuit: Circuit, population: str, given: Iterable[Pair] = (), apart: Iterable[Pair] = ()
    ) -> "Receptors":
        """All that projects to a population; sources have no channels, but currents.

        Projections (source, target) that are kept `apart` share no channel.
        """
        given, apart = frozenset(given), frozenset(apart)
        senders = {p.name for p in circuit.populations}
        channels: dict[tuple[Channel, Pair | None], list[int]] = {}
        currents: dict[ExponentialSynapse | ConductanceSynapse, None] = {}
        for index, p in enumerate(circuit.projections):
            if p.target != population:
                continue
            ends = p.source, p.target
            if p.source in senders:
                channel = Channel(p.weight, p.synapse, p.unequal or ends in given)
                channels.setdefault((channel, ends if ends in apart else None), []).append(index)
            if not isinstance(p.synapse, DeltaSynapse):
                currents[p.synapse] = None
        members = tuple(tuple(m) for m in channels.values())
        own = next(p.adaptation for p in circuit.populations if p.name == population)
        return cls(tuple(channel for channel, _ in channels), tuple(currents), members, own)

    @property
    def decaying(self) -> tuple[ExponentialSynapse | ConductanceSynapse | Adaptation | MCurrent, ...]:
        """All that a neuron's step carries on: the currents or conductances of synapses, then adaptation."""
        return (*self.currents, *([] if self.adaptation is None else [self.adaptation]))

    def channel_of(self, projection: int) -> int:
        """The channel of a projection of the circuit, by its number."""
        return next(c for c, members in enumerate(self.members) if projection in members)

    def reweighed(self, circuit: Circuit) -> "Receptors":
        """The same channels with the weights of a manipulated circuit; ValueError where one would need two."""
        channels = []
        for members, channel in zip(self.members, self.channels, strict=True):
            first, *others = (circuit.projections[index] for index in members)
            if other := next((p for p in others if p.weight != first.weight), None):
                raise ValueError(
                    f"spiking: {first} and {other} have equal weights and share one array, but a manipulation changes "
                    f"one of them. Keep it apart: eq.spiking.build(..., apart=[({other.source!r}, {other.target!r})])."
                )
            channels.append(channel._replace(weight=first.weight))
        return replace(self, channels=tuple(channels))

    def sink(self, synapse: Synapse) -> int:
        """The current or conductance that synapses of a kind feed, or the potential."""
        return POTENTIAL if isinstance(synapse, DeltaSynapse) else self.currents.index(synapse)


def jump(weight: float, synapse: Synapse, neuron: IntegrateAndFire) -> float:
    """What a spike adds to its sink: J [V], J/tau_s [V/s], or of a peak conductance g/C [1/s]."""
    if isinstance(neuron, ConductanceLIF):
        return weight / neuron.capacitance
    return weight if isinstance(synapse, DeltaSynapse) else weight / synapse.tau


FIELDS = ("decay", "floor", "reset", "silence", "gain", "onset", "steepness", "leak")
"""Of the step of a neuron: decay of the potential, floor, reset, steps of refractoriness; the upstroke; dt g_leak/C."""


def fields_of_step(of: Neurons, dt: float) -> tuple[Array, ...]:
    """Values of `FIELDS` in this order; refractory periods that neurons have of their own are rounded."""
    leak, nothing = of.leak, np.zeros(())
    decay, reset, silence = np.exp(-dt * leak), of["v_reset"] - of["v_leak"], np.rint(of["tau_ref"] / dt)
    if isinstance(of.neuron, EIF):
        slope, onset = of["slope"], of["v_onset"] - of["v_leak"]
        return decay, np.asarray(NO_FLOOR), reset, silence, slope * -np.expm1(-dt * leak), onset, 1.0 / slope, nothing
    floor = of["v_bound"] if isinstance(of.neuron, PIF) else np.asarray(NO_FLOOR)
    conducts = np.asarray(dt / of.neuron.tau_m if isinstance(of.neuron, ConductanceLIF) else 0.0)
    return decay, floor, reset, silence, nothing, nothing, nothing, conducts


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

    Rotter & Diesmann 1999, Biol. Cybern. 81:381; written so that tau_s = tau is no special case but its limit. Without
    a leak it is tau_s (1 - e^{-dt/tau_s}), which of a conductance is dt times its mean over the step.
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
    most = max(len(r.decaying) for r in receptors)
    rows = np.zeros((len(FIELDS) + most, layout.places), np.float32)
    for k, (of, r) in enumerate(zip(neurons, receptors, strict=True)):
        transfers = [
            gain_of_step(of.leak, dt) if isinstance(s, MCurrent) else transfer_of_step(of.leak, s.tau, dt)
            for s in r.decaying
        ]
        for row, value in zip(rows, [*fields_of_step(of, dt), *transfers], strict=False):
            # Padding takes the values of equal neurons, so that their columns are equal.
            row[layout.neurons(k) if value.ndim else layout.padded(k)] = value
    return Strips.of(rows)


def weights_of(circuit: Circuit, receptors: Sequence[Receptors], layout: Layout) -> Floats:
    """What one arrival adds to its sink (channel, place)."""
    out = np.zeros((max(len(r.channels) for r in receptors), layout.places), np.float32)
    for k, r in enumerate(receptors):
        for c, channel in enumerate(r.channels):
            out[c, layout.neurons(k)] = jump(channel.weight, channel.synapse, circuit.populations[k].neuron)
    return out


CURRENT = ("population", "decay", "reversal", "inhibits", "jump", "half", "steepness", "strength")
"""Of a current, a conductance or a gate: whose it is, e^{-dt/tau}; the reversal from the leak [V] and on which side it
is; what each spike of the neuron itself adds, -b where it is adaptation and else 0 [V/s]. Of a gate, whose strength
g/C [1/s] alone is above 0: the part of it that a spike opens in place of b, and potential and steepness of m_inf."""


def currents_of(neurons: Sequence[Neurons], receptors: Sequence[Receptors], dt: float) -> Array:
    """Rows of `CURRENT`; a current has no reversal."""
    rows = [
        [k, math.exp(-dt / s.tau), *_own_of_current(of, s)]
        for k, (of, r) in enumerate(zip(neurons, receptors, strict=True))
        for s in r.decaying
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(CURRENT))


def _own_of_current(
    of: Neurons, s: ExponentialSynapse | ConductanceSynapse | Adaptation | MCurrent
) -> tuple[float, ...]:
    """From `reversal` on."""
    leak = float(of["v_leak"])
    if isinstance(s, MCurrent):
        return s.reversal - leak, 0.0, s.opened, s.v_half - leak, 1.0 / s.slope, s.conductance
    if isinstance(s, Adaptation):
        return 0.0, 0.0, -s.increment, 0.0, 0.0, 0.0
    if isinstance(s, ConductanceSynapse):
        return s.reversal - leak, float(s.reversal <= of.neuron.v_threshold), 0.0, 0.0, 0.0, 0.0
    return (0.0,) * 6


def sinks_of(receptors: list[Receptors]) -> NDArray[np.int64]:
    """The sink of each channel (population, channel); those that a population lacks go nowhere in particular."""
    n = max(len(r.channels) for r in receptors)
    rows = [[r.sink(c.synapse) for c in r.channels] + [POTENTIAL] * (n - len(r.channels)) for r in receptors]
    return np.array(rows, dtype=np.int64).reshape(len(receptors), n)


def summed_of(receptors: list[Receptors]) -> NDArray[np.bool_]:
    """Whether each channel is summed (population, channel)."""
    n = max(len(r.channels) for r in receptors)
    rows = [[c.summed for c in r.channels] + [False] * (n - len(r.channels)) for r in receptors]
    return np.array(rows, dtype=bool).reshape(len(receptors), n)
