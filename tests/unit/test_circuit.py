"""Circuits: what the arrays mean, circuits made from others, and every complaint about an unsound one."""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.units import Hz, mV, second

LIF = eq.LIF()
SENSOR = eq.Calcium()
RULE = eq.CalciumHomeostasis(sensor=SENSOR, target=eq.SetPoint(rate=10 * Hz, cv=1.0))


def projection(source, target, weight=0.1, in_degree=100.0, **more):
    return eq.Projection(source=source, target=target, weight=weight, in_degree=in_degree, **more)


def circuit(*projections, rules=(), sizes=(400, 100)):
    populations = [
        eq.Population("E", size=sizes[0], neuron=LIF),
        eq.Source("X", rate=10 * Hz),
        eq.Population("I", size=sizes[1], neuron=LIF),
    ]
    return eq.Circuit(populations=populations, projections=projections, rules=rules)


@pytest.fixture
def mixed():
    """One projection of each kind of connectivity and synapse."""
    return circuit(
        eq.Projection(source="E", target="I", weight=0.1, connectivity=eq.ErdosRenyi(probability=0.25)),
        eq.Projection(source="I", target="E", weight=-0.2, connectivity=eq.FixedInDegree(80), delay=0.8e-3),
        projection("X", "E", 0.3, 1000, synapse=eq.ExponentialSynapse(5e-3)),
    )


# --- arrays -----------------------------------------------------------------------------------------------------------
def test_arrays_are_post_by_pre_with_sources_last(mixed):
    assert mixed.names == ("E", "I", "X")
    assert [p.name for p in mixed.populations] == ["E", "I"]
    assert [s.name for s in mixed.sources] == ["X"]
    np.testing.assert_array_equal(mixed.weights(), [[0, -0.2, 0.3], [0.1, 0, 0]])
    np.testing.assert_array_equal(mixed.in_degrees(), [[0, 80, 1000], [100, 0, 0]])
    np.testing.assert_array_equal(mixed.in_degree_variances(), [[0, 0, 1000], [75, 0, 0]])
    np.testing.assert_array_equal(mixed.finite_p(), [[1, 1, 1], [0.75, 1, 1]])
    np.testing.assert_array_equal(mixed.connected(), [[False, True, True], [True, False, False]])
    np.testing.assert_array_equal(mixed.delays(), [[0, 0.8e-3, 1.5e-3], [1.5e-3, 0, 0]])
    np.testing.assert_array_equal(mixed.synaptic_times(), [[0, 0, 5e-3], [0, 0, 0]])


@pytest.mark.parametrize("kind", ["sparse", "finite", "fixed"])
def test_mean_and_variance_of_the_summed_rate_are_those_of_sampled_graphs(kind):
    """Sum over the inputs of 20,000 neurons, rates drawn anew: mean K r, variance K (q - r^2) + Var(k) r^2.

    Three-sigma limits on the mean and on the variance (fourth moments estimated from the sample).
    """
    rng = np.random.default_rng(3)
    n, K, neurons = 200, 50, 20_000
    connectivity, in_degrees = {
        "sparse": (eq.ErdosRenyi(in_degree=K), lambda: rng.poisson(K, neurons)),
        "finite": (eq.ErdosRenyi(probability=K / n), lambda: rng.binomial(n, K / n, neurons)),
        "fixed": (eq.FixedInDegree(K), lambda: np.full(neurons, K)),
    }[kind]
    shape, scale = 2.0, 5.0  # gamma-distributed rates, so that the sum over k inputs is gamma of shape 2 k
    total = rng.gamma(shape * in_degrees(), scale)
    r, var_r = shape * scale, shape * scale**2
    variance = connectivity.mean(n) * var_r + connectivity.variance(n) * r**2
    assert abs(total.mean() - connectivity.mean(n) * r) < 3 * math.sqrt(variance / neurons)
    squares = (total - total.mean()) ** 2
    assert abs(squares.mean() - variance) < 3 * squares.std() / math.sqrt(neurons)


def test_in_degree_is_short_for_sparse_erdos_renyi():
    assert projection("E", "I", in_degree=1000).connectivity == eq.ErdosRenyi(in_degree=1000)


def test_probability_and_in_degree_have_one_mean_and_differ_in_variance():
    p, k = eq.ErdosRenyi(probability=0.1), eq.ErdosRenyi(in_degree=40.0)
    assert p.mean(400) == k.mean(400) == 40.0
    assert (p.variance(400), k.variance(400)) == (36.0, 40.0)


