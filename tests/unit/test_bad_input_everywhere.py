"""Bad input to the verbs and laws of one cell: argument, wanted, got; and odd but legal shapes."""

import mpmath as mp
import numpy as np
import pytest

import equipoise as eq
from equipoise import renewal as rn

RNG = np.random.default_rng(1)
NEURONS = [eq.PIF(), eq.LIF(), eq.EIF()]
SENSOR = eq.Calcium()


@pytest.mark.parametrize("neuron", NEURONS, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize(
    ("mu", "sigma", "error", "message"),
    [
        ("80", 5.0, TypeError, "rate: mu must be a number or an array of numbers, got '80'"),
        (["80"], 5.0, TypeError, "rate: mu must be a number or an array of numbers"),
        (1j, 5.0, TypeError, "rate: mu must be a number or an array of numbers, got 1j"),
        ([[1], [2, 3]], 5.0, TypeError, "rate: mu must be a number or an array of numbers"),
        (80.0, [1.0, -1.0], ValueError, r"rate: sigma must be finite and at least 0, got -1 at index \(1,\)"),
        ([80.0, np.nan], 5.0, ValueError, r"rate: mu must be finite, got nan at index \(1,\)"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], ValueError, r"rate: mu and sigma must have shapes .* mu \(2,\), sigma \(3,\)"),
    ],
)
def test_bad_input_of_a_neuron_is_named(neuron, mu, sigma, error, message):
    with pytest.raises(error, match=message):
        rn.rate(neuron, mu=mu, sigma=sigma)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eq.LIF(tau_m="10"), TypeError, r"LIF.tau_m \(membrane time constant\) must be a number, got '10'"),
        (lambda: eq.EIF(slope=1e-3), ValueError, r"EIF.v_threshold .* at most v_onset \+ 700 slope = 1.7, .* got 2.5"),
        (lambda: eq.GammaISI(rate="5", cv=1.0), TypeError, "GammaISI: rate must be a number"),
        (lambda: eq.GammaISI(rate=[1, 2], cv=[1, 2, 3]), ValueError, "GammaISI: rate and cv must have shapes that"),
        (lambda: eq.NeuronISI(eq.LIF(), mu=[1, 2], sigma=[1, 2, 3]), ValueError, "NeuronISI: mu and sigma must have"),
        (
            lambda: rn.input_for(eq.LIF(), rate=[1, 2], cv=[0.1, 0.2, 0.3]),
            ValueError,
            "input_for: rate and cv must have",
        ),
        (lambda: rn.sample(eq.GammaISI(rate=5, cv=1), -1, RNG), ValueError, "sample: n must be a whole number of at"),
        (lambda: rn.sample(eq.GammaISI(rate=5, cv=1), 2.5, RNG), ValueError, "sample: n must be a whole .* got 2.5"),
        (lambda: rn.sample(eq.GammaISI(rate=5, cv=1), 3, 0), TypeError, "sample: rng must be a numpy Generator, got 0"),
        (
            lambda: rn.calcium_moments(0.3, eq.GammaISI(rate=5, cv=1)),
            TypeError,
            "sensor must be an eq.Calcium, got 0.3",
        ),
        (
            lambda: rn.isi_density(eq.LogNormalISI(rate=5, cv=1e-200), t=0.1),
            ValueError,
            "LogNormalISI with cv=1e-200 is a clock and has no density",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("rate", "cv", "tau_ref", "limit"), [(5.0, 1.2, 0.0, "1 at"), (50.0, 0.95, 0.002, "0.9 at")])
def test_an_infeasible_pif_target_is_named_with_the_limit(rate, cv, tau_ref, limit):
    with pytest.raises(
        eq.NumericalFailure, match=f"rate={rate:g} Hz, cv={cv:g}: the C_v of this cell stays below {limit}"
    ):
        rn.input_for(eq.PIF(tau_ref=tau_ref), rate=rate, cv=cv)


