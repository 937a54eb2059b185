"""What the two calcium moments encode: rate in the mean, rate *and* irregularity in the second moment (Theorem 2).

A family is a callable of keywords `rate` and `cv` that returns a law, such as `GammaISI`. Along a family in which z_1
and z_2 rise with C_v the mean falls, and the second moment rises if and only if

    gain = 2 p z_1'/(1 - p^2 z_1^2)   >   loss = (1 - p^2) z_2'/((1 - z_2)(1 - p^2 z_2))         (Eq. 38, differential)

which depends on the rate: with buffering alpha it holds up to about alpha r tau = 0.45.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.model.calcium import Calcium
from equipoise.quantities import Array, finite
from equipoise.renewal import statistics
from equipoise.renewal.calcium import CalciumMoments, calcium_moments, complements, four_point, log_slopes
from equipoise.renewal.dispatch import find
from equipoise.renewal.laws import GammaISI

Family = Callable[..., object]


class BalancedBuffering(NamedTuple):
    """The two sides of Eq. 38 per unit of C_v; the second moment rises with C_v where gain exceeds loss."""

    gain: Array
    loss: Array

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Whether the second moment rises with C_v at fixed rate."""
        return self.gain > self.loss


class Pair(NamedTuple):
    """Log-sensitivities d log/d log rate and d log/d log C_v."""

    rate: Array
    cv: Array


class CalciumSensitivities(NamedTuple):
    """Log-sensitivities of mean, second moment and variance of calcium to rate and C_v."""

    mean: Pair
    second_moment: Pair
    variance: Pair

    @property
    def condition_number(self) -> Array:
        """2-norm condition number of (log rate, log C_v) -> (log mean, log second moment)."""
        matrix = np.stack([np.stack(self.mean, axis=-1), np.stack(self.second_moment, axis=-1)], axis=-2)
        return np.linalg.cond(matrix)


def balanced_buffering(
    sensor: Calcium, family: Family = GammaISI, *, rate: ArrayLike, cv: ArrayLike
) -> BalancedBuffering:
    """Both sides of the balanced-buffering condition (Theorem 2, Eq. 38) at rate [Hz] and C_v > 0, which broadcast."""
    rate, cv = _point("balanced_buffering", rate, cv)
    (q1, q2), (slope1, slope2) = _transforms(sensor, family, rate, cv)
    lost1, lost2 = complements(sensor, q1, q2)
    a, p = sensor.buffering, sensor.retention
    law = family(rate=rate, cv=cv)  # z itself, not 1 - q: at low rates it is far below one rounding of q
    d1, d2 = (
        statistics.isi_laplace(law, s=k / sensor.tau) * slope.cv
        for k, slope in zip((1, 2), (slope1, slope2), strict=True)
    )
    return BalancedBuffering(2.0 * p * d1 / (lost1 * (2.0 - lost1)), a * (2.0 - a) * d2 / (q2 * lost2))


def calcium_sensitivities(
    sensor: Calcium, family: Family = GammaISI, *, rate: ArrayLike, cv: ArrayLike
) -> CalciumSensitivities:
    """d log <C>, d log <C^2> and d log Var C by log rate and log C_v, at rate [Hz] and C_v > 0, which broadcast."""
    rate, cv = _point("calcium_sensitivities", rate, cv)
    (q1, q2), (slope1, slope2) = _transforms(sensor, family, rate, cv)
    by_rate = [1.0 + d for d in log_slopes(sensor, q1, q2, slope1.rate * rate, slope2.rate * rate)]
    by_cv = log_slopes(sensor, q1, q2, slope1.cv * cv, slope2.cv * cv)
    mean, second = Pair(by_rate[0], by_cv[0]), Pair(by_rate[1], by_cv[1])
    return CalciumSensitivities(
        mean, second, _of_variance(calcium_moments(sensor, family(rate=rate, cv=cv)), mean, second)
    )


def _of_variance(moments: CalciumMoments, mean: Pair, second: Pair) -> Pair:
    first, total = moments.mean**2, moments.second_moment
    return Pair(*((total * n - 2.0 * first * m) / moments.variance for m, n in zip(mean, second, strict=True)))


def divergent_rate_limit(sensor: Calcium, family: Family = GammaISI, *, cv: tuple[float, float] = (0.2, 1.5)) -> float:
    """The rate [Hz] up to which the second moment rises with C_v everywhere in the range `cv`.

    0 where it fails already at 0.01 Hz, infinity where it holds up to 10 kHz (no buffering). The C_v range is
    sampled at 41 points.
    """
    low, high = cv
    if not 0.0 < low < high:
        raise ValueError(f"divergent_rate_limit: cv must be a range (low, high) with 0 < low < high, got {cv!r}.")
    spread = np.linspace(low, high, 41)

    def holds(rate: Array) -> NDArray[np.bool_]:
        return np.all(balanced_buffering(sensor, family, rate=rate[:, None], cv=spread).holds, axis=-1)

    grid = np.geomspace(0.01, 1e4, 61)
    ok = holds(grid)
    if ok.all():
        return np.inf
    first = int(np.argmin(ok))
    if first == 0:
        return 0.0
    below, above = grid[first - 1], grid[first]
    while above - below > 1e-9 * above:
        middle = 0.5 * (below + above)
        below, above = (middle, above) if holds(np.array([middle]))[0] else (below, middle)
    return float(0.5 * (below + above))


def critical_retention(sensor: Calcium, family: Family = GammaISI, *, rate: ArrayLike, cv: ArrayLike) -> Array:
    """The retention p = 1 - alpha below which the second moment falls with C_v, at rate [Hz] and C_v, which broadcast.

    The sensor gives tau; its own buffering is not used. At p = 1 the second moment always rises.
    """
    rate, cv = _point("critical_retention", rate, cv)

    def one(r: float, c: float) -> float:
        below, above = 0.0, 1.0
        while above - below > 1e-12:
            middle = 0.5 * (below + above)
            rises = balanced_buffering(replace(sensor, buffering=1.0 - middle), family, rate=r, cv=c).holds
            below, above = (below, middle) if rises else (middle, above)
        return above

    return np.vectorize(one, otypes=[float])(rate, cv)[()]


def _point(function: str, rate: ArrayLike, cv: ArrayLike) -> tuple[Array, Array]:
    checked = finite(function, "rate", rate, low=0.0, open_low=True), finite(function, "cv", cv, low=0.0, open_low=True)
    rate, cv = np.broadcast_arrays(*checked)
    return rate, cv


def _transforms(sensor: Calcium, family: Family, rate: Array, cv: Array):
    """(1 - z_1, 1 - z_2) and the slopes of log z_1, log z_2 by rate and C_v."""
    law = family(rate=rate, cv=cv)
    q = [statistics.isi_laplace_complement(law, s=k / sensor.tau) for k in (1, 2)]
    return q, [_slopes(family, law, k / sensor.tau, rate, cv) for k in (1, 2)]


def _slopes(family: Family, law: object, s: float, rate: Array, cv: Array) -> Pair:
    closed = find(law, "log_isi_laplace_gradient")
    if closed is not None and not hasattr(law, "neuron"):
        return Pair(*closed(law, s))
    value = statistics.log_isi_laplace
    h_rate, h_cv = 2e-3 * rate, 2e-3 * cv
    by_rate = four_point(lambda n: value(family(rate=rate + n * h_rate, cv=cv), s=s), h_rate)
    return Pair(by_rate, four_point(lambda n: value(family(rate=rate, cv=cv + n * h_cv), s=s), h_cv))
