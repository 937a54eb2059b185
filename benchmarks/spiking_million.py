"""A million neurons with a billion synapses: memory and time to build the network and to run it.

    python benchmarks/spiking_million.py [neurons] [synapses of each neuron]

The network of `examples/balanced_network.toml` made larger, half of the partners excitatory, weights as K^-1/2. Printed
are bytes per synapse, wall times, and the largest memory that the process ever held. Exit code 1 above 2.2 bytes per
synapse, or above 6 GiB.
"""

import resource
import sys
import time
from dataclasses import replace

import equipoise as eq
from equipoise.units import ms

GIB = 2**30
BYTES_PER_SYNAPSE, MEMORY = 2.2, 6 * GIB
STRETCH = 100 * ms


def circuit(n: int, k: int) -> eq.Circuit:
    """N neurons, each with k/2 excitatory and k/2 inhibitory partners."""
    given, sizes = eq.Circuit.example("balanced_network"), {"E": n * 4 // 5, "I": n // 5}
    grown = replace(given, populations=[replace(p, size=sizes[p.name]) for p in given.populations])
    return grown.scaled(k / 2)


def peak() -> float:
    """The largest memory that this process ever held [bytes]."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    given = [int(x) for x in sys.argv[1:]]
    n, k = given + [1_000_000, 1000][len(given) :]
    start = time.perf_counter()
    network = eq.spiking.build(circuit(n, k), seed=1)
    built = time.perf_counter() - start
    print(network)
    each = network.tables.nbytes / network.tables.synapses
    print(f"built in {built:.1f} s, {each:.3f} bytes per synapse; largest memory {peak() / GIB:.2f} GiB", flush=True)
    run = eq.spiking.run(network, duration=STRETCH)
    print(run)
    print(f"largest memory {peak() / GIB:.2f} GiB (bars: {BYTES_PER_SYNAPSE} bytes per synapse, {MEMORY / GIB:g} GiB)")
    return int(each > BYTES_PER_SYNAPSE or peak() > MEMORY)


if __name__ == "__main__":
    sys.exit(main())
