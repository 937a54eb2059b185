"""Uptake and matrix calcium: closed forms against quadrature, laws against an exact transform and sampled trains."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import exp1

import equipoise as eq
from equipoise import renewal as rn
from equipoise.units import Hz, minute, ms, uM

M = eq.Mitochondrion()
INTERVAL = 5 * ms


def hill(m, c):
    return m.uptake_capacity * c**m.uptake_hill / (m.half_uptake**m.uptake_hill + c**m.uptake_hill)


def calcium(m, spikes, t, before=0.0):
    """Calcium at the uniporter at a time, as a plain sum over spikes."""
    past = t - np.asarray(spikes)
    fed = np.exp(-past[past >= 0.0] / m.tau).sum()
    return m.influx * m.microdomain * fed + before * np.exp(-t / m.tau)


# --- bursts -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "before"), [(1, 0.0), (5, 0.0), (5, 3.0)])
def test_burst_uptake_is_the_integral_of_the_flux(size, before):
    spikes = np.arange(size) * INTERVAL
    edges = [*spikes, 30 * M.tau]
    wanted = sum(
        quad(lambda t: hill(M, calcium(M, spikes, t, before)), a, b, epsabs=1e-13, limit=200)[0]
        for a, b in pairwise(edges)
    )
    alone = quad(lambda t: hill(M, before * np.exp(-t / M.tau)), 0.0, 30 * M.tau, epsabs=1e-13)[0]
    assert M.burst_uptake(size, INTERVAL, before=before) == pytest.approx(wanted - alone, rel=1e-9)


def test_isolated_spikes_are_ignored_and_bursts_are_not():
    """One spike brings 1.6 % of a burst of five and 0.4 % of ten; a spike of those brings 12 and 28 times it."""
    one, five, ten = M.burst_uptake(np.array([1, 5, 10]), INTERVAL)
    assert one / five == pytest.approx(0.0164, abs=1e-4)
    assert one / ten == pytest.approx(0.00356, abs=1e-5)
    assert five / 5 / one == pytest.approx(12.2, abs=0.05)
    assert ten / 10 / one == pytest.approx(28.1, abs=0.05)


def test_spikes_far_apart_add_and_spikes_at_once_are_one_of_their_sum():
    one = M.burst_uptake(1, INTERVAL)
    assert M.burst_uptake(4, 100 * M.tau) == pytest.approx(4 * one, rel=1e-12)
    assert M.burst_uptake(4, 0.0) == pytest.approx(M.uptake_left(4 * M.influx * M.microdomain), rel=1e-12)


def test_far_below_saturation_uptake_passes_the_power_of_the_amplitude():
    """The error of the power law falls as the amplitude to the power n."""
    errors = []
    for scale in (0.1, 0.05):
        m = eq.Mitochondrion(influx=scale)
        power = m.uptake_capacity * m.tau / m.uptake_hill * (scale * m.microdomain / m.half_uptake) ** m.uptake_hill
        errors.append(1.0 - m.burst_uptake(1, 0.0) / power)
    assert 0.0 < errors[0] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(2.0**M.uptake_hill, rel=0.01)


# --- laws -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rate", [0.5, 5.0, 20.0, 60.0])
def test_poisson_spikes_against_the_transform_of_shot_noise(rate):
    """n = 2: E C^2/(K^2 + C^2) = 1 - K int_0^inf sin(K s) E e^{-s C} ds, E e^{-s C} = e^{-r tau Ein(s A)}."""
    m = eq.Mitochondrion(uptake_hill=2.0)
    A, K, euler = m.influx * m.microdomain, m.half_uptake, 0.5772156649015329

    def transform(s):
        x = s * A
        series = x - x**2 / 4 + x**3 / 18 - x**4 / 96
        return np.exp(-rate * m.tau * (series if x < 1e-3 else exp1(x) + np.log(x) + euler))

    panels = np.arange(0.0, 4000.0) * np.pi / K
    nodes, weights = np.polynomial.legendre.leggauss(12)
    s = panels[:-1, None] + 0.5 * (nodes + 1.0) * np.diff(panels)[:, None]
    parts = (np.vectorize(transform)(s) * np.sin(K * s)) @ weights * 0.5 * np.diff(panels)
    sums = np.cumsum(parts)
    while sums.size > 3990:  # Euler's transformation of an alternating series
        sums = 0.5 * (sums[1:] + sums[:-1])
    wanted = m.uptake_capacity * (1.0 - K * sums[-1])
    got = rn.mcu_uptake(m, eq.ExponentialISI(rate=rate)) - m.leak
    assert got == pytest.approx(wanted, rel=2e-5, abs=1e-7)
    assert rn.mcu_uptake(m, eq.PoissonBursts(rate=rate, size=1)) - m.leak == pytest.approx(got, rel=1e-12)


def test_laws_agree_with_sampled_trains():
    """Seven means over 200 trains of 60 s, four standard errors: a right law fails once in 2000 runs of this test."""
    rng, units, span = np.random.default_rng(5), 200, 61.0
    laws = [eq.GammaISI(rate=5 * Hz, cv=0.4), eq.GammaISI(rate=30 * Hz, cv=1.5), eq.LogNormalISI(rate=10 * Hz, cv=2.0)]
    packed = []
    for law in laws:
        intervals = rn.sample(law, units * int(4 * law.rate * span), rng).reshape(units, -1)
        times = np.cumsum(intervals, axis=1)
        packed.append((law, times[times < span], np.nonzero(times < span)[0]))
    for size in (1, 2, 5, 10):
        pattern = eq.PoissonBursts(rate=5 * Hz, size=size, interval=INTERVAL)
        single = [pattern.spikes(span, rng).times for _ in range(units)]
        packed.append((pattern, np.concatenate(single), np.repeat(np.arange(units), [len(x) for x in single])))
    for law, times, which in packed:
        order = np.argsort(times, kind="stable")
        run = eq.SpikeTrains(times[order], which[order], n_units=units, t_start=0.0, t_stop=span)
        seen = rn.mcu_uptake_of(M, run, discard=1.0)
        error = seen.std(ddof=1) / np.sqrt(units)
        assert abs(seen.mean() - rn.mcu_uptake(M, law)) < 4.0 * error
        assert error < 0.1 * (seen.mean() - M.leak)


def test_a_law_of_arrays_gives_arrays():
    rates = np.array([[1.0, 5.0], [10.0, 20.0]])
    found = rn.mcu_uptake(M, eq.GammaISI(rate=rates, cv=1.0))
    assert found.shape == (2, 2)
    assert found[1, 0] == pytest.approx(rn.mcu_uptake(M, eq.ExponentialISI(rate=10.0)), rel=1e-9)


def test_uptake_of_few_spikes_is_the_integral():
    spikes, end = np.array([0.1, 0.11, 0.4, 0.402, 0.404]), 1.2
    trains = eq.SpikeTrains.single(spikes, t_start=0.0, t_stop=end)
    wanted = sum(
        quad(lambda t: hill(M, calcium(M, spikes, t)), a, b, epsabs=1e-13)[0]
        for a, b in zip([0.3, *spikes[2:]], [*spikes[2:], end], strict=True)
    )
    assert rn.mcu_uptake_of(M, trains, discard=0.3)[0] == pytest.approx(M.leak + wanted / 0.9, rel=1e-9)
    silent = eq.SpikeTrains.single([], t_start=0.0, t_stop=end)
    assert rn.mcu_uptake_of(M, silent)[0] == M.leak


# --- burstiness -------------------------------------------------------------------------------------------------------
def test_the_signal_of_a_change_of_rate_grows_with_burst_size():
    """d uptake/d log rate at 5 Hz: 0.106, 0.151, 0.195, 0.276, 0.435 µM/s for bursts of 1, 2, 3, 5, 10 spikes."""
    found = [rn.mcu_sensitivity(M, eq.PoissonBursts(rate=5 * Hz, size=n)) for n in (1, 2, 3, 5, 10)]
    np.testing.assert_allclose(found, [0.106, 0.151, 0.195, 0.276, 0.435], atol=5e-4)


@pytest.mark.parametrize(("rate", "size"), [(0.1, 5), (20.0, 1), (100.0, 5), (249.0, 5)])
def test_sensitivity_is_the_slope_of_uptake(rate, size):
    """By Richardson's extrapolation of central differences in larger steps."""

    def uptake(h):
        return float(rn.mcu_uptake(M, eq.PoissonBursts(rate=rate * np.exp(h), size=size)))

    h = min(0.02, 0.2 * np.log(250.0 / rate))
    central = [(uptake(x) - uptake(-x)) / (2 * x) for x in (2 * h, h, 0.5 * h)]
    first = [(4 * b - a) / 3 for a, b in pairwise(central)]
    wanted = (16 * first[1] - first[0]) / 15
    assert rn.mcu_sensitivity(M, eq.PoissonBursts(rate=rate, size=size)) == pytest.approx(wanted, rel=1e-6)


