"""Networks of unequal cells for the engine of slow rules: mean field with quenched disorder (Sec. 4.5.3).

Where `Batch` takes all cells of a population as equal, here their in-degrees differ, and rates, C_v and calcium are
averages over cells. The state of a network is x = (r, q), the first two moments of its rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import solved
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array
from equipoise.renewal.dispatch import get
from equipoise.renewal.firing import shift
from equipoise.results import Status
from equipoise.theory import quenched
from equipoise.theory.network import wiring_of
from equipoise.theory.network_loop import calcium
from equipoise.theory.network_state import BELOW, Equations, newton, relaxed
from equipoise.theory.wiring import STACKED, Wiring, stacked

NODES = 91
"""Quadrature nodes of the averages: 1e-6 of the rates."""
STEPS = 20
"""Newton steps from a nearby state."""
CLOSE, LEAST = 1e-7, 1e-6
"""Residual of a state beside itself before the last Newton step, which squares it, and the rate [Hz], or second moment
[Hz^2], below which it is absolute."""
SILENT = 1e-3
"""Rate [Hz] below which a population counts as silent."""
HEARD = 1e-3
"""Rate [Hz] of one spike in a quarter of an hour, which logarithms of rates have in addition: recorded ones know no
less. Cells count by r/(r + HEARD) where silent ones have no value."""
MIXED = ("J", "K", "V", "p", "source_rates", "source_fano", "drive")


@dataclass(frozen=True, eq=False)
class Networks:
    """n networks of P populations, each a `Wiring`; the state is x (n, 2 P), rates [Hz], then second moments [Hz^2].

    `nodes` is the fineness of averages over cells.
    """

    wirings: tuple[Wiring, ...]
    nodes: int = NODES

    @cached_property
    def stack(self) -> Wiring:
        """All networks as one, with an axis for them in front."""
        return stacked(self.wirings)

    @property
    def neurons(self) -> tuple[IntegrateAndFire, ...]:
        """The neurons of each population (P,)."""
        return self.wirings[0].neurons

    @property
    def drive(self) -> Array:
        """Tonic drive with the threshold taken off (n, P) [V/s]."""
        return np.array([w.drive for w in self.wirings])

    def inputs(self, r: Array) -> tuple[Array, Array]:
        """mu [V/s] and sigma^2 [V^2/s] of the mean cell (n, P)."""
        return self.stack.means(r[:, : self.stack.n])

    def moved(self, gains: Array, threshold: Array) -> Self:
        """The networks with excitatory and inhibitory weights times `gains` (n, P, 2), thresholds up (n, P) [V/s]."""
        out = []
        for w, g, theta in zip(self.wirings, gains, threshold, strict=True):
            out.append(replace(w, J=w.J * np.where(w.J >= 0.0, g[:, :1], g[:, 1:]), drive=w.drive - theta))
        return replace(self, wirings=tuple(out))

    def settled(self, start: Array) -> Array:
        """The stable state at which each network rests near `start` (n, 2 P); NaN where there is none."""
        found, growth = _newton(Equations(self.stack, self.nodes), start)
        for k in np.flatnonzero(_known(start) & ~_known(found)):
            found[k], growth[k] = _searched(Equations(self.wirings[k], self.nodes), start[k])
        return np.where((growth < 0.0)[:, None], found, np.nan)

    def calcium(self, sensor: Calcium, a: int, r: Array) -> tuple[Array, Array]:
        """Mean [µM] and second moment [µM^2] over the cells of population a (n,)."""
        out, known = np.full((2, len(r)), np.nan), _known(r)
        if known.any():
            some, points = self._sample(a, r, known)
            out[:, known] = calcium(sensor, some.neurons[a], some.tau_s[a], points.mu, points.s) @ points.weights
        return out[0], out[1]

    def logarithms(self, sensor: Calcium, a: int, r: Array) -> Array:
        """Averages over the cells of population a of log rate, log C_v, log calcium and its second moment (4, n).

        As of recorded units: what depends on intervals and calcium is that of cells that fire, see `HEARD`.
        """
        out, known = np.full((4, len(r)), np.nan), _known(r)
        if known.any():
            out[:, known] = _logarithms(*self._sample(a, r, known), a, sensor)
        return out

    def toward(self, last: Self, x: float) -> Self:
        """The networks a part x of the way to others."""
        pairs = zip(self.wirings, last.wirings, strict=True)
        return replace(self, wirings=tuple(_between(a, b, x) for a, b in pairs))

    def take(self, rows: Any) -> Self:
        """Some of the networks."""
        return replace(self, wirings=tuple(self.wirings[i] for i in np.arange(len(self.wirings))[rows]))

    def irregularity(self, r: Array) -> Array:
        """C_v averaged over the cells of each population (n, P)."""
        out, known = np.full(self.drive.shape, np.nan), _known(r)
        for a in range(len(self.neurons) if known.any() else 0):
            out[known, a] = _irregularity(*self._sample(a, r, known), a)
        return out

    def growth(self, r: Array) -> Array:
        """Leading eigenvalue (real part) of dx/dt = E(x) - x at each state (n,), in units of 1/tau_m."""
        out, known = np.full(len(r), np.nan), _known(r)
        if known.any():
            out[known] = _growth(Equations(_rows(self.stack, known), self.nodes).jacobian(r[known]))
        return out

    def _sample(self, a: int, r: Array, known: NDArray[np.bool_]) -> tuple[Wiring, quenched.Sample]:
        """Inputs of cells of population a in networks whose state is known, and those networks."""
        some = _rows(self.stack, known)
        m = some.moments(r[known, : some.n], r[known, some.n :])
        columns = (getattr(m, name)[:, a] for name in ("mu", "s", "beta", "gamma", "eta"))
        return some, quenched.sample(*columns, nodes=self.nodes)


def networks_of(circuits: Sequence[Circuit]) -> Networks:
    """Circuits that share populations and sources; TypeError for what mean field cannot represent."""
    for circuit in circuits:
        for p in circuit.populations:
            if p.spread.varying:
                raise TypeError(
                    f"predict: the neurons of {p.name!r} differ in {', '.join(p.spread.varying)}; cells may differ in "
                    "their inputs here, not in themselves. Give them no spread."
                )
    return Networks(tuple(wiring_of(circuit) for circuit in circuits))


def _known(x: Array) -> NDArray[np.bool_]:
    """Networks whose state is known (n,)."""
    return np.asarray(np.isfinite(x).all(axis=1))


def _rows(stack: Wiring, rows: NDArray[Any]) -> Wiring:
    """Some of the networks of a stack."""
    return replace(stack, **{name: getattr(stack, name)[rows] for name in STACKED})


def _newton(equations: Equations, start: Array) -> tuple[Array, Array]:
    """The state (n, 2 P) of each network near `start` by whole Newton steps, and its growth (n,); NaN without one."""
    out, growth = np.full_like(start, np.nan), np.full(len(start), np.nan)
    rows = np.flatnonzero(_known(start))
    z = equations.unknowns(start)[rows]
    for _ in range(STEPS):
        if not rows.size:
            break
        here = Equations(_rows(equations.wiring, rows), equations.nodes)
        rest, slopes = here.system(z)
        done = (np.abs(rest) <= CLOSE * (np.abs(z) + LEAST)).all(axis=1)
        with np.errstate(all="ignore"):
            z = z + solved(-slopes, rest)
        out[rows[done]], growth[rows[done]] = np.maximum(here.state(z[done]), 0.0), _growth(slopes[done])
        good = ~done & np.isfinite(z).all(axis=1) & (z >= BELOW).all(axis=1)
        rows, z = rows[good], z[good]
    return out, growth


def _searched(equations: Equations, start: Array) -> tuple[Array, float]:
    """The same with steps that are shortened where they lead astray, for one network."""
    found, P = newton(equations, start, max_steps=STEPS), equations.wiring.n
    if found.status is not Status.OK and (start[:P] < SILENT).all():  # nothing to follow: what silence turns into
        found = newton(equations, relaxed(equations.wiring, start[:P]).x, max_steps=STEPS)
    if found.status is not Status.OK:
        return np.full_like(start, np.nan), np.nan
    return found.x, float(_growth(equations.jacobian(found.x)[None])[0])


def _growth(slopes: Array) -> Array:
    """The largest real part of the eigenvalues of each matrix."""
    return np.linalg.eigvals(slopes).real.max(axis=1)


def _logarithms(some: Wiring, points: quenched.Sample, a: int, sensor: Calcium) -> Array:
    """Averages over cells of four logarithms (4, n); NaN where none fires."""
    neuron, tau_s = some.neurons[a], some.tau_s[a]
    rate = _of_cells(some, points, a, "rate")
    moments = calcium(sensor, neuron, tau_s, points.mu, points.s)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(np.stack([_of_cells(some, points, a, "cv"), *moments]))
        heard = np.where(np.isfinite(values), points.weights * rate / (rate + HEARD), 0.0)
        means = (np.where(heard > 0.0, values, 0.0) * heard).sum(axis=-1) / heard.sum(axis=-1)
    return np.concatenate([[np.log(rate + HEARD) @ points.weights], means])


def _of_cells(some: Wiring, points: quenched.Sample, a: int, what: str) -> Array:
    """Rate [Hz] or C_v of every cell (n, m), `what` is "rate" or "cv"."""
    neuron, sigma = some.neurons[a], np.sqrt(points.s)
    mu = points.mu - shift(neuron, some.tau_s[a]) * sigma
    return get(neuron, what)(neuron, mu.ravel(), sigma.ravel()).reshape(mu.shape)


def _irregularity(some: Wiring, points: quenched.Sample, a: int) -> Array:
    """C_v averaged over the cells whose C_v is known (n,)."""
    values = _of_cells(some, points, a, "cv")
    known = np.isfinite(values)
    return np.where(known, values, 0.0) @ points.weights / np.maximum(known @ points.weights, 1e-300)


def _between(first: Wiring, last: Wiring, x: float) -> Wiring:
    return replace(first, **{k: (1.0 - x) * getattr(first, k) + x * getattr(last, k) for k in MIXED})
