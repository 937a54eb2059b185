"""Homeostatic rules that move the weights of an E-I pair: inhibitory scaling, homeostatic, cross-homeostatic, scaling.

Weights are sizes |W| [unit of the input per Hz]. Where several rules move one weight their movements add up, such as
the two terms of the two-term rule of Soldado-Magraner, Seay, Laje & Buonomano (2022): a `CrossHomeostasis` and a
`HomeostaticWeights` for each population. `speed` is per s, where the papers count trials.
Weights stay at 0 or above; `Bounds` of model/remedies.py keep them within narrower limits.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np

from equipoise.model.slow_variables import Pooled, Rate, Scope, Sensed, SlowVariable, Weight, check_choice
from equipoise.quantities import Array, check_fields, quantity


@dataclass(frozen=True)
class InhibitoryScaling:
    """The inhibitory weight of a population follows its rate: d|W|/dt = speed (r - r0).

    That is ds_I/dt = k (r - r0) for a scale s_I of weights W = s_I W_0, with speed = k W_0 [weight/(Hz s)]; `rate` = r0
    [Hz].
    """

    population: str
    inhibition: str
    _: KW_ONLY
    rate: float = quantity("target rate", unit="Hz", low=0.0, open_low=True, symbol="r0")
    speed: float = quantity("movement per s and Hz", low=0.0, open_low=True)
    scope: Scope = "population"

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "scope", ("population", "unit"))

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The inhibitory weight."""
        return (Weight(self.inhibition, self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The rate."""
        return (Rate(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """speed (r - r0)."""
        return (self.speed * (np.asarray(sensed[0]) - self.rate),)


@dataclass(frozen=True)
class _PairRule:
    """A rule on both weights of a population, from the excitatory and from the inhibitory one: up and down."""

    population: str
    _: KW_ONLY
    rate: float = quantity("target of the sensed rate", unit="Hz", low=0.0, open_low=True)
    speed: float = quantity("speed", low=0.0, open_low=True, symbol="alpha")
    excitation: str = "E"
    inhibition: str = "I"
    scope: Scope = "population"

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "scope", ("population", "unit"))
        check_choice(self, "population", (self.excitation, self.inhibition))

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The excitatory and the inhibitory weight of the population."""
        sources = self.excitation, self.inhibition
        return tuple(Weight(source, self.population) for source in sources)

    @property
    def presynaptic(self) -> tuple[Sensed, ...]:
        """The mean rates of the presynaptic populations."""
        return Pooled(Rate(self.excitation)), Pooled(Rate(self.inhibition))


@dataclass(frozen=True)
class HomeostaticWeights(_PairRule):
    """Weights follow the population's own rate: dW_E/dt = +speed r_E (r* - r), dW_I/dt = -speed r_I (r* - r).

    r_E and r_I are the presynaptic rates, r the population's own, r* = `rate` [Hz]; `speed` [weight/(Hz^2 s)]
    (the homeostatic rule of Soldado-Magraner et al. 2022).
    """

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The presynaptic rates and the own one."""
        return (*self.presynaptic, Rate(self.population))

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """+-speed r_pre (r* - r)."""
        excitation, inhibition, own = (np.asarray(x) for x in sensed)
        error = self.speed * (self.rate - own)
        return excitation * error, -inhibition * error


@dataclass(frozen=True)
class CrossHomeostasis(_PairRule):
    """Weights follow the rate of the *other* population, so that the paradoxical effect works for them.

    Of the excitatory population: dW_EE/dt = +speed E (I* - I), dW_EI/dt = -speed I (I* - I); of the inhibitory one:
    dW_IE/dt = -speed E (E* - E), dW_II/dt = +speed I (E* - E). `rate` is the target of the other population's rate
    [Hz], `speed` [weight/(Hz^2 s)] (the cross-homeostatic rule of Soldado-Magraner et al. 2022).
    """

    @property
    def other(self) -> str:
        """The population whose rate is sensed."""
        return self.inhibition if self.population == self.excitation else self.excitation

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The presynaptic rates and the other population's mean."""
        return (*self.presynaptic, Pooled(Rate(self.other)))

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """+-speed r_pre (r* - r of the other population)."""
        excitation, inhibition, other = (np.asarray(x) for x in sensed)
        sign = 1.0 if self.population == self.excitation else -1.0
        error = sign * self.speed * (self.rate - other)
        return excitation * error, -inhibition * error


@dataclass(frozen=True)
class SynapticScaling(_PairRule):
    """Weights scale with the population's own rate: dW_E/dt = +speed W_E (r* - r), dW_I/dt = -speed W_I (r* - r).

    `rate` = r* [Hz]; `speed` [1/(Hz s)] (synaptic scaling as in Soldado-Magraner et al. 2022).
    """

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The rate."""
        return (Rate(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:
        """+-speed |W| (r* - r)."""
        error = self.speed * (self.rate - np.asarray(sensed[0]))
        return np.asarray(values[0]) * error, -np.asarray(values[1]) * error
