"""Mean field of populations whose neurons differ: against another quadrature, samples of neurons, and spikes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

import equipoise as eq
from equipoise.model.spread import CUT
from equipoise.theory import mixture, network_state, study_rules
from equipoise.theory.network import wiring_of
from equipoise.units import Hz, ms, mV, second

LIF = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV)
SPREADS = {
    "threshold": eq.Spread(v_threshold=1 * mV),
    "tau": eq.Spread(tau_m=4 * ms),
    "two": eq.Spread(v_threshold=1 * mV, tau_m=4 * ms),
    "mild": eq.Spread(tau_m=1 * ms),
}


def random(k):
    return eq.ErdosRenyi(in_degree=k)


def inhibition(spread, connectivity=random, size=math.inf):
    """Inhibitory neurons driven from outside, weak enough to be asynchronous."""
    return eq.Circuit(
        populations=[eq.Population("I", size=size, neuron=LIF, spread=spread), eq.Source("X", rate=10 * Hz)],
        projections=[
            eq.Projection(source="I", target="I", weight=-0.1 * mV, connectivity=connectivity(400), delay=0.1 * ms),
            eq.Projection(source="X", target="I", weight=0.1 * mV, connectivity=connectivity(1200)),
        ],
    )


# --- averages ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["threshold", "tau"])
def test_rates_are_the_average_over_neurons(name):
    """Driven neurons with as many inputs each: adaptive quadrature over the law of the parameter."""
    spread = SPREADS[name]
    circuit = eq.Circuit(
        populations=[eq.Population("E", neuron=LIF, spread=spread), eq.Source("X", rate=8 * Hz)],
        projections=[eq.Projection(source="X", target="E", weight=0.1 * mV, connectivity=eq.FixedInDegree(1200))],
    )
    mu, sigma = 1200 * 0.1 * mV * 8 * Hz, 0.1 * mV * math.sqrt(1200 * 8 * Hz)
    law, s = stats.truncnorm(-CUT, CUT), math.sqrt(math.log1p((4 / 20) ** 2))

    def rate(z):
        own = (
            {"v_threshold": (20 + z) * mV} if name == "threshold" else {"tau_m": 20 * ms * math.exp(s * z - s * s / 2)}
        )
        return float(eq.renewal.rate(replace(LIF, **own), mu=mu, sigma=sigma))

    state = eq.theory.mean_field(circuit)
    for power, found in ((1, state.rates[0]), (2, state.second_moments[0])):
        wanted = integrate.quad(lambda z, power=power: rate(z) ** power * law.pdf(z), -CUT, CUT, epsrel=1e-9)[0]
        assert found == pytest.approx(wanted, rel=1e-6)


def test_kinds_of_two_parameters_are_enough(monkeypatch):
    circuit = inhibition(SPREADS["two"], eq.FixedInDegree)
    state = eq.theory.mean_field(circuit)
    monkeypatch.setattr(mixture, "MOST_OF_TWO", 36)
    mixture.mixture.cache_clear()
    finer = eq.theory.mean_field(circuit, start=state.rates)
    mixture.mixture.cache_clear()
    assert state.x == pytest.approx(finer.x, rel=1e-5)


def test_slopes_are_the_derivatives_of_the_averages():
    wiring = wiring_of(inhibition(SPREADS["two"]))
    equations, x = network_state.Equations(wiring, 91), np.array([6.0, 55.0])
    steps = 1e-5 * x
    numeric = [(equations.residual(x + h) - equations.residual(x - h)) / (2 * h.sum()) for h in np.diag(steps)]
    np.testing.assert_allclose(equations.jacobian(x), np.transpose(numeric), rtol=1e-6)


def test_equal_neurons_are_one_kind():
    mu, s = np.array([0.7, 0.9]), np.array([4e-4, 5e-4])
    only = mixture.mixture(LIF, eq.Spread(), 91)
    f, by_mu, by_s = network_state.firing(LIF, 0.0, mu, s)
    first, second = network_state.firing_moments(only, 0.0, mu, s)
    assert np.array_equal(first, [f, by_mu, by_s])
    assert np.array_equal(second, [f * f, 2 * f * by_mu, 2 * f * by_s])


@pytest.mark.parametrize("name", ["threshold", "mild"])
def test_distribution_and_sample_are_those_of_the_state(name):
    """20 quantiles and both moments of 4000 sampled neurons: four standard errors."""
    circuit = inhibition(SPREADS[name])
    state = eq.theory.mean_field(circuit)
    sample = eq.theory.neuron_sample(circuit, state, "I", 4000, seed=1)
    rates, levels = sample["rate"].values, np.linspace(0.05, 0.95, 19)
    assert rates.mean() == pytest.approx(state.rates[0], abs=4 * rates.std() / math.sqrt(4000))
    assert (rates**2).mean() == pytest.approx(state.second_moments[0], abs=4 * (rates**2).std() / math.sqrt(4000))
    law = eq.theory.rate_distribution(circuit, state, "I", levels=levels)
    below = (rates[:, None] < law["quantile"].values).mean(0)
    assert (np.abs(below - levels) < 4 * np.sqrt(levels * (1 - levels) / 4000)).all()
    r, density = law["rate"].values, law["density"].values
    assert integrate.trapezoid(density, r) == pytest.approx(1.0, abs=1e-3)
    assert integrate.trapezoid(r * density, r) == pytest.approx(state.rates[0], rel=1e-3)
    parameter = "v_threshold" if name == "threshold" else "tau_m"
    assert sample[parameter].values.std() == pytest.approx(1e-3, rel=0.05)


def test_the_balanced_limit_is_where_networks_with_many_inputs_go():
    network = eq.Circuit.example("balanced_network").infinite()
    for name in "EI":
        network = network.with_node(name, spread=eq.Spread(v_threshold=0.1))
    limit = eq.theory.balanced_limit(network)
    plain = eq.theory.balanced_limit(eq.Circuit.example("balanced_network").infinite())
    states = [eq.theory.mean_field(network.scaled(K)) for K in (1e6, 1e8)]
    far, near = (np.abs(s.second_moments / limit.second_moments - 1.0) for s in states)
    assert near.max() < 3e-3
    assert far / near == pytest.approx([10.0, 10.0], rel=0.2)  # ~ K^-1/2
    assert np.array_equal(limit.rates, plain.rates)
    assert (limit.second_moments > 1.01 * plain.second_moments).all()


# --- spikes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "connectivity"), [("two", eq.FixedInDegree), ("threshold", random)])
def test_theory_has_the_rates_of_unlike_neurons_and_their_spread(name, connectivity):
    """With equal in-degrees, the differences of neurons are all the spread there is.

    The threshold of the grid is in the theory; the rest, jumps and correlations, is worth 1-2 %.
    """
    n, duration, dt = 5000, 8 * second, 0.1 * ms
    circuit = inhibition(SPREADS[name], connectivity, size=n)
    network = eq.spiking.build(circuit, seed=1, wiring=eq.spiking.Wiring(multapses=True))
    run = eq.spiking.run(network, duration=duration, warmup=200 * ms)
    sigma = eq.theory.mean_field(circuit).populations[0].sigma
    raised = replace(LIF, v_threshold=LIF.v_threshold + 0.5826 * sigma * math.sqrt(dt))
    state = eq.theory.mean_field(circuit.with_node("I", neuron=raised))
    counts = np.bincount(run.units, minlength=n)
    cv = eq.measures.cv(run.spikes).values
    counting = np.nanmean(cv**2 * counts) / duration**2
    variance = counts.var() / duration**2 - counting
    assert counts.mean() / duration == pytest.approx(state.rates[0], rel=0.015)
    sampling = math.sqrt(stats.moment(counts, 4) - counts.var() ** 2) / duration**2 / math.sqrt(n)
    assert abs(variance - (state.second_moments[0] - state.rates[0] ** 2)) < 3.5 * sampling


def test_levels_agree_where_neurons_differ():
    circuit = inhibition(SPREADS["mild"], size=2000)
    table = eq.compare.levels(circuit, seed=1, duration=4 * second)
    theory, spikes = (table.sel(level=level, population="I") for level in ("theory", "spiking"))
    for name, most in (("rate", 0.05), ("rate_sd", 0.1), ("calcium_mean", 0.05), ("calcium_second_moment", 0.1)):
        assert float(theory[name]) == pytest.approx(float(spikes[name]), rel=most)


# --- what is left out -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("verb", "name"),
    [
        (lambda c: eq.theory.spectral_mean_field(c, seed=1), "spectral_mean_field"),
        (lambda c: eq.theory.network_set_points(c, eq.Calcium()), "network_set_points"),
        (eq.theory.network_equilibrium, "network homeostasis"),
    ],
)
def test_what_takes_equal_neurons_says_so(verb, name):
    rule = eq.CalciumHomeostasis(eq.Calcium(), eq.SetPoint(rate=5 * Hz, cv=0.9), tau_e=100.0, tau_i=50.0)
    circuit = inhibition(SPREADS["two"]).with_rules([eq.AttachedRule("I", rule)])
    with pytest.raises(
        TypeError, match=f"{name}: the neurons of 'I' differ in v_threshold, tau_m; here all neurons of"
    ):
        verb(circuit)


@pytest.mark.parametrize(
    ("neuron", "spread", "kind"),
    [
        (
            LIF,
            eq.Spread(v_threshold=1 * mV, v_reset=1 * mV, tau_m=1 * ms),
            "LIF neurons of 'I' differ in v_threshold, v_",
        ),
        (eq.EIF(), eq.Spread(v_onset=0.1), "EIF neurons of 'I' differ in v_onset"),
    ],
)
def test_what_mean_field_does_not_average_over_is_refused(neuron, spread, kind):
    circuit = eq.Circuit(populations=[eq.Population("I", neuron=neuron, spread=spread)], projections=[])
    with pytest.raises(
        TypeError, match=f"mean_field: the {kind}.*one or two parameters of LIF and PIF neurons. Use eq"
    ):
        eq.theory.mean_field(circuit)


def test_what_is_told_of_a_circuit_says_that_rules_are_left_out():
    rule = eq.CalciumHomeostasis(eq.Calcium(), eq.SetPoint(rate=5 * Hz, cv=0.9), tau_e=100.0, tau_i=50.0)
    circuit = inhibition(SPREADS["threshold"]).with_rules([eq.AttachedRule("I", rule)])
    parts = study_rules.homeostasis(circuit, None, 3).parts
    assert any("the neurons of 'I' differ in v_threshold" in part.message for part in parts)
