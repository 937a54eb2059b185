"""Branching processes: their exact laws against mpmath and closed forms, and simulations against the laws.

Chi-square tests use fixed seeds and a threshold of p = 1e-3 each.
"""

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import equipoise as eq
from equipoise import _core
from equipoise import branching as br

CRITICAL = [
    br.PoissonOffspring(1.0), br.GeometricOffspring(1.0), br.BinaryOffspring(1.0), br.BinomialOffspring(1.0, trials=3),
]  # fmt: skip
OTHERS = [
    br.PoissonOffspring(0.7), br.GeometricOffspring(1.3), br.BinaryOffspring(0.8), br.BinomialOffspring(1.5, trials=2),
]  # fmt: skip
ALL = CRITICAL + OTHERS
MILLION, RARE = 1_000_000, 1e-3


def label(law):
    return f"{type(law).__name__}-{law.sigma:g}"


# --- the laws ---------------------------------------------------------------------------------------------------------
def exact_size(law, n):
    """log P(S = n) in 60 digits, from the forms found in books."""
    s, n = mp.mpf(law.sigma), mp.mpf(n)
    choose = lambda a, b: mp.loggamma(a + 1) - mp.loggamma(b + 1) - mp.loggamma(a - b + 1)  # noqa: E731
    if isinstance(law, br.PoissonOffspring):
        return -s * n + (n - 1) * mp.log(s * n) - mp.loggamma(n + 1)
    if isinstance(law, br.GeometricOffspring):
        p = 1 / (1 + s)
        return choose(2 * n - 2, n - 1) - mp.log(n) + n * mp.log(p) + (n - 1) * mp.log(1 - p)
    if isinstance(law, br.BinaryOffspring):
        k = (n - 1) / 2
        return choose(n, k) - mp.log(n) + k * mp.log(s / 2) + (n - k) * mp.log(1 - s / 2)
    p, total = s / law.trials, law.trials * n
    return choose(total, n - 1) - mp.log(n) + (n - 1) * mp.log(p) + (total - n + 1) * mp.log(1 - p)


@pytest.mark.parametrize("law", ALL, ids=label)
@pytest.mark.parametrize("n", [1, 3, 5, 17, 101, 10_001, 10**7 + 1, 10**12 + 1])
def test_sizes_against_sixty_digits(law, n):
    with mp.workdps(60):
        exact = float(exact_size(law, n))
    # far from the critical point the logarithm is itself large, and holds its own rounding
    assert float(br.log_size_law(law, n)) == pytest.approx(exact, rel=4e-15 if abs(exact) > 1e3 else 1e-13)


def test_an_avalanche_of_pairs_has_an_odd_size():
    assert np.isneginf(br.log_size_law(br.BinaryOffspring(1.0), [2, 4, 1000])).all()


def test_without_offspring_every_avalanche_is_one_unit():
    for kind in (br.PoissonOffspring, br.GeometricOffspring, br.BinaryOffspring, br.BinomialOffspring):
        law = kind(0.0)
        assert np.exp(br.log_size_law(law, [1, 3])).tolist() == [1.0, 0.0]
        assert br.duration_survival(law, [1, 2]).tolist() == [1.0, 0.0]
        assert br.avalanches(law, 50, seed=1).sizes.tolist() == [1] * 50


@pytest.mark.parametrize("law", [one for one in ALL if one.sigma != 1.0], ids=label)
def test_sizes_sum_to_the_probability_of_extinction(law):
    n = np.arange(1, 20_000)
    p = np.exp(br.log_size_law(law, n))
    lasts = br.duration_survival(law, 10_000)
    assert p.sum() == pytest.approx(1.0 - float(lasts), rel=1e-12)
    assert (lasts > 0.1) == (law.sigma > 1.0)
    if law.sigma < 1.0:
        assert (n * p).sum() == pytest.approx(br.mean_size(law), rel=1e-11) == pytest.approx(1 / (1 - law.sigma))


def test_the_mean_size_diverges_at_the_critical_point():
    assert br.mean_size(br.PoissonOffspring(1.0)) == br.mean_size(br.PoissonOffspring(1.2)) == np.inf


