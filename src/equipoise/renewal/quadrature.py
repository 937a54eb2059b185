"""Transforms of the log-normal and the Weibull law by the trapezoid rule, which converges geometrically here.

Both integrands are analytic in a strip. Where P_L > 1/2 its complement is integrated and log P_L = log1p(P_L - 1), so
that s -> 0 loses nothing; elsewhere P_L is integrated around its saddle with the maximum taken out, so that s -> inf
does not underflow. The node count depends on an element's own parameters only, never on its neighbours.
"""

from functools import lru_cache

import numpy as np

from equipoise.quantities import Array

_BLOCK = 512  # elements integrated at once: bounds the memory


def _in_blocks(function, *arrays: Array) -> Array:
    out = np.empty(arrays[0].size)
    for start in range(0, out.size, _BLOCK):
        piece = slice(start, start + _BLOCK)
        out[piece] = function(*(a[piece] for a in arrays))
    return out


def _join(complement: Array, log_direct: Array) -> Array:
    """log P_L from whichever of the two is accurate."""
    return np.where(complement < 0.5, np.log1p(-np.minimum(complement, 0.5)), log_direct)


def log_lognormal_laplace(x: Array, width: Array) -> Array:
    """log E exp(-x e^{g Z - g^2/2}) for Z standard normal, g = `width`; relative error below 1e-13 for C_v <= 20."""
    return _in_blocks(_lognormal_block, x, width)


def _lognormal_block(x: Array, width: Array) -> Array:
    step, reach = 0.06, 9.0
    norm = step / np.sqrt(2 * np.pi)
    x_, g = x[:, None], width[:, None]
    z = np.arange(-reach, reach + 3.0, step)  # small x: the mass sits at z = g
    complement = -norm * np.sum(np.expm1(-x_ * np.exp(g * z - g**2 / 2)) * np.exp(-(z**2) / 2), axis=1)
    z = np.arange(-reach, reach, step) - (width * _lognormal_saddle(x, width))[:, None]
    exponent = -x_ * np.exp(g * z - g**2 / 2) - z**2 / 2
    top = exponent.max(axis=1)
    return _join(complement, top + np.log(norm * np.sum(np.exp(exponent - top[:, None]), axis=1)))


def _lognormal_saddle(x: Array, width: Array) -> Array:
    """lambda = x e^{-g^2/2 - g^2 lambda}, the mean spike hazard at the saddle z = -g lambda."""
    from scipy.special import lambertw

    u = lambertw(width**2 * x * np.exp(-(width**2) / 2)).real
    return x * np.exp(-(width**2) / 2 - u)


def weibull_exponent(cv: Array) -> Array:
    """h = 1/shape with Gamma(1 + 2h)/Gamma(1 + h)^2 = 1 + C_v^2, by Newton in log-log, where it is nearly a line."""
    from scipy.special import digamma

    goal = np.log1p(np.asarray(cv, dtype=np.float64) ** 2)
    positive = goal > 0
    target = np.where(positive, goal, 1.0)
    h = np.minimum(np.sqrt(6.0 * target) / np.pi, 1.0 + target)
    for _ in range(12):
        value = _log_moment_ratio(h)
        slope = np.where(h < 1e-4, np.pi**2 / 3 * h, 2 * (digamma(1 + 2 * h) - digamma(1 + h)))
        h = h * np.exp((np.log(target) - np.log(value)) * value / (h * slope))
    return np.where(positive, h, 0.0)


def _log_moment_ratio(h: Array) -> Array:
    """log Gamma(1 + 2h) - 2 log Gamma(1 + h) = sum_n zeta(n) (-h)^n (2^n - 2)/n; the series where it is small."""
    from scipy.special import gammaln, zeta

    small = np.minimum(h, 0.06)
    series = sum(zeta(n) * (-small) ** n * (2.0**n - 2.0) / n for n in range(2, 20))
    return np.where(h < 0.06, series, gammaln(1 + 2 * h) - 2 * gammaln(1 + h))


def log_weibull_laplace(x: Array, exponent: Array) -> Array:
    """log E exp(-x E^h/Gamma(1 + h)) for E standard exponential; relative error below 1e-12 for h <= 5."""
    out = np.empty(x.size)
    level = np.ceil(np.log2(np.maximum(exponent, 1.0))).astype(int)
    for k in np.unique(level):
        chosen = level == k
        out[chosen] = _in_blocks(lambda a, b, k=int(k): _weibull_block(a, b, k), x[chosen], exponent[chosen])
    return out


@lru_cache(maxsize=8)
def _stretched(level: int) -> tuple[Array, Array]:
    """Nodes v - e^{-v} and weights 1 + e^{-v}: the slow left tail e^y decays doubly exponentially in v."""
    step = 0.05 / 2**level
    v = np.arange(-3.9, 9.5, step)
    return v - np.exp(-v), step * (1.0 + np.exp(-v))


def _weibull_block(x: Array, h: Array, level: int) -> Array:
    from scipy.special import gamma

    nodes, weights = _stretched(level)
    c = x / gamma(1.0 + h)
    near = nodes < 5.5
    y, h_ = nodes[near], h[:, None]
    complement = -np.sum(weights[near] * np.exp(y - np.exp(y)) * np.expm1(-c[:, None] * np.exp(h_ * y)), axis=1)
    mode, spread = _weibull_saddle(c, h)
    y = mode[:, None] + spread[:, None] * nodes
    with np.errstate(over="ignore"):
        exponent = y - np.exp(y) - c[:, None] * np.exp(h_ * y)
    top = exponent.max(axis=1)
    direct = spread * np.sum(weights * np.exp(exponent - top[:, None]), axis=1)
    return _join(complement, top + np.log(direct))


def _weibull_saddle(c: Array, h: Array) -> tuple[Array, Array]:
    """Where y - e^y - c e^{h y} peaks, e^y + c h e^{h y} = 1, and its width; Newton on the log of the left side."""
    force = np.maximum(c * h, 1e-300)
    safe = np.maximum(h, 1e-300)
    y = np.minimum(0.0, -np.log(force) / safe)
    for _ in range(30):
        own, pull = np.exp(y), force * np.exp(h * y)
        y = y - np.log(own + pull) * (own + pull) / (own + h * pull)
    own = np.exp(y)
    return y, 1.0 / np.sqrt(own + h * (1.0 - own))
