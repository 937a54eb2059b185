"""Figures of the papers on rate circuits are drawn from saved data, and their claims come out as expected."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import papers
from equipoise.papers import pairs
from equipoise.papers.cross_homeostasis import trajectory
from equipoise.papers.framework import redraw
from equipoise.papers.input_centric import (
    derivation,
    isn_and_homeostasis,
    observations,
    readings,
    simple_rules,
    two_rules,
)
from equipoise.results import load_dataset, save_dataset

KEYS = ("input-centric", "cross-homeostasis")
FIGURES = [
    (papers.find(key), figure)
    for key in KEYS
    for figure in papers.find(key).figures
    if not isinstance(figure, papers.SimulatedFigure) and figure.content is not observations  # has a file of its own
]


DONE = {}


def computed(content):
    """The data of a figure, once."""
    if content.__name__ not in DONE:
        DONE[content.__name__] = content.compute()
    return DONE[content.__name__]


@pytest.mark.parametrize(("paper", "figure"), FIGURES, ids=lambda x: getattr(x, "key", "") or x.name)
def test_figure_and_claims(paper, figure, tmp_path):
    path = tmp_path / f"{figure.name}.nc"
    save_dataset(computed(figure.content), path)
    data = load_dataset(path)
    claims = figure.content.claims(data)
    assert claims
    assert [(c.text, c.found) for c in claims if not c.as_expected] == []
    assert all(c.source and c.found for c in claims)
    for drawn in redraw(figure, data, tmp_path):
        assert drawn.stat().st_size > 5_000


FALSE = {
    derivation: "A larger gain of inhibition generally acts to lower E_ss",
    isn_and_homeostasis: "Input-centric homeostasis restores the set point under a lasting current to E",
    readings: "More PV excitability lowers E_ss",
    simple_rules: "A rate set point on E alone is unstable in an ISN",
    trajectory: "500 trials reach the set points",
    two_rules: "Cross-homeostasis is a similar mechanism to the proposed rule",
}


@pytest.mark.parametrize("content", FALSE, ids=lambda module: module.__name__.split(".")[-1])
def test_claims_of_the_sources_that_are_false_are_shown_as_such(content):
    verdicts = {c.text: c.verdict for c in content.claims(computed(content))}
    assert verdicts[FALSE[content]] == "does not hold"


def test_a_claim_is_decided_by_its_number():
    data = computed(readings)
    data = data.assign(by_gain=-data["by_gain"])
    found = {c.text: c.as_expected for c in readings.claims(data)}
    assert not found["It does so if and only if D < 0"]


@pytest.mark.parametrize("pair", [pairs.PUBLISHED, pairs.RECURRENT], ids=["D < 0", "D > 0"])
def test_closed_forms_of_the_pair_are_those_of_its_circuit(pair):
    state = eq.rate.settle(pair.circuit(), start=[5.0, 14.0])
    np.testing.assert_allclose(state.rates, [5.0, 14.0], rtol=1e-9)
    np.testing.assert_allclose(pair.rates, [5.0, 14.0], rtol=1e-12)
    np.testing.assert_allclose(state.inputs[0], pair.D * 5.0 + pair.b, rtol=1e-9)
    np.testing.assert_allclose(state.response.sel(population="E", stimulated="E"), pair.G, rtol=1e-9)
    assert (state.stable, bool(pair.fast_stable)) == (True, True)


def test_fast_stability_of_random_pairs_is_that_of_their_jacobians():
    rng = np.random.default_rng(8)
    wrong = 0
    for W in rng.uniform(0.0, [8.0, 3.0, 12.0, 3.0], (200, 4)):
        pair = pairs.Pair(weights=tuple(W), taus=(0.01, float(rng.uniform(0.002, 0.03))))
        M = np.array([[W[0] - 1.0, -W[1]], [4.0 * W[2], -1.0 - 4.0 * W[3]]]) / np.array(pair.taus)[:, None]
        wrong += bool(pair.fast_stable) != bool(np.linalg.eigvals(M).real.max() < 0.0)
    assert wrong == 0


def test_the_set_point_of_a_pair_is_where_the_rule_rests():
    pair = replace(pairs.PUBLISHED, thresholds=(4.8, 28.0))
    point = eq.rate.equilibrium(pair.circuit(), [eq.InputCentricThreshold("E", set_point=9.8, reading="B")])
    np.testing.assert_allclose(point.rates, pair.set_point(9.8), rtol=1e-8)


def test_the_trials_of_the_demonstration_light_the_network_where_the_pulse_does():
    assert trajectory._lit(np.array([2.1, 3.0, 4.0, 1.5])).tolist() == [0.0, 0.0]
    lit = trajectory._lit(np.array([5.0, 1.0857142857142857, 10.0, 1.5357142857142858]))
    np.testing.assert_allclose(lit, [5.0, 14.0], rtol=1e-9)


@pytest.mark.parametrize(("wrong", "meant"), [("input-centrik", "input-centric"), ("cross-homeo", "cross-homeostasis")])
def test_unknown_keys_are_answered_with_the_known_ones(wrong, meant):
    with pytest.raises(ValueError, match=f"no paper called '{wrong}'.*'{meant}'"):
        papers.find(wrong)


@pytest.mark.parametrize(
    ("key", "wrong", "meant"), [("input-centric", "reading", "readings"), ("cross-homeostasis", "spectrum", "spectra")]
)
def test_unknown_figures_are_answered_with_the_known_ones(key, wrong, meant, tmp_path):
    with pytest.raises(ValueError, match=f"{key} has no figure called '{wrong}'.*'{meant}'"):
        list(papers.reproduce(papers.find(key), tmp_path, names=[wrong]))
