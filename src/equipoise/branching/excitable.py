"""Excitable networks of probabilistic units, the E/I ratio as the knob of their branching ratio.

A unit that is not refractory fires in a step with probability

    p = [h + sum over its inputs that fired in the last step of J_j], kept in [0, 1],   J_j = J or -g J,

and is then silent for `refractory` steps (Kinouchi & Copelli 2006, Nat. Phys. 2:348; with inhibition Larremore et al.
2014, Phys. Rev. Lett. 112:138103). With the coupling w = K J of K inputs, a share f of them inhibitory, the largest
eigenvalue of the weights, to leading order in K, is the branching ratio

    sigma = w ((1 - f) - f g),

and where many inputs fire together the share rho of firing units follows rho = (h + sigma rho)(1 - refractory rho).

An inhibitory spike that meets neither drive nor excitation does nothing. So few active units branch by excitation
alone, w (1 - f), and a network whose inhibition makes sigma = 1 never falls silent: the ceaseless activity of Larremore
et al. It takes a few firing inputs a unit, which are ever less of the network as K grows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import _core
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity, seed_sequence, whole

_DRIVE = Quantity("probability to fire by external drive", low=0.0, high=1.0)
_SHARE = Quantity("share of units that fire first", low=0.0, high=1.0)
PIECE = 2_000
"""Steps of one call into the core, between which Ctrl-C acts."""
MOST_SYNAPSES = 2**31 - 1
Advance = Callable[[NDArray[np.int64]], None]
"""Fills an array with the next counts."""


@dataclass(frozen=True, kw_only=True)
class ExcitableNetwork:
    """N units of which each acts on all others, or hears `in_degree` K of them at random.

    `coupling` w = K J is the number of units that an excitatory spike alone makes fire on average, `g` the strength of
    an inhibitory synapse relative to an excitatory one, `inhibitory` the share f of inhibitory units.
    """

    size: int
    coupling: float = quantity("units that an excitatory spike makes fire", low=0.0, high=1e3, symbol="w")
    g: float = quantity("strength of inhibition relative to excitation", default=0.0, low=0.0, high=1e3)
    inhibitory: float = quantity("share of inhibitory units", default=0.2, low=0.0, high=1.0, symbol="f")
    refractory: int = 1
    in_degree: int | None = None

    def __post_init__(self):
        check_fields(self)
        size = whole("ExcitableNetwork.size", self.size, low=2, high=10**9 if self.in_degree is None else 10**7)
        numbers = {"size": size, "refractory": whole("ExcitableNetwork.refractory", self.refractory, high=10**6)}
        if self.in_degree is not None:
            numbers["in_degree"] = whole("ExcitableNetwork.in_degree", self.in_degree, low=1, high=size)
        for name, value in numbers.items():
            object.__setattr__(self, name, value)
        if self.size * (self.in_degree or 1) > MOST_SYNAPSES:
            raise ValueError(
                f"ExcitableNetwork: {self.size * (self.in_degree or 1):,} synapses are too many, at most "
                f"{MOST_SYNAPSES:,}. Leave in_degree out to connect all to all, which needs none."
            )

    @property
    def excitatory_units(self) -> int:
        """Number of excitatory units, the first ones."""
        return round((1.0 - self.inhibitory) * self.size)

    @property
    def weight(self) -> float:
        """J, by how much one excitatory input raises the probability to fire."""
        return self.coupling / (self.in_degree or self.size)

    @property
    def sigma(self) -> float:
        """w ((1 - f) - f g), the branching ratio."""
        return self.coupling * (1.0 - self.inhibitory * (1.0 + self.g))

    @property
    def critical_g(self) -> float:
        """The g at which sigma = 1; negative where excitation alone stays below, infinite without inhibition."""
        above = (1.0 - self.inhibitory) - 1.0 / self.coupling if self.coupling > 0.0 else -np.inf
        return above / self.inhibitory if self.inhibitory > 0.0 else np.copysign(np.inf, above)

    def density(self, drive: ArrayLike) -> Array:
        """Share rho of units that fire at a drive h of any shape, for infinitely many inputs.

        rho = p/(1 + refractory p) with p = min(1, h + sigma rho): the largest root.
        """
        h, s, r = finite("ExcitableNetwork.density", "drive", drive, low=0.0), self.sigma, float(self.refractory)
        b = 1.0 - s + r * h
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(b * b + 4.0 * r * s * h)
            # two forms of one root, so that neither cancels; without refractoriness it is h/(1 - sigma)
            rho = np.where(b > 0.0, 2.0 * h / (b + root), (root - b) / (2.0 * r * s))
        full = 1.0 / (1.0 + r)
        return np.where((h + s * full >= 1.0) | ~np.isfinite(rho), full, np.minimum(rho, full))


@dataclass(frozen=True, eq=False, repr=False)
class BuiltNetwork:
    """An excitable network with its synapses: unit j acts on targets[starts[j] : starts[j + 1]] by weights[j]."""

    model: ExcitableNetwork
    starts: NDArray[np.int64]
    targets: NDArray[np.int32]
    weights: Array

    def __post_init__(self):
        n, ends = self.model.size, self.starts
        fits = self.weights.shape == (n,) and ends.shape == (n + 1,) and ends[0] == 0 and ends[-1] == self.targets.size
        if not fits or (np.diff(ends) < 0).any() or (self.targets.size and not _within(self.targets, n)):
            raise ValueError(
                f"BuiltNetwork: {n} units need {n} weights, and {n + 1} starts that rise from 0 to the number of "
                f"targets, which are units from 0 to {n - 1}. Use branching.build to draw them."
            )

    @cached_property
    def largest_eigenvalue(self) -> float:
        """Largest real part of the spectrum of the weights, which sigma is for large K."""
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import eigs

        n = self.model.size
        matrix = csc_array((np.repeat(self.weights, np.diff(self.starts)), self.targets, self.starts), shape=(n, n))
        matrix.sum_duplicates()
        start = np.ones(n) / np.sqrt(n)
        return float(np.real(eigs(matrix, k=1, which="LR", v0=start, return_eigenvectors=False)).max())

    def __repr__(self) -> str:
        m = self.model
        return f"BuiltNetwork({m.size:,} units, K = {m.in_degree}, g = {m.g:g}, sigma = {m.sigma:.4g})"


def _within(targets: NDArray[np.int32], n: int) -> bool:
    return bool(targets.min() >= 0 and targets.max() < n)


def build(model: ExcitableNetwork, *, seed: int | np.random.SeedSequence) -> BuiltNetwork:
    """Draw the synapses: each unit gets K inputs, with replacement. ValueError where all act on all."""
    if not isinstance(model, ExcitableNetwork):
        raise TypeError(f"branching.build: model must be an ExcitableNetwork, got {model!r}.")
    if model.in_degree is None:
        raise ValueError("branching.build: all units act on all, there is nothing to draw. Give it to run as it is.")
    n, K, rng = model.size, model.in_degree, np.random.default_rng(seed_sequence(seed))
    sources = rng.integers(0, n, n * K, dtype=np.int32)
    targets = (np.argsort(sources, kind="stable") // K).astype(np.int32)
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=n), out=starts[1:])
    signs = np.where(np.arange(n) < model.excitatory_units, 1.0, -model.g)
    return BuiltNetwork(model, starts, targets, model.weight * signs)


def run(
    network: ExcitableNetwork | BuiltNetwork,
    steps: int,
    *,
    drive: float,
    seed: int | np.random.SeedSequence,
    warmup: int = 0,
    active: float = 0.0,
) -> NDArray[np.int64]:
    """Units that fire in each step (steps,) under a drive h, after `warmup` steps that are left out.

    A share `active` of the units fires before the first step. A network that is only described, and not all-to-all, is
    built with the same seed.
    """
    if not isinstance(network, ExcitableNetwork | BuiltNetwork):
        raise TypeError(f"branching.run: network must be an ExcitableNetwork or a built one, got {network!r}.")
    steps, warmup = whole("branching.run: steps", steps), whole("branching.run: warmup", warmup)
    h, share = check("branching.run: drive", drive, _DRIVE), check("branching.run: active", active, _SHARE)
    rng = np.random.default_rng(seed_sequence(seed).spawn(1)[0])
    if isinstance(network, ExcitableNetwork) and network.in_degree is None:
        advance = _all_to_all(network, h, share, rng)
    else:
        advance = _wired(network if isinstance(network, BuiltNetwork) else build(network, seed=seed), h, share, rng)
    counts = np.empty(warmup + steps, np.int64)
    for first in range(0, counts.size, PIECE):
        advance(counts[first : first + PIECE])
    return counts[warmup:]


def _wired(built: BuiltNetwork, drive: float, active: float, rng: np.random.Generator) -> Advance:
    words, refractory = rng.integers(0, 2**64, 4, dtype=np.uint64), built.model.refractory
    clocks = np.where(rng.random(built.model.size) < active, refractory or -1, 0).astype(np.int32)
    return lambda counts: _core.excitable_run(
        words, built.starts, built.targets, built.weights, drive, refractory, clocks, counts
    )


def _all_to_all(model: ExcitableNetwork, drive: float, active: float, rng: np.random.Generator) -> Advance:
    words, n = rng.integers(0, 2**64, 4, dtype=np.uint64), model.excitatory_units
    fired = np.zeros((2, model.refractory + 1), np.int64)
    fired[:, 0] = rng.binomial([n, model.size - n], active)
    network, state = np.array([n, model.size - n, model.weight, model.g * model.weight]), fired.ravel()
    return lambda counts: _core.excitable_run_all_to_all(words, network, drive, state, counts)
