"""Conductance neurons in the spiking kernel beside NEST's iaf_cond_exp: same graph rules, same Poisson drive.

    python benchmarks/spiking_conductance.py [neurons] [pairs] [threads]

N neurons, K = N/10 of them presynaptic, 4 : 1 excitatory, and 1000 Poisson trains of 20 Hz; peak conductances of 0.05,
1 and 0.1 nS x 1000/K from E, I and outside, reversals 0 and -80 mV, 5 and 10 ms; C = 200 pF, g_leak = 10 nS, delay
1.5 ms, dt = 0.1 ms. Neurons fire at 10 Hz with a mean excitatory and inhibitory conductance of 12 and 20 nS. Turns,
recording and criteria are those of `spiking.py`. NEST integrates the membrane with an adaptive Runge-Kutta method to
1e-3, this package with conductances that are means over a step. Exit code 1 if the bar is missed or the results differ.
"""

import sys
from importlib import import_module
from typing import Any

import numpy as np
from spiking import answer, beside_nest

import equipoise as eq
from equipoise.units import Hz, ms, mV, nS, pF

BAR = 20.0
CELL = eq.ConductanceLIF()
AMPA, GABA = eq.ConductanceSynapse(5 * ms, reversal=0 * mV), eq.ConductanceSynapse(10 * ms, reversal=-80 * mV)


def circuit(n: int) -> eq.Circuit:
    k = n // 10
    unit = 1000 / k * nS
    inputs = {"E": (0.05 * unit, AMPA, k * 4 // 5), "I": (unit, GABA, k // 5), "X": (0.1 * nS, AMPA, 1000)}
    return eq.Circuit(
        name=f"conductance network of {n:,} neurons",
        populations=[
            eq.Population("E", size=n * 4 // 5, neuron=CELL),
            eq.Population("I", size=n // 5, neuron=CELL),
            eq.Source("X", rate=20 * Hz),
        ],
        projections=[
            eq.Projection(
                source=s, target=t, weight=w, synapse=synapse, connectivity=eq.FixedInDegree(degree), delay=1.5 * ms
            )
            for t in "EI"
            for s, (w, synapse, degree) in inputs.items()
        ],
    )


def nest_process(pipe, n: int, threads: int) -> None:
    """The same circuit in NEST."""
    nest: Any = import_module("nest")
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=1)
    network = circuit(n)
    (source,) = network.sources
    assert isinstance(source, eq.Source)
    neuron = {
        "C_m": CELL.capacitance / pF, "g_L": CELL.g_leak / nS, "E_L": CELL.v_leak / mV, "V_th": CELL.v_threshold / mV,
        "V_reset": CELL.v_reset / mV, "t_ref": CELL.tau_ref / ms, "E_ex": AMPA.reversal / mV,
        "E_in": GABA.reversal / mV, "tau_syn_ex": AMPA.tau / ms, "tau_syn_in": GABA.tau / ms,
    }  # fmt: skip
    cells = {p.name: nest.Create("iaf_cond_exp", int(p.size), neuron) for p in network.populations}
    for population in cells.values():
        population.V_m = nest.random.uniform(CELL.v_reset / mV, CELL.v_threshold / mV)
    rule = {"rule": "fixed_indegree", "allow_autapses": False, "allow_multapses": False}
    for p in network.projections:
        degree = int(p.connectivity.mean(np.inf))
        synapse = {"weight": network.sign_of(p) * p.weight / nS, "delay": 1.5}
        if p.source == "X":
            trains = nest.Create("poisson_generator", 1, {"rate": source.rate * degree})
            nest.Connect(trains, cells[p.target], syn_spec=synapse)
        else:
            nest.Connect(cells[p.source], cells[p.target], rule | {"indegree": degree}, synapse)
    answer(pipe, nest, cells["E"])


def main() -> int:
    given = [int(x) for x in sys.argv[1:]]
    n, pairs, threads = given + [10_000, 5, 2][len(given) :]
    words = "conductances, no weights per synapse, one delay"
    return beside_nest(nest_process, (n, threads), circuit(n), pairs, (BAR, 0.03, words))


if __name__ == "__main__":
    sys.exit(main())
