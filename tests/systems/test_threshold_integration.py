"""The general integrator against closed forms, independent quadrature and simulation."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erfcx

import equipoise as eq
from equipoise.renewal import threshold_integration
from equipoise.renewal.threshold_integration import sample_drift, statistics

LIF = eq.LIF(tau_m=10e-3, tau_ref=2e-3)
EIF = eq.EIF()
PIF = eq.PIF()


@dataclass(frozen=True, kw_only=True)
class QIF(eq.IntegrateAndFire):
    """dv = (v^2 + mu) dt + sigma dW in units of 1 s, from -cut to cut."""

    v_threshold: float = 200.0
    v_reset: float = -200.0

    def drift(self, v):
        return np.square(v)

    def lower_bound(self, mu, sigma):
        return 2.0 * self.v_reset


def lif_by_quadrature(neuron, mu, sigma):
    """Rate and C_v by nested adaptive quadrature of scaled error functions (Siegert 1951; Brunel 2000, Eq. 29)."""
    scale = sigma * np.sqrt(neuron.tau_m)
    low, high = ((v - neuron.v_leak - mu * neuron.tau_m) / scale for v in (neuron.v_reset, neuron.v_threshold))
    exact = {"epsabs": 0.0, "epsrel": 1e-12, "limit": 200}
    mean = neuron.tau_m * np.sqrt(np.pi) * quad(lambda u: erfcx(-u), low, high, **exact)[0]

    def inner(u):  # e^{u^2} INT_{-inf}^u e^{z^2} erfc(-z)^2 dz with z = u - t
        reach = 40.0 / (1.0 + abs(u)) if u < 0 else 2.0 * u + 8.0
        return quad(lambda t: np.exp(2 * u * t - t * t) * erfcx(t - u) ** 2, 0.0, reach, **exact)[0]

    rate = 1.0 / (neuron.tau_ref + mean)
    variance = 2 * np.pi * neuron.tau_m**2 * quad(inner, low, high, epsabs=0.0, epsrel=1e-10)[0]
    return rate, rate * np.sqrt(variance)


def test_lif_published_values():
    x = statistics(LIF, mu=80.0, sigma=5.0, s=10 / 3)
    assert x.rate == pytest.approx(37.75889847, rel=1e-9)
    assert x.cv == pytest.approx(0.64129092, rel=1e-8)
    assert np.exp(x.log_isi_laplace) == pytest.approx(0.9169244881, rel=1e-9)
    nest = eq.LIF(tau_m=10e-3, tau_ref=2e-3, v_threshold=15.0)  # NEST's test_siegert_neuron, in mV
    assert statistics(nest, mu=1500.0, sigma=np.sqrt(150.0)).rate == pytest.approx(27.1095934379, rel=1e-11)


@pytest.mark.parametrize(("mu", "sigma"), [(80, 5), (120, 0.5), (101, 0.3), (20, 3), (-100, 20), (500, 10), (60, 1.5)])
def test_lif_against_quadrature(mu, sigma):
    x = statistics(LIF, mu=mu, sigma=sigma)
    rate, cv = lif_by_quadrature(LIF, mu, sigma)
    assert x.rate == pytest.approx(rate, rel=1e-11)
    assert x.cv == pytest.approx(cv, rel=1e-9)


@pytest.mark.parametrize(("mu", "sigma", "s"), [(80, 5, 10 / 3), (20, 3, 20.0), (120, 0.5, 1e-6), (-100, 20, 1e3)])
def test_lif_laplace_against_30_digits(mu, sigma, s):
    import mpmath as mp

    with mp.workdps(25):
        scale = mp.mpf(sigma) * mp.sqrt(mp.mpf(LIF.tau_m))
        a = mp.mpf(s) * mp.mpf(LIF.tau_m)

        def log_h(v):
            y = (mp.mpf(v) - mp.mpf(mu) * mp.mpf(LIF.tau_m)) / scale
            return mp.log(mp.pcfd(-a, -mp.sqrt(2) * y)) + y * y / 2

        exact = log_h(LIF.v_reset) - log_h(LIF.v_threshold) - mp.mpf(s) * mp.mpf(LIF.tau_ref)
    assert statistics(LIF, mu=mu, sigma=sigma, s=s).log_isi_laplace == pytest.approx(float(exact), rel=1e-11)


@given(mu=st.floats(-20.0, 300.0), sigma=st.floats(0.5, 30.0), s=st.floats(1e-6, 300.0))
@settings(max_examples=40, deadline=None)
def test_pif_closed_form(mu, sigma, s):
    """Eqs. 40 and 41; the rate near mu = 0 is left to the next test, where the formula cancels."""
    x = statistics(PIF, mu=mu, sigma=sigma, s=s)
    low, high = PIF.v_reset - PIF.v_bound, PIF.v_threshold - PIF.v_bound
    root = np.sqrt(mu**2 + 2 * s * sigma**2)
    plus = 2 * s / (root + mu) if mu > 0 else (root - mu) / sigma**2
    minus = -(root + mu) / sigma**2 if mu > 0 else -2 * s / (root - mu)

    def log_numerator(v):  # log of plus e^{minus v} - minus e^{plus v}
        return plus * v + np.log(plus * np.exp((minus - plus) * v) - minus)

    rise = log_numerator(low) - log_numerator(high)
    noise = 1e-14 * (abs(log_numerator(high)) + 1.0)
    assert x.log_isi_laplace == pytest.approx(rise, rel=1e-10, abs=10 * noise)
    if 2 * abs(mu) * high / sigma**2 > 0.1:
        top, bottom = -2 * mu * high / sigma**2, -2 * mu * low / sigma**2
        largest = max(top, 0.0)  # taken out of the sum, which overflows behind high barriers
        drop = np.exp(bottom - largest) - np.exp(top - largest)
        scaled = (high - low) / mu * np.exp(-largest) - sigma**2 / (2 * mu**2) * drop
        assert x.log_rate == pytest.approx(-np.log(scaled) - largest, rel=1e-10, abs=1e-10)


def test_pif_without_drift():
    low, high = PIF.v_reset - PIF.v_bound, PIF.v_threshold - PIF.v_bound
    x = statistics(PIF, mu=0.0, sigma=4.0)
    assert x.rate == pytest.approx(16.0 / (high**2 - low**2), rel=1e-13)
    # Var T of a reflected Brownian motion from x_r to x_th: 2 (x_th^4 - x_r^4)/(3 sigma^4).
    assert (x.cv / x.rate) ** 2 == pytest.approx(2 * (high**4 - low**4) / (3 * 4.0**4), rel=1e-12)


@pytest.mark.parametrize(("mu", "sigma"), [(-1.0, 2.0), (0.0, 1.0), (2.0, 0.5), (0.0, 10.0)])
def test_qif_from_minus_to_plus_infinity(mu, sigma):
    """<T> = sqrt(pi/D) INT z^-1/2 exp(-(z^3/12 + mu z)/D) dz (centre-of-mass integral of the Kolmogorov solution)."""
    d = sigma**2 / 2
    mean = np.sqrt(np.pi / d) * quad(lambda y: 2 * np.exp(-(y**6 / 12 + mu * y**2) / d), 0, np.inf, epsabs=1e-13)[0]
    cut = 200.0
    missing = 2.0 / cut  # INT dv/v^2 beyond the cuts; the next term is of order mu/cut^3 and D/cut^4
    x = statistics(QIF(), mu=mu, sigma=sigma)
    assert 1.0 / x.rate + missing == pytest.approx(mean, abs=3e-6)


def test_qif_without_noise():
    mu, cut = 4.0, 200.0
    x = statistics(QIF(), mu=mu, sigma=0.0, s=0.7)
    interval = 2 * np.arctan(cut / np.sqrt(mu)) / np.sqrt(mu)
    assert x.rate == pytest.approx(1.0 / interval, rel=1e-11)
    assert x.cv == 0.0
    assert x.log_isi_laplace == pytest.approx(-0.7 * interval, rel=1e-11)
    assert 1 / (interval + 2 / cut) == pytest.approx(np.sqrt(mu) / np.pi, rel=1e-6)


def test_eif_tends_to_the_lif_as_its_slope_vanishes():
    """The upstroke takes over from diffusion where slope e^x/tau_m ~ D/slope, x = (v - v_onset)/slope: the threshold
    effectively lies 2 slope log(const/slope) above onset, and the rate falls by that times dr/dv_th of the LIF."""
    lif = {v: statistics(eq.LIF(v_threshold=v), mu=80.0, sigma=5.0).rate for v in (0.999, 1.0, 1.001)}
    slopes = 2.0 ** -np.arange(10, 17)
    rates = [statistics(eq.EIF(slope=d, v_threshold=1.0 + 40 * d), mu=80.0, sigma=5.0).rate for d in slopes]
    gaps = lif[1.0] - np.array(rates)
    assert (gaps > 0.0).all()
    assert (np.diff(gaps) < 0.0).all()
    by_threshold = (lif[1.001] - lif[0.999]) / 0.002
    np.testing.assert_allclose(np.diff(gaps / slopes)[-3:] / np.log(2.0), -2.0 * by_threshold, rtol=0.01)


def test_the_eif_cut_off_does_not_matter_once_high():
    low, high = (statistics(eq.EIF(v_threshold=v), mu=80.0, sigma=5.0) for v in (2.5, 3.5))
    # Above 2.5 the upstroke takes tau_m exp(-15): 3 ns.
    assert 1 / low.rate == pytest.approx(1 / high.rate - 10e-3 * (np.exp(-15) - np.exp(-25)), abs=1e-10)
    assert low.cv == pytest.approx(high.cv, rel=1e-6)


def eif_intervals(neuron, mu, sigma, dt, cells, rng):
    """First intervals of `cells` EIFs: exact drift-free noise, Heun drift, and Brownian-bridge test of the cut-off."""
    v, t, alive = np.full(cells, neuron.v_reset), np.zeros(cells), np.arange(cells)
    step, top = 0, neuron.v_threshold
    while alive.size:
        step += 1
        kick = sigma * np.sqrt(dt) * rng.standard_normal(alive.size)
        now = v[alive]
        slope = neuron.drift(now) + mu
        guess = np.minimum(now + slope * dt + kick, top)
        new = now + 0.5 * (slope + neuron.drift(guess) + mu) * dt + kick
        bridge = np.exp(-2 * np.maximum(top - now, 0) * np.maximum(top - new, 0) / (sigma**2 * dt))
        fired = (new >= top) | (rng.random(alive.size) < bridge)
        t[alive[fired]] = (step - 0.5) * dt
        v[alive] = new
        alive = alive[~fired]
    return t + neuron.tau_ref


def test_eif_against_monte_carlo():
    """Seed 7, 3e4 intervals; bias below 1e-3 at dt = 10 us (halving dt moves the mean less than its error); 4.9
    standard errors for three statistics: false alarms below 3e-6, before bias."""
    neuron, mu, sigma = eq.EIF(v_threshold=2.0), 120.0, 6.0
    t = eif_intervals(neuron, mu, sigma, 20e-6, 30_000, np.random.default_rng(7))
    x = statistics(neuron, mu=mu, sigma=sigma, s=30.0)
    error = t.std() / np.sqrt(t.size)
    assert t.mean() == pytest.approx(1 / x.rate, abs=4.9 * error + 1e-3 / x.rate)
    z = (t - t.mean()) / t.std()
    relative = np.sqrt(np.mean((z**2 - 1 - 2 * x.cv * z) ** 2) / (4 * t.size))
    assert t.std() / t.mean() == pytest.approx(x.cv, rel=4.9 * relative + 1e-3)
    p = np.exp(-30.0 * t)
    assert p.mean() == pytest.approx(np.exp(x.log_isi_laplace), abs=4.9 * p.std() / np.sqrt(t.size) + 1e-3)


def test_convergence_order_of_the_scheme():
    """On equal steps the difference to halved steps falls with order 15, that of Radau IIA with 8 nodes."""
    steps = np.array([16, 20, 24, 28, 32])
    means, variances = np.array([halving_differences(n) for n in steps]).T
    for difference in (means, variances):
        orders = np.log(difference[:-1] / difference[1:]) / np.log(steps[1:] / steps[:-1])
        np.testing.assert_allclose(orders, 15.0, atol=0.6)
        assert abs(orders[-2] - 15.0) < abs(orders[0] - 15.0)


def halving_differences(n):
    """Of log mean and log variance, climbing a barrier of 60 in n equal panels that are one step each."""
    from equipoise import _core

    one, none, record = np.array([1.0]), np.array([0.0]), np.empty(13)
    edges, drift = np.linspace(0.0, 1.0, n + 1), np.zeros(16 * n)
    sigma, anything, most = np.sqrt(2.0) * one, 1e300, 1000
    args = (edges, drift, none, 0.0, -60 * one, sigma, none, 1, np.inf, anything, most, record)
    _core.threshold_statistics(*args)
    return record[9], record[10]


@given(
    mu=st.floats(-300.0, 500.0),
    sigma=st.floats(1.0, 50.0),
    s=st.floats(1e-12, 1e4),
    slope=st.floats(0.02, 0.5),
    tau_ref=st.floats(0.0, 5e-3),
)
@settings(max_examples=60, deadline=None)
def test_eif_invariants_and_gradients(mu, sigma, s, slope, tau_ref):
    neuron = eq.EIF(slope=slope, v_threshold=1.0 + 12 * slope, tau_ref=tau_ref)
    x = statistics(neuron, mu=mu, sigma=sigma, s=s)
    assert x.status is eq.Status.OK
    assert x.error <= threshold_integration.TOLERANCE
    assert x.cv > 0.0
    assert x.log_isi_laplace < 0.0
    assert np.log(-x.log_isi_laplace) <= np.log(s) - x.log_rate + 1e-9  # Jensen: <e^-sT> >= e^-s<T>
    by_mu, _ = x.log_isi_laplace_gradient
    assert x.log_rate_gradient[0] > 0.0
    assert by_mu > 0.0
    # Against central differences of step h, with room for rounding (1e-11/h) and the cubic term.
    h = 1e-4 * sigma
    up, down = (statistics(neuron, mu=mu + d, sigma=sigma, s=s) for d in (h, -h))
    wide, slim = (statistics(neuron, mu=mu, sigma=sigma + d, s=s) for d in (h, -h))
    for name in ("log_rate", "cv", "log_isi_laplace"):
        gradient = getattr(x, name + "_gradient")
        for exact, (a, b) in zip(gradient, ((up, down), (wide, slim)), strict=True):
            difference = (getattr(a, name) - getattr(b, name)) / (2 * h)
            scale = abs(gradient[0]) + abs(gradient[1]) + abs(getattr(x, name)) / sigma
            assert difference == pytest.approx(exact, rel=1e-5, abs=1e-5 * scale)


def test_laplace_transform_holds_the_moments():
    s = np.array([1e-9, 1e-7])
    x = statistics(EIF, mu=80.0, sigma=5.0, s=s)
    np.testing.assert_allclose(-x.log_isi_laplace / s, 1 / x.rate, rtol=1e-8)
    # The second cumulant, by a second difference at s where rounding and the third cumulant are both small.
    s = np.array([1e-2, 2e-2])
    a, b = statistics(EIF, mu=80.0, sigma=5.0, s=s).log_isi_laplace
    variance = (b - 2 * a) / s[0] ** 2
    assert variance == pytest.approx((x.cv[0] / x.rate[0]) ** 2, rel=5e-3)


@given(reset=st.floats(-3.0, 0.9), y_reset=st.floats(-4.0, 0.5), sigma=st.floats(1.0, 30.0))
@settings(max_examples=40, deadline=None)
def test_lif_depends_on_differences_of_potentials_only(reset, y_reset, sigma):
    """Moving all potentials and the mean together changes nothing, wherever reset falls among the floats."""
    mean = reset - y_reset
    here = statistics(eq.LIF(v_reset=reset), mu=mean / 10e-3, sigma=sigma, s=5.0)
    there = statistics(eq.LIF(v_reset=0.0, v_threshold=1.0 - reset, v_leak=-reset), mu=mean / 10e-3, sigma=sigma, s=5.0)
    assert here.status is there.status is eq.Status.OK
    assert here.log_rate == pytest.approx(there.log_rate, abs=1e-10)
    assert here.cv == pytest.approx(there.cv, rel=1e-10)
    assert here.log_isi_laplace == pytest.approx(there.log_isi_laplace, rel=1e-10)


def test_log_rate_far_below_underflow():
    """Kramers: -log r grows as the barrier over D; its ratio tends to 1 with corrections of order log(barrier)."""
    sigma = np.array([0.2, 0.1, 0.05])
    x = statistics(LIF, mu=50.0, sigma=sigma)
    barrier = 0.25 / (LIF.tau_m * sigma**2)  # (v_th - mu tau)^2/(sigma^2 tau)
    # Exactly: T -> tau sqrt(pi)/y e^{y^2} (1 + 1/(2 y^2) + 3/(4 y^4)), y^2 the barrier.
    series = 1 + 1 / (2 * barrier) + 3 / (4 * barrier**2) + 15 / (8 * barrier**3)
    expected = barrier + np.log(LIF.tau_m * np.sqrt(np.pi / barrier)) + np.log(series)
    np.testing.assert_allclose(-x.log_rate, expected, atol=1e-8)
    assert x.rate[-1] == 0.0
    np.testing.assert_allclose(x.cv, 1.0, atol=1e-9)


def test_small_noise_tends_to_none():
    sigma = np.array([1e-2, 1e-4, 1e-6])
    none, some = statistics(EIF, mu=120.0, sigma=0.0, s=3.0), statistics(EIF, mu=120.0, sigma=sigma, s=3.0)
    assert (np.abs(some.rate / none.rate - 1) < np.maximum(10 * sigma**2, 1e-12)).all()
    np.testing.assert_allclose(some.cv / sigma, none.cv_gradient[1], rtol=1e-3)
    assert (np.abs(some.log_isi_laplace / none.log_isi_laplace - 1) < np.maximum(10 * sigma**2, 1e-12)).all()
    silent = statistics(EIF, mu=50.0, sigma=0.0, s=3.0)
    assert (silent.rate, silent.log_rate, silent.cv, silent.log_isi_laplace) == (0.0, -np.inf, 1.0, -np.inf)


def test_an_element_does_not_depend_on_its_neighbours():
    mu, sigma = np.meshgrid([-500.0, 50.0, 120.0], [0.3, 5.0, 100.0])
    together = statistics(EIF, mu=mu, sigma=sigma, s=3.0)
    for at in np.ndindex(mu.shape):
        alone = statistics(EIF, mu=mu[at], sigma=sigma[at], s=3.0)
        for name in ("log_rate", "cv", "log_isi_laplace", "error"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(together, name)[at])


@dataclass(frozen=True, kw_only=True)
class Stepped(eq.IntegrateAndFire):
    """A drift with a jump at v = 1/3: two perfect integrators in series, with a closed form."""

    def drift(self, v):
        return np.where(v < 1 / 3, 30.0, 90.0)

    def lower_bound(self, mu, sigma):
        return 0.0


def test_a_drift_with_a_jump():
    a, b, d = 30.0, 90.0, 0.5 * 4.0**2
    u_mid = (1 - np.exp(-a / (3 * d))) / a
    mean = (1 / 3 - u_mid * d) / a + (2 / 3) / b + (u_mid - 1 / b) * (1 - np.exp(-b * 2 / (3 * d))) * d / b
    assert statistics(Stepped(), mu=0.0, sigma=4.0).rate == pytest.approx(1 / mean, rel=1e-11)
    edges, _ = sample_drift(Stepped(), 0.0)
    assert edges[0] == 0.0
    assert edges[-1] == 1.0
    assert (np.diff(edges) > 0).all()


def test_registered_for_every_neuron():
    assert eq.renewal.rate(QIF(), mu=4.0, sigma=1.0) == statistics(QIF(), mu=4.0, sigma=1.0).rate
    slope = eq.renewal.cv_gradient(EIF, mu=80.0, sigma=5.0)
    assert slope == statistics(EIF, mu=80.0, sigma=5.0).cv_gradient


def test_rate_and_cv_behind_a_barrier_of_any_height():
    mu, sigma = np.array([50.0, 50.0, -1e4]), np.array([0.002, 1e-9, 1.0])
    np.testing.assert_array_equal(eq.renewal.rate(EIF, mu=mu, sigma=sigma), 0.0)
    np.testing.assert_array_equal(eq.renewal.cv(EIF, mu=mu, sigma=sigma), 1.0)


def test_failure_raises_with_advice_or_is_labelled():
    tiny = {"mu": 50.0, "sigma": 0.002}
    with pytest.raises(eq.NumericalFailure, match=r"EIF at mu=50, sigma=0\.002 .* raise sigma .*NOT_CONVERGED"):
        eq.renewal.log_rate(EIF, **tiny)
    both = statistics(EIF, mu=50.0, sigma=[0.002, 5.0])
    assert both.status.tolist() == [eq.Status.NOT_CONVERGED, eq.Status.OK]


def test_bad_neurons_are_named():
    @dataclass(frozen=True, kw_only=True)
    class Bad(eq.IntegrateAndFire):
        bound: float = 0.0

        def drift(self, v):
            return 1.0 / (v - 2.0 * (v < 0.9))

        def lower_bound(self, mu, sigma):
            return self.bound

    class Scalar(Bad):
        def drift(self, v):
            return 1.0

    class Infinite(Bad):
        def drift(self, v):
            return np.where(v > 0.5, np.inf, 0.0)

    with pytest.raises(ValueError, match=r"Bad\.lower_bound\(mu=1, sigma=1\) must return .* below v_reset=0, got 3"):
        statistics(Bad(bound=3.0), mu=1.0, sigma=1.0)
    with pytest.raises(ValueError, match=r"Scalar\.drift must return one value per potential"):
        statistics(Scalar(), mu=1.0, sigma=1.0)
    with pytest.raises(ValueError, match=r"Infinite\.drift must be finite up to v_threshold, got inf at"):
        statistics(Infinite(), mu=1.0, sigma=1.0)
    with pytest.raises(ValueError, match="sigma must be finite and at least 0, got -1"):
        statistics(EIF, mu=1.0, sigma=-1.0)
