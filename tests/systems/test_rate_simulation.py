"""Rates over time: exact linear systems, orders of the step, stationary covariances, units against matrices."""

from itertools import pairwise

import numpy as np
import pytest
from rate_circuits import SOLDADO, alone, pair, supralinear
from scipy.linalg import expm, solve_continuous_lyapunov, solve_discrete_lyapunov

import equipoise as eq
from equipoise import _core
from equipoise.rate import large
from equipoise.rate.contacts import Sparse
from equipoise.rate.step import Fluctuation, Stepper
from equipoise.units import Hz, ms

OU = eq.OrnsteinUhlenbeck(tau=20 * ms, sigma=0.5)


def steps(net, r, duration, dt):
    """Rates after `duration` in noise-free steps."""
    stepper, noise = Stepper.of(net, dt), Fluctuation.of(net, None, None, dt)
    for _ in range(round(duration / dt)):
        r, noise = stepper.step(r, noise)
    return r


def test_an_active_network_is_its_matrix_exponential():
    net = eq.rate.network(pair(**SOLDADO))
    r0, rest = np.array([5.3, 14.4]), np.array([5.0, 14.0])
    data = eq.rate.simulate(net, duration=20 * ms, start=r0)
    A = net.jacobian(rest)
    for t, r in zip(data["time"].values[::200], data["rate"].values[::200], strict=True):
        np.testing.assert_allclose(r, rest + expm(A * t) @ (r0 - rest), rtol=1e-6)


def test_steps_are_of_second_order():
    net = eq.rate.network(supralinear(20.0))
    exact = eq.rate.simulate(net, duration=40 * ms, start=[5.0, 2.0])["rate"].values[-1]
    errors = [
        np.abs(steps(net, np.array([5.0, 2.0]), 40 * ms, dt) - exact).max() for dt in (1 * ms, 0.5 * ms, 0.25 * ms)
    ]
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2.0, atol=0.15)


def test_a_step_is_exact_for_a_population_on_its_own():
    net = eq.rate.network(alone(eq.ThresholdLinear(gain=2.0), -1e-12, drive=3.0))
    assert steps(net, np.array([1.0]), 30 * ms, 5 * ms)[0] == pytest.approx(6.0 - 5.0 * np.exp(-3.0), rel=1e-9)


def covariances(dt):
    """Stationary covariance of the rates under OU input: of the step, and of the equations (2, 2)."""
    net = eq.rate.network(pair(**SOLDADO))
    rest, stepper = np.array([5.0, 14.0]), Stepper.of(net, dt)
    decay, kick = np.exp(-dt / OU.tau), OU.sigma * np.sqrt(-np.expm1(-2 * dt / OU.tau))

    def step(x):
        """The deterministic part of the step for (rates, eta), and its dependence on the kick."""
        r, eta, xi = rest + x[:2], x[2:4], x[4:]
        here, later = net.fired(net.inputs(r)[0] + eta, r)[0], eta * decay + kick * xi
        p = r * stepper.decay + stepper.a * here
        new = p + stepper.b * (net.fired(net.inputs(p)[0] + later, p)[0] - here)
        return np.concatenate([new - rest, later])

    jacobian = eq.dynamics.differences(lambda x: step(x), np.full(6, 0.3), relative_step=0.3)
    discrete = solve_discrete_lyapunov(jacobian[:, :4], jacobian[:, 4:] @ jacobian[:, 4:].T)
    gains = np.diag([1.0, 4.0]) / net.tau[:, None]
    A = np.block([[net.jacobian(rest), gains], [np.zeros((2, 2)), -np.eye(2) / OU.tau]])
    Q = np.diag([0.0, 0.0, 1.0, 1.0]) * 2.0 * OU.sigma**2 / OU.tau
    return discrete[:2, :2], solve_continuous_lyapunov(A, -Q)[:2, :2]


def test_stationary_covariances_are_of_second_order():
    errors = []
    for dt in (0.05 * ms, 0.025 * ms, 0.0125 * ms):
        discrete, exact = covariances(dt)
        errors.append(np.abs(discrete / exact - 1.0).max())
    assert errors[0] < 1e-5
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2.0, atol=0.2)


def test_units_without_synapses_have_the_variance_of_filtered_noise():
    n, gain, tau = 4000, 2.0, 10 * ms
    population = eq.Population("E", neuron=eq.ThresholdLinear(gain=gain, tau=tau), drive=10.0, size=n)
    net = eq.rate.units(eq.Circuit(populations=[population], projections=[]), seed=1)
    data = eq.rate.simulate(net, duration=0.1, start=np.full(n, 20.0), noise=OU, seed=3)
    exact = (gain * OU.sigma) ** 2 * OU.tau / (OU.tau + tau)
    # the variance of n independent units has the relative standard error sqrt(2/n); four of them are allowed
    assert data["end"].values.var() == pytest.approx(exact, rel=4 * np.sqrt(2.0 / n))
    assert data["end"].values.mean() == pytest.approx(20.0, abs=4 * np.sqrt(exact / n))
    assert float(data["rate_sd"][-1, 0]) == pytest.approx(data["end"].values.std())


