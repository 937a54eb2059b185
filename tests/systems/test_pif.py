"""The perfect integrate-and-fire neuron against Eq. 40 evaluated literally in multiple precision.

Rate and C_v are taken from the same transform: -log P_L(h)/h -> <T> and (log P_L(2h) - 2 log P_L(h))/h^2 -> Var T with
h << 1e-40/<T>, at hundreds of digits. No formula is shared with the package.
"""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise.renewal import dispatch, pif
from equipoise.renewal import statistics as stats
from equipoise.results import Status

PAPER = eq.PIF()
NEURONS = [
    PAPER,
    eq.PIF(v_bound=0.0),
    eq.PIF(v_bound=-30.0),
    eq.PIF(v_threshold=1.0, v_bound=-0.25, tau_ref=0.003),
]
drifts = st.one_of(st.just(0.0), st.floats(-150, 150), st.floats(-1e-6, 1e-6))
noises = st.floats(5.0, 100.0)


def literal_log_laplace(neuron, s, mu, sigma):
    """log of Eq. 40 times e^{-s tau_ref}."""
    mu, sigma, s = mp.mpf(mu), mp.mpf(sigma), mp.mpf(s)
    reset = mp.mpf(neuron.v_reset) - mp.mpf(neuron.v_bound)
    threshold = mp.mpf(neuron.v_threshold) - mp.mpf(neuron.v_bound)
    root = mp.sqrt(mu**2 + 2 * s * sigma**2)
    plus, minus = (-mu + root) / sigma**2, (-mu - root) / sigma**2

    def u(x):
        return minus * mp.exp(plus * x) - plus * mp.exp(minus * x)

    return mp.log(u(reset) / u(threshold)) - s * mp.mpf(neuron.tau_ref)


def literal_moments(neuron, mu, sigma):
    """log rate and C_v from the transform near s = 0."""
    h = mp.mpf(10) ** -60 * mp.exp(-conditioning(neuron, -abs(mu), sigma))
    one, two = (literal_log_laplace(neuron, j * h, mu, sigma) for j in (1, 2))
    mean = -one / h
    return -mp.log(mean), mp.sqrt((two - 2 * one) / h**2) / mean


def relative(got, wanted):
    return float(abs((mp.mpf(float(got)) - wanted) / wanted))


def conditioning(neuron, mu, sigma):
    """How much one rounding of k = 2 mu/sigma^2 moves a rate behind a barrier, e^{k (v_th - v_B)}."""
    return 1 + max(0.0, -2 * mu / sigma**2 * (neuron.v_threshold - neuron.v_bound))


@pytest.mark.parametrize("neuron", NEURONS, ids=repr)
@settings(max_examples=40, deadline=None)
@given(mu=drifts, sigma=noises)
def test_rate_and_cv_equal_the_literal_transform(neuron, mu, sigma):
    with mp.workdps(900):
        log_rate, cv = literal_moments(neuron, mu, sigma)
        rate = mp.exp(log_rate)
    loss = conditioning(neuron, mu, sigma)
    assert relative(stats.rate(neuron, mu=mu, sigma=sigma), rate) < 2e-15 * loss
    assert relative(stats.cv(neuron, mu=mu, sigma=sigma), cv) < 8e-15 * (1 if neuron.tau_ref == 0 else loss)
    assert abs(float(stats.log_rate(neuron, mu=mu, sigma=sigma) - log_rate)) < 2e-15 * (loss + abs(float(log_rate)))


@pytest.mark.parametrize("neuron", NEURONS, ids=repr)
@settings(max_examples=60, deadline=None)
@given(mu=drifts, sigma=noises, exponent=st.floats(-12, 6))
def test_transform_is_relatively_accurate_from_the_origin_to_a_million(neuron, mu, sigma, exponent):
    s = 10.0**exponent * float(stats.rate(neuron, mu=mu, sigma=sigma))
    with mp.workdps(900):
        wanted = literal_log_laplace(neuron, s, mu, sigma)
    assert relative(stats.log_isi_laplace(neuron, s=s, mu=mu, sigma=sigma), wanted) < 5e-15 * conditioning(
        neuron, mu, sigma
    )


@pytest.mark.parametrize("neuron", NEURONS, ids=repr)
@settings(max_examples=15, deadline=None)
@given(mu=drifts, sigma=noises, s=st.floats(1e-3, 1e3))
def test_gradients_equal_literal_differences(neuron, mu, sigma, s):
    gap, bound = neuron.v_threshold - neuron.v_reset, neuron.v_threshold - neuron.v_bound
    tolerance = 1e-14 * conditioning(neuron, -abs(mu), sigma)
    unit = np.array([2 * gap / sigma**2, (1 + 4 * gap * abs(mu) / sigma**2) / sigma])  # size of a typical gradient
    with mp.workdps(1000):
        log_rate, cv = _differences(lambda m, g: literal_moments(neuron, m, g), mu, sigma)
        laplace = _differences(lambda m, g: (literal_log_laplace(neuron, s, m, g),), mu, sigma)[0]
    got = stats.log_rate_gradient(neuron, mu=mu, sigma=sigma)
    np.testing.assert_allclose(got, log_rate, rtol=tolerance, atol=1e-300)
    got = stats.cv_gradient(neuron, mu=mu, sigma=sigma)
    np.testing.assert_array_less(np.abs(np.subtract(got, cv)), 1e-14 * (bound / gap) ** 2 * unit)
    got = stats.log_isi_laplace_gradient(neuron, s=s, mu=mu, sigma=sigma)
    np.testing.assert_allclose(got, laplace, rtol=tolerance)


