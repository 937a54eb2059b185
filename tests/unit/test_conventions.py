import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.renewal import brunel_from, input_from, input_from_brunel, membrane_from
from equipoise.units import ms, mV

potentials = st.floats(-1.0, 1.0)
spreads = st.floats(0.0, 1.0)
times = st.floats(0.1 * ms, 1000 * ms)


@given(mean=potentials, sd=spreads, tau_m=times, v_leak=potentials)
def test_membrane_round_trip(mean, sd, tau_m, v_leak):
    mu, sigma = input_from(mean=mean, sd=sd, tau_m=tau_m, v_leak=v_leak)
    again = membrane_from(mu=mu, sigma=sigma, tau_m=tau_m, v_leak=v_leak)
    assert again == pytest.approx((mean, sd), rel=1e-14, abs=1e-15)


@given(mu_v=potentials, sigma_v=spreads, tau_m=times)
def test_brunel_round_trip_and_its_root_two(mu_v, sigma_v, tau_m):
    mu, sigma = input_from_brunel(mu_v=mu_v, sigma_v=sigma_v, tau_m=tau_m)
    assert brunel_from(mu=mu, sigma=sigma, tau_m=tau_m) == pytest.approx((mu_v, sigma_v), rel=1e-14, abs=1e-300)
    mean, sd = membrane_from(mu=mu, sigma=sigma, tau_m=tau_m)
    assert (mean, sd * np.sqrt(2.0)) == pytest.approx((mu_v, sigma_v), rel=1e-14, abs=1e-300)


def test_free_membrane_has_the_stated_mean_and_sd():
    # Exact Ornstein-Uhlenbeck updates, 4e5 of them 1 time constant apart; seed 1, 5 standard errors: 1e-6 false alarms.
    mean, sd, tau_m, v_leak = -55 * mV, 4 * mV, 20 * ms, -70 * mV
    mu, sigma = input_from(mean=mean, sd=sd, tau_m=tau_m, v_leak=v_leak)
    n, steps, dt = 2000, 200, tau_m
    rng = np.random.default_rng(1)
    decay, kick = np.exp(-dt / tau_m), np.sqrt(sigma**2 * tau_m / 2 * (1 - np.exp(-2 * dt / tau_m)))
    v = np.full(n, v_leak)
    sums = []
    for step in range(steps):
        v = v_leak + mu * tau_m + (v - v_leak - mu * tau_m) * decay + kick * rng.standard_normal(n)
        if step >= 30:
            sums.append((v.mean(), v.var()))
    means, variances = np.array(sums).T
    effective = n * len(sums) * (1 - decay) / (1 + decay)
    assert means.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(effective))
    assert variances.mean() == pytest.approx(sd**2, rel=5 * np.sqrt(2 / effective))


def test_arrays_broadcast_to_one_shape():
    mu, sigma = input_from(mean=[[0.01], [0.02]], sd=[0.001, 0.002, 0.003], tau_m=20 * ms)
    assert mu.shape == sigma.shape == (2, 3)


def test_a_forgotten_unit_is_named():
    with pytest.raises(ValueError, match=r"input_from\.tau_m .*got 20000 ms\. Did you mean tau_m=20 \* ms\?"):
        input_from(mean=15 * mV, sd=4 * mV, tau_m=20)
    with pytest.raises(ValueError, match=r"input_from: sd must be finite and at least 0, got -0\.004"):
        input_from(mean=15 * mV, sd=-4 * mV, tau_m=20 * ms)
    with pytest.raises(ValueError, match="brunel_from: mu must be finite, got nan at index"):
        brunel_from(mu=[0.0, np.nan], sigma=1.0, tau_m=20 * ms)
