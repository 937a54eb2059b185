"""Relaxation ends where the path of dx/dt = f(x) leads: exact systems, and networks beside SciPy's LSODA."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import equipoise as eq
from equipoise import Status, dynamics
from equipoise.theory import network, network_state
from equipoise.theory.wiring import Wiring
from equipoise.units import ms

LIF = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)


def bistable(x):
    return x - x**3


def bistable_slope(x):
    return np.diag(1.0 - 3.0 * x**2)


@pytest.mark.parametrize(("start", "end"), [(1e-3, 1.0), (-1e-3, -1.0), (50.0, 1.0), (-0.6, -1.0)])
def test_the_basin_of_the_start_decides(start, end):
    found = dynamics.relaxation(bistable, bistable_slope, np.array([start]))
    assert found.status is Status.OK
    assert found.x == pytest.approx([end], rel=1e-9)


def test_an_unstable_state_is_called_that():
    assert dynamics.relaxation(bistable, bistable_slope, np.zeros(1)).status is Status.UNSTABLE


def test_a_limit_cycle_is_no_state():
    def f(x):  # van der Pol
        return np.array([x[1], 2.0 * (1.0 - x[0] ** 2) * x[1] - x[0]])

    def jacobian(x):
        return np.array([[0.0, 1.0], [-4.0 * x[0] * x[1] - 1.0, 2.0 * (1.0 - x[0] ** 2)]])

    found = dynamics.relaxation(f, jacobian, np.array([0.1, 0.0]))
    assert found.status is Status.NOT_CONVERGED
    assert np.abs(found.x).max() > 0.5  # on the cycle, not in the unstable focus that it surrounds


def test_growth_without_end_is_called_that():
    found = dynamics.relaxation(lambda x: 0.5 * x + 1.0, lambda x: np.diag(0.5 * np.ones(x.size)), np.ones(2))
    assert found.status is Status.RUNAWAY


@pytest.mark.parametrize("lam", [-3.0, -0.2 + 5.0j, -1e4])
def test_linear_systems_take_a_few_steps(lam):
    matrix = np.array([[np.real(lam), -np.imag(lam)], [np.imag(lam), np.real(lam)]])
    found = dynamics.relaxation(lambda x: matrix @ (x - 2.0), lambda _x: matrix, np.array([5.0, -3.0]))
    assert found.status is Status.OK
    assert found.x == pytest.approx([2.0, 2.0], rel=1e-9)
    assert found.iterations < 10


def test_a_start_beside_a_saddle_follows_its_own_side():
    # Two populations that suppress each other: the one that begins ahead wins.
    def f(x):
        return 2.0 / (1.0 + np.exp(-4.0 * (1.0 - 2.0 * x[::-1]))) - x

    for start in ([0.30, 0.31], [0.31, 0.30]):
        found = dynamics.relaxation(f, lambda x: dynamics.differences(f, x), np.array(start))
        path = solve_ivp(lambda _t, x: f(x), (0, 200), start, method="LSODA", rtol=1e-10, atol=1e-12)
        assert found.x == pytest.approx(path.y[:, -1], rel=1e-6)
        assert (found.x[0] > found.x[1]) == (start[0] > start[1])


def random_wiring(rng):
    n, K = rng.integers(1, 5), float(rng.choice([50, 200, 1000]))
    signs = np.append(rng.choice([1.0, 1.0, -1.0], n), 1.0)
    j, degree = rng.uniform(0.2, 2.5, (n, n + 1)) * signs, np.full((n, n + 1), K)
    return Wiring(
        (LIF,) * n, tuple("ABCD"[:n]), j / np.sqrt(K), degree, degree * rng.choice([0.0, 1.0]), np.zeros((n, n + 1)),
        np.array([rng.uniform(0.5, 20.0)]), np.ones(1), np.zeros(n), np.zeros(n),
    )  # fmt: skip


def by_lsoda(wiring):
    equations = network_state.Equations(wiring, 91)
    start = equations.unknowns(network_state.with_spread(wiring, np.full(wiring.n, 0.1)))
    path = solve_ivp(
        lambda _t, z: equations.system(np.maximum(z, 0.0))[0], (0, 150), start, method="LSODA", rtol=1e-7, atol=1e-9
    )
    return equations.state(path.y[:, -1])[: wiring.n]


def test_random_networks_settle_where_lsoda_takes_them():
    rng = np.random.default_rng(11)
    for wiring in [random_wiring(rng) for _ in range(25)]:
        found = network_state.relaxed(wiring, np.full(wiring.n, 0.1))
        expected = by_lsoda(wiring)
        assert found.status is Status.OK
        state = network_state.from_start(wiring, found.x)
        assert state.stable
        assert state.rates == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", ["balanced_network", "brunel_2000", "microcircuit"])
def test_shipped_circuits_settle_where_lsoda_takes_them(name):
    wiring = network.wiring_of(eq.Circuit.example(name))
    found = network_state.relaxed(wiring, np.full(wiring.n, 0.1))
    assert found.x[: wiring.n] == pytest.approx(by_lsoda(wiring), rel=0.01)
    assert network_state.from_start(wiring, found.x).rates == pytest.approx(by_lsoda(wiring), rel=1e-5)
    assert found.iterations < 40
