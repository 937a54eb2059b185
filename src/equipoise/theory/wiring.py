"""A circuit as arrays, and from its rates the input statistics of each population (Sec. 4.5.3).

With signed weights J[A, B], mean in-degrees K[A, B], variance V[A, B] of the in-degree and the fraction p[A, B] of
presynaptic neurons contacted, r and q the first two moments of the presynaptic rates (q_X = r_X^2 for a source):

    mu_A = sum K J r + I_A                     s_A = sum K J^2 m_2 F r
    D = K (1 - p)(q - r^2) + V r^2             variance of the summed rate of one projection over neurons
    beta_A = sum J^2 (D + (m_2 - 1) K q),  gamma_A = sum J^3 (m_2 D + (m_3 - m_2) K q),
    eta_A = sum J^4 (m_2^2 D + (m_4 - m_2^2) K q)

Erdos-Renyi graphs have V = K(1 - p), so D = K(1 - p) q (D = K q when sparse); a fixed in-degree has V = 0. m_k are the
moments of the relative weights x of single synapses, w = J x, <x> = 1, drawn independently of everything else: the
covariance of sum x^a r and sum x^b r over neurons is m_a m_b D + (m_{a+b} - m_a m_b) K q. Equal weights have m_k = 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.spread import Spread
from equipoise.quantities import Array
from equipoise.renewal.firing import NOISELESS
from equipoise.theory.mixture import Mixture, mixture
from equipoise.theory.quenched import Moments


@dataclass(frozen=True, eq=False)
class Wiring:
    """Populations (n) and what projects to them: the populations first, then the sources (m in all).

    J, K, V, p (n, m); `source_rates` and `source_fano` (m - n,); `drive` (n,) tonic input [V/s]; `tau_s` (n,) synaptic
    time [s], 0 for delta synapses; `weight_moments` m_2, m_3, m_4 (3, n, m); `spreads` (n,) how neurons differ, or
    none where they do not. Many networks of the same neurons and synaptic times are one with axes in front of (n, m)
    and (n,), see `stacked`; rates and second moments then have them too.
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
    weight_moments: Array = field(default_factory=lambda: np.ones((3, 1, 1)))
    spreads: tuple[Spread, ...] = ()

    @property
    def n(self) -> int:
        """Number of populations."""
        return len(self.neurons)

    @property
    def alike(self) -> bool:
        """Whether all neurons of a population are equal, as are their inputs, so that all fire at one rate."""
        alike = not (self.V > 0.0).any() and not (self.weight_moments > 1.0).any()
        return alike and not any(s.varying for s in self.spreads)

    def mixture(self, a: int, nodes: int) -> Mixture:
        """The kinds of neurons of population a, for averages over inputs with so many nodes."""
        return mixture(self.neurons[a], self.spreads[a] if self.spreads else Spread(), nodes)

    @cached_property
    def fano(self) -> Array:
        """Fano factors of all that projects (m,); recurrent input is taken as Poisson."""
        return np.concatenate([np.ones((*self.source_fano.shape[:-1], self.n)), self.source_fano], axis=-1)

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
    def _mixed(self) -> tuple[tuple[Array, Array], ...]:
        """What D and K q count in beta, gamma and eta beside the power of J: pairs of arrays (n, m)."""
        two, three, four = np.moveaxis(self.weight_moments, -3, 0)
        return (np.ones_like(two), two - 1.0), (two, three - two), (two * two, four - two * two)

    @cached_property
    def _fixed(self) -> tuple[Array, Array, Array, Array]:
        """K J, K J^2 m_2 F, K (1 - p), and the slopes that do not depend on the rates, (n, 5, 2 n)."""
        n, kept = self.n, self.K * (1.0 - self.p)
        KJ, KJ2 = self.K * self.J, self.K * self.noise_per_rate
        slopes = np.zeros((*self.drive.shape, 5, 2 * n))
        slopes[..., 0, :n], slopes[..., 1, :n] = KJ[..., :n], KJ2[..., :n]
        for k, (power, (by_d, by_q)) in enumerate(zip(self._powers, self._mixed, strict=True), start=2):
            slopes[..., k, n:] = (power * (by_d * kept + by_q * self.K))[..., :n]
        return KJ, KJ2, kept, slopes

    @property
    def noise_per_rate(self) -> Array:
        """J^2 m_2 F: the noise of one input per rate, on average (n, m)."""
        return self._powers[0] * self.weight_moments[..., 0, :, :] * self.fano[..., None, :]

    @property
    def strengths(self) -> tuple[Array, Array]:
        """K J and K J^2 m_2 F: what the presynaptic rates add to mu and to s, each (n, m)."""
        return self._fixed[0], self._fixed[1]

    def means(self, r: Array) -> tuple[Array, Array]:
        """mu and s of the populations for their rates r (n,)."""
        (KJ, KJ2), rates = self.strengths, np.concatenate([r, self.source_rates], axis=-1)[..., None]
        return (KJ @ rates)[..., 0] + self.drive, np.maximum((KJ2 @ rates)[..., 0], NOISELESS)

    def moments(self, r: Array, q: Array) -> Moments:
        """Input statistics for population rates r and second moments q, each (n,)."""
        disorders = self._disorders(r, q)
        return Moments(*self.means(r), *((x * d).sum(-1) for x, d in zip(self._powers, disorders, strict=True)))

    def derivatives(self, r: Array) -> Array:
        """d(mu, s, beta, gamma, eta)_A/d(r_B, q_B), shape (n, 5, 2 n)."""
        n, (_, _, kept, slopes) = self.n, self._fixed
        out, by_r = slopes.copy(), 2.0 * r[..., None, :] * (self.V - kept)[..., :n]
        for k, (power, (by_d, _)) in enumerate(zip(self._powers, self._mixed, strict=True), start=2):
            out[..., k, :n] = (power * by_d)[..., :n] * by_r
        return out

    def weight_derivatives(self, r: Array, q: Array) -> Array:
        """d(mu, s, beta, gamma, eta)_A/dJ[A, B], shape (n, 5, m); a population's input depends on its own row only."""
        rates, _ = self.presynaptic(r, q)
        J = self.J
        first, second, third = self._disorders(r, q)
        rows = [
            self.K * rates,
            2 * J * self.K * self.weight_moments[0] * self.fano * rates,
            2 * J * first,
            3 * J**2 * second,
            4 * J**3 * third,
        ]
        return np.stack(rows, axis=1)

    def _disorders(self, r: Array, q: Array) -> tuple[Array, ...]:
        """What multiplies J^2, J^3 and J^4 in beta, gamma and eta, each (n, m)."""
        rates, seconds = (x[..., None, :] for x in self.presynaptic(r, q))
        disorder = self.disorder(rates, seconds)
        return tuple(by_d * disorder + by_q * self.K * seconds for by_d, by_q in self._mixed)

    def disorder(self, rates: Array, seconds: Array) -> Array:
        """D (n, m); an iterate with q < r^2, which no distribution has, counts as q = r^2."""
        return self._fixed[2] * np.maximum(seconds - rates**2, 0.0) + self.V * rates**2

    def disorder_slopes(self, r: Array) -> tuple[Array, Array]:
        """dD/dr_B and dD/dq_B for the populations B, each (n, n)."""
        by_q = self.K[:, : self.n] * (1.0 - self.p[:, : self.n])
        return 2.0 * r * (self.V[:, : self.n] - by_q), by_q

    def presynaptic(self, r: Array, q: Array) -> tuple[Array, Array]:
        """Rates and second moments of all that projects, populations then sources, each (m,)."""
        outer = self.source_rates
        return np.concatenate([r, outer], axis=-1), np.concatenate([q, outer**2], axis=-1)


STACKED = ("J", "K", "V", "p", "source_rates", "source_fano", "drive", "weight_moments")


def stacked(wirings: Sequence[Wiring]) -> Wiring:
    """Networks of the same neurons and synaptic times as one, with an axis for them in front of all arrays."""
    return replace(wirings[0], **{name: np.array([getattr(w, name) for w in wirings]) for name in STACKED})
