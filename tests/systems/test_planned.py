"""The experiment that tells rules apart in a given circuit: circuits around it, moments, and the stated power."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise as eq
from equipoise import report
from equipoise.inference import (
    DesignSettings,
    Operating,
    PowerSettings,
    Prediction,
    Unknowns,
    assumed_variability,
    design_of,
    predict,
    predictions,
    resting,
    simulated_power,
)
from equipoise.inference.doses import doses_of
from equipoise.inference.neighbours import neighbours_of
from equipoise.inference.networks import Networks, networks_of
from equipoise.inference.operating import NAMES, SET_POINTS, draws_of
from equipoise.inference.predictions import OBSERVABLES
from equipoise.units import Hz, day, hour, minute

NETWORK = eq.Circuit.example("balanced_network")
KNOWN = Unknowns(in_degree=1.0, speed=1.0, rate=1.0, cv=1.0)
RULES = ["no homeostasis", "single-loop", "output-centric"]


def equal_cells(circuit):
    """The circuit with the same number of inputs for all cells, which is solved faster."""
    projections = [replace(p, connectivity=eq.FixedInDegree(1000)) for p in circuit.projections]
    return replace(circuit, projections=projections)


EQUAL = equal_cells(NETWORK)
LITTLE = assumed_variability(Operating(rate=(12 * Hz, 11 * Hz)), scatter=0.25)


def quantiles(n, seed=1):
    return np.random.default_rng(seed).random((n, len(NAMES)))


@pytest.fixture(scope="module")
def planned():
    how = DesignSettings(variability=LITTLE, draws=40, seed=2)
    return design_of(EQUAL, {"optical": 0.3}, rules=RULES, settings=how)[0]


# --- many networks at once --------------------------------------------------------------------------------------------
def test_networks_are_solved_together_as_they_are_one_by_one():
    """Drives up to where the state is lost; those without a state do not harm the others."""
    circuits = [NETWORK.with_node("E", drive=x) for x in (0.0, 2.0, 10.0, 1e4)]
    many = networks_of(circuits)
    start = np.tile([12.4, 11.4, 252.0, 220.0], (4, 1))
    start[1] = np.nan
    together = many.settled(start)
    alone = [Networks((w,)).settled(x[None])[0] for w, x in zip(many.wirings, start, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    assert np.isfinite(together).all(axis=1).tolist()[:3] == [True, False, True]
    for k in (0, 2):
        found = eq.theory.mean_field(circuits[k])
        np.testing.assert_allclose(together[k], found.x, rtol=1e-6)
        assert many.growth(together)[k] == pytest.approx(found.eigenvalues.real.max(), rel=1e-6)


# --- circuits around a given one --------------------------------------------------------------------------------------
@pytest.mark.parametrize("circuit", [NETWORK, EQUAL], ids=["unequal cells", "equal cells"])
def test_circuits_around_a_given_one_rest_where_they_were_drawn(circuit):
    """By theory's own search for the state of each circuit."""
    at = resting(circuit, unknowns=Unknowns(in_degree=2.0, rate=1.2, cv=1.05))
    u = quantiles(6)
    found = neighbours_of(at, u)
    assert len(found.u) >= 4
    for k, one in enumerate(found.circuits()):
        row = np.flatnonzero((u[:, :2] == found.u[k, :2]).all(axis=1))[0]
        factors = 2.0 ** (2.0 * u[row, :2] - 1.0)
        wanted = at.rate * 1.2 ** (2.0 * u[row, 6:8] - 1.0)
        state = eq.theory.mean_field(one)
        assert state.stable
        np.testing.assert_allclose(state.rates, wanted, rtol=2e-5)
        degrees = [one.projection(source=s, target=t).connectivity.mean(1.0) for s, t in (("E", "E"), ("E", "I"))]
        np.testing.assert_allclose(degrees, 1000.0 * factors, rtol=1e-9)
        np.testing.assert_allclose(found.points[k].cv, at.cv * 1.05 ** (2.0 * u[row, 8:10] - 1.0), rtol=2e-5)


