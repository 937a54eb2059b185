"""One cell simulated spike by spike, against the averaged theory, exact invariants, and itself in pieces."""

import signal

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import equipoise as eq
from equipoise import Status
from equipoise.renewal import simulate as event_loop
from equipoise.results import load_dataset, save_dataset
from equipoise.units import Hz, hour, minute

SENSOR = eq.Calcium()
GOAL = eq.SetPoint(rate=5 * Hz, cv=0.8)


def cell(neuron=None, *, drive=0.0):
    trains = eq.PoissonInputs(K=200, rate=5 * Hz)
    return eq.DrivenNeuron(neuron or eq.PIF(), excitation=trains, inhibition=trains, drive=drive)


PLAIN = eq.CalciumHomeostasis(SENSOR, GOAL, tau_e=40 * minute, tau_i=20 * minute)
ADAPTIVE = eq.AdaptiveCalciumHomeostasis(SENSOR, GOAL, tau_e=40 * minute, tau_i=20 * minute, tau_adapt=2 * hour)
IRREGULAR = eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=5 * Hz, cv=0.9), tau_e=40 * minute, tau_i=20 * minute)
RATE = eq.RateHomeostasis(tau_e=400.0, tau_i=100.0, scale="absolute")


# --- against theory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("neuron", "rule", "offset", "seeds", "span"),
    [
        (eq.PIF(), PLAIN, (0.85, 0.95), 16, 2 * hour),
        (eq.PIF(), ADAPTIVE, (0.85, 0.95), 16, 2 * hour),
        (eq.LIF(), IRREGULAR, (1.15, 1.3), 12, 1 * hour),
    ],
    ids=["PIF-fixed", "PIF-adaptive", "LIF-fixed"],
)
def test_simulation_follows_the_averaged_equations(neuron, rule, offset, seeds, span):
    """Each slow variable at four times, by Student's t over the seeds; false alarm once in 1000 sets of seeds."""
    here = cell(neuron)
    start = eq.Weights(*(eq.theory.equilibrium(here, IRREGULAR if rule is IRREGULAR else PLAIN).state * offset))
    runs = [
        eq.theory.simulate(here, rule, duration=span, start=start, seed=seed, sample_every=span / 4)
        for seed in range(seeds)
    ]
    theory = eq.theory.evolve(here, rule, duration=span, start=start, times=np.linspace(0.0, span, 5))
    limit = stats.t.ppf(1 - 1e-3 / (2 * 4 * len(rule.variables)), seeds - 1)
    for name in rule.variables:
        found = np.array([run[name].values for run in runs])
        error = found.std(axis=0, ddof=1) / np.sqrt(seeds)
        wanted = theory[name].values
        assert (np.abs(found.mean(axis=0) - wanted[1:]) < limit * error).all(), name
        assert (error < 2e-3 * wanted[1:]).all()
        assert error[-1] < np.ptp(wanted) / 10  # the path is long beside the error of the comparison


def test_calcium_and_rate_of_a_run_are_those_of_theory_at_rest():
    here, span = cell(), 40_000.0
    run = eq.theory.simulate(here, PLAIN, duration=span, seed=3, sample_every=200.0)
    point = eq.theory.equilibrium(here, PLAIN)
    resolved = eq.theory.resolve(here, PLAIN).target
    wanted = {"rate": point.rate, "calcium_mean": resolved.mean, "calcium_second_moment": resolved.second_moment}
    wanted |= {"mu": point.mu, "sigma": point.sigma}
    for name, value in wanted.items():
        blocks = run[name].values.reshape(20, -1).mean(axis=1)
        error = blocks.std(ddof=1) / np.sqrt(20)
        assert abs(blocks.mean() - value) < stats.t.ppf(1 - 1e-4, 19) * error, name
        assert error < 0.02 * value


