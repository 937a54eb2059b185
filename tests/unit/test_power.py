"""Design of experiments: stated power and error rates hold for the very test that is recommended."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import equipoise as eq
from equipoise.inference import (
    CANDIDATES,
    Contrast,
    Operating,
    PowerSettings,
    Predictions,
    Variability,
    assumed_variability,
    log_changes,
    power,
    predictions,
    simulated_power,
    variability,
)
from equipoise.inference.operating import NAMES
from equipoise.inference.perturbations import PERTURBATIONS
from equipoise.inference.power import MOST
from equipoise.inference.predictions import OBSERVABLES, PHASES, Experiment
from equipoise.results import Epoch, Recording, SpikeTrains
from equipoise.units import day, minute

RULES = ["no homeostasis", "single-loop", "input-centric B"]
LITTLE = assumed_variability(scatter=0.25, intraclass=0.1)


@pytest.fixture(scope="module")
def predicted():
    return predictions("optical", rules=RULES, draws=150, seed=1)


@pytest.fixture(scope="module")
def design(predicted):
    return power(predicted, variability=LITTLE)


WHAT = Experiment(at=Operating(), how=PERTURBATIONS["optical"], duration=2 * day, washout=2 * day)


def made(name, changes, observable="rate_E", phase="during"):
    """Draws of a rule that changes one observable in one phase."""
    values = np.zeros((len(changes), len(PHASES), len(OBSERVABLES)))
    values[:, PHASES.index(phase), OBSERVABLES.index(observable)] = changes
    u = np.random.default_rng(3).random((len(changes), len(NAMES)))
    return Predictions(rule=CANDIDATES[name], what=WHAT, values=values, u=u, strength=u[:, -1], stable=1.0, lost=0)


def one(value=0.4):
    """Two rules without unknowns: one does nothing, one changes the rate of E."""
    return made("single-loop", np.zeros(50)), made("no homeostasis", np.full(50, value))


def spread(between, within, counting=0.0):
    columns = [np.full(len(OBSERVABLES), x) for x in (between, within, counting)]
    return Variability(between=columns[0], within=columns[1], counting=columns[2], duration=10 * minute)


# --- the numbers ------------------------------------------------------------------------------------------------------
def test_numbers_needed_are_those_of_a_t_test_on_means_of_recordings():
    """scipy's noncentral t has the power asked for at the number found, and not at one less."""
    noise, how = spread(0.2, 0.5), PowerSettings(cells=10, tolerance=0.05)
    found = power(one(), variability=noise, settings=how)
    d = found.direction("no homeostasis", "single-loop")
    c = found.places.index(("rate_E", "during", "before"))
    low, middle, high = found.recordings_needed[d, c]
    assert low == middle == high
    R, tail, delta = int(middle), 0.05 / 4.0, (0.4 - 0.05) / np.sqrt(0.2**2 + 0.5**2 / 10)
    powers = [stats.nct.sf(stats.t.isf(tail, n - 1), n - 1, delta * np.sqrt(n)) for n in (R - 1, R)]
    assert powers[0] < 0.8 <= powers[1]
    expected = stats.nct.sf(stats.t.isf(tail, 5), 5, delta * np.sqrt(6))
    assert found.expected[d, c, list(found.curve).index(6)] == pytest.approx(expected, abs=2e-4)


def test_cells_needed_fill_the_room_that_recordings_leave():
    found = power(one(), variability=spread(0.05, 0.5))
    d, c = found.direction("no homeostasis", "single-loop"), found.places.index(("rate_E", "during", "before"))
    z = stats.norm.isf(0.05 / 4.0) + stats.norm.ppf(0.8)
    assert found.cells_alone[d, c, 1] == np.ceil(0.5**2 / ((0.35 / z) ** 2 - 0.05**2))
    assert found.cells_each[d, c, 1] < found.cells_alone[d, c, 1]
    far = power(one(), variability=spread(0.2, 0.5))  # 0.35 < 3.1 sd between recordings
    assert np.isinf(far.cells_alone[d, c, 1])
    assert np.isfinite(far.recordings_needed[d, c, 1])