def test_with_nothing_unknown_there_is_one_circuit_and_it_is_the_given_one():
    at = resting(EQUAL, unknowns=KNOWN)
    found = neighbours_of(at, quantiles(3))
    for one in found.circuits():
        assert one.weights() == pytest.approx(EQUAL.weights(), rel=1e-9)
    known = replace(EQUAL, projections=EQUAL.projections)
    what = eq.OpticalDrive(drive=0.3 * float(at.unit[0]))
    (alone,) = predictions(what, operating=at, rules=["calcium"], draws=10)
    assert alone.u.tolist() == [[0.5] * len(NAMES)] * 10
    assert np.ptp(alone.values, axis=0).max() < 1e-9
    theory = predict(known, what, rules=["calcium"]).change.isel(level=0, dose=0, rule=0)
    for name in ("rate_E", "cv_E", "calcium_second_E"):
        k = alone.dataset().observable.values.tolist().index(name)
        np.testing.assert_allclose(np.expm1(alone.values[0, :, k]), theory.sel(observable=name), atol=2e-3)


def test_a_design_of_unequal_cells_predicts_the_mean_of_their_logarithms():
    """Of 5000 cells that theory draws, the same in both states: error 0.2/sqrt(5000). `Contrast.refuses` takes that.

    The logarithm of the mean rate rises by 0.51 instead.
    """
    at = resting(NETWORK, unknowns=KNOWN)
    light = eq.OpticalDrive(drive=0.5 * float(at.unit[0]))
    (alone,) = predictions(light, operating=at, rules=["no homeostasis"], draws=10)
    states = [(one, eq.theory.mean_field(one)) for one in (at.circuit, light.perturbed(at.circuit))]
    first, second = (eq.theory.neuron_sample(*state, "E", 5000, seed=3) for state in states)
    for name in ("rate", "cv"):
        seen = np.log(second[name].values) - np.log(first[name].values)
        assert alone.values[0, 0, OBSERVABLES.index(f"{name}_E")] == pytest.approx(seen.mean(), abs=0.01)
    assert np.log(second["rate"].mean() / first["rate"].mean()) > 0.5


def test_circuits_denser_than_their_cells_allow_are_left_out():
    """K = 1200 of 2000 inhibitory cells cannot double."""
    dense = [replace(p, connectivity=eq.ErdosRenyi(probability=0.6)) if p.source == "I" else p
             for p in NETWORK.projections]  # fmt: skip
    at = resting(replace(NETWORK, projections=dense), unknowns=Unknowns(in_degree=2.0, rate=1.0, cv=1.0))
    u = quantiles(8)
    found = neighbours_of(at, u)
    kept = (0.6 * 2.0 ** (2.0 * u[:, :2] - 1.0) <= 1.0).all(axis=1)
    assert 0 < len(found.u) <= kept.sum() < 8
    for one in found.circuits():
        np.testing.assert_allclose(eq.theory.mean_field(one).rates, at.rate, rtol=2e-4)


def test_gains_that_silence_a_population_on_the_way_do_no_harm():
    """Rates of 38 Hz cannot halve their inputs everywhere: those circuits are left out, and the page says how many."""
    how = DesignSettings(draws=40, variability=LITTLE)
    (found,) = design_of(eq.Circuit.example("brunel_2000"), "optical", rules=RULES[::2], settings=how)
    share = found.predicted[0].stable
    assert 0.3 < share < 0.9
    assert f"{1.0 - share:.0%} of circuits have no such state that is stable" in found.recommendation


# --- set points that are not known ------------------------------------------------------------------------------------
def test_circuits_of_the_priors_fire_at_the_set_points_that_were_drawn():
    at = Operating(rate_factor=1.5, cv_factor=1.1)
    u = quantiles(40)
    draws = draws_of(at, u)
    some = draws.take(draws.plausible)
    wanted = np.array([*at.rate, *at.cv]) * np.repeat([1.5, 1.1], 2) ** (2.0 * some.u[:, SET_POINTS] - 1.0)
    batch = some.batch()
    np.testing.assert_allclose(batch.settled(some.start), wanted[:, :2], rtol=1e-6)
    np.testing.assert_allclose(batch.irregularity(some.start), wanted[:, 2:], rtol=1e-6)


