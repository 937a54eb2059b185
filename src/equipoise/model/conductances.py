"""Conductances of one membrane: what opens them, their mean and fluctuations, and where they pull the potential.

The membrane obeys C dV/dt = g_L (E_L - V) + sum_k g_k(t) o_k(V) (E_k - V) + I. A conductance is steady, shot noise of
Poisson spikes (Campbell's theorem) or an Ornstein-Uhlenbeck process (the point-conductance model).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.inputs import PoissonInputs
from equipoise.model.neurons import ConductanceLIF, voltage
from equipoise.model.receptors import Receptor
from equipoise.model.synapses import AMPA, GABA_A
from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import ms, mV, nS, second, uS


@dataclass(frozen=True)
class SteadyConductance:
    """A constant conductance `mean` [S] of a receptor."""

    mean: float = quantity("conductance", unit="nS", low=0.0, high=100 * uS, symbol="g")
    receptor: Receptor = AMPA

    def __post_init__(self):
        check_fields(self)
        _check_receptor(self)

    @property
    def sd(self) -> float:
        """0 S."""
        return 0.0

    @property
    def covariance_time(self) -> float:
        """0 s."""
        return 0.0

    def passed(self, tau: float) -> float:  # noqa: ARG002
        """Nothing fluctuates."""
        return 0.0


@dataclass(frozen=True)
class ShotConductance:
    """Poisson spikes, each of which opens `weight` [S] at the peak of the receptor's kernel k.

    Campbell: mean = g K lambda int k dt, variance = g^2 K lambda int k^2 dt.
    """

    receptor: Receptor
    _: KW_ONLY
    weight: float = quantity("peak conductance", unit="nS", low=0.0, high=10 * uS, open_low=True, symbol="g")
    inputs: PoissonInputs

    def __post_init__(self):
        check_fields(self)
        _check_receptor(self)
        if type(self.inputs) is not PoissonInputs:
            raise TypeError(
                f"ShotConductance.inputs must be eq.PoissonInputs(K=..., rate=...), got {self.inputs!r}. Campbell's "
                "theorem is about Poisson trains."
            )

    @property
    def mean(self) -> float:
        """Campbell: g K lambda int k dt [S]."""
        return self.weight * self.inputs.total_rate * self.receptor.area

    @property
    def sd(self) -> float:
        """Root of g^2 K lambda int k^2 dt [S]."""
        return self.weight * math.sqrt(self.inputs.total_rate * self.receptor.square_area)

    @property
    def covariance_time(self) -> float:
        """That of the kernel [s]."""
        return self.receptor.covariance_time

    def passed(self, tau: float) -> float:
        """As the receptor's."""
        return self.receptor.passed(tau)


@dataclass(frozen=True, kw_only=True)
class PointConductance:
    """A conductance that fluctuates as an Ornstein-Uhlenbeck process: d g = (mean - g) dt/tau + sd sqrt(2/tau) dW.

    Source: Destexhe et al. 2001, Neuroscience 107:13. It is Gaussian, so that an sd near the mean would mean negative
    conductances.
    """

    mean: float = quantity("mean conductance", unit="nS", low=0.0, high=100 * uS, symbol="g_0")
    sd: float = quantity("standard deviation", unit="nS", low=0.0, high=100 * uS, symbol="sigma")
    tau: float = quantity("correlation time", unit="ms", low=0.0, high=1 * second, open_low=True)
    reversal: float = voltage("reversal potential", symbol="E")

    def __post_init__(self):
        check_fields(self)

    @classmethod
    def of(cls, shots: ShotConductance) -> "PointConductance":
        """The process with mean, variance and covariance time of a shot-noise conductance."""
        if not isinstance(shots, ShotConductance):
            raise TypeError(f"PointConductance.of: must be an eq.ShotConductance(...), got {shots!r}.")
        if np.any(shots.receptor.open_slope(-60 * mV)):
            raise TypeError("PointConductance.of: a conductance that the potential blocks has no such process.")
        return cls(mean=shots.mean, sd=shots.sd, tau=shots.covariance_time, reversal=shots.receptor.reversal)

    @property
    def covariance_time(self) -> float:
        """`tau` [s]."""
        return self.tau

    def passed(self, tau: float) -> float:
        """tau_s/(tau_s + tau)."""
        return self.tau / (self.tau + tau)

    @property
    def receptor(self) -> Receptor:
        """The receptor whose spikes would make this correlation."""
        return type(AMPA)(self.tau, reversal=self.reversal)


