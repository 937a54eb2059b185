"""A neuron under conductances, by the two limits in which its firing is known.

Fast synapses (`effective`): around its mean the membrane is a LIF with the effective time constant, tau = C/g_total and
v_leak = the effective reversal, driven by white noise of

    sigma^2 = sum_k 2 tau_k (sd_k o_k (E_k - V)/C)^2                                  [V^2/s]

whose finite correlation times shift threshold and reset (Fourcaud & Brunel 2002, Neural Comput. 14:2057). The noise is
taken at the mean potential: that it is multiplicative is left out, as is the shot noise beyond its variance
(Richardson & Gerstner 2005, Neural Comput. 17:923). Slow synapses (`quasi_static_rate`): the rate follows slow
conductances without delay, and is averaged over their law; fast ones beside them are noise, as above
(Moreno-Bote & Parga 2004, Phys. Rev. Lett. 92:028102).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.model.conductances import Conductance, Membrane, ShotConductance, checked, membrane
from equipoise.model.neurons import LIF, ConductanceLIF
from equipoise.quantities import Array
from equipoise.renewal import lif
from equipoise.renewal.firing import ALPHA, shift
from equipoise.results import Status
from equipoise.units import ms, mV

# Calibrated on simulations: within these the rate is right to about 10 %, or 20 % where spikes are rare.
LARGEST_FLUCTUATION = 0.2  # of the total conductance: sd over mean
LONGEST_SYNAPSE = 0.5  # synaptic over effective membrane time constant
LARGEST_JUMP = 0.25  # of the potential at one input, over v_threshold - v_reset
SLOW_SYNAPSE = 1.0  # from which on a conductance is averaged over, as LONGEST_SYNAPSE
# Of spikes per slow correlation time: with fewer, rare excursions are over before the neuron has fired.
RAREST = 0.1  # where the rate is some 20 % too high; at 0.03 it is by half
NODES, REACH = 160, 7.0
UNIT = LIF(tau_m=10 * ms, v_leak=0.0, v_threshold=1.0, v_reset=0.0, tau_ref=0.0)
"""Any leaky neuron, once times are counted in its time constant."""


@dataclass(frozen=True)
class Effective:
    """A LIF that fires as a neuron under conductances does; unpacks as ``neuron, mu, sigma = ...``.

    `mu` [V/s] and `sigma` [V/sqrt(s)] are the input of `neuron` for the verbs of `equipoise.renewal`; `tau_s` [s] is
    the noise-weighted correlation time of the synapses. `status` is APPROXIMATE outside the range of the reduction,
    which `message` then names.
    """

    neuron: LIF
    mu: float
    sigma: float
    membrane: Membrane
    tau_s: float
    status: Status
    message: str

    def __iter__(self) -> Iterator:
        return iter((self.neuron, self.mu, self.sigma))

    def __str__(self) -> str:
        return f"{self.membrane}; {self.status.name}{': ' if self.message else ''}{self.message}"


def effective(
    neuron: ConductanceLIF, conductances: Iterable[Conductance], *, drive: float = 0.0, filtered: bool = True
) -> Effective:
    """The LIF in place of a neuron under conductances and a current I/C = `drive` [V/s].

    Without `filtered` the synapses are taken as infinitely fast (white noise); with it the shift by their correlation
    times is in mu, to first order in sqrt(tau_s/tau), with the noise-weighted mean of sqrt(tau_s) where they differ.
    Raises TypeError for what is no conductance and ValueError for a bistable membrane.
    """
    given = checked("effective", neuron, conductances)
    at = membrane(neuron, given, drive=drive)
    powers = np.array([2.0 * x.covariance_time * pull**2 for x, pull in zip(given, at.pulls, strict=True)])
    sigma = float(np.sqrt(powers.sum()))
    roots = np.sqrt([x.covariance_time for x in given])
    tau_s = float(powers @ roots / powers.sum()) ** 2 if sigma > 0.0 else 0.0
    reduced = LIF(
        tau_m=at.tau, v_leak=at.v - drive * at.tau, v_threshold=neuron.v_threshold, v_reset=neuron.v_reset,
        tau_ref=neuron.tau_ref,
    )  # fmt: skip
    mu = drive - (shift(reduced, tau_s) * sigma if filtered else 0.0)
    wrong = _out_of_range(neuron, given, at, tau_s if filtered else 0.0)
    return Effective(reduced, mu, sigma, at, tau_s, Status.APPROXIMATE if wrong else Status.OK, wrong)


@dataclass(frozen=True)
class QuasiStaticRate:
    """A rate [Hz] averaged over slow conductances; APPROXIMATE outside of the range of that, which `message` names."""

    rate: float
    status: Status
    message: str

    def __str__(self) -> str:
        return f"{self.rate:.4g} Hz; {self.status.name}{': ' if self.message else ''}{self.message}"


def quasi_static_rate(
    neuron: ConductanceLIF, conductances: Iterable[Conductance], *, drive: float = 0.0
) -> QuasiStaticRate:
    """The rate where synapses are slower than the effective membrane, or some slower and the others fast.

    r = <1/(tau_ref + T(g, v_inf))> over the joint Gaussian law of the total conductance g and of the effective reversal
    v_inf that the slow conductances make, with T the mean passage time of the LIF with tau = C/g, v_leak = v_inf under
    the noise of the fast ones (none: a clock). The total of the slow ones does not fall below 0. The block of NMDA
    stays at its mean.
    """
    given = checked("quasi_static_rate", neuron, conductances)
    at = membrane(neuron, given, drive=drive)
    is_slow = np.array([x.covariance_time >= SLOW_SYNAPSE * at.tau for x in given], dtype=bool)
    parts = _Parts.of(given, at.v)
    g, v_inf, weights = _slow_laws(neuron, parts, is_slow, drive)
    sigma, root = _fast_noise(neuron, parts, ~is_slow, v_inf)
    times = neuron.capacitance / g / UNIT.tau_m  # in units of UNIT.tau_m
    shifted = v_inf - 0.5 * ALPHA * root * sigma
    cell = replace(UNIT, v_threshold=neuron.v_threshold, v_reset=neuron.v_reset)
    passage = lif.rate(cell, shifted / UNIT.tau_m, sigma * np.sqrt(times)) / times
    rate = float(weights @ (passage / (1.0 + neuron.tau_ref * passage)))
    wrong = "; ".join(filter(None, (_in_between(parts, ~is_slow, at), _rare(parts, is_slow, rate))))
    return QuasiStaticRate(rate, Status.APPROXIMATE if wrong else Status.OK, wrong)


@dataclass(frozen=True)
class _Parts:
    """Conductances as arrays (n,): open means and SDs [S], reversals [V], covariance times [s]."""

    mean: Array
    sd: Array
    reversal: Array
    time: Array

    @classmethod
    def of(cls, given: tuple[Conductance, ...], v: float) -> "_Parts":
        o = [float(x.receptor.open(v)) for x in given]
        rows = [(a * x.mean, a * x.sd, x.receptor.reversal, x.covariance_time) for a, x in zip(o, given, strict=True)]
        return cls(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)


def _slow_laws(
    neuron: ConductanceLIF, parts: _Parts, is_slow: NDArray[np.bool_], drive: float
) -> tuple[Array, Array, Array]:
    """Total conductance, effective reversal and weight at the nodes of an average over slow conductances.

    Two normal variates: one moves conductance and pull together, the other the pull alone.
    """
    sd = np.where(is_slow, parts.sd, 0.0)
    held = neuron.g_leak + parts.mean[~is_slow].sum()
    origin = neuron.v_leak  # potentials are counted from here
    away = parts.reversal - origin
    total = float(np.sqrt(sd @ sd))
    along = float(sd**2 @ away) / total if total else 0.0
    across = float(np.sqrt(max(0.0, (sd * away) @ (sd * away) - along**2)))
    z, w = np.polynomial.legendre.leggauss(NODES) if total else (np.zeros(1), np.ones(1))
    z, w = REACH * z, w * np.exp(-0.5 * (REACH * z) ** 2)
    g = held + np.maximum(parts.mean[is_slow].sum() + total * z[:, None], 0.0)
    pull = parts.mean @ away + drive * neuron.capacitance + along * z[:, None] + across * z
    weights = np.outer(w, w).ravel()
    return np.broadcast_to(g, pull.shape).ravel(), (origin + pull / g).ravel(), weights / weights.sum()


def _fast_noise(neuron: ConductanceLIF, parts: _Parts, is_fast: NDArray[np.bool_], v: Array) -> tuple[Array, Array]:
    """Sigma [V/sqrt(s)] of the fast conductances at potentials v, and their noise-weighted mean of sqrt(tau_s)."""
    times = parts.time[is_fast, None]
    powers = 2.0 * times * (parts.sd[is_fast, None] * (parts.reversal[is_fast, None] - v) / neuron.capacitance) ** 2
    power = powers.sum(0)
    root = (powers * np.sqrt(times)).sum(0) / np.where(power > 0.0, power, 1.0)
    return np.sqrt(power), root


def _in_between(parts: _Parts, is_fast: NDArray[np.bool_], at: Membrane) -> str:
    """Which synapses are neither slow nor fast beside the membrane, in words; the rate is then off by some 15 %."""
    doubtful = parts.time[is_fast & (parts.sd > 0.0)]
    if (doubtful <= LONGEST_SYNAPSE * at.tau).all():
        return ""
    return (
        f"synapses of {doubtful.max() / ms:.3g} ms are neither slow nor fast beside the membrane's {at.tau / ms:.3g} ms"
    )


def _rare(parts: _Parts, is_slow: NDArray[np.bool_], rate: float) -> str:
    """Spikes so rare that slow fluctuations are too short for them, in words."""
    longest = float(parts.time[is_slow & (parts.sd > 0.0)].max(initial=0.0))
    if rate * longest >= RAREST or longest == 0.0:
        return ""
    return (
        f"spikes are rarer than one in {1.0 / RAREST:g} correlation times of {longest / ms:.3g} ms, so that the rate "
        "is lower in truth"
    )


def _out_of_range(neuron: ConductanceLIF, given: tuple[Conductance, ...], at: Membrane, tau_s: float) -> str:
    """What the reduction leaves out and should not, in words."""
    wrong = []
    fluctuation = float(np.linalg.norm([x.sd * float(x.receptor.open(at.v)) for x in given])) / at.g_total
    if fluctuation > LARGEST_FLUCTUATION:
        wrong.append(f"conductances fluctuate by {100 * fluctuation:.0f} % of their sum, which is taken as constant")
    if tau_s > LONGEST_SYNAPSE * at.tau:
        wrong.append(
            f"synapses of {tau_s / ms:.3g} ms are not fast beside the membrane's {at.tau / ms:.3g} ms "
            "(see eq.renewal.quasi_static_rate)"
        )
    jump = max((_jump(neuron, x, at.v) for x in given), default=0.0)
    if jump > LARGEST_JUMP * (neuron.v_threshold - neuron.v_reset):
        wrong.append(f"one input moves the potential by {jump / mV:.2g} mV, which is no diffusion")
    return "; ".join(wrong)


def _jump(neuron: ConductanceLIF, x: Conductance, v: float) -> float:
    """What the charge of one input does to the potential [V]; 0 where there are no single inputs."""
    if not isinstance(x, ShotConductance):
        return 0.0
    return abs(x.weight * x.receptor.area * float(x.receptor.open(v)) * (x.receptor.reversal - v)) / neuron.capacitance
