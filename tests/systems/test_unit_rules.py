"""Rules of single units: which modes grow, what becomes of them, what holds them, and who responds first."""

import importlib

import numpy as np
import pytest
from rate_circuits import SOLDADO, facts, pair

import equipoise as eq
from equipoise.model.noise import OrnsteinUhlenbeck
from equipoise.model.slow_variables import ExcitatoryInput, Gain, Rate, RequiredInput, Threshold, Weight
from equipoise.rate.sensors import Sensor
from equipoise.rate.slow_state import sensed
from equipoise.units import day, hour, minute

TAU = 1 * hour
A = eq.InputCentricThreshold("E", set_point=9.8, tau=TAU, reading="A", scope="unit")
B = eq.InputCentricThreshold("E", set_point=9.8, tau=TAU, reading="B", scope="unit")
RATE = eq.OutputCentricThreshold("E", rate=5.0, tau=TAU, scope="unit")
START = [5.0, 14.0]


def random_pair(seed, *, sigma, size=(80, 20)):
    """The inhibition-stabilised pair as units; weights vary with standard deviation `sigma`, none onto oneself."""
    rng, matrices = np.random.default_rng(seed), {}
    totals = dict(zip((("E", "E"), ("I", "E"), ("E", "I"), ("I", "I")), SOLDADO["W"], strict=True))
    n = {"E": size[0], "I": size[1]}
    for (source, target), total in totals.items():
        weights = np.maximum(total / n[source] + sigma * rng.standard_normal((n[target], n[source])), 0.0)
        if source == target:
            np.fill_diagonal(weights, 0.0)
        matrices[source, target] = weights / total
    net = eq.rate.units(pair(**SOLDADO, size=size), seed=1, links=matrices)
    return net, eq.rate.settle(net, start=START).rates


def net_recurrence(net):
    """D of the excitatory units, from the matrices."""
    W, E, I = net.coupling, net.place("E"), net.place("I")  # noqa: E741
    return W[E, E] + W[E, I] @ np.linalg.solve(np.diag(1.0 / net.gain[I]) - W[I, I], W[I, E])


def rank_one(n=2000, **changes):
    return eq.rate.units(pair(**SOLDADO, size=(n, 100), **changes), seed=1)


def excitatory(data):
    return data.unit_rate.values[:, data.unit_population.values == "E"]


# --- modes ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", [1, 2])
def test_modes_are_those_of_the_net_recurrence(seed):
    """tau S = -+D (1 - D)^-1, -W_EE (1 - D)^-1 and -(1 - D)^-1/r* with all units active."""
    net, r = random_pair(seed, sigma=0.01)
    assert (r > 0.0).all()
    D, E = net_recurrence(net), net.place("E")
    inverse = np.linalg.inv(np.eye(80) - D)
    drive = eq.DriveCentricThreshold("E", set_point=1.0, tau=TAU, scope="unit")
    wanted = {A: -D @ inverse, B: D @ inverse, drive: -net.coupling[E, E] @ inverse, RATE: -inverse / 5.0}
    for rule, matrix in wanted.items():
        found = eq.rate.modes(net, [rule], at=r)
        values = np.linalg.eigvals(matrix) / TAU
        np.testing.assert_allclose(found.eigenvalues.real, np.sort(values.real)[::-1], atol=1e-7 / TAU)
        assert found.growth == pytest.approx(values.real.max(), rel=1e-6)
        assert found.complete
    d = np.linalg.eigvals(D)
    assert eq.rate.modes(net, [A], at=r).held == int(((1.0 / d).real > 1.0).sum())  # inside the circle
    assert eq.rate.modes(net, [B], at=r).growing == int(((1.0 / d).real > 1.0).sum())


@pytest.mark.parametrize("seed", range(4))
def test_either_sign_leaves_part_of_a_random_network_growing(seed):
    """80 E and 20 I units, sigma = 0.04: A has about 57 growing modes, B the other 23 of 80, a rate set point none."""
    net, r = random_pair(seed, sigma=0.04)
    one, other, rate = (eq.rate.modes(net, [rule], at=r) for rule in (A, B, RATE))
    assert 54 <= one.growing <= 60
    assert one.growing + other.growing == 80
    assert rate.growing == 0
    assert 20 <= other.growing <= 26
    silent = int((r[:80] < 1e-6).sum())
    assert int(rate.neutral.sum()) == silent  # a unit that does not fire does not move what is sensed


