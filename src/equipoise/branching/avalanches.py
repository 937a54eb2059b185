"""Many avalanches of a branching process, each started by one unit."""

import numpy as np

from equipoise import _core
from equipoise.branching.offspring import Offspring, check_offspring
from equipoise.quantities import seed_sequence, whole
from equipoise.results import Avalanches

PIECE = 1_000
"""Avalanches of one call into the core, between which Ctrl-C acts."""
LARGEST = 10**15


def avalanches(
    offspring: Offspring,
    n: int,
    *,
    seed: int | np.random.SeedSequence,
    max_generations: int = 10**6,
    max_size: int = 10**12,
) -> Avalanches:
    """Sizes and durations of `n` avalanches, advanced by generation totals, one draw each.

    An avalanche is `capped` where it would last longer than `max_generations`, or has grown larger than `max_size`
    (at most 1e15): it is cut off there, and its size and duration are lower bounds. At the critical point one in
    v max_generations/2 is, v the variance of the offspring. The result depends on the seed alone (and on the last digit
    of the machine's logarithm), and the first avalanches of a longer list are those of a shorter one. ValueError or
    TypeError for what is no whole number.
    """
    law = check_offspring("branching.avalanches", offspring)
    count = whole("branching.avalanches: n", n)
    generations = whole("branching.avalanches: max_generations", max_generations, low=1)
    most = whole("branching.avalanches: max_size", max_size, low=1, high=LARGEST)
    key = seed_sequence(seed).generate_state(2, np.uint64).astype(np.uint64)
    sizes, durations, capped = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.uint8)
    for first in range(0, count, PIECE):
        here = slice(first, first + PIECE)
        _core.branching_avalanches(
            key, first, law.code, law.sigma, generations, most, sizes[here], durations[here], capped[here]
        )  # fmt: skip
    return Avalanches(sizes, durations, capped.astype(bool))
