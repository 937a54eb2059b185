"""A neuron under conductances, by the two limits in which its firing is known.

Fast synapses (`effective`): around its mean the membrane is a LIF with the effective time constant, tau = C/g_total and
v_leak = the effective reversal, driven by white noise of

    sigma^2 = sum_k 2 tau_k (sd_k o_k (E_k - V)/C)^2                                  [V^2/s]

whose finite correlation times shift threshold and reset (Fourcaud & Brunel 2002, Neural Comput. 14:2057). The noise is
taken at the mean potential: that it is multiplicative is left out, as is the shot noise beyond its variance
(Richardson & Gerstner 2005, Neural Comput. 17:923). Slow synapses (`quasi_static_rate`): the rate follows the
conductances without delay, and is averaged over their law (Moreno-Bote & Parga 2004, Phys. Rev. Lett. 92:028102).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from equipoise.model.conductances import Conductance, Membrane, ShotConductance, checked, membrane
from equipoise.model.neurons import LIF, ConductanceLIF
from equipoise.quantities import Array
from equipoise.renewal.firing import shift
from equipoise.results import Status
from equipoise.units import ms, mV

# Calibrated on simulations: within these the rate is right to about 15 %.
LARGEST_FLUCTUATION = 0.2  # of the total conductance: sd over mean
LONGEST_SYNAPSE = 0.5  # synaptic over effective membrane time constant
LARGEST_JUMP = 0.25  # of the potential at one input, over v_threshold - v_reset
SHORTEST_SYNAPSE = 1.0  # for the quasi-static limit, as LONGEST_SYNAPSE
NODES, REACH = 160, 7.0


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
    lif = LIF(
        tau_m=at.tau, v_leak=at.v - drive * at.tau, v_threshold=neuron.v_threshold, v_reset=neuron.v_reset,
        tau_ref=neuron.tau_ref,
    )  # fmt: skip
    mu = drive - (shift(lif, tau_s) * sigma if filtered else 0.0)
    wrong = _out_of_range(neuron, given, at, tau_s if filtered else 0.0)
    return Effective(lif, mu, sigma, at, tau_s, Status.APPROXIMATE if wrong else Status.OK, wrong)


@dataclass(frozen=True)
class QuasiStaticRate:
    """A rate [Hz] in the limit of slow synapses; APPROXIMATE where they are not slow, as `message` says."""

    rate: float
    status: Status
    message: str

    def __str__(self) -> str:
        return f"{self.rate:.4g} Hz; {self.status.name}{': ' if self.message else ''}{self.message}"


def quasi_static_rate(
    neuron: ConductanceLIF, conductances: Iterable[Conductance], *, drive: float = 0.0
) -> QuasiStaticRate:
    """The rate where synapses are slower than the effective membrane.

    r = <1/(tau_ref + tau log((v_inf - v_reset)/(v_inf - v_threshold)))> over the joint Gaussian law of the total
    conductance and of its pull, tau = C/g and v_inf the effective reversal of each; conductances do not fall below 0.
    The block of NMDA stays at its mean.
    """
    given = checked("quasi_static_rate", neuron, conductances)
    at = membrane(neuron, given, drive=drive)
    g, v_inf, weights = _laws(neuron, given, at, drive)
    rates = np.zeros_like(g)
    fires = v_inf > neuron.v_threshold
    above = v_inf[fires]
    time = neuron.capacitance / g[fires] * np.log((above - neuron.v_reset) / (above - neuron.v_threshold))
    rates[fires] = 1.0 / (neuron.tau_ref + time)
    wrong = _too_fast(given, at)
    return QuasiStaticRate(float(weights @ rates), Status.APPROXIMATE if wrong else Status.OK, wrong)


def _laws(
    neuron: ConductanceLIF, given: tuple[Conductance, ...], at: Membrane, drive: float
) -> tuple[Array, Array, Array]:
    """Total conductance, effective reversal and weight at the nodes of an average over the conductances.

    Two normal variates: one moves conductance and pull together, the other the pull alone.
    """
    o = np.array([float(x.receptor.open(at.v)) for x in given])
    mean, sd = (o * np.array([getattr(x, name) for x in given]) for name in ("mean", "sd"))
    away = np.array([x.receptor.reversal - at.v for x in given])
    z, w = np.polynomial.legendre.leggauss(NODES)
    z, w = REACH * z, w * np.exp(-0.5 * (REACH * z) ** 2)
    w /= w.sum()
    total = float(np.sqrt(sd @ sd))
    along = float(sd**2 @ away) / total if total else 0.0
    across = float(np.sqrt(max(0.0, (sd * away) @ (sd * away) - along**2)))
    g = neuron.g_leak + np.maximum(mean.sum() + total * z[:, None], 0.0)
    balance = neuron.g_leak * (neuron.v_leak - at.v) + mean @ away + drive * neuron.capacitance
    pull = balance + along * z[:, None] + across * z
    return np.broadcast_to(g, pull.shape).ravel(), (at.v + pull / g).ravel(), np.outer(w, w).ravel()


def _too_fast(given: tuple[Conductance, ...], at: Membrane) -> str:
    """Which synapses the potential does not follow, in words."""
    times = [x.covariance_time for x, pull in zip(given, at.pulls, strict=True) if pull]
    if min(times, default=np.inf) >= SHORTEST_SYNAPSE * at.tau:
        return ""
    return (
        f"synapses of {min(times) / ms:.3g} ms are faster than the membrane's {at.tau / ms:.3g} ms "
        "(see eq.renewal.effective)"
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
