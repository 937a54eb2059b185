"""Neurons: frozen descriptions and their drift, no solver.

All are integrate-and-fire neurons under I(t) = mu + sigma xi(t) (Eq. 1): dv = (drift(v) + mu) dt + sigma dW, spike and
reset at `v_threshold`, then silent for `tau_ref`. A new neuron subclasses `IntegrateAndFire`, gives `drift` and
`lower_bound`, and every statistic of `equipoise.renewal` works on it by threshold integration.
"""

import math
from dataclasses import MISSING, dataclass
from typing import Any

import numpy as np

from equipoise.quantities import Array, Quantity, check, check_fields, quantity
from equipoise.units import ms, mV, nF, nS, pF, uS


@dataclass(frozen=True, kw_only=True)
class IntegrateAndFire:
    """A white-noise-driven integrate-and-fire neuron; subclass it to add one of your own.

    Potentials share one unit, volts or thresholds. `tau_ref` is the absolute refractory period [s].
    """

    v_threshold: float = quantity("spike threshold", default=1.0, symbol="v_th")
    v_reset: float = quantity("reset potential", default=0.0, symbol="v_r")
    tau_ref: float = quantity("refractory period", default=0.0, unit="ms", low=0.0, high=100 * ms)

    def __post_init__(self):
        check_fields(self)
        if not self.v_reset < self.v_threshold:
            raise ValueError(
                f"{type(self).__name__}.v_reset (reset potential) must lie below v_threshold={self.v_threshold:g}, "
                f"got {self.v_reset:g}."
            )

    def drift(self, v: Array) -> Array:
        """Drift without input [V/s] at potentials v of any shape."""
        raise NotImplementedError(f"{type(self).__name__} must define drift(self, v), the drift without input in V/s.")

    def lower_bound(self, mu: float, sigma: float) -> float:
        """Where to put the reflecting lower end of the membrane range [V]; low enough not to matter, or physical."""
        raise NotImplementedError(f"{type(self).__name__} must define lower_bound(self, mu, sigma) in V.")


@dataclass(frozen=True, kw_only=True)
class PIF(IntegrateAndFire):
    """Perfect integrate-and-fire neuron dv = mu dt + sigma dW, reflected at `v_bound` (Eq. 39; paper: 10, 0, -1)."""

    v_threshold: float = quantity("spike threshold", default=10.0, symbol="v_th")
    v_bound: float = quantity("reflecting lower bound", default=-1.0, symbol="v_B")

    def __post_init__(self):
        super().__post_init__()
        if not self.v_bound <= self.v_reset:
            raise ValueError(
                f"PIF.v_bound (reflecting lower bound) must not exceed v_reset={self.v_reset:g}, got {self.v_bound:g}."
            )

    def drift(self, v: Array) -> Array:
        """No drift of its own."""
        return np.zeros_like(np.asarray(v, dtype=np.float64))

    def lower_bound(self, mu: float, sigma: float) -> float:  # noqa: ARG002
        """The reflecting bound itself."""
        return self.v_bound


@dataclass(frozen=True, kw_only=True)
class LIF(IntegrateAndFire):
    """Leaky integrate-and-fire neuron tau_m dv = (v_leak - v + mu tau_m) dt + sigma tau_m dW (Eq. 43)."""

    tau_m: float = quantity("membrane time constant", default=10 * ms, unit="ms", low=0.1 * ms, high=1000 * ms)
    v_leak: float = quantity("leak potential", default=0.0, symbol="v_l")
    tau_ref: float = quantity("refractory period", default=2 * ms, unit="ms", low=0.0, high=100 * ms)

    def drift(self, v: Array) -> Array:
        """(v_leak - v)/tau_m."""
        return (self.v_leak - np.asarray(v, dtype=np.float64)) / self.tau_m

    def lower_bound(self, mu: float, sigma: float) -> float:
        """Nine free standard deviations below reset and mean."""
        centre = min(self.v_leak + mu * self.tau_m, self.v_reset)
        return centre - 9.0 * sigma * math.sqrt(self.tau_m / 2.0)


