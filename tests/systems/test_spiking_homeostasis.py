"""Homeostasis inside simulations: exact steps, invariants, repeatability, and where single-cell theory says it ends."""

import numpy as np
import pytest
from homeostatic_circuits import BALANCED, CELL, LIF, SENSOR, alone, calcium_rules, network
from scipy.integrate import solve_ivp

import equipoise as eq
from equipoise.spiking import slow
from equipoise.spiking.homeostasis import Homeostasis, Regulator
from equipoise.spiking.kernel import begin
from equipoise.units import Hz, hour, ms, second

TARGET = BALANCED["E"]


# --- one step of the slow variables -----------------------------------------------------------------------------------
KINDS = {
    "relative": eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=40.0, tau_i=20.0),
    "absolute": eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=4e3, tau_i=2e3, scale="absolute"),
    "rate": eq.RateHomeostasis(target_e=8.0, target_i=8.0, tau_e=40.0, tau_i=20.0),
    "kinetic": eq.KineticHomeostasis(SENSOR, TARGET, tau_e=400.0, tau_i=200.0),
}


def group_of(rule, scope="population"):
    net = eq.spiking.build(alone(n=20, rules=[eq.AttachedRule("E", rule, scope=scope)]), seed=1)
    regulator = Regulator(net, Homeostasis(), begin(net))
    return regulator.groups[0], regulator.values["E"], net


def solved(rule, group, values, sensed, h):
    """The slow variables after h by a solver of high order, in the order of the rule."""
    x0 = [values[k][0] for k in ("J_EX", "J_EY", *group.extras)]
    return solve_ivp(lambda _, x: rule.rhs(x, sensed[:, 0]), (0.0, h), x0, rtol=1e-12, atol=1e-15).y[:, -1]


def stepped(group, values, sensed, h, n):
    """The same by n steps."""
    for _ in range(n):
        values = group.step(values, sensed, h / n)
    return np.array([values[k][0] for k in ("J_EX", "J_EY", *group.extras)])


@pytest.mark.parametrize("kind", ["relative", "absolute", "rate"])
@pytest.mark.parametrize("h", [0.1, 30.0])
def test_a_step_solves_the_rule_with_what_is_sensed_held_fixed(kind, h):
    group, values, _ = group_of(KINDS[kind])
    sensed = np.array([[9.0]]) if kind == "rate" else np.array([[2.3], [5.0]])
    exact = solved(KINDS[kind], group, values, sensed, h)
    np.testing.assert_allclose(stepped(group, values, sensed, h, 1), exact, rtol=1e-9)


def test_proteins_relax_exactly_and_weights_follow_to_first_order():
    group, values, _ = group_of(KINDS["kinetic"])
    values |= {"p_e": np.array([5.5]), "p_i": np.array([2.2])}
    h, sensed = 30.0, np.array([[0.2], [0.05]])
    exact = solved(KINDS["kinetic"], group, values, sensed, h)
    one, two = (np.abs(stepped(group, values, sensed, h, n) - exact) for n in (20, 40))
    np.testing.assert_allclose(one[2:], 0.0, atol=1e-9)
    np.testing.assert_allclose(one[:2] / two[:2], 2.0, rtol=0.02)


def test_adaptive_set_points_conserve_weights_against_targets():
    """tau_e J_E + tau_adapt target is conserved by the additive rule (Eq. 35), up to the step of the relaxation."""
    rule = eq.AdaptiveCalciumHomeostasis(SENSOR, TARGET, tau_e=4e5, tau_i=2e5, scale="absolute", tau_adapt=1000.0)
    group, values, _ = group_of(rule)
    h, sensed = 0.1, np.array([[2.3], [5.0]])
    after = group.step(values, sensed, h)
    gained = rule.tau_e * (after["J_EX"] - values["J_EX"])
    lost = -rule.tau_adapt * (after["target_second_moment"] - values["target_second_moment"])
    np.testing.assert_allclose(gained, lost, rtol=h / rule.tau_adapt)
    assert gained[0] > 0.0


def test_weights_stop_at_zero():
    rule = eq.CalciumHomeostasis(SENSOR, TARGET, tau_e=1.0, tau_i=1.0, scale="absolute")
    group, values, _ = group_of(rule)
    after = group.step(values, np.array([[0.0], [50.0]]), 1.0)
    assert after["J_EX"] == after["J_EY"] == 0.0


