"""The rules that are compared, on pairs of E and I that are alike in rates and in the excitation of E.

Both are inhibition-stabilised, with E = 5 and I = 14 Hz, gains 1 and 4 and thresholds 4.8 and 25: the published pair of
Soldado-Magraner et al. 2022 (W = 5, 1.0857, 10, 1.5357), whose net recurrence D is -1.08, and one with D = 0.5, where
the other reading of the input-centric rule is stable. Every rule has its set points where the pair is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import AllToAll
from equipoise.model.intrinsic_rules import (
    DriveCentricThreshold,
    DualControl,
    InputCentricGain,
    InputCentricThreshold,
    NMDARThreshold,
    OutputCentricThreshold,
)
from equipoise.model.populations import Population
from equipoise.model.projections import Projection
from equipoise.model.protocols import Baclofen, ChemogeneticDrive, NMDARBlock, Protocol
from equipoise.model.rate_neurons import ThresholdLinear
from equipoise.model.slow_variables import SlowRule
from equipoise.model.synaptic_rules import CrossHomeostasis, HomeostaticWeights, InhibitoryScaling, SynapticScaling
from equipoise.rate.fixed_points import settle
from equipoise.rate.network import RateNetwork
from equipoise.rate.units import units
from equipoise.units import day, hour, ms

E, I = 5.0, 14.0  # noqa: E741 - as in the equations
GAIN, THETA = (1.0, 4.0), (4.8, 25.0)
W_EE, W_EI = 5.0, 38.0 / 35.0
H = W_EE * E - W_EI * I
TAU = 4 * hour
ACUTE, PROBE = {"baclofen": 0.8, "Dlx-Gq": 0.8, "NMDAR block": 0.85}, 0.5
"""Acute rate of E beside its baseline, and the strength of a perturbation with which that is sought."""
DAYS: dict[str, Any] = {"onset": 1 * day, "duration": 6 * day, "washout": 6 * day}
UNITS, SPREAD, SEED = 6, 0.5, 3


def weights(D: float) -> tuple[float, float, float, float]:
    """W_EE, W_EI, W_IE, W_II with net recurrence D = W_EE - W_EI gamma W_IE, gamma = g_I/(1 + g_I W_II).

    The rate of I needs W_IE = (theta_I + I/g_I + I W_II)/E, so that the recurrence is linear in W_II.
    """
    g, needed = GAIN[1], THETA[1] + I / GAIN[1]
    part = (W_EE - D) * E / (W_EI * g)
    W_II = (needed - part) / (part * g - I)
    return W_EE, W_EI, (needed + I * W_II) / E, W_II


def pair(D: float, sizes: tuple[float, float] = (np.inf, np.inf)) -> Circuit:
    """The pair with net recurrence D."""
    ee, ei, ie, ii = weights(D)
    signed = {("E", "E"): ee, ("I", "E"): -ei, ("E", "I"): ie, ("I", "I"): -ii}
    kinds = zip(("E", "I"), GAIN, THETA, (10 * ms, 2 * ms), sizes, strict=True)
    return Circuit(
        populations=[
            Population(name, neuron=ThresholdLinear(gain=g, threshold=theta, tau=tau), size=size)
            for name, g, theta, tau, size in kinds
        ],
        projections=[Projection(source=s, target=t, weight=w, connectivity=AllToAll()) for (s, t), w in signed.items()],
    )


def protocols(D: float) -> dict[str, Protocol]:
    """Six days of each perturbation and six after it, each as strong as makes E fall by a fifth at once.

    With the NMDAR block E falls by 15 %: more would leave reading B of the input-centric rule no active state.
    """
    kinds = {
        "baclofen": lambda x: Baclofen(current=x, **DAYS),
        "Dlx-Gq": lambda x: ChemogeneticDrive(drive=x, **DAYS),
        "NMDAR block": lambda x: NMDARBlock(threshold_shift=-x, **DAYS),
    }
    return {name: make(strength(D, make, ACUTE[name])) for name, make in kinds.items()}


def strength(D: float, make: Callable[[float], Protocol], acute: float) -> float:
    """The strength at which E falls at once to this part of its rate, which is linear in it while both fire."""
    low, high = (float(settle(make(x).perturbed(pair(D)), start=[E, I]).rates[0]) for x in (0.0, PROBE))
    return PROBE * (low - acute * E) / (low - high)


def many(D: float) -> RateNetwork:
    """The pair with excitatory units whose thresholds, and so their rates, differ."""
    return units(pair(D, (UNITS, 1)), seed=SEED, spread={"E": {"threshold": SPREAD}})


Rules = Sequence[SlowRule]


@dataclass(frozen=True)
class Compared:
    """A rule: its name in tables, what it is on the pair with net recurrence D, whether it needs units that differ."""

    name: str
    rules: Callable[[float], Rules]
    varied: bool = False


def _required(reading: str, **more: float) -> Rules:
    return [InputCentricThreshold("E", set_point=H, tau=TAU, reading=reading, **more)]  # pyright: ignore[reportArgumentType]


def _by_gain(reading: str) -> Rules:
    return [InputCentricGain("E", set_point=H, span=0.2, tau=TAU, reading=reading)]  # pyright: ignore[reportArgumentType]


def _nmdar(D: float, more_drive: str, slower: float = 1.0) -> Rules:
    drive = weights(D)[2] * E
    return [NMDARThreshold("I", "E", set_point=drive, tau=slower * TAU, more_drive=more_drive)]  # pyright: ignore[reportArgumentType]


def _weights(kind: type, speeds: tuple[float, float], targets: tuple[float, float] = (E, I)) -> Rules:
    pairs = zip(("E", "I"), targets, speeds, strict=True)
    return [kind(name, rate=rate, speed=speed / hour, lower=0.1) for name, rate, speed in pairs]


def _dual(D: float) -> Rules:
    net = many(D)
    r = settle(net, start=[E, I]).rates[net.place("E")]
    mean, rms = float(r.mean()), float(np.sqrt((r**2).mean()))
    return [DualControl("E", rate=mean, rms=rms, span=20.0, gain_span=5.0, tau=TAU)]


CROSS = _weights(CrossHomeostasis, (6e-3, 6e-3), (I, E))
RULES = (
    Compared("input-centric B, threshold", lambda _: _required("B")),
    Compared("input-centric B, gain", lambda _: _by_gain("B")),
    Compared("input-centric A, threshold", lambda _: _required("A")),
    Compared("input-centric A, gain", lambda _: _by_gain("A")),
    Compared("drive-centric", lambda _: [DriveCentricThreshold("E", set_point=W_EE * E, tau=TAU)]),
    Compared("output-centric", lambda _: [OutputCentricThreshold("E", rate=E, span=10.0, tau=TAU)]),
    Compared("B + NMDAR on PV", lambda D: [*_required("B"), *_nmdar(D, "lowers")]),
    Compared("B + anti-NMDAR on PV", lambda D: [*_required("B"), *_nmdar(D, "raises")]),
    Compared("A + NMDAR on PV", lambda D: [*_required("A"), *_nmdar(D, "lowers", slower=20.0)]),
    Compared("inhibitory scaling", lambda _: [InhibitoryScaling("E", "I", rate=E, speed=0.1 / hour)]),
    Compared("homeostatic weights", lambda _: _weights(HomeostaticWeights, (6e-2, 6e-4))),
    Compared("cross-homeostasis", lambda _: CROSS),
    Compared("two-term", lambda _: [*CROSS, *_weights(HomeostaticWeights, (1.5e-3, 1.5e-3))]),
    Compared("synaptic scaling", lambda _: _weights(SynapticScaling, (2e-1, 2e-3))),
    Compared("dual control", _dual, varied=True),
)
