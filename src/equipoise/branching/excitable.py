"""Excitable networks of probabilistic units, the E/I ratio as the knob of their branching ratio.

A unit that is not refractory fires in a step with probability

    p = [h + sum over its inputs that fired in the last step of J_j], kept in [0, 1],   J_j = J or -g J,

and is then silent for `refractory` steps (Kinouchi & Copelli 2006, Nat. Phys. 2:348; with inhibition Larremore et al.
2014, Phys. Rev. Lett. 112:138103). With K inputs a unit, a share f of them inhibitory, the largest eigenvalue of the
weights, to leading order in K, is the branching ratio

    sigma = K J ((1 - f) - f g),

and where inputs are many the density rho of firing units follows rho = (h + sigma rho)(1 - refractory rho).

An inhibitory spike that meets neither drive nor excitation does nothing. So sigma holds where about a unit's worth of
inputs fires or the drive is larger than g J; a network of few active units branches by excitation alone, K J (1 - f), and
with inhibition never falls silent at sigma = 1: there Larremore et al. found ceaseless activity.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import _core
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity, seed_sequence

_DRIVE = Quantity("probability to fire by external drive", low=0.0, high=1.0)
PIECE = 2_000
"""Steps of one call into the core, between which Ctrl-C acts."""


@dataclass(frozen=True, kw_only=True)
class ExcitableNetwork:
    """N units with K inputs each at random; `weight` J is the probability that one excitatory input fires a unit.

    `g` is the strength of an inhibitory synapse relative to J, `inhibitory` the share f of inhibitory units.
    """

    size: int
    in_degree: int
    weight: float = quantity("probability that one input fires a unit", low=0.0, high=1.0, symbol="J")
    g: float = quantity("strength of inhibition relative to excitation", default=0.0, low=0.0, high=1e3)
    inhibitory: float = quantity("share of inhibitory units", default=0.2, low=0.0, high=1.0, symbol="f")
    refractory: int = 1

    def __post_init__(self):
        check_fields(self)
        for name, low, high in (("size", 2, 10**7), ("in_degree", 1, self.size), ("refractory", 0, 10**6)):
            value = getattr(self, name)
            if isinstance(value, bool) or value != int(value) or not low <= value <= high:
                raise ValueError(
                    f"ExcitableNetwork.{name} must be a whole number in [{low}, {high}], got {value!r}."
                )

    @property
    def sigma(self) -> float:
        """K J ((1 - f) - f g), the branching ratio."""
        return self.in_degree * self.weight * (1.0 - self.inhibitory * (1.0 + self.g))

    @property
    def critical_g(self) -> float:
        """The g at which sigma = 1; negative where excitation alone stays below."""
        return ((1.0 - self.inhibitory) - 1.0 / (self.in_degree * self.weight)) / self.inhibitory

    def density(self, drive: ArrayLike) -> Array:
        """Mean-field density rho of firing units at a drive h of any shape.

        rho = p/(1 + refractory p), p = min(1, h + sigma rho): the larger root of the quadratic, or saturation.
        """
        h, s, r = _drives("ExcitableNetwork.density", drive), self.sigma, float(self.refractory)
        b = 1.0 - s + r * h
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(b * b + 4.0 * r * s * h)
            # two forms of one root, so that neither cancels; without refractoriness it is h/(1 - sigma)
            rho = np.where(b > 0.0, 2.0 * h / (b + root), (root - b) / (2.0 * r * s))
        full = 1.0 / (1.0 + r)
        return np.where(np.isfinite(rho), np.clip(rho, 0.0, full), full)


def _drives(function: str, drive: ArrayLike) -> Array:
    return finite(function, "drive", drive, low=0.0)


@dataclass(frozen=True, eq=False, repr=False)
class BuiltNetwork:
    """An excitable network with its synapses: unit j acts on targets[starts[j] : starts[j + 1]] by weights[j]."""

    model: ExcitableNetwork
    starts: NDArray[np.int64]
    targets: NDArray[np.int32]
    weights: Array

    @cached_property
    def largest_eigenvalue(self) -> float:
        """Largest real part of the spectrum of the weights, which sigma is for large K."""
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import eigs

        n = self.model.size
        matrix = csc_array((np.repeat(self.weights, np.diff(self.starts)), self.targets, self.starts), shape=(n, n))
        start = np.ones(n) / np.sqrt(n)
        return float(eigs(matrix, k=1, which="LR", v0=start, return_eigenvectors=False)[0].real)

    def __repr__(self) -> str:
        m = self.model
        return f"BuiltNetwork({m.size:,} units, K = {m.in_degree}, g = {m.g:g}, sigma = {m.sigma:.4g})"


def build(model: ExcitableNetwork, *, seed: int | np.random.SeedSequence) -> BuiltNetwork:
    """Draw the synapses: each unit gets K inputs, with replacement; the last share f of units is inhibitory."""
    if not isinstance(model, ExcitableNetwork):
        raise TypeError(f"branching.build: model must be an ExcitableNetwork, got {model!r}.")
    n, rng = model.size, np.random.default_rng(seed_sequence(seed))
    sources = rng.integers(0, n, n * model.in_degree, dtype=np.int32)
    order = np.argsort(sources, kind="stable")
    targets = (order // model.in_degree).astype(np.int32)
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=n), out=starts[1:])
    excitatory = np.arange(n) < round((1.0 - model.inhibitory) * n)
    return BuiltNetwork(model, starts, targets, model.weight * np.where(excitatory, 1.0, -model.g))


def run(
    network: BuiltNetwork | ExcitableNetwork,
    steps: int,
    *,
    drive: float,
    seed: int | np.random.SeedSequence,
    warmup: int = 0,
    active: float = 0.0,
) -> NDArray[np.int64]:
    """Units that fire in each step (steps,) under a drive h, after `warmup` steps that are left out.

    A share `active` of the units fires before the first step. A network that is only described is built with the
    same seed.
    """
    built = build(network, seed=seed) if isinstance(network, ExcitableNetwork) else network
    if not isinstance(built, BuiltNetwork):
        raise TypeError(f"branching.run: network must be an ExcitableNetwork or a built one, got {network!r}.")
    h, share = (check(f"branching.run: {k}", v, _DRIVE) for k, v in (("drive", drive), ("active", active)))
    rng = np.random.default_rng(seed_sequence(seed).spawn(1)[0])
    words, refractory = rng.integers(0, 2**64, 4, dtype=np.uint64), int(built.model.refractory)
    clocks = np.where(rng.random(built.model.size) < share, refractory or -1, 0).astype(np.int32)
    counts = np.empty(int(warmup) + int(steps), np.int64)
    for first in range(0, counts.size, PIECE):
        here = counts[first : first + PIECE]
        _core.excitable_run(words, built.starts, built.targets, built.weights, h, refractory, clocks, here)
    return counts[int(warmup) :]
