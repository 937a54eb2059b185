"""Manipulations while spikes run: only what is manipulated changes, all else goes on, and cuts leave no trace."""

import os
import signal
from dataclasses import dataclass, replace

import numpy as np
import pytest
from homeostatic_circuits import LIF, alone, calcium_rules, network

import equipoise as eq
from equipoise.spiking.homeostasis import Regulator
from equipoise.spiking.stages import Stages, apart_of
from equipoise.units import Hz, ms, second

RULES = {"tau_e": 200.0, "tau_i": 100.0}
BLOCK = eq.WeightBlock(source="I", target="E", fraction=0.4)
LOSS = eq.Deafferentation(source="E", target="I", fraction=0.5)
SCHEDULE = [
    eq.During(eq.SourceRate("X", rate=11 * Hz), 0.1, 0.5),
    eq.During(BLOCK, 0.25, 0.75),
    eq.During(LOSS, 0.3, 0.6),
    eq.During(eq.Irregularity("X", fano=1.5), 0.2),
    eq.Ramp(eq.TonicDrive("E", 10.0), 0.4, 0.7, until=0.8, steps=3),
]


def ruled(scope="neuron", **options):
    return network(n=300, K=60, rules=calcium_rules(scope, **(RULES | options)))


def counts(run, begin, end):
    """Spikes of each population between two times."""
    edges = (np.arange(run.counts.shape[1]) + 0.5) * run.bin
    return run.counts[:, (edges > begin) & (edges < end)].sum(axis=1)


# --- what a stage is --------------------------------------------------------------------------------------------------
def test_lost_inputs_are_a_part_of_those_that_were_there_and_come_back():
    net = eq.spiking.build(network(n=400, K=60), seed=2)
    stages = Stages.of(net, [eq.During(LOSS, 1.0, 2.0)], 3.0)
    during = stages.network_at(1.0)
    before, after = ({*zip(*n.synapses("E", "I"), strict=True)} for n in (net, during))
    assert after < before
    assert len(after) / len(before) == pytest.approx(0.5, abs=5 * np.sqrt(0.25 / len(before)) + 2e-3)
    lost = np.bincount([post for _, post in before - after], minlength=400)
    assert lost.std() < np.sqrt(lost.mean())
    assert stages.network_at(2.0) is net
    for pair in (("E", "E"), ("I", "I"), ("I", "E")):
        np.testing.assert_array_equal(net.synapses(*pair), during.synapses(*pair))


def test_a_block_of_one_of_two_equal_projections_weighs_that_one_alone():
    populations = [eq.Population(name, size=60, neuron=LIF) for name in "ABT"]
    both = [eq.Projection(source=s, target="T", weight=0.01, in_degree=10) for s in "AB"]
    circuit = eq.Circuit(populations=populations, projections=both)
    block = [eq.During(eq.WeightBlock(source="B", target="T", fraction=0.5))]
    with pytest.raises(
        ValueError, match=r"A -> T and B -> T have equal weights and share one array, .*apart=\[\('B', "
    ):
        Stages.of(eq.spiking.build(circuit, seed=1), block, 1.0)
    net = eq.spiking.build(circuit, seed=1, apart=apart_of(circuit, block))
    weights = Stages.of(net, block, 1.0).network_at(0.0).weights[:, net.layout.neurons(2).start]
    np.testing.assert_allclose(weights, [0.01, 0.005], rtol=1e-6)


def test_a_drive_of_the_circuit_drives():
    """An LIF above threshold fires every tau_ref + tau log(I tau/(I tau - theta))."""
    drive = 150.0
    circuit = eq.Circuit(populations=[eq.Population("E", size=20, neuron=LIF, drive=drive)], projections=[])
    run = eq.spiking.simulate(circuit, duration=2 * second, seed=1)
    interval = LIF.tau_ref + LIF.tau_m * np.log(drive * LIF.tau_m / (drive * LIF.tau_m - 1.0))
    assert run.rates[0] == pytest.approx(1 / (interval + 0.05 * ms), rel=0.01)


def test_irregular_counts_have_the_effect_of_gaussian_noise_of_that_variance():
    """Rates with F = 3 against white noise; five standard errors of 500 neurons in 4 s, and shot noise 3 %."""
    circuit = alone(n=500, K=1000, weights=(0.02, 0.012)).with_node("X", fano=3.0)
    rates = [
        eq.spiking.run(eq.spiking.build(circuit, seed=s, noise=noise), duration=4 * second, warmup=200 * ms).rates[0]
        for s, noise in ((1, "poisson"), (2, "gaussian"))
    ]
    error = np.sqrt(2.0 * rates[0] / (500 * 4.0))
    assert rates[0] == pytest.approx(rates[1], abs=5 * error + 0.03 * rates[1])
    plain = eq.spiking.simulate(circuit.with_node("X", fano=1.0), duration=4 * second, seed=3).rates[0]
    assert rates[0] > plain + 20 * error


