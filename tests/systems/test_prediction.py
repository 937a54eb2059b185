"""What rules predict of a manipulation of a given circuit: theory against other theory, spikes, and what rules hold."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import equipoise as eq
from equipoise import report
from equipoise.inference import Prediction, Spikes, predict, resting
from equipoise.inference.batch import batch_of
from equipoise.inference.candidates import Candidate, candidates_of
from equipoise.inference.doses import doses_of
from equipoise.inference.networks import networks_of
from equipoise.inference.prediction_spikes import _spread
from equipoise.inference.prediction_theory import Foreseen, foreseen
from equipoise.units import day, hour, ms, second

SENSOR = eq.Calcium()
SPANS = (2 * day, 2 * day)
NETWORK = eq.Circuit.example("balanced_network")


def equal_cells(circuit):
    """The circuit with the same number of inputs for all cells of a population."""
    degrees = [p.connectivity.mean(circuit.node(p.source).size) for p in circuit.projections]
    pairs = zip(circuit.projections, degrees, strict=True)
    return replace(circuit, projections=[replace(p, connectivity=eq.FixedInDegree(k)) for p, k in pairs])


@pytest.fixture(scope="module")
def rest():
    return resting(NETWORK, sensor=SENSOR)


def of(found, **where):
    """One change, or several."""
    return found.change.isel(level=0, dose=0).sel(where).values


# --- against other theory ---------------------------------------------------------------------------------------------
def test_the_circuit_sets_out_from_its_mean_field(rest):
    state = eq.theory.mean_field(NETWORK)
    np.testing.assert_allclose(rest.x, state.x, rtol=1e-5)
    np.testing.assert_allclose(rest.input[0], [p.mu for p in state.populations], rtol=1e-5)


@pytest.mark.parametrize(("name", "strength"), [("optical", 0.3), ("input irregularity", 3.0)])
def test_weights_under_the_calcium_rule_follow_the_path_of_network_evolve(rest, name, strength):
    (found,) = [predict(NETWORK, {name: strength}, rules=["calcium"], spans=SPANS)]
    (dose,) = doses_of({name: strength})
    rules = candidates_of(["calcium"])[0].rules(rest)
    ruled, under = NETWORK.with_rules(rules), dose.apply(NETWORK, rest)
    acting = eq.Irregularity("X", fano=strength) if strength > 1.0 else eq.TonicDrive("E", under.node("E").drive)
    days = eq.theory.network_evolve(ruled, duration=SPANS[0], schedule=[eq.During(acting, 0.0)])
    gains = days["weight"].isel(time=-1) / days["weight"].isel(time=0)
    wanted = [float(gains.isel(weight_name=k)) for k in (0, 3, 1, 4)]  # from E onto E and I, from I onto both
    here = found.data["value"].isel(level=0, dose=0, rule=0).sel(phase="during")
    np.testing.assert_allclose(here.sel(observable=["J_E_E", "J_E_I", "J_I_E", "J_I_I"]), wanted, atol=3e-3)
    np.testing.assert_allclose(here.sel(observable=["rate_E", "rate_I"]), days.rate.values[-1], rtol=3e-4)


def test_networks_of_equal_cells_are_what_many_circuits_at_once_are():
    circuit = equal_cells(NETWORK)
    networks, batch = networks_of([circuit]), batch_of([circuit])
    x = networks.settled(np.array([[12.0, 11.0, 144.0, 121.0]]))
    r = batch.settled(np.array([[12.0, 11.0]]))
    np.testing.assert_allclose(x[:, :2], r, rtol=1e-7)
    np.testing.assert_allclose(x[:, 2:], r**2, rtol=1e-7)
    for a in (0, 1):
        np.testing.assert_allclose(networks.calcium(SENSOR, a, x), batch.calcium(SENSOR, a, r), rtol=1e-6)
    np.testing.assert_allclose(networks.irregularity(x), batch.irregularity(r), rtol=1e-6)
    gains, theta = np.array([[[0.99, 1.01], [1.01, 0.99]]]), np.array([[3.0, -2.0]])
    moved = networks.moved(gains, theta).settled(x)[:, :2], batch.moved(gains, theta).settled(r)
    np.testing.assert_allclose(*moved, rtol=1e-7)


# --- what rules hold --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rule", "held"),
    [
        ("single-loop", ["rate_E", "rate_I"]),
        ("calcium", ["calcium_mean_E", "calcium_mean_I", "calcium_second_E", "calcium_second_I"]),
        ("output-centric", ["rate_E"]),
    ],
)
def test_each_rule_brings_back_what_it_senses_and_then_what_was_before(rule, held):
    found = predict(NETWORK, "optical", rules=[rule], spans=SPANS)
    assert (of(found, rule=rule, phase="acute", observable=held) > 0.1).all()
    np.testing.assert_allclose(of(found, rule=rule, phase="during", observable=held), 0.0, atol=1e-4)
    assert (of(found, rule=rule, phase="rebound", observable=held) < -0.1).all()
    np.testing.assert_allclose(of(found, rule=rule, phase="after", observable=held), 0.0, atol=1e-3)


def test_the_input_centric_rule_holds_the_required_input(rest):
    found = foreseen(candidates_of(["input-centric B"])[0], rest, doses_of("optical"), SPANS)
    assert isinstance(found, Foreseen)
    net, z, x = found.phases()[1]
    mu, _ = replace(found.system, batch=net).moved(z).inputs(x)
    assert mu[0, 0] + z[0, 0] == pytest.approx(rest.input[0][0], rel=1e-6)  # net input, threshold back on


def test_nothing_moves_without_homeostasis():
    found = predict(NETWORK, "chemogenetic", rules=["no homeostasis"], spans=SPANS)
    acute, during = (of(found, rule="no homeostasis", phase=phase) for phase in ("acute", "during"))
    np.testing.assert_allclose(acute, during, atol=1e-6)
    assert (found.sign.isel(dose=0, rule=0).sel(phase="after", level="theory").dropna("observable") == 0.0).all()


def test_light_is_compensated_by_less_excitation_and_more_inhibition():
    found = predict(NETWORK, {"optical": [0.3, 0.6]}, rules=["calcium"], spans=SPANS)
    during = found.sign.isel(level=0).sel(rule="calcium", phase="during")
    for name, sign in {"J_E_E": -1, "J_I_E": 1, "rate_E": 0, "cv_E": 0, "calcium_second_E": 0}.items():
        assert (during.sel(observable=name) == sign).all(), name
    change = found.change.isel(level=0).sel(rule="calcium", phase="during", observable="J_E_E").values
    assert change[1] == pytest.approx(2.0 * change[0], rel=0.05)  # linear in a weak drive, Eq. 30 with mu* - I


def test_irregular_input_scales_excitation_down_and_its_irregularity_comes_back_under_calcium_only():
    found = predict(equal_cells(NETWORK), {"input irregularity": 3.0}, rules=["calcium", "single-loop"],
                    spans=(20 * day, 1 * day))  # fmt: skip
    acute = of(found, rule="calcium", phase="acute", observable=["calcium_second_E", "calcium_mean_E", "cv_E"])
    assert acute[0] > acute[1] > 0.0 < acute[2]
    for rule, sign in {"calcium": 0, "single-loop": 1}.items():
        late = found.sign.isel(level=0, dose=0).sel(rule=rule, phase="during")
        assert float(late.sel(observable="cv_E")) == sign
        assert float(late.sel(observable="rate_E")) == 0
        assert float(late.sel(observable="J_E_E")) == -1


def test_where_cells_differ_excitation_falls_at_first_and_ends_higher():
    """More noise makes rates more alike; the population's second moment then asks for more irregularity, not less."""
    found = predict(NETWORK, {"input irregularity": 3.0}, rules=["calcium"], spans=SPANS)
    time = found.data["time"].isel(level=0, rule=0).values
    weight = found.data["course"].isel(level=0, dose=0, rule=0).sel(observable="J_E_E").values
    assert weight[(time > 60.0) & (time < 0.5 * hour)].max() < 1.0
    assert of(found, rule="calcium", phase="during", observable="J_E_E") > 0.1
    assert of(found, rule="calcium", phase="acute", observable="rate_sd_E") < 0.0