def test_a_low_rank_coupling_holds_as_many_combinations_as_it_has_rank():
    rng, n, k = np.random.default_rng(3), 60, 3
    left, right = rng.standard_normal((n, k)), rng.standard_normal((n, k))
    net = alone_units(left @ right.T / n, drive=20.0)
    state = eq.rate.settle(net)
    assert (state.rates > 0.0).all()
    found = eq.rate.modes(net, [A], at=state.rates)
    d = np.linalg.eigvals(right.T @ left / n)
    assert int(found.neutral.sum()) == n - k
    assert found.held + found.growing == k
    assert found.held == int(((1.0 / d).real > 1.0).sum())
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues[~found.neutral] * TAU), np.sort_complex(-d / (1 - d)))


def alone_units(matrix, drive):
    E = eq.Population("E", neuron=eq.ThresholdLinear(), drive=drive, size=matrix.shape[0])
    link = eq.Projection(source="E", target="E", weight=1.0, connectivity=eq.AllToAll())
    return eq.rate.units(eq.Circuit(populations=[E], projections=[link]), seed=1, links={("E", "E"): matrix})


def test_rank_one_holds_the_population_and_nothing_else():
    few = eq.rate.units(pair(**SOLDADO, size=(30, 10)), seed=1)
    found = eq.rate.modes(few, [B], at=START)
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    assert (found.growing, int(found.neutral.sum()), found.held) == (0, 29, 1)
    assert found.eigenvalues[-1].real == pytest.approx(known["D"] * known["G"] / TAU, rel=1e-6)
    assert found.participation[-1] == pytest.approx(30.0)
    assert repr(found) == "Modes: 0 growing, 29 neutral, 1 held"


def test_leading_modes_of_many_units_are_those_of_the_dense_matrix(monkeypatch):
    net, r = random_pair(5, sigma=0.01, size=(240, 60))
    dense = eq.rate.modes(net, [B], at=r)
    monkeypatch.setattr(importlib.import_module("equipoise.rate.modes"), "DENSE", 100)
    leading = eq.rate.modes(net, [B], at=r)
    assert not leading.complete
    assert leading.growth == pytest.approx(dense.growth, rel=0.02)
    assert leading.growth <= dense.growth * (1.0 + 1e-6)
    assert "among the first 6 of 240" in repr(leading)


def test_modes_know_gains_and_weights():
    """Of one unit with input w m r + X, m = 1/2, slopes of the rate are (m r, h, -1)/(1 - w m)."""
    net = alone_units(np.full((1, 1), 0.5), drive=2.0)
    for moved, slope in ((Weight("E", "E"), 4.0), (Gain("E"), 8.0), (Threshold("E"), -2.0)):
        leak = eq.Leak(moved, rest=1.0, tau=TAU)
        assert eq.rate.modes(net, [leak], at=[4.0]).growth == pytest.approx(-1.0 / TAU)
        follow = Following(moved)
        assert eq.rate.modes(net, [follow], at=[4.0]).growth == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("pooled", [False, True])
def test_modes_of_mixed_scopes_are_the_slow_spectrum_of_the_joint_fixed_point(pooled):
    few = eq.rate.units(pair(**SOLDADO, size=(4, 2)), seed=1)
    rules = [
        eq.PartlyPooled(RATE, 0.3) if pooled else RATE,
        eq.OutputCentricThreshold("I", rate=14.0, tau=3 * TAU, scope="population"),
    ]
    point = eq.rate.equilibrium(few, rules, start=START)
    found = eq.rate.modes(few, rules, at=START)
    np.testing.assert_allclose(found.eigenvalues.real, np.sort(point.slow.eigenvalues.real)[::-1], rtol=1e-5)


class Following:
    """dx/dt = r."""

    scope = "unit"

    def __init__(self, variable):
        self.moves, self.senses = (variable,), (Rate("E"),)

    def rhs(self, values, sensed):
        return (sensed[0],)


