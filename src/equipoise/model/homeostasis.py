"""Homeostatic rules: what is sensed -> how the slow variables move. Pure right-hand sides, no solver.

A rule names its slow variables (the first two are always the weights j_e and j_i), lists what it senses, and gives
``rhs(state, sensed)``. The engine closes the loop: weights -> input -> firing -> sensed values -> weights, and finds
equilibria, spectra and conserved quantities of any such object; a rule of your own is a class with these three members.
`rhs` must accept complex numbers (its derivatives are taken by the complex step).

Two scales. "absolute" is the paper's additive dJ/dt = error/tau, whose tau carries units of the sensed quantity x s/V:
with J about 0.05 a tau of one hour acts within seconds. "relative" is dJ/dt = (J/tau) error/target, whose tau is a
time. Equilibria are the same, conserved quantities are not.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from equipoise.model.calcium import Calcium
from equipoise.model.kinetics import ProteinKinetics
from equipoise.quantities import Array, check_fields, quantity, suggest
from equipoise.units import hour, kHz

Scale = Literal["relative", "absolute"]


# --- what can be sensed -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class FiringRate:
    """The cell's firing rate [Hz]."""


@dataclass(frozen=True)
class CalciumMean:
    """mu_Ca = <C> [µM] (Eq. 19)."""

    sensor: Calcium


@dataclass(frozen=True)
class CalciumSecondMoment:
    """nu_Ca = <C^2> [µM^2] (Eq. 20)."""

    sensor: Calcium


@dataclass(frozen=True)
class CalciumSaturating:
    """<C^n/(k + C^n)>: the occupancy of an enzyme with n = 1 (Michaelis-Menten) or n = 2 (Hill) binding sites."""

    sensor: Calcium
    constant: float
    order: int


Sensed = FiringRate | CalciumMean | CalciumSecondMoment | CalciumSaturating


# --- set points -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class SetPoint:
    """Firing statistics to be held: rate [Hz] and C_v. The neuron turns them into calcium moments."""

    rate: float = quantity("target rate", unit="Hz", low=0.0, high=1 * kHz, open_low=True, symbol="r*")
    cv: float = quantity("target irregularity", low=0.0, open_low=True, symbol="C_v*")

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class CalciumSetPoint:
    """Calcium moments to be held: mean [µM] and second moment [µM^2]."""

    mean: float = quantity("target calcium mean", unit="uM", low=0.0, open_low=True, symbol="mu_Ca*")
    second_moment: float = quantity("target calcium second moment", low=0.0, open_low=True, symbol="nu_Ca*")

    def __post_init__(self):
        check_fields(self)
        if self.second_moment <= self.mean**2:
            raise ValueError(
                f"CalciumSetPoint.second_moment must exceed mean^2 = {self.mean**2:g} (variance > 0), "
                f"got {self.second_moment:g}."
            )


# --- rules ------------------------------------------------------------------------------------------------------------
class Rule(Protocol):
    """What the engine needs of a rule."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the slow variables; j_e and j_i come first."""
        ...

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """What the rule senses, in the order in which `rhs` receives it."""
        ...

    def rhs(self, state: Array, sensed: Array) -> Array:
        """Time derivative of the slow variables [per s]."""
        ...


@dataclass(frozen=True, kw_only=True)
class _TwoWeights:
    tau_e: float = quantity("time scale of excitation", default=2 * hour, unit="hour", low=0.0, open_low=True)
    tau_i: float = quantity("time scale of inhibition", default=1 * hour, unit="hour", low=0.0, open_low=True)
    scale: Scale = "relative"

    def __post_init__(self):
        check_fields(self)
        if self.scale not in ("relative", "absolute"):
            raise ValueError(
                f"{type(self).__name__}.scale must be 'relative' or 'absolute', got {self.scale!r}."
                + suggest(str(self.scale), ("relative", "absolute"))
            )

    @property
    def variables(self) -> tuple[str, ...]:
        return ("j_e", "j_i")

    def _weights_rhs(self, j_e, j_i, error_e, error_i, target_e, target_i) -> list:
        """Both scales; an error is positive where its weight should grow."""
        if self.scale == "absolute":
            return [error_e / self.tau_e, error_i / self.tau_i]
        return [j_e * error_e / (self.tau_e * target_e), j_i * error_i / (self.tau_i * target_i)]


