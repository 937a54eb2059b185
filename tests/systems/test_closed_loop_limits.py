"""The closed loop at its edges: no false equilibria, no false folds, failures that say why, odd but legal input."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

import equipoise as eq
from equipoise import theory
from equipoise.results import Status

SENSOR = eq.Calcium()


def cell(K, *, drive=0.0, neuron=None):
    inputs = eq.PoissonInputs(K=K, rate=5.0)
    return eq.DrivenNeuron(neuron or eq.PIF(), excitation=inputs, inhibition=inputs, drive=drive)


def rule(cv, **options):
    return eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=5.0, cv=cv), **options)


@pytest.mark.parametrize(("cv", "K"), [(0.9, 0.5), (0.97, 2.0), (0.97, 10.0)])
def test_too_few_inputs_without_drive_are_not_called_a_fold(cv, K):
    # Positive weights need K > mu*^2/(lam sigma*^2); with J_E = 0 and no drive the cell is silent.
    mu, sigma = eq.renewal.input_for(eq.PIF(), rate=5.0, cv=cv)
    assert mu**2 / (5.0 * sigma**2) > K
    found = theory.equilibrium(cell(K), rule(cv), throw=False)
    assert found.status is Status.INFEASIBLE
    assert "too few inputs" in found.message
    assert "Raise K" in found.message
    with pytest.raises(eq.NumericalFailure, match="too few inputs"):
        theory.equilibrium(cell(K), rule(cv))


@pytest.mark.parametrize(("cv", "K", "drive"), [(0.5, 2.0, 0.0), (0.8, 3.0, -80.0), (0.8, 200.0, 900.0)])
def test_a_weight_at_zero_is_pushed_there(cv, K, drive):
    point = theory.equilibrium(cell(K, drive=drive), rule(cv, scale="absolute", tau_e=1.0, tau_i=1.0))
    assert point.status is Status.WEIGHT_AT_ZERO
    loop = theory.closed_loop.close(cell(K, drive=drive), rule(cv, scale="absolute", tau_e=1.0, tau_i=1.0))
    at_zero = point.state == 0.0
    speed = loop.rhs(point.state)
    assert at_zero.sum() == 1
    assert (speed[at_zero] < 0.0).all()
    assert np.abs(speed[~at_zero]) < 1e-9


@pytest.mark.parametrize(("cv", "K"), [(0.9, 0.5), (0.97, 2.0), (0.8, 50.0), (0.8, 200.0)])
def test_the_fold_is_the_largest_drive_at_which_the_mean_is_held(cv, K):
    # Also where I_crit is negative. Independently: maximise I(J) = mu(sigma) + J K lam along the mean's level curve.
    pif = eq.PIF()
    mu, sigma = eq.renewal.input_for(pif, rate=5.0, cv=cv)
    mean = eq.renewal.calcium_moments(SENSOR, eq.NeuronISI(pif, mu=mu, sigma=sigma)).mean
    branch = theory.drive_branch(cell(K), rule(cv))

    def minus_drive(j):
        def excess(m):
            law = eq.NeuronISI(pif, mu=m, sigma=math.sqrt(5.0 * K) * j)
            return float(eq.renewal.calcium_moments(SENSOR, law).mean / mean - 1.0)

        return -(brentq(excess, -1000.0, 100.0, xtol=1e-12) + 5.0 * K * j)

    at = branch.fold_j_i
    best = minimize_scalar(minus_drive, bounds=(0.8 * at, 1.15 * at), method="bounded", options={"xatol": 1e-7})
    assert branch.fold_drive == pytest.approx(-best.fun, rel=1e-9)
    assert branch.fold_drive > branch.critical_drive


def test_a_failure_is_returned_where_asked_for():
    for law in (rule(1.2), eq.KineticHomeostasis(SENSOR, eq.SetPoint(rate=5.0, cv=1.2))):
        found = theory.equilibrium(cell(200), law, throw=False)
        assert found.status is Status.INFEASIBLE
        assert "C_v of this cell stays below 1" in found.message
        assert found.names == law.variables
        with pytest.raises(eq.NumericalFailure, match="C_v of this cell stays below 1"):
            theory.equilibrium(cell(200), law)


@pytest.mark.parametrize("start", [(0.0, 0.5), (0.5, 0.0), (0.0, 0.0), (-0.1, 0.5), (math.nan, 0.5)])
def test_newton_starts_off_the_bounds(start):
    with pytest.raises(ValueError, match=r"equilibrium: start \(j_e, j_i\) must be finite, its weights above 0, got"):
        theory.equilibrium(cell(200), rule(0.8), start=eq.Weights(*start))


@pytest.mark.parametrize("start", [(0.0, 0.0), (0.0, 0.5), (0.5, 0.0)])
def test_evolution_may_start_on_the_bounds(start):
    path = theory.evolve(
        cell(200), rule(0.8, scale="absolute", tau_e=2000.0, tau_i=1000.0), duration=1e6, start=eq.Weights(*start)
    )
    assert path.attrs["status"] == "OK"
    assert float(path["rate"][-1]) == pytest.approx(5.0, rel=1e-6)


def test_a_silent_start_is_no_proof_that_no_equilibrium_exists():
    # All states near this start are silent, where the rule looks like a constant drift.
    lif = eq.LIF()
    found = theory.equilibrium(
        cell(10_000, neuron=lif), rule(0.8, scale="absolute"), start=eq.Weights(1e-5, 1e-5), throw=False
    )
    assert found.status is not Status.INFEASIBLE
    assert theory.equilibrium(cell(10_000, neuron=lif), rule(0.8, scale="absolute")).status is Status.OK


def test_a_vanishing_weight_is_no_equilibrium():
    inputs = eq.RenewalInputs(K=10.0, rate=0.767, fano=4.9)
    driven = eq.DrivenNeuron(eq.PIF(), excitation=eq.PoissonInputs(K=50.0, rate=0.25), inhibition=inputs, drive=-42.476)
    law = eq.CalciumHomeostasis(
        eq.Calcium(tau=0.028, influx=8.51, buffering=1.0),
        eq.CalciumSetPoint(mean=0.17739, second_moment=0.081425), tau_e=1.3395, tau_i=22.644,
    )  # fmt: skip
    found = theory.equilibrium(driven, law, start=eq.Weights(0.0363, 7.92), throw=False)
    assert not found.status.usable
    assert np.isnan(found.state).all()


def test_feasibility_leaves_the_spectrum_of_larger_rules_to_stability():
    assert theory.feasibility(cell(200), rule(0.8)).max_tau_ratio is not None
    kinetic = eq.KineticHomeostasis(SENSOR, eq.SetPoint(rate=5.0, cv=0.8))
    assert theory.feasibility(cell(200), kinetic).max_tau_ratio is None


positive = st.floats(-2.0, 2.0).map(lambda x: 10.0**x)


@settings(max_examples=30, deadline=None)
@given(
    k_e=st.sampled_from([1.0, 5.0, 50.0, 1e3, 1e6]), k_i=st.sampled_from([1.0, 5.0, 50.0, 1e3, 1e6]),
    rate_e=positive, rate_i=positive, fano=st.floats(0.05, 20.0), drive=st.floats(-2000.0, 2000.0),
    rate=positive, cv=st.floats(0.05, 1.5), ratio=positive, buffering=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    scale=st.sampled_from(["relative", "absolute"]), lif=st.booleans(),
)  # fmt: skip
def test_every_legal_cell_gets_a_number_or_a_reason(
    k_e, k_i, rate_e, rate_i, fano, drive, rate, cv, ratio, buffering, scale, lif
):
    driven = eq.DrivenNeuron(
        eq.LIF() if lif else eq.PIF(), excitation=eq.PoissonInputs(K=k_e, rate=rate_e),
        inhibition=eq.RenewalInputs(K=k_i, rate=rate_i, fano=fano), drive=drive,
    )  # fmt: skip
    law = eq.CalciumHomeostasis(
        eq.Calcium(buffering=buffering), eq.SetPoint(rate=rate, cv=cv), tau_e=ratio, tau_i=1.0, scale=scale
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        point = theory.equilibrium(driven, law, throw=False)
        limits = theory.feasibility(driven, law)
    if not point.status.usable:
        assert point.message
        assert limits.failures
        return
    assert np.isfinite([*point.state, point.mu, point.sigma, point.rate, point.cv]).all()
    assert (point.state >= 0.0).all()
    spectrum = theory.stability(driven, law, at=point)
    assert np.isfinite(spectrum.jacobian).all()
    if point.status is Status.OK:
        assert (point.rate, point.cv) == pytest.approx((rate, cv), rel=1e-6)
        if abs(ratio / limits.max_tau_ratio - 1.0) > 1e-6:
            assert spectrum.stable == (ratio < limits.max_tau_ratio)


@pytest.mark.parametrize("neuron", [eq.PIF(), eq.LIF()], ids=lambda n: type(n).__name__)
@pytest.mark.parametrize(("tau", "buffering"), [(0.3, 0.1), (2.2, 1.0), (1.0, 0.0), (0.05, 0.5)])
@pytest.mark.parametrize(("rate", "cv"), [(3.0, 0.94), (3.17, 0.8), (28.0, 0.59), (5.0, 0.9)])
def test_a_calcium_set_point_leads_back_to_rate_and_cv(neuron, tau, buffering, rate, cv):
    # A silent cell is flat in its input and must not be taken for a solution.
    sensor = eq.Calcium(tau=tau, buffering=buffering)
    mu, sigma = eq.renewal.input_for(neuron, rate=rate, cv=cv)
    mean, second = eq.renewal.calcium_moments(sensor, eq.NeuronISI(neuron, mu=mu, sigma=sigma))
    target = eq.CalciumSetPoint(mean=float(mean), second_moment=float(second))
    point = theory.equilibrium(cell(1e8, neuron=neuron), eq.CalciumHomeostasis(sensor, target))
    assert point.status is Status.OK
    assert (point.rate, point.cv) == pytest.approx((rate, cv), rel=1e-6)


def test_an_impossible_calcium_set_point_is_named():
    # At 0.004 Hz every spike stands alone, so <C^2> = <C> eta/2 to a per cent.
    sensor = eq.Calcium(tau=6.4, influx=4.28, buffering=1.0)
    law = eq.CalciumHomeostasis(sensor, eq.CalciumSetPoint(mean=0.1167, second_moment=0.0347))
    with pytest.raises(eq.NumericalFailure, match="no input gives LIF the calcium moments"):
        theory.equilibrium(cell(1e4, neuron=eq.LIF()), law)


def test_an_input_that_exists_on_paper_only_is_labelled():
    lif = eq.LIF()
    inputs = eq.PoissonInputs(K=1000, rate=5.0)
    cell = eq.DrivenNeuron(lif, excitation=inputs, inhibition=inputs)
    rule = eq.CalciumHomeostasis(eq.Calcium(), eq.SetPoint(rate=5.0, cv=3.0))
    point = eq.theory.equilibrium(cell, rule)
    assert point.status is eq.Status.IMPLAUSIBLE
    assert "below reset" in point.message
