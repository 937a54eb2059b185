"""Exact statistics of one cell: the verbs, on any neuron under white-noise input and on any ISI law.

Every verb takes a neuron with `mu` [V/s] and `sigma` [V/sqrt(s)] (Eq. 1), which broadcast, or a law alone.
Transforms are returned at real s >= 0 [1/s]; `isi_laplace_complement` is 1 - P_L without cancellation,
`log_isi_laplace` does not underflow.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, finite, together
from equipoise.renewal.dispatch import get


def rate(source: object, *, mu: ArrayLike | None = None, sigma: ArrayLike | None = None) -> Array:
    """Firing rate r [Hz] (Eqs. 41 and 46; threshold integration for other neurons).

    `source` is a neuron, with `mu` [V/s] and `sigma` >= 0 [V/sqrt(s)] that broadcast, or a law alone; the result has
    their shape. This holds for every verb here. Raises TypeError or ValueError for other arguments and
    NumericalFailure where no number can be vouched for.
    """
    return _evaluate(source, "rate", mu=mu, sigma=sigma)


def log_rate(source: object, *, mu: ArrayLike | None = None, sigma: ArrayLike | None = None) -> Array:
    """Natural logarithm of the firing rate in Hz; finite far below the underflow of the rate itself."""
    return _evaluate(source, "log_rate", mu=mu, sigma=sigma)


def cv(source: object, *, mu: ArrayLike | None = None, sigma: ArrayLike | None = None) -> Array:
    """Coefficient of variation C_v of the interspike intervals (Eqs. 42 and 47)."""
    return _evaluate(source, "cv", mu=mu, sigma=sigma)


def log_isi_laplace(
    source: object, *, s: ArrayLike, mu: ArrayLike | None = None, sigma: ArrayLike | None = None
) -> Array:
    """log P_L(s) of the ISI density, P_L(s) = <exp(-s T)>, at real s >= 0 [1/s] (Eqs. 40 and 44)."""
    return _evaluate(source, "log_isi_laplace", finite("log_isi_laplace", "s", s, low=0.0), mu=mu, sigma=sigma)


def isi_laplace(source: object, *, s: ArrayLike, mu: ArrayLike | None = None, sigma: ArrayLike | None = None) -> Array:
    """Laplace transform P_L(s) of the ISI density at real s >= 0 [1/s] (Eqs. 40 and 44)."""
    return np.exp(log_isi_laplace(source, s=s, mu=mu, sigma=sigma))


def isi_laplace_complement(
    source: object, *, s: ArrayLike, mu: ArrayLike | None = None, sigma: ArrayLike | None = None
) -> Array:
    """1 - P_L(s), free of cancellation for small s."""
    return -np.expm1(log_isi_laplace(source, s=s, mu=mu, sigma=sigma))


def isi_density(source: object, *, t: ArrayLike, mu: ArrayLike | None = None, sigma: ArrayLike | None = None) -> Array:
    """Density of the interspike interval [1/s] at t >= 0 [s], for sources that have one."""
    return _evaluate(source, "isi_density", finite("isi_density", "t", t, low=0.0), mu=mu, sigma=sigma)


def log_rate_gradient(source: object, *, mu: ArrayLike, sigma: ArrayLike) -> tuple[Array, Array]:
    """d log r/dmu [s/V] and d log r/dsigma [sqrt(s)/V], from closed forms or the variational equations."""
    return _evaluate(source, "log_rate_gradient", mu=mu, sigma=sigma)


def cv_gradient(source: object, *, mu: ArrayLike, sigma: ArrayLike) -> tuple[Array, Array]:
    """dC_v/dmu [s/V] and dC_v/dsigma [sqrt(s)/V], from closed forms or the variational equations."""
    return _evaluate(source, "cv_gradient", mu=mu, sigma=sigma)


def log_isi_laplace_gradient(source: object, *, s: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> tuple[Array, Array]:
    """d log P_L/dmu [s/V] and d log P_L/dsigma [sqrt(s)/V], from closed forms or the variational equations."""
    checked = finite("log_isi_laplace_gradient", "s", s, low=0.0)
    return _evaluate(source, "log_isi_laplace_gradient", checked, mu=mu, sigma=sigma)


def _evaluate(source: object, name: str, *leading: Array, mu: ArrayLike | None, sigma: ArrayLike | None) -> Any:
    function = get(source, name)
    if not isinstance(source, IntegrateAndFire):
        if mu is not None or sigma is not None:
            raise TypeError(f"{name}: {type(source).__name__} is an ISI law and takes no mu and sigma.")
        return np.asarray(function(source, *leading))[()]
    if mu is None or sigma is None:
        missing = "mu" if mu is None else "sigma"
        raise TypeError(f"{name}: a neuron needs mu (V/s) and sigma (V/sqrt(s)), {missing} is missing.")
    first = {"t" if name == "isi_density" else "s": array for array in leading}
    arrays = together(name, **first, mu=finite(name, "mu", mu), sigma=finite(name, "sigma", sigma, low=0.0))
    return elementwise(lambda *flat: function(source, *flat), *arrays)


def elementwise(function: Callable[..., Array | tuple[Array, ...]], *arrays: Array):
    """Apply a function of equally long 1-D arrays to broadcast arrays; results take the broadcast shape."""
    alike = len({np.shape(a) for a in arrays}) == 1
    broadcast = arrays if alike else np.broadcast_arrays(*arrays)
    shape = np.shape(broadcast[0])
    result = function(*(np.ascontiguousarray(a, dtype=np.float64).ravel() for a in broadcast))
    if isinstance(result, tuple):
        return tuple(r.reshape(shape)[()] for r in result)
    return result.reshape(shape)[()]
