"""Objects in the wrong place: one message that says what was wanted and what was given, never an AttributeError."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.units import Hz, hour, ms

LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)
INPUTS = eq.PoissonInputs(K=1000, rate=5 * Hz)
CELL = eq.DrivenNeuron(LIF, excitation=INPUTS, inhibition=INPUTS)
SENSOR = eq.Calcium()
TARGET = eq.SetPoint(rate=5 * Hz, cv=0.95)
RULE = eq.CalciumHomeostasis(SENSOR, TARGET)
GAMMA = eq.GammaISI(rate=5 * Hz, cv=1.0)

CALLS = {
    "cell and rule swapped": (lambda: eq.theory.equilibrium(RULE, CELL), r"cell must be an eq\.DrivenNeuron"),
    "a neuron without inputs": (lambda: eq.theory.equilibrium(LIF, RULE), r"cell must be .*, got LIF\("),
    "a word for a rule": (lambda: eq.theory.equilibrium(CELL, "rule"), r"rule must be a rule such as .*, got 'rule'"),
    "evolve without a rule": (lambda: eq.theory.evolve(CELL, None, duration=hour), r"rule must be a rule such as"),
    "weights for an equilibrium": (
        lambda: eq.theory.stability(CELL, RULE, at=(0.1, 0.1)),
        r"at must be what .*returns",
    ),
    "a number for a set point": (
        lambda: eq.CalciumHomeostasis(SENSOR, 5.0),
        r"target must be an eq\.SetPoint or .* 5\.0",
    ),
    "a set point for a sensor": (lambda: eq.CalciumHomeostasis(TARGET, TARGET), r"sensor must be an eq\.Calcium"),
    "a path for a recording": (lambda: eq.inference.analyze("x.npz"), r"must be a Recording, .* eq\.recordings\.load"),
    "a dict for settings": (lambda: eq.inference.analyze(eq.recordings.example(), {}), r"must be an AnalysisSettings"),
    "an epoch by its name": (
        lambda: eq.recordings.example().during("sleep"),
        r"epoch must be an Epoch such as recording\.epochs\[0\], got 'sleep'\. Epochs of this recording: sleep, wake",
    ),
    "a seed for a generator": (
        lambda: eq.renewal.sample(GAMMA, 10, 1),
        r"rng must be a numpy Generator, got 1\. Use np\.random",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_wrong_object_is_named(call):
    function, message = CALLS[call]
    with pytest.raises(TypeError, match=message):
        function()


def test_shapes_and_counts_are_named():
    with pytest.raises(ValueError, match=r"shapes that broadcast, got mu \(3,\), sigma \(2,\)"):
        eq.renewal.rate(LIF, mu=np.zeros(3), sigma=np.ones(2))
    with pytest.raises(ValueError, match=r"n must be a whole number of at least 0, got -1"):
        eq.renewal.sample(GAMMA, -1, np.random.default_rng(1))
