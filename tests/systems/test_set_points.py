"""The set point of input-centric rules: its formula, derivatives, assumptions and the paradoxes."""

import numpy as np
import pytest
from rate_circuits import SOLDADO, alone, facts, pair, projections

import equipoise as eq
from equipoise.units import Hz, hour, ms

B = eq.InputCentricThreshold("E", set_point=9.8, reading="B")
A = eq.InputCentricThreshold("E", set_point=9.8, reading="A")
DRIVE = eq.DriveCentricThreshold("E", set_point=25.0)


def test_the_example_of_the_derivation():
    point = eq.rate.set_point(pair(), eq.InputCentricThreshold("E", set_point=7.0, reading="B"))
    np.testing.assert_allclose([point.E, point.I, point.adapted], [3.16, 8.8, 3.84], rtol=1e-12)
    assert point.variable == "threshold_E"
    assert point.statement.startswith("More excitability of inhibition lowers E_ss, for D = -8.333 < 0.")


def test_the_published_network():
    point = eq.rate.set_point(pair(**SOLDADO), B)
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    for name in ("gamma", "w", "D", "b"):
        assert getattr(point, name) == pytest.approx(known[name], rel=1e-12)
    np.testing.assert_allclose([point.D, point.b, point.E, point.I], [-1.08, 15.2, 5.0, 14.0], rtol=1e-12)
    assert len(point.assumptions) == 7
    assert all(one.holds for one in point.assumptions)
    assert "holds: net recurrence (-1.08)" in repr(point)


@pytest.mark.parametrize(
    ("rule", "rates"), [(B, (4.437, 11.407)), (DRIVE, (5.0, 14.56))], ids=["net input", "excitatory drive"]
)
def test_driven_interneurons_before_and_after_adaptation(rule, rates):
    before, after = (eq.rate.set_point(pair(**SOLDADO, X=(0.0, x)), rule) for x in (0.0, 1.0))
    np.testing.assert_allclose([after.E, after.I], rates, atol=5e-4)
    fast = [before.E + before.E_by_drive_I_fast, before.I + before.I_by_drive_I_fast]
    np.testing.assert_allclose(fast, [4.708, 12.923], atol=5e-4)
    assert before.I_by_drive_I_fast < 0.0  # the paradox of an inhibition-stabilised circuit
    assert (before.I_by_drive_I < 0.0) == (rule is B)  # which lasts where the net input is sensed
    np.testing.assert_allclose([before.E + before.E_by_drive_I, before.I + before.I_by_drive_I], rates, atol=5e-4)


def test_the_fast_response_is_that_of_the_fixed_point():
    states = [eq.rate.fixed_points(pair(**SOLDADO, X=(0.0, x)))[-1].rates for x in (0.0, 1e-3)]
    point = eq.rate.set_point(pair(**SOLDADO), B)
    change = (states[1] - states[0]) / 1e-3
    np.testing.assert_allclose(change, [point.E_by_drive_I_fast, point.I_by_drive_I_fast], rtol=1e-6)


# --- on random networks -----------------------------------------------------------------------------------------------
def draws(count, seed=3):
    """Random threshold-linear pairs (W, g, theta, X) and their rates."""
    rng = np.random.default_rng(seed)
    while count:
        W, g, r = rng.uniform(0.05, 3.0, 4), rng.uniform(0.3, 2.0, 2), rng.uniform(1.0, 20.0, 2)
        X = rng.uniform(-2.0, 5.0, 2)
        theta = np.array([W[0] * r[0] - W[1] * r[1], W[2] * r[0] - W[3] * r[1]]) + X - r / g
        A = np.array([[g[0] * W[0] - 1.0, -g[0] * W[1]], [g[1] * W[2], -g[1] * W[3] - 1.0]]) / [[0.010], [0.002]]
        if np.linalg.eigvals(A).real.max() < -1.0:
            count -= 1
            yield W, g, theta, X, r


@pytest.mark.parametrize("kind", ["threshold", "gain", "drive"])
def test_derivatives_and_rates_on_random_networks(kind):
    signs = set()
    for W, g, theta, X, r in draws(25):
        h = W[0] * r[0] - W[1] * r[1] + X[0]
        D = facts(W, g, theta, X)["D"]
        kappa = 0.8 * W[0] / (W[2] * facts(W, g, theta, X)["w"])
        rule = {
            "threshold": eq.InputCentricThreshold("E", set_point=h, reading="A" if D > 0.0 else "B"),
            "gain": eq.InputCentricGain("E", set_point=h, reading="A" if D > 0.0 else "B"),
            "drive": eq.DriveCentricThreshold(
                "E", set_point=W[0] * r[0] - kappa * W[1] * r[1] + X[0], inhibition=kappa
            ),
        }[kind]
        point = eq.rate.set_point(pair(W, g, theta, X), rule)
        joint = eq.rate.equilibrium(pair(W, g, theta, X), [rule], start=r)
        np.testing.assert_allclose([point.E, point.I, point.adapted], [*joint.rates, joint.z[0]], rtol=1e-6)
        differences(point, rule, (W, g, theta, X))
        signs.add(point.D > 0.0)
        assert (point.E_by_gain_I < 0.0) == (point.D < 0.0) == (point.E_by_threshold_I > 0.0)
    assert signs == ({True} if kind == "drive" else {True, False})