Conductance = SteadyConductance | ShotConductance | PointConductance

IN_VIVO = (
    PointConductance(mean=12.1 * nS, sd=3.0 * nS, tau=2.728 * ms, reversal=0.0),
    PointConductance(mean=57.3 * nS, sd=6.6 * nS, tau=10.49 * ms, reversal=-75 * mV),
)
"""Excitation and inhibition of a cortical pyramidal cell in a high-conductance state (Destexhe et al. 2001).

SDs and times are those of a published NEURON implementation that names the authors. Other scripts take SDs four times
as large, 12 and 26.4 nS, at which a Gaussian excitatory conductance is often below 0.
"""


# --- the tug-of-war ---------------------------------------------------------------------------------------------------
def balance_ratio(v: ArrayLike, *, excitatory: Receptor = AMPA, inhibitory: Receptor = GABA_A) -> Array:
    """g_I/g_E at which excitatory and inhibitory current cancel at potential v [V]: (E_E - v)/(v - E_I).

    4 at -60 mV with reversals of 0 and -75 mV. Weights are in proportion: inhibition that balances 25 % more excitation
    is 25 % more inhibition. Raises ValueError where no conductances cancel, outside of the two reversals.

    >>> round(float(balance_ratio(-60 * mV)), 12)
    4.0
    """
    for name, given in (("excitatory", excitatory), ("inhibitory", inhibitory)):
        if not isinstance(given, Receptor):
            raise TypeError(f"balance_ratio: {name} must be a receptor such as eq.AMPA, got {given!r}.")
    v, top, bottom = finite("balance_ratio", "v", v), excitatory.reversal, inhibitory.reversal
    if not ((bottom < v) & (v < top)).all():
        raise ValueError(
            f"balance_ratio: v must lie between the reversals, {bottom / mV:g} and {top / mV:g} mV, got "
            f"{np.array2string(v / mV, precision=4)} mV."
        )
    return ((top - v) * excitatory.open(v) / ((v - bottom) * inhibitory.open(v)))[()]


def currents(neuron: ConductanceLIF, conductances: Iterable[Conductance], v: ArrayLike) -> Array:
    """Currents into the cell at potential v [V]: leak, then each conductance at its mean (1 + n, ...) [A].

    g_k o_k(V) (E_k - V), above 0 where it depolarises. The last factor is the driving force.
    """
    v, given = finite("currents", "v", v), checked("currents", neuron, conductances)
    own = [g.mean * g.receptor.open(v) * (g.receptor.reversal - v) for g in given]
    return np.array([neuron.g_leak * (neuron.v_leak - v), *own])


@dataclass(frozen=True)
class Membrane:
    """A membrane under conductances, linear around the potential `v` [V] at which its mean currents cancel.

    `g_total` [S]: slope conductance, the sum of all conductances but for NMDA, whose block takes from it; `tau` [s] =
    C/g_total. `pulls` (n,) [V/s]: what a standard deviation of each conductance adds to dV/dt. `sd` [V] of the
    potential without threshold, sum_k (pull_k tau)^2 passed_k(tau).
    """

    v: float
    g_total: float
    tau: float
    pulls: tuple[float, ...]
    sd: float

    def __str__(self) -> str:
        return (
            f"{self.v / mV:.2f} mV ± {self.sd / mV:.2f} mV, {self.g_total / nS:.4g} nS, "
            f"time constant {self.tau / ms:.4g} ms"
        )


