"""Circuits around a given one: more or fewer inputs, rates and C_v a little elsewhere, rules faster or slower.

In-degrees of all inputs of E, and of I, are multiplied by factors; excitatory and inhibitory weights onto E and I then
follow such that both populations fire at the rate and C_v that are drawn,

    r_A(g) = r_A*,  C_v,A(g) = C_v,A*,   w_AB = g_A^E or g_A^I times that of the given circuit

four gains for four numbers, by Newton's method along a path from the given circuit, where all gains are 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import solved
from equipoise.inference.networks import Networks, networks_of
from equipoise.inference.operating import POPULATIONS, SET_POINTS, SPEEDS, log_uniform
from equipoise.inference.resting import Resting, sensed
from equipoise.model.circuit import Circuit
from equipoise.model.projections import Projection
from equipoise.quantities import Array

NODES = 19
"""Quadrature nodes of averages over cells: 1e-5 of the rates of the standard network."""
LEGS, ROUNDS, CLOSE = 4, 3, 1e-6
"""Parts of the path, Newton steps at the end of each, and the error of log r and log C_v at which gains are found."""
DENSEST = 0.999
"""Connection probability on the path; a circuit that ends above 1 is left out."""
NUDGE, STRIDE = 1e-4, 0.3
"""Of log gains, for slopes; their largest step."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Neighbours:
    """Circuits that numbers `u` (n, len(NAMES)) in (0, 1) stand for, with their states `start` (n, 2 P).

    Each has an operating point of its own, `points` at number `which` (n,); `speed` (n, 2) is that of rules.
    """

    points: tuple[Resting, ...]
    u: Array
    network: Networks
    start: Array
    speed: Array
    which: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """All populations."""
        return self.points[0].names

    def take(self, rows: NDArray) -> Self:
        """Some of the circuits."""
        return replace(self, network=self.network.take(rows), **{name: getattr(self, name)[rows] for name in DRAWN})

    def batch(self) -> Networks:
        """The circuits, many at once."""
        return self.network

    def circuits(self) -> tuple[Circuit, ...]:
        """The circuits, one by one."""
        return tuple(self.points[k].circuit for k in self.which)


DRAWN = ("u", "start", "speed", "which")


def together(parts: Sequence[Neighbours]) -> Neighbours:
    """All circuits of several draws."""
    counts = np.cumsum([0, *(len(p.points) for p in parts)])
    which = np.concatenate([p.which + k for p, k in zip(parts, counts[:-1], strict=True)])
    arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("u", "start", "speed")}
    network = replace(parts[0].network, wirings=tuple(w for p in parts for w in p.network.wirings))
    return Neighbours(points=tuple(q for p in parts for q in p.points), network=network, which=which, **arrays)


def neighbours_of(at: Resting, u: Array) -> Neighbours:
    """The circuits that numbers in (0, 1) (n, len(NAMES)) stand for; those are left out that cannot rest as drawn."""
    known = at.unknowns
    factors = log_uniform(u[:, :2], 1.0 / known.in_degree, known.in_degree)
    ranges = np.repeat([known.rate, known.cv], 2)
    aims = np.log(ranges) * (2.0 * u[:, SET_POINTS] - 1.0)
    gains = _gains(at, np.log(factors), aims)
    rows = np.flatnonzero(np.isfinite(gains).all(axis=(1, 2)))
    circuits = [_scaled(at.circuit, factors[k], gains[k]) for k in rows]
    rows, circuits = rows[[c is not None for c in circuits]], [c for c in circuits if c is not None]
    if not circuits:
        nothing = Networks(at.network.wirings[:0], nodes=NODES)
        return Neighbours(points=(at,), u=u[:0], network=nothing, start=np.zeros((0, at.x.size)),
                          speed=np.ones((0, 2)), which=np.zeros(0, np.int64))  # fmt: skip
    network = replace(networks_of(circuits), nodes=NODES)
    start = network.settled(np.tile(at.x, (len(rows), 1)) * np.exp(_toward(at, aims[rows])))
    points = _points(at, network, start, circuits)
    speed = log_uniform(u[rows][:, SPEEDS], 1.0 / known.speed, known.speed)
    found = Neighbours(
        points=points, u=_used(at, u[rows]), network=network, start=start, speed=speed, which=np.arange(len(rows))
    )
    return found.take(np.flatnonzero(np.isfinite(start).all(axis=1)))


def _used(at: Resting, u: Array) -> Array:
    """The unknowns, in the middle where they are known or not of a given circuit, as the recurrent shares."""
    known = at.unknowns
    factors = [known.in_degree] * 2 + [1.0] * 2 + [known.speed] * 2 + [known.rate] * 2 + [known.cv] * 2 + [np.inf]
    return np.where(np.array(factors) > 1.0, u, 0.5)


