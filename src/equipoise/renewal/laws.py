"""Laws of the interspike interval T: a rate, a C_v, and P_L(s) = <exp(-s T)>.

Every law is a frozen dataclass whose parameters may be arrays that broadcast. `rate` is the mean rate 1/<T> [Hz] in all
of them. With x = s/r the transforms are

    exponential       1/(1 + x)
    dead time         exp(-s d)/(1 + s (1/r - d)),  C_v = 1 - r d
    gamma             (1 + x C_v^2)^(-1/C_v^2)
    inverse Gaussian  exp((1 - sqrt(1 + 2 x C_v^2))/C_v^2)
    log-normal        E exp(-x e^{g Z - g^2/2}),  g^2 = log(1 + C_v^2), Z standard normal
    Weibull           E exp(-x E^h/Gamma(1 + h)),  E standard exponential, h = 1/shape

the last two by quadrature (`renewal.quadrature`). C_v = 0 is the clock, P_L = e^{-x}, in each family that has it.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, finite, together
from equipoise.renewal import quadrature, statistics
from equipoise.renewal.dispatch import get, provides


class ISILaw:
    """Base of all laws of the interspike interval."""


def _checked(law: ISILaw, **low: tuple[float, bool]) -> None:
    """Check the named fields against (lower bound, open) and keep them as floats or float64 arrays."""
    for name, (bound, is_open) in low.items():
        array = finite(type(law).__name__, name, getattr(law, name), low=bound, open_low=is_open)
        object.__setattr__(law, name, float(array) if array.ndim == 0 else array)
    together(type(law).__name__, **{name: np.asarray(getattr(law, name)) for name in low})


@dataclass(frozen=True, kw_only=True)
class ExponentialISI(ISILaw):
    """Poisson spikes at `rate` [Hz], a number or an array. ValueError out of range."""

    rate: ArrayLike

    def __post_init__(self):
        _checked(self, rate=(0.0, True))


@dataclass(frozen=True, kw_only=True)
class DeadTimeISI(ISILaw):
    """Poisson spikes after an absolute dead time [s]; `rate` is the mean rate that results, so r dead_time < 1."""

    rate: ArrayLike
    dead_time: ArrayLike

    def __post_init__(self):
        _checked(self, rate=(0.0, True), dead_time=(0.0, False))
        load = np.max(np.multiply(self.rate, self.dead_time), initial=0.0)
        if not load < 1.0:
            raise ValueError(
                f"DeadTimeISI: rate * dead_time must be below 1, got {load:g}; `rate` is the mean rate with the dead "
                "time in it. Is dead_time in seconds?"
            )


@dataclass(frozen=True, kw_only=True)
class _RateAndCv(ISILaw):
    rate: ArrayLike
    cv: ArrayLike

    def __post_init__(self):
        _checked(self, rate=(0.0, True), cv=(0.0, False))


@dataclass(frozen=True, kw_only=True)
class GammaISI(_RateAndCv):
    """Gamma intervals of shape 1/C_v^2 at `rate` [Hz], C_v = `cv`; arrays broadcast. ValueError out of range."""


@dataclass(frozen=True, kw_only=True)
class InverseGaussianISI(_RateAndCv):
    """First-passage times of a Wiener process without lower bound, at `rate` [Hz], C_v = `cv`; arrays broadcast."""


@dataclass(frozen=True, kw_only=True)
class LogNormalISI(_RateAndCv):
    """Log-normal intervals at `rate` [Hz], C_v = `cv`; arrays broadcast. ValueError out of range."""


@dataclass(frozen=True, kw_only=True)
class WeibullISI(_RateAndCv):
    """Weibull intervals at `rate` [Hz]; C_v = `cv` up to 15 (shape 0.2). ValueError out of range."""

    def __post_init__(self):
        super().__post_init__()
        largest = np.max(self.cv, initial=0.0)
        if largest > 15.0:
            raise ValueError(f"WeibullISI: cv must be at most 15, got {largest:g}; try LogNormalISI.")


@dataclass(frozen=True, eq=False)
class EmpiricalISI(ISILaw):
    """The law that draws from a list of measured intervals (n,) [s] with equal weights."""

    intervals: Array

    def __post_init__(self):
        intervals = np.array(finite("EmpiricalISI", "intervals", self.intervals, low=0.0), ndmin=1)
        if intervals.ndim != 1 or intervals.size == 0 or not intervals.mean() > 0:
            raise ValueError(
                "EmpiricalISI: intervals must be a 1-D list of at least one positive interval in seconds, "
                f"got shape {intervals.shape}. Use np.diff(spike_times)."
            )
        intervals.setflags(write=False)
        object.__setattr__(self, "intervals", intervals)

    def __repr__(self) -> str:
        return f"EmpiricalISI({self.intervals.size} intervals, {1 / self.intervals.mean():.4g} Hz)"


@dataclass(frozen=True, eq=False)
class NeuronISI(ISILaw):
    """The interval law of a neuron under input `mu` [V/s], `sigma` [V/sqrt(s)], which may be arrays that broadcast."""

    neuron: IntegrateAndFire
    mu: ArrayLike
    sigma: ArrayLike

    def __post_init__(self):
        if not isinstance(self.neuron, IntegrateAndFire):
            raise TypeError(f"NeuronISI: neuron must be an integrate-and-fire neuron, got {self.neuron!r}.")
        _checked(self, mu=(-np.inf, False), sigma=(0.0, False))


def sample(law: ISILaw, n: int, rng: np.random.Generator) -> Array:
    """Draw n intervals [s] per element of the law, shape (*parameters, n); `rng` is a numpy Generator."""
    if not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"sample: n must be a whole number of at least 0, got {n!r}.")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"sample: rng must be a numpy Generator, got {rng!r}. Use np.random.default_rng(seed).")
    return get(law, "sample")(law, n, rng)


def _number(value: ArrayLike) -> Array:
    return np.asarray(value, dtype=np.float64)


def _mean(law) -> Array:
    return 1.0 / _number(law.rate)


def _own_rate(law) -> Array:
    return _full(law, law.rate)


def _own_log_rate(law) -> Array:
    return np.log(_full(law, law.rate))


def _own_cv(law) -> Array:
    return _full(law, law.cv)


def _full(law, value: ArrayLike) -> Array:
    """A parameter in the broadcast shape of all of them."""
    return np.broadcast_to(_number(value), np.broadcast_shapes(*(np.shape(getattr(law, f.name)) for f in fields(law))))


def _columns(*values: ArrayLike) -> tuple[Array, ...]:
    """Parameters broadcast together with an axis for samples."""
    return tuple(v[..., None] for v in np.broadcast_arrays(*values))


def _spread(law, name: str) -> Array:
    """C_v > 0, or an error: the clock has no density."""
    cv = _number(law.cv)
    if (cv < 1e-100).any():
        raise ValueError(
            f"{name}: {type(law).__name__} with cv={cv.min():g} is a clock and has no density; take cv > 1e-100."
        )
    return cv


def _clock_or(cv: Array, mean: Array, n: int, draw: Callable[[Array, Array], Array]) -> Array:
    """Samples of the law, or the mean itself where C_v = 0."""
    mean, cv = _columns(mean, cv)
    shape = (*cv.shape[:-1], n)
    return np.where(cv > 0, draw(np.where(cv > 0, cv, 1.0), np.broadcast_to(mean, shape)), mean)


# exponential and dead time


def _exponential_density(law, t):
    return law.rate * np.exp(-law.rate * t)


def _dead_time_laplace(law, s):
    return -s * law.dead_time - np.log1p(s * (_mean(law) - law.dead_time))


def _dead_time_density(law, t):
    scale = _mean(law) - law.dead_time
    late = np.maximum(t - law.dead_time, 0.0)
    return np.where(t >= law.dead_time, np.exp(-late / scale) / scale, 0.0)


def _dead_time_sample(law, n, rng):
    dead, mean = _columns(law.dead_time, _mean(law))
    return dead + (mean - dead) * rng.standard_exponential((*dead.shape[:-1], n))


# gamma


def _gamma_laplace(law, s):
    x, spread = s / _number(law.rate), _number(law.cv) ** 2
    y = x * spread
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(y > 1e-300, -np.log1p(y) / spread, -x)


def _gamma_gradient(law, s):
    """d log P_L by rate and by C_v: -[y/(1+y) - log(1+y)] (-2/C_v^3), y = s C_v^2/r."""
    rate, cv = _number(law.rate), _number(law.cv)
    y = s * cv**2 / rate
    by_rate = s / rate**2 / (1.0 + y)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(y > 1e-2, np.log1p(y) - y / (1.0 + y), _excess_series(y))
        return by_rate, np.where(cv > 0, 2.0 * excess / cv**3, 0.0)


def _excess_series(y: Array) -> Array:
    """log(1+y) - y/(1+y) = y^2/2 - 2 y^3/3 + 3 y^4/4 - ..., for small y."""
    n = np.arange(2.0, 10.0)
    terms = (-1.0) ** n * (n - 1) / n * np.minimum(y, 1e-2)[..., None] ** n
    return terms.sum(axis=-1)


def _gamma_density(law, t):
    """k^k r (r t)^(k-1) e^{-k r t}/Gamma(k), k = 1/C_v^2; for large k by Stirling's series, so that nothing cancels."""
    from scipy.special import gammaln, xlogy

    k, rate = 1.0 / _spread(law, "isi_density") ** 2, _number(law.rate)
    x = np.asarray(t) * rate
    late = np.where(x > 0.0, x, 1.0)
    few, many = np.minimum(k, 20.0), np.maximum(k, 20.0)
    direct = few * np.log(few) + xlogy(few - 1.0, x) - few * x - gammaln(few)
    c = 1.0 / many
    stirling = c / 12.0 - c**3 / 360.0 + c**5 / 1260.0 - c**7 / 1680.0
    log_x = np.where(late > 0.5, np.log1p(np.maximum(late, 0.5) - 1.0), np.log(late))
    large = many * (log_x - (late - 1.0)) - log_x + 0.5 * np.log(many / (2.0 * np.pi)) - stirling
    return rate * np.exp(np.where(k < 20.0, direct, np.where(x > 0.0, large, -np.inf)))


