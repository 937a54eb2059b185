"""From the inputs of E and I to weights: round trips through mean field, what is identified and what is not."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from populations_of_lif import LIF, trains_of

import equipoise as eq
from equipoise.inference import Fit, FitSettings, PopulationFit, fit
from equipoise.inference.fit_likelihood import Law
from equipoise.inference.fit_network import Embedding, network, row
from equipoise.inference.fit_result import Fitted
from equipoise.results import Recording, SpikeTrains, Status

BALANCED = eq.Circuit.example("balanced_network").infinite()
SCALED = np.array([[1.0, -2.0, 1.0], [1.0, -1.8, 0.8]])


def laws_of(state):
    e, i = (Law(p.mu, math.sqrt(p.beta), p.sigma, 1e-3) for p in state.populations)
    return e, i


def driven():
    """A network of E and I under tonic drives: K, J (post, pre) and the circuit."""
    K, J = 900, np.array([[0.02, -0.09], [0.05, -0.06]])
    populations = [eq.Population("E", neuron=LIF, drive=330.0), eq.Population("I", neuron=LIF, drive=170.0)]
    projections = [
        eq.Projection(source=s, target=t, weight=float(J[a, b]), in_degree=K)
        for a, t in enumerate("EI")
        for b, s in enumerate("EI")
    ]
    return K, J, eq.Circuit(populations=populations, projections=projections)


def known(laws, error=0.02):
    """A fit that found these laws, each number with a relative error."""
    populations = {}
    for name, law in zip("EI", laws, strict=True):
        values = {"mu": law.mu, "delta": law.delta, "sigma": law.sigma, "cv_spread": 0.0}
        numbers: dict[str, Any] = {k: Fitted(v, v, v) for k, v in values.items()}
        counts: dict[str, Any] = dict.fromkeys(
            ("n_units", "n_silent", "n_irregularities", "n_drifting", "n_unreachable"), 0
        )
        matrix = np.diag([(error * law.delta) ** 2, error**2, error**2, np.nan])
        populations[name, "all"] = PopulationFit(
            name=name, epoch="all", duration=1.0, status=Status.OK, covariance=matrix, **numbers, **counts
        )
    return Fit(neuron=LIF, sensor=eq.Calcium(), populations=populations, persistence={})


@pytest.mark.parametrize("K", [100, 1000, 100_000])
def test_the_weights_of_a_network_come_back_from_its_mean_field(K):
    """mu, Delta and sigma of the shipped network at in-degree K, its K and source rate given: the same six weights."""
    state = eq.theory.mean_field(BALANCED.scaled(K))
    found = network(Embedding(LIF, laws_of(state), float(K), 10.0))
    assert found.status is Status.OK, found.message
    assert found.circuit is not None
    assert found.state is not None
    np.testing.assert_allclose(found.circuit.weights() * math.sqrt(K), SCALED, rtol=1e-6)
    np.testing.assert_allclose(found.state.rates, state.rates, rtol=1e-7)


def test_a_tonic_drive_comes_back_too():
    """E and I under tonic drives instead of a source: four weights and both drives."""
    K, J, circuit = driven()
    state = eq.theory.mean_field(circuit)
    found = network(Embedding(LIF, laws_of(state), float(K), None))
    assert found.circuit is not None, found.message
    np.testing.assert_allclose(found.circuit.weights(), J, rtol=1e-5)
    np.testing.assert_allclose([p.drive for p in found.circuit.populations], [330.0, 170.0], rtol=1e-5)


def test_a_row_meets_its_three_equations():
    """Every solution does, and the weights that made the inputs are among them."""
    r, q, w = np.array([8.0, 15.0, 10.0]), np.array([90.0, 300.0, 100.0]), np.array([0.9, 1.3, 1.4])
    signs = np.array([1.0, -1.0, 1.0])
    for K in (200.0, 5000.0):
        mean = float(math.sqrt(K) * (signs * w) @ r)
        found = row(Law(mean, math.sqrt(w**2 @ q), math.sqrt(w**2 @ r), 0.0), r, q, K)
        assert np.isclose(found.weights, w, rtol=1e-8).all(axis=1).any(), found.reason
        np.testing.assert_allclose(found.weights**2 @ r, w**2 @ r, rtol=1e-9)
        np.testing.assert_allclose(found.weights**2 @ q, w**2 @ q, rtol=1e-9)
        np.testing.assert_allclose(math.sqrt(K) * found.weights @ (signs * r), mean, rtol=1e-7)


def test_scaled_weights_hardly_depend_on_the_in_degree_asked_for():
    """The data fix sqrt(K) J: what K changes falls as K^-1/2, so that K itself is not identified."""
    found = known(laws_of(eq.theory.mean_field(BALANCED.scaled(1000))))
    degrees = [1e4, 1e6, 1e8, 1e12]
    scaled = found.weights(K=degrees, source_rate=10.0, draws=0)["scaled"].sel(source_rate=10.0, solution=0)
    away = [float(abs(scaled.sel(K=K) - scaled.sel(K=1e12)).max()) for K in degrees[:3]]
    assert away[0] < 0.2
    assert away[0] / away[1] == pytest.approx(10.0, rel=0.15)
    assert away[1] / away[2] == pytest.approx(10.0, rel=0.15)


def test_the_identified_set_holds_the_truth_and_says_how_often_it_exists():
    found = known(laws_of(eq.theory.mean_field(BALANCED.scaled(1000))), error=0.01)
    data = found.weights(K=1000, source_rate=[5.0, 10.0], draws=100, seed=2)
    assert data["scaled"].dims == ("K", "source_rate", "solution", "target", "source")
    low, high = (data[end].sel(K=1000, source_rate=10.0).values for end in ("low", "high"))
    np.testing.assert_array_less(low, SCALED)
    np.testing.assert_array_less(SCALED, high)
    np.testing.assert_allclose(data["scaled"].sel(K=1000, source_rate=10.0, solution=0), SCALED, rtol=1e-6)
    assert (data["share"].sel(source_rate=10.0) > 0.5).all()
    assert not np.allclose(data["scaled"].sel(source_rate=5.0)[0, 0], SCALED, rtol=0.05)


def test_what_no_random_network_does_is_said():
    """Delta^2/sigma^2 beyond <r^2>/<r> of every input; a mean that no such weights give."""
    state = eq.theory.mean_field(BALANCED.scaled(1000))
    laws = laws_of(state)
    wide = replace(laws[0], delta=2.0 * laws[0].delta), laws[1]
    found = network(Embedding(LIF, wide, 1000.0, 10.0))
    assert found.status is Status.INFEASIBLE
    assert "E: Delta^2/sigma^2 = 72" in found.message
    assert "the least and the largest <r^2>/<r> of its inputs" in found.message
    alike = network(Embedding(LIF, (laws[0], laws[0]), 1000.0, None))
    assert alike.status is Status.INFEASIBLE
    with pytest.raises(eq.NumericalFailure, match=r"Fit.circuit: E: Delta\^2"):
        known(wide).circuit(K=1000, source_rate=10.0)


def test_from_spikes_to_a_circuit():
    """150 E and 150 I cells drawn from the state of a known network, 20 s: the fitted circuit reproduces the fit.

    The identified set holds the true weights; it is wide.
    """
    K, J, circuit = driven()
    state = eq.theory.mean_field(circuit)
    rng = np.random.default_rng(4)
    parts = [
        trains_of(rng.normal(p.mu, math.sqrt(p.beta), 150), p.sigma, 20.0, seed=i)
        for i, p in enumerate(state.populations)
    ]
    times, units = np.concatenate([p.times for p in parts]), np.concatenate([parts[0].units, 150 + parts[1].units])
    order = np.argsort(times)
    spikes = SpikeTrains(times[order], units[order], 300, 0.0, 20.0)
    recording = Recording(spikes, tuple(map(str, range(300))), (), labels={"type": ("E",) * 150 + ("I",) * 150})
    found = fit(recording, FitSettings(bootstrap=0, confidence=0.999), neuron=LIF)
    for p in state.populations:
        one = found[p.name, "all"]
        assert one.mu.low < p.mu < one.mu.high
        assert one.delta.low < math.sqrt(p.beta) < one.delta.high
        assert one.rate == pytest.approx(p.rate, rel=0.25)
    made = found.network(K=K)
    assert made.status is Status.OK, made.message
    assert made.state is not None
    for p in made.state.populations:
        one = found[p.name, "all"]
        values = one.mu.value, one.delta.value, one.sigma.value
        np.testing.assert_allclose([p.mu, math.sqrt(p.beta), p.sigma], values, rtol=1e-5)
    data = found.weights(K=K, draws=100)
    np.testing.assert_array_less(data["low"].values[0, 0], math.sqrt(K) * J)
    np.testing.assert_array_less(math.sqrt(K) * J, data["high"].values[0, 0])


def test_networks_need_e_and_i():
    only = fit(trains_of(np.linspace(0.0, 60.0, 12), 9.0, 5.0, seed=1), FitSettings(bootstrap=0), neuron=LIF)
    with pytest.raises(ValueError, match=r"needs populations called 'E' and 'I' in epoch 'all', got 'all' in 'all'"):
        only.weights(K=1000)
    found = known(laws_of(eq.theory.mean_field(BALANCED.scaled(1000))))
    with pytest.raises(
        ValueError, match=r"Fit.network: K \(mean number of inputs of each projection\) must be at leas"
    ):
        found.circuit(K=0)
    with pytest.raises(ValueError, match=r"Fit.network: source_rate .* must lie in \(0, 1000\] Hz"):
        found.network(K=100, source_rate=-3.0)
    with pytest.raises(ValueError, match=r"Fit\.weights: K must be finite and at least 1"):
        found.weights(K=[0.5])
