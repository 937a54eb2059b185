"""Multistep regression: exact slopes, recovery under subsampling, coverage, and what makes an estimate doubtful."""

import numpy as np
import pytest
from scipy import stats

from equipoise import branching as br
from equipoise import measures as me
from equipoise import recordings
from equipoise.results import SpikeTrains, Status


def driven(m, mean, steps, seed, offspring=br.PoissonOffspring):
    process = br.DrivenBranching(offspring=offspring(m), drive=(1 - m) * mean)
    return br.simulate(process, steps, seed=seed, warmup=1000).counts


# --- slopes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1000, 1037])
def test_slopes_are_those_of_linear_regression(n):
    a = 1e6 + driven(0.9, 50, n, 1)
    slopes = me.branching_ratio(a, kmax=40).slopes
    each = [stats.linregress(a[:-k], a[k:]).slope for k in range(1, 41)]
    np.testing.assert_allclose(slopes, each, atol=1e-9)


@pytest.mark.parametrize("trials", [3, 50])
def test_slopes_of_trials(trials):
    a = driven(0.8, 20, trials * 120, 2).reshape(trials, 120) + 30 * (np.arange(trials) % 2)[:, None]
    pooled = me.branching_ratio(a, kmax=8).slopes
    each = [stats.linregress(a[:, :-k].ravel(), a[:, k:].ravel()).slope for k in range(1, 9)]
    np.testing.assert_allclose(pooled, each, atol=1e-9)
    if trials == 50:
        own = me.branching_ratio(a, kmax=8, per_trial=True)
        each = [np.mean([stats.linregress(t[:-k], t[k:]).slope for t in a]) for k in range(1, 9)]
        np.testing.assert_allclose(own.slopes, each, atol=1e-9)
        assert own.value == pytest.approx(0.8, abs=0.08)
        assert pooled[0] > own.slopes[0] + 0.05  # trials that differ look like slow activity


def test_slopes_equal_those_of_mrestimator():
    mre = pytest.importorskip("mrestimator")
    for trials, method in ((1, "stationarymean"), (7, "stationarymean"), (7, "trialseparated")):
        a = driven(0.9, 30, 2100, 3).reshape(trials, -1)
        theirs = mre.coefficients(a.astype(float), method=method, steps=(1, 30), numboot=0).coefficients
        ours = me.branching_ratio(a, kmax=30, per_trial=method == "trialseparated").slopes
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize(("offset", "c"), [(False, 0.0), (True, 0.07)])
def test_the_fit_is_the_least_squares_one(offset, c):
    from scipy.optimize import curve_fit

    from equipoise.measures.branching import _Model

    k = np.arange(1, 121)
    slopes = 0.3 * 0.95**k + c + 0.01 * np.random.default_rng(4).standard_normal(k.size)
    shape = (lambda k, m, b, c: b * m**k + c) if offset else (lambda k, m, b: b * m**k)
    best = curve_fit(shape, k, slopes, p0=[0.94, 0.3, 0.05][: 2 + offset], xtol=1e-13, ftol=1e-13)[0]
    found = _Model(120, offset).each(slopes[None])[0]
    np.testing.assert_allclose(found[: best.size], best, rtol=1e-5)


# --- recovery ---------------------------------------------------------------------------------------------------------
def test_m_is_found_in_one_percent_of_the_units():
    """m = 0.98, geometric offspring, mean 1000, 1 % seen, 1e5 bins: the mean of 10, coverage of 120, one step 0.33.

    Coverage of 90 to 98 % is the claim; 120 intervals that cover with 94 % do so 106 times or more but once in 400.
    """
    found = []
    for seed in np.random.SeedSequence(5).spawn(120):
        one, two = seed.spawn(2)
        counts = driven(0.98, 1000, 100_000, one, br.GeometricOffspring)
        found.append(me.branching_ratio(br.subsampled(counts, 0.01, seed=two), kmax=300))
    values = np.array([f.value for f in found])
    assert abs(values[:10].mean() - 0.98) < 0.003
    assert 106 <= sum(f.low <= 0.98 <= f.high for f in found) <= 118
    assert np.mean([f.one_step for f in found]) == pytest.approx(0.33, abs=0.02)
    assert all(f.status is Status.OK for f in found)
    assert found[0].tau == pytest.approx(-1 / np.log(found[0].value))
    assert found[0].tau_interval[0] < found[0].tau < found[0].tau_interval[1]


def test_the_interval_at_one_step_covers():
    """100 records of 4000 bins: 86 or fewer would be once in 1000; slopes are 0.001 too small."""
    hits = 0
    for seed in np.random.SeedSequence(7).spawn(100):
        found = me.branching_ratio(driven(0.8, 20, 4000, seed), kmax=1)
        hits += found.low <= 0.8 <= found.high
    assert hits >= 87


def test_by_default_lags_reach_over_six_time_constants():
    found = me.branching_ratio(driven(0.95, 200, 60_000, 8))
    assert found.kmax == pytest.approx(6 * 19.5, rel=0.25)
    assert found.low < 0.95 < found.high
    assert me.branching_ratio(driven(0.3, 200, 5000, 9)).kmax == 10


