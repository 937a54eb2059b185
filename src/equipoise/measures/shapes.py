"""Shapes of aperiodic spectra, and their fit to many estimates at once by Whittle's likelihood.

With P = S chi-square/dof the log-likelihood is -dof/2 sum(log S + P/S) (Whittle 1953). A shape gives log S and its
derivatives by its parameters (spectra, parameters); the fit is Fisher scoring with Levenberg's damping.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.lines import median_line
from equipoise.quantities import Array

STEPS = 200
TOLERANCE = 1e-8
EXPONENTS = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0])
KNEES = 12
"""Places of the knee, evenly over log frequency, at which a fit may start."""

REFINED = 20
"""Reweightings of a bent start."""

LN10 = np.log(10.0)


class Shape(Protocol):
    """What a fit needs to know of a shape; `x` is log frequency (points,)."""

    names: ClassVar[tuple[str, ...]]

    def start(self, x: Array, y: Array) -> Array:
        """Parameters from log power, little moved by peaks."""
        ...

    def log(self, x: Array, parameters: Array) -> tuple[Array, Array]:
        """Log S (spectra, points) and its derivatives (spectra, points, parameters)."""
        ...

    def told(self, parameters: Array) -> tuple[Array, Array]:
        """What `names` say (spectra, names), and the derivatives (spectra, names, parameters); knees as log Hz."""
        ...


class Line:
    """log S = level + slope log f."""

    names: ClassVar[tuple[str, ...]] = ("exponent", "offset")

    def start(self, x: Array, y: Array) -> Array:
        """Least absolute deviations."""
        return np.stack(median_line(x, y), axis=1)

    def log(self, x: Array, parameters: Array) -> tuple[Array, Array]:
        """A straight line."""
        slope, level = parameters[:, :1], parameters[:, 1:]
        jacobian = np.broadcast_to(np.stack([x, np.ones_like(x)], axis=1), (len(parameters), x.size, 2))
        return level + slope * x, jacobian

    def told(self, parameters: Array) -> tuple[Array, Array]:
        """Exponent -slope and offset log10 S(1 Hz)."""
        gradient = np.array([[-1.0, 0.0], [0.0, 1.0 / LN10]])
        return parameters @ gradient.T, np.broadcast_to(gradient, (len(parameters), 2, 2))


class Bent:
    """log S = plateau - log(1 + (f/f_k)^b), parameters plateau, b and log f_k."""

    names: ClassVar[tuple[str, ...]] = ("exponent", "offset", "knee")

    def start(self, x: Array, y: Array) -> Array:
        """The least absolute deviations on a grid of exponents and knees, with the median as plateau."""
        best, out = np.full(len(y), np.inf), np.zeros((len(y), 3))
        for u in np.linspace(x[0], x[-1], KNEES):
            for b in EXPONENTS:
                rest = y + np.logaddexp(0.0, b * (x - u))
                plateau = np.median(rest, axis=1)
                cost = np.abs(rest - plateau[:, None]).sum(axis=1)
                better = cost < best
                best[better] = cost[better]
                out[better] = np.stack([plateau, np.full_like(plateau, b), np.full_like(plateau, u)], axis=1)[better]
        return _refined(self, x, y, out)

    def log(self, x: Array, parameters: Array) -> tuple[Array, Array]:
        """A plateau and a fall; d/db = -s (x - u), d/du = b s with s = 1/(1 + (f/f_k)^-b)."""
        plateau, b, u = (parameters[:, i, None] for i in range(3))
        z = b * (x - u)
        s = 0.5 * (1.0 + np.tanh(0.5 * z))
        return plateau - np.logaddexp(0.0, z), np.stack([np.ones_like(z), -s * (x - u), s * b], axis=2)

    def told(self, parameters: Array) -> tuple[Array, Array]:
        """Exponent b, offset (plateau + b log f_k)/log 10, and log f_k."""
        plateau, b, u = parameters.T
        zero, one = np.zeros_like(b), np.ones_like(b)
        rows = [[zero, one, zero], [one / LN10, u / LN10, b / LN10], [zero, zero, one]]
        return np.stack([b, (plateau + b * u) / LN10, u], axis=1), np.moveaxis(np.array(rows), 2, 0)


def _refined(shape: Shape, x: Array, y: Array, now: Array) -> Array:
    """Parameters of smaller absolute deviations, by reweighted squares from a start near them."""
    log, jacobian = shape.log(x, now)
    for _ in range(REFINED):
        off = y - log
        least = 1e-2 * np.abs(off).mean(axis=1, keepdims=True) + 1e-12
        seen = jacobian / np.maximum(np.abs(off), least)[:, :, None]
        gradient = np.matmul(seen.transpose(0, 2, 1), off[:, :, None])[:, :, 0]
        step = now + _step(gradient, np.matmul(seen.transpose(0, 2, 1), jacobian), np.full(len(now), 1e-3))
        new_log, new_jacobian = shape.log(x, step)
        better = np.abs(y - new_log).sum(axis=1) < np.abs(off).sum(axis=1)
        now, log = np.where(better[:, None], step, now), np.where(better[:, None], new_log, log)
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)
    return now


@dataclass(frozen=True)
class Curved:
    """log S = curvature x^2 + slope x + level, x = log f: a line that may bend either way.

    Its local exponent, -slope - 2 curvature x, grows by `bend` over `span`, the logarithm of the range.
    """

    span: float

    names: ClassVar[tuple[str, ...]] = ("bend",)

    def start(self, x: Array, y: Array) -> Array:
        """Least absolute deviations."""
        return _refined(self, x, y, np.pad(Line().start(x, y), ((0, 0), (1, 0))))

    def log(self, x: Array, parameters: Array) -> tuple[Array, Array]:
        """A parabola."""
        powers = np.stack([x * x, x, np.ones_like(x)], axis=1)
        return parameters @ powers.T, np.broadcast_to(powers, (len(parameters), x.size, 3))

    def told(self, parameters: Array) -> tuple[Array, Array]:
        """How much steeper the upper end is than the lower one."""
        gradient = np.array([[-2.0 * self.span, 0.0, 0.0]])
        return parameters @ gradient.T, np.broadcast_to(gradient, (len(parameters), 1, 3))


def fit(shape: Shape, x: Array, power: Array, kept: NDArray[np.bool_], start: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Parameters of greatest likelihood over the ordinates `kept`, and which spectra have converged."""
    weights, now = kept.astype(np.float64), start.copy()
    damping = np.full(len(power), 1e-3)
    cost, gradient, information = _terms(shape, x, power, weights, now)
    done = np.zeros(len(power), bool)
    for _ in range(STEPS):
        step = _step(gradient, information, damping)
        new_cost, new_gradient, new_information = _terms(shape, x, power, weights, now + step)
        better = (new_cost <= cost + 1e-12 * np.abs(cost)) & ~done
        done |= better & (np.abs(step).max(axis=1) < TOLERANCE)
        damping = np.where(better, np.maximum(damping * 0.1, 1e-12), np.minimum(damping * 10.0, 1e12))
        now, cost = np.where(better[:, None], now + step, now), np.where(better, new_cost, cost)
        gradient = np.where(better[:, None], new_gradient, gradient)
        information = np.where(better[:, None, None], new_information, information)
        if done.all():
            break
    return now, done


