"""Delays and weights of single synapses: NEST against this package, and against the laws."""

import math

import numpy as np
import pytest
from scipy import stats

import equipoise as eq
from equipoise.units import Hz, ms, second

nest = pytest.importorskip("nest", reason="needs NEST: pip install 'equipoise[nest]'")

UNIFORM, NORMAL = eq.UniformDelay(low=0.5 * ms, high=2.5 * ms), eq.NormalDelay(mean=1 * ms, sd=0.5 * ms, low=0.2 * ms)
LOG_NORMAL, POSITIVE = eq.LogNormalSpread(0.8), eq.NormalSpread(0.4)
SIZES = {"E": 800, "I": 400}


def network(rules=()):
    """Inhibition-dominated; delays and weights of both laws, by the sender."""

    def projection(source, target, weight, k):
        if source == "X":
            return eq.Projection(source=source, target=target, weight=weight, connectivity=eq.FixedInDegree(k))
        delay, spread = (UNIFORM, LOG_NORMAL) if source == "E" else (NORMAL, POSITIVE)
        return eq.Projection(
            source=source, target=target, weight=weight, delay=delay, weight_spread=spread,
            connectivity=eq.ErdosRenyi(probability=k / SIZES[source]),
        )  # fmt: skip

    inputs = (("E", 0.02, 100), ("I", -0.08, 50), ("X", 0.02, 1000))
    return eq.Circuit(
        populations=[
            *(eq.Population(name, size=n, neuron=eq.LIF()) for name, n in SIZES.items()),
            eq.Source("X", rate=6 * Hz),
        ],
        projections=[projection(source, target, j, k) for target in "EI" for source, j, k in inputs],
        rules=rules,
    )


@pytest.fixture(scope="module")
def theirs():
    """A run on NEST, and the delays [steps] and relative weights of the synapses from E and from I."""
    run = eq.backends.nest.simulate(network(), duration=3 * second, seed=1)
    synapses = {
        name: nest.GetConnections(synapse_model=model) for name, model in (("E", "equipoise_0"), ("I", "equipoise_1"))
    }
    delays = {name: np.rint(np.array(s.get("delay")) / 0.1).astype(int) for name, s in synapses.items()}
    weights = {name: np.array(s.get("weight")) / {"E": 0.4, "I": -1.6}[name] for name, s in synapses.items()}
    return run, delays, weights


def test_nest_draws_from_the_same_laws(theirs):
    """chi^2 of delays on the grid and Kolmogorov-Smirnov of weights, each at 1e-3."""
    _, delays, weights = theirs
    for name, law in (("E", UNIFORM), ("I", NORMAL)):
        grid = np.arange(delays[name].max() + 2)
        expected = delays[name].size * np.diff(law.cdf((grid + 0.5) * 0.1 * ms), prepend=0.0)
        found, often = np.bincount(delays[name], minlength=grid.size), expected > 5
        chi2 = ((found - expected)[often] ** 2 / expected[often]).sum()
        assert stats.chi2(often.sum() - 1).sf(chi2) > 1e-3
    log_normal = stats.lognorm(LOG_NORMAL.log_sd, scale=math.exp(-0.5 * LOG_NORMAL.log_sd**2))
    assert stats.kstest(weights["E"], log_normal.cdf).pvalue > 1e-3
    positive = stats.truncnorm(-1 / POSITIVE.cv, np.inf, POSITIVE.scale, POSITIVE.cv * POSITIVE.scale)
    assert stats.kstest(weights["I"], positive.cdf).pvalue > 1e-3


def test_both_engines_find_the_same_rates_irregularity_and_heterogeneity(theirs):
    """Rates differ by 3 % between graphs of this size; nobody shares weights or delays here."""
    run, _, _ = theirs
    ours = [eq.spiking.simulate(network(), duration=3 * second, seed=s) for s in (1, 2, 3)]
    rates = np.array([r.counts.sum(axis=1) / np.array([800, 400]) / 3.0 for r in ours])
    assert run.rates == pytest.approx(rates.mean(axis=0), rel=0.05)
    assert run.cvs == pytest.approx(np.mean([r.cvs for r in ours], axis=0), abs=0.02)

    def deviation(r):
        return np.bincount(r.spikes_of("E").units, minlength=800).std() / 3.0

    assert deviation(run) == pytest.approx(np.mean([deviation(r) for r in ours]), rel=0.1)


@pytest.mark.parametrize("scope", ["population", "neuron"])
def test_rules_keep_the_ratios_of_weights_on_nest(scope):
    rule = eq.RateHomeostasis(target_e=5 * Hz, target_i=5 * Hz, tau_e=1.2, tau_i=1.2)
    run = eq.backends.nest.simulate(
        network([eq.AttachedRule("E", rule, scope=scope)]), duration=0.1 * second, warmup=0.02 * second, seed=1
    )
    synapses = nest.GetConnections(synapse_model="equipoise_0")
    weights, targets = np.array(synapses.get("weight")) / 20.0, np.array(list(synapses.targets()))
    mean = run.own_weights["E", "E"][targets - targets.min()] if scope == "neuron" else run.weights[0, 0]
    assert run.weights[0, 0] < 0.98 * 0.02
    log_normal = stats.lognorm(LOG_NORMAL.log_sd, scale=math.exp(-0.5 * LOG_NORMAL.log_sd**2))
    assert stats.kstest(weights / mean, log_normal.cdf).pvalue > 1e-3


def test_a_source_has_one_weight():
    circuit = network().with_projection("X", "E", weight_spread=LOG_NORMAL)
    with pytest.raises(ValueError, match=r"backends.nest: X -> E comes from a source, whose trains have one weight"):
        eq.backends.nest.simulate(circuit, duration=0.1 * second, seed=1)
