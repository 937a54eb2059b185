"""Correlations, correlograms and synchrony against Elephant, plain NumPy, exact expectations and their error rates."""

import warnings
from itertools import combinations

import neo
import numpy as np
import pytest
import quantities as pq

from equipoise import measures, recordings
from equipoise.measures.nulls import drawn_anew
from equipoise.results import Recording, SpikeTrains
from equipoise.units import ms


def many(trains, stop):
    times, units = np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    order = np.argsort(times, kind="stable")
    return SpikeTrains(times[order], units[order], len(trains), 0.0, stop)


def poisson(rng, rate, n, stop):
    return many([np.sort(rng.uniform(0, stop, rng.poisson(rate * stop))) for _ in range(n)], stop)


def sharing(rng, n, stop, rate=10.0, share=0.2):
    """Poisson units that copy each spike of one mother of rate share x rate, and add their own: correlation `share`."""
    mother = rng.uniform(0, stop, rng.poisson(rate * share * stop))
    own = [rng.uniform(0, stop, rng.poisson(rate * (1 - share) * stop)) for _ in range(n)]
    return many([np.sort(np.concatenate([mother, x])) for x in own], stop)


def typed(spikes, types):
    return Recording(spikes, tuple(f"u{i}" for i in range(spikes.n_units)), (), labels={"type": tuple(types)})


