"""Slow evolution of rate circuits: closed forms of the E-I pair, folds, both time scales at once, units."""

from dataclasses import dataclass

import numpy as np
import pytest
from rate_circuits import SOLDADO, alone, facts, pair

import equipoise as eq
from equipoise.model.slow_variables import Gain, InputFrom, NetInput, Rate, Threshold, Weight
from equipoise.units import Hz, hour, ms

TAU = 1 * hour
A = eq.InputCentricThreshold("E", set_point=9.8, tau=TAU, reading="A")
B = eq.InputCentricThreshold("E", set_point=9.8, tau=TAU, reading="B")
SOLDADO_D, SOLDADO_G = -1.08, 1.0 / 2.08


# --- equilibria and spectra -------------------------------------------------------------------------------------------
def test_the_example_of_the_derivation():
    circuit = pair(W=(5.0, 1.0, 10.0, 0.5))
    point = eq.rate.equilibrium(circuit, [eq.InputCentricThreshold("E", set_point=7.0, reading="B")])
    np.testing.assert_allclose(point.rates, [3.16, 8.8], rtol=1e-9)
    assert point.values["threshold_E"] == pytest.approx(3.84)
    assert point.status is eq.Status.OK


def test_drive_to_inhibition_moves_the_set_point_and_the_paradox_stays():
    point = eq.rate.equilibrium(pair(**SOLDADO, X=(0.0, 1.0)), [B])
    np.testing.assert_allclose(point.rates, [4.437, 11.407], atol=5e-4)
    assert point.stable


@pytest.mark.parametrize("rule", [A, B], ids=["A", "B"])
def test_the_slow_eigenvalue_of_the_published_network(rule):
    point = eq.rate.equilibrium(pair(**SOLDADO), [rule])
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    sign = -1.0 if rule is A else 1.0
    assert point.slow.eigenvalues[0].real == pytest.approx(sign * known["D"] * known["G"] / TAU, rel=1e-7)
    assert point.status is (eq.Status.OK if rule is B else eq.Status.UNSTABLE)


def test_each_reading_is_stable_for_its_sign_of_the_net_recurrence():
    tried, rng = {True: 0, False: 0}, np.random.default_rng(11)
    while min(tried.values()) < 12:
        W, g = rng.uniform(0.0, 3.0, 4), rng.uniform(0.3, 1.5, 2)
        theta = rng.uniform(0.0, 3.0, 2)
        X = (rng.uniform(4.0, 12.0), rng.uniform(0.0, 4.0))
        circuit = pair(W, g, theta, X)
        states = [s for s in eq.rate.fixed_points(circuit) if s.stable and (s.gains > 0.0).all()]
        D = facts(W, g, theta, X)["D"]
        if not states or abs(D) < 0.02 or tried[D > 0.0] >= 12:
            continue
        tried[D > 0.0] += 1
        h = float(states[-1].inputs[0])
        for reading in ("A", "B"):
            rule = eq.InputCentricThreshold("E", set_point=h, reading=reading)
            point = eq.rate.equilibrium(circuit, [rule], start=states[-1].rates)
            assert point.stable == ((reading == "A") == (D > 0.0))


@dataclass(frozen=True)
class NmdarDrive:
    """Threshold of I follows its excitatory drive: tau dtheta_I/dt = W_IE E - N_set."""

    set_point: float
    tau: float
    scope: str = "population"

    moves = (Threshold("I"),)
    senses = (InputFrom("E", "I"),)

    def rhs(self, values, sensed):
        return ((sensed[0] - self.set_point) / self.tau,)


@pytest.mark.parametrize("reading", ["A", "B"])
def test_two_rules_have_the_slow_matrix_of_the_derivation(reading):
    W, g = SOLDADO["W"], (1.0, 4.0)
    known, tau_2 = facts(W, g, SOLDADO["theta"]), 2.5 * TAU
    rule = eq.InputCentricThreshold("E", set_point=9.8, tau=TAU, reading=reading)
    point = eq.rate.equilibrium(pair(**SOLDADO), [rule, NmdarDrive(50.0, tau_2)])
    s, D, G, w = (1.0 if reading == "A" else -1.0), known["D"], known["G"], known["w"]
    M = [[-s * D * G / TAU, s * w / ((1.0 - D) * TAU)], [-W[2] * G / tau_2, W[2] * G * w / tau_2]]
    wanted = np.linalg.eigvals(M)
    np.testing.assert_allclose(np.sort_complex(point.slow.eigenvalues), np.sort_complex(wanted), rtol=1e-6)
    if reading == "B":  # a saddle at every pair of speeds
        assert point.slow.eigenvalues.real.min() < 0.0 < point.slow.eigenvalues.real.max()


