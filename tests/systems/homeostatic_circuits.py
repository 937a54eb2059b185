"""Circuits under homeostasis that the tests of the spiking level share; potentials in thresholds."""

import numpy as np

import equipoise as eq
from equipoise.units import Hz, hour, ms

LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms, v_threshold=1.0, v_reset=0.0, v_leak=0.0)
SENSOR = eq.Calcium()
CELL = eq.SetPoint(rate=10 * Hz, cv=0.9)
BALANCED = {
    "E": eq.CalciumSetPoint(mean=2.073686340350675, second_moment=6.495566332115104),
    "I": eq.CalciumSetPoint(mean=2.0836602516959246, second_moment=6.488718168537497),
}
"""Population means of the balanced limit of the network below."""

j = {("E", "E"): 1.0, ("I", "E"): -2.0, ("X", "E"): 1.0, ("E", "I"): 1.0, ("I", "I"): -1.8, ("X", "I"): 0.8}


def network(n=500, K=100, factor=0.9, rules=(), **changes):
    """E and I of n neurons each, weights factor j/sqrt(K), short delays; `changes` are of all recurrent projections."""
    inner = {"delay": 0.1 * ms} | changes
    return eq.Circuit(
        populations=[
            eq.Population("E", size=n, neuron=LIF), eq.Population("I", size=n, neuron=LIF), eq.Source("X", rate=10 * Hz)
        ],
        projections=[
            eq.Projection(
                source=s, target=t, weight=factor * w / np.sqrt(K), in_degree=K, **({} if s == "X" else inner)
            )
            for (s, t), w in j.items()
        ],
        rules=rules,
    )  # fmt: skip


def calcium_rules(scope="population", targets=BALANCED, kind=eq.CalciumHomeostasis, **options):
    """One calcium rule for each population."""
    options = {"tau_e": 2 * hour, "tau_i": 1 * hour} | options
    return [eq.AttachedRule(name, kind(SENSOR, target, **options), scope=scope) for name, target in targets.items()]


def alone(n=1000, K=400, weights=(0.039, 0.0235), rules=(), excitation=10 * Hz):
    """Unconnected neurons E under K excitatory (X) and K inhibitory (Y) Poisson trains each."""
    j_e, j_i = weights
    return eq.Circuit(
        populations=[
            eq.Population("E", size=n, neuron=LIF), eq.Source("X", rate=excitation), eq.Source("Y", rate=10 * Hz)
        ],
        projections=[
            eq.Projection(source="X", target="E", weight=j_e, connectivity=eq.FixedInDegree(K)),
            eq.Projection(source="Y", target="E", weight=-j_i, connectivity=eq.FixedInDegree(K)),
        ],
        rules=rules,
    )  # fmt: skip