def elephant_quietly(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function()


# Correlation of counts ------------------------------------------------------------------------------------------------


def test_count_correlation_is_elephants():
    from elephant import conversion, spike_train_correlation

    spikes = recordings.example().spikes.between(0.0, 200.0)
    ours = measures.count_correlation(spikes, window=0.1)

    def theirs():
        trains = [neo.SpikeTrain(t, units="s", t_stop=200.0) for t in spikes]
        binned = conversion.BinnedSpikeTrain(trains, bin_size=100 * pq.ms, t_stop=200 * pq.s)
        return spike_train_correlation.correlation_coefficient(binned)

    np.testing.assert_allclose(ours.values, elephant_quietly(theirs), atol=1e-12)
    assert ours.n == 2000


def test_shared_spikes_correlate_by_their_share_at_any_width():
    """Mean of 45 pairs over 400 s; four of 1/sqrt(n), the sd of one pair and an upper bound for their mean."""
    trains = sharing(np.random.default_rng(1), 10, 400.0)
    for window, slack in ((5 * ms, 0.015), (100 * ms, 0.065)):
        found = measures.mean_correlation(trains, window=window, seed=1, samples=20).sel(pair="all")
        assert abs(float(found.value) - 0.2) < slack
        assert float(found.value) > float(found.null_high)
        assert int(found.n) == 45


def test_intervals_of_pairs_cover_the_truth():
    """190 pairs of independent units; 0.90 and 0.99 are 3.2 and 2.5 binomial sd away (pairs share units)."""
    found = measures.count_correlation(poisson(np.random.default_rng(2), 10.0, 20, 100.0), window=0.1)
    i, j = np.triu_indices(20, 1)
    inside = (found.low.values[i, j] < 0) & (found.high.values[i, j] > 0)
    assert 0.90 <= inside.mean() <= 0.99


def test_means_by_type_are_those_of_the_matrix():
    rng = np.random.default_rng(3)
    types = np.array([*"EEEEIIE", ""])
    recording = typed(sharing(rng, 8, 60.0), types)
    r = measures.count_correlation(recording, window=0.05).values
    found = measures.mean_correlation(recording, window=0.05, seed=1)
    pairs = {"all": list(combinations(range(8), 2))}
    for name, kinds in (("E-E", "EE"), ("E-I", "EI"), ("I-I", "II")):
        pairs[name] = [(a, b) for a, b in pairs["all"] if "".join(sorted(types[a] + types[b])) == kinds]
    for name, places in pairs.items():
        one = found.sel(pair=name)
        assert float(one.value) == pytest.approx(np.mean([r[p] for p in places]), rel=1e-10)
        assert int(one.n) == len(places)
        assert one.low <= one.value <= one.high


def test_the_null_covers_independent_units():
    """60 sets of 6 units at 95 %: at least 0.83 (4 binomial sd) and not all."""
    rng = np.random.default_rng(4)
    inside = 0
    for k in range(60):
        one = measures.mean_correlation(poisson(rng, 10.0, 6, 30.0), window=0.1, seed=k, samples=60).sel(pair="all")
        inside += bool(one.null_low < one.value < one.null_high)
    assert 50 <= inside < 60


def test_silent_units_are_said_and_left_out():
    trains = many([np.linspace(0.01, 9.9, 60) ** 1.1 / 1.3, [], np.arange(0.05, 10, 0.1), [1.0, 4.0]], 10.0)
    found = measures.count_correlation(trains, window=0.1)
    assert list(found.status.values) == ["OK", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "OK"]
    assert np.isfinite(found.values[[0, 0, 3], [0, 3, 3]]).all()
    assert np.isnan(found.values[1]).all()
    assert np.isnan(found.values[:, 2]).all()
    mean = measures.mean_correlation(trains, window=0.1, seed=1)
    assert int(mean.n.sel(pair="all")) == 1
    assert (mean.status.sel(pair=["E-E", "E-I", "I-I"]) == "INSUFFICIENT_DATA").all()
    nobody = measures.mean_correlation(many([[], []], 10.0), window=0.1, seed=1)
    assert (nobody.status == "INSUFFICIENT_DATA").all()
    assert np.isnan(nobody.value).all()


# Correlograms ---------------------------------------------------------------------------------------------------------


def brute(a, b, width, reach, same=False):
    lags = b[None, :] - a[:, None]
    if same:
        lags = lags[~np.eye(a.size, dtype=bool)]
    edges = (np.arange(-reach, reach + 2) - 0.5) * width
    return np.histogram(lags, edges)[0]


def test_correlograms_are_a_plain_count_of_lags():
    trains = poisson(np.random.default_rng(5), 20.0, 4, 30.0)
    pairs = [(0, 1), (2, 3), (3, 2), (1, 1)]
    found = measures.cross_correlogram(trains, bin=2 * ms, max_lag=30 * ms, pairs=pairs)
    for k, (a, b) in enumerate(pairs):
        np.testing.assert_array_equal(found.counts[k], brute(trains.unit(a), trains.unit(b), 2 * ms, 15, a == b))
    np.testing.assert_array_equal(found.counts[1], found.counts[2, ::-1])
    np.testing.assert_allclose(found.lag, np.arange(-15, 16) * 2 * ms, atol=1e-15)


def test_correlograms_are_elephants_of_spikes_in_the_middle_of_bins():
    from elephant import conversion, spike_train_correlation

    rng = np.random.default_rng(6)
    trains = many([(np.flatnonzero(rng.random(20_000) < 0.02) + 0.5) * 1e-3 for _ in range(2)], 20.0)
    ours = measures.cross_correlogram(trains, bin=1 * ms, max_lag=20 * ms).counts[0]

    def theirs():
        binned = [
            conversion.BinnedSpikeTrain(neo.SpikeTrain(t, units="s", t_stop=20.0), bin_size=1 * pq.ms) for t in trains
        ]
        return spike_train_correlation.cross_correlation_histogram(*binned, window=[-20, 20])[0]

    np.testing.assert_array_equal(ours, elephant_quietly(theirs).magnitude.ravel())


def test_large_correlograms_on_several_threads_are_exact():
    rng = np.random.default_rng(7)
    a, b = np.sort(rng.uniform(0, 1000, 200_000)), np.sort(rng.uniform(0, 1000, 150_000))
    found = measures.cross_correlogram(many([a, b], 1000.0), bin=1 * ms, max_lag=5 * ms).counts[0].values
    edges = (np.arange(-5, 7) - 0.5) * 1e-3
    below = [np.searchsorted(b, a + edge).sum() for edge in edges]
    np.testing.assert_array_equal(found, np.diff(below))


def test_covariance_is_zero_for_independent_units_even_at_large_lags():
    """45 pairs of 40 Hz over 30 s with lags up to 20 s: without the correction the ends would be 2/3 too low.

    There 10 s of each unit meet, whose mean rate over 10 units has a sd of 1.6 %, less that of the whole record: the sd
    of the mean covariance is 1.8 % of r^2, and 8 % are more than four.
    """
    trains = poisson(np.random.default_rng(8), 40.0, 10, 30.0)
    found = measures.cross_correlogram(trains, bin=1.0, max_lag=20.0)
    mean = found.covariance.mean("pair")
    assert float(np.abs(mean).max()) < 0.08 * 40**2


def test_means_over_types_are_sums_over_pairs():
    rng = np.random.default_rng(9)
    types = [*"EEII", ""]
    recording = typed(sharing(rng, 5, 40.0), types)
    mean = measures.mean_correlogram(recording, bin=1 * ms, max_lag=10 * ms)
    names = recording.unit_names
    for kind, sides in (("E-E", "EE"), ("E-I", "EI"), ("I-I", "II")):
        pairs = [(a, b) for a in range(5) for b in range(5) if a != b and (types[a], types[b]) == tuple(sides)]
        each = measures.cross_correlogram(
            recording, bin=1 * ms, max_lag=10 * ms, pairs=[(names[a], names[b]) for a, b in pairs]
        )
        np.testing.assert_array_equal(mean.counts.sel(pair=kind), each.counts.sum("pair"))
        np.testing.assert_allclose(mean.covariance.sel(pair=kind), each.covariance.mean("pair"), rtol=1e-9, atol=1e-9)
    # Spikes copied to the same instant: rate x share of the mother, in one bin.
    assert float(mean.covariance.sel(pair="E-I", lag=0.0)) == pytest.approx(10 * 0.2 / 1e-3, rel=0.25)


def test_jitter_finds_fine_timing_and_not_a_shared_drift():
    """Units that share a slow rhythm of 1 s: false alarms at 5 % in 40 pairs at most 7 (p = 1e-3); shared spikes stand
    out in each, and only where they are."""
    rng = np.random.default_rng(10)

    def pair(shared):
        trains = []
        mother = rng.uniform(0, 60, rng.poisson(1.5 * 60)) if shared else np.empty(0)
        for _ in range(2):
            x = rng.uniform(0, 60, rng.poisson(30 * 60))
            own = x[rng.random(x.size) < 0.5 + 0.5 * np.sin(2 * np.pi * x)]
            trains.append(np.sort(np.concatenate([own, mother])))
        return many(trains, 60.0)

    jitter = measures.Jitter(width=20 * ms, seed=1, samples=100)
    options = {"bin": 1 * ms, "max_lag": 15 * ms, "jitter": jitter}
    alarms = sum(float(measures.cross_correlogram(pair(False), **options).p_value[0]) <= 0.05 for _ in range(40))
    assert alarms <= 7
    for _ in range(3):
        found = measures.cross_correlogram(pair(True), **options).isel(pair=0)
        assert float(found.p_value) < 0.02
        assert list(found.lag.values[found.counts > found.band_high]) == [0.0]


def test_jitter_of_pooled_units_is_the_sum_over_pairs():
    """The null of a mean correlogram has the mean of those of its pairs (4 standard errors at each lag, 200 draws)."""
    recording = typed(sharing(np.random.default_rng(11), 4, 60.0), "EEII")
    options = {"bin": 5 * ms, "max_lag": 20 * ms, "jitter": measures.Jitter(width=50 * ms, seed=2)}
    mean = measures.mean_correlogram(recording, **options).sel(pair="E-E")
    each = measures.cross_correlogram(recording, pairs=[("u0", "u1"), ("u1", "u0")], **options).sum("pair")
    error = 4 * np.sqrt(2 * mean.null_mean / 200)
    assert (np.abs(mean.null_mean - each.null_mean) < error).all()
    assert float(mean.p_value) < 0.01


# Surrogates -----------------------------------------------------------------------------------------------------------


def test_a_shift_keeps_intervals_and_takes_away_coordination():
    trains = sharing(np.random.default_rng(12), 6, 100.0)
    moved = measures.shift_null(trains, seed=1)
    for before, after in zip(trains, moved, strict=True):
        joined = np.append(np.diff(before), before[0] + 100.0 - before[-1])
        there = np.append(np.diff(after), after[0] + 100.0 - after[-1])
        np.testing.assert_allclose(np.sort(joined), np.sort(there), atol=1e-9)
    assert float(measures.mean_correlation(moved, window=0.05, seed=1).value[0]) < 0.05
    again = measures.shift_null(typed(trains, "EEEIII"), seed=1)
    np.testing.assert_array_equal(again.times, moved.times)


def test_jitter_keeps_counts_in_blocks():
    trains = poisson(np.random.default_rng(13), 30.0, 3, 10.05)
    moved = measures.jitter_null(trains, width=0.1, seed=1)
    assert not np.array_equal(moved.times, trains.times)
    for before, after in zip(trains, moved, strict=True):
        np.testing.assert_array_equal(np.floor(before / 0.1), np.floor(after / 0.1))
    drawn = drawn_anew(np.full(4000, 0.55), (0.0, 10.0), 0.1, np.random.default_rng(1))
    assert abs(drawn.mean() - 0.55) < 4 * 0.1 / np.sqrt(12 * 4000)


# Synchrony ------------------------------------------------------------------------------------------------------------


def test_synchrony_has_an_interval_and_a_null():
    """Independent units: 1/N in the interval 36 times of 40 or more (4 sd: 0.81), p <= 0.05 at most 7 times."""
    rng = np.random.default_rng(14)
    inside, alarms = 0, 0
    for k in range(40):
        found = measures.synchrony(poisson(rng, 10.0, 20, 40.0), seed=k, samples=60)
        assert float(found.independent) == 1 / 20
        inside += bool(found.low < 1 / 20 < found.high)
        alarms += bool(found.p_value <= 0.05)
    assert inside >= 33
    assert alarms <= 7
    shared = measures.synchrony(sharing(rng, 20, 40.0), seed=1)
    assert shared.p_value < 0.01
    assert shared > shared.null_high
    # Var of the mean: 1/N + (1 - 1/N) share.
    assert float(shared) == pytest.approx(1 / 20 + 0.95 * 0.2, rel=0.15)


# Pooled ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [2, 20])
def test_the_interval_of_the_mean_correlation_covers(units):
    """Spikes thinned from one train, r = 0.2, 60 times: what all pairs share in 40 s is no error over units.

    53 hits or fewer have a chance of 2 % at 0.95; by the units alone there are none of 2 units and 42 of 20.
    """
    hits = 0
    for seed in np.random.SeedSequence(17).spawn(60):
        rng = np.random.default_rng(seed)
        mother = np.sort(rng.uniform(0.0, 40.0, rng.poisson(2000)))
        kept = [mother[rng.random(mother.size) < 0.2] for _ in range(units)]
        ends = np.concatenate([[0], np.cumsum([t.size for t in kept])])
        trains = SpikeTrains.by_unit(np.concatenate(kept), ends, t_start=0.0, t_stop=40.0)
        found = measures.mean_correlation(trains, window=0.1, seed=seed, samples=60).sel(pair="all")
        hits += float(found.low) <= 0.2 <= float(found.high)
    assert hits >= 54


def test_the_error_over_time_is_that_of_the_jackknife():
    """Of one pair: 20 parts of the record left out in turn."""
    rng = np.random.default_rng(18)
    rates = 10.0 * np.exp(0.3 * rng.standard_normal(4000))
    counts = rng.poisson(0.1 * rates, (2, rates.size))
    times = [np.repeat(0.1 * np.arange(rates.size) + 0.05, c) for c in counts]
    ends = np.concatenate([[0], np.cumsum([t.size for t in times])])
    trains = SpikeTrains.by_unit(np.concatenate(times), ends, t_start=0.0, t_stop=400.0)
    found = measures.mean_correlation(trains, window=0.1, seed=1, samples=20).sel(pair="all")
    left_out = [np.corrcoef(np.delete(counts, part, axis=1))[0, 1] for part in np.array_split(np.arange(4000), 20)]
    assert float(found.value) == pytest.approx(np.corrcoef(counts)[0, 1])
    half = 2.093 * np.sqrt(19.0 * np.var(left_out))  # Student's t of 19 degrees of freedom
    assert float(found.high - found.value) == pytest.approx(half, rel=0.05)


def test_pooled_is_the_median_over_units_with_values():
    recording = recordings.example()
    found = measures.cv2(recording)
    one = measures.pooled(found, seed=1)
    assert float(one) == np.median(found.values)
    assert one.low < one < one.high
    assert int(one.n) == 15
    fano = measures.fano(recording, window=[0.1, 1.0])
    both = measures.pooled(fano, seed=1, statistic="mean")
    np.testing.assert_allclose(both.values, fano.mean("unit"))
    assert both.dims == ("window",)
    few = measures.pooled(found[:4], seed=1)
    assert few.status == "INSUFFICIENT_DATA"
    assert np.isnan(few)


def test_pooled_intervals_cover_the_median():
    """300 sets of 40 log-normal values; 0.89 and 0.985 are 4.8 and 2.8 binomial sd away from 0.95."""
    import xarray as xr

    rng = np.random.default_rng(15)
    values = xr.DataArray(np.exp(rng.standard_normal((40, 300))), dims=("unit", "set"))
    found = measures.pooled(values, seed=1, samples=400)
    assert 0.89 <= float(((found.low < 1) & (found.high > 1)).mean()) <= 0.985


@pytest.mark.parametrize("units", [5, 8])
def test_pooled_intervals_of_a_few_units_cover_too(units):
    """1000 sets: plain percentiles of the mean cover 85 and 88 %; 0.905 is 4 binomial sd below 0.935."""
    import xarray as xr

    values = xr.DataArray(np.random.default_rng(16).standard_normal((units, 1000)), dims=("unit", "set"))
    found = measures.pooled(values, seed=1, statistic="mean", samples=1000)
    assert 0.905 <= float(((found.low < 0) & (found.high > 0)).mean()) <= 0.975


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda r: measures.count_correlation(r, window=1e3),
            ValueError,
            r"window must fit into 1200 s at least twice",
        ),
        (lambda r: measures.mean_correlation(r, window=0.1, seed=-1), ValueError, r"seed must be at least 0"),
        (
            lambda r: measures.cross_correlogram(r, bin=1 * ms, max_lag=0.1, pairs=[("0", "x")]),
            ValueError,
            r"pairs must hold names of units, got 'x'\. Units: '0', '1'",
        ),
        (
            lambda r: measures.cross_correlogram(r, bin=1 * ms, max_lag=599.0),
            ValueError,
            r"105 pairs at 1198001 lags must be at most 50,000,000 numbers\. Choose pairs=",
        ),
        (
            lambda r: measures.cross_correlogram(
                r, bin=1 * ms, max_lag=0.1, pairs=[("0", "0")], jitter=measures.Jitter(width=0.01, seed=1)
            ),
            ValueError,
            r"pairs of two different units",
        ),
        (lambda r: measures.Jitter(width=0.0, seed=1), ValueError, r"Jitter\.width .* must lie in \(0"),
        (lambda r: measures.pooled(r, seed=1), TypeError, r"must be a DataArray of numbers over unit, got Recording"),
        (lambda r: measures.pooled(measures.summary(r), seed=1), TypeError, r"DataArray of numbers .* got Dataset"),
        (
            lambda r: measures.fano(r, window=1e-9),
            ValueError,
            r"1200 s in bins of 1e-09 s are 1.* counts, more than 1e",
        ),
        (lambda r: measures.synchrony(r, width=1e-9), ValueError, r"measures\.synchrony: 1200 s in bins of 1e-09 s"),
        (lambda r: measures.branching_ratio(r, bin=1e-9), ValueError, r"measures\.activity: 1200 s in bins of 1e-09"),
        (
            lambda r: measures.pooled(measures.cv(r), seed=1, statistic="mode"),
            ValueError,
            r"statistic must be known, got 'mode'.* Known: mean, median",
        ),
        (lambda r: measures.shift_null(measures.group(r), seed=1), TypeError, r"SpikeTrains or a Recording"),
        (lambda r: measures.synchrony([1.0]), TypeError, r"must be SpikeTrains or a Recording"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(recordings.example())
