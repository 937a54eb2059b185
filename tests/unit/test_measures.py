"""The ruler against Elephant, exact expectations, NumPy references and its own confidence intervals."""

import warnings

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise import _core, measures, recordings
from equipoise.measures.trains import ROWS
from equipoise.results import SpikeTrains

MEASURES = ("rate", "cv", "cv2", "lv", "lvr", "cv_local", "refractory_violations")


def pooled(trains, *, t_stop=None):
    """Several spike-time arrays as one SpikeTrains."""
    times = np.concatenate(trains)
    units = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    order = np.argsort(times, kind="stable")
    stop = t_stop if t_stop is not None else (times.max() if times.size else 1.0)
    return SpikeTrains(times[order], units[order], len(trains), 0.0, stop)


def gamma_train(rng, cv, n, rate=5.0):
    return np.cumsum(rng.gamma(1 / cv**2, cv**2 / rate, n))


def elephant_value(name, times):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from elephant import statistics

        intervals = np.diff(times) * pq.s
        if name == "lvr":
            return float(statistics.lvr(intervals, R=5 * pq.ms))
        function = {"cv": lambda x: statistics.cv(x.magnitude), "cv2": statistics.cv2, "lv": statistics.lv}[name]
        return float(function(intervals))


@pytest.mark.parametrize("name", ["cv", "cv2", "lv", "lvr"])
def test_equal_to_elephant_on_the_real_recording(name):
    recording = recordings.example()
    ours = getattr(measures, name)(recording)
    theirs = [elephant_value(name, train) for train in recording.spikes]
    np.testing.assert_allclose(ours.values, theirs, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-4, 1e3), min_size=11, max_size=60), st.sampled_from(["cv", "cv2", "lv", "lvr"]))
def test_equal_to_elephant_on_any_intervals(intervals, name):
    times = np.cumsum(intervals)
    ours = getattr(measures, name)(SpikeTrains.single(times, t_start=0.0, t_stop=times[-1]))
    np.testing.assert_allclose(ours.values[0], elephant_value(name, times), rtol=1e-9, atol=1e-12)


# NumPy references of the compiled functions --------------------------------------------------------------------------


def reference_variance(x):
    """Overlapping batch means with the block length of Andrews (1991)."""
    n = x.size
    rho = min(abs(np.sum(x[1:] * x[:-1]) / np.sum(x * x)), 0.97) if x.any() else 0.0
    length = max(np.cbrt(n), 1.1447 * np.cbrt((2 * rho / (1 - rho**2)) ** 2 * n))
    b = max(1, int(min(np.ceil(length), n / 5)))
    blocks = np.lib.stride_tricks.sliding_window_view(x, b).sum(1)
    return np.sum(blocks**2) / (b * (n - b) * (n - b + 1))


def reference_statistics(times, refractory):
    t = np.diff(times)
    m, s = t.mean(), t.std()
    a, b = t[:-1], t[1:]
    local = 3 * ((a - b) / (a + b)) ** 2
    terms = {"cv2": 2 * np.abs(a - b) / (a + b), "lv": local, "lvr": local * (1 + 4 * refractory / (a + b))}
    d = t - m
    value = {"interval": m, "cv": s / m} | {k: x.mean() for k, x in terms.items()}
    variance = {"interval": reference_variance(d)}
    variance["cv"] = reference_variance((d**2 - s**2) / (2 * s * m) - s * d / m**2)
    return value, variance | {k: reference_variance(x - x.mean()) for k, x in terms.items()}


def test_compiled_statistics_equal_their_numpy_reference():
    rng = np.random.default_rng(0)
    trains = [gamma_train(rng, cv, n) for cv, n in [(0.3, 4), (1.0, 57), (2.0, 5000)]]
    values, variances = measures.group(pooled(trains)).statistics(refractory=0.004)
    for u, train in enumerate(trains):
        value, variance = reference_statistics(train, 0.004)
        for row in ROWS:
            np.testing.assert_allclose(values[row][u], value[row], rtol=1e-12)
            np.testing.assert_allclose(variances[row][u], variance[row], rtol=1e-9)


def test_grouping_keeps_every_spike_and_its_order():
    rng = np.random.default_rng(1)
    times, units = np.sort(rng.uniform(0, 9, 5000)), rng.integers(0, 40, 5000)
    grouped = measures.group(SpikeTrains(times, units, 41, 0.0, 9.0))
    for u in range(41):
        np.testing.assert_array_equal(grouped.unit(u), times[units == u])


