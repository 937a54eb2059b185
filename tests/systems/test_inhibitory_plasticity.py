"""Plastic synapses: the compiled step against its reference, against the rule written out, and against its theory."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from spiking_circuits import LIF

import equipoise as eq
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV, nS

RULE = eq.InhibitoryPlasticity(5 * Hz, eta=0.05, largest=1.6)


def assert_same(one, other):
    (a, spikes_a), (b, spikes_b) = one, other
    assert np.array_equal(spikes_a, spikes_b)
    for name in ("step", "v", "silent", "currents", "recent"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert a.learned.keys() == b.learned.keys()
    for name in a.learned:
        assert np.array_equal(a.learned[name], b.learned[name]), name


def circuit(n_e=900, n_i=300, *, delay=0.7 * ms, spread=None, tau=20 * ms, conductances=False):
    """E and I with plastic synapses onto both, and a second rule beside the first."""
    cell = eq.ConductanceLIF() if conductances else LIF
    e, i = (
        (eq.ConductanceSynapse(5 * ms, reversal=0 * mV), eq.ConductanceSynapse(10 * ms, reversal=-80 * mV))
        if conductances
        else (eq.DeltaSynapse(), eq.DeltaSynapse())
    )
    unit = nS if conductances else 0.3 * mV
    other = eq.InhibitoryPlasticity(9 * Hz, tau=tau, eta=0.02)
    inhibit = 4 * unit * (1.0 if conductances else -1.0)
    return eq.Circuit(
        populations=[
            eq.Population("E", size=n_e, neuron=cell),
            eq.Population("I", size=n_i, neuron=cell),
            eq.Source("X", rate=60 * Hz),
        ],
        projections=[
            eq.Projection(source="E", target="I", weight=unit, in_degree=20, delay=0.5 * ms, synapse=e),
            eq.Projection(
                source="I", target="E", weight=inhibit, in_degree=30, delay=delay, synapse=i, weight_spread=spread,
                plasticity=RULE,
            ),
            eq.Projection(source="I", target="I", weight=inhibit, in_degree=30, synapse=i, plasticity=other),
            eq.Projection(source="X", target="E", weight=unit, in_degree=500, synapse=e),
            eq.Projection(source="X", target="I", weight=unit, in_degree=500, synapse=e),
        ],
    )  # fmt: skip


@given(
    sizes=st.tuples(st.integers(101, 1300), st.integers(40, 700)),
    delay=st.sampled_from([0.1 * ms, 0.7 * ms, eq.UniformDelay(low=0.3 * ms, high=1.1 * ms)]),
    spread=st.sampled_from([None, eq.LogNormalSpread(0.5)]),
    multapses=st.booleans(),
    conductances=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
def test_kernel_and_reference_agree_bit_for_bit(sizes, delay, spread, multapses, conductances, threads, seed):
    net = circuit(*sizes, delay=delay, spread=spread, tau=3 * ms, conductances=conductances)
    network = eq.spiking.build(net, seed=seed, threads=threads, wiring=eq.spiking.Wiring(multapses=multapses))
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 120)
    assert_same(compiled, reference.advance(network, start, 120))
    weights = compiled[0].learned["1.weights"]
    assert (weights != start.learned["1.weights"]).mean() > 0.1


@pytest.fixture(scope="module")
def one_thread():
    network = eq.spiking.build(circuit(), seed=3, threads=1)
    return network, kernel.advance(network, kernel.begin(network), 600)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_their_blocks_change_nothing(one_thread, threads):
    network = eq.spiking.build(circuit(), seed=3, threads=threads)
    assert_same(kernel.advance(network, kernel.begin(network), 600), one_thread[1])
    half, _ = kernel.advance(one_thread[0], kernel.begin(network), 300)
    assert np.array_equal(kernel.advance(network, half, 300)[0].v, one_thread[1][0].v)


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2, kernel.AVX512])
def test_the_instruction_set_changes_nothing(one_thread, instructions):
    network, wanted = one_thread
    assert_same(kernel.advance(network, kernel.begin(network), 600, instruction_set=instructions), wanted)


def test_a_run_in_pieces_equals_the_run_in_one_piece(one_thread):
    network, (wanted, _) = one_thread
    state = kernel.begin(network)
    for steps in (250, 1, 349):
        state, _ = kernel.advance(network, state, steps)
    assert_same((state, state.recent), (wanted, wanted.recent))