def _toward(at: Resting, aims: Array) -> Array:
    """Changes of log (r, q) (n, 2 P) with the wanted changes of log rates; other populations stay."""
    out = np.zeros((len(aims), at.x.size))
    for k, a in enumerate(at.pair):
        out[:, a], out[:, len(at.names) + a] = aims[:, k], 2.0 * aims[:, k]
    return out


def _points(at: Resting, network: Networks, x: Array, circuits: Sequence[Circuit]) -> tuple[Resting, ...]:
    """Where each circuit rests, as its rules see it."""
    moments, means, cv = sensed(network, x, at.pair, at.sensor)
    rate = x[:, at.pair]
    rows = zip(rate.tolist(), cv.tolist(), moments, means, circuits, x, strict=True)
    return tuple(
        replace(at, rate=(r[0], r[1]), cv=(c[0], c[1]), moments=m, means=i, circuit=one, x=state)
        for r, c, m, i, one, state in rows
    )


def _gains(at: Resting, log_factors: Array, aims: Array) -> Array:
    """log gains (n, 2, 2) of excitatory and inhibitory weights onto E and I; NaN where none bring the aims about."""
    n, x = len(aims), np.tile(at.x, (len(aims), 1))
    z, base = np.zeros((n, 4)), Networks(at.network.wirings * n, nodes=NODES)
    there = base
    for part in np.arange(1, LEGS + 1) / LEGS:
        there = _denser(base, at, part * log_factors)
        for _ in range(ROUNDS):
            error, x = _missed(there, at, z, x, part * aims)
            if not (np.abs(error) > CLOSE).any():
                break
            slopes = np.empty((n, 4, 4))
            for j in range(4):
                slopes[:, :, j] = (_missed(there, at, z + NUDGE * np.eye(4)[j], x, part * aims)[0] - error) / NUDGE
            known = np.asarray(np.isfinite(slopes).all(axis=(1, 2)) & np.isfinite(error).all(axis=1))
            move = solved(np.where(known[:, None, None], slopes, np.eye(4)), np.where(known[:, None], -error, np.nan))
            z = z + np.clip(move, -STRIDE, STRIDE)
    error, _ = _missed(there, at, z, x, aims)
    found = np.asarray((np.abs(error) <= CLOSE).all(axis=1))
    return np.where(found[:, None, None], z.reshape(n, 2, 2), np.nan)


def _denser(base: Networks, at: Resting, logs: Array) -> Networks:
    """Networks with in-degrees of E and I times exp(logs) (n, 2), and weights times its inverse: the same means."""
    out = []
    for w, row in zip(base.wirings, np.exp(logs), strict=True):
        f = np.ones((w.n, 1))
        f[at.pair, 0] = row
        p = np.minimum(w.p * f, DENSEST)
        out.append(replace(w, K=w.K * f, V=w.V * f * (1.0 - p) / (1.0 - w.p), p=p, J=w.J / f))
    return replace(base, wirings=tuple(out))


def _missed(base: Networks, at: Resting, z: Array, x: Array, aims: Array) -> tuple[Array, Array]:
    """log r and log C_v of E and I beside those wanted (n, 4) at log gains z (n, 4), and the states."""
    gains = np.ones((len(z), len(at.names), 2))
    gains[:, at.pair] = np.exp(np.nan_to_num(z)).reshape(-1, 2, 2)
    there = base.moved(gains, np.zeros(base.drive.shape))
    known = np.asarray(np.isfinite(z).all(axis=1))
    x = there.settled(np.where(known[:, None], x, np.nan))
    here = np.concatenate([x[:, at.pair], there.irregularity(x)[:, at.pair]], axis=1)
    with np.errstate(divide="ignore"):  # silent populations
        return np.log(here / [*at.rate, *at.cv]) - aims, x


def _scaled(circuit: Circuit, factors: Array, log_gains: Array) -> Circuit | None:
    """The circuit with in-degrees of E and I times factors (2,), weights by them and times gains; None if too dense."""
    rows = {name: (f, np.exp(g)) for name, f, g in zip(POPULATIONS, factors, log_gains, strict=True)}

    def one(p: Projection) -> Projection:
        if p.target not in rows:
            return p
        f, (g_e, g_i) = rows[p.target]
        size = circuit.node(p.source).size
        wider = p.connectivity.with_mean(f * p.connectivity.mean(size), size)
        return replace(p, weight=float(p.weight * (g_e if p.weight >= 0.0 else g_i) / f), connectivity=wider)

    try:
        return replace(circuit, projections=[one(p) for p in circuit.projections])
    except ValueError:  # more inputs than there are cells
        return None
