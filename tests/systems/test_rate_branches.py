"""Branches of rate circuits: folds, Hopf points and corners where closed forms put them."""

import numpy as np
import pytest
from rate_circuits import alone, pair, supralinear

import equipoise as eq
from equipoise.units import Hz, ms


def special(data):
    return list(zip(data["special_kind"].values.tolist(), data["special_parameter"].values.tolist(), strict=True))


def test_a_pair_ends_in_a_fold_at_a_corner():
    # Raising theta_E lowers E until I falls silent at W_IE E = theta_I, where the unstable state meets it: theta = 10.
    path = eq.rate.branch(lambda theta: pair(theta=(theta, 25.0)), 4.8, 15.0)
    assert special(path) == [("fold", pytest.approx(10.0, abs=1e-9))]
    np.testing.assert_allclose(path["special_rate"][0], [2.5, 0.0], atol=1e-8)
    np.testing.assert_allclose(path["rate"][[0, -1]], [[3.0571428571, 7.4285714286], [1.2, 0.0]], rtol=1e-8)
    assert path["stable"].values[0]
    assert not path["stable"].values[-1]


def test_inhibition_sets_in_at_a_corner_and_the_branch_goes_on():
    path = eq.rate.branch(
        lambda X: pair(W=(0.5, 1.0, 1.0, 0.5), theta=(1.0, 2.0), X=(X, 0.0)), -1.0, 6.0, rates=[0.0, 0.0]
    )
    # E sets in at X = theta_E, I where E = theta_I, that is at X = theta_E + (1 - W_EE) theta_I
    assert special(path) == [("corner", pytest.approx(1.0, abs=1e-8)), ("corner", pytest.approx(2.0, abs=1e-8))]
    assert path["stable"].values.all()
    assert path.attrs["status"] == "OK"


def test_slow_inhibition_oscillates_behind_a_hopf_point():
    # (1 + g_I W_II) tau_E = (g_E W_EE - 1) tau_I
    path = eq.rate.branch(lambda tau: pair(tau=(10 * ms, tau)), 1 * ms, 60 * ms)
    assert special(path) == [("hopf", pytest.approx(7.5 * ms, rel=1e-6))]


def test_a_softplus_folds_where_its_slope_is_one_over_the_coupling():
    neuron = eq.Softplus(threshold=5.0, width=0.5, max_rate=20 * Hz)
    path = eq.rate.branch(lambda drive: alone(neuron, 2.0, drive), -20.0, 10.0, rates=[0.0])
    first = 5.0 - 2.0 * 0.5 * np.log(2.0)  # slope 1/2 at h = theta, where r = w log 2
    full = float(neuron.required_input(20.0)) - 40.0  # the unstable state meets the ceiling
    assert special(path) == [("fold", pytest.approx(first, abs=1e-6)), ("fold", pytest.approx(full, abs=1e-6))]
    assert path["rate"][-1] == 20.0


def test_a_branch_of_the_supralinear_pair_passes_through_its_states():
    path = eq.rate.branch(supralinear, 0.0, 30.0)
    assert path.attrs["status"] == "OK"
    for k in (5, path.sizes["point"] // 2, path.sizes["point"] - 1):
        net = eq.rate.network(supralinear(float(path["parameter"][k])))
        r = path["rate"].values[k]
        np.testing.assert_allclose(net.steady(r), r, rtol=1e-8, atol=1e-9)
    assert np.diff(path["parameter"].values).min() > 0.0


def test_complaints():
    with pytest.raises(TypeError, match=r"rate.branch: vary must be a function p -> circuit, got Circuit"):
        eq.rate.branch(supralinear(0.0), 0.0, 1.0)
    with pytest.raises(ValueError, match=r"rate.branch: stop must differ from start, got 1 for both"):
        eq.rate.branch(supralinear, 1.0, 1.0)
    with pytest.raises(eq.NumericalFailure, match="no fixed point is found"):
        eq.rate.branch(lambda drive: alone(eq.ThresholdLinear(), 2.0, drive), 1.0, 2.0)
