"""Fluctuations of finite networks by linear response: limits, stability, and the field that spikes make."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import measures
from equipoise.inference import resting
from equipoise.inference.prediction_spikes import _exponent
from equipoise.inference.prediction_theory import BAND, FOLLOWED
from equipoise.theory.fluctuations import Fluctuations, refusal
from equipoise.units import Hz, hour, ms, second

NETWORK = eq.Circuit.example("balanced_network")


def network(delay=0.1 * ms):
    """2000 cells with 100 inputs of each kind, the same number for all."""
    circuit = NETWORK.scaled(100).with_node("E", size=1000).with_node("I", size=1000)
    degree = eq.FixedInDegree(100)
    return replace(circuit, projections=[replace(p, delay=delay, connectivity=degree) for p in circuit.projections])


def at_rest(circuit) -> tuple[Fluctuations, np.ndarray]:
    at = resting(circuit, sensor=eq.Calcium(), tau=1 * hour)
    assert at.fluctuations is not None
    return at.fluctuations, at.x


def test_slow_fluctuations_are_answered_as_the_mean_field_answers_a_drive():
    circuit = network()
    here, x = at_rest(circuit)
    by_mu, by_s, _ = here.cells(x, np.array([0.01]))
    gain = np.linalg.inv(np.eye(2) - here.loop(np.array([0.01]), by_mu, by_s))[0].real * by_mu[0].real
    for a, name in enumerate("EI"):
        up, down = (eq.theory.mean_field(eq.TonicDrive(name, d).apply(circuit)).rates for d in (0.01, -0.01))
        np.testing.assert_allclose(gain[:, a], (up - down) / 0.02, rtol=1e-3)


def test_unconnected_cells_fluctuate_as_so_many_single_trains():
    here, x = at_rest(network())
    apart = replace(here, wiring=replace(here.wiring, J=np.where(np.arange(3) < 2, 0.0, here.wiring.J)))
    shared, single = apart.spectra(x, np.array([10.0, 40.0]))
    np.testing.assert_allclose(np.diagonal(shared, axis1=1, axis2=2).real, single / 1000.0, rtol=1e-9)
    assert np.abs(shared[:, 0, 1]).max() < 1e-15


def test_common_delays_make_the_standard_network_oscillate():
    """As its spikes do: with a delay of 1.5 ms they are synchronous, with 0.1 ms they are not."""
    for delay, stable in ((0.1 * ms, True), (1.5 * ms, False)):
        here, x = at_rest(network(delay))
        assert here.stable(x) is stable
        assert np.isfinite(here.exponent(x, BAND)) == stable


def manipulated(name):
    circuit = network()
    unit = resting(circuit, sensor=eq.Calcium(), tau=1 * hour).unit
    return {"rest": circuit, "light on I": eq.TonicDrive("I", float(unit[1])).apply(circuit)}[name]


@pytest.mark.parametrize(("name", "wanted"), [("rest", 0.325), ("light on I", -0.464)])
def test_the_field_of_spikes_has_the_spectrum_and_exponent_of_theory(name, wanted):
    """30 s, seed 7: exponents within three standard errors; power within 30 %, as 100 inputs are no white noise."""
    circuit = manipulated(name)
    here, x = at_rest(circuit)
    assert here.exponent(x, BAND, cells=FOLLOWED) == pytest.approx(wanted, abs=2e-3)
    record = eq.spiking.Record(membrane={"E": FOLLOWED}, every=1 * ms)
    run = eq.spiking.simulate(circuit, duration=30 * second, seed=7, record=record)
    value, error = _exponent(run)
    assert error < 0.4
    assert abs(value - wanted) < 3.0 * error
    felt = run.membrane.mean("cell")
    proxy = measures.lfp(felt["excitation"].values, felt["inhibition"].values, sampling_rate=1.0 / ms)
    power = measures.power_spectrum(proxy, method=measures.Welch(window=0.2 * second)).isel(channel=0)
    band = power.sel(frequency=slice(15 * Hz, 80 * Hz))
    ratio = band.values / (2.0 * here.field(x, band.frequency.values, cells=FOLLOWED))  # one-sided over two-sided
    assert 0.7 < ratio.mean() < 1.3
    assert ratio.std() < 0.15


def test_circuits_whose_response_is_not_known_are_told_so():
    plain = network()
    assert refusal(plain) == ""
    slow = replace(
        plain, projections=[replace(p, synapse=eq.ExponentialSynapse(tau=5 * ms)) for p in plain.projections]
    )
    assert refusal(slow) == "linear response is for delta synapses"
    law = eq.UniformDelay(low=1 * ms, high=2 * ms)
    assert "delays that all synapses" in refusal(
        replace(plain, projections=[replace(p, delay=law) for p in plain.projections])
    )
    assert refusal(plain.with_node("E", neuron=eq.EIF())) == "the linear response of LIF neurons only is known"


def test_spectra_by_name_are_those_of_linear_response():
    circuit = network()
    here, x = at_rest(circuit)
    f = np.array([10.0, 40.0])
    found = eq.theory.network_spectrum(circuit, f, cells=FOLLOWED)
    shared, single = here.spectra(x, f)
    np.testing.assert_allclose(found["power"].values[0], shared[:, 0, 0].real, rtol=1e-6)
    np.testing.assert_allclose(found["single"].values, single.T, rtol=1e-6)
    np.testing.assert_allclose(found["field"].values, here.field(x, f, cells=FOLLOWED), rtol=1e-6)
    assert found.attrs["stable"] == 1
    larger = eq.theory.network_spectrum(circuit.with_node("E", size=2000).with_node("I", size=2000), f)
    np.testing.assert_allclose(larger["power"], 0.5 * found["power"], rtol=1e-9)  # 1/N


def test_a_spectrum_that_cannot_be_had_is_refused():
    with pytest.raises(ValueError, match="no population is named 'PV'"):
        eq.theory.network_spectrum(network(), 40.0, target="PV")
    with pytest.raises(TypeError, match="network_spectrum: the linear response of LIF neurons only is known"):
        eq.theory.network_spectrum(network().with_node("E", neuron=eq.EIF()), 40.0)
    with pytest.raises(ValueError, match="frequency must be finite and above 0"):
        eq.theory.network_spectrum(network(), [0.0, 40.0])
