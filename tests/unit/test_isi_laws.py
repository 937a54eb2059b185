"""Fitted interval laws against scipy.stats, published critical values, recovery and false alarms."""

import numpy as np
import pytest
from scipy import stats

import equipoise as eq
from equipoise import measures, recordings
from equipoise import renewal as rn
from equipoise.measures.isi_laws import LAWS, _Chance
from equipoise.results import SpikeTrains

TRUE = {
    "exponential": eq.ExponentialISI(rate=8.0),
    "dead_time": eq.DeadTimeISI(rate=8.0, dead_time=0.05),
    "gamma": eq.GammaISI(rate=8.0, cv=0.6),
    "inverse_gaussian": eq.InverseGaussianISI(rate=8.0, cv=0.8),
    "log_normal": eq.LogNormalISI(rate=8.0, cv=1.3),
}


def train_of(law, n, rng, *, rest=0.0):
    """One unit of n intervals, the window ending `rest` [s] after its last spike."""
    times = np.concatenate([[0.0], np.cumsum(rn.sample(law, n, rng))])
    return SpikeTrains.single(times, t_start=0.0, t_stop=times[-1] + rest)


def trains_of(laws, duration, rng):
    """One unit of each law, from its first spike at 0 to the end of the window, which cuts an interval."""
    trains = [np.concatenate([[0.0], np.cumsum(rn.sample(law, int(20 * duration + 100), rng))]) for law in laws]
    trains = [t[t < duration] for t in trains]
    times, units = np.concatenate(trains), np.repeat(np.arange(len(laws)), [t.size for t in trains])
    order = np.argsort(times, kind="stable")
    return SpikeTrains(times[order], units[order], len(laws), 0.0, duration)


def frozen(name, one):
    """The scipy law of a fitted rate, C_v and dead time."""
    m, cv, dead = 1 / float(one.rate), float(one.cv), float(one.dead_time)
    width = np.sqrt(np.log1p(cv**2))
    return {
        "exponential": lambda: stats.expon(scale=m),
        "dead_time": lambda: stats.expon(loc=dead, scale=m - dead),
        "gamma": lambda: stats.gamma(cv**-2, scale=m * cv**2),
        "inverse_gaussian": lambda: stats.invgauss(cv**2, scale=m / cv**2),
        "log_normal": lambda: stats.lognorm(width, scale=m * np.exp(-0.5 * width**2)),
    }[name]()


@pytest.mark.parametrize("rest", [0.0, 0.4])
@pytest.mark.parametrize("name", LAWS)
def test_likelihood_distance_and_criteria_are_those_of_scipy(name, rest):
    trains = train_of(TRUE[name], 150, np.random.default_rng(1), rest=rest)
    one = measures.isi_laws(trains).sel(unit=0, law=name)
    t, law = np.diff(trains.times), frozen(name, one)
    expected = law.logpdf(t).sum() + (law.logsf(rest) if rest else 0.0)
    assert float(one.log_likelihood) == pytest.approx(expected, rel=1e-9)
    assert float(one.ks) == pytest.approx(stats.kstest(t, law.cdf).statistic, rel=1e-9)
    p = {"exponential": 1, "dead_time": 3}.get(name, 2)
    assert float(one.aic) == pytest.approx(2 * p - 2 * expected, rel=1e-9)
    assert float(one.bic) == pytest.approx(p * np.log(150) - 2 * expected, rel=1e-9)


@pytest.mark.parametrize("rest", [0.0, 0.4])
@pytest.mark.parametrize("name", ["gamma", "inverse_gaussian", "log_normal"])
def test_the_maximum_is_the_one_that_scipy_finds(name, rest):
    """With the last interval open scipy.stats.CensoredData is the oracle; its own tolerance is about 1e-4."""
    trains = train_of(TRUE[name], 60, np.random.default_rng(2), rest=rest)
    one = measures.isi_laws(trains).sel(unit=0, law=name)
    t = np.diff(trains.times)
    data = stats.CensoredData(uncensored=t, right=[rest]) if rest else t
    kind = {"gamma": stats.gamma, "inverse_gaussian": stats.invgauss, "log_normal": stats.lognorm}[name]
    theirs = kind(*kind.fit(data, floc=0))
    assert 1 / float(one.rate) == pytest.approx(theirs.mean(), rel=1e-3)
    assert float(one.cv) == pytest.approx(theirs.std() / theirs.mean(), rel=1e-3)
    best = theirs.logpdf(t).sum() + (theirs.logsf(rest) if rest else 0.0)
    assert float(one.log_likelihood) >= best - 1e-9


