"""The likelihood of a fit against dense quadrature, simulated intervals and the laws it approximates."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.inference.fit_data import Observed
from equipoise.inference.fit_likelihood import Law, Response, integrate, scores
from equipoise.inference.fit_population import Likelihood, cv_pit, distance, draw, maximize, rate_pit
from equipoise.renewal.sampling import sample_isi

LIF = eq.LIF()
LAW = Law(mu=-60.0, delta=50.0, sigma=9.0, tau=0.05)


def seen_from(law, n, duration, seed, neuron=LIF):
    blank = Observed(counts=np.zeros(n), intervals=np.zeros(n), log_cv=np.zeros(n), duration=duration)
    return draw(Likelihood(Response(neuron), blank), law, np.random.default_rng(seed))


def one_unit_by_quadrature(neuron, law, duration, count, log_cv):
    """log L of one unit on 60 001 points, written down once more: Poisson law with x -> Gamma, and a normal."""
    from scipy.special import gammaln, logsumexp

    mu = np.linspace(law.mu - 9 * law.delta, law.mu + 9 * law.delta, 60_001)
    rate = np.maximum(eq.renewal.rate(neuron, mu=mu, sigma=law.sigma), 1e-300)
    cv = eq.renewal.cv(neuron, mu=mu, sigma=law.sigma)
    m, k = rate * duration / cv**2, count / cv**2
    term = k * np.log(m) - m - gammaln(k + 1) - 2 * np.log(cv)
    if np.isfinite(log_cv):
        v = (1 + cv**2) / (2 * (count - 1))
        total = v + law.tau**2
        term += -0.5 * (log_cv - np.log(cv) + 2 * v) ** 2 / total - 0.5 * np.log(2 * np.pi * total)
    prior = -0.5 * ((mu - law.mu) / law.delta) ** 2 - np.log(law.delta * np.sqrt(2 * np.pi))
    return logsumexp(term + prior) + np.log(mu[1] - mu[0])


@pytest.mark.parametrize(
    ("neuron", "law", "duration"),
    [(LIF, LAW, 20.0), (LIF, Law(60.0, 30.0, 5.0, 0.01), 600.0), (eq.PIF(), Law(10.0, 60.0, 20.0, 0.05), 5.0)],
)
def test_each_units_integral_is_that_of_dense_quadrature(neuron, law, duration):
    seen = seen_from(law, 20, duration, 1, neuron)
    found = integrate(Response(neuron), seen, law).log_likelihood
    pairs = zip(seen.counts, seen.log_cv, strict=True)
    exact = np.array([one_unit_by_quadrature(neuron, law, duration, n, c) for n, c in pairs])
    np.testing.assert_allclose(found, exact, atol=2e-5)


def test_silent_units_are_in_the_likelihood():
    seen = seen_from(LAW, 200, 2.0, 3)
    silent = np.flatnonzero(seen.counts == 0)
    assert 10 < silent.size < 150
    i = silent[0]
    found = integrate(Response(LIF), seen, LAW)
    assert found.log_likelihood[i] == pytest.approx(one_unit_by_quadrature(LIF, LAW, 2.0, 0.0, np.nan), abs=2e-4)
    assert found.mean(found.mu)[i] < LAW.mu


def test_scores_are_the_derivatives_of_the_likelihood():
    likelihood = Likelihood(Response(LIF), seen_from(LAW, 60, 20.0, 2))
    theta = likelihood.theta(Law(-50.0, 60.0, 9.5, 0.08))
    for k, step in enumerate(1e-4 * np.eye(4)):
        up, down = (
            integrate(likelihood.response, likelihood.seen, likelihood.law(theta + s * step)).log_likelihood
            for s in (1, -1)
        )
        np.testing.assert_allclose(likelihood.evaluate(theta)[1][:, k], (up - down) / 2e-4, atol=2e-3)


def test_a_table_stands_in_for_neurons_without_closed_forms():
    """EIF: values and slopes against threshold integration itself."""
    neuron, mu, sigma = eq.EIF(), np.linspace(60.0, 90.0, 5), 4.0
    response = Response(neuron)
    x, y = response.values(mu, sigma)
    np.testing.assert_allclose(np.exp(x), eq.renewal.rate(neuron, mu=mu, sigma=sigma), rtol=1e-7)
    np.testing.assert_allclose(np.exp(y), eq.renewal.cv(neuron, mu=mu, sigma=sigma), rtol=1e-6)
    by_mu, by_sigma = eq.renewal.log_rate_gradient(neuron, mu=mu, sigma=sigma)
    np.testing.assert_allclose(response.slopes(mu, sigma)[0], [by_mu, by_sigma * sigma], rtol=1e-4)


@pytest.mark.parametrize(("mu", "sigma", "duration"), [(-20.0, 9.0, 1.0), (60.0, 9.0, 1.0), (110.0, 6.0, 1.0)])
def test_the_law_of_counts_is_near_that_of_the_neuron(mu, sigma, duration):
    """Total variation between the law and 10 000 counts in windows of one long train, 0.02 of which is noise."""
    rate, cv = (float(f(LIF, mu=mu, sigma=sigma)) for f in (eq.renewal.rate, eq.renewal.cv))
    times = np.cumsum(sample_isi(LIF, int(10_000 * duration * rate * 1.2) + 2000, mu=mu, sigma=sigma, seed=5))
    edges = 5.0 + duration * np.arange(10_001)
    assert times[-1] > edges[-1]
    counts = np.histogram(times, edges)[0]
    n = np.arange(counts.max() + 30)
    seen = Observed(counts=n, intervals=0 * n, log_cv=np.full(n.size, np.nan), duration=duration)
    narrow = Law(mu, 1e-4, sigma, 0.01)
    law = np.exp(integrate(Response(LIF), seen, narrow).log_likelihood)
    assert law.sum() == pytest.approx(1.0, abs=0.03)
    observed = np.bincount(counts, minlength=n.size) / counts.size
    assert 0.5 * np.abs(law - observed).sum() < 0.08
    assert (law @ n) / law.sum() == pytest.approx(rate * duration, rel=0.03)
    assert cv < 1.05


@pytest.mark.parametrize("cv", [0.4, 0.8, 1.2])
def test_bias_and_variance_of_an_estimated_cv(cv):
    """E log c^ = log c - 2 v, Var log c^ = v, uncorrelated with the mean interval: gamma, 160 intervals, 10 000 trials.

    The next order is 1/m^2; what is left stays below 15 % of v in the bias and 15 % in the variance.
    """
    m, rng = 160, np.random.default_rng(3)
    x = rng.gamma(1 / cv**2, cv**2, (10_000, m))
    log_cv = np.log(x.std(axis=1) / x.mean(axis=1))
    v = (1 + cv**2) / (2 * m)
    assert np.log(cv) - log_cv.mean() == pytest.approx(2 * v, abs=0.3 * v + 4 * np.sqrt(v / 10_000))
    assert log_cv.var() == pytest.approx(v, rel=0.15)
    assert abs(np.corrcoef(log_cv, np.log(x.mean(axis=1)))[0, 1]) < 0.1


def test_the_search_ends_at_the_maximum_from_anywhere():
    likelihood = Likelihood(Response(LIF), seen_from(LAW, 80, 20.0, 4))
    starts = LAW, Law(30.0, 20.0, 5.0, 0.2), replace(LAW, sigma=20.0)
    ends = [maximize(likelihood, likelihood.theta(start)) for start in starts]
    assert all(e.converged for e in ends)
    np.testing.assert_allclose([e.log_likelihood for e in ends], ends[0].log_likelihood, atol=1e-3)
    slope = likelihood.evaluate(ends[0].theta)[1].sum(axis=0)
    np.testing.assert_allclose(np.where(ends[0].bound, 0.0, slope), 0.0, atol=0.1)


def test_pits_are_uniform_under_the_law_and_not_under_another():
    """Kolmogorov's distance at n = 400: above 0.095 with probability 0.1 % under the law."""
    likelihood = Likelihood(Response(LIF), seen_from(LAW, 400, 30.0, 6))
    assert distance(rate_pit(likelihood, LAW)) < 0.095
    assert distance(cv_pit(likelihood, LAW)) < 0.1
    assert distance(rate_pit(likelihood, replace(LAW, mu=-40.0))) > 0.12
    assert distance(cv_pit(likelihood, replace(LAW, sigma=8.0))) > 0.12


def test_units_that_are_drawn_have_the_means_of_the_law():
    """Counts of 20 000 drawn units against the mean rate of the population, within four standard errors."""
    seen = seen_from(LAW, 20_000, 10.0, 7)
    z = np.random.default_rng(1).standard_normal(200_000)
    rate = eq.renewal.rate(LIF, mu=LAW.mu + LAW.delta * z, sigma=LAW.sigma)
    error = seen.counts.std() / np.sqrt(seen.n) + 10.0 * rate.std() / np.sqrt(z.size)
    assert seen.counts.mean() == pytest.approx(10.0 * rate.mean(), abs=4 * error)


def test_scores_need_no_irregularity():
    seen = replace(seen_from(LAW, 20, 20.0, 2), log_cv=np.full(20, np.nan))
    found = integrate(Response(LIF), seen, LAW)
    assert np.isfinite(scores(Response(LIF), seen, LAW, found)).all()
    assert (scores(Response(LIF), seen, LAW, found)[:, 3] == 0.0).all()
