"""Days of homeostasis with every kind of rule and under schedules, and how they end."""

import functools
import os
import signal
from dataclasses import dataclass, replace

import numpy as np
import pytest
from homeostatic_circuits import BALANCED, CELL, SENSOR, alone, calcium_rules, network

import equipoise as eq
from equipoise.model.kinetics import Pathway, ProteinKinetics
from equipoise.spiking import checkpoint
from equipoise.spiking.evolve import evolve
from equipoise.spiking.homeostasis import Regulator
from equipoise.spiking.pace import Pace
from equipoise.spiking.walk import Walk
from equipoise.units import Hz, hour, minute, ms, second

TARGET = eq.CalciumSetPoint(mean=2.0, second_moment=5.0)
TAUS = {"tau_e": 2 * hour, "tau_i": 1 * hour}


# --- every kind of rule -----------------------------------------------------------------------------------------------
def kinetic(gamma):
    """Proteins that turn over at this rate."""
    return ProteinKinetics(inhibitory=Pathway(gamma=gamma), excitatory=Pathway(order=2, k_on=0.2, gamma=gamma))


def faster(rule, f):
    """The rule with all times f times shorter."""
    own = {}
    if isinstance(rule, eq.AdaptiveCalciumHomeostasis):
        own = {"tau_adapt": rule.tau_adapt / f}
    if isinstance(rule, eq.KineticHomeostasis):
        own = {"proteins": kinetic(rule.proteins.inhibitory.gamma * f)}
    return replace(rule, tau_e=rule.tau_e / f, tau_i=rule.tau_i / f, **own)


RULES = {
    "adaptive": eq.AdaptiveCalciumHomeostasis(SENSOR, TARGET, **TAUS, tau_adapt=2 * hour),
    "kinetic": eq.KineticHomeostasis(SENSOR, TARGET, **TAUS, proteins=kinetic(1 / (10 * minute))),
    "absolute": eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=400 * hour, tau_i=100 * hour, scale="absolute"),
    "rate": eq.RateHomeostasis(target_e=9.0, target_i=9.0, **TAUS),
}


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("scope", ["population", "neuron"])
def test_days_follow_a_slow_simulation_of_every_rule(kind, scope):
    """Twenty minutes against all times 12 times shorter; what moves by p agrees within 5 % of that and the errors."""
    rule, f, span = RULES[kind], 12.0, 20 * minute
    circuit = alone(n=300, rules=[eq.AttachedRule("E", rule, scope=scope)])
    days = evolve(circuit, duration=span, seed=1)
    quick = circuit.with_rules([eq.AttachedRule("E", faster(rule, f), scope=scope)])
    slow = eq.spiking.simulate(quick, duration=span / f, seed=1, warmup=2 * second).homeostasis
    assert days.status is eq.Status.OK
    variables = [str(k) for k in days.data if f"{k}_sd_error" in days.data]
    assert len(variables) == len(rule.variables)
    for name in variables:
        late = days.data.isel(time=days.data.time > 2 * minute)
        expected = np.interp(late.time, f * slow.time, slow[name])
        moved = np.ptp(slow[name].values)
        allowed = 0.05 * moved + 4.0 * late[f"{name}_error"].values + 1e-3 * np.abs(expected)
        assert (np.abs(late[name].values - expected) < allowed).all(), name
        assert late[f"{name}_error"].max() < 0.02 * abs(expected[-1])


def as_function(state, sensed, dt):
    """The relative calcium rule, written by a user."""
    excess = sensed.calcium_mean / TARGET.mean - 1.0
    lack = 1.0 - sensed.calcium_second_moment / TARGET.second_moment
    return {
        "J_EX": state["J_EX"] * np.exp(dt * lack / TAUS["tau_e"]),
        "J_EY": state["J_EY"] * np.exp(dt * excess / TAUS["tau_i"]),
    }


