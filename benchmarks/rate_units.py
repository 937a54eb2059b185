"""One day of homeostasis of 10,000 single units, sparse and low-rank, against a run at a tenth of the tolerance.

    python benchmarks/rate_units.py [units]

8000 excitatory and 2000 inhibitory threshold-linear units, K = 1000 partners for each projection or a coupling of rank
one, thresholds with a standard deviation of 0.3. Every excitatory unit moves its own threshold: by its rate, by the
excitatory drive it receives, or by its required input ("B"). Printed are wall time, how rates and their spread end, and
the largest difference of final thresholds and of unit rates from the finer run, in units of their own spread over the
units. Exit code 1 if a bar is missed.
"""

import os
import sys
import time

import numpy as np

import equipoise as eq
from equipoise.rate import slow_path
from equipoise.units import day, hour, ms

WALL_BAR, DIFFERENCE_BAR = 60.0, 0.01
COUPLING = {("E", "E"): 5.0, ("I", "E"): -1.0857142857142857, ("E", "I"): 10.0, ("I", "I"): -1.5357142857142858}
RULES = {
    "rate": eq.OutputCentricThreshold("E", rate=5.0, span=2.0, tau=2 * hour, scope="unit"),
    "drive": eq.DriveCentricThreshold("E", set_point=25.0, tau=8 * hour, scope="unit"),
    "required input": eq.InputCentricThreshold("E", set_point=9.8, tau=8 * hour, reading="B", scope="unit"),
}


def units(n: int, *, sparse: bool) -> eq.rate.RateNetwork:
    E = eq.ThresholdLinear(gain=1.0, threshold=4.8, tau=10 * ms)
    I = eq.ThresholdLinear(gain=4.0, threshold=25.0, tau=2 * ms)  # noqa: E741
    K = n // 10
    projections = [
        eq.Projection(
            source=s, target=t, weight=w / K if sparse else w,
            connectivity=eq.FixedInDegree(K) if sparse else eq.AllToAll(),
        )
        for (s, t), w in COUPLING.items()
    ]  # fmt: skip
    populations = [eq.Population("E", neuron=E, size=8 * n // 10), eq.Population("I", neuron=I, size=2 * n // 10)]
    circuit = eq.Circuit(populations=populations, projections=projections)
    return eq.rate.units(circuit, seed=1, spread={"E": {"threshold": 0.3}})


def followed(network: eq.rate.RateNetwork, rule) -> tuple[np.ndarray, float, str]:
    start = time.perf_counter()
    data = eq.rate.evolve(network, rules=[rule], duration=1 * day, start=[5.0, 14.0], times=np.linspace(0, day, 25))
    wall = time.perf_counter() - start
    E = data.unit_rate.values[-1, data.unit_population.values == "E"]
    told = f"{E.mean():.3f} Hz, spread {E.std():.3f} Hz, {int((E <= 0).sum())} silent, {data.attrs['status']}"
    return E, wall, told


def main() -> int:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    good = True
    for sparse in (True, False):
        network = units(n, sparse=sparse)
        for name, rule in RULES.items():
            slow_path.SLOW_ACCURACY, slow_path.CLOSE = 1e-4, 1e-5
            rates, wall, told = followed(network, rule)
            slow_path.SLOW_ACCURACY, slow_path.CLOSE = 1e-5, 1e-6
            finer, _, _ = followed(network, rule)
            off = float(np.abs(rates - finer).max() / max(float(finer.std()), 0.01 * float(finer.mean())))
            print(
                f"{'K = ' + str(n // 10) if sparse else 'rank one':9} {name:15} {wall:6.1f} s  {told}; off by {off:.1e}"
            )
            sys.stdout.flush()
            good &= wall <= WALL_BAR and off <= DIFFERENCE_BAR
    print(f"bars: {WALL_BAR:g} s and {DIFFERENCE_BAR:g} of the spread; load {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
