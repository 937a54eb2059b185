"""Sampled interspike intervals against closed forms; all comparisons at 4 standard errors with fixed seeds."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from equipoise import EIF, LIF, PIF, NumericalFailure, _core
from equipoise.renewal.sampling import StepControl, random_words, sample_isi

N = 1_000_000
Z = 4.0


def pif_mean(pif, mu, sigma):
    """<T> = (2/sigma^2) INT (1 - e^{-k x})/k dx from reset to threshold, x above the bound, k = 2 mu/sigma^2."""
    k = 2 * mu / sigma**2

    def inner(x):
        return x if k == 0 else -np.expm1(-k * x) / k

    total = integrate.quad(inner, pif.v_reset - pif.v_bound, pif.v_threshold - pif.v_bound, epsrel=1e-12)[0]
    return 2 * total / sigma**2 + pif.tau_ref


def pif_laplace(pif, s, mu, sigma):
    root = math.sqrt(mu**2 + 2 * s * sigma**2)
    plus, minus = (-mu + root) / sigma**2, (-mu - root) / sigma**2
    r, t = pif.v_reset - pif.v_bound, pif.v_threshold - pif.v_bound
    above = minus * math.exp(plus * r) - plus * math.exp(minus * r)
    below = minus * math.exp(plus * t) - plus * math.exp(minus * t)
    return math.exp(-s * pif.tau_ref) * above / below


def pif_cv(mu, sigma):
    """THEORY for the paper's PIF (10, 0, -1), from the second moment; k away from 0."""
    a, length, k = 1.0, 11.0, 2 * mu / sigma**2
    decay_a, decay_l = math.exp(-k * a), math.exp(-k * length)
    c = length + (1 + decay_l) / k
    second = c * ((length - a) + (decay_l - decay_a) / k) - (length**2 - a**2) / 2
    second += (length * decay_l - a * decay_a) / k + (decay_l - decay_a) / k**2
    return math.sqrt(2 / mu**2 * second / pif_mean(PIF(), mu, sigma) ** 2 - 1)


def lif_mean(lif, mu, sigma):
    scale = sigma * math.sqrt(lif.tau_m)
    low, high = ((v - lif.v_leak - mu * lif.tau_m) / scale for v in (lif.v_reset, lif.v_threshold))
    area = integrate.quad(lambda u: special.erfcx(-u), low, high, epsabs=0, epsrel=1e-11)[0]
    return lif.tau_ref + lif.tau_m * math.sqrt(math.pi) * area


def assert_mean(values, wanted):
    error = values.std() / math.sqrt(values.size)
    assert abs(values.mean() - wanted) < Z * error


def cv_and_error(intervals, blocks=100):
    cv = intervals.std() / intervals.mean()
    parts = [part.std() / part.mean() for part in np.array_split(intervals, blocks)]
    return cv, np.std(parts, ddof=1) / math.sqrt(blocks)


def test_random_bits_are_the_published_sequence_of_xoshiro256plusplus():
    words, out = np.array([1, 2, 3, 4], np.uint64), np.empty(6, np.uint64)
    _core.random_bits(words, out)
    assert out.tolist() == [
        41943041,
        58720359,
        3588806011781223,
        3591011842654386,
        9228616714210784205,
        9973669472204895162,
    ]


def test_normal_variates_are_normal_in_bulk_and_tail():
    x = np.empty(4 * N)
    _core.random_normal(random_words(12), x)
    assert stats.kstest(x[:N], "norm").pvalue > 1e-3
    for edge in (0.5, 2.0, 3.6541528853610088, 4.2):  # the third is where the ziggurat's tail begins
        for side in (x, -x):
            p = stats.norm.sf(edge)
            assert abs((side > edge).sum() - x.size * p) < Z * math.sqrt(x.size * p * (1 - p))
    assert abs((x**4).mean() - 3) < Z * math.sqrt(96 / x.size)


