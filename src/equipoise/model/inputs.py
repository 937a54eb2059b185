"""What drives one cell: excitatory and inhibitory trains, a tonic current, and the cell that receives them (Eq. 1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import ConductanceLIF, IntegrateAndFire
from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import kHz


@dataclass(frozen=True, kw_only=True)
class PoissonInputs:
    """K independent Poisson trains at `rate` [Hz] each."""

    K: float = quantity("number of inputs", low=0.0, open_low=True)
    rate: float = quantity("rate of each input", unit="Hz", low=0.0, high=1 * kHz, open_low=True, symbol="lambda")

    def __post_init__(self):
        check_fields(self)

    @property
    def total_rate(self) -> float:
        """K lambda [Hz], the rate that enters the mean."""
        return self.K * self.rate

    @property
    def noise_rate(self) -> float:
        """K lambda F [Hz], the rate that enters the variance; a Poisson train has Fano factor F = 1."""
        return self.total_rate


@dataclass(frozen=True, kw_only=True)
class RenewalInputs(PoissonInputs):
    """K independent renewal trains at `rate` [Hz] each, with long-time Fano factor `fano`.

    In the diffusion approximation a train of rate lambda contributes J lambda to the mean and J^2 lambda F to the noise
    intensity, F = C_v^2 for a renewal train.
    """

    fano: float = quantity("Fano factor of each input", default=1.0, low=0.0, open_low=True, symbol="F")

    @property
    def noise_rate(self) -> float:
        """K lambda F [Hz]."""
        return self.total_rate * self.fano


@dataclass(frozen=True)
class DrivenNeuron:
    """A neuron under excitation, inhibition and a tonic `drive` [V/s] such as a chronic optical current."""

    neuron: IntegrateAndFire
    excitation: PoissonInputs
    inhibition: PoissonInputs
    drive: float = quantity("tonic drive", default=0.0, symbol="I_opt")

    def __post_init__(self):
        if not isinstance(self.neuron, IntegrateAndFire):
            raise TypeError(f"DrivenNeuron.neuron must be a neuron such as eq.LIF(), got {self.neuron!r}.")
        if isinstance(self.neuron, ConductanceLIF):
            raise TypeError(
                "DrivenNeuron.neuron must take weights as jumps of its potential, got a ConductanceLIF, whose weights "
                "are conductances. Give an eq.LIF such as that of eq.renewal.effective(neuron, conductances)."
            )
        for name in ("excitation", "inhibition"):
            given = getattr(self, name)
            if not isinstance(given, PoissonInputs):
                raise TypeError(f"DrivenNeuron.{name} must be eq.PoissonInputs(K=..., rate=...), got {given!r}.")
        check_fields(self)

    def input_mean(self, j_e, j_i):
        """Eq. 1: mu = K_E lam_E J_E - K_I lam_I J_I + I_opt [V/s]."""
        return self.excitation.total_rate * j_e - self.inhibition.total_rate * j_i + self.drive

    def input_variance(self, j_e, j_i):
        """Eq. 1: sigma^2 = K_E lam_E F_E J_E^2 + K_I lam_I F_I J_I^2 [V^2/s]."""
        return self.excitation.noise_rate * j_e**2 + self.inhibition.noise_rate * j_i**2


@dataclass(frozen=True)
class Weights:
    """Excitatory and inhibitory weight [V], floats or arrays; unpacks as (j_e, j_i)."""

    j_e: float | Array
    j_i: float | Array

    def __iter__(self):
        return iter((self.j_e, self.j_i))


def weights_for(cell: DrivenNeuron, *, mu: float, sigma: float) -> Weights | None:
    """Weights that give the cell the input (mu, sigma), or None where no real pair exists (Eqs. 30-31, generalised).

    A weight may be negative, which the caller reports.
    """
    a, b = cell.excitation.total_rate, cell.inhibition.total_rate
    j_e, j_i = balancing_weights((a, b), (cell.excitation.noise_rate, cell.inhibition.noise_rate),
                                 mu - cell.drive, sigma * sigma)  # fmt: skip
    return None if np.isnan(j_e) else Weights(float(j_e), float(j_i))


def balancing_weights(mean_rates, noise_rates, m: ArrayLike, s: ArrayLike) -> tuple[Array, Array]:
    """(J_E, J_I) with a J_E - b J_I = m and c J_E^2 + d J_I^2 = s, for (a, b) and (c, d) given; all broadcast.

    Of the two roots the one with J_E + J_I > 0; a weight may be negative. NaN where no real pair exists.
    """
    a, b, c, d, m, s = (np.asarray(x, dtype=np.float64) for x in (*mean_rates, *noise_rates, m, s))
    scale = c * b * b + d * a * a
    disc = scale * s - c * d * m * m
    root = np.sqrt(np.where(disc < 0.0, np.nan, disc))
    return (
        _root(d * a * m, b * root, scale, b * b * s - d * m * m),
        _root(-c * b * m, a * root, scale, a * a * s - c * m * m),
    )


def _root(linear: Array, root: Array, scale: Array, product: Array) -> Array:
    """(linear + root)/scale; where the two nearly cancel, from the product of both roots instead."""
    plain = linear >= 0.0
    return np.where(plain, (linear + root) / scale, product / np.where(plain, 1.0, root - linear))
