"""The analysis of recorded units: the real recording, processes with known answers, and what it does with bad units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise import measures, recordings
from equipoise.inference import AnalysisSettings, cells, implied, operating_map
from equipoise.inference.implied import minimal_in_degree
from equipoise.inference.surrogates import calcium_of
from equipoise.measures.nulls import displaced, shuffled
from equipoise.model.inputs import DrivenNeuron, PoissonInputs, weights_for
from equipoise.renewal import statistics
from equipoise.report.tables import flags
from equipoise.results import Epoch, Recording, SpikeTrains
from equipoise.units import Hz, minute, ms, mV, second

QUICK = AnalysisSettings(surrogates=40)
UNBUFFERED = eq.Calcium(buffering=0.0)


def recording_of(*trains, duration, epochs=None):
    times = np.concatenate(trains)
    units = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    order = np.argsort(times, kind="stable")
    spikes = SpikeTrains(times[order], units[order], len(trains), 0.0, duration)
    names = tuple(f"u{i}" for i in range(len(trains)))
    return Recording(spikes, names, tuple(epochs or [Epoch("all", 0.0, duration)]), "made.npz")


def poisson(rng, rate, duration):
    return np.sort(rng.uniform(0, duration, rng.poisson(rate * duration)))


def gamma(rng, rate, cv, duration):
    times = np.cumsum(rng.gamma(1 / cv**2, cv**2 / rate, int(2 * rate * duration) + 100))
    return times[times < duration]


@pytest.fixture(scope="module")
def example():
    recording = recordings.example()
    return recording, cells(recording, QUICK)


# The real recording --------------------------------------------------------------------------------------------------


def test_the_real_recording_gives_its_known_numbers(example):
    recording, dataset = example
    assert dataset.sizes == {"unit": 15, "epoch": 2, "source": 6, "moment": 2, "k": 3}
    assert int(dataset.n_spikes.sum()) == 98_794
    np.testing.assert_allclose([dataset["cv"].min(), dataset["cv"].max()], [1.2509, 11.6655], atol=1e-4)
    np.testing.assert_allclose(dataset.rate.sel(epoch="wake", unit="6"), 13_250 / 600)
    assert dataset.cv_local.max() < 2.0
    for epoch in recording.epochs:
        part = measures.summary(recording.during(epoch))
        for name in ("rate", "cv", "cv2", "lv", "lvr", "cv_local"):
            np.testing.assert_array_equal(dataset[name].sel(epoch=epoch.name).values, part[name].values)


def test_short_intervals_of_the_real_recording_are_counted(example):
    recording, dataset = example
    for epoch in recording.epochs:
        expected = [np.sum(np.diff(t) < 0.002) for t in recording.during(epoch)]
        np.testing.assert_array_equal(dataset.short_intervals.sel(epoch=epoch.name), expected)


def test_actual_calcium_equals_a_fine_sum_along_the_trace(example):
    """Independent of the event-driven code: C on a grid of 0.2 ms for the first 40 s of one unit, error ~ dt/tau."""
    times = recordings.example().spikes.unit(5)
    times = times[times < 40.0]
    dt, sensor = 2e-4, eq.Calcium()
    counts = np.bincount((times / dt).astype(int), minlength=200_000)
    c, trace = 0.0, np.empty(counts.size)
    decay = np.exp(-dt / sensor.tau)
    for i, n in enumerate(counts):
        for _ in range(n):
            c = c * (1 - sensor.buffering) + sensor.influx
        trace[i] = c * (1 - decay) * sensor.tau / dt
        c *= decay
    mean, second_moment = calcium_of(times, sensor, (0.0, 40.0))
    trace = trace[round(3.0 / dt) :]  # ten time constants of warm-up
    np.testing.assert_allclose(mean, trace.mean(), rtol=1e-3)
    np.testing.assert_allclose(second_moment, np.mean(trace**2), rtol=2e-3)


def test_the_model_neuron_fires_like_the_unit(example):
    _, dataset = example
    assert set(np.unique(dataset.input_status)) <= {"OK", "IMPLAUSIBLE"}
    neuron = QUICK.neuron
    mu, sigma = dataset.mu.values, dataset.sigma.values
    np.testing.assert_allclose(statistics.rate(neuron, mu=mu, sigma=sigma), dataset.rate, rtol=1e-6)
    np.testing.assert_allclose(statistics.cv(neuron, mu=mu, sigma=sigma), dataset.cv_local, rtol=1e-6)
    np.testing.assert_allclose(dataset.membrane_mean, mu * neuron.tau_m)
    reasons = dataset.input_reason.values[dataset.input_status.values == "IMPLAUSIBLE"]
    assert reasons.size
    assert all("threshold distances below reset" in reason for reason in reasons)


def test_global_irregularity_asks_for_more_than_local(example):
    recording, local = example
    overall = cells(recording, AnalysisSettings(surrogates=20, irregularity="global"))
    np.testing.assert_array_equal(overall.irregularity, overall["cv"])
    assert (overall.input_status != "OK").sum() > (local.input_status != "OK").sum()
    assert all(overall.input_reason.values[overall.input_status.values != "OK"])


def test_predictions_are_ordered_as_their_definitions_demand(example):
    recording, dataset = example
    nu = dataset.calcium_second_moment
    # Shuffled trains are renewal trains of the same intervals, drawn without replacement; but the law's rate is that of
    # the intervals, which do not reach the ends of the window.
    law_rate = [[(t.size - 1) / (t[-1] - t[0]) for t in recording.during(e)] for e in recording.epochs]
    renewal = nu.sel(source="renewal") * dataset.rate / law_rate
    np.testing.assert_allclose(nu.sel(source="shuffled"), renewal, rtol=0.03)
    gaps = dataset.sel(moment="second_moment")
    actual = nu.sel(source="actual")
    np.testing.assert_allclose(
        (gaps.modulation_gap + gaps.remaining_gap) * actual, actual - nu.sel(source="poisson"), rtol=1e-10, atol=1e-12
    )
    assert (dataset.calcium_mean_low <= dataset.calcium_mean_high).all()
    np.testing.assert_allclose(dataset.set_point_mean, dataset.calcium_mean.sel(source="actual"), rtol=1e-12)


# Processes with known answers ----------------------------------------------------------------------------------------


def test_a_renewal_process_has_no_serial_gap():
    """20 gamma trains: the actual moments leave the central 95 % of the shuffles in 1 of 20 cases on average; 6 or
    more of 20 have probability 3e-4."""
    rng = np.random.default_rng(0)
    trains = [gamma(rng, 8.0, 0.6, 150.0) for _ in range(20)]
    dataset = cells(recording_of(*trains, duration=150.0), AnalysisSettings(surrogates=100)).isel(epoch=0)
    assert int(dataset.serial_order_matters.sel(moment="second_moment").sum()) < 6
    assert abs(float(dataset.serial_gap.sel(moment="second_moment").mean())) < 0.01


def test_clustered_intervals_raise_and_alternating_ones_lower_the_second_moment():
    rng = np.random.default_rng(1)
    intervals = np.sort(rng.exponential(0.2, 1500))
    parts = intervals.reshape(50, 30)[rng.permutation(50)]  # stretches of alike intervals, in no order
    clustered = np.cumsum(parts.ravel())
    half = intervals.size // 2
    alternating = np.cumsum(np.column_stack([rng.permutation(intervals[:half]), rng.permutation(intervals[half:])]))
    stop = max(clustered[-1], alternating[-1]) + 1.0
    dataset = cells(recording_of(clustered, alternating, duration=stop), QUICK).isel(epoch=0)
    gap = dataset.serial_gap.sel(moment="second_moment").values
    assert gap[0] > 0.05
    assert gap[1] < -0.01
    assert dataset.serial_order_matters.sel(moment="second_moment").all()


def test_slow_modulation_of_a_poisson_process_is_recovered():
    """Rate 8 (1 + 0.8 sin(2 pi t/60 s)) Hz without buffering: Campbell gives <C^2> = r tau/2 + tau^2 <rate^2>, so that
    modulation adds tau^2 r^2 0.8^2/2, and a Poisson process leaves no remaining gap."""
    rng = np.random.default_rng(2)
    trains = []
    for _ in range(8):
        times = poisson(rng, 14.4, 600.0)
        rate = 8.0 * (1 + 0.8 * np.sin(2 * np.pi * times / 60.0))
        trains.append(times[rng.uniform(0, 14.4, times.size) < rate])
    chosen = AnalysisSettings(surrogates=40, sensor=UNBUFFERED)
    dataset = cells(recording_of(*trains, duration=600.0), chosen).isel(epoch=0)
    tau, r = 0.3, 8.0
    plain = r * tau / 2 + (r * tau) ** 2
    added = (tau * r) ** 2 * 0.32
    gaps = dataset.sel(moment="second_moment")
    np.testing.assert_allclose(gaps.modulation_gap.mean(), added / (plain + added), rtol=0.05)
    assert abs(float(gaps.remaining_gap.mean())) < 0.01


def test_displaced_poisson_trains_stay_poisson_but_resampling_a_smoothed_rate_does_not():
    """The bias of resampling is tau^2 r/(2 sqrt(pi) w), 4 % of <C^2> at 5 Hz, w = 1 s; displacement has none."""
    rng = np.random.default_rng(3)
    window, width, rate = (0.0, 2000.0), 1.0, 5.0
    moved, resampled, plain = [], [], []
    for _ in range(20):
        times = poisson(rng, rate, 2000.0)
        plain.append(calcium_of(times, UNBUFFERED, window)[1])
        moved.append(calcium_of(displaced(times, width=width, window=window, rng=rng), UNBUFFERED, window)[1])
        parents = rng.integers(0, times.size, times.size)  # with replacement: a draw from the smoothed rate
        drawn = np.sort(times[parents] + width * rng.standard_normal(times.size))
        drawn = drawn[(drawn > 0) & (drawn < 2000.0)]
        resampled.append(calcium_of(drawn, UNBUFFERED, window)[1])
    nu = np.mean(plain)
    expected = 0.3**2 * rate / (2 * np.sqrt(np.pi) * width) / nu
    np.testing.assert_allclose(np.mean(moved) / nu - 1.0, 0.0, atol=0.008)
    np.testing.assert_allclose(np.mean(resampled) / nu - 1.0, expected, atol=0.01)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=3, max_size=40), st.floats(0.01, 300), st.integers(0, 99))
def test_surrogates_keep_what_they_promise(times, width, seed):
    times = np.sort(times)
    mixed = shuffled(times, np.random.default_rng(seed))
    np.testing.assert_allclose(np.sort(np.diff(mixed)), np.sort(np.diff(times)), atol=1e-9)
    moved = displaced(times, width=width, window=(0.0, 100.0), rng=np.random.default_rng(seed))
    for train in (mixed, moved):
        assert train.size == times.size
        assert (np.diff(train) >= 0).all()
        assert 0.0 <= train[0] <= train[-1] <= 100.0


# Weights -------------------------------------------------------------------------------------------------------------


RATES = st.floats(0.1, 100.0)


@settings(max_examples=200, deadline=None)
@given(st.floats(-10, 10), st.floats(0.01, 5), st.floats(1, 1e5), RATES, RATES)
def test_weights_are_positive_exactly_above_the_least_in_degree(mu, sigma, K, rate_e, rate_i):
    cell = DrivenNeuron(QUICK.neuron, PoissonInputs(K=K, rate=rate_e), PoissonInputs(K=K, rate=rate_i))
    weights = weights_for(cell, mu=mu, sigma=sigma)
    least = float(minimal_in_degree(np.array(mu), np.array(sigma), rate_e, rate_i))
    positive = weights is not None and weights.j_e > 0 and weights.j_i > 0
    if abs(least / K - 1.0) > 1e-9:
        assert positive == (least < K)


def test_weights_give_back_the_input_by_eq_1(example):
    _, dataset = example
    j_e, j_i, rate_e, rate_i, k = (dataset[name] for name in ("j_e", "j_i", "input_rate_e", "input_rate_i", "k"))
    known = dataset.weight_status.values == "OK"
    mu = (k * (j_e * rate_e - j_i * rate_i)).transpose("epoch", "unit", "k").values
    variance = (k * (j_e**2 * rate_e + j_i**2 * rate_i)).transpose("epoch", "unit", "k").values
    shape = np.ones(3)
    scale = np.sqrt(variance[known].max())
    np.testing.assert_allclose(mu[known], (dataset.mu.values[..., None] * shape)[known], rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(variance[known], (dataset.sigma.values[..., None] ** 2 * shape)[known], rtol=1e-9)


def test_weights_say_where_they_cannot_be_positive(example):
    _, dataset = example
    infeasible = dataset.weight_status.values == "INFEASIBLE"
    assert infeasible.any()
    least, k = np.broadcast_arrays(dataset.k_min.values[..., None], dataset["k"].values)
    np.testing.assert_array_equal(infeasible, k <= least)
    assert np.isnan(dataset.j_e.values[infeasible]).all()
    assert all("positive weights need K >" in reason for reason in dataset.weight_reason.values[infeasible])
    np.testing.assert_allclose(dataset.input_rate_e, dataset.rate.mean("unit"))
    fixed = cells(recordings.example(), AnalysisSettings(surrogates=20, rate_e=3 * Hz, rate_i=9 * Hz))
    assert set(fixed.input_rate_e.values) == {3.0}
    assert set(fixed.input_rate_i.values) == {9.0}


# Units with little data, reproducibility, bad input ------------------------------------------------------------------


def test_silent_units_are_labelled_never_dropped():
    rng = np.random.default_rng(4)
    dataset = cells(recording_of(poisson(rng, 5.0, 60.0), [], [1.0, 2.0], duration=60.0), QUICK).isel(epoch=0)
    assert list(dataset.unit.values) == ["u0", "u1", "u2"]
    for name in ("status", "input_status", "calcium_status"):
        assert list(dataset[name].values) == ["OK", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA"]
    assert list(dataset.input_reason.values) == ["", "0 intervals; 10 are needed", "1 intervals; 10 are needed"]
    np.testing.assert_array_equal(dataset.calcium_mean.sel(source="actual").values[1], 0.0)
    assert not dataset.serial_order_matters.values[1:].any()
    assert np.isfinite(dataset.rate).all()


def test_every_missing_number_has_a_status():
    rng = np.random.default_rng(5)
    trains = [poisson(rng, 5.0, 60.0), gamma(rng, 20.0, 0.2, 60.0), [], [0.5, 3.0], np.full(20, 7.0)]
    dataset = cells(recording_of(*trains, duration=60.0), QUICK)
    status = {"rate": None, "mu": "input_status", "j_e": "weight_status", "cv": "status"}
    for name, label in status.items():
        missing = np.isnan(dataset[name].values)
        assert not missing.any() if label is None else (dataset[label].values[missing] != "OK").all()


def test_a_silent_recording_is_reported_as_such():
    dataset = cells(recording_of([], [], duration=10.0), QUICK)
    assert (dataset.rate == 0).all()
    assert (dataset.weight_status == "INSUFFICIENT_DATA").all()


def test_a_recording_without_units_is_refused():
    with pytest.raises(ValueError, match=r"must have at least one unit and one epoch, got Recording\(made\.npz"):
        cells(Recording(SpikeTrains(np.zeros(0), np.zeros(0, int), 0, 0.0, 1.0), (), (), "made.npz"))


def test_results_depend_on_the_seed_alone():
    rng = np.random.default_rng(6)
    a, b = poisson(rng, 5.0, 60.0), poisson(rng, 7.0, 60.0)
    both = cells(recording_of(a, b, duration=60.0), QUICK)
    alone = cells(recording_of(a, duration=60.0), QUICK)
    again = cells(recording_of(a, b, duration=60.0), QUICK)
    other = cells(recording_of(a, b, duration=60.0), AnalysisSettings(surrogates=40, seed=2))
    assert both.identical(again)
    np.testing.assert_array_equal(both.calcium_mean.isel(unit=0), alone.calcium_mean.isel(unit=0))
    assert not both.equals(other)


def test_progress_rises_to_one(example):
    seen = []
    rng = np.random.default_rng(7)
    trains = [poisson(rng, 5.0, 20.0), poisson(rng, 5.0, 20.0)]
    halves = [Epoch("a", 0.0, 10.0), Epoch("b", 10.0, 20.0)]
    cells(recording_of(*trains, duration=20.0, epochs=halves), AnalysisSettings(surrogates=20), progress=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_settings_refuse_what_they_cannot_mean():
    with pytest.raises(ValueError, match=r"irregularity must be local or global, got 'locl'\. Did you mean 'local'"):
        AnalysisSettings(irregularity="locl")
    with pytest.raises(ValueError, match=r"rate_e \(rate of each input\) must lie in \(0, 1000\] Hz, got -1 Hz"):
        AnalysisSettings(rate_e=-1.0)
    with pytest.raises(ValueError, match=r"in_degrees must be different numbers"):
        AnalysisSettings(in_degrees=())
    with pytest.raises(ValueError, match=r"AnalysisSettings\.in_degrees .* at least 1, got 0"):
        AnalysisSettings(in_degrees=(0, 10))
    with pytest.raises(TypeError, match=r"neuron must be an eq\.LIF or eq\.EIF"):
        AnalysisSettings(neuron=eq.PIF())
    with pytest.raises(TypeError, match=r"sensor must be an eq\.Calcium"):
        AnalysisSettings(sensor=0.3)
    with pytest.raises(ValueError, match=r"surrogates must be a whole number, got 20\.5"):
        AnalysisSettings(surrogates=20.5)
    with pytest.raises(ValueError, match=r"smoothing .* Did you mean|smoothing .* must lie in"):
        AnalysisSettings(smoothing=20 * minute)


def test_settings_describe_themselves():
    table = {name: value for name, value, _ in AnalysisSettings(rate_e=4 * Hz, smoothing=2 * second).table()}
    assert table["neuron.tau_m"] == "20 ms"
    assert table["neuron.v_threshold"] == "20 mV"
    assert table["rate_e"] == "4 Hz"
    assert table["smoothing"] == "2000 ms"
    assert table["rate_i"].startswith("mean rate")


def test_the_operating_map_is_the_neuron_itself():
    neuron = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    grid = operating_map(neuron, mean=np.array([15.0, 18.0]) * mV, sd=np.array([2.0, 3.0, 4.0]) * mV)
    mu, sigma = 0.018 / 0.02, 0.003 * np.sqrt(2 / 0.02)
    np.testing.assert_allclose(grid.rate.values[1, 1], statistics.rate(neuron, mu=mu, sigma=sigma), rtol=1e-12)
    assert grid["cv"].dims == ("sd", "mean")


def test_an_epoch_too_short_for_calcium_is_labelled():
    """9 s are 30 time constants of 300 ms."""
    rng = np.random.default_rng(5)
    for duration, status in ((8.9, "INSUFFICIENT_DATA"), (9.1, "OK")):
        dataset = cells(recording_of(gamma(rng, 20.0, 0.7, duration), duration=duration), QUICK)
        assert dataset.input_status.item() == "OK"
        assert dataset.calcium_status.item() == status
        assert (status == "OK") != any("too short for calcium" in flag[3] for flag in flags(dataset))


def test_what_is_implied_is_part_of_the_analysis():
    recording = recordings.example()
    wake = recording.during(recording.epochs[1])
    alone = implied(wake)
    whole = cells(recording, AnalysisSettings(surrogates=20)).sel(epoch="wake")
    for name in ("mu", "sigma", "j_e", "j_i", "set_point_mean", "set_point_second_moment_high"):
        np.testing.assert_array_equal(alone[name], whole[name])
    np.testing.assert_allclose(alone.set_point_mean, whole.calcium_mean.sel(source="actual"), rtol=1e-12)
    assert (alone.set_point_mean_low < alone.set_point_mean_high).all()
