"""Fixed steps of a network of rates under Ornstein-Uhlenbeck input.

One step, exact where f does not change (exponential Heun; Cox & Matthews 2002, J. Comput. Phys. 176:430), with
z = dt/tau, a = 1 - e^-z and b = 1 - a/z:

    p  = r e^-z + a f(h(r) + eta),    r' = p + b (f(h(p) + eta') - f(h(r) + eta))

eta is advanced by its exact law, eta' = eta e^(-dt/tau_n) + sigma sqrt(1 - e^(-2 dt/tau_n)) xi. The error is of order
dt^2 without noise and in stationary covariances, and of order dt in a single path.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.model.noise import OrnsteinUhlenbeck
from equipoise.quantities import Array, seed_sequence
from equipoise.rate.network import RateNetwork

Noise = OrnsteinUhlenbeck | Mapping[str, OrnsteinUhlenbeck]


@dataclass(frozen=True, eq=False)
class Fluctuation:
    """Ornstein-Uhlenbeck input of all units (n,): its value, and the exact law of its step."""

    value: Array
    decay: Array
    kick: Array
    rng: np.random.Generator

    @classmethod
    def of(cls, net: RateNetwork, noise: Noise | None, seed, dt: float) -> "Fluctuation":
        """At a draw from the stationary law."""
        sigma, tau = np.zeros(net.n), np.ones(net.n)
        laws = dict.fromkeys(net.names, noise) if isinstance(noise, OrnsteinUhlenbeck) else dict(noise or {})
        for name, law in laws.items():
            if not isinstance(law, OrnsteinUhlenbeck):
                raise TypeError(f"rate.simulate: noise must be eq.OrnsteinUhlenbeck(tau, sigma), got {law!r}.")
            sigma[net.place(name)], tau[net.place(name)] = law.sigma, law.tau
        rng = np.random.default_rng(seed_sequence(0 if seed is None else seed))
        decay = np.exp(-dt / tau)
        kick = sigma * np.sqrt(-np.expm1(-2.0 * dt / tau))
        return cls(sigma * rng.standard_normal(net.n) if sigma.any() else sigma, decay, kick, rng)

    def following(self) -> "Fluctuation":
        """One step later."""
        if not self.kick.any():
            return self
        value = self.value * self.decay + self.kick * self.rng.standard_normal(self.value.size)
        return Fluctuation(value, self.decay, self.kick, self.rng)


@dataclass(frozen=True, eq=False)
class Stepper:
    """Exponential Heun steps of a network."""

    net: RateNetwork
    decay: Array
    a: Array
    b: Array

    @classmethod
    def of(cls, net: RateNetwork, dt: float) -> "Stepper":
        """The factors of one step."""
        z = dt / net.tau
        a = -np.expm1(-z)
        return cls(net, np.exp(-z), a, 1.0 - a / z)

    def step(self, r: Array, noise: Fluctuation) -> tuple[Array, Fluctuation]:
        """Rates and noise one step later."""
        later = noise.following()
        f = self._fired(r, noise.value)
        p = r * self.decay + self.a * f
        return np.maximum(p + self.b * (self._fired(p, later.value) - f), 0.0), later

    def _fired(self, r: Array, eta: Array) -> Array:
        h, s = self.net.inputs(r)
        return self.net.fired(h + eta, s)[0]
