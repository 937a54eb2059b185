"""Power laws against mpmath, published fits, exact alternatives and the calibration of their tests."""

import warnings

import mpmath as mp
import numpy as np
import pytest
from scipy import stats
from scipy.special import zeta

from equipoise import _core
from equipoise import branching as br
from equipoise import measures as me
from equipoise.measures import alternatives as al
from equipoise.measures.power_laws import draw


# --- normalisation and likelihood -------------------------------------------------------------------------------------
@pytest.mark.parametrize("a", [0.3, 1.0, 1.0000001, 1.5, 2.7, 6.0, 20.0])
def test_sums_of_powers_are_exact(a):
    with mp.workdps(120):
        for low in (1, 3, 50, 1000):
            for high in (low + 2, low + 30, low * 1000 + 7, np.inf):
                if np.isinf(high) and a <= 1.001:
                    continue
                weight = np.empty(1)
                _core.power_law_weights(a, float(low), float(high), 0, np.array([float(low)]), weight)
                exact = power_sum(a, low, high) * mp.mpf(low) ** mp.mpf(a)
                assert float(abs(weight[0] / exact - 1)) < 1e-12


def power_sum(a, low, high):
    if a == 1.0:
        return mp.digamma(int(high) + 1) - mp.digamma(low)
    return mp.zeta(mp.mpf(a), low) - (0 if np.isinf(high) else mp.zeta(mp.mpf(a), int(high) + 1))


@pytest.mark.parametrize(("low", "high"), [(1, np.inf), (4, np.inf), (2, 90)])
@pytest.mark.parametrize("continuous", [False, True])
def test_the_exponent_and_its_information_are_those_of_the_likelihood(low, high, continuous):
    """Against differences of log Z by mpmath."""
    mean_log = np.array([0.4])
    a, information = np.empty(1), np.empty(1)
    _core.power_law_exponents(mean_log, float(low), float(high), int(continuous), a, information)

    def log_norm(b):
        if continuous:
            return mp.log(mp.quad(lambda x: (x / low) ** -b, [low, mp.inf if np.isinf(high) else high]))
        return mp.log(power_sum(float(b), low, high) * mp.mpf(low) ** b)

    with mp.workdps(30):
        b = mp.mpf(a[0])
        assert float(mp.diff(log_norm, b, 1, h=1e-6)) == pytest.approx(-mean_log[0], abs=1e-5)
        assert float(mp.diff(log_norm, b, 2, h=1e-4)) == pytest.approx(information[0], rel=1e-3)


def test_the_distance_is_over_the_full_support():
    rng = np.random.default_rng(1)
    x = stats.zipf(2.1).rvs(500, random_state=rng)
    x = x[x < 10**6]
    fit = me.power_law(x, x_min=2)
    k = np.arange(2, x.max() + 1)
    seen = np.searchsorted(np.sort(x[x >= 2]), k, side="right") / fit.n
    law = 1.0 - zeta(fit.value, k + 1) / zeta(fit.value, 2)
    assert fit.distance == pytest.approx(np.abs(seen - law).max(), abs=1e-12)
    y = 3.0 * (1.0 - rng.random(500)) ** (-1.0 / 1.5)
    fit = me.power_law(y, x_min=3.0, continuous=True)
    assert fit.value == pytest.approx(1.0 + 500 / np.log(y / 3.0).sum(), rel=1e-10)
    exact = stats.kstest(y, lambda v: 1.0 - (v / 3.0) ** (1.0 - fit.value)).statistic
    assert fit.distance == pytest.approx(exact, abs=1e-12)


def test_the_chosen_lower_end_is_the_best_of_all():
    rng = np.random.default_rng(2)
    x = np.concatenate([stats.zipf(2.4).rvs(2000, random_state=rng) + 6, rng.integers(1, 8, 3000)])
    fit = me.power_law(x, x_min=None)
    each = [me.power_law(x, x_min=k) for k in np.unique(x) if (x >= k).sum() >= 20]
    best = min((one for one in each if np.isfinite(one.value)), key=lambda one: one.distance)
    assert (fit.x_min, fit.n) == (best.x_min, best.n)
    assert (fit.value, fit.distance) == pytest.approx((best.value, best.distance), rel=1e-9)
    assert fit.chosen
    assert not best.chosen


