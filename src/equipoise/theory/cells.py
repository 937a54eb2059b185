"""Populations as samples of cells, each with weights of its own: the network out of equilibrium at neuron scope.

Summed over projection B, cell i of population A is driven at the rate R_iB = K r_B + sqrt(D_AB) xi_iB with standard
normal labels xi that the wiring fixes for life (D of `wiring`), so that

    mu_i = sum_B J_iB R_iB + I_A,    s_i = sum_B J_iB^2 F_B R_iB,    r_A = <f(mu_i, s_i)>_i,    q_A = <f^2>_i.

With equal weights this has the quenched statistics beta, gamma, eta of mean field. A cell follows its rule by two slow
variables, the change u_E of all its excitatory and external weights and u_I of its inhibitory ones:

    relative   J_iB = J_AB exp(u),        du/dt = error/(tau set point)
    absolute   |J_iB| = |J_AB| + u,       du/dt = error/tau

At population scope all cells share one pair u and sense averages. A population is represented by M labels, low in
discrepancy, symmetric (xi, -xi) and of exactly unit covariance: averages are exact to third order in xi, and what is
left falls nearly as 1/M (standard network, K = 1000: rates off by 0.01 %, second moments by 0.4 % at M = 256, these
by 0.2 % at 1024).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from equipoise import dynamics
from equipoise.model.homeostasis import CalciumHomeostasis
from equipoise.quantities import Array
from equipoise.renewal.firing import firing
from equipoise.theory import quenched
from equipoise.theory.network_loop import calcium, calcium_slopes
from equipoise.theory.wiring import Wiring


def fewest(projections: int) -> int:
    """The fewest cells, a power of two, whose labels can have unit covariance with room to spare."""
    return max(32, 1 << (4 * projections - 1).bit_length())


@lru_cache(maxsize=16)
def labels(cells: int, projections: int) -> Array:
    """Labels xi (cells, projections) of a sample of cells: symmetric Sobol normals of unit covariance, fixed seed."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = qmc.Sobol(projections, rng=np.random.default_rng(1998)).random(cells // 2)
    half = ndtri(np.clip(points, 1e-12, 1.0 - 1e-12))
    root = np.linalg.cholesky(half.T @ half / half.shape[0])
    half = np.linalg.solve(root, half.T).T
    return np.concatenate([half, -half])


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs of the cells of one population: mu, s (M,), and derivatives.

    by_x (2, M, 2 n): of (mu, s) by the network state x = (r, q); by_u (2, M, 2): by the cell's own (u_E, u_I).
    """

    mu: Array
    s: Array
    by_x: Array
    by_u: Array


@dataclass(frozen=True, eq=False)
class CellLoop:
    """A wiring whose populations are samples of cells under rules; `own` says whose cells regulate themselves.

    `labels` (M, m) are shared by all populations: their averages are taken one by one.
    """

    wiring: Wiring
    rules: tuple[CalciumHomeostasis | None, ...]
    own: tuple[bool, ...]
    labels: Array

    @property
    def places(self) -> tuple[slice, ...]:
        """Where the slow variables of each population stand in the slow state: 2 M at neuron scope, 2, or none."""
        units = [len(self.labels) if own else 1 for own in self.own]
        sizes = [0 if rule is None else 2 * k for rule, k in zip(self.rules, units, strict=True)]
        ends = np.cumsum([0, *sizes])
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends))

    def change(self, a: int, u: Array) -> Array:
        """(u_E, u_I) of population a, shape (2, M), (2, 1) where its cells share them."""
        place = self.places[a]
        return u[place].reshape(2, -1) if place.stop > place.start else np.zeros((2, 1))

    def absolute(self, a: int) -> bool:
        """Whether the rule of population a adds to weights."""
        return getattr(self.rules[a], "scale", "relative") == "absolute"

    def lower(self) -> Array:
        """Least u: at absolute scale that at which the smallest weight of its kind reaches zero."""
        floor = np.full(self.places[-1].stop, -np.inf)
        for a, place in enumerate(self.places):
            if self.absolute(a):
                J = self.wiring.J[a]
                floor[place] = np.repeat(
                    [-float(np.min(np.abs(J[k]), initial=np.inf)) for k in (J > 0, J < 0)],
                    (place.stop - place.start) // 2,
                )
        return floor

    def weights(self, a: int, u: Array) -> tuple[Array, Array]:
        """J_iB of the cells of population a and dJ_iB/du of its own kind, (M or 1, m)."""
        J = self.wiring.J[a]
        moved = self.change(a, u)[np.where(J < 0.0, 1, 0)].T
        if self.absolute(a):
            slope = np.broadcast_to(np.sign(J), moved.shape)
            return J + slope * moved, slope
        weights = J * np.exp(moved)
        return weights, weights

    def driven(self, a: int, x: Array) -> tuple[Array, Array]:
        """Summed rates R_iB [Hz] onto the cells of population a, (M, m), and sqrt(D_AB), (m,), at x = (r, q)."""
        w, n = self.wiring, self.wiring.n
        rates, seconds = w.presynaptic(x[:n], x[n:])
        root = np.sqrt(w.disorder(rates, seconds)[a])
        return np.maximum(w.K[a] * rates + root * self.labels, quenched.LOWEST * w.K[a] * rates), root

    def inputs(self, a: int, u: Array, x: Array) -> Inputs:
        """Inputs of the cells of population a at slow state u and network state x = (r, q)."""
        w, n = self.wiring, self.wiring.n
        driven, root = self.driven(a, x)
        J, slope = self.weights(a, u)
        noise = J * J * w.fano
        # Where D vanishes its root has no slope: all cells have the same number of equal inputs.
        spread = self.labels[:, :n] / (2.0 * np.maximum(root[:n], 1e-9 * w.K[a, :n] * x[:n] + 1e-300))
        by_r, by_q = (spread * by[a] for by in w.disorder_slopes(x[:n]))
        by_x = np.concatenate([w.K[a, :n] + by_r, by_q], axis=1)
        twice = np.tile(np.arange(n), 2)
        kinds = np.stack([w.J[a] > 0.0, w.J[a] < 0.0], axis=1).astype(np.float64)
        return Inputs(
            (J * driven).sum(1) + w.drive[a],
            (noise * driven).sum(1),
            np.stack([J[:, twice] * by_x, noise[:, twice] * by_x]),
            np.stack([(slope * driven) @ kinds, (2.0 * J * slope * w.fano * driven) @ kinds]),
        )

    def averages(self, u: Array, x: Array) -> tuple[Array, Array]:
        """E(x) - x with E = (<f>, <f^2>), shape (2 n,), and its derivatives by x."""
        n = self.wiring.n
        values, slopes = np.empty(2 * n), np.empty((2 * n, 2 * n))
        for a in range(n):
            given = self.inputs(a, u, x)
            f, by_mu, by_s = firing(self.wiring.neurons[a], self.wiring.tau_s[a], given.mu, given.s)
            by_x = by_mu[:, None] * given.by_x[0] + by_s[:, None] * given.by_x[1]
            values[a], values[n + a] = f.mean(), (f * f).mean()
            slopes[a], slopes[n + a] = by_x.mean(0), (2.0 * f) @ by_x / f.size
        return values - x, slopes - np.eye(2 * n)

    def state(self, u: Array, start: Array) -> dynamics.FixedPoint:
        """The network state x = (r, q) at slow state u, by Newton's method from `start`."""
        pair = dynamics.together(lambda x: self.averages(u, x))
        return dynamics.fixed_point(*pair, start, lower=0.0, tolerance=1e-9, max_steps=40)

    def sensed(self, u: Array, x: Array) -> Iterator[tuple[int, Array]]:
        """What the regulated populations sense: their places and both calcium moments (2, M), or averages (2, 1)."""
        for a, rule in enumerate(self.rules):
            if rule is not None:
                given = self.inputs(a, u, x)
                values = calcium(rule.sensor, self.wiring.neurons[a], self.wiring.tau_s[a], given.mu, given.s)
                yield a, values if self.own[a] else values.mean(1, keepdims=True)

    def rhs(self, u: Array, x: Array) -> Array:
        """du/dt [1/s or V/s] with the network at x."""
        speeds = np.zeros(u.size)
        for a, values in self.sensed(u, x):
            rule = self.rules[a]
            assert rule is not None
            speeds[self.places[a]] = rule.rhs(np.ones_like(values), values).ravel()
        return speeds