@pytest.mark.parametrize("synapse", [eq.DeltaSynapse(), eq.ExponentialSynapse(5 * ms)])
def test_slow_arrays_reach_the_step_and_come_back(synapse):
    circuit = network(n=50, K=10, synapse=synapse)
    net = slow.own_arrays(eq.spiking.build(circuit, seed=1))
    assert slow.weights_of(net, 0)[0].read(net)[7] == circuit.projection("E", "E").weight
    for slot in (*slow.weights_of(net, 0), *slow.intrinsic_of(net, 0)):
        wanted = np.linspace(0.5, 1.5, 50)
        slot.write(net, wanted)
        reached = slot.reaches if isinstance(slot, slow.SourceWeight) else np.full(50, True)
        np.testing.assert_allclose(slot.read(net)[reached], wanted[reached], rtol=1e-6)
    assert (net.weights[0, :50] > 0).all()
    assert (net.weights[1, :50] < 0).all()
    assert (net.weights[:, 512:] == eq.spiking.build(circuit, seed=1).weights[:, 512:]).all()


# --- runs -------------------------------------------------------------------------------------------------------------
FAST = {"tau_e": 200.0, "tau_i": 100.0}


def small(scope, **options):
    targets = BALANCED if scope == "population" else {"E": CELL, "I": CELL}
    return network(n=300, K=60, rules=calcium_rules(scope, targets, **(FAST | options)))


@pytest.mark.parametrize("scope", ["population", "neuron"])
def test_threads_change_nothing(scope):
    runs = [eq.spiking.simulate(small(scope), duration=300 * ms, seed=4, warmup=100 * ms, threads=n) for n in (1, 2, 3)]
    for other in runs[1:]:
        np.testing.assert_array_equal(runs[0].steps, other.steps)
        for name, values in runs[0].slow_variables["E"].items():
            np.testing.assert_array_equal(values, other.slow_variables["E"][name])
    assert runs[0].slow_variables["E"]["J_EI"].size == (1 if scope == "population" else 300)


@pytest.mark.parametrize("kind", [eq.CalciumHomeostasis, eq.AdaptiveCalciumHomeostasis, eq.KineticHomeostasis])
def test_a_run_in_pieces_is_the_run_in_one_piece(kind):
    """Cut where no slow window ends."""
    net = eq.spiking.build(small("neuron", kind=kind), seed=4)
    whole = eq.spiking.run(net, duration=1.5 * second)
    first = eq.spiking.run(net, duration=0.4 * second)
    later = eq.spiking.run(net, duration=1.1 * second, start=first.end)
    np.testing.assert_array_equal(np.concatenate([first.steps, later.steps + 4000]), whole.steps)
    for name, values in whole.slow_variables["I"].items():
        np.testing.assert_array_equal(later.slow_variables["I"][name], values)
    assert len(first.slow) + len(later.slow) == len(whole.slow) == 5


def test_the_history_is_what_the_trains_say():
    run = eq.spiking.simulate(small("population"), duration=1.2 * second, seed=2, warmup=0.0)
    data, trains = run.homeostasis, run.spikes_of("E")
    counts = np.histogram(trains.times - 1e-9, bins=[-1.0, *data.time.values])[0]  # a spike may end a window
    np.testing.assert_allclose(data["rate"].sel(population="E"), counts / (300 * 0.3))
    mean, second_moment = eq.renewal.calcium_moments_of(SENSOR, trains)
    np.testing.assert_allclose(data["calcium_mean"].sel(population="E").mean(), mean.mean(), rtol=1e-10)
    np.testing.assert_allclose(
        data["calcium_second_moment"].sel(population="E").mean(), second_moment.mean(), rtol=1e-10
    )
    assert data["J_EI"].attrs["units"] == "V"
    assert data["J_EI"].values[-1] == run.slow_variables["E"]["J_EI"][0]
    assert "J_EI" in repr(run)


def test_weights_stay_during_the_warmup():
    run = eq.spiking.simulate(small("population"), duration=0.3 * second, seed=2, warmup=1 * second)
    free = eq.spiking.simulate(network(n=300, K=60), duration=0.3 * second, seed=2, warmup=1 * second)
    np.testing.assert_array_equal(run.steps, free.steps)
    assert len(run.slow) == 1


