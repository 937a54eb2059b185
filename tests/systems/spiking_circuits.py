"""Circuits that the tests of the spiking level share."""

import equipoise as eq
from equipoise.units import Hz, ms, mV

LIF = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV)
PIF = eq.PIF(v_threshold=20 * mV, v_reset=10 * mV, v_bound=-5 * mV, tau_ref=1 * ms)
EIF = eq.EIF(
    tau_m=20 * ms, tau_ref=2 * ms, v_reset=10 * mV, v_onset=18 * mV, slope=1 * mV, v_threshold=35 * mV, v_leak=1 * mV
)


def alone(size, neuron=LIF, **projection):
    """One population without recurrence, driven by a source where `projection` says how."""
    driven = [eq.Projection(source="X", target="E", **projection)] if projection else []
    return eq.Circuit(
        populations=[eq.Population("E", size=size, neuron=neuron), eq.Source("X", rate=20 * Hz)], projections=driven
    )


def two_populations(n_e=1100, n_i=600, neuron_i=LIF, delays=(1.5, 0.3, 0.5, 1.5), tau_s=(0, 0, 0)):
    """E and I with lists and bitmaps, several delays and both kinds of connectivity; tau_s [ms] of E, I and X."""
    ee, ei, ie, ii = (d * ms for d in delays)
    e, i, x = (eq.ExponentialSynapse(t * ms) if t else eq.DeltaSynapse() for t in tau_s)
    return eq.Circuit(
        populations=[
            eq.Population("E", size=n_e, neuron=LIF),
            eq.Population("I", size=n_i, neuron=neuron_i),
            eq.Source("X", rate=20 * Hz),
        ],
        projections=[
            eq.Projection(source="E", target="E", weight=0.3 * mV, in_degree=100, delay=ee, synapse=e),
            eq.Projection(source="E", target="I", weight=0.3 * mV, in_degree=20, delay=ei, synapse=e),
            eq.Projection(
                source="I", target="E", weight=-1.5 * mV, connectivity=eq.FixedInDegree(25), delay=ie, synapse=i
            ),
            eq.Projection(
                source="I",
                target="I",
                weight=-1.5 * mV,
                connectivity=eq.ErdosRenyi(probability=0.2),
                delay=ii,
                synapse=i,
            ),
            eq.Projection(source="X", target="E", weight=0.2 * mV, in_degree=1000, synapse=x),
            eq.Projection(source="X", target="I", weight=0.2 * mV, connectivity=eq.FixedInDegree(1000), synapse=x),
        ],
    )