def test_a_function_goes_the_way_of_the_rule_it_writes_down():
    rules = calcium_rules("neuron", {"E": TARGET}, **TAUS)
    same = {"duration": 10 * minute, "seed": 1, "speed": 40.0}
    plan = eq.spiking.Homeostasis(functions={"E": as_function}, sensor=SENSOR)
    by_rule = evolve(alone(n=200, rules=rules), **same).data
    by_function = evolve(alone(n=200), **same, homeostasis=plan).data
    for name in ("J_EX", "J_EY"):
        for end in ("", "_sd", "_sd_error"):
            np.testing.assert_allclose(by_function[name + end], by_rule[name + end], rtol=1e-5)
    assert by_function["threshold_E"].values == pytest.approx(1.0)
    assert (by_function["drive_E_error"].values == 0.0).all()


def test_the_speed_of_a_function_is_found_as_that_of_a_rule():
    """Single weights are probed instead of all that move together: equal up to the noise of a response."""
    plan = eq.spiking.Homeostasis(functions={"E": as_function}, sensor=SENSOR)
    pace, found = Pace(window=3 * second), []
    for circuit, homeostasis in ((alone(rules=calcium_rules("neuron", {"E": TARGET}, **TAUS)), None), (alone(), plan)):
        walk = Walk.blank(eq.spiking.build(circuit, seed=1), pace, 1.0, homeostasis)
        walk.warm_up()
        found.append(walk.fastest_rate())
    assert found[1] == pytest.approx(found[0], rel=0.1)


def intrinsic(state, sensed, dt):
    """Thresholds that hold a rate of 12 Hz, and what a user keeps beside."""
    return {
        "threshold": state["threshold"] + dt * (sensed.rate - 12 * Hz) * 0.02 / hour,
        "spikes": state.get("spikes", 0.0) + dt * sensed.rate,
    }


def test_thresholds_move_by_a_function_over_hours():
    plan = eq.spiking.Homeostasis(functions={"E": intrinsic})
    days = evolve(alone(n=200), duration=3 * hour, seed=1, homeostasis=plan)
    rates = days.data["rate"].sel(population="E")
    assert rates[0] < 10.0
    assert rates[-20:].mean() == pytest.approx(12.0, rel=0.02)
    assert days.data["spikes_E"].values[-1] == pytest.approx(np.trapezoid(rates, days.data.time), rel=0.02)
    assert "threshold_E" in repr(days)


def test_a_function_with_a_memory_of_seconds_is_refused():
    def hasty(state, sensed, dt):
        smooth = state.get("smooth", sensed.rate)
        smooth = smooth + (sensed.rate - smooth) * dt / (2 * second)
        return {"threshold": state["threshold"] + 0.02 * dt / hour * (smooth - 12 * Hz), "smooth": smooth}

    with pytest.raises(
        ValueError, match=r"the rules act within 2 s, near the 300 ms that what they sense takes.* Take slower rules"
    ):
        evolve(alone(n=100), duration=1 * hour, seed=1, homeostasis=eq.spiking.Homeostasis(functions={"E": hasty}))


# --- schedules --------------------------------------------------------------------------------------------------------
TINY = {"duration": 3 * minute, "seed": 3, "pace": Pace(window=200 * ms, settle=100 * ms, warmup=500 * ms)}
SCHEDULE = [
    eq.During(eq.WeightBlock(source="I", target="E", fraction=0.2), 0.5 * minute, 2 * minute),
    eq.Ramp(eq.SourceRate("X", rate=10.5 * Hz), 1 * minute, 1.5 * minute, steps=2),
    eq.During(eq.Deafferentation(source="E", target="I", fraction=0.2), 2.5 * minute),
]


@functools.cache
def undisturbed(scope):
    targets = BALANCED if scope == "population" else dict.fromkeys("EI", CELL)
    circuit = network(n=100, K=25, rules=calcium_rules(scope, targets))
    return evolve(circuit, **TINY, schedule=SCHEDULE), circuit


