"""How many units one active unit activates: laws of mean sigma, the branching ratio.

A law gives its generating function f by what is left of it, g(x) = 1 - f(1 - x), which keeps its digits where
extinction is almost certain. The offspring of n units together are Poisson, negative binomial or binomial: one draw a
generation.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.quantities import Array, Quantity, check, whole

_SIGMA = Quantity("branching ratio, mean number of offspring", low=0.0, high=100.0, symbol="sigma")


@dataclass(frozen=True)
class Offspring:
    """The law of the number of offspring of one unit, of mean `sigma`; use one of its kinds."""

    sigma: float
    most: ClassVar[float] = 100.0
    """The largest possible sigma."""

    def __post_init__(self):
        object.__setattr__(self, "sigma", check(f"{type(self).__name__}.sigma", self.sigma, _SIGMA))
        if self.sigma > self.largest:
            raise ValueError(
                f"{type(self).__name__}.sigma must be at most {self.largest:g}, the most offspring that this law "
                f"gives, got {self.sigma:g}."
            )

    @property
    def largest(self) -> float:
        """The largest sigma that this law allows."""
        return self.most

    @property
    def variance(self) -> float:
        """Variance of the number of offspring of one unit."""
        raise NotImplementedError

    @property
    def code(self) -> Array:
        """The law as the core takes it: kind, trials, offspring at each success (3,)."""
        raise NotImplementedError

    def survives(self, x: float) -> float:
        """g(x) = 1 - f(1 - x): probability that some offspring has a line that lasts, where one lasts with x."""
        raise NotImplementedError

    def slope(self, x: float) -> float:
        """g'(x) = f'(1 - x)."""
        raise NotImplementedError

    def log_total(self, n: NDArray, k: NDArray) -> Array:
        """Log probability that n units together have k offspring; whole numbers of one shape."""
        raise NotImplementedError


@dataclass(frozen=True)
class PoissonOffspring(Offspring):
    """P(k) = e^-sigma sigma^k/k!, as from many weak synapses."""

    @property
    def variance(self) -> float:
        """sigma."""
        return self.sigma

    @property
    def code(self) -> Array:
        """Kind 0."""
        return np.array([0.0, 1.0, 1.0])

    def survives(self, x: float) -> float:
        """1 - e^(-sigma x)."""
        return -float(np.expm1(-self.sigma * x))

    def slope(self, x: float) -> float:
        """Sigma e^(-sigma x)."""
        return self.sigma * float(np.exp(-self.sigma * x))

    def log_total(self, n: NDArray, k: NDArray) -> Array:
        """Poisson of mean sigma n."""
        out = np.empty(k.size)
        _core.log_poisson(k.astype(np.float64), self.sigma * n, out)
        return out


@dataclass(frozen=True)
class GeometricOffspring(Offspring):
    """P(k) = p (1 - p)^k with p = 1/(1 + sigma), the law whose generations can be written down."""

    @property
    def variance(self) -> float:
        """Sigma (1 + sigma)."""
        return self.sigma * (1.0 + self.sigma)

    @property
    def code(self) -> Array:
        """Kind 1."""
        return np.array([1.0, 1.0, 1.0])

    def survives(self, x: float) -> float:
        """Sigma x/(1 + sigma x)."""
        return self.sigma * x / (1.0 + self.sigma * x)

    def slope(self, x: float) -> float:
        """sigma/(1 + sigma x)^2."""
        return self.sigma / (1.0 + self.sigma * x) ** 2

    def log_total(self, n: NDArray, k: NDArray) -> Array:
        """Negative binomial, n/(n + k) times the binomial probability of n in n + k."""
        out, both = np.empty(k.size), (n + k).astype(np.float64)
        _core.log_binomial(n.astype(np.float64), both, np.full(k.size, 1.0 / (1.0 + self.sigma)), out)
        return out + np.log(n / both)


@dataclass(frozen=True)
class BinomialOffspring(Offspring):
    """P(k) = C(trials, k) p^k (1 - p)^(trials - k) with p = sigma/trials, as from so many synapses."""

    trials: int = 10

    def __post_init__(self):
        object.__setattr__(self, "trials", whole("BinomialOffspring.trials", self.trials, low=1, high=1000))
        super().__post_init__()

    @property
    def largest(self) -> float:
        """The number of trials."""
        return float(self.trials)

    @property
    def p(self) -> float:
        """Chance of one trial."""
        return self.sigma / self.trials

    @property
    def variance(self) -> float:
        """Sigma (1 - p)."""
        return self.sigma * (1.0 - self.p)

    @property
    def code(self) -> Array:
        """Kind 2."""
        return np.array([2.0, self.trials, 1.0])

    def survives(self, x: float) -> float:
        """1 - (1 - p x)^trials."""
        return 1.0 if self.p * x == 1.0 else -float(np.expm1(self.trials * np.log1p(-self.p * x)))

    def slope(self, x: float) -> float:
        """Sigma (1 - p x)^(trials - 1)."""
        return self.sigma * (1.0 - self.p * x) ** (self.trials - 1)

    def log_total(self, n: NDArray, k: NDArray) -> Array:
        """Binomial of n trials units."""
        return _log_binomial(k, n * self.trials, self.p)


@dataclass(frozen=True)
class BinaryOffspring(Offspring):
    """None or two, two with probability sigma/2: a unit that dies or divides."""

    most: ClassVar[float] = 2.0

    @property
    def variance(self) -> float:
        """Sigma (2 - sigma)."""
        return self.sigma * (2.0 - self.sigma)

    @property
    def code(self) -> Array:
        """Kind 2, one trial with two offspring."""
        return np.array([2.0, 1.0, 2.0])

    def survives(self, x: float) -> float:
        """Sigma x (1 - x/2)."""
        return self.sigma * x * (1.0 - 0.5 * x)

    def slope(self, x: float) -> float:
        """Sigma (1 - x)."""
        return self.sigma * (1.0 - x)

    def log_total(self, n: NDArray, k: NDArray) -> Array:
        """Binomial of k/2 in n; -inf for odd k."""
        return np.where(k % 2 == 0, _log_binomial(k // 2, n, 0.5 * self.sigma), -np.inf)


def _log_binomial(k: NDArray, n: NDArray, p: float) -> Array:
    """-inf beyond n."""
    out, inside = np.empty(k.size), np.minimum(k, n).astype(np.float64)
    _core.log_binomial(inside, n.astype(np.float64), np.full(k.size, p), out)
    return np.where(k <= n, out, -np.inf)


def check_offspring(function: str, given: object) -> Offspring:
    """The law given; TypeError for anything else."""
    if not isinstance(given, Offspring) or type(given) is Offspring:
        raise TypeError(f"{function}: offspring must be a law such as PoissonOffspring(0.9), got {given!r}.")
    return given
