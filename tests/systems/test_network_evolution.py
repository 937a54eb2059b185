"""Networks over days: where epochs end, how fast, what is carried over, and what is said when something gives way."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status
from equipoise.theory import network_path
from equipoise.units import Hz, day, hour, minute, ms

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
MORE = eq.SourceRate("X", rate=14 * Hz)


def settled(scale, K=1000):
    network = eq.Circuit.example("balanced_network").infinite().scaled(K)
    targets = eq.theory.network_set_points(network, SENSOR)
    rules = [
        eq.AttachedRule(n, eq.CalciumHomeostasis(SENSOR, t, tau_e=2 * hour, tau_i=1 * hour, scale=scale))
        for n, t in targets.items()
    ]
    ruled = network.with_rules(rules)
    return eq.theory.regulated(ruled, eq.theory.network_equilibrium(ruled))


@pytest.fixture(scope="module")
def relative():
    return settled("relative")


@pytest.fixture(scope="module")
def absolute():
    return settled("absolute")


def of_epoch(data, k):
    return data.isel(time=data["epoch_of_time"].values == k)


@pytest.mark.parametrize(("scale", "span"), [("relative", 12 * day), ("absolute", 6 * hour)])
def test_a_long_epoch_ends_at_the_fixed_point_of_the_manipulated_circuit(scale, span, request):
    circuit = request.getfixturevalue(scale)
    data = eq.theory.network_evolve(circuit, duration=2 * span, schedule=[eq.During(MORE, 0.0, span)])
    assert data.attrs["status"] == "OK"
    for k, here in enumerate((MORE.apply(circuit), circuit)):
        point, end = eq.theory.network_equilibrium(here), of_epoch(data, k).isel(time=-1)
        np.testing.assert_allclose(end["weight"], point.weights, rtol=2e-5)
        np.testing.assert_allclose(end["rate"], point.state.rates, rtol=2e-5)
        slowest = -1.0 / point.spectrum.eigenvalues[2].real
        facts = [r for r in eq.theory.recovery(data) if r.epoch == k]
        assert [f.last_time for f in facts] == pytest.approx([slowest] * 2, rel=0.03)
        assert [f.slow_time for f in facts] == pytest.approx([slowest] * 2, rel=1e-3)
        assert all(abs(f.completeness - 1.0) < 0.01 for f in facts)
    # The acute change is that of the free network at the old weights.
    free = eq.theory.mean_field(MORE.apply(circuit).with_rules([]))
    np.testing.assert_allclose(data["rate"].values[0], free.rates, rtol=1e-6)
    np.testing.assert_allclose(data["baseline_rate"], eq.theory.mean_field(circuit.with_rules([])).rates, rtol=1e-6)


def test_conserved_quantities_are_kept_over_all_changes(absolute):
    schedule = [eq.During(MORE, 1 * hour, 2 * hour), eq.During(eq.TonicDrive("I", 20.0), 1.5 * hour)]
    data = eq.theory.network_evolve(absolute, duration=3 * hour, schedule=schedule, times=np.linspace(0, 3 * hour, 13))
    assert list(data["start"].values) == [0.0, 1 * hour, 1.5 * hour, 2 * hour]
    assert data["label"].values[0] == "undisturbed"
    w = data["weight"].values
    for a, b in ((0, 2), (3, 5)):
        np.testing.assert_allclose(w[a] - w[b], w[a, 0] - w[b, 0], atol=1e-12)
    edges = np.flatnonzero(np.diff(data["time"].values) == 0.0)
    assert edges.size == 3
    np.testing.assert_allclose(w[:, edges], w[:, edges + 1], rtol=1e-14)  # weights are no part of a manipulation


def test_a_ramp_of_many_steps_is_a_slow_change(relative):
    """A staircase of light is followed epoch by epoch, to first order in 1/steps where a line would lead."""
    light = eq.TonicDrive("E", 30.0)
    ends = []
    for steps in (2, 4, 8):
        ramp = eq.Ramp(light, 0.0, 1 * hour, steps=steps)
        data = eq.theory.network_evolve(relative, duration=1 * hour, schedule=[ramp])
        assert data.sizes["epoch"] == steps
        ends.append(data["weight"].values[:, -1])
    assert data["label"].values[1] == "0.1875 of TonicDrive(population='E', drive=30.0)"
    one, two = (np.abs(a - b).max() for a, b in ((ends[0], ends[1]), (ends[1], ends[2])))
    assert two < 0.7 * one


def test_blocked_receptors_are_compensated_and_come_back(relative):
    block = eq.WeightBlock(source="X", target="E", fraction=0.1)
    data = eq.theory.network_evolve(relative, duration=20 * minute, schedule=[eq.During(block, 0.0, 10 * minute)])
    place = list(data["weight_name"].values).index("J_EX")
    w, before = data["weight"].values[place], abs(relative.weights()[0, 2])
    last = np.flatnonzero(data["epoch_of_time"].values == 0)[-1]
    assert w[0] == pytest.approx(0.9 * before, rel=1e-12)
    assert w[0] < w[last]
    assert w[last + 1] == pytest.approx(w[last] / 0.9, rel=1e-12)
    assert data["rate"].values[last + 1, 0] > 10.0  # what compensated for the block is now too much


def test_strong_light_drives_excitation_to_zero_and_says_so(absolute):
    data = eq.theory.network_evolve(
        absolute, duration=1 * hour, schedule=[eq.During(eq.TonicDrive("E", 2000.0), 0.0)]
    )  # beyond the critical drive of 850.6
    weights = data["weight"].isel(time=-1)
    assert data.attrs["status"] == "WEIGHT_AT_ZERO"
    assert "J_EE, J_EX no longer acts" in data.attrs["message"]
    assert float(weights.sel(weight_name="J_EE")) == 0.0
    assert float(weights.sel(weight_name="J_EX")) == 0.0
    assert (data["weight"].values >= 0.0).all()


def test_rates_that_jump_are_followed_and_named(relative, monkeypatch):
    # Without 30 % of its input E recovers past a fold of the fast dynamics, to saturation and back again.
    monkeypatch.setattr(network_path, "MAX_JUMPS", 2)
    loss = eq.Deafferentation(source="X", target="E", fraction=0.3)
    data = eq.theory.network_evolve(relative, duration=10 * hour, schedule=[eq.During(loss, 0.0)])
    assert data.attrs["status"] == "UNSTABLE"
    assert "relaxation oscillation" in data.attrs["message"]
    rate = data["rate"].values[:, 0]
    jump = int(np.argmax(np.abs(np.diff(np.log(rate)))))
    assert rate[jump] < 10.0 < 200.0 < rate[jump + 1]
    assert data["time"].values[jump] == data["time"].values[jump + 1]
    # Beyond the jump the quiet state is gone; at half of the way there it is still the only one.
    assert data["time"].values[-1] < 1 * hour


def test_recovery_prints_itself_and_names_what_it_knows(relative):
    data = eq.theory.network_evolve(relative, duration=2 * hour, schedule=[eq.During(MORE, 1 * hour)])
    first, *_, last = eq.theory.recovery(data)
    assert "no acute change" in repr(first)
    assert "E in epoch 0 (undisturbed)" in repr(first)
    assert "SourceRate(source='X', rate=14.0)" in repr(last)
    assert last.acute == pytest.approx(13.76, abs=0.01)
    calcium = eq.theory.recovery(data, of="calcium_mean")[-1]
    assert calcium.acute > calcium.before
    with pytest.raises(ValueError, match=r"got 'rates'\. Did you mean 'rate'"):
        eq.theory.recovery(data, of="rates")


def test_a_population_that_does_not_recover_in_time_is_said_to(relative):
    data = eq.theory.network_evolve(relative, duration=1 * minute, schedule=[eq.During(MORE, 0.0)])
    facts = eq.theory.recovery(data)[0]
    assert facts.time == np.inf
    assert "not within the epoch" in repr(facts)


@pytest.mark.parametrize(
    ("schedule", "error", "message"),
    [
        ([MORE], TypeError, r"schedule\[0\] must be an eq.During\(manipulation, start\) or an eq.Ramp, got SourceRate"),
        ([eq.During(eq.SourceRate("Y", rate=1.0))], KeyError, "no population or source is named 'Y'"),
    ],
)
def test_bad_schedules_are_named(relative, schedule, error, message):
    with pytest.raises(error, match=message):
        eq.theory.network_evolve(relative, duration=1.0, schedule=schedule)


def test_a_manipulation_that_removes_a_projection_is_refused(relative):
    class Cut:
        def apply(self, circuit):
            return eq.Circuit(
                populations=circuit.populations,
                sources=circuit.sources,
                projections=circuit.projections[1:],
                rules=circuit.rules,
            )

    with pytest.raises(ValueError, match=r"schedule\[0\] must keep all populations.*Cut removes or adds some"):
        eq.theory.network_evolve(relative, duration=1.0, schedule=[eq.During(Cut(), 0.0)])


def test_a_drive_leaves_the_balanced_limit_and_fades_as_one_over_root_k():
    network = eq.Circuit.example("balanced_network").infinite()
    lit = network.with_node("E", drive=20.0)
    plain, driven = (eq.theory.balanced_limit(c) for c in (network, lit))
    np.testing.assert_array_equal(plain.rates, driven.rates)
    np.testing.assert_array_equal(plain.mu, driven.mu)
    raised = [
        eq.theory.mean_field(lit.scaled(K)).rates[0] - eq.theory.mean_field(network.scaled(K)).rates[0]
        for K in (1e6, 4e6)
    ]
    assert raised[0] > 0.0
    assert raised[0] / raised[1] == pytest.approx(2.0, abs=0.05)
    assert eq.theory.mean_field(lit.scaled(1e4)).status is Status.OK
