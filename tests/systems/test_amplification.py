"""Transient amplification against closed forms, bounds that hold for every matrix, and the simulated rates."""

import sys

import numpy as np
import pytest
from rate_circuits import pair, projections
from scipy.optimize import minimize_scalar

import equipoise as eq
from equipoise.units import ms

TAU = 10 * ms


def linear(W, tau=TAU):
    """Populations whose rates stay above threshold, so that J = (W - 1)/tau."""
    W = np.asarray(W, float)
    names = [f"P{i}" for i in range(len(W))]
    neuron = eq.ThresholdLinear(gain=1.0, threshold=0.0, tau=tau)
    drives = (np.eye(len(W)) - W) @ np.full(len(W), 10.0)
    populations = [eq.Population(n, neuron=neuron, drive=float(d)) for n, d in zip(names, drives, strict=True)]
    return eq.Circuit(populations=populations, projections=projections(W, names))


def amplified(W):
    state = eq.rate.settle(linear(W), start=np.full(len(W), 10.0))
    assert state.rates == pytest.approx(10.0)
    return eq.rate.amplification(state)


@pytest.mark.parametrize("k", [0.5, 1.9, 2.1, 6.0, 40.0])
def test_a_feedforward_chain_in_closed_form(k):
    """J tau = [[-1, k], [0, -1]]: ||exp(J t)|| = e^-x (k x/2 + sqrt(1 + (k x/2)^2)), x = t/tau."""

    def norm(x):
        half = 0.5 * k * x
        return np.exp(-x) * (half + np.hypot(1.0, half))

    found = amplified([[0.0, k], [0.0, 0.0]])
    best = minimize_scalar(lambda x: -norm(x), bounds=(0.0, 3.0), method="bounded", options={"xatol": 1e-12})
    peak, at = (-best.fun, best.x * TAU) if k > 2.0 else (1.0, 0.0)
    assert found.peak == pytest.approx(peak, rel=1e-9)
    assert found.time == pytest.approx(at, rel=1e-4, abs=1e-12)
    assert found.numerical_abscissa == pytest.approx((0.5 * k - 1.0) / TAU)
    assert found.spectral_abscissa == pytest.approx(-1.0 / TAU, rel=1e-6)
    assert found.henrici == pytest.approx(k / TAU)


def test_normal_dynamics_amplifies_nothing():
    found = amplified([[0.5, 0.3], [0.3, 0.2]])
    assert (found.peak, found.time) == (pytest.approx(1.0), 0.0)
    assert found.henrici == pytest.approx(0.0, abs=1e-4)
    assert found.numerical_abscissa == pytest.approx(found.spectral_abscissa)


@pytest.mark.parametrize("w", [1.0, 4.0, 20.0])
def test_balanced_amplification_grows_with_the_weights_at_fixed_ratio(w):
    """W = w [[1, -1.1], [1, -1.1]] (Murphy & Miller 2009): eigenvalues stay, feed-forward w (1 + 1.1) grows."""
    found = amplified(w * np.array([[1.0, -1.1], [1.0, -1.1]]))
    J = (w * np.array([[1.0, -1.1], [1.0, -1.1]]) - np.eye(2)) / TAU
    assert found.spectral_abscissa == pytest.approx(-1.0 / TAU)
    assert found.henrici == pytest.approx(2.1 * w / TAU)
    values, vectors = np.linalg.eig(J)
    t = np.linspace(0.0, 8 * TAU, 4001)
    flows = (vectors * np.exp(np.outer(t, values))[:, None, :]) @ np.linalg.inv(vectors)
    brute = np.linalg.norm(flows, 2, axis=(1, 2)).max()
    assert brute <= found.peak * (1 + 1e-12) <= brute * (1 + 1e-4)


def test_bounds_that_every_matrix_keeps():
    """Kreiss: sup over z of Re z ||(z - J)^-1|| <= peak <= e n times that; growth at t = 0 bounds the peak."""
    rng = np.random.default_rng(1)
    for _ in range(4):
        n = 5
        W = np.abs(rng.normal(0.0, 1.2, (n, n))) * np.where(rng.random(n) < 0.5, 1.0, -1.0)
        state = eq.rate.settle(linear(0.3 * W), start=np.full(n, 10.0), throw=False)
        if not (state.status.usable and state.stable and (state.rates > 1.0).all()):
            continue
        found, J = eq.rate.amplification(state), state.network.jacobian(state.rates)
        real, imag = np.meshgrid(np.geomspace(0.1, 1e4, 60), np.linspace(-400, 400, 81))
        kreiss = max(x * np.linalg.norm(np.linalg.inv((x + 1j * y) * np.eye(n) - J), 2)
                     for x, y in zip(real.ravel(), imag.ravel(), strict=True))  # fmt: skip
        assert kreiss <= found.peak * (1 + 1e-9)
        assert found.peak <= np.e * n * max(kreiss, 1.0)
        assert found.peak <= np.exp(max(found.numerical_abscissa, 0.0) * found.time) * (1 + 1e-9)


def test_the_simulated_rates_do_it():
    """The pattern, given as a disturbance, becomes `response` at the time of the peak."""
    state = eq.rate.fixed_points(pair())[-1]
    found = eq.rate.amplification(state)
    assert found.peak > 1.5
    small = 1e-3
    data = eq.rate.simulate(pair(), duration=found.time, start=state.rates + small * found.pattern)
    moved = (data.rate.values[-1] - state.rates) / small
    np.testing.assert_allclose(moved, found.response, rtol=1e-3, atol=1e-3)
    assert np.linalg.norm(found.pattern) == pytest.approx(1.0)
    assert np.linalg.norm(found.response) == pytest.approx(found.peak)


def test_what_does_not_decay_has_no_bound():
    unstable = next(s for s in eq.rate.fixed_points(pair()) if not s.stable)
    found = eq.rate.amplification(unstable)
    assert found.peak == found.time == np.inf
    assert found.spectral_abscissa > 0.0
    assert "inf times" in repr(found)


def test_bad_input_is_named(monkeypatch):
    with pytest.raises(TypeError, match=r"state must be a RateState such as eq\.rate\.settle"):
        eq.rate.amplification(pair())
    monkeypatch.setattr(sys.modules["equipoise.rate.amplification"], "LARGEST", 1)
    with pytest.raises(ValueError, match="at most 1 units, got 2"):
        eq.rate.amplification(eq.rate.fixed_points(pair())[-1])
