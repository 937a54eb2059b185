"""Conduction delays that differ between the synapses of one projection.

A network whose synapses all share one long delay oscillates where it is strongly coupled; a spread of delays takes the
rhythm away. Every synapse draws its delay once.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import ms, second

NORMAL_REACH = 4.0
"""Normal delays further than this many standard deviations above their mean are drawn again."""


@dataclass(frozen=True, kw_only=True)
class UniformDelay:
    """Delays spread evenly from `low` to `high` [s]."""

    low: float = quantity("shortest delay", unit="ms", low=0.0, high=1 * second, open_low=True, symbol="d_min")
    high: float = quantity("longest delay", unit="ms", low=0.0, high=1 * second, open_low=True, symbol="d_max")

    def __post_init__(self):
        check_fields(self)
        if not self.high > self.low:
            raise ValueError(
                f"UniformDelay.high (longest delay) must be above low = {self.low / ms:g} ms, got "
                f"{self.high / ms:g} ms. One delay for all is written delay={self.low / ms:g} * ms."
            )

    @property
    def expectation(self) -> float:
        """Mean delay [s]."""
        return 0.5 * (self.low + self.high)

    def cdf(self, time: ArrayLike) -> Array:
        """Probability of a delay of at most `time` [s], any shape."""
        return np.clip((np.asarray(time, dtype=np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class NormalDelay:
    """Normal delays of this `mean` and `sd` [s], drawn again below `low` and above mean + 4 sd.

    What is cut off below raises the mean: `expectation` is that of the delays in use.
    """

    mean: float = quantity("mean delay", unit="ms", low=0.0, high=1 * second, open_low=True, symbol="d")
    sd: float = quantity("standard deviation of delays", unit="ms", low=0.0, high=1 * second, open_low=True)
    low: float = quantity("shortest delay", default=0.1 * ms, unit="ms", low=0.0, high=1 * second, open_low=True)

    def __post_init__(self):
        check_fields(self)
        if not self.low < self.mean:
            raise ValueError(
                f"NormalDelay.low (shortest delay) must be below mean = {self.mean / ms:g} ms, got "
                f"{self.low / ms:g} ms."
            )

    @property
    def high(self) -> float:
        """Longest delay [s]."""
        return self.mean + NORMAL_REACH * self.sd

    @property
    def expectation(self) -> float:
        """Mean delay [s]: m + sd (phi(a) - phi(b))/(Phi(b) - Phi(a)) with the bounds a and b in units of the SD."""
        a, b = (self.low - self.mean) / self.sd, NORMAL_REACH
        densities = math.exp(-0.5 * a * a) - math.exp(-0.5 * b * b)
        return self.mean + self.sd * densities / math.sqrt(2.0 * math.pi) / self._mass

    def cdf(self, time: ArrayLike) -> Array:
        """Probability of a delay of at most `time` [s], any shape."""
        from scipy.special import ndtr

        within = np.clip(np.asarray(time, dtype=np.float64), self.low, self.high)
        return (ndtr((within - self.mean) / self.sd) - _phi((self.low - self.mean) / self.sd)) / self._mass

    @property
    def _mass(self) -> float:
        return _phi(NORMAL_REACH) - _phi((self.low - self.mean) / self.sd)


def _phi(x: float) -> float:
    """The standard normal distribution."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


DelayLaw = UniformDelay | NormalDelay


def expected(delay: float | DelayLaw) -> float:
    """The delay of a projection, or its mean [s]."""
    return delay.expectation if isinstance(delay, DelayLaw) else delay
