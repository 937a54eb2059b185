"""Adaptation: currents of a neuron's own, which its spikes build up or its potential opens."""

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import Hz, kHz, ms, second


@dataclass(frozen=True)
class Adaptation:
    """A current -a of the neuron's own: a grows by `increment` at each of its spikes and decays with `tau`.

    dV/dt = ... - a, with a in the unit of the drive [V/s], also where synapses are conductances; in the mean
    a = increment tau r. It stands for spike-triggered potassium currents such as the AHP; the
    `MCurrent` is opened by the potential, also below threshold.
    """

    increment: float = quantity("what a spike adds to the adaptation current", low=0.0, open_low=True, symbol="b")
    _: KW_ONLY
    tau: float = quantity(
        "decay of adaptation", default=100 * ms, unit="ms", low=0.0, high=60 * second, open_low=True, symbol="tau_w"
    )

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class MCurrent:
    """The M-current: slow potassium channels that depolarisation opens, below threshold too, and nothing inactivates.

    dV/dt = ... + conductance m (reversal - V),  tau dm/dt = m_inf(V) - m,  m_inf = 1/(1 + e^{-(V - v_half)/slope}).

    `conductance` is g_M/C [1/s] with all channels open, beside the leak's 1/tau_m. Potentials are in the unit of the
    neuron's. An integrate-and-fire neuron leaves out the potential within its spikes, which opens most of the channels:
    each takes `spike` [s], in which the m_inf that m goes to is 1. Source: Boltzmann gate of Yamada, Koch & Adams 1989
    (-35 and 10 mV) with one time constant, after Adams, Brown & Constanti 1982, J. Physiol. 330:537; as adaptation,
    Treves 1993, Network 4:259.
    """

    conductance: float = quantity(
        "largest conductance over the capacitance", unit="Hz", low=1e-3 * Hz, high=10 * kHz, symbol="g_M/C"
    )
    _: KW_ONLY
    v_half: float = quantity("potential at which half of the channels are open", symbol="V_1/2")
    slope: float = quantity("slope factor of the gate", low=0.0, open_low=True, symbol="k")
    reversal: float = quantity("reversal potential", symbol="E_K")
    tau: float = quantity(
        "time constant of the gate", default=100 * ms, unit="ms", low=0.0, high=60 * second, open_low=True
    )
    spike: float = quantity("width of a spike", default=1 * ms, unit="ms", low=0.0, high=20 * ms)

    def __post_init__(self):
        check_fields(self)
        if not self.reversal < self.v_half:
            raise ValueError(
                f"MCurrent.reversal (reversal potential) must lie below v_half={self.v_half:g}, got {self.reversal:g}; "
                "the current would not hold the potential back."
            )

    @property
    def opened(self) -> float:
        """What part of the closed channels a spike opens, 1 - e^{-spike/tau}."""
        return -math.expm1(-self.spike / self.tau)

    def steady(self, v: ArrayLike) -> Array:
        """m_inf, the share of channels open at a steady potential of any shape."""
        x = (finite("MCurrent.steady", "v", v) - self.v_half) / self.slope
        return 0.5 * (1.0 + np.tanh(0.5 * x))
