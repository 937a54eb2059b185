"""The cost of a point of a sweep, and what two workers gain on spiking points.

python benchmarks/sweeps.py [repetitions]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import xarray as xr

import equipoise as eq
from equipoise.units import Hz, ms, mV, second

POINTS = 2000
SPIKING = 24


def timed(call: Callable[[], xr.Dataset]) -> tuple[float, xr.Dataset]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def overhead(workers: int, store: Path | None) -> float:
    """Seconds per point of a function that does nothing."""
    span, table = timed(
        lambda: eq.sweep(lambda a: float(a), a=range(POINTS), workers=workers, store=store, progress=False)
    )
    assert (table["value"] == table["a"]).all()
    return span / POINTS


def spiking_point(seed: int) -> int:
    neuron = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV, v_leak=0.0, tau_ref=2 * ms)
    sizes = {"E": 2000, "I": 500}
    weights = {"E": 0.2 * mV, "I": -1.0 * mV}
    populations = [eq.Population(name, size=n, neuron=neuron) for name, n in sizes.items()]
    wires = [
        eq.Projection(source=pre, target=post, weight=weights[pre], in_degree=n // 10, delay=1.5 * ms)
        for pre, n in sizes.items()
        for post in sizes
    ]
    drive = [eq.Projection(source="X", target=post, weight=0.2 * mV, in_degree=200) for post in sizes]
    circuit = eq.Circuit(populations=[*populations, eq.Source("X", rate=12 * Hz)], projections=[*wires, *drive])
    return eq.spiking.simulate(circuit, duration=150 * second, seed=seed, threads=1, progress=False).spikes.times.size


def main(repetitions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for words, workers, stored in (("in this process", 1, False), ("processes", 2, False), ("stored", 2, True)):
            costs = [1e3 * overhead(workers, Path(folder, f"{i}.db") if stored else None) for i in range(repetitions)]
            print(
                f"overhead, {words:16}: {statistics.median(costs):6.3f} ms a point ({min(costs):.3f}-{max(costs):.3f})"
            )
    gains = []
    for _ in range(repetitions):
        (one, a), (two, b) = (
            timed(lambda w=w: eq.sweep(spiking_point, seed=range(SPIKING), workers=w, progress=False)) for w in (1, 2)
        )
        assert not eq.sweeps.failures(a), eq.sweeps.failures(a)
        assert a["value"].equals(b["value"])
        gains.append(one / two)
        print(f"{SPIKING} spiking points: one worker {one:.2f} s, two {two:.2f} s, gain {one / two:.2f}")
    print(f"median gain of two workers: {statistics.median(gains):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
