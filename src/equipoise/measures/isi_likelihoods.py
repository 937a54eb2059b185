"""Maximum likelihood of interval laws, for many units at once.

A unit's n intervals and the open one at the end of the record, of which only its least length c is known, have the
log-likelihood

    sum_i log f(T_i) + log S(c),  S the survivor function,

which is exact for a renewal process seen from its first spike on. It needs sums over the intervals only. A law is
written by its mean m and its C_v.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

STEPS = 60
"""Of Newton's method, each at most a factor e in m and in C_v."""
WIDTH = 1e-4
"""Of the differences that stand for derivatives by log m and log C_v; their error is of its square."""


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What the likelihoods need of each unit's intervals T, each (units,): n, sums, extremes and the open one c [s]."""

    n: Array
    total: Array
    logs: Array
    log_squares: Array
    inverses: Array
    shortest: Array
    longest: Array
    open: Array


def sums_of(intervals: list[Array], still_open: Array) -> Sums:
    """Sums over each unit's intervals; logarithms are -inf and inverses inf where one is zero."""
    with np.errstate(divide="ignore"):
        rows = [
            (t.size, t.sum(), np.log(t).sum(), (np.log(t) ** 2).sum(), (1.0 / t).sum(),
             t.min(initial=np.inf), t.max(initial=0.0))
            for t in intervals
        ]  # fmt: skip
    columns = np.array(rows, np.float64).reshape(len(rows), 7).T
    names = ("n", "total", "logs", "log_squares", "inverses", "shortest", "longest")
    return Sums(**dict(zip(names, columns, strict=True)), open=still_open)


def gamma_density(x: Sums, m: Array, cv: Array) -> Array:
    """f = (k/m)^k T^(k-1) e^(-k T/m)/Gamma(k), k = 1/C_v^2."""
    from scipy.special import gammaln

    k = cv**-2.0
    return x.n * (k * np.log(k / m) - gammaln(k)) + (k - 1.0) * x.logs - k * x.total / m


def gamma_survivor(t: Array, m: Array, cv: Array) -> Array:
    """log Q(k, k t/m), the regularised upper incomplete gamma function; by 1 - P where that keeps more digits."""
    from scipy.special import gammainc, gammaincc

    k = cv**-2.0
    with np.errstate(divide="ignore"):
        return np.where(t < m, np.log1p(-gammainc(k, k * t / m)), np.log(gammaincc(k, k * t / m)))


def wald_density(x: Sums, m: Array, cv: Array) -> Array:
    """f = sqrt(l/(2 pi T^3)) exp(-l (T - m)^2/(2 m^2 T)), l = m/C_v^2."""
    scale = m / cv**2
    distance = x.total / m**2 - 2.0 * x.n / m + x.inverses
    return 0.5 * x.n * np.log(scale / (2.0 * np.pi)) - 1.5 * x.logs - 0.5 * scale * distance


