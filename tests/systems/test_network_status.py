"""Every way in which a network can fail has its status and its words."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status, dynamics
from equipoise.theory import network, network_approach
from equipoise.theory.network_loop import joint
from equipoise.units import Hz, ms

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
STANDARD = eq.Circuit.example("balanced_network").infinite()
J = np.array([[1.0, -2.0, 1.0], [1.0, -1.8, 0.8]])


def circuit(j, K=1000.0, rate=10 * Hz):
    nodes = [*STANDARD.populations, eq.Source("X", rate=rate)]
    plain = eq.Circuit(populations=nodes, projections=STANDARD.projections)
    return plain.scaled(K).with_weights(np.asarray(j) / np.sqrt(K))


def alone(neuron, recurrent, outer):
    projections = [
        eq.Projection(source="E", target="E", weight=recurrent, connectivity=eq.FixedInDegree(100)),
        eq.Projection(source="X", target="E", weight=outer, connectivity=eq.FixedInDegree(400)),
    ]
    nodes = [eq.Population("E", size=1000, neuron=neuron), eq.Source("X", rate=10 * Hz)]
    return eq.Circuit(populations=nodes, projections=projections)


def regulated(j, K, *, scale="absolute", targets=None):
    plain = circuit(j, K)
    targets = eq.theory.network_set_points(circuit(J), SENSOR) if targets is None else targets
    rules = [
        eq.AttachedRule(name, eq.CalciumHomeostasis(SENSOR, t, tau_e=1.0, tau_i=1.0, scale=scale))
        for name, t in targets.items()
    ]
    return eq.Circuit(populations=[*plain.populations, *plain.sources], projections=plain.projections, rules=rules)


@pytest.mark.parametrize("make", [lambda: circuit(J), lambda: eq.Circuit.example("microcircuit")])
def test_a_sound_network_draws_no_remark(make):
    state = eq.theory.mean_field(make())
    assert (state.status, state.message) == (Status.OK, "")


def test_a_silent_network():
    state = eq.theory.mean_field(circuit(0.02 * J, rate=0.01 * Hz))
    assert state.status is Status.SILENT
    assert state.status.usable
    assert state.stable
    assert (state.rates < 1e-3).all()
    assert "the network is silent (below 0.001 Hz" in state.message
    assert "raise the source rates" in state.message
    assert "silent" in repr(state)


def test_weak_external_drive_of_e_silences_it_and_breaks_the_inequality():
    state = eq.theory.mean_field(circuit([[1, -2, 0.5], [1, -1.8, 0.8]]))
    assert state.status is Status.SILENT
    assert state.rates[1] > 1.0
    assert "E is silent" in state.message
    assert "E would fire at -35 Hz" in state.message
    assert "EX/IX > EI/II > EE/IE: 0.625 > 1.111 > 1 does not hold" in state.message
    assert "not near balance" in state.message


def test_too_strong_recurrent_excitation_saturates():
    state = eq.theory.mean_field(circuit([[2, -2, 1], [1, -1.8, 0.8]]))
    assert state.status is Status.SATURATED
    assert state.status.usable
    assert "saturated: E at 97 % of 1/tau_ref" in state.message
    assert "1.25 > 1.111 > 2 does not hold" in state.message


def test_a_moderate_imbalance_is_remarked_on_without_silence():
    state = eq.theory.mean_field(circuit([[1, -2, 0.9], [1, -1.8, 0.9]], K=20))
    assert state.status is Status.OK
    assert "does not hold" in state.message


def test_rates_without_bound_are_no_state():
    runaway = alone(eq.PIF(v_threshold=1.0, v_reset=0.0, v_bound=-1.0), 0.02, 0.01)
    with pytest.raises(eq.NumericalFailure, match=r"rates grow without end.*refractory time.*NOT_CONVERGED"):
        eq.theory.mean_field(runaway)
    state = eq.theory.mean_field(runaway, throw=False)
    assert state.status is Status.NOT_CONVERGED
    assert np.isnan(state.rates).all()


def test_a_start_that_leads_nowhere_says_what_to_try():
    runaway = alone(eq.PIF(v_threshold=1.0, v_reset=0.0, v_bound=-1.0), 0.02, 0.01)
    with pytest.raises(eq.NumericalFailure, match=r"did not converge from this start\. Give start="):
        eq.theory.mean_field(runaway, start=[3.0])


@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_equal_external_and_recurrent_weights_are_singular(scale):
    same = np.array([[1.0, -2.0, 1.0], [1.0, -1.8, 1.0]])
    here = eq.theory.network_equilibrium(regulated(same, 1000, scale=scale))
    assert here.status is Status.MARGINAL
    assert "singular" in here.message
    assert "condition number 391" in here.message
    gone = eq.theory.network_equilibrium(regulated(same, 1e4, scale=scale), throw=False)
    assert gone.status is Status.INFEASIBLE
    assert f"conserved at {scale} scale" in gone.message
    assert "do not determine the rates" in gone.message


def test_the_singular_condition_number_grows_as_root_k_and_that_of_others_does_not():
    same = np.array([[1.0, -2.0, 1.0], [1.0, -1.8, 1.0]])
    condition = {}
    for name, j in (("same", same), ("other", J)):
        for K in (100, 400):
            loop = network.loop_of(regulated(j, K))
            point = eq.theory.network_equilibrium(regulated(j, K))
            condition[name, K] = network_approach.conditioning(loop, point.weights)
    assert condition["same", 400] / condition["same", 100] == pytest.approx(2.0, rel=0.2)
    assert condition["other", 400] / condition["other", 100] == pytest.approx(1.0, rel=0.05)


def test_too_few_inputs_are_named_with_the_least_number():
    found = eq.theory.network_equilibrium(regulated(J, 5), throw=False)
    assert found.status is Status.INFEASIBLE
    assert "K is below the feasible minimum, K = " in found.message
    least = float(found.message.split("K = ")[1].split(" ")[0])
    assert eq.theory.network_equilibrium(regulated(J, 1.05 * least), throw=False).status.usable


def test_set_points_far_from_the_start_are_reached():
    # Strong external input of E alone: Newton's method fails from the weights as they are, moving set points does not.
    far = np.array([[1.0, -2.0, 3.0], [1.0, -1.8, 0.8]])
    found = eq.theory.network_equilibrium(regulated(far, 100))
    assert found.state.rates == pytest.approx([10.0, 10.0], rel=0.01)
    kept = found.weights.reshape(2, 3)
    assert kept[:, 0] - kept[:, 2] == pytest.approx(np.array([-2.0, 0.2]) / 10.0, abs=1e-9)


def test_set_points_that_do_not_fit_are_named():
    regular = {
        name: eq.CalciumSetPoint(mean=t.mean, second_moment=1.05 * t.mean**2)
        for name, t in eq.theory.network_set_points(circuit(J), SENSOR).items()
    }
    with pytest.raises(
        eq.NumericalFailure, match=r"J_II < 0 beyond 55 % of the way.*set points do not fit this network"
    ):
        eq.theory.network_equilibrium(regulated(J, 400, targets=regular))


def test_a_negative_weight_is_reported_and_not_clipped():
    # So much weight from X that E would have to inhibit itself: J_EE - J_EX = -0.25 V is conserved.
    found = eq.theory.network_equilibrium(regulated([[1.0, -2.0, 3.5], [1.0, -1.8, 0.8]], 100), throw=False)
    assert found.status is Status.INFEASIBLE
    assert "ask for a negative weight: J_EE < 0" in found.message
    assert np.isnan(found.weights).all()


def test_derivatives_by_a_negative_weight_are_those_by_differences():
    loop = network.loop_of(regulated(J, 400))
    weights = loop.weights * np.array([1.0, 1.0, 1.0, 1.0, 1.0, -0.1])
    y = np.concatenate([[11.0, 12.0, 250.0, 240.0], weights])
    exact, numeric = joint(loop, y)[1], dynamics.differences(lambda y: joint(loop, y)[0], y)
    np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-7 * np.abs(exact).max())
