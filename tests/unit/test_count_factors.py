"""Fano and Allan factors against Elephant, renewal theory, plain NumPy and their own error rates."""

import sys
import warnings
from itertools import pairwise

import neo
import numpy as np
import pytest
import quantities as pq
from elephant import conversion, statistics

from equipoise import measures, recordings
from equipoise.results import SpikeTrains
from equipoise.units import ms, second


def many(trains, stop):
    times, units = np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    order = np.argsort(times, kind="stable")
    return SpikeTrains(times[order], units[order], len(trains), 0.0, stop)


def gamma_trains(rng, shape, n, stop, rate=10.0):
    """Renewal trains well past their start, which is not in equilibrium."""
    draws = rng.gamma(shape, 1 / (shape * rate), (n, int(1.3 * rate * (stop + 20) + 50)))
    times = np.cumsum(draws, axis=1) - 20.0
    return many([t[(t >= 0) & (t < stop)] for t in times], stop)


def poisson(rng, rate, n, stop):
    return many([np.sort(rng.uniform(0, stop, rng.poisson(rate * stop))) for _ in range(n)], stop)


def test_fano_is_elephants_on_the_same_windows():
    """Elephant takes the plain variance of n counts; ours is the unbiased one, n/(n - 1) times it."""
    recording = recordings.example()
    window, n = 2.0, 600
    ours = measures.fano(recording, window=window)
    for u, times in [(0, recording.spikes.unit(0)), (11, recording.spikes.unit(11))]:
        edges = np.arange(n + 1) * window
        windows = [
            neo.SpikeTrain(times[(times >= a) & (times < b)] - a, units="s", t_stop=window) for a, b in pairwise(edges)
        ]
        theirs = statistics.fanofactor(windows)
        np.testing.assert_allclose(ours.values[u], theirs * n / (n - 1), rtol=1e-9)
    assert (ours.n == n).all()


def binned_by_elephant(trains, stop, width):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trains = [neo.SpikeTrain(t, units="s", t_stop=stop) for t in trains]
        return conversion.BinnedSpikeTrain(trains, bin_size=width, t_start=0 * pq.s).to_array().astype(float)


def test_factors_are_those_of_the_binned_counts():
    rng = np.random.default_rng(1)
    trains = gamma_trains(rng, 2.0, 5, 60.0)
    counts = binned_by_elephant(trains, 60.0, 200 * pq.ms)
    np.testing.assert_allclose(
        measures.fano(trains, window=200 * ms), counts.var(axis=1, ddof=1) / counts.mean(axis=1), rtol=1e-12
    )
    steps = np.mean(np.diff(counts, axis=1) ** 2, axis=1) / (2 * counts.mean(axis=1))
    np.testing.assert_allclose(measures.allan(trains, window=200 * ms), steps, rtol=1e-12)
    parts = counts.reshape(5, 3, 100)
    local = measures.local_fano(trains, window=200 * ms, stretch=20 * second)
    np.testing.assert_allclose(local, parts.var(axis=2, ddof=1) / parts.mean(axis=2), rtol=1e-12)
    np.testing.assert_allclose(local.time, [10.0, 30.0, 50.0])


def test_units_in_several_portions_are_the_same(monkeypatch):
    trains = poisson(np.random.default_rng(2), 10.0, 7, 30.0)
    whole = measures.fano(trains, window=[0.1, 0.5])
    monkeypatch.setattr(sys.modules["equipoise.measures.fano"], "AT_ONCE", 700)
    assert whole.identical(measures.fano(trains, window=[0.1, 0.5]))


