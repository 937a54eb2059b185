"""Circuits of conductance neurons for the tests of spikes."""

from dataclasses import replace

import equipoise as eq
from equipoise.units import Hz, ms, mV, nS

CELL = eq.ConductanceLIF()
"""200 pF, 10 nS, -60 mV: 20 ms."""
SILENT = eq.ConductanceLIF(v_threshold=-0.1 * mV)
AMPA, GABA = eq.ConductanceSynapse(5 * ms, reversal=0 * mV), eq.ConductanceSynapse(10 * ms, reversal=-80 * mV)
SHUNT = eq.ConductanceSynapse(8 * ms, reversal=-60 * mV)


def driven(cell=CELL, *, size=500, weights=(0.25 * nS, 1 * nS), synapses=(AMPA, GABA), drive=0.0):
    """Neurons under 800 excitatory and 200 inhibitory Poisson trains of 10 Hz each: 10 nS and 20 nS."""
    inputs = zip("XY", weights, synapses, (800, 200), strict=True)
    return eq.Circuit(
        populations=[eq.Population("E", size=size, neuron=cell, drive=drive)],
        sources=[eq.Source("X", rate=10 * Hz), eq.Source("Y", rate=10 * Hz)],
        projections=[
            eq.Projection(source=s, target="E", weight=w, synapse=kind, connectivity=eq.FixedInDegree(k))
            for s, w, kind, k in inputs
        ],
    )


def network(
    n_e=800, n_i=200, *, k=100, synapses=(AMPA, GABA), weights=(0.25 * nS, 8 * nS, 0.25 * nS), how=None, cell=CELL
):
    """Two populations with k inputs each, 4 : 1, and 400 trains of 15 Hz; `how` goes to what is recurrent."""
    inputs = (("E", weights[0], synapses[0], k * 4 // 5), ("I", weights[1], synapses[1], k // 5))
    return eq.Circuit(
        populations=[eq.Population("E", size=n_e, neuron=cell), eq.Population("I", size=n_i, neuron=cell)],
        sources=[eq.Source("X", rate=15 * Hz)],
        projections=[
            *(
                eq.Projection(
                    source=s, target=t, weight=w, synapse=kind, connectivity=eq.FixedInDegree(degree), **(how or {})
                )
                for t in "EI"
                for s, w, kind, degree in inputs
            ),
            *(
                eq.Projection(source="X", target=t, weight=weights[2], synapse=AMPA, connectivity=eq.FixedInDegree(400))
                for t in "EI"
            ),
        ],
    )


def beside_currents(circuit: eq.Circuit) -> eq.Circuit:
    """The same, and a population of LIF neurons that E excites through currents and jumps."""
    lif = eq.LIF(v_threshold=20 * mV, v_reset=10 * mV)
    kinds = {"L": eq.DeltaSynapse(), "M": eq.ExponentialSynapse(5 * ms)}
    return replace(
        circuit,
        populations=[*circuit.populations, *(eq.Population(name, size=70, neuron=lif) for name in kinds)],
        projections=[
            *circuit.projections,
            *(eq.Projection(source="E", target=t, weight=3 * mV, in_degree=50, synapse=s) for t, s in kinds.items()),
        ],
    )