@pytest.mark.parametrize("law", CRITICAL, ids=label)
def test_critical_tails(law):
    """P(S = n) ~ n^-3/2/sqrt(2 pi v), twice that on odd sizes only; P(T >= t) ~ 2/(v t)."""
    n, t = 10**9 + 1, 10**5
    every = 2.0 if isinstance(law, br.BinaryOffspring) else 1.0
    tail = every / np.sqrt(2 * np.pi * law.variance)
    assert np.exp(float(br.log_size_law(law, n))) * n**1.5 == pytest.approx(tail, rel=1e-8)
    assert float(br.duration_survival(law, t)) * t * law.variance / 2 == pytest.approx(1.0, rel=1e-3)


def test_critical_geometric_durations_are_one_over_t():
    t = np.array([1, 2, 3, 10, 1000, 10**6])
    np.testing.assert_allclose(br.duration_survival(br.GeometricOffspring(1.0), t), 1.0 / t, rtol=1e-11)


@pytest.mark.parametrize("sigma", [0.5, 0.99, 1.01, 2.0])
def test_geometric_durations_in_closed_form(sigma):
    """Linear fractional maps compose: P(T > t) = sigma^t (1 - sigma)/(1 - sigma^(t + 1))."""
    t = np.arange(1, 200)
    exact = sigma ** (t - 1) * (1 - sigma) / (1 - sigma**t)
    np.testing.assert_allclose(br.duration_survival(br.GeometricOffspring(sigma), t), exact, rtol=1e-11)


def test_critical_geometric_crackling_in_closed_form():
    t = np.array([1, 2, 3, 10, 100, 1000, 10_000])
    law = br.GeometricOffspring(1.0)
    np.testing.assert_allclose(br.mean_size_of_duration(law, t), (t * t + t + 1) / 3, rtol=1e-7)
    np.testing.assert_allclose(br.mean_size_of_duration(law, t[:5]), (t[:5] ** 2 + t[:5] + 1) / 3, rtol=1e-11)


@pytest.mark.parametrize("law", CRITICAL, ids=label)
def test_critical_crackling_is_quadratic(law):
    """<S | T = t> -> v t^2/6, with corrections of order log(t)/t that shrink as they should."""
    t = np.array([100, 1000, 10_000])
    off = br.mean_size_of_duration(law, t) / (law.variance * t**2 / 6) - 1.0
    assert (np.abs(off) < 3.0 * np.log(t) / t).all()
    assert (np.abs(off[1:]) < 0.2 * np.abs(off[:-1])).all()


@pytest.mark.parametrize("law", [one for one in ALL if one.sigma < 1.0], ids=label)
def test_mean_sizes_of_all_durations_make_the_mean_size(law):
    t = np.arange(1, 60)
    chance = -np.diff(br.duration_survival(law, np.arange(1, 61)))
    assert (chance * br.mean_size_of_duration(law, t)).sum() == pytest.approx(1 / (1 - law.sigma), rel=1e-3)


@pytest.mark.parametrize("law", ALL, ids=label)
def test_the_law_of_one_unit(law):
    """Sum, mean, variance and generating function of the offspring of a single unit."""
    k = np.arange(200)
    p = np.exp(law.log_total(np.ones(200, np.int64), k))
    assert p.sum() == pytest.approx(1.0, abs=1e-13)
    assert (k * p).sum() == pytest.approx(law.sigma, rel=1e-12)
    assert ((k - law.sigma) ** 2 * p).sum() == pytest.approx(law.variance, rel=1e-11)
    for x in (0.0, 0.3, 1.0):
        assert 1 - ((1 - x) ** k * p).sum() == pytest.approx(law.survives(x), abs=1e-13)
    step = 1e-6
    assert (law.survives(0.4 + step) - law.survives(0.4 - step)) / (2 * step) == pytest.approx(law.slope(0.4), rel=1e-8)


