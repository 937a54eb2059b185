"""Leading eigenvalues of a matrix that is known by its products only."""

from collections.abc import Callable

import numpy as np

from equipoise.dynamics.spectra import ComplexArray
from equipoise.quantities import Array


def leading(apply: Callable[[Array], Array], start: Array, *, steps: int = 60) -> tuple[ComplexArray, ComplexArray]:
    """Ritz values of `steps` Arnoldi steps from `start` (n,), rightmost first (m,), and their vectors (n, m).

    Eigenvalues that stand out are exact; the edge of a dense cloud is approached from inside.
    """
    basis, H = np.zeros((steps + 1, start.size)), np.zeros((steps + 1, steps))
    basis[0] = start / np.linalg.norm(start)
    for k in range(steps):
        w = apply(basis[k])
        for _ in range(2):  # twice is enough to be orthogonal
            along = basis[: k + 1] @ w
            H[: k + 1, k] += along
            w = w - along @ basis[: k + 1]
        H[k + 1, k] = np.linalg.norm(w)
        if H[k + 1, k] <= 1e-10 * np.abs(H[: k + 1, : k + 1]).max():  # the space is invariant
            return _ritz(H[: k + 1, : k + 1], basis[: k + 1])
        basis[k + 1] = w / H[k + 1, k]
    return _ritz(H[:steps], basis[:steps])


def _ritz(matrix: Array, basis: Array) -> tuple[ComplexArray, ComplexArray]:
    values, vectors = np.linalg.eig(matrix)
    order = np.argsort(-np.real(values))
    return values[order].astype(np.complex128), (basis.T @ vectors[:, order]).astype(np.complex128)