# --- other circuits ---------------------------------------------------------------------------------------------------
def test_a_circuit_is_frozen_comparable_and_hashable(mixed):
    same = replace(mixed)
    assert same == mixed
    assert hash(same) == hash(mixed)
    with pytest.raises(FrozenInstanceError):
        mixed.name = "other"


def test_with_projection_changes_one_projection(mixed):
    new = mixed.with_projection("I", "E", weight=-0.5, in_degree=40)
    assert new.projection("I", "E").connectivity == eq.FixedInDegree(40)
    assert new.weights()[0, 1] == -0.5
    assert new.with_projection("I", "E", weight=-0.2, in_degree=80) == mixed


def test_with_projection_keeps_the_finite_graph(mixed):
    assert mixed.with_projection("E", "I", in_degree=40).projection("E", "I").connectivity == eq.ErdosRenyi(
        probability=0.1
    )


def test_with_weights(mixed):
    new = mixed.with_weights(2 * mixed.weights())
    np.testing.assert_array_equal(new.weights(), 2 * mixed.weights())
    assert new.with_weights(mixed.weights()) == mixed


def test_scaled_keeps_ratios_and_weights_times_root_k(mixed):
    new = mixed.scaled(250)
    np.testing.assert_allclose(new.in_degrees(), mixed.in_degrees() / 4, rtol=1e-14)
    np.testing.assert_allclose(new.weights(), 2 * mixed.weights(), rtol=1e-14)
    assert [type(p.connectivity) for p in new.projections] == [type(p.connectivity) for p in mixed.projections]
    assert new.projection("E", "I").connectivity.probability == pytest.approx(0.0625, rel=1e-14)


def test_scaled_to_one_k_gives_that_k_exactly():
    c = circuit(projection("E", "I", in_degree=97), projection("E", "E", in_degree=97)).infinite()
    for k in (1, 333, 1e6):
        assert set(c.scaled(k).in_degrees()[c.connected()]) == {k}


def test_infinite_keeps_in_degrees_and_drops_the_finite_size_correction(mixed):
    new = mixed.infinite()
    assert all(math.isinf(p.size) for p in new.populations)
    np.testing.assert_array_equal(new.in_degrees(), mixed.in_degrees())
    np.testing.assert_array_equal(new.in_degree_variances(), [[0, 0, 1000], [100, 0, 0]])
    np.testing.assert_array_equal(new.finite_p(), 1.0)


def test_rules_are_found_by_population():
    c = circuit(projection("E", "I"), rules=[eq.AttachedRule("I", RULE, scope="neuron")])
    assert c.rule_of("I") == eq.AttachedRule("I", RULE, "neuron")
    assert c.rule_of("E") is None


def test_repr():
    c = circuit(projection("E", "I"), rules=[eq.AttachedRule("I", RULE)])
    assert repr(c) == "Circuit(unnamed: E (400 LIF), I (100 LIF), X (10 Hz); 1 projections, 1 rule)"


def test_sizes_may_be_numpy_numbers():
    assert type(eq.Population("E", size=np.int64(5), neuron=LIF).size) is int
    assert eq.Population("E", size=np.float64(5), neuron=LIF).size == 5
    assert eq.Population("E", neuron=LIF).size == math.inf


