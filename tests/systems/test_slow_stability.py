"""Stability of rules: published spectra, conditions in closed form against numerical ones, maps, silence and bounds."""

from dataclasses import dataclass

import numpy as np
import pytest
from rate_circuits import ALL, SOLDADO, alone, facts, pair

import equipoise as eq
from equipoise import dynamics
from equipoise.model.slow_variables import Rate, Threshold
from equipoise.units import Hz, hour, ms

TAU = 1 * hour
E_TARGET, I_TARGET = 5.0, 14.0


def homeostatic(speed, speed_i=None, rates=(E_TARGET, I_TARGET)):
    return [
        eq.HomeostaticWeights("E", rate=rates[0], speed=speed),
        eq.HomeostaticWeights("I", rate=rates[1], speed=speed if speed_i is None else speed_i),
    ]


def cross(speed, speed_i=None, rates=(E_TARGET, I_TARGET)):
    return [
        eq.CrossHomeostasis("E", rate=rates[1], speed=speed),
        eq.CrossHomeostasis("I", rate=rates[0], speed=speed if speed_i is None else speed_i),
    ]


def scaling(speed, speed_i=None, rates=(E_TARGET, I_TARGET)):
    return [
        eq.SynapticScaling("E", rate=rates[0], speed=speed),
        eq.SynapticScaling("I", rate=rates[1], speed=speed if speed_i is None else speed_i),
    ]


# --- Soldado-Magraner et al. 2022 -------------------------------------------------------------------------------------
SLOWEST = {
    "homeostatic": (homeostatic(0.02), [1.3175, 1.3175], 4),
    "homeostatic, slow I": (homeostatic(0.02, 0.0002), [-2.0518, -0.02564], 4),
    "cross": (cross(0.02), [-12.7805, -0.41155], 4),
    "two-term": (cross(0.02) + homeostatic(0.005), [-12.070, -0.4630], 3),
    "two-term, equal": (cross(0.02) + homeostatic(0.02), [-9.443, -1.114], 3),
    "two-term, weak cross": (cross(0.0002) + homeostatic(0.02), [1.2515, 1.2515], 4),
    "scaling": (scaling(0.02), [0.4248, 0.7286], 4),
    "scaling, I ten times slower": (scaling(0.02, 0.002), [-0.1163, -0.1163], 4),
}


@pytest.mark.parametrize("name", SLOWEST)
def test_published_slow_eigenvalues_per_trial(name):
    rules, wanted, digits = SLOWEST[name]
    found = eq.rate.stability(pair(**SOLDADO), rules)
    real = np.sort(found.slow.eigenvalues[~found.slow.zero].real)
    assert found.slow.zero.sum() == 2  # four weights hold two rates
    np.testing.assert_allclose(real, np.sort(wanted), atol=0.6 * 10.0**-digits)
    np.testing.assert_allclose(np.sort(found.closed.real), real, rtol=1e-6)
    stable = wanted[0] < 0.0
    assert found.status is (eq.Status.MARGINAL if stable else eq.Status.UNSTABLE)
    assert all(one.holds for one in found.conditions) == stable
    assert found.separated or "scaling" not in name


def test_neutral_directions_leave_the_rates_alone():
    found = eq.rate.stability(pair(**SOLDADO), cross(0.02))
    for mode in found.zero_modes:
        for target in "EI":
            assert E_TARGET * mode[f"weight_{target}E"] == pytest.approx(I_TARGET * mode[f"weight_{target}I"], abs=1e-6)
    assert "neutral direction: weight_EE" in repr(found)


# --- every condition against the numerical spectrum -------------------------------------------------------------------
def networks(seed, count):
    """Random threshold-linear pairs (W, g, theta, rates) with both populations active and stable fast dynamics."""
    rng = np.random.default_rng(seed)
    while count:
        W, g, r = rng.uniform(0.05, 3.0, 4), rng.uniform(0.3, 2.0, 2), rng.uniform(1.0, 20.0, 2)
        h = [W[0] * r[0] - W[1] * r[1], W[2] * r[0] - W[3] * r[1]]
        A = np.array([[g[0] * W[0] - 1.0, -g[0] * W[1]], [g[1] * W[2], -g[1] * W[3] - 1.0]]) / [[0.010], [0.002]]
        if np.linalg.eigvals(A).real.max() < -1.0:
            count -= 1
            yield W, g, (h[0] - r[0] / g[0], h[1] - r[1] / g[1]), r


