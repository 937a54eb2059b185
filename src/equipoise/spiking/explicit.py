"""Projections given as matrices (post, pre): numbers of synapses, and what these synapses are like."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.model.projections import Projection
from equipoise.quantities import Array, suggest
from equipoise.spiking.delays import at_least_one
from equipoise.units import ms

Indices = NDArray[np.int64]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Matrix:
    """Synapses one by one, ordered by target, then source: their `source` (n,), and the `in_degrees` of the targets.

    `delay` (n,) counts into `delays` [steps]; both are empty where they are not given, as are `weights` (n,), relative
    to that of the projection.
    """

    source: NDArray[np.uint32]
    in_degrees: Indices
    delays: tuple[int, ...]
    delay: NDArray[np.uint16]
    weights: NDArray[np.float32]

    def block(self, first: int, last: int) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.float32]]:
        """Source, delay and weight of the synapses onto the targets from first to last."""
        ends = np.concatenate([[0], np.cumsum(self.in_degrees)])
        here = slice(int(ends[first]), int(ends[last]))
        return self.source[here], self.delay[here], self.weights[here]


def matrix_of(p: Projection, given: tuple[Any, Any, Any], shape: tuple[int, int], dt: float) -> Matrix:
    """From matrices, dense or scipy.sparse, of numbers of synapses, of delays [s] and weights (or None each).

    ValueError that names the projection.
    """
    synapses, delays, weights = given
    target, source, count = _entries(synapses, f"Wiring.explicit: {p}", shape)
    if not (np.isfinite(count).all() and (count >= 0).all() and (count == np.rint(count)).all()):
        raise ValueError(f"Wiring.explicit: {p} must hold numbers of synapses, whole and at least 0.")
    target, source = (np.repeat(x, count.astype(np.int64)) for x in (target, source))
    order = np.lexsort((source, target))
    target, source = target[order], source[order]
    steps, which = (), np.empty(0, np.uint16)
    if delays is not None:
        times = _at(delays, f"Wiring.delays: {p}", shape, (target, source))
        steps, which = _on_grid(p, times, dt)
    relative = np.empty(0, np.float32)
    if weights is not None:
        relative = _relative(p, _at(weights, f"Wiring.weights: {p}", shape, (target, source)))
    in_degrees = np.bincount(target, minlength=shape[0])
    return Matrix(source.astype(np.uint32), in_degrees, steps, which, relative)


def check_pairs(given: Mapping[str, Iterable[Any]], projections: Iterable[Projection]) -> None:
    """Raise ValueError unless all of Wiring.explicit belongs to projections, and its weights and delays to those."""
    known = {(p.source, p.target): str(p) for p in projections}
    for name, pairs in given.items():
        for pair in pairs:
            text = " -> ".join(map(str, pair)) if isinstance(pair, tuple) else str(pair)
            if pair not in known:
                raise ValueError(
                    f"Wiring.{name}: no projection between populations is {text!r}.{suggest(text, known.values())} "
                    "Keys are pairs (source, target)."
                )
            if pair not in given["explicit"]:
                raise ValueError(
                    f"Wiring.{name}: {text} has no matrix in Wiring.explicit. For synapses that are drawn use "
                    f"Projection(weight_spread=...) and Projection(delay=...)."
                )


def _entries(matrix: Any, name: str, shape: tuple[int, int]) -> tuple[Indices, Indices, Array]:
    """Row, column and value of the entries of a matrix of this shape."""
    if hasattr(matrix, "tocoo"):
        coo = matrix.tocoo()
        _check_shape(name, tuple(coo.shape), shape)
        return coo.row.astype(np.int64), coo.col.astype(np.int64), np.asarray(coo.data, np.float64)
    dense = np.asarray(matrix, dtype=np.float64)
    _check_shape(name, dense.shape, shape)
    row, column = np.nonzero(dense)
    return row, column, dense[row, column]


def _at(matrix: Any, name: str, shape: tuple[int, int], places: tuple[Indices, Indices]) -> Array:
    """Values of a matrix of this shape where there are synapses."""
    values = matrix.tocsr() if hasattr(matrix, "tocsr") else np.asarray(matrix, dtype=np.float64)
    _check_shape(name, tuple(values.shape), shape)
    return np.asarray(values[places], dtype=np.float64).ravel()


def _check_shape(name: str, got: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if got != wanted:
        raise ValueError(f"{name} must have shape (post, pre) = {wanted}, got {got}.")


def _on_grid(p: Projection, times: Array, dt: float) -> tuple[tuple[int, ...], NDArray[np.uint16]]:
    """The delays in steps that occur, and which one each synapse has."""
    steps = np.rint(times / dt)
    wrong = ~(np.abs(times / dt - steps) <= 1e-6 * np.maximum(1.0, steps))
    if wrong.any():
        raise ValueError(
            f"Wiring.delays: {p} must hold multiples of dt={dt / ms:g} ms, got {times[wrong][0] / ms:g} ms."
        )
    different, which = np.unique(steps.astype(np.int64), return_inverse=True)
    if different.size:
        at_least_one(f"Wiring.delays of {p}", int(different[0]), float(times.min()), dt)
    return tuple(different.tolist()), which.astype(np.uint16)


def _relative(p: Projection, weights: Array) -> NDArray[np.float32]:
    relative = weights / p.weight
    if not (np.isfinite(relative).all() and (relative >= 0.0).all()):
        wrong = weights[~(np.isfinite(relative) & (relative >= 0.0))][0]
        raise ValueError(
            f"Wiring.weights: {p} must hold finite weights of the sign of the projection's {p.weight:g}, got {wrong:g}."
        )
    return relative.astype(np.float32)
