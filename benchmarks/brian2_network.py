"""The benchmark network in Brian2 as a C++ standalone program; `spiking_brian2.py` runs this in Brian2's environment.

    python brian2_network.py neurons threads folder

Builds once, runs for every line on standard input, and answers each with a line of JSON: wall seconds per simulated
second by Brian2's own clock, and rate and C_v of 1000 excitatory neurons. 0 threads is the program without OpenMP.
Same graph rule, same Poisson drive and same grid as the other programs; single precision and -march=native, which suit
Brian2 best.
"""

import json
import sys

import brian2 as b2
import numpy as np

SECONDS, WARMUP = 2.0, 0.5


def in_degree(rng: np.random.Generator, sources: np.ndarray, targets: int, degree: int) -> dict[str, np.ndarray]:
    """Every neuron draws `degree` partners, never the same one twice and never itself."""
    pre = np.empty((targets, degree), np.int32)
    for j in range(targets):
        others = sources[sources != j]
        pre[j] = rng.choice(others, degree, replace=False)
    return {"i": pre.ravel() - sources[0], "j": np.repeat(np.arange(targets, dtype=np.int32), degree)}


def network(n: int) -> tuple[b2.Network, b2.SpikeMonitor]:
    k, excitatory = n // 10, n * 4 // 5
    j = 0.1 * (1250 / k) ** 0.5  # mV
    rate = 1.2 * 20 / (j * 20e-3)
    cells = b2.NeuronGroup(
        n, "dv/dt = -v/(20*ms) : volt (unless refractory)", threshold="v > 20*mV", reset="v = 10*mV",
        refractory=2 * b2.ms, method="exact",
    )  # fmt: skip
    cells.v = "10*mV + rand()*10*mV"
    drive = b2.PoissonInput(cells, "v", 1000, rate / 1000 * b2.Hz, j * b2.mV)
    rng, parts = np.random.default_rng(1), [cells, drive]
    for first, last, degree, jump in ((0, excitatory, k * 4 // 5, j), (excitatory, n, k // 5, -5 * j)):
        synapses = b2.Synapses(cells[first:last], cells, on_pre=f"v += {jump}*mV", delay=1.5 * b2.ms)
        synapses.connect(**in_degree(rng, np.arange(first, last), n, degree))
        parts.append(synapses)
    monitor = b2.SpikeMonitor(cells[:1000])
    return b2.Network(*parts, monitor), monitor


def rate_and_cv(times: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    cvs = []
    for unit in range(1000):
        intervals = np.diff(times[units == unit])
        if intervals.size >= 9:
            cvs.append(intervals.std() / intervals.mean())
    return times.size / 1000 / SECONDS, float(np.mean(cvs))


def main() -> None:
    n, threads, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    b2.set_device("cpp_standalone", build_on_run=False, directory=folder)
    b2.prefs.devices.cpp_standalone.openmp_threads = threads
    b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-O3", "-march=native", "-ffast-math", "-std=c++11"]
    b2.prefs.core.default_float_dtype = np.float32
    b2.defaultclock.dt = 0.1 * b2.ms
    b2.seed(1)
    whole, monitor = network(n)
    whole.run((WARMUP + SECONDS) * b2.second)
    b2.device.build(run=False, compile=True)
    print("ready", flush=True)
    for _ in sys.stdin:
        b2.device.run()
        times, units = np.asarray(monitor.t / b2.second), np.asarray(monitor.i)
        rate, cv = rate_and_cv(times[times >= WARMUP], units[times >= WARMUP])
        print(json.dumps({"wall": b2.device._last_run_time / (WARMUP + SECONDS), "rate": rate, "cv": cv}), flush=True)


if __name__ == "__main__":
    main()
