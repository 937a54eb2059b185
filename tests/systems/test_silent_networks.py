"""What decays comes to 0: the step leaves no numbers too small for a full mantissa, over which processors are slow."""

from dataclasses import replace

import numpy as np
import pytest
from spiking_circuits import LIF

import equipoise as eq
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV

TINY = float(np.finfo(np.float32).tiny)
FAST = eq.ExponentialSynapse(0.4 * ms)


def silent(threads=1):
    """All that decays in a step: currents, adaptation, both kinds of plasticity, and the potential itself."""
    short = eq.ShortTermPlasticity(0.5, tau_rec=0.6 * ms, tau_facil=0.5 * ms)
    cell, own = replace(LIF, tau_m=1.0 * ms), eq.Adaptation(1 * mV / ms, tau=0.5 * ms)
    return eq.spiking.build(
        eq.Circuit(
            populations=[
                eq.Population("E", size=600, neuron=cell, adaptation=own),
                eq.Population("I", size=100, neuron=cell, adaptation=own),
            ],
            projections=[
                eq.Projection(
                    source="E", target="I", weight=0.01 * mV, connectivity=eq.FixedInDegree(20), synapse=FAST,
                    short_term=short,
                ),
                eq.Projection(
                    source="I", target="E", weight=-0.01 * mV, connectivity=eq.FixedInDegree(20), synapse=FAST,
                    plasticity=eq.InhibitoryPlasticity(5 * Hz, tau=0.7 * ms),
                ),
            ],
        ),
        seed=1,
        threads=threads,
    )  # fmt: skip


def excited(network):
    """A state in which everything is above 0."""
    state = kernel.begin(network)
    learned = {k: x if k.endswith("weights") else np.full_like(x, 0.5) for k, x in state.learned.items()}
    return replace(state, currents=np.full_like(state.currents, 0.1), learned=learned)


@pytest.mark.parametrize("threads", [1, 2])
def test_all_that_decays_comes_to_nothing(threads):
    network = silent(threads)
    end, raster = kernel.advance(network, excited(network), 1200)
    assert not raster.any()
    for x in (end.v, end.currents, *(x for k, x in end.learned.items() if not k.endswith("weights"))):
        assert not x.any()


def test_the_reference_comes_to_nothing_in_the_same_way():
    """They may differ in the step in which a number becomes too small."""
    network = silent()
    compiled, plain = (advance(network, excited(network), 600)[0] for advance in (kernel.advance, reference.advance))
    for one, other in ((compiled.v, plain.v), (compiled.currents, plain.currents)):
        for x in (one, other):
            assert not ((x != 0.0) & (np.abs(x) < TINY)).any()
        np.testing.assert_allclose(one, other, rtol=0, atol=10 * TINY)


def test_the_machine_is_left_as_it_was():
    """Subnormal numbers are there again after a run, for whoever wants them."""
    network = silent()
    kernel.advance(network, excited(network), 10)
    half = np.float32(TINY) / np.float32(2.0)
    assert half > 0.0
    assert half * np.float32(2.0) == np.float32(TINY)
