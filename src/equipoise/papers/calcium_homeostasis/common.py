"""The cell, sensor and set point that the paper's figures share."""

from equipoise.model import inputs
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumHomeostasis, Scale, SetPoint
from equipoise.model.neurons import EIF, LIF, PIF
from equipoise.units import Hz, hour, ms, uM

SENSOR = Calcium(tau=300 * ms, influx=1 * uM, buffering=0.1)
PIF_NEURON = PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0)
LIF_NEURON = LIF(tau_m=10 * ms, v_threshold=1.0, v_reset=0.0, v_leak=0.0, tau_ref=2 * ms)
EIF_NEURON = EIF(tau_m=10 * ms, v_leak=0.0, v_onset=1.0, slope=0.1, v_threshold=2.5, v_reset=0.0, tau_ref=2 * ms)
RATE = 5 * Hz
"""The paper's rate in Fig. 1, used as input rate and set point throughout (the paper prints no other)."""


def driven(K: float = 200, *, drive: float = 0.0, fano: float = 1.0) -> inputs.DrivenNeuron:
    """The PIF under K + K inputs of 5 Hz; `fano` makes both renewal trains of that irregularity."""
    trains = inputs.PoissonInputs(K=K, rate=RATE) if fano == 1.0 else inputs.RenewalInputs(K=K, rate=RATE, fano=fano)
    return inputs.DrivenNeuron(PIF_NEURON, excitation=trains, inhibition=trains, drive=drive)


def rule(cv: float = 0.8, *, tau_e: float = 2 * hour, tau_i: float = 1 * hour, scale: Scale = "relative"):
    """Calcium homeostasis at 5 Hz and C_v* = `cv`."""
    return CalciumHomeostasis(SENSOR, SetPoint(rate=RATE, cv=cv), tau_e=tau_e, tau_i=tau_i, scale=scale)
