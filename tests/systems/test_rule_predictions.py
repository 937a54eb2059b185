"""Many circuits at once under their rules: the same as one by one at the rate level and in the theory of one cell."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.inference.batch import batch_of, settled, stable
from equipoise.inference.candidates import CANDIDATES, rules_of
from equipoise.inference.operating import NAMES, SET_POINTS, Operating, draws_of
from equipoise.inference.predictions import OBSERVABLES, PHASES, courses, predictions, system
from equipoise.inference.resting import Unknowns, resting
from equipoise.inference.slow_batch import SlowBatch, changed, follow, held
from equipoise.units import Hz, day, hour, ms

AT = Operating()
TAU = np.full(2, AT.neuron.tau_m)


def quantiles(n):
    """Of all unknowns; set points are known."""
    free = np.random.default_rng(11).random((n, len(NAMES) - 4))
    return np.insert(free, [SET_POINTS.start] * 4, 0.5, axis=1)


@pytest.fixture(scope="module")
def draws():
    """Six circuits from the priors that rest at a stable state."""
    some = draws_of(AT, quantiles(120))
    fine = np.flatnonzero(stable(some.batch(), np.tile(AT.rate, (120, 1)), TAU))
    return some.take(fine[:6])


def test_circuits_fire_as_asked_and_as_the_rate_level_says(draws):
    batch, circuits = draws.batch(), draws.circuits()
    for name in ("coupling", "noise", "outer", "drive"):
        np.testing.assert_allclose(getattr(batch, name), getattr(batch_of(circuits), name), rtol=1e-12)
    r = settled(batch, np.tile([4.0, 9.0], (6, 1)))
    np.testing.assert_allclose(r, np.tile(AT.rate, (6, 1)), rtol=1e-7)
    np.testing.assert_allclose(batch.irregularity(r), np.tile(AT.cv, (6, 1)), rtol=1e-6)
    for circuit in circuits[:3]:
        np.testing.assert_allclose(eq.rate.settle(circuit, start=[5.0, 10.0]).rates, AT.rate, rtol=1e-6)


def test_slopes_are_derivatives(draws):
    batch, r, h = draws.batch(), np.tile([6.0, 8.0], (6, 1)), 1e-4
    slopes = batch.steady(r)[1]
    for b in range(2):
        step = h * np.eye(2)[b]
        numerical = (batch.steady(r + step)[0] - batch.steady(r - step)[0]) / (2 * h)
        np.testing.assert_allclose(slopes[:, :, b], numerical, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["input-centric B", "output-centric"])
def test_thresholds_move_as_the_rate_level_moves_them(draws, name):
    first = system(CANDIDATES[name], draws)
    fits = np.flatnonzero(held(first, np.tile(AT.rate, (6, 1))))[:2]
    assert fits.size == 2
    some = draws.take(fits)
    drive = 0.2 * float(AT.unit[1])
    circuits = some.circuits()
    under = batch_of([eq.TonicDrive("I", drive).apply(c) for c in circuits])
    one = system(CANDIDATES[name], some)
    span = 5 * hour
    during, after = courses(one, under, np.tile(AT.rate, (2, 1)), (span, span))
    for k, circuit in enumerate(circuits):
        # speeds of the draw are those of a rule that is that much faster
        rule = rules_of(CANDIDATES[name], Operating(tau=AT.tau / float(one.speed[k, 0])))
        schedule = [eq.During(eq.TonicDrive("I", drive), 0.0, span)]
        path = eq.rate.evolve(
            circuit, rules=rule, duration=2 * span, schedule=schedule, times=[0.0, span, 2 * span], start=list(AT.rate)
        )
        rates, times = path.rate.values, path.time.values
        at_end, at_last = np.flatnonzero(times == span)[0], -1
        np.testing.assert_allclose(during.r[-1, k], rates[at_end], rtol=3e-3)
        np.testing.assert_allclose(after.r[-1, k], rates[at_last], rtol=3e-3)


@pytest.mark.parametrize("reading", ["A", "B"])
def test_a_rule_counts_as_stable_where_the_rate_level_finds_it_stable(draws, reading):
    some = draws.take(np.arange(3))
    mine = held(system(CANDIDATES[f"input-centric {reading}"], some), np.tile(AT.rate, (3, 1)))
    rule = rules_of(CANDIDATES[f"input-centric {reading}"], AT)
    theirs = [eq.rate.equilibrium(c, rule, start=list(AT.rate), throw=False).stable for c in some.circuits()]
    assert mine.tolist() == theirs


def one_cell(rule, drive=0.0):
    """A cell with 2000 + 2000 inputs, as theory and as a circuit of one population."""
    mu, sigma = AT.input[0][0], AT.input[1][0]
    inputs = eq.PoissonInputs(K=2000, rate=5 * Hz)
    cell = eq.DrivenNeuron(AT.neuron, excitation=inputs, inhibition=inputs)
    weights = eq.model.inputs.weights_for(cell, mu=float(mu), sigma=float(sigma))
    nodes = [
        eq.Population("E", neuron=AT.neuron, drive=drive),
        eq.Source("X", rate=5 * Hz),
        eq.Source("Y", rate=5 * Hz),
    ]
    signed = {"X": float(weights.j_e), "Y": -float(weights.j_i)}
    projections = [eq.Projection(source=s, target="E", weight=w, in_degree=2000) for s, w in signed.items()]
    circuit = eq.Circuit(populations=nodes, projections=projections)
    driven = eq.DrivenNeuron(AT.neuron, excitation=inputs, inhibition=inputs, drive=drive)
    return driven, weights, circuit, (eq.AttachedRule("E", rule),)


CALCIUM = rules_of(CANDIDATES["calcium"], AT)[0].rule
LOOP = rules_of(CANDIDATES["single-loop"], AT)[0].rule


@pytest.mark.parametrize("rule", [CALCIUM, LOOP], ids=["calcium", "single-loop"])
def test_weights_move_as_the_theory_of_one_cell_moves_them(rule):
    drive = 0.3 * float(AT.unit[0])
    cell, weights, circuit, attached = one_cell(rule, drive)
    batch = batch_of([circuit])
    it = SlowBatch(batch=batch, names=("E",), rules=attached, speed=np.ones((1, 2)))
    course = follow(it, np.zeros((1, 2)), np.array([[5.0]]), 12 * hour, steps=96)
    path = eq.theory.evolve(cell, rule, duration=12 * hour, start=weights, times=[0.0, 1 * hour, 12 * hour])
    mine = np.exp(course.z[-1, 0]) * [weights.j_e, weights.j_i]
    np.testing.assert_allclose(mine, [path.j_e.values[-1], path.j_i.values[-1]], rtol=2e-3)
    np.testing.assert_allclose(course.r[-1, 0, 0], path.rate.values[-1], rtol=2e-3)


def test_a_single_loop_keeps_its_conserved_combination(draws):
    it = system(CANDIDATES["single-loop"], draws)
    under = batch_of([eq.TonicDrive("E", 0.2 * float(AT.unit[0])).apply(c) for c in draws.circuits()])
    other, r = changed(it, under, np.zeros_like(it.speed), np.tile(AT.rate, (6, 1)))
    course = follow(other, np.zeros_like(it.speed), r, 1 * day)
    scaled = course.z[-1] / it.speed  # tau_E log J_E + tau_I log J_I, with both at one hour over the speed
    known = np.isfinite(scaled).all(axis=1)
    assert known.sum() >= 3
    for population in (0, 1):
        pair = scaled[known][:, 2 * population : 2 * population + 2]
        np.testing.assert_allclose(pair.sum(axis=1), 0.0, atol=1e-4 * np.abs(pair).max())
    np.testing.assert_allclose(course.r[-1][known], np.tile(AT.rate, (known.sum(), 1)), rtol=1e-4)


def test_the_course_converges_with_second_order(draws):
    some = draws.take(np.arange(1))
    it = system(CANDIDATES["output-centric"], some)
    under = batch_of([eq.TonicDrive("I", 0.2 * float(AT.unit[1])).apply(c) for c in some.circuits()])
    other, r = changed(it, under, np.zeros_like(it.speed), np.tile(AT.rate, (1, 1)))
    ends = [follow(other, np.zeros_like(it.speed), r, 0.5 * hour, steps=n).z[-1, 0, 0] for n in (20, 40, 80, 640)]
    errors = np.abs(np.array(ends[:3]) - ends[3])
    orders = np.log2(errors[:-1] / errors[1:])
    assert (orders > 1.6).all(), orders


# --- what rules predict -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def predicted():
    return {p.name: p for p in predictions("chemogenetic", draws=40, seed=4)}


def of(prediction, phase, observable):
    return prediction.values[:, PHASES.index(phase), OBSERVABLES.index(observable)]


def test_rules_do_at_once_what_no_homeostasis_does(predicted):
    alone = predicted["no homeostasis"]
    where = {tuple(u): k for k, u in enumerate(alone.u)}
    for prediction in predicted.values():
        shared = [(k, where[tuple(u)]) for k, u in enumerate(prediction.u) if tuple(u) in where]
        mine, theirs = (np.array(x) for x in zip(*shared, strict=True))
        np.testing.assert_allclose(prediction.values[mine, 0], alone.values[theirs, 0], atol=1e-9)


def test_each_rule_holds_what_it_holds(predicted):
    assert np.abs(of(predicted["no homeostasis"], "after", "rate_E")).max() < 1e-6
    left = np.abs(of(predicted["output-centric"], "during", "rate_E"))  # slow where the circuit's gain is small
    assert np.median(left) < 1e-3
    assert (left < np.abs(of(predicted["output-centric"], "acute", "rate_E"))).all()
    assert np.abs(of(predicted["single-loop"], "during", "rate_I")).max() < 1e-3
    for moment in ("calcium_mean_E", "calcium_mean_I"):
        assert np.abs(of(predicted["calcium"], "during", moment)).max() < 1e-2
    # input-centric A returns and goes past; B adds to what the ligand does
    acute, later = (np.median(of(predicted["input-centric B"], p, "rate_E")) for p in ("acute", "during"))
    assert acute < 0.0
    assert later < acute
    assert np.median(of(predicted["input-centric A"], "during", "rate_E")) > 0.0


def test_more_irregular_input_tells_calcium_from_a_single_loop_by_the_irregularity():
    names, kind = ["single-loop", "calcium"], "input irregularity"
    months = predictions(kind, rules=names, draws=40, seed=4, duration=60 * day)
    loop, calcium = (np.abs(of(p, "during", "cv_E")) for p in months)
    assert np.median(loop) > 0.05
    assert np.median(calcium) < 0.01
    (days,) = predictions(kind, rules=["calcium"], draws=40, seed=4)  # C_v comes back in many days only
    assert np.median(np.abs(of(days, "during", "cv_E"))) > 0.02


SIGNS = {
    "optical": 1, "optical silencing": -1, "optical I": -1, "chemogenetic": -1, "chemogenetic E": 1, "baclofen": -1,
    "NMDAR block": 1, "deprivation": -1, "deafferentation": -1,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(eq.inference.PERTURBATIONS))
def test_manipulations_do_to_excitation_what_they_are_known_for(kind):
    (alone,) = predictions(kind, rules=["no homeostasis"], draws=20, seed=6)
    change = of(alone, "acute", "rate_E")
    if kind == "input irregularity":
        assert np.median(of(alone, "acute", "cv_E")) > 0.0
    else:
        assert np.sign(np.median(change)) == SIGNS[kind]
    np.testing.assert_allclose(of(alone, "during", "rate_E"), change, atol=1e-9)  # nothing moves


def test_around_a_circuit_that_is_known_nothing_but_the_strength_differs():
    some = draws_of(AT, quantiles(120))
    fine = np.flatnonzero(stable(some.batch(), some.start, TAU))
    circuit = some.take(fine[:1]).circuits()[0]
    at = resting(circuit, unknowns=Unknowns(in_degree=1.0, speed=1.0, rate=1.0, cv=1.0))
    (alone,) = predictions("optical", operating=at, rules=["no homeostasis"], draws=30, seed=1)
    order = np.argsort(alone.strength)
    assert (np.diff(of(alone, "acute", "rate_E")[order]) > 0.0).all()


def test_predictions_are_reproducible_and_print_themselves():
    one, two = (predictions("optical", rules=["output-centric"], draws=20, seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)
    assert repr(one).startswith("Predictions(output-centric: ")
    data = one.dataset()
    assert data.value.sel(phase="acute", observable="rate_E").shape == (len(one),)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: predictions("optica"), "Did you mean 'optical'?"),
        (lambda: predictions("optical", rules=["calcum"]), "Did you mean 'calcium'?"),
        (lambda: predictions("optical", rules=["calcium", "calcium"]), "must be different candidates"),
        (lambda: predictions("optical", draws=2), "draws must be a whole number"),
        (lambda: predictions("optical", duration=-1.0), "duration .* must be above 0"),
        (lambda: Operating(rate=(5.0, -1.0)), "Operating.rate must be two positive numbers"),
        (
            lambda: eq.inference.Perturbation(name="x", apply=lambda c, a, x: c, low=2.0, high=1.0),
            "must not exceed high",
        ),
        (lambda: resting(eq.Circuit.example("microcircuit")), "must have populations named 'E' and 'I', got L23E"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_rules_that_batches_cannot_follow_are_refused():
    odd = eq.inference.Candidate("odd", lambda at: (eq.DriveCentricThreshold("E", set_point=1.0),))
    with pytest.raises(TypeError, match="or a threshold by rate or required input, got DriveCentric"):
        predictions("optical", rules=[odd], draws=10)
    absolute = eq.RateHomeostasis(scale="absolute", tau_e=1 * ms)
    other = eq.inference.Candidate("absolute", lambda at: (eq.AttachedRule("E", absolute),))
    with pytest.raises(TypeError, match="at relative scale"):
        predictions("optical", rules=[other], draws=10)