def test_closed_forms_are_met_to_eight_digits():
    trains = train_of(TRUE["gamma"], 300, np.random.default_rng(3))
    t, one = np.diff(trains.times), measures.isi_laws(trains).sel(unit=0)
    assert float(one.rate.sel(law="exponential")) == pytest.approx(1 / t.mean(), rel=1e-12)
    assert float(one.rate.sel(law="inverse_gaussian")) == pytest.approx(1 / t.mean(), rel=1e-8)
    assert float(one.cv.sel(law="inverse_gaussian")) == pytest.approx(np.sqrt(t.mean() * (1 / t).mean() - 1), rel=1e-8)
    v = np.log(t).var()
    assert float(one.cv.sel(law="log_normal")) == pytest.approx(np.sqrt(np.expm1(v)), rel=1e-8)
    longer = SpikeTrains.single(trains.times, t_start=0.0, t_stop=trains.t_stop + 0.3)
    rate = measures.isi_laws(longer).rate.sel(unit=0, law="exponential")
    assert float(rate) == pytest.approx(300 / (t.sum() + 0.3), rel=1e-12)


def test_the_law_that_made_the_intervals_is_found_and_goes_on_to_calcium():
    found = measures.isi_laws(trains_of(TRUE.values(), 500.0, np.random.default_rng(4)))
    # The exponential law is a special case of others, which do a little better by chance.
    assert list(found.best.values[1:]) == list(TRUE)[1:]
    assert float(found.aic[0, 0] - found.aic[0].min()) < 10.0
    sensor = eq.Calcium()
    for unit, (name, truth) in enumerate(TRUE.items()):
        law = measures.isi_law(found, unit, "exponential" if name == "exponential" else "best")
        assert type(law) is type(truth)
        expected = np.array(rn.calcium_moments(sensor, truth))
        np.testing.assert_allclose(np.array(rn.calcium_moments(sensor, law)), expected, rtol=0.15)
    assert isinstance(measures.isi_law(found, 0, "gamma"), eq.GammaISI)


def test_a_poisson_train_is_given_a_dead_time_as_seldom_as_any_free_parameter():
    """P(chi^2_2 > 4) = 0.135 of 400 units; 0.08 and 0.20 are 3.2 and 3.8 binomial sd away."""
    trains = trains_of([TRUE["exponential"]] * 400, 15.0, np.random.default_rng(9))
    found = measures.isi_laws(trains, laws=("exponential", "dead_time"))
    assert 0.08 <= float((found.best == "dead_time").mean()) <= 0.20


@pytest.mark.parametrize("name", ["gamma", "inverse_gaussian", "log_normal"])
def test_intervals_cover_the_truth(name):
    """200 units of about 200 intervals; 0.88 and 0.99 are 4.5 and 2.6 binomial sd away from 0.95."""
    found = measures.isi_laws(trains_of([TRUE[name]] * 200, 25.0, np.random.default_rng(5)), laws=(name,))
    for key, value in (("rate", 8.0), ("cv", TRUE[name].cv)):
        inside = (found[key + "_low"] < value) & (value < found[key + "_high"])
        assert 0.88 <= float(inside.mean()) <= 0.99, key


@pytest.mark.parametrize("name", LAWS)
def test_false_alarms_come_as_often_as_said(name):
    """200 units of the law itself at the 10 % level: between 0.03 and 0.19 (3.3 and 4.2 binomial sd).

    Read from a table for laws known beforehand, the same distances would be called significant hardly ever.
    """
    found = measures.isi_laws(trains_of([TRUE[name]] * 200, 15.0, np.random.default_rng(6)), laws=name, seed=1)
    assert 0.03 <= float((found.p_value <= 0.1).mean()) <= 0.19
    naive = stats.kstwo.sf(found.ks.values[:, 0], found.n.values)
    assert np.mean(naive <= 0.1) < 0.03


