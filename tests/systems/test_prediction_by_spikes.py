"""What rules predict by spikes alone: against theory where it holds, and where it does not; refusals; going on."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import report
from equipoise.inference import DesignSettings, Prediction, Spikes, predict
from equipoise.inference.prediction_observables import observables_of
from equipoise.report.predict_page import _levels, table_of
from equipoise.spiking import Pace
from equipoise.units import Hz, hour, ms, nS, pF, second

NETWORK = eq.Circuit.example("balanced_network")
CONDUCTANCES = eq.Circuit.example("conductance_network").with_node("E", size=400).with_node("I", size=100)
QUICK = Pace(stride=0.04)
SLOW = ["J_E_E", "J_I_E", "J_E_I", "J_I_I"]
ONE_HOUR = (1 * hour, 1 * hour)


def small(n=500, K=100):
    """Few cells with equal in-degrees and short delays, which stay asynchronous."""
    circuit = NETWORK.scaled(K).with_node("E", size=n).with_node("I", size=n)
    projections = [replace(p, delay=0.1 * ms, connectivity=eq.FixedInDegree(K)) for p in circuit.projections]
    return replace(circuit, projections=projections)


def by_spikes(circuit, manipulation, rules, **more):
    how = {"duration": 1 * second, "seed": 1, "pace": QUICK} | more
    return predict(circuit, manipulation, rules=rules, level="spiking", spans=ONE_HOUR, tau=0.5 * hour,
                   spikes=Spikes(**how))  # fmt: skip


@pytest.fixture(scope="module")
def beside_theory():
    return predict(small(), {"optical": 0.3}, rules=["calcium"], level="both", spans=(2 * hour, 1 * hour),
                   tau=0.5 * hour, spikes=Spikes(duration=4 * second, seed=3, pace=QUICK, follow=True))  # fmt: skip


# --- against theory ---------------------------------------------------------------------------------------------------
def test_light_moves_weights_as_theory_says(beside_theory):
    found, slow = beside_theory, {"dose": "optical 0.3", "rule": "calcium", "phase": "during", "observable": SLOW}
    assert found.data["status"].values.ravel().tolist() == ["OK", "OK"]
    theory, spikes = (found.change.sel(slow | {"level": level}).values for level in ("theory", "spiking"))
    assert (np.sign(spikes[:2]) == [-1.0, 1.0]).all()
    assert (np.sign(theory[:2]) == [-1.0, 1.0]).all()
    error = found.change_error.sel(slow | {"level": "spiking"}).values
    assert (error < 0.02).all()
    np.testing.assert_allclose((spikes - theory) / error, 0.0, atol=3.0)  # three reported errors


def test_rates_come_back_and_undershoot_at_release(beside_theory):
    rate = beside_theory.change.isel(dose=0, rule=0).sel(observable="rate_E")
    for level in ("theory", "spiking"):
        acute, during, rebound, after = rate.sel(level=level).values
        assert acute > 0.5
        assert abs(during) < 0.15 * acute
        assert rebound < -0.3
        assert abs(after) < 0.15 * acute


def test_the_course_by_spikes_ends_where_the_phases_are(beside_theory):
    data = beside_theory.data.isel(dose=0, rule=0).sel(level="spiking")
    half = data.sizes["moment"] // 2
    there = data["course"].isel(moment=[0, half - 1, half, -1]).sel(observable=SLOW)
    here, error = (data[k].sel(observable=SLOW).values for k in ("value", "error"))
    assert (abs(there.values - here) <= 3.0 * error).all()
    sensed = data["course"].sel(observable=["rate_E", "rate_I", "calcium_mean_E"])
    measured = data["value"].sel(observable=sensed["observable"])
    np.testing.assert_allclose(sensed.isel(moment=[0, half]), measured.sel(phase=["acute", "rebound"]), rtol=0.2)


# --- by spikes alone --------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def conductances():
    rules = ["no homeostasis", "input-centric B", "output-centric"]
    return predict(CONDUCTANCES, "optical", rules=rules, spans=ONE_HOUR, tau=0.5 * hour, design=DesignSettings(),
                   spikes=Spikes(duration=2 * second, seed=1, pace=QUICK))  # fmt: skip


def test_a_circuit_that_theory_does_not_represent_is_predicted_by_its_spikes(conductances):
    assert conductances.data["level"].values.tolist() == ["spiking"]
    assert "ConductanceLIF neurons" in conductances.data.attrs["level_reason"]
    change, error = (x.isel(level=0, dose=0) for x in (conductances.change, conductances.change_error))
    rate = change.sel(observable="rate_E")
    assert rate.sel(rule="no homeostasis", phase=["acute", "during"]).min() > 0.3
    ruled, spread = rate.sel(rule="output-centric").values, error.sel(observable="rate_E", rule="output-centric").values
    assert abs(ruled[1]) < 4.0 * spread[1]
    assert ruled[2] < -0.2
    assert abs(ruled[3]) < 4.0 * spread[3]
    assert change.sel(rule="output-centric", phase="during", observable="threshold_E") > 0.05  # V/s


def test_spikes_alone_make_no_design_and_say_so(conductances):
    (design,) = conductances.designs
    assert "designs are made in theory: 'E' has ConductanceLIF neurons" in design.attrs["recommendation"]
    assert "designs are made in theory" in report.predict_html(conductances)


def test_a_drive_in_units_of_the_membrane_moves_it_by_its_own_fluctuations():
    """sqrt(2) sd(V)/tau of a cell under conductances; that of a LIF is sigma/sqrt(tau_m)."""
    from equipoise.inference.prediction_rest import spiking_rest
    from equipoise.inference.resting import resting

    how = Spikes(duration=1 * second, seed=1)
    lif, theory = spiking_rest(small(), how, 1 * hour), resting(small())
    np.testing.assert_allclose(lif.unit, theory.unit, rtol=0.05)
    found = spiking_rest(CONDUCTANCES, how, 1 * hour).unit
    record = eq.spiking.Record(membrane={"I": 50})
    cells = eq.spiking.simulate(CONDUCTANCES, duration=2 * second, seed=9, record=record).membrane
    open_ = 10 * nS + float((cells["g_excitatory"] + cells["g_inhibitory"]).mean())
    assert found[1] == pytest.approx(np.sqrt(2.0) * float(cells["potential"].std()) * open_ / (200 * pF), rel=0.05)


# --- what cannot be followed ------------------------------------------------------------------------------------------
def test_a_rule_that_senses_what_spikes_do_not_give_is_refused_by_itself(conductances):
    here = conductances.data.sel(level="spiking", rule="input-centric B").isel(dose=0)
    assert here["status"].item() == "FAILED"
    assert "an input of currents; its synapses are conductances" in here["reason"].item()
    assert here["value"].isnull().all()


def test_silence_gives_no_required_input():
    found = by_spikes(small(n=200, K=50), "TTX", ["input-centric B", "no homeostasis"]).data
    assert found["status"].values.ravel().tolist() == ["INFEASIBLE", "SILENT"]
    assert found["reason"].values.ravel()[0].startswith("E falls silent into the manipulation")
    assert found["reason"].values.ravel()[1] == "E does not fire (acute)."
    assert found["value"].sel(rule="input-centric B", phase="during").isnull().all()


def test_a_dose_that_saturates_is_told():
    found = by_spikes(small(n=200, K=50), {"optical": 100.0}, ["no homeostasis"]).data
    assert found["status"].item() == "SATURATED"
    assert "E fires at 9" in found["reason"].item()


def test_a_path_that_evolve_ends_has_its_status_and_reason():
    found = predict(small(n=200, K=50), "TTX", rules=["single-loop"], level="spiking", spans=ONE_HOUR, tau=0.2 * hour,
                    spikes=Spikes(duration=1 * second, seed=1, pace=Pace(stride=0.2))).data  # fmt: skip
    assert found["status"].item() == "RUNAWAY"
    assert "has grown 2" in found["reason"].item()
    assert found["value"].sel(phase="acute", observable="rate_E") == 0.0
    assert found["value"].sel(phase="during").isnull().all()
    assert found["course"].sel(observable="J_E_E").max() > 10.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.with_projection("I", "E", plasticity=eq.InhibitoryPlasticity(rate=10 * Hz)),
         r"predict: I -> E has synapses that move with the spikes \(InhibitoryPlasticity\)"),
        (lambda c: replace(c, sources=[eq.Volleys("X", times=(20 * ms,))]), "'X' fires in volleys"),
    ],
)  # fmt: skip
def test_circuits_whose_time_cannot_be_stretched_are_refused(change, message):
    with pytest.raises(TypeError, match=message):
        predict(change(small(n=200, K=50)), "optical")


def test_theory_that_was_asked_for_is_not_replaced():
    for level in ("theory", "both"):
        with pytest.raises(TypeError, match="ConductanceLIF"):
            predict(CONDUCTANCES, "optical", level=level)


def test_a_speed_below_life_is_refused():
    with pytest.raises(ValueError, match=r"predict\.spikes\.speed .* must .*1"):
        by_spikes(small(n=200, K=50), "optical", ["calcium"], speed=0.5)


def test_a_silent_circuit_has_no_set_points():
    quiet = small(n=200, K=50).with_node("X", rate=0.1 * Hz)
    with pytest.raises(eq.NumericalFailure, match="E does not fire at rest"):
        by_spikes(quiet, "optical", ["calcium"])


# --- going on ---------------------------------------------------------------------------------------------------------
def test_what_ctrl_c_stopped_goes_on_and_ends_the_same(conductances, tmp_path):
    rules, how = ["no homeostasis", "input-centric B", "output-centric"], {"duration": 2 * second, "pace": QUICK}

    def stop(fraction):
        if fraction > 0.3:
            raise KeyboardInterrupt

    def asked(**more):
        return predict(CONDUCTANCES, "optical", rules=rules, spans=ONE_HOUR, tau=0.5 * hour,
                       spikes=Spikes(seed=1, store=tmp_path, **how, **more))  # fmt: skip

    stopped = asked(progress=stop).data
    assert stopped["status"].values.ravel().tolist() == ["OK", "FAILED", "INTERRUPTED"]
    assert stopped["value"].sel(rule="no homeostasis", observable="rate_E").notnull().all()
    assert stopped["value"].sel(rule="output-centric", phase="after").isnull().all()
    assert asked().data.drop_attrs().identical(conductances.data.drop_attrs())


def test_ctrl_c_keeps_theory_and_the_runs_that_are_done(monkeypatch):
    from equipoise.inference import prediction_spikes

    calls, size = [], len(observables_of(["E", "I"]))

    def measured(circuit, how):
        calls.append(circuit)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return np.ones(size), np.full(size, 0.1)

    monkeypatch.setattr(prediction_spikes, "measured", measured)
    found = predict(small(), "optical", rules=["no homeostasis", "output-centric"], level="both", spans=ONE_HOUR).data
    assert found["status"].values[:, 0].tolist() == [["OK", "OK"], ["OK", "INTERRUPTED"]]
    assert found["value"].sel(level="theory", observable="rate_E").notnull().all()
    assert found["value"].sel(level="spiking", rule="no homeostasis", observable="rate_E").notnull().all()


# --- drawn ------------------------------------------------------------------------------------------------------------
def test_the_page_says_which_level_was_used_and_why(conductances, beside_theory, tmp_path):
    again = Prediction.load(conductances.save(tmp_path / "p.nc"))
    assert again.data.identical(conductances.data)
    assert "by spikes, since 'E' has ConductanceLIF neurons" in repr(again)
    page = report.predict_html(again)
    assert "Lines: spiking" in page
    assert "By spikes, since &#x27;E&#x27; has ConductanceLIF neurons" in page
    assert "thin lines" in report.predict_html(beside_theory)


def test_the_page_says_how_far_the_levels_differ(beside_theory):
    page, (head, *rows) = report.predict_html(beside_theory), table_of(beside_theory, "optical 0.3")
    assert head[3] == "rate_E (%)"
    apart = [row for row in rows[0] if row[2] == "difference"]
    assert [row[1] for row in apart] == ["acute", "during", "rebound", "after"]
    shown = beside_theory.difference.isel(dose=0, rule=0).sel(observable="rate_E").values
    np.testing.assert_allclose([float(row[3].replace("−", "-")) for row in apart], 100.0 * shown, atol=0.06)
    signs = beside_theory.sign
    opposite = int((signs.sel(level="theory") * signs.sel(level="spiking") < 0.0).sum())
    assert f"Theory and spikes have opposite signs in {opposite} of " in page


def test_signs_that_differ_are_counted_and_named(beside_theory):
    data = beside_theory.data.copy(deep=True)
    here = {"level": "spiking", "phase": "acute", "observable": "rate_E"}
    data["value"].loc[here] = 0.5 * data["baseline"].sel(level="spiking", observable="rate_E")
    (words,) = _levels(Prediction(data))
    (before,) = _levels(beside_theory)
    count = [int(text.split(" in ")[1].split(" of ")[0]) for text in (before, words)]
    assert count[1] == count[0] + 1
    assert "rate_E (calcium, acute)" in words
    assert "rate_E (calcium, acute)" not in before