@dataclass(frozen=True, eq=False)
class SlowSlopes:
    """d(du/dt)/du in parts: cell by cell, and through the network state that all cells make and feel.

    blocks[a] (units, 2, 2): a cell's own; felt (N, 2 n): d(du/dt)/dx; made (2 n, N): dE/du; fast (2 n, 2 n):
    d(E - x)/dx. The whole is blocks - felt fast^-1 made.
    """

    blocks: tuple[Array, ...]
    felt: Array
    made: Array
    fast: Array
    places: tuple[slice, ...]

    def bordered(self, value: complex) -> tuple[Any, Any]:
        """G = fast - made (blocks - value)^-1 felt and dG/dvalue, each (2 n, 2 n): collective modes make G singular."""
        once, twice = np.zeros((2, *self.fast.shape), dtype=complex)
        for place, block in zip(self.places, self.blocks, strict=True):
            if not len(block):
                continue
            felt = self.felt[place].reshape(2, len(block), -1).swapaxes(0, 1)
            made = self.made[:, place].reshape(len(once), 2, -1)
            shifted = block - value * np.eye(2)
            solved = np.linalg.solve(shifted, felt.astype(complex))
            once += np.einsum("xkm,mky->xy", made, solved)
            twice += np.einsum("xkm,mky->xy", made, np.linalg.solve(shifted, solved))
        return self.fast - once, -twice

    def collective(self, guess: complex, *, steps: int = 6) -> tuple[complex, Any]:
        """The collective eigenvalue near a guess and how (r, q) move in it (2 n,): successive linear problems."""
        from scipy.linalg import eigvals

        value = guess
        for _ in range(steps):
            g, slope = self.bordered(value)
            moves = eigvals(g, -slope)  # dG/dvalue is singular where all cells fire alike: some are infinite
            move = min(moves[np.isfinite(moves)], key=abs, default=0.0)
            value += move
            if abs(move) < 1e-10 * abs(value):
                break
        return value, np.linalg.svd(self.bordered(value)[0])[2][-1].conj()

    def sparse(self, time: float) -> Any:
        """Jacobian of (u, x) together, with x relaxing as (E - x)/time: sparse CSC, (N + 2 n, N + 2 n)."""
        from scipy.sparse import coo_array

        size, x = self.made.shape[1], self.made.shape[1] + np.arange(len(self.fast))
        rows, columns, values = [], [], []
        for place, block in zip(self.places, self.blocks, strict=True):
            k = place.start + np.arange(2 * len(block)).reshape(2, -1).T
            rows.append(np.repeat(k, 2).ravel())
            columns.append(np.tile(k, 2).ravel())
            values.append(block.ravel())
        strips = ((np.arange(size), x, self.felt), (x, np.arange(size), self.made / time), (x, x, self.fast / time))
        for row, column, strip in strips:
            rows.append(np.repeat(row, column.size))
            columns.append(np.tile(column, row.size))
            values.append(strip.ravel())
        shape = (size + x.size, size + x.size)
        places = np.concatenate(rows), np.concatenate(columns)
        return coo_array((np.concatenate(values), places), shape=shape).tocsc()

    def dense(self) -> Array:
        """The slow Jacobian (N, N)."""
        whole = -self.felt @ np.linalg.solve(self.fast, self.made)
        for place, block in zip(self.places, self.blocks, strict=True):
            k = np.arange(len(block))
            for i in range(2):
                for j in range(2):
                    whole[place.start + i * k.size + k, place.start + j * k.size + k] += block[:, i, j]
        return whole