def test_rate_rules_conserve_their_line():
    """tau_E J_E + tau_I J_I of one population under rate rules with equal targets (Sec. 2.1)."""
    rule = eq.RateHomeostasis(target_e=10.0, target_i=10.0, tau_e=3e4, tau_i=2e4, scale="absolute")
    circuit = alone(n=300, rules=[eq.AttachedRule("E", rule)])
    data = eq.spiking.simulate(circuit, duration=3 * second, seed=1).homeostasis
    line = rule.tau_e * data["J_EX"] + rule.tau_i * data["J_EY"]
    np.testing.assert_allclose(line, rule.tau_e * 0.039 + rule.tau_i * 0.0235, rtol=1e-12)
    np.testing.assert_allclose(line, line[0], rtol=1e-13)
    assert np.ptp(data["J_EX"].values) > 1e-6


def test_relative_rules_conserve_the_ratio_of_excitatory_weights():
    data = eq.spiking.simulate(small("population"), duration=3 * second, seed=1).homeostasis
    np.testing.assert_allclose(data["J_IE"] / data["J_IX"], 1.25, rtol=1e-12)
    assert np.ptp(data["J_IE"].values) > 1e-4


def test_absolute_rules_conserve_their_difference():
    circuit = small("population", scale="absolute", tau_e=3e4, tau_i=2e4)
    data = eq.spiking.simulate(circuit, duration=3 * second, seed=1).homeostasis
    np.testing.assert_allclose(data["J_IE"] - data["J_IX"], data["J_IE"][0] - data["J_IX"][0], rtol=1e-12)


def test_a_rule_as_a_function_is_the_rule():
    """The calcium rule written out as a function, one window after the other."""
    mean, second_moment = eq.renewal.moments_at(LIF, SENSOR, CELL)

    def rule(state, sensed, dt):
        e = np.exp(dt / 200.0 * (second_moment - sensed.calcium_second_moment) / second_moment)
        i = np.exp(dt / 100.0 * (sensed.calcium_mean - mean) / mean)
        return {name: state[name] * (i if name.endswith("I") else e) for name in state if name.startswith("J_")}

    plain = eq.spiking.build(network(n=300, K=60), seed=4)
    functions = eq.spiking.Homeostasis(functions={"E": rule, "I": rule}, sensor=SENSOR)
    ours = eq.spiking.run(plain, duration=1.5 * second, homeostasis=functions)
    theirs = eq.spiking.run(eq.spiking.build(small("neuron"), seed=4), duration=1.5 * second)
    for name, values in theirs.slow_variables["E"].items():
        np.testing.assert_allclose(ours.slow_variables["E"][name], values, rtol=1e-9)


def test_a_function_can_move_thresholds_and_keep_variables_of_its_own():
    """Intrinsic homeostasis: thresholds rise with the rate until all neurons fire at 5 Hz."""

    def rule(state, sensed, dt):
        smooth = state.get("smooth", sensed.rate)
        smooth = smooth + (sensed.rate - smooth) * dt / 2.0
        return {"threshold": state["threshold"] + 2e-3 * dt * (smooth - 5.0) * 10.0, "smooth": smooth}

    net = eq.spiking.build(alone(n=400), seed=1)
    first = eq.spiking.run(net, duration=25 * second, homeostasis=Homeostasis(functions={"E": rule}))
    run = eq.spiking.run(net, duration=10 * second, start=first.end, homeostasis=Homeostasis(functions={"E": rule}))
    assert run.rates[0] == pytest.approx(5.0, rel=0.03)
    thresholds = run.slow_variables["E"]["threshold"]
    assert thresholds.mean() > 1.02
    assert {"threshold_E", "smooth_E", "drive_E"} <= set(run.homeostasis.data_vars)


