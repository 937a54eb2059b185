"""Protocols say what acts and when, on rates and on spiking neurons, and what is wrong."""

import numpy as np
import pytest
from rate_circuits import SOLDADO, pair

import equipoise as eq
from equipoise.model.manipulations import manipulated
from equipoise.units import Hz, day, hour, ms

RATES = pair(**SOLDADO)
SPIKES = eq.Circuit.example("balanced_network")


# --- manipulations ----------------------------------------------------------------------------------------------------
def test_threshold_and_gain_of_rates():
    shifted = eq.ThresholdShift("I", -3.0).apply(RATES)
    assert shifted.node("I").neuron == eq.ThresholdLinear(gain=4.0, threshold=22.0, tau=2 * ms)
    assert shifted.node("E") == RATES.node("E")
    assert eq.GainChange("I", 1.5).apply(RATES).node("I").neuron.gain == 6.0
    assert eq.Silencing("E", 0.25).apply(RATES).node("E").neuron.gain == 0.75


def test_a_shifted_f_i_curve_is_a_drive_of_spiking_neurons():
    spiking = SPIKES.infinite()
    assert eq.ThresholdShift("E", 7.0).apply(spiking) == eq.TonicDrive("E", -7.0).apply(spiking)
    curves = spiking
    for name in ("E", "I"):
        lif = spiking.node(name).neuron
        curves = curves.with_node(name, neuron=eq.FICurve(neuron=lif, tau=lif.tau_m))
    shift = eq.ThresholdShift("E", 7.0)
    one, other = (eq.rate.settle(shift.apply(c), start=[10.0, 10.0]).rates for c in (spiking, curves))
    np.testing.assert_allclose(one, other, rtol=1e-9)
    assert one[0] < eq.rate.settle(spiking, start=[10.0, 10.0]).rates[0]


def test_silenced_populations_are_silent_at_each_level():
    both = eq.TTX(onset=0.1, duration=0.2, washout=0.1)
    assert eq.rate.settle(both.perturbed(RATES), start=[5.0, 14.0]).rates.max() < 1e-4
    spiking = SPIKES.scaled(100).with_node("E", size=400).with_node("I", size=400)
    assert eq.theory.mean_field(both.perturbed(spiking.infinite())).rates.max() < 1e-6
    run = eq.spiking.simulate(spiking, duration=both.span, seed=1, schedule=both.schedule(spiking))
    trace = run.rate_trace()
    assert float(trace.sel(time=slice(0.11, 0.29)).max()) == 0.0
    assert float(trace.sel(time=slice(0.0, 0.09)).mean()) > 1.0


@pytest.mark.parametrize(
    ("manipulation", "circuit", "error", "message"),
    [
        (eq.GainChange("E", 2.0), SPIKES, TypeError, "GainChange.population must have a gain, 'E' has LIF neurons"),
        (eq.Silencing("E", 0.5), SPIKES, TypeError, "Silencing.fraction must be 1 for spiking neurons.*got 0.5"),
        (eq.ThresholdShift("X", 1.0), SPIKES, ValueError, "ThresholdShift.population must be a population, got the s"),
        (eq.Silencing("e"), RATES, KeyError, "is named .*e.*Known: E, I"),
    ],
)
def test_what_does_not_fit_a_circuit(manipulation, circuit, error, message):
    with pytest.raises(error, match=message):
        manipulation.apply(circuit)


def test_there_are_no_parts_of_a_gain():
    ramp = eq.Ramp(eq.GainChange("I", 2.0), 0.0, 1 * hour)
    with pytest.raises(TypeError, match="GainChange changes more than"):
        ramp.applied(RATES, 0.5 * hour)


# --- protocols --------------------------------------------------------------------------------------------------------
def test_phases_follow_one_another():
    protocol = eq.ChemogeneticDrive(drive=2.0, onset=1 * day, duration=3 * day, washout=2 * day)
    assert (protocol.onset, protocol.stop, protocol.span) == (1 * day, 4 * day, 6 * day)
    schedule = protocol.schedule(RATES)
    drives = [manipulated(RATES, schedule, t * day).node("I").drive for t in (0.5, 1.0, 3.9, 4.0)]
    assert drives == [0.0, 2.0, 2.0, 0.0]


