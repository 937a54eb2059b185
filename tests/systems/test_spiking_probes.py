"""What chosen neurons feel: potential and input in the step, beside reference, closed forms and theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_circuits import EIF, LIF, PIF, two_populations

import equipoise as eq
from equipoise import _core
from equipoise.spiking import kernel, reference
from equipoise.spiking.probes import probes_at
from equipoise.units import ms, mV

CHOSEN = {"E": [0, 3, 511, 512], "I": 3}


def looked_at(network, advance, steps, **options):
    start = kernel.begin(network)
    probes = probes_at(network, CHOSEN, start.currents).along(steps)
    state, raster = advance(network, start, steps, probes=probes, **options)
    return probes, state, raster


@given(
    neuron=st.sampled_from([LIF, PIF, EIF]),
    tau_s=st.tuples(*[st.sampled_from([0, 2, 5])] * 3),
    noise=st.sampled_from(["poisson", "gaussian"]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_kernel_and_reference_see_the_same_bit_for_bit(neuron, tau_s, noise, threads, seed):
    drive = {"E": 0.3 * mV / ms, "I": 0.3 * mV / ms}
    circuit = two_populations(900, 300, neuron, tau_s=tau_s)
    network = eq.spiking.build(circuit, seed=seed, threads=threads, noise=noise, drive=drive)
    one, state, raster = looked_at(network, kernel.advance, 60)
    other, _, _ = looked_at(network, reference.advance, 60)
    assert np.array_equal(one.trace, other.trace)
    assert np.array_equal(one.split, other.split)
    assert np.abs(one.trace[..., 1:]).max() > 0.0
    blind, unseen = kernel.advance(network, kernel.begin(network), 60)
    assert np.array_equal(blind.v, state.v)
    assert np.array_equal(unseen, raster)


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2, kernel.AVX512])
def test_the_instruction_set_shows_the_same(instructions):
    if instructions > _core.spiking_instruction_set():
        pytest.skip("this machine does not have it")
    network = eq.spiking.build(two_populations(tau_s=(2, 5, 0)), seed=5, threads=1)
    best, _, _ = looked_at(network, kernel.advance, 200)
    other, _, _ = looked_at(network, kernel.advance, 200, instruction_set=instructions)
    assert np.array_equal(best.trace, other.trace)
