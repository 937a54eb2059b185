"""Measures of homeostasis on spikes whose truth is known: Poisson and gamma trains, lines, pairs of E and I."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import equipoise as eq
from equipoise import measures
from equipoise.results import SpikeTrains, Status
from equipoise.units import Hz, ms, second, uM

SENSOR = eq.Calcium(tau=300 * ms, influx=1 * uM, buffering=0.1)


def poisson(rates, duration, rng, start=0.0):
    """Poisson trains of units with rates [Hz]."""
    counts = rng.poisson(np.asarray(rates) * duration)
    times = rng.uniform(start, start + duration, counts.sum())
    order = np.argsort(times, kind="stable")
    units = np.repeat(np.arange(counts.size), counts)
    return SpikeTrains(times[order], units[order], counts.size, start, start + duration)


def covered(estimate, truth):
    return estimate.low <= truth <= estimate.high


# --- calcium ----------------------------------------------------------------------------------------------------------
def test_calcium_moments_are_those_of_theorem_1_as_often_as_their_intervals_say():
    trains = poisson(np.full(400, 5.0), 200 * second, np.random.default_rng(3))
    found = measures.calcium_moments(trains, SENSOR)
    exact = eq.renewal.calcium_moments(SENSOR, eq.ExponentialISI(rate=5 * Hz))
    for name, truth in zip(("mean", "second_moment"), exact, strict=True):
        hit = (found[f"{name}_low"] <= truth) & (truth <= found[f"{name}_high"])
        assert 0.915 <= float(hit.mean()) <= 0.975  # 95 %, three binomial errors wide
        assert float(found[name].mean()) == pytest.approx(float(truth), rel=0.01)
    assert set(found.status.values) == {"OK"}
    assert found["second_moment"].attrs["units"] == "uM^2"


def test_calcium_moments_are_the_one_average_over_the_spikes():
    trains = poisson([2.0, 8.0, 0.0], 100.0, np.random.default_rng(1))
    mean, second_moment = eq.renewal.calcium_moments_of(SENSOR, trains, discard=3.0)
    found = measures.calcium_moments(trains, SENSOR)
    np.testing.assert_array_equal(found["mean"], mean)
    np.testing.assert_array_equal(found["second_moment"], second_moment)
    assert float(found["mean_high"][2]) == 0.0  # a silent unit has no calcium


def test_a_short_window_has_moments_but_no_interval():
    found = measures.calcium_moments(poisson([5.0], 20.0, np.random.default_rng(1)), SENSOR)
    assert np.isfinite(found["mean"]).all()
    assert np.isnan(found["mean_low"]).all()
    assert found.status.values[0] == Status.INSUFFICIENT_DATA.name


# --- drift ------------------------------------------------------------------------------------------------------------
def test_units_without_drift_are_found_so():
    """Counting alone explains the changes; at 5 % level at most 7 of 40 datasets are refused (binomial, 0.4 %)."""
    rng = np.random.default_rng(7)
    low, zero = 0, 0
    for _ in range(40):
        rates = rng.lognormal(0.5, 0.8, 20)
        found = measures.drift(poisson(rates, 200.0, rng), poisson(rates, 100.0, rng), samples=400)
        low += found.p_counting < 0.05
        zero += found.excess.value < 0.15
    assert low <= 7
    assert zero >= 30


def test_drift_of_known_size_is_measured_and_its_spread_across_units_covers_it():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(20):
        rates = rng.lognormal(1.0, 0.5, 60)
        later = rates * 2.0 ** rng.normal(0.0, 1.0, 60)
        found = measures.drift(poisson(rates, 200.0, rng), poisson(later, 200.0, rng), samples=400)
        assert found.p_counting < 0.01
        hits += covered(found.excess, 1.0)
    assert hits >= 16


def test_a_population_that_holds_its_rate_while_units_drift_stands_out():
    rng = np.random.default_rng(2)
    rates = np.tile([4.0, 12.0], 15)
    held = poisson(rates, 300.0, rng), poisson(rates.reshape(15, 2)[:, ::-1].ravel(), 300.0, rng)
    assert measures.drift(*held, samples=1000).p_independent < 0.2
    moved = poisson(rates, 300.0, rng), poisson(3.0 * rates, 300.0, rng)
    assert measures.drift(*moved, samples=1000).p_independent == pytest.approx(1.0)


def test_rank_correlation_and_turnover_are_those_of_the_counts():
    rng = np.random.default_rng(5)
    first, second_part = poisson(np.arange(12.0), 50.0, rng), poisson(np.roll(np.arange(12.0), 2), 50.0, rng)
    found = measures.drift(first, second_part, active=0.5, samples=200)
    counts = [np.bincount(t.units, minlength=12) for t in (first, second_part)]
    assert found.correlation.value == pytest.approx(spearmanr(*counts).statistic, abs=1e-12)
    a, b = (c / 50.0 > 0.5 for c in counts)
    assert found.turnover.value == pytest.approx(1.0 - (a & b).sum() / (a | b).sum())


def test_units_of_a_mouse_move_more_than_their_population():
    recording = eq.recordings.example()
    sleep, wake = (recording.during(epoch) for epoch in recording.epochs)
    found = measures.drift(sleep, wake)
    assert found.unit.value == pytest.approx(1.01, abs=0.005)
    assert found.population.value == pytest.approx(0.16, abs=0.01)
    assert found.unit.low > found.null[1]
    assert repr(found).startswith("Drift(15 units)")
    assert found.dataset().change.shape == (15,)


def test_four_units_are_too_few_for_statistics_over_units():
    trains = poisson([1.0, 2.0, 3.0, 4.0], 100.0, np.random.default_rng(0))
    found = measures.drift(trains, trains, samples=100)
    assert found.unit.status is Status.INSUFFICIENT_DATA
    assert np.isnan([found.unit.value, *found.null, found.p_counting, found.p_independent]).all()
    assert found.change.tolist() == [0.0] * 4


def test_units_of_other_names_are_not_compared():
    """As many units, but others, or the same in another order."""
    one, two = (eq.Recording(TRAINS, names, ()) for names in (("a", "b"), ("b", "a")))
    measures.drift(one, one, samples=100)
    measures.drift(one, TRAINS, samples=100)  # trains by themselves have no names
    with pytest.raises(
        ValueError, match=r"measures\.drift: all must have the same units in the same order, got a and b"
    ):
        measures.drift(one, two)
    with pytest.raises(ValueError, match=r"measures\.isn_signature: .* in the same order, got a and b"):
        measures.isn_signature(one, {1.0: two}, inhibitory=[True, False])


def test_no_drive_of_a_few_units_is_seldom_a_signature():
    """5 + 5 units, 200 times: both change beyond their errors by chance in 0.05^2 of the cases."""
    inhibitory = np.arange(10) < 5
    rng = np.random.default_rng(3)
    base, same = ([poisson(np.full(10, 5.0), 20.0, rng) for _ in range(200)] for _ in range(2))
    found = [
        measures.isn_signature(a, {1.0: b}, inhibitory=inhibitory, samples=500).decision
        for a, b in zip(base, same, strict=True)
    ]
    assert found.count("undecided") >= 196


# --- recovery ---------------------------------------------------------------------------------------------------------
def course(factor, rng, units=40, before=200.0, after=600.0, width=1.0):
    """Units of 5 Hz on average whose rates are multiplied by factor(unit, t) from 200 s on."""
    base = rng.lognormal(np.log(5.0) - 0.045, 0.3, units)
    edges = np.arange(0.0, before + after, width)
    shape = np.where(edges < before, 1.0, factor(np.arange(units)[:, None], np.maximum(edges - before, 0.0)))
    counts = rng.poisson(base[:, None] * shape * width)
    who, when = np.nonzero(counts)
    who, when = np.repeat(who, counts[who, when]), np.repeat(when, counts[who, when])
    times = edges[when] + width * rng.random(who.size)
    order = np.argsort(times)
    return SpikeTrains(times[order], who[order], units, 0.0, before + after)


def test_an_exponential_recovery_is_found_within_its_intervals():
    """Time constant 80 s, 75 % recovered: of 12 recordings at least 9 intervals of 95 % hold each (binomial, 0.2 %)."""
    rng, hits = np.random.default_rng(6), np.zeros(3)
    for _ in range(12):
        trains = course(lambda _, t: 1.0 - 0.4 * (0.25 + 0.75 * np.exp(-t / 80.0)), rng)
        found = measures.set_point_recovery(trains, change=200.0, width=10.0, samples=200)
        end = 1.0 - (0.25 + 0.75 * np.exp(-600.0 / 80.0))
        hits += covered(found.time_constant, 80.0), covered(found.completeness, end), found.displacement.high < 0.0
        assert found.displacement.value == pytest.approx(-0.4 * found.baseline.value, rel=0.15)
    assert (hits >= 9).all(), hits


def test_no_displacement_is_no_recovery():
    trains = course(lambda _, t: 1.0 + 0.0 * t, np.random.default_rng(1))
    found = measures.set_point_recovery(trains, change=200.0, width=20.0, samples=200)
    assert found.time_constant.status is Status.INSUFFICIENT_DATA
    assert np.isnan(found.completeness.value)
    assert found.responds.sum() == 0


def test_first_responders_are_those_that_overshoot():
    def factor(unit, t):  # every fourth unit comes back to twice its rate
        return 1.0 - 0.5 * np.exp(-t / 60.0) + np.where(unit % 4 == 0, 1.2 * -np.expm1(-t / 60.0), 0.0)

    found = measures.set_point_recovery(course(factor, np.random.default_rng(3)), change=200.0, width=20.0, samples=200)
    np.testing.assert_array_equal(np.flatnonzero(found.responds), np.arange(0, 40, 4))
    assert covered(found.responders, 0.25)
    assert 0.15 < found.overshoot.value < 0.5  # 0.3 of the population, and the noise of its largest bin
    assert found.dataset().rate.size == found.time.size
    assert "first responders" in repr(found)


# --- scaling ----------------------------------------------------------------------------------------------------------
PEARSON = (
    [0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4],
    [5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5],
    [1000.0, 1000.0, 500.0, 800.0, 200.0, 80.0, 60.0, 20.0, 1.8, 1.0],
    [1.0, 1.8, 4.0, 8.0, 20.0, 20.0, 70.0, 70.0, 100.0, 500.0],
)


def test_the_line_is_yorks():
    """Pearson's data with York's weights: slope -0.480533407, chi^2/(n - 2) = 1.4832942 (York et al. 2004)."""
    x, y, wx, wy = (np.array(column) for column in PEARSON)
    K, J = np.exp(x), np.exp(y)
    found = measures.weight_scaling(K, J, K_error=K / np.sqrt(wx), J_error=J / np.sqrt(wy))
    assert found.exponent.value == pytest.approx(0.480533407, abs=1e-8)
    assert found.chi2 == pytest.approx(1.4832942, rel=1e-6)
    half = 0.5 * (found.exponent.high - found.exponent.low)
    assert half == pytest.approx(2.306004 * np.sqrt(1.4832942) * 0.0579850, rel=2e-3)
    at = 5.47991022 - 0.480533407 * x.mean()
    assert np.log(found.weight.value) == pytest.approx(at, abs=1e-7)


@pytest.mark.parametrize("known", [True, False])
def test_the_interval_of_the_exponent_covers(known):
    rng, hits = np.random.default_rng(9), 0
    K0 = np.geomspace(50.0, 2000.0, 10)
    for _ in range(200):
        K, J = K0 * np.exp(0.1 * rng.standard_normal(10)), 3.0 * K0**-0.59 * np.exp(0.1 * rng.standard_normal(10))
        more = {"K_error": 0.1 * K, "J_error": 0.1 * J} if known else {}
        hits += covered(measures.weight_scaling(K, J, **more).exponent, 0.59)
    assert 0.9 <= hits / 200 <= 0.995  # errors are scaled up where points scatter more, never down


def test_weights_of_the_theory_scale_with_their_own_exponent():
    K = np.array([100, 200, 400, 800, 1600])
    cells = [eq.PoissonInputs(K=int(k), rate=5 * Hz) for k in K]
    lif = eq.LIF(tau_m=10 * ms, v_threshold=1.0, v_reset=0.0, v_leak=0.0, tau_ref=2 * ms)
    J = [eq.model.inputs.weights_for(eq.DrivenNeuron(lif, x, x), mu=10.0, sigma=5.0).j_e for x in cells]
    found = measures.weight_scaling(K, J)
    assert 0.5 < found.exponent.value < 0.56  # above 1/2 for mu > 0, and towards it


def test_three_points_tell_no_exponent():
    found = measures.weight_scaling([10, 20, 40], [3, 2, 1])
    assert found.exponent.status is Status.INSUFFICIENT_DATA


# --- shares -----------------------------------------------------------------------------------------------------------
def test_shares_of_threshold_and_input_are_their_effects():
    before = measures.Excitability(2.0, 5.0, np.full(5, 10.0))
    found = measures.compensation_shares(before, measures.Excitability(2.0, 4.0, np.full(5, 10.5)), samples=100)
    got = [getattr(found, name).value for name in ("change", "intrinsic", "synaptic", "interaction", "share")]
    np.testing.assert_allclose(got, [3.0, 2.0, 1.0, 0.0, 2.0 / 3.0], atol=1e-12)


def test_neither_order_is_preferred_where_gain_and_input_interact():
    rng = np.random.default_rng(1)
    before = measures.Excitability(rng.normal(2.0, 0.1, 30), 5.0, rng.normal(10.0, 0.5, 30))
    after = measures.Excitability(rng.normal(3.0, 0.1, 25), 5.0, rng.normal(12.0, 0.5, 25))
    found = measures.compensation_shares(before, after, seed=2)
    assert found.intrinsic.value + found.synaptic.value == pytest.approx(found.change.value, abs=1e-9)
    assert covered(found.intrinsic, 6.0)  # (3 - 2) (5 + 7)/2
    assert covered(found.synaptic, 5.0)  # 2 (2 + 3)/2
    assert covered(found.interaction, 2.0)
    back = measures.compensation_shares(after, before, seed=2)
    assert back.intrinsic.value == pytest.approx(-found.intrinsic.value)


def test_paired_cells_are_compared_with_themselves():
    rng = np.random.default_rng(1)
    theta, h = rng.normal(5.0, 2.0, 20), rng.normal(14.0, 2.0, 20)
    before, after = measures.Excitability(1.0, theta, h), measures.Excitability(1.0, theta - 1.0, h)
    paired = measures.compensation_shares(before, after, paired=True)
    apart = measures.compensation_shares(before, after)
    assert paired.change.high - paired.change.low < 0.2 * (apart.change.high - apart.change.low)
    assert apart.share.status is Status.INSUFFICIENT_DATA or apart.share.high - apart.share.low > 0.5


# --- inhibition-stabilised or not -------------------------------------------------------------------------------------
def pair(W_EE, drive):
    """Rates of a threshold-linear pair under drive of I; W_EE = 5 is the published ISN (E 5, I 14 Hz)."""
    W = (W_EE, 38 / 35, 10.0, 43 / 28)
    theta_E = 4.8 if W_EE == 5.0 else W_EE * 5.0 - W[1] * 14.0 - 5.0  # E 5, I 14 Hz in both
    populations = [
        eq.Population("E", neuron=eq.ThresholdLinear(gain=1.0, threshold=theta_E, tau=10 * ms)),
        eq.Population("I", neuron=eq.ThresholdLinear(gain=4.0, threshold=25.0, tau=2 * ms), drive=drive),
    ]
    signed = {("E", "E"): W[0], ("I", "E"): -W[1], ("E", "I"): W[2], ("I", "I"): -W[3]}
    projections = [
        eq.Projection(source=s, target=t, weight=w, connectivity=eq.AllToAll()) for (s, t), w in signed.items()
    ]
    circuit = eq.Circuit(populations=populations, projections=projections)
    return eq.rate.settle(circuit, start=[5.0, 14.0]).rates


INHIBITORY = np.repeat([False, True], [80, 40])


def response(W_EE, drives, rng, span=300.0):
    """Spikes of 80 E and 40 I units without drive and under drives."""
    own = rng.lognormal(0.0, 0.3, 120)
    return [poisson(own * pair(W_EE, d)[INHIBITORY.astype(int)], span, rng) for d in (0.0, *drives)]


def test_the_paradoxical_effect_of_an_isn_is_seen_with_its_size():
    base, weak, strong = response(5.0, (1.0, 80.0), np.random.default_rng(1))
    found = measures.isn_signature(base, {1.0: weak, 80.0: strong}, inhibitory=INHIBITORY)
    assert found.decision == "ISN"
    assert found.weakest == 1.0
    assert covered(found.ratio, (5.0 - 1.0) / (38 / 35))  # (g_E W_EE - 1)/(g_E W_EI)
    assert found.reversal  # E is silenced by the strong drive, and I rises
    assert repr(found).startswith("ISNSignature: ISN. I falls with its own drive")


def test_a_network_without_need_of_inhibition_is_none():
    base, driven = response(0.5, (2.0,), np.random.default_rng(1))
    found = measures.isn_signature(base, {2.0: driven}, inhibitory=INHIBITORY)
    assert found.decision == "not ISN"
    assert covered(found.ratio, (0.5 - 1.0) / (38 / 35))
    assert not found.reversal


def test_suppression_of_interneurons_counts_with_the_opposite_sign():
    base, less = response(5.0, (-1.0,), np.random.default_rng(1))
    assert measures.isn_signature(base, {-1.0: less}, inhibitory=INHIBITORY).decision == "ISN"


def test_drive_of_a_part_or_strong_drive_leaves_a_rise_undecided():
    base, driven = response(0.5, (2.0,), np.random.default_rng(1))
    part = INHIBITORY & (np.arange(120) % 3 == 0)
    found = measures.isn_signature(base, {2.0: driven}, inhibitory=INHIBITORY, driven=part)
    assert found.decision == "undecided"
    assert "of the interneurons are driven" in found.reason
    base, strong = response(5.0, (80.0,), np.random.default_rng(1))
    found = measures.isn_signature(base, {80.0: strong}, inhibitory=INHIBITORY)
    assert found.decision == "undecided"
    assert "weaker drive may show a paradox" in found.reason


def test_no_response_or_few_units_decide_nothing():
    rng = np.random.default_rng(1)
    base, same = response(5.0, (0.0,), rng)
    assert measures.isn_signature(base, {1.0: same}, inhibitory=INHIBITORY).decision == "undecided"
    few = np.zeros(120, bool)
    few[:4] = True
    assert "too few" in measures.isn_signature(base, {1.0: same}, inhibitory=few).reason


TRAINS = poisson([1.0, 2.0], 100.0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measures.calcium_moments(TRAINS, 3), "sensor must be an eq.Calcium"),
        (lambda: measures.drift(TRAINS, SpikeTrains.single([], t_start=0, t_stop=1)), "same units, got 2 and 1"),
        (lambda: measures.set_point_recovery(TRAINS, change=99.0, width=1.0), "got 99 and 1 bins of 1 s"),
        (lambda: measures.set_point_recovery(TRAINS, change="noon", width=1.0), "change must be a number"),
        (lambda: measures.drift(TRAINS, TRAINS, confidence=95), "must lie in .0.5, 0.9999., got 95"),
        (lambda: measures.isn_signature(TRAINS, [TRAINS], inhibitory=[True, False]), "must map amplitudes to trains"),
        (
            lambda: measures.set_point_recovery(SpikeTrains([], [], 0, 0.0, 100.0), change=50.0, width=1.0),
            "at least one unit, got none",
        ),
        (lambda: measures.set_point_recovery(TRAINS, change=50.0, width=0.0), "width .* must be above 0"),
        (lambda: measures.weight_scaling([1, 2], [1, 2, 3]), "shapes that broadcast"),
        (lambda: measures.weight_scaling([1, -2, 3, 4], [1, 2, 3, 4]), "K must be finite and above 0"),
        (
            lambda: measures.compensation_shares(
                measures.Excitability(1.0, 0.0, np.ones(4)), measures.Excitability(1.0, 0.0, np.ones(5)), paired=True
            ),
            "as many before and after, got 4 and 5",
        ),
        (
            lambda: measures.compensation_shares(
                measures.Excitability(-1.0, 0.0, np.ones(4)), measures.Excitability(1.0, 0.0, np.ones(4))
            ),
            "Excitability.gain must be above 0",
        ),
        (lambda: measures.isn_signature(TRAINS, {}, inhibitory=[True, False]), "at least one amplitude other than 0"),
        (lambda: measures.isn_signature(TRAINS, {1.0: TRAINS}, inhibitory=[1, 0]), "inhibitory must be 2 of True"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