def information_of(shape: Shape, x: Array, kept: NDArray[np.bool_], parameters: Array) -> Array:
    """Sum of the outer products of the derivatives of log S (spectra, parameters, parameters)."""
    jacobian = shape.log(x, parameters)[1] * kept[:, :, None]
    return np.matmul(jacobian.transpose(0, 2, 1), jacobian)


def _terms(shape: Shape, x: Array, power: Array, weights: Array, parameters: Array) -> tuple[Array, Array, Array]:
    """Cost sum(log S + P/S), its downhill direction, and its expected curvature."""
    log, jacobian = shape.log(x, parameters)
    with np.errstate(over="ignore"):
        ratio = power * np.exp(-log)
        cost = (weights * (log + ratio)).sum(axis=1)
    seen = jacobian * weights[:, :, None]
    gradient = np.matmul(seen.transpose(0, 2, 1), (ratio - 1.0)[:, :, None])[:, :, 0]
    return np.where(np.isfinite(cost), cost, np.inf), gradient, np.matmul(seen.transpose(0, 2, 1), seen)


def _step(gradient: Array, information: Array, damping: Array) -> Array:
    """(I + damping diag I)^-1 g; where nothing is known of a parameter it does not move."""
    p = information.shape[1]
    diagonal = np.diagonal(information, axis1=1, axis2=2)
    more = damping[:, None] * diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
    return np.linalg.solve(information + more[:, :, None] * np.eye(p), gradient[:, :, None])[:, :, 0]
