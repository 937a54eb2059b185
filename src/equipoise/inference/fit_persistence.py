"""Whether units keep their inputs from one epoch to another."""

import math
from typing import Any

import numpy as np

from equipoise.inference.fit_likelihood import Law, integrate
from equipoise.inference.fit_population import Likelihood
from equipoise.inference.fit_result import Fitted
from equipoise.measures.estimates import level

EDGE = 0.999


def persistence(first: tuple[Likelihood, Law], second: tuple[Likelihood, Law], confidence: float) -> Fitted:
    """Correlation of mu_i between two epochs, by maximum likelihood with both marginals held; profile interval.

    With z the standardized inputs, L(rho)/L(0) = E[phi_2(z_1, z_2; rho)/(phi(z_1) phi(z_2))] over both posteriors.
    """
    from scipy.optimize import minimize_scalar

    found = [integrate(like.response, like.seen, law) for like, law in (first, second)]
    a, b = ((p.mu - law.mu) / law.delta for p, (_, law) in zip(found, (first, second), strict=True))
    a, b = a[:, :, None], b[:, None, :]
    weights = found[0].weights[:, :, None] * found[1].weights[:, None, :]

    def loss(rho: float) -> float:
        s = 1.0 - rho * rho
        exponent = (rho * a * b - 0.5 * rho * rho * (a * a + b * b)) / s - 0.5 * math.log(s)
        return -float(np.log((weights * np.exp(np.minimum(exponent, 700.0))).sum(axis=(1, 2)) + 1e-300).sum())

    best: Any = minimize_scalar(loss, bounds=(-EDGE, EDGE), method="bounded", options={"xatol": 1e-6})
    value, limit = float(best.x), float(best.fun) + 0.5 * level(confidence) ** 2

    def end(edge: float) -> float:
        """Where the likelihood has fallen to the limit on the way to an edge, or +-1."""
        if loss(edge) <= limit:
            return math.copysign(1.0, edge)
        inside, outside = value, edge
        for _ in range(20):
            middle = 0.5 * (inside + outside)
            inside, outside = (inside, middle) if loss(middle) > limit else (middle, outside)
        return inside

    return Fitted(value, end(-EDGE), end(EDGE))