def test_runs_repeat_and_seeds_differ():
    def run(seed):
        return eq.rate.simulate(pair(), duration=50 * ms, noise={"E": OU}, seed=seed, start=[3.0, 7.0])["rate"].values

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))


def test_a_schedule_acts_when_it_should():
    pulse = eq.During(eq.TonicDrive("I", 1.0), 0.2, 0.5)
    for noise, seed in ((None, None), (eq.OrnsteinUhlenbeck(sigma=0.0), 1)):
        circuit = pair(**SOLDADO)
        data = eq.rate.simulate(circuit, duration=0.8, start=[5.0, 14.0], schedule=[pulse], noise=noise, seed=seed)
        at = data["rate"].sel(time=[0.19, 0.49, 0.79], method="nearest").values
        np.testing.assert_allclose(at, [[5.0, 14.0], [4.708, 12.923], [5.0, 14.0]], atol=1e-3)


def test_runaway_and_interruption_keep_what_was_done(monkeypatch):
    circuit = alone(eq.ThresholdLinear(), 2.0, drive=1.0)
    smooth = eq.rate.simulate(circuit, duration=1.0)
    stepped = eq.rate.simulate(circuit, duration=1.0, noise=OU, seed=1)
    for data in (smooth, stepped):
        assert data.attrs["status"] == "RUNAWAY"
        assert "grow without end" in data.attrs["message"]
        assert 0.1 < float(data["time"][-1]) < 0.2  # 1e6 Hz after log(1e6) tau = 138 ms

    calls = []

    def stopping(self, r, noise, step=Stepper.step):
        calls.append(1)
        if len(calls) > 300:
            raise KeyboardInterrupt
        return step(self, r, noise)

    monkeypatch.setattr(Stepper, "step", stopping)
    data = eq.rate.simulate(pair(), duration=1.0, noise=OU, seed=1)
    assert data.attrs["status"] == "INTERRUPTED"
    assert float(data["time"][-1]) == pytest.approx(30 * ms)


# --- units ------------------------------------------------------------------------------------------------------------
SIZE = (80, 20)


def test_equal_units_are_the_whole_population():
    circuit = pair(**SOLDADO, size=SIZE)
    units, whole = eq.rate.units(circuit, seed=1), eq.rate.network(circuit)
    r0 = np.array([5.5, 13.0])
    np.testing.assert_allclose(units.mean(units.rhs(np.repeat(r0, SIZE))), whole.rhs(r0), rtol=1e-12)
    np.testing.assert_allclose(units.mean(large.settled(units, np.repeat(r0, SIZE))[0]), [5.0, 14.0], rtol=1e-7)


def sparse_pair(seed=2):
    projections = [
        eq.Projection(source=s, target=t, weight=w, connectivity=c)
        for s, t, w, c in [
            ("E", "E", 0.05, eq.ErdosRenyi(in_degree=16)), ("I", "E", -0.2, eq.FixedInDegree(5)),
            ("E", "I", 0.08, eq.ErdosRenyi(probability=0.25)), ("X", "E", 0.1, eq.ErdosRenyi(in_degree=30)),
        ]
    ]  # fmt: skip
    populations = [
        eq.Population("E", neuron=eq.Softplus(width=0.5), size=80),
        eq.Population("I", neuron=eq.PowerLaw(gain=0.3, exponent=1.5, tau=5 * ms), size=20),
        eq.Source("X", rate=2 * Hz),
    ]
    circuit = eq.Circuit(populations=populations, projections=projections)
    return eq.rate.units(circuit, seed=seed, spread={"E": {"threshold": 0.5, "gain": 0.2}, "I": {"tau": 1 * ms}})


def test_sparse_units_against_dense_matrices():
    net = sparse_pair()
    r = np.random.default_rng(1).uniform(0.0, 10.0, net.n)
    np.testing.assert_allclose(net.inputs(r)[0], net.coupling @ r + net.external[0], rtol=1e-12)
    np.testing.assert_allclose(net.tangent(r)(r), net.slopes(r) @ r, rtol=1e-12)
    assert (np.diag(net.coupling) == 0.0).all()  # nobody hears himself
    degrees = net.link("I", "E").contacts.matrix(20).sum(axis=1)
    assert (degrees == 5).all()
    own = net.link("E", "E").contacts
    assert isinstance(own, Sparse)
    sizes = np.diff(own.starts)
    assert abs(sizes.mean() - 16 * 79 / 80) < 4 * np.sqrt(16 / 80)  # four standard errors
    pairs = own.matrix(80)
    assert pairs.max() == 1.0  # at most one synapse