def test_slow_eigenvalues_are_those_of_the_whole_where_time_scales_are_far_apart():
    point = eq.rate.equilibrium(pair(**SOLDADO), [B])
    slowest = point.full.eigenvalues[np.argmin(np.abs(point.full.eigenvalues))]
    assert slowest.real == pytest.approx(point.slow.eigenvalues[0].real, rel=1e-5)


def last(data, time):
    """The index of the report at `time`, at an edge of the one before the change."""
    return int(np.argmin(np.abs(data["time"].values - time)))


# --- paths ------------------------------------------------------------------------------------------------------------
def test_the_threshold_relaxes_exponentially():
    circuit = pair(**SOLDADO, X=(0.0, 1.0))
    data = eq.rate.evolve(circuit, rules=[B], duration=12 * hour)
    theta, t = data["slow"].values[:, 0], data["time"].values
    end = eq.rate.equilibrium(circuit, [B]).values["threshold_E"]
    np.testing.assert_allclose(
        theta - end, (theta[0] - end) * np.exp(SOLDADO_D * SOLDADO_G * t / TAU), rtol=2e-5, atol=1e-6
    )
    np.testing.assert_allclose(data["rate"].values[0], [4.708, 12.923], atol=5e-4)


@pytest.mark.parametrize(
    ("rules", "duration"),
    [([B], 8 * hour), ([eq.OutputCentricThreshold("E", rate=4.0, tau=TAU), NmdarDrive(48.0, -3 * TAU)], 8 * hour)],
)
def test_both_time_scales_together_agree_with_the_quasi_static_path(rules, duration):
    circuit = pair(**SOLDADO, X=(0.5, 1.0))
    apart = eq.rate.evolve(circuit, rules=rules, duration=duration)
    together = eq.rate.evolve(circuit, rules=rules, duration=duration, full=True)
    np.testing.assert_allclose(together["slow"].values, apart["slow"].values, rtol=1e-4)
    np.testing.assert_allclose(together["rate"].values[1:], apart["rate"].values[1:], rtol=1e-3)


def bistable():
    """A softplus population with folds at theta = I + W w log 2 and theta = I + 40 - f^-1(20) + 5 of its threshold."""
    return alone(eq.Softplus(threshold=5.0, width=0.5, max_rate=20 * Hz), 2.0)


def test_a_rule_that_asks_for_an_unstable_state_jumps_at_both_folds():
    rule = eq.OutputCentricThreshold("E", rate=8.0, span=10.0, tau=TAU)
    data = eq.rate.evolve(bistable(), rules=[rule], duration=100 * hour, start=[20.0])
    assert data.attrs["status"] == "UNSTABLE"
    assert "a relaxation oscillation" in data.attrs["message"]
    upper = 40.0 - float(eq.Softplus(width=0.5).required_input(20.0))  # where the ceiling can no longer be sustained
    lower = 2.0 * 0.5 * np.log(2.0)  # where silence can no longer
    jumps = np.array(data.attrs["jumps"])
    places = [last(data, t) for t in jumps]
    np.testing.assert_allclose(data["slow"].values[places, 0], [upper, lower] * 4, atol=1e-4)
    before, after = data["rate"].values[places[:3], 0], data["rate"].values[np.add(places[:3], 1), 0]
    assert (np.abs(before - after) > 15.0).all()
    soon = jumps[:3] + 30.0
    full = eq.rate.evolve(bistable(), rules=[rule], duration=soon[-1], start=[20.0], full=True, times=soon)
    fast = np.array([full["rate"].values[last(full, t), 0] for t in soon])
    assert (np.abs(fast - after) < 0.1 * np.abs(fast - before)).all()


