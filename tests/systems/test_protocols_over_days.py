"""Protocols under rules: closed forms of the threshold-linear pair, who compensates, and what phases are."""

import numpy as np
import pytest
import xarray as xr
from rate_circuits import SOLDADO, facts, pair

import equipoise as eq
from equipoise.papers.input_centric import search
from equipoise.units import day, hour

W, THETA, G = SOLDADO["W"], SOLDADO["theta"], (1.0, 4.0)
PAIR, KNOWN = pair(**SOLDADO), facts(W, G, THETA)
B = eq.InputCentricThreshold("E", set_point=9.8, tau=2 * hour, reading="B")
RATE = eq.OutputCentricThreshold("E", rate=5.0, span=10.0, tau=2 * hour)
DRIVE = eq.DriveCentricThreshold("E", set_point=25.0, tau=2 * hour)
SCALING = eq.InhibitoryScaling("E", "I", rate=5.0, speed=0.2 / hour)
DLX = eq.ChemogeneticDrive(drive=2.0)
START = [5.0, 14.0]


def performed(protocol, *rules):
    times = np.linspace(0.0, protocol.span, 30)
    return eq.rate.perform(PAIR, protocol, rules=rules, start=START, times=times)


# --- closed forms -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rule", "shift"), [(B, KNOWN["w"] / KNOWN["D"]), (RATE, 0.0), (DRIVE, 0.0)], ids=["B", "rate", "drive"]
)
def test_drive_of_interneurons(rule, shift):
    out, x, gamma = performed(DLX, rule).phases, DLX.drive, KNOWN["gamma"]
    acute = -KNOWN["G"] * KNOWN["w"] * x
    np.testing.assert_allclose(out.baseline, START, rtol=1e-9)
    np.testing.assert_allclose(out.acute, [5.0 + acute, 14.0 + gamma * (W[2] * acute + x)], rtol=1e-8)
    np.testing.assert_allclose(out.chronic, [5.0 + shift * x, 14.0 + gamma * (W[2] * shift + 1.0) * x], rtol=1e-5)
    np.testing.assert_allclose(out.washout, START, rtol=1e-5)
    assert out.completeness[0] == pytest.approx(1.0 - shift * x / acute, abs=1e-4)


def test_baclofen_under_reading_b_ends_at_the_set_point_formula():
    out = performed(eq.Baclofen(current=2.0), B)
    there = facts([0.9 * w for w in W], G, THETA, X=(-2.0, 0.0))
    E = (9.8 - there["b"]) / there["D"]
    expected = [E, there["gamma"] * (9.0 * E - 25.0)]
    np.testing.assert_allclose(out.set_points[1], expected, rtol=1e-8)
    np.testing.assert_allclose(out.phases.chronic, expected, rtol=1e-4)
    assert out.phases.completeness[0] < -1.0  # the rule adds to the change


def test_excitability_of_interneurons_and_the_set_point():
    out = performed(eq.NMDARBlock(block=0.1, threshold_shift=-6.0), B)
    there = facts((W[0], W[1], 9.0, W[3]), G, (THETA[0], 19.0))
    assert out.set_points[1, 0] == pytest.approx((9.8 - there["b"]) / there["D"], rel=1e-8)
    assert out.set_points[1, 0] < 4.0 < out.set_points[0, 0]


def test_activity_after_ttx_returns_only_under_a_rule_that_seeks_it():
    ttx = eq.TTX(duration=2 * day)
    silent = performed(ttx, B)
    assert silent.days.slow.values[-1, 0] == pytest.approx(9.8, rel=1e-3)  # comes to rest at h_set
    assert silent.phases.washout.max() < 1e-6
    active = performed(ttx, RATE)
    assert active.phases.chronic.max() < 1e-3
    np.testing.assert_allclose(active.phases.washout, START, rtol=1e-3)


# --- who compensates --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rule", "intrinsic"), [(RATE, 1.0), (SCALING, 0.0)], ids=["threshold", "weight"])
def test_one_kind_compensates_alone(rule, intrinsic):
    out = performed(DLX, rule)
    assert out.intrinsic_share[0] == pytest.approx(intrinsic, abs=1e-6)
    assert out.synaptic_share[0] == pytest.approx(1.0 - intrinsic, abs=1e-6)


def test_shares_of_two_kinds_by_hand():
    out = performed(DLX, RATE, SCALING)
    row = np.flatnonzero(out.days.time.values == DLX.stop)[0]
    theta, w_ei = out.days.slow.values[row]
    alone = {}
    for name, (threshold, weight) in {"intrinsic": (theta, W[1]), "synaptic": (THETA[0], w_ei)}.items():
        there = facts((W[0], weight, W[2], W[3]), G, THETA, X=(0.0, DLX.drive))
        alone[name] = there["G"] * (there["b"] - threshold)
    assert out.intrinsic_alone[0] == pytest.approx(alone["intrinsic"], rel=1e-6)
    assert out.synaptic_alone[0] == pytest.approx(alone["synaptic"], rel=1e-6)
    E, acute = out.phases.chronic[0], out.phases.acute[0]
    assert out.intrinsic_share[0] == pytest.approx((E - alone["synaptic"]) / (E - acute), rel=1e-6)
    assert 0.1 < out.intrinsic_share[0] < 0.9
    assert 0.1 < out.synaptic_share[0] < 0.9