def rules_at(W, r):
    """Rules of every kind and of pairs of kinds, at rest at rates r."""
    h, N = W[0] * r[0] - W[1] * r[1], W[2] * r[0]

    def drive(kappa, tau=TAU):
        return eq.DriveCentricThreshold("E", set_point=W[0] * r[0] - kappa * W[1] * r[1], inhibition=kappa, tau=tau)

    def nmdar(way, tau):
        return eq.NMDARThreshold("I", "E", set_point=N, tau=tau, more_drive=way)

    def centric(reading, kind=eq.InputCentricThreshold):
        return kind("E", set_point=h, tau=TAU, reading=reading)

    slow = 1e-7
    return {
        "threshold A": [centric("A")],
        "threshold B": [centric("B")],
        "gain A": [centric("A", eq.InputCentricGain)],
        "gain B": [centric("B", eq.InputCentricGain)],
        "drive": [drive(0.0)],
        "drive, half of inhibition": [drive(0.5)],
        "drive, all of inhibition": [drive(1.0)],
        "NMDAR": [nmdar("lowers", TAU)],
        "anti-NMDAR": [nmdar("raises", TAU)],
        "A and NMDAR": [centric("A"), nmdar("lowers", 2.0 * TAU)],
        "A and fast NMDAR": [centric("A"), nmdar("lowers", 0.2 * TAU)],
        "A and anti-NMDAR": [centric("A"), nmdar("raises", TAU)],
        "B and NMDAR": [centric("B"), nmdar("lowers", TAU)],
        "B and anti-NMDAR": [centric("B"), nmdar("raises", TAU)],
        "gain B and anti-NMDAR": [centric("B", eq.InputCentricGain), nmdar("raises", TAU)],
        "some inhibition and NMDAR": [drive(0.4), nmdar("lowers", 5.0 * TAU)],
        "rate of E": [eq.OutputCentricThreshold("E", rate=r[0], tau=TAU)],
        "rate of I": [eq.OutputCentricThreshold("I", rate=r[1], tau=TAU)],
        "both rates": [eq.OutputCentricThreshold(p, rate=x, tau=TAU) for p, x in zip("EI", r, strict=True)],
        "inhibition of E": [eq.InhibitoryScaling("E", "I", rate=r[0], speed=slow)],
        "inhibition of I": [eq.InhibitoryScaling("I", "I", rate=r[1], speed=slow)],
        "homeostatic": homeostatic(slow, 3.0 * slow, rates=r),
        "homeostatic I": homeostatic(slow, rates=r)[1:],
        "cross": cross(slow, 2.0 * slow, rates=r),
        "cross E": cross(slow, rates=r)[:1],
        "two-term": cross(0.1 * slow, rates=r) + homeostatic(slow, 5.0 * slow, rates=r),
        "scaling": scaling(slow, 3.0 * slow, rates=r),
        "scaling I": scaling(slow, rates=r)[1:],
        "threshold B and cross I": [centric("B"), *cross(slow, rates=r)[1:]],
    }


@pytest.mark.parametrize("name", rules_at(np.ones(4), np.ones(2)))
def test_conditions_agree_with_numerical_spectra(name):
    outcomes = set()
    for W, g, theta, r in networks(5, 40):
        circuit = pair(W, g, theta)
        rules = rules_at(W, r)[name]
        found = eq.rate.stability(circuit, rules, at=eq.rate.equilibrium(circuit, rules, start=r))
        np.testing.assert_allclose(found.point.rates, r, rtol=1e-6)
        assert found.remark == ""
        assert len(found.conditions) >= 3
        numerical = found.slow.eigenvalues[~found.slow.zero]
        np.testing.assert_allclose(np.sort_complex(found.closed), np.sort_complex(numerical), rtol=2e-5, atol=1e-11)
        assert all(one.holds for one in found.conditions) == bool((numerical.real < 0.0).all())
        outcomes.add(found.stable)
    assert outcomes == ({name in ALWAYS} if name in (*ALWAYS, *NEVER) else {True, False})