def test_predictions_leave_out_no_more_draws_than_their_share():
    """The kth of n draws has another one beyond it with probability k/(n + 1): 79 draws are few for alpha/4 = 1/80."""
    for n, outside in ((78, 0), (100, 0), (158, 0), (159, 1), (400, 4)):
        found = power([made("single-loop", np.arange(n)), made("no homeostasis", np.zeros(n))])
        d, c = found.direction("no homeostasis", "single-loop"), found.places.index(("rate_E", "during", "before"))
        assert found.low[d, c] == pytest.approx(outside - 0.05)
        assert found.high[d, c] == pytest.approx(n - 1 - outside + 0.05)


def test_what_few_draws_promise_is_said():
    """2/(n + 1) of draws lie outside of all n: beside alpha/2 for chance that is 0.074 of 40, and 0.05 of 79."""
    few, enough = (power([made(name, np.zeros(n)) for name in ("single-loop", "calcium")]) for n in (40, 79))
    assert "refused in at most 0.074 of experiments" in few.recommendation
    assert "at most 0.05 takes 79 draws of each rule" in few.recommendation
    assert "refused in at most 0.05 of experiments" in enough.recommendation
    assert "takes 79 draws" not in enough.recommendation


def test_more_of_anything_never_needs_more():
    noise = spread(0.2, 0.5)
    needed = []
    for how in (PowerSettings(), PowerSettings(cells=200), PowerSettings(power=0.6), PowerSettings(alpha=0.2)):
        found = power(one(), variability=noise, settings=how)
        needed.append(found.recordings_needed[0, found.best[0], 1])
    assert all(n < needed[0] for n in needed[1:]), needed
    found = power(one(), variability=noise)
    assert (np.diff(found.expected[[0, 1], found.best], axis=1)[:, :8] > 0.0).all()  # up to 20 recordings


def test_what_the_other_rule_predicts_is_refused_by_no_number():
    wide = made("no homeostasis", np.linspace(-1.0, 1.0, 200)), made("single-loop", np.linspace(-0.3, 0.3, 200))
    found = power(wide, variability=spread(0.001, 0.01))
    c = found.places.index(("rate_E", "during", "before"))
    here = found.direction("no homeostasis", "single-loop")
    # all but the draws between -0.35 and 0.35, with a narrow margin for the error of 20 cells
    assert found.never[here, c] == pytest.approx(0.35, abs=0.02)
    back = found.direction("single-loop", "no homeostasis")
    assert found.never[back].min() == 1.0
    assert np.isinf(found.recordings_needed[back]).all()
    assert found.recommendation.splitlines()[3] == (
        "What this manipulation does not refuse: no homeostasis if single-loop is right."
    )


def test_recovery_beside_the_acute_change_refuses_what_does_not_recover(predicted, design):
    """Without the acute change a rule that holds the rate looks like a manipulation that was too weak."""
    only = PowerSettings(phases=("during",))
    d = design.direction("single-loop", "no homeostasis")
    assert power(predicted, variability=LITTLE, settings=only).stated[d] < 0.05
    both = power(predicted, variability=LITTLE, settings=PowerSettings(phases=("acute", "during")))
    assert both.stated[d] > 0.4
    assert both.contrast("single-loop", "no homeostasis").beside == "acute"


def test_the_manipulation_that_tells_single_loop_from_calcium():
    """A drive does not; months of irregular input do, in half of all circuits, by C_v, which only calcium holds."""
    rules, kind = ["single-loop", "calcium"], "input irregularity"
    drive = power(predictions("optical", rules=rules, draws=80, seed=2), variability=LITTLE)
    assert drive.never.min() > 0.9
    months = power(predictions(kind, rules=rules, draws=80, seed=2, duration=60 * day), variability=LITTLE)
    d = months.direction("calcium", "single-loop")
    assert months.contrast("calcium", "single-loop").observable.startswith("cv_")
    assert months.never[d, months.best[d]] < 0.6


