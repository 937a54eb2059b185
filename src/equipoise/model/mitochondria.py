"""Calcium at mitochondria: uptake by the uniporter (MCU), efflux by the exchanger (NCLX), matrix calcium between them.

    spike -> calcium at the uniporter c, jump A, decay tau -> uptake V c^n/(K^n + c^n) + leak -> matrix calcium m
    dm/dt = (leak + V c^n/(K^n + c^n) - V_N m^k/(K_N^k + m^k))/(1 + kappa)

The uniporter has low affinity and is cooperative, so that c far below K passes as its n-th power: isolated spikes
hardly load the matrix, bursts do. Calcium is in µM, fluxes in µM/s of total (free and bound) matrix calcium.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.bursts import PoissonBursts
from equipoise.model.calcium import Calcium
from equipoise.model.calcium_law import gauss_average, moments_after_spike
from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import ms, nM, second, uM

NODES = 10
"""Of the Gauss rule: at 0.1 to 60 Hz 1e-6 of the uptake is left for bursts and for C_v up to 1, 1e-4 at C_v = 4."""


@dataclass(frozen=True, kw_only=True)
class Mitochondrion:
    """Mitochondria of a cell as a sensor of its calcium.

    A spike adds `influx` to bulk calcium and `microdomain` times as much at the uniporter; both decay with `tau`. The
    matrix of a cell without spikes has `resting` calcium: the leak through the uniporter equals the efflux there.
    `bound_ratio` kappa is bound by free calcium of the matrix.

    Sources: uptake is half-maximal at some 1 to 20 µM with n = 2 to 3 (Gunter & Pfeiffer 1990; 4 µM and 2.65 in Pradhan
    et al. 2011) and sets in at high firing rates in pyramidal cells (Groten & MacVicar 2022); efflux is half-maximal
    at about 1 µM; a spike's transient in dendrites is 0.1 to 0.3 µM and lasts 50 to 300 ms (Markram et al. 1995;
    Helmchen et al. 1996). Both capacities and the cooperativity of efflux are choices: with them 5 Hz in bursts of
    five spikes holds the matrix near 0.18 µM.
    """

    tau: float = quantity("calcium decay time", default=150 * ms, unit="ms", low=1 * ms, high=10 * second)
    influx: float = quantity("bulk calcium of a spike", default=0.1 * uM, unit="uM", low=0.0, open_low=True)
    microdomain: float = quantity("calcium at the uniporter by that of the bulk", default=10.0, low=0.0, open_low=True)
    half_uptake: float = quantity(
        "half-maximal uptake", default=10 * uM, unit="uM", low=1 * nM, high=1000 * uM, symbol="K"
    )
    uptake_hill: float = quantity("cooperativity of uptake", default=2.65, low=1.0, high=8.0, symbol="n")
    uptake_capacity: float = quantity("largest uptake, µM/s", default=20.0, low=0.0, open_low=True, symbol="V")
    half_efflux: float = quantity(
        "half-maximal efflux", default=1 * uM, unit="uM", low=1 * nM, high=1000 * uM, symbol="K_N"
    )
    efflux_hill: float = quantity("cooperativity of efflux", default=2.0, low=1.0, high=8.0, symbol="k")
    efflux_capacity: float = quantity("largest efflux, µM/s", default=10.0, low=0.0, open_low=True, symbol="V_N")
    resting: float = quantity("matrix calcium at rest", default=0.1 * uM, unit="uM", low=0.0, open_low=True)
    bound_ratio: float = quantity("bound by free matrix calcium", default=400.0, low=0.0, symbol="kappa")

    def __post_init__(self):
        check_fields(self)

    @property
    def sensor(self) -> Calcium:
        """Calcium at the uniporter as a sensor of spikes."""
        return Calcium(tau=self.tau, influx=self.influx * self.microdomain, buffering=0.0)

    @property
    def leak(self) -> float:
        """Uptake at rest [µM/s], which balances the efflux of a matrix at `resting`."""
        return float(self.efflux(self.resting))

    def uptake(self, calcium: ArrayLike) -> Array:
        """Flux through the uniporter at calcium c there [µM] -> [µM/s]: leak + V c^n/(K^n + c^n)."""
        x = (finite("Mitochondrion.uptake", "calcium", calcium, low=0.0) / self.half_uptake) ** self.uptake_hill
        return self.leak + self.uptake_capacity * x / (1.0 + x)

    def efflux(self, matrix: ArrayLike) -> Array:
        """Flux through the exchanger at matrix calcium m [µM] -> [µM/s]: V_N m^k/(K_N^k + m^k)."""
        x = (finite("Mitochondrion.efflux", "matrix", matrix, low=0.0) / self.half_efflux) ** self.efflux_hill
        return self.efflux_capacity * x / (1.0 + x)

    def matrix_speed(self, matrix: ArrayLike, uptake: ArrayLike) -> Array:
        """dm/dt [µM/s] of free matrix calcium m [µM] at an uptake [µM/s]: (uptake - efflux)/(1 + kappa)."""
        return (np.asarray(uptake) - self.efflux(matrix)) / (1.0 + self.bound_ratio)

    def matrix_at(self, uptake: ArrayLike) -> Array:
        """Matrix calcium [µM] at which efflux equals a steady uptake [µM/s]; inf, overload, at or above capacity."""
        part = finite("Mitochondrion.matrix_at", "uptake", uptake, low=0.0) / self.efflux_capacity
        with np.errstate(divide="ignore"):
            odds = np.where(part < 1.0, part / np.maximum(1.0 - part, 0.0), np.inf)
        return (self.half_efflux * odds ** (1.0 / self.efflux_hill))[()]

    def matrix_tau(self, matrix: ArrayLike) -> Array:
        """Time [s] in which matrix calcium near m [µM] relaxes, (1 + kappa)/(d efflux/dm), minutes by default."""
        m = finite("Mitochondrion.matrix_tau", "matrix", matrix, low=0.0, open_low=True)
        x = (m / self.half_efflux) ** self.efflux_hill
        return (1.0 + self.bound_ratio) * m * (1.0 + x) ** 2 / (self.efflux_capacity * self.efflux_hill * x)

    def uptake_left(self, calcium: ArrayLike) -> Array:
        """What is taken up while calcium c [µM] decays to nothing [µM], the leak apart.

        int_0^inf V H(c e^{-t/tau}) dt = (V tau/n) log(1 + (c/K)^n), exactly.
        """
        x = (np.asarray(calcium, dtype=np.float64) / self.half_uptake) ** self.uptake_hill
        return self.uptake_capacity * self.tau / self.uptake_hill * np.log1p(x)

    def burst_uptake(self, size: ArrayLike, interval: ArrayLike, *, before: ArrayLike = 0.0) -> Array:
        """Uptake [µM] by a burst of `size` spikes at `interval` [s] after calcium `before` [µM], the leak apart.

        The j-th spike leaves C_j = A (1 - q^j)/(1 - q) + before q^{j-1}, q = e^{-interval/tau}; the uptake, to the end
        of the decay, is F(C_size) + sum_{j<size} (F(C_j) - F(q C_j)) less what `before` would have brought, F(before),
        with F of `uptake_left`.
        """
        q = np.exp(-finite("Mitochondrion.burst_uptake", "interval", interval, low=0.0) / self.tau)
        sizes = finite("Mitochondrion.burst_uptake", "size", size, low=1.0)
        peak = np.asarray(before) + self.influx * self.microdomain
        total = self.uptake_left(peak) - self.uptake_left(before)
        for j in range(2, int(np.max(sizes)) + 1):
            later = q * peak
            peak = later + self.influx * self.microdomain
            total = total + np.where(j <= sizes, self.uptake_left(peak) - self.uptake_left(later), 0.0)
        return np.asarray(total)[()]


def uptake_per_burst(m: Mitochondrion, size: int, interval: float, lost: Callable[[int], Array]) -> Array:
    """Mean uptake [µM] by each of many bursts with independent silences T between them, the leak apart.

    Bursts of n spikes at interval d leave calcium V = q^{n-1} V' e^{-T/tau} + A (1 - q^n)/(1 - q), q = e^{-d/tau}, at
    their last spikes: that of a sensor which keeps q^{n-1} at an event. So the moments of the calcium before a burst,
    E V^k z_k, are known, and the exact uptake by a burst is averaged by the Gauss rule of that law. `lost`(k) is
    1 - z_k, z_k = <e^{-k T/tau}>, of one shape for all k.
    """
    peak = m.sensor.influx * np.exp(-np.arange(size) * interval / m.tau).sum()
    sensor = Calcium(tau=m.tau, influx=peak, buffering=1.0 - np.exp(-(size - 1) * interval / m.tau))
    q = [np.asarray(lost(k)) for k in range(2 * NODES)]
    after = moments_after_spike(sensor, q)
    before = np.array([peak**k * v * (1.0 - gone) for k, (gone, v) in enumerate(zip(q, after, strict=True))])

    def taken(calcium: Array) -> Array:
        return m.burst_uptake(size, interval, before=calcium)

    columns = before.reshape(2 * NODES, -1).T
    return np.array([gauss_average(column, taken) for column in columns]).reshape(before.shape[1:])[()]


def uptake_of_bursts(m: Mitochondrion, firing: PoissonBursts) -> float:
    """Mean uptake by a pattern [µM/s], the leak apart; silences of mean T have 1 - z_k = x/(1 + x), x = k T/tau."""

    def lost(k: int) -> Array:
        x = k * firing.silence / m.tau
        return np.asarray(x / (1.0 + x))

    return firing.burst_rate * float(uptake_per_burst(m, firing.size, firing.interval, lost))


@dataclass(frozen=True, kw_only=True)
class EnergyCost:
    """What firing costs a neuron, in ATP; a rough estimate, good to a factor of two at best.

    Defaults from the budget of rat cortex of Attwell & Laughlin 2001: at 4 Hz a neuron and its glia use 3.29e9 ATP/s,
    of it 13 % at rest, 47 % by spikes, and 34 % by synaptic currents, here `input`. Spikes of mammalian cells may cost
    a third of that (Howarth et al. 2012). Left out is the calcium of a spike: 10 µM of free and bound calcium in 2 pl,
    at one ATP an ion, is 1.2e7 ATP, 3 % of it.
    """

    rest: float = quantity("ATP per s at rest", default=4.4e8, low=0.0)
    spike: float = quantity("ATP per spike", default=3.84e8, low=0.0)
    input: float = quantity("ATP per s of synaptic currents at the set point", default=1.1e9, low=0.0)

    def __post_init__(self):
        check_fields(self)