def differences(point, rule, circuit):
    """Derivatives by central differences of the formula itself."""

    def change(place, index):
        ends = []
        for step in (1e-5, -1e-5):
            moved = [np.array(x, dtype=float) for x in circuit]
            moved[place][index] += step
            ends.append(eq.rate.set_point(pair(*moved), rule))
        return (ends[0].E - ends[1].E) / 2e-5, (ends[0].I - ends[1].I) / 2e-5

    close = {"rel": 2e-5, "abs": 1e-7}
    assert point.E_by_gain_I == pytest.approx(change(1, 1)[0], **close)
    assert point.E_by_threshold_I == pytest.approx(change(2, 1)[0], **close)
    assert point.E_by_drive_E == pytest.approx(change(3, 0)[0], **close)
    assert (point.E_by_drive_I, point.I_by_drive_I) == pytest.approx(change(3, 1), **close)


def test_inhibition_from_outside_counts_as_much_as_the_rule_senses():
    def circuit(kappa):
        E, other = pair(**SOLDADO).populations
        source = eq.Source("S", rate=10 * Hz)
        W = [[5.0, -SOLDADO["W"][1]], [10.0, -SOLDADO["W"][3]]]
        outside = eq.Projection(source="S", target="E", weight=-0.02, connectivity=eq.FixedInDegree(10))
        both = eq.Circuit(populations=[E, other, source], projections=[*projections(W, ("E", "I")), outside])
        return both, eq.DriveCentricThreshold("E", set_point=25.0 - kappa * 10.0, inhibition=kappa)

    for kappa in (0.0, 0.5):
        given, rule = circuit(kappa)
        point = eq.rate.set_point(given, rule)
        joint = eq.rate.equilibrium(given, [rule])
        np.testing.assert_allclose([point.E, point.I, point.adapted], [*joint.rates, joint.z[0]], rtol=1e-8)


def test_drive_alone_is_held_whatever_inhibition_does():
    point = eq.rate.set_point(pair(**SOLDADO), DRIVE)
    assert pytest.approx(25.0 / 5.0) == point.E
    assert (point.E_by_gain_I, point.E_by_threshold_I, point.E_by_drive_I) == pytest.approx((0.0, 0.0, 0.0), abs=1e-15)
    assert "does not depend on any property of inhibition" in point.statement


# --- outside its assumptions ------------------------------------------------------------------------------------------
SMOOTH = pair(**SOLDADO).with_node("E", neuron=eq.Softplus(threshold=4.8))
SLOW_I = pair(**SOLDADO).with_node("I", neuron=eq.ThresholdLinear(gain=4.0, threshold=25.0, tau=30 * ms))
RUNAWAY = pair(W=(3.0, 0.5, 1.0, 0.5), g=(1.0, 1.0), theta=(12.0, 1.0))
NO_RECURRENCE = pair(W=(1.0, 1.0, 1.0, 0.0), g=(0.5, 1.0), theta=(0.0, 0.0), X=(1.0, 0.0))
OUTSIDE = {
    "not threshold-linear": (SMOOTH, B, "INFEASIBLE", "both populations must be threshold-linear"),
    "one population": (alone(eq.ThresholdLinear(), 0.5, 10.0), B, "INFEASIBLE", "must have two populations"),
    "rule of I": (
        pair(), eq.InputCentricThreshold("I", set_point=5.0), "INFEASIBLE", "acts on the population that excites",
    ),
    "no net recurrence": (NO_RECURRENCE, A, "INFEASIBLE", "is not 0"),
    "E silent": (
        pair(**SOLDADO), eq.InputCentricThreshold("E", set_point=20.0, reading="B"), "INFEASIBLE", "0 < E_ss",
    ),
    "I silent": (
        pair(**SOLDADO, X=(0.0, -40.0)), eq.InputCentricThreshold("E", set_point=35.0, reading="B"), "INFEASIBLE",
        "not 'I is active'",
    ),
    "a ceiling": (pair(**SOLDADO, max_rate=13.0), B, "INFEASIBLE", "not 'I is active'"),
    "no gain": (
        pair(SOLDADO["W"], theta=(10.0, 25.0)), eq.InputCentricGain("E", set_point=9.8, reading="B"), "INFEASIBLE",
        "not 'a gain exists'",
    ),
    "excitation runs away": (
        RUNAWAY, eq.InputCentricThreshold("E", set_point=12.0, reading="A"), "UNSTABLE", "not 'excitation is held'",
    ),
    "inhibition too slow": (SLOW_I, B, "UNSTABLE", "not 'inhibition is fast enough'"),
    "the wrong reading": (pair(**SOLDADO), A, "UNSTABLE", "Reading A: the net recurrence D must be positive"),
    "too much inhibition sensed": (
        pair(**SOLDADO), eq.DriveCentricThreshold("E", set_point=9.8, inhibition=1.0), "UNSTABLE", "kappa < kappa_c",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_its_assumptions_the_formula_gives_no_number(name):
    circuit, rule, status, message = OUTSIDE[name]
    with pytest.raises(eq.NumericalFailure, match="the set point formula does not apply") as failure:
        eq.rate.set_point(circuit, rule)
    assert message in str(failure.value)
    point = eq.rate.set_point(circuit, rule, throw=False)
    assert point.status is eq.Status[status]
    assert message in point.message
    assert message in point.statement
    numbers = [value for value in vars(point).values() if isinstance(value, float)]
    assert len(numbers) == 14
    assert np.isnan(numbers).all()
    assert not all(one.holds for one in point.assumptions)


def test_other_rules_are_refused():
    with pytest.raises(TypeError, match=r"rule must be an eq\.InputCentricThreshold"):
        eq.rate.set_point(pair(), eq.OutputCentricThreshold("E", rate=5.0, tau=1 * hour))
    with pytest.raises(KeyError, match="no population is named 'P'"):
        eq.rate.set_point(pair(), eq.InputCentricThreshold("P", set_point=5.0))