def slow_slopes(loop: CellLoop, u: Array, x: Array) -> SlowSlopes:
    """The parts of the slow Jacobian at slow state u with the network at x."""
    n, size = loop.wiring.n, loop.places[-1].stop
    felt, made, blocks = np.zeros((size, 2 * n)), np.zeros((2 * n, size)), []
    for a, rule in enumerate(loop.rules):
        if rule is None:
            blocks.append(np.zeros((0, 2, 2)))
            continue
        given, place, cell = loop.inputs(a, u, x), loop.places[a], (loop.wiring.neurons[a], loop.wiring.tau_s[a])
        f, *f_by = firing(*cell, given.mu, given.s)
        c_by = calcium_slopes(rule.sensor, *cell, given.mu, given.s)
        here = np.array([rule.target.mean, rule.target.second_moment])  # type: ignore[union-attr]
        speed = dynamics.complex_step(lambda c, rule=rule: rule.rhs(np.ones(2), c), here)
        own = np.einsum("vk,pkm,pmw->mvw", speed, c_by, given.by_u)
        feels = np.einsum("vk,pkm,pmx->vmx", speed, c_by, given.by_x)
        makes = np.einsum("pm,pmw->wm", np.array(f_by), given.by_u) / f.size
        rates = np.stack([makes, 2.0 * f * makes])  # of (r, q), by (u_E, u_I) of each cell
        if not loop.own[a]:
            own, feels, rates = own.mean(0, keepdims=True), feels.mean(1, keepdims=True), rates.sum(2, keepdims=True)
        blocks.append(own)
        felt[place] = feels.reshape(-1, 2 * n)
        made[a, place], made[n + a, place] = rates.reshape(2, -1)
    return SlowSlopes(tuple(blocks), felt, made, loop.averages(u, x)[1], loop.places)