def test_reading_a_runs_away_from_an_inhibition_dominated_state():
    circuit = pair(**SOLDADO, X=(0.0, -0.1))
    data = eq.rate.evolve(circuit, rules=[A], duration=100 * hour)
    assert data.attrs["status"] == "RUNAWAY"
    assert data.attrs["message"] == "a slow variable grows without end."
    assert len(data.attrs["jumps"]) == 1  # to silence, where the threshold grows without end
    assert data["rate"].values[-1].max() == 0.0


def test_a_rate_set_point_is_restored_under_drive_and_after_it():
    rule = eq.OutputCentricThreshold("E", rate=5.0, span=5.0, tau=TAU)
    drive = eq.During(eq.TonicDrive("E", 2.0), 5 * hour, 30 * hour)
    data = eq.rate.evolve(pair(**SOLDADO), rules=[rule], duration=60 * hour, schedule=[drive])
    E = [data["rate"].values[last(data, t), 0] for t in (5 * hour, 30 * hour, 60 * hour)]
    assert E[0] == pytest.approx(5.0, abs=1e-9)
    assert data["rate"].values[last(data, 5 * hour) + 1, 0] > 5.5  # an edge stands twice, before and after the change
    np.testing.assert_allclose(E[1:], 5.0, atol=1e-3)
    moved = data["slow"].values[last(data, 30 * hour), 0]
    assert moved == pytest.approx(6.8, abs=1e-3)  # takes up the drive


def test_a_weight_block_acts_on_the_weight_that_a_rule_moves():
    rule = Scaling(rate=5.0)
    block = eq.During(eq.WeightBlock(source="I", target="E", fraction=0.1), 0.0, 40 * hour)
    data = eq.rate.evolve(pair(**SOLDADO), rules=[rule], duration=41 * hour, schedule=[block])
    weight = data["slow"].sel(variable="weight_EI")
    first = SOLDADO["W"][1]
    assert float(weight[0]) == pytest.approx(0.9 * first)
    before, after = weight.values[last(data, 40 * hour) :][:2]
    assert before == pytest.approx(first, rel=1e-3)  # compensated
    assert after > 1.05 * first  # lifting it leaves too much inhibition


@dataclass(frozen=True)
class Scaling:
    """Inhibitory synaptic scaling: tau dJ_EI/dt = J_EI (r/r* - 1)."""

    rate: float
    tau: float = TAU
    scope: str = "population"

    moves = (Weight("I", "E"),)
    senses = (Rate("E"),)

    def rhs(self, values, sensed):
        return (values[0] * (sensed[0] / self.rate - 1.0) / self.tau,)


@dataclass(frozen=True)
class GainA:
    """Too much net input lowers the gain: tau dg/dt = h_set - h."""

    set_point: float
    scope: str = "population"

    moves = (Gain("E"),)
    senses = (NetInput("E"),)

    def rhs(self, values, sensed):
        return ((self.set_point - sensed[0]) / TAU,)


def test_gain_adaptation_has_the_eigenvalue_of_the_derivation():
    W, g, theta, X = (1.2, 0.5, 1.0, 0.5), (0.8, 1.0), (1.0, 2.0), (6.0, 0.0)
    circuit = pair(W, g, theta, X)
    state, D = eq.rate.fixed_points(circuit)[-1], facts(W, g, theta, X)["D"]
    point = eq.rate.equilibrium(circuit, [GainA(float(state.inputs[0]))])
    wanted = -D * state.rates[0] / (g[0] * (1.0 - g[0] * D)) / TAU
    assert point.slow.eigenvalues[0].real == pytest.approx(wanted, rel=1e-6)


# --- units ------------------------------------------------------------------------------------------------------------
SPREAD = {"E": {"threshold": 0.3}}


def units(**changes):
    return eq.rate.units(pair(**SOLDADO, size=(80, 20), **changes), seed=1, spread=SPREAD)


def test_a_rule_of_each_unit_gives_every_unit_its_rate():
    rule = eq.OutputCentricThreshold("E", rate=5.0, span=2.0, tau=TAU, scope="unit")
    data = eq.rate.evolve(
        units(), rules=[rule], duration=60 * hour, start=[5.0, 14.0], times=np.linspace(0, 60 * hour, 31)
    )
    assert float(data["rate_sd"][0, 0]) > 0.2
    assert float(data["rate_sd"][-1, 0]) < 2e-3
    assert float(data["rate"][-1, 0]) == pytest.approx(5.0, abs=1e-3)