@pytest.mark.parametrize(("mu", "sigma"), [(10.305, 22.828), (-10.0, 20.0), (50.0, 5.0), (300.0, 60.0)])
def test_pif_rate_cv_and_transform(mu, sigma):
    pif = PIF()
    intervals = sample_isi(pif, N, mu=mu, sigma=sigma, seed=31)
    assert_mean(intervals, pif_mean(pif, mu, sigma))
    for s in (1 / 0.3, 2 / 0.3):
        assert_mean(np.exp(-s * intervals), pif_laplace(pif, s, mu, sigma))
    cv, error = cv_and_error(intervals)
    assert abs(cv - pif_cv(mu, sigma)) < Z * error
    assert 1 / intervals.mean() == pytest.approx(1 / pif_mean(pif, mu, sigma), rel=4e-3)


def test_pif_reset_on_its_bound_and_without_drift():
    pif = PIF(v_threshold=1.0, v_reset=0.0, v_bound=0.0, tau_ref=0.003)
    assert_mean(sample_isi(pif, 300_000, mu=0.0, sigma=2.0, seed=5), 1 / 4 + 0.003)  # <T> = L^2/sigma^2


@pytest.mark.parametrize(("mu", "sigma"), [(80.0, 5.0), (110.0, 3.0), (150.0, 1.0), (40.0, 5.0), (-50.0, 12.0)])
def test_lif_rate_and_cv(mu, sigma):
    lif, n = LIF(), 300_000
    intervals = sample_isi(lif, n, mu=mu, sigma=sigma, seed=32)
    assert_mean(intervals, lif_mean(lif, mu, sigma))
    if (mu, sigma) == (80.0, 5.0):
        cv, error = cv_and_error(intervals)
        assert abs(cv - 0.64129092) < Z * error
        assert_mean(np.exp(-10 / 3 * intervals), 0.9169244881)


def test_lif_with_another_leak_is_the_shifted_lif():
    shifted = LIF(v_threshold=-50e-3, v_reset=-60e-3, v_leak=-70e-3, tau_m=20e-3)
    intervals = sample_isi(shifted, 100_000, mu=0.9, sigma=0.05, seed=6)
    assert_mean(intervals, lif_mean(shifted, 0.9, 0.05))


def test_bias_vanishes_faster_than_any_power_in_the_reach_of_the_pif():
    exact = pif_mean(PIF(), 10.305, 22.828)

    def bias(reach):
        return abs(
            sample_isi(PIF(), N, mu=10.305, sigma=22.828, seed=5, steps=StepControl(reach=reach)).mean() / exact - 1
        )

    coarse, medium, fine = bias(1.5), bias(2.0), bias(2.5)
    assert 0.03 < coarse < 0.1
    assert medium < 0.4 * coarse
    assert fine < 0.4 * medium


def test_bias_falls_with_the_square_of_the_finest_lif_step():
    exact = lif_mean(LIF(), 40.0, 5.0)

    def bias(fine):
        intervals = sample_isi(LIF(), N, mu=40.0, sigma=5.0, seed=7, steps=StepControl(fine=fine))
        return intervals.mean() / exact - 1, intervals.std() / intervals.mean() / math.sqrt(N)

    (coarse, error), (half, _) = bias(0.4), bias(0.2)
    assert abs(coarse) > 8 * error
    order = math.log2(abs(coarse / half))
    assert 1.5 < order < 2.7


def test_noise_free_intervals_are_exact():
    lif, pif = LIF(v_reset=0.2), PIF(tau_ref=0.001)
    leaky = sample_isi(lif, 5, mu=150.0, sigma=0.0, seed=0)
    assert leaky == pytest.approx(0.002 + 0.01 * math.log(1.3 / 0.5), rel=1e-12)
    assert sample_isi(pif, 5, mu=50.0, sigma=0.0, seed=0) == pytest.approx(0.201, rel=1e-12)


