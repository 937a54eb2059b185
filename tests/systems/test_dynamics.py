"""The engine on systems whose answers are exact."""

import numpy as np
import pytest

from equipoise import Status, dynamics


def test_fixed_point_of_a_polynomial_system_is_exact():
    def f(x):
        return np.array([x[0] ** 2 + x[1] - 3.0, x[0] - x[1] + 1.0])

    def jacobian(x):
        return np.array([[2 * x[0], 1.0], [1.0, -1.0]])

    found = dynamics.fixed_point(f, jacobian, np.array([3.0, 3.0]))
    assert found.status is Status.OK
    np.testing.assert_allclose(found.x, [1.0, 2.0], rtol=1e-14)


def test_newton_keeps_to_the_bound_and_reports_where_no_root_lies():
    found = dynamics.fixed_point(lambda x: x**2 + 1.0, lambda x: np.diag(2 * x), np.array([1.0]), lower=0.0)
    assert found.status is Status.NOT_CONVERGED


def test_equations_of_very_different_speed_count_alike():
    speeds = np.array([1e-12, 1e9])
    found = dynamics.fixed_point(
        lambda x: speeds * (np.array([2.0, 3.0]) - x), lambda _x: -np.diag(speeds), np.array([1.0, 1.0])
    )
    np.testing.assert_allclose(found.x, [2.0, 3.0], rtol=1e-13)


def test_a_line_of_equilibria_is_met_on_the_level_set_of_the_start():
    # dx/dt = -(x + y - 2), dy/dt = +(x + y - 2) conserves x + y, so there is a line; here x - y is moved instead.
    def f(x):
        return np.array([1.0, 1.0]) * (2.0 - x[0] - x[1])

    found = dynamics.fixed_point(
        f, lambda _x: -np.ones((2, 2)), np.array([0.9, 0.3]),
        constraints=(lambda x: np.array([x[0] - x[1] - 0.6]), lambda _x: np.array([[1.0, -1.0]])),
    )  # fmt: skip
    np.testing.assert_allclose(found.x, [1.3, 0.7], rtol=1e-12)


def lotka_volterra(x):
    return np.array([x[0] * (1.5 - 0.8 * x[1]), x[1] * (0.6 * x[0] - 1.1)])


def test_the_invariant_of_lotka_volterra_is_found():
    samples = np.random.default_rng(0).uniform(0.5, 2.0, (20, 2))
    (found,) = dynamics.invariants(lotka_volterra, samples, ("prey", "predator"))
    value = dict(zip(found.terms, found.coefficients, strict=True))
    # V = 0.6 x - 1.1 log x + 0.8 y - 1.5 log y
    scale = value["prey"] / 0.6
    assert value == pytest.approx(
        {"prey": 0.6 * scale, "log prey": -1.1 * scale, "predator": 0.8 * scale, "log predator": -1.5 * scale}, rel=1e-8
    )
    assert found.drift == 0.0
    assert "conserved" in repr(found)


def test_invariant_value_and_gradient_agree():
    samples = np.random.default_rng(0).uniform(0.5, 2.0, (20, 2))
    (found,) = dynamics.invariants(lotka_volterra, samples, ("prey", "predator"))
    x = np.array([0.7, 1.9])
    numeric = dynamics.differences(lambda z: np.array([found(z)]), x)[0]
    np.testing.assert_allclose(found.gradient(x), numeric, rtol=1e-8)
    assert found.gradient(x) @ lotka_volterra(x) == pytest.approx(0.0, abs=1e-9)


def test_a_constant_drift_is_found_and_measured():
    def f(x):
        error = np.sin(x[0] * x[1])
        return np.array([(0.2 + error) / 10.0, -error])

    samples = np.random.default_rng(0).uniform(0.5, 2.0, (20, 2))
    (found,) = dynamics.invariants(f, samples, ("a", "b"))
    scale = found.coefficients[0] / 10.0
    assert found.coefficients == pytest.approx((10.0 * scale, 1.0 * scale))
    assert found.drift == pytest.approx(0.2 * scale, rel=1e-9)


def test_no_invariant_is_invented():
    samples = np.random.default_rng(0).uniform(0.5, 2.0, (20, 2))
    assert dynamics.invariants(lambda x: np.array([x[1] - x[0] ** 3, -x[0] * x[1]]), samples, ("a", "b")) == ()


def test_spectrum_names_its_zero_mode_and_speaks_in_seconds():
    jacobian = np.array([[-1.0, 0.5], [2.0, -1.0]]) / 3600.0  # determinant 0, direction (1, 2), eigenvalue -2/h
    found = dynamics.spectrum(jacobian, ("a", "b"))
    assert found.zero.tolist() == [True, False]
    assert found.stable
    np.testing.assert_allclose(found.recovery_times, [np.inf, 1800.0])
    (mode,) = found.zero_modes
    assert mode == pytest.approx({"a": 0.5, "b": 1.0})
    assert "recovers in 30 min" in repr(found)