def test_burstiness_tells_little_at_high_rates():
    """At 60 Hz calcium sums up without bursts too, and large bursts saturate the uniporter: the order is reversed."""
    found = [rn.mcu_uptake(M, eq.PoissonBursts(rate=60 * Hz, size=n)) for n in (1, 2, 5, 10)]
    assert found == sorted(found, reverse=True)
    assert found[0] < 1.05 * found[-1]


@pytest.mark.parametrize("size", [1, 5])
def test_bursts_that_do_not_overlap_bring_uptake_in_proportion_to_their_rate(size):
    """The error falls linearly in the bursts within tau."""
    per_burst, errors = M.burst_uptake(size, INTERVAL), []
    for rate in (0.02, 0.01):
        pattern = eq.PoissonBursts(rate=rate, size=size, interval=INTERVAL)
        assert rn.mcu_sensitivity(M, pattern) == pytest.approx(rn.mcu_uptake(M, pattern) - M.leak, rel=0.05)
        errors.append((rn.mcu_uptake(M, pattern) - M.leak) / (pattern.burst_rate * per_burst) - 1.0)
    assert 0.0 < errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.02)


# --- the matrix -------------------------------------------------------------------------------------------------------
def test_efflux_balances_at_matrix_at_and_overload_is_said():
    levels = np.array([0.05, 0.2, 1.0, 5.0])
    np.testing.assert_allclose(M.matrix_at(M.efflux(levels)), levels, rtol=1e-12)
    np.testing.assert_allclose(M.uptake(levels), M.leak + hill(M, levels), rtol=1e-12)
    assert M.matrix_at(M.leak) == pytest.approx(M.resting)
    np.testing.assert_array_equal(M.matrix_at([M.efflux_capacity, 2 * M.efflux_capacity]), np.inf)
    assert rn.matrix_calcium(M, eq.ExponentialISI(rate=200 * Hz)) == np.inf


