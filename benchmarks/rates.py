"""Time of a 200 x 200 stability map of a threshold-linear pair, and of the same map point by point.

    python benchmarks/rates.py

The fast path is the median of five, the point-by-point one is timed on a sample, whose results must agree with those of
the map. The bar holds for a quiet machine; the exit code is 0 either way.
"""

import statistics
import time

import numpy as np
from rich.console import Console
from rich.table import Table

import equipoise as eq
from equipoise.units import hour, ms

REPEATS, SIDE, SAMPLE = 5, 200, 60
WEIGHTS = {("E", "E"): 5.0, ("I", "E"): -1.0857142857142857, ("E", "I"): 10.0, ("I", "I"): -1.5357142857142858}


def pair(theta_i: float) -> eq.Circuit:
    neurons = [
        eq.ThresholdLinear(gain=1.0, threshold=4.8, tau=10 * ms),
        eq.ThresholdLinear(gain=4.0, threshold=theta_i, tau=2 * ms),
    ]
    return eq.Circuit(
        populations=[eq.Population(name, neuron=n) for name, n in zip("EI", neurons, strict=True)],
        projections=[
            eq.Projection(source=s, target=t, weight=w, connectivity=eq.AllToAll()) for (s, t), w in WEIGHTS.items()
        ],
    )


def make(theta_i: float, h_set: float):
    rules = [
        eq.InputCentricThreshold("E", set_point=h_set, tau=1 * hour, reading="B"),
        eq.NMDARThreshold("I", "E", set_point=theta_i + 25.0, tau=2 * hour, more_drive="raises"),
    ]
    return pair(theta_i), rules


def main() -> None:
    axes = {"theta_i": np.linspace(5.0, 40.0, SIDE), "h_set": np.linspace(-5.0, 20.0, SIDE)}
    times, grid = [], None
    for _ in range(REPEATS):
        start = time.perf_counter()
        grid = eq.rate.stability_map(make, **axes)
        times.append(time.perf_counter() - start)
    assert grid is not None
    assert grid.attrs["method"] == "closed form"
    start, rng = time.perf_counter(), np.random.default_rng(1)
    active = 0
    for i, j in rng.integers(0, SIDE, (SAMPLE, 2)):
        at = grid.isel(theta_i=i, h_set=j)
        point = eq.rate.equilibrium(*make(float(at["theta_i"]), float(at["h_set"])), throw=False)
        assert bool(at["active"]) == (point.status.usable and bool((point.rates > 0.0).all()))
        if bool(at["active"]):
            active += 1
            np.testing.assert_allclose(at["rate"], point.rates, rtol=1e-6)
            np.testing.assert_allclose(at["slow_growth"], point.slow.eigenvalues.real.max(), rtol=1e-5)
            assert bool(at["stable"]) == point.stable
    each = (time.perf_counter() - start) / SAMPLE
    table = Table("task", "seconds", "bar (quiet machine)")
    table.add_row(f"stability map {SIDE} x {SIDE}", f"{statistics.median(times):.3f}", "5")
    table.add_row(f"one point by itself ({active} of {SAMPLE} active, all agree)", f"{each:.4f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
