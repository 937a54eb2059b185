"""The figures played out in spikes: their measures against known answers, and each figure once with a small network."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import equipoise as eq
from equipoise import papers
from equipoise.papers.calcium_homeostasis import (
    spikes,
    spikes_asynchrony,
    spikes_emergence,
    spikes_finite_size,
    spikes_irregularity,
    spikes_perturbations,
    spikes_scaling,
    spikes_scopes,
)
from equipoise.papers.framework import redraw
from equipoise.results import SpikeTrains, Status, load_dataset, save_dataset
from equipoise.units import Hz, minute, second

SMALL = spikes.Net(K=50, size=250, days=0.01)
PAPER = papers.find("calcium-homeostasis")
PLANS = {
    "spikes_scaling": spikes_scaling.Plan(
        nets=(replace(SMALL, graphs=2), replace(SMALL, K=60, size=300)), measured=1 * second, points=4
    ),
    "spikes_emergence": spikes_emergence.Plan(net=SMALL, starts=((0.95, 0.95), (1.0, 1.05)), points=20),
    "spikes_asynchrony": spikes_asynchrony.Plan(net=SMALL, measured=3 * second, cells=10),
    "spikes_scopes": spikes_scopes.Plan(net=SMALL, regulated=1 * minute, measured=4 * second),
    "spikes_perturbations": spikes_perturbations.Plan(
        net=replace(SMALL, K=100, size=500, days=0.02), under=replace(SMALL, K=100, size=500, days=0.02), points=20
    ),
    "spikes_irregularity": spikes_irregularity.Plan(
        cells=spikes.Net(K=200, size=50, days=0.01), net=SMALL, under=SMALL
    ),
    "spikes_finite_size": spikes_finite_size.Plan(
        nets=(replace(SMALL, size=100), SMALL), sizes=(250, 500), counted=2 * second, points=4
    ),
}  # fmt: skip


# --- measures ---------------------------------------------------------------------------------------------------------
def poisson(rates, duration, rng):
    counts = rng.poisson(np.asarray(rates) * duration)
    units = np.repeat(np.arange(len(rates)), counts)
    times = rng.uniform(0.0, duration, units.size)
    order = np.argsort(times)
    return SpikeTrains(times[order], units[order], len(rates), 0.0, duration)


def test_correlation_of_trains_that_share_spikes():
    """Every train holds the spikes of one common train and as many of its own: the correlation is 1/2."""
    rng, n, duration = np.random.default_rng(1), 40, 100.0
    own, common = poisson([10 * Hz] * n, duration, rng), poisson([10 * Hz], duration, rng)
    times = np.concatenate([own.times, np.tile(common.times, n)])
    units = np.concatenate([own.units, np.repeat(np.arange(n), common.times.size)])
    order = np.argsort(times)
    both = SpikeTrains(times[order], units[order], n, 0.0, duration)
    value, error = spikes.mean_correlation(both, 0.05)
    assert abs(value - 0.5) < 4 * error < 0.2  # a false alarm once in 2000 seeds (t with 9 degrees of freedom)


def test_independent_trains_are_uncorrelated():
    value, error = spikes.mean_correlation(poisson([10 * Hz] * 200, 50.0, np.random.default_rng(2)), 0.05)
    assert abs(value) < 5 * error < 5e-3


def test_spread_of_rates_without_that_of_counting():
    """Gamma rates of SD 4 Hz, counted for 10 s: counts alone scatter by 1 Hz more."""
    rng = np.random.default_rng(3)
    rates = rng.gamma(6.25, 10 * Hz / 6.25, 4000)
    value, error = spikes.own_spread(poisson(rates, 10.0, rng))
    assert abs(value - rates.std()) < 4 * error < 0.6


def test_equal_rates_have_no_spread():
    value, _ = spikes.own_spread(poisson([10 * Hz] * 4000, 10.0, np.random.default_rng(4)))
    assert value < 0.4  # counts scatter by 1 Hz; the covariance of halves has SD 0.03 Hz^2


def test_errors_of_weights_hold_the_scatter_between_graphs():
    """Weights of graphs that scatter by 4 N^-1/2, 40 graphs each: the error of a mean is known within a tenth."""
    rng = np.random.default_rng(5)
    nets = [spikes.Net(K=100, size=size, days=1, graphs=40) for size in (400, 1600)]

    def one(net):
        sizes = {w: 0.1 * np.exp(rng.normal(0.0, 4.0 / np.sqrt(net.size))) for w in spikes.WEIGHTS}
        return spikes.Settled(weights=sizes, errors=dict.fromkeys(spikes.WEIGHTS, 0.0), rates=(), moments=())

    mean, error = spikes.over_graphs(nets, [[one(net) for _ in range(net.graphs)] for net in nets])
    expected = np.array([4.0 / np.sqrt(net.size * net.graphs) for net in nets])
    assert np.abs(error.mean(1) / mean.mean(1) / expected - 1.0).max() < 0.1
    assert (np.abs(np.log(mean / 0.1)) < 4.5 * expected[:, None]).all()


# --- bursts -----------------------------------------------------------------------------------------------------------
def test_bursts_are_irregular_trains_to_theory():
    """r/F bursts that act with F J have the mean and the variance of trains of Fano factor F."""
    network = SMALL.circuit().with_rules(())
    for name in spikes.POPULATIONS:
        network = network.with_projection("X", name, connectivity=eq.FixedInDegree(SMALL.K))
    bursts = eq.theory.mean_field(spikes_irregularity.bursts(network, 3.0, ("X",)))
    trains = eq.theory.mean_field(eq.Irregularity("X", fano=3.0).apply(network))
    np.testing.assert_allclose(bursts.rates, trains.rates, rtol=1e-9)
    np.testing.assert_allclose(bursts.second_moments, trains.second_moments, rtol=1e-9)


# --- many at once -----------------------------------------------------------------------------------------------------
def test_side_by_side_keeps_the_order_and_tells_how_far_it_is():
    told = []

    def job(k):
        def work(progress):
            progress(0.5)
            progress(1.0)
            return k

        return work

    assert spikes.side_by_side([job(k) for k in range(5)], told.append) == list(range(5))
    assert told[-1] == 1.0
    assert max(told) == 1.0


def test_a_failure_stops_the_others():
    class Broken(Exception):
        pass

    def fails(_):
        raise Broken

    def endless(progress):
        while True:
            progress(0.1)

    with pytest.raises(Broken):
        spikes.side_by_side([endless, fails], lambda _: None)


def test_a_walk_that_fails_says_which_network(monkeypatch):
    failed = SimpleNamespace(status=Status.SILENT, message="population 'E' does not fire at the end.")
    monkeypatch.setattr(spikes, "evolve", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="spikes: K = 50, N = 250: SILENT, population 'E' does not fire"):
        spikes.walk(SMALL.circuit(), SMALL, spikes.silently)


# --- figures ----------------------------------------------------------------------------------------------------------
def test_every_simulated_figure_has_a_small_plan():
    assert set(PLANS) == {f.name for f in PAPER.figures if isinstance(f, papers.SimulatedFigure)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spikes")


@pytest.mark.parametrize("name", list(PLANS))
def test_figure_is_computed_saved_drawn_and_checked(name, folder):
    figure, told = next(f for f in PAPER.figures if f.name == name), []
    content: Any = figure.content
    save_dataset(content.compute(told.append, PLANS[name]), folder / f"{name}.nc")
    data = load_dataset(folder / f"{name}.nc")
    assert told[-1] == pytest.approx(1.0)
    assert all(np.diff(told) >= -1e-12)
    claims = content.claims(data)
    assert all(c.text and c.source and c.found for c in claims)
    assert not any("nan" in c.found for c in claims)
    for drawn in redraw(figure, data, folder):
        assert drawn.stat().st_size > 5_000
