"""Synapses: how the charge of one presynaptic spike is spread over time.

The weight J of a projection is the charge of one spike as a voltage: the jump of the membrane potential where the whole
charge arrives at once. A current of amplitude I that decays with tau carries the charge I tau, hence J = I tau / C with
the membrane capacitance C.

Where synapses are conductances the weight is the peak conductance of one spike, positive whatever the synapse does: it
excites where its reversal potential lies above the target's threshold, and inhibits below, also where it depolarises.
"""

from dataclasses import dataclass

from equipoise.model.neurons import voltage
from equipoise.quantities import check_fields, quantity
from equipoise.units import second


@dataclass(frozen=True)
class DeltaSynapse:
    """The membrane potential jumps by J at each spike."""

    @property
    def time_constant(self) -> float:
        """0 s."""
        return 0.0


@dataclass(frozen=True)
class ExponentialSynapse:
    """A synaptic current (J/tau) exp(-t/tau) [V/s] after each spike: in all the charge of a jump J."""

    tau: float = quantity("synaptic time constant", unit="ms", low=0.0, high=1 * second, open_low=True, symbol="tau_s")

    def __post_init__(self):
        check_fields(self)

    @property
    def time_constant(self) -> float:
        """`tau` [s]."""
        return self.tau


@dataclass(frozen=True)
class ConductanceSynapse:
    """A conductance g exp(-t/tau) [S] after each spike, with the current g exp(-t/tau) (reversal - V).

    g is the weight of the projection. AMPA-like: 5 ms, 0 mV; GABA_A-like: 10 ms, -75 mV.
    """

    tau: float = quantity("synaptic time constant", unit="ms", low=0.0, high=1 * second, open_low=True, symbol="tau_s")
    reversal: float = voltage("reversal potential", symbol="E")

    def __post_init__(self):
        check_fields(self)

    @property
    def time_constant(self) -> float:
        """`tau` [s]."""
        return self.tau


Synapse = DeltaSynapse | ExponentialSynapse | ConductanceSynapse