# --- the long run -----------------------------------------------------------------------------------------------------
def test_units_that_rule_themselves_end_in_winner_take_all_while_the_mean_is_nearly_held():
    net, r = random_pair(0, sigma=0.02)
    drive = float(sensed(net, r, ExcitatoryInput("E")).mean())
    rule = eq.DriveCentricThreshold("E", set_point=drive, tau=TAU, scope="unit")
    times = np.array([0.0, 2.0, 4.0, 24.0, 60.0]) * hour
    E = excitatory(eq.rate.evolve(net, rules=[rule], duration=times[-1], start=r, times=times))
    spread, mean, silent = E.std(axis=1), E.mean(axis=1), (E < 1e-9).sum(axis=1)
    assert (np.diff(spread) > 0.0).all()
    assert spread[-1] > 20.0 * spread[0]
    assert (np.diff(silent) >= 0).all()
    assert silent[0] == 0
    assert silent[3] > 50  # of 80
    assert np.abs(mean[:3] / mean[0] - 1.0).max() < 0.1  # "individual rates drift, population nearly stable" at first
    calm = eq.OutputCentricThreshold("E", rate=float(mean[0]), tau=TAU, scope="unit")
    E = excitatory(eq.rate.evolve(net, rules=[calm], duration=times[-1], start=r, times=times))
    assert E[-1].std() < 0.02 * E[0].std()


def leak_of(growth, part):
    return eq.Leak(Threshold("E"), rest=SOLDADO["theta"][0], tau=1.0 / (part * growth))


@pytest.mark.parametrize(("part", "holds"), [(0.9, False), (1.1, True)])
def test_a_leak_holds_all_modes_where_it_is_faster_than_the_fastest_growth(part, holds):
    net, r = random_pair(2, sigma=0.01)
    free = eq.rate.modes(net, [B], at=r)
    leak = leak_of(free.growth, part)
    found = eq.rate.modes(net, [B, leak], at=r)
    np.testing.assert_allclose(found.eigenvalues, free.eigenvalues - 1.0 / leak.tau, atol=1e-6 * free.growth)
    assert (found.growing == 0) == holds


def at_rest(net):
    """The network with drives that give all excitatory units 5 Hz at h = 9.8, where `B` and a leak to 4.8 both rest."""
    r = np.repeat(START, net.sizes)
    drive = net.threshold + r / net.gain - net.coupling @ r
    return net.variant(drive=drive), r


@pytest.mark.parametrize("part", [0.7, 1.3])
def test_what_is_displaced_along_the_leading_mode_grows_or_returns_as_the_leak_says(part):
    net, r = at_rest(random_pair(2, sigma=0.01)[0])
    growth = eq.rate.modes(net, [B], at=r).growth
    found = eq.rate.modes(net, [B, leak_of(growth, part)], at=r)
    threshold = net.threshold.copy()
    threshold[:80] += found.vectors[:, 0].real
    span = 1.0 / abs(found.growth)
    data = eq.rate.evolve(
        net.variant(threshold=threshold), rules=[B, leak_of(growth, part)], duration=span, start=r, times=[0.0]
    )
    wanted = found.vectors[:, 0] * np.exp(found.eigenvalues[0] * span)
    np.testing.assert_allclose(
        np.sqrt(float(data.slow_sd[-1, 0]) ** 2 + float(data.slow[-1, 0] - 4.8) ** 2),
        np.sqrt((wanted.real**2).mean()), rtol=3e-2,
    )  # fmt: skip
    assert found.growth == pytest.approx((1.0 - part) * growth, rel=1e-6)


def test_pooled_sensing_slows_every_mode_of_single_units_and_holds_none_of_them():
    net, r = random_pair(2, sigma=0.01)
    D = net_recurrence(net)
    K = D @ np.linalg.inv(np.eye(80) - D) / TAU
    growth = []
    for p in (0.0, 0.5, 0.9, 1.0):
        P = (1.0 - p) * np.eye(80) + p / 80.0
        found = eq.rate.modes(net, [eq.PartlyPooled(B, p)], at=r)
        wanted = np.linalg.eigvals(P @ K)
        np.testing.assert_allclose(
            found.eigenvalues.real, np.sort(wanted.real)[::-1], atol=1e-6 * found.eigenvalues.size / TAU
        )
        growth.append(found.growth)
    np.testing.assert_allclose(growth[1:3], growth[0] * np.array([0.5, 0.1]), rtol=0.15)
    assert found.growing == 0
    assert (int(found.neutral.sum()), found.held) == (79, 1)  # only the mean, once all is pooled


@pytest.mark.parametrize(("p", "holds"), [(0.35, False), (0.65, True)])
def test_with_a_leak_at_half_the_growth_half_of_the_sensing_has_to_be_pooled(p, holds):
    net, r = random_pair(2, sigma=0.01)
    leak = leak_of(eq.rate.modes(net, [B], at=r).growth, 0.5)
    assert (eq.rate.modes(net, [eq.PartlyPooled(B, p), leak], at=r).growing == 0) == holds


