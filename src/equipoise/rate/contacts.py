"""Who hears whom in a network of rates: for each projection the summed rate of the inputs of its targets.

Weights stand beside the contacts and not in them, so that a slow rule that moves a weight touches no synapse.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.quantities import Array


class Contacts(Protocol):
    """All synapses of one projection."""

    def sums(self, rates: Array) -> Array:
        """Summed rate of the inputs of each target, from the rates of all sources."""
        ...

    def matrix(self, sources: int) -> Array:
        """Numbers of synapses (post, pre)."""
        ...


@dataclass(frozen=True)
class Common:
    """Each of `targets` units hears `number` inputs at the mean rate of the source."""

    number: float
    targets: int

    def sums(self, rates: Array) -> Array:
        """K times the mean rate."""
        return np.full(self.targets, self.number * rates.mean())

    def matrix(self, sources: int) -> Array:
        """K/n everywhere."""
        return np.full((self.targets, sources), self.number / sources)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Unit i hears the units partners[starts[i] : starts[i + 1]] of the source."""

    starts: NDArray[np.int64]
    partners: NDArray[np.int32]

    def sums(self, rates: Array) -> Array:
        """Sums over partners, by the compiled core."""
        out = np.empty(self.starts.size - 1)
        _core.rate_gather(self.starts, self.partners, np.ascontiguousarray(rates), out)
        return out

    def matrix(self, sources: int) -> Array:
        """Counts of contacts."""
        out = np.zeros((self.starts.size - 1, sources))
        posts = np.repeat(np.arange(self.starts.size - 1), np.diff(self.starts))
        np.add.at(out, (posts, self.partners), 1.0)
        return out


@dataclass(frozen=True, eq=False)
class Matrix:
    """Relative strengths of all synapses, as a dense array or a scipy.sparse one (post, pre)."""

    values: object

    def sums(self, rates: Array) -> Array:
        """The matrix times the rates."""
        return np.asarray(self.values @ rates)  # type: ignore[operator]

    def matrix(self, sources: int) -> Array:  # noqa: ARG002
        """The matrix itself."""
        dense = getattr(self.values, "toarray", None)
        return np.asarray(self.values if dense is None else dense(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Link:
    """A projection at work: the units it ends on, those it comes from, its weight and its contacts.

    `weight` is one signed number (1,) or one a target (n_post,), in the targets' unit of input.
    """

    source: str
    target: str
    post: slice
    pre: slice
    weight: Array
    contacts: Contacts


@dataclass(frozen=True, eq=False)
class Feed:
    """A projection from a source: summed rate of the trains onto each target (n_post,) [Hz], their Fano factor."""

    source: str
    target: str
    post: slice
    weight: Array
    rates: Array
    fano: float
