"""Fixed points of networks of many units: implicit steps along the fast dynamics that grow into Newton's method.

Pseudo-transient continuation (Kelley & Keyes 1998, SIAM J. Numer. Anal. 35:508): each step solves

    (tau/(d tau_max) + 1 - M) dr = f - r

by GMRES, which needs products with M = df/dr only; d grows as the residual falls.
"""

import numpy as np

from equipoise.quantities import Array
from equipoise.rate.network import ENDLESS, RateNetwork
from equipoise.results import Status

FIRST, MOST_STEPS = 0.5, 200
"""The first step, in units of the longest time constant, and how many are taken."""
TOLERANCE = 1e-9
"""Residual beside the largest rate."""


def settled(net: RateNetwork, start: Array) -> tuple[Array, Status, str]:
    """The rates in which the fast dynamics comes to rest, and how that went."""
    r, d = start.copy(), FIRST
    error = net.steady(r) - r
    size = first = float(np.abs(error).max())
    for _ in range(MOST_STEPS):
        if size <= TOLERANCE * max(float(r.max()), 1e-3):
            return np.maximum(r, 0.0), Status.OK, ""
        following = _step(net, r, error, d)
        new_error = net.steady(following) - following
        new = float(np.abs(new_error).max())
        if not np.isfinite(new) or following.max() > ENDLESS:
            message = "the rates grow without end. Weaken excitation, or give the neurons a max_rate."
            return r, Status.RUNAWAY, message
        d = min(d * float(np.clip(size / max(new, 1e-300), 0.3, 5.0)), 1e9)
        if new > 10.0 * max(size, 1e-6 * first):  # too long a step: the dynamics turned on the way
            d *= 0.1
            continue
        r, error, size = following, new_error, new
    message = "the rates do not come to rest; they may oscillate. See eq.rate.simulate."
    return r, Status.NOT_CONVERGED, message


def solved(net: RateNetwork, r: Array, right: Array, shift: Array | float, rtol: float) -> Array:
    """x with (shift + 1 - M) x = right at rates r."""
    from scipy.sparse.linalg import LinearOperator, gmres

    slopes, diagonal = net.tangent(r), 1.0 + shift
    operator = LinearOperator((net.n, net.n), matvec=lambda v: diagonal * np.ravel(v) - slopes(v))  # type: ignore[call-arg]
    return gmres(operator, right, rtol=rtol, restart=40, maxiter=3)[0]


def _step(net: RateNetwork, r: Array, error: Array, d: float) -> Array:
    slow = net.tau / (d * net.tau.max())
    return np.maximum(r + solved(net, r, error, slow, 1e-3), 0.0)