def test_bounds_stop_the_winners():
    net, r = random_pair(2, sigma=0.02)
    low, high = 4.0, 6.0
    bounds = eq.Bounds(Threshold("E"), lower=low, upper=high)
    kept = eq.rate.evolve(net, rules=[B, bounds], duration=3 * day, start=r, times=[0.0])
    free = eq.rate.evolve(net, rules=[B], duration=3 * day, start=r, times=[0.0])
    assert kept.attrs["status"] == "OK"
    assert excitatory(kept)[-1].max() < 20.0 < excitatory(free)[-1].max()
    assert float(kept.slow_sd[-1, 0]) <= 0.5 * (high - low)
    longer = eq.rate.evolve(net, rules=[B, bounds], duration=6 * day, start=r, times=[0.0])
    np.testing.assert_allclose(excitatory(longer)[-1], excitatory(kept)[-1], atol=0.05)  # at rest


def test_a_bound_of_the_population_is_met_and_left():
    """A threshold that may rise by 1 takes up a drive of 1 out of 2, and comes back when it ends."""
    rule = eq.OutputCentricThreshold("E", rate=5.0, span=5.0, tau=TAU)
    bounds = eq.Bounds(Threshold("E"), upper=5.8, scope="population")
    drive = [eq.During(eq.TonicDrive("E", 2.0), 1 * hour, 20 * hour)]
    data = eq.rate.evolve(
        pair(**SOLDADO), rules=[rule, bounds], duration=60 * hour, schedule=drive, times=[0.0, 19.9 * hour]
    )
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    at = int(np.searchsorted(data.time, 19.9 * hour))
    assert float(data.slow[at, 0]) == 5.8
    assert float(data.rate[at, 0]) == pytest.approx(5.0 + known["G"] * 1.0, rel=1e-6)
    assert float(data.rate[-1, 0]) == pytest.approx(5.0, abs=1e-3)


def test_many_units_at_rest_stay_there():
    net, r = at_rest(random_pair(2, sigma=0.01)[0])
    data = eq.rate.evolve(net, rules=[RATE], duration=1 * day, start=r, times=[0.0])
    np.testing.assert_allclose(data.unit_rate.values, np.broadcast_to(r, data.unit_rate.shape), rtol=1e-6)


def test_pooling_leaves_what_is_pooled_already_as_it_is():
    rule = eq.HomeostaticWeights("E", rate=5.0, speed=1e-6, scope="unit")
    half = eq.PartlyPooled(rule, 0.5)
    values, own = [np.ones(3), np.ones(3)], np.array([3.0, 4.0, 8.0])
    pooled = [np.array([2.0]), np.array([7.0])]
    found = half.rhs(values, [*pooled, own, np.array([own.mean()])])
    np.testing.assert_allclose(found, rule.rhs(values, [*pooled, np.array([4.0, 4.5, 6.5])]))
    assert len(half.senses) == 4


# --- noise ------------------------------------------------------------------------------------------------------------
def test_noise_enters_by_its_exact_average():
    """Moments of value and average of 2e5 units, within 5 standard errors."""
    n, dt, tau, sigma = 200_000, 3 * minute, 5 * minute, 0.7
    for x in (dt, 1e-3 * tau, 40.0 * tau):
        rng = np.random.default_rng(7)
        one = Sensor(OrnsteinUhlenbeck(tau=tau, sigma=sigma), sigma * rng.standard_normal(n), rng)
        before = one.value
        average = one.averaged(x)
        a = np.exp(-x / tau)
        wanted = {
            "value": (one.value.var(), sigma**2),
            "average": (average.var(), 2.0 * sigma**2 * tau / x * (1.0 - (1.0 - a) * tau / x)),
            "before": ((before * average).mean(), sigma**2 * (1.0 - a) * tau / x),
            "after": ((one.value * average).mean(), sigma**2 * (1.0 - a) * tau / x),
        }
        for name, (found, known) in wanted.items():
            assert abs(found - known) < 5.0 * sigma**2 * np.sqrt(2.0 / n), name


