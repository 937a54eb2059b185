"""How weights scale with the number of inputs: the exponent gamma of J ~ K^-gamma from pairs with errors in both.

A line through (log K, log J) by the likelihood of York, Evensen, Lopez Martinez & De Basabe Delgado 2004 (Am. J. Phys.
72:367), whose errors are those of the logarithms, independent of each other. Where points scatter more than their
errors say, errors are multiplied by sqrt(chi^2/(n - 2)); without errors scatter alone counts. Balanced networks have
gamma = 1/2 (van Vreeswijk & Sompolinsky 1996), cultures 0.59 (Barral & Reyes 2016, Nat. Neurosci. 19:1690), weights
that hold the total input gamma = 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.measures.bootstrap import Estimate, unknown
from equipoise.measures.estimates import level
from equipoise.quantities import Array, finite, together

ROUNDS, CLOSE = 200, 1e-13


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """`exponent` gamma and `weight` J at the geometric mean `degree` of K, `chi2` per degree of freedom of the line.

    `chi2` is NaN where no errors are given.
    """

    exponent: Estimate
    weight: Estimate
    degree: float
    chi2: float

    def __repr__(self) -> str:
        return f"Scaling(J = {self.weight.value:.4g} (K/{self.degree:.4g})^-gamma, gamma = {self.exponent})"


def weight_scaling(
    K: ArrayLike,
    J: ArrayLike,
    *,
    K_error: ArrayLike | None = None,
    J_error: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Scaling:
    """The exponent gamma of J ~ K^-gamma with its interval (Student's t with n - 2 degrees of freedom).

    `K` and `J` (n,) are positive, in any unit; `K_error` and `J_error` are their standard errors in the same unit, (n,)
    or one for all, at least 0. Fewer than four points, or K that are all equal, have status INSUFFICIENT_DATA.
    """
    k, j = (finite("measures.weight_scaling", n, v, low=0.0, open_low=True) for n, v in (("K", K), ("J", J)))
    errors = {"K_error": 0.0 if K_error is None else K_error, "J_error": 0.0 if J_error is None else J_error}
    dk, dj = (finite("measures.weight_scaling", name, value, low=0.0) for name, value in errors.items())
    k, j, dk, dj = together("measures.weight_scaling", K=np.atleast_1d(k), J=j, K_error=dk, J_error=dj)
    x, y, sx, sy = np.log(k), np.log(j), dk / k, dj / j
    degree = float(np.exp(x.mean()))
    if k.size < 4 or np.ptp(x) < 1e-9:
        return Scaling(exponent=unknown(k.size), weight=unknown(k.size), degree=degree, chi2=np.nan)
    known = bool(((sx > 0.0) | (sy > 0.0)).all())
    if not known:
        sx, sy = np.zeros_like(x), np.ones_like(y)
    return _scaling((x, y, sx, sy), degree, known, level(confidence))


def _scaling(data: tuple[Array, Array, Array, Array], degree: float, known: bool, z: float) -> Scaling:
    from scipy.special import ndtr, stdtrit

    x, _, _, _ = data
    slope, middle, errors, chi2 = _line(*data)
    n = x.size
    scale = np.sqrt(max(chi2, 1.0) if known else chi2)
    reach = float(stdtrit(n - 2, ndtr(z))) * scale
    weight = np.exp(middle + np.array([0.0, -1.0, 1.0]) * reach * errors[1])
    return Scaling(
        exponent=Estimate(value=-slope, low=-slope - reach * errors[0], high=-slope + reach * errors[0], n=n),
        weight=Estimate(value=float(weight[0]), low=float(weight[1]), high=float(weight[2]), n=n),
        degree=degree, chi2=chi2 if known else np.nan,
    )  # fmt: skip


def _line(x: Array, y: Array, sx: Array, sy: Array) -> tuple[float, float, tuple[float, float], float]:
    """Slope, height at the mean of x, their standard errors, and chi^2 per degree of freedom (York et al., Eqs. 13)."""
    slope = float(np.polyfit(x, y, 1)[0])
    for _ in range(ROUNDS):
        weight = 1.0 / (sy**2 + slope**2 * sx**2)
        u, v = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
        beta = weight * (u * sy**2 + slope * v * sx**2)
        old, slope = slope, float((weight * beta * v).sum() / (weight * beta * u).sum())
        if abs(slope - old) <= CLOSE * max(abs(slope), 1.0):
            break
    weight = 1.0 / (sy**2 + slope**2 * sx**2)
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    u, v = x - mean_x, y - mean_y
    beta = weight * (u * sy**2 + slope * v * sx**2)
    off = beta - np.average(beta, weights=weight)
    error = float((weight * off**2).sum() ** -0.5)
    at = float(x.mean())
    middle = float(mean_y + slope * (at - mean_x))
    middle_error = float(np.sqrt(1.0 / weight.sum() + (at - mean_x) ** 2 * error**2))
    return slope, middle, (error, middle_error), float((weight * (v - slope * u) ** 2).sum() / (x.size - 2))
