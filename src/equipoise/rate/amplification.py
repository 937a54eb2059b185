"""Transient amplification at a fixed point: how far small disturbances grow before they decay.

With J = dr'/dr the linear dynamics of rates, a disturbance becomes exp(J t) times itself. Eigenvalues tell how it ends;
where the eigenvectors of J are far from orthogonal (J is not normal), as with strong excitation and inhibition that
balance, it grows first: balanced amplification (Murphy & Miller 2009, Neuron 61:635).
"""

from dataclasses import dataclass

import numpy as np

from equipoise import dynamics
from equipoise.quantities import Array
from equipoise.rate.state import RateState

POINTS = 400
"""Times at which the norm is looked at on each grid."""
LARGEST = 500


@dataclass(frozen=True, eq=False, repr=False)
class Amplification:
    """Growth of disturbances around a state, in the Euclidean norm of the rates of all units.

    `peak` max over t of ||exp(J t)||, 1 where nothing grows and infinite where the state is unstable; `time` [s] of the
    peak; `pattern` (n,) the disturbance of norm 1 that grows to it, `response` (n,) what it has become there.
    `numerical_abscissa` [1/s] the fastest growth at t = 0, the largest eigenvalue of (J + J^T)/2; `spectral_abscissa`
    [1/s] the growth at late times, the largest real part of the spectrum of J; `henrici` [1/s] the departure of J from
    normality, sqrt(||J||_F^2 - sum |lambda|^2).
    """

    peak: float
    time: float
    pattern: Array
    response: Array
    numerical_abscissa: float
    spectral_abscissa: float
    henrici: float

    def __repr__(self) -> str:
        growth = f"growth {self.numerical_abscissa:+.4g} 1/s at first, {self.spectral_abscissa:+.4g} 1/s at last"
        when = f"{self.peak:.4g} times after {1e3 * self.time:.4g} ms"
        return f"Amplification: {when}; {growth}; departure from normality {self.henrici:.4g} 1/s"


def amplification(state: RateState) -> Amplification:
    """Transient amplification of the fast dynamics at a fixed point.

    The peak is sought up to the time at which it is certain to be past, ||exp(J t)|| < 1, and then sharpened.
    ValueError for more than 500 units, whose exponentials take too long; TypeError for what is no state.
    """
    if not isinstance(state, RateState):
        raise TypeError(
            f"rate.amplification: state must be a RateState such as eq.rate.settle(circuit) gives, got {state!r}."
        )
    if state.rates.size > LARGEST:
        raise ValueError(f"rate.amplification: at most {LARGEST} units, got {state.rates.size:,}.")
    J = state.network.jacobian(state.rates)
    first = float(np.linalg.eigvalsh(0.5 * (J + J.T))[-1])
    modes = np.linalg.eigvals(J)
    last, henrici = float(modes.real.max()), _departure(J, modes)
    if last >= 0.0:
        nothing = np.full(J.shape[0], np.nan)
        return Amplification(np.inf, np.inf, nothing, nothing, first, last, henrici)
    time = _peak_time(J, last) if first > 0.0 else 0.0
    left, sizes, right = np.linalg.svd(_exponential(J, time))
    return Amplification(float(sizes[0]), time, right[0], sizes[0] * left[:, 0], first, last, henrici)


def _departure(J: Array, modes: np.ndarray) -> float:
    return float(np.sqrt(max(np.sum(J * J) - np.sum(np.abs(modes) ** 2), 0.0)))


def _exponential(J: Array, t: float) -> Array:
    from scipy.linalg import expm

    return np.asarray(expm(J * t), np.float64)


def _norm(J: Array, t: float) -> float:
    return float(np.linalg.norm(_exponential(J, t), 2))


def _peak_time(J: Array, last: float) -> float:
    """When the norm is largest: on a grid up to where it has fallen below 1 for good, then between its neighbours."""
    span = -1.0 / last
    while _norm(J, span) >= 1.0:  # exp(J s) with norm below 1 bounds all later times by what came before
        span *= 2.0
    times, norms = _on_grid(J, span)
    k = int(np.argmax(norms))
    ends = times[max(k - 1, 0)], times[min(k + 1, times.size - 1)]
    best, lowest = dynamics.lowest_point(lambda t: -_norm(J, t), float(ends[0]), float(ends[1]))
    return best if -lowest >= norms[k] else float(times[k])


def _on_grid(J: Array, span: float) -> tuple[Array, Array]:
    """Norms at equal steps of a span, and finer ones up to what the fastest mode needs."""
    fast = 1.0 / float(np.linalg.norm(J, 2))
    pieces = [_steps(J, end) for end in {min(10.0 * fast, span), min(100.0 * fast, span), span}]
    times, norms = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    order = np.argsort(times)
    return times[order], norms[order]


def _steps(J: Array, span: float) -> tuple[Array, Array]:
    step, power, norms = _exponential(J, span / POINTS), np.eye(J.shape[0]), np.empty(POINTS + 1)
    for k in range(POINTS + 1):
        norms[k] = np.linalg.norm(power, 2)
        power = step @ power
    return np.linspace(0.0, span, POINTS + 1), norms