def test_a_rule_pulls_where_its_path_sets_out():
    found = predict(
        NETWORK, "optical", rules=["calcium", "single-loop", "output-centric", "input-centric B"], spans=SPANS
    )
    data = found.data
    for rule, name in (("calcium", "J_E_E"), ("single-loop", "J_I_I"), ("output-centric", "threshold_E")):
        here = data.sel(rule=rule, observable=name, level="theory").isel(dose=0)
        speed = (here["course"][1] - here["course"][0]) / (here["time"][1] / hour)
        assert float(here["pull"].sel(phase="acute")) == pytest.approx(float(speed), rel=0.02)
        assert abs(float(here["pull"].sel(phase="after"))) < 0.02 * abs(float(speed))
    assert np.isnan(data["pull"].sel(rule="input-centric B", observable="threshold_E")).all()


# --- spikes -----------------------------------------------------------------------------------------------------------
def small_network():
    """2000 cells with K = 100, equal in-degrees and short delays, which stays asynchronous."""
    circuit = NETWORK.scaled(100).with_node("E", size=1000).with_node("I", size=1000)
    circuit = replace(circuit, projections=[replace(p, delay=0.1 * ms) for p in circuit.projections])
    return equal_cells(circuit)


@pytest.mark.parametrize("name", ["optical", "input irregularity"])
def test_theory_and_spikes_agree_on_signs(name):
    strength = {"optical": 0.3, "input irregularity": 6.0}[name]
    found = predict(small_network(), {name: strength}, rules=["calcium"], level="both", spans=(20 * day, 1 * day),
                    spikes=Spikes(duration=4 * second, seed=3))  # fmt: skip
    acute = found.sign.isel(dose=0).sel(rule="calcium", phase="acute")
    sensed = ["rate_E", "calcium_mean_E", "calcium_second_E"] + ["cv_E"] * (name != "optical")
    assert (acute.sel(observable=sensed) == 1).all()
    pull = found.data["pull"].isel(dose=0, rule=0).sel(phase="acute")
    assert (pull.sel(observable="J_E_E") < -0.02).all()  # by Eq. 16, at both levels
    assert (pull.sel(observable="J_I_E") > 0.02).all()  # by Eq. 10
    assert (abs(pull.sel(observable="J_E_E")) > pull.sel(observable="J_I_E")).all()  # downscaling before all
    assert float(found.sign.isel(dose=0, rule=0).sel(level="theory", phase="during", observable="J_E_E")) == -1
    size = abs(found.change.isel(dose=0).sel(rule="calcium", observable=sensed))
    assert (size.sel(phase="during") < 0.5 * size.sel(phase="acute")).all()  # what it held comes back at both levels
    assert (found.sign.isel(dose=0, rule=0).sel(phase="rebound", observable="rate_E") == -1).all()
    assert (abs(found.change.isel(dose=0, rule=0).sel(level="spiking", phase="after", observable="rate_E"))) < 0.05
    assert np.isfinite(found.difference.sel(observable="rate_E")).all()


