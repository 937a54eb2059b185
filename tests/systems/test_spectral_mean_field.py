"""Mean field with coloured input: its sampler against exact theory, and its states against spiking networks."""

import math
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.theory import network, spectral
from equipoise.theory.spectral import Grid, Sampler
from equipoise.units import Hz, ms, mV, second

LIF = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV, v_leak=0.0)
GRID_SHIFT = 0.5826
"""A threshold looked at every dt acts as one higher by this times sigma sqrt(dt) (Chang & Peres 1997)."""


def alone(neuron=LIF, *, tau_s=0.0, weight=0.1 * mV, rate=10 * Hz):
    """Cells that hear a source only; nothing recurrent."""
    synapse = eq.ExponentialSynapse(tau_s) if tau_s else eq.DeltaSynapse()
    wires = [eq.Projection(source="X", target="E", weight=weight, connectivity=eq.FixedInDegree(1000), synapse=synapse)]
    return eq.Circuit(populations=[eq.Population("E", neuron=neuron), eq.Source("X", rate=rate)], projections=wires)


def fired(circuit, *, dt=0.1 * ms, steps=32_000, cells=256, windows=1):
    wiring = network.wiring_of(circuit)
    sampler = Sampler(wiring, Grid(dt, steps), cells, 7)
    x = eq.theory.mean_field(circuit).x
    return sampler.firing(0, x, np.ones((1, sampler.grid.centres.size)), windows=windows), wiring.moments(x[:1], x[1:])


def test_white_input_gives_the_rate_and_cv_of_renewal_theory():
    found, m = fired(alone(), windows=2)
    sigma, dt = math.sqrt(m.s[0]), 0.1 * ms
    raised = replace(LIF, v_threshold=LIF.v_threshold + GRID_SHIFT * sigma * math.sqrt(dt),
                     v_reset=LIF.v_reset + GRID_SHIFT * sigma * math.sqrt(dt))  # fmt: skip
    # Threshold and reset move up together in the known result for the passage; the reset stays here, 0.5 % of the rate.
    expected = float(eq.renewal.rate(replace(raised, v_reset=LIF.v_reset), mu=m.mu[0], sigma=sigma))
    assert found.rate == pytest.approx(expected, rel=0.006, abs=4 * found.rate_error)
    plain = float(eq.renewal.rate(LIF, mu=m.mu[0], sigma=sigma))
    assert found.rate < plain - 3 * found.rate_error  # the grid does lower it
    cv = float(eq.renewal.cv(replace(raised, v_reset=LIF.v_reset), mu=m.mu[0], sigma=sigma))
    assert found.cv == pytest.approx(cv, abs=0.015 + 4 * found.cv_error)


def test_spectra_end_at_cv_squared_and_at_one():
    found, _ = fired(alone(), windows=2)
    assert found.shape[-1] == pytest.approx(1.0, abs=0.01)  # uncorrelated within a step
    low = found.shape[:6].mean()  # of a renewal train: S(0)/r = C_v^2
    assert low == pytest.approx(found.cv**2, abs=0.04)


def test_coloured_noise_has_the_power_asked_for():
    power = 1.0 / (1.0 + np.arange(1, 1001) / 100.0)
    noise = spectral._coloured(np.random.default_rng(3), power, (400, 2000))
    assert noise.mean() == pytest.approx(0.0, abs=1e-12)
    found = (np.abs(np.fft.rfft(noise, axis=1)[:, 1:]) ** 2).mean(0) / 2000
    # Exponential of 400 draws a bin: 5 % each; the largest of 1000 stays below five standard errors.
    assert np.abs(found[:-1] / power[:-1] - 1.0).max() < 5 / math.sqrt(400)


def test_exponential_synapses_meet_the_shifted_boundaries():
    circuit = alone(tau_s=0.5 * ms)
    found, _ = fired(circuit, dt=0.05 * ms, steps=64_000)
    # Coloured input crosses smoothly: no shift by the grid is left, the theory is good to O(tau_s/tau_m).
    assert found.rate == pytest.approx(eq.theory.mean_field(circuit).rates[0], rel=0.02, abs=4 * found.rate_error)


def test_without_recurrence_nothing_is_left_to_iterate():
    state = eq.theory.spectral_mean_field(alone(), seed=2, cells=128, windows=1)
    assert state.status is eq.Status.OK
    assert np.abs(state.rates / state.white.rates - 1).max() < 0.06  # the grid, and nothing else


def test_recurrent_colour_lowers_cv_to_that_of_the_spiking_network():
    # N = 12,500, K = 1000 + 250: NEST 3.10, Brian2 2.10 and two kernels of our own fire at 13.9 Hz with C_v 0.55.
    circuit = eq.Circuit.example("brunel_2000").with_node("X", rate=12 * Hz)
    state = eq.theory.spectral_mean_field(circuit, seed=1, cells=128, window=2 * second, windows=3)
    cells = eq.theory.neuron_sample(circuit, state.white, "E", 1, seed=1)
    assert float(cells["cv"][0]) == pytest.approx(0.72, abs=0.01)  # white noise
    assert state.cv == pytest.approx([0.55, 0.55], abs=0.03)
    assert state.rates == pytest.approx([13.9, 13.9], rel=0.04)
    assert (state.spectra[:, 0] < 0.45).all()
    assert state.iterations <= 15
    data = state.dataset()
    assert data["spectrum"].dims == ("population", "frequency")
    assert "white noise 14.5" in repr(state)


def test_the_same_seed_gives_the_same_state():
    one, two = (eq.theory.spectral_mean_field(alone(), seed=5, cells=64, window=0.4, windows=1) for _ in range(2))
    assert np.array_equal(one.spectra, two.spectra)


def test_what_does_not_settle_says_so(monkeypatch):
    monkeypatch.setattr(spectral, "MOST", 1)
    circuit = eq.Circuit.example("brunel_2000").with_node("X", rate=12 * Hz)
    with pytest.raises(eq.NumericalFailure, match="after 1 iterations rates still change by"):
        eq.theory.spectral_mean_field(circuit, seed=1, cells=32, window=0.2)
    state = eq.theory.spectral_mean_field(circuit, seed=1, cells=32, window=0.2, throw=False)
    assert state.status is eq.Status.NOT_CONVERGED


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"window": 0.01}, ValueError, "at least 1000 steps dt, 0.1 s, got 0.01 s"),
        ({"cells": 100}, ValueError, "power of two of at least 32, got 100"),
        ({"dt": 0.0}, ValueError, "dt"),
    ],
)
def test_bad_input_is_named(options, error, message):
    with pytest.raises(error, match=message):
        eq.theory.spectral_mean_field(alone(), seed=1, **options)


def test_other_neurons_are_refused_by_name():
    circuit = alone(eq.EIF(tau_m=20 * ms), weight=0.005)
    with pytest.raises(TypeError, match="must be LIF or PIF, 'E' has EIF"):
        eq.theory.spectral_mean_field(circuit, seed=1)
