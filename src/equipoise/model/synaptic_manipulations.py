"""What changes inhibition itself: its reversal potential, its speed, its delay. Each is a circuit of its own.

Spikes, rates and theory take the changed circuit, not the change in mid-course: apply them first.
"""

from dataclasses import dataclass, replace

from equipoise.model.circuit import Circuit
from equipoise.model.delays import NormalDelay, UniformDelay
from equipoise.model.synapses import ConductanceSynapse, DeltaSynapse, ExponentialSynapse
from equipoise.quantities import check_fields, quantity
from equipoise.units import mV, second


@dataclass(frozen=True, kw_only=True)
class ReversalShift:
    """The reversal potential of a projection moves by `shift` [V]; > 0 takes the force from inhibition.

    Chloride that is poorly extruded (KCC2) makes GABA_A depolarise. Above the threshold of the target the synapses
    would excite, which the circuit refuses for a source that inhibits elsewhere.
    """

    source: str
    target: str
    shift: float = quantity("shift of the reversal potential", unit="mV", low=-200 * mV, high=200 * mV)

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with the reversal moved; TypeError where the synapses are no conductances."""
        synapse = circuit.projection(self.source, self.target).synapse
        if not isinstance(synapse, ConductanceSynapse):
            raise TypeError(
                f"ReversalShift: {self.source} -> {self.target} must have conductances, which have a reversal, got "
                f"{synapse!r}. Give it eq.ConductanceSynapse(tau, reversal)."
            )
        moved = replace(synapse, reversal=synapse.reversal + self.shift)
        return circuit.with_projection(self.source, self.target, synapse=moved)


@dataclass(frozen=True, kw_only=True)
class SlowerSynapse:
    """The time constant of a projection is multiplied by `factor`, and its charge stays.

    The weight of a conductance, which is a peak, is divided by the factor.
    """

    source: str
    target: str
    factor: float = quantity("factor of the time constant", low=0.0, open_low=True)

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with slower synapses; TypeError where they have no time constant."""
        projection = circuit.projection(self.source, self.target)
        if isinstance(projection.synapse, DeltaSynapse):
            raise TypeError(
                f"SlowerSynapse: {self.source} -> {self.target} must have a time constant, got {projection.synapse!r}. "
                "Take eq.ExponentialSynapse(tau) or eq.LaterSynapse."
            )
        conducts = isinstance(projection.synapse, ConductanceSynapse)
        weight = projection.weight / self.factor if conducts else projection.weight
        slower = _slower(projection.synapse, self.factor)
        return circuit.with_projection(self.source, self.target, synapse=slower, weight=weight)


@dataclass(frozen=True, kw_only=True)
class LaterSynapse:
    """All delays of a projection grow by `delay` [s]: interneurons that answer late, or slow axons."""

    source: str
    target: str
    delay: float = quantity("added delay", unit="ms", low=0.0, high=1 * second)

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with longer delays."""
        old = circuit.projection(self.source, self.target).delay
        return circuit.with_projection(self.source, self.target, delay=_later(old, self.delay))


def _slower(synapse: ExponentialSynapse | ConductanceSynapse, factor: float) -> ExponentialSynapse | ConductanceSynapse:
    return replace(synapse, tau=factor * synapse.tau)


def _later(delay: float | UniformDelay | NormalDelay, more: float) -> float | UniformDelay | NormalDelay:
    if isinstance(delay, UniformDelay):
        return replace(delay, low=delay.low + more, high=delay.high + more)
    if isinstance(delay, NormalDelay):
        return replace(delay, mean=delay.mean + more, low=delay.low + more)
    return delay + more
