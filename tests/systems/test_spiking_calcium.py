"""Calcium gathered from rasters against its NumPy reference and against the trains themselves."""

from itertools import pairwise

import numpy as np
import pytest
from homeostatic_circuits import SENSOR, network
from spiking_circuits import alone

import equipoise as eq
from equipoise.model.homeostasis import CalciumMean, CalciumSaturating, CalciumSecondMoment, FiringRate
from equipoise.spiking import kernel
from equipoise.spiking.layout import COLUMN, Layout
from equipoise.spiking.meter import Meter, sensor_of
from equipoise.spiking.reference import packed, unpacked
from equipoise.units import Hz, ms, mV, second

LAYOUT = Layout(names=("A", "B"), sizes=(700, 300), threads=1)
HALF = (2.0, 3.0)


def raster(steps=400, rate=0.004, seed=5):
    """Random spikes of both populations; padding is silent."""
    fired = np.random.default_rng(seed).random((steps, LAYOUT.places)) < rate
    fired[:, np.setdiff1d(np.arange(LAYOUT.places), LAYOUT.occupied)] = False
    return packed(fired)


def reference(meter, now, bits, first_step, *, flush):
    """`Meter.gather`, neuron by neuron and event by event."""
    q, (k_m, k_d), n = meter.sensor, meter.half, now.level.size
    fired = unpacked(bits)[:, meter.first_column * COLUMN :][:, :n]
    for i in range(n):
        events = [(first_step + 1 + k, 1) for k in np.flatnonzero(fired[:, i])]
        for t, spikes in events + ([(first_step + len(bits), 0)] if flush else []):
            high = now.level[i]
            low = high * np.exp(-(t - now.since[i]) * meter.dt / q.tau)
            drop, both = high - low, high**2 - low**2
            now.sums[:, i] += [drop, both, np.log((k_m + high) / (k_m + low)), np.log((k_d + high**2) / (k_d + low**2))]
            now.level[i], now.since[i] = q.retention * low + q.influx if spikes else low, t
            now.spikes[i] += spikes


@pytest.mark.parametrize("population", [0, 1])
@pytest.mark.parametrize("flush", [True, False])
def test_compiled_equals_reference(population, flush):
    meter = Meter.of(LAYOUT, population, SENSOR, HALF, time=(0.1 * ms, 400))
    ours, theirs = meter.blank(7), meter.blank(7)
    for x in (ours, theirs):
        x.level[: meter.size] = np.linspace(0.0, 4.0, meter.size)
    meter.gather(ours, raster(), 7, flush=flush)
    reference(meter, theirs, raster(), 7, flush=flush)
    for name in ("level", "sums", "since", "spikes"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("cuts", [(100,), (1, 2, 399), (37, 38, 200)])
def test_cuts_change_nothing(cuts):
    meter = Meter.of(LAYOUT, 0, SENSOR, HALF, time=(0.1 * ms, 400))
    whole, parts, bits = meter.blank(0), meter.blank(0), raster()
    meter.gather(whole, bits, 0, flush=True)
    edges = [0, *cuts, 400]
    for a, b in pairwise(edges):
        meter.gather(parts, bits[a:b], a, flush=b == 400)
    for name in ("level", "sums", "since", "spikes"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_averages_are_those_of_the_trains():
    run = eq.spiking.simulate(network(n=200, K=40), duration=0.5 * second, seed=3, warmup=0.0)
    net = eq.spiking.build(network(n=200, K=40), seed=3)
    _, bits = kernel.advance(net, kernel.begin(net), 5000)
    meter = Meter.of(net.layout, 1, SENSOR, HALF, time=(net.dt, 5000))
    now = meter.blank(0)
    meter.gather(now, bits, 0, flush=True)
    trains = run.spikes_of("I")
    moments = eq.renewal.calcium_moments_of(SENSOR, trains)
    saturated = eq.renewal.saturated_averages_of(SENSOR, trains, k_m=HALF[0], k_d=HALF[1])
    expected = np.array([*moments, *saturated])
    np.testing.assert_allclose(meter.averages(now, 5000), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(meter.rates(now, 5000), np.bincount(trains.units, minlength=200) / 0.5)


def test_poisson_neurons_have_poisson_calcium():
    """A neuron that fires at each of its rare inputs: P(n inputs) as theory, moments within four standard errors."""
    pif = eq.PIF(v_threshold=10 * mV, v_reset=0.0, v_bound=-1 * mV)
    circuit = alone(4000, pif, weight=20 * mV, connectivity=eq.FixedInDegree(1))
    net = eq.spiking.build(circuit, seed=2)
    meter = Meter.of(net.layout, 0, SENSOR, (np.nan, np.nan), time=(net.dt, 20_000))
    state, now = kernel.begin(net), meter.blank(0)
    for k in range(2):
        state, bits = kernel.advance(net, state, 20_000)
        meter.gather(now, bits, 20_000 * k, flush=True)
        if k == 0:
            now.forget()
    values = meter.averages(now, 20_000)[:2]
    expected = eq.renewal.calcium_moments(SENSOR, eq.ExponentialISI(rate=20 * Hz))
    errors = values.std(axis=1) / np.sqrt(values.shape[1])
    assert (np.abs(values.mean(axis=1) - expected) < 4.0 * errors + 2e-3 * np.array(expected)).all()
    assert (errors < 0.005 * np.array(expected)).all()


def test_what_is_sensed_keeps_the_order_of_the_rule():
    what = (CalciumSecondMoment(SENSOR), FiringRate(), CalciumMean(SENSOR), CalciumSaturating(SENSOR, 3.0, 2))
    sensor, half = sensor_of("A", what)
    assert sensor == SENSOR
    assert half == (1.0, 3.0)
    meter = Meter.of(LAYOUT, 0, sensor, half, time=(0.1 * ms, 400))
    now = meter.blank(0)
    meter.gather(now, raster(), 0, flush=True)
    a = meter.averages(now, 400)
    np.testing.assert_array_equal(meter.sensed(what, now, 400), [a[1], meter.rates(now, 400), a[0], a[3]])


def test_two_sensors_are_refused():
    with pytest.raises(TypeError, match="rule of 'A' must sense calcium with one sensor, got 2"):
        sensor_of("A", (CalciumMean(SENSOR), CalciumMean(eq.Calcium(tau=100 * ms))))
    with pytest.raises(TypeError, match="rule of 'A' senses str, which spikes do not give"):
        sensor_of("A", ("rate",))  # type: ignore[arg-type]


def test_silence_longer_than_the_table():
    long, short = (Meter.of(LAYOUT, 0, SENSOR, HALF, time=(0.1 * ms, n)) for n in (400, 7))
    a, b = long.blank(0), short.blank(0)
    for meter, now in ((long, a), (short, b)):
        meter.gather(now, raster(), 0, flush=True)
    np.testing.assert_allclose(b.sums, a.sums, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(b.spikes, a.spikes)
