"""Figures of inhibitory plasticity and adaptation, small: their claims and their drawings."""

import numpy as np
import pytest

from equipoise import plotting
from equipoise.papers.ei_balance import adaptation, inhibitory_plasticity, plastic_circuits
from equipoise.units import ms, mV, nS, pA, second

SMALL = inhibitory_plasticity.Plan(neurons=1000, duration=12 * second, eta=0.05, tuned=25 * second)


@pytest.fixture(scope="module", params=["inhibitory_plasticity", "adaptation"])
def figure(request):
    if request.param == "adaptation":
        return adaptation, adaptation.compute(plan=adaptation.Plan(cells=200))
    return inhibitory_plasticity, inhibitory_plasticity.compute(plan=SMALL)


def test_claims_hold(figure):
    module, data = figure
    claims = module.claims(data)
    assert len(claims) >= 3
    for claim in claims:
        assert claim.as_expected, f"{claim.text}: {claim.found}"


def test_drawings_show_what_was_computed(figure):
    import matplotlib.pyplot as plt

    module, data = figure
    with plotting.style():
        canvas = plt.figure()
        module.draw(canvas, data)
        lines = [line for ax in canvas.axes for line in ax.lines]
        assert len(lines) >= 8
        plt.close(canvas)


def test_the_network_is_the_published_one():
    """Vogels et al. 2011: 8000 and 2000 neurons, p = 0.02, 10 nS, 200 pF, 200 pA, 0.3 and 3 nS."""
    net = plastic_circuits.network(None)
    e, i = net.populations
    assert (e.size, i.size) == (8000, 2000)
    assert e.neuron == i.neuron == plastic_circuits.CELL
    np.testing.assert_allclose(e.drive * e.neuron.capacitance, 200 * pA)
    np.testing.assert_allclose([e.neuron.g_leak / nS, e.neuron.tau_m / ms, e.neuron.v_leak / mV], [10, 20, -60])
    assert {p.connectivity.probability for p in net.projections} == {0.02}
    weights = {str(p): round(p.weight / nS, 6) for p in net.projections}
    assert weights == {"E -> E": 0.3, "E -> I": 0.3, "I -> E": 1.0, "I -> I": 3.0}
