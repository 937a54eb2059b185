"""Exact laws of avalanches started by one unit: sizes (all units ever active) and durations (generations).

Sizes: P(S = n) = P(n units have n - 1 offspring)/n (Otter 1949, Ann. Math. Stat. 20:206; Dwass 1969, J. Appl. Probab.
6:682). This is the Borel law e^(-sigma n) (sigma n)^(n-1)/n! for Poisson offspring, and the Catalan numbers
C(2n - 2, n - 1)/n p^n (1 - p)^(n-1) for geometric ones.

Durations: P(T > t) = g(P(T > t - 1)), P(T > 0) = 1 (Watson & Galton 1875). At the critical point the tail is 2/(v t), v
the variance of the offspring, and for geometric offspring P(T >= t) = 1/t exactly. The mean size of avalanches that
last t generations then grows as t^2; for critical geometric offspring it is (t^2 + t + 1)/3.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.branching.offspring import Offspring, check_offspring
from equipoise.quantities import Array, finite

MOST_GENERATIONS = 10**7


def log_size_law(offspring: Offspring, n: ArrayLike) -> Array:
    """Log P(S = n) for whole sizes n >= 1 of any shape, to full precision at any size.

    Above sigma = 1 the probabilities sum to that of extinction.
    """
    law = check_offspring("branching.log_size_law", offspring)
    sizes = _whole("branching.log_size_law", "n", n)
    if sizes.max(initial=1) > 2**50:
        raise ValueError(f"branching.log_size_law: n must be at most 2^50, got {sizes.max():g}.")
    flat = sizes.ravel()
    return (law.log_total(flat, flat - 1) - np.log(flat)).reshape(sizes.shape)


def mean_size(offspring: Offspring) -> float:
    """<S> = 1/(1 - sigma), infinite from sigma = 1 on."""
    sigma = check_offspring("branching.mean_size", offspring).sigma
    return 1.0 / (1.0 - sigma) if sigma < 1.0 else np.inf


def duration_survival(offspring: Offspring, t: ArrayLike) -> Array:
    """P(T >= t), the probability that generation t exists, for whole t >= 1 of any shape, by iteration."""
    law = check_offspring("branching.duration_survival", offspring)
    times = _generations("branching.duration_survival", t)
    return _survival(law, int(times.max(initial=1)))[times - 1]


def mean_size_of_duration(offspring: Offspring, t: ArrayLike) -> Array:
    """<S | T = t> for whole durations t >= 1 of any shape, the crackling relation; NaN where T = t has no probability.

    With F_t(s) = E[s^S; T <= t] = s f(F_t-1(s)), its derivative D_t = P(T <= t) + f'(P(T <= t - 1)) D_t-1 at s = 1 is
    the mean size of the avalanches that ended, and D_t - D_t-1 that of those which last t. Differences lose digits as
    1e-16 t.
    """
    law = check_offspring("branching.mean_size_of_duration", offspring)
    times = _generations("branching.mean_size_of_duration", t)
    longest = int(times.max(initial=1))
    alive, ended = _survival(law, longest + 1), [0.0]
    for before, now in pairwise(alive.tolist()):
        ended.append(1.0 - now + law.slope(before) * ended[-1])
    chance, size = -np.diff(alive), np.diff(ended)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance > 0.0, size / chance, np.nan)[times - 1]


def _survival(law: Offspring, generations: int) -> Array:
    """P(T >= t) for t = 1 .. generations."""
    out, x = np.empty(generations), 1.0
    for i in range(generations):
        out[i] = x
        x = law.survives(x)
    return out


def _generations(function: str, t: ArrayLike) -> NDArray[np.int64]:
    times = _whole(function, "t", t)
    if times.max(initial=1) > MOST_GENERATIONS:
        raise ValueError(f"{function}: t must be at most {MOST_GENERATIONS:,} generations, got {times.max():,}.")
    return times


def _whole(function: str, name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers of at least 1."""
    array = finite(function, name, values, low=1.0)
    broken = array != np.floor(array)
    if broken.any():
        raise ValueError(f"{function}: {name} must be whole numbers, got {array[broken][0]:g}.")
    return array.astype(np.int64)