def _gamma_sample(law, n, rng):
    return _clock_or(law.cv, _mean(law), n, lambda c, m: rng.gamma(1 / c**2, c**2 * m))


# inverse Gaussian


def _wald_laplace(law, s):
    x = s / _number(law.rate)
    return -2.0 * x / (1.0 + np.sqrt(1.0 + 2.0 * x * _number(law.cv) ** 2))


def _wald_gradient(law, s):
    rate, cv = _number(law.rate), _number(law.cv)
    x = s / rate
    root = np.sqrt(1.0 + 2.0 * x * cv**2)
    return x / (rate * root), 4.0 * x**2 * cv / (root * (1.0 + root) ** 2)


def _wald_density(law, t):
    cv, mean = _spread(law, "isi_density"), _mean(law)
    t = np.asarray(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = -((t - mean) ** 2) / (2 * cv**2 * mean * t) - 1.5 * np.log(t / mean)
    return np.where(t > 0, np.exp(exponent) / (np.sqrt(2 * np.pi) * cv * mean), 0.0)


def _wald_sample(law, n, rng):
    return _clock_or(law.cv, _mean(law), n, lambda c, m: rng.wald(m, m / c**2))


# log-normal


def _lognormal_laplace(law, s):
    width = np.sqrt(np.log1p(_number(law.cv) ** 2))
    return statistics.elementwise(quadrature.log_lognormal_laplace, np.asarray(s / _number(law.rate)), width)


def _lognormal_density(law, t):
    cv, mean = _spread(law, "isi_density"), _mean(law)
    t, variance = np.asarray(t), np.log1p(cv**2)
    with np.errstate(divide="ignore"):
        log_t = np.log(t / mean)
    density = np.exp(-((log_t + variance / 2) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return np.where(t > 0, density / np.where(t > 0, t, 1.0), 0.0)


def _lognormal_sample(law, n, rng):
    def draw(cv, mean):
        variance = np.log1p(cv**2)
        return mean * np.exp(np.sqrt(variance) * rng.standard_normal(mean.shape) - variance / 2)

    return _clock_or(law.cv, _mean(law), n, draw)


# Weibull


def _weibull_laplace(law, s):
    exponent = quadrature.weibull_exponent(_number(law.cv))
    return statistics.elementwise(quadrature.log_weibull_laplace, np.asarray(s / _number(law.rate)), exponent)


def _weibull_density(law, t):
    from scipy.special import gamma, xlogy

    exponent = quadrature.weibull_exponent(_spread(law, "isi_density"))
    shape, scale = 1.0 / exponent, _mean(law) / gamma(1.0 + exponent)
    u = np.asarray(t) / scale
    return shape / scale * np.exp(xlogy(shape - 1, u) - u**shape)


def _weibull_sample(law, n, rng):
    def draw(cv, mean):
        from scipy.special import gamma

        exponent = quadrature.weibull_exponent(cv)
        return mean / gamma(1.0 + exponent) * rng.standard_exponential(mean.shape) ** exponent

    return _clock_or(law.cv, _mean(law), n, draw)


# intervals


def _empirical_laplace(law, s):
    def one(value):
        complement = -np.mean(np.expm1(-value * law.intervals))
        if complement < 0.5:
            return np.log1p(-complement)
        shift = value * law.intervals.min()
        return np.log(np.mean(np.exp(shift - value * law.intervals))) - shift

    s = np.asarray(s, dtype=np.float64)
    return np.array([one(v) for v in s.ravel()]).reshape(s.shape)


def _empirical_cv(law):
    return np.asarray(np.std(law.intervals) / np.mean(law.intervals))


provides(
    ExponentialISI,
    rate=_own_rate,
    log_rate=_own_log_rate,
    cv=lambda law: np.ones_like(_number(law.rate)),
    log_isi_laplace=lambda law, s: -np.log1p(s / _number(law.rate)),
    isi_density=_exponential_density,
    sample=lambda law, n, rng: _mean(law)[..., None] * rng.standard_exponential((*np.shape(law.rate), n)),
)
provides(
    DeadTimeISI,
    rate=_own_rate,
    log_rate=_own_log_rate,
    cv=lambda law: 1.0 - _number(law.rate) * law.dead_time,
    log_isi_laplace=_dead_time_laplace,
    isi_density=_dead_time_density,
    sample=_dead_time_sample,
)
provides(_RateAndCv, rate=_own_rate, log_rate=_own_log_rate, cv=_own_cv)
provides(
    GammaISI,
    log_isi_laplace=_gamma_laplace,
    log_isi_laplace_gradient=_gamma_gradient,
    isi_density=_gamma_density,
    sample=_gamma_sample,
)
provides(
    InverseGaussianISI,
    log_isi_laplace=_wald_laplace,
    log_isi_laplace_gradient=_wald_gradient,
    isi_density=_wald_density,
    sample=_wald_sample,
)
provides(LogNormalISI, log_isi_laplace=_lognormal_laplace, isi_density=_lognormal_density, sample=_lognormal_sample)
provides(WeibullISI, log_isi_laplace=_weibull_laplace, isi_density=_weibull_density, sample=_weibull_sample)
provides(
    EmpiricalISI,
    rate=lambda law: np.asarray(1.0 / np.mean(law.intervals)),
    log_rate=lambda law: -np.log(np.mean(law.intervals)),
    cv=_empirical_cv,
    log_isi_laplace=_empirical_laplace,
    sample=lambda law, n, rng: rng.choice(law.intervals, n),
)
provides(
    NeuronISI,
    rate=lambda law: statistics.rate(law.neuron, mu=law.mu, sigma=law.sigma),
    log_rate=lambda law: statistics.log_rate(law.neuron, mu=law.mu, sigma=law.sigma),
    cv=lambda law: statistics.cv(law.neuron, mu=law.mu, sigma=law.sigma),
    log_isi_laplace=lambda law, s: statistics.log_isi_laplace(law.neuron, s=s, mu=law.mu, sigma=law.sigma),
    isi_density=lambda law, t: statistics.isi_density(law.neuron, t=t, mu=law.mu, sigma=law.sigma),
)
