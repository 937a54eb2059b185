"""The mitochondrial threshold rule: its limits, its signs in an E-I pair, and how burstiness sets its speed."""

import numpy as np
import pytest
from rate_circuits import facts, pair

import equipoise as eq
from equipoise import renewal as rn
from equipoise.units import Hz, hour, ms

KNOWN = facts((5.0, 1.0, 10.0, 0.5), (1.0, 4.0), (4.8, 25.0))
D, G = KNOWN["D"], KNOWN["G"]
R = 21.4 / 7.0  # rate of E in the pair [Hz]
H = 4.8 + R  # and the input it requires
FIRING = eq.PoissonBursts(rate=R, size=5)
CRITICAL = 1.0 / (1.0 - D * R / H)


def rule(**more):
    return eq.MitochondrialThreshold("E", **({"firing": FIRING, "required_input": H, "tau": 1 * hour} | more))


def slow_eigenvalue(a_rule):
    """-+speed/tau G ((1 - s)/r* + s D/h*)."""
    s, sign = a_rule.synaptic_part, -1.0 if a_rule.reading == "A" else 1.0
    return sign * a_rule.speed / a_rule.tau * G * ((1.0 - s) / R + s * D / H)


# --- limits -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reading", ["A", "B"])
def test_input_alone_is_the_input_centric_rule_up_to_the_curvature_of_uptake(reading):
    """The relative difference of the speeds falls linearly with the distance from the set point."""
    mine = rule(reading=reading)
    linear = eq.InputCentricThreshold("E", set_point=H, tau=mine.tau * H / mine.speed, reading=reading)
    errors = []
    for away in (0.04, 0.02, 0.01):
        h = np.array([H * (1.0 + away)])
        errors.append(mine.rhs([], [h])[0][0] / linear.rhs([], [h])[0][0] - 1.0)
    assert abs(errors[-1]) < 0.01
    np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 2.0, rtol=0.03)


def test_spikes_alone_are_the_output_centric_rule_up_to_the_curvature_of_uptake():
    mine = rule(synaptic_part=0.0, required_input=None)
    linear = eq.OutputCentricThreshold("E", rate=R, span=mine.speed, tau=mine.tau)
    errors = []
    for away in (0.04, 0.02):
        r = np.array([R * (1.0 + away)])
        errors.append(mine.rhs([], [r])[0][0] / linear.rhs([], [r])[0][0] - 1.0)
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.03)


def test_far_from_the_set_point_the_difference_falls_with_the_overlap_of_bursts():
    """Uptake is proportional to the rate of events that do not overlap; at twice the load the error is linear in it."""
    errors = []
    for rate in (0.04, 0.02, 0.01):
        mine = rule(firing=eq.PoissonBursts(rate=rate, size=5))
        errors.append(mine.rhs([], [np.array([2.0 * H])])[0][0] * mine.tau / mine.speed - 1.0)
    assert abs(errors[-1]) < 0.01
    np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 2.0, rtol=0.03)


@pytest.mark.parametrize(("size", "interval"), [(1, 5 * ms), (5, 5 * ms), (10, 3 * ms)])
def test_the_rule_uses_the_exact_uptake(size, interval):
    pattern = eq.PoissonBursts(rate=R, size=size, interval=interval)
    mine = rule(firing=pattern, synaptic_part=0.0, required_input=None)
    for r in (0.1, 10.0, 100.0):
        taken = rn.mcu_uptake(mine.mitochondrion, eq.PoissonBursts(rate=r, size=size, interval=interval))
        wanted = (taken - mine.set_point) / (mine.mitochondrion.leak * mine.tau)
        assert mine.rhs([], [np.array([r])])[0][0] == pytest.approx(wanted, rel=1e-7)
    sensitivity = rn.mcu_sensitivity(mine.mitochondrion, pattern)
    assert mine.speed == pytest.approx(sensitivity / mine.mitochondrion.leak, rel=1e-6)


