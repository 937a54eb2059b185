"""Measures of avalanches and criticality against brute force, exact laws and coverage of their intervals."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import zeta

from equipoise import branching as br
from equipoise import measures as me
from equipoise.results import Avalanches, SpikeTrains, Status


# --- avalanches -------------------------------------------------------------------------------------------------------
def by_hand(counts, threshold):
    found, size, length, complete = [], 0, 0, False
    for x in counts:
        if x > threshold:
            size, length = size + x, length + 1
        else:
            if length and complete:
                found.append((size, length))
            size, length, complete = 0, 0, True
    return found


@pytest.mark.parametrize("threshold", [0, 1, 2])
def test_equal_to_counting_by_hand(threshold):
    rng = np.random.default_rng(1)
    for mean in (0.2, 1.0, 3.0):
        for n in (1, 2, 5, 50, 400):
            counts = rng.poisson(mean, n)
            found = me.avalanches(counts, threshold=threshold)
            assert list(zip(found.sizes, found.durations, strict=True)) == by_hand(counts, threshold)
            assert not found.capped.any()


def test_nothing_and_everything():
    assert len(me.avalanches([0, 0, 0])) == len(me.avalanches([3, 2, 1])) == len(me.avalanches([2, 0, 1])) == 0
    assert repr(me.avalanches([0])) == "Avalanches(none)"
    assert repr(me.avalanches([0, 3, 4, 0])) == "Avalanches(1, mean size 7, largest 7, longest 2, 0 capped)"


def test_activity_counts_every_spike_once():
    times = np.array([0.0, 0.0999, 0.1, 0.25, 0.3, 0.9999])
    trains = SpikeTrains(times, np.array([0, 1, 0, 2, 1, 0]), 3, 0.0, 1.0)
    assert me.activity(trains, bin=0.1).tolist() == [2, 1, 1, 1, 0, 0, 0, 0, 0, 1]
    assert me.activity(trains, bin=0.3).tolist() == [4, 1, 0]  # the last 0.1 s fill no bin
    last = SpikeTrains.single([0.3, 1.0], t_start=0.0, t_stop=1.0)
    assert me.activity(last, bin=0.1).tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert me.activity(last, bin=0.3).sum() == 1


@pytest.mark.parametrize("size", ["spikes", "units"])
def test_avalanches_of_spikes_are_those_of_their_counts(size):
    """One pass over the spikes against binning and, for units, against sets; any window, also spikes on edges."""
    rng = np.random.default_rng(11)
    for n, bin_, threshold in (
        (0, 0.1, 0),
        (1, 0.1, 0),
        (40, 0.13, 0),
        (900, 0.01, 1),
        (3000, 0.001, 0),
        (300, 0.1, 2),
    ):
        start = rng.uniform(-5, 5)
        times = np.sort(start + (rng.uniform(0, 3.7, n) if bin_ != 0.1 else rng.integers(0, 38, n) * 0.1))
        trains = SpikeTrains(times, rng.integers(7, size=n), 7, start, start + 3.75)
        found, counts = me.avalanches(trains, bin=bin_, threshold=threshold, size=size), me.activity(trains, bin=bin_)
        binned = me.avalanches(counts, threshold=threshold)
        assert found.durations.tolist() == binned.durations.tolist()
        if size == "spikes":
            assert found.sizes.tolist() == binned.sizes.tolist()
            continue
        place = np.repeat(np.arange(counts.size), counts)
        above = np.concatenate([[False], counts > threshold, [False]])
        first = np.flatnonzero(above[1:] & ~above[:-1])
        stop = np.flatnonzero(above[:-1] & ~above[1:])
        inside = (first > 0) & (stop < counts.size)
        seen = [
            np.unique(trains.units[: place.size][(place >= a) & (place < b)]).size
            for a, b in zip(first[inside], stop[inside], strict=True)
        ]
        assert found.sizes.tolist() == seen


def test_the_bin_is_the_mean_interval_by_default():
    trains = SpikeTrains(np.array([1.0, 1.5, 2.0, 4.0]), np.array([0, 1, 1, 0]), 2, 0.0, 9.0)
    assert me.mean_interval(trains) == pytest.approx(1.0)
    found = me.avalanches(trains)
    assert (found.sizes.tolist(), found.durations.tolist()) == ([3, 1], [2, 1])
    assert len(me.avalanches(SpikeTrains.single([1.0], t_start=0, t_stop=2))) == 0
    assert len(me.avalanches(SpikeTrains.single([1.0, 1.0], t_start=0, t_stop=2))) == 0


def test_spikes_on_a_grid_stay_in_their_bins_late_in_a_long_recording():
    """Whatever t_start is: 30 kHz samples, bins of 1 ms, a day after the clock began."""
    samples = np.arange(0, 300_000, 15)
    trains = SpikeTrains.single(86_400.0 + samples / 30_000.0, t_start=86_400.0, t_stop=86_410.0)
    assert (me.activity(trains, bin=1e-3) == 2).all()


# --- exponents --------------------------------------------------------------------------------------------------------
def zipf(a, n, rng, high=None):
    if high is None:
        return stats.zipf(a).rvs(n, random_state=rng)
    k = np.arange(1, high + 1)
    return rng.choice(k, n, p=k**-a / np.sum(k**-a))


@pytest.mark.parametrize(("a", "high"), [(1.5, None), (2.5, None), (1.5, 1000), (0.8, 200)])
def test_the_interval_of_the_exponent_covers(a, high):
    """200 samples of 2000: coverage of 95 % intervals within 4 standard errors, and no bias."""
    rng = np.random.default_rng(2)
    found = [me.power_law(zipf(a, 2000, rng, high), x_max=high or np.inf) for _ in range(200)]
    covered = np.mean([float(f.low) <= a <= float(f.high) for f in found])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 200)
    values = np.array([float(f) for f in found])
    assert abs(values.mean() - a) < 4 * values.std() / np.sqrt(200)


def test_the_exponent_is_where_the_likelihood_is_flat():
    x = zipf(2.2, 3000, np.random.default_rng(3))
    x = x[x >= 3]
    a, step = float(me.power_law(x, x_min=3)), 1e-5
    slope = (np.log(zeta(a + step, 3)) - np.log(zeta(a - step, 3))) / (2 * step)
    assert -slope == pytest.approx(np.log(x).mean(), rel=1e-6)


def test_taking_counts_for_continuous_values_is_wrong():
    x = zipf(1.5, 200_000, np.random.default_rng(4), 10**6)
    k = np.arange(1, 10**6 + 1)
    exact = 1.0 + 1.0 / (np.sum(np.log(k) * k**-1.5) / np.sum(k**-1.5))
    assert float(me.power_law(x, continuous=True)) == pytest.approx(exact, rel=0.01)
    assert exact > 1.66
    assert float(me.power_law(x, x_max=1e6)) == pytest.approx(1.5, abs=0.01)


def test_critical_avalanches_have_the_exponents_three_halves_and_two():
    found = br.avalanches(br.GeometricOffspring(1.0), 400_000, seed=5, max_generations=10**5)
    sizes, durations = me.power_law(found.sizes, x_min=100), me.power_law(found.durations, x_min=100)
    assert float(sizes.low) - 0.01 < 1.5 < float(sizes.high) + 0.01
    assert float(durations.low) - 0.03 < 2.0 < float(durations.high) + 0.03  # P(T = t) = 1/(t (t + 1))
    assert float(me.crackling(found, low=30, high=300)) == pytest.approx(1.98, abs=0.05)


def test_capped_avalanches_do_not_enter_the_sizes_of_durations():
    found = Avalanches(np.array([1, 4, 6, 90]), np.array([1, 2, 2, 9]), np.array([False, False, False, True]))
    data = me.size_of_duration(found)
    assert data["duration"].values.tolist() == [1, 2]
    assert data["size"].values.tolist() == [1.0, 5.0]
    assert data["n"].values.tolist() == [1, 2]
    assert data["error"].values[1] == pytest.approx(1.0)


def test_the_interval_of_the_crackling_exponent_covers():
    """200 samples with exactly <S> = 3 T^1.6 and skewed sizes, few of each long duration."""
    rng, hits, values = np.random.default_rng(10), 0, []
    for _ in range(200):
        T = np.minimum(np.floor(1.0 / rng.random(3000)), 200).astype(int)
        sizes = rng.gamma(1.5, 3.0 * T**1.6 / 1.5)
        found = me.crackling(Avalanches(sizes, T, np.zeros(T.size, bool)))
        hits += float(found.low) <= 1.6 <= float(found.high)
        values.append(float(found))
    assert abs(hits / 200 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 200)
    assert abs(np.mean(values) - 1.6) < 4 * np.std(values) / np.sqrt(200)


@pytest.mark.parametrize("mean", [0.5, 1.5])
def test_chance_crackles_with_exponent_one(mean):
    """Independent Poisson counts: <S | T> = T mean/(1 - e^-mean) exactly, durations geometric."""
    counts = me.poisson_null(np.full(400_000, mean * 2, int) // 2 if mean > 1 else [0, 1] * 200_000, seed=6)
    own = counts.mean()
    found = me.avalanches(counts)
    slope = me.crackling(found)
    assert float(slope.low) < 1.0 < float(slope.high)
    assert float(slope.high - slope.low) < 0.05
    data = me.size_of_duration(found).isel(duration=slice(0, 5))
    exact = data["duration"].values * own / -np.expm1(-own)
    assert (np.abs(data["size"].values - exact) < 4 * data["error"].values).all()
    assert np.mean(found.durations == 1) == pytest.approx(np.exp(-own), abs=0.01)


# --- response ---------------------------------------------------------------------------------------------------------
def test_dynamic_range_of_a_hill_curve():
    """F = h^n/(h^n + 1): h_0.9/h_0.1 = 81^(1/n)."""
    h = np.geomspace(1e-8, 1e8, 20_001)
    for n in (0.5, 1.0, 2.0):
        F = h**n / (1.0 + h**n)
        assert me.dynamic_range(h, F, rest=0.0, most=1.0) == pytest.approx(10 * np.log10(81.0) / n, rel=1e-5)
        assert me.dynamic_range(h, 5 + 3 * F, rest=5.0, most=8.0) == pytest.approx(10 * np.log10(81.0) / n, rel=1e-5)


def test_no_response_has_no_range():
    assert np.isnan(me.dynamic_range([1, 2, 3], [1, 1, 1]))
    assert np.isnan(me.dynamic_range([1, 2, 3], [0.5, 0.6, 1.0], rest=0.0))


def test_susceptibility_of_independent_units():
    counts = np.random.default_rng(9).binomial(1000, 0.02, 100_000)
    assert me.susceptibility(counts, 1000) == pytest.approx(0.02 * 0.98, rel=0.02)


# --- bad input --------------------------------------------------------------------------------------------------------
def test_too_little_is_said():
    for found in (
        me.power_law([1, 2, 3]),
        me.power_law(np.ones(100)),
        me.power_law(np.ones(100), x_min=None),
        me.power_law([], x_min=None),
    ):
        assert np.isnan(found.value)
        assert found.status is Status.INSUFFICIENT_DATA
        assert me.goodness_of_fit([1, 2, 3], found, seed=1).status is Status.INSUFFICIENT_DATA
        assert me.likelihood_ratios([1, 2, 3], found).attrs["status"] == "INSUFFICIENT_DATA"
    none = me.avalanches([0, 1, 0])
    assert str(me.crackling(none).status.values) == "INSUFFICIENT_DATA"
    lacking = me.deviation(none, me.power_law(none.sizes), me.power_law(none.durations), seed=1)
    assert lacking.status is Status.INSUFFICIENT_DATA
    assert np.isnan(lacking.value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: me.avalanches([[1, 0]]), ValueError, r"counts must be 1-D and not empty, got shape \(1, 2\)"),
        (lambda: me.avalanches([1, -1]), ValueError, r"counts must be finite and at least 0, got -1 at index \(1,\)"),
        (lambda: me.activity([1, 2], bin=0.1), TypeError, "trains must be SpikeTrains or a Recording, got list"),
        (
            lambda: me.activity(SpikeTrains.single([0.5], t_start=0, t_stop=1), bin=4.0),
            ValueError,
            "bin must fit into 1 s, got 4000 ms",
        ),
        (lambda: me.power_law([1, 2], x_min=0), ValueError, "x_min must be a whole number of at least 1, got 0"),
        (lambda: me.power_law([1, 2], x_min=5, x_max=5), ValueError, "x_max must exceed x_min=5, got 5"),
        (lambda: me.power_law([1, 2.5]), ValueError, "values must be whole numbers, got 2.5. Use continuous=True"),
        (lambda: me.avalanches([1, 0.5]), ValueError, "counts must be whole numbers, got 0.5"),
        (lambda: me.avalanches([1, 0], size="cells"), ValueError, "size must be 'spikes' or 'units', got 'cells'"),
        (lambda: me.avalanches([1, 0], bin=0.1), ValueError, "counts have their bins and no units; give spike trains"),
        (lambda: me.avalanches([1, 0], threshold=-1), ValueError, "threshold must be finite and at least 0, got -1"),
        (lambda: me.goodness_of_fit([1], 1.5, seed=1), TypeError, "fit must be a PowerLawFit, got 1.5"),
        (lambda: me.likelihood_ratios([1], 1.5), TypeError, "fit must be a PowerLawFit, got 1.5"),
        (lambda: me.power_law([0, 2]), ValueError, r"values must be finite and at least 1, got 0 at index \(0,\)"),
        (lambda: me.power_law([1, 2], x_max=None), TypeError, "x_max must be a number, got None. Without an upper end"),
        (lambda: me.dynamic_range([1, 1], [0, 1]), ValueError, "drive must be 1-D, rising, and as long as response"),
        (lambda: me.crackling([1, 2, 3]), TypeError, r"found must be Avalanches, got \[1, 2, 3\]. Use measures.aval"),
        (lambda: me.susceptibility([1, 2], 0), ValueError, "size must be finite and above 0, got 0"),
        (lambda: Avalanches(np.ones(2), np.ones(3), np.ones(2)), ValueError, "must be 1-D of one length"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
