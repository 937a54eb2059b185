"""Fast fixed points of rate circuits: published numbers, closed forms, exact enumeration against search."""

import numpy as np
import pytest
from rate_circuits import SOLDADO, alone, facts, pair, projections, supralinear
from scipy.integrate import solve_ivp
from scipy.optimize import root

import equipoise as eq
from equipoise.rate.fixed_points import near
from equipoise.units import Hz, ms


# --- the threshold-linear pair ----------------------------------------------------------------------------------------
def test_the_published_inhibition_stabilised_network():
    states = eq.rate.fixed_points(pair(**SOLDADO))
    assert [s.status.name for s in states] == ["SILENT", "UNSTABLE", "OK"]
    np.testing.assert_allclose(states[-1].rates, [5.0, 14.0], rtol=1e-12)
    assert states[-1].inputs[0] == pytest.approx(9.8)
    assert states[-1].isn
    assert states[-1].paradoxical == {"E": False, "I": True}
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    assert (known["D"], known["b"]) == (pytest.approx(-1.08, abs=5e-3), pytest.approx(15.2, abs=0.05))


def test_drive_to_inhibition_lowers_both_rates_by_the_printed_amounts():
    driven = eq.rate.fixed_points(pair(**SOLDADO, X=(0.0, 1.0)))[-1]
    np.testing.assert_allclose(driven.rates, [4.708, 12.923], atol=5e-4)


def random_pair(rng):
    W, g = rng.uniform(0.0, 6.0, 4), rng.uniform(0.2, 3.0, 2)
    return W, g, rng.uniform(-2.0, 10.0, 2), rng.uniform(-3.0, 15.0, 2), rng.uniform(2 * ms, 30 * ms, 2)


def test_active_states_of_random_pairs_have_the_closed_forms():
    active, rng = 0, np.random.default_rng(5)
    for _ in range(150):
        W, g, theta, X, tau = random_pair(rng)
        for state in eq.rate.fixed_points(pair(W, g, theta, X, tau)):
            if not (state.gains > 0.0).all():
                continue
            active += 1
            f = facts(W, g, theta, X)
            E = g[0] * (f["b"] - theta[0]) / (1.0 - g[0] * f["D"])
            np.testing.assert_allclose(state.rates, [E, f["gamma"] * (W[2] * E - theta[1] + X[1])], rtol=1e-8)
            stable = g[0] * f["D"] < 1.0 and (1.0 + g[1] * W[3]) * tau[0] > (g[0] * W[0] - 1.0) * tau[1]
            assert state.stable == stable
            assert state.isn == (stable and g[0] * W[0] > 1.0)
            paradox = f["gamma"] * (1.0 - g[0] * W[0]) / (1.0 - g[0] * f["D"])
            assert state.response.sel(population="I", stimulated="I") == pytest.approx(paradox)
            assert state.response.sel(population="E", stimulated="E") == pytest.approx(f["G"])
            assert state.paradoxical["I"] == (paradox < 0.0)
    assert active > 40


def test_the_response_is_that_of_a_driven_network():
    circuit = pair(**SOLDADO)
    state = eq.rate.fixed_points(circuit)[-1]
    more = eq.rate.settle(eq.TonicDrive("I", 1e-3).apply(circuit), start=state.rates)
    np.testing.assert_allclose((more.rates - state.rates) / 1e-3, state.response.sel(stimulated="I"), rtol=1e-9)


