"""Input from sources: K Poisson trains of rate r onto a neuron, as counts per step or as white noise.

Counts: K r dt arrivals per step on average, at its end. They are drawn by inversion: the count is the number of
thresholds P(count <= j), j = 0, 1, ..., that a uniform number of 32 bits reaches; neurons whose K differs have
thresholds of their own. Noise: what the leak makes of mu + sigma xi(t) within a step, exactly,

    mean mu tau (1 - e^{-dt/tau}),   variance sigma^2 (tau/2) (1 - e^{-2 dt/tau}),   mu = K J r, sigma^2 = K J^2 F r

and mu dt, sigma^2 dt without a leak.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

Ints = NDArray[np.int32]

POISSON, GAUSSIAN = 0, 1
MOST_THRESHOLDS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class External:
    """One input of one population: for each of its n places an amplitude [V], and for counts the thresholds.

    `least` (J,) the lowest thresholds of all neurons; `thresholds` (J, n) where neurons differ, else (0, n). They are
    2^32 P(count <= j) - 2^31.
    """

    population: int
    noise: int
    stream: int
    amplitude: NDArray[np.float32]
    least: Ints
    thresholds: Ints


def poisson(population: int, stream: int, *, weight: float, mean: Array) -> External:
    """Counts of the given mean per step for each place (n,), times a weight [V]; places of mean 0 are left alone."""
    means, which = np.unique(mean, return_inverse=True)
    n = number_of_thresholds(float(means[-1]))
    laws = np.array([thresholds(m, n) for m in means])
    differ = np.unique(mean[mean > 0.0]).size > 1
    return External(
        population=population, noise=POISSON, stream=stream, least=laws[-1],
        thresholds=np.ascontiguousarray(laws.T[:, which]) if differ else np.empty((0, mean.size), np.int32),
        amplitude=np.where(mean > 0.0, weight, 0.0).astype(np.float32),
    )  # fmt: skip


def gaussian(population: int, stream: int, *, sd: Array) -> External:
    """Normal variates of the given standard deviation [V] per step for each place (n,)."""
    least, none = np.empty(0, np.int32), np.empty((0, sd.size), np.int32)
    amplitude = sd.astype(np.float32)
    return External(
        population=population, noise=GAUSSIAN, stream=stream, amplitude=amplitude, least=least, thresholds=none
    )


def number_of_thresholds(largest_mean: float) -> int:
    """How many counts have a probability that 32 bits can tell from 0, up to a multiple of four."""
    from scipy.special import pdtrc

    more = pdtrc(np.arange(MOST_THRESHOLDS), largest_mean) >= 2.0**-32
    if more.all():
        raise ValueError(
            f"spiking: a source gives {largest_mean:.4g} spikes to a neuron in one step, more than are counted. "
            "Shorten dt, or take noise='gaussian'."
        )
    return 4 * (int(np.count_nonzero(more)) // 4 + 1)


def thresholds(mean: float, n: int) -> Ints:
    """The Poisson law as thresholds (n,)."""
    from scipy.special import pdtr

    cumulative = np.rint(pdtr(np.arange(n), mean) * 2.0**32)
    return (np.minimum(cumulative, 2.0**32 - 1.0) - 2.0**31).astype(np.int32)
