"""Circuits that fire as a recording did before a manipulation, with everything unknown drawn from stated priors.

All have populations E and I and a source X. Each population fires at the observed rate and C_v, so that the model
neuron's input (mu, sigma) is known (the inverse of `renewal`); K + K inputs bring it by the weights of Eqs. 30-31. Of
the excitatory inputs a share is recurrent, the rest comes from X, all at the rate of E.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import Batch, batch_of
from equipoise.inference.implied import minimal_in_degree
from equipoise.inference.settings import CORTICAL_NEURON
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.inputs import balancing_weights
from equipoise.model.neurons import LIF
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array, check_fields, quantity
from equipoise.rate.fixed_points import settle
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.firing import firing
from equipoise.renewal.inverse import input_for
from equipoise.renewal.laws import NeuronISI
from equipoise.results import NumericalFailure, Status
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

    With a `circuit`, see `of`, there is nothing to draw but the speeds of rules and the strength of the manipulation.
    Raises NumericalFailure where the neuron cannot fire so.
    """

    rate: tuple[float, float] = (5.0, 10.0)
    cv: tuple[float, float] = (0.9, 0.8)
    neuron: LIF = CORTICAL_NEURON
    sensor: Calcium = field(default_factory=Calcium)
    tau: float = quantity("time scale of the rules", default=1 * hour, unit="hour", low=0.0, open_low=True)
    circuit: Circuit | None = None

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

    @classmethod
    def of(cls, circuit: Circuit, *, rate: tuple[float, float] = (5.0, 10.0), **more: Any) -> "Operating":
        """Where a circuit of populations E and I of one kind of LIF rests, near `rate` [Hz]; `more` as for the class.

        Its weights are as they are, equal for all cells of a population. Raises NumericalFailure where it has no state
        near that rate.
        """
        kinds = {p.neuron for p in circuit.populations}
        names = tuple(p.name for p in circuit.populations)
        if names != POPULATIONS or len(kinds) != 1 or not all(isinstance(s, Source) for s in circuit.sources):
            raise ValueError(
                f"Operating.of: circuit must have the populations {POPULATIONS} of equal LIF neurons, and sources of "
                f"constant rate, got {circuit!r}."
            )
        batch, r = batch_of([circuit]), settle(circuit, start=list(rate)).rates[None]
        if not np.allclose(batch.steady(r)[0], r, rtol=1e-6):
            raise NumericalFailure(
                Status.NOT_CONVERGED,
                f"Operating.of: no state of delta synapses and constant weights near {rate} Hz, but one at {r[0]} Hz.",
            )
        (e, i), (cv_e, cv_i) = r[0], batch.cv(r)[0]
        neuron: Any = kinds.pop()
        return cls(rate=(float(e), float(i)), cv=(float(cv_e), float(cv_i)), neuron=neuron, circuit=circuit, **more)

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


NAMES = ("in_degree_E", "in_degree_I", "recurrent_E", "recurrent_I", "speed_1", "speed_2", "strength")
"""Unknowns: in-degrees, recurrent shares of excitation, speeds of excitatory (or intrinsic) and inhibitory rules, the
strength of the manipulation. All are log-uniform but the recurrent share of E, which is uniform."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """Circuits that numbers `u` (n, len(NAMES)) in (0, 1) stand for.

    In-degrees `K`, recurrent shares and weights [V] are those of E and I, (n, 2); `speed` (n, 2) those of rules.
    """

    at: Operating
    u: Array
    K: Array
    share: Array
    j_e: Array
    j_i: Array
    speed: Array

    def take(self, rows: NDArray) -> "Draws":
        """Some of the circuits."""
        return Draws(at=self.at, **{name: getattr(self, name)[rows] for name in DRAWN})

    @property
    def plausible(self) -> NDArray[np.int64]:
        """Rows whose weights are positive and small enough for white noise, at most `JUMP` of the way to threshold."""
        if self.at.circuit is not None:
            return np.arange(len(self.u))
        most = JUMP * (self.at.neuron.v_threshold - self.at.neuron.v_reset)
        fits = [(j > 0.0) & (j <= most) for j in (self.j_e, self.j_i)]
        return np.flatnonzero(np.logical_and(*fits).all(axis=1))

    def batch(self) -> Batch:
        """The circuits, many at once."""
        if self.at.circuit is not None:
            return batch_of([self.at.circuit]).take(np.zeros(len(self.u), dtype=np.int64))
        mean = np.stack([self.share * self.j_e, -self.j_i, (1.0 - self.share) * self.j_e], axis=-1)
        power = np.stack([self.share * self.j_e**2, self.j_i**2, (1.0 - self.share) * self.j_e**2], axis=-1)
        K, n = self.K[..., None], len(self.u)
        outer, drive = np.full((n, 1), self.at.rate[0]), np.zeros((n, 2))
        neurons = (self.at.neuron, self.at.neuron)
        return Batch(neurons=neurons, coupling=K * mean, noise=K * power, outer=outer, drive=drive)

    def circuits(self) -> tuple[Circuit, ...]:
        """The circuits, one by one."""
        if self.at.circuit is not None:
            return (self.at.circuit,) * len(self.u)
        rows = zip(self.K, self.share, self.j_e, self.j_i, strict=True)
        return tuple(_circuit(self.at, *row) for row in rows)


DRAWN = ("u", "K", "share", "j_e", "j_i", "speed")


def joined(parts: Sequence[Draws]) -> Draws:
    """All circuits of several draws."""
    return Draws(at=parts[0].at, **{name: np.concatenate([getattr(p, name) for p in parts]) for name in DRAWN})


def draws_of(at: Operating, u: Array) -> Draws:
    """The circuits that numbers in (0, 1) (n, len(NAMES)) stand for."""
    mu, sigma = at.input
    K = np.maximum(minimal_in_degree(mu, sigma, *at.rate), FEWEST) * log_uniform(u[:, :2], *DEGREE)
    share = np.stack([RECURRENT_E[0] + (RECURRENT_E[1] - RECURRENT_E[0]) * u[:, 2],
                      log_uniform(u[:, 3], *RECURRENT_I)], axis=1)  # fmt: skip
    a, b = K * at.rate[0], K * at.rate[1]
    j_e, j_i = balancing_weights((a, b), (a, b), mu, sigma**2)
    return Draws(at=at, u=u, K=K, share=share, j_e=j_e, j_i=j_i, speed=log_uniform(u[:, 4:6], *SPEED))


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