def test_many_contrasts_looked_at_cost_power(predicted, design):
    shared = power(predicted, variability=LITTLE, settings=PowerSettings(preregistered=False))
    assert shared.tests == len(shared.places) == 56
    assert shared.tail == pytest.approx(0.05 / 4 / 56)
    assert (shared.stated < design.stated).all()
    assert "Bonferroni" in shared.recommendation


def test_the_number_depends_on_what_the_change_depends_on():
    u = np.random.default_rng(3).random((200, len(NAMES)))
    strong = made("no homeostasis", 0.2 + u[:, -1])
    found = power([strong, made("single-loop", np.zeros(200))], variability=spread(0.2, 0.5))
    rho = dict(zip(NAMES, found.sensitivity[0], strict=True))
    assert rho["strength"] < -0.95
    assert abs(rho["speed_1"]) < 0.2
    assert np.isnan(found.sensitivity[1]).all()  # refuses nothing, by no number
    assert "depends most on the strength of the manipulation" in found.recommendation


# --- by simulation ----------------------------------------------------------------------------------------------------
def test_stated_power_is_met_and_right_rules_are_refused_no_more_than_stated(predicted, design):
    """Interval of 99.9 % for each of six directions of 4000 experiments; alpha is a bound."""
    found = simulated_power(design, predicted, experiments=4000, seed=5)
    error = np.sqrt(design.stated * (1.0 - design.stated) / 4000)
    assert (np.abs(found.power.values - design.stated) < 3.5 * error + 2e-3).all()
    assert (found.wrong_low.values < design.alpha).all()
    assert (found.wrong.values <= design.alpha).all()
    assert found.power.values.max() > 0.5


def test_what_is_stated_holds_for_circuits_that_it_was_not_planned_on(design):
    """150 other draws, whose mean power has an error of sqrt(2) 0.4/sqrt(150) = 0.046 at most."""
    others = predictions("optical", rules=RULES, draws=150, seed=9)
    found = simulated_power(design, others, experiments=3000, seed=6)
    assert (np.abs(found.power.values - design.stated) < 3.0 * 0.046).all()
    assert (found.wrong_low.values <= design.alpha).all()


def experiment(rule, design, contrast, rng):
    """Log changes of single cells in each recording of an experiment on a circuit under a rule."""
    k = OBSERVABLES.index(contrast.observable)
    x = rule.values[rng.integers(len(rule)), :, k]
    m = x[PHASES.index(contrast.phase)] - (x[0] if contrast.beside == "acute" else 0.0)
    noise = design.variability
    recordings = m + noise.between[k] * rng.standard_normal(design.recordings)
    return [r + noise.within[k] * rng.standard_normal(design.cells) +
            noise.counting[k] * rng.standard_normal(design.cells) for r in recordings]  # fmt: skip


def test_the_recommended_test_on_cells_has_the_stated_power(predicted, design):
    """1500 experiments of each rule; binomial error of 1.3 %, bound at 3.5 of them."""
    rules, rng = {rule.name: rule for rule in predicted}, np.random.default_rng(8)
    truth, wrong = "single-loop", "no homeostasis"
    contrast = design.contrast(truth, wrong)
    right = np.mean([contrast.refuses(experiment(rules[truth], design, contrast, rng)) for _ in range(1500)])
    false = np.mean([contrast.refuses(experiment(rules[wrong], design, contrast, rng)) for _ in range(1500)])
    assert right == pytest.approx(design.stated[design.direction(truth, wrong)], abs=0.045)
    assert false < design.alpha


