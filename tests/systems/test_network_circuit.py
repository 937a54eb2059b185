"""The network verbs on circuits, against published values and each other."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status
from equipoise.units import Hz, ms

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)


@pytest.fixture(scope="module")
def standard():
    return eq.Circuit.example("balanced_network")


def regulated(circuit, *, scale="absolute"):
    targets = eq.theory.network_set_points(circuit, SENSOR)
    rules = [
        eq.AttachedRule(name, eq.CalciumHomeostasis(SENSOR, target, tau_e=1.0, tau_i=1.0, scale=scale))
        for name, target in targets.items()
    ]
    return circuit.with_rules(rules)


def test_microcircuit_meets_the_published_theory():
    state = eq.theory.mean_field(eq.Circuit.example("microcircuit"))
    published = [0.75275, 2.78881, 4.42856, 5.81588, 7.12545, 8.46121, 1.15824, 7.75192]
    assert state.status is Status.OK
    assert state.rates == pytest.approx(published, abs=6e-6)


def test_brunel_network_meets_the_recomputed_rate():
    state = eq.theory.mean_field(eq.Circuit.example("brunel_2000"))
    assert state.rates == pytest.approx([37.9496971] * 2, abs=6e-8)
    assert state.populations[0].rate_cv2 == pytest.approx(0.0, abs=1e-9)  # fixed in-degrees: no quenched spread


def test_circuit_and_arrays_agree(standard):
    limit = eq.theory.balanced_limit(standard)
    assert limit.second_moments == pytest.approx([168.88534, 166.44942], abs=6e-6)
    state = eq.theory.mean_field(standard)
    assert state.stable
    assert (state.rates > limit.rates).all()  # without homeostasis finite K fires above balance


def test_homeostasis_holds_the_balanced_rates_at_finite_k(standard):
    for K in (100, 400, 1600):
        circuit = standard.scaled(K)
        free = eq.theory.mean_field(circuit).rates
        held = eq.theory.network_equilibrium(regulated(circuit))
        assert np.abs(held.state.rates / 10.0 - 1).max() < 0.006
        assert np.abs(free / 10.0 - 1).max() > 0.1
        assert held.status is Status.MARGINAL
        assert len(held.spectrum.zero_modes) == 2
        settled = eq.theory.regulated(regulated(circuit), held)
        assert eq.theory.mean_field(settled, start=held.state.rates).rates == pytest.approx(held.state.rates, rel=1e-9)


def test_finite_graphs_have_less_disorder_than_sparse_ones(standard):
    dense = standard.with_projection("E", "E", connectivity=eq.ErdosRenyi(probability=0.125))
    sparse, finite = (eq.theory.mean_field(c).populations[0].beta for c in (standard, dense))
    assert finite < sparse


def test_rate_distribution_of_a_circuit(standard):
    state = eq.theory.mean_field(standard)
    law = eq.theory.rate_distribution(standard, state, "E")
    cells = eq.theory.neuron_sample(standard, state, "E", 20_000, seed=3)
    assert float(cells["rate"].median()) == pytest.approx(float(law["quantile"].sel(level=0.5)), rel=0.03)
    assert np.isfinite(cells["cv"]).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda c: eq.theory.network_equilibrium(c), ValueError, "the circuit has no rules"),
        (lambda c: eq.theory.mean_field(c, start=[1.0]), ValueError, "one rate each for E, I"),
        (lambda c: eq.theory.mean_field(c, start=[1.0, -1.0]), ValueError, "above 0"),
        (
            lambda c: eq.theory.rate_distribution(c, eq.theory.mean_field(c), "P"),
            ValueError,
            "no population called 'P'",
        ),
    ],
)
def test_bad_input_is_named(standard, make, error, message):
    with pytest.raises(error, match=message):
        make(standard)


def test_rules_that_networks_do_not_treat_are_refused(standard):
    neuron_scope = eq.AttachedRule("E", eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=5 * Hz, cv=0.8)), scope="neuron")
    nodes = [*standard.populations, *standard.sources]
    circuit = eq.Circuit(populations=nodes, projections=standard.projections, rules=[neuron_scope])
    with pytest.raises(TypeError, match="scope 'neuron' of population 'E'"):
        eq.theory.network_equilibrium(circuit)
    rates = eq.Circuit(
        populations=nodes, projections=standard.projections, rules=[eq.AttachedRule("E", eq.RateHomeostasis())]
    )
    with pytest.raises(TypeError, match="only CalciumHomeostasis"):
        eq.theory.network_equilibrium(rates)
