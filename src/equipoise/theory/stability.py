"""Stability of an equilibrium: spectrum, recovery times, neutral directions and conserved quantities.

Theorem 3 of the paper holds only with its trace condition, which fails for few inputs, high C_v* and slow excitation.
So the spectrum is computed, never assumed. For Poisson inputs at absolute scale the determinant is exactly

    det J = 2 K^2 lam_E lam_I (J_E + J_I) (m_mu n_s - n_mu m_s)/(tau_E tau_I),    m = mu_Ca, n = nu_Ca, s = sigma^2.
"""

from dataclasses import dataclass

import numpy as np

from equipoise import dynamics
from equipoise.model.homeostasis import Rule
from equipoise.model.inputs import DrivenNeuron
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory.closed_loop import close
from equipoise.theory.equilibrium import Equilibrium, conserved


@dataclass(frozen=True, repr=False)
class Stability:
    """How a closed loop answers small disturbances.

    `pinned` names weights that sit at zero and are held there; the spectrum is that of the others. `jacobian` (n, n) is
    d(dx/dt)/dx of all slow variables [1/s where x is relative].
    """

    spectrum: dynamics.Spectrum
    jacobian: Array
    conserved_quantities: tuple[dynamics.Invariant, ...]
    pinned: tuple[str, ...]

    @property
    def stable(self) -> bool:
        """Whether all disturbances decay, apart from those along a line of equilibria."""
        return self.spectrum.stable

    @property
    def eigenvalues(self) -> dynamics.ComplexArray:
        """Eigenvalues [1/s], slowest first."""
        return self.spectrum.eigenvalues

    @property
    def recovery_times(self) -> Array:
        """-1/Re(eigenvalue) [s]."""
        return self.spectrum.recovery_times

    @property
    def zero_modes(self) -> tuple[dict[str, float], ...]:
        """Neutral directions by name."""
        return self.spectrum.zero_modes

    @property
    def status(self) -> Status:
        """OK, MARGINAL (stable up to neutral directions) or UNSTABLE."""
        if not self.stable:
            return Status.UNSTABLE
        return Status.MARGINAL if self.zero_modes else Status.OK

    def __repr__(self) -> str:
        rows = [repr(self.spectrum).replace("Spectrum", "Stability", 1)]
        rows += [f"  pinned at zero: {', '.join(self.pinned)}"] if self.pinned else []
        for mode in self.zero_modes:
            rows.append("  neutral direction: " + ", ".join(f"{n} {v:+.4g}" for n, v in mode.items()))
        rows += [f"  {q!r}" for q in self.conserved_quantities]
        return "\n".join(rows)


def stability(cell: DrivenNeuron, rule: Rule, *, at: Equilibrium) -> Stability:
    """Spectrum and conserved quantities of the closed loop at the equilibrium `at`.

    Raises TypeError or ValueError where `at` is no usable state.
    """
    if not isinstance(at, Equilibrium):
        raise TypeError(f"stability: at must be what eq.theory.equilibrium(cell, rule) returns, got {at!r}.")
    if not at.status.usable:
        raise ValueError(f"stability: at must be an equilibrium, got one with status {at.status.name}: {at.message}")
    loop = close(cell, rule)
    jacobian = loop.jacobian(at.state)
    free = [k for k, value in enumerate(at.state) if not (k < 2 and value == 0.0)]
    names = tuple(loop.names[k] for k in free)
    pinned = tuple(n for n in loop.names if n not in names)
    return Stability(
        dynamics.spectrum(jacobian[np.ix_(free, free)], names),
        jacobian,
        () if pinned else conserved(loop, at.state),
        pinned,
    )