# --- complaints: the parts --------------------------------------------------------------------------------------------
PARTS = {
    "Population.name must be letters, digits and underscores and not begin with a digit, got '23E'. "
    "Did you mean 'P23E'?": lambda: eq.Population("23E", neuron=LIF),
    "got 'L2/3 E'. Did you mean 'L2_3_E'?": lambda: eq.Population("L2/3 E", neuron=LIF),
    "got 'in'. Did you mean 'in_'?": lambda: eq.Source("in", rate=1 * Hz),
    "Source.name must be text such as 'E', got 3.": lambda: eq.Source(3, rate=1 * Hz),
    "Population.size of 'E' must be a whole number of at least 1, or infinite, got 2.5.": lambda: eq.Population(
        "E", size=2.5, neuron=LIF
    ),
    "or infinite, got nan.": lambda: eq.Population("E", size=math.nan, neuron=LIF),
    "Population.size of 'E' must be a whole number, got 'many'.": lambda: eq.Population("E", size="many", neuron=LIF),
    "Population.neuron of 'E' must be a neuron such as eq.LIF(), got 'LIF'.": lambda: eq.Population("E", neuron="LIF"),
    "Source.rate (rate of each train) must lie in [0, 1000] Hz, got -1 Hz.": lambda: eq.Source("X", rate=-1),
    "Projection.delay (conduction delay) must lie in [0, 1000] ms, got 1500 ms. Did you mean delay=1.5 * ms?": lambda: (
        projection("E", "I", delay=1.5)
    ),
    "Projection.weight (signed weight) must not be 0. Leave the projection out instead.": lambda: projection(
        "E", "I", 0.0
    ),
    "Projection: give either in_degree or connectivity, got neither.": lambda: eq.Projection(
        source="E", target="I", weight=1.0
    ),
    "Projection: give either in_degree or connectivity, got both.": lambda: projection(
        "E", "I", connectivity=eq.FixedInDegree(3)
    ),
    "Projection.connectivity must be ErdosRenyi(...), FixedInDegree(...) or AllToAll(), got 3. For a number of "
    "inputs use in_degree=.": lambda: eq.Projection(source="E", target="I", weight=1.0, connectivity=3),
    "Projection.synapse must be DeltaSynapse(), ExponentialSynapse(tau) or ConductanceSynapse(tau, reversal), got "
    "0.005.": lambda: projection("E", "I", synapse=5e-3),
    "Projection.source must be a name such as 'E', got Population(": lambda: projection(
        eq.Population("E", neuron=LIF), "I"
    ),
    "ExponentialSynapse.tau (synaptic time constant) must lie in (0, 1000] ms, got 5000 ms. "
    "Did you mean tau=5 * ms?": lambda: eq.ExponentialSynapse(5 * second),
    "ErdosRenyi.in_degree (mean number of inputs per neuron) must be above 0, got 0.": lambda: eq.ErdosRenyi(
        in_degree=0
    ),
    "ErdosRenyi.probability (connection probability) must lie in (0, 1], got 10.": lambda: eq.ErdosRenyi(
        probability=10
    ),
    "ErdosRenyi: give either in_degree or probability, got neither.": lambda: eq.ErdosRenyi(),
    "ErdosRenyi: give either in_degree or probability, got both.": lambda: eq.ErdosRenyi(in_degree=3, probability=0.1),
    "AttachedRule.scope must be 'population' or 'neuron', got 'neurons'. Did you mean 'neuron'?": lambda: (
        eq.AttachedRule("E", RULE, scope="neurons")
    ),
    "AttachedRule.rule must be a homeostatic rule such as eq.CalciumHomeostasis(...), got Calcium(": lambda: (
        eq.AttachedRule("E", SENSOR)
    ),
}

# --- complaints: the whole --------------------------------------------------------------------------------------------
WHOLE = {
    "Circuit.populations: names must be unique, got 'E' 2 times.": lambda: eq.Circuit(
        populations=[eq.Population("E", neuron=LIF), eq.Source("E", rate=1.0)], projections=[]
    ),
    "Circuit.populations: must hold at least one population, got none.": lambda: eq.Circuit(
        populations=[eq.Source("X", rate=1.0)], projections=[]
    ),
    "Circuit.populations[0]: must be an eq.Population(...), got 'E'.": lambda: eq.Circuit(
        populations=["E"], projections=[]
    ),
    "Circuit.rules[0]: must be an eq.AttachedRule(...), or a rule on slow": lambda: circuit(rules=[RULE]),
    "Circuit.name: must be text, got 3.": lambda: replace(circuit(), name=3),
    "Circuit.projections[1].source: unknown name 'Ex'. Did you mean 'E'? Known: E, I, X.": lambda: circuit(
        projection("E", "I"), projection("Ex", "I")
    ),
    "Circuit.projections[0].target: unknown name 'II'. Did you mean 'I'? Known: E, I.": lambda: circuit(
        projection("E", "II")
    ),
    "Circuit.projections[0].target: must be a population, got the source 'X', which receives nothing.": lambda: circuit(
        projection("E", "X")
    ),
    "Circuit.projections[1]: E -> I is given already by projections[0]. Merge the two.": lambda: circuit(
        projection("E", "I"), projection("E", "I", in_degree=5)
    ),
    "Circuit.projections[1].weight: must have the sign of projections[0] (Dale's law: one sign for all outputs of "
    "'I'), got 0.1 for I -> I beside -0.2 for I -> E.": lambda: circuit(
        projection("I", "E", -0.2), projection("I", "I", 0.1)
    ),
    "Circuit.projections[0].in_degree: must not exceed the 100 neurons of 'I', got 101. Enlarge 'I', or leave its size "
    "out for the infinite limit (circuit.infinite()).": lambda: circuit(projection("I", "E", -0.1, 101)),
    "Circuit.projections[0].probability: needs the size of 'X', which has none. Give in_degree instead.": lambda: (
        circuit(eq.Projection(source="X", target="E", weight=0.1, connectivity=eq.ErdosRenyi(probability=0.1)))
    ),
    "Circuit.projections[0].weight: must not exceed 4 times v_threshold - v_reset = 1 of 'I', got 30. "
    "Did you mean weight=30 * mV?": lambda: circuit(projection("E", "I", 30.0)),
    "Circuit.rules[0].population: unknown name 'P'. Known: E, I.": lambda: circuit(rules=[eq.AttachedRule("P", RULE)]),
    "Circuit.rules[0].population: must be a population, got the source 'X', which receives nothing.": lambda: circuit(
        rules=[eq.AttachedRule("X", RULE)]
    ),
    "Circuit.rules[1].population: 'E' has rules[0] already.": lambda: circuit(
        rules=[eq.AttachedRule("E", RULE), eq.AttachedRule("E", RULE, scope="neuron")]
    ),
    "Circuit.with_weights: weights must have shape (post, pre) = (2, 3), got (2, 2).": lambda: circuit().with_weights(
        np.zeros((2, 2))
    ),
    "weights[1, 0] (E -> I) must not be 0: leave projections out instead, got 0.": lambda: circuit(
        projection("E", "I")
    ).with_weights(np.zeros((2, 3))),
    "weights[0, 0] (E -> E) must be 0: nothing is connected, got 1.": lambda: circuit().with_weights(np.eye(2, 3)),
    "Circuit.with_projection: a projection has no 'wight'. Did you mean 'weight'?": lambda: circuit(
        projection("E", "I")
    ).with_projection("E", "I", wight=1.0),
    "Circuit: no projection E -> J. Did you mean 'E -> I'? Known: E -> I.": lambda: circuit(
        projection("E", "I")
    ).with_projection("E", "J", weight=1.0),
    "Circuit.node: no population or source is named 'Y'. Known: E, I, X.": lambda: circuit().node("Y"),
    "Circuit.scaled: K (mean number of inputs per neuron) must be above 0, got -5.": lambda: circuit().scaled(-5),
    "ErdosRenyi: in_degree must not exceed the 400 presynaptic neurons, got 500.": lambda: circuit(
        eq.Projection(source="E", target="I", weight=0.1, connectivity=eq.ErdosRenyi(probability=0.25))
    ).scaled(500),
    "Circuit.example: no example is named 'microcircuits'. Did you mean 'microcircuit'?": lambda: eq.Circuit.example(
        "microcircuits"
    ),
}