def test_thinning_spikes_or_units_leaves_m():
    """200 units that share a branching activity: one-step slopes fall, m stays."""
    rng = np.random.default_rng(10)
    counts = driven(0.95, 30, 30_000, 11)
    times = (np.repeat(np.arange(counts.size), counts) + rng.random(counts.sum())) * 0.004
    order = np.argsort(times)
    trains = SpikeTrains(times[order], rng.integers(200, size=times.size), 200, 0.0, counts.size * 0.004)
    whole = me.branching_ratio(trains, kmax=100)
    assert whole.one_step == pytest.approx(0.95, abs=0.01)
    for part in (me.thin_spikes(trains, 0.1, seed=1), me.thin_units(trains, 0.1, seed=1)):
        assert part.times.size == pytest.approx(0.1 * times.size, rel=0.1)
        found = me.branching_ratio(part, bin=0.004, kmax=100)
        assert found.one_step < 0.75
        assert found.low < 0.95 < found.high
    assert me.thin_units(trains, 0.1, seed=1).n_units == 20
    assert whole.tau == pytest.approx(-0.004 / np.log(whole.value))


def test_hippocampal_units():
    """a2929, CA1, bins of 4 ms, lags to 250 bins (1 s), exponential with offset: 0.84 asleep and 0.87 awake."""
    recording = recordings.example()
    here = np.array([region == "ca1" for region in recording.labels["region"]])
    for epoch, m in zip(recording.epochs, (0.84, 0.87), strict=True):
        spikes = recording.during(epoch)
        kept = here[spikes.units]
        ca1 = SpikeTrains(spikes.times[kept], spikes.units[kept], spikes.n_units, spikes.t_start, spikes.t_stop)
        found = me.branching_ratio(ca1, kmax=250, offset=True)
        assert found.value == pytest.approx(m, abs=0.006)
        assert found.low < m < found.high
    bare = me.branching_ratio(ca1, kmax=250)  # awake: rates change over seconds, and without an offset m follows them
    assert bare.status is Status.DOUBTFUL
    assert any("try an offset" in reason for reason in bare.reasons)


# --- doubts -----------------------------------------------------------------------------------------------------------
def test_chance_does_not_branch():
    counts = np.random.default_rng(8).poisson(3.0, 50_000)
    found = me.branching_ratio(counts, kmax=1)
    assert found.low < 0.0 < found.high
    assert "the first slopes do not stand out from none" in me.branching_ratio(counts, kmax=100, offset=True).reasons


def test_doubts_are_said():
    rng = np.random.default_rng(12)
    alternating = 5 + 4 * (np.arange(4000) % 2) + rng.poisson(1, 4000)
    rising = rng.poisson(np.linspace(5, 15, 20_000))
    slow = driven(0.999, 500, 40_000, 13)
    fast_and_slow = driven(0.5, 3000, 40_000, 14) + driven(0.99, 40, 40_000, 15)
    for counts, kmax, words in (
        (alternating, 20, "first slope is not positive"),
        (rising, 50, "activity rises over the record"),
        (rising[::-1], 50, "activity falls"),
        (slow, 20, "beyond the window of 20 lags"),
        (fast_and_slow, 200, "not one time scale; try an offset"),
    ):
        found = me.branching_ratio(counts, kmax=kmax)
        assert found.status is Status.DOUBTFUL
        assert any(words in reason for reason in found.reasons), found
        assert words in repr(found)
    growing = np.floor(1.01 ** np.arange(1500))
    found = me.branching_ratio(growing, kmax=5)
    assert found.value > 1.0
    assert any("above 1" in reason for reason in found.reasons)
    assert found.tau == np.inf


def test_too_little_is_said():
    for data, kmax, words in (
        ([1, 2, 3], 1, "fewer than 20 for each of 1 lags"),
        (np.ones(1000), 1, "activity never changes"),
        (np.arange(100), 100, "the window of 100 lags is longer than the data of 100 bins"),
        (np.arange(100), None, "fewer than 20 for each of 10 lags"),
        (np.tile([0, 9], 500), 1, ""),
    ):
        found = me.branching_ratio(data, kmax=kmax)
        if words:
            assert np.isnan(found.value)
            assert found.status is Status.INSUFFICIENT_DATA
            assert words in found.reasons[0]
        else:
            assert found.value == pytest.approx(-1.0)


def test_what_happens_in_one_block_alone_has_no_interval():
    counts = np.zeros(2000)
    counts[510:530] = np.arange(20)
    found = me.branching_ratio(counts, kmax=3)
    assert found.status is Status.DOUBTFUL
    assert "a single block holds all that changes: no interval" in found.reasons
    silent = np.vstack([counts, np.zeros((9, 2000))])
    assert me.branching_ratio(silent, kmax=3, per_trial=True).status is Status.INSUFFICIENT_DATA
    falling = me.branching_ratio(np.tile([0, 9, 1, 7], 500), kmax=1)
    assert falling.reasons[0].startswith("the first slope is not positive")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: me.branching_ratio([1, 2], kmax=0), ValueError, "kmax must be a whole number of at least 1, got 0"),
        (lambda: me.branching_ratio([1, 2], bin=0.1), ValueError, "counts have their bins; give spike trains for bin"),
        (lambda: me.branching_ratio([[[1]]]), ValueError, r"counts \(bins,\) or \(trials, bins\), spike trains"),
        (lambda: me.branching_ratio([1, -2]), ValueError, "data must be finite and at least 0, got -2"),
        (lambda: me.branching_ratio([1, 2], per_trial=True), ValueError, "per_trial needs 5 trials at least, got 1"),
        (lambda: me.branching_ratio([1, 2], kmax=3, offset=True), ValueError, "offset needs kmax of at least 4, got 3"),
        (lambda: me.branching_ratio([1, 2], confidence=2), ValueError, "confidence"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