def test_each_circuit_keeps_its_own_set_points():
    at = Operating(rate_factor=1.5, cv_factor=1.1)
    known, unknown = (
        predictions("optical", operating=one, rules=["single-loop", "calcium"], draws=30, seed=3, duration=40 * day)
        for one in (Operating(), at)
    )
    for one in unknown:
        k = one.phases.index("during")
        np.testing.assert_allclose(one.values[:, k, :2], 0.0, atol=0.01)  # each rate comes back to its own, all but
        assert np.median(np.abs(one.values[:, k, :2])) < 1e-5  # a few that take longer; the drawn ones differ by 0.4
        assert len(np.unique(one.u[:, SET_POINTS], axis=0)) > 10
    acute = [np.std(rules[0].values[:, 0, 0]) for rules in (known, unknown)]
    assert abs(acute[0] - acute[1]) > 1e-3
    assert np.unique(known[0].u[:, SET_POINTS]).tolist() == [0.5]


def test_the_number_needed_depends_on_the_one_thing_that_is_unknown():
    """Of speeds alone: a slow rule is far from one that has come back already, and that is all there is."""
    how = DesignSettings(variability=LITTLE, unknowns=replace(KNOWN, speed=3.0), strength=1.0, draws=40,
                         power=PowerSettings(phases=("acute", "3 h")))  # fmt: skip
    (found,) = design_of(EQUAL, {"optical": 0.3}, rules=["output-centric", "single-loop"], settings=how)
    design = found.design
    assert design is not None
    rho = dict(zip(NAMES, design.sensitivity[design.direction("output-centric", "single-loop")], strict=True))
    assert rho["speed_1"] > 0.95  # up to ties: whole numbers of recordings, and none at all for the fastest
    assert all(np.isnan(x) for name, x in rho.items() if name not in ("speed_1", "speed_2"))
    assert "depends most on the speed of the rule on excitation or on thresholds" in found.recommendation


# --- moments ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rules", [["output-centric"], ["calcium"]])
def test_a_moment_is_the_end_of_a_manipulation_that_lasts_so_long(rules):
    at = resting(EQUAL, unknowns=replace(KNOWN, speed=3.0))
    what = eq.OpticalDrive(drive=0.3 * float(at.unit[0]))
    make = lambda **more: predictions(what, operating=at, rules=rules, draws=10, seed=4, **more)[0]  # noqa: E731
    long = make(moments=[3 * hour, 20 * hour, 5 * day])
    assert long.phases == ("acute", "3 h", "20 h", "during", "rebound", "3 h after", "20 h after", "after")
    short = make(duration=3 * hour)
    steps = 0.02 * np.abs(long.at(["acute"])).max()  # what a step may err
    np.testing.assert_allclose(long.at(["3 h"]), short.at(["during"]), atol=steps)
    late = make(washout=3 * hour)
    np.testing.assert_allclose(long.at(["3 h after"]), late.at(["after"]), atol=steps)
    apart = np.abs(long.at(["3 h"]) - long.at(["during"])).max()
    assert apart > (10 * steps if rules == ["output-centric"] else 0.0)


def test_a_slow_rule_is_told_apart_while_it_moves_and_not_at_the_end(planned):
    d, places = planned.design.direction("output-centric", "single-loop"), planned.design.places
    six = planned.design.expected[d, :, list(planned.design.curve).index(6)]
    at = {phase: six[[k for k, place in enumerate(places) if place[1:] == (phase, "before")]].max()
          for phase in planned.predicted[0].phases}  # fmt: skip
    assert max(at["during"], at["after"]) < 0.05 < min(max(at["3 h"], at["3 h after"]), planned.design.stated[d])
    words = {
        planned.design.contrast(a, b).words for a, b in zip(planned.design.truth, planned.design.refuted, strict=True)
    }
    assert any("into the manipulation" in one or "rebound" in one for one in words)


@pytest.mark.parametrize("rule", ["calcium", "output-centric"])
def test_acute_and_rebound_are_means_over_the_recording(rule):
    """Beside the trapezoidal mean of eight moments: the calcium rule halves the change within the ten minutes."""
    at, stretch = resting(EQUAL, unknowns=replace(KNOWN, speed=3.0)), 10 * minute
    what = eq.OpticalDrive(drive=0.3 * float(at.unit[0]))
    make = lambda **more: predictions(what, operating=at, rules=[rule], draws=10, seed=4, **more)[0]  # noqa: E731
    times = stretch * np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0])
    fine, seen = make(moments=times[1:]), make(stretch=stretch)
    for phase, start in (("acute", 0), ("rebound", 10)):
        course = np.exp(fine.values[:, start : start + times.size])
        mean = np.log(np.trapezoid(course, times, axis=1) / stretch)
        change = np.abs(fine.at([phase])).max()
        np.testing.assert_allclose(seen.at([phase])[:, 0], mean, atol=0.02 * change)
        shrunk = np.abs(seen.at([phase])[:, 0, 0]) / np.abs(fine.at([phase])[:, 0, 0])
        assert (shrunk < 0.8).all() if rule == "calcium" else (shrunk > 0.7).all()
    np.testing.assert_allclose(seen.at(["during", "after"]), fine.at(["during", "after"]), atol=1e-12)


