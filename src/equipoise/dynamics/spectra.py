"""Spectra of Jacobians: eigenvalues, recovery times in seconds, neutral directions by name."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, repr=False)
class Spectrum:
    """Eigenvalues [1/s], slowest first, with right eigenvectors (columns) of the named variables.

    An eigenvalue counts as zero below `zero_level` = 1e-9 of the largest; those belong to conserved quantities or to
    lines of equilibria, and do not make a state unstable.
    """

    eigenvalues: ComplexArray
    eigenvectors: ComplexArray
    names: tuple[str, ...]
    zero_level: float

    @property
    def zero(self) -> NDArray[np.bool_]:
        """Which eigenvalues are zero (n,)."""
        return np.abs(self.eigenvalues) <= self.zero_level

    @property
    def stable(self) -> bool:
        """Whether every eigenvalue that is not zero has a negative real part."""
        return bool((self.eigenvalues[~self.zero].real < 0).all())

    @property
    def recovery_times(self) -> Array:
        """-1/Re(eigenvalue) [s]; infinite for zero modes, negative (growth time) for unstable ones."""
        real = self.eigenvalues.real
        return np.where(self.zero, np.inf, -1.0 / np.where(self.zero, 1.0, real))

    @property
    def zero_modes(self) -> tuple[dict[str, float], ...]:
        """The neutral directions, each as {variable: component}, largest component 1."""
        columns = self.eigenvectors[:, self.zero].T
        scaled = [np.real(c / c[np.argmax(np.abs(c))]) for c in columns]
        return tuple({n: float(v) for n, v in zip(self.names, c, strict=True)} for c in scaled)

    def __repr__(self) -> str:
        kind = "stable" if self.stable else "unstable"
        rows = [f"Spectrum: {kind}, {int(self.zero.sum())} zero mode(s)"]
        rows += [
            f"  {_number(w)} 1/s   {_time_text(t)}" for w, t in zip(self.eigenvalues, self.recovery_times, strict=True)
        ]
        return "\n".join(rows)


def spectrum(jacobian: Array, names: tuple[str, ...]) -> Spectrum:
    """The spectrum of a Jacobian (n, n) of the variables `names`."""
    values, vectors = np.linalg.eig(np.asarray(jacobian, dtype=np.float64))
    order = np.argsort(np.abs(values))
    scale = float(np.max(np.abs(values), initial=0.0))
    return Spectrum(values[order].astype(complex), vectors[:, order].astype(complex), tuple(names), 1e-9 * scale)


def _number(w: complex) -> str:
    return f"{w.real:+.4g}" + (f" ± {abs(w.imag):.4g}i" if abs(w.imag) > 1e-12 * abs(w) else "")


def _time_text(seconds: float) -> str:
    if np.isinf(seconds):
        return "neutral"
    return f"{'recovers' if seconds > 0 else 'grows'} in {duration_text(abs(seconds))}"


def duration_text(seconds: float) -> str:
    """A time in the unit that suits it: "15.5 min"."""
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (np.inf, 86400, "days")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return "no end"