def test_rate_rules_conserve_their_sum_at_every_sample():
    """tau_E J_E + tau_I J_I, the invariant of two rate rules with one set point, is kept by each spike and silence."""
    run = eq.theory.simulate(cell(), RATE, duration=500.0, start=(0.5, 0.49), seed=5, sample_every=0.05)
    q = 400.0 * run["j_e"].values + 100.0 * run["j_i"].values
    assert q == pytest.approx(400 * 0.5 + 100 * 0.49, rel=3e-13)
    assert np.ptp(run["j_e"].values) > 0.01
    assert run.sizes["time"] == 10_000


# --- the dataset ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [PLAIN, ADAPTIVE, RATE], ids=lambda r: type(r).__name__)
def test_the_layout_is_that_of_evolve(rule):
    start = (0.5, 0.49)
    run = eq.theory.simulate(cell(), rule, duration=20.0, start=start, seed=1, keep_spikes=7)
    theory = eq.theory.evolve(cell(), rule, duration=20.0, start=start)
    assert set(run.variables) == set(theory.variables) - {"cv"} | {"spike_times"}
    for name in set(run.variables) & set(theory.variables):
        assert run[name].dims == theory[name].dims == ("time",)
        assert run[name].attrs["units"] == theory[name].attrs["units"]
    assert (run.attrs["status"], run.attrs["message"]) == ("OK", theory.attrs["message"])
    assert run.attrs["seed"] == 1
    assert run["spike_times"].size == 7
    assert run["rate"].values.sum() * 0.1 == pytest.approx(run.attrs["n_spikes"], rel=1e-12)
    assert float(run["sigma"][-1] ** 2) == pytest.approx(1000 * float(run["j_e"][-1] ** 2 + run["j_i"][-1] ** 2))


@pytest.mark.parametrize("duration", [0.7, 1.1, 3.3, 7.7, 1e-3 / 3, 12_345.678 / 1000])
def test_there_are_200_samples_unless_told_otherwise(duration):
    run = eq.theory.simulate(cell(), PLAIN, duration=duration, seed=1)
    assert run.sizes["time"] == 200
    assert float(run["time"][-1]) == pytest.approx(duration, rel=1e-12)


def test_starts():
    whole = eq.theory.simulate(cell(), ADAPTIVE, duration=1.0, start=[0.5, 0.49, 2.5, 1.4], seed=1)
    assert float(whole["target_second_moment"][0]) == pytest.approx(2.5, rel=1e-3)
    assert float(whole["target_mean"][0]) == pytest.approx(1.4, rel=1e-3)
    drifting = eq.theory.simulate(cell(drive=300.0), PLAIN, duration=1.0, seed=1)
    point = eq.theory.equilibrium(cell(), PLAIN)
    assert float(drifting["j_i"][0]) == pytest.approx(point.j_i, rel=1e-3)


def test_a_weight_that_ends_at_zero_is_told():
    law = eq.CalciumHomeostasis(SENSOR, GOAL, tau_e=100.0, tau_i=50.0, scale="absolute")
    run = eq.theory.simulate(cell(eq.LIF()), law, duration=0.5, start=(0.0, 0.005), seed=1)
    assert run.attrs["status"] == "WEIGHT_AT_ZERO"
    assert "a weight at zero" in run.attrs["message"]
    assert run.attrs["advice"] == Status.WEIGHT_AT_ZERO.advice


def test_weights_beyond_all_numbers_are_told():
    run = eq.theory.simulate(cell(), PLAIN, duration=1.0, start=(1e200, 0.1), seed=1)
    assert run.attrs["status"] == "RUNAWAY"
    assert "grew beyond all numbers" in run.attrs["message"]


# --- in pieces --------------------------------------------------------------------------------------------------------


def interrupt(fraction):
    if fraction > 0.3:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("rule", "seed"), [(ADAPTIVE, 8), (RATE, np.random.SeedSequence(2**70, spawn_key=(3,)))])
