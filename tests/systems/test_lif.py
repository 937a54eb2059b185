"""The leaky integrate-and-fire neuron against 30-digit references, published values, exact identities and limits."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lif_oracle as oracle
import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise import _core, renewal
from equipoise.units import ms

HERE = Path(__file__).parent
LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)
BINARY = eq.LIF(tau_m=2.0**-6, tau_ref=2 * ms)  # mu tau_m and sqrt(tau_m) without rounding


def read(name):
    header, *rows = (HERE / name).read_text().splitlines()
    columns = zip(*(row.split(",") for row in rows), strict=True)
    return dict(zip(header.split(","), columns, strict=True))


def doubles(column):
    return np.array([float(x) for x in column])


def worst(values, references):
    """Largest relative error against references of 30 digits."""
    with mp.workdps(30):
        return max(abs(float(mp.mpf(float(v)) / mp.mpf(r) - 1)) for v, r in zip(values, references, strict=True))


def integrals(y_reset, y_threshold, d):
    q, h = np.empty_like(d), np.empty_like(d)
    _core.lif_integrals(y_reset, y_threshold, d, q, h)
    return q, h


def laplace_exponent(a, y_reset, y_threshold, d):
    out = [np.empty_like(d) for _ in range(3)]
    _core.lif_laplace_exponent(a, y_reset, y_threshold, d, *out)
    return out


# ---- the universal functions ---------------------------------------------------------------------


def test_integrals_against_references():
    ref = read("lif_integrals.csv")
    q, h = integrals(doubles(ref["y_reset"]), doubles(ref["y_threshold"]), doubles(ref["d"]))
    assert len(q) > 150
    assert worst(q, ref["q_integral"]) < 1e-14  # the bar is 1e-12
    assert worst(h, ref["h_integral"]) < 5e-14  # the bar is 1e-11, on its root


def test_laplace_exponent_against_references():
    ref = read("lif_laplace.csv")
    inputs = [doubles(ref[name]) for name in ("a", "y_reset", "y_threshold", "d")]
    exponent, plain, weighted = laplace_exponent(*inputs)
    assert len(exponent) > 200
    assert worst(exponent, ref["exponent"]) < 5e-14  # the bar is 1e-12
    assert worst(plain, ref["plain"]) < 1e-12
    assert worst(weighted, ref["weighted"]) < 1e-12


def test_oracle_agrees_with_itself():
    # The two routes to log N, where both work.
    with mp.workdps(30):
        for a, y in ((60, -2.5), (120, 1.5), (200, 4)):
            assert abs(oracle.log_n(a, y) - oracle.log_n_by_quadrature(a, y)) < mp.mpf(10) ** -24


@settings(deadline=None)
@given(log_a=st.floats(-290, 8), y=st.floats(-30, 30), log_d=st.floats(-4, 2.5))
@example(log_a=-281.07, y=24.5, log_d=1.364)  # a V just small, where e^{-y_th^2} nears underflow
@example(log_a=-272.9, y=24.68, log_d=1.097)
@example(log_a=-290.0, y=30.0, log_d=0.5)
def test_exponent_is_additive(log_a, y, log_d):
    # int over two halves equals int over the whole, across every branch of the evaluation.
    a, d = 10.0**log_a, 10.0**log_d
    middle = y - d
    whole = laplace_exponent(*(np.array([x]) for x in (a, middle - d, y, 2 * d)))[0]
    halves = [laplace_exponent(*(np.array([x]) for x in (a, top - d, top, d)))[0] for top in (y, middle)]
    # y - d is rounded, which moves the inner end by up to 2^-52 (|y| + d); r <= 2 (|y| + d) + sqrt(2 a) at most.
    slack = 2.0**-52 * (abs(y) + d) * (2 * abs(y) + math.sqrt(2 * a) + 1)
    assert float(whole[0]) == pytest.approx(float(sum(halves)[0]), rel=1e-12 + slack / d)


@pytest.mark.parametrize("a", [1e-6, 0.05, 0.7, 1.0, 8.0, 500.0])
@pytest.mark.parametrize("y_reset", [-20.0, -3.0, -0.5, 0.5, 5.0])
def test_riccati_equation(a, y_reset):
    # r' = 2 a + 2 u r - r^2, integrated from reset to threshold, meets r and int r there.
    from scipy.integrate import solve_ivp

    d = 2.0
    y = y_reset + d
    exponent, plain, weighted = (float(x[0]) for x in laplace_exponent(*(np.array([x]) for x in (a, y_reset, y, d))))
    start = (weighted - y * plain) / d  # r at reset
    run = solve_ivp(
        lambda u, z: [2 * a + 2 * u * z[0] - z[0] ** 2, z[0]],
        (y_reset, y),
        [start, 0.0],
        method="LSODA",
        rtol=1e-11,
        atol=1e-13 * a,
    )
    assert run.y[0, -1] == pytest.approx(start + plain, rel=1e-8)
    assert run.y[1, -1] == pytest.approx(exponent, rel=1e-8)


def test_rate_is_the_limit_of_the_transform():
    # -d log P_L/ds at s = 0 is the mean interval.
    mu, sigma, s = np.linspace(40, 200, 40), np.geomspace(4, 60, 40), 1e-12
    slope = -renewal.log_isi_laplace(LIF, s=s, mu=mu, sigma=sigma) / s
    np.testing.assert_allclose(slope * renewal.rate(LIF, mu=mu, sigma=sigma), 1.0, rtol=1e-9)


def test_cv_is_the_second_derivative_of_the_transform():
    # log P_L = -s T + s^2 Var/2 - ...: the variance from three values, by Richardson's rule.
    mu, sigma = np.array([60.0, 80.0, 120.0]), np.array([8.0, 5.0, 3.0])
    mean = 1 / renewal.rate(LIF, mu=mu, sigma=sigma)

    def curvature(s):
        return 2 * (renewal.log_isi_laplace(LIF, s=s, mu=mu, sigma=sigma) + s * mean) / s**2

    s = 0.2
    first, second, third = curvature(s), curvature(s / 2), curvature(s / 4)
    a, b = 2 * second - first, 2 * third - second
    variance = (4 * b - a) / 3
    np.testing.assert_allclose(np.sqrt(variance) / mean, renewal.cv(LIF, mu=mu, sigma=sigma), rtol=1e-6)


# ---- published values ----------------------------------------------------------------------------


def membrane(tau_m, tau_ref, threshold, reset, mean, sd):
    """Rate of the neuron of other papers: milliseconds, millivolts, mu_V = mu tau_m and sigma_V = sigma sqrt(tau_m)."""
    neuron = eq.LIF(tau_m=tau_m * ms, tau_ref=tau_ref * ms, v_threshold=threshold, v_reset=reset)
    return renewal.rate(neuron, mu=np.asarray(mean) / neuron.tau_m, sigma=np.asarray(sd) / math.sqrt(neuron.tau_m))


PUBLISHED = [  # tau_m, tau_ref [ms], threshold, reset, mu_V, sigma_V [mV], rate [Hz], digits printed
    ("NEST", (10, 2, 15, 0, 15, math.sqrt(1.5)), 27.1095934379, 1e-11),
    ("Schuecker 2015", (20, 0, 20, 15, 16.42, 4), 13.406744742411842, 1e-13),
    ("Schuecker 2015", (20, 0, 20, 15, 19.66, 4), 35.10388095311643, 1e-13),
    ("Schuecker 2015", (20, 0, 20, 15, 18.94, 1.5), 12.279832418607826, 1e-13),
    ("Schuecker 2015", (20, 0, 20, 15, 20.96, 1.5), 32.50073988241008, 1e-13),
    ("NNMT", (10, 2, 20, 0, 12, 2), 2.45427696775e-5, 1e-11),
    ("NNMT", (10, 2, 20, 0, 13, 2.4), 0.0309211613158, 1e-11),
    ("NNMT", (10, 2, 20, 0, 14, 2.3), 0.147705923505, 1e-11),
    ("NNMT", (10, 2, 20, 0, 15, 2.9), 3.75848086917, 1e-11),
    ("NNMT", (10, 2, 20, 0, 22, 0.5), 38.7136868274, 1e-11),
    ("NNMT", (10, 2, 20, 0, 25, 0.4), 55.3125032107, 1e-11),
    ("NNMT", (10, 2, 20, 0, 30, 0.3), 77.017130335, 1e-11),
    ("NNMT", (10, 2, 20, 0, 40, 0.9), 112.011156682, 1e-11),
    ("noise-free", (20, 2, 20, 0, 30, 0), 41.71490687414834, 1e-14),
]


@pytest.mark.parametrize(("source", "parameters", "rate", "digits"), PUBLISHED)
def test_published_rates(source, parameters, rate, digits):
    assert membrane(*parameters) == pytest.approx(rate, rel=digits)


@pytest.mark.parametrize(
    ("mean", "sd", "rate"),
    [
        (16.42, 4, 10.209422714963653),
        (19.66, 4, 30.107146483026153),
        (18.94, 1.5, 10.09768639577759),
        (20.96, 1.5, 29.979602332128426),
    ],
)
def test_rates_with_synaptic_filtering(mean, sd, rate):
    # Fourcaud & Brunel 2002: tau_s = 0.5 ms shifts threshold and reset by sigma_V (alpha/2) sqrt(tau_s/tau_m).
    shift = sd * 2.065253152231217 / 2 * math.sqrt(0.5 / 20)
    assert membrane(20, 0, 20 + shift, 15 + shift, mean, sd) == pytest.approx(rate, rel=1e-13)


@pytest.mark.parametrize(("g", "drive", "rate"), [(6, 4, 55.8412624), (5, 2, 37.9496971), (4.5, 0.9, 6.5167023)])
def test_brunel_network_is_self_consistent(g, drive, rate):
    # Brunel 2000, model A: J = 0.1 mV, C_E = 1000, C_I = 250, nu_thr = theta/(C_E J tau_m).
    external = drive * 20 / (0.1 * 1000 * 0.02)
    mean = 0.1 * 1000 * 0.02 * (external + rate * (1 - g / 4))
    sd = 0.1 * math.sqrt(1000 * 0.02 * (external + rate * (1 + g**2 / 4)))
    assert membrane(20, 2, 20, 10, mean, sd) == pytest.approx(rate, rel=5e-7)


def test_the_check_of_the_paper():
    inputs = {"mu": 80.0, "sigma": 5.0}
    assert renewal.rate(LIF, **inputs) == pytest.approx(37.75889847, abs=5e-9)
    assert renewal.cv(LIF, **inputs) == pytest.approx(0.64129092, abs=5e-9)
    assert renewal.isi_laplace(LIF, s=10 / 3, **inputs) == pytest.approx(0.9169244881, abs=5e-11)


def test_monte_carlo():
    # Euler steps with the Brownian-bridge crossing test; 4 standard errors, false alarm below 2e-4 over three checks.
    rng = np.random.default_rng(11)
    mu, sigma, dt, n = 110.0, 5.0, 2e-5, 20000
    v, t, alive, isi = np.zeros(n), 0.0, np.arange(n), np.empty(n)
    while alive.size:
        drift = (mu - v / LIF.tau_m) * dt
        new = v + drift + sigma * math.sqrt(dt) * rng.standard_normal(v.size)
        passed = rng.random(v.size) < np.exp(np.minimum(0.0, -2 * (1 - v) * (1 - new) / (sigma**2 * dt)))
        isi[alive[passed]] = t + dt / 2 + LIF.tau_ref
        v, alive, t = new[~passed], alive[~passed], t + dt
    s = 1 / (300 * ms)
    mean, cv = 1 / renewal.rate(LIF, mu=mu, sigma=sigma), renewal.cv(LIF, mu=mu, sigma=sigma)
    assert abs(isi.mean() - mean) < 4 * isi.std() / math.sqrt(n) + 2e-3 * mean  # 0.2 % for the time step
    spread = math.sqrt((np.mean((isi - isi.mean()) ** 4) / isi.var() ** 2 - 1) / (4 * n))
    assert abs(isi.std() / isi.mean() / cv - 1) < 4 * (spread + cv / math.sqrt(n)) + 2e-3
    weight = np.exp(-s * isi)
    assert abs(weight.mean() - renewal.isi_laplace(LIF, s=s, mu=mu, sigma=sigma)) < 4 * weight.std() / n**0.5 + 1e-4


# ---- from (mu, sigma) ----------------------------------------------------------------------------

POINTS = [(mu, sigma) for mu in (-60.0, 50.0, 95.0, 100.0, 105.0, 400.0) for sigma in (2.0, 4.0, 30.0, 1e5)]


@pytest.mark.parametrize(("mu", "sigma"), POINTS)
def test_statistics_against_the_oracle(mu, sigma):
    neuron = BINARY  # y is free of rounding, and the bars hold from (mu, sigma) on
    mu /= 1.5625
    s = 10 / 3
    with mp.workdps(25):
        interval, cv = oracle.interval(neuron, mu, sigma), oracle.cv(neuron, mu, sigma)
        log_laplace = oracle.log_isi_laplace(neuron, s, mu, sigma)
    y2 = max(0.0, (1 - mu * neuron.tau_m) / (sigma * neuron.tau_m**0.5)) ** 2
    inputs = {"mu": mu, "sigma": sigma}
    assert renewal.log_rate(neuron, **inputs) == pytest.approx(float(-mp.log(interval)), rel=1e-13, abs=1e-13)
    if interval < 1e300:
        assert renewal.rate(neuron, **inputs) == pytest.approx(float(1 / interval), rel=1e-13 + 4e-16 * y2)
    assert renewal.cv(neuron, **inputs) == pytest.approx(float(cv), rel=1e-12)
    assert renewal.log_isi_laplace(neuron, s=s, **inputs) == pytest.approx(float(log_laplace), rel=1e-12)


@pytest.mark.parametrize(
    ("mu", "sigma"), [(-20.0, 6.0), (60.0, 3.0), (99.0, 0.7), (130.0, 2.0), (130.0, 80.0), (80.0, 500.0)]
)
def test_gradients_against_differences_of_the_oracle(mu, sigma):
    s = 10 / 3
    functions = [
        (lambda m, q: -mp.log(oracle.interval(LIF, m, q)), renewal.log_rate_gradient(LIF, mu=mu, sigma=sigma)),
        (lambda m, q: oracle.cv(LIF, m, q), renewal.cv_gradient(LIF, mu=mu, sigma=sigma)),
        (
            lambda m, q: oracle.log_isi_laplace(LIF, s, m, q),
            renewal.log_isi_laplace_gradient(LIF, s=s, mu=mu, sigma=sigma),
        ),
    ]
    with mp.workdps(26):  # of which differences leave 17
        h = mp.mpf(10) ** -9
        for function, (by_mu, by_sigma) in functions:
            numeric_mu = (function(mu + h, sigma) - function(mu - h, sigma)) / (2 * h)
            numeric_sigma = (function(mu, sigma + h) - function(mu, sigma - h)) / (2 * h)
            assert by_mu == pytest.approx(float(numeric_mu), rel=2e-12, abs=1e-15)
            assert by_sigma == pytest.approx(float(numeric_sigma), rel=2e-12, abs=1e-15)


@pytest.mark.parametrize("seed", range(12))
def test_errors_from_inputs_are_those_of_their_rounding(seed):
    # In volts, with a leak: allowed are a few roundings of v - v_leak, mu tau_m and sigma, amplified by the slopes.
    neuron = eq.LIF(tau_m=20 * ms, v_threshold=-50e-3, v_reset=-60e-3, v_leak=-65e-3, tau_ref=2 * ms)
    rng = np.random.default_rng(seed)
    mu, sigma, s = rng.uniform(0.2, 1.4), 10 ** rng.uniform(-3, -1), 10 ** rng.uniform(-2, 3)
    inputs = {"mu": mu, "sigma": sigma}
    rounding = np.array([(0.065 + mu * neuron.tau_m) / neuron.tau_m, sigma]) * 2.0**-52
    with mp.workdps(25):
        log_rate = -mp.log(oracle.interval(neuron, mu, sigma))
        cv, log_laplace = oracle.cv(neuron, mu, sigma), oracle.log_isi_laplace(neuron, s, mu, sigma)
    for value, reference, slopes in (
        (renewal.log_rate(neuron, **inputs), log_rate, renewal.log_rate_gradient(neuron, **inputs)),
        (renewal.cv(neuron, **inputs), cv, renewal.cv_gradient(neuron, **inputs)),
        (
            renewal.log_isi_laplace(neuron, s=s, **inputs),
            log_laplace,
            renewal.log_isi_laplace_gradient(neuron, s=s, **inputs),
        ),
    ):
        allowed = 4 * np.abs(slopes) @ rounding + 1e-14 * abs(value)
        assert abs(value - float(reference)) <= allowed


def test_leak_potential_only_shifts():
    # Powers of two shift without rounding.
    shifted = eq.LIF(v_threshold=65.0, v_reset=64.0, v_leak=64.0)
    for verb in (renewal.rate, renewal.cv, renewal.log_rate):
        assert verb(shifted, mu=80.0, sigma=5.0) == verb(LIF, mu=80.0, sigma=5.0)


# ---- limits --------------------------------------------------------------------------------------


def test_without_noise():
    mu = np.array([-1e4, 32.0, 64.0, 80.0, 1e6])  # 64 puts the mean potential exactly at threshold
    fires = mu > 64
    interval = 2 * ms + np.log1p(1 / (mu[fires] / 64 - 1)) / 64
    np.testing.assert_allclose(renewal.rate(BINARY, mu=mu, sigma=0.0)[fires], 1 / interval, rtol=1e-14)
    assert (renewal.rate(BINARY, mu=mu, sigma=0.0)[~fires] == 0).all()
    assert (renewal.log_rate(BINARY, mu=mu, sigma=0.0)[~fires] == -np.inf).all()
    assert renewal.cv(BINARY, mu=mu, sigma=0.0).tolist() == [1, 1, 0, 0, 0]
    np.testing.assert_allclose(
        renewal.log_isi_laplace(BINARY, s=5.0, mu=mu, sigma=0.0)[fires], -5 * interval, rtol=1e-14
    )
    assert (renewal.isi_laplace(BINARY, s=5.0, mu=mu, sigma=0.0)[~fires] == 0).all()
    assert (renewal.log_isi_laplace(BINARY, s=0.0, mu=mu, sigma=0.0) == 0).all()


@pytest.mark.parametrize("mu", [110.0, 300.0])
def test_vanishing_noise_above_threshold(mu):
    # C_v/sigma and the rate tend to their noise-free values; 1e-9 in sigma sqrt(tau_m) and far below.
    sigma = np.array([1e-8, 1e-30, 1e-80])
    interval = 1 / renewal.rate(LIF, mu=mu, sigma=0.0)
    np.testing.assert_allclose(1 / renewal.rate(LIF, mu=mu, sigma=sigma), interval, rtol=1e-14)
    near, far = mu * LIF.tau_m - 1, mu * LIF.tau_m
    slope = LIF.tau_m / interval * math.sqrt(LIF.tau_m / 2 * (near**-2 - far**-2))
    np.testing.assert_allclose(renewal.cv(LIF, mu=mu, sigma=sigma) / sigma, slope, rtol=1e-13)
    by_sigma = renewal.cv_gradient(LIF, mu=mu, sigma=sigma)[1]
    np.testing.assert_allclose(by_sigma, slope, rtol=1e-12)
    assert renewal.cv_gradient(LIF, mu=mu, sigma=0.0)[1] == pytest.approx(slope, rel=1e-13)
    np.testing.assert_allclose(
        renewal.log_rate_gradient(LIF, mu=mu, sigma=sigma)[0],
        renewal.log_rate_gradient(LIF, mu=mu, sigma=0.0)[0],
        rtol=1e-13,
    )


def test_vanishing_noise_below_threshold():
    sigma = np.array([1e-2, 1e-8, 1e-40, 1e-90])
    y = 0.5 / (sigma * 0.1)
    np.testing.assert_allclose(renewal.log_rate(LIF, mu=50.0, sigma=sigma)[1:] / y[1:] ** 2, -1, rtol=1e-12)
    np.testing.assert_allclose(renewal.cv(LIF, mu=50.0, sigma=sigma), 1.0, rtol=1e-11)
    assert (renewal.rate(LIF, mu=50.0, sigma=sigma) == 0).all()


@pytest.mark.parametrize("sigma", [5e-324, 1e-310, 1e-200, 1e-120])
def test_noise_at_the_end_of_the_numbers(sigma):
    # 64 puts the mean potential exactly at threshold, where y is 0/0 or as far as numbers reach.
    for mu in (32.0, 64.0, 80.0):
        inputs = {"mu": mu, "sigma": sigma}
        assert 0 <= renewal.rate(BINARY, **inputs) < 500
        assert 0 <= renewal.cv(BINARY, **inputs) <= 1
        values = [renewal.log_rate(BINARY, **inputs), renewal.log_isi_laplace(BINARY, s=5.0, **inputs)]
        values += [*renewal.log_rate_gradient(BINARY, **inputs), *renewal.cv_gradient(BINARY, **inputs)]
        values += renewal.log_isi_laplace_gradient(BINARY, s=100.0, **inputs)
        assert not np.isnan(values).any()


def test_log_rate_far_below_underflow():
    with mp.workdps(30):
        for sigma in (0.9, 0.5, 0.05, 1e-3):
            reference = float(-mp.log(oracle.interval(LIF, 50.0, sigma)))
            assert reference < -20
            assert renewal.log_rate(LIF, mu=50.0, sigma=sigma) == pytest.approx(reference, rel=2e-14)


def test_rate_just_above_underflow():
    # Where e^{-y_th^2} itself has lost digits, the rate has not.
    sigma = 5.0 / 26.75
    with mp.workdps(30):
        reference = 1 / oracle.interval(LIF, 50.0, sigma)
    assert 1e-309 < reference < 1e-300
    assert renewal.rate(LIF, mu=50.0, sigma=sigma) == pytest.approx(float(reference), rel=1e-12, abs=0)


def test_huge_noise():
    # sigma_V = 1e8 thresholds: 1/r -> tau_ref + tau_m sqrt(pi) d.
    sigma = 1e9
    expected = 1 / (2 * ms + 10 * ms * math.sqrt(math.pi) / 1e8)
    assert renewal.rate(LIF, mu=80.0, sigma=sigma) == pytest.approx(expected, rel=1e-12)


def test_silent_cv_decreases_to_one_with_refractoriness():
    assert renewal.cv(LIF, mu=0.0, sigma=1.0) == pytest.approx(1.0, abs=1e-12)


# ---- what other programs get wrong ---------------------------------------------------------------


def test_midpoint():
    # mu tau_m = (v_r + v_th)/2, where y_r = -y_th.
    values = renewal.rate(LIF, mu=[49.999999, 50.0, 50.000001], sigma=5.0)
    assert np.isfinite(values).all()
    assert values[1] == pytest.approx((values[0] + values[2]) / 2, rel=1e-11)


def test_one_extreme_element_does_not_spoil_the_batch():
    mu, sigma = np.array([80.0, -1e9, 80.0, 1e12, 80.0]), np.array([5.0, 1e-9, 0.0, 1e-3, 5.0])
    values = renewal.rate(LIF, mu=mu, sigma=sigma)
    assert np.isfinite(values).all()
    assert values[0] == values[4] == renewal.rate(LIF, mu=80.0, sigma=5.0)


def test_large_arrays_are_not_mistaken_for_each_other():
    mu = np.linspace(0, 200, 5000)
    first = renewal.rate(LIF, mu=mu, sigma=5.0)
    changed = mu.copy()
    changed[2500] += 1
    second = renewal.rate(LIF, mu=changed, sigma=5.0)
    assert (first != second).sum() == 1


@settings(deadline=None)
@given(
    mu=st.floats(-1e4, 1e4),
    log_sigma=st.floats(-9, 8),
    log_s=st.one_of(st.just(-np.inf), st.floats(-290, 30)),
    tau_ref=st.floats(0, 0.1),
    tau_m=st.floats(1e-4, 1),
)
def test_everything_is_finite_and_in_range(mu, log_sigma, log_s, tau_ref, tau_m):
    neuron, s = eq.LIF(tau_m=tau_m, tau_ref=tau_ref), 10.0**log_s
    inputs = {"mu": mu, "sigma": 10.0**log_sigma / math.sqrt(tau_m)}
    rate, cv, log_p = (
        renewal.rate(neuron, **inputs),
        renewal.cv(neuron, **inputs),
        renewal.log_isi_laplace(neuron, s=s, **inputs),
    )
    assert rate >= 0
    assert tau_ref == 0 or rate <= 1 / tau_ref * (1 + 1e-15)
    assert 0 <= cv < np.inf
    assert -np.inf < log_p <= 0
    assert np.isfinite(renewal.log_rate(neuron, **inputs))
    for gradient in (
        renewal.log_rate_gradient(neuron, **inputs),
        renewal.cv_gradient(neuron, **inputs),
        renewal.log_isi_laplace_gradient(neuron, s=s, **inputs),
    ):
        assert np.isfinite(gradient).all()
    assert renewal.log_rate_gradient(neuron, **inputs)[0] >= 0


@settings(deadline=None)
@given(mu=st.floats(-200, 300), log_sigma=st.floats(-1, 2.5), step=st.floats(0.01, 20))
def test_rate_increases_with_mu(mu, log_sigma, step):
    low, high = renewal.log_rate(LIF, mu=[mu, mu + step], sigma=10.0**log_sigma)
    assert low < high


@settings(deadline=None)
@given(mu=st.floats(-100, 300), log_sigma=st.floats(0, 2.5), log_s=st.floats(-3, 4))
def test_transform_decreases_and_is_log_convex(mu, log_sigma, log_s):
    s = 10.0**log_s * np.array([1.0, 1.5, 2.0])
    log_p = renewal.log_isi_laplace(LIF, s=s, mu=mu, sigma=10.0**log_sigma)
    assert (log_p < 0).all()
    assert (np.diff(log_p) < 0).all()
    assert log_p[0] + log_p[2] - 2 * log_p[1] >= -1e-13 * abs(log_p[2])
    mean = np.exp(-renewal.log_rate(LIF, mu=mu, sigma=10.0**log_sigma))
    assert log_p[0] >= -s[0] * mean * (1 + 1e-12)  # Jensen


# ---- an element never depends on its neighbours --------------------------------------------------


def statistics(mu, sigma, s):
    return [
        renewal.rate(LIF, mu=mu, sigma=sigma),
        renewal.log_rate(LIF, mu=mu, sigma=sigma),
        renewal.cv(LIF, mu=mu, sigma=sigma),
        renewal.log_isi_laplace(LIF, s=s, mu=mu, sigma=sigma),
        *renewal.log_rate_gradient(LIF, mu=mu, sigma=sigma),
        *renewal.cv_gradient(LIF, mu=mu, sigma=sigma),
        *renewal.log_isi_laplace_gradient(LIF, s=s, mu=mu, sigma=sigma),
    ]


def test_bitwise_independence():
    rng = np.random.default_rng(3)
    n = 241
    mu, sigma = rng.uniform(-100, 300, n), 10 ** rng.uniform(-3, 3, n)
    s = rng.choice([0.0, 1e-3, 10 / 3, 20 / 3, 99.0, 150.0, 1e5], n)
    whole = statistics(mu, sigma, s)
    order = rng.permutation(n)
    for a, b in zip(whole, statistics(mu[order], sigma[order], s[order]), strict=True):
        assert (a[order] == b).all()
    for a, b in zip(whole, statistics(mu[77:130], sigma[77:130], s[77:130]), strict=True):
        assert (a[77:130] == b).all()
    for i in range(0, n, 30):
        for a, b in zip(whole, statistics(mu[i], sigma[i], s[i]), strict=True):
            assert a[i] == b


def test_a_forgotten_table_is_rebuilt_the_same():
    before = renewal.log_isi_laplace(LIF, s=10 / 3, mu=80.0, sigma=5.0)
    renewal.log_isi_laplace(LIF, s=np.linspace(1, 50, 100), mu=20.0, sigma=9.0)
    assert renewal.log_isi_laplace(LIF, s=10 / 3, mu=80.0, sigma=5.0) == before


def test_threads_share_the_tables():
    s = np.geomspace(0.1, 1e3, 60)
    mu, sigma = np.linspace(0, 150, 50), np.linspace(20, 1, 50)

    def one(value):
        return renewal.log_isi_laplace(LIF, s=value, mu=mu, sigma=sigma)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(one, s))
    assert all((a == one(value)).all() for a, value in zip(together, s, strict=True))


def test_shapes_broadcast():
    assert renewal.rate(LIF, mu=np.zeros((3, 1)), sigma=np.ones(4)).shape == (3, 4)
    assert renewal.log_isi_laplace(LIF, s=np.ones((2, 1, 1)), mu=np.zeros((3, 1)), sigma=np.ones(4)).shape == (2, 3, 4)
    assert np.ndim(renewal.rate(LIF, mu=1.0, sigma=1.0)) == 0
    assert renewal.rate(LIF, mu=[], sigma=1.0).shape == (0,)


# ---- bad input -----------------------------------------------------------------------------------


def test_bad_input_is_explained():
    with pytest.raises(ValueError, match=r"rate: sigma must be finite and at least 0, got -1\."):
        renewal.rate(LIF, mu=80.0, sigma=-1.0)
    with pytest.raises(ValueError, match=r"cv: mu must be finite, got nan at index \(1,\)\."):
        renewal.cv(LIF, mu=[1.0, np.nan], sigma=1.0)
    with pytest.raises(ValueError, match=r"log_isi_laplace: s must be finite and at least 0, got -2\."):
        renewal.isi_laplace(LIF, s=-2.0, mu=80.0, sigma=1.0)
    with pytest.raises(TypeError, match=r"log_rate: a neuron needs mu .* sigma is missing\."):
        renewal.log_rate(LIF, mu=80.0)


def test_core_refuses_arrays_of_different_sizes():
    parameters, one, two = np.array([1.0, 0, 0, 0.01, 0]), np.ones(1), np.ones(2)
    with pytest.raises(ValueError, match="array sizes differ"):
        _core.lif_rate(parameters, one, two, one)
