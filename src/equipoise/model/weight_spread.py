"""Weights that differ between the synapses of one projection: w = J x with x drawn once for every synapse, <x> = 1.

Mean and noise of a neuron's input, and their variation between neurons, need the moments <x^2>, <x^3> and <x^4>; with
equal weights all are 1.
"""

import math
from dataclasses import dataclass

from equipoise.quantities import check_fields, quantity

Moments = tuple[float, float, float]


@dataclass(frozen=True)
class LogNormalSpread:
    """Log-normal weights of coefficient of variation `cv`: x = exp(s z - s^2/2), s^2 = ln(1 + cv^2), z normal."""

    cv: float = quantity("coefficient of variation of weights", low=0.0, high=3.0, open_low=True)

    def __post_init__(self):
        check_fields(self)

    @property
    def log_sd(self) -> float:
        """s, the standard deviation of ln x."""
        return math.sqrt(math.log1p(self.cv**2))

    @property
    def moments(self) -> Moments:
        """<x^2>, <x^3>, <x^4>: (1 + cv^2)^{n (n - 1)/2}."""
        g = 1.0 + self.cv**2
        return g, g**3, g**6


@dataclass(frozen=True)
class NormalSpread:
    """Normal weights that keep their sign: x is proportional to 1 + cv z, drawn again where that is not positive.

    `cv` is the coefficient of variation of the normal law; that of the weights is smaller (0.331 for 1/3, 0.616 for 1).
    """

    cv: float = quantity("coefficient of variation of the normal law of weights", low=0.0, high=1.0, open_low=True)

    def __post_init__(self):
        check_fields(self)

    @property
    def scale(self) -> float:
        """What makes <x> = 1: x = (1 + cv z) scale."""
        return 1.0 / self._drawn[0]

    @property
    def moments(self) -> Moments:
        """<x^2>, <x^3>, <x^4>."""
        _, second, third, fourth = self._drawn
        return second * self.scale**2, third * self.scale**3, fourth * self.scale**4

    @property
    def _drawn(self) -> tuple[float, float, float, float]:
        """M_1 ... M_4 of 1 + cv z above 0: M_1 = 1 + cv phi(1/cv)/Phi(1/cv), M_n = M_{n-1} + (n - 1) cv^2 M_{n-2}."""
        c = self.cv
        density = math.exp(-0.5 / c**2) / math.sqrt(2.0 * math.pi)
        first = 1.0 + c * density / (0.5 * math.erfc(-1.0 / (c * math.sqrt(2.0))))
        second = first + c**2
        third = second + 2.0 * c**2 * first
        return first, second, third, third + 3.0 * c**2 * second


WeightSpread = LogNormalSpread | NormalSpread


def moments_of(spread: WeightSpread | None) -> Moments:
    """The moments of relative weights; 1 where all are equal."""
    return (1.0, 1.0, 1.0) if spread is None else spread.moments
