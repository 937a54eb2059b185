"""Round trips, limits and labels of the input for a rate and C_v."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise.renewal import cv, input_for, rate
from equipoise.results import Status

LIF = eq.LIF()


@given(
    r=st.floats(np.log(0.01), np.log(400.0)).map(np.exp),
    c=st.floats(np.log(0.02), np.log(3.2)).map(np.exp),
)
@settings(max_examples=60, deadline=None)
def test_lif_round_trip_or_a_reason(r, c):
    """Everywhere a usable input reproduces the request; where mu cannot resolve it, INFEASIBLE says so."""
    found = input_for(LIF, rate=r, cv=c, throw=False)
    if found.status.usable:
        assert rate(LIF, mu=found.mu, sigma=found.sigma) == pytest.approx(r, rel=1e-8)
        assert cv(LIF, mu=found.mu, sigma=found.sigma) == pytest.approx(c, rel=1e-8)
        assert (found.status is Status.OK) == (found.message == "")
    else:
        # Only slow and regular firing, where mu - rheobase ~ exp(-T/tau_m) falls below rounding.
        assert r < 8.0
        assert c < 1.0
        assert np.isnan(found.mu)
        assert found.status is Status.INFEASIBLE
        assert "rheobase" in found.message


def test_lif_over_the_physiological_range():
    r, c = np.meshgrid(np.geomspace(10.0, 400.0, 5), [0.05, 0.2, 0.5, 0.8, 1.0, 1.1])
    found = input_for(LIF, rate=r, cv=c)
    np.testing.assert_allclose(rate(LIF, mu=found.mu, sigma=found.sigma), r, rtol=1e-9)
    np.testing.assert_allclose(cv(LIF, mu=found.mu, sigma=found.sigma), c, rtol=1e-9)


@pytest.mark.parametrize(("r", "c"), [(5.0, 0.8), (40.0, 0.4), (1.0, 1.2)])
def test_eif_round_trip(r, c):
    mu, sigma = input_for(eq.EIF(), rate=r, cv=c)
    assert rate(eq.EIF(), mu=mu, sigma=sigma) == pytest.approx(r, rel=1e-9)
    assert cv(eq.EIF(), mu=mu, sigma=sigma) == pytest.approx(c, rel=1e-9)


def test_a_neuron_of_ones_own():
    @dataclass(frozen=True, kw_only=True)
    class QIF(eq.IntegrateAndFire):
        v_threshold: float = 20.0
        v_reset: float = -20.0

        def drift(self, v):
            return 50.0 * v**2

        def lower_bound(self, mu, sigma):
            return 2.0 * self.v_reset

    mu, sigma = input_for(QIF(), rate=10.0, cv=0.5)
    assert rate(QIF(), mu=mu, sigma=sigma) == pytest.approx(10.0, rel=1e-9)
    assert cv(QIF(), mu=mu, sigma=sigma) == pytest.approx(0.5, rel=1e-9)


def test_an_element_does_not_depend_on_its_neighbours():
    r, c = np.array([5.0, 30.0, 1.0, 200.0]), np.array([2.4, 0.3, 0.4, 1.5])
    together = input_for(LIF, rate=r, cv=c, throw=False)
    for i in range(r.size):
        alone = input_for(LIF, rate=r[i], cv=c[i], throw=False)
        np.testing.assert_array_equal([alone.mu, alone.sigma], [together.mu[i], together.sigma[i]])
        assert alone.status is together.status[i]


def test_a_mean_far_below_reset_is_implausible_and_named():
    found = input_for(LIF, rate=5.0, cv=2.4)
    assert found.status is Status.IMPLAUSIBLE
    assert found.mu * LIF.tau_m == pytest.approx(-19.85, abs=0.01)
    assert "mean potential would lie 19.8 threshold distances below reset, more than 5" in found.message
    assert rate(LIF, mu=found.mu, sigma=found.sigma) == pytest.approx(5.0, rel=1e-9)


def test_a_drive_that_must_be_exact_is_implausible():
    found = input_for(LIF, rate=8.0, cv=0.1)
    assert found.status is Status.IMPLAUSIBLE
    assert "a change of mu by one part in 1000 would change the rate e-fold" in found.message


def test_infeasible_raises_or_is_labelled():
    with pytest.raises(eq.NumericalFailure, match=r"LIF at rate=600 Hz, cv=0\.5: .* 1/tau_ref = 500 Hz.*INFEASIBLE"):
        input_for(LIF, rate=600.0, cv=0.5)
    with pytest.raises(eq.NumericalFailure, match=r"rate=8 Hz, cv=0 \(element 1\): rate and cv must be positive"):
        input_for(LIF, rate=[8.0, 8.0], cv=[0.9, 0.0])
    with pytest.raises(eq.NumericalFailure, match=r"rate=1 Hz, cv=0\.5: no input in double precision"):
        input_for(LIF, rate=1.0, cv=0.5)
    found = input_for(LIF, rate=[[8.0], [600.0]], cv=[0.9, -1.0], throw=False)
    assert found.status.shape == found.mu.shape == (2, 2)
    assert [s is Status.OK for s in found.status.ravel()] == [True, False, False, False]
    np.testing.assert_array_equal(np.isnan(found.sigma), [[False, True], [True, True]])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="input_for: rate must be finite, got nan"):
        input_for(LIF, rate=np.nan, cv=0.5)
    with pytest.raises(TypeError, match="input_for: cv must be a number"):
        input_for(LIF, rate=8.0, cv="high")


def test_a_cv_beyond_the_neuron_is_infeasible():
    """The PIF never exceeds C_v = 1 (paper, Sec. 4.5.1); the search or an explicit inverse must say so."""
    found = input_for(eq.PIF(), rate=5.0, cv=1.2, throw=False)
    assert found.status is Status.INFEASIBLE
    assert np.isnan(found.mu)


def test_an_explicit_inverse_takes_precedence_and_keeps_its_labels():
    from equipoise.renewal.dispatch import provides

    class Own(eq.PIF):
        pass

    def own(neuron, rate, cv):
        return rate * 10.0, cv, [Status.IMPLAUSIBLE if c > 0.8 else Status.OK for c in cv]

    provides(Own, input_for=own)
    found = input_for(Own(), rate=[5.0, 6.0], cv=[0.5, 0.9])
    np.testing.assert_array_equal(found.mu, [50.0, 60.0])
    assert found.status.tolist() == [Status.OK, Status.IMPLAUSIBLE]
    assert "rate=6 Hz, cv=0.9 (element 1): mu=60 V/s would be needed. A solution exists on paper only" in found.message