# --- what cannot be predicted -----------------------------------------------------------------------------------------
def test_the_reading_that_does_not_hold_the_circuit_is_told_and_has_no_values():
    found = predict(NETWORK, "optical", rules=["input-centric"], spans=SPANS).data
    assert found["status"].values.tolist() == [[["UNSTABLE", "OK"]]]
    assert (
        "does not hold this circuit: a disturbance grows e-fold in"
        in found["reason"].sel(rule="input-centric A").item()
    )
    assert found["value"].sel(rule="input-centric A").isnull().all()


def test_silence_has_no_required_input_and_no_calcium_to_hold():
    found = predict(NETWORK, "TTX", rules=["input-centric B", "calcium"], spans=SPANS)
    assert found.data["status"].values.tolist() == [[["INFEASIBLE", "RUNAWAY"]]]
    assert "silent cells have no required input" in found.data["reason"].values[0, 0, 0]
    np.testing.assert_allclose(of(found, rule="calcium", phase="acute", observable="rate_E"), -1.0)
    assert np.isnan(of(found, rule="calcium", phase="during", observable="rate_E"))


def test_silence_ends_in_the_state_that_the_network_returns_to():
    found = predict(NETWORK, "TTX", rules=["no homeostasis", "output-centric"], spans=SPANS)
    assert found.data["status"].values.tolist() == [[["OK", "OK"]]]
    for phase, change in (("during", -1.0), ("rebound", 0.0), ("after", 0.0)):
        assert of(found, rule="no homeostasis", phase=phase, observable="rate_E") == pytest.approx(change, abs=1e-6)
    assert of(found, rule="output-centric", phase="rebound", observable="rate_E") > 1.0  # excitable after two days


