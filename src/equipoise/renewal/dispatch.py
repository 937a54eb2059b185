"""Which statistic of which neuron or law is computed by what.

A neuron model or ISI law registers plain array functions with `provides`; the verbs of `equipoise.renewal.statistics`
check and broadcast their arguments and look the function up along the type's bases. The functions, for a neuron, on
contiguous 1-D float64 arrays of one length:

    rate(neuron, mu, sigma)                    cv(neuron, mu, sigma)
    log_rate(neuron, mu, sigma)                log_isi_laplace(neuron, s, mu, sigma)
    log_rate_gradient(neuron, mu, sigma)       -> (by mu, by sigma)
    cv_gradient(neuron, mu, sigma)             -> (by mu, by sigma)
    log_isi_laplace_gradient(neuron, s, mu, sigma)
    isi_density(neuron, t, mu, sigma)
    input_for(neuron, rate, cv)                -> (mu, sigma, list of Status)
    input_limit(neuron, rate)                  -> why such an input_for finds nothing, in words

A law has no mu and sigma; its functions take (law), (law, s) or (law, t) and broadcast on their own.
"""

from collections.abc import Callable
from typing import Any

_registry: dict[tuple[type, str], Callable[..., Any]] = {}


def provides(kind: type, **functions: Callable[..., Any]) -> None:
    """Register the statistics that `kind` can compute, by name."""
    for name, function in functions.items():
        _registry[kind, name] = function


def find(source: object, name: str) -> Callable[..., Any] | None:
    """The function registered for a type or the nearest of its bases, or None."""
    for kind in type(source).__mro__:
        if (kind, name) in _registry:
            return _registry[kind, name]
    return None


def get(source: object, name: str) -> Callable[..., Any]:
    """As `find`, but raises TypeError that says what the type does offer."""
    function = find(source, name)
    if function is not None:
        return function
    offered = sorted({n for (kind, n) in _registry if isinstance(source, kind)})
    what = f"It offers {', '.join(offered)}." if offered else "It is no neuron or ISI law of this package."
    raise TypeError(f"renewal: {type(source).__name__} has no {name}. {what}")
