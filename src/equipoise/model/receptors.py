"""Receptors: the conductance that one spike opens, its reversal potential, and what the potential does to it.

After a spike at t = 0 a receptor conducts g k(t) o(V), with g the peak conductance, k(t) a kernel of peak 1 and o(V)
the share of channels that the membrane potential leaves open (1 for all but NMDA). The current into the cell is
g k(t) o(V) (E - V).
"""

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import voltage
from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import mM, ms, mV, second


class Receptor:
    """What all receptors have; a subclass gives `reversal`, `kernel`, `area`, `square_area` and `passed`."""

    reversal: float

    def kernel(self, t: ArrayLike) -> Array:
        """k(t) at times t [s] after a spike; 0 before it."""
        raise NotImplementedError(f"{type(self).__name__} must define kernel(self, t).")

    @property
    def area(self) -> float:
        """Integral of k [s]."""
        raise NotImplementedError(f"{type(self).__name__} must define area.")

    @property
    def square_area(self) -> float:
        """Integral of k^2 [s]."""
        raise NotImplementedError(f"{type(self).__name__} must define square_area.")

    def passed(self, tau: float) -> float:
        """Share of the variance of Poisson-driven conductance that a low-pass of time constant tau [s] passes.

        int_0^inf R(t) e^{-t/tau} dt/tau with R the autocorrelation of the conductance.
        """
        raise NotImplementedError(f"{type(self).__name__} must define passed(self, tau).")

    @property
    def covariance_time(self) -> float:
        """Integral of the autocorrelation over t > 0 [s]: area^2/(2 square_area)."""
        return self.area**2 / (2.0 * self.square_area)

    def open(self, v: ArrayLike) -> Array:
        """o(V), the share of channels that the potential v [V] leaves open."""
        return np.ones_like(np.asarray(v, dtype=np.float64))

    def open_slope(self, v: ArrayLike) -> Array:
        """do/dV [1/V]."""
        return np.zeros_like(np.asarray(v, dtype=np.float64))


@dataclass(frozen=True)
class AlphaConductance(Receptor):
    """k(t) = (t/tau) e^{1 - t/tau}, whose peak is at tau."""

    tau: float = quantity("time to peak", unit="ms", low=0.0, high=1 * second, open_low=True)
    reversal: float = voltage("reversal potential", symbol="E")

    def __post_init__(self):
        check_fields(self)

    def kernel(self, t: ArrayLike) -> Array:
        """(t/tau) e^{1 - t/tau}."""
        x = np.maximum(finite("kernel", "t", t), 0.0) / self.tau
        return x * np.exp(1.0 - x)

    @property
    def area(self) -> float:
        """E tau."""
        return math.e * self.tau

    @property
    def square_area(self) -> float:
        """e^2 tau/4."""
        return math.e**2 * self.tau / 4.0

    def passed(self, tau: float) -> float:
        """tau_s (tau_s + 2 tau)/(tau_s + tau)^2, from R = (1 + t/tau_s) e^{-t/tau_s}."""
        return self.tau * (self.tau + 2.0 * tau) / (self.tau + tau) ** 2


@dataclass(frozen=True)
class DoubleExponentialConductance(Receptor):
    """k(t) = n (e^{-t/tau_decay} - e^{-t/tau_rise}) with n such that its peak is 1."""

    _: KW_ONLY
    tau_rise: float = quantity("rise time constant", unit="ms", low=0.0, high=1 * second, open_low=True)
    tau_decay: float = quantity("decay time constant", unit="ms", low=0.0, high=2 * second, open_low=True)
    reversal: float = voltage("reversal potential", symbol="E")

    def __post_init__(self):
        check_fields(self)
        if not self.tau_rise < 0.999 * self.tau_decay:  # below, n loses its digits
            raise ValueError(
                f"{type(self).__name__}.tau_rise (rise time constant) must be below tau_decay={self.tau_decay / ms:g} "
                f"ms, got {self.tau_rise / ms:g} ms. Where both are equal take eq.AlphaConductance(tau, reversal)."
            )

    @property
    def time_to_peak(self) -> float:
        """tau_r tau_d/(tau_d - tau_r) log(tau_d/tau_r) [s]."""
        rise, decay = self.tau_rise, self.tau_decay
        return rise * decay / (decay - rise) * math.log(decay / rise)

    @property
    def _norm(self) -> float:
        peak = self.time_to_peak
        return 1.0 / (math.exp(-peak / self.tau_decay) - math.exp(-peak / self.tau_rise))

    def kernel(self, t: ArrayLike) -> Array:
        """N (e^{-t/tau_decay} - e^{-t/tau_rise})."""
        t = np.maximum(finite("kernel", "t", t), 0.0)
        return self._norm * (np.exp(-t / self.tau_decay) - np.exp(-t / self.tau_rise))

    @property
    def area(self) -> float:
        """N (tau_d - tau_r)."""
        return self._norm * (self.tau_decay - self.tau_rise)

    @property
    def square_area(self) -> float:
        """n^2 (tau_d - tau_r)^2/(2 (tau_d + tau_r))."""
        return self.area**2 / (2.0 * (self.tau_decay + self.tau_rise))

    def passed(self, tau: float) -> float:
        """Of R = (tau_d e^{-t/tau_d} - tau_r e^{-t/tau_r})/(tau_d - tau_r)."""
        rise, decay = self.tau_rise, self.tau_decay
        return (decay * rise + tau * (decay + rise)) / ((decay + tau) * (rise + tau))


_PER_VOLT, _HALF = 0.062 / mV, 3.57 * mM


@dataclass(frozen=True)
class NMDAConductance(DoubleExponentialConductance):
    """A double-exponential conductance that magnesium blocks at negative potentials.

    o(V) = 1/(1 + ([Mg]/3.57 mM) e^{-0.062 V/mV}): Jahr & Stevens 1990, J. Neurosci. 10:3178. The block is taken as
    immediate.
    """

    tau_rise: float = quantity("rise time constant", default=2 * ms, unit="ms", low=0.0, high=1 * second, open_low=True)
    tau_decay: float = quantity(
        "decay time constant", default=100 * ms, unit="ms", low=0.0, high=2 * second, open_low=True
    )
    reversal: float = voltage("reversal potential", default=0.0, symbol="E")
    magnesium: float = quantity("extracellular magnesium", default=1 * mM, unit="mM", low=0.0, high=100 * mM)

    def open(self, v: ArrayLike) -> Array:
        """1/(1 + ([Mg]/3.57 mM) e^{-0.062 V/mV})."""
        v = np.asarray(v, dtype=np.float64)
        return 1.0 / (1.0 + self.magnesium / _HALF * np.exp(-_PER_VOLT * v))

    def open_slope(self, v: ArrayLike) -> Array:
        """0.062/mV o (1 - o)."""
        o = self.open(v)
        return _PER_VOLT * o * (1.0 - o)
