"""Spike trains laid out unit after unit are the same trains as those in order of time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise import measures
from equipoise.results import SpikeTrains, first_fault

_TRAINS = st.lists(st.lists(st.floats(0.0, 10.0), max_size=20).map(sorted), min_size=1, max_size=5)


def _both(trains):
    times = np.concatenate([np.empty(0), *map(np.array, trains)])
    sizes = [len(t) for t in trains]
    by_unit = SpikeTrains.by_unit(times, np.concatenate([[0], np.cumsum(sizes)]), t_start=0.0, t_stop=10.0)
    order = np.argsort(times, kind="stable")
    return by_unit, SpikeTrains(times[order], np.repeat(np.arange(len(trains)), sizes)[order], len(trains), 0.0, 10.0)


@given(trains=_TRAINS, cut=st.floats(0.1, 9.9))
def test_both_layouts_are_the_same_trains(trains, cut):
    for one, other in (_both(trains), *((a.between(0.0, cut), b.between(0.0, cut)) for a, b in [_both(trains)])):
        assert (one.n_spikes, one.n_units, one.duration) == (other.n_spikes, other.n_units, other.duration)
        for x, y in zip(one.grouped(), other.grouped(), strict=True):
            np.testing.assert_array_equal(x, y)
        for x, y in zip(one, other, strict=True):
            np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_array_equal(one.units, other.units)
        assert repr(one) == repr(other)


@given(trains=_TRAINS, cut=st.floats(0.1, 9.9))
def test_parts_join_to_the_whole(trains, cut):
    whole, _ = _both(trains)
    first, second = whole.between(0.0, cut), whole.between(cut, 10.0)
    for train, a, b in zip(whole, first, second, strict=True):
        np.testing.assert_array_equal(np.concatenate([a, b]), train)


def test_measures_are_the_same_for_both_layouts():
    rng = np.random.default_rng(3)
    one, other = _both([np.sort(rng.uniform(0, 10, 60)) for _ in range(3)])
    for measure in (measures.rate, measures.cv, measures.cv2, measures.lv, measures.lvr):
        np.testing.assert_array_equal(measure(one), measure(other))


@pytest.mark.parametrize(
    ("times", "offsets", "message"),
    [
        ([1.0, 2.0], [0, 1], r"offsets must rise from 0 to the number of times"),
        ([1.0, 2.0], [0, 2, 1, 2], r"offsets must rise from 0 to the number of times"),
        ([1.0, 0.5, 0.2], [0, 1, 3], r"sorted within a unit, got 0\.2 s at index 2 in unit 1"),
        ([1.0, np.nan], [0, 2], r"times must be finite and sorted within a unit, got nan s at index 1 in unit 0"),
        ([1.0, 20.0], [0, 0, 2], r"times must lie in \[0, 10\] s, got 1 to 20 s"),
    ],
)
def test_bad_layouts_are_refused(times, offsets, message):
    with pytest.raises(ValueError, match=message):
        SpikeTrains.by_unit(np.array(times), np.array(offsets), t_start=0.0, t_stop=10.0)
    with pytest.raises(ValueError, match="t_stop must exceed t_start"):
        SpikeTrains.by_unit(np.empty(0), np.zeros(1, np.int64), t_start=1.0, t_stop=1.0)


def test_faults_are_found_where_blocks_meet(monkeypatch):
    monkeypatch.setattr("equipoise.results._BLOCK", 4)
    sound, offsets = np.concatenate([np.arange(6.0), np.arange(7.0)]), np.array([0, 6, 13])
    assert first_fault(sound, offsets) is None
    for at in range(13):
        for wrong in (np.nan, -1.0):
            broken = sound.copy()
            broken[at] = wrong
            starts = at in (0, 6) and wrong == -1.0
            assert first_fault(broken, offsets) == (None if starts else at)


def test_units_outside_are_refused():
    with pytest.raises(IndexError, match=r"index must lie in \[0, 0\], got 1"):
        _both([[1.0]])[0].unit(1)