ALWAYS = (
    "drive", "anti-NMDAR", "rate of E", "inhibition of E", "cross", "cross E",
)  # fmt: skip
NEVER = ("NMDAR", "A and anti-NMDAR", "B and NMDAR")


def test_the_sign_rule_on_ten_thousand_random_networks():
    """Against 3 x 3 Jacobians written out here: A stable iff D > 0, B iff D < 0, for net and required input."""
    rng, found = np.random.default_rng(1), []
    while sum(map(len, found)) < 10_000:
        W, g = rng.uniform(0.05, 3.0, (40_000, 4)), rng.uniform(0.3, 2.0, (40_000, 2))
        A = fast_jacobian(W, g)
        found.append(np.concatenate([W, g], axis=1)[np.linalg.eigvals(A).real.max(axis=1) < -1.0])
    W, g = np.split(np.concatenate(found)[:10_000], [4], axis=1)
    w = W[:, 1] * g[:, 1] / (1.0 + g[:, 1] * W[:, 3])
    D = W[:, 0] - W[:, 2] * w
    assert (np.abs(D) > 1e-6).all()
    assert 1000 < (D > 0.0).sum() < 9000
    zero, tau = np.zeros(10_000), 1e5
    for sign in (1.0, -1.0):  # A, B
        for row in ([W[:, 0], -W[:, 1], zero], [1.0 / g[:, 0], zero, zero + 1.0]):
            J = np.zeros((10_000, 3, 3))
            J[:, :2, :2] = fast_jacobian(W, g)
            J[:, 0, 2] = -g[:, 0] / 0.010
            J[:, 2] = sign * np.stack(row, axis=1) / tau
            np.testing.assert_array_equal(np.linalg.eigvals(J).real.max(axis=1) < 0.0, sign * D > 0.0)
    map_agrees(W, g, D)
    lower_with_excitability(W, g, D, rng)


def fast_jacobian(W, g):
    A = np.empty((len(W), 2, 2))
    A[:, 0] = np.stack([g[:, 0] * W[:, 0] - 1.0, -g[:, 0] * W[:, 1]], axis=1) / 0.010
    A[:, 1] = np.stack([g[:, 1] * W[:, 2], -g[:, 1] * W[:, 3] - 1.0], axis=1) / 0.002
    return A


def map_agrees(W, g, D):
    """The closed forms of the package say the same, in the same network by network."""
    for k in range(0, 10_000, 500):
        r = np.array([4.0, 6.0])
        h = np.array([W[k, 0] * 4.0 - W[k, 1] * 6.0, W[k, 2] * 4.0 - W[k, 3] * 6.0])
        circuit = pair(W[k], g[k], h - r / g[k])
        for reading in "AB":
            rule = eq.InputCentricThreshold("E", set_point=h[0], reading=reading)
            point = eq.rate.set_point(circuit, rule, throw=False)
            assert (point.status is eq.Status.OK) == ((reading == "A") == (D[k] > 0.0))


