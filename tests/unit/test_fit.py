"""A fit recovers what made the spikes, says how well it knows it, and refuses what it cannot tell."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from populations_of_lif import LIF, population, trains_of

import equipoise as eq
from equipoise.inference import FitSettings, fit
from equipoise.inference.fit_data import Observed
from equipoise.inference.fit_likelihood import Law, Response
from equipoise.inference.fit_population import Likelihood, covariance, draw, first_guess, maximize
from equipoise.renewal.laws import NeuronISI
from equipoise.results import Epoch, Recording, SpikeTrains, Status

PLAIN = FitSettings(bootstrap=0)


def fitted(spikes, settings=PLAIN, **more):
    return fit(spikes, settings, neuron=LIF, **more)["all", "all"]


def test_a_population_is_recovered_within_its_intervals():
    """80 exact LIF trains of 30 s; intervals at 99.9 %, so that all three hold but for 0.3 % of seeds."""
    found = fitted(population(-20.0, 45.0, 11.0, 80, 30.0, seed=11), FitSettings(bootstrap=0, confidence=0.999))
    assert found.status is Status.OK, found.message
    for name, truth in (("mu", -20.0), ("delta", 45.0), ("sigma", 11.0)):
        estimate = getattr(found, name)
        assert estimate.low < truth < estimate.high, name
    assert found.sigma.high - found.sigma.low < 1.5
    assert found.cv_spread.value < 0.06
    assert found.n_drifting <= 2


def test_intervals_cover_as_often_as_they_say():
    """60 drawn populations of 60 units, 20 s: 95 % intervals cover 57 on average, and 50 or fewer in 0.1 % of seeds."""
    law, covered = Law(-20.0, 45.0, 11.0, 0.05), np.zeros(3)
    blank = Observed(counts=np.zeros(60), intervals=np.zeros(60), log_cv=np.zeros(60), duration=20.0)
    for seed in range(60):
        seen = draw(Likelihood(Response(LIF), blank), law, np.random.default_rng(seed))
        likelihood = Likelihood(Response(LIF), seen)
        best = maximize(likelihood, first_guess(likelihood))
        z = (best.theta - likelihood.theta(law)) / np.sqrt(np.diag(covariance(likelihood, best)))
        covered += np.abs(z[:3]) < 1.96
    assert (covered >= 51).all(), covered


def test_short_recordings_do_not_inflate_the_spread():
    """12 populations of 60 units, 5 s: inverting unit by unit inflates Delta, the likelihood does not."""
    ours, naive = [], []
    for seed in range(12):
        spikes = population(-20.0, 45.0, 11.0, 60, 5.0, seed=100 * seed)
        ours.append(fitted(spikes).delta.value)
        cv, rate = eq.measures.cv(spikes), eq.measures.rate(spikes)
        known = np.isfinite(cv.values)
        alone = eq.renewal.input_for(LIF, rate=rate.values[known], cv=cv.values[known], throw=False)
        naive.append(np.nanstd(alone.mu))
    assert abs(np.mean(ours) / 45.0 - 1.0) < 0.08
    assert np.median(naive) / 45.0 > 1.3


def test_silent_units_count():
    """With the silent units the mean input is right; leaving them out of the recording shifts it."""
    spikes = population(-110.0, 60.0, 11.0, 120, 5.0, seed=5)
    silent = np.setdiff1d(np.arange(120), spikes.units)
    assert silent.size > 10
    every = fitted(spikes)
    assert every.n_silent == silent.size
    assert every.mu.low < -110.0 < every.mu.high
    firing = fit(spikes, PLAIN, neuron=LIF, populations={"firing": np.unique(spikes.units)})["firing", "all"]
    assert firing.mu.value > every.mu.value + 8.0
    assert firing.delta.value < every.delta.value


def test_a_spiking_network_is_recovered():
    """Neurons of `spiking.simulate` under Poisson sources with random in-degrees: mu, Delta and sigma of mean field.

    Spikes fall on steps of dt, which acts as a threshold higher by 0.5826 sigma sqrt(dt) (Broadie, Glasserman & Kou
    1997). sigma is known to 2 %, so that jumps of finite size are seen to matter less.
    """
    K, dt, v_th = 1600, 2e-5, 1.0 + 0.5826 * 6.94 * np.sqrt(2e-5)
    sources = [eq.Source("X", rate=10.0), eq.Source("Y", rate=10.0)]
    weights = {"X": 1.6 / np.sqrt(K), "Y": -1.5 / np.sqrt(K)}
    projections = [eq.Projection(source=s, target="E", weight=w, in_degree=K) for s, w in weights.items()]
    circuit = eq.Circuit(populations=[eq.Population("E", neuron=LIF, size=200), *sources], projections=projections)
    truth = eq.theory.mean_field(circuit).populations[0]
    run = eq.spiking.simulate(circuit, duration=8.0, seed=4, warmup=0.2, dt=dt)
    found = fit(run.spikes, replace(PLAIN, confidence=0.999), neuron=replace(LIF, v_threshold=v_th))["all", "all"]
    assert found.mu.low < truth.mu < found.mu.high
    assert found.delta.low < np.sqrt(truth.beta) < found.delta.high
    assert found.sigma.value == pytest.approx(truth.sigma, rel=0.02)


def test_the_bootstrap_gives_intervals_and_goodness_of_fit():
    spikes = population(-20.0, 45.0, 11.0, 40, 20.0, seed=31)
    one, again = (fitted(spikes, FitSettings(bootstrap=40), seed=3) for _ in range(2))
    plain = fitted(spikes)
    assert one.mu == again.mu
    assert one.rates_agree.p == again.rates_agree.p
    assert one.rates_agree.p > 0.01
    assert np.isnan(plain.rates_agree.p)
    for name in ("mu", "delta", "sigma"):
        widths = [getattr(f, name).high - getattr(f, name).low for f in (one, plain)]
        assert widths[0] == pytest.approx(widths[1], rel=0.45), name


def test_a_population_of_two_kinds_is_not_gaussian():
    mu = np.repeat([-90.0, 60.0], 30) + np.random.default_rng(1).normal(0.0, 4.0, 60)
    found = fitted(trains_of(mu, 11.0, 10.0, seed=2), FitSettings(bootstrap=100))
    assert found.status is Status.APPROXIMATE
    assert found.rates_agree.p <= 0.01
    assert "the rates are not distributed as in the fitted population" in found.message


def test_units_that_fire_alike_have_no_spread():
    found = fitted(trains_of(np.full(30, 20.0), 9.0, 20.0, seed=3))
    assert found.mu.low < 20.0 < found.mu.high
    assert found.delta.value < 4.0
    assert found.sigma.value == pytest.approx(9.0, rel=0.03)


def test_calcium_of_the_population_is_the_mean_over_its_neurons():
    """The implied set point against 100 000 neurons drawn from the law (0.5 %), and against the recorded spikes."""
    spikes, sensor = population(-20.0, 45.0, 11.0, 80, 30.0, seed=11), eq.Calcium()
    found = fit(spikes, PLAIN, neuron=LIF, sensor=sensor)["all", "all"]
    mu = np.random.default_rng(2).normal(found.mu.value, found.delta.value, 100_000)
    moments = eq.renewal.calcium_moments(sensor, NeuronISI(LIF, mu=mu, sigma=found.sigma.value))
    assert found.calcium is not None
    assert found.calcium.mean == pytest.approx(moments.mean.mean(), rel=0.02)
    assert found.calcium.second_moment == pytest.approx(moments.second_moment.mean(), rel=0.04)
    assert found.calcium_seen[0] == pytest.approx(found.calcium.mean, rel=0.1)
    assert found.calcium_seen[1] == pytest.approx(found.calcium.second_moment, rel=0.25)


# Epochs ---------------------------------------------------------------------------------------------------------------


def two_epochs(rho, seed, n=60, duration=15.0):
    """A recording in which the mu_i of two epochs have correlation rho."""
    z = np.random.default_rng(seed).standard_normal((2, n))
    mu = np.array([10.0 + 40.0 * z[0], 30.0 + 35.0 * (rho * z[0] + np.sqrt(1 - rho**2) * z[1])])
    parts = [trains_of(m, 9.0, duration, seed=seed + k) for k, m in enumerate(mu)]
    times = np.concatenate([parts[0].times, duration + parts[1].times])
    spikes = SpikeTrains(times, np.concatenate([p.units for p in parts]), n, 0.0, 2 * duration)
    epochs = Epoch("sleep", 0.0, duration), Epoch("wake", duration, 2 * duration)
    types = tuple("E" if i < 40 else "I" for i in range(n))
    return Recording(spikes, tuple(map(str, range(n))), epochs, labels={"type": types})


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_persistence_is_the_correlation_of_inputs(rho):
    """Its 99.9 % interval covers; counts in 15 s alone would weaken a correlation of 0.8."""
    found = fit(two_epochs(rho, 3), replace(PLAIN, confidence=0.999), neuron=LIF, populations={"all": range(60)})
    kept = found.persistence["all", "sleep", "wake"]
    assert kept.low < rho < kept.high
    assert kept.high - kept.low < 1.0
    assert found["all", "wake"].mu.low < 30.0 < found["all", "wake"].mu.high


def test_types_epochs_and_labels_choose_who_is_fitted():
    recording = two_epochs(0.5, 8)
    found = fit(recording, PLAIN, neuron=LIF)
    assert list(found.populations) == [("E", "sleep"), ("E", "wake"), ("I", "sleep"), ("I", "wake")]
    assert (found["E", "wake"].n_units, found["I", "wake"].n_units) == (40, 20)
    table = found.table()
    assert table["mu"].dims == ("population", "epoch")
    assert table["mu"].sel(population="I", epoch="sleep") == found["I", "sleep"].mu.value
    assert table["sigma"].attrs["units"] == "V/sqrt(s)"
    assert "E, sleep: OK, 40 units (0 silent)" in repr(found)
    wake = fit(recording, PLAIN, neuron=LIF, populations="type", epochs="wake")
    assert wake["I", "wake"].mu == found["I", "wake"].mu
    mask = np.arange(60) >= 40
    assert fit(recording, PLAIN, neuron=LIF, populations={"I": mask})["I", "sleep"].mu == found["I", "sleep"].mu
    assert found.status is Status.OK


# What cannot be told --------------------------------------------------------------------------------------------------


def test_too_little_is_refused_with_a_reason():
    spikes = population(20.0, 30.0, 9.0, 20, 20.0, seed=9)
    few = fit(spikes, PLAIN, neuron=LIF, populations={"few": [0, 1, 2, 3]})["few", "all"]
    assert few.status is Status.INSUFFICIENT_DATA
    assert few.message == "4 units; at least 5 are needed to tell a spread of inputs."
    assert np.isnan(few.mu.value)
    short = fitted(population(-60.0, 20.0, 9.0, 20, 0.5, seed=9))
    assert short.status is Status.INSUFFICIENT_DATA
    assert "have ten intervals; 3 are needed to tell sigma from mu" in short.message
    silent = fitted(SpikeTrains(np.empty(0), np.empty(0, np.int64), 10, 0.0, 60.0))
    assert silent.status is Status.INSUFFICIENT_DATA
    assert silent.n_silent == 10


def test_a_drift_of_rates_is_named():
    halves = [population(mean, 30.0, 9.0, 40, 15.0, seed=7) for mean in (0.0, 30.0)]
    times = np.concatenate([halves[0].times, 15.0 + halves[1].times])
    spikes = SpikeTrains(times, np.concatenate([h.units for h in halves]), 40, 0.0, 30.0)
    found = fitted(spikes)
    assert found.status is Status.APPROXIMATE
    assert "fire differently in the two halves of the epoch" in found.message
    assert found.n_drifting > 4
    assert found.count_dispersion > 1.2


def test_irregularity_beyond_the_neuron_is_implausible():
    rng = np.random.default_rng(1)
    trains = [np.cumsum(rng.gamma(1 / 9.0, 9.0 / rate, 2000)) for rate in rng.uniform(4.0, 12.0, 20)]
    kept = [t[t < 60.0] for t in trains]
    times, units = np.concatenate(kept), np.repeat(np.arange(20), [t.size for t in kept])
    order = np.argsort(times)
    found = fitted(SpikeTrains(times[order], units[order], 20, 0.0, 60.0))
    assert found.status is Status.IMPLAUSIBLE
    assert "the mean potential would lie" in found.message
    assert f"{found.n_unreachable} of 20 units have a rate and C_v that no plausible input" in found.message


def test_bad_input_says_what_was_wanted():
    recording = two_epochs(0.5, 8, n=10, duration=2.0)
    wrong: Any = "LIF"
    with pytest.raises(TypeError, match=r"fit: recording must be a Recording or SpikeTrains, got 'LIF'"):
        fit(wrong)
    with pytest.raises(TypeError, match=r"fit: neuron must be an integrate-and-fire neuron such as eq.LIF\(\), got 'L"):
        fit(recording, neuron=wrong)
    with pytest.raises(TypeError, match=r"fit: sensor must be an eq.Calcium"):
        fit(recording, sensor=wrong)
    with pytest.raises(TypeError, match=r"fit: settings must be a FitSettings"):
        fit(recording, wrong)
    with pytest.raises(ValueError, match=r"fit: populations='typ' must be a label .* Did you mean 'type'\?"):
        fit(recording, populations="typ")
    wrong = [1, 2]
    with pytest.raises(TypeError, match=r"fit: populations must be a label such as 'region', or a mapping"):
        fit(recording, populations=wrong)
    with pytest.raises(ValueError, match=r"fit: populations='region' must be a label that says something"):
        fit(replace(recording, labels={"region": ("",) * 10}), populations="region")
    with pytest.raises(ValueError, match=r"fit: recording must have units, got none"):
        fit(SpikeTrains([], [], 0, 0.0, 1.0))
    with pytest.raises(ValueError, match=r"fit: populations\['E'\] must be different indices in \[0, 9\]"):
        fit(recording, populations={"E": [1, 99]})
    with pytest.raises(ValueError, match=r"fit: epochs must be names of epochs, got 'wke'. Did you mean 'wake'\?"):
        fit(recording, epochs=["wke"])
    with pytest.raises(ValueError, match=r"FitSettings.irregularity must be local or global, got 'lokal'"):
        FitSettings(irregularity="lokal")
    with pytest.raises(ValueError, match=r"FitSettings.bootstrap .* at least 0|FitSettings.bootstrap .* \[0, 100000\]"):
        FitSettings(bootstrap=-1)
    with pytest.raises(KeyError, match="no population and epoch"):
        fit(population(20.0, 30.0, 9.0, 10, 5.0, seed=1), PLAIN, neuron=LIF)["E", "all"]