def test_a_rule_of_the_population_moves_all_units_alike():
    rule = eq.OutputCentricThreshold("E", rate=6.0, span=2.0, tau=TAU)
    data = eq.rate.evolve(
        units(), rules=[rule], duration=40 * hour, start=[5.0, 14.0], times=np.linspace(0, 40 * hour, 21)
    )
    assert float(data["rate"][-1, 0]) == pytest.approx(6.0, abs=5e-3)
    assert float(data["rate_sd"][-1, 0]) == pytest.approx(float(data["rate_sd"][0, 0]), rel=0.05)


def test_a_joint_spectrum_of_a_few_units():
    few = eq.rate.units(pair(**SOLDADO, size=(4, 2)), seed=1, spread=SPREAD)
    rule = eq.OutputCentricThreshold("E", rate=5.0, tau=TAU, scope="unit")
    point = eq.rate.equilibrium(few, [rule], start=[5.0, 14.0])
    np.testing.assert_allclose(point.rates[:4], 5.0, rtol=1e-8)
    assert point.stable
    assert "threshold_E[3]" in repr(point)
    # modes that leave the mean alone answer with the gain of a unit, the mean one with that of the network
    wanted = -np.array([1.0, 1.0, 1.0, facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])["G"]]) / (5.0 * TAU)
    np.testing.assert_allclose(np.sort(point.slow.eigenvalues.real), np.sort(wanted), rtol=1e-6)


def test_a_state_that_diverges_is_followed_to_where_it_does():
    """Published speeds of both terms, mostly homeostatic: g_E D reaches 1 while the weights are still on their way."""
    W = (4.6, 1.0857, 10.4, 1.5357)
    circuit = pair(W, theta=(4.8, 25.0), g=(1.0, 4.0))
    parts = (("E", 5.0, 14.0), ("I", 14.0, 5.0))
    rules = [eq.HomeostaticWeights(n, rate=own, speed=0.018) for n, own, _ in parts]
    rules += [eq.CrossHomeostasis(n, rate=other, speed=0.002) for n, _, other in parts]
    now = {"rules": rules, "duration": 3.0, "times": np.linspace(0.0, 3.0, 31)}
    path = eq.rate.evolve(circuit, **now)
    assert path.attrs["status"] == "RUNAWAY"
    assert "the rates grow without end" in path.attrs["message"]
    assert path.time.size > 10
    assert facts(tuple(path.slow.values[-1]), (1.0, 4.0), (4.8, 25.0))["D"] == pytest.approx(1.0, abs=1e-4)
    both = eq.rate.evolve(circuit, full=True, **now)
    assert both.attrs["status"] == "OK"
    assert float(both["rate"].max()) < 1e3


@pytest.mark.parametrize("kind", [eq.Softplus, eq.AbbottChance])
@pytest.mark.parametrize("full", [False, True])
def test_smooth_curves_fall_silent_without_a_number_beyond_all_bounds(kind, full):
    smooth = pair(**SOLDADO)
    for name, neuron in (("E", kind(gain=1.0, threshold=4.8)), ("I", kind(gain=4.0, threshold=25.0, tau=2 * ms))):
        smooth = smooth.with_node(name, neuron=neuron)
    path = eq.rate.evolve(smooth, rules=[B], duration=3 * TAU, start=[0.0, 0.0], times=[0.0, 3 * TAU], full=full)
    assert path.attrs["status"] == "OK"
    assert np.isfinite(path.slow.values).all()
    assert float(path["rate"][-1, 0]) < 1e-6


@pytest.mark.parametrize("away", [-1.0, 1.0, 3.0])
def test_spiking_curves_rest_where_another_input_is_required(away):
    circuit = eq.Circuit.example("balanced_network")
    net = eq.rate.network(circuit)
    h = float(net.required(eq.rate.settle(net, start=[10.0, 10.0]).rates)[0]) + away
    point = eq.rate.equilibrium(circuit, [eq.InputCentricThreshold("E", set_point=h, reading="B")])
    assert point.status is eq.Status.OK
    assert point.system.at(point.z).inputs(point.rates)[0][0] == pytest.approx(h, rel=1e-8)