@pytest.mark.parametrize("N_set", [49.0, 51.0], ids=["runaway", "silence"])
def test_the_saddle_of_b_and_the_nmdar_rule_has_no_phases(N_set):
    nmdar = eq.NMDARThreshold("I", "E", set_point=N_set, tau=2 * hour)
    out = performed(DLX, B, nmdar)
    assert out.status is (eq.Status.RUNAWAY if N_set < 50.0 else eq.Status.OK)
    assert np.isnan(out.phases.chronic).all() == (N_set < 50.0)
    assert np.isnan([out.phases.completeness[0], out.phases.overshoot[0], out.phases.remaining[0]]).all()
    assert np.isnan([out.intrinsic_share[0], out.synaptic_share[0], out.set_points[1, 0]]).all()
    assert "Outcome(ChemogeneticDrive; " in repr(out)


def test_rules_of_the_circuit_act_where_none_are_given():
    times = np.linspace(0.0, DLX.span, 30)
    own = eq.rate.perform(PAIR.with_rules([RATE]), DLX, start=START, times=times)
    np.testing.assert_array_equal(own.phases.chronic, performed(DLX, RATE).phases.chronic)


# --- phases -----------------------------------------------------------------------------------------------------------
def table(time, rate):
    return xr.Dataset({"rate": (("time", "population"), np.array(rate)[:, None])}, {"time": time, "population": ["E"]})


def test_phases_of_edges_that_are_reported_twice():
    protocol = eq.TTX(onset=1.0, duration=2.0, washout=1.0)
    out = eq.dynamics.phases(table([0, 1, 1, 2, 3, 3, 4], [5.0, 5, 2, 7, 6, 9, 5]), protocol)
    read = [x[0] for x in (out.baseline, out.acute, out.lowest, out.highest, out.chronic, out.washout)]
    assert read == [5.0, 2.0, 2.0, 7.0, 6.0, 5.0]
    assert out.completeness[0] == pytest.approx(4.0 / 3.0)
    assert out.overshoot[0] == pytest.approx(0.4)
    assert out.remaining[0] == pytest.approx(0.2)


def test_phases_of_windows_and_of_a_path_without_washout():
    protocol = eq.TTX(onset=1.0, duration=2.0, washout=0.0)
    out = eq.dynamics.phases(table([0.5, 1.0, 1.5, 2.5, 3.0], [5.0, 5, 2, 3, 4]), protocol)
    assert (out.baseline[0], out.acute[0], out.chronic[0]) == (5.0, 2.0, 4.0)
    assert np.isnan(out.washout[0])
    turned = eq.dynamics.phases(table([0.0, 2.0], [5.0, 4.0]).transpose("population", "time"), protocol)
    assert (turned.baseline[0], turned.acute[0]) == (5.0, 4.0)  # as from spiking.evolve
    with pytest.raises(ValueError, match="phases: data must have `rate` over time and population"):
        eq.dynamics.phases(xr.Dataset(), protocol)


def test_phases_of_mean_field_under_calcium_rules():
    circuit = eq.Circuit.example("balanced_network").infinite()
    sensor = eq.Calcium(tau=0.3, buffering=0.1)
    targets = eq.theory.network_set_points(circuit, sensor)
    ruled = circuit.with_rules(eq.AttachedRule(n, eq.CalciumHomeostasis(sensor, t)) for n, t in targets.items())
    ruled = eq.theory.regulated(ruled, eq.theory.network_equilibrium(ruled))
    protocol = eq.Baclofen(current=20.0, onset=1 * hour, duration=2 * day, washout=1 * hour)
    days = eq.theory.network_evolve(ruled, duration=protocol.span, schedule=protocol.schedule(ruled))
    out = eq.dynamics.phases(days, protocol)
    assert out.acute[0] < 0.9 * out.baseline[0]
    np.testing.assert_allclose(out.completeness, 1.0, atol=0.02)


# --- random pairs -----------------------------------------------------------------------------------------------------
def test_closed_forms_of_the_search_are_the_equilibria():
    net, tried = search.networks(12, 5), 0
    for i in range(12):
        one = {name: float(values[i]) for name, values in net.items()}
        E, I = one["E"], one["I"]  # noqa: E741
        h_E, h_I = one["W_EE"] * E - one["W_EI"] * I, one["W_IE"] * E - one["W_II"] * I
        circuit = pair(
            (one["W_EE"], one["W_EI"], one["W_IE"], one["W_II"]), (one["g_E"], one["g_I"]),
            (h_E - E / one["g_E"], h_I - I / one["g_I"]), X=(0.0, one["x"]),
        )  # fmt: skip
        family = 0 if one["D"] < 0.0 else 1
        reading = "B" if family == 0 else "A"
        for k, rule in (
            (family, eq.InputCentricThreshold("E", set_point=h_E, reading=reading)),
            (3, eq.OutputCentricThreshold("E", rate=E)),
        ):
            dE, dI, stable = (x[i] for x in search.at_rest(net, search.CLASSES[k]))
            if E + dE < 0.0 or I + dI < 0.0:
                continue
            point = eq.rate.equilibrium(circuit, [rule], start=eq.rate.settle(circuit, start=[E, I]).rates)
            np.testing.assert_allclose(point.rates, [E + dE, I + dI], rtol=1e-6)
            assert point.stable == stable
            tried += 1
    assert tried > 12


def test_no_random_pair_has_e_restored_and_interneurons_low():
    found = search.searched(2000, 7)
    assert found["pairs"].min() > 100
    assert found["both"].sum() == 0
    assert found["recovered"][3] == 2000  # each by itself is common
    assert found["low"][0] > 100
