"""The stretched time axis of trajectories."""

import numpy as np

from equipoise.plotting.predictions import stretched


def test_time_is_stretched_alike_after_both_onsets_and_comes_back():
    forward, inverse = stretched(0.25, 48.0)
    t = np.array([-0.5, 0.0, 0.1, 1.0, 48.0, 48.1, 49.0, 96.0])
    np.testing.assert_allclose(inverse(forward(t)), t, atol=1e-9)
    assert (np.diff(forward(t)) > 0.0).all()
    np.testing.assert_allclose(forward(49.0) - forward(48.0), forward(1.0) - forward(0.0), rtol=1e-12)
    np.testing.assert_allclose((forward(1e-6) - forward(-1e-6)) / 2e-6, 4.0, rtol=1e-5)
