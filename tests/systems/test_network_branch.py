"""Branches of network states: against states found one by one, and folds, Hopf points and ends from both sides."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.results import Status
from equipoise.theory import network_branch
from equipoise.theory.network import wiring_of
from equipoise.units import Hz, hour, ms, mV

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
NETWORK = eq.Circuit.example("balanced_network").infinite()


def ruled(scale, tau_e=2 * hour, tau_i=1 * hour):
    targets = eq.theory.network_set_points(NETWORK, SENSOR)
    return NETWORK.with_rules([
        eq.AttachedRule(n, eq.CalciumHomeostasis(SENSOR, t, tau_e=tau_e, tau_i=tau_i, scale=scale))
        for n, t in targets.items()
    ])  # fmt: skip


def test_continuation_in_k_agrees_with_fixed_points_found_one_by_one():
    circuit = ruled("absolute")
    data = eq.theory.branch(circuit.scaled, 1e6, 50.0, log=True, step=0.1)
    assert data.attrs["status"] == "OK"
    assert data["stable"].all()
    assert float(data["parameter"][-1]) == pytest.approx(50.0, rel=1e-12)
    near = None
    for k in range(0, data.sizes["point"], 3):
        here = data.isel(point=k)
        near = eq.theory.network_equilibrium(circuit.scaled(float(here["parameter"])), near=near)
        np.testing.assert_allclose(here["weight"], near.weights, rtol=1e-8)
        np.testing.assert_allclose(here["rate"], near.state.rates, rtol=1e-8)
        slow = np.sort_complex(near.spectrum.eigenvalues[2:])  # the two zero modes come first
        mine = np.sort_complex(here["eigenvalue_real"].values + 1j * here["eigenvalue_imag"].values)
        np.testing.assert_allclose(mine, slow, rtol=1e-5)


def test_downward_in_k_the_network_loses_stability_and_then_a_weight():
    circuit = ruled("relative")
    data = eq.theory.branch(circuit.scaled, 60.0, 20.0, log=True, step=0.25)
    kinds = list(data["special_kind"].values)
    assert (kinds[0], kinds[-1]) == ("hopf", "border")
    assert data.attrs["status"] == "WEIGHT_AT_ZERO"
    assert data.attrs["message"].startswith("J_EE reaches zero at 23.86")
    first, *_, smallest = data["special_parameter"].values
    assert first == pytest.approx(28.887, abs=0.001)
    assert (data["stable"].values == (data["parameter"].values > first)).all()
    assert float(data["special_weight"].sel(weight_name="J_EE")[-1]) == pytest.approx(0.0, abs=1e-4)
    # Both sides of the Hopf point, by another route: a fixed point found from the nearest of the branch.
    nearest = int(np.argmin(np.abs(data["parameter"].values - first)))
    signs = NETWORK.weights()
    for K, stable in ((1.004 * first, True), (0.996 * first, False)):
        place = data["weight"].values[nearest].reshape(2, 3)
        moved = circuit.scaled(K).with_weights(np.copysign(place, signs))
        point = eq.theory.network_equilibrium(moved)
        pair = point.spectrum.eigenvalues[np.abs(point.spectrum.eigenvalues.imag) > 0]
        assert bool((pair.real < 0).all()) is stable
    assert smallest < first


@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_the_drive_that_takes_excitation_away(scale):
    circuit = ruled(scale)
    data = eq.theory.branch(lambda drive: circuit.with_node("E", drive=drive), 0.0, 3000.0)
    assert data.attrs["status"] == "WEIGHT_AT_ZERO"
    critical = float(data["special_parameter"][-1])
    assert critical == pytest.approx(850.6, abs=0.1)
    # There mu + s and the calcium of E come from inhibition and light alone: the same state without excitation of E.
    dark = [p for p in circuit.projections if p.target != "E" or p.source == "I"]
    alone = eq.Circuit(populations=[*circuit.populations, *circuit.sources], projections=dark)
    weights = data["special_weight"].values[-1]
    for source, target, place in (("I", "E", 1), ("E", "I", 3), ("I", "I", 4), ("X", "I", 5)):
        sign = -1.0 if source == "I" else 1.0
        alone = alone.with_projection(source, target, weight=sign * weights[place])
    state = eq.theory.mean_field(alone.with_node("E", drive=critical), start=[10.0, 10.0])
    np.testing.assert_allclose(state.rates, data["special_rate"].values[-1], rtol=1e-4)


def excitable(rate):
    """Excitatory neurons that keep each other active: two stable states over a range of input."""
    neuron, exact = eq.LIF(tau_m=20 * ms, tau_ref=5 * ms), eq.FixedInDegree
    return eq.Circuit(
        populations=[eq.Population("E", neuron=neuron), eq.Source("X", rate=rate * Hz)],
        projections=[
            eq.Projection(source="E", target="E", weight=0.011, connectivity=exact(100)),
            eq.Projection(source="X", target="E", weight=0.05, connectivity=exact(400)),
        ],
    )


def test_two_folds_bound_the_range_of_two_states():
    data = eq.theory.branch(excitable, 3.0, 1.2)
    assert list(data["special_kind"].values) == ["fold", "fold"]
    low, high = data["special_parameter"].values
    assert (low, high) == (pytest.approx(1.53958, abs=1e-5), pytest.approx(1.64149, abs=1e-5))
    for rate, count in ((0.999 * low, 1), (1.001 * low, 3), (0.999 * high, 3), (1.001 * high, 1)):
        found = eq.theory.fixed_points(excitable(rate))
        assert len(found) == count
        assert [s.stable for s in found] == [True, False, True][:count]
    between = (data["rate"].values[:, 0] < data["special_rate"].values[0, 0]) & (
        data["rate"].values[:, 0] > data["special_rate"].values[1, 0]
    )
    assert (data["stable"].values == ~between).all()
    upper = int(np.argmin(np.abs(data["parameter"].values - 2.0)))
    here = data.isel(point=upper)
    start = [float(here["rate"][0])]
    state = eq.theory.mean_field(excitable(float(here["parameter"])), start=start)
    np.testing.assert_allclose(here["rate"], state.rates, rtol=1e-9)


def test_a_branch_turns_to_the_state_it_is_given():
    quiet = eq.theory.branch(excitable, 1.6, 1.7, rates=[2.0])
    busy = eq.theory.branch(excitable, 1.6, 1.7, rates=[30.0])
    assert quiet["rate"].values[0, 0] < 5.0 < 20.0 < busy["rate"].values[0, 0]
    assert list(quiet["special_kind"].values[:1]) == ["fold"]
    assert busy.sizes["special"] == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eq.theory.branch(excitable, 1.0, 1.0), ValueError, "stop must differ from start, got 1 for both"),
        (lambda: eq.theory.branch(excitable, 0.0, 1.0, log=True), ValueError, "above 0 with log=True, got 0 and 1"),
        (lambda: eq.theory.branch(lambda p: p, 1.0, 2.0), TypeError, r"vary\(p\) must return an eq.Circuit, got 1.0"),
        (lambda: eq.theory.branch(excitable, 1.0, np.nan), ValueError, "start and stop must be finite"),
        (lambda: eq.theory.branch(excitable, 1.0, 2.0, rates=[1, 2]), ValueError, "one rate each for E"),
        (
            lambda: eq.theory.branch(ruled("relative").scaled, 1000.0, 900.0, rates=[1.0, 2.0]),
            ValueError,
            "rates choose a state of a free network",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_rule_without_inhibition_is_refused():
    rule = replace(ruled("relative").rules[0], population="E")
    with pytest.raises(ValueError, match="'E' has no inhibitory inputs"):
        eq.theory.branch(lambda r: excitable(r).with_rules([rule]), 3.0, 2.0)


def test_states_are_found_along_the_branches_of_others():
    circuit = excitable(1.6)
    quiet = eq.theory.mean_field(circuit, start=[2.0])
    all_three = eq.theory.fixed_points(circuit)
    assert [s.stable for s in all_three] == [True, False, True]
    found = network_branch.and_their_relatives(circuit, [quiet])
    np.testing.assert_allclose([s.rates[0] for s in found], [s.rates[0] for s in all_three], rtol=1e-9)


def test_a_network_of_one_state_has_no_relatives():
    state = eq.theory.mean_field(NETWORK)
    assert network_branch.and_their_relatives(NETWORK, [state]) == [state]


def excited(g=1.0, rate=5 * Hz):
    """K = 100 inputs of each kind, J = 0.6 mV, inhibition g times as strong."""
    cell = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    weights = {"E": 0.6 * mV, "I": -g * 0.6 * mV, "X": 0.6 * mV}
    return eq.Circuit(
        populations=[*(eq.Population(name, neuron=cell) for name in "EI"), eq.Source("X", rate=rate)],
        projections=[
            eq.Projection(source=s, target=t, weight=w, connectivity=eq.ErdosRenyi(in_degree=100))
            for t in "EI"
            for s, w in weights.items()
        ],
    )


@pytest.mark.parametrize("g", [1.0, 4.0])
def test_no_number_overflows_anywhere_on_the_way_of_a_branch(g):
    """Newton's method may try any rates inside the domain; warnings are errors here."""
    system = network_branch._Free(network_branch._Axis(1.0, 3.0, True), lambda f: wiring_of(excited(g, f * 5 * Hz)))
    edge = network_branch.FARTHEST * system.scale * 0.999
    rng = np.random.default_rng(1)
    corners = np.array([[(k >> i & 1) * 2 - 1 for i in range(4)] for k in range(16)])
    for y in [*(corners * edge), *(rng.uniform(-1.0, 1.0, (20, 4)) * edge)]:
        assert system.margin(y, 0.3) > 0.0
        slopes, by_u = system.jacobian(y, 0.3)
        sizes = np.linalg.norm(slopes, axis=1)
        assert np.isfinite([*system.residual(y, 0.3), *by_u, *sizes, *system.spectra(y, 0.3)[0]]).all()


def test_silent_states_have_no_branches_in_log_rates():
    """Rates of 0 are states like others; the branches of the states beside them are walked."""
    states = eq.theory.fixed_points(excited(3.0, 2 * Hz))
    assert [s.status for s in states] == [Status.SILENT]
    assert states[0].rates.max() < 1e-12
    with pytest.raises(eq.NumericalFailure, match="branch: a population is silent at the start"):
        eq.theory.branch(lambda f: excited(3.0, f * 2 * Hz), 1.0, 2.0, log=True)