@pytest.mark.parametrize("k", [1.0, 2.0, 3.5])
def test_matrix_tau_is_the_slope_of_the_speed(k):
    m, level, h = eq.Mitochondrion(efflux_hill=k), 0.2, 1e-5
    slope = (m.matrix_speed(level + h, 1.0) - m.matrix_speed(level - h, 1.0)) / (2 * h)
    assert m.matrix_tau(level) == pytest.approx(-1.0 / slope, rel=1e-7)


def test_matrix_trace_against_a_stiff_solver():
    m = eq.Mitochondrion(bound_ratio=2.0)  # so fast that single bursts show
    spikes = np.sort(np.concatenate([x + np.arange(6) * INTERVAL for x in (0.2, 0.5, 1.1)]))
    at = np.array([0.1, 0.5, 0.9, 1.1, 2.0])
    y, t0, wanted = np.array([0.3]), 0.0, []
    for edge in [*spikes, 2.0]:
        end = edge - 1e-12
        solved = solve_ivp(
            lambda t, x: m.matrix_speed(x, m.leak + hill(m, calcium(m, spikes, t))),
            (t0, end), y, rtol=1e-10, atol=1e-13, t_eval=np.append(at[(at >= t0) & (at < end)], end),
        )  # fmt: skip
        wanted += list(solved.y[0][:-1])
        y, t0 = solved.y[:, -1], edge
    wanted.append(y[0])
    found = rn.matrix_trace(m, spikes, t_start=0.0, t_stop=2.0, at=at, initial=0.3)
    np.testing.assert_allclose(found, wanted, rtol=2e-5)
    assert np.ptp(found) > 0.02


