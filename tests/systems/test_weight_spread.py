"""Mean field with weights that differ between synapses: input moments by direct sampling, slopes, and spikes."""

import math
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.theory import network
from equipoise.units import Hz, ms

LIF = eq.LIF()
FIXED = eq.FixedInDegree(60)
SPREADS = [eq.LogNormalSpread(0.8), eq.NormalSpread(0.5)]


def circuit(spread, connectivity=FIXED, size=np.inf):
    """Two populations of everything that has moments; K and J differ between projections."""
    how = {"connectivity": connectivity, "weight_spread": spread}
    return eq.Circuit(
        populations=[*(eq.Population(p, neuron=LIF, size=size) for p in "EI"), eq.Source("X", rate=8 * Hz)],
        projections=[
            eq.Projection(source="E", target="E", weight=0.03, **how),
            eq.Projection(source="I", target="E", weight=-0.08, in_degree=40, weight_spread=spread),
            eq.Projection(source="E", target="I", weight=0.04, **how),
            eq.Projection(source="X", target="E", weight=0.05, in_degree=300),
            eq.Projection(
                source="X", target="I", weight=0.05, connectivity=eq.FixedInDegree(250), weight_spread=spread
            ),
        ],
    )


def drawn(spread, shape, rng):
    if isinstance(spread, eq.LogNormalSpread):
        return rng.lognormal(-0.5 * spread.log_sd**2, spread.log_sd, shape)
    x = rng.normal(1.0, spread.cv, shape)
    while (bad := x <= 0).any():
        x[bad] = rng.normal(1.0, spread.cv, bad.sum())
    return x * spread.scale


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("graph", ["fixed", "sparse", "dense"])
def test_input_moments_are_those_of_neurons_drawn_one_by_one(spread, graph):
    """mu_i = J sum x r and s_i = J^2 sum x^2 r over 40,000 neurons; 4.5 standard errors each."""
    rng, n, k, j, size = np.random.default_rng(3), 40_000, 60, 0.03, 150
    connectivity = {
        "fixed": eq.FixedInDegree(k),
        "sparse": eq.ErdosRenyi(in_degree=k),
        "dense": eq.ErdosRenyi(probability=k / size),
    }[graph]
    rates = rng.gamma(2.0, 4.0, size)
    here = eq.Circuit(
        populations=[eq.Population("E", neuron=LIF, size=size), eq.Population("I", neuron=LIF)],
        projections=[eq.Projection(source="E", target="I", weight=j, connectivity=connectivity, weight_spread=spread)],
    )
    r, q = np.array([rates.mean(), 1.0]), np.array([(rates**2).mean(), 1.0])
    wanted = network.wiring_of(here).moments(r, q)
    mu, s = np.zeros(n), np.zeros(n)
    for some in np.split(np.arange(n), 20):
        if graph == "dense":
            there = rng.random((some.size, size)) < k / size
            each, x = np.broadcast_to(rates, there.shape), drawn(spread, there.shape, rng)
        else:
            most = 130
            degree = k if graph == "fixed" else rng.poisson(k, (some.size, 1))
            there = np.arange(most) < degree * np.ones((some.size, 1))
            each, x = rng.choice(rates, there.shape), drawn(spread, there.shape, rng)
        mu[some], s[some] = (j * x * each * there).sum(1), (j**2 * x**2 * each * there).sum(1)
    products = np.array([mu - mu.mean(), s - s.mean()])
    found = np.array([mu, s, products[0] ** 2, products[0] * products[1], products[1] ** 2])
    errors = found.std(axis=1) / math.sqrt(n)
    expected = [wanted.mu[1], wanted.s[1], wanted.beta[1], wanted.gamma[1], wanted.eta[1]]
    assert (np.abs(found.mean(axis=1) - expected) < 4.5 * errors).all()