def _differences(function, mu, sigma):
    h = mp.mpf(10) ** -30
    mu, sigma = mp.mpf(mu), mp.mpf(sigma)
    by_mu = [(a - b) / (2 * h) for a, b in zip(function(mu + h, sigma), function(mu - h, sigma), strict=True)]
    by_sigma = [(a - b) / (2 * h) for a, b in zip(function(mu, sigma + h), function(mu, sigma - h), strict=True)]
    return [(float(a), float(b)) for a, b in zip(by_mu, by_sigma, strict=True)]


def test_published_values():
    assert stats.cv(PAPER, mu=0.0, sigma=3.0) == pytest.approx(np.sqrt(2 / 3 * 122 / 120), rel=1e-15)
    assert stats.rate(PAPER, mu=0.0, sigma=20.0) == pytest.approx(400 / 120, rel=1e-15)
    mu, sigma, _ = pif.input_for(PAPER, np.array([5.0]), np.array([0.8]))
    assert mu[0] == pytest.approx(10.305, abs=5e-4)
    assert sigma[0] == pytest.approx(22.828, abs=5e-4)


@pytest.mark.parametrize(("mu", "sigma"), [(50.0, 10.0), (20.0, 15.0)])
def test_a_bound_far_below_gives_the_inverse_gaussian_law(mu, sigma):
    """First passage of an unbounded Wiener process: mean d/mu, C_v^2 = sigma^2/(mu d), P_L in elementary form."""
    far = eq.PIF(v_bound=-1e4)
    s = np.geomspace(1e-9, 1e5, 15)
    exponent = -20 * s / (mu + np.sqrt(mu**2 + 2 * s * sigma**2))
    np.testing.assert_allclose(stats.log_isi_laplace(far, s=s, mu=mu, sigma=sigma), exponent, rtol=1e-14)
    assert stats.rate(far, mu=mu, sigma=sigma) == pytest.approx(mu / 10, rel=1e-14)
    assert stats.cv(far, mu=mu, sigma=sigma) == pytest.approx(sigma / np.sqrt(10 * mu), rel=1e-14)


def test_without_noise_it_is_a_clock_or_silent():
    assert stats.rate(PAPER, mu=80.0, sigma=0.0) == 8.0
    assert stats.cv(PAPER, mu=80.0, sigma=0.0) == 0.0
    assert stats.log_isi_laplace(PAPER, s=3.0, mu=80.0, sigma=0.0) == -3.0 / 8.0
    assert stats.rate(PAPER, mu=-1.0, sigma=0.0) == 0.0
    assert stats.log_rate(PAPER, mu=0.0, sigma=0.0) == -np.inf
    assert stats.isi_laplace(PAPER, s=3.0, mu=-1.0, sigma=0.0) == 0.0
    assert stats.cv(PAPER, mu=-1.0, sigma=0.0) == 1.0
    assert stats.cv(PAPER, mu=0.0, sigma=0.0) == stats.cv(PAPER, mu=0.0, sigma=1.0)


def test_the_noise_free_limit_is_continuous():
    sigma = np.geomspace(1e-3, 1e-110, 80)
    np.testing.assert_allclose(stats.rate(PAPER, mu=80.0, sigma=sigma), 8.0, rtol=1e-13)
    np.testing.assert_allclose(stats.cv(PAPER, mu=80.0, sigma=sigma), sigma / np.sqrt(800), rtol=1e-8)
    np.testing.assert_allclose(stats.log_isi_laplace(PAPER, s=3.0, mu=80.0, sigma=sigma), -0.375, rtol=1e-8)


def test_log_rate_is_finite_far_behind_the_barrier():
    log_rate = stats.log_rate(PAPER, mu=-1e4, sigma=1.0)
    assert log_rate == pytest.approx(np.log(2e8) - 2e4 * 11, rel=1e-14)
    assert stats.rate(PAPER, mu=-1e4, sigma=1.0) == 0.0


@settings(max_examples=200, deadline=None)
@example(mu=-10.0, sigma=1.0, s=5e-324)
@given(mu=st.floats(-1e6, 1e6, allow_subnormal=False), sigma=st.floats(0.0, 1e6), s=st.floats(0.0, 1e9))
def test_nothing_in_the_whole_parameter_space_is_nan(mu, sigma, s):
    for neuron in NEURONS:
        assert 0 <= stats.rate(neuron, mu=mu, sigma=sigma) < np.inf
        assert 0 <= stats.cv(neuron, mu=mu, sigma=sigma) < 10
        assert stats.log_isi_laplace(neuron, s=s, mu=mu, sigma=sigma) <= 0
        assert not np.isnan(stats.log_rate_gradient(neuron, mu=mu, sigma=sigma)).any()
        assert not np.isnan(stats.cv_gradient(neuron, mu=mu, sigma=sigma)).any()
        assert not np.isnan(stats.log_isi_laplace_gradient(neuron, s=s, mu=mu, sigma=sigma)).any()