def test_cells_as_independent_samples_would_refuse_too_much():
    """The reason for nesting: pooled cells of a null experiment are "significant" far above alpha."""
    rng, pooled, nested = np.random.default_rng(4), 0, 0
    test = Contrast(
        truth="no homeostasis", refuted="single-loop", observable="rate_E", phase="during", beside="before",
        low=0.0, high=0.0, tail=0.025,
    )  # fmt: skip
    for _ in range(400):
        data = [b + 0.5 * rng.standard_normal(40) for b in 0.2 * rng.standard_normal(5)]
        pooled += stats.ttest_1samp(np.concatenate(data), 0.0).pvalue < 0.05
        nested += test.refuses(data)
    assert pooled > 0.2 * 400
    assert nested == pytest.approx(0.05 * 400, abs=3.5 * np.sqrt(400 * 0.05 * 0.95))


def test_one_recording_is_judged_with_the_spread_that_is_stated(design):
    test, noise = design.contrast("single-loop", "no homeostasis"), design.variability
    k = OBSERVABLES.index(test.observable)
    edge = test.low - stats.norm.isf(test.tail) * np.hypot(noise.between[k], noise.unit[k] / 3.0)
    assert test.refuses([np.full(9, edge - 1e-6)], noise)
    assert not test.refuses([np.full(9, edge + 1e-6)], noise)


# --- variability ------------------------------------------------------------------------------------------------------
def recording(rng, shared, units=30, span=200.0, drift=0.4):
    """Poisson units of E whose log rates change by `shared`, and each by its own drift, from "first" to "second"."""
    rates = 8.0 * np.exp(0.3 * rng.standard_normal(units))
    later = rates * np.exp(shared + drift * rng.standard_normal(units))
    times, who = [], []
    for k, each in enumerate((rates, later)):
        counts = rng.poisson(each * span)
        times.append(k * span + span * rng.random(counts.sum()))
        who.append(np.repeat(np.arange(units), counts))
    order = np.argsort(np.concatenate(times))
    spikes = SpikeTrains(np.concatenate(times)[order], np.concatenate(who)[order], units, 0.0, 2 * span)
    epochs = (Epoch("first", 0.0, span), Epoch("second", span, 2 * span))
    return Recording(spikes, tuple(map(str, range(units))), epochs, labels={"type": ("E",) * units})


def test_components_of_variance_are_found_in_spikes():
    """Twelve recordings: sd between to within 40 % (chi of 11 degrees of freedom, 2 sd), within to 10 %."""
    rng = np.random.default_rng(2)
    found = variability([recording(rng, b) for b in 0.25 * rng.standard_normal(12)], "first", "second")
    k = OBSERVABLES.index("rate_E")
    assert found.between[k] == pytest.approx(0.25, rel=0.4)
    assert found.within[k] == pytest.approx(0.4, rel=0.1)
    assert found.counting[k] == pytest.approx(np.sqrt(2.0 / (8.0 * 200.0)), rel=0.25)  # unequal rates: a little more
    assert found.units == (360, 0)
    assert np.isnan(found.unit[OBSERVABLES.index("rate_I")])
    c = OBSERVABLES.index("cv_E")
    assert found.counting[c] == pytest.approx(
        assumed_variability(Operating(rate=(8.0, 8.0), cv=(1.0, 1.0)), duration=200.0).counting[c], rel=0.25
    )
    assert found.within[c] < 0.03  # rates change, irregularity does not


def test_changes_of_units_are_those_that_the_test_takes():
    """Of counts and half a spike; a silent unit has a rate, and no C_v."""
    whole = recording(np.random.default_rng(3), 0.3, units=12)
    kept = whole.spikes.units != 4
    spikes = SpikeTrains(whole.spikes.times[kept], whole.spikes.units[kept], 12, 0.0, 400.0)
    one = replace(whole, spikes=spikes)
    first, later = (np.bincount(one.during(e).units, minlength=12) + 0.5 for e in one.epochs)
    found = log_changes(one, "rate_E", "first", "second")
    np.testing.assert_allclose(found, np.log(later / first), rtol=1e-12)
    for name in ("cv_E", "calcium_second_E"):
        assert log_changes(one, name, "first", "second").size == 11
    assert np.isfinite(variability(one, "first", "second").unit[::2]).all()