def test_no_load_leaves_the_leak_and_extreme_rates_a_bounded_push():
    mine = rule(synaptic_part=0.0, required_input=None)
    floor = (mine.mitochondrion.leak - mine.set_point) / (mine.mitochondrion.leak * mine.tau)
    assert mine.rhs([], [np.zeros(1)])[0][0] == pytest.approx(floor, rel=1e-9)
    assert rule().rhs([], [np.array([-5.0])])[0][0] == pytest.approx(floor, rel=1e-9)
    far, further = mine.rhs([], [np.array([230.0, 1e4])])[0]
    assert far == further


# --- the E-I pair -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("part", [0.0, 0.1, CRITICAL - 0.01, CRITICAL + 0.01, 0.5, 1.0])
@pytest.mark.parametrize("reading", ["A", "B"])
def test_signs_turn_where_the_synaptic_part_outweighs_spikes(part, reading):
    """Below 23.6 % of synaptic load the pair needs reading A, the sign of a rate set point; above it reading B."""
    mine = rule(synaptic_part=part, reading=reading)
    point = eq.rate.equilibrium(pair(), [mine])
    assert pytest.approx(0.2357, abs=1e-4) == CRITICAL
    assert point.slow.eigenvalues[0].real == pytest.approx(slow_eigenvalue(mine), rel=1e-6)
    assert point.stable == ((reading == "A") == (part < CRITICAL))


def test_drive_to_interneurons_is_answered_as_by_the_input_centric_rule():
    """Both hold f^-1(r) = h* in the end, E_ss = (h* - b)/D; the ways differ by the curvature of uptake."""
    pushed = pair(X=(0.0, 1.0))
    mine = rule(reading="B")
    linear = eq.InputCentricThreshold("E", set_point=H, tau=mine.tau * H / mine.speed, reading="B")
    ends = [eq.rate.equilibrium(pushed, [one]) for one in (mine, linear)]
    np.testing.assert_allclose(ends[0].rates, ends[1].rates, rtol=1e-7)
    assert ends[0].rates[0] == pytest.approx((H - KNOWN["w"] * (25.0 - 1.0)) / D, rel=1e-7)
    paths = [eq.rate.evolve(pushed, rules=[one], duration=8 * hour).slow.values[:, 0] for one in (mine, linear)]
    size = np.ptp(paths[1])
    assert 1e-4 * size < np.abs(paths[0] - paths[1]).max() < 0.05 * size


def test_a_mixed_load_holds_neither_rate_nor_required_input():
    mine = rule(synaptic_part=0.5, reading="B")
    point = eq.rate.equilibrium(pair(X=(0.0, 1.0)), [mine])
    rate = point.rates[0]
    required = point.values["threshold_E"] + rate
    assert point.stable
    assert abs(rate / R - 1.0) > 0.05
    assert abs(required / H - 1.0) > 0.05
    assert mine.load([rate, required]) == pytest.approx(1.0, abs=1e-9)


def test_single_units_move_by_their_own_uptake():
    net = eq.rate.units(pair(size=(20, 5)), seed=1, spread={"E": {"threshold": 0.3}})
    mine = rule(synaptic_part=0.0, scope="unit", tau=0.1 * hour)
    data = eq.rate.evolve(net, rules=[mine], duration=4 * hour, start=[3.0] * 20 + [7.0] * 5)
    assert data.rate_sd.values[0, 0] > 0.2
    np.testing.assert_allclose(data.unit_rate.values[-1][:20], R, rtol=1e-3)


