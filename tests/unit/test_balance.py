"""Balance and co-tuning of currents against numbers worked out by hand."""

import numpy as np
import pytest

from equipoise import measures


def test_the_index_is_the_part_of_excitation_that_is_left():
    found = measures.balance([[2.0, 1.0], [4.0, 3.0]], [[-1.0, -2.0], [-2.0, -2.0]])
    np.testing.assert_allclose(found["index"], [0.5, 0.0])
    np.testing.assert_allclose(found.excitation, [3.0, 2.0])
    np.testing.assert_allclose(found.tracking, [1.0, np.nan])


def test_tracking_is_the_correlation_with_what_inhibition_takes():
    rng = np.random.default_rng(1)
    common, own = rng.normal(size=(2, 50_000))
    e, i = 5.0 + common, -4.0 - 0.6 * common - 0.8 * own
    found = measures.balance(e, i)
    assert found["index"].ndim == 0
    np.testing.assert_allclose(found.tracking, 0.6, atol=4 * 0.64 / np.sqrt(50_000))


def test_cotuning_does_not_ask_for_the_size():
    tuning = np.array([1.0, 2.0, 5.0, 3.0])
    assert measures.cotuning(tuning, 0.1 + 7.0 * tuning) == pytest.approx(1.0)
    np.testing.assert_allclose(measures.cotuning(np.stack([tuning, tuning]).T, np.stack([-tuning, tuning]).T), [-1, 1])
    assert np.isnan(measures.cotuning(tuning, np.ones(4)))


def test_no_excitation_has_no_index():
    assert np.isnan(measures.balance([0.0, 0.0], [-1.0, -2.0])["index"])


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (
            ([1.0, 2.0], [1.0]),
            r"must both be \(time, cell\) or \(time,\) with at least two rows, got \(2,\) and \(1,\)",
        ),
        (([1.0], [1.0]), "at least two rows"),
        (([1.0, np.nan], [1.0, 2.0]), "excitation must be finite, got nan at index"),
    ],
)
def test_wrong_currents_are_refused(pair, message):
    with pytest.raises(ValueError, match=message):
        measures.balance(*pair)
