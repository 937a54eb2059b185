"""Many circuits of spiking neurons at once, as rates by mean field: their inputs, states and slopes.

Of each of n circuits, with populations A and nodes B (populations first, then sources),

    mu_A = sum_B K_AB J_AB r_B + drive_A,   sigma_A^2 = sum_B K_AB J_AB^2 F_B r_B,   r_A = f_A(mu_A - theta_A, sigma_A)

as in `rate`, which treats one circuit at a time; here a state of hundreds takes milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.populations import Source
from equipoise.quantities import Array
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.dispatch import get
from equipoise.renewal.firing import NOISELESS, firing
from equipoise.renewal.laws import NeuronISI
from equipoise.renewal.tabulated import tabulated

ROUNDS, CLOSE, FAINT = 60, 1e-9, 1e-9
"""Newton steps of a state, the relative residual at which it is found, and the least rate [Hz] on the way."""
RAMP = 12
"""Steps in which a circuit is turned into another one, so that its state is followed."""


class Circuits(Protocol):
    """What rules need of n circuits of P populations: `Batch` has equal cells, `Networks` unequal ones.

    The state r has one row for each circuit, the rates (n, P) [Hz] first.
    """

    @property
    def neurons(self) -> tuple[IntegrateAndFire, ...]:
        """The neurons of each population (P,)."""
        ...

    @property
    def drive(self) -> Array:
        """Tonic drive with the threshold taken off (n, P) [V/s]."""
        ...

    def inputs(self, r: Array) -> tuple[Array, Array]:
        """mu [V/s] and sigma^2 [V^2/s] (n, P)."""
        ...

    def moved(self, gains: Array, threshold: Array) -> Self:
        """The circuits with weights times `gains` (n, P, 2) and thresholds up by `threshold` (n, P) [V/s]."""
        ...

    def settled(self, start: Array) -> Array:
        """The state at which each circuit rests near `start`, or NaN."""
        ...

    def calcium(self, sensor: Calcium, a: int, r: Array) -> tuple[Array, Array]:
        """Mean [µM] and second moment [µM^2] of calcium of population a (n,)."""
        ...

    def irregularity(self, r: Array) -> Array:
        """C_v (n, P) averaged over the cells of each population."""
        ...

    def toward(self, last: Self, x: float) -> Self:
        """The circuits a part x of the way to others."""
        ...

    def take(self, rows: Any) -> Self:
        """Some of the circuits."""
        ...


C = TypeVar("C", bound=Circuits)


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """n circuits of P populations and S nodes.

    `coupling` [V] and `noise` [V^2] are (n, P, S), `outer` (n, S - P) [Hz] the rates of sources, `drive` (n, P) [V/s]
    that of populations with their threshold taken off, `neurons` (P,).
    """

    neurons: tuple[IntegrateAndFire, ...]
    coupling: Array
    noise: Array
    outer: Array
    drive: Array

    def inputs(self, r: Array) -> tuple[Array, Array]:
        """mu [V/s] and sigma^2 [V^2/s] (n, P) at rates r (n, P) [Hz]."""
        rates = np.concatenate([r, self.outer], axis=1)[..., None]
        return (self.coupling @ rates)[..., 0] + self.drive, np.maximum((self.noise @ rates)[..., 0], NOISELESS)

    def steady(self, r: Array) -> tuple[Array, Array]:
        """Rates f (n, P) [Hz] at the inputs that rates r make, and df_A/dr_B (n, P, P)."""
        mu, s = self.inputs(r)
        columns = [firing(tabulated(cell), 0.0, mu[:, a], s[:, a]) for a, cell in enumerate(self.neurons)]
        f, by_mu, by_s = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
        P = len(self.neurons)
        return f, by_mu[..., None] * self.coupling[..., :P] + by_s[..., None] * self.noise[..., :P]

    def irregularity(self, r: Array) -> Array:
        """C_v (n, P) at rates r; NaN where those are."""
        mu, s = self.inputs(r)
        out, known = np.full(r.shape, np.nan), np.isfinite(r).all(axis=1)
        for a, cell in enumerate(map(tabulated, self.neurons)):
            out[known, a] = get(cell, "cv")(cell, mu[known, a], np.sqrt(s[known, a]))
        return out

    def settled(self, start: Array) -> Array:
        """The rates (n, P) at which circuits rest near `start`; NaN where none is found."""
        return settled(self, start)

    def calcium(self, sensor: Calcium, a: int, r: Array) -> tuple[Array, Array]:
        """Both calcium moments (n,) of population a at rates r; NaN where those are."""
        mu, s = self.inputs(r)
        known = np.isfinite(r[:, a])
        law = NeuronISI(self.neurons[a], mu=mu[known, a], sigma=np.sqrt(s[known, a]))
        out = np.full((2, len(r)), np.nan)
        out[:, known] = calcium_moments(sensor, law)
        return out[0], out[1]

    def toward(self, last: Self, x: float) -> Self:
        """The circuits a part x of the way to the last."""
        names = ("coupling", "noise", "outer", "drive")
        return replace(self, **{k: (1.0 - x) * getattr(self, k) + x * getattr(last, k) for k in names})

    def take(self, rows: Any) -> Self:
        """Some of the circuits."""
        parts = {name: getattr(self, name)[rows] for name in ("coupling", "noise", "outer", "drive")}
        return replace(self, **parts)

    def moved(self, gains: Array, threshold: Array) -> "Batch":
        """The circuits with their excitatory and inhibitory weights times `gains` (n, P, 2), thresholds up (n, P)."""
        factor = np.where(self.coupling >= 0.0, gains[..., :1], gains[..., 1:])
        return replace(
            self, coupling=self.coupling * factor, noise=self.noise * factor**2, drive=self.drive - threshold
        )


def batch_of(circuits: Sequence[Circuit]) -> Batch:
    """Circuits that share populations and sources, as arrays."""
    first = circuits[0]
    populations, sources = first.populations, first.sources
    names = [node.name for node in (*populations, *sources)]
    n, P = len(circuits), len(populations)
    coupling, noise = np.zeros((2, n, P, len(names)))
    for i, circuit in enumerate(circuits):
        for p in circuit.projections:
            at = i, names.index(p.target), names.index(p.source)
            degree = p.connectivity.mean(circuit.node(p.source).size)
            coupling[at] = degree * p.weight
            noise[at] = degree * p.weight**2 * getattr(circuit.node(p.source), "fano", 1.0)
    outer = np.array([[s.rate for s in c.sources if isinstance(s, Source)] for c in circuits]).reshape(n, len(sources))
    drive = np.array([[p.drive for p in circuit.populations] for circuit in circuits])
    return Batch(neurons=tuple(p.neuron for p in populations), coupling=coupling, noise=noise, outer=outer, drive=drive)


def settled(batch: Batch, start: Array) -> Array:
    """The rates (n, P) [Hz] at which circuits rest, near `start`; NaN where Newton's method finds none.

    Steps change a rate by at most a factor of 3.
    """
    eye, lost = np.eye(start.shape[1]), _unknown(start)
    at_rest = np.zeros_like(lost)
    r = np.maximum(np.where(lost[:, None], 1.0, start), FAINT)
    with np.errstate(all="ignore"):  # wild trial points overflow and are refused
        for _ in range(ROUNDS):
            f, slopes = batch.steady(r)
            rest = f - r
            at_rest = np.asarray((np.abs(rest) <= CLOSE * (r + FAINT)).all(axis=1))
            if (at_rest | lost).all():
                break
            r = np.maximum(np.clip(r + solved(eye - slopes, rest), r / 3.0, 3.0 * r + 1e-3), FAINT)
            lost = lost | _unknown(r)
            r = np.where(lost[:, None], 1.0, r)
    return np.where((at_rest & ~lost)[:, None], r, np.nan)


def turned(first: C, last: C, r: Array) -> Array:
    """The state (n, ...) after a circuit at state r has been turned into another one, followed on the way."""
    for k in range(RAMP):
        r = first.toward(last, (k + 1) / RAMP).settled(r)
    return r


def stable(batch: Batch, r: Array, tau: Array) -> NDArray[np.bool_]:
    """Whether tau dr/dt = -r + f comes back to rates r (n,); `tau` (P,) [s]."""
    out = np.zeros(len(r), bool)
    known = ~_unknown(r)
    if known.any():
        slopes = (batch.take(known).steady(r[known])[1] - np.eye(r.shape[1])) / tau[:, None]
        out[known] = np.linalg.eigvals(slopes).real.max(axis=1) < 0.0
    return out


def _unknown(x: Array) -> NDArray[np.bool_]:
    """Rows with a number that is not finite (n,)."""
    return np.asarray(~np.isfinite(x).all(axis=tuple(range(1, x.ndim))))


def solved(matrices: Array, right: Array) -> Array:
    """matrices^-1 right (n, P); 0 where a matrix is singular."""
    flat = ~(np.abs(np.linalg.det(matrices)) > 1e-12)
    safe = np.where(flat[:, None, None], np.eye(right.shape[1]), matrices)
    return np.where(flat[:, None], 0.0, np.linalg.solve(safe, right[..., None])[..., 0])