def membrane(neuron: ConductanceLIF, conductances: Iterable[Conductance], *, drive: float = 0.0) -> Membrane:
    """The membrane that a neuron becomes under conductances and a current I/C = `drive` [V/s], without threshold.

    V = (g_L E_L + sum_k g_k E_k + I)/(g_L + sum_k g_k), tau = C/(g_L + sum_k g_k): the effective time constant and
    reversal. Under NMDA both follow from the current's zero and slope; ValueError where there are several zeros, which
    the message lists. Source: Richardson & Gerstner 2005, Neural Comput. 17:923.
    """
    given, drive = checked("membrane", neuron, conductances), float(finite("membrane", "drive", drive))
    v = _balanced_potential(neuron, given, drive)
    g = neuron.g_leak + sum(x.mean * _slope(x, v) for x in given)
    tau = neuron.capacitance / g
    pulls = tuple(x.sd * float(x.receptor.open(v)) * (x.receptor.reversal - v) / neuron.capacitance for x in given)
    variance = sum((pull * tau) ** 2 * x.passed(tau) for pull, x in zip(pulls, given, strict=True))
    return Membrane(v, g, tau, pulls, math.sqrt(variance))


def checked(function: str, neuron: object, conductances: Iterable[Conductance]) -> tuple[Conductance, ...]:
    """The conductances as a tuple; TypeError that names what is none."""
    if not isinstance(neuron, ConductanceLIF):
        raise TypeError(f"{function}: neuron must be an eq.ConductanceLIF(...), got {neuron!r}.")
    if isinstance(conductances, Conductance) or not isinstance(conductances, Iterable):
        raise TypeError(f"{function}: conductances must be a list such as [eq.SteadyConductance(20 * nS, eq.AMPA)].")
    for i, x in enumerate(given := tuple(conductances)):
        if not isinstance(x, Conductance):
            raise TypeError(
                f"{function}: conductances[{i}] must be an eq.SteadyConductance, an eq.ShotConductance or an "
                f"eq.PointConductance, got {x!r}."
            )
    return given


# --- parts ------------------------------------------------------------------------------------------------------------
def _check_receptor(conductance: SteadyConductance | ShotConductance) -> None:
    if not isinstance(conductance.receptor, Receptor):
        raise TypeError(
            f"{type(conductance).__name__}.receptor must be a receptor such as eq.AMPA or eq.ConductanceSynapse(tau, "
            f"reversal), got {conductance.receptor!r}."
        )


def _slope(x: Conductance, v: float) -> float:
    """d/dV of o(V) (V - E): what of a conductance damps the potential; 1 without block."""
    r = x.receptor
    return float(r.open(v) + r.open_slope(v) * (v - r.reversal))


def _balanced_potential(neuron: ConductanceLIF, given: Sequence[Conductance], drive: float) -> float:
    """Where the mean currents cancel [V]."""
    if all(not x.receptor.open_slope(0.0) for x in given):
        g = neuron.g_leak + sum(x.mean for x in given)
        pull = neuron.g_leak * neuron.v_leak + sum(x.mean * x.receptor.reversal for x in given)
        return (pull + drive * neuron.capacitance) / g
    zeros = _zeros(neuron, given, drive)
    if len(zeros) > 1:
        listed = ", ".join(f"{v / mV:.1f}" for v in zeros)
        raise ValueError(
            f"membrane: NMDA conductance makes the potential bistable, the currents cancel at {listed} mV (the middle "
            "one is unstable). Take less NMDA conductance, or more of the others."
        )
    return zeros[0]


def _zeros(neuron: ConductanceLIF, given: Sequence[Conductance], drive: float) -> list[float]:
    """Every zero of the current, between potentials beyond which it has one sign."""
    from scipy.optimize import brentq

    ends = [neuron.v_leak + drive * neuron.tau_m, neuron.v_leak, *(x.receptor.reversal for x in given)]
    grid = np.linspace(min(ends) - 1 * mV, max(ends) + 1 * mV, 2001)

    def current(v: ArrayLike) -> Array:
        return currents(neuron, given, v).sum(0) + drive * neuron.capacitance

    above = current(grid) > 0.0
    places = np.flatnonzero(above[:-1] != above[1:])  # a zero on the grid belongs to one interval
    return [float(brentq(current, grid[i], grid[i + 1], xtol=1e-15)) for i in places]  # type: ignore[arg-type]
