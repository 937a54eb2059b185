"""Scores of rules against observations."""

import numpy as np
import pytest

from equipoise import papers
from equipoise.papers.framework import redraw
from equipoise.papers.input_centric import observations
from equipoise.papers.input_centric.observations import NO, NONE, YES
from equipoise.papers.input_centric.rules_compared import ACUTE, E, I, pair, weights
from equipoise.papers.input_centric.rules_compared import protocols as perturbations
from equipoise.rate import settle
from equipoise.results import load_dataset, save_dataset


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("observations") / "observations.nc"
    return load_dataset(save_dataset(observations.compute(), path))


@pytest.mark.parametrize("D", observations.RECURRENCES)
def test_both_pairs_rest_at_the_same_rates_and_fall_as_far(D):
    ee, ei, ie, ii = weights(D)
    assert ee - ei * ie * 4.0 / (1.0 + 4.0 * ii) == pytest.approx(D)
    state = settle(pair(D), start=[E, I])
    np.testing.assert_allclose(state.rates, [E, I], rtol=1e-9)
    assert state.isn
    for name, protocol in perturbations(D).items():
        acute = settle(protocol.perturbed(pair(D)), start=[E, I])
        assert acute.rates[0] == pytest.approx(ACUTE[name] * E, rel=1e-9)
        assert acute.rates[1] > 0.0


def test_the_published_pair_has_its_weights():
    np.testing.assert_allclose(weights(-1.08), [5.0, 1.0857, 10.0, 1.5357], atol=5e-5)


def test_scores(table):
    wanted = {
        "input-centric B, threshold": (NO, NO, NO, NO, YES, NO, YES, YES, YES),
        "input-centric A, threshold": (NO, NO, YES, NO, NO, NO, NO, YES, YES),
        "output-centric": (YES, YES, YES, YES, NO, NO, NO, YES, NO),
        "B + NMDAR on PV": (NONE,) * 9,
    }
    for name, verdicts in wanted.items():
        assert tuple(table["verdict"].sel(rule=name).values) == verdicts


def test_numbers_have_their_closed_forms(table):
    number = table["number"]
    completeness = number.sel(observation="dlx_recovers")
    for name, D in (("input-centric B, threshold", -1.08), ("input-centric A, threshold", 0.5)):
        assert completeness.sel(rule=name).item() == pytest.approx(1.0 / D, rel=1e-4)
    gamma, x = 0.56, perturbations(-1.08)["Dlx-Gq"].drive
    assert number.sel(rule="output-centric", observation="dlx_low").item() == pytest.approx(gamma * x / I, rel=1e-6)
    current = perturbations(-1.08)["baclofen"].current
    spared = number.sel(rule="output-centric", observation="overshoot").item()
    assert spared == pytest.approx(current / E, rel=1e-6)


def test_claims_come_out_as_expected(table):
    claims = observations.claims(table)
    assert claims
    assert all(claim.source and claim.found for claim in claims)
    for claim in claims:
        assert claim.as_expected, f"{claim.text}: {claim.found}"


def test_the_figure_is_drawn_from_saved_data(table, tmp_path):
    (figure,) = papers.chosen(papers.find("input-centric"), ["observations"])
    assert all(drawn.stat().st_size > 5_000 for drawn in redraw(figure, table, tmp_path))