@settings(max_examples=150, deadline=None)
@given(rate=st.floats(1e-3, 200), cv=st.floats(1e-6, 0.98))
def test_the_inverse_returns_to_its_target(rate, cv):
    for neuron in (PAPER, NEURONS[3]):
        target = cv * (1 - rate * neuron.tau_ref)
        mu, sigma, status = pif.input_for(neuron, np.array([rate]), np.array([target]))
        assert status[0] in (Status.OK, Status.IMPLAUSIBLE)
        assert stats.rate(neuron, mu=mu, sigma=sigma)[0] == pytest.approx(rate, rel=1e-12)
        assert stats.cv(neuron, mu=mu, sigma=sigma)[0] == pytest.approx(target, rel=1e-12)


def test_the_inverse_says_what_is_infeasible():
    refractory = eq.PIF(tau_ref=0.01)
    mu, sigma, status = pif.input_for(PAPER, np.array([5.0, 5.0]), np.array([1.0, 1.5]))
    assert np.isnan(mu).all()
    assert np.isnan(sigma).all()
    assert status == [Status.INFEASIBLE] * 2
    _, _, status = pif.input_for(refractory, np.array([50.0, 50.0, 120.0]), np.array([0.4, 0.51, 0.1]))
    assert status == [Status.OK, Status.INFEASIBLE, Status.INFEASIBLE]
    mu, sigma, status = pif.input_for(PAPER, np.array([5.0, 5.0]), np.array([0.0, 0.9999]))
    assert (mu[0], sigma[0]) == (50.0, 0.0)
    assert status == [Status.OK, Status.IMPLAUSIBLE]


def test_a_low_bound_lets_cv_exceed_one():
    """C_v < 1 is a property of a bound near the reset, not of the model."""
    low = eq.PIF(v_bound=-30.0)
    assert stats.cv(low, mu=0.0, sigma=10.0) == pytest.approx(np.sqrt(2 / 3 * (40**2 + 30**2) / 700), rel=1e-14)
    targets = np.array([0.5, 1.0, 1.2, 1.5, 1.6])
    mu, sigma, status = pif.input_for(low, np.full(5, 5.0), targets)
    assert status == [Status.OK] * 4 + [Status.INFEASIBLE]
    np.testing.assert_allclose(stats.cv(low, mu=mu[:4], sigma=sigma[:4]), targets[:4], rtol=1e-13)
    assert dispatch.find(low, "input_for") is pif.input_for


def first_passages(neuron, mu, sigma, n, rng, dt=1e-3):
    """Passage times of the reflected process by simulation: reflection exact in each step (minimum of a Brownian
    bridge), threshold crossing inside a step by the bridge probability, counted at mid-step."""
    v, times, step = np.full(n, neuron.v_reset), np.empty(0), 0
    top, bottom, variance = neuron.v_threshold, neuron.v_bound, sigma**2 * dt
    while v.size:
        free = v + mu * dt + np.sqrt(variance) * rng.standard_normal(v.size)
        lowest = (v + free - np.sqrt((free - v) ** 2 - 2 * variance * np.log1p(-rng.random(v.size)))) / 2
        new = free + np.maximum(bottom - lowest, 0.0)
        inside = np.exp(-2 * (top - v) * np.maximum(top - new, 0.0) / variance)
        crossed = (new >= top) | (rng.random(v.size) < inside)
        times = np.append(times, np.full(crossed.sum(), (step + 0.5) * dt))
        v, step = new[~crossed], step + 1
    return times


@pytest.mark.parametrize(("mu", "sigma"), [(10.305, 22.828), (-80.0, 33.2246), (46.3, 11.63)])
def test_simulated_passages(mu, sigma):
    """8000 passages; 5 standard errors, error rate 6e-7 each; the time step biases the mean by under 0.1 %."""
    n = 8000
    t = first_passages(PAPER, mu, sigma, n, np.random.default_rng(11))
    rate, cv = stats.rate(PAPER, mu=mu, sigma=sigma), stats.cv(PAPER, mu=mu, sigma=sigma)
    assert abs(t.mean() * rate - 1) < 5 * cv / np.sqrt(n)
    squares = (t * rate - 1) ** 2
    assert abs(squares.mean() - cv**2) < 5 * squares.std() / np.sqrt(n)
    weights = np.exp(-t / 0.3)
    p = stats.isi_laplace(PAPER, s=1 / 0.3, mu=mu, sigma=sigma)
    assert abs(weights.mean() - p) < 5 * weights.std() / np.sqrt(n)