# --- counts -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mean", [1e-3, 2.5, 9.9, 10.1, 300.0, 1e6, 1e14])
def test_poisson_probabilities(mean):
    k = np.floor(mean + np.sqrt(mean) * np.array([-2.0, 0.0, 3.0]))
    k = np.maximum(k, 0.0)
    out = np.empty(3)
    _core.log_poisson(k, np.full(3, mean), out)
    with mp.workdps(50):
        exact = [float(-mp.mpf(mean) + int(x) * mp.log(mean) - mp.loggamma(int(x) + 1)) for x in k]
    np.testing.assert_allclose(out, exact, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (30, 0.9), (1000, 0.01), (10**6, 0.5), (10**15, 1e-3)])
def test_binomial_probabilities(n, p):
    k = np.floor(n * p + np.sqrt(n * p * (1 - p)) * np.array([-2.0, 0.0, 2.5]))
    k = np.clip(k, 0, n)
    out = np.empty(3)
    _core.log_binomial(k, np.full(3, float(n)), np.full(3, p), out)
    with mp.workdps(50):
        P = mp.mpf(p)
        exact = [
            float(mp.log(mp.binomial(n, int(x))) + int(x) * mp.log(P) + (n - int(x)) * mp.log(1 - P))
            if n < 10**7
            else float(
                mp.loggamma(n + 1) - mp.loggamma(int(x) + 1) - mp.loggamma(n - int(x) + 1)
                + int(x) * mp.log(P) + (n - int(x)) * mp.log(1 - P)
            )
            for x in k
        ]  # fmt: skip
    # n p is rounded before k is compared with it
    rounding = 2.0**-52 * n * p / np.sqrt(n * p * (1 - p))
    np.testing.assert_allclose(out, exact, rtol=1e-12, atol=1e-13 + 4 * rounding)


def p_value(values, probabilities):
    """Chi-square test of whole numbers 0, 1, 2, ... against probabilities, the rest in one class."""
    counts = np.bincount(np.minimum(values, len(probabilities)), minlength=len(probabilities) + 1).astype(float)
    expected = values.size * np.append(probabilities, max(1.0 - np.sum(probabilities), 0.0))
    order = np.argsort(-expected)
    kept = order[expected[order] >= 10.0]
    rest = order[expected[order] < 10.0]
    counts, expected = np.append(counts[kept], counts[rest].sum()), np.append(expected[kept], expected[rest].sum())
    if expected[-1] < 10.0:  # too few for a class of their own
        assert counts[-1] <= stats.poisson.isf(1e-6, expected[-1] + 1e-12)
        counts, expected = counts[:-1], expected[:-1]
        expected *= counts.sum() / expected.sum()
    return stats.chi2.sf(np.sum((counts - expected) ** 2 / expected), counts.size - 1)


@pytest.mark.parametrize("units", [1, 7, 9, 40, 2000])
@pytest.mark.parametrize("law", CRITICAL, ids=label)
def test_offspring_of_many_units_at_once(law, units):
    """One step from a fixed number of units: inversion, rejection and the gamma mixture against the exact law."""
    n = 40_000
    words, totals, means = np.arange(1, 5, dtype=np.uint64) * 2**60 + 12345, np.empty(n, np.int64), np.empty(1)
    nothing = np.array([0.0, 0.0, 10.0, 1e9])
    for i in range(n):
        _core.branching_driven(
            words, law.code, 0.0, nothing, np.array([units, law.sigma]), totals[i : i + 1], means
        )  # fmt: skip
    k = np.arange(int(units + 12 * np.sqrt(units * law.variance) + 30))
    exact = np.exp(law.log_total(np.full(k.size, units), k))
    assert p_value(totals, exact) > RARE


# --- a million avalanches ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module", params=ALL, ids=label)
def many(request):
    law = request.param
    most = 10**6 if law.sigma > 1.0 else 10**9  # those that explode need not be followed far
    return law, br.avalanches(law, MILLION, seed=20, max_generations=10_000, max_size=most)


def test_sizes_of_a_million_avalanches(many):
    law, found = many
    n = np.arange(1, 200_000)
    assert p_value(found.sizes - 1, np.exp(br.log_size_law(law, n))) > RARE


def test_durations_of_a_million_avalanches(many):
    law, found = many
    chance = -np.diff(br.duration_survival(law, np.arange(1, 10_000)))
    long_lived = np.where(found.capped, 10_000, found.durations)
    assert p_value(long_lived - 1, chance) > RARE