# --- enumeration ------------------------------------------------------------------------------------------------------
def random_network(rng, n=4):
    W = np.abs(rng.normal(0.0, 1.2, (n, n))) * np.where(np.arange(n) < n // 2, 1.0, -1.0)
    names = [f"P{k}" for k in range(n)]
    populations = [
        eq.Population(
            name,
            neuron=eq.ThresholdLinear(gain=rng.uniform(0.5, 2.0), threshold=rng.normal(), max_rate=rng.uniform(5, 30)),
            drive=rng.normal(1.0, 2.0),
        )
        for name in names
    ]
    return eq.Circuit(populations=populations, projections=projections(W, names))


def test_enumeration_finds_every_state_that_a_search_finds():
    several, rng, starts = 0, np.random.default_rng(1), np.random.default_rng(2)
    for _ in range(5):
        net = eq.rate.network(random_network(rng))
        states = eq.rate.fixed_points(net)
        several += len(states) > 1
        for state in states:
            np.testing.assert_allclose(net.steady(state.rates), state.rates, atol=1e-9)
        assert len(states) % 2 == 1  # ceilings bound the rates, so that the degrees of all states sum to one
        found = [near(net, starts.uniform(0.0, 30.0, 4)) for _ in range(20)]
        assert any(r is not None for r in found)
        for r in found:
            assert r is None or any(np.allclose(r, one.rates, atol=1e-6) for one in states)
    assert several >= 2


def test_the_ceiling_saturates_and_is_named():
    states = eq.rate.fixed_points(pair(W=(3.0, 0.2, 1.0, 0.5), theta=(1.0, 2.0), X=(2.0, 0.0), max_rate=40 * Hz))
    assert states[-1].status is eq.Status.SATURATED
    assert states[-1].rates[0] == 40.0
    assert "E is saturated" in states[-1].message or "E, I are saturated" in states[-1].message


def test_a_line_of_fixed_points_is_marginal():
    end, inside = eq.rate.fixed_points(alone(eq.ThresholdLinear(gain=0.5, threshold=1.0), 2.0, drive=1.0))
    assert end.rates[0] == 0.0  # where the line ends, at the corner
    assert end.status is inside.status is eq.Status.MARGINAL
    assert "a line of fixed points" in inside.message


def test_a_state_on_a_corner_is_marginal():
    (state,) = eq.rate.fixed_points(alone(eq.ThresholdLinear(threshold=1.0), 0.5, drive=1.0))
    assert state.status is eq.Status.MARGINAL
    assert "exactly at the corner" in state.message


def test_a_pair_without_inhibition_has_no_fixed_point_where_it_runs_away():
    circuit = alone(eq.ThresholdLinear(), 2.0, drive=1.0)
    assert eq.rate.fixed_points(circuit) == []
    with pytest.raises(eq.NumericalFailure, match="the rates grow without end"):
        eq.rate.settle(circuit)
    assert eq.rate.settle(circuit, throw=False).status is eq.Status.RUNAWAY


# --- smooth transfer functions ----------------------------------------------------------------------------------------
def test_a_bistable_softplus_has_the_three_roots_of_its_equation():
    neuron = eq.Softplus(gain=1.0, threshold=5.0, width=0.5)
    ceiling = eq.Softplus(gain=1.0, threshold=5.0, width=0.5, max_rate=20 * Hz)
    states = eq.rate.fixed_points(alone(ceiling, 2.0, drive=1.0))
    h = np.linspace(-5.0, 60.0, 200_001)
    excess = np.minimum(neuron.transfer(2.0 * h + 1.0), 20.0) - h
    roots = h[:-1][np.diff(np.sign(excess)) != 0.0]
    np.testing.assert_allclose([s.rates[0] for s in states], roots, atol=1e-3)
    assert [s.stable for s in states] == [True, False, True]


@pytest.mark.parametrize("drive", [2.0, 10.0, 40.0])
def test_the_supralinear_pair_settles_where_its_equations_do(drive):
    W = np.array([[1.25, -0.65], [1.2, -0.5]])

    def rhs(_t, r):
        return (-r + 0.04 * np.maximum(W @ r + drive, 0.0) ** 2) / [0.020, 0.010]

    end = solve_ivp(rhs, (0.0, 3.0), [0.0, 0.0], rtol=1e-10, atol=1e-12, method="LSODA").y[:, -1]
    states = eq.rate.fixed_points(supralinear(drive))
    assert [s.stable for s in states].count(True) == 1
    np.testing.assert_allclose(next(s for s in states if s.stable).rates, end, rtol=1e-6)


def test_the_supralinear_pair_becomes_inhibition_stabilised_and_its_gain_turns_sublinear():
    drives = np.array([1.0, 3.0, 6.0, 12.0, 24.0, 48.0])
    states = [eq.rate.settle(supralinear(c)) for c in drives]
    isn = [s.isn for s in states]
    assert not isn[0]
    assert all(isn[3:])
    rates = np.array([s.rates for s in states])
    growth = np.diff(np.log(rates), axis=0) / np.diff(np.log(drives))[:, None]
    assert (growth[0] > 1.5).all()
    assert growth[-1, 0] < 1.0
    share = rates[:, 0] / rates.sum(axis=1)
    assert (np.diff(share[2:]) < 0.0).all()  # inhibition grows faster than excitation


def test_a_state_against_scipy():
    circuit = supralinear(10.0)
    net = eq.rate.network(circuit)
    state = eq.rate.fixed_points(circuit)[0]
    found = root(lambda r: net.steady(r) - r, state.rates * 1.1, tol=1e-13)
    np.testing.assert_allclose(state.rates, found.x, rtol=1e-9)
    steps = 1e-6
    slopes = [(net.rhs(state.rates + d) - net.rhs(state.rates - d)) / (2 * steps) for d in steps * np.eye(2)]
    np.testing.assert_allclose(net.jacobian(state.rates), np.transpose(slopes), rtol=1e-5)


# --- spiking neurons --------------------------------------------------------------------------------------------------
def test_rates_of_spiking_neurons_are_those_of_mean_field():
    neuron, K = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms), 1000
    weights = [("E", "E", 1.0), ("E", "I", 1.0), ("I", "E", -2.0), ("I", "I", -1.8), ("X", "E", 1.0), ("X", "I", 0.8)]
    circuit = eq.Circuit(
        populations=[
            eq.Population("E", neuron=neuron),
            eq.Population("I", neuron=neuron),
            eq.Source("X", rate=10 * Hz),
        ],
        projections=[
            eq.Projection(source=s, target=t, weight=w / K**0.5, connectivity=eq.FixedInDegree(K))
            for s, t, w in weights
        ],
    )
    mean_field = eq.theory.mean_field(circuit)
    (state,) = eq.rate.fixed_points(circuit)
    np.testing.assert_allclose(state.rates, mean_field.rates, rtol=1e-9)
    own = np.sort_complex(mean_field.eigenvalues)[:2]
    np.testing.assert_allclose(np.sort_complex(state.eigenvalues) * neuron.tau_m, own, rtol=1e-7)


def test_exponential_synapses_shift_the_curve_as_in_mean_field():
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms)
    circuit = eq.Circuit(
        populations=[eq.Population("E", neuron=neuron), eq.Source("X", rate=8 * Hz)],
        projections=[
            eq.Projection(
                source="X",
                target="E",
                weight=0.05,
                connectivity=eq.FixedInDegree(120),
                synapse=eq.ExponentialSynapse(2 * ms),
            )
        ],
    )
    assert eq.rate.settle(circuit).rates == pytest.approx(eq.theory.mean_field(circuit).rates, rel=1e-9)


# --- bad input --------------------------------------------------------------------------------------------------------
def test_complaints_of_the_verbs():
    with pytest.raises(ValueError, match=r"rate.settle: start must give one rate each for E, I, got shape"):
        eq.rate.settle(pair(), start=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"rate.fixed_points: start must be finite and at least 0, got -1"):
        eq.rate.fixed_points(supralinear(1.0), starts=[[-1.0, 0.0]])
    with pytest.raises(KeyError, match="no population is named 'e'"):
        eq.rate.network(pair()).place("e")
    with pytest.raises(KeyError, match="no projection E -> X"):
        eq.rate.network(pair()).link("E", "X")