def test_a_dose_beyond_what_excitation_can_give_is_reported_and_smaller_ones_are_not_harmed():
    """All of the excitation is gone at 851 thresholds/s, 10.3 of the unit."""
    spans = (1.2 * hour, 0.2 * hour)
    found = predict(NETWORK, {"optical": [0.3, 30.0]}, rules=["calcium"], spans=spans)
    assert found.data["status"].values[0, :, 0].tolist() == ["OK", "WEIGHT_AT_ZERO"]
    assert "excitatory weights onto E come to zero" in found.data["reason"].values[0, 1, 0]
    assert found.data["course"].isel(dose=0).sel(observable="rate_E").notnull().all()


def test_a_state_that_ends_at_once_says_at_which_part_of_the_dose():
    found = predict(NETWORK, {"NMDAR block": 0.5}, rules=["no homeostasis"], spans=SPANS).data
    assert found["status"].item() == "PAST_FOLD"
    assert "the resting state ends at once, at" in found["reason"].item()


def test_a_rule_that_the_level_does_not_represent_is_reported():
    rule = Candidate("absolute", lambda at: (eq.AttachedRule("E", eq.RateHomeostasis(scale="absolute")),))
    found = predict(NETWORK, "optical", rules=[rule, "no homeostasis"], spans=SPANS).data
    assert found["status"].values.tolist() == [[["FAILED", "OK"]]]
    assert "a rule must move weights at relative scale" in found["reason"].values[0, 0, 0]


def test_a_level_says_why_it_has_no_entry():
    found = predict(NETWORK, "optical", rules=["no homeostasis"], observables=["aperiodic_exponent"], spans=SPANS).data
    assert found["value"].isnull().all()
    assert "where common oscillations grow by themselves" in found["note"].item()  # as they do with delays of 1.5 ms


def test_light_makes_the_field_steeper_and_the_rule_takes_that_back():
    light = predict(small_network(), {"optical": 0.3}, rules=["calcium", "no homeostasis"], spans=(20 * day, 1 * day))
    exponent = light.data["value"].isel(dose=0).sel(level="theory", observable="aperiodic_exponent")
    rest = light.data["baseline"].sel(level="theory", observable="aperiodic_exponent").item()
    acute, during = (exponent.sel(phase=p).values - rest for p in ("acute", "during"))
    assert acute[0] == pytest.approx(acute[1])
    assert abs(acute[0]) > 0.02
    np.testing.assert_allclose(during[1], acute[1], atol=1e-9)
    assert abs(during[0]) < abs(acute[0])


# --- doses ------------------------------------------------------------------------------------------------------------
def test_manipulations_that_act_at_once_are_the_circuit_under_all_of_them(rest):
    both = doses_of([{"optical": [0.1, 0.2]}, "baclofen", eq.SourceRate("X", rate=9.0)])
    assert [d.label for d in both] == [
        f"optical {x} + baclofen 0.3162 + SourceRate(source='X', rate=9.0)" for x in (0.1, 0.2)
    ]
    circuit = both[1].apply(NETWORK, rest)
    one = eq.OpticalDrive(drive=0.2 * rest.unit[0]).perturbed(NETWORK)
    two = eq.Baclofen(current=np.sqrt(0.1) * rest.unit[0]).perturbed(one)
    assert circuit.node("E").drive == pytest.approx(two.node("E").drive)
    assert circuit.node("X").rate == 9.0
    assert circuit.weights() == pytest.approx(two.weights())


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("optcal", r"no manipulation is named 'optcal'\. Did you mean 'optical'"),
        ({"optical": [0.1, -1.0]}, r"strengths of 'optical' must be positive numbers, got \[0\.1, -1\.0\]"),
        ([{"optical": [0.1, 0.2]}, {"baclofen": [1.0, 2.0, 3.0]}], "one dose or equally many, got 2, 3"),
        ([], "one dose or equally many, got nothing"),
        ({"TTX": 0.5}, r"'TTX' has no strength but 1, got \[0\.5\]"),
    ],
)
def test_a_manipulation_that_is_none_is_refused(what, message):
    with pytest.raises(ValueError, match=message):
        predict(NETWORK, what)