# --- the design -------------------------------------------------------------------------------------------------------
def test_the_stated_power_is_met_in_simulated_experiments(planned):
    """Interval of 99.9 % for each of six directions of 3000 experiments; alpha is a bound."""
    design = planned.design
    found = simulated_power(design, planned.predicted, experiments=3000, seed=5)
    error = np.sqrt(design.stated * (1.0 - design.stated) / 3000)
    assert (np.abs(found.power.values - design.stated) < 3.5 * error + 2e-3).all()
    assert (found.wrong.values <= design.alpha).all()
    assert found.power.values.max() > 0.5


def test_what_is_stated_holds_for_circuits_that_it_was_not_planned_on(planned):
    """40 other draws; the mean power of either has an error of 0.4/sqrt(40), bound at three of the difference."""
    how = DesignSettings(variability=LITTLE, draws=40, seed=9)
    other = design_of(EQUAL, {"optical": 0.3}, rules=RULES, settings=how)[0]
    found = simulated_power(planned.design, other.predicted, experiments=1000, seed=6)
    assert (np.abs(found.power.values - planned.design.stated) < 3.0 * np.sqrt(2.0) * 0.4 / np.sqrt(40)).all()


def test_the_words_name_what_to_record_and_what_that_assumes(planned):
    words = planned.recommendation
    assert words.startswith("Record the ")
    for part in ("in-degrees within a factor 2 either way", "strength within 1.5", "of unequal cells",
                 "Mean power with 6", "Variability is assumed", "means over the first 10 min"):  # fmt: skip
        assert part in words, part


@pytest.mark.parametrize(
    ("name", "x", "half", "double"),
    [
        ("optical", 0.3, 0.15, 0.6),
        ("input irregularity", 4.0, 2.0, 16.0),
        ("deprivation", 0.81, 0.9, 0.6561),
        ("deafferentation", 0.75, 0.5, 0.9375),
    ],
)
def test_a_factor_of_a_dose_is_a_dose_that_can_be(name, x, half, double):
    """Strengths that are nothing at 1, and parts that are lost, grow in their logarithms."""
    at, within = resting(EQUAL), doses_of({name: x})[0].within(2.0)
    assert (within.low, within.high) == (0.5, 2.0)
    for factor, strength in ((0.5, half), (2.0, double)):
        here, there = within.apply(EQUAL, at, factor), doses_of({name: strength})[0].apply(EQUAL, at)
        networks = [networks_of([one]).stack for one in (here, there)]
        for field in ("J", "K", "source_rates", "source_fano", "drive"):
            np.testing.assert_allclose(*(getattr(one, field) for one in networks), rtol=1e-12)


def test_a_dose_without_a_strength_has_no_factor():
    silence = doses_of("TTX")[0].within(1.5)
    assert silence.low == silence.high == 1.0


# --- with the prediction ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def found():
    how = DesignSettings(variability=LITTLE, draws=40, power=PowerSettings(cells=12, recordings=9))
    doses = [{"optical": [0.2, 0.4]}, eq.SourceRate("X", rate=9.8)]
    return predict(EQUAL, doses, rules=["single-loop", "output-centric", "input-centric A"], design=how)


def test_each_dose_has_a_design_of_the_rules_that_are_left(found):
    assert [one.attrs["dose"] for one in found.designs] == found.data["dose"].values.tolist()
    for one in found.designs:
        assert set(one["truth"].values.tolist()) == {"single-loop", "output-centric"}
        assert "Left out: input-centric A, UNSTABLE: the rule does not hold this circuit" in one.attrs["recommendation"]
        assert one.attrs["cells"] == 12
    weak, strong = (float(one["stated_power"].max()) for one in found.designs)
    assert weak < strong