def test_baclofen_reduces_release_and_takes_current():
    protocol = eq.Baclofen(current=2.0, interneuron_current=0.5, excitatory_block=0.2, inhibitory_block=0.1)
    there = protocol.perturbed(RATES)
    np.testing.assert_allclose(there.weights() / RATES.weights(), [[0.8, 0.9], [0.8, 0.9]], rtol=1e-12)
    assert [p.drive for p in there.populations] == [-2.0, -0.5]
    assert there == manipulated(RATES, protocol.schedule(RATES), protocol.onset)
    other = eq.Baclofen(current=1.0).perturbed(SPIKES)
    np.testing.assert_allclose(other.weights() / SPIKES.weights(), [[0.9, 0.9, 1.0]] * 2, rtol=1e-12)


def test_nmdar_block_and_the_excitability_that_is_imposed():
    there = eq.NMDARBlock(block=0.3, threshold_shift=-2.0, gain_factor=1.5).perturbed(RATES)
    assert there.projection("E", "I").weight == pytest.approx(7.0)
    assert there.projection("E", "E").weight == 5.0
    assert (there.node("I").neuron.threshold, there.node("I").neuron.gain) == (23.0, 6.0)
    assert len(eq.NMDARBlock().manipulations(RATES)) == 1


def test_light_in_pulses_has_their_mean_over_days():
    light = eq.OpticalDrive(drive=2.0, frequency=20 * Hz, width=10 * ms)
    assert light.perturbed(RATES).node("E").drive == pytest.approx(0.4)
    pulses = light.pulses(start=0.5, duration=1.0)
    assert len(pulses) == 20
    assert (pulses[3].start, pulses[3].stop) == (pytest.approx(0.65), pytest.approx(0.66))
    steady = eq.OpticalDrive(drive=2.0)
    assert (steady.share, len(steady.pulses())) == (1.0, 1)


def test_pulses_of_a_linear_circuit_act_as_their_mean():
    light = eq.OpticalDrive(drive=1.0, frequency=50 * Hz, width=5 * ms)
    schedule = light.pulses(duration=0.2)
    data = eq.rate.simulate(RATES, duration=0.2, start=[5.0, 14.0], schedule=schedule)
    late = data.rate.sel(time=slice(0.1, 0.2))  # five periods, long after the slowest mode of 2 ms
    mean = late.integrate("time").values / float(late.time[-1] - late.time[0])
    expected = eq.rate.settle(light.perturbed(RATES), start=[5.0, 14.0]).rates
    np.testing.assert_allclose(mean - [5.0, 14.0], expected - [5.0, 14.0], rtol=5e-3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: eq.Baclofen(current=-1.0), ValueError, "Baclofen.current .*must be at least 0, got -1"),
        (lambda: eq.Baclofen(current=1.0, excitatory_block=1.0), ValueError, r"must lie in \[0, 0.99\], got 1"),
        (lambda: eq.NMDARBlock(threshold_shift=2.0), ValueError, "NMDARBlock.threshold_shift .*at most 0, got 2"),
        (lambda: eq.NMDARBlock(gain_factor=0.5), ValueError, "NMDARBlock.gain_factor .*at least 1, got 0.5"),
        (lambda: eq.TTX(fraction=1.5), ValueError, r"TTX.fraction .*\[0, 1\], got 1.5"),
        (lambda: eq.TTX(duration=0.0), ValueError, "TTX.duration .*above 0 day, got 0 day"),
        (lambda: eq.OpticalDrive(drive=1.0, width=5 * ms), ValueError, "frequency and width together"),
        (
            lambda: eq.OpticalDrive(drive=1.0, frequency=50 * Hz, width=30 * ms),
            ValueError,
            r"must not overlap, frequency \* width is 1.5",
        ),
        (lambda: eq.ChemogeneticDrive(drive=1.0, population="PV").schedule(RATES), KeyError, "'PV'. Known: E, I"),
        (lambda: eq.NMDARBlock(interneurons="J").schedule(RATES), KeyError, "no projection E -> J"),
        (lambda: eq.Protocol().schedule(RATES), NotImplementedError, "Protocol must define manipulations"),
        (lambda: eq.TTX(fraction=0.5).schedule(SPIKES), TypeError, "Silencing.fraction must be 1"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
