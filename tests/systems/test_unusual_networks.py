"""Networks that are not the standard one: other synapses, few projections, missing kinds of input."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status
from equipoise.units import Hz, ms

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)
J = np.array([[1.0, -2.0, 1.0], [1.0, -1.8, 0.8]])


def standard(K, neuron=LIF, *, scale=1.0, synapse=None):
    synapses = {} if synapse is None else {"synapse": synapse}
    projections = [
        eq.Projection(source=s, target=t, weight=scale * J[i, j] / np.sqrt(K), in_degree=K, **synapses)
        for i, t in enumerate("EI")
        for j, s in enumerate("EIX")
    ]
    nodes = [*(eq.Population(name, neuron=neuron) for name in "EI"), eq.Source("X", rate=10 * Hz)]
    return eq.Circuit(populations=nodes, projections=projections)


def single(*projections, drive=0.0):
    sources = [eq.Source(name, rate=10 * Hz) for name in "XY" if any(p.source == name for p in projections)]
    return eq.Circuit(populations=[eq.Population("E", neuron=LIF, drive=drive), *sources], projections=projections)


def ruled(circuit, target, **options):
    goals = target if isinstance(target, dict) else dict.fromkeys((p.name for p in circuit.populations), target)
    return circuit.with_rules(
        [eq.AttachedRule(name, eq.CalciumHomeostasis(SENSOR, goal, **options)) for name, goal in goals.items()]
    )


EXCITED = eq.Projection(source="X", target="E", weight=0.06, in_degree=1000)
INHIBITED = eq.Projection(source="Y", target="E", weight=-0.06, in_degree=950)


def test_set_points_of_the_balanced_limit_hold_its_rates_with_exponential_synapses():
    circuit = standard(1e5, synapse=eq.ExponentialSynapse(tau=1 * ms))
    held = eq.theory.network_equilibrium(ruled(circuit, eq.theory.network_set_points(circuit, SENSOR)))
    assert held.state.rates == pytest.approx([10.0, 10.0], rel=2e-4)


@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_one_weight_of_each_kind_conserves_nothing(scale):
    circuit = single(EXCITED, INHIBITED)
    now = eq.theory.mean_field(circuit)
    cells = eq.theory.neuron_sample(circuit, now, "E", 4000, seed=1)
    law = eq.renewal.NeuronISI(LIF, mu=cells["mu"].values, sigma=cells["sigma"].values)
    mean, second = (float(m.mean()) for m in eq.renewal.calcium_moments(SENSOR, law))
    goal = eq.CalciumSetPoint(mean=0.95 * mean, second_moment=0.95 * second)
    found = eq.theory.network_equilibrium(ruled(circuit, goal, scale=scale))
    assert found.status is Status.OK
    assert found.conserved == ()
    assert not found.spectrum.zero.any()
