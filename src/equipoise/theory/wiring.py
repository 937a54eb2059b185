"""A circuit as arrays, and from its rates the input statistics of each population (Sec. 4.5.3).

With signed weights J[A, B], mean in-degrees K[A, B], variance V[A, B] of the in-degree and the fraction p[A, B] of
presynaptic neurons contacted, r and q the first two moments of the presynaptic rates (q_X = r_X^2 for a source):

    mu_A = sum K J r + I_A                     s_A = sum K J^2 F r
    D = K (1 - p)(q - r^2) + V r^2             variance of the summed rate of one projection over neurons
    beta_A = sum J^2 D,  gamma_A = sum J^3 D,  eta_A = sum J^4 D

Erdos-Renyi graphs have V = K(1 - p), so D = K(1 - p) q (D = K q when sparse); a fixed in-degree has V = 0.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.spread import Spread
from equipoise.quantities import Array
from equipoise.theory.mixture import Mixture, mixture
from equipoise.theory.quenched import Moments

NOISELESS = 1e-14
"""Noise s [V^2/s] of a population without inputs, whose slopes would be infinite: 1e-7 V in a second."""


@dataclass(frozen=True, eq=False)
class Wiring:
    """Populations (n) and what projects to them: the populations first, then the sources (m in all).

    J, K, V, p (n, m); `source_rates` and `source_fano` (m - n,); `drive` (n,) tonic input [V/s]; `tau_s` (n,) synaptic
    time [s], 0 for delta synapses; `spreads` (n,) how neurons differ, () where they do not.
    """

    neurons: tuple[IntegrateAndFire, ...]
    names: tuple[str, ...]
    J: Array
    K: Array
    V: Array
    p: Array
    source_rates: Array
    source_fano: Array
    drive: Array
    tau_s: Array = field(default_factory=lambda: np.zeros(0))
    spreads: tuple[Spread, ...] = ()

    @property
    def n(self) -> int:
        """Number of populations."""
        return len(self.neurons)

    @property
    def alike(self) -> bool:
        """Whether all neurons of a population are equal and have as many inputs, so that all fire at one rate."""
        return not (self.V > 0.0).any() and not any(s.varying for s in self.spreads)

    def mixture(self, a: int, nodes: int) -> Mixture:
        """The kinds of neurons of population a, for averages over inputs with so many nodes."""
        return mixture(self.neurons[a], self.spreads[a] if self.spreads else Spread(), nodes)

    @cached_property
    def fano(self) -> Array:
        """Fano factors of all that projects (m,); recurrent input is taken as Poisson."""
        return np.concatenate([np.ones(self.n), self.source_fano])

    @cached_property
    def _kinds(self) -> dict[int, tuple[tuple[tuple[Mixture, float], NDArray[np.intp]], ...]]:
        return {}

    def kinds(self, nodes: int) -> tuple[tuple[tuple[Mixture, float], NDArray[np.intp]], ...]:
        """Each pair (neurons, tau_s) that occurs, and the populations (indices) that have it."""
        if nodes not in self._kinds:
            self._kinds[nodes] = self._sorted([self.mixture(a, nodes) for a in range(self.n)])
        return self._kinds[nodes]

    def _sorted(self, mixtures: list[Mixture]) -> tuple[tuple[tuple[Mixture, float], NDArray[np.intp]], ...]:
        pairs = list(zip(mixtures, self.tau_s.tolist(), strict=True))
        return tuple((pair, np.flatnonzero([p == pair for p in pairs])) for pair in dict.fromkeys(pairs))

    @cached_property
    def _powers(self) -> tuple[Array, Array, Array]:
        """J^2, J^3, J^4."""
        J2 = self.J**2
        return J2, J2 * self.J, J2 * J2

    @cached_property
    def _fixed(self) -> tuple[Array, Array, Array, Array]:
        """K J, K J^2 F, K (1 - p), and the slopes that do not depend on the rates, (n, 5, 2 n)."""
        n, fano = self.n, self.fano
        KJ, KJ2, kept = self.K * self.J, self.K * self._powers[0] * fano, self.K * (1.0 - self.p)
        slopes = np.zeros((n, 5, 2 * n))
        slopes[:, 0, :n], slopes[:, 1, :n] = KJ[:, :n], KJ2[:, :n]
        for k, power in enumerate(self._powers, start=2):
            slopes[:, k, n:] = (power * kept)[:, :n]
        return KJ, KJ2, kept, slopes

    @property
    def strengths(self) -> tuple[Array, Array]:
        """K J and K J^2 F: what the presynaptic rates add to mu and to s, each (n, m)."""
        return self._fixed[0], self._fixed[1]

    def means(self, r: Array) -> tuple[Array, Array]:
        """mu and s of the populations for their rates r (n,)."""
        (KJ, KJ2), rates = self.strengths, np.concatenate([r, self.source_rates])
        return KJ @ rates + self.drive, np.maximum(KJ2 @ rates, NOISELESS)

    def moments(self, r: Array, q: Array) -> Moments:
        """Input statistics for population rates r and second moments q, each (n,)."""
        rates, seconds = self.presynaptic(r, q)
        disorder = self.disorder(rates, seconds)
        return Moments(*self.means(r), *((power * disorder).sum(1) for power in self._powers))

    def derivatives(self, r: Array) -> Array:
        """d(mu, s, beta, gamma, eta)_A/d(r_B, q_B), shape (n, 5, 2 n)."""
        n, (_, _, kept, slopes) = self.n, self._fixed
        out, by_r = slopes.copy(), 2.0 * r * (self.V - kept)[:, :n]
        for k, power in enumerate(self._powers, start=2):
            out[:, k, :n] = power[:, :n] * by_r
        return out

    def weight_derivatives(self, r: Array, q: Array) -> Array:
        """d(mu, s, beta, gamma, eta)_A/dJ[A, B], shape (n, 5, m); a population's input depends on its own row only."""
        rates, seconds = self.presynaptic(r, q)
        fano = self.fano
        disorder = self.disorder(rates, seconds)
        J = self.J
        rows = [
            self.K * rates,
            2 * J * self.K * fano * rates,
            2 * J * disorder,
            3 * J**2 * disorder,
            4 * J**3 * disorder,
        ]
        return np.stack(rows, axis=1)

    def disorder(self, rates: Array, seconds: Array) -> Array:
        """D (n, m); an iterate with q < r^2, which no distribution has, counts as q = r^2."""
        return self._fixed[2] * np.maximum(seconds - rates**2, 0.0) + self.V * rates**2

    def disorder_slopes(self, r: Array) -> tuple[Array, Array]:
        """dD/dr_B and dD/dq_B for the populations B, each (n, n)."""
        by_q = self.K[:, : self.n] * (1.0 - self.p[:, : self.n])
        return 2.0 * r * (self.V[:, : self.n] - by_q), by_q

    def presynaptic(self, r: Array, q: Array) -> tuple[Array, Array]:
        """Rates and second moments of all that projects, populations then sources, each (m,)."""
        return np.concatenate([r, self.source_rates]), np.concatenate([q, self.source_rates**2])
