"""A branching process under external drive, with or without homeostasis of its branching parameter.

    A(t+1) = offspring of A(t) + Poisson(h),   stationary for m < 1: <A> = h/(1 - m), C(k) = m^k Var A,
                                               Var A = (v <A> + h)/(1 - m^2), v the variance of the offspring of one.

Homeostasis towards a target activity r* moves m by (r* - A)/(r* tau) a step and keeps it at 0 or above. On average it
comes to rest where <A> = r*, that is at m = 1 - h/r*, or at 0 where the drive alone is more: the drive decides how
close to the critical point m = 1 homeostasis takes the process (Zierenberg, Wilting & Priesemann 2018, Phys. Rev. X
8:031018).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import _core
from equipoise.branching.offspring import Offspring, check_offspring
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity, seed_sequence, whole

PIECE = 100_000
"""Steps of one call into the core, between which Ctrl-C acts."""
MOST = 1e9
"""Activity beyond which a process runs away."""

_SHARE = Quantity("share of the activity that is seen", low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class DrivenBranching:
    """Activity that branches with `offspring` and gains Poisson(`drive`) units a step.

    With a `target` [units active in a step] homeostasis of time constant `tau` [steps] moves the branching parameter,
    which begins at that of `offspring`.
    """

    offspring: Offspring
    drive: float = quantity("external drive per step", default=1.0, low=0.0, high=1e8, symbol="h")
    target: float | None = quantity("target activity", default=None, low=0.0, high=1e8, open_low=True, symbol="r*")
    tau: float = quantity("time constant of homeostasis in steps", default=1e4, low=1.0, high=1e12)

    def __post_init__(self):
        check_offspring("DrivenBranching", self.offspring)
        check_fields(self)

    @property
    def branching_ratio(self) -> float:
        """m: that of the offspring, or where homeostasis takes it, max(0, 1 - h/r*)."""
        return self.offspring.sigma if self.target is None else max(0.0, 1.0 - self.drive / self.target)

    @property
    def mean(self) -> float:
        """<A> = h/(1 - m); infinite for m >= 1."""
        return self.drive / (1.0 - self.branching_ratio) if self.branching_ratio < 1.0 else np.inf

    @property
    def variance(self) -> float:
        """Var A = (v <A> + h)/(1 - m^2) at fixed m; infinite for m >= 1."""
        m = self.branching_ratio
        v = replace(self.offspring, sigma=m).variance
        return (v * self.mean + self.drive) / (1.0 - m * m) if m < 1.0 else np.inf

    def autocovariance_of(self, seen: float, lag: ArrayLike) -> Array:
        """Covariance of A(t) and A(t + lag) where each unit is seen with probability `seen`, at fixed m.

        C(k) = seen^2 m^k Var A for k > 0, and seen^2 Var A + seen (1 - seen) <A> at lag 0: the regression slopes
        C(k)/C(0) keep their ratios m however little is seen (Wilting & Priesemann 2018, Nat. Commun. 9:2325).
        """
        share = check("DrivenBranching: seen", seen, _SHARE)
        k = finite("DrivenBranching", "lag", lag, low=0.0)
        own = share * (1.0 - share) * self.mean
        return share**2 * self.variance * self.branching_ratio**k + np.where(k == 0, own, 0.0)


@dataclass(frozen=True, eq=False)
class Activity:
    """Active units in each step, and the branching parameter after it, both (steps,)."""

    counts: NDArray[np.int64]
    branching_ratio: Array

    def __repr__(self) -> str:
        m = self.branching_ratio[-1]
        return f"Activity({self.counts.size:,} steps, mean {self.counts.mean():.4g}, m {m:.4g} at the end)"


def simulate(process: DrivenBranching, steps: int, *, seed: int | np.random.SeedSequence, warmup: int = 0) -> Activity:
    """The activity of a driven branching process over `steps` steps, after `warmup` steps that are left out.

    It begins at its mean, or with nothing where that is infinite. OverflowError where it runs away (more than 1e9
    units active), which m > 1 does.
    """
    if not isinstance(process, DrivenBranching):
        raise TypeError(f"branching.simulate: process must be a DrivenBranching, got {process!r}.")
    steps, warmup = whole("branching.simulate: steps", steps), whole("branching.simulate: warmup", warmup)
    words = seed_sequence(seed).generate_state(4, np.uint64).astype(np.uint64)
    state = np.array([round(process.mean) if np.isfinite(process.mean) else 0, process.offspring.sigma], np.float64)
    total = steps + warmup
    counts, means = np.empty(total, np.int64), np.empty(total)
    for first in range(0, total, PIECE):
        here = slice(first, first + PIECE)
        _advance(process, words, state, counts[here], means[here])
    return Activity(counts[warmup:], means[warmup:])


def _advance(process: DrivenBranching, words: NDArray, state: Array, counts: NDArray, means: Array) -> None:
    target = process.target
    rate = 0.0 if target is None else 1.0 / (target * process.tau)
    homeostasis = np.array([rate, target or 0.0, process.offspring.largest, MOST])
    _core.branching_driven(words, process.offspring.code, process.drive, homeostasis, state, counts, means)
    if state[0] > MOST:
        raise OverflowError(
            f"branching.simulate: more than {MOST:.0e} units are active, the process runs away at m = {state[1]:.3g}. "
            "Take sigma below 1, or a target for homeostasis."
        )


def subsampled(counts: ArrayLike, seen: float, *, seed: int | np.random.SeedSequence) -> NDArray[np.int64]:
    """Counts of which each unit is seen with probability `seen`, independently: binomial thinning."""
    share = check("branching.subsampled: seen", seen, _SHARE)
    given = finite("branching.subsampled", "counts", counts, low=0.0).astype(np.int64)
    return np.random.default_rng(seed_sequence(seed)).binomial(given, share)