def test_a_growing_mode_is_unstable():
    found = dynamics.spectrum(np.array([[0.1, -2.0], [2.0, 0.1]]), ("a", "b"))
    assert not found.stable
    assert (found.recovery_times < 0).all()
    assert "grows" in repr(found)


def test_complex_step_and_differences_agree_with_calculus():
    def f(x):
        return np.array([x[0] ** 2 * x[1], np.exp(x[1])])

    x = np.array([1.3, 0.4])
    exact = np.array([[2 * 1.3 * 0.4, 1.69], [0.0, np.exp(0.4)]])
    np.testing.assert_allclose(dynamics.complex_step(f, x), exact, rtol=1e-15)
    np.testing.assert_allclose(dynamics.differences(f, x), exact, rtol=1e-9)


def test_differences_converge_with_the_fourth_power_of_the_step():
    x = np.array([0.7])
    errors = [
        abs(dynamics.differences(lambda z: np.exp(3 * z), x, relative_step=h)[0, 0] - 3 * np.exp(2.1))
        for h in (0.2, 0.1)
    ]
    assert errors[0] / errors[1] == pytest.approx(16.0, rel=0.1)


def test_continuation_goes_round_the_fold_of_the_saddle_node():
    # x = 2 + y with y^2 = 1 - p: fold at p = 1, x = 2.
    branch = dynamics.continuation(
        lambda x, p: 1.0 - p - (x - 2.0) ** 2,
        lambda x, _p: (np.diag(-2.0 * (x - 2.0)), np.array([-1.0])),
        np.array([3.0]),
        (0.0, 1.5),
    )
    (fold,) = branch.folds
    assert fold.p == pytest.approx(1.0, abs=1e-12)
    assert fold.x[0] == pytest.approx(2.0, abs=1e-6)
    np.testing.assert_allclose((branch.x[:, 0] - 2.0) ** 2, 1.0 - branch.p, atol=1e-10)
    assert branch.stable[0]
    assert not branch.stable[-1]


def test_a_branch_ends_where_it_meets_the_border_of_its_domain():
    # x = (1 - p)^2 + 1 - p is positive until p = 1.
    branch = dynamics.continuation(
        lambda x, p: (1.0 - p) ** 2 + 1.0 - p - x,
        lambda _x, p: (np.array([[-1.0]]), np.array([2.0 * p - 3.0])),
        np.array([2.0]),
        (0.0, 2.0),
        domain=dynamics.Domain(np.array([1.0, 2.0]), lambda x, _p: float(x[0])),
    )
    (border,) = branch.special
    assert border.kind == "border"
    assert border.p == pytest.approx(1.0, abs=1e-5)
    assert (branch.x > 0.0).all()
    assert branch.status is Status.OK


def test_a_branch_ends_at_the_end_of_its_range():
    branch = dynamics.continuation(
        lambda x, p: p - x, lambda _x, _p: (-np.eye(1), np.ones(1)), np.array([1.0]), (1.0, 2.5), step=0.07
    )
    assert branch.p[-1] == 2.5
    assert branch.x[-1, 0] == pytest.approx(2.5, abs=1e-12)


def test_continuation_finds_the_hopf_point():
    # d(x, y)/dt = (p (x-2) - (y-2), (x-2) + p (y-2)): Hopf at p = 0.
    def jacobian(x, p):
        return np.array([[p, -1.0], [1.0, p]]), np.array([x[0] - 2.0, x[1] - 2.0])

    branch = dynamics.continuation(
        lambda x, p: np.array([[p, -1.0], [1.0, p]]) @ (x - 2.0), jacobian, np.array([2.0, 2.0]), (-0.5, 0.5)
    )
    (hopf,) = branch.special
    assert hopf.kind == "hopf"
    assert hopf.p == pytest.approx(0.0, abs=1e-9)
    assert "hopf" in repr(branch)


def test_evolution_of_a_stiff_linear_system_is_exact():
    rates = np.array([1e-5, 1.0])
    times = np.linspace(0.0, 1e5, 11)
    path = dynamics.evolve(lambda x: -rates * x, np.array([1.0, 1.0]), times, names=("slow", "fast"), tolerance=1e-10)
    assert path.status is Status.OK
    np.testing.assert_allclose(path.x[0], np.exp(-rates[0] * times), rtol=1e-7)


def test_a_bounded_variable_waits_at_its_bound_and_leaves_it():
    # dx/dt = cos(t)-like push: down until y passes 1, then up.
    def f(x):
        return np.array([x[1] - 1.0, 1.0])

    times = np.linspace(0.0, 3.0, 301)
    path = dynamics.evolve(f, np.array([0.2, 0.0]), times, names=("x", "y"), lower=np.array([0.0, -np.inf]))
    assert path.x[0].min() == 0.0
    # It leaves at y = 1 (t = 1) and grows as (t - 1)^2/2.
    assert path.x[0, -1] == pytest.approx(2.0, rel=1e-3)