@dataclass(frozen=True, kw_only=True)
class EIF(IntegrateAndFire):
    """Exponential integrate-and-fire neuron (Fourcaud-Trocme et al. 2003).

    tau_m dv/dt = v_leak - v + slope exp((v - v_onset)/slope) + tau_m (mu + sigma xi); a spike is counted at
    `v_threshold`, the cut-off far above `v_onset`.
    """

    tau_m: float = quantity("membrane time constant", default=10 * ms, unit="ms", low=0.1 * ms, high=1000 * ms)
    v_leak: float = quantity("leak potential", default=0.0, symbol="v_l")
    v_onset: float = quantity("spike onset potential", default=1.0, symbol="V_T")
    slope: float = quantity("spike slope factor", default=0.1, low=0.0, open_low=True, symbol="Delta_T")
    v_threshold: float = quantity("spike cut-off", default=2.5, symbol="v_th")
    tau_ref: float = quantity("refractory period", default=2 * ms, unit="ms", low=0.0, high=100 * ms)

    def __post_init__(self):
        super().__post_init__()
        if not self.v_onset < self.v_threshold:
            raise ValueError(
                f"EIF.v_threshold (spike cut-off) must lie above v_onset={self.v_onset:g}, got {self.v_threshold:g}."
            )
        highest = self.v_onset + 700.0 * self.slope  # exp(700) is near the largest double
        if self.v_threshold > highest:
            raise ValueError(
                f"EIF.v_threshold (spike cut-off) must be at most v_onset + 700 slope = {highest:g}, where the drift "
                f"overflows, got {self.v_threshold:g}. Some 15 slopes above v_onset are enough."
            )

    def drift(self, v: Array) -> Array:
        """(v_leak - v + slope exp((v - v_onset)/slope))/tau_m."""
        v = np.asarray(v, dtype=np.float64)
        return (self.v_leak - v + self.slope * np.exp((v - self.v_onset) / self.slope)) / self.tau_m

    def lower_bound(self, mu: float, sigma: float) -> float:
        """Nine free standard deviations below reset and mean."""
        centre = min(self.v_leak + mu * self.tau_m, self.v_reset)
        return centre - 9.0 * sigma * math.sqrt(self.tau_m / 2.0)


HIGHEST_VOLTAGE = 200 * mV
"""No membrane goes further from 0 V; a larger number is a forgotten unit."""
_TAU_M = Quantity("capacitance/g_leak, the membrane time constant", unit="ms", low=0.1 * ms, high=1000 * ms)


def voltage(meaning: str, *, symbol: str, default: Any = MISSING) -> Any:
    """A potential that is always in volts: the field of a membrane with conductances, whose reversals are physical."""
    return quantity(meaning, default=default, unit="mV", low=-HIGHEST_VOLTAGE, high=HIGHEST_VOLTAGE, symbol=symbol)


@dataclass(frozen=True, kw_only=True)
class ConductanceLIF(IntegrateAndFire):
    """Leaky integrate-and-fire neuron whose synapses are conductances; always in volts, farads and siemens.

    C dV/dt = g_leak (v_leak - V) + sum_k g_k (E_k - V) + I. Each synapse type k brings its reversal E_k
    (`ConductanceSynapse`). The input of `equipoise.renewal` and the drive of a population are currents over the
    capacitance, I/C [V/s], as of every neuron; under them alone it is the LIF with `tau_m` = C/g_leak.
    """

    capacitance: float = quantity(
        "membrane capacitance", default=200 * pF, unit="pF", low=0.1 * pF, high=100 * nF, symbol="C"
    )
    g_leak: float = quantity(
        "leak conductance", default=10 * nS, unit="nS", low=0.0, high=10 * uS, open_low=True, symbol="g_L"
    )
    v_leak: float = voltage("leak potential", default=-60 * mV, symbol="E_L")
    v_threshold: float = voltage("spike threshold", default=-50 * mV, symbol="v_th")
    v_reset: float = voltage("reset potential", default=-60 * mV, symbol="v_r")
    tau_ref: float = quantity("refractory period", default=5 * ms, unit="ms", low=0.0, high=100 * ms)

    def __post_init__(self):
        super().__post_init__()
        check("ConductanceLIF.tau_m", self.tau_m, _TAU_M)

    @property
    def tau_m(self) -> float:
        """C/g_leak [s], the membrane time constant at rest; synaptic conductances shorten it."""
        return self.capacitance / self.g_leak

    @property
    def passive(self) -> LIF:
        """The neuron without synaptic conductances."""
        return LIF(
            tau_m=self.tau_m, v_leak=self.v_leak, v_threshold=self.v_threshold, v_reset=self.v_reset,
            tau_ref=self.tau_ref,
        )  # fmt: skip

    def drift(self, v: Array) -> Array:
        """(v_leak - v)/tau_m."""
        return self.passive.drift(v)

    def lower_bound(self, mu: float, sigma: float) -> float:
        """That of the neuron without synaptic conductances."""
        return self.passive.lower_bound(mu, sigma)
