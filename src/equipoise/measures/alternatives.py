"""Other laws beside a power law, by likelihood: exponential, stretched exponential, log-normal, truncated power law.

Each is fitted on the same [x_min, x_max] to the same values. For whole values the exponential and the truncated power
law are sums over whole numbers; the stretched exponential and the log-normal are the continuous laws rounded to the
nearest whole number, P(k) = F(k + 1/2) - F(k - 1/2). With y = log(x/x_min) all four are written such that a power law
is an ordinary limit of theirs, which keeps the search from running off to infinite parameters.
Source: Clauset, Shalizi & Newman 2009, SIAM Rev. 51:661, Sec. 5 and Appendix C; Vuong 1989, Econometrica 57:307.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.measures.power_laws import PowerLawFit, Sample, as_sample, check_fit, weights_of
from equipoise.quantities import Array

if TYPE_CHECKING:
    import xarray as xr

NODES = 24
PANELS = 16
SUMMED = 1000
"""Terms of a sum that are added one by one before the Euler-Maclaurin formula takes the rest."""


@dataclass(frozen=True, eq=False)
class Span:
    """Where a law lives: [low, high], whole numbers or not."""

    low: float
    high: float
    continuous: bool

    @property
    def ends(self) -> tuple[float, float]:
        """What the law is normalised on."""
        return (self.low, self.high) if self.continuous else (self.low - 0.5, self.high + 0.5)


Law = Callable[[Array, tuple[float, ...], Span], Array]
"""x, parameters -> log probability or density of x."""


def exponential(x: Array, parameters: tuple[float, ...], span: Span) -> Array:
    """P(x) ~ e^(-r (x - low)), parameter log(r low)."""
    rate = np.exp(parameters[0]) / span.low
    norm = np.log(rate) if span.continuous else np.log(-np.expm1(-rate))
    width = span.high - span.low + (0.0 if span.continuous else 1.0)
    return norm - rate * (x - span.low) - np.log(-np.expm1(-rate * width))


def stretched_exponential(x: Array, parameters: tuple[float, ...], span: Span) -> Array:
    """P(X >= x) ~ exp(-(c/b) ((x/low)^b - 1)), parameters log c, log b; a power law of exponent 1 + c as b -> 0."""
    c, b = np.exp(parameters)

    def decay(at) -> Array:
        return c / b * np.expm1(b * np.log(np.asarray(at) / span.low))

    first, last = (decay(end) for end in span.ends)
    norm = -first + np.log(-np.expm1(first - last))
    if span.continuous:
        return np.log(c / x) + b * np.log(x / span.low) - decay(x) - norm
    below, above = (decay(x + shift) for shift in (-0.5, 0.5))
    return -below + np.log(-np.expm1(below - above)) - norm


def log_normal(x: Array, parameters: tuple[float, ...], span: Span) -> Array:
    """Log density -a y - k y^2 in y = log(x/low), parameters a, log k: sigma^2 = 1/(2k), mu = log low + (1-a) sigma^2.

    A power law of exponent a as k -> 0.
    """
    mean, sigma = _mean_and_sd(parameters)

    def standard(at) -> Array:
        return (np.log(np.asarray(at) / span.low) - mean) / sigma

    norm = _log_between(*(standard(end) for end in span.ends))
    if span.continuous:
        return -0.5 * standard(x) ** 2 - np.log(sigma * x) - 0.5 * np.log(2.0 * np.pi) - norm
    return _log_between(*(standard(x + shift) for shift in (-0.5, 0.5))) - norm


def truncated_power_law(x: Array, parameters: tuple[float, ...], span: Span) -> Array:
    """P(x) ~ (x/low)^-a e^(-r x), parameters a, log(r low)."""
    a, rate = parameters[0], np.exp(parameters[1]) / span.low

    def log_weight(at: Array) -> Array:
        return -a * np.log(at / span.low) - rate * (at - span.low)

    return log_weight(x) - np.log(_total(log_weight, lambda at: -a / at - rate, span, rate))


def _mean_and_sd(parameters: tuple[float, ...]) -> tuple[float, float]:
    variance = 0.5 / np.exp(parameters[1])
    return (1.0 - parameters[0]) * variance, float(np.sqrt(variance))


def _log_between(z1: Array, z2: Array) -> Array:
    """log(Phi(z2) - Phi(z1)) for z1 < z2, taken in the nearer tail."""
    from scipy.special import log_ndtr

    flip = z1 + z2 > 0.0
    upper, lower = np.where(flip, -z1, z2), np.where(flip, -z2, z1)
    top = log_ndtr(upper)
    return top + np.log(-np.expm1(log_ndtr(lower) - top))


def _total(log_weight: Callable[[Array], Array], slope: Callable[[float], float], span: Span, rate: float) -> float:
    """Sum or integral of the weight over the span."""
    if span.continuous:
        return _integral(log_weight, span.low, span.high, rate)
    last = min(span.high, span.low + SUMMED - 1.0)
    total = float(np.exp(log_weight(np.arange(span.low, last + 1.0))).sum())
    if last == span.high:
        return total
    start = last + 1.0
    first = float(np.exp(log_weight(np.array([start])))[0])
    total += _integral(log_weight, start, span.high, rate) + first * (0.5 - slope(start) / 12.0)
    if np.isfinite(span.high):
        end = float(np.exp(log_weight(np.array([span.high])))[0])
        total += end * (0.5 + slope(span.high) / 12.0)
    return total


def _integral(log_weight: Callable[[Array], Array], low: float, high: float, rate: float) -> float:
    """Integral from low to high in the variable log x, as far as e^(-rate x) lasts, by Gauss-Legendre on panels."""
    end = np.log(min(high, low + 745.0 / rate, low * 1e30) / low)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(0.0, end, PANELS + 1)
    half = 0.5 * (edges[1] - edges[0])
    x = low * np.exp((0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes).ravel())
    return float((np.exp(log_weight(x)) * x) @ np.tile(weights, PANELS) * half)


LAWS: dict[str, tuple[Law, Callable[[float, float], list[tuple[float, ...]]]]] = {
    "exponential": (exponential, lambda _, mean: [(-np.log(mean),)]),
    "stretched_exponential": (
        stretched_exponential,
        lambda a, _: [(np.log(max(a - 1.0, 0.1)), np.log(b)) for b in (1e-3, 0.3)],
    ),
    "log_normal": (log_normal, lambda a, _: [(a, np.log(k)) for k in (1e-3, 0.3)]),
    "truncated_power_law": (truncated_power_law, lambda a, mean: [(a, -np.log(mean) - s) for s in (2.0, 7.0)]),
}
"""Each law with starts of its search, from the exponent of the power law and the mean of x/low - 1."""


def likelihood_ratios(values: ArrayLike, fit: PowerLawFit) -> "xr.Dataset":
    """How much likelier a power law makes the values in its range than other laws do, over `alternative`.

    `ratio` is the log-likelihood ratio R = log L(power law) - log L(alternative), above 0 where the power law is the
    likelier; `normalized` is R/(sd sqrt(n)), and `p` how often chance alone makes it as large: Vuong's two-sided test,
    and for the truncated power law, which contains the power law, the chi^2 test of 2|R| with one degree of freedom.
    That is careful, since the rate of the cut-off cannot be negative. A p above 0.1 means undecided. `first` and
    `second` are the parameters: rate; c and b of exp(-(c/b) ((x/x_min)^b - 1)); mu and sigma; exponent and rate. Where
    the fit has no exponent all is NaN with its status.
    """
    import xarray as xr

    check_fit("measures.likelihood_ratios", fit)
    rows = {name: [np.nan] * len(LAWS) for name in ("ratio", "normalized", "p", "first", "second")}
    if np.isfinite(fit.value):
        sample = as_sample("measures.likelihood_ratios", values, fit.x_min, fit.x_max, fit.continuous)
        found = [_against(sample, fit, name) for name in LAWS]
        rows = dict(zip(rows, np.transpose(found).tolist(), strict=True))
    variables = {name: ("alternative", row) for name, row in rows.items()}
    return xr.Dataset(variables, coords={"alternative": list(LAWS)}, attrs={"n": fit.n, "status": fit.status.name})


def _against(sample: Sample, fit: PowerLawFit, name: str) -> tuple[float, ...]:
    law, starts = LAWS[name]
    span = Span(fit.x_min, fit.x_max, fit.continuous)
    mean = float(sample.counts @ (sample.x / fit.x_min - 1.0) / sample.n)
    parameters = _most_likely(law, sample, span, starts(fit.value, max(mean, 1e-9)))
    own = -fit.value * np.log(sample.x / fit.x_min) - np.log(weights_of(fit, np.array([fit.x_min]))[0])
    difference = own - law(sample.x, parameters, span)
    ratio = float(sample.counts @ difference)
    spread = float(np.sqrt(sample.counts @ (difference - ratio / sample.n) ** 2))
    normalized = ratio / spread if spread > 0.0 else 0.0
    return ratio, normalized, _chance(name, ratio, normalized), *_natural(name, parameters, span)


def _most_likely(law: Law, sample: Sample, span: Span, starts: list[tuple[float, ...]]) -> tuple[float, ...]:
    from scipy.optimize import minimize

    def loss(parameters: Array) -> float:
        with np.errstate(all="ignore"):  # parameters that make no law are refused below
            total = -float(sample.counts @ law(sample.x, tuple(parameters), span))
        return total if np.isfinite(total) else 1e300

    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000}
    found = [minimize(loss, start, method="Nelder-Mead", options=options) for start in starts]
    return tuple(min(found, key=lambda result: result.fun).x)


def _chance(name: str, ratio: float, normalized: float) -> float:
    from scipy.special import erfc

    nested = name == "truncated_power_law"
    return float(erfc(np.sqrt(max(abs(ratio), 0.0))) if nested else erfc(abs(normalized) / np.sqrt(2.0)))


def _natural(name: str, parameters: tuple[float, ...], span: Span) -> tuple[float, float]:
    """The parameters as they are reported."""
    if name == "exponential":
        return float(np.exp(parameters[0]) / span.low), np.nan
    if name == "stretched_exponential":
        return float(np.exp(parameters[0])), float(np.exp(parameters[1]))
    if name == "log_normal":
        mean, sigma = _mean_and_sd(parameters)
        return float(np.log(span.low) + mean), sigma
    return float(parameters[0]), float(np.exp(parameters[1]) / span.low)
