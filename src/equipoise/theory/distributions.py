"""How rate and irregularity are spread over the neurons of a population (quenched disorder)."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import renewal
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.spread import TIMES, drawn
from equipoise.quantities import Array, suggest
from equipoise.renewal.firing import firing, shift
from equipoise.theory import quenched
from equipoise.theory.network_state import NetworkState, Population
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr

FINE, KINDS = 1801, 361
"""Nodes along the disorder of the inputs, and those that kinds of neurons are counted by."""


def rate_distribution(
    wiring: Wiring, state: NetworkState, name: str, *, levels: Array | None = None, points: int = 400
) -> "xr.Dataset":
    """Density over `rate` [Hz] and the quantiles at `levels` of the rates of population `name`.

    Along the common direction z of the disorder the rate is monotone, so P(rate <= r) = E_w Phi(z(r, w)); the density
    is its derivative on a logarithmic grid of `points` rates.
    """
    import xarray as xr
    from scipy.special import ndtr

    a, population = find(wiring, state, name)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95]) if levels is None else levels
    table, weights = _curves(wiring, a, population)
    log_grid = np.linspace(np.log(table[:, 0].min()), np.log(table[:, -1].max()), 20 * points)
    z = np.linspace(-quenched.REACH, quenched.REACH, FINE)
    below = np.zeros(log_grid.size)
    for row, weight in zip(table, weights, strict=True):
        below += weight * ndtr(np.interp(log_grid, np.log(row), z))
    quantiles = np.exp(np.interp(levels, below, log_grid))
    low, high = np.interp([1e-5, 1 - 1e-5], below, log_grid)
    at = np.linspace(low, high, points)
    density = np.gradient(np.interp(at, log_grid, below), at) / np.exp(at)
    return xr.Dataset(
        {"density": ("rate", density, {"units": "s"}), "quantile": ("level", quantiles, {"units": "Hz"})},
        coords={"rate": ("rate", np.exp(at), {"units": "Hz"}), "level": levels},
        attrs={"population": name, "rate_cv2": population.rate_cv2},
    )


def neurons(wiring: Wiring, state: NetworkState, name: str, n: int, *, seed: int) -> "xr.Dataset":
    """A sample of `n` neurons of population `name`: their inputs, rates and C_v, from an explicit seed."""
    import xarray as xr

    a, p = find(wiring, state, name)
    rng = np.random.default_rng(seed)
    along, rest = quenched.spread(p.beta, p.gamma, p.eta)
    z, w = rng.standard_normal((2, n))
    mu = p.mu + math.sqrt(p.beta) * z
    s = np.maximum(p.sigma**2 + along * z + rest * w, quenched.LOWEST * p.sigma**2)
    own = _drawn(wiring, a, rng, n)
    rate, cv = _fired(wiring, a, own, mu, s)
    columns = {"mu": (mu, "V/s"), "sigma": (np.sqrt(s), "V/sqrt(s)"), "rate": (rate, "Hz"), "cv": (cv, "1")}
    columns |= {k: (v, "s" if k in TIMES else "V") for k, v in own.items()}
    return xr.Dataset({k: ("neuron", v, {"units": unit}) for k, (v, unit) in columns.items()}, attrs={"seed": seed})


def _drawn(wiring: Wiring, a: int, rng: np.random.Generator, n: int) -> dict[str, Array]:
    """What `n` neurons of population a have of their own."""
    if not wiring.spreads:
        return {}
    neuron, spread = renewal.exact(wiring.neurons[a]), wiring.spreads[a]
    return {name: drawn(neuron, spread, name, rng.random(n)) for name in spread.varying}


def _fired(wiring: Wiring, a: int, own: dict[str, Array], mu: Array, s: Array) -> tuple[Array, Array]:
    """Rates and C_v of neurons of population a under their inputs (n,)."""
    tau_s, sigma = float(wiring.tau_s[a]), np.sqrt(s)
    if own:
        rows = zip(*(values.tolist() for values in own.values()), strict=True)
        each = [replace(renewal.exact(wiring.neurons[a]), **dict(zip(own, row, strict=True))) for row in rows]
        pairs = [
            _fired_alike(k, tau_s, *x) for k, *x in zip(each, mu[:, None], s[:, None], sigma[:, None], strict=True)
        ]
        rate, cv = np.concatenate(pairs, axis=1)
        return rate, cv
    return _fired_alike(wiring.neurons[a], tau_s, mu, s, sigma)


def _fired_alike(neuron: IntegrateAndFire, tau_s: float, mu: Array, s: Array, sigma: Array) -> tuple[Array, Array]:
    return firing(neuron, tau_s, mu, s)[0], renewal.cv(neuron, mu=mu - shift(neuron, tau_s) * sigma, sigma=sigma)


def find(wiring: Wiring, state: NetworkState, name: str) -> tuple[int, Population]:
    """Place and state of the population called `name`."""
    if name not in wiring.names:
        raise ValueError(f"no population called {name!r}.{suggest(name, wiring.names)}")
    a = wiring.names.index(name)
    return a, state.populations[a]


def _curves(wiring: Wiring, a: int, p: Population) -> tuple[Array, Array]:
    """Rates along z for each kind and node of the rest, made strictly increasing, and the weights of those pairs."""
    w, weights = np.polynomial.hermite_e.hermegauss(quenched.REST_NODES)
    along, rest = quenched.spread(p.beta, p.gamma, p.eta)
    z = np.linspace(-quenched.REACH, quenched.REACH, FINE)
    mu = np.broadcast_to(p.mu + math.sqrt(p.beta) * z, (w.size, z.size))
    s = np.maximum(p.sigma**2 + along * z + rest * w[:, None], quenched.LOWEST * p.sigma**2)
    kinds = wiring.mixture(a, KINDS)
    rates = np.concatenate([firing(neuron, wiring.tau_s[a], mu, s)[0] for neuron in kinds.neurons])
    weights = np.multiply.outer(kinds.weights, weights / weights.sum()).ravel()
    increasing = np.maximum.accumulate(np.maximum(rates, 1e-300), axis=1)
    strictly = increasing * (1.0 + 1e-15 * np.arange(z.size))
    return np.asarray(strictly, dtype=np.float64), weights