def test_a_variable_waits_at_its_upper_bound_as_at_its_lower_one():
    """x' = u = cos t from 0 within [-0.3, 0.5] leaves the upper bound at pi/2, the lower at 3 pi/2; mirrored too."""
    times = np.array([0.0, 0.4, 1.5, np.pi / 2 + 0.3, 4.0, 3 * np.pi / 2 + 0.3, 2.5 * np.pi])
    free = np.full(2, np.inf)
    for sign in (1.0, -1.0):
        low, high = sorted((-0.3 * sign, 0.5 * sign))
        path = dynamics.evolve(
            lambda x: np.array([x[1], -x[2], x[1]]), np.array([0.0, sign, 0.0]), times, names=("x", "u", "v"),
            lower=np.append(low, -free), upper=np.append(high, free),
        )  # fmt: skip
        drop = np.cos(0.3) - 1.0
        wanted = [0.0, np.sin(0.4), 0.5, 0.5 + drop, -0.3, -0.3 - drop, 0.5]
        np.testing.assert_allclose(sign * path.x[0], wanted, atol=1e-6)
        assert path.status is Status.OK


def test_variables_that_meet_their_bounds_together_leave_together():
    # Both are pushed by cos(t), so their difference is conserved: zero all along, at the bound too.
    def f(x):
        return np.array([np.cos(x[2]), np.cos(x[2]), 1.0])

    times = np.linspace(0.0, 6.0, 121)
    lower = np.array([0.0, 0.0, -np.inf])
    path = dynamics.evolve(f, np.array([0.2, 0.2, np.pi / 2]), times, names=("a", "b", "t"), lower=lower)
    assert path.status is Status.OK
    assert path.x[0].min() == 0.0
    np.testing.assert_allclose(path.x[0], path.x[1], atol=1e-8)
    # They leave at t = 3 pi/2 and grow as 1 + sin(t).
    assert path.x[0, -1] == pytest.approx(1.0 + np.sin(np.pi / 2 + 6.0), rel=1e-5)


def test_runaway_is_stopped_and_named():
    path = dynamics.evolve(
        lambda x: x,
        np.array([1.0]),
        np.linspace(0.0, 100.0, 50),
        names=("x",),
        stop=lambda x: 1e3 - x[0],
        tolerance=1e-8,
    )
    assert path.status is Status.RUNAWAY
    assert path.t[-1] < 10.0


def test_a_flat_function_has_no_fixed_point():
    # Newton's least-squares step is zero where f is flat, and removes nothing of the residual.
    found = dynamics.fixed_point(lambda x: np.full(2, -1.0), lambda x: np.zeros((2, 2)), np.ones(2))
    assert found.status is Status.NOT_CONVERGED
    half = dynamics.fixed_point(
        lambda x: np.array([x[0] - 2.0, 1.0]), lambda x: np.array([[1.0, 0.0], [0.0, 0.0]]), np.ones(2)
    )
    assert half.status is Status.NOT_CONVERGED


def test_newton_does_not_step_across_its_bound():
    found = dynamics.fixed_point(lambda x: x + 1e-20, lambda x: np.eye(1), np.array([1e-21]), lower=0.0)
    assert found.status is Status.NOT_CONVERGED
    assert (found.x > 0.0).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_evolution_with_a_given_jacobian_meets_the_exact_solution(sparse):
    from scipy.sparse import csc_array

    # A stiff linear system: a slow mode, a fast one, exact by its eigenvectors (1, 1) and (1, -1).
    slow, fast = -0.5, -1e4
    A = 0.5 * np.array([[slow + fast, slow - fast], [slow - fast, slow + fast]])
    times = np.array([0.0, 1.0, 3.0])
    path = dynamics.evolve(
        lambda x: A @ x, np.array([2.0, 0.0]), times, names=("a", "b"), tolerance=1e-8,
        jacobian=lambda _: csc_array(A) if sparse else A,
    )  # fmt: skip
    exact = np.exp(slow * times) + np.exp(fast * times) * np.array([[1.0], [-1.0]])
    np.testing.assert_allclose(path.x, exact, rtol=1e-6)


def test_value_and_jacobian_computed_together_are_computed_once():
    calls = []

    def both(x):
        calls.append(x.copy())
        return x**2 - 2.0, np.diag(2.0 * x)

    found = dynamics.fixed_point(*dynamics.together(both), np.array([1.0]))
    assert found.x == pytest.approx([np.sqrt(2.0)], rel=1e-12)
    assert len(calls) == len({c.tobytes() for c in calls})


def test_an_unknown_that_hardly_matters_overflows_nothing():
    """A slope of 1e-190, as of a cell that is silent, has an inverse whose square is no number."""
    found = dynamics.fixed_point(
        lambda x: np.array([x[0] - 2.0, x[0] - 2.0 + 1e-190 * (x[1] - 3.0)]),
        lambda x: np.array([[1.0, 0.0], [1.0, 1e-190]]),
        np.array([1.0, 3.0]),
    )
    assert found.status is Status.OK
    np.testing.assert_allclose(found.x, [2.0, 3.0], rtol=1e-12)