@dataclass(frozen=True, kw_only=True)
class RateHomeostasis(_TwoWeights):
    """Single-loop rate rules tau_E dJ_E/dt = r_E* - r, tau_I dJ_I/dt = r - r_I* (Eqs. 2-3)."""

    target_e: float = quantity("excitatory rate target", default=5.0, unit="Hz", low=0.0, open_low=True)
    target_i: float = quantity("inhibitory rate target", default=5.0, unit="Hz", low=0.0, open_low=True)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The firing rate."""
        return (FiringRate(),)

    def rhs(self, state: Array, sensed: Array) -> Array:
        """Eqs. 2-3."""
        errors = self.target_e - sensed[0], sensed[0] - self.target_i
        return np.array(self._weights_rhs(state[0], state[1], *errors, self.target_e, self.target_i))


@dataclass(frozen=True)
class _CalciumFields:
    sensor: Calcium
    target: SetPoint | CalciumSetPoint


@dataclass(frozen=True, kw_only=True)
class CalciumHomeostasis(_TwoWeights, _CalciumFields):
    """Calcium rules tau_I dJ_I/dt = mu_Ca - mu_Ca* (Eq. 10), tau_E dJ_E/dt = nu_Ca* - nu_Ca (Eq. 16)."""

    def __post_init__(self):
        super().__post_init__()
        name = type(self).__name__
        if not isinstance(self.sensor, Calcium):
            raise TypeError(f"{name}.sensor must be an eq.Calcium, got {self.sensor!r}.")
        if not isinstance(self.target, SetPoint | CalciumSetPoint):
            raise TypeError(f"{name}.target must be an eq.SetPoint or eq.CalciumSetPoint, got {self.target!r}.")

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """Mean and second moment of calcium."""
        return (CalciumMean(self.sensor), CalciumSecondMoment(self.sensor))

    def rhs(self, state: Array, sensed: Array) -> Array:
        """Eqs. 10 and 16."""
        mean, second = targets_of(self.target)
        return np.array(self._weights_rhs(state[0], state[1], second - sensed[1], sensed[0] - mean, second, mean))


@dataclass(frozen=True, kw_only=True)
class AdaptiveCalciumHomeostasis(CalciumHomeostasis):
    """Calcium rules whose set points follow the current moments: tau_adapt d(target)/dt = moment - target (Eq. 35)."""

    tau_adapt: float = quantity("time scale of the set points", default=10 * hour, unit="hour", low=0.0, open_low=True)

    @property
    def variables(self) -> tuple[str, ...]:
        """The weights and both targets."""
        return ("j_e", "j_i", "target_second_moment", "target_mean")

    def rhs(self, state: Array, sensed: Array) -> Array:
        """Eqs. 10, 16 and 35."""
        j_e, j_i, second, mean = state
        errors = second - sensed[1], sensed[0] - mean
        weights = self._weights_rhs(j_e, j_i, *errors, second, mean)
        return np.array([*weights, -errors[0] / self.tau_adapt, errors[1] / self.tau_adapt])


@dataclass(frozen=True, kw_only=True)
class KineticHomeostasis(CalciumHomeostasis):
    """The calcium rules through their proteins: dP/dt = production - gamma P, weights follow P/c (Eqs. 4-16 in full).

    `proteins` holds the kinetics; with C << K_M and fast turnover the rule reduces to `CalciumHomeostasis`.
    """

    proteins: ProteinKinetics = field(default_factory=ProteinKinetics)

    @property
    def variables(self) -> tuple[str, ...]:
        """The weights and both proteins, in units of the calcium moment they stand for."""
        return ("j_e", "j_i", "p_e", "p_i")

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """Occupancy of both enzymes."""
        k = self.proteins
        return (CalciumSaturating(self.sensor, k.K_M, 1), CalciumSaturating(self.sensor, k.K_D, 2))

    def rhs(self, state: Array, sensed: Array) -> Array:
        """dp_E/dt = gamma_E (K_D <C^2/(K_D + C^2)> - p_E) with p_E = P_E/c_E in µM^2, and p_I = P_I/c_I with K_M."""
        j_e, j_i, p_e, p_i = state
        k = self.proteins
        mean, second = targets_of(self.target)
        weights = self._weights_rhs(j_e, j_i, second - p_e, p_i - mean, second, mean)
        made_e, made_i = k.excitatory.gamma * k.K_D * sensed[1], k.inhibitory.gamma * k.K_M * sensed[0]
        return np.array([*weights, made_e - k.excitatory.gamma * p_e, made_i - k.inhibitory.gamma * p_i])


def targets_of(target: SetPoint | CalciumSetPoint) -> tuple[float, float]:
    """Mean and second moment of a resolved set point; raises TypeError where it still needs a neuron."""
    if isinstance(target, CalciumSetPoint):
        return target.mean, target.second_moment
    raise TypeError(
        "a SetPoint(rate, cv) becomes calcium moments only with a neuron; use eq.theory.resolve(cell, rule) first."
    )
