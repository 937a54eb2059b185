"""Homeostatic rules on circuits of rates: what is sensed -> how thresholds, gains and weights move, over hours.

A rule names the slow variables that it `moves` and the fast quantities that it `senses`, and gives
``rhs(values, sensed)``, the time derivative of each moved variable [per s]; values and sensed quantities come in the
order of `moves` and `senses`, as arrays over units, which are alone where a population is one unit. With `scope`
"population" the units of a population share one movement, of the averages of what they sense; with "unit" each moves by
what it senses itself. A rule of your own is a frozen class with these four members.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal, Protocol

import numpy as np

from equipoise.quantities import Array, check_fields, quantity, suggest
from equipoise.units import hour

Scope = Literal["population", "unit"]
Reading = Literal["A", "B"]


# --- what moves -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Threshold:
    """The threshold of a population's neurons [unit of their input]; units shift alike at population scope."""

    population: str


@dataclass(frozen=True)
class Gain:
    """The gain of a population's neurons, at least 0; units scale alike at population scope."""

    population: str


@dataclass(frozen=True)
class Weight:
    """The size |J| of the weights of a projection, at least `lower`; units scale alike at population scope."""

    source: str
    target: str
    lower: float = quantity("smallest weight", default=0.0, low=0.0)

    def __post_init__(self):
        check_fields(self)


SlowVariable = Threshold | Gain | Weight


# --- what is sensed ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rate:
    """The firing rates of a population [Hz]."""

    population: str


@dataclass(frozen=True)
class NetInput:
    """The whole input h of a population, external input included [its unit]."""

    population: str


@dataclass(frozen=True)
class RequiredInput:
    """f^-1(r), the input that a population's neurons require to sustain their rates [their unit].

    At the fast fixed point it is the net input; of a silent neuron it is its threshold.
    """

    population: str


@dataclass(frozen=True)
class InputFrom:
    """The size of the input that `target` receives from `source`, |J| K r [the target's unit]."""

    source: str
    target: str


Sensed = Rate | NetInput | RequiredInput | InputFrom


# --- rules ------------------------------------------------------------------------------------------------------------
class SlowRule(Protocol):
    """What slow evolution needs of a rule."""

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The slow variables, all of one population."""
        ...

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """What the rule senses."""
        ...

    @property
    def scope(self) -> Scope:
        """Whether units move together or each by itself."""
        ...

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:
        """Time derivative of each moved variable [its unit per s]."""
        ...


@dataclass(frozen=True)
class InputCentricThreshold:
    """The threshold follows the required input f^-1(r) (input-centric homeostasis).

    Reading "A", excitability: too much input raises the threshold, tau dtheta/dt = f^-1(r) - h_set. Reading "B", the
    required input is brought to its set point by the threshold in it: tau dtheta/dt = h_set - f^-1(r). With D the net
    recurrence of a threshold-linear E-I pair, A is stable where 0 < D < 1/g_E, B where D < 0. `set_point` is in the
    unit of the input, tau [s].
    """

    population: str
    _: KW_ONLY
    set_point: float = quantity("required input to be held", symbol="h_set")
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    reading: Reading = "A"
    scope: Scope = "population"

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "reading", ("A", "B"))
        check_choice(self, "scope", ("population", "unit"))

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The required input."""
        return (RequiredInput(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """+-(f^-1(r) - h_set)/tau."""
        sign = 1.0 if self.reading == "A" else -1.0
        return (sign * (np.asarray(sensed[0]) - self.set_point) / self.tau,)


@dataclass(frozen=True)
class OutputCentricThreshold:
    """The threshold follows the rate: tau dtheta/dt = span (r/r* - 1), the classic rate set point.

    `rate` = r* [Hz]; `span` is how far the threshold moves within tau where the rate is twice its target [unit of the
    input].
    """

    population: str
    _: KW_ONLY
    rate: float = quantity("target rate", unit="Hz", low=0.0, open_low=True, symbol="r*")
    span: float = quantity("movement at twice the target", default=1.0, low=0.0, open_low=True)
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    scope: Scope = "population"

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "scope", ("population", "unit"))

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The rate."""
        return (Rate(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """span (r/r* - 1)/tau."""
        return (self.span * (np.asarray(sensed[0]) / self.rate - 1.0) / self.tau,)


def check_choice(rule: object, name: str, known: tuple[str, ...]) -> None:
    """Raise ValueError where a field is none of the known words."""
    value = getattr(rule, name)
    if value not in known:
        wanted = " or ".join(map(repr, known))
        raise ValueError(f"{type(rule).__name__}.{name} must be {wanted}, got {value!r}.{suggest(str(value), known)}")
