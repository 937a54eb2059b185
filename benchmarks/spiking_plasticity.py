"""Inhibitory plasticity at full size: the network of Vogels et al. 2011, 8000 + 2000 conductance neurons, p = 0.02.

    python benchmarks/spiking_plasticity.py [seconds] [threads]

Prints the time that the biological seconds take, rates, irregularity and the balance index of the last tenth. Exit code
1 if 100 s of biology take more than 60 s in proportion.
"""

import sys
import time

import equipoise as eq
from equipoise.papers.ei_balance import plastic_circuits
from equipoise.units import Hz, ms

BAR = 0.6
"""Wall time of one second."""


def main(seconds: float = 100.0, threads: int = 2) -> int:
    circuit = plastic_circuits.network(eq.InhibitoryPlasticity(5 * Hz, eta=0.01))
    network = eq.spiking.build(circuit, seed=1, threads=threads)
    begun = time.process_time()
    first = eq.spiking.run(network, duration=0.9 * seconds, record=eq.spiking.Record(cells=0), progress=True)
    record = eq.spiking.Record(cells=500, membrane={"E": 40}, every=5 * ms)
    last = eq.spiking.run(network, duration=0.1 * seconds, start=first.end, record=record, progress=True)
    busy = time.process_time() - begun
    m = last.membrane
    found = eq.measures.balance(m.excitation + m.drive, m.inhibition)
    each = (first.wall + last.wall) / seconds
    print(
        f"{first.wall + last.wall:.1f} s for {seconds:g} s on {threads} threads: {each:.3f} s per s, bar {BAR:g}; "
        f"{busy:.1f} s of processor time, waiting included"
    )
    print(f"E {last.rates[0]:.2f} Hz, C_v {last.cvs[0]:.2f}; I {last.rates[1]:.2f} Hz; target 5 Hz")
    print(f"balance index {float(found['index'].mean()):.3f}, tracking {float(found.tracking.mean()):.3f}")
    return int(each > BAR)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])) if len(sys.argv) > 1 else main())
