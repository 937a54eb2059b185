"""Conductance neurons: NEST's iaf_cond_exp, which integrates adaptively, against this package."""

import numpy as np
import pytest
from conductance_circuits import driven, network

import equipoise as eq
from equipoise.spiking import kernel
from equipoise.units import ms, mV, nS, second

pytest.importorskip("nest", reason="needs NEST: pip install 'equipoise[nest]'")


def ours(circuit, seeds, duration):
    """Rates and C_v of runs of this package (seed, population)."""
    runs = [eq.spiking.simulate(circuit, duration=duration, seed=s) for s in seeds]
    return np.array([r.rates for r in runs]), np.array([r.cvs for r in runs])


def test_neurons_under_poisson_conductances_fire_alike():
    """200 neurons for 4 s, within four standard errors, taken from 20 runs of ours: t_19, false 1 in 600 for each of 2.

    The standard error is 1.5 % of the rate and of C_v.
    """
    circuit = driven(size=200, drive=0.2)
    rates, cvs = ours(circuit, range(20), 4 * second)
    run = eq.backends.nest.simulate(circuit, duration=4 * second, seed=1)
    for theirs, mine in ((run.rates, rates), (run.cvs, cvs)):
        error = np.sqrt(1 + 1 / 20) * mine.std(axis=0, ddof=1)
        assert (np.abs(theirs - mine.mean(axis=0)) < 4 * error).all()
        assert (error < 0.025 * mine.mean(axis=0)).all()


def test_networks_fire_alike():
    """Means over two graphs on NEST and 12 of ours, within four standard errors: t_11, false 1 in 500 for each of 4.

    Rates differ by 2.5 % (E) and 0.7 % (I) between graphs of ours, C_v by 3 and 4 %.
    """
    circuit = network(how={"delay": 1.5 * ms})
    rates, cvs = ours(circuit, range(12), 1 * second)
    runs = [eq.backends.nest.simulate(circuit, duration=1 * second, seed=s) for s in (1, 2)]
    for theirs, mine in (([r.rates for r in runs], rates), ([r.cvs for r in runs], cvs)):
        error = mine.std(axis=0, ddof=1) * np.sqrt(1 / 2 + 1 / 12)
        assert (np.abs(np.mean(theirs, axis=0) - mine.mean(axis=0)) < 4 * error).all()
        assert (error < 0.04 * mine.mean(axis=0)).all()


def test_neurons_that_differ_and_a_current_are_taken_over():
    circuit = driven(size=400, drive=0.3).with_node("E", spread=eq.Spread(v_threshold=2 * mV))
    counts = [
        np.bincount(r.spikes_of("E").units, minlength=400)
        for r in (
            eq.backends.nest.simulate(circuit, duration=1 * second, seed=3),
            eq.spiking.simulate(circuit, duration=5 * second, seed=3),
        )
    ]
    assert np.corrcoef(*counts)[0, 1] > 0.8


@pytest.mark.parametrize("dt", [0.1 * ms, 0.05 * ms])
def test_one_neuron_fires_the_same_spikes(dt):
    """Under 900 given volleys and a current: every spike of two seconds in the same step."""
    import nest

    rng = np.random.default_rng(3)
    excited, inhibited = (np.sort(rng.choice(np.arange(20, 19_900), n, replace=False)) * 0.1 * ms for n in (600, 300))
    cell = eq.ConductanceLIF()
    circuit = eq.Circuit(
        populations=[
            eq.Population("E", size=1, neuron=cell, drive=0.3),
            eq.Volleys("X", times=tuple(excited)), eq.Volleys("Y", times=tuple(inhibited)),
        ],
        projections=[
            eq.Projection(source="X", target="E", weight=1.2 * nS, connectivity=eq.FixedInDegree(8), synapse=eq.AMPA,
                          delay=1 * ms),
            eq.Projection(source="Y", target="E", weight=2 * nS, connectivity=eq.FixedInDegree(4), synapse=eq.GABA_A,
                          delay=1.5 * ms),
        ],
    )  # fmt: skip
    network_of_one = eq.spiking.build(circuit, seed=1, dt=dt)
    start = float(kernel.begin(network_of_one).v[0]) + cell.v_leak
    found = eq.spiking.run(network_of_one, duration=2 * second).spikes.times
    nest.ResetKernel()
    nest.resolution = dt / ms
    theirs = nest.Create("iaf_cond_exp", params={
        "C_m": 200.0, "g_L": 10.0, "E_L": -60.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0, "E_ex": 0.0,
        "E_in": -75.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "I_e": 60.0, "V_m": start / mV,
    })  # fmt: skip
    for times, weight, delay in ((excited, 9.6, 1.0), (inhibited, -8.0, 1.5)):
        sender = nest.Create("spike_generator", params={"spike_times": np.round(times / ms, 6)})
        nest.Connect(sender, theirs, syn_spec={"weight": weight, "delay": delay})
    recorder = nest.Create("spike_recorder")
    nest.Connect(theirs, recorder)
    nest.Simulate(2000.0)
    assert found.size > 150
    np.testing.assert_allclose(found, np.array(recorder.events["times"]) * ms, rtol=0, atol=0.01 * dt)