def test_experiments_with_spikes_have_the_stated_power():
    """150 experiments of six recordings of 20 Poisson units: binomial error of 4 %, bound at 3.5 of them."""
    rng, span = np.random.default_rng(12), 50.0
    found = power(one(), variability=spread(0.2, 0.4, np.sqrt(2.0 / (8.0 * span))))
    test, d = found.contrast("no homeostasis", "single-loop"), found.direction("no homeostasis", "single-loop")
    assert test.observable == "rate_E"
    refusals = 0
    for _ in range(150):
        data = [recording(rng, 0.4 + 0.2 * rng.standard_normal(), units=20, span=span) for _ in range(6)]
        counts = [[np.bincount(one.during(e).units, minlength=20) + 0.5 for e in one.epochs] for one in data]
        refusals += test.refuses([np.log(later / first) for first, later in counts])
    assert 0.4 < found.stated[d] < 0.95
    assert refusals / 150 == pytest.approx(found.stated[d], abs=3.5 * 0.04)


def test_counting_noise_goes_with_the_duration_and_cells_with_the_design_effect():
    noise = spread(0.1, 0.3, 0.4)
    assert "with 20 cells in each recording 44% lies between" in power(one(), variability=noise).recommendation
    longer = noise.lasting(40 * minute)
    np.testing.assert_allclose(longer.counting, 0.2)
    np.testing.assert_allclose(noise.intraclass, 0.01 / 0.26)
    # the variance of n cells is that of n/design_effect independent ones
    np.testing.assert_allclose(noise.error(20, 5) ** 2, 0.26 * noise.design_effect(20) / (20 * 5))


def test_slopes_of_calcium_set_how_its_logarithm_scatters():
    """Mean calcium without buffering is proportional to the rate; its square is at least so and at most squared."""
    plain = assumed_variability(Operating(sensor=eq.Calcium(buffering=0.0)), scatter=0.3)
    np.testing.assert_allclose(plain.within[4:6], 0.3, rtol=1e-6)
    assert (plain.within[6:] > 0.3).all()
    assert (plain.within[6:] < 0.6).all()


def test_the_shipped_recording_says_what_it_knows():
    found = variability(eq.recordings.example(), "sleep", "wake")
    assert found.units == (15, 0)
    assert "assumed: intraclass correlation 0.1" in found.caveats[-1]
    assert "rate_E" in repr(found)
    assert "rate_I" not in repr(found)
    assert found.dataset().intraclass.sel(observable="rate_E").item() == pytest.approx(0.1)
    given = variability(eq.recordings.example(), "sleep", "wake", intraclass=0.0)
    assert given.between[0] == 0.0


def test_only_what_is_recorded_is_recommended(predicted):
    found = power(predicted, variability=variability(eq.recordings.example(), "sleep", "wake"))
    assert {place[0] for place in found.places} == {"rate_E", "cv_E", "calcium_mean_E", "calcium_second_E"}


# --- what comes out ---------------------------------------------------------------------------------------------------
def test_a_design_prints_itself_and_is_written(design, tmp_path):
    import xarray as xr

    assert repr(design).startswith("Design(optical; alpha 0.05, power 0.8, 20 cells a recording)")
    design.dataset().to_netcdf(tmp_path / "design.nc", engine="h5netcdf")
    back = xr.load_dataset(tmp_path / "design.nc", engine="h5netcdf")
    assert back.sizes == {"direction": 6, "contrast": 56, "quantile": 3, "recordings": 13, "unknown": 11}
    np.testing.assert_array_equal(back.stated_power, design.stated)
    assert back.attrs["recommendation"] == design.recommendation