positive = st.floats(0.1, 10.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    length=positive, above=st.floats(0.0, 3.0), drift=st.floats(-1.5, 5.0), sigma=positive, tau_ref=st.floats(0, 0.05)
)
def test_pif_mean_over_its_parameter_space(length, above, drift, sigma, tau_ref):
    pif = PIF(v_threshold=length, v_reset=0.0, v_bound=-above * length, tau_ref=tau_ref)
    mu = drift * sigma**2 / (length * (1 + above))
    intervals = sample_isi(pif, 4000, mu=mu, sigma=sigma, seed=8)
    assert np.isfinite(intervals).all()
    assert (intervals > tau_ref).all()
    error = intervals.std() / math.sqrt(intervals.size)
    assert abs(intervals.mean() - pif_mean(pif, mu, sigma)) < 6 * error


@settings(max_examples=30, deadline=None, derandomize=True)
@given(mean=st.floats(-1.0, 3.0), spread=st.floats(0.3, 3.0), tau_m=st.floats(1e-3, 0.1), reset=st.floats(-2.0, 0.9))
def test_lif_mean_over_its_parameter_space(mean, spread, tau_m, reset):
    assume((1.0 - mean) / spread < 2.0)  # the cell fires
    lif = LIF(v_reset=reset, tau_m=tau_m)
    mu, sigma = mean / tau_m, spread / math.sqrt(tau_m)
    intervals = sample_isi(lif, 2000, mu=mu, sigma=sigma, seed=9)
    assert (intervals > lif.tau_ref).all()
    error = intervals.std() / math.sqrt(intervals.size)
    assert abs(intervals.mean() - lif_mean(lif, mu, sigma)) < 6 * error


def test_seeds_decide_everything():
    def draw(seed, n=100):
        return sample_isi(PIF(), n, mu=10.0, sigma=20.0, seed=seed)

    assert np.array_equal(draw(1), draw(1))
    assert np.array_equal(draw(1), draw(np.random.SeedSequence(1)))
    assert np.array_equal(draw(1, 10), draw(1)[:10])
    assert not np.array_equal(draw(1), draw(2))
    assert draw(1, 0).shape == (0,)


def test_a_cell_that_hardly_fires_is_named():
    with pytest.raises(NumericalFailure, match=r"the cell hardly fires\. Raise mu or sigma"):
        sample_isi(LIF(), 10, mu=1.0, sigma=0.1, seed=1, steps=StepControl(max_steps=1e5))
    with pytest.raises(NumericalFailure, match="0 of 3 intervals"):
        sample_isi(PIF(), 3, mu=0.0, sigma=0.0, seed=1, steps=StepControl(max_steps=1e5))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sigma": -1.0}, ValueError, "sample_isi: sigma must be finite and at least 0, got -1"),
        ({"mu": math.nan}, ValueError, "sample_isi: mu must be finite, got nan"),
        ({"seed": -3}, ValueError, "seed must be at least 0, got -3"),
        ({"seed": 1.5}, TypeError, "seed must be an integer or a numpy SeedSequence, got 1.5"),
        ({"n": -1}, ValueError, "sample_isi.n .how many. must be at least 0, got -1"),
        ({"n": 2.5}, ValueError, "sample_isi: n must be a whole number, got 2.5"),
        ({"neuron": EIF()}, TypeError, "PIF and LIF exactly, got EIF. Use equipoise.renewal.rate"),
    ],
)
def test_bad_input_is_named(change, error, message):
    arguments = {"neuron": PIF(), "n": 3, "mu": 10.0, "sigma": 20.0, "seed": 1} | change
    with pytest.raises(error, match=message):
        sample_isi(arguments.pop("neuron"), arguments.pop("n"), **arguments)


def test_step_control_suggests_the_unit():
    with pytest.raises(ValueError, match=r"StepControl.flush .* Did you mean flush=20000 \* ms"):
        StepControl(flush=20000)