def test_how_many_are_capped(many):
    law, found = many
    expected = MILLION * float(br.duration_survival(law, 10_001))
    assert abs(int(found.capped.sum()) - expected) < 4.5 * np.sqrt(expected + 1.0)
    assert (found.durations[found.capped] <= 10_000).all()
    assert ((found.durations == 10_000) | (found.sizes > 10**6))[found.capped].all()


def test_mean_size_of_a_million_avalanches(many):
    law, found = many
    t = np.array([1, 2, 3, 5, 8])
    for duration, exact in zip(t, br.mean_size_of_duration(law, t), strict=True):
        sizes = found.sizes[(found.durations == duration) & ~found.capped]
        assert abs(sizes.mean() - exact) <= 4.0 * sizes.std() / np.sqrt(sizes.size) + 1e-12


def test_caps_change_nothing_below_them():
    law = br.PoissonOffspring(1.0)
    free, short, small = (
        br.avalanches(law, 5000, seed=3, **caps) for caps in ({}, {"max_generations": 5}, {"max_size": 20})
    )
    assert (short.capped == (free.durations > 5)).all()
    assert (small.capped == (free.sizes > 20)).all()
    for one in (short, small):
        assert (one.sizes[~one.capped] == free.sizes[~one.capped]).all()
        assert (one.sizes[one.capped] <= free.sizes[one.capped]).all()
        assert (one.durations[one.capped] <= free.durations[one.capped]).all()


def test_avalanches_belong_to_their_seed_and_number():
    law = br.GeometricOffspring(0.9)
    long, short, other = (br.avalanches(law, n, seed=s) for n, s in ((30_000, 4), (21_000, 4), (21_000, 5)))
    assert (long.sizes[:21_000] == short.sizes).all()
    assert (short.sizes != other.sizes).mean() > 0.3
    assert abs(np.corrcoef(short.sizes[:-1], short.sizes[1:])[0, 1]) < 4 / np.sqrt(21_000)


# --- driven -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("law", [br.PoissonOffspring(0.9), br.GeometricOffspring(0.8), br.BinaryOffspring(0.9)])
def test_stationary_moments_of_a_driven_process(law):
    process = br.DrivenBranching(offspring=law, drive=3.0)
    counts = br.simulate(process, 400_000, seed=5, warmup=200).counts.astype(float)
    m = law.sigma
    effective = counts.size * (1 - m) / (1 + m)
    assert abs(counts.mean() - process.mean) < 4 * np.sqrt(process.variance / effective)
    assert process.mean == pytest.approx(3.0 / (1 - m))
    assert counts.var() == pytest.approx(process.variance, rel=0.04)
    lags = np.arange(6)
    y = counts - counts.mean()
    seen = [np.mean(y[: y.size - k] * y[k:]) for k in lags]
    np.testing.assert_allclose(seen, process.autocovariance_of(1.0, lags), rtol=0.05)


def test_subsampling_lowers_the_slope_and_not_its_decay():
    process = br.DrivenBranching(offspring=br.PoissonOffspring(0.95), drive=5.0)
    counts = br.simulate(process, 400_000, seed=6, warmup=500).counts
    part = br.subsampled(counts, 0.05, seed=7)
    assert part.mean() == pytest.approx(0.05 * counts.mean(), rel=0.01)
    covariance = process.autocovariance_of(0.05, [0, 1])
    naive, right = (eq.measures.branching_ratio(part, kmax=kmax) for kmax in (1, 30))
    assert float(naive) == pytest.approx(covariance[1] / covariance[0], abs=0.02)
    assert float(naive) < 0.4
    assert float(right.low) < 0.95 < float(right.high)
    assert float(right.high - right.low) < 0.05


@pytest.mark.parametrize(("drive", "ratio"), [(0.1, 0.99), (1.0, 0.9), (5.0, 0.5), (20.0, 0.0)])
def test_the_drive_decides_where_homeostasis_leads(drive, ratio):
    """m = 1 - h/r* (Zierenberg et al. 2018), from below as from above; with more drive than the target, m = 0."""
    for start in (0.2, 1.2):
        process = br.DrivenBranching(offspring=br.PoissonOffspring(start), drive=drive, target=10.0, tau=1e4)
        assert process.branching_ratio == pytest.approx(ratio)
        found = br.simulate(process, 300_000, seed=8, warmup=200_000)
        assert found.branching_ratio.mean() == pytest.approx(ratio, abs=0.006)
        assert found.counts.mean() == pytest.approx(max(10.0, drive), rel=0.01)


