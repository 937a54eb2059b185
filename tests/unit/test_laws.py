"""Laws of the interspike interval: transforms against mpmath and quadrature of the density, invariants, samples."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import equipoise as eq
from equipoise.renewal import laws, quadrature
from equipoise.renewal import statistics as stats

rates = st.floats(0.01, 300)
cvs = st.floats(0.02, 4.0)
FAMILIES = [laws.GammaISI, laws.InverseGaussianISI, laws.LogNormalISI, laws.WeibullISI]


@st.composite
def any_law(draw):
    rate, cv = draw(rates), draw(cvs)
    return draw(
        st.sampled_from(
            [
                laws.ExponentialISI(rate=rate),
                laws.DeadTimeISI(rate=rate, dead_time=min(cv, 0.9) / rate),
                *(family(rate=rate, cv=cv) for family in FAMILIES),
                laws.NeuronISI(eq.PIF(), mu=10 * rate, sigma=3 * np.sqrt(rate)),
                laws.EmpiricalISI(np.array([0.3, 0.7, 1.0, cv]) / rate),
            ]
        )
    )


@settings(max_examples=100, deadline=None)
@given(law=any_law(), exponent=st.floats(-12, 3))
def test_every_transform_is_a_completely_monotone_function_above_its_jensen_bound(law, exponent):
    rate = float(stats.rate(law))
    s = 10.0**exponent * rate
    log_p = float(stats.log_isi_laplace(law, s=s))
    assert -s / rate * (1 + 1e-14) <= log_p <= 0
    assert stats.log_rate(law) == pytest.approx(np.log(rate), abs=1e-13)
    p = stats.isi_laplace(law, s=s * np.arange(1.0, 5.0))
    signs = [np.diff(p, n)[0] * (-1) ** n for n in range(4)]
    assert all(d >= -1e-13 for d in signs)


@settings(max_examples=60, deadline=None)
@given(law=any_law())
def test_the_first_two_moments_stand_at_the_origin(law):
    """-log P_L(s)/s -> <T>, with the variance as its first correction: exact to full precision at s = 1e-12 r."""
    rate, cv = float(stats.rate(law)), float(stats.cv(law))
    tiny = 1e-12 * rate
    complement = float(stats.isi_laplace_complement(law, s=tiny))
    assert complement / 1e-12 == pytest.approx(1 - 0.5e-12 * (1 + cv**2), rel=1e-13)
    x = 1e-3 / (1 + cv**2)
    curvature = 2 * (1 + float(stats.log_isi_laplace(law, s=x * rate)) / x) / x
    assert curvature == pytest.approx(cv**2, abs=0.05 * (cv**2 + cv**4) + 1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_variability_is_the_clock(family):
    law = family(rate=4.0, cv=0.0)
    s = np.array([1e-9, 1.0, 40.0])
    np.testing.assert_allclose(stats.log_isi_laplace(law, s=s), -s / 4, rtol=1e-13)
    assert stats.cv(law) == 0.0
    np.testing.assert_array_equal(laws.sample(law, 3, np.random.default_rng(0)), 0.25)
    with pytest.raises(ValueError, match="with cv=0 is a clock and has no density"):
        stats.isi_density(law, t=0.1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cv", [1e-4, 1e-2])
def test_little_variability_is_close_to_the_clock(family, cv):
    """log P_L = -x + x^2 C_v^2/2 + O(C_v^4 x^3) in every family with light tails."""
    x = np.array([0.1, 1.0, 3.0])
    got = stats.log_isi_laplace(family(rate=1.0, cv=cv), s=x)
    np.testing.assert_allclose(got + x, x**2 * cv**2 / 2, rtol=0.5 * x.max() * cv + 5 * cv**2 * x.max(), atol=1e-13)


CASES = [
    laws.ExponentialISI(rate=5.0),
    laws.DeadTimeISI(rate=5.0, dead_time=0.05),
    *(family(rate=5.0, cv=cv) for family in FAMILIES for cv in (0.3, 0.9, 1.4)),
]


@pytest.mark.parametrize("law", CASES, ids=repr)
def test_the_density_is_normalised_and_gives_the_transform(law):
    start = getattr(law, "dead_time", 0.0)

    def integral(weight):
        """Over log t, so that an integrable singularity at t = 0 does no harm."""

        def integrand(y):
            t = np.exp(y)
            return t * weight(t) * stats.isi_density(law, t=start + t)

        return integrate.quad(integrand, -60, 6, limit=400, epsabs=1e-13, epsrel=1e-12, points=[-4, -2, 0, 2])[0]

    assert integral(lambda t: 1.0) == pytest.approx(1.0, abs=1e-10)
    assert integral(lambda t: start + t) == pytest.approx(0.2, abs=1e-10)
    for s in (0.5, 10 / 3, 40.0):
        wanted = float(stats.isi_laplace(law, s=s))
        assert integral(lambda t, s=s: np.exp(-s * (start + t))) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("x", [1e-12, 0.3, 3.0, 30.0])
@pytest.mark.parametrize("cv", [0.1, 1.0, 5.0])
def test_lognormal_transform_against_mpmath(cv, x):
    width = float(np.sqrt(np.log1p(cv**2)))

    def integrand(z):
        return mp.expm1(-x * mp.exp(width * z - mp.mpf(width) ** 2 / 2)) * mp.exp(-(z**2) / 2)

    with mp.workdps(45):
        log_p = mp.log1p(mp.quad(integrand, [-16, *range(-10, 20, 2)], maxdegree=8) / mp.sqrt(2 * mp.pi))
    got = quadrature.log_lognormal_laplace(np.array([x]), np.array([width]))[0]
    assert got == pytest.approx(float(log_p), rel=1e-13)


@pytest.mark.parametrize("x", [1e-12, 0.3, 50.0])
@pytest.mark.parametrize("cv", [0.3, 1.0, 5.0])
def test_weibull_transform_against_mpmath(cv, x):
    h = float(quadrature.weibull_exponent(np.array([cv]))[0])

    def integrand(y):
        return mp.expm1(-x / mp.gamma(1 + mp.mpf(h)) * mp.exp(h * y)) * mp.exp(y - mp.exp(y))

    with mp.workdps(45):
        points = [-120, -80, -50, -30, -20, -15, -10, *range(-8, 6)]
        log_p = mp.log1p(mp.quad(integrand, points, maxdegree=8))
    got = quadrature.log_weibull_laplace(np.array([x]), np.array([h]))[0]
    assert got == pytest.approx(float(log_p), rel=1e-12)


def test_weibull_with_unit_cv_is_exponential():
    s = np.geomspace(1e-10, 1e5, 30)
    np.testing.assert_allclose(
        stats.log_isi_laplace(laws.WeibullISI(rate=5.0, cv=1.0), s=s), -np.log1p(s / 5), rtol=1e-13
    )


@given(cv=st.floats(1e-8, 15.0))
@settings(max_examples=100, deadline=None)
def test_weibull_shape_solves_its_equation(cv):
    h = quadrature.weibull_exponent(np.array([cv]))[0]
    with mp.workdps(40):
        squared = mp.expm1(mp.loggamma(1 + 2 * mp.mpf(h)) - 2 * mp.loggamma(1 + mp.mpf(h)))
    assert float(mp.sqrt(squared)) == pytest.approx(cv, rel=1e-13)


@pytest.mark.parametrize("family", [laws.GammaISI, laws.InverseGaussianISI])
@settings(max_examples=50, deadline=None)
@given(rate=rates, cv=cvs, s=st.floats(1e-6, 1e3))
def test_closed_form_gradients(family, rate, cv, s):
    law = family(rate=rate, cv=cv)
    by_rate, by_cv = laws.get(law, "log_isi_laplace_gradient")(law, s)

    def log_p(r, c):
        r, c = mp.mpf(r), mp.mpf(c)
        if family is laws.GammaISI:
            return -mp.log(1 + s * c**2 / r) / c**2
        return (1 - mp.sqrt(1 + 2 * s * c**2 / r)) / c**2

    with mp.workdps(60):
        h = mp.mpf(10) ** -20
        rate_slope = (log_p(rate + h, cv) - log_p(rate - h, cv)) / (2 * h)
        cv_slope = (log_p(rate, cv + h) - log_p(rate, cv - h)) / (2 * h)
    assert by_rate == pytest.approx(float(rate_slope), rel=1e-12)
    assert by_cv == pytest.approx(float(cv_slope), rel=2e-11)


@pytest.mark.parametrize("law", CASES, ids=repr)
def test_samples_have_the_mean_the_cv_and_the_transform(law):
    """Within 5 standard errors, two-sided error rate 6e-7 per comparison."""
    n = 100_000
    t = laws.sample(law, n, np.random.default_rng(20))
    assert t.shape == (n,)
    cv = float(stats.cv(law))
    assert abs(t.mean() * 5 - 1) < 5 * cv / np.sqrt(n)
    for s in (1.0, 10.0):
        p, variance = stats.isi_laplace(law, s=s), np.exp(-s * t).var()
        assert abs(np.exp(-s * t).mean() - p) < 5 * np.sqrt(variance / n)


def test_laws_broadcast_and_an_element_ignores_its_neighbours():
    rate, cv, s = np.array([[1.0], [20.0]]), np.array([0.2, 1.0, 3.0]), np.array(10 / 3)
    for family in FAMILIES:
        grid = stats.log_isi_laplace(family(rate=rate, cv=cv), s=s)
        assert grid.shape == (2, 3)
        for i, j in np.ndindex(2, 3):
            alone = stats.log_isi_laplace(family(rate=rate[i, 0], cv=cv[j]), s=s)
            assert grid[i, j] == pytest.approx(alone, rel=1e-15)
        assert laws.sample(family(rate=rate, cv=cv), 4, np.random.default_rng(1)).shape == (2, 3, 4)
    assert laws.sample(laws.ExponentialISI(rate=[1.0, 2.0]), 4, np.random.default_rng(1)).shape == (2, 4)


def test_a_neuron_is_a_law():
    law = laws.NeuronISI(eq.PIF(), mu=50.0, sigma=[5.0, 10.0])
    assert isinstance(law, laws.ISILaw)
    np.testing.assert_array_equal(stats.rate(law), stats.rate(eq.PIF(), mu=50.0, sigma=[5.0, 10.0]))
    np.testing.assert_array_equal(stats.cv(law), stats.cv(eq.PIF(), mu=50.0, sigma=[5.0, 10.0]))


def test_intervals_as_a_law():
    t = np.random.default_rng(3).gamma(2.0, 0.1, 500)
    law = laws.EmpiricalISI(t)
    assert stats.cv(law) == pytest.approx(t.std() / t.mean(), rel=1e-15)
    assert stats.isi_laplace(law, s=3.0) == pytest.approx(np.exp(-3 * t).mean(), rel=1e-13)
    assert stats.log_isi_laplace(law, s=1e7) == pytest.approx(-1e7 * t.min() - np.log(500), rel=1e-12)
    assert repr(law) == f"EmpiricalISI(500 intervals, {1 / t.mean():.4g} Hz)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: laws.GammaISI(rate=0.0, cv=1.0), "GammaISI: rate must be finite and above 0, got 0"),
        (lambda: laws.GammaISI(rate=5.0, cv=[0.1, -1.0]), r"cv must be finite and at least 0, got -1 at index \(1,\)"),
        (lambda: laws.WeibullISI(rate=5.0, cv=20.0), "cv must be at most 15, got 20; try LogNormalISI"),
        (lambda: laws.DeadTimeISI(rate=5.0, dead_time=2.0), "rate [*] dead_time must be below 1, got 10;"),
        (lambda: laws.EmpiricalISI([]), "at least one positive interval"),
        (lambda: laws.EmpiricalISI([0.1, -0.1]), "intervals must be finite and at least 0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_law_takes_no_input():
    with pytest.raises(TypeError, match="GammaISI is an ISI law and takes no mu and sigma"):
        stats.rate(laws.GammaISI(rate=5.0, cv=1.0), mu=1.0)
    with pytest.raises(TypeError, match="neuron must be an integrate-and-fire neuron, got 3"):
        laws.NeuronISI(3, mu=1.0, sigma=1.0)
