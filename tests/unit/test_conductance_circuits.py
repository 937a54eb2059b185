"""Circuits of conductance neurons: signs, files, what is refused and in which words."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.units import Hz, hour, ms, mV, nS, pF, uM

CELL = eq.ConductanceLIF()
AMPA = eq.ConductanceSynapse(5 * ms, reversal=0 * mV)
GABA = eq.ConductanceSynapse(10 * ms, reversal=-80 * mV)


def projection(source, target, weight, synapse, **more):
    return eq.Projection(source=source, target=target, weight=weight, synapse=synapse, in_degree=10, **more)


def circuit(*, cell=CELL, synapses=(AMPA, GABA), weights=(0.5 * nS, 2 * nS)):
    e, i = synapses
    return eq.Circuit(
        populations=[eq.Population("E", size=80, neuron=cell), eq.Population("I", size=20, neuron=CELL)],
        sources=[eq.Source("X", rate=10 * Hz)],
        projections=[
            projection("E", "E", weights[0], e), projection("I", "E", weights[1], i), projection("X", "E", 1 * nS, e),
            projection("E", "I", 0.5 * nS, AMPA),
        ],
    )  # fmt: skip


def test_the_reversal_beside_the_threshold_says_what_excites():
    net = circuit()
    assert [net.sign_of(p) for p in net.projections] == [1.0, -1.0, 1.0, 1.0]
    np.testing.assert_allclose(net.weights() / nS, [[0.5, -2.0, 1.0], [0.5, 0.0, 0.0]], rtol=1e-14)


def test_an_inhibitory_reversal_may_depolarise():
    """-55 mV is above rest and below threshold: shunting inhibition."""
    shunting = circuit(synapses=(AMPA, eq.ConductanceSynapse(10 * ms, reversal=-55 * mV)))
    assert shunting.sign_of(shunting.projection("I", "E")) == -1.0


def test_signed_weights_go_round():
    net = circuit()
    assert net.with_weights(net.weights()) == net
    weights = 2.0 * net.weights()
    np.testing.assert_allclose(net.with_weights(weights).weights(), weights, rtol=1e-15)
    weights[0, 1] *= -1.0
    with pytest.raises(ValueError, match=r"with_weights: weights of I -> E must be negative, as its reversal says"):
        net.with_weights(weights)


def test_circuits_of_conductances_are_read_as_they_were_written():
    net = circuit()
    text = net.to_toml()
    assert 'weight = "0.5 nS"' in text
    assert 'capacitance = "200 pF"' in text
    assert 'reversal = "-80 mV"' in text
    assert eq.Circuit.from_toml(text) == net


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('weight = "2 nS"', "weight = 2", r"weight: must be a conductance .* got 2. Did you mean '2 nS'"),
        ('weight = "2 nS"', 'weight = "2 mV"', r"weight: must be a conductance .* got unit 'mV'"),
        ('weight = "2 nS"', 'weight = "-2 nS"', r"weight: must lie in \(0, 10000\] nS, got -2 nS"),
        ('reversal = "-80 mV"', "reversal = -80", r"reversal: must be a voltage .* Did you mean '-80 mV'"),
        ('reversal = "-80 mV"', 'reversal = "-80 V"', r"reversal: must lie in \[-200, 200\] mV, got -80000 mV"),
        ('v_leak = "-60 mV"', "v_leak = 0", r"v_leak: must be a voltage .* got 0"),
        ('capacitance = "200 pF"', "capacitance = 200", r"capacitance: must be a capacitance .* '200 pF'"),
    ],
)
def test_errors_of_a_file_name_the_place_and_the_unit(old, new, message):
    text = circuit().to_toml()
    assert old in text
    with pytest.raises(ValueError, match=message):
        eq.Circuit.from_toml(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: eq.ConductanceLIF(v_leak=-60.0), ValueError,
         r"ConductanceLIF.v_leak \(leak potential\) must lie in \[-200, 200\] mV, .* Did you mean v_leak=-60 \* mV"),
        (lambda: eq.ConductanceLIF(g_leak=10.0), ValueError, r"g_leak \(leak conductance\) .* g_leak=10 \* nS"),
        (lambda: eq.ConductanceLIF(capacitance=200.0), ValueError, r"capacitance=200 \* pF"),
        (lambda: eq.ConductanceLIF(capacitance=1 * pF, g_leak=1000 * nS), ValueError,
         r"capacitance/g_leak, the membrane time constant\) must lie in \[0.1, 1000\] ms, got 0.001 ms"),
        (lambda: eq.ConductanceLIF(v_reset=-40 * mV), ValueError, r"v_reset .* must lie below v_threshold=-0.05"),
        (lambda: eq.ConductanceSynapse(5 * ms, reversal=-80.0), ValueError, r"reversal=-80 \* mV"),
        (lambda: eq.ConductanceSynapse(5.0, reversal=0.0), ValueError, r"tau=5 \* ms"),
        (lambda: projection("E", "E", 2, AMPA), ValueError,
         r"Projection.weight \(peak conductance\) must lie in .* Did you mean weight=2 \* nS"),
        (lambda: projection("I", "E", -2 * nS, GABA), ValueError, r"must be above 0 nS, got -2 nS. .* reversal"),
        (lambda: projection("E", "E", 1 * nS, "AMPA"), TypeError, r"ConductanceSynapse\(tau, reversal\), got 'AMPA'"),
        (lambda: circuit(cell=eq.LIF(v_threshold=20 * mV)), TypeError,
         r"projections\[0\].synapse: must be a current, since 'E' has LIF neurons"),
        (lambda: circuit(synapses=(eq.ExponentialSynapse(5 * ms), GABA)), TypeError,
         r"projections\[0\].synapse: must be a conductance, since 'E' has ConductanceLIF neurons"),
        (lambda: circuit(synapses=(GABA, GABA)), ValueError,
         r"synapse.reversal: must have the sign of projections\[0\] \(Dale's law.*got 0 mV for E -> I beside -80 mV"),
        (lambda: eq.Circuit(populations=[eq.Population("E", neuron=CELL), eq.Population("L", neuron=eq.LIF())],
                            projections=[]), ValueError,
         r"populations\[1\].neuron: must be in volts, as 'E' .* Did you mean v_threshold=1 \* mV"),
        (lambda: eq.Population("E", neuron=CELL, spread=eq.Spread(tau_m=2 * ms)), ValueError,
         r"tau_m of ConductanceLIF neurons cannot vary. Those that can: v_threshold, v_reset, tau_ref"),
        (lambda: eq.DrivenNeuron(CELL, eq.PoissonInputs(K=1, rate=1 * Hz), eq.PoissonInputs(K=1, rate=1 * Hz)),
         TypeError, r"DrivenNeuron.neuron must take weights as jumps .* eq.renewal.effective"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_plain_words(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "study",
    [
        eq.theory.mean_field,
        eq.theory.fixed_points,
        eq.theory.balanced_limit,
        lambda net: eq.rate.simulate(net, duration=1.0),
        lambda net: eq.theory.network_set_points(net, eq.Calcium(tau=300 * ms, influx=1 * uM)),
    ],
)
def test_levels_of_currents_name_who_has_conductances(study):
    with pytest.raises(TypeError, match="'E' has ConductanceLIF neurons, whose time constant depends on their input"):
        study(circuit())


def test_manipulations_keep_the_conductance():
    net = circuit()
    blocked = eq.WeightBlock(source="I", target="E", fraction=0.25).apply(net)
    assert blocked.projection("I", "E").weight == pytest.approx(1.5 * nS, rel=1e-14)
    assert eq.Deafferentation(source="X", target="E", fraction=0.5).apply(net).in_degrees()[0, 2] == 5.0


def test_without_synapses_it_is_the_leaky_neuron():
    """Closed forms and threshold integration of the neuron itself agree."""
    mu, sigma = np.array([0.4, 0.7]), np.array([0.02, 0.05])
    passive = CELL.passive
    assert passive.tau_m == pytest.approx(20 * ms, rel=1e-14)
    for verb in (eq.renewal.rate, eq.renewal.cv):
        np.testing.assert_array_equal(verb(CELL, mu=mu, sigma=sigma), verb(passive, mu=mu, sigma=sigma))
    integrated = eq.renewal.threshold_integration.rate(CELL, mu, sigma)
    np.testing.assert_allclose(integrated, eq.renewal.rate(CELL, mu=mu, sigma=sigma), rtol=1e-9)


def test_a_population_with_a_rule_is_still_read_back():
    sensor = eq.Calcium(tau=300 * ms, influx=1 * uM)
    rule = eq.CalciumHomeostasis(sensor, target=eq.SetPoint(rate=5 * Hz, cv=0.8), tau_e=2 * hour, tau_i=1 * hour)
    net = circuit().with_rules([eq.AttachedRule(population="E", rule=rule)])
    assert eq.Circuit.from_toml(net.to_toml()) == net
