"""What holds single units that rules of their own would let drift or take over, and what moves units apart.

A leak, bounds and pooled sensing hold; unequal speeds and noisy sensors move apart. A `Leak` and `Bounds` stand beside
the rules that move a variable; `PartlyPooled`, `Paced` and `NoisySensing` each wrap a rule and are rules themselves, so
that they nest. With K the slow matrix of a rule of every unit by itself, the slow matrix with all of them is

    S = diag(speed) P K - 1/tau_leak,    P = (1 - p) 1 + (p/n) 1 1^T

A leak holds every mode where it is faster than the fastest growth. Pooling by itself holds none but the mean: a mode
that the mean does not hear grows (1 - p) times as fast, so that a leak can be that much slower.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.noise import OrnsteinUhlenbeck
from equipoise.model.slow_variables import Pooled, Scope, Sensed, SlowRule, SlowVariable, check_choice
from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import day, hour, minute


# --- beside a rule ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Leak:
    """A slow variable x returns to its resting value by itself: dx/dt = -(x - rest)/tau.

    `rest` is in the unit of the variable, tau [s]. The population's set point gives way to it, the more the faster it
    is.
    """

    variable: SlowVariable
    _: KW_ONLY
    rest: float = quantity("resting value")
    tau: float = quantity("time constant", default=1 * day, unit="hour", low=0.0, open_low=True)
    scope: Scope = "unit"

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "scope", ("population", "unit"))

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The variable."""
        return (self.variable,)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """Nothing but the variable itself."""
        return ()

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """-(x - rest)/tau."""
        return (-(np.asarray(values[0]) - self.rest) / self.tau,)


@dataclass(frozen=True)
class Bounds:
    """A slow variable stays within [lower, upper] whatever moves it; either may be left out [the variable's unit]."""

    variable: SlowVariable
    _: KW_ONLY
    lower: float = -np.inf
    upper: float = np.inf
    scope: Scope = "unit"

    def __post_init__(self):
        check_choice(self, "scope", ("population", "unit"))
        for name in ("lower", "upper"):
            if not isinstance(getattr(self, name), (int, float)):
                raise TypeError(f"Bounds.{name} must be a number, got {getattr(self, name)!r}.")
        if not self.lower < self.upper:
            raise ValueError(f"Bounds.lower must be below upper, got lower={self.lower} and upper={self.upper}.")

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The variable."""
        return (self.variable,)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """Nothing."""
        return ()

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """0: bounds move nothing."""
        return (np.zeros(np.shape(values[0])),)


# --- around a rule ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Around:
    """A rule of single units that changes how another one senses or moves."""

    rule: SlowRule

    def __post_init__(self):
        name = type(self).__name__
        if isinstance(self.rule, type) or not hasattr(self.rule, "rhs"):
            raise TypeError(f"{name}.rule must be a rule such as eq.InputCentricThreshold(...), got {self.rule!r}.")
        if self.rule.scope != "unit":
            raise ValueError(f"{name}.rule must be one of single units, got scope={self.rule.scope!r}. Use 'unit'.")
        check_fields(self)

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """What the rule moves."""
        return self.rule.moves

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """What the rule senses."""
        return self.rule.senses

    @property
    def scope(self) -> Scope:
        """Single units."""
        return "unit"

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:
        """That of the rule."""
        return self.rule.rhs(values, sensed)


@dataclass(frozen=True)
class PartlyPooled(_Around):
    """Each unit senses s = (1 - p) of its own + p of the average over its population, p = `fraction`."""

    fraction: float = quantity("pooled fraction", low=0.0, high=1.0, symbol="p")

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """What the rule senses, then the averages of what is not one yet."""
        own = self.rule.senses
        return (*own, *(Pooled(what) for what in own if not isinstance(what, Pooled)))

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:
        """That of the rule at (1 - p) own + p average."""
        own, p = self.rule.senses, self.fraction
        averages = iter(sensed[len(own) :])
        mixed = [
            x if isinstance(what, Pooled) else (1.0 - p) * np.asarray(x) + p * np.asarray(next(averages))
            for what, x in zip(own, sensed, strict=False)
        ]
        return self.rule.rhs(values, mixed)


@dataclass(frozen=True)
class Paced(_Around):
    """Each unit moves at a speed of its own: the rule's dx_i/dt times speeds_i.

    `speeds` is a sequence with one positive number for each unit of the population.
    """

    speeds: ArrayLike

    def __post_init__(self):
        super().__post_init__()
        given = finite("Paced", "speeds", self.speeds, low=0.0, open_low=True)
        if given.ndim != 1:
            raise ValueError(f"Paced: speeds must be one number a unit, got shape {given.shape}.")
        object.__setattr__(self, "speeds", tuple(given.tolist()))

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:
        """speeds_i times that of the rule."""
        speeds = np.asarray(self.speeds)
        if np.shape(values[0]) != speeds.shape:
            raise ValueError(f"Paced: {speeds.size} speeds for {np.size(values[0])} units. Give one for each.")
        return tuple(speeds * np.asarray(x) for x in self.rule.rhs(values, sensed))


@dataclass(frozen=True)
class NoisySensing(_Around):
    """What each unit senses is off by Ornstein-Uhlenbeck noise of its own, the same on all that the rule senses.

    A threshold that moves at (s + eta)/tau_rule under eta of standard deviation sigma and correlation time tau_n, and
    that nothing holds, diffuses: var theta = 2 (sigma/tau_rule)^2 tau_n t for t >> tau_n. `noise` is in the unit of
    what is sensed; averages over units carry none. `step` [s] is that of the integration, in which noise enters by its
    exact average.
    """

    noise: OrnsteinUhlenbeck
    _: KW_ONLY
    seed: int
    step: float = quantity("time step", default=5 * minute, unit="minute", low=0.0, high=100 * hour, open_low=True)

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.noise, OrnsteinUhlenbeck):
            raise TypeError(f"NoisySensing.noise must be eq.OrnsteinUhlenbeck(tau, sigma), got {self.noise!r}.")