def test_units_settle_where_newton_says_and_leading_eigenvalues_stand_out():
    net = sparse_pair()
    r, status, _ = large.settled(net, np.ones(net.n))
    assert status is eq.Status.OK
    np.testing.assert_allclose(net.steady(r), r, rtol=1e-8)
    from equipoise.rate.state import _leading, state_at

    exact = state_at(net, r).eigenvalues[0]
    assert _leading(net, r)[0].real == pytest.approx(exact.real, rel=0.02)


def test_spreads_have_their_moments_and_streams_of_their_own():
    circuit = pair(size=(20_000, 5000))
    net = eq.rate.units(circuit, seed=1, spread={"E": {"threshold": 0.5, "gain": 0.3}})
    theta, gain = net.threshold[net.place("E")], net.gain[net.place("E")]
    assert theta.mean() == pytest.approx(4.8, abs=4 * 0.5 / 141)
    assert theta.std() == pytest.approx(0.5, rel=4 / 200)
    assert gain.mean() == pytest.approx(1.0, abs=4 * 0.3 / 141)
    assert gain.std() == pytest.approx(0.3, rel=0.06)
    assert (net.gain[net.place("I")] == 4.0).all()
    fewer = eq.rate.units(circuit, seed=1, spread={"E": {"threshold": 0.5}})
    np.testing.assert_array_equal(theta, fewer.threshold[fewer.place("E")])
    assert not np.array_equal(
        theta, eq.rate.units(circuit, seed=2, spread={"E": {"threshold": 0.5}}).threshold[:20_000]
    )


def test_low_rank_matrices_are_taken_as_they_are():
    rng = np.random.default_rng(3)
    u, v = rng.normal(size=(80, 2)), rng.normal(size=(80, 2))

    class LowRank:
        shape = (80, 80)

        def __matmul__(self, r):
            return u @ (v.T @ r)

    circuit = pair(size=SIZE)
    one = eq.rate.units(circuit, seed=1, links={("E", "E"): LowRank()})
    other = eq.rate.units(circuit, seed=1, links={("E", "E"): u @ v.T})
    r = rng.uniform(0.0, 5.0, 100)
    np.testing.assert_allclose(one.inputs(r)[0], other.inputs(r)[0], rtol=1e-12)


def test_the_gather_sums_partners():
    rng = np.random.default_rng(4)
    degrees = np.array([0, 1, 7, 8, 9, 64, 0])
    starts = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
    partners, rates = rng.integers(0, 50, starts[-1]).astype(np.int32), rng.normal(size=50)
    out = np.full(7, np.nan)
    _core.rate_gather(starts, partners, rates, out)
    wanted = [rates[partners[a:b]].sum() for a, b in pairwise(starts)]
    np.testing.assert_allclose(out, wanted, rtol=1e-13, atol=1e-15)


# --- bad input --------------------------------------------------------------------------------------------------------
COMPLAINTS = {
    "duration": (lambda: eq.rate.simulate(pair(), duration=0.0), ValueError, r"duration .* must lie in \(0, "),
    "no seed": (lambda: eq.rate.simulate(pair(), duration=1.0, noise=OU), TypeError, "noise needs a seed. Use seed=1"),
    "long steps": (
        lambda: eq.rate.simulate(pair(), duration=1.0, noise=OU, seed=1, dt=2 * ms), ValueError,
        "dt must be at most half of the shortest time constant, 2 ms, got 2 ms",
    ),
    "noise of a stranger": (
        lambda: eq.rate.simulate(pair(), duration=1.0, noise={"P": OU}, seed=1), KeyError, "no population is named 'P'",
    ),
    "noise that is a number": (
        lambda: eq.rate.simulate(pair(), duration=1.0, noise={"E": 0.5}, seed=1), TypeError, "noise must be eq.Ornst",
    ),
    "no schedule": (
        lambda: eq.rate.simulate(pair(), duration=1.0, schedule=[eq.TonicDrive("E", 1.0)]), TypeError,
        r"schedule\[0\] must be an eq.During\(manipulation, start\)",
    ),
    "infinite units": (lambda: eq.rate.units(pair(), seed=1), ValueError, "population 'E' is infinite; units need a"),
    "an unknown spread": (
        lambda: eq.rate.units(pair(size=SIZE), seed=1, spread={"E": {"thresold": 1.0}}), ValueError,
        "no 'thresold' to vary. Did you mean 'threshold'",
    ),
    "a matrix of the wrong shape": (
        lambda: eq.rate.units(pair(size=SIZE), seed=1, links={("E", "I"): np.ones((80, 20))}), ValueError,
        r"links\[E -> I\] must be a matrix \(post, pre\) = \(20, 80\), got \(80, 20\)",
    ),
    "too many states": (
        lambda: eq.rate.fixed_points(sparse_pair()), ValueError, "100 units are too many to find all their states",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLAINTS)
def test_complaints(name):
    call, error, message = COMPLAINTS[name]
    with pytest.raises(error, match=message):
        call()