def test_interrupted_and_resumed_equals_uninterrupted_bit_by_bit(rule, seed, tmp_path, monkeypatch):
    monkeypatch.setattr(event_loop, "BUDGET", 500)
    options = {"duration": 200.3, "start": (0.5, 0.49), "seed": seed, "sample_every": 0.7, "keep_spikes": 700}
    whole = eq.theory.simulate(cell(), rule, **options)
    first = eq.theory.simulate(cell(), rule, **options, progress=interrupt)
    assert first.attrs["status"] == "INTERRUPTED"
    assert first.attrs["message"].endswith("equipoise.theory.resume goes on.")
    assert 60.0 < first.attrs["stop"] < 120.0
    assert 0 < first.sizes["time"] < whole.sizes["time"] == 286
    save_dataset(first, tmp_path / "run.nc")
    xr.testing.assert_identical(eq.theory.resume(cell(), rule, load_dataset(tmp_path / "run.nc")), whole)


def test_a_finished_run_goes_on_to_a_later_time():
    whole = eq.theory.simulate(cell(), PLAIN, duration=50.0, seed=2, sample_every=1.0)
    first = eq.theory.simulate(cell(), PLAIN, duration=20.5, seed=2, sample_every=1.0)
    seen = []
    xr.testing.assert_identical(eq.theory.resume(cell(), PLAIN, first, until=50.0, progress=seen.append), whole)
    assert seen[-1] == 1.0
    with pytest.raises(ValueError, match=r"until must lie after 50 s, where the run stopped, got 50 s"):
        eq.theory.resume(cell(), PLAIN, whole)


def test_only_the_same_cell_and_rule_go_on():
    first = eq.theory.simulate(cell(), PLAIN, duration=1.0, seed=2)
    with pytest.raises(ValueError, match="resume: cell must be that of the earlier run, DrivenNeuron"):
        eq.theory.resume(cell(drive=1.0), PLAIN, first, until=2.0)
    with pytest.raises(ValueError, match="resume: rule must be that of the earlier run, CalciumHomeostasis"):
        eq.theory.resume(cell(), ADAPTIVE, first, until=2.0)
    with pytest.raises(ValueError, match=r"earlier must be a result of equipoise\.theory\.simulate"):
        eq.theory.resume(cell(), PLAIN, first.drop_attrs(), until=2.0)


# --- bad input --------------------------------------------------------------------------------------------------------


class Mine(eq.CalciumHomeostasis):
    """A rule with equations of its own."""


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"cell": cell(eq.EIF())}, TypeError, r"PIF and LIF exactly, got EIF. Use .* equipoise.theory.evolve"),
        (
            {"rule": eq.KineticHomeostasis(SENSOR, GOAL)},
            TypeError,
            r"got KineticHomeostasis. Use equipoise.theory.evol",
        ),
        ({"rule": Mine(SENSOR, GOAL)}, TypeError, r"runs .* got Mine. Use equipoise.theory.evolve"),
        ({"cell": eq.PIF()}, TypeError, r"cell must be an eq.DrivenNeuron"),
        ({"rule": RATE}, ValueError, r"simulate: RateHomeostasis needs start"),
        ({"start": [-1.0, 0.5]}, ValueError, r"simulate: start.j_e must be finite and at least 0, got -1"),
        ({"start": [1.0]}, ValueError, r"start must be the weights"),
        ({"duration": 0.0}, ValueError, r"simulate.duration \(simulated time\) must be above 0 second, got 0"),
        ({"sample_every": -1.0}, ValueError, r"sample_every \(time between samples\) must be above 0 second, got -1"),
        ({"keep_spikes": 1.5}, ValueError, r"keep_spikes must be a whole number, got 1.5"),
        ({"seed": None}, TypeError, r"seed must be an integer or a numpy SeedSequence, got None"),
    ],
)
def test_bad_input_is_named(change, error, message):
    arguments = {"cell": cell(), "rule": PLAIN, "duration": 1.0, "seed": 1} | change
    with pytest.raises(error, match=message):
        eq.theory.simulate(**arguments)
