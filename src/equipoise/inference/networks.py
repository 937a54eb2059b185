"""Networks of unequal cells for the engine of slow rules: mean field with quenched disorder (Sec. 4.5.3).

Where `Batch` takes all cells of a population as equal, here their in-degrees differ, and rates, C_v and calcium are
averages over cells. The state of a network is x = (r, q), the first two moments of its rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

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
from equipoise.theory.network_state import Equations, newton, relaxed
from equipoise.theory.wiring import Wiring

NODES = 91
"""Quadrature nodes of the averages: 1e-6 of the rates."""
STEPS = 20
"""Newton steps from a nearby state."""
SILENT = 1e-3
"""Rate [Hz] below which a population counts as silent."""
MIXED = ("J", "K", "V", "p", "source_rates", "source_fano", "drive")


@dataclass(frozen=True, eq=False)
class Networks:
    """n networks of P populations, each a `Wiring`; the state is x (n, 2 P), rates [Hz], then second moments [Hz^2]."""

    wirings: tuple[Wiring, ...]

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
        both = [w.means(x[: w.n]) for w, x in zip(self.wirings, r, strict=True)]
        mu, s = np.array(both).swapaxes(0, 1)
        return mu, s

    def moved(self, gains: Array, threshold: Array) -> Self:
        """The networks with excitatory and inhibitory weights times `gains` (n, P, 2), thresholds up (n, P) [V/s]."""
        out = []
        for w, g, theta in zip(self.wirings, gains, threshold, strict=True):
            out.append(replace(w, J=w.J * np.where(w.J >= 0.0, g[:, :1], g[:, 1:]), drive=w.drive - theta))
        return replace(self, wirings=tuple(out))

    def settled(self, start: Array) -> Array:
        """The stable state at which each network rests near `start` (n, 2 P); NaN where there is none."""
        return np.array([_settled(w, x) for w, x in zip(self.wirings, start, strict=True)])

    def calcium(self, sensor: Calcium, a: int, r: Array) -> tuple[Array, Array]:
        """Mean [µM] and second moment [µM^2] over the cells of population a (n,)."""
        mean, second = np.array([_calcium(w, sensor, a, x) for w, x in zip(self.wirings, r, strict=True)]).T
        return mean, second

    def toward(self, last: Self, x: float) -> Self:
        """The networks a part x of the way to others."""
        pairs = zip(self.wirings, last.wirings, strict=True)
        return replace(self, wirings=tuple(_between(a, b, x) for a, b in pairs))

    def take(self, rows: Any) -> Self:
        """Some of the networks."""
        return replace(self, wirings=tuple(self.wirings[i] for i in np.arange(len(self.wirings))[rows]))

    def irregularity(self, r: Array) -> Array:
        """C_v averaged over the cells of each population (n, P)."""
        return np.array([_irregularity(w, x) for w, x in zip(self.wirings, r, strict=True)])

    def growth(self, r: Array) -> Array:
        """Leading eigenvalue (real part) of dx/dt = E(x) - x at each state (n,), in units of 1/tau_m."""
        out = np.full(len(r), np.nan)
        for k in np.flatnonzero(np.isfinite(r).all(axis=1)):
            out[k] = np.linalg.eigvals(Equations(self.wirings[k], NODES).jacobian(r[k])).real.max()
        return out


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


def _settled(wiring: Wiring, x: Array) -> Array:
    nothing = np.full(2 * wiring.n, np.nan)
    if not np.isfinite(x).all():
        return nothing
    equations = Equations(wiring, NODES)
    found = newton(equations, x, max_steps=STEPS)
    if found.status is not Status.OK and (x[: wiring.n] < SILENT).all():  # nothing to follow: what silence turns into
        found = newton(equations, relaxed(wiring, x[: wiring.n]).x, max_steps=STEPS)
    if found.status is not Status.OK:
        return nothing
    growth = np.linalg.eigvals(equations.jacobian(found.x)).real.max()
    return found.x if growth < 0.0 else nothing


def _sample(wiring: Wiring, a: int, x: Array) -> quenched.Sample:
    m = wiring.moments(x[: wiring.n], x[wiring.n :])
    return quenched.sample(m.mu[a], m.s[a], m.beta[a], m.gamma[a], m.eta[a], nodes=NODES)


def _calcium(wiring: Wiring, sensor: Calcium, a: int, x: Array) -> Array:
    if not np.isfinite(x).all():
        return np.full(2, np.nan)
    points = _sample(wiring, a, x)
    return calcium(sensor, wiring.neurons[a], wiring.tau_s[a], points.mu, points.s) @ points.weights


def _irregularity(wiring: Wiring, x: Array) -> Array:
    out = np.full(wiring.n, np.nan)
    if np.isfinite(x).all():
        for a, (neuron, tau_s) in enumerate(zip(wiring.neurons, wiring.tau_s, strict=True)):
            points = _sample(wiring, a, x)
            sigma = np.sqrt(points.s)
            values = get(neuron, "cv")(neuron, points.mu - shift(neuron, tau_s) * sigma, sigma)
            known = np.isfinite(values)
            out[a] = values[known] @ points.weights[known] / max(points.weights[known].sum(), 1e-300)
    return out


def _between(first: Wiring, last: Wiring, x: float) -> Wiring:
    return replace(first, **{k: (1.0 - x) * getattr(first, k) + x * getattr(last, k) for k in MIXED})
