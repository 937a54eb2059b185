"""Networks that are not the standard one: other synapses, few projections, missing kinds of input."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status
from equipoise.theory import network, network_loop
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


@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_beyond_the_critical_drive_excitation_is_zero_and_inhibition_holds_the_mean(scale):
    targets = eq.theory.network_set_points(standard(1000), SENSOR)
    circuit = ruled(standard(1000), targets, scale=scale).with_node("E", drive=1200.0)
    found = eq.theory.network_equilibrium(circuit)
    assert found.status is Status.WEIGHT_AT_ZERO
    assert "J_EE, J_EX ended at zero" in found.message
    assert "the second moment of E is 6.804 µM^2, where 6.496 is asked for" in found.message
    assert [w for n, w in zip(found.names, found.weights, strict=True) if n in ("J_EE", "J_EX")] == [0.0, 0.0]
    law = calcium_of(eq.theory.regulated(circuit, found), found.state, "E")
    assert law[0] == pytest.approx(targets["E"].mean, rel=0.02)  # a sample of 20,000 cells: 0.7 % standard error
    assert law[1] == pytest.approx(6.804, rel=0.04)


def calcium_of(circuit, state, population):
    cells = eq.theory.neuron_sample(circuit, state, population, 20_000, seed=3)
    law = eq.renewal.NeuronISI(LIF, mu=cells["mu"].values, sigma=cells["sigma"].values)
    return [float(moment.mean()) for moment in eq.renewal.calcium_moments(SENSOR, law)]


def test_evolution_ends_where_the_weight_at_zero_is_found():
    circuit = ruled(single(EXCITED, INHIBITED), eq.SetPoint(rate=5 * Hz, cv=0.9), scale="absolute")
    found = eq.theory.network_equilibrium(circuit)
    days = eq.theory.network_evolve(circuit, duration=3600.0, times=[0.0])
    assert found.status.name == days.attrs["status"] == "WEIGHT_AT_ZERO"
    end = days.isel(time=-1)
    assert found.weights == pytest.approx(end.weight.values, rel=1e-6)
    assert found.state.rates == pytest.approx(end.rate.values, rel=1e-6)


def test_without_inhibition_the_second_moment_alone_is_held():
    circuit = ruled(single(EXCITED), eq.SetPoint(rate=5 * Hz, cv=0.9))
    found = eq.theory.network_equilibrium(circuit)
    assert found.message == ("the mean of E is 1.158 µM, where 1.315 is asked for: there are no weights to hold it.")
    mean, second = calcium_of(eq.theory.regulated(circuit, found), found.state, "E")
    assert mean == pytest.approx(1.158, rel=0.02)
    assert second == pytest.approx(found.set_points["E"].second_moment, rel=0.03)


def test_a_branch_does_not_begin_where_a_weight_is_at_zero():
    circuit = ruled(single(EXCITED, INHIBITED), eq.SetPoint(rate=5 * Hz, cv=0.9))
    with pytest.raises(eq.NumericalFailure, match=r"no branch to follow at the start\. J_EY ended at zero"):
        eq.theory.branch(lambda rate: circuit.with_node("X", rate=rate), 10.0, 11.0)


def test_averages_over_unequal_perfect_integrators_reverse_divergent_encoding():
    pif = eq.PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0)
    circuit = standard(1000, pif, scale=10.0)
    found = eq.theory.network_equilibrium(ruled(circuit, eq.theory.network_set_points(circuit, SENSOR)))
    assert found.status is Status.UNSTABLE
    assert found.state.rates == pytest.approx([10.0, 10.0], rel=1e-3)
    assert "the unequal cells of E and of I the second moment falls" in found.message
    alone = ruled(circuit, eq.SetPoint(rate=8 * Hz, cv=0.8))
    rules = [eq.AttachedRule(one.population, one.rule, "neuron") for one in alone.rules]
    assert eq.theory.network_equilibrium(alone.with_rules(rules)).status is Status.OK


@pytest.mark.parametrize(("neuron", "scale", "sign"), [(LIF, 1.0, 1.0), ("PIF", 10.0, -1.0)])
def test_encoding_by_its_slopes_is_that_by_differences(neuron, scale, sign):
    neuron = eq.PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0) if neuron == "PIF" else neuron
    circuit = standard(1000, neuron, scale=scale)
    loop = network.loop_of(ruled(circuit, eq.SetPoint(rate=8 * Hz, cv=0.8)))
    x, h = eq.theory.mean_field(circuit).x, 1e-5
    kinds = np.array([loop.kind(*place) for place in loop.places])
    slopes = np.zeros((2, 2, 2))
    for kind in (0, 1):
        up, down = (
            network_loop.calcium_means(loop, loop.with_weights(loop.weights * step), x)
            for step in (np.exp(h * (kinds == kind)), np.exp(-h * (kinds == kind)))
        )
        slopes[:, :, kind] = np.log(up / down) / (2 * h)
    found = network_loop.encoding(loop, x, loop.slow)
    assert found == pytest.approx(np.linalg.det(slopes), rel=1e-4)
    assert (np.sign(found) == sign).all()


def test_a_population_without_inputs_is_silent_or_fires_by_its_drive():
    quiet = eq.theory.mean_field(eq.Circuit(populations=[eq.Population("E", neuron=LIF)], projections=[]))
    assert quiet.status is Status.SILENT
    driven = eq.theory.mean_field(eq.Circuit(populations=[eq.Population("E", neuron=LIF, drive=150.0)], projections=[]))
    # Without noise the LIF fires every tau_ref + tau_m log(mu tau_m/(mu tau_m - v_th)).
    assert driven.rates == pytest.approx([1.0 / (2e-3 + 10e-3 * np.log(1.5 / 0.5))], rel=1e-6)


def test_a_network_without_input_is_silent_and_nothing_else():
    state = eq.theory.mean_field(standard(400).with_node("X", rate=0.0))
    assert state.status is Status.SILENT
    assert state.message.startswith("the network is silent")
    assert "balance" not in state.message
    assert "no noise" not in state.message


def test_a_source_that_falls_silent_leaves_a_path():
    circuit = ruled(standard(1000), eq.theory.network_set_points(standard(1000), SENSOR))
    off = eq.During(eq.SourceRate("X", rate=0.0), 600.0, 1200.0)
    path = eq.theory.network_evolve(circuit, duration=1800.0, schedule=[off])
    assert (path.rate.values[path.epoch_of_time.values == 1] < 1e-3).all()
    assert (path.weight.sel(weight_name="J_EX").values > 0.0).all()


def test_a_drive_that_takes_part_in_the_balance_draws_no_remark():
    targets = eq.theory.network_set_points(standard(1000), SENSOR)
    found = eq.theory.network_equilibrium(ruled(standard(1000), targets).with_node("E", drive=300.0))
    assert found.state.message == ""