@pytest.mark.parametrize("message", [*PARTS, *WHOLE])
def test_complaints(message):
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        {**PARTS, **WHOLE}[message]()
    assert message in caught.value.args[0]


def test_a_forgotten_millivolt_is_found_in_volts():
    neuron = eq.LIF(v_threshold=20 * mV, v_reset=10 * mV)
    make = lambda weight: eq.Circuit(  # noqa: E731
        populations=[eq.Population("E", neuron=neuron)], projections=[projection("E", "E", weight)]
    )
    assert make(0.1 * mV).weights() == 1e-4
    with pytest.raises(ValueError, match=r"got 0\.1\. Did you mean weight=0\.1 \* mV\?"):
        make(0.1)


# --- drive ------------------------------------------------------------------------------------------------------------
def test_a_drive_is_kept_checked_and_changed(mixed):
    driven = mixed.with_node("E", drive=50.0)
    assert [p.drive for p in driven.populations] == [50.0, 0.0]
    assert driven.names == mixed.names
    assert driven.with_node("E", drive=0.0) == mixed
    assert mixed.with_node("X", rate=12 * Hz).node("X").rate == 12.0
    with pytest.raises(ValueError, match=r"populations\[0\].drive: must not exceed 10000 .* 'E', got 2e\+06. Did you"):
        mixed.with_node("E", drive=2e6)
    with pytest.raises(TypeError, match=r"Population.drive \(tonic drive\) must be a number, got '5'"):
        eq.Population("E", neuron=LIF, drive="5")
    with pytest.raises(TypeError, match=r"with_node: a source has no 'rat'. Did you mean 'rate'"):
        mixed.with_node("X", rat=12 * Hz)


def test_a_drive_is_written_with_its_unit_and_read_back():
    volts = eq.LIF(v_threshold=20 * mV, v_reset=0.0)
    alone = eq.Circuit(populations=[eq.Population("E", neuron=volts, drive=150 * mV)], projections=[])
    assert 'drive = "150 mV/s"' in alone.to_toml()
    assert eq.Circuit.from_toml(alone.to_toml()) == alone
    thresholds = eq.Circuit(populations=[eq.Population("E", neuron=LIF, drive=12.5)], projections=[])
    assert "drive = 12.5" in thresholds.to_toml()
    assert eq.Circuit.from_toml(thresholds.to_toml()) == thresholds
