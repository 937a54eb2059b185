"""Continuous signals: their window, their parts and what they refuse."""

import numpy as np
import pytest

from equipoise import Signals


def _ramp() -> Signals:
    return Signals(values=np.arange(20.0).reshape(2, 10), sampling_rate=100.0, t_start=1.0, unit="V")


def test_window_and_names():
    signals = _ramp()
    assert (signals.t_stop, signals.duration, signals.names) == (pytest.approx(1.1), pytest.approx(0.1), ("0", "1"))
    assert Signals(values=np.zeros(5), sampling_rate=1.0).values.shape == (1, 5)


def test_parts_join_to_the_whole():
    signals = _ramp()
    first, second = signals.between(1.0, 1.04), signals.between(1.04, 1.1)
    assert np.array_equal(np.hstack([first.values, second.values]), signals.values)
    assert second.t_start == pytest.approx(1.04)
    assert second.unit == "V"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros((2, 0))}, r"values must be \(n_channels, n_samples\) and not empty, got shape \(2, 0\)"),
        ({"sampling_rate": 0.0}, "sampling_rate must be positive and finite"),
        ({"names": ("a", "a")}, "names must name all 2 channels, each once"),
        ({"t_start": np.inf}, "t_start must be finite"),
        ({"values": np.array([[0.0, 1.0], [2.0, np.nan]])}, "got nan in channel '1' at sample 1"),
    ],
)
def test_bad_signals_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Signals(**({"values": np.zeros((2, 4)), "sampling_rate": 10.0} | change))


def test_parts_outside_are_refused():
    with pytest.raises(ValueError, match=r"start and stop must satisfy 1 <= start < stop <= 1\.1 s"):
        _ramp().between(0.5, 1.05)
