"""Homeostasis of the threshold by what mitochondria take up: spikes and synaptic input as one ionic load.

Calcium events come as bursts of one form, at a rate that follows the load

    l = 1 + (1 - s) (r/r* - 1) + s (f^-1(r) - h*)/|h*|,      rho = r* max(l, 0),

with s the synaptic part; the matrix, minutes, follows the mean uptake J(rho), and the error against the set point
J* = J(r*) moves the threshold over hours, in units of the uptake at rest J_0:

    tau dtheta/dt = +-span (J(rho) - J*)/J_0,  "+" in reading A.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache

import numpy as np
from numpy.polynomial import Chebyshev

from equipoise.model.bursts import PoissonBursts
from equipoise.model.intrinsic_rules import Reading
from equipoise.model.mitochondria import Mitochondrion, uptake_of_bursts
from equipoise.model.slow_variables import Rate, RequiredInput, Scope, Sensed, SlowVariable, Threshold, check_choice
from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import Hz, hour

DEGREE = 40
"""Of the polynomial for the uptake as a function of rate."""
FASTEST = 500 * Hz
"""Event rate above which uptake rises no more; bursts of several spikes end it at 0.9 of their fastest rate."""


@dataclass(frozen=True)
class MitochondrialThreshold:
    """The threshold follows the uptake of mitochondria against that of the set point.

    `firing` is the pattern at the set point, r* its rate; other rates have bursts of the same form. `required_input` is
    the set point h* of f^-1(r) [unit of the input], not needed at `synaptic_part` s = 0. A sensor of spikes alone,
    s = 0, is an output-centric rule in its signs; s = 1 is `InputCentricThreshold` up to the curvature of J, with tau
    |h*|/speed in place of tau. A threshold-linear E-I pair with net recurrence D is stable under "A" where
    (1 - s)/r* + s D/|h*| > 0, under "B" where that is negative. `span` is how far the threshold moves within tau at an
    excess of the uptake at rest.
    """

    population: str
    _: KW_ONLY
    firing: PoissonBursts
    required_input: float = quantity("required input at the set point", default=None, symbol="h*")
    synaptic_part: float = quantity("part of the load that is synaptic", default=1.0, low=0.0, high=1.0, symbol="s")
    mitochondrion: Mitochondrion = field(default_factory=Mitochondrion)
    span: float = quantity("movement at an excess of the uptake at rest", default=1.0, low=0.0, open_low=True)
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    reading: Reading = "A"
    scope: Scope = "population"

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "scope", ("population", "unit"))
        check_choice(self, "reading", ("A", "B"))
        for name, kind in (("firing", PoissonBursts), ("mitochondrion", Mitochondrion)):
            if not isinstance(getattr(self, name), kind):
                raise TypeError(
                    f"MitochondrialThreshold.{name} must be an eq.{kind.__name__}, got {getattr(self, name)!r}."
                )
        if not self.firing.rate < _fastest(self.firing):
            raise ValueError(
                f"MitochondrialThreshold.firing must be below {_fastest(self.firing):.4g} Hz, where uptake rises no "
                f"more, got {self.firing.rate:g} Hz."
            )
        if self.synaptic_part > 0.0 and not self.required_input:
            raise ValueError(
                "MitochondrialThreshold.required_input, the scale of the synaptic load, must be given and not be 0, "
                f"got {self.required_input!r}. Take the input of the state to be held, or synaptic_part=0."
            )

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """Rate and required input, as far as they are part of the load."""
        parts = ((1.0 - self.synaptic_part, Rate), (self.synaptic_part, RequiredInput))
        return tuple(kind(self.population) for part, kind in parts if part > 0.0)

    @property
    def set_point(self) -> float:
        """The uptake to be held, J* [µM/s]."""
        return self.mitochondrion.leak + uptake_of_bursts(self.mitochondrion, self.firing)

    @property
    def speed(self) -> float:
        """Movement of the threshold within tau per unit of load at the set point, span r* J'(r*)/J_0."""
        m, firing = self.mitochondrion, self.firing
        curve = _curve(m, firing.size, firing.interval)
        x = firing.rate * m.tau
        bend = 1.0 + curve.deriv()(np.log1p(x)) * x / (1.0 + x)
        return self.span * float(_by_events(m, firing, np.asarray(firing.rate)) * bend) / m.leak

    def load(self, sensed: Sequence[Array]) -> Array:
        """The ionic load l by that of the set point, at least 0."""
        values, s = list(sensed), self.synaptic_part
        load = np.asarray(1.0)
        if s < 1.0:
            load = load + (1.0 - s) * (np.asarray(values.pop(0)) / self.firing.rate - 1.0)
        if s > 0.0:
            load = load + s * (np.asarray(values.pop(0)) - self.required_input) / abs(self.required_input)
        return np.maximum(load, 0.0)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """+-span (J(rho) - J*)/(J_0 tau)."""
        m, firing = self.mitochondrion, self.firing
        taken = _by_events(m, firing, firing.rate * self.load(sensed))
        excess = taken - _by_events(m, firing, np.asarray(firing.rate))
        sign = 1.0 if self.reading == "A" else -1.0
        return (sign * self.span * excess / (m.leak * self.tau),)


def _by_events(m: Mitochondrion, firing: PoissonBursts, rate: Array) -> Array:
    """Mean uptake [µM/s] at event rates (...), the leak apart, by a polynomial for log J/rho in log(1 + rho tau)."""
    rho = np.minimum(rate, _fastest(firing))
    return rho * np.exp(_curve(m, firing.size, firing.interval)(np.log1p(rho * m.tau)))


def _fastest(firing: PoissonBursts) -> float:
    return min(FASTEST, 0.9 * firing.fastest)


@lru_cache(maxsize=64)
def _curve(m: Mitochondrion, size: int, interval: float) -> Chebyshev:
    fastest = _fastest(PoissonBursts(rate=1e-3, size=size, interval=interval))

    def per_event(x: Array) -> Array:
        rates = np.expm1(x) / m.tau
        taken = [uptake_of_bursts(m, PoissonBursts(rate=rho, size=size, interval=interval)) for rho in rates]
        return np.log(np.array(taken) / rates)

    return Chebyshev.interpolate(per_event, DEGREE, domain=[0.0, np.log1p(fastest * m.tau)])
