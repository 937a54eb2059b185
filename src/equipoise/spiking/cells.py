"""One step of each neuron model: what becomes of the potential, of constant input, noise and currents.

The LIF has du/dt = -u/tau + input with u = v - v_leak, integrated exactly; the PIF the same without the first term and
with a floor; the EIF has the LIF's terms and slope e^{(v - v_onset)/slope}/tau, held constant over a step (exponential
Euler, first order in dt).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, IntegrateAndFire
from equipoise.quantities import Array
from equipoise.spiking.layout import Layout
from equipoise.spiking.wiring import Pair

Floats = NDArray[np.float32]
POTENTIAL = -1
"""The sink that is no current."""
NO_FLOOR = -float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Receptors:
    """How the neurons of a population take input: `channels` (weight, tau_s), and the time constants of currents.

    Each weight that arrives with one synaptic time constant is a channel, whose projections are its `members`; delta
    synapses have tau_s = 0 and no current.
    """

    channels: tuple[tuple[float, float], ...]
    times: tuple[float, ...]
    members: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, circuit: Circuit, population: str, apart: frozenset[Pair] = frozenset()) -> "Receptors":
        """All that projects to a population; sources have no channels, but currents.

        Projections that are kept `apart` (source, target) share no channel.
        """
        senders = {p.name for p in circuit.populations}
        channels: dict[tuple[float, float, Pair | None], list[int]] = {}
        times: dict[float, None] = {}
        for index, p in enumerate(circuit.projections):
            if p.target != population:
                continue
            tau_s, ends = p.synapse.time_constant, (p.source, p.target)
            if p.source in senders:
                channels.setdefault((p.weight, tau_s, ends if ends in apart else None), []).append(index)
            if tau_s > 0.0:
                times[tau_s] = None
        return cls(tuple(c[:2] for c in channels), tuple(times), tuple(tuple(m) for m in channels.values()))

    def channel_of(self, projection: int) -> int:
        """The channel of a projection of the circuit."""
        return next(c for c, members in enumerate(self.members) if projection in members)

    def reweighed(self, circuit: Circuit) -> "Receptors":
        """The same channels with the weights of a manipulated circuit; ValueError where one would need two."""
        channels = []
        for members, (_, tau_s) in zip(self.members, self.channels, strict=True):
            first, *others = (circuit.projections[index] for index in members)
            if other := next((p for p in others if p.weight != first.weight), None):
                raise ValueError(
                    f"spiking: {first} and {other} have equal weights and share one array, but a manipulation changes "
                    f"one of them. Keep it apart: eq.spiking.build(..., apart=[({other.source!r}, {other.target!r})])."
                )
            channels.append((first.weight, tau_s))
        return replace(self, channels=tuple(channels))

    def sink(self, tau_s: float) -> int:
        """The current of a time constant."""
        return POTENTIAL if tau_s == 0.0 else self.times.index(tau_s)


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
            out[c, layout.neurons(k)] = jump(*channel)
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
    rows = [[r.sink(tau) for _, tau in r.channels] + [POTENTIAL] * (n - len(r.channels)) for r in receptors]
    return np.array(rows, dtype=np.int64).reshape(len(receptors), n)
