"""Input from sources: K Poisson trains of rate r onto a neuron, as counts per step or as white noise.

Counts: lambda = K r dt arrivals per step on average, at its end, drawn by Walker's alias method (Vose 1991); neurons
whose K differs have tables of their own. Noise: what the leak makes of mu + sigma xi(t) within a step, exactly,

    mean mu tau (1 - e^{-dt/tau}),   variance sigma^2 (tau/2) (1 - e^{-2 dt/tau}),   mu = K J r, sigma^2 = K J^2 F r

and mu dt, sigma^2 dt without a leak.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

POISSON, GAUSSIAN = 0, 1
MIN_BITS, MAX_BITS = 4, 11
SMALLEST_TAIL = 2.0**-40
"""Probability of a count beyond the table that is given up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class External:
    """One input of one population: for each of its places an amplitude [V] and, for counts, the number of its table."""

    population: int
    noise: int
    stream: int
    bits: int
    amplitude: NDArray[np.float32]
    level: NDArray[np.uint16]
    tables: NDArray[np.uint32]


def poisson(population: int, stream: int, *, weight: float, mean: Array) -> External:
    """Counts of the given mean per step for each place (n,), times a weight [V]."""
    means, level = np.unique(mean, return_inverse=True)
    bits = table_bits(float(means[-1]))
    if means.size > np.iinfo(np.uint16).max:
        raise ValueError(f"spiking: at most 65,535 different external in-degrees are supported, got {means.size:,}.")
    tables = np.concatenate([alias_table(m, bits) for m in means])
    return External(
        population=population, noise=POISSON, stream=stream, bits=bits, tables=tables,
        amplitude=np.full(mean.size, weight, np.float32), level=level.astype(np.uint16),
    )  # fmt: skip


def gaussian(population: int, stream: int, *, sd: Array) -> External:
    """Normal variates of the given standard deviation [V] per step for each place (n,)."""
    level, tables = np.zeros(sd.size, np.uint16), np.zeros(0, np.uint32)
    amplitude = sd.astype(np.float32)
    return External(
        population=population, noise=GAUSSIAN, stream=stream, bits=0, amplitude=amplitude, level=level, tables=tables
    )


def table_bits(largest_mean: float) -> int:
    """Size of the alias tables as a power of two: counts beyond have a probability below 2^-40."""
    from scipy.special import pdtrc

    for bits in range(MIN_BITS, MAX_BITS + 1):
        if pdtrc((1 << bits) - 1, largest_mean) < SMALLEST_TAIL:
            return bits
    raise ValueError(
        f"spiking: a source gives {largest_mean:.4g} spikes to a neuron in one step, more than the counts are made for. "
        "Shorten dt, or take noise='gaussian'."
    )


def alias_table(mean: float, bits: int) -> NDArray[np.uint32]:
    """The Poisson law on 0 .. 2^bits - 1 as words: probability to stay in the high bits, alias in the low ones."""
    from scipy.special import gammaln

    n = 1 << bits
    k = np.arange(n)
    law = np.exp(k * np.log(mean) - mean - gammaln(k + 1.0)) if mean > 0.0 else (k == 0).astype(float)
    stay, alias = _walker(law / law.sum())
    high = np.minimum((stay * 2.0 ** (32 - bits)).astype(np.uint64), 2 ** (32 - bits) - 1)
    return ((high << np.uint64(bits)) | alias.astype(np.uint64)).astype(np.uint32)


def _walker(law: Array) -> tuple[Array, NDArray[np.int64]]:
    """Vose's construction: fill each entry below the mean from one above it."""
    share, alias = law * law.size, np.arange(law.size)
    small = [k for k in range(law.size) if share[k] < 1.0]
    large = [k for k in range(law.size) if share[k] >= 1.0]
    while small and large:
        poor, rich = small.pop(), large[-1]
        alias[poor] = rich
        share[rich] -= 1.0 - share[poor]
        if share[rich] < 1.0:
            small.append(large.pop())
    return np.minimum(share, 1.0), alias
