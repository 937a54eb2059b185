"""Projections given as matrices (post, pre) of numbers of synapses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.model.projections import Projection
from equipoise.quantities import suggest
from equipoise.spiking.wiring import Pair, Wiring

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Matrix:
    """Synapses one by one, ordered by source, then target; (n,) each."""

    source: Indices
    target: Indices
    shape: tuple[int, int]

    @classmethod
    def of(cls, given: Any, pair: Pair, shape: tuple[int, int]) -> "Matrix":
        """From a dense or scipy.sparse matrix; ValueError that names the projection."""
        name = " -> ".join(pair)
        target, source, count, got = _entries(given)
        if got != shape:
            raise ValueError(f"Wiring.explicit: {name} must have shape (post, pre) = {shape}, got {got}.")
        if not (np.isfinite(count).all() and (count >= 0).all() and (count == np.rint(count)).all()):
            raise ValueError(f"Wiring.explicit: {name} must hold numbers of synapses, whole and at least 0.")
        target, source = (np.repeat(x, count.astype(np.int64)) for x in (target, source))
        order = np.lexsort((target, source))
        return cls(source[order], target[order], shape)

    @property
    def in_degrees(self) -> Indices:
        """Number of synapses of each target neuron."""
        return np.bincount(self.target, minlength=self.shape[0])

    def rows(self, first: int, last: int) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        """Offsets and targets of the block of targets from first to last, counted from its first."""
        inside = (self.target >= first) & (self.target < last)
        lengths = np.bincount(self.source[inside], minlength=self.shape[1])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint32)
        return offsets, (self.target[inside] - first).astype(np.uint16)


def check_explicit(wiring: Wiring, projections: Iterable[Projection]) -> None:
    """Raise ValueError unless every given matrix belongs to a projection between populations."""
    known = {(p.source, p.target): str(p) for p in projections}
    for pair in wiring.explicit:
        if pair not in known:
            name = " -> ".join(map(str, pair)) if isinstance(pair, tuple) else str(pair)
            raise ValueError(
                f"Wiring.explicit: no projection between populations is {name!r}.{suggest(name, known.values())} "
                "Keys are pairs (source, target)."
            )


def _entries(matrix: Any) -> tuple[Indices, Indices, NDArray[np.float64], tuple[int, ...]]:
    """Row, column and value of the entries, and the shape."""
    if hasattr(matrix, "tocoo"):
        coo = matrix.tocoo()
        return coo.row.astype(np.int64), coo.col.astype(np.int64), np.asarray(coo.data, np.float64), tuple(coo.shape)
    dense = np.asarray(matrix, dtype=np.float64)
    if dense.ndim != 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), dense.shape
    row, column = np.nonzero(dense)
    return row, column, dense[row, column], dense.shape
