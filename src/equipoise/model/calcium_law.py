"""The law of calcium by its moments: just after a spike, and averages over it by a Gauss rule.

With z_k = <e^{-k T/tau}> over the silences T between events, and V the calcium just after one, which has the law of
p V' e^{-T/tau} + eta,

    (1 - p^k z_k) E V^k = sum_{j<k} binom(k, j) p^j z_j eta^{k-j} E V^j.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from equipoise.model.calcium import Calcium
from equipoise.quantities import Array


def moments_after_spike(sensor: Calcium, lost: Sequence[Array]) -> list[Array]:
    """E (V/eta)^k just after a spike, for k = 0 ... of `lost`, the complements 1 - z_k."""
    after = [np.ones_like(lost[0])]
    for k in range(1, len(lost)):
        fed = sum(math.comb(k, j) * sensor.retention**j * (1.0 - lost[j]) * after[j] for j in range(k))
        after.append(fed / (_kept_loss(sensor, k) + sensor.retention**k * lost[k]))
    return after


def _kept_loss(sensor: Calcium, k: int) -> float:
    """1 - p^k without cancellation for small alpha."""
    return 1.0 if sensor.buffering == 1.0 else -math.expm1(k * math.log1p(-sensor.buffering))


def gauss_average(moments: Array, g: Callable[[Array], Array]) -> float:
    """Weighted sum of g on the Gauss nodes of one law, given by its raw moments (2 nodes,)."""
    if moments[1] < 1e-250:  # a silent cell has no calcium
        return float(np.sum(g(np.zeros(1))))
    # <C^2>/<C> is a calcium concentration while the cell fires, so that no power of it under- or overflows.
    scale = moments[2] / moments[1] if moments.size > 2 else moments[1]
    diagonal, off = _jacobi(moments / scale ** np.arange(moments.size))
    points, vectors = _spectrum(diagonal, off)
    while points[0] < 0.0 and points.size > 1:  # calcium is positive: the last coefficients are rounding
        points, vectors = _spectrum(diagonal[: points.size - 1], off[: points.size - 2])
    return float(np.sum(vectors[0] ** 2 * g(np.maximum(points, 0.0) * scale)))


def _spectrum(diagonal: Array, off: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a Jacobi matrix."""
    points, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
    return points, vectors


def _jacobi(moments: Array) -> tuple[Array, Array]:
    """Recurrence coefficients (a_k, sqrt b_k) by Chebyshev's algorithm, while the moments stay positive definite."""
    m = moments.astype(np.longdouble)
    a, b = [m[1] / m[0]], []
    old, row = np.zeros_like(m), m
    floor = 64 * m.size * np.finfo(np.float64).eps
    for k in range(1, m.size // 2):
        width = m.size - 2 * k
        below = b[-1] if b else np.longdouble(0.0)
        new = row[2 : width + 2] - a[-1] * row[1 : width + 1] - below * old[2 : width + 2]
        size = np.abs(row[2]) + np.abs(a[-1] * row[1]) + np.abs(below * old[2])
        if not new[0] > floor * size:
            break
        b.append(new[0] / row[0])
        a.append(new[1] / new[0] - row[1] / row[0])
        if not a[-1] > 0:
            a, b = a[:-1], b[:-1]
            break
        old, row = row, new
    return np.array(a, dtype=np.float64), np.sqrt(np.array(b, dtype=np.float64))