def test_single_units_of_a_rank_one_network_diffuse_while_the_population_is_held():
    """var r = 2 (sigma g/tau)^2 (tau_n t - tau_n^2 (1 - e^(-t/tau_n))) for 2000 units, error rate 6e-5 a time."""
    sigma, tau_n = 0.1, 10 * minute
    noisy = eq.NoisySensing(B, OrnsteinUhlenbeck(tau=tau_n, sigma=sigma), seed=3)
    times = np.array([0.0, 4.0, 12.0, 24.0, 48.0]) * hour
    data = eq.rate.evolve(rank_one(), rules=[noisy], duration=times[-1], start=START, times=times)
    E = excitatory(data)
    wanted = 2.0 * (sigma / TAU) ** 2 * (tau_n * times - tau_n**2 * -np.expm1(-times / tau_n))
    np.testing.assert_allclose(E.var(axis=1)[1:], wanted[1:], rtol=4.0 * np.sqrt(2.0 / 2000))
    log = np.log(E).var(axis=1)
    np.testing.assert_allclose(log[1:] / log[-1], wanted[1:] / wanted[-1], rtol=0.2)  # so do the logarithms
    # the mean is an Ornstein-Uhlenbeck process: (g G)^2 times that of the mean threshold, kept by D G/tau
    known = facts(SOLDADO["W"], (1.0, 4.0), SOLDADO["theta"])
    rate = -known["D"] * known["G"] / TAU
    sd = known["G"] * np.sqrt((sigma / TAU) ** 2 * tau_n / rate / 2000)
    assert np.abs(E.mean(axis=1) - 5.0).max() < 4.5 * sd


