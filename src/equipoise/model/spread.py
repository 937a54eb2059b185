"""How the neurons of a population differ: parameters drawn for each of them, independently of each other.

Potentials are normal and times log-normal, with the neuron's value as the mean of the law and `Spread`'s as its
standard deviation. Both laws are cut at four standard deviations of the normal variate behind, within which every
neuron must be a possible one; that takes 0.05 % off the SD of a potential.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import ms

CUT = 4.0
"""Normal variates beyond this are not drawn."""
TIMES = ("tau_m", "tau_ref")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Standard deviations over the neurons of a population, 0 where all are alike.

    Thresholds (of the EIF: onsets), resets [V or thresholds], membrane time constants and refractory periods [s].
    """

    v_threshold: float = quantity("SD of spike thresholds", default=0.0, low=0.0)
    v_onset: float = quantity("SD of spike onset potentials", default=0.0, low=0.0)
    v_reset: float = quantity("SD of reset potentials", default=0.0, low=0.0)
    tau_m: float = quantity("SD of membrane time constants", default=0.0, unit="ms", low=0.0, high=1000 * ms)
    tau_ref: float = quantity("SD of refractory periods", default=0.0, unit="ms", low=0.0, high=100 * ms)

    def __post_init__(self):
        check_fields(self)

    @property
    def varying(self) -> tuple[str, ...]:
        """Names of the parameters that differ between neurons."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) > 0.0)


def can_vary(neuron: Any) -> tuple[str, ...]:
    """The parameters of a neuron that may differ; a cut-off behind an onset does not matter, so it is not one."""
    its = {f.name for f in fields(neuron)}
    own = [f.name for f in fields(Spread) if f.name in its]
    return tuple(name for name in own if not (name == "v_threshold" and "v_onset" in own))


def check_spread(place: str, neuron: Any, spread: object) -> None:
    """Raise TypeError or ValueError where a neuron has no such parameter, or some neurons would be impossible."""
    if not isinstance(spread, Spread):
        raise TypeError(f"{place} must be an eq.Spread(v_threshold=..., tau_m=...), got {spread!r}.")
    known, kind = can_vary(neuron), type(neuron).__name__
    for name in spread.varying:
        if name not in known:
            raise ValueError(f"{place}: {name} of {kind} neurons cannot vary. Those that can: {', '.join(known)}.")
        if name in TIMES and getattr(neuron, name) == 0.0:
            raise ValueError(f"{place}: {name} is 0, and times vary in proportion. Give the neuron a {name} above 0.")
    for signs in product((-CUT, CUT), repeat=len(spread.varying)):
        _check_corner(place, neuron, spread, signs)


def _check_corner(place: str, neuron: IntegrateAndFire, spread: Spread, z: tuple[float, ...]) -> None:
    values = {name: float(at(neuron, spread, name, np.array(k))) for name, k in zip(spread.varying, z, strict=True)}
    try:
        replace(neuron, **values)
    except ValueError as error:
        raise ValueError(
            f"{place}: neurons {CUT:g} SDs from the mean must be possible. {error} Take smaller SDs."
        ) from None


def at(neuron: IntegrateAndFire, spread: Spread, name: str, z: Array) -> Array:
    """A parameter of neurons at normal variates z (...): m + sd z, of times exp(log m - s^2/2 + s z).

    With s^2 = log(1 + sd^2/m^2), which gives a time the mean m and the standard deviation sd.
    """
    mean, sd = float(getattr(neuron, name)), float(getattr(spread, name))
    if name not in TIMES:
        return mean + sd * z
    s2 = math.log1p((sd / mean) ** 2)
    return mean * np.exp(math.sqrt(s2) * z - 0.5 * s2)


def drawn(neuron: IntegrateAndFire, spread: Spread, name: str, u: Array) -> Array:
    """A parameter of neurons at uniform numbers u in (0, 1), by inversion of the law that is cut."""
    from scipy.special import ndtr, ndtri

    tail = ndtr(-CUT)
    return at(neuron, spread, name, ndtri(tail + (1.0 - 2.0 * tail) * u))


def neurons_at(neuron: IntegrateAndFire, spread: Spread, z: Array) -> Iterator[IntegrateAndFire]:
    """Neurons at normal variates z (n, number of varying parameters)."""
    columns = [at(neuron, spread, name, column) for name, column in zip(spread.varying, z.T, strict=True)]
    for values in zip(*columns, strict=True):
        yield replace(neuron, **dict(zip(spread.varying, map(float, values), strict=True)))


def nodes(spread: Spread, n: int) -> tuple[Array, Array]:
    """Normal variates (n^k, k) and weights (n^k,) of the average over neurons with k varying parameters.

    Gauss-Legendre rules on the interval that is not cut off, which converge geometrically for smooth functions.
    """
    x, w = np.polynomial.legendre.leggauss(n)
    z = CUT * x
    w = w * np.exp(-0.5 * z * z)
    k = len(spread.varying)
    grid = np.stack(np.meshgrid(*[z] * k, indexing="ij"), axis=-1).reshape(-1, k)
    return grid, reduce(np.multiply.outer, [w / w.sum()] * k).ravel()
