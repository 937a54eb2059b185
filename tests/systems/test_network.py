"""Mean field, balanced limit and homeostasis of networks, against numbers derived independently."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status, dynamics
from equipoise.theory import balanced, distributions, network_homeostasis, network_state, quenched
from equipoise.theory.network_loop import NetworkLoop, joint, slow_jacobian
from equipoise.theory.wiring import Wiring
from equipoise.units import Hz, ms, mV

LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms, v_threshold=1.0, v_reset=0.0)
SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
STANDARD = np.array([[1.0, -2.0, 1.0], [1.0, -1.8, 0.8]])
STRONG = 1.4 * STANDARD


def wiring(K, j=STRONG, *, fixed=False, rate=10 * Hz):
    degree = np.full((2, 3), float(K))
    spread = np.zeros((2, 3)) if fixed else degree.copy()
    return Wiring(
        (LIF, LIF), ("E", "I"), j / np.sqrt(K), degree, spread, np.zeros((2, 3)),
        np.array([rate]), np.ones(1), np.zeros(2), np.zeros(2),
    )  # fmt: skip


def loop(K, j=STRONG, *, scale="absolute", tau_e=1.0, tau_i=1.0):
    targets = network_homeostasis.set_points(wiring(K, j), balanced.limit(wiring(K, j)), SENSOR)
    rules = [eq.CalciumHomeostasis(SENSOR, t, tau_e=tau_e, tau_i=tau_i, scale=scale) for t in targets]
    return NetworkLoop(wiring(K, j), tuple(rules), ("X",))


def start_of(w):
    return balanced.expansion(w, balanced.limit(w))


@pytest.mark.parametrize(
    ("K", "rates"),
    [(100, (17.000, 16.757)), (400, (13.451, 13.167)), (1600, (11.793, 11.572)), (6400, (10.936, 10.795)),
     (25600, (10.483, 10.402)), (102400, (10.246, 10.203)), (1e6, (10.080, 10.065)), (1e7, (10.025, 10.021))],
)  # fmt: skip
def test_mean_field_rates_at_finite_k(K, rates):
    state = network_state.from_start(wiring(K), start_of(wiring(K)))
    assert state.status is Status.OK
    assert state.rates == pytest.approx(rates, abs=6e-4)


def test_rates_approach_the_limit_as_one_over_root_k():
    deviation = [network_state.from_start(wiring(K), start_of(wiring(K))).rates[0] - 10.0 for K in (25600, 102400)]
    assert deviation[0] / deviation[1] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize(
    ("j", "mu", "q"),
    [(STANDARD, (-16.60214, -4.15883), (168.88534, 166.44942)), (STRONG, (-70.6734, -52.3345), (188.911, 185.825))],
)
def test_balanced_limit(j, mu, q):
    found = balanced.limit(wiring(1000, j))
    assert found.rates == pytest.approx([10.0, 10.0], rel=1e-12)
    assert found.mu == pytest.approx(mu, abs=6e-5)
    assert found.second_moments == pytest.approx(q, abs=6e-4)
    assert "holds" in found.inequalities[0]


def test_balanced_limit_of_the_strong_network_in_full():
    found = balanced.limit(wiring(1000))
    assert found.s == pytest.approx([117.6, 95.648], rel=1e-12)
    assert found.beta == pytest.approx([2023.13, 1675.77], abs=6e-3)
    assert found.second_moments / 100 - 1 == pytest.approx([0.889, 0.858], abs=6e-4)


def test_broken_balance_is_named():
    weak = STRONG * np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 1.0]])
    with pytest.raises(eq.NumericalFailure, match=r"would fire at -.*does not hold"):
        balanced.limit(wiring(1000, weak))
    assert balanced.limit(wiring(1000, weak), throw=False).status is Status.INFEASIBLE


def test_singular_balance_is_named():
    same = np.array([[1.0, -2.0, 1.0], [0.5, -1.0, 0.8]])
    with pytest.raises(eq.NumericalFailure, match=r"singular.*different ratios"):
        balanced.limit(wiring(1000, same))


@pytest.mark.parametrize(
    ("j", "moments"),
    [(STRONG, ((2.0065, 6.5533), (2.0184, 6.5497))), (STANDARD, ((2.0737, 6.4956), (2.0837, 6.4887)))],
)
def test_set_points_of_the_limit(j, moments):
    found = network_homeostasis.set_points(wiring(1000, j), balanced.limit(wiring(1000, j)), SENSOR)
    assert [(t.mean, t.second_moment) for t in found] == [pytest.approx(m, abs=6e-5) for m in moments]


@pytest.mark.parametrize(
    ("K", "rates", "weights"),
    [(400, (10.029, 10.028), (1.4972, 3.5278, 1.5056, 3.1512)), (1600, None, (1.4441, 3.1013, 1.4493, 2.7817)),
     (25600, None, (1.4105, 2.8668, 1.4120, 2.5783)), (1e7, None, (1.4005, 2.8033, 1.4006, 2.5229))],
)  # fmt: skip
def test_homeostatic_fixed_point(K, rates, weights):
    found = network_homeostasis.fixed_point(loop(K), start=start_of(wiring(K)))
    scaled = np.sqrt(K) * found.weights
    assert scaled[[0, 1, 3, 4]] == pytest.approx(weights, abs=6e-5)
    assert scaled[[2, 5]] == pytest.approx(scaled[[0, 3]] - [0.0, 0.28], abs=1e-9)
    if rates:
        assert found.state.rates == pytest.approx(rates, abs=6e-4)
    assert found.status is Status.MARGINAL  # stable up to exactly two neutral directions
    assert len(found.spectrum.zero_modes) == len(found.conserved) == 2


@pytest.mark.parametrize(
    ("K", "slow", "fast"), [(1600, (-0.0988, -0.0596), -20.81 + 16.46j), (1e6, (-0.088, -0.056), -23.76 + 13.59j)]
)
def test_spectrum_of_the_slow_dynamics_at_the_balanced_weights(K, slow, fast):
    x = network_state.from_start(wiring(K), start_of(wiring(K))).x
    values = np.linalg.eigvals(slow_jacobian(loop(K), x, loop(K).weights)) / np.sqrt(K)
    values = values[np.argsort(np.abs(values))]
    assert np.abs(values[:2]).max() < 1e-9
    assert sorted(values[2:4].real) == pytest.approx(sorted(slow), abs=6e-4)
    assert values[4:][values[4:].imag > 0][0] == pytest.approx(fast, abs=6e-3)


def test_spectrum_of_the_standard_network_in_hours():
    found = network_homeostasis.fixed_point(loop(1000, STANDARD), start=start_of(wiring(1000, STANDARD)))
    assert found.spectrum.eigenvalues[2:4].real == pytest.approx([-1.84, -2.64], abs=6e-3)


def test_at_relative_scale_ratios_are_conserved():
    held = network_homeostasis.conserved(loop(1600, scale="relative"))
    assert {frozenset(q.terms) for q in held} == {
        frozenset(("log J_EE", "log J_EX")),
        frozenset(("log J_IE", "log J_IX")),
    }


def test_jacobians_against_differences():
    here = loop(1600)
    equations = network_state.Equations(here.wiring, 91)
    x = np.array([11.0, 12.0, 250.0, 240.0])
    np.testing.assert_allclose(equations.jacobian(x), dynamics.differences(equations.residual, x), rtol=1e-6, atol=1e-8)
    y = np.concatenate([x, here.weights])
    exact, numeric = joint(here, y)[1], dynamics.differences(lambda y: joint(here, y)[0], y)
    np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-7 * np.abs(exact).max(0, keepdims=True).max())


def test_evolution_ends_at_the_fixed_point_on_its_level_set():
    here = loop(400, tau_e=20.0, tau_i=10.0)
    start = start_of(here.wiring)
    point = network_homeostasis.fixed_point(here, start=start)
    path = network_homeostasis.evolve(here, start=start, times=np.array([0.0, 10.0, 500.0]))
    np.testing.assert_allclose(path["weight"].values[:, -1], point.weights, rtol=1e-5)
    np.testing.assert_allclose(path["rate"].values[-1], point.state.rates, rtol=1e-5)


def test_quadrature_stays_accurate_at_a_kink():
    # Almost noise-free neurons: f has a kink at threshold; the exact average is a one-dimensional integral.
    points = quenched.sample(100.0, 1e-4, 400.0, 0.0, 0.0, nodes=5761)
    f = network_state.firing(LIF, 0.0, points.mu, points.s)[0]
    mu = np.linspace(100.0, 100.0 + 9 * 20.0, 400_001)[1:]
    exact_f = 1.0 / (2 * ms + 10 * ms * np.log(mu * 0.01 / (mu * 0.01 - 1.0)))
    density = np.exp(-((mu - 100.0) ** 2) / 800.0) / np.sqrt(2 * np.pi * 400.0)
    assert points.weights @ f == pytest.approx(np.trapezoid(exact_f * density, mu), rel=2e-3)


def test_disorder_statistics_against_a_sampled_graph():
    rng = np.random.default_rng(4)
    n, p, J = 4000, 0.05, -0.07
    rates = rng.gamma(2.0, 5.0, n)
    sampled = np.array([[J * r.sum(), J * J * r.sum()] for r in (rates[rng.random(n) < p] for _ in range(6000))])
    here = Wiring(
        (LIF,), ("E",), np.array([[J]]), np.array([[n * p]]), np.array([[n * p * (1 - p)]]), np.array([[p]]),
        np.zeros(0), np.zeros(0), np.zeros(1), np.zeros(1),
    )  # fmt: skip
    m = here.moments(np.array([rates.mean()]), np.array([(rates**2).mean()]))
    covariance = np.cov(sampled.T)
    # Standard error of a variance from 6000 draws is 1.8 %; five of them.
    assert covariance[0, 0] == pytest.approx(m.beta[0], rel=0.09)
    assert covariance[0, 1] == pytest.approx(m.gamma[0], rel=0.09)
    assert covariance[1, 1] == pytest.approx(m.eta[0], rel=0.09)
    assert sampled.mean(0) == pytest.approx([m.mu[0], m.s[0]], rel=0.01)


@pytest.mark.parametrize(
    ("g", "drive", "rate"), [(6.0, 4.0, 55.8412624), (5.0, 2.0, 37.9496971), (4.5, 0.9, 6.5167023)]
)
def test_brunel_model_a_with_fixed_in_degrees(g, drive, rate):
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    J, K = 0.1 * mV, 1000.0
    threshold_rate = 20 * mV / (J * 20 * ms)
    here = Wiring(
        (neuron, neuron), ("E", "I"), np.array([[J, -g * J, J]] * 2), np.array([[K, K / 4, 1.0]] * 2), np.zeros((2, 3)),
        np.zeros((2, 3)), np.array([drive * threshold_rate]), np.ones(1), np.zeros(2), np.zeros(2),
    )  # fmt: skip
    guess = np.array([rate, rate]) * 1.05
    state = network_state.from_start(here, np.concatenate([guess, guess**2]))
    assert state.rates == pytest.approx([rate, rate], abs=6e-8)
    assert state.second_moments == pytest.approx(state.rates**2, rel=1e-9)


@pytest.mark.parametrize(
    ("mean", "sd", "rate"),
    [(16.42, 4.0, 10.209422714963653), (19.66, 4.0, 30.107146483026153), (18.94, 1.5, 10.09768639577759),
     (20.96, 1.5, 29.979602332128426)],
)  # fmt: skip
def test_synaptic_shift_of_schuecker_et_al(mean, sd, rate):
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=0.0, v_threshold=20 * mV, v_reset=15 * mV)
    mu, s = mean * mV / (20 * ms), (sd * mV) ** 2 / (20 * ms)
    assert network_state.firing(neuron, 0.5 * ms, np.array([mu]), np.array([s]))[0] == pytest.approx([rate], rel=1e-12)


def test_rate_distribution_against_sampled_neurons():
    here = wiring(400)
    state = network_state.from_start(here, start_of(here))
    law = distributions.rate_distribution(here, state, "E", levels=np.array([0.1, 0.5, 0.9]))
    cells = distributions.neurons(here, state, "E", 200_000, seed=1)
    below = (cells["rate"].values[:, None] <= law["quantile"].values).mean(0)
    assert below == pytest.approx([0.1, 0.5, 0.9], abs=5 * 0.5 / np.sqrt(200_000))
    assert float(cells["rate"].mean()) == pytest.approx(state.rates[0], rel=5 * 1.0 / np.sqrt(200_000))
    area = np.trapezoid(law["density"], law["rate"])
    assert area == pytest.approx(1.0, abs=1e-3)
    assert np.trapezoid(law["density"] * law["rate"], law["rate"]) == pytest.approx(state.rates[0], rel=1e-3)


def test_every_fixed_point_is_found():
    # Strong recurrent excitation on a silent background: a quiet, an unstable and an active state.
    neuron = eq.LIF(tau_m=20 * ms, tau_ref=5 * ms)
    here = Wiring(
        (neuron,), ("E",), np.array([[0.02, 0.05]]), np.array([[100.0, 400.0]]), np.zeros((1, 2)), np.zeros((1, 2)),
        np.array([1.4]), np.ones(1), np.zeros(1), np.zeros(1),
    )  # fmt: skip
    found = network_state.fixed_points(here)
    assert [s.status for s in found] == [Status.OK, Status.UNSTABLE, Status.OK]
    assert (np.diff([s.rates[0] for s in found]) > 0).all()


def test_disorder_beyond_its_gaussian_description_is_remarked_on():
    here = wiring(1e5)
    assert network_state.from_start(here, start_of(here)).message == ""
    degree = np.full((1, 2), 4.0)
    few = Wiring(
        (LIF,), ("E",), np.array([[1e-6, 0.3]]), degree, degree, np.zeros((1, 2)),
        np.array([60.0]), np.ones(1), np.zeros(1), np.zeros(1),
    )  # fmt: skip
    state = network_state.from_start(few, np.array([40.0]))
    assert "K is too small" in state.message