@pytest.mark.parametrize("scope", ["population", "neuron"])
@pytest.mark.parametrize("at", [0.2, 0.6])
def test_a_run_resumed_under_a_schedule_is_the_whole_run(tmp_path, monkeypatch, scope, at):
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 0.0)
    order = TINY | {"schedule": SCHEDULE}

    def stop(done):
        if done > at:
            raise KeyboardInterrupt

    whole, circuit = undisturbed(scope)
    assert evolve(circuit, **order, checkpoint=tmp_path / "c.npz", progress=stop).status is eq.Status.INTERRUPTED
    again = evolve(circuit, **order, checkpoint=tmp_path / "c.npz")
    assert again.data.drop_attrs().equals(whole.data.drop_attrs())
    np.testing.assert_array_equal(again.end.v, whole.end.v)
    with pytest.raises(ValueError, match="checkpoint of another run"):
        evolve(circuit, **TINY, checkpoint=tmp_path / "c.npz")


def test_ctrl_c_in_the_middle_of_a_move_leaves_no_trace(tmp_path, monkeypatch):
    """The signal falls while a meter takes in a raster: that move is not kept, and the run goes on before it."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 0.0)
    whole, circuit = undisturbed("population")
    plain, calls = Regulator.see, []

    def stopped(self, *rest):
        calls.append(1)
        if len(calls) == 150:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, *rest)

    monkeypatch.setattr(Regulator, "see", stopped)
    order = TINY | {"schedule": SCHEDULE, "checkpoint": tmp_path / "c.npz"}
    part = evolve(circuit, **order)
    monkeypatch.setattr(Regulator, "see", plain)
    assert part.status is eq.Status.INTERRUPTED
    assert len(part.data.time) > 0
    again = evolve(circuit, **order)
    assert again.data.drop_attrs().equals(whole.data.drop_attrs())
    assert again.simulated == whole.simulated


def test_weights_go_on_over_edges_and_compensate_a_block():
    """Without 20 % of the inhibitory receptors rates rise at once; then inhibition grows towards 1/0.8 of itself."""
    circuit = alone(n=300, rules=calcium_rules("population", {"E": TARGET}, **TAUS))
    block = eq.During(eq.WeightBlock(source="Y", target="E", fraction=0.2), 2 * hour)
    days = evolve(circuit, duration=4 * hour, seed=1, schedule=[block])
    data, t = days.data, days.data.time.values
    assert t[t <= 2 * hour][-1] == 2 * hour
    before, after = data.isel(time=t <= 2 * hour), data.isel(time=t > 2 * hour)
    assert after["rate"].values[0, 0] > 1.2 * before["rate"].values[0, -1]
    ends = [x["rate"].values[0, -10:].mean() for x in (before, after)]  # a window has 2500 spikes
    assert ends[1] == pytest.approx(ends[0], rel=0.03)
    assert abs(after["J_EY"].values[0] / before["J_EY"].values[-1] - 1.0) < 0.03
    ratio = (data["J_EY"] / data["J_EX"]).values
    assert 1.0 + 0.7 * 0.25 < ratio[-1] / ratio[t == 2 * hour].item() < 1.0 / 0.8


def test_the_speed_falls_where_a_manipulation_makes_the_rules_faster():
    """Neurons with weights of their own that hardly fire; more input makes calcium answer four times as strongly."""
    rules = calcium_rules("neuron", {"E": TARGET}, **TAUS)
    pace = Pace(warmup=500 * ms)
    more, circuit = (
        eq.During(eq.SourceRate("X", rate=11 * Hz), 2 * minute),
        alone(n=200, rules=rules, excitation=9 * Hz),
    )
    plain, driven = (evolve(circuit, duration=4 * minute, seed=1, pace=pace, schedule=s) for s in ((), (more,)))
    assert plain.data["speed"].values[:-1] == pytest.approx(plain.speeds[1], rel=1e-9)
    assert driven.speeds == plain.speeds
    late = driven.data["speed"].values[driven.data.time > 2.2 * minute][:-1]
    assert (late < 0.5 * plain.speeds[1]).all()
    assert np.ptp(late) < 1e-9 * late[0]


# --- how runs end -----------------------------------------------------------------------------------------------------
def test_a_network_that_is_silent_is_told():
    days = evolve(alone(n=100, weights=(0.01, 0.03), rules=calcium_rules(targets={"E": CELL})), duration=300.0, seed=1)
    assert days.status is eq.Status.SILENT
    assert days.message == "population 'E' does not fire at the end."
    assert days.data["J_EX"].values[-1] > days.data["J_EX"].values[0]


@dataclass(frozen=True)
class Turned:
    """The calcium rules with both signs wrong: what fires too much is excited more."""

    right: eq.CalciumHomeostasis
    variables = ("j_e", "j_i")
    scale = "relative"

    @property
    def senses(self):
        return self.right.senses

    def rhs(self, state, sensed):
        return -self.right.rhs(state, sensed)


def test_a_disturbance_that_grows_is_told():
    circuit = alone(
        n=300,
        weights=(0.0395, 0.0235),
        rules=[eq.AttachedRule("E", Turned(eq.CalciumHomeostasis(SENSOR, TARGET, **TAUS)))],
    )
    days = evolve(circuit, duration=5 * minute, seed=1)
    assert days.status is eq.Status.UNSTABLE
    assert "a disturbance of the weights grows e-fold in" in days.message


def test_population_means_asked_of_every_cell_of_a_network_are_told():
    """The second moment of a population is that of cells with different rates; each cell alone cannot reach it."""
    circuit = network(n=150, K=50, rules=calcium_rules("neuron", BALANCED, **TAUS))
    days = evolve(circuit, duration=4 * hour, seed=1)
    assert days.status is eq.Status.RUNAWAY
    assert "at neuron scope: calcium " in days.message
    assert "Mean moments of different cells may be out of reach of each one; take a SetPoint(rate, cv)" in days.message


def test_rules_in_volts_that_act_within_seconds_cycle_in_spikes_and_are_refused():
    """tau = 60 and 30 s at absolute scale: weights swing and populations fall silent within seconds, and again."""
    rules = calcium_rules(scale="absolute", tau_e=60.0, tau_i=30.0)
    circuit = network(n=300, K=100, factor=0.6, rules=rules)
    late = eq.spiking.simulate(circuit, duration=20 * second, seed=1).homeostasis.isel(time=slice(20, None))
    assert np.ptp(late["J_EI"].values) > 0.2 * late["J_EI"].mean()
    assert (late["rate"].values == 0.0).mean() > 0.1
    with pytest.raises(
        ValueError, match=r"the rules act within 0.* s, near the 300 ms that what they sense takes; there is no slow"
    ):
        evolve(circuit, duration=1 * hour, seed=1)


def test_a_speed_that_brings_weights_near_calcium_is_refused_at_absolute_scale():
    """The same rules a thousand times slower."""
    rules = calcium_rules("neuron", dict.fromkeys("EI", CELL), scale="absolute", tau_e=6e4, tau_i=3e4)
    with pytest.raises(ValueError, match=r"evolve.speed must be at most \d.*: the fastest mode of the rules takes"):
        evolve(network(n=150, K=50, rules=rules), duration=1 * hour, seed=1, speed=2000.0)


# --- before a run -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scope", ["population", "neuron"])
def test_the_cost_is_known_before(scope):
    targets = {"E": TARGET if scope == "population" else CELL}
    order = {"duration": (6 if scope == "population" else 0.5) * hour, "seed": 1, "pace": Pace(warmup=500 * ms)}
    circuit = alone(n=60, weights=(0.045, 0.028), rules=calcium_rules(scope, targets, **TAUS))
    cost = eq.spiking.evolve_cost(circuit, **order)
    days = evolve(circuit, **order)
    assert cost.speeds == days.speeds
    assert cost.simulated == pytest.approx(days.simulated, rel=0.3)
    assert cost.wall > 0.0
    assert 1e5 < cost.memory < 1e8
    assert repr(cost).startswith(f"EvolutionCost({order['duration'] / hour:g} h at speeds ")
    with pytest.raises(ValueError, match="evolve: the circuit has no rules"):
        eq.spiking.evolve_cost(alone(), **order)
