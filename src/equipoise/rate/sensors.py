"""Noise of what single units sense, as the slow variables meet it: its exact averages over the steps that they take.

Of Ornstein-Uhlenbeck noise eta (sigma, tau) with a = e^(-dt/tau), the value and the integral I over a step dt are
jointly Gaussian given eta (Gillespie 1996, Phys. Rev. E 54:2084):

    E eta' = a eta,             var eta' = sigma^2 (1 - a^2)
    E I    = tau (1 - a) eta,   var I    = (sigma tau)^2 (2 dt/tau - 3 + 4 a - a^2)
    cov(eta', I) = sigma^2 tau (1 - a)^2
"""

from dataclasses import dataclass

import numpy as np

from equipoise.model.noise import OrnsteinUhlenbeck
from equipoise.model.remedies import NoisySensing
from equipoise.model.slow_variables import SlowRule
from equipoise.quantities import Array, seed_sequence
from equipoise.rate.slow_state import SlowSystem


@dataclass(eq=False)
class Sensor:
    """The noise of one rule: its law, its value in each unit (n,) now, and where it draws from."""

    law: OrnsteinUhlenbeck
    value: Array
    rng: np.random.Generator

    def averaged(self, dt: float) -> Array:
        """The average of the noise over the next `dt` [s], which it then is past (n,)."""
        x, sigma, tau = dt / self.law.tau, self.law.sigma, self.law.tau
        b = -np.expm1(-x)  # 1 - a
        sd = sigma * np.sqrt(b * (2.0 - b))
        cov = sigma**2 * tau * b**2
        var = (sigma * tau) ** 2 * max(_spread(x), 0.0)
        along = cov / sd if sd > 0.0 else 0.0
        first, second = self.rng.standard_normal((2, self.value.size))
        integral = tau * b * self.value + along * first + np.sqrt(max(var - along**2, 0.0)) * second
        self.value = (1.0 - b) * self.value + sd * first
        return integral / dt


def _spread(x: float) -> float:
    """2 x - 3 + 4 e^-x - e^-2x, by its series 2 x^3/3 - x^4/2 + 7 x^5/30 where terms cancel."""
    if x < 1e-2:
        return x**3 * (2.0 / 3.0 - x / 2.0 + 7.0 * x**2 / 30.0)
    return 2.0 * x - 3.0 + 4.0 * np.exp(-x) - np.exp(-2.0 * x)


def noise_of(rule: SlowRule) -> NoisySensing | None:
    """The noise that a rule, or one that it wraps, gives its sensors."""
    inner = rule
    while inner is not None and not isinstance(inner, NoisySensing):
        inner = getattr(inner, "rule", None)
    return inner


@dataclass(eq=False)
class Sensors:
    """The noise of all rules that have one, by the number of the rule; `step` [s] is the shortest they ask for."""

    each: dict[int, Sensor]
    step: float

    @classmethod
    def of(cls, system: SlowSystem) -> "Sensors":
        """At draws from the stationary laws."""
        each, steps = {}, [np.inf]
        for i, rule in enumerate(system.rules):
            noisy = noise_of(rule)
            if noisy is not None:
                rng = np.random.default_rng(seed_sequence(noisy.seed))
                place = system.places[rule.moves[0]]
                each[i] = Sensor(noisy.noise, noisy.noise.sigma * rng.standard_normal(place.stop - place.start), rng)
                steps.append(noisy.step)
        return cls(each, min(steps))

    def averaged(self, dt: float) -> dict[int, Array]:
        """The average errors over the next `dt` [s]."""
        return {i: one.averaged(dt) for i, one in self.each.items()}
