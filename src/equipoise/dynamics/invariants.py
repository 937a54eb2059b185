"""Conserved quantities of f, found rather than assumed.

A quantity Q(x) = sum_k c_k phi_k(x) built from the dictionary phi = (x_i, log x_i) changes at the rate
sum_k c_k phi_k'(x) . f(x). Sampled at many states, those rates form a matrix whose null space holds every exact
invariant of this form; a column of ones beside it finds also quantities that drift at a constant rate. The null
space is brought to the sparsest readable form.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise.quantities import Array

Function = Callable[[Array], Array]


@dataclass(frozen=True, repr=False)
class Invariant:
    """Q(x) = sum of coefficient times term; dQ/dt = `drift` exactly (0: conserved).

    `terms` are names such as "j_e" or "log j_e".
    """

    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    drift: float
    names: tuple[str, ...]

    def __call__(self, x: Array) -> float:
        """Value of the quantity at a state (n,)."""
        values = dict(zip(_dictionary(self.names), _terms(np.asarray(x, dtype=np.float64)), strict=True))
        return float(sum(c * values[t] for c, t in zip(self.coefficients, self.terms, strict=True)))

    def gradient(self, x: Array) -> Array:
        """dQ/dx (n,) at a state."""
        place = {t: k for k, t in enumerate(_dictionary(self.names))}
        rows = _term_gradients(np.asarray(x, dtype=np.float64))
        return sum((c * rows[place[t]] for c, t in zip(self.coefficients, self.terms, strict=True)), np.zeros(len(x)))

    def __repr__(self) -> str:
        parts = [f"{c:+.6g} {t}" for c, t in zip(self.coefficients, self.terms, strict=True)]
        fate = "conserved" if self.drift == 0.0 else f"drifts at {self.drift:+.6g} per s"
        return f"Q = {' '.join(parts).lstrip('+')} ({fate})"


def invariants(f: Function, samples: Array, names: tuple[str, ...]) -> tuple[Invariant, ...]:
    """All invariants and constant drifts of f in the dictionary (x, log x), from positive states `samples` (m, n)."""
    rates = np.array([np.append(_term_gradients(x) @ f(x), 1.0) for x in np.asarray(samples, dtype=np.float64)])
    scale = np.linalg.norm(rates, axis=0)
    scale[scale == 0.0] = 1.0
    columns = _sparse(_null_space(rates / scale)) / scale[:, None]
    return tuple(_as_invariant(c, names) for c in columns.T)


def _null_space(matrix: Array) -> Array:
    """Columns c with matrix c = 0, to 1e-10 of the largest singular value."""
    _, values, vt = np.linalg.svd(matrix, full_matrices=True)
    rank = int((values > 1e-10 * values[0]).sum())
    return vt[rank:].T


def _sparse(null: Array) -> Array:
    """Reduced column echelon form with complete pivoting; the constant (last row) is never a pivot."""
    columns = null.copy()
    done: list[int] = []
    for k in range(columns.shape[1]):
        candidates = np.abs(columns[:-1, k:])
        candidates[done] = 0.0
        row, offset = np.unravel_index(np.argmax(candidates), candidates.shape)
        columns[:, [k, k + offset]] = columns[:, [k + offset, k]]
        columns[:, k] /= columns[row, k]
        others = [j for j in range(columns.shape[1]) if j != k]
        columns[:, others] -= np.outer(columns[:, k], columns[row, others])
        done.append(int(row))
    columns[np.abs(columns) < 1e-9] = 0.0
    return columns


def _as_invariant(column: Array, names: tuple[str, ...]) -> Invariant:
    scaled = column / np.max(np.abs(column[:-1]))
    kept = [(t, float(c)) for t, c in zip(_dictionary(names), scaled[:-1], strict=True) if c != 0.0]
    return Invariant(tuple(t for t, _ in kept), tuple(c for _, c in kept), 0.0 - float(scaled[-1]), names)


def _dictionary(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names) + tuple(f"log {n}" for n in names)


def _terms(x: Array) -> Array:
    return np.concatenate([x, np.log(x)])


def _term_gradients(x: Array) -> Array:
    """d(terms)/dx, shape (2 n, n)."""
    return np.concatenate([np.eye(x.size), np.diag(1.0 / x)])
