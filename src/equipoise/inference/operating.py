"""Circuits that fire as a recording did before a manipulation, with everything unknown drawn from stated priors.

All have populations E and I and a source X. Each population fires at the observed rate and C_v, so that the model
neuron's input (mu, sigma) is known (the inverse of `renewal`); K + K inputs bring it by the weights of Eqs. 30-31. Of
the excitatory inputs a share is recurrent, the rest comes from X, all at the rate of E.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import Batch
from equipoise.inference.implied import minimal_in_degree
from equipoise.inference.settings import CORTICAL_NEURON
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.inputs import balancing_weights
from equipoise.model.neurons import LIF
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array, check_fields, quantity
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.firing import firing
from equipoise.renewal.inverse import input_for
from equipoise.renewal.laws import NeuronISI
from equipoise.results import NumericalFailure
from equipoise.units import hour

POPULATIONS = ("E", "I")
DEGREE = (1.5, 30.0)
"""In-degrees drawn, in units of the least at which both weights are positive."""
JUMP = 0.5
"""Largest weight, of v_threshold - v_reset."""
FEWEST = 10.0
"""In-degree that stands for the least one where that is smaller."""
RECURRENT_E, RECURRENT_I = (0.05, 0.95), (0.02, 0.9)
"""Recurrent shares of excitation drawn, of E and of I."""
SPEED = (0.2, 5.0)
"""Speeds of slow variables drawn, in units of those of the rules."""


@dataclass(frozen=True, kw_only=True)
class Operating:
    """Where both populations are before a manipulation: `rate` [Hz] and `cv` of E and of I, and the model neuron.

    Each of these four numbers is known within `rate_factor` or `cv_factor` either way, log-uniform; 1 is exactly.
    Raises NumericalFailure where the neuron cannot fire so.
    """

    rate: tuple[float, float] = (5.0, 10.0)
    cv: tuple[float, float] = (0.9, 0.8)
    neuron: LIF = CORTICAL_NEURON
    sensor: Calcium = field(default_factory=Calcium)
    tau: float = quantity("time scale of the rules", default=1 * hour, unit="hour", low=0.0, open_low=True)
    rate_factor: float = quantity("factor within which rates are known", default=1.0, low=1.0, high=10.0)
    cv_factor: float = quantity("factor within which C_v is known", default=1.0, low=1.0, high=2.0)

    def __post_init__(self):
        check_fields(self)
        for name in ("rate", "cv"):
            given = getattr(self, name)
            if len(given) != 2 or not all(np.isfinite(given)) or min(given) <= 0.0:
                raise ValueError(f"Operating.{name} must be two positive numbers, of E and of I, got {given!r}.")
        found = input_for(self.neuron, rate=list(self.rate), cv=list(self.cv), throw=False)
        if not np.isfinite(found.mu).all():
            status = np.ravel(found.status)[~np.isfinite(found.mu)][0]  # pyright: ignore[reportArgumentType, reportCallIssue]
            raise NumericalFailure(status, f"Operating: {found.message}")

    @property
    def uncertain(self) -> bool:
        """Whether rates or C_v are known within a factor only."""
        return max(self.rate_factor, self.cv_factor) > 1.0

    @cached_property
    def input(self) -> tuple[Array, Array]:
        """mu [V/s] and sigma [V/sqrt(s)] of E and I (2,)."""
        mu, sigma = input_for(self.neuron, rate=list(self.rate), cv=list(self.cv))
        return mu, sigma

    @property
    def calcium(self) -> Array:
        """Mean [µM] and second moment [µM^2] (2, 2) of E and I: moment, population."""
        mu, sigma = self.input
        return np.array(calcium_moments(self.sensor, NeuronISI(self.neuron, mu=mu, sigma=sigma)))

    @property
    def unit(self) -> Array:
        """sigma/sqrt(tau_m) (2,) [V/s], the unit of drives: that much moves the membrane by sqrt(2) of its sd."""
        return self.input[1] / np.sqrt(self.neuron.tau_m)

    @property
    def span(self) -> float:
        """r/(dr/dmu) of E [V/s]: a threshold that moves by it per relative change of rate recovers with its own tau."""
        mu, sigma = self.input
        f, slope, _ = firing(self.neuron, 0.0, mu[:1], sigma[:1] ** 2)
        return float(f[0] / slope[0])


NAMES = ("in_degree_E", "in_degree_I", "recurrent_E", "recurrent_I", "speed_1", "speed_2",
         "rate_E", "rate_I", "cv_E", "cv_I", "strength")  # fmt: skip
"""Unknowns: in-degrees, recurrent shares of excitation, speeds of excitatory (or intrinsic) and inhibitory rules, rates
and C_v before, which are the set points, and the strength of the manipulation. All are log-uniform but the recurrent
share of E, which is uniform."""
WORDS = {
    "in_degree_E": "the in-degree of E", "in_degree_I": "the in-degree of I",
    "recurrent_E": "the recurrent share of excitation of E", "recurrent_I": "the recurrent share of excitation of I",
    "speed_1": "the speed of the rule on excitation or on thresholds", "speed_2": "the speed of the rule on inhibition",
    "rate_E": "the rate of E before", "rate_I": "the rate of I before", "cv_E": "the C_v of E before",
    "cv_I": "the C_v of I before", "strength": "the strength of the manipulation",
}  # fmt: skip
"""The unknowns in words."""
SPEEDS, SET_POINTS = slice(4, 6), slice(6, 10)


@dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """Circuits that numbers `u` (n, len(NAMES)) in (0, 1) stand for.

    In-degrees `K`, recurrent shares and weights [V] are those of E and I, (n, 2); `speed` (n, 2) those of rules. They
    fire as one of the `points` says, at number `which` (n,).
    """

    points: tuple[Operating, ...]
    u: Array
    K: Array
    share: Array
    j_e: Array
    j_i: Array
    speed: Array
    which: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """All populations."""
        return POPULATIONS

    @property
    def neuron(self) -> LIF:
        """The model neuron."""
        return self.points[0].neuron

    @property
    def start(self) -> Array:
        """Rates before (n, 2) [Hz]."""
        return np.array([at.rate for at in self.points])[self.which]

    def take(self, rows: NDArray) -> Self:
        """Some of the circuits."""
        return replace(self, **{name: getattr(self, name)[rows] for name in DRAWN})

    @property
    def plausible(self) -> NDArray[np.int64]:
        """Rows whose weights are positive and small enough for white noise, at most `JUMP` of the way to threshold."""
        most = JUMP * (self.neuron.v_threshold - self.neuron.v_reset)
        fits = [(j > 0.0) & (j <= most) for j in (self.j_e, self.j_i)]
        return np.flatnonzero(np.logical_and(*fits).all(axis=1))

    def batch(self) -> Batch:
        """The circuits, many at once."""
        mean = np.stack([self.share * self.j_e, -self.j_i, (1.0 - self.share) * self.j_e], axis=-1)
        power = np.stack([self.share * self.j_e**2, self.j_i**2, (1.0 - self.share) * self.j_e**2], axis=-1)
        K, n = self.K[..., None], len(self.u)
        return Batch(
            neurons=(self.neuron, self.neuron), coupling=K * mean, noise=K * power, outer=self.start[:, :1],
            drive=np.zeros((n, 2)),
        )  # fmt: skip

    def circuits(self) -> tuple[Circuit, ...]:
        """The circuits, one by one."""
        rows = zip(self.which, self.K, self.share, self.j_e, self.j_i, strict=True)
        return tuple(_circuit(self.points[k], *row) for k, *row in rows)


DRAWN = ("u", "K", "share", "j_e", "j_i", "speed", "which")


def joined(parts: Sequence[Draws]) -> Draws:
    """All circuits of several draws of the same set points."""
    first = parts[0]
    return replace(first, **{name: np.concatenate([getattr(p, name) for p in parts]) for name in DRAWN})


def draws_of(at: Operating, u: Array) -> Draws:
    """The circuits that numbers in (0, 1) (n, len(NAMES)) stand for."""
    points, which = points_of(at, u[:, SET_POINTS])
    mu, sigma = (np.array([p.input[k] for p in points])[which] for k in (0, 1))
    rate = np.array([p.rate for p in points])[which]
    K = np.maximum(_least_in_degrees(points)[which], FEWEST) * log_uniform(u[:, :2], *DEGREE)
    share = np.stack([RECURRENT_E[0] + (RECURRENT_E[1] - RECURRENT_E[0]) * u[:, 2],
                      log_uniform(u[:, 3], *RECURRENT_I)], axis=1)  # fmt: skip
    a, b = K * rate[:, :1], K * rate[:, 1:]
    j_e, j_i = balancing_weights((a, b), (a, b), mu, sigma**2)
    speed = log_uniform(u[:, SPEEDS], *SPEED)
    return Draws(points=points, u=u, K=K, share=share, j_e=j_e, j_i=j_i, speed=speed, which=which)


def points_of(at: Operating, u: Array) -> tuple[tuple[Operating, ...], NDArray[np.int64]]:
    """The set points that numbers in (0, 1) (n, 4) stand for, and whose are whose (n,).

    Raises NumericalFailure for those at which the neuron cannot fire.
    """
    if not at.uncertain:
        return (at,), np.zeros(len(u), np.int64)
    factors = np.repeat([at.rate_factor, at.cv_factor], 2)
    values, which = np.unique(np.array([*at.rate, *at.cv]) * factors ** (2.0 * u - 1.0), axis=0, return_inverse=True)
    points = tuple(replace(at, rate=(r_e, r_i), cv=(c_e, c_i)) for r_e, r_i, c_e, c_i in values.tolist())
    return points, np.ravel(which)


def _least_in_degrees(points: Sequence[Operating]) -> Array:
    """In-degrees of E and I at which both weights are positive, of each operating point (points, 2)."""
    return np.array([minimal_in_degree(*p.input, *p.rate) for p in points])


def log_uniform(u: Array, low: float, high: float) -> Array:
    """low (high/low)^u."""
    return low * (high / low) ** u


def _circuit(at: Operating, K: Array, share: Array, j_e: Array, j_i: Array) -> Circuit:
    projections = []
    for a, name in enumerate(POPULATIONS):
        inputs = (("E", j_e[a], share[a] * K[a]), ("I", -j_i[a], K[a]), ("X", j_e[a], (1.0 - share[a]) * K[a]))
        for source, weight, degree in inputs:
            projections.append(Projection(source=source, target=name, weight=float(weight), in_degree=float(degree)))
    return Circuit(
        populations=[*(Population(name, neuron=at.neuron) for name in POPULATIONS), Source("X", rate=at.rate[0])],
        projections=projections,
    )
