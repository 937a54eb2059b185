"""Short-term plasticity and adaptation: the compiled step against its reference, and against theory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_inhibitory_plasticity import assert_same, circuit

import equipoise as eq
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV, nS

RULES = {
    "depressing": eq.ShortTermPlasticity(0.5, tau_rec=400 * ms),
    "facilitating": eq.ShortTermPlasticity(0.1, tau_rec=50 * ms, tau_facil=600 * ms),
}


def adapting(**options):
    """E and I with both kinds of plasticity, and neurons that adapt."""
    net = circuit(**options)
    projections = [
        replace(p, short_term=RULES["depressing" if p.source == "E" else "facilitating"]) if p.source in "EI" else p
        for p in net.projections
    ]
    own = eq.Adaptation(20 * mV / (100 * ms), tau=50 * ms)
    populations = [replace(p, adaptation=own if p.name == "E" else None) for p in net.populations]
    return replace(net, projections=projections, populations=populations)


@given(
    sizes=st.tuples(st.integers(101, 1300), st.integers(40, 700)),
    delay=st.sampled_from([0.1 * ms, 0.7 * ms, eq.UniformDelay(low=0.3 * ms, high=1.1 * ms)]),
    conductances=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
def test_kernel_and_reference_agree_bit_for_bit(sizes, delay, conductances, threads, seed):
    net = adapting(n_e=sizes[0], n_i=sizes[1], delay=delay, conductances=conductances)
    network = eq.spiking.build(net, seed=seed, threads=threads)
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 120)
    assert_same(compiled, reference.advance(network, start, 120))
    assert compiled[0].learned["0.depleted"].max() > 0.4


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2])
def test_threads_and_instructions_change_nothing(instructions):
    one, other = (eq.spiking.build(adapting(), seed=3, threads=n) for n in (1, 3))
    wanted = kernel.advance(one, kernel.begin(one), 400)
    assert_same(kernel.advance(other, kernel.begin(other), 400, instruction_set=instructions), wanted)
