"""Interval statistics of few spikes, duplicates and silent units against Elephant; of gamma trains, exactly."""

import warnings

import numpy as np
import pytest
import quantities as pq

from equipoise import measures
from equipoise.measures.trains import ROWS
from equipoise.results import Recording, SpikeTrains
from equipoise.units import ms

NAMES = ("cv", "cv2", "lv", "lvr")
EDGES = {
    "silent": [],
    "one spike": [0.5],
    "two spikes": [0.5, 0.7],
    "three spikes": [0.5, 0.7, 1.4],
    "four spikes": [0.1, 0.5, 0.7, 1.4],
    "duplicate": [0.1, 0.5, 0.5, 0.7, 1.4],
    "duplicate at the start": [0.5, 0.5, 0.7, 1.4],
    "regular": [0.1, 0.2, 0.3, 0.4, 0.5],
}


def elephant_values(times):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from elephant import statistics

        t = np.diff(times)
        values = {"cv": statistics.cv(t), "cv2": statistics.cv2(t), "lv": statistics.lv(t)}
        return {name: float(x) for name, x in values.items()} | {
            "lvr": float(statistics.lvr(t * pq.s, R=5 * pq.ms)) if t.size > 1 else np.nan
        }


@pytest.fixture(scope="module")
def edges():
    """All edge cases as the units of one recording, interleaved in time."""
    times = np.concatenate([np.asarray(x) for x in EDGES.values()])
    units = np.repeat(np.arange(len(EDGES)), [len(x) for x in EDGES.values()])
    order = np.argsort(times, kind="stable")
    return measures.group(SpikeTrains(times[order], units[order], len(EDGES), 0.0, 2.0))


@pytest.mark.parametrize("case", EDGES)
def test_few_spikes_equal_elephant_from_two_intervals_on(edges, case):
    values, _ = edges.statistics(refractory=5 * ms)
    ours = {name: values[name][list(EDGES).index(case)] for name in NAMES}
    if len(EDGES[case]) < 3:
        assert np.isnan(list(ours.values())).all()
    else:
        theirs = elephant_values(EDGES[case])
        np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-9, atol=1e-12)


def test_three_spikes_at_one_time_count_as_no_difference_where_elephant_has_none():
    times = np.array([0.1, 0.3, 0.3, 0.3, 0.9])
    values, _ = measures.group(SpikeTrains.single(times, t_start=0.0, t_stop=1.0)).statistics()
    assert np.isnan(elephant_values_quietly(times)["cv2"])
    # The three pairs of intervals contribute 2, 0 and 2.
    assert values["cv2"][0] == pytest.approx(4 / 3, rel=1e-12)
    assert values["lv"][0] == pytest.approx(2.0, rel=1e-12)


def elephant_values_quietly(times):
    with np.errstate(all="ignore"):
        return elephant_values(times)


def test_what_is_not_asked_for_is_not_computed_and_the_rest_is_unchanged():
    rng = np.random.default_rng(1)
    grouped = measures.group(SpikeTrains.single(np.cumsum(rng.exponential(1, 100)), t_start=0.0, t_stop=1e3))
    everything, _ = grouped.statistics()
    for row in ROWS:
        some, _ = grouped.statistics(row)
        assert some[row] == everything[row]
    only, _ = grouped.statistics("lv")
    assert np.isnan(grouped.statistics("cv")[0]["interval"])
    assert np.isnan([only["interval"], only["cv"], only["cv2"], only["lvr"]]).all()


def test_grouped_trains_stand_in_for_the_trains():
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.exponential(0.1, 500))
    spikes = SpikeTrains(times, rng.integers(0, 2, 500), 2, 0.0, times[-1])
    recording = Recording(spikes, ("a", "b"), (), labels={"type": ("E", "")})
    grouped = measures.group(recording)
    assert measures.group(grouped) is grouped
    assert list(grouped.types) == ["E", ""]
    for name in ("rate", *NAMES):
        np.testing.assert_array_equal(getattr(measures, name)(grouped), getattr(measures, name)(recording))


def test_many_units_on_several_threads_are_the_units_one_by_one():
    """Enough spikes for more than one thread in both passes; units of very different size."""
    rng = np.random.default_rng(3)
    n = 900_000
    units = np.minimum(rng.geometric(0.3, n), 30) - 1
    times = np.sort(rng.uniform(0, 1000, n))
    grouped = measures.group(SpikeTrains(times, units, 31, 0.0, 1000.0))
    values, variances = grouped.statistics(refractory=5 * ms)
    for u in range(31):
        alone = times[units == u]
        np.testing.assert_array_equal(grouped.unit(u), alone)
        value, variance = measures.group(SpikeTrains.single(alone, t_start=0.0, t_stop=1e3)).statistics(
            refractory=5 * ms
        )
        for row in ROWS:
            np.testing.assert_array_equal(values[row][u], value[row][0])
            np.testing.assert_array_equal(variances[row][u], variance[row][0])


# C_v = k^-1/2, LV = 3/(2k + 1), and CV2 = 2 E|1 - 2 B| for B ~ Beta(k, k), k the shape of the gamma law.
GAMMA = {0.5: (1.414, 1.5, 1.273), 2.0: (0.707, 0.6, 0.75), 4.0: (0.5, 1 / 3, 0.547)}


@pytest.mark.parametrize(("shape", "expected"), GAMMA.items())
def test_gamma_intervals_have_their_published_irregularity(shape, expected):
    """200 trains of 2000 intervals: their means within 4 standard errors of the exact values (p = 6e-5 each).

    C_v of n gamma intervals is too small by the part 3 (1 + C_v^2)/(4 n) (delta method, with skewness 2 C_v and excess
    kurtosis 6 C_v^2), which is taken into account.
    """
    from scipy.special import betaln

    cv2 = 2.0 * np.exp(-np.log(shape) - betaln(shape, shape)) * 2.0 ** (1 - 2 * shape)
    exact = (shape**-0.5, 3.0 / (2.0 * shape + 1.0), cv2)
    np.testing.assert_allclose(expected, exact, atol=6e-4)
    rng = np.random.default_rng(int(10 * shape))
    trains = [np.cumsum(rng.gamma(shape, 1 / shape, 2001)) for _ in range(200)]
    stop = max(t[-1] for t in trains)
    times, units = np.concatenate(trains), np.repeat(np.arange(200), 2001)
    order = np.argsort(times, kind="stable")
    grouped = measures.group(SpikeTrains(times[order], units[order], 200, 0.0, stop))
    for name, value in zip(("cv", "lv", "cv2"), exact, strict=True):
        found = getattr(measures, name)(grouped).values
        bias = 0.75 * (1.0 + 1.0 / shape) / 2000 if name == "cv" else 0.0
        assert abs(found.mean() - value * (1.0 - bias)) < 4 * found.std() / np.sqrt(200)
        assert found.std() / np.sqrt(200) < 0.005
