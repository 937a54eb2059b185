"""Synapses: how the charge of one presynaptic spike is spread over time.

The weight J of a projection is the charge of one spike as a voltage: the jump of the membrane potential where the whole
charge arrives at once. A current of amplitude I that decays with tau carries the charge I tau, hence J = I tau / C with
the membrane capacitance C.

Where synapses are conductances the weight is the peak conductance of one spike, positive whatever the synapse does: it
excites where its reversal potential lies above the target's threshold, and inhibits below, also where it depolarises.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import voltage
from equipoise.model.receptors import DoubleExponentialConductance, NMDAConductance, Receptor
from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import ms, mV, second


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
class ConductanceSynapse(Receptor):
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

    def kernel(self, t: ArrayLike) -> Array:
        """e^{-t/tau} from the spike on."""
        t = finite("kernel", "t", t)
        return np.where(t < 0.0, 0.0, np.exp(-np.maximum(t, 0.0) / self.tau))

    @property
    def area(self) -> float:
        """`tau`."""
        return self.tau

    @property
    def square_area(self) -> float:
        """tau/2."""
        return self.tau / 2.0

    def passed(self, tau: float) -> float:
        """tau_s/(tau_s + tau), from R = e^{-t/tau_s}."""
        return self.tau / (self.tau + tau)


AMPA = ConductanceSynapse(5 * ms, reversal=0.0)
"""Fast excitation: 5 ms, 0 mV (Vogels et al. 2011, Science 334:1569)."""
NMDA = NMDAConductance()
"""Slow excitation that magnesium blocks at rest: rise 2 ms, decay 100 ms, 0 mV, 1 mM magnesium."""
GABA_A = ConductanceSynapse(10 * ms, reversal=-75 * mV)
"""Fast inhibition by chloride: 10 ms, -75 mV."""
GABA_B = DoubleExponentialConductance(tau_rise=45 * ms, tau_decay=110 * ms, reversal=-95 * mV)
"""Slow inhibition by potassium: rise 45 ms, decay 110 ms, -95 mV; the cooperativity of its G proteins is left out."""

Synapse = DeltaSynapse | ExponentialSynapse | ConductanceSynapse
