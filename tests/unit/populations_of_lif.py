"""Spike trains of populations whose inputs are known: each cell drawn exactly, without a time grid."""

import numpy as np

import equipoise as eq
from equipoise.renewal.sampling import sample_isi
from equipoise.results import SpikeTrains

LIF = eq.LIF()


def trains_of(mu, sigma, duration, *, seed):
    """Stationary spike trains of LIF neurons with mean inputs `mu` (n,) and noise `sigma`, over `duration` s."""
    rng, times, units = np.random.default_rng(seed), [], []
    rates = eq.renewal.rate(LIF, mu=mu, sigma=sigma)
    for i, (m, r) in enumerate(zip(mu, rates, strict=True)):
        if r * duration < 1e-4:
            continue
        before = min(20.0 / r, 100.0)  # after so long a train has forgotten its start
        n = int((duration + before) * r + 8.0 * np.sqrt((duration + before) * r) + 20.0)
        spikes = np.cumsum(sample_isi(LIF, n, mu=float(m), sigma=sigma, seed=int(rng.integers(2**31)))) - before
        assert spikes[-1] > duration
        times.append(spikes[(spikes >= 0.0) & (spikes <= duration)])
        units.append(np.full(times[-1].size, i))
    order = np.argsort(np.concatenate(times))
    return SpikeTrains(np.concatenate(times)[order], np.concatenate(units)[order], mu.size, 0.0, duration)


def population(mean, delta, sigma, n, duration, *, seed):
    """A mean-field population: mu_i ~ N(mean, delta^2)."""
    mu = np.random.default_rng(seed).normal(mean, delta, n)
    return trains_of(mu, sigma, duration, seed=seed + 1)