def test_the_chapter_is_drawn_from_the_file(design):
    from equipoise import plotting
    from equipoise.report.design_chapter import design_chapter

    with plotting.style():
        chapter = design_chapter(design.dataset())
    curves = [
        line.get_ydata() for ax in chapter.figures[0][0].axes for line in ax.get_lines() if line.get_marker() != "None"
    ]
    assert len(curves) == 6
    d = design.direction("single-loop", "no homeostasis")
    assert any(np.array_equal(y, design.expected[d, design.best[d]]) for y in curves)
    needed, cells, depends = chapter.tables[:3]
    assert len(needed.rows) == len(cells.rows) == 6
    assert [row[:2] for row in needed.rows] == [row[:2] for row in cells.rows]
    assert chapter.glance[0].startswith("Record the second moment of calcium of E: before, ")
    assert chapter.glance[1].startswith("A draw is")
    assert chapter.glance[2].startswith("If ")
    assert [line for line in chapter.glance if line.startswith("These are 3 of 6 cases")]
    assert depends.title.startswith("What the number of recordings depends on")
    assert depends.head[-1] == "strength"
    assert "rate_E" not in depends.head  # set points are known here


SHORT = made("calcium", np.zeros(39))
OTHER = predictions("deprivation", rules=["no homeostasis"], draws=60, seed=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power(one()[0]), "predicted must be what `predictions` returns"),
        (lambda: power(one()[:1]), "different rules, two at least, got .'single-loop'."),
        (lambda: power([one()[0], one()[0]]), "different rules, two at least"),
        (lambda: power([one()[0], SHORT]), "at least 40 draws, got 39 of calcium"),
        (lambda: power([one()[0], *OTHER]), "one manipulation of one operating point"),
        (lambda: PowerSettings(alpha=0.5), "alpha must leave an error rate above 0 and below 0.5, got 0.5"),
        (lambda: PowerSettings(alpha=0.0), "alpha .* must lie in"),
        (lambda: PowerSettings(power=1.0), "power must leave an error rate above 0 and below 0.5, got 1"),
        (lambda: PowerSettings(power=0.3), "power .* must lie in"),
        (lambda: PowerSettings(cells=0), "PowerSettings.cells must be a whole number"),
        (lambda: PowerSettings(recordings=1), f"PowerSettings.recordings must be a whole number in .2, {MOST:,}"),
        (lambda: power(one(), settings=PowerSettings(phases=("dring",))), "Did you mean 'during'"),
        (lambda: PowerSettings(observables=()), "must be different ones of"),
        (lambda: power(one(), variability=spread(np.nan, np.nan)), "none of .* is recorded"),
        (lambda: power(one(), variability=spread(0.0, 0.0)), "variability must be above 0"),
        (lambda: simulated_power(one_design(), one()[:1]), "must be of no homeostasis, single-loop, got"),
        (lambda: spread(-0.1, 0.5), "between must be 8 standard deviations"),
        (lambda: spread(0.1, 0.5).lasting(-1.0), "duration .* must be above 0"),
        (lambda: variability(eq.recordings.example(), "slep", "wake"), "Did you mean 'sleep'"),
        (lambda: variability(eq.recordings.example(), "sleep", "sleep"), "must not overlap, got 'sleep' from"),
        (lambda: log_changes(eq.recordings.example(), "rate_X", "sleep", "wake"), "must be one of .*'rate_X'"),
        (lambda: log_changes(eq.recordings.example(), "rate_I", "sleep", "wake"), "rate_I is not known of any unit"),
        (lambda: variability([], "sleep", "wake"), "must be a Recording or a list of them"),
        (lambda: variability(eq.recordings.example(), "sleep", "wake", intraclass=1.0), "intraclass"),
        (
            lambda: variability(recording(np.random.default_rng(1), 0.0, units=4), "first", "second"),
            r"at least 5 units of a type, got \[4\] units. 4 units of type E are too few",
        ),
        (lambda: one_design().contrast("single-loop", "calcium"), "truth and refuted must be two of"),
        (lambda: one_test().refuses([]), "at least one recording"),
        (lambda: one_test().refuses([[0.1, 0.2]]), "one recording needs its variability="),
        (lambda: one_test().refuses([[0.1], []]), "each with at least one unit"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def one_design():
    return power(one(), variability=spread(0.2, 0.5))


def one_test():
    return one_design().contrast("no homeostasis", "single-loop")
