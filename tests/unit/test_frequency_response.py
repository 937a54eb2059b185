"""The linear response of the LIF by frequency: its static limit, parabolic cylinder functions, spectra of trains."""

import mpmath
import numpy as np
import pytest

import equipoise as eq
from equipoise.renewal import cv, frequency_response, rate
from equipoise.renewal.firing import firing
from equipoise.units import Hz, kHz, ms

NEURON = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms, v_threshold=1.0, v_reset=0.0, v_leak=0.0)
MU, SIGMA = np.array([80.0, -16.0, 20.0]), np.array([5.0, 11.0, 6.0])


def test_slow_changes_move_the_rate_as_its_slopes_say():
    found = frequency_response(NEURON, frequency=0.01 * Hz, mu=MU, sigma=SIGMA)
    r, by_mu, by_s = firing(NEURON, 0.0, MU, SIGMA**2)
    np.testing.assert_allclose(found.rate, r, rtol=1e-12)
    np.testing.assert_allclose(found.by_mu[0].real, by_mu, rtol=1e-5)
    np.testing.assert_allclose(found.by_s[0].real, by_s, rtol=1e-5)
    assert np.abs(found.by_mu[0].imag / by_mu).max() < 1e-3


def by_parabolic_cylinders(f, mu, sigma, r):
    """chi_mu, chi_s and P_L with N_a = e^{y^2/2} D_{-a}(-sqrt(2) y) Gamma(a) 2^{-a/2}, N_a' = 2 N_{a+1}."""
    a, tau = 2j * mpmath.pi * f * NEURON.tau_m, NEURON.tau_m

    def N(k, v):
        y, b = mpmath.mpf((v - mu * tau) / (sigma * np.sqrt(tau))), a + k
        return (
            mpmath.exp(y * y / 2) * mpmath.pcfd(-b, -mpmath.sqrt(2) * y) * mpmath.gamma(b) * mpmath.mpf(2) ** (-b / 2)
        )

    dead = mpmath.exp(-2j * mpmath.pi * f * NEURON.tau_ref)
    below = N(0, 1.0) - dead * N(0, 0.0)
    by_mu = np.sqrt(tau) / sigma * r / (1 + a) * 2 * (N(1, 1.0) - N(1, 0.0)) / below
    by_s = r / (2 * sigma**2 * (2 + a)) * 4 * (N(2, 1.0) - N(2, 0.0)) / below
    return complex(by_mu), complex(by_s), complex(dead * N(0, 0.0) / N(0, 1.0))


@pytest.mark.parametrize("f", [5 * Hz, 40 * Hz, 300 * Hz, 4 * kHz])
def test_the_response_is_that_of_parabolic_cylinder_functions(f):
    found = frequency_response(NEURON, frequency=f, mu=MU, sigma=SIGMA)
    for i, (mu, sigma) in enumerate(zip(MU, SIGMA, strict=True)):
        wanted = by_parabolic_cylinders(f, mu, sigma, found.rate[i])
        mine = [found.by_mu[0, i], found.by_s[0, i], found.isi[0, i]]
        np.testing.assert_allclose(mine, wanted, rtol=1e-6, atol=1e-12)


def test_trains_are_regular_over_long_times_and_poisson_over_short_ones():
    found = frequency_response(NEURON, frequency=[0.02 * Hz, 20 * kHz], mu=MU, sigma=SIGMA)
    r = rate(NEURON, mu=MU, sigma=SIGMA)
    np.testing.assert_allclose(found.spectrum[0], r * cv(NEURON, mu=MU, sigma=SIGMA) ** 2, rtol=1e-4)
    np.testing.assert_allclose(found.spectrum[1], r, rtol=1e-6)


@pytest.mark.parametrize(("mu", "sigma"), [(30.0, 2.0), (100.0, 0.5), (20.0, 1.2), (47.0, 0.12), (900.0, 1.0)])
@pytest.mark.parametrize("f", [1e-7, 1e-4])
def test_slow_spectra_are_the_variance_of_intervals_however_regular_or_rare_spikes_are(f, mu, sigma):
    """S(0) = r C_v^2, at f in units of the rate; 1 - |P|^2 there is 1e-15 of 1 for regular trains."""
    neuron = eq.LIF(tau_m=20 * ms, v_reset=0.2, v_threshold=1.0, v_leak=0.0, tau_ref=2 * ms)
    r, irregular = rate(neuron, mu=mu, sigma=sigma), cv(neuron, mu=mu, sigma=sigma)
    found = frequency_response(neuron, frequency=f * r, mu=mu, sigma=sigma)
    np.testing.assert_allclose(found.spectrum[0], r * irregular**2, rtol=3e-5)


def test_strong_drive_and_high_frequencies_are_stable():
    """chi_mu -> r sqrt(2 tau/a)/sigma at high f; NaN where the noise is too weak for what drives the neuron."""
    found = frequency_response(NEURON, frequency=400 * kHz, mu=[200.0, 160.0], sigma=[1.0, 0.18])
    r, sigma, root = found.rate, np.array([1.0, 0.18]), np.sqrt(2j * np.pi * 400 * kHz * NEURON.tau_m)
    away = np.maximum(NEURON.tau_m * np.array([200.0, 160.0]) - 1.0, 1.0) / (sigma * 0.1) / np.abs(root)
    error = np.abs(found.by_mu[0] / (r * np.sqrt(2.0 * NEURON.tau_m) / sigma / root) - 1.0)
    assert (error < 2.0 * away).all()
    clock = frequency_response(NEURON, frequency=[1 * Hz, 5 * kHz], mu=2000.0, sigma=0.17)
    assert np.isnan(clock.by_mu).all()
    assert np.isnan(clock.spectrum).all()


def test_what_does_not_fire_does_not_respond_and_what_has_no_noise_is_not_known():
    found = frequency_response(NEURON, frequency=40 * Hz, mu=[-900.0, 200.0], sigma=[5.0, 1e-3])
    assert found.by_mu[0, 0] == 0.0
    assert found.spectrum[0, 0] < 1e-100
    assert np.isnan(found.by_mu[0, 1])


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"neuron must be an eq.LIF\(...\), got PIF"):
        frequency_response(eq.PIF(), frequency=40.0, mu=1.0, sigma=1.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="frequency must be finite and above 0"):
        frequency_response(NEURON, frequency=0.0, mu=1.0, sigma=1.0)
    with pytest.raises(ValueError, match=r"at most 5000/tau_m = 500000 Hz, got 1e\+06 Hz"):
        frequency_response(NEURON, frequency=[1.0, 1e6], mu=1.0, sigma=1.0)