def test_short_intervals_equal_a_plain_count():
    recording = recordings.example()
    counts = measures.group(recording).short_intervals(0.002)
    np.testing.assert_array_equal(counts, [np.sum(np.diff(t) < 0.002) for t in recording.spikes])


def test_the_core_refuses_arrays_of_wrong_size():
    with pytest.raises(ValueError, match="sizes differ"):
        _core.interval_statistics(np.zeros(3), np.array([0, 3]), 0.0, 31, np.zeros(4), np.zeros(5))


# Exact expectations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cv", [0.3, 0.7, 1.0, 1.5])
def test_gamma_trains_meet_their_exact_expectations(cv):
    """LV = 3 C_v^2/(2 + C_v^2); every estimate within 4 of its own standard errors (p = 6e-5 each)."""
    train = gamma_train(np.random.default_rng(2), cv, 40_000)
    values, variances = measures.group(pooled([train])).statistics()
    exact = {"interval": 0.2, "cv": cv, "lv": 3 * cv**2 / (2 + cv**2)}
    for name, expected in exact.items():
        assert abs(values[name][0] - expected) < 4 * np.sqrt(variances[name][0])
    local = measures.cv_local(pooled([train]))
    assert local.low[0] < local[0] < local.high[0]
    np.testing.assert_allclose(local[0], cv, rtol=0.02)


def test_poisson_trains_have_unit_irregularity():
    train = gamma_train(np.random.default_rng(3), 1.0, 100_000)
    for name in ("cv", "cv2", "lv", "cv_local"):
        array = getattr(measures, name)(pooled([train]), confidence=0.9999)
        assert array.low[0] < 1.0 < array.high[0], name


def test_a_regular_train_has_none():
    train = pooled([np.arange(100) / 4.0])
    for name in ("cv", "cv2", "lv", "cv_local"):
        array = getattr(measures, name)(train)
        np.testing.assert_allclose([array[0], array.low[0], array.high[0]], 0.0, atol=1e-12)


def test_slow_rate_changes_raise_global_but_not_local_irregularity():
    """Gamma process (C_v = 0.5) whose clock runs at 2 or 20 Hz for 50 s each."""
    rng = np.random.default_rng(4)
    operational = np.cumsum(rng.gamma(4.0, 0.25, 22_000))
    lived, clock = np.arange(0, 2001, 50.0), np.concatenate([[0], np.cumsum(np.tile([100.0, 1000.0], 20))])
    train = pooled([np.interp(operational, clock, lived)])
    assert measures.cv(train)[0] > 0.9
    np.testing.assert_allclose(measures.cv_local(train)[0], 0.5, rtol=0.02)


def coverage(make, truth, name, n=300):
    rng = np.random.default_rng(5)
    array = getattr(measures, name)(pooled([make(rng) for _ in range(n)]))
    return float(np.mean((array.low.values < truth) & (truth < array.high.values)))


@pytest.mark.parametrize(("name", "truth"), [("cv", 0.7), ("lv", 3 * 0.49 / 2.49), ("cv_local", 0.7)])
def test_intervals_cover_the_truth(name, truth):
    """95 % intervals of 300 gamma trains of 500 spikes; 0.90 and 0.99 lie 4 and 3 binomial sd away from 0.95."""
    assert 0.90 <= coverage(lambda rng: gamma_train(rng, 0.7, 500), truth, name) <= 0.99


def correlated_train(rng, n=2000):
    """Log-normal intervals with serial correlation 0.8 in the logarithm."""
    x = np.empty(n)
    x[0] = rng.standard_normal()
    noise = 0.6 * rng.standard_normal(n)
    for i in range(1, n):
        x[i] = 0.8 * x[i - 1] + noise[i]
    return np.cumsum(np.exp(0.5 * x))


def test_intervals_stay_honest_under_serial_correlation():
    """C_v of log-normal intervals is sqrt(e^0.25 - 1); naive independent intervals cover only 60-70 %."""
    truth = np.sqrt(np.expm1(0.25))
    assert coverage(correlated_train, truth, "cv", n=200) >= 0.86