def test_renewal_trains_go_from_one_to_the_square_of_cv():
    """Mean of 100 gamma trains of shape 4 within 4 standard errors: C_v^2 + (1 - C_v^4)/(6 <N>) in long windows.

    (Cox & Miller, variance of counts of a stationary renewal process to order 1, with the third moment of the gamma
    law: 1/6 + C_v^4/2 - m3/3, m3 = 2 C_v^4, which is (1 - C_v^4)/6.)
    """
    trains = gamma_trains(np.random.default_rng(3), 4.0, 100, 400.0)
    found = measures.fano(trains, window=[2 * ms, 4.0])
    assert (np.abs(found[0] - 1.0) < 0.05).all()
    long = found[1].values
    expected = 0.25 + (1 - 0.25**2) / (6 * 40)
    assert abs(long.mean() - expected) < 4 * long.std() / 10


def test_a_drift_raises_the_fano_factor_and_leaves_the_others():
    """A Poisson train whose rate climbs from 2 to 38 Hz over 400 s: counts in 1 s windows have variance 20 + 108."""
    rng = np.random.default_rng(4)
    times = np.sort(rng.uniform(0, 1, 8000))
    times = 400.0 * (-2 + np.sqrt(4 + 4 * 18 * 20 * times)) / 36
    train = SpikeTrains.single(times, t_start=0.0, t_stop=400.0)
    assert measures.fano(train, window=1.0)[0] > 5
    assert abs(measures.allan(train, window=1.0)[0] - 1) < 0.4
    local = measures.local_fano(train, window=1.0, stretch=20 * second)
    assert abs(float(local.mean()) - 1) < 0.25


@pytest.mark.parametrize("measure", [measures.fano, measures.allan])
@pytest.mark.parametrize("mean", [0.2, 5.0])
def test_poisson_units_lie_in_their_range_as_often_as_said(measure, mean):
    """400 units at 95 %: 0.91 and 0.985 are 3.7 and 3.2 binomial sd away. At small counts the laws are approximate."""
    trains = poisson(np.random.default_rng(5), mean / 0.5, 400, 150.0)
    found = measure(trains, window=0.5)
    assert 0.91 <= float(((found.null_low < found) & (found < found.null_high)).mean()) <= 0.985


@pytest.mark.parametrize("measure", [measures.fano, measures.allan])
def test_intervals_cover_the_truth(measure):
    """300 Poisson units, 600 windows; 0.90 and 0.985 are 4 and 2.8 binomial sd away from 0.95."""
    found = measure(poisson(np.random.default_rng(6), 8.0, 300, 300.0), window=0.5)
    assert 0.90 <= float(((found.low < 1.0) & (found.high > 1.0)).mean()) <= 0.985


def test_spikes_on_the_edges_of_windows_stay_in_their_own():
    times = np.arange(300) * 0.1
    train = SpikeTrains.single(times, t_start=0.0, t_stop=30.0)
    found = measures.fano(train, window=0.1)
    assert found[0] == pytest.approx(0.0, abs=1e-12)
    assert found["mean_count"][0] == 1.0


def test_too_little_data_are_said():
    trains = many([np.array([]), np.array([1.0, 2.0]), np.linspace(0.1, 9.9, 50)], 10.0)
    found = measures.fano(trains, window=0.25)
    assert list(found.status.values) == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "OK"]
    assert list(np.isnan(found.values)) == [True, True, False]
    few = measures.fano(trains, window=[0.6, 20.0])
    assert (few.status == "INSUFFICIENT_DATA").all()
    assert np.isnan(few.values).all()


def test_bad_input_is_named():
    train = SpikeTrains.single(np.arange(20.0), t_start=0.0, t_stop=20.0)
    with pytest.raises(ValueError, match=r"measures\.fano\.window .* must lie in \(0, .* got 0 ms"):
        measures.fano(train, window=[1.0, 0.0])
    with pytest.raises(
        ValueError, match=r"measures\.allan: window must be a number or a list of them, got shape \(1, 1\)"
    ):
        measures.allan(train, window=[[1.0]])
    with pytest.raises(ValueError, match=r"stretch must hold 20 windows of 1000 ms and fit into 20 s, got 5 s"):
        measures.local_fano(train, window=1.0, stretch=5.0)
    with pytest.raises(TypeError, match=r"must be SpikeTrains or a Recording, got list"):
        measures.fano([1.0], window=1.0)