# --- published data ---------------------------------------------------------------------------------------------------
PUBLISHED = {  # Clauset et al. 2009, Tables 6.1 to 6.3: x_min, exponent; log-likelihood ratios, normalised but the last
    "words": (True, 1, 7, 1.95, {"exponential": 9.09, "truncated_power_law": -0.899}),
    "terrorism": (True, 1, 12, 2.4, {"log_normal": -0.278, "exponential": 2.457, "truncated_power_law": -0.077}),
    "blackouts": (
        False, 1e-3, 230, 2.3,
        {"log_normal": -0.412, "stretched_exponential": -0.417, "exponential": 1.43, "truncated_power_law": -0.382},
    ),
    "fires": (
        False, 1, 6324, 2.2,
        {"log_normal": -1.78, "stretched_exponential": -1.82, "exponential": 4.00, "truncated_power_law": -5.02},
    ),
    "flares": (False, 1, 323, 1.79, {"log_normal": -0.803, "exponential": 13.7, "truncated_power_law": -4.52}),
    "quakes": (False, 1e-3, 0.794, 1.64, {"log_normal": -7.14, "exponential": 11.6, "truncated_power_law": -24.4}),
    "surnames": (
        False, 1e-3, 111.92, 2.5,
        {"log_normal": -0.836, "stretched_exponential": -0.844, "exponential": 2.89, "truncated_power_law": -1.36},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_fits(name):
    """Data that come with the package powerlaw; the published digits hold, and its exponent to three of ours."""
    powerlaw = pytest.importorskip("powerlaw")
    discrete, factor, x_min, exponent, ratios = PUBLISHED[name]
    x = powerlaw.load_test_dataset(name) * factor
    fit = me.power_law(x, x_min=None, continuous=not discrete)
    assert fit.x_min == pytest.approx(x_min, rel=1e-3)
    assert fit.value == pytest.approx(exponent, abs=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "all values are whole numbers"
        theirs = powerlaw.Fit(x, xmin=fit.x_min, discrete=discrete, estimate_discrete=False, verbose=False).power_law
    assert fit.value == pytest.approx(theirs.alpha, rel=1e-3)
    found = me.likelihood_ratios(x, fit).set_index(alternative="alternative")
    for law, published in ratios.items():
        column = "ratio" if law == "truncated_power_law" else "normalized"
        assert float(found[column].sel(alternative=law)) == pytest.approx(published, rel=0.03, abs=0.005)


def test_cities_at_the_published_lower_end():
    """The published end has the least one-sided distance; of the two-sided one 52.648 is the least."""
    powerlaw = pytest.importorskip("powerlaw")
    x = powerlaw.load_test_dataset("cities") * 1e-3
    fit = me.power_law(x, x_min=52.457, continuous=True)
    assert (fit.n, fit.value) == (580, pytest.approx(2.37, abs=0.005))
    chosen = me.power_law(x, x_min=None, continuous=True)
    assert chosen.x_min == pytest.approx(52.648)
    assert chosen.distance < fit.distance


# --- tests of the fit -------------------------------------------------------------------------------------------------
def test_the_share_that_lies_farther_is_uniform_where_the_law_is_right():
    """100 samples of a discrete power law, lower end given: p <= 0.1 in 10 or so (2 to 20 but once in 500)."""
    rng, refused = np.random.default_rng(3), 0
    for _ in range(100):
        x = stats.zipf(2.3).rvs(300, random_state=rng)
        p = me.goodness_of_fit(x, me.power_law(x), seed=int(rng.integers(1 << 30)), samples=60).p
        refused += p <= 0.1
    assert 2 <= refused <= 20


def test_what_is_no_power_law_is_refused():
    x = np.random.default_rng(4).geometric(0.1, 2000)
    fit = me.power_law(x)
    assert me.goodness_of_fit(x, fit, seed=1, samples=50).p == 0.0
    found = me.likelihood_ratios(x, fit).sel(alternative="exponential")
    assert float(found["ratio"]) < 0.0
    assert float(found["p"]) < 1e-6
    assert float(found["first"]) == pytest.approx(-np.log(0.9), rel=0.1)


def test_the_lower_end_is_chosen_in_each_sample_too():
    rng = np.random.default_rng(5)
    x = np.concatenate([np.ceil(10 * rng.random(1500)), 10.0 * (1 - rng.random(800)) ** (-1 / 1.5)]).round()
    fit = me.power_law(x, x_min=None)
    assert 6 <= fit.x_min <= 20
    assert me.goodness_of_fit(x, fit, seed=1, samples=100).p > 0.1
    given = me.power_law(x, x_min=2)
    assert me.goodness_of_fit(x, given, seed=1, samples=100).p < 0.02


@pytest.mark.parametrize(("low", "high", "a"), [(1, np.inf, 1.5), (7, np.inf, 1.2), (3, 500, 0.7)])
def test_drawn_values_follow_the_law(low, high, a):
    """KS of 20 000 values against the exact survival; beyond the tabulated values too."""
    rng = np.random.default_rng(6)
    fit = me.PowerLawFit(
        value=a, low=a, high=a, n=1, status=me.power_law([1, 2]).status, x_min=low, x_max=high, continuous=False,
        chosen=False, distance=0.0,
    )  # fmt: skip
    x = draw(fit, 20_000, rng)
    assert x.min() >= low
    assert x.max() <= high
    at = np.unique(np.floor(np.geomspace(low, min(high, 1e12), 60)))
    weights = np.empty(at.size)
    _core.power_law_weights(a, float(low), float(high), 0, at, weights)
    survival = weights / weights[0]
    seen = np.array([(x >= k).mean() for k in at])
    assert (np.abs(seen - survival) < 4.5 * np.sqrt(survival * (1 - survival) / x.size) + 1e-12).all()


# --- other laws -------------------------------------------------------------------------------------------------------
LAWS = [
    (al.exponential, (-1.0,)),
    (al.stretched_exponential, (0.3, -0.5)),
    (al.stretched_exponential, (0.3, -6.0)),
    (al.log_normal, (1.2, -2.0)),
    (al.log_normal, (2.0, -8.0)),
    (al.truncated_power_law, (1.4, -4.0)),
    (al.truncated_power_law, (2.2, -9.0)),
]


@pytest.mark.parametrize(("law", "parameters"), LAWS)
@pytest.mark.parametrize("span", [al.Span(3.0, np.inf, False), al.Span(3.0, 4000.0, False)])
def test_other_laws_sum_to_one(law, parameters, span):
    last = min(span.high, 3e6)
    x = np.arange(span.low, last + 1)
    with np.errstate(divide="ignore"):  # probabilities of 0 far out
        total = np.exp(law(x, parameters, span)).sum()
    beyond = 1e-6 if np.isinf(span.high) and parameters[-1] < -5 else 0.0
    assert total == pytest.approx(1.0, abs=1e-9 + beyond)


@pytest.mark.parametrize(("law", "parameters"), LAWS)
@pytest.mark.parametrize("high", [np.inf, 50.0])
def test_other_densities_integrate_to_one(law, parameters, high):
    from scipy.integrate import quad

    span = al.Span(3.0, high, True)
    with np.errstate(divide="ignore", over="ignore"):
        ends = (0.0, np.log(min(high, 3e12) / 3.0))
        total = quad(
            lambda u: float(3 * np.exp(u + law(np.array([3 * np.exp(u)]), parameters, span))[0]), *ends, limit=400
        )
    assert total[0] == pytest.approx(1.0, abs=1e-6)


def test_a_cut_off_is_found():
    rng = np.random.default_rng(7)
    k = np.arange(1, 100_001)
    p = k**-1.5 * np.exp(-0.01 * k)
    x = rng.choice(k, 20_000, p=p / p.sum())
    found = me.likelihood_ratios(x, me.power_law(x)).sel(alternative="truncated_power_law")
    assert float(found["p"]) < 1e-10
    assert float(found["first"]) == pytest.approx(1.5, abs=0.03)
    assert float(found["second"]) == pytest.approx(0.01, rel=0.1)


def test_a_true_power_law_is_told_from_an_exponential_but_not_from_laws_that_contain_it():
    x = stats.zipf(2.5).rvs(5000, random_state=np.random.default_rng(8))
    found = me.likelihood_ratios(x, me.power_law(x))
    assert float(found["p"].sel(alternative="exponential")) < 1e-3
    assert float(found["ratio"].sel(alternative="exponential")) > 0.0
    assert (found["ratio"] > -4.0).all()
    assert float(found["p"].sel(alternative="truncated_power_law")) > 0.01


# --- critical avalanches ----------------------------------------------------------------------------------------------
def test_critical_branching_has_the_exponent_three_halves():
    """1e6 avalanches, sizes above 10: 1.50 +- .005."""
    found = br.avalanches(br.PoissonOffspring(1.0), 1_000_000, seed=21, max_generations=10**5, max_size=10**8)
    fit = me.power_law(found.sizes[~found.capped], x_min=10, x_max=10**8)
    assert abs(fit.value - 1.5) < 0.005
    assert fit.high - fit.low < 0.01