@pytest.mark.parametrize("spread", SPREADS)
def test_slopes_of_the_moments_are_their_differences(spread):
    here = network.wiring_of(circuit(spread, eq.ErdosRenyi(probability=0.2), size=300))
    x = np.array([9.0, 12.0, 130.0, 190.0])  # r, then q

    def moments(x, wiring=here):
        m = wiring.moments(x[:2], x[2:])
        return np.array([m.mu, m.s, m.beta, m.gamma, m.eta]).T

    slopes = here.derivatives(x[:2])
    for b in range(4):
        h = 1e-5 * x[b] * np.eye(4)[b]
        change = (moments(x + h) - moments(x - h)) / (2e-5 * x[b])
        assert slopes[:, :, b] == pytest.approx(change, rel=1e-7, abs=1e-12)
    by_weight = here.weight_derivatives(x[:2], x[2:])
    for b in range(3):
        h = 1e-6 * np.eye(3)[b]
        up, down = (moments(x, replace(here, J=here.J + sign * h)) for sign in (1, -1))
        assert by_weight[:, :, b] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-9)


def test_a_small_spread_is_no_spread():
    plain, near = (eq.theory.mean_field(circuit(s)) for s in (None, eq.LogNormalSpread(1e-5)))
    assert near.rates == pytest.approx(plain.rates, rel=1e-8)
    assert near.second_moments == pytest.approx(plain.second_moments, rel=1e-8)


def test_the_balanced_limit_is_where_many_inputs_lead():
    """Rates of the limit do not depend on the spread; their distribution does, and networks with large K have it."""
    plain = eq.Circuit.example("balanced_network").infinite()
    wide = replace(plain, projections=[replace(p, weight_spread=eq.LogNormalSpread(0.7)) for p in plain.projections])
    limit, other = eq.theory.balanced_limit(plain), eq.theory.balanced_limit(wide)
    assert other.rates == pytest.approx(limit.rates, rel=1e-12)
    assert (other.second_moments > 1.05 * limit.second_moments).all()
    errors = []
    for k in (1e4, 1e6):
        state = eq.theory.mean_field(wide.scaled(k))
        errors.append(np.abs(state.second_moments / state.rates**2 / (other.second_moments / other.rates**2) - 1).max())
    assert errors[1] < 0.2 * errors[0] < 0.05


def test_spikes_have_the_rates_and_their_spread_that_theory_says():
    """Neurons under 1600 + 1200 Poisson trains: without a spread of weights all would fire at 4.9 Hz.

    A population that relays Poisson trains carries the weights, since sources have none. Theory takes the threshold of
    the time grid (0.5826 sigma sqrt(dt)); jumps of finite size leave it within 3 %.
    """
    dt, duration, rate, n = 0.05 * ms, 4.0, 10 * Hz, 2000

    def onto_b(a):
        spread = eq.LogNormalSpread(1.0)
        return [
            eq.Projection(
                source=a, target="B", weight=0.015, connectivity=eq.FixedInDegree(1600), weight_spread=spread
            ),
            eq.Projection(source="Y", target="B", weight=-0.015, connectivity=eq.FixedInDegree(1200)),
        ]

    b, x, y = eq.Population("B", size=n, neuron=LIF), eq.Source("X", rate=rate), eq.Source("Y", rate=rate)
    driven = eq.Circuit(populations=[b, x, y], projections=onto_b("X"))
    sigma = eq.theory.mean_field(driven).populations[0].sigma
    grid = driven.with_node("B", neuron=replace(LIF, v_threshold=1 + 0.5826 * sigma * math.sqrt(dt)))
    theory = eq.theory.mean_field(grid)
    relay = eq.Population("A", size=4000, neuron=eq.LIF(tau_ref=0.0))
    passing = eq.Projection(source="X", target="A", weight=1.01, connectivity=eq.FixedInDegree(1))
    spikes = eq.Circuit(populations=[relay, b, x, y], projections=[passing, *onto_b("A")])
    run = eq.spiking.simulate(spikes, duration=duration, seed=1, dt=dt)
    early = run.steps * dt < duration / 2
    halves = [np.bincount(run.units[h], minlength=4000 + n)[4000:] / (duration / 2) for h in (early, ~early)]
    found_rate, found_sd = np.mean(halves), math.sqrt(np.cov(*halves)[0, 1])
    sd = math.sqrt(theory.second_moments[0] - theory.rates[0] ** 2)
    assert found_rate == pytest.approx(theory.rates[0], rel=0.04)
    assert found_sd == pytest.approx(sd, rel=0.1)
    assert found_rate > 1.9 * float(eq.renewal.rate(LIF, mu=60.0, sigma=math.sqrt(0.015**2 * 28_000)))