def test_noise_is_that_of_its_seed_and_a_rate_set_point_confines_it():
    law = OrnsteinUhlenbeck(tau=10 * minute, sigma=0.5)
    net = rank_one(300)
    run = [
        eq.rate.evolve(net, rules=[eq.NoisySensing(RATE, law, seed=s)], duration=2 * day, start=START, times=[0, day])
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(run[0].unit_rate, run[1].unit_rate)
    assert np.abs(run[0].unit_rate - run[2].unit_rate).max() > 0.01
    # theta' = -(r - r* + eta)/(r* tau) with r = g (h - theta): an OU process under OU noise
    k = 1.0 / (5.0 * TAU)
    sd = k * np.sqrt(0.5**2 * law.tau / (k * (1.0 + k * law.tau)))
    assert float(run[0].rate_sd[-1, 0]) == pytest.approx(sd, rel=4.0 / np.sqrt(600))


def test_noise_goes_on_through_manipulations_and_wrapped_rules():
    law = OrnsteinUhlenbeck(tau=10 * minute, sigma=0.1)
    inner = eq.NoisySensing(B, law, seed=1)
    outer = eq.NoisySensing(eq.Paced(B, np.ones(50)), law, seed=1)
    drive = [eq.During(eq.TonicDrive("E", 0.1), 2 * hour, 5 * hour)]
    runs = [
        eq.rate.evolve(rank_one(50), rules=[one], duration=6 * hour, start=START, schedule=drive)
        for one in (eq.Paced(inner, np.ones(50)), outer)
    ]
    assert runs[0].attrs["status"] == "OK"
    np.testing.assert_array_equal(runs[0].unit_rate, runs[1].unit_rate)


# --- first responders -------------------------------------------------------------------------------------------------
def test_under_a_pooled_sensor_fast_units_overshoot_for_good_by_their_speed():
    """Unit i moves by y s_i, with y such that the mean returns; without silent ones r_i ends at r + X (1 - s_i/<s>)."""
    X, speeds = 2.0, np.random.default_rng(4).lognormal(0.0, 0.8, 400)
    rule = eq.Paced(eq.PartlyPooled(RATE, 1.0), speeds)
    drive = [eq.During(eq.TonicDrive("E", X), 1 * hour)]
    data = eq.rate.evolve(rank_one(400), rules=[rule], duration=200 * hour, start=START, schedule=drive)
    E = excitatory(data)
    assert E[-1].mean() == pytest.approx(5.0, abs=2e-3)
    np.testing.assert_allclose(E[-1], _end(X, speeds), atol=0.02)


def _end(X, speeds):
    """[r + X - y s_i]_+ with mean r, y by bisection: the inputs from the network return with the mean."""
    low, high = 0.0, 50.0
    for _ in range(100):
        y = 0.5 * (low + high)
        low, high = (y, high) if np.maximum(5.0 + X - y * speeds, 0.0).mean() > 5.0 else (low, y)
    return np.maximum(5.0 + X - y * speeds, 0.0)


def test_first_responders_overshoot_by_more_than_half_while_the_population_returns():
    """Mostly pooled sensing and a spread of speeds: fast units recover first and overshoot, slow ones lag."""
    speeds = np.random.default_rng(4).lognormal(0.0, 0.8, 400)
    rule = eq.Paced(eq.PartlyPooled(RATE, 0.95), speeds)
    drive = [eq.During(eq.TonicDrive("E", 4.0), 1 * hour)]
    times = np.concatenate([np.linspace(0.0, 60 * hour, 241), [8000 * hour]])
    data = eq.rate.evolve(rank_one(400), rules=[rule], duration=times[-1], start=START, schedule=drive, times=times)
    E = excitatory(data)
    each = eq.measures.recovery(data.time, E, change=1 * hour)
    whole = eq.measures.recovery(data.time, E.mean(axis=1), change=1 * hour)
    order = np.argsort(speeds)
    fastest, slowest = order[-40:], order[:40]
    assert (each.overshoot.values[fastest] > 0.5).all()
    assert float(whole.overshoot) < 0.05
    assert each.overshoot.values[slowest].max() < 0.05
    times = each.recovery_time.values
    assert np.nanmax(times[fastest]) < float(whole.recovery_time) < np.nanmin(times[slowest])
    np.testing.assert_allclose(each.completeness, 1.0, atol=0.02)  # for a time only


# --- bad input --------------------------------------------------------------------------------------------------------
NOW = {"duration": 1 * hour, "start": START}
NOISE = OrnsteinUhlenbeck(tau=60.0, sigma=0.1)
COMPLAINTS = {
    "no fixed point": (
        lambda: eq.rate.modes(rank_one(20), [B], at=[6.0, 14.0]), ValueError, "at must be a fixed point of the network",
    ),
    "a rule of the population": (
        lambda: eq.PartlyPooled(eq.OutputCentricThreshold("E", rate=5.0), 0.5), ValueError,
        "PartlyPooled.rule must be one of single units, got scope='population'",
    ),
    "a class": (lambda: eq.Paced(eq.OutputCentricThreshold, [1.0]), TypeError, "Paced.rule must be a rule such as"),
    "a fraction": (lambda: eq.PartlyPooled(RATE, 1.5), ValueError, r"PartlyPooled.fraction \(pooled fraction\) must"),
    "speeds of others": (
        lambda: eq.rate.evolve(rank_one(20), rules=[eq.Paced(B, [1.0, 2.0])], **NOW), ValueError,
        "Paced: 2 speeds for 20 units",
    ),
    "a speed of 0": (lambda: eq.Paced(B, [1.0, 0.0]), ValueError, "Paced: speeds must be finite and above 0"),
    "a matrix of speeds": (lambda: eq.Paced(B, np.ones((2, 2))), ValueError, "one number a unit, got shape"),
    "bounds": (
        lambda: eq.Bounds(Threshold("E"), lower=2.0, upper=1.0), ValueError, "Bounds.lower must be below upper",
    ),
    "a bound that is no number": (
        lambda: eq.Bounds(Threshold("E"), lower="2"), TypeError, r"Bounds.lower must be a number, got '2'",
    ),
    "a leak": (
        lambda: eq.Leak(Threshold("E"), rest=1.0, tau=0.0), ValueError, r"Leak.tau \(time constant\) must be above 0",
    ),
    "no noise": (lambda: eq.NoisySensing(B, 0.1, seed=1), TypeError, "NoisySensing.noise must be eq.OrnsteinUhlenbeck"),
    "noise on both scales": (
        lambda: eq.rate.evolve(rank_one(10), rules=[eq.NoisySensing(B, NOISE, seed=1)], full=True, **NOW), ValueError,
        "full=True",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_what_does_not_fit_is_said(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_steps_that_are_too_long_for_the_rules_are_told():
    fast = eq.OutputCentricThreshold("E", rate=5.0, span=50.0, tau=TAU, scope="unit")
    slow_steps = eq.NoisySensing(fast, NOISE, seed=1, step=30 * minute)
    data = eq.rate.evolve(rank_one(20), rules=[slow_steps], duration=5 * hour, start=START, times=[0.0])
    assert data.attrs["status"] == "NOT_CONVERGED"
    assert "give NoisySensing a shorter step" in data.attrs["message"]


def test_required_input_of_a_rank_one_network_is_the_same_in_all_units():
    net = rank_one(20)
    required = sensed(net, np.repeat(START, [20, 100]), RequiredInput("E"))
    np.testing.assert_allclose(required, 9.8, rtol=1e-9)
