"""Input-centric homeostasis in spikes: small versions of the figures, and the parts that decide."""

import numpy as np
import pytest

from equipoise.papers.input_centric import spikes_both_rules, spikes_rule
from equipoise.papers.input_centric.spiking_circuits import STRONG, WEAK, circuit, rest
from equipoise.units import second


def test_the_net_recurrence_is_how_input_goes_along_with_the_rate():
    """Against two states of the rates, their thresholds of E apart by little."""
    import equipoise as eq

    for weights in (STRONG, WEAK):
        of = circuit(weights)
        point, net = rest(of), eq.rate.network(of)
        rates, inputs = [], []
        for theta in (-1e-3, 1e-3):
            moved = net.variant(threshold=net.threshold + np.array([theta, 0.0]))
            r = point.rates
            for _ in range(200):
                r = r - np.linalg.solve(moved.slopes(r) - np.eye(2), moved.steady(r) - r)
            rates.append(r[0])
            inputs.append(moved.inputs(r)[0][0])
        assert point.recurrence == pytest.approx(np.diff(inputs)[0] / np.diff(rates)[0], rel=1e-4)


def test_both_rules_restore_single_rates_only_with_targets_of_their_own():
    plan = spikes_both_rules.Plan(
        size=500, tau=5 * second, speed=4e-4, settling=20 * second, recovery=40 * second, counted=20 * second
    )
    data = spikes_both_rules.compute(plan=plan)
    outcomes = spikes_both_rules.claims(data)
    assert [c.holds for c in outcomes[1:]] == [True, False, True], [c.found for c in outcomes]
    assert data["recovered"].shape == (3, 500)


def test_what_overshoots_is_read_from_other_bins_than_those_that_choose():
    rng = np.random.default_rng(1)
    before = np.full(2000, 10.0)
    after = rng.poisson(10.0 * 2, (6, 2000)) / 2.0
    first, all_ = spikes_rule.overshoots(before, after)
    assert first.mean() == pytest.approx(all_.mean(), abs=4 * np.sqrt(10 / 6) / 10 / np.sqrt(200))
    assert after[0][before > 0].max() > 14.0


def test_the_variance_of_logs_is_that_of_what_grew():
    rng = np.random.default_rng(2)
    start = np.full(4000, 20.0)
    rates = np.array([start, start * np.exp(0.5 * rng.normal(size=4000)), 1.3 * start])
    assert spikes_rule.spread_of_logs(rates) == pytest.approx([0.0, 0.25, 0.0], abs=0.03)