def wald_survivor(t: Array, m: Array, cv: Array) -> Array:
    """log[Phi(-a (t/m - 1)) - e^(2/C_v^2) Phi(-a (t/m + 1))], a^2 = m/(C_v^2 t); Phi is the normal law."""
    from scipy.special import log_ndtr

    x = np.where(t > 0.0, t, 1e-300) / m
    a = 1.0 / (cv * np.sqrt(x))
    first, second = log_ndtr(-a * (x - 1.0)), 2.0 / cv**2 + log_ndtr(-a * (x + 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return first + np.log(-np.expm1(np.minimum(second - first, 0.0)))


def lognormal_density(x: Sums, m: Array, cv: Array) -> Array:
    """log T is normal with variance v = log(1 + C_v^2) and mean log m - v/2."""
    v = np.log1p(cv**2)
    centre = np.log(m) - 0.5 * v
    distance = x.log_squares - 2.0 * centre * x.logs + x.n * centre**2
    return -x.logs - 0.5 * x.n * np.log(2.0 * np.pi * v) - 0.5 * distance / v


def lognormal_survivor(t: Array, m: Array, cv: Array) -> Array:
    """log Phi(-(log t - log m + v/2)/sqrt(v)), v = log(1 + C_v^2)."""
    from scipy.special import log_ndtr

    v = np.log1p(cv**2)
    with np.errstate(divide="ignore"):
        return log_ndtr(-(np.log(t / m) + 0.5 * v) / np.sqrt(v))


def gamma_start(x: Sums) -> tuple[Array, Array]:
    """Mean, and C_v of the approximate maximum for the mean of log m - log T (Minka 2002)."""
    m = x.total / x.n
    s = np.maximum(np.log(m) - x.logs / x.n, 1e-12)
    k = (3.0 - s + np.sqrt((s - 3.0) ** 2 + 24.0 * s)) / (12.0 * s)
    return m, k**-0.5


def wald_start(x: Sums) -> tuple[Array, Array]:
    """The maximum without an open interval: m = <T>, C_v^2 = m <1/T> - 1."""
    m = x.total / x.n
    return m, np.sqrt(np.maximum(m * x.inverses / x.n - 1.0, 1e-24))


def lognormal_start(x: Sums) -> tuple[Array, Array]:
    """The maximum without an open interval."""
    centre = x.logs / x.n
    v = np.maximum(x.log_squares / x.n - centre**2, 1e-24)
    return np.exp(centre + 0.5 * v), np.sqrt(np.expm1(v))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Maximum of each unit: mean `m` [s], C_v, dead time `dead` [s], log-likelihood, errors of log m and log C_v."""

    m: Array
    cv: Array
    dead: Array
    log_likelihood: Array
    errors: Array
    converged: NDArray[np.bool_]


def fit(
    x: Sums,
    density: Callable[[Sums, Array, Array], Array],
    survivor: Callable[[Array, Array, Array], Array],
    start: Callable[[Sums], tuple[Array, Array]],
) -> Fit:
    """Newton's method in (log m, log C_v) from `start`; the errors are those of the curvature at the maximum."""
    place = np.log(np.array(start(x)))

    def likelihood(at: Array) -> Array:
        m, cv = np.exp(at)
        return density(x, m, cv) + survivor(x.open, m, cv)

    move = np.full(place.shape, np.inf)
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            slope, curvature = _derivatives(likelihood, place)
            move = _ascent(slope, curvature)
            place = place + np.where(np.isfinite(move), np.clip(move, -1.0, 1.0), 0.0)
            if not (np.abs(move) > 1e-9).any():
                break
        _, curvature = _derivatives(likelihood, place)
        errors = np.sqrt(np.array([-curvature[1, 1], -curvature[0, 0]]) / _determinant(curvature))
        value = likelihood(place)
    m, cv = np.exp(place)
    # Differences know the maximum to about 1e-9; steps of rounding stay well below 1e-6.
    converged = (np.abs(move) < 1e-6).all(axis=0) & np.isfinite(value) & np.isfinite(errors).all(axis=0)
    return Fit(m=m, cv=cv, dead=np.zeros(m.size), log_likelihood=value, errors=errors, converged=converged)


def _derivatives(f: Callable[[Array], Array], at: Array) -> tuple[Array, Array]:
    """Slope (2, units) and curvature (2, 2, units) by central differences."""
    a, b = WIDTH * np.array([[1.0], [0.0]]), WIDTH * np.array([[0.0], [1.0]])
    here, sides = f(at), [[f(at + step), f(at - step)] for step in (a, b)]
    slope = np.array([(up - down) / (2.0 * WIDTH) for up, down in sides])
    own = [(up - 2.0 * here + down) / WIDTH**2 for up, down in sides]
    cross = (f(at + a + b) - f(at + a - b) - f(at - a + b) + f(at - a - b)) / (4.0 * WIDTH**2)
    return slope, np.array([[own[0], cross], [cross, own[1]]])


def _determinant(curvature: Array) -> Array:
    return curvature[0, 0] * curvature[1, 1] - curvature[0, 1] * curvature[1, 0]


def _ascent(slope: Array, curvature: Array) -> Array:
    """Newton's step where the surface is a hill, else a step along the slope."""
    d = _determinant(curvature)
    hill = (d > 0.0) & (curvature[0, 0] < 0.0)
    newton = np.array([
        curvature[0, 1] * slope[1] - curvature[1, 1] * slope[0],
        curvature[1, 0] * slope[0] - curvature[0, 0] * slope[1],
    ]) / np.where(hill, d, 1.0)  # fmt: skip
    return np.where(hill, newton, 0.5 * np.sign(slope))


def exponential_fit(x: Sums) -> Fit:
    """m = (sum T + c)/n."""
    return _waiting(x, np.zeros(x.n.size))


def dead_time_fit(x: Sums) -> Fit:
    """The dead time is the shortest interval, beyond which T is exponential."""
    return _waiting(x, x.shortest)


def _waiting(x: Sums, dead: Array) -> Fit:
    """T = dead + an exponential time: the fit, with errors at the dead time given."""
    with np.errstate(all="ignore"):
        waited = x.total - x.n * dead + np.maximum(x.open - dead, 0.0)
        scale = waited / x.n
        m = dead + scale
        cv = scale / m
        errors = np.array([cv, 1.0 - cv]) / np.sqrt(x.n)
        value = -x.n * (np.log(scale) + 1.0)
    return Fit(m=m, cv=cv, dead=dead, log_likelihood=value, errors=errors, converged=np.isfinite(value))


def waiting_survivor(t: Array, m: Array, cv: Array) -> Array:
    """-(t - d)/(m C_v) beyond the dead time d = m (1 - C_v)."""
    return -np.maximum(t - m * (1.0 - cv), 0.0) / (m * cv)
