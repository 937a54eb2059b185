"""Firing in bursts: a pattern with the spikes of a burst at fixed intervals and Poisson silences between bursts."""

from dataclasses import dataclass

import numpy as np

from equipoise.quantities import Quantity, check, check_fields, quantity
from equipoise.results import SpikeTrains
from equipoise.units import kHz, ms, second


@dataclass(frozen=True, kw_only=True)
class PoissonBursts:
    """Bursts of `size` spikes at `interval` [s]; the time from one burst's end to the next start is exponential.

    `rate` [Hz] is the mean rate of spikes, so that patterns of one rate differ in burstiness alone; size 1 is a Poisson
    process. The silences last size/rate - (size - 1) interval on average. ValueError where that leaves no time.
    """

    rate: float = quantity("mean rate of spikes", unit="Hz", low=0.0, high=1 * kHz, open_low=True)
    size: int = quantity("spikes of a burst", default=5, low=1.0, high=1000.0)
    interval: float = quantity("interval within a burst", default=5 * ms, unit="ms", low=0.1 * ms, high=1 * second)

    def __post_init__(self):
        check_fields(self)
        if self.size != int(self.size):
            raise ValueError(f"PoissonBursts.size (spikes of a burst) must be whole, got {self.size:g}.")
        object.__setattr__(self, "size", int(self.size))
        if not self.rate < self.fastest:
            raise ValueError(
                f"PoissonBursts.rate must be below {self.fastest:.4g} Hz, the rate without silences between bursts of "
                f"{self.size} spikes at {self.interval / ms:g} ms, got {self.rate:g} Hz. Take smaller bursts."
            )

    @property
    def fastest(self) -> float:
        """Rate [Hz] at which no time is left between bursts."""
        return self.size / ((self.size - 1) * self.interval) if self.size > 1 else np.inf

    @property
    def burst_rate(self) -> float:
        """Bursts per second [Hz]."""
        return self.rate / self.size

    @property
    def silence(self) -> float:
        """Mean time [s] from the last spike of a burst to the first of the next."""
        return 1.0 / self.burst_rate - (self.size - 1) * self.interval

    def spikes(self, duration: float, rng: np.random.Generator) -> SpikeTrains:
        """Spikes of one unit in [0, duration] [s], which begins with a silence."""
        span = check("PoissonBursts.duration", duration, Quantity("length", unit="second", low=0.0, open_low=True))
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"PoissonBursts.spikes: rng must be a numpy Generator, got {rng!r}.")
        n = int(self.burst_rate * span + 10.0 * np.sqrt(self.burst_rate * span) + 20.0)
        silences = rng.standard_exponential(n) * self.silence
        starts = np.cumsum(silences) + np.arange(n) * (self.size - 1) * self.interval
        times = (starts[:, None] + np.arange(self.size) * self.interval).ravel()
        return SpikeTrains.single(times[times <= span], t_start=0.0, t_stop=span)