def test_wrong_laws_are_rejected():
    found = measures.isi_laws(trains_of([TRUE["inverse_gaussian"]], 120.0, np.random.default_rng(7)), seed=1)
    assert (found.p_value.sel(unit=0, law=["exponential", "dead_time", "gamma"]) < 0.01).all()
    assert float(found.p_value.sel(unit=0, law="inverse_gaussian")) > 0.05


def test_distances_have_the_published_critical_values():
    """Upper 5 % points: normal 0.895 of D (sqrt n - 0.01 + 0.85/sqrt n), exponential 1.094 of (D - 0.2/n)(sqrt n + 0.26
    + 0.5/sqrt n), both with estimated parameters (Stephens 1974). 4000 repeats know them to 1.2 %.
    """
    n, root = 500, np.sqrt(500)
    scale = root + 0.12 + 0.11 / root
    normal = np.quantile(_Chance("log_normal", 4000, np.random.SeedSequence(1)).distances(n, 0), 0.95) / scale
    assert normal * (root - 0.01 + 0.85 / root) == pytest.approx(0.895, rel=0.03)
    waiting = np.quantile(_Chance("exponential", 4000, np.random.SeedSequence(1)).distances(n, 0), 0.95) / scale
    assert (waiting - 0.2 / n) * (root + 0.26 + 0.5 / root) == pytest.approx(1.094, rel=0.03)


def test_p_values_do_not_depend_on_other_units():
    trains = trains_of([TRUE["gamma"], TRUE["log_normal"]], 12.0, np.random.default_rng(8))
    both = measures.isi_laws(trains, laws=("gamma",), seed=3).p_value
    alone = SpikeTrains.single(trains.unit(1), t_start=0.0, t_stop=trains.t_stop)
    assert float(both[1, 0]) == float(measures.isi_laws(alone, laws=("gamma",), seed=3).p_value[0, 0])


def test_what_cannot_be_fitted_is_said():
    trains = [np.arange(5.0), np.arange(50) / 10.0, np.sort(np.repeat(np.cumsum(np.linspace(0.01, 0.1, 30)), 2)), []]
    times, units = np.concatenate(trains), np.repeat(np.arange(4), [len(t) for t in trains])
    order = np.argsort(times, kind="stable")
    found = measures.isi_laws(SpikeTrains(times[order], units[order], 4, 0.0, 6.0), seed=1)
    assert (found.status.sel(unit=[0, 3]) == "INSUFFICIENT_DATA").all()
    # A clock up to rounding has no maximum that means anything: C_v is 0 to ten digits, or it is refused.
    clock = found.sel(unit=1, law="gamma")
    assert str(clock.status.values) != "OK" or float(clock.cv) < 1e-8
    twice = found.sel(unit=2)
    assert list(twice.status.values) == ["OK", "OK", "INFEASIBLE", "INFEASIBLE", "INFEASIBLE"]
    assert np.isnan(twice.aic.values[2:]).all()
    assert list(found.best.values[[0, 3]]) == ["", ""]
    with pytest.raises(ValueError, match=r"unit 3 has no best law"):
        measures.isi_law(found, 3)


def test_bad_input_is_named():
    train = SpikeTrains.single(np.arange(20.0), t_start=0.0, t_stop=20.0)
    with pytest.raises(ValueError, match=r"laws must be among those known, got 'gama'\. Did you mean 'gamma'\?"):
        measures.isi_laws(train, laws=("gama",))
    with pytest.raises(ValueError, match=r"laws must be different ones, got gamma, gamma"):
        measures.isi_laws(train, laws=("gamma", "gamma"))
    with pytest.raises(ValueError, match=r"samples must be a whole number of at least 20, got 5"):
        measures.isi_laws(train, seed=1, samples=5)
    with pytest.raises(TypeError, match=r"found must come from measures\.isi_laws, got dict"):
        measures.isi_law({}, 0)
    found = measures.isi_laws(recordings.example(), laws=("gamma", "log_normal"))
    with pytest.raises(ValueError, match=r"law must be one of those fitted, got 'weibull'"):
        measures.isi_law(found, "0", "weibull")