def test_a_matrix_with_a_time_constant_changes_no_sign():
    """Slow threshold and matrix together: the eigenvalue tends to that without the matrix linearly in tau_m/tau."""
    for reading in ("A", "B"):
        errors = []
        for kappa in (2000.0, 1000.0):
            mine = rule(reading=reading, mitochondrion=eq.Mitochondrion(bound_ratio=kappa))
            m = mine.mitochondrion
            level = m.matrix_at(mine.set_point)

            def speed(x, mine=mine, m=m):
                theta, matrix = x
                h = H - D * G * theta
                taken = mine.set_point + mine.rhs([], [np.array([h])])[0][0] * (
                    (1.0 if mine.reading == "A" else -1.0) * m.leak * mine.tau
                )
                push = (m.efflux(matrix) - mine.set_point) / (m.leak * mine.tau)
                return np.array([push if mine.reading == "A" else -push, m.matrix_speed(matrix, taken)])

            at, steps = np.array([0.0, level]), np.diag([1e-4, 1e-5])
            slopes = np.array([(speed(at + e) - speed(at - e)) / (2.0 * e.max()) for e in steps]).T
            found = np.linalg.eigvals(slopes)
            slow = found[np.argmin(np.abs(found))]
            assert (found.real.max() < 0.0) == (reading == "B")
            errors.append(slow.real / slow_eigenvalue(mine) - 1.0)
        assert abs(errors[1]) < 0.05
        assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)


# --- burstiness -------------------------------------------------------------------------------------------------------
def test_burstier_units_answer_a_perturbation_faster():
    """Cells without connections, 5 Hz, the same step of drive: times of half recovery rank as burst sizes.

    They follow the linear prediction ln 2 tau r*/(speed g) to the curvature of uptake.
    """
    sizes, gain, tau, rate = (1, 2, 3, 5, 10), 1.0, 1 * hour, 5 * Hz
    cells = [
        eq.Population(f"E{n}", neuron=eq.ThresholdLinear(gain=gain, threshold=0.0, tau=10 * ms), drive=rate)
        for n in sizes
    ]
    rules = [
        eq.MitochondrialThreshold(f"E{n}", firing=eq.PoissonBursts(rate=rate, size=n), synaptic_part=0.0, tau=tau)
        for n in sizes
    ]
    step = [eq.During(eq.TonicDrive(f"E{n}", 0.5), 0.0) for n in sizes]
    silent = eq.Circuit(populations=cells, projections=[])
    times = np.linspace(0.0, 8 * hour, 500)
    data = eq.rate.evolve(silent, rules=rules, duration=8 * hour, schedule=step, times=times, start=[rate] * 5)
    found = [
        float(np.interp(-0.25, -np.asarray(data.rate.sel(population=f"E{n}")) + rate, data.time.values)) for n in sizes
    ]
    assert found == sorted(found, reverse=True)
    linear = [np.log(2.0) * tau * rate / (one.speed * gain) for one in rules]
    np.testing.assert_allclose(found, linear, rtol=0.06)
    assert found[0] / found[-1] == pytest.approx(4.1, rel=0.05)


# --- circuits ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("more", [{"mitochondrion": eq.Mitochondrion(tau=100 * ms)}, {"synaptic_part": 0.0}])
def test_the_rule_returns_from_a_file_and_acts_from_a_circuit(more):
    mine = rule(required_input=None, **more) if "synaptic_part" in more else rule(reading="B", **more)
    circuit = pair().with_rules([mine])
    again = eq.Circuit.from_toml(circuit.to_toml())
    assert again == circuit
    assert again.slow_rules == (mine,)
    point = eq.rate.equilibrium(again)
    assert point.stable
    np.testing.assert_allclose(point.rates, [R, 52.0 / 7.0], rtol=1e-6)


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"required_input": None}, ValueError, r"must be given and not be 0, got None\. Take the input of the state"),
        ({"required_input": 0.0}, ValueError, r"must be given and not be 0, got 0\.0"),
        ({"firing": 5.0}, TypeError, r"MitochondrialThreshold\.firing must be an eq\.PoissonBursts, got 5\.0"),
        ({"firing": eq.PoissonBursts(rate=240.0)}, ValueError, "must be below 225 Hz, where uptake rises no more"),
        ({"mitochondrion": 1}, TypeError, r"MitochondrialThreshold\.mitochondrion must be an eq\.Mitochondrion, got 1"),
        ({"reading": "C"}, ValueError, "reading must be 'A' or 'B', got 'C'"),
        ({"synaptic_part": 1.5}, ValueError, r"part of the load that is synaptic\) must lie in \[0, 1\], got 1.5"),
    ],
)
def test_bad_rules_are_named(more, error, message):
    with pytest.raises(error, match=message):
        rule(**more)
