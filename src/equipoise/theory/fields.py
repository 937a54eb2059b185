"""Spectra of synaptic currents under Poisson bombardment, in closed form.

Each spike opens a kernel, so that the spectrum of shot noise is that of the kernel: a product of Lorentzians.
Excitation is fast and inhibition slow, so that a field that is their sum falls more steeply the more of it is
inhibition (Gao, Peterson & Voytek 2017, NeuroImage 158:70).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.conductances import ShotConductance
from equipoise.model.receptors import AlphaConductance, DoubleExponentialConductance
from equipoise.model.synapses import ConductanceSynapse
from equipoise.quantities import Array, finite
from equipoise.units import mV


def conductance_spectrum(frequency: ArrayLike, conductance: ShotConductance) -> Array:
    """One-sided power spectral density [S^2/Hz] of a shot-noise conductance at `frequency` [Hz], any shape.

    2 mean^2/(K lambda) prod_k 1/(1 + (2 pi f tau_k)^2) over the time constants of the kernel: Campbell's theorem. One
    for an exponential kernel, rise and decay for a double one, twice the same for an alpha function.
    """
    f = finite("theory.conductance_spectrum", "frequency", frequency, low=0.0)
    if not isinstance(conductance, ShotConductance):
        raise TypeError(
            f"theory.conductance_spectrum: conductance must be an eq.ShotConductance(...), got {conductance!r}."
        )
    falls = [1.0 / (1.0 + (2.0 * np.pi * f * tau) ** 2) for tau in _time_constants(conductance)]
    return 2.0 * conductance.mean**2 / conductance.inputs.total_rate * np.prod(falls, axis=0)


def field_spectrum(
    frequency: ArrayLike, conductances: Iterable[ShotConductance], *, v: float = -60 * mV
) -> tuple[Array, Array]:
    """Power spectral density [A^2/Hz] of the sum of |synaptic currents| at potential `v` [V], and its exponent (...).

    sum_k (o_k(v) (E_k - v))^2 S_k(f), the inputs being independent. The exponent is -d log S/d log f, in closed form;
    between 0 far below all knees and 2 (exponential kernels) or 4 far above. Caveats: the potential is held, inputs are
    Poisson and independent; in a network both have correlations of their own.
    """
    f, given = finite("theory.field_spectrum", "frequency", frequency, low=0.0), tuple(conductances)
    if not given:
        raise ValueError("theory.field_spectrum: conductances must hold one eq.ShotConductance(...) or more, got none.")
    powers = np.array([_force(x, v) ** 2 * conductance_spectrum(f, x) for x in given])
    total = powers.sum(axis=0)
    return total, (powers * np.array([_exponent(f, x) for x in given])).sum(axis=0) / total


def _force(x: ShotConductance, v: float) -> float:
    return float(x.receptor.open(v)) * (x.receptor.reversal - v)


def _exponent(f: Array, x: ShotConductance) -> Array:
    """Of one conductance: sum_k 2 (2 pi f tau_k)^2/(1 + (2 pi f tau_k)^2)."""
    squares = [(2.0 * np.pi * f * tau) ** 2 for tau in _time_constants(x)]
    return np.sum([2.0 * s / (1.0 + s) for s in squares], axis=0)


def _time_constants(x: ShotConductance) -> tuple[float, ...]:
    r = x.receptor
    if isinstance(r, ConductanceSynapse):
        return (r.tau,)
    if isinstance(r, DoubleExponentialConductance):
        return r.tau_rise, r.tau_decay
    if isinstance(r, AlphaConductance):
        return r.tau, r.tau
    raise TypeError(f"theory: the kernel of {r!r} has no known spectrum; take eq.ConductanceSynapse(tau, reversal).")