def test_designs_are_saved_with_the_prediction_and_drawn_from_the_file(found, tmp_path):
    again = Prediction.load(found.save(tmp_path / "p.nc"))
    assert again.data.identical(found.data)
    assert all(a.identical(b) for a, b in zip(again.designs, found.designs, strict=True))
    assert len(again.designs) == 2
    page = report.predict_html(again)
    for words in ("The experiment that tells the rules apart", "recordings of 12 cells", "mean power of 9", "Figure 6.",
                  "What the number of recordings depends on", "This assumes", "Left out: input-centric A"):  # fmt: skip
        assert words in page, words
    assert "Record the " in repr(again)


def test_without_two_rules_there_is_a_reason_and_no_design(tmp_path):
    silent = predict(EQUAL, "TTX", rules=["input-centric B", "no homeostasis"], design=DesignSettings(draws=40))
    (one,) = silent.designs
    assert "There is no design" in one.attrs["recommendation"]
    assert "Left out: input-centric B, INFEASIBLE: E falls silent" in one.attrs["recommendation"]
    page = report.predict_html(Prediction.load(silent.save(tmp_path / "p.nc")))
    assert "There is no design" in page


def test_a_rule_that_batches_cannot_follow_is_left_out_by_name():
    odd = eq.inference.Candidate("odd", lambda at: (eq.AttachedRule("E", eq.RateHomeostasis(scale="absolute")),))
    (one,) = design_of(EQUAL, "optical", rules=[odd, "no homeostasis"], settings=DesignSettings(draws=40))
    assert one.design is None
    assert "at relative scale" in one.left_out["odd"]


def test_the_command_line_plans_with_the_variability_of_a_recording(tmp_path):
    from equipoise.cli import app

    file = tmp_path / "equal.toml"
    file.write_text(EQUAL.to_toml())
    args = ["predict", str(file), "--manipulation", "optical=0.5", "--rules", "single-loop,output-centric",
            "--draws", "40", "--out", str(tmp_path)]  # fmt: skip
    more = ["--recording", "a2929", "--between", "sleep,wake", "--cells", "15", "--recordings", "8", "--alpha", "0.1",
            "--moments", "2,90 min"]  # fmt: skip
    done = CliRunner().invoke(app, [*args, *more])
    assert done.exit_code == 0, done.output
    (design,) = Prediction.load(tmp_path / "equal_prediction.nc").designs
    assert (design.attrs["cells"], design.attrs["chosen_recordings"], design.attrs["alpha"]) == (15, 8, 0.1)
    assert {"1.5 h", "2 h", "2 h after"} < set(design["phase"].values.tolist())
    assert "all count as excitatory" in design.attrs["recommendation"]
    assert "To tell the rules apart by optical 0.5" in done.output
    for wrong, words in (
        (["--recording", "a2929", "--between", "slep,wake"], "Did you mean 'sleep'"),
        (["--recording", "a2929", "--between", "sleep"], "--between must name two epochs"),
        (["--between", "sleep,wake"], "give it as --recording FILE"),
        (["--alpha", "0.7"], "alpha"),
        (["--moments", "2 parsecs"], "parsecs"),
    ):
        refused = CliRunner().invoke(app, [*args, *wrong])
        assert refused.exit_code == 2
        assert words in refused.output.replace("\n", " ")
    plain = CliRunner().invoke(app, [*args, "--no-design"])
    assert plain.exit_code == 0
    assert not Prediction.load(tmp_path / "equal_prediction.nc").designs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DesignSettings(draws=10), r"DesignSettings.draws must be a whole number in .40"),
        (lambda: DesignSettings(variability=0.5), "DesignSettings.variability must be a Variability, got 0.5"),
        (lambda: DesignSettings(moments=(-1.0,)), "DesignSettings.moments .* must be above 0"),
        (lambda: DesignSettings(strength=0.5), "strength .* must lie in"),
        (lambda: Unknowns(rate=0.5), "rate .* must lie in"),
        (lambda: design_of(EQUAL, "optcal"), "Did you mean 'optical'"),
        (lambda: design_of(EQUAL, "optical", rules=["calcum"]), "Did you mean 'calcium'"),
        (lambda: design_of(EQUAL, "optical", spans=(0.0, 1.0)), r"spans\[0\] .* must be above 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