# --- runs -------------------------------------------------------------------------------------------------------------
def test_until_it_acts_a_schedule_changes_nothing_and_then_only_what_it_says():
    circuit = network(n=300, K=60)
    whole = eq.spiking.simulate(circuit, duration=1.0, seed=4, warmup=200 * ms, schedule=SCHEDULE[:1])
    plain = eq.spiking.simulate(circuit, duration=1.0, seed=4, warmup=200 * ms)
    np.testing.assert_array_equal(whole.steps[whole.steps < 1000], plain.steps[plain.steps < 1000])
    assert (counts(whole, 0.1, 0.5) > 1.05 * counts(plain, 0.1, 0.5)).all()
    assert whole.circuit == circuit
    assert whole.provenance.schedule[0].startswith("During(manipulation=SourceRate(source='X', rate=11.0), start=0.1")


@pytest.mark.parametrize("scope", ["population", "neuron"])
@pytest.mark.parametrize("cut", [0.25, 0.5, 0.52])
def test_a_cut_run_is_the_whole_run(scope, cut):
    """At an edge, at another one, and between; slow windows of 100 ms, blocked weights and lost synapses."""
    circuit = ruled(scope)
    net = eq.spiking.build(circuit, seed=4, apart=apart_of(circuit, SCHEDULE))
    plan = eq.spiking.Homeostasis(window=100 * ms)
    whole = eq.spiking.run(net, duration=1.0, homeostasis=plan, schedule=SCHEDULE)
    first = eq.spiking.run(net, duration=cut, homeostasis=plan, schedule=SCHEDULE)
    rest = [shifted(timed, cut) for timed in SCHEDULE if ending(timed) > cut]
    later = eq.spiking.run(net, duration=1.0 - cut, start=first.end, homeostasis=plan, schedule=rest)
    np.testing.assert_array_equal(np.concatenate([first.steps, later.steps + round(cut * 1e4)]), whole.steps)
    for name, values in whole.slow_variables["E"].items():
        np.testing.assert_array_equal(later.slow_variables["E"][name], values)


def ending(timed):
    return timed.until if isinstance(timed, eq.Ramp) else timed.stop


def shifted(timed, by):
    """The same schedule on a clock that starts later; what is left of a staircase as a staircase."""
    if isinstance(timed, eq.During):
        return replace(timed, start=max(0.0, round(timed.start - by, 9)), stop=timed.stop - by)
    return Shifted(timed, by)


def Shifted(timed, by):
    @dataclass(frozen=True)
    class Late(eq.Ramp):
        @property
        def changes(self):
            return tuple(round(t - by, 9) for t in timed.changes if t > by)

        def applied(self, circuit, time):
            return timed.applied(circuit, time + by + 1e-9)

    return Late(timed.manipulation, 0.0, 1.0)


def test_homeostasis_keeps_its_own_weights_under_a_block():
    """The block acts at once and by its factor; what homeostasis holds moves as without an edge."""
    circuit = ruled("population")
    net = eq.spiking.build(circuit, seed=4)
    free = eq.spiking.run(net, duration=0.3)
    blocked = eq.spiking.run(net, duration=0.3, schedule=[eq.During(BLOCK, 0.2)])
    at = blocked.slow_variables["E"]["J_EI"]
    assert at == pytest.approx(free.slow_variables["E"]["J_EI"], rel=5e-3)
    stage = Stages.of(net, [eq.During(BLOCK)], 1.0).network_at(0.0)
    now = Regulator(stage, eq.spiking.Homeostasis(), blocked.end).network
    assert now.weights[1, 0] == np.float32(-0.6 * at[0])
    again = eq.spiking.run(net, duration=0.1 * ms, start=blocked.end)
    np.testing.assert_array_equal(again.slow_variables["E"]["J_EI"], at)


