"""Calcium under renewal spikes: Theorems 1 and 2, sensitivities, gradients, and exact traces of spike trains."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, special

import equipoise as eq
from equipoise import renewal as rn
from equipoise.units import ms

PAPER = eq.Calcium(tau=300 * ms, influx=1.0, buffering=0.1)
rates, cvs, buffers = st.floats(0.05, 100), st.floats(0.05, 3.0), st.floats(0.0, 1.0)
FAMILIES = [eq.GammaISI, eq.InverseGaussianISI, eq.LogNormalISI, eq.WeibullISI]

# Theorem 1


def test_moments_of_figure_1():
    mean, second = rn.calcium_moments(PAPER, eq.GammaISI(rate=5.0, cv=[0.1, 0.5, 1, 1.5, 2]))
    np.testing.assert_allclose(mean, [1.35624, 1.34254, 1.30435, 1.25111, 1.18994], atol=5e-6)
    np.testing.assert_allclose(second, [1.91219, 1.99196, 2.19770, 2.44471, 2.67406], atol=5e-6)


@pytest.mark.parametrize(
    ("retention", "mean", "second"),
    [
        (0.1, [0.768, 0.730, 0.638, 0.538, 0.448], [0.612, 0.573, 0.485, 0.396, 0.322]),
        (1.0, [1.5, 1.5, 1.5, 1.5, 1.5], [2.340, 2.509, 3.000, 3.734, 4.658]),
    ],
)
def test_moments_at_other_retentions(retention, mean, second):
    sensor = eq.Calcium.from_retention(tau=300 * ms, influx=1.0, retention=retention)
    got = rn.calcium_moments(sensor, eq.GammaISI(rate=5.0, cv=[0.1, 0.5, 1, 1.5, 2]))
    np.testing.assert_allclose(got.mean, mean, atol=5.01e-4)
    np.testing.assert_allclose(got.second_moment, second, atol=5.01e-4)


@settings(max_examples=50, deadline=None)
@given(rate=rates, tau=st.floats(0.01, 10), influx=st.floats(0.01, 10), alpha=buffers)
def test_poisson_closed_forms(rate, tau, influx, alpha):
    sensor = eq.Calcium(tau=tau, influx=influx, buffering=alpha)
    moments = rn.calcium_moments(sensor, eq.ExponentialISI(rate=rate))
    x, p = rate * tau, 1 - alpha
    assert moments.mean == pytest.approx(influx * x / (1 + alpha * x), rel=1e-13)
    second = influx**2 * x * (1 + x + p * x) / ((1 + alpha * x) * (2 + (1 - p**2) * x))
    assert moments.second_moment == pytest.approx(second, rel=1e-13)
    assert moments.variance == pytest.approx(second - moments.mean**2, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(rate=rates, cv=cvs)
def test_without_buffering_the_mean_knows_the_rate_only(rate, cv):
    """Campbell: <C> = eta r tau for every law; the paper's z_1 fixes the variance."""
    sensor = eq.Calcium(tau=0.3, influx=2.0, buffering=0.0)
    for family in FAMILIES:
        law = family(rate=rate, cv=cv)
        moments = rn.calcium_moments(sensor, law)
        assert moments.mean == pytest.approx(0.6 * rate, rel=1e-12)
        q1 = rn.isi_laplace_complement(law, s=1 / 0.3)
        assert moments.second_moment == pytest.approx(0.6 * rate * (2 - q1) / q1, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(rate=rates, cv=cvs, alpha=buffers)
def test_raw_moments_continue_theorem_1(rate, cv, alpha):
    sensor = eq.Calcium(tau=0.3, influx=1.5, buffering=alpha)
    for law in (eq.GammaISI(rate=rate, cv=cv), eq.NeuronISI(eq.PIF(), mu=10 * rate, sigma=5.0)):
        raw = rn.calcium_raw_moments(sensor, law, 4)
        np.testing.assert_allclose(raw[1:3], rn.calcium_moments(sensor, law), rtol=1e-12)
        assert raw[0] == 1.0
        assert raw[4] * raw[2] >= raw[3] ** 2 * (1 - 1e-12)


def test_poisson_raw_moments_are_those_of_shot_noise():
    """Cumulants r tau eta^n/n at alpha = 0."""
    raw = rn.calcium_raw_moments(eq.Calcium(buffering=0.0, tau=0.3, influx=2.0), eq.ExponentialISI(rate=5.0), 4)
    k = [1.5 * 2.0**n / n for n in range(1, 5)]
    assert raw[3] == pytest.approx(k[2] + 3 * k[1] * k[0] + k[0] ** 3, rel=1e-13)
    assert raw[4] == pytest.approx(k[3] + 4 * k[2] * k[0] + 3 * k[1] ** 2 + 6 * k[1] * k[0] ** 2 + k[0] ** 4, rel=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("law", [eq.GammaISI(rate=5.0, cv=1.5), eq.LogNormalISI(rate=8.0, cv=0.5)], ids=repr)
def test_renewal_trains_have_the_moments_of_theorem_1(law, alpha):
    """400 independent trains, each from its own warm start; 5 standard errors, error rate 6e-7 each."""
    sensor = eq.Calcium(buffering=alpha)
    intervals = rn.sample(law, 400 * 500, np.random.default_rng(5)).reshape(400, 500)
    times = np.cumsum(intervals, axis=1)
    stop = float(times[:, -1].min())
    units, kept = np.nonzero(times < stop)
    order = np.argsort(times[units, kept])
    trains = eq.SpikeTrains(times[units, kept][order], units[order], 400, 0.0, stop)
    measured = rn.calcium_moments_of(sensor, trains, discard=10.0)
    for got, wanted in zip(measured, rn.calcium_moments(sensor, law), strict=True):
        assert abs(got.mean() - wanted) < 5 * got.std(ddof=1) / 20


def test_a_silent_neuron_has_no_calcium():
    law = eq.NeuronISI(eq.PIF(), mu=[-1.0, 50.0], sigma=0.0)
    mean, second = rn.calcium_moments(PAPER, law)
    assert mean[0] == second[0] == 0.0
    z = np.exp(-0.2 / 0.3 * np.arange(3))
    assert mean[1] == pytest.approx(1.5 * (1 - z[1]) / (1 - 0.9 * z[1]), rel=1e-14)


# averages of saturating drives


def shot_noise_transform(theta, rate, tau):
    """E exp(-theta C) of unbuffered Poisson shot noise with unit influx."""
    return np.exp(-rate * tau * (np.log(theta) + np.euler_gamma + special.exp1(theta))) if theta > 0 else 1.0


@pytest.mark.parametrize(("rate", "tolerance"), [(5.0, 4e-6), (20.0, 4e-7)])
def test_average_against_the_exact_transform_of_shot_noise(rate, tolerance):
    """E C/(K + C) = 1 - K INT e^{-K theta} E e^{-theta C} dtheta."""
    sensor, half = eq.Calcium(buffering=0.0), 1.0
    exact = 1 - half * integrate.quad(lambda u: np.exp(-half * u) * shot_noise_transform(u, rate, 0.3), 0, 60)[0]
    errors = [
        abs(rn.calcium_average(sensor, eq.ExponentialISI(rate=rate), lambda c: c / (half + c), nodes=n) - exact)
        for n in (2, 4, 8)
    ]
    assert errors[2] < tolerance
    assert errors[2] < 0.1 * errors[1] < 0.1 * errors[0]


@settings(max_examples=40, deadline=None)
@given(rate=rates, cv=cvs, alpha=buffers, nodes=st.integers(2, 12))
@example(rate=7.5, cv=2.0, alpha=1.0, nodes=12)  # rounding put a node below zero
def test_average_is_exact_for_low_polynomials_and_positive_for_positive_functions(rate, cv, alpha, nodes):
    sensor, law = eq.Calcium(buffering=alpha), eq.GammaISI(rate=rate, cv=cv)
    mean, second = rn.calcium_moments(sensor, law)
    assert rn.calcium_average(sensor, law, lambda c: c, nodes=nodes) == pytest.approx(mean, rel=1e-10)
    assert rn.calcium_average(sensor, law, lambda c: c**2, nodes=nodes) == pytest.approx(second, rel=1e-9)
    assert 0 < rn.calcium_average(sensor, law, lambda c: c / (1 + c), nodes=nodes) <= mean / (1 + mean) * (1 + 1e-9)


# Theorem 2


@settings(max_examples=60, deadline=None)
@given(rate=st.floats(0.5, 60), cv=st.floats(0.2, 2.0), alpha=st.floats(0.01, 0.95))
def test_the_condition_is_the_slope_of_the_second_moment(rate, cv, alpha):
    sensor = eq.Calcium(buffering=alpha)
    for family in FAMILIES:
        sides = rn.balanced_buffering(sensor, family, rate=rate, cv=cv)
        h = 1e-4 * cv
        up, down = (np.log(rn.calcium_moments(sensor, family(rate=rate, cv=cv + d)).second_moment) for d in (h, -h))
        assert sides.gain - sides.loss == pytest.approx((up - down) / (2 * h), abs=2e-7 * (1 + sides.gain) / cv)


@pytest.mark.parametrize(
    ("alpha", "limit", "tolerance"), [(0.05, 31.9, 0.05), (0.1, 14.9, 0.05), (0.2, 6.1, 0.05), (0.3, 3.0, 0.05)]
)
def test_rate_up_to_which_encoding_diverges(alpha, limit, tolerance):
    assert rn.divergent_rate_limit(eq.Calcium(buffering=alpha)) == pytest.approx(limit, abs=tolerance)


def test_rate_limit_at_the_ends():
    assert rn.divergent_rate_limit(eq.Calcium(buffering=0.02)) > 60
    assert rn.divergent_rate_limit(eq.Calcium(buffering=0.0)) == np.inf
    assert rn.divergent_rate_limit(eq.Calcium(buffering=1.0)) == 0.0
    assert rn.divergent_rate_limit(eq.Calcium(buffering=0.01)) * 0.01 * 0.3 == pytest.approx(0.5, abs=0.05)


def test_rate_limit_at_strong_buffering_in_multiple_precision():
    """At alpha = 0.5 the binding point is C_v = 1.5: there d<C^2>/dC_v changes sign, gamma transform written out."""
    limit = rn.divergent_rate_limit(eq.Calcium(buffering=0.5))

    def slope(rate):
        def second(cv):
            z1, z2 = ((1 + n / mp.mpf("0.3") / rate * cv**2) ** (-1 / cv**2) for n in (1, 2))
            return (1 + z1 / 2) * (1 - z2) / ((1 - z1 / 2) * (1 - z2 / 4))

        return mp.diff(second, mp.mpf("1.5"))

    with mp.workdps(30):
        assert float(mp.findroot(slope, (0.45, 0.6), solver="anderson")) == pytest.approx(limit, rel=1e-8)
    assert limit == pytest.approx(0.5139, abs=5e-5)


def test_critical_retention():
    table = [
        [0.013, 0.138, 0.371, 0.498, 0.594],
        [0.106, 0.251, 0.444, 0.560, 0.647],
        [0.705, 0.713, 0.740, 0.774, 0.807],
        [0.845, 0.846, 0.851, 0.861, 0.875],
        [0.920, 0.920, 0.921, 0.923, 0.927],
    ]
    rate = np.array([0.5, 1, 5, 10, 20])[:, None]
    np.testing.assert_allclose(rn.critical_retention(PAPER, rate=rate, cv=[0.2, 0.5, 1, 1.5, 2]), table, atol=5.01e-4)


# sensitivities


def test_sensitivities_at_five_hertz():
    s = rn.calcium_sensitivities(PAPER, rate=5.0, cv=1.0)
    assert s.mean == pytest.approx((0.870, -0.072), abs=5e-4)
    assert s.second_moment == pytest.approx((1.485, 0.217), abs=5e-4)
    assert s.variance == pytest.approx((0.614, 1.458), abs=5e-4)


def test_condition_numbers():
    s = rn.calcium_sensitivities(PAPER, rate=[5.0, 5.0, 20.0, 1.0], cv=[1.0, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(s.condition_number, [10, 33, 32, 4.8], rtol=0.03)


@pytest.mark.parametrize("family", FAMILIES)
def test_sensitivities_are_log_derivatives(family):
    s = rn.calcium_sensitivities(PAPER, family, rate=7.0, cv=0.6)
    h = 1e-4

    def logs(a, b):
        m = rn.calcium_moments(PAPER, family(rate=7.0 * np.exp(a * h), cv=0.6 * np.exp(b * h)))
        return np.log([m.mean, m.second_moment, m.variance])

    by_rate, by_cv = (logs(1, 0) - logs(-1, 0)) / (2 * h), (logs(0, 1) - logs(0, -1)) / (2 * h)
    np.testing.assert_allclose([p.rate for p in s], by_rate, rtol=1e-7)
    np.testing.assert_allclose([p.cv for p in s], by_cv, rtol=1e-6)


# gradients by the input


@settings(max_examples=40, deadline=None)
@given(mu=st.floats(-20, 300), sigma=st.floats(3, 60), alpha=buffers)
def test_gradient_by_the_input(mu, sigma, alpha):
    sensor, pif = eq.Calcium(buffering=alpha), eq.PIF(tau_ref=0.002)
    gradient = rn.calcium_gradient(sensor, pif, mu, sigma)

    def moments(m, s):
        return np.log(rn.calcium_moments(sensor, eq.NeuronISI(pif, m, s)))

    here, h = np.exp(moments(mu, sigma)), 1e-4 * sigma
    by_mu = here * (moments(mu + h, sigma) - moments(mu - h, sigma)) / (2 * h)
    by_sigma = here * (moments(mu, sigma + h) - moments(mu, sigma - h)) / (2 * h)
    scale = here * (1 + abs(mu) / sigma) / sigma
    np.testing.assert_allclose([g[0] for g in gradient], by_mu, rtol=1e-6, atol=1e-6 * scale.max())
    np.testing.assert_allclose([g[1] for g in gradient], by_sigma, rtol=1e-6, atol=1e-6 * scale.max())


def test_the_gradient_works_on_a_neuron_of_ones_own():
    class Plain(eq.IntegrateAndFire):
        def drift(self, v):
            return 0.0 * v

        def lower_bound(self, mu, sigma):
            return -0.1

    mu, sigma = np.array([0.0, 5.0, 20.0]), 2.0
    pif = eq.PIF(v_threshold=1.0, v_bound=-0.1)
    got, wanted = rn.calcium_gradient(PAPER, Plain(), mu, sigma), rn.calcium_gradient(PAPER, pif, mu, sigma)
    np.testing.assert_allclose(got, wanted, rtol=1e-8)


def test_a_silent_cell_has_no_gradient():
    gradient = rn.calcium_gradient(PAPER, eq.PIF(), [-1.0, 50.0], 0.0)
    assert gradient.mean[0][0] == gradient.second_moment[1][0] == 0.0
    assert gradient.mean[0][1] > 0
    assert np.isfinite(gradient).all()


# traces


def reference(sensor, times, start, stop, initial, k_m, k_d):
    """The four time averages by a plain loop in double precision with expm1."""
    c, since, total = initial, start, np.zeros(4)
    for t in [*times, None]:
        low = c * np.exp(-((stop if t is None else t) - since) / sensor.tau)
        both = (c - low) * (c + low)
        total += c - low, both / 2, np.log1p((c - low) / (k_m + low)), np.log1p(both / (k_d + low**2)) / 2
        if t is not None:
            c, since = sensor.retention * low + sensor.influx, t
    return sensor.tau * total / (stop - start)


@pytest.mark.parametrize("n", [0, 1, 7, 1024, 5000])
def test_compiled_averages_equal_a_plain_loop(n):
    times = np.cumsum(np.random.default_rng(n).gamma(0.5, 0.4, n))
    stop = float(times[-1]) + 0.3 if n else 1.0
    wanted = reference(PAPER, times, 0.0, stop, 0.7, 1.2, 0.8)
    trains = eq.SpikeTrains.single(times, t_start=0.0, t_stop=stop)
    got = [*rn.calcium_moments_of(PAPER, trains, initial=0.7)]
    got += rn.saturated_averages_of(PAPER, trains, k_m=1.2, k_d=0.8, initial=0.7)
    np.testing.assert_allclose(np.ravel(got), wanted, rtol=1e-13)


def test_units_are_independent_and_equal_single_trains():
    rng = np.random.default_rng(2)
    times = np.sort(rng.uniform(5.0, 25.0, 400))
    trains = eq.SpikeTrains(times, rng.integers(0, 3, 400), 4, 5.0, 25.0)
    options = {"initial": 0.4, "discard": 2.5}
    moments = rn.calcium_moments_of(PAPER, trains, **options)
    drives = rn.saturated_averages_of(PAPER, trains, k_m=1.0, k_d=2.0, **options)
    for u in range(4):
        alone = eq.SpikeTrains.single(trains.unit(u), t_start=5.0, t_stop=25.0)
        np.testing.assert_allclose([m[u] for m in moments], np.ravel(rn.calcium_moments_of(PAPER, alone, **options)))
        single = rn.saturated_averages_of(PAPER, alone, k_m=1.0, k_d=2.0, **options)
        np.testing.assert_allclose([d[u] for d in drives], np.ravel(single), rtol=1e-13)


def test_warm_up_is_not_counted():
    times = np.array([0.5, 1.0, 1.0, 2.5])
    trains = eq.SpikeTrains.single(times, t_start=0.0, t_stop=4.0)
    level = rn.calcium_trace(PAPER, times, t_start=0.0, t_stop=4.0, at=1.2)
    later = eq.SpikeTrains.single([2.5], t_start=1.2, t_stop=4.0)
    np.testing.assert_allclose(
        rn.calcium_moments_of(PAPER, trains, discard=1.2),
        rn.calcium_moments_of(PAPER, later, initial=float(level)),
        rtol=1e-14,
    )


def test_averages_are_integrals_of_the_trace():
    times = np.array([0.2, 0.25, 0.9])
    trains = eq.SpikeTrains.single(times, t_start=0.0, t_stop=1.5)
    x, w = np.polynomial.legendre.leggauss(30)
    edges = np.array([0.0, *times, 1.5])
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    at = middle[:, None] + half[:, None] * x
    c = rn.calcium_trace(PAPER, times, t_start=0.0, t_stop=1.5, at=at, initial=0.3)
    weights = half[:, None] * w / 1.5
    drives = rn.saturated_averages_of(PAPER, trains, k_m=0.5, k_d=0.5, initial=0.3)
    got = [*rn.calcium_moments_of(PAPER, trains, initial=0.3), *drives]
    wanted = [np.sum(weights * f) for f in (c, c**2, c / (0.5 + c), c**2 / (0.5 + c**2))]
    np.testing.assert_allclose(np.ravel(got), wanted, rtol=1e-13)


def test_trace_values():
    sensor = eq.Calcium(tau=1.0, influx=2.0, buffering=0.5)
    after = rn.calcium_trace(sensor, [1.0, 1.0, 2.0], t_start=0.0, t_stop=3.0, initial=np.e)
    np.testing.assert_allclose(after, [3.25, 3.25, 3.25 / np.e / 2 + 2], rtol=1e-15)
    at = np.array([[2.5, 0.0], [1.0, 0.5]])
    values = rn.calcium_trace(sensor, [1.0, 1.0, 2.0], t_start=0.0, t_stop=3.0, at=at, initial=np.e)
    np.testing.assert_allclose(values, [[after[2] * np.exp(-0.5), np.e], [3.25, np.exp(0.5)]], rtol=1e-14)


def test_long_silence_decays_to_nothing():
    trains = eq.SpikeTrains.single([0.0, 1e6], t_start=0.0, t_stop=2e6)
    mean, second = rn.calcium_moments_of(PAPER, trains)
    assert mean[0] == pytest.approx(0.3 / 1e6, rel=1e-14)
    assert second[0] == pytest.approx(0.15 / 1e6, rel=1e-14)


TRAIN = eq.SpikeTrains.single([0.1], t_start=0.0, t_stop=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rn.calcium_raw_moments(PAPER, eq.ExponentialISI(rate=1.0), -1), "order must be a whole number of at"),
        (
            lambda: rn.calcium_average(PAPER, eq.ExponentialISI(rate=1.0), np.sin, nodes=0),
            r"nodes must lie in \[1, 12\]",
        ),
        (lambda: rn.calcium_moments_of(PAPER, TRAIN, discard=1.0), r"discard must lie in \[0, 1\) s, .*, got 1 s"),
        (
            lambda: rn.calcium_moments_of(PAPER, TRAIN, initial=-1.0),
            "calcium at the start of the window.*at least 0 uM",
        ),
        (lambda: rn.calcium_trace(PAPER, [0.5, 0.1], t_start=0.0, t_stop=1.0), "times must be sorted"),
        (lambda: rn.calcium_trace(PAPER, [0.5], t_start=0.0, t_stop=1.0, at=2.0), r"at must lie in \[0, 1\] s, got 2"),
        (lambda: rn.saturated_averages_of(PAPER, TRAIN, k_m=0.0, k_d=1.0), "k_m .half-saturation. must be above 0 uM"),
        (lambda: rn.divergent_rate_limit(PAPER, cv=(1.0, 0.5)), "cv must be a range .low, high."),
        (lambda: rn.balanced_buffering(PAPER, rate=5.0, cv=0.0), "cv must be finite and above 0, got 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