def test_the_matrix_rests_without_spikes_and_follows_the_mean_uptake():
    still = rn.matrix_trace(M, [], t_start=0.0, t_stop=600.0, at=[300.0, 600.0])
    np.testing.assert_allclose(still, M.resting, rtol=1e-9)
    pattern = eq.PoissonBursts(rate=5 * Hz, size=5, interval=INTERVAL)
    spikes = pattern.spikes(60 * minute, np.random.default_rng(3)).times
    at = np.linspace(10 * minute, 60 * minute, 500)
    level = rn.matrix_trace(M, spikes, t_start=0.0, t_stop=60 * minute, at=at)
    # 50 minutes hold some 25 independent values, sd 4 %: four standard errors of the mean
    assert level.mean() == pytest.approx(rn.matrix_calcium(M, pattern), rel=0.035)
    assert level.std() < 0.1 * level.mean()


# --- energy -----------------------------------------------------------------------------------------------------------
def test_the_cost_of_four_hertz_is_that_of_the_published_budget():
    """47 + 34 + 13 % of 3.29e9 ATP/s; the rest is transmitter and its recycling."""
    usual = eq.PoissonBursts(rate=4 * Hz, size=1)
    budget = rn.energy_budget(M, usual, set_point=usual)
    assert budget.demand == pytest.approx(0.94 * 3.29e9, rel=0.01)
    assert budget.surplus == budget.reading == 0.0


def test_demand_above_the_budget_is_a_deficit_in_both_readings():
    usual = eq.PoissonBursts(rate=4 * Hz, size=5)
    more = rn.energy_budget(M, eq.PoissonBursts(rate=6 * Hz, size=5), set_point=usual)
    assert more.reading < 0.0
    assert more.surplus == pytest.approx(-2 * 3.84e8)
    fed = rn.energy_budget(M, usual, set_point=usual, synaptic_input=0.5, cost=eq.EnergyCost(input=2e9))
    assert fed.surplus == pytest.approx(1e9)
    assert str(fed) == "EnergyBudget: uptake 0.261 of 0.261 µM/s, about 3e+09 of 4e+09 ATP/s"


def test_bursts_look_dearer_to_mitochondria_than_they_are():
    usual, bursts = (eq.PoissonBursts(rate=4 * Hz, size=n) for n in (1, 10))
    budget = rn.energy_budget(M, bursts, set_point=usual)
    assert budget.surplus == 0.0
    assert budget.load > 2.0 * budget.sustained


# --- bad input --------------------------------------------------------------------------------------------------------
LAW = eq.ExponentialISI(rate=5 * Hz)
TRAINS = eq.SpikeTrains.single([0.1], t_start=0.0, t_stop=1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eq.Mitochondrion(tau=150.0), ValueError, r"calcium decay time.*Did you mean tau=150 \* ms"),
        (lambda: eq.Mitochondrion(uptake_hill=0.5), ValueError, r"cooperativity of uptake\) must lie in \[1, 8\]"),
        (lambda: M.uptake(-1 * uM), ValueError, "calcium must be finite and at least 0, got -1"),
        (lambda: M.burst_uptake(0, INTERVAL), ValueError, "size must be finite and at least 1, got 0"),
        (lambda: eq.PoissonBursts(rate=5, size=2.5), ValueError, r"size \(spikes of a burst\) must be whole, got 2.5"),
        (lambda: eq.PoissonBursts(rate=300, size=5), ValueError, "must be below 250 Hz, the rate without silences"),
        (lambda: eq.PoissonBursts(rate=5).spikes(1.0, 1), TypeError, "rng must be a numpy Generator, got 1"),
        (lambda: rn.mcu_uptake(LAW, M), TypeError, r"mitochondrion must be an eq\.Mitochondrion, got Exponential"),
        (lambda: rn.mcu_uptake(M, 5.0), TypeError, r"firing must be an ISI law or an eq\.PoissonBursts, got 5\.0"),
        (lambda: rn.mcu_sensitivity(M, LAW), TypeError, r"firing must be an eq\.PoissonBursts, got Exponential"),
        (lambda: rn.mcu_uptake_of(M, [0.1]), TypeError, r"trains must be an eq\.SpikeTrains"),
        (lambda: rn.mcu_uptake_of(M, TRAINS, discard=2.0), ValueError, r"discard must lie in \[0, 1\) s"),
        (lambda: rn.matrix_trace(M, [], t_start=0, t_stop=1, at=[2.0]), ValueError, r"at must hold sorted times in"),
        (
            lambda: rn.energy_budget(
                M, eq.PoissonBursts(rate=5), set_point=eq.PoissonBursts(rate=5), synaptic_input=-1
            ),
            ValueError,
            "synaptic input by that of the set point",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