def test_an_absolute_rule_adds_to_the_weight_that_acts():
    """dJ = h error/tau on (1 - f) J, so that J grows by that over 1 - f."""
    rule = eq.CalciumHomeostasis(eq.Calcium(), eq.CalciumSetPoint(mean=2.0, second_moment=6.0), scale="absolute")
    circuit = alone(n=20, rules=[eq.AttachedRule("E", rule)])
    net = eq.spiking.build(circuit, seed=1)
    stages = Stages.of(net, [eq.During(eq.WeightBlock(source="Y", target="E", fraction=0.75))], 1.0)
    moved = []
    for n in (net, stages.network_at(0.0)):
        regulator = Regulator(n, eq.spiking.Homeostasis(), eq.spiking.run(net, duration=0.1 * ms).end)
        regulator.step({"E": np.array([[2.5], [6.0]])}, 10.0)
        moved.append(regulator.values["E"]["J_EY"][0] - 0.0235)
    assert moved[1] == pytest.approx(4 * moved[0], rel=1e-9)


def test_functions_own_their_drive_and_a_manipulation_adds_to_it():
    def hold(state, sensed, dt):
        return {"drive": state["drive"] + 1.0}

    net = eq.spiking.build(alone(n=20), seed=1)
    plan = eq.spiking.Homeostasis(functions={"E": hold}, window=10 * ms)
    run = eq.spiking.run(
        net, duration=0.1, homeostasis=plan, schedule=[eq.During(eq.TonicDrive("E", 50.0), 0.02, 0.05)]
    )
    np.testing.assert_allclose(run.slow_variables["E"]["drive"], 10.0, rtol=1e-6)


# --- what cannot be followed ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Other:
    """Any change of a circuit."""

    change: object

    def apply(self, circuit):
        return self.change(circuit)


DENSE = network(n=100, K=60)


@pytest.mark.parametrize(
    ("schedule", "error", "message"),
    [
        ([eq.During(Other(lambda c: c.with_node("E", size=70)))], ValueError, "may change the drive .* else of 'E'"),
        (
            [eq.During(Other(lambda c: c.with_projection("E", "I", delay=1 * ms)))],
            ValueError,
            "weight and in-degree of E -> I while it runs, but not its sign, delay, synapse or plasticity",
        ),
        ([eq.During(Other(lambda c: c.with_rules([])))], ValueError, "but not which populations have rules"),
        (
            [eq.During(Other(lambda c: c.with_projection("E", "I", connectivity=eq.FixedInDegree(9))))],
            ValueError,
            "may not change the kind of connectivity of E -> I",
        ),
        ([eq.During(eq.Irregularity("X", fano=0.01))], ValueError, "at least 0.* got 0.01. Take noise='gaussian'"),
        (
            [LOSS],
            TypeError,
            r"spiking: schedule\[0\] must be an eq.During\(manipulation, start\) or an eq.Ramp, got Dea",
        ),
        (eq.During(LOSS), TypeError, r"spiking: schedule must be a list such as \[eq.During"),
    ],
)
def test_what_spikes_cannot_follow_is_named_before_the_run(schedule, error, message):
    with pytest.raises(error, match=message):
        eq.spiking.simulate(ruled(), duration=1.0, seed=1, schedule=schedule)


def test_synapses_of_dense_or_given_graphs_cannot_be_taken_away():
    with pytest.raises(ValueError, match="E -> I connects more than half of all possible pairs"):
        eq.spiking.simulate(DENSE, duration=1.0, seed=1, schedule=[eq.During(LOSS)])
    given = eq.spiking.Wiring(explicit={("E", "I"): np.eye(100, dtype=int)})
    net = eq.spiking.build(DENSE, seed=1, wiring=given)
    with pytest.raises(ValueError, match="synapses of E -> I are given one by one"):
        eq.spiking.run(net, duration=1.0, schedule=[eq.During(LOSS)])


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("inside", ["see", "measure", "forget"])
def test_ctrl_c_in_the_middle_of_the_books_leaves_them_whole(monkeypatch, inside):
    """The signal falls after one population's meter has taken in the raster and before the next one's."""
    net = eq.spiking.build(ruled("neuron"), seed=4)
    whole = eq.spiking.run(net, duration=0.8)
    plain, calls = getattr(Regulator, inside), []

    def stopped(self, *rest):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, *rest)

    monkeypatch.setattr(Regulator, inside, stopped)
    first = eq.spiking.run(net, duration=0.8)
    monkeypatch.undo()
    done = round(first.duration * 1e4)
    assert first.status is eq.Status.INTERRUPTED
    assert 0 < done < 8000
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    later = eq.spiking.run(net, duration=0.8 - first.duration, start=first.end)
    np.testing.assert_array_equal(np.concatenate([first.steps, later.steps + done]), whole.steps)
    np.testing.assert_array_equal(first.counts.sum(axis=1) + later.counts.sum(axis=1), whole.counts.sum(axis=1))
    for name, values in whole.slow_variables["I"].items():
        np.testing.assert_array_equal(later.slow_variables["I"][name], values)