def test_homeostasis_is_averaging_only_while_it_is_slow():
    """Fast homeostasis under weak drive swings far across the critical point instead of resting below it."""
    slow, fast = (
        br.simulate(
            br.DrivenBranching(offspring=br.PoissonOffspring(0.9), drive=0.01, target=10.0, tau=tau),
            200_000, seed=9, warmup=200_000,
        )
        for tau in (1e5, 1e3)
    )  # fmt: skip
    assert slow.branching_ratio.max() < 1.1 < fast.branching_ratio.max()
    assert fast.branching_ratio.std() > 5 * slow.branching_ratio.std()


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: br.PoissonOffspring(-0.1), ValueError, r"PoissonOffspring.sigma .* must lie in \[0, 100\], got -0.1"),
        (lambda: br.PoissonOffspring("1"), TypeError, r"PoissonOffspring.sigma .* must be a number, got '1'"),
        (lambda: br.BinaryOffspring(2.5), ValueError, "BinaryOffspring.sigma must be at most 2, .* got 2.5"),
        (lambda: br.BinomialOffspring(3.5, trials=3), ValueError, "sigma must be at most 3"),
        (lambda: br.BinomialOffspring(0.5, trials=2.5), ValueError, "trials must be a whole number in .*, got 2.5"),
        (lambda: br.avalanches(0.9, 10, seed=1), TypeError, "must be a law such as PoissonOffspring.0.9., got 0.9"),
        (
            lambda: br.avalanches(br.PoissonOffspring(1.0), -1, seed=1),
            ValueError,
            "n must be a whole number of at least 0, got -1",
        ),
        (
            lambda: br.avalanches(br.PoissonOffspring(1.0), 1.5, seed=1),
            ValueError,
            "n must be a whole number of .* 1.5",
        ),
        (
            lambda: br.avalanches(br.PoissonOffspring(1.0), 1, seed=1, max_size=10**16),
            ValueError,
            "max_size must be a whole",
        ),
        (
            lambda: br.avalanches(br.PoissonOffspring(1.0), "9", seed=1),
            TypeError,
            "n must be a whole number .* got '9'",
        ),
        (lambda: br.avalanches(br.PoissonOffspring(1.0), 1, seed=-1), ValueError, "seed must be at least 0"),
        (lambda: br.log_size_law(br.PoissonOffspring(1.0), [1, 2.5]), ValueError, "n must be whole numbers, got 2.5"),
        (lambda: br.log_size_law(br.PoissonOffspring(1.0), 0), ValueError, "n must be finite and at least 1, got 0"),
        (lambda: br.duration_survival(br.PoissonOffspring(1.0), 1e8), ValueError, "t must be at most 10,000,000"),
        (lambda: br.DrivenBranching(offspring=1.0), TypeError, "DrivenBranching: offspring must be a law"),
        (
            lambda: br.DrivenBranching(offspring=br.PoissonOffspring(0.5), target=0.0),
            ValueError,
            "DrivenBranching.target .* must lie in .0, 1e.08., got 0",
        ),
        (
            lambda: br.simulate(br.DrivenBranching(offspring=br.PoissonOffspring(1.5)), 10_000, seed=1),
            OverflowError,
            "runs away at m = 1.5. Take sigma below 1",
        ),
        (lambda: br.simulate(1.0, 10, seed=1), TypeError, "process must be a DrivenBranching, got 1.0"),
        (
            lambda: br.simulate(br.DrivenBranching(offspring=br.PoissonOffspring(0.5)), 1.5, seed=1),
            ValueError,
            "steps must be a whole number of at least 0, got 1.5",
        ),
        (lambda: br.subsampled([1, 2], 1.5, seed=1), ValueError, r"seen .* must lie in \[0, 1\], got 1.5"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