def test_rate_intervals_of_few_spikes_are_exact_poisson():
    from scipy.stats import chi2

    trains = pooled([np.array([]), np.array([1.0]), np.array([1.0, 2.0, 7.0])], t_stop=10.0)
    array = measures.rate(trains)
    np.testing.assert_allclose(array.values, [0.0, 0.1, 0.3])
    np.testing.assert_allclose(array.high.values, chi2.ppf(0.975, 2 * np.array([1, 2, 4])) / 20)
    np.testing.assert_allclose(array.low.values, [0.0, *(chi2.ppf(0.025, 2 * np.array([1, 3])) / 20)])
    assert set(array.status.values) == {"OK"}


# Units with few spikes, labels, invariants ---------------------------------------------------------------------------


def test_units_with_few_spikes_survive_with_a_status():
    rng = np.random.default_rng(6)
    trains = pooled([gamma_train(rng, 1.0, 500), np.array([]), np.array([0.5]), np.arange(10.0)])
    dataset = measures.summary(trains)
    assert list(dataset.status.values) == ["OK", *3 * ["INSUFFICIENT_DATA"]]
    assert list(dataset.n_spikes.values) == [500, 0, 1, 10]
    for name in MEASURES[1:]:
        array = getattr(measures, name)(trains)
        np.testing.assert_array_equal(np.isnan(array.values), array.status.values != "OK")
    assert np.isfinite(dataset[["rate", "rate_low", "rate_high"]].to_array()).all()


def test_summary_holds_the_same_numbers_as_each_measure():
    recording = recordings.example()
    dataset = measures.summary(recording)
    for name in MEASURES:
        array = getattr(measures, name)(recording)
        assert dataset[name].attrs == array.attrs
        for end, values in (("", array), ("_low", array.low), ("_high", array.high)):
            np.testing.assert_array_equal(dataset[name + end].values, values.values)
        assert (array.low <= array).all()
        assert (array <= array.high).all()
    assert list(dataset.unit.values) == list(recording.unit_names)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-3, 50), min_size=12, max_size=80), st.floats(1e-2, 1e2))
def test_irregularity_does_not_depend_on_the_unit_of_time(intervals, factor):
    times = np.cumsum(intervals)
    here = measures.summary(SpikeTrains.single(times, t_start=0.0, t_stop=times[-1]), refractory=0.0)
    there = SpikeTrains.single(factor * times, t_start=0.0, t_stop=factor * times[-1])
    there = measures.summary(there, refractory=0.0)
    for name in ("cv", "cv2", "lv", "lvr", "cv_local"):
        np.testing.assert_allclose(here[name], there[name], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(here.rate, factor * there.rate)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=11, max_size=80))
def test_bounds_hold_even_with_coincident_spikes(intervals):
    times = np.cumsum(intervals)
    dataset = measures.summary(SpikeTrains.single(times, t_start=-1.0, t_stop=times[-1] + 1.0))
    if dataset.status[0] != "OK":
        assert dataset.cv.isnull().all() or dataset.cv_local.isnull().all()
    assert 0 <= dataset.lv[0] <= 3 * (1 + 1e-12)
    assert 0 <= dataset.cv2[0] <= 2 * (1 + 1e-12)
    assert 0 <= dataset.refractory_violations_low[0] <= dataset.refractory_violations[0]


def test_bad_input_is_named():
    train = pooled([np.arange(20.0)])
    with pytest.raises(TypeError, match=r"must be SpikeTrains or a Recording, got ndarray.*SpikeTrains\.single"):
        measures.cv(np.arange(20.0))
    with pytest.raises(
        ValueError, match=r"measures\.refractory .* \[0, 100\] ms, got 5000 ms\. Did you mean refractory=5 \* ms"
    ):
        measures.lvr(train, refractory=5.0)
    with pytest.raises(ValueError, match=r"measures\.confidence .* got 95\."):
        measures.cv(train, confidence=95)
    with pytest.raises(ValueError, match=r"measures\.tau_ref .* Did you mean tau_ref=2 \* ms"):
        measures.refractory_violations(train, tau_ref=2)
    assert eq.Status[str(measures.cv(train).status.values[0])] is eq.Status.OK


def test_coincident_spikes_get_a_status_instead_of_a_number():
    dataset = measures.summary(pooled([np.ones(30)], t_stop=2.0))
    assert dataset.status[0] == "INSUFFICIENT_DATA"
    assert np.isnan(dataset.cv[0])
    np.testing.assert_allclose(dataset.rate[0], 15.0)
