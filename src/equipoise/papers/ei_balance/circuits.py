"""The cortical patch of the figures on loss of balance and its read-outs: 3000 neurons whose synapses are conductances.

2400 pyramidal cells E; 480 fast interneurons I (GABA_A); 120 slow ones G (GABA_B, some 40 ms late, as neurogliaform
cells), which only E drives, and which end what runs away. Every neuron has 200 excitatory inputs from E, 50 from I, and
E 20 from G; E and I have 200 from Poisson trains X at 5 Hz, and 100 from S, which is silent but for volleys.
"""

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.model.synapses import ConductanceSynapse
from equipoise.units import Hz, ms, mV, nS, pF

PYRAMIDAL = ConductanceLIF(
    capacitance=200 * pF, g_leak=10 * nS, v_leak=-65 * mV, v_threshold=-50 * mV, v_reset=-60 * mV, tau_ref=3 * ms
)
INTERNEURON = ConductanceLIF(
    capacitance=100 * pF, g_leak=10 * nS, v_leak=-65 * mV, v_threshold=-50 * mV, v_reset=-60 * mV, tau_ref=1 * ms
)
EXCITATORY = ConductanceSynapse(2 * ms, reversal=0 * mV)
FAST = ConductanceSynapse(10 * ms, reversal=-75 * mV)
SLOW = ConductanceSynapse(150 * ms, reversal=-95 * mV)

SIZES = {"E": (2400, PYRAMIDAL), "I": (480, INTERNEURON), "G": (120, INTERNEURON)}
SYNAPSES = {
    ("E", "E"): (2.0 * nS, EXCITATORY, 200, 1.5 * ms),
    ("I", "E"): (8.0 * nS, FAST, 50, 1 * ms),
    ("G", "E"): (0.2 * nS, SLOW, 20, 40 * ms),
    ("X", "E"): (3.3 * nS, EXCITATORY, 200, 1 * ms),
    ("S", "E"): (2.0 * nS, EXCITATORY, 100, 1 * ms),
    ("E", "I"): (2.0 * nS, EXCITATORY, 200, 1 * ms),
    ("I", "I"): (8.0 * nS, FAST, 50, 1 * ms),
    ("X", "I"): (3.0 * nS, EXCITATORY, 200, 1 * ms),
    ("S", "I"): (2.0 * nS, EXCITATORY, 100, 1 * ms),
    ("E", "G"): (2.0 * nS, EXCITATORY, 200, 1 * ms),
}
"""Peak conductance, synapse, number of inputs and delay of each projection (source, target)."""


def patch() -> Circuit:
    """The intact patch."""
    nodes = [Population(name, size=size, neuron=neuron) for name, (size, neuron) in SIZES.items()]
    projections = [
        Projection(source=s, target=t, weight=weight, synapse=synapse, in_degree=k, delay=delay)
        for (s, t), (weight, synapse, k, delay) in SYNAPSES.items()
    ]
    return Circuit(
        name="patch", populations=[*nodes, Source("X", rate=5 * Hz), Source("S", rate=0.0)], projections=projections
    )