def test_interruption_keeps_what_was_reported(monkeypatch):
    calls, rhs = [], eq.OutputCentricThreshold.rhs

    def stopping(self, values, sensed):
        calls.append(1)
        if len(calls) > 40:
            raise KeyboardInterrupt
        return rhs(self, values, sensed)

    monkeypatch.setattr(eq.OutputCentricThreshold, "rhs", stopping)
    rule = eq.OutputCentricThreshold("E", rate=6.0, span=2.0, tau=TAU)
    data = eq.rate.evolve(units(), rules=[rule], duration=100 * hour, start=[5.0, 14.0])
    assert data.attrs["status"] == "INTERRUPTED"
    assert 0.0 < float(data["time"][-1]) < 100 * hour


# --- bad input --------------------------------------------------------------------------------------------------------
RULED = eq.Circuit(
    populations=[eq.Population("E", neuron=eq.ThresholdLinear())],
    projections=[],
    rules=[eq.AttachedRule("E", eq.RateHomeostasis())],
)
NOW = {"duration": 1 * hour}
COMPLAINTS = {
    "no rules": (lambda: eq.rate.evolve(pair(), rules=[], **NOW), ValueError, "no rules to evolve under"),
    "a class": (
        lambda: eq.rate.evolve(pair(), rules=[eq.InputCentricThreshold], **NOW), TypeError,
        r"rules\[0\] must be a rule such as eq.InputCentricThreshold",
    ),
    "a stranger": (
        lambda: eq.rate.evolve(pair(), rules=[eq.OutputCentricThreshold("P", rate=5.0)], **NOW), KeyError,
        "no population is named 'P'",
    ),
    "an input that is not there": (
        lambda: eq.rate.evolve(alone(eq.ThresholdLinear(), 0.5), rules=[Unheard()], **NOW), KeyError,
        "no projection I -> E",
    ),
    "calcium": (lambda: eq.rate.evolve(RULED, rules=[A], **NOW), TypeError, "attached to the circuit act on calcium"),
    "a reading": (
        lambda: eq.InputCentricThreshold("E", set_point=1.0, reading="C"), ValueError,
        "InputCentricThreshold.reading must be 'A' or 'B', got 'C'",
    ),
    "a scope": (
        lambda: eq.OutputCentricThreshold("E", rate=1.0, scope="neuron"), ValueError,
        "OutputCentricThreshold.scope must be 'population' or 'unit', got 'neuron'",
    ),
    "units by those of others": (
        lambda: eq.rate.evolve(units(), rules=[NmdarDrive(1.0, TAU, "unit"), Crossed()], **NOW), ValueError,
        r"rules\[1\] moves units of 'I' by what units of 'E' sense",
    ),
    "two scopes": (
        lambda: eq.rate.evolve(
            units(), rules=[A, eq.OutputCentricThreshold("E", rate=1.0, scope="unit")], **NOW
        ), ValueError, "threshold_E is moved at both scopes",
    ),
    "both scales of many": (
        lambda: eq.rate.evolve(units(), rules=[A], full=True, **NOW), ValueError, "full=True is for at most 40 units",
    ),
    "a joint spectrum of many": (
        lambda: eq.rate.equilibrium(units(), [A]), ValueError, "100 units are too many for a joint spectrum",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Unheard:
    """By an input that does not exist."""

    scope: str = "population"
    moves = (Threshold("E"),)
    senses = (InputFrom("I", "E"),)

    def rhs(self, values, sensed):
        return (sensed[0],)


@dataclass(frozen=True)
class Crossed:
    """Units of I by the rates of units of E."""

    scope: str = "unit"
    moves = (Threshold("I"),)
    senses = (Rate("E"),)

    def rhs(self, values, sensed):
        return (sensed[0],)


@pytest.mark.parametrize("name", COMPLAINTS)
def test_complaints(name):
    call, error, message = COMPLAINTS[name]
    with pytest.raises(error, match=message):
        call()


def test_the_slow_ode_starts_at_the_state_asked_for():
    silent = eq.rate.evolve(pair(**SOLDADO), rules=[B], duration=10 * ms, start=[0.0, 0.0])
    assert silent["rate"].values.max() == 0.0