def lower_with_excitability(W, g, D, rng):
    """E_ss of the joint equilibrium, solved as linear equations, falls with g_I and rises with theta_I iff D < 0."""
    r = rng.uniform(1.0, 20.0, (10_000, 2))
    h = W[:, 0] * r[:, 0] - W[:, 1] * r[:, 1]
    theta = W[:, 2] * r[:, 0] - W[:, 3] * r[:, 1] - r[:, 1] / g[:, 1]

    def E(g_I, theta_I):
        rows = np.stack(
            [np.stack([W[:, 0], -W[:, 1]], axis=1), np.stack([-W[:, 2], 1.0 / g_I + W[:, 3]], axis=1)], axis=1
        )
        return np.linalg.solve(rows, np.stack([h, -theta_I], axis=1)[..., None])[:, 0, 0]

    base = E(g[:, 1], theta)
    np.testing.assert_allclose(base, r[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(E(g[:, 1] * (1.0 + 1e-5), theta) < base, D < 0.0)
    np.testing.assert_array_equal(E(g[:, 1], theta - 1e-5 * r[:, 1]) < base, D < 0.0)


@pytest.mark.parametrize(("ratio", "wanted"), [(1.0, 0.5 + 1.3j), (2.5, -0.1 + 0.89j)])
def test_reading_a_beside_nmda_receptors_needs_slow_interneurons(ratio, wanted):
    circuit = pair(W=(1.5, 1.0, 1.0, 0.0), g=(1.0, 1.0), theta=(0.0, 0.0), X=(5.0, 1.0))  # D = 0.5, W_IE w = 1
    state = eq.rate.fixed_points(circuit)[-1]
    rules = [
        eq.InputCentricThreshold("E", set_point=float(state.inputs[0]), tau=TAU, reading="A"),
        eq.NMDARThreshold("I", "E", set_point=float(state.rates[0]), tau=ratio * TAU),
    ]
    found = eq.rate.stability(circuit, rules)
    lead = found.slow.eigenvalues[np.argmax(found.slow.eigenvalues.imag)] * TAU
    assert lead.real == pytest.approx(wanted.real, abs=5e-3)
    assert lead.imag == pytest.approx(wanted.imag, abs=0.03)
    assert found.stable == (ratio > 2.0)
    assert f"tau_2/tau_1 = {ratio:g}, and W_IE w/D = 2" in found.conditions[-1].sentence


def test_excitatory_drive_and_nmda_receptors_sense_the_same():
    rules = [eq.DriveCentricThreshold("E", set_point=25.0), eq.NMDARThreshold("I", "E", set_point=50.0)]
    found = eq.rate.stability(pair(**SOLDADO), rules)
    assert found.slow.zero.sum() == 1
    assert found.conditions[2].value == 0.0
    assert "one direction is neutral" in found.conditions[2].sentence
    elsewhere = [rules[0], eq.NMDARThreshold("I", "E", set_point=60.0)]  # two targets for one rate
    with pytest.raises(eq.NumericalFailure, match="no joint fixed point"):
        eq.rate.equilibrium(pair(**SOLDADO), elsewhere)


def test_the_critical_part_of_inhibition():
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    most = 5.0 / (10.0 * known["w"])
    for kappa in (0.99 * most, 1.01 * most):
        rule = eq.DriveCentricThreshold("E", set_point=25.0 - kappa * SOLDADO["W"][1] * 14.0, inhibition=kappa)
        found = eq.rate.stability(pair(**SOLDADO), [rule])
        assert found.conditions[2].value == pytest.approx(kappa)
        assert found.stable == (kappa < most)


def test_rules_too_fast_for_the_rates_break_the_separation():
    circuit = pair(**SOLDADO)
    rules = [eq.NMDARThreshold("I", "E", set_point=50.0, tau=0.1 * ms, more_drive="raises")]
    found = eq.rate.stability(circuit, rules)
    assert found.slow.stable
    assert all(one.holds for one in found.conditions)
    assert not found.stable
    assert not found.separated
    assert "The separation of time scales fails" in repr(found)
    assert "too fast" in found.point.message


@dataclass(frozen=True)
class Own:
    """A rule without a closed form."""

    scope: str = "population"
    moves = (Threshold("E"),)
    senses = (Rate("E"),)

    def rhs(self, values, sensed):
        return ((sensed[0] - 5.0) / TAU,)


PLAIN = eq.OutputCentricThreshold("E", rate=5.0)
UNKNOWN = {
    "a rule of your own": (pair(**SOLDADO), [Own()], "no closed form is known for Own"),
    "one population": (alone(eq.ThresholdLinear(), 0.5, 10.0), [PLAIN], "must have two populations"),
    "a ceiling": (
        pair(**SOLDADO, max_rate=14.0), [eq.OutputCentricThreshold("E", rate=5.5)],
        "both populations must be active and below their ceilings",
    ),
    "threshold and gain": (
        pair(**SOLDADO), [PLAIN, eq.InputCentricGain("E", set_point=9.8)], "gain and threshold of one population",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_without_a_closed_form_the_spectrum_is_numerical(name):
    circuit, rules, why = UNKNOWN[name]
    found = eq.rate.stability(circuit, rules)
    assert found.conditions == ()
    assert why in found.remark
    assert found.slow.eigenvalues.size >= 1


# --- joint fixed points -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rules", [cross(5e-4), homeostatic(5e-4)], ids=["cross", "homeostatic"])
@pytest.mark.parametrize("start", [None, [5.0, 14.0], [40.0, 1.0]])
def test_weights_are_found_from_far_away(rules, start):
    circuit = pair((2.1, 3.0, 4.0, 1.5), theta=SOLDADO["theta"])  # where the simulations of the paper begin
    point = eq.rate.equilibrium(circuit, rules, start=start)
    np.testing.assert_allclose(point.rates, [E_TARGET, I_TARGET], rtol=1e-8)
    on_the_manifold(point.z)
    assert point.stable == isinstance(rules[0], eq.CrossHomeostasis)


def test_weights_are_found_from_a_silent_circuit_too_weak_to_fire():
    circuit = pair((1.0, 3.0, 4.0, 1.5), theta=SOLDADO["theta"])
    assert eq.rate.fixed_points(circuit)[-1].rates.max() == 0.0
    point = eq.rate.equilibrium(circuit, cross(5e-4))
    np.testing.assert_allclose(point.rates, [E_TARGET, I_TARGET], rtol=1e-8)
    on_the_manifold(point.z)
    assert point.values["weight_EI"] == 0.0  # no weight is negative
    assert "fast dynamics is unstable" in point.message


def on_the_manifold(W):
    """Weights that hold 5 and 14 Hz: f^-1 of both."""
    np.testing.assert_allclose(5.0 * W[::2] - 14.0 * W[1::2], [5.0 + 4.8, 14.0 / 4.0 + 25.0], rtol=1e-8)


def test_a_weight_at_its_bound_is_held_there():
    rule = eq.InhibitoryScaling("E", "I", rate=6.0, speed=1e-6, lower=1.0)  # 6 Hz would take 0.97
    found = eq.rate.stability(pair(**SOLDADO), [rule])
    assert found.point.held == ("weight_EI",)
    assert found.status is eq.Status.WEIGHT_AT_ZERO
    assert found.point.values == {"weight_EI": 1.0}
    assert 5.0 < found.point.rates[0] < 6.0
    assert "weight_EI at the lower bound" in found.remark


def test_silence_absorbs_for_set_points_above_zero_and_ends_for_those_below():
    for h_set, silent in ((2.0, True), (0.5, True), (-2.0, False)):
        rule = eq.InputCentricThreshold("E", set_point=h_set, tau=TAU, reading="B")
        days = eq.rate.evolve(
            pair(W=(5.0, 1.0, 10.0, 0.5), theta=(4.8, 5.0)), rules=[rule], duration=30 * hour, start=[0.0, 0.0]
        )
        assert (float(days["rate"][-1, 0]) == 0.0) == silent
        if silent:
            assert float(days["slow"][-1, 0]) == pytest.approx(h_set, abs=1e-6)
            point = eq.rate.equilibrium(pair(), [rule], start=[0.0, 0.0])
            assert point.values["threshold_E"] == pytest.approx(h_set, abs=1e-6)
            assert point.status in (eq.Status.SILENT, eq.Status.MARGINAL)


def test_the_nearest_point_of_a_line_at_a_bound_and_nowhere():
    def find(f, start, lower=-np.inf):
        x = np.array(start)
        return dynamics.nearest_point(
            f, lambda y: dynamics.differences(f, y), x, unit=np.ones(x.size), lower=np.full(x.size, lower)
        )

    line = find(lambda x: np.full(2, x.sum() - 2.0), [1.0, 0.0])
    np.testing.assert_allclose(line.x, [1.5, 0.5], atol=1e-9)
    bound = find(lambda x: np.array([-x[0] - 1.0, x[0] + x[1] - 3.0]), [1.0, 1.0], lower=0.0)
    np.testing.assert_allclose(bound.x, [0.0, 3.0], atol=1e-9)
    assert bound.status is eq.Status.OK
    assert find(lambda x: x**2 + 1.0, [1.0]).status is eq.Status.NOT_CONVERGED
    assert find(lambda x: np.array([x[0] - 1.0, x[0] - 2.0]), [1.0, 1.0]).status is eq.Status.NOT_CONVERGED


# --- maps -------------------------------------------------------------------------------------------------------------
def threshold_and_set_point(theta_I, h_set, reading="B"):
    circuit = pair(SOLDADO["W"], theta=(4.8, theta_I))
    return circuit, [eq.InputCentricThreshold("E", set_point=h_set, tau=TAU, reading=reading)]


def gain_and_weight(g_I, W_IE):
    """Some numbers depend on both axes."""
    circuit = pair((1.2, 2.0, W_IE, 0.5 * g_I), g=(0.8, g_I), theta=(1.0, 2.0 * W_IE * g_I), X=(6.0, 0.0))
    rules = [
        eq.InputCentricGain("E", set_point=6.0, tau=TAU),
        eq.NMDARThreshold("I", "E", set_point=4.0 * W_IE, tau=3 * TAU),
    ]
    return circuit, rules


def weights(W_EE, speed):
    W_EI = (5.0 * W_EE - 9.8) / 14.0
    return pair((W_EE, W_EI, 10.0, SOLDADO["W"][3]), theta=SOLDADO["theta"]), homeostatic(0.02, speed)


GRIDS = {
    "separable": (threshold_and_set_point, {"theta_I": np.linspace(5, 40, 24), "h_set": np.linspace(-5, 20, 22)}),
    "entangled": (gain_and_weight, {"g_I": np.linspace(0.3, 2, 22), "W_IE": np.linspace(0.2, 2, 21)}),
    "weights": (weights, {"W_EE": np.linspace(2.2, 8, 12), "speed": np.geomspace(1e-5, 0.02, 8)}),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_map_agrees_with_its_points(name):
    make, axes = GRIDS[name]
    grid = eq.rate.stability_map(make, **axes)
    assert grid.attrs["method"] == "closed form"
    assert 0 < int(grid["stable"].sum()) < grid["stable"].size
    x, y = axes
    rng = np.random.default_rng(2)
    for i, j in zip(rng.integers(0, grid.sizes[x], 12), rng.integers(0, grid.sizes[y], 12), strict=True):
        at = grid.isel({x: i, y: j})
        circuit, rules = make(float(at[x]), float(at[y]))
        point = eq.rate.equilibrium(circuit, rules, throw=False)
        active = point.status.usable and bool((point.rates > 0.0).all())
        assert bool(at["active"]) == active
        if not active:
            assert np.isnan(at["rate"]).all()
            continue
        np.testing.assert_allclose(at["rate"], point.rates, rtol=1e-7)
        np.testing.assert_allclose(at["slow"], point.z, rtol=1e-7)
        assert bool(at["stable"]) == point.stable
        assert int(at["zero_modes"]) == point.slow.zero.sum()
        moving = point.slow.eigenvalues[~point.slow.zero]
        assert float(at["slow_growth"]) == pytest.approx(moving.real.max(), rel=1e-5)
        assert float(at["fast_growth"]) == pytest.approx(point.fast.eigenvalues.real.max(), rel=1e-9)
        assert float(at["full_growth"]) == pytest.approx(point.full.eigenvalues[~point.full.zero].real.max(), rel=1e-4)


def test_the_flags_of_a_map_say_which_time_scale_fails():
    def make(theta_I, tau_I, reading):
        other = eq.ThresholdLinear(gain=4.0, threshold=theta_I, tau=tau_I)
        return pair(**SOLDADO).with_node("I", neuron=other), threshold_and_set_point(25.0, 9.8, reading)[1]

    def state(theta_I=25.0, tau_I=2 * ms, reading="B"):
        grid = eq.rate.stability_map(lambda x: make(x, tau_I, reading), x=[theta_I])
        return grid["state"].attrs["flag_meanings"].split()[int(grid["state"][0])]

    assert state() == "stable"
    assert state(reading="A") == "slow_unstable"
    assert state(tau_I=30 * ms) == "fast_unstable"
    assert state(theta_I=40.0) == "stable"
    assert state(theta_I=0.0) == "none"


def test_populations_in_any_order_and_rules_whose_kind_changes():
    turned = eq.Circuit(populations=pair(**SOLDADO).populations[::-1], projections=pair(**SOLDADO).projections)

    def make(h_set, which):
        rule = (
            eq.OutputCentricThreshold("E", rate=5.0)
            if which
            else eq.InputCentricThreshold("E", set_point=h_set, reading="B")
        )
        return turned, [rule]

    one = eq.rate.stability_map(lambda h: make(h, 0), h=[9.0, 9.8])
    assert one.attrs["method"] == "closed form"
    np.testing.assert_allclose(one["rate"].sel(h=9.8, population=["E", "I"]), [5.0, 14.0], rtol=1e-9)
    both = eq.rate.stability_map(make, h_set=[9.8], which=[0, 1])
    assert both.attrs["method"] == "numerical"
    np.testing.assert_allclose(both["rate"].isel(h_set=0).sel(population=["E", "I"]), [[5.0, 14.0]] * 2, rtol=1e-8)


def test_a_map_of_other_neurons_is_numerical():
    def make(drive, target):
        population = eq.Population("E", neuron=eq.Softplus(threshold=5.0, width=0.5, max_rate=20 * Hz), drive=drive)
        own = eq.Projection(source="E", target="E", weight=0.5, connectivity=ALL)
        return eq.Circuit(populations=[population], projections=[own]), [eq.OutputCentricThreshold("E", rate=target)]

    grid = eq.rate.stability_map(make, drive=[4.0, 8.0], target=[2.0, 6.0, 30.0])
    assert grid.attrs["method"] == "numerical"
    np.testing.assert_allclose(grid["rate"][..., :2, 0], [[2.0, 6.0]] * 2, rtol=1e-8)
    np.testing.assert_array_equal(grid["state"], [[1, 1, 0]] * 2)  # no more than 20 Hz


# --- bad input --------------------------------------------------------------------------------------------------------
B = eq.InputCentricThreshold("E", set_point=9.8, reading="B")
LOST = (eq.DriveCentricThreshold("E", set_point=25.0), eq.NMDARThreshold("I", "E", set_point=60.0))
COMPLAINTS = {
    "no point": (
        lambda: eq.rate.stability(pair(), [B], at=5.0), TypeError, "at must be what eq.rate.equilibrium",
    ),
    "another rule": (
        lambda: eq.rate.stability(pair(), [PLAIN], at=eq.rate.equilibrium(pair(), [B])), ValueError,
        "at is a point of other rules",
    ),
    "a lost point": (
        lambda: eq.rate.stability(pair(), LOST, at=eq.rate.equilibrium(pair(), LOST, throw=False)), ValueError,
        "at must be a joint fixed point, got status NOT_CONVERGED",
    ),
    "no axis": (lambda: eq.rate.stability_map(threshold_and_set_point), ValueError, "give at least one axis"),
    "a table": (
        lambda: eq.rate.stability_map(threshold_and_set_point, theta_I=np.ones((2, 2)), h_set=[1.0]), ValueError,
        r"theta_I must be a list of values, got shape \(2, 2\)",
    ),
    "many units": (
        lambda: eq.rate.stability_map(lambda h: (eq.rate.units(pair(size=(80, 20)), seed=1), [B]), h=[1.0]), ValueError,
        "rate.stability_map: 100 units are too many",
    ),
    "a name of a result": (
        lambda: eq.rate.stability_map(threshold_and_set_point, rate=[1.0]), ValueError, "no axis may be named 'rate'",
    ),
    "not a number": (
        lambda: eq.rate.stability_map(threshold_and_set_point, theta_I=[np.nan], h_set=[1.0]), ValueError,
        "theta_I must be finite",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLAINTS)
def test_complaints(name):
    call, error, message = COMPLAINTS[name]
    with pytest.raises(error, match=message):
        call()
