"""How calcium answers to the slow variables of a spiking network: a linear response measured on the network itself.

Coordinates z: log J of weights that move in proportion to themselves, else the variable; the mean over neurons at
neuron scope. With s what the populations sense on average and dz/dt = g(z, s),

    A = dg/dz + dg/ds S,   S = ds/dz,

is the matrix of the slow dynamics. S is measured by central differences: weights that move together under a rule are
moved up and down and the network runs on from the same state. What each of them would do alone does not enter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equipoise import dynamics
from equipoise.quantities import Array
from equipoise.spiking.functions import FunctionGroup
from equipoise.spiking.rule_group import Group, Shift
from equipoise.spiking.slow import Drive

Values = Mapping[str, Mapping[str, NDArray]]

SLOW = 0.1
PROBE = 0.01
"""Relative change of a weight in a measurement of the response."""


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The slow variables of all rules as one vector z (k,), and back.

    Of rules that are functions those in `moved`; `still` are the other ones, means over neurons (1,).
    """

    groups: tuple[Group, ...]
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    still: Values = field(default_factory=dict)

    @property
    def places(self) -> tuple[tuple[Group, str], ...]:
        """Group and name of each coordinate."""
        return tuple((g, name) for g in self.groups for name in self._names(g))

    def _names(self, group: Group) -> tuple[str, ...]:
        if isinstance(group, FunctionGroup):
            return self.moved.get(group.name, ())
        return (*(s.name for s in group.slots), *group.extras)

    @property
    def weights(self) -> NDArray[np.bool_]:
        """Which coordinates act on the network (k,): weights, thresholds and drives."""
        return np.array([name in [s.name for s in g.slots] for g, name in self.places], dtype=bool)

    @property
    def logs(self) -> NDArray[np.bool_]:
        """Which coordinates are logarithms (k,)."""
        return self.weights & np.array([g.relative for g, _ in self.places], dtype=bool)

    @property
    def directions(self) -> Array:
        """What moves together, as rows of coordinates (d, k)."""
        places, rows = self.places, []
        for group in self.groups:
            if isinstance(group, FunctionGroup):
                alone = [name for g, name in places if g is group and name in [s.name for s in group.slots]]
                together = tuple({name: 1.0} for name in alone)
            else:
                together = group.directions
            rows += [[part.get(name, 0.0) if g is group else 0.0 for g, name in places] for part in together]
        return np.array(rows).reshape(-1, len(places))

    @property
    def width(self) -> int:
        """How many quantities all groups sense."""
        return sum(g.width for g in self.groups)

    @property
    def least(self) -> Array:
        """What counts as nothing among all that is sensed (m,)."""
        return np.repeat([g.nothing for g in self.groups], [g.width for g in self.groups])

    def sizes(self, z: Array) -> Array:
        """How large a coordinate is, for relative changes (k,): 1 for logarithms."""
        units = [
            next((s.unit for s in g.slots if isinstance(s, Drive | Shift) and s.name == name), 0.0)
            for g, name in self.places
        ]
        return np.where(self.logs, 1.0, np.maximum(np.abs(z), units))

    def of(self, values: Values) -> Array:
        """z of slow variables, averaged over neurons."""
        x = np.array([float(np.mean(values[g.name][name])) for g, name in self.places])
        return np.where(self.logs, np.log(np.where(self.logs, x, 1.0)), x)

    def shifted(self, values: Values, dz: Array) -> dict[str, dict[str, NDArray]]:
        """The variables moved by dz (k,), all neurons alike; weights stop at zero."""
        out = {g.name: dict(values[g.name]) for g in self.groups}
        for (g, name), move, log in zip(self.places, dz, self.logs, strict=True):
            x = values[g.name][name]
            moved = x * np.exp(move) if log else x + move
            out[g.name][name] = np.maximum(moved, 0.0) if name.startswith("J_") else moved
        return out

    def flow(self, z: NDArray, sensed: NDArray) -> NDArray:
        """g(z, s) (k,); complex numbers are welcome."""
        x = np.where(self.logs, np.exp(np.where(self.logs, z, 0.0)), z)
        values = {g.name: dict(self.still.get(g.name, {})) for g in self.groups}
        for (g, name), value in zip(self.places, x, strict=True):
            values[g.name][name] = np.array([value])
        own = self._split(sensed)
        rates = [g.rate(name, values[g.name], own[g.name])[0] for g, name in self.places]
        return np.array(rates) / np.where(self.logs, x, 1.0)

    def sensed(self, measured: Mapping[str, NDArray]) -> Array:
        """What all groups sense as one vector (m,), averaged over neurons."""
        return np.concatenate([np.mean(measured[g.name], axis=1) for g in self.groups])

    def _split(self, sensed: NDArray) -> dict[str, NDArray]:
        ends = np.cumsum([g.width for g in self.groups])[:-1]
        return {g.name: part[:, None] for g, part in zip(self.groups, np.split(sensed, ends), strict=True)}


@dataclass(frozen=True, eq=False)
class Response:
    """S (m, k) as measured at z (k,)."""

    coordinates: Coordinates
    z: Array
    S: Array

    def matrix(self, z: Array, sensed: Array) -> Array:
        """A (k, k) [per s] at a state near the measured one."""
        q = self.coordinates
        return dynamics.complex_step(lambda x: q.flow(x, sensed), z) + self.by_sensed(z, sensed) @ self.S

    def by_sensed(self, z: Array, sensed: Array) -> Array:
        """dg/ds (k, m)."""
        return dynamics.complex_step(lambda s: self.coordinates.flow(z, s), sensed)


def fast_part(A: Array) -> Array:
    """A with all modes slower than a tenth of the fastest, and all that grow, taken for neutral.

    A measured response has errors of several per cent of its largest entries, as much as the slow modes are in all:
    these are better followed by what is sensed alone.
    """
    modes, vectors = np.linalg.eig(A)
    kept = (np.abs(modes) > SLOW * np.max(np.abs(modes))) & (np.real(modes) < 0.0)
    return np.real(vectors @ np.diag(np.where(kept, modes, 0.0)) @ np.linalg.pinv(vectors))


def propagate(A: Array, h: float, source: Array) -> Array:
    """h phi(h A) source, phi(z) = (e^z - 1)/z, for a vector (k,) or the columns of a matrix (k, m)."""
    from scipy.linalg import expm

    k, columns = A.shape[0], np.atleast_2d(source.T).T
    m = columns.shape[1]
    augmented = np.zeros((k + m, k + m))
    augmented[:k, :k], augmented[:k, k:] = h * A, h * columns
    return np.asarray(expm(augmented), dtype=np.float64)[:k, k:].reshape(source.shape)
