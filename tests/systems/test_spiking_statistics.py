"""Rates and irregularity in spikes: against theory, and against another simulator."""

import math
from dataclasses import replace

import numpy as np
import pytest
from spiking_circuits import alone

import equipoise as eq
from equipoise.units import Hz, ms, mV, second

BUILD = eq.spiking.build


def shifted_theory(neuron, mu, sigma, dt):
    """The theory of a neuron whose threshold is looked at every dt: raised by 0.5826 sigma sqrt(dt)."""
    raised = replace(neuron, v_threshold=neuron.v_threshold + 0.5826 * sigma * math.sqrt(dt))
    return eq.renewal.rate(raised, mu=mu, sigma=sigma), eq.renewal.cv(raised, mu=mu, sigma=sigma)


@pytest.mark.parametrize(("mu_v", "sigma_v"), [(16.42, 4.0), (19.66, 4.0), (18.94, 1.5), (24.0, 2.0)])
def test_driven_neurons_fire_as_theory_has_it_with_the_threshold_of_the_grid(mu_v, sigma_v):
    """Intervals of a grid of 0.02 ms: the shift is exact to first order in sqrt(dt), what is left is below 0.15 %;
    the window cuts off 0.3 % of C_v at most."""
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=15 * mV)
    mu, sigma = mu_v * mV / neuron.tau_m, sigma_v * mV / math.sqrt(neuron.tau_m)
    rate, weight = 20 * Hz, 0.01 * mV
    k = round(sigma**2 / (weight**2 * rate))
    sigma = math.sqrt(k * weight**2 * rate)
    circuit = alone(500, neuron, weight=weight, connectivity=eq.FixedInDegree(k))
    dt = 0.02 * ms
    network = BUILD(circuit, seed=11, dt=dt, noise="gaussian", drive={"E": mu - k * weight * rate})
    found = eq.spiking.run(network, duration=8 * second, warmup=100 * ms)
    n = found.steps.size
    wanted_rate, wanted_cv = shifted_theory(neuron, mu, sigma, dt)
    pooled = np.concatenate([np.diff(t) for t in found.spikes])
    assert abs(found.rates[0] / wanted_rate - 1) < 3.5 * wanted_cv / math.sqrt(n) + 0.0015
    assert abs(pooled.std() / pooled.mean() / wanted_cv - 1) < 3.5 / math.sqrt(2 * n) + 0.003


def test_a_network_of_ten_thousand_neurons_fires_as_in_another_simulator():
    """Brunel's network at 1.2 times the rheobase, K = 1250. NEST 3.10 over 3 s: 14.06 Hz, C_v 0.534 (1000 neurons), and
    8.4 for the Fano factor of the spikes of 500 neurons in 3 ms, which tells how synchronous they are."""
    circuit = eq.Circuit.example("brunel_2000")
    circuit = eq.Circuit(
        populations=[*circuit.populations, eq.Source("X", rate=12 * Hz)], projections=circuit.projections
    )
    run = eq.spiking.simulate(circuit, duration=3 * second, seed=2, record=eq.spiking.Record(cells=1000))
    assert run.rates == pytest.approx([14.06, 14.06], abs=0.2)
    assert run.cvs == pytest.approx([0.534, 0.534], abs=0.015)
    few = run.spikes_of("E")
    counts = np.histogram(few.times[few.units < 500], np.arange(0, 3.0001, 3e-3))[0]
    assert 6.5 < counts.var() / counts.mean() < 11.5  # 1000 bins, serially correlated: about 10 %


def test_exponential_neurons_fire_as_threshold_integration_has_it():
    """The upstroke is of first order in dt: 1.3 % too few spikes at 0.04 ms and 0.6 % at 0.02 ms."""
    neuron = eq.EIF(tau_m=10 * ms, tau_ref=2 * ms)
    mu, sigma, weight = 80.0, 5.0, 0.01
    k = round(sigma**2 / (weight**2 * 20 * Hz))
    wanted = eq.renewal.rate(neuron, mu=mu, sigma=sigma)
    for dt, most in ((0.04 * ms, 0.022), (0.02 * ms, 0.014)):
        circuit = alone(500, neuron, weight=weight, connectivity=eq.FixedInDegree(k))
        network = BUILD(circuit, seed=5, dt=dt, noise="gaussian", drive={"E": mu - k * weight * 20 * Hz})
        run = eq.spiking.run(network, duration=8 * second, warmup=100 * ms)
        assert abs(run.rates[0] / wanted - 1) < most  # 0.35 % of it by chance, 1 SD
        assert run.cvs[0] == pytest.approx(eq.renewal.cv(neuron, mu=mu, sigma=sigma), rel=0.02)


def test_theory_and_spikes_agree_on_the_rates_of_brunels_network():
    """White-noise mean field is good to a few per cent here; it does not know of the grid, which moves rates by 1 %."""
    circuit = eq.Circuit.example("brunel_2000")
    run = eq.spiking.simulate(circuit, duration=1 * second, seed=4, record=eq.spiking.Record(cells=0))
    assert run.rates == pytest.approx(eq.theory.mean_field(circuit).rates, rel=0.02)


def test_in_degrees_spread_the_rates_as_theory_has_it():
    """Inhibition alone, weak enough to be asynchronous: mean and SD of the rates, Poisson in-degrees."""
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    circuit = eq.Circuit(
        populations=[eq.Population("I", size=10_000, neuron=neuron), eq.Source("X", rate=10 * Hz)],
        projections=[
            eq.Projection(source="I", target="I", weight=-0.1 * mV, in_degree=400, delay=0.1 * ms),
            eq.Projection(source="X", target="I", weight=0.1 * mV, in_degree=1200),
        ],
    )
    network = BUILD(circuit, seed=1, threads=1, wiring=eq.spiking.Wiring(multapses=True))
    duration = 8 * second
    run = eq.spiking.run(network, duration=duration, warmup=200 * ms)
    state = eq.theory.mean_field(circuit)
    counts = np.bincount(run.units, minlength=10_000)
    variance = state.second_moments[0] - state.rates[0] ** 2
    counting = run.cvs[0] ** 2 * counts.mean() / duration**2  # the noise of finitely many spikes
    assert counts.mean() / duration == pytest.approx(state.rates[0], rel=0.015)
    assert counts.var() / duration**2 - counting == pytest.approx(variance, rel=0.05)  # 1.4 % of sampling, 1 SD


def test_the_threshold_on_the_grid_biases_rates_as_is_known():
    """dt = 0.1 ms at mu_V = 16.42, sigma_V = 4 mV: -8.0 % without the shift, -0.45 % with it."""
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=0.0, v_threshold=20 * mV, v_reset=15 * mV)
    mu, sigma, weight = 16.42 * mV / neuron.tau_m, 4 * mV / math.sqrt(neuron.tau_m), 0.01 * mV
    k = round(sigma**2 / (weight**2 * 20 * Hz))
    circuit = alone(4000, neuron, weight=weight, connectivity=eq.FixedInDegree(k))
    network = BUILD(circuit, seed=3, noise="gaussian", drive={"E": mu - k * weight * 20 * Hz})
    rate = eq.spiking.run(network, duration=6 * second, warmup=100 * ms).rates[0]
    error = 3.5 / math.sqrt(rate * 4000 * 6)
    assert abs(rate / eq.renewal.rate(neuron, mu=mu, sigma=sigma) - 1 + 0.080) < error + 0.001
    assert abs(rate / shifted_theory(neuron, mu, sigma, 0.1 * ms)[0] - 1 + 0.0045) < error + 0.0005
