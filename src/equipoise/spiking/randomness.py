"""Random words of the spiking level: Threefry counters (stream, step, place) under a key made from the seed.

A stream is a purpose: the noise of one source, the start, the in-degrees, partners, delays and weights of one
projection, one parameter of the neurons of a population. Steps are numbered from the start of a network's life, so that
a run in pieces equals the run in one piece.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.quantities import Array, seed_sequence
from equipoise.spiking.layout import COLUMN

Words = NDArray[np.uint64]

START, IN_DEGREE, PARTNERS, DELAYS, WEIGHTS, NEURONS, VOLLEYS = (k << 28 for k in range(1, 8))
"""First streams of the purposes that are not noise; noise counts from 0."""


def key_of(seed: int | np.random.SeedSequence) -> Words:
    """The 128-bit key of a seed (2,)."""
    return seed_sequence(seed).generate_state(2, np.uint64).astype(np.uint64)


def words(key: Words, stream: int, n: int, *, step: int = 0, first_column: int = 0) -> NDArray[np.uint32]:
    """One word for each of the first n places from a column on (n,)."""
    out = np.empty(-(-n // COLUMN) * COLUMN, np.uint32)
    _core.spiking_words(key, stream, step, first_column, out)
    return out[:n]


def uniform(key: Words, stream: int, n: int) -> Array:
    """Uniform numbers in (0, 1), both ends excluded (n,)."""
    return (words(key, stream, n).astype(np.float64) + 0.5) * 2.0**-32