@pytest.mark.parametrize(
    "law",
    [
        eq.ExponentialISI(rate=[]), eq.DeadTimeISI(rate=[], dead_time=0.1), eq.GammaISI(rate=[], cv=1.0),
        eq.InverseGaussianISI(rate=[], cv=1.0), eq.LogNormalISI(rate=[], cv=1.0), eq.WeibullISI(rate=1.0, cv=[]),
        *(eq.NeuronISI(n, mu=[], sigma=1.0) for n in NEURONS),
    ],
    ids=lambda law: type(law).__name__,
)  # fmt: skip
def test_an_empty_law_gives_empty_results(law):
    assert rn.rate(law).shape == rn.cv(law).shape == rn.isi_laplace(law, s=1.0).shape == (0,)
    assert rn.calcium_moments(SENSOR, law).mean.shape == (0,)


@pytest.mark.parametrize("cv", [1e-5, 1e-3, 0.05, 0.2236, 0.2237, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("at", [-2.0, 0.0, 1.5, 8.0])
def test_the_gamma_density_against_forty_digits(cv, at):
    t = 0.2 * (1 + at * cv)
    if t <= 0:
        t = 1e-3
    with mp.workdps(40):
        k, x = 1 / mp.mpf(cv) ** 2, mp.mpf(t)
        exact = mp.exp(k * mp.log(5 * k) + (k - 1) * mp.log(x) - 5 * k * x - mp.loggamma(k))
        condition = float(abs((k - 1) / x - 5 * k) * x)  # of log p to a rounding of t
    density = float(rn.isi_density(eq.GammaISI(rate=5.0, cv=cv), t=t))
    assert density == pytest.approx(float(exact), rel=1e-13 + 4e-16 * condition)


@pytest.mark.parametrize("drive", [-1e4, -300.0])
def test_a_silent_cell_has_no_calcium_to_average(drive):
    law = eq.NeuronISI(eq.LIF(), mu=drive, sigma=[0.0, 0.3, 1.0])
    assert (rn.calcium_average(SENSOR, law, lambda c: c / (1 + c), nodes=12) == 0.0).all()
    assert (rn.calcium_average(SENSOR, law, np.cos) == 1.0).all()


@pytest.mark.parametrize("log_rate", [-240.0, -100.0, -10.0])
def test_calcium_averages_at_rates_far_below_one(log_rate):
    # After each of the rare spikes C = e^{-t/tau}: E g = r tau INT_0^1 g(c)/c dc for g(0) = 0.
    law = eq.ExponentialISI(rate=10.0**log_rate)
    value = rn.calcium_average(SENSOR, law, lambda c: c / (1 + c), nodes=8)
    assert value == pytest.approx(10.0**log_rate * SENSOR.tau * np.log(2.0), rel=1e-6)


def nan_free(verb, neuron, mu, sigma):
    """Whether the verb gives no NaN, or says that the numbers overflow."""
    try:
        return not np.isnan(verb(neuron, mu=mu, sigma=sigma)).any()
    except eq.NumericalFailure as failure:
        return "numbers overflow" in str(failure)


@pytest.mark.parametrize("verb", [rn.rate, rn.log_rate, rn.cv, rn.log_rate_gradient, rn.cv_gradient])
@pytest.mark.parametrize("tau_ref", [0.0, 0.002])
def test_the_pif_never_returns_a_silent_nan_at_absurd_input(verb, tau_ref):
    neuron = eq.PIF(tau_ref=tau_ref)
    for mu in (-1e200, -1.0, 0.0, 1.0, 1e200):
        assert all(nan_free(verb, neuron, mu, sigma) for sigma in (1e-100, 1e150, 1e200, 1e300))


def test_the_pif_at_overflowing_noise_fires_once_per_refractory_period():
    assert rn.rate(eq.PIF(tau_ref=0.002), mu=0.0, sigma=1e200) == pytest.approx(500.0)
    assert rn.log_rate(eq.PIF(tau_ref=0.002), mu=0.0, sigma=1e200) == pytest.approx(np.log(500.0))