# --- where the rules take neurons -------------------------------------------------------------------------------------
def test_neurons_reach_the_set_point_of_single_cell_theory():
    """Unconnected neurons, each with its own weights, under more excitation than their weights were made for.

    The rate and calcium return within the errors of the run; inhibition has to grow as theory says, within the 3 % that
    jumps of finite size and the time step are worth here.
    """
    target = eq.SetPoint(rate=10 * Hz, cv=0.8)
    rule = eq.CalciumHomeostasis(SENSOR, target, **FAST)
    cell = eq.DrivenNeuron(LIF, eq.PoissonInputs(K=400, rate=10 * Hz), eq.PoissonInputs(K=400, rate=10 * Hz))
    point = eq.theory.equilibrium(cell, rule)
    circuit = alone(weights=(point.j_e, 0.96 * point.j_i), rules=[eq.AttachedRule("E", rule, scope="neuron")])
    net = eq.spiking.build(circuit, seed=1)
    before = eq.spiking.run(net, duration=1 * second, warmup=1 * second)
    settled = eq.spiking.run(net, duration=40 * second, start=before.end)
    run = eq.spiking.run(net, duration=30 * second, start=settled.end)
    moments = eq.renewal.moments_at(LIF, SENSOR, target)
    assert before.rates[0] > 1.15 * target.rate
    assert run.rates[0] == pytest.approx(target.rate, rel=0.03)
    assert run.cvs[0] == pytest.approx(0.8, abs=0.03)
    assert float(run.homeostasis["calcium_mean"].mean()) == pytest.approx(moments[0], rel=0.01)
    weights = run.slow_variables["E"]
    assert weights["J_EX"].mean() == pytest.approx(point.j_e, rel=0.03)
    assert weights["J_EY"].mean() == pytest.approx(point.j_i, rel=0.03)


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Homeostasis(window=0.0),
            ValueError,
            r"Homeostasis.window \(slow window\) must lie in \(0, 60000\] ms",
        ),
        (lambda: Homeostasis(functions={"E": 3}), TypeError, r"Homeostasis.functions\['E'\] must be a function, got 3"),
        (
            lambda: go(network(n=50, K=10), functions={"A": lambda *_: {}}),
            ValueError,
            "Homeostasis.functions: no population is named 'A'. Known: E, I",
        ),
        (
            lambda: go(small("neuron"), functions={"E": lambda *_: {}}),
            ValueError,
            "population 'E' has a rule in the circuit. Leave one out",
        ),
        (
            lambda: go(small("neuron"), window=0.25 * ms),
            ValueError,
            "Homeostasis.window must be a multiple of dt=0.1 ms, got 0.25 ms. Take 0.2",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: 3}),
            TypeError,
            r"functions\['E'\]: must return a dict of arrays, got int",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: {"J_EE": np.zeros(3)}}),
            ValueError,
            r"functions\['E'\]: J_EE must have shape \(50,\), got \(3,\)",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: {"J_EE": -1.0}}),
            ValueError,
            "J_EE must be finite and at least 0, got -1 to -1",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: {"J_EW": 1.0}}),
            ValueError,
            "no weights are named 'J_EW'. Did you mean 'J_E[EIX]'",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: {"threshold": np.nan}}),
            ValueError,
            "threshold must be finite and above the reset, got nan",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: {"threshold": 0.0}}),
            ValueError,
            "threshold must be finite and above the reset, got 0 to 0",
        ),
        (
            lambda: go(network(n=50, K=10), functions={"E": lambda *_: {"gain": -0.1}}),
            ValueError,
            "gain must be finite and at least 0, got -0.1",
        ),
        (
            lambda: go(
                network(n=50, K=10).with_node("E", neuron=eq.EIF()), functions={"E": lambda *_: {"threshold": 1}}
            ),
            ValueError,
            "the threshold of EIF neurons is a cut-off, which does not set their rate. Move gain or drive",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def go(circuit, **options):
    net = eq.spiking.build(circuit, seed=1)
    return eq.spiking.run(net, duration=0.3 * second, homeostasis=Homeostasis(**options))


def test_rules_want_sources_one_by_one():
    net = eq.spiking.build(small("neuron"), seed=1, noise="gaussian")
    with pytest.raises(ValueError, match=r"homeostasis moves the weights of sources one by one\. Take noise='poisson'"):
        eq.spiking.run(net, duration=0.3 * second)


def test_a_population_without_inputs_cannot_be_regulated():
    bare = eq.Circuit(
        populations=[eq.Population("E", size=5, neuron=LIF)], projections=[], rules=calcium_rules(targets={"E": CELL})
    )
    with pytest.raises(ValueError, match="population 'E' has a rule but no inputs whose weights could move"):
        eq.spiking.simulate(bare, duration=0.3 * second, seed=1)


def test_a_rule_with_an_unknown_start_is_refused():
    class Odd(eq.CalciumHomeostasis):
        variables = ("j_e", "j_i", "memory")

    with pytest.raises(TypeError, match=r"rule of 'E', a Odd, has variables \('memory',\) whose start is not known"):
        eq.spiking.simulate(network(n=50, K=10, rules=calcium_rules(kind=Odd)), duration=0.3 * second, seed=1)


def test_a_run_without_rules_has_no_history():
    run = eq.spiking.simulate(network(n=50, K=10), duration=0.1 * second, seed=1)
    with pytest.raises(ValueError, match="nothing moved; the circuit has no rules"):
        _ = run.homeostasis
    assert run.slow_variables == {}
    assert 1 * hour == 3600.0