def test_bad_requests_are_refused_with_a_suggestion():
    with pytest.raises(TypeError, match="manipulation must be a name, a protocol"):
        predict(NETWORK, 3.0)
    with pytest.raises(ValueError, match="no observable is named 'rates'"):
        predict(NETWORK, "optical", observables=["rates"])
    with pytest.raises(ValueError, match="level must be 'theory', 'spiking' or 'both', got 'spikes'"):
        predict(NETWORK, "optical", level="spikes")
    with pytest.raises(ValueError, match="level='spiking' needs finite populations, 'E' is infinite"):
        predict(NETWORK.infinite(), "optical", level="spiking")
    with pytest.raises(ValueError, match="must have populations named 'E' and 'I', got PYR, I"):
        predict(renamed(NETWORK), "optical")
    with pytest.raises(ValueError, match="rules must name candidates, got 'calcum'"):
        predict(NETWORK, "optical", rules=["calcum"])


@pytest.mark.parametrize("name", ["input irregularity", "deprivation", "deafferentation"])
def test_what_changes_sources_needs_sources(name):
    alone = replace(NETWORK, sources=[], projections=[p for p in NETWORK.projections if p.source != "X"])
    driven = alone.with_node("E", drive=316.0).with_node("I", drive=253.0)
    with pytest.raises(ValueError, match=f"'{name}' changes sources of constant rate, and the circuit has none"):
        predict(driven, name, rules=["no homeostasis"])


def test_drives_of_neurons_without_a_leak_are_given_in_volts_a_second():
    pif = eq.PIF(v_threshold=1.0, v_reset=0.0, v_bound=-1.0)
    circuit = NETWORK.with_node("E", neuron=pif).with_node("I", neuron=pif)
    with pytest.raises(TypeError, match="which neurons without a leak do not have"):
        predict(circuit, "optical", rules=["no homeostasis"])
    light = predict(circuit, eq.OpticalDrive(drive=20.0), rules=["no homeostasis"], spans=SPANS)
    assert of(light, phase="acute", observable="rate_E") > 0.0


def renamed(circuit):
    """Excitatory cells by another name."""
    name = {"E": "PYR"}
    nodes = [replace(p, name=name.get(p.name, p.name)) for p in circuit.populations]
    projections = [
        replace(p, source=name.get(p.source, p.source), target=name.get(p.target, p.target))
        for p in circuit.projections
    ]
    return eq.Circuit(populations=[*nodes, *circuit.sources], projections=projections)


# --- saved and drawn --------------------------------------------------------------------------------------------------
def test_a_page_is_drawn_from_the_saved_data(tmp_path):
    found = predict(NETWORK, "optical", rules=["output-centric", "input-centric A"], spans=SPANS)
    again = Prediction.load(found.save(tmp_path / "p.nc"))
    assert again.data.identical(found.data)
    assert repr(again).startswith("Prediction(Balanced network: theory)\noptical 0.3162\n")
    page = report.predict_html(again)
    assert page == report.predict_html(found)
    for words in (
        "planning an experiment",
        "does not hold this circuit",
        "+42.2",
        "data:image/png",
        "common oscillations",
    ):
        assert words in page


def test_the_command_line_writes_page_and_data(tmp_path):
    from equipoise.cli import app

    args = ["predict", "balanced_network", "--manipulation", "optical=0.1,0.3", "--rules", "output-centric", "--out"]
    done = CliRunner().invoke(app, [*args, str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = Prediction.load(tmp_path / "balanced_network_prediction.nc").data
    assert found["dose"].values.tolist() == ["optical 0.1", "optical 0.3"]
    assert (tmp_path / "balanced_network_prediction.html").exists()
    wrong = CliRunner().invoke(app, [*args[:3], "optical=x", "--out", str(tmp_path)])
    assert wrong.exit_code == 2


def test_the_spread_of_rates_in_spikes_is_that_of_cells_and_not_of_counting():
    """Poisson cells of gamma-distributed rates: SD 3 Hz beside counting; seed 5, four standard errors."""
    rng = np.random.default_rng(5)
    rates = rng.gamma(9.0, 1.0, 2000)
    counts, cvs = rng.poisson(rates * 10.0), np.ones(2000)
    sd, error = _spread(counts, cvs, 10.0)
    assert sd == pytest.approx(rates.std(), abs=4.0 * error)
    assert error < 0.1
    assert np.isnan(_spread(rng.poisson(90.0, 2000), cvs, 10.0)).all()  # counting explains it all
