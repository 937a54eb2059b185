"""How rate and irregularity are spread over the neurons of a population (quenched disorder)."""

import math
from typing import TYPE_CHECKING

import numpy as np

from equipoise import renewal
from equipoise.quantities import Array, suggest
from equipoise.renewal.firing import firing, shift
from equipoise.theory import quenched
from equipoise.theory.network_state import NetworkState, Population
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr

FINE = 1801


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
    below = weights @ np.array([ndtr(np.interp(log_grid, np.log(row), z)) for row in table])
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
    rate = firing(wiring.neurons[a], wiring.tau_s[a], mu, s)[0]
    effective = mu - shift(wiring.neurons[a], wiring.tau_s[a]) * np.sqrt(s)
    cv = renewal.cv(wiring.neurons[a], mu=effective, sigma=np.sqrt(s))
    columns = {"mu": (mu, "V/s"), "sigma": (np.sqrt(s), "V/sqrt(s)"), "rate": (rate, "Hz"), "cv": (cv, "1")}
    return xr.Dataset({k: ("neuron", v, {"units": unit}) for k, (v, unit) in columns.items()}, attrs={"seed": seed})


def find(wiring: Wiring, state: NetworkState, name: str) -> tuple[int, Population]:
    """Place and state of the population called `name`."""
    if name not in wiring.names:
        raise ValueError(f"no population called {name!r}.{suggest(name, wiring.names)}")
    a = wiring.names.index(name)
    return a, state.populations[a]


def _curves(wiring: Wiring, a: int, p: Population) -> tuple[Array, Array]:
    """Rates along z for each node of the rest, made strictly increasing, and the weights of those nodes."""
    w, weights = np.polynomial.hermite_e.hermegauss(quenched.REST_NODES)
    along, rest = quenched.spread(p.beta, p.gamma, p.eta)
    z = np.linspace(-quenched.REACH, quenched.REACH, FINE)
    mu = np.broadcast_to(p.mu + math.sqrt(p.beta) * z, (w.size, z.size))
    s = np.maximum(p.sigma**2 + along * z + rest * w[:, None], quenched.LOWEST * p.sigma**2)
    rates = firing(wiring.neurons[a], wiring.tau_s[a], mu, s)[0]
    increasing = np.maximum.accumulate(np.maximum(rates, 1e-300), axis=1)
    strictly = increasing * (1.0 + 1e-15 * np.arange(z.size))
    return np.asarray(strictly, dtype=np.float64), np.asarray(weights / weights.sum(), dtype=np.float64)
