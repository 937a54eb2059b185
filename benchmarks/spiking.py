"""The spiking kernel beside NEST: the network of Brunel (2000) at 14 Hz, same graph rules, same Poisson drive.

    python benchmarks/spiking.py [neurons] [pairs] [threads] [plain]

N neurons, K = N/10 of them presynaptic, 4 : 1 excitatory, J = 0.1 mV sqrt(1250/K), g = 5, delay 1.5 ms, dt = 0.1 ms,
external Poisson input at 1.2 times the rheobase. Both programs keep one network and take turns: `pairs` stretches each
after a common warm-up. Printed is the wall time per simulated second of each turn and the median of the ratios; rates
and C_v must agree within 3 % and 0.03 (rates within 6 % above 25,000 neurons, where synchrony is strong and the mean
over the 1.5 s that NEST has time for varies by 2 % between graphs: 7.40 to 7.74 Hz in four of this package). This
package records all spikes, NEST those of 1000 neurons. The comparison is of one special structure: no weights per
synapse, one delay. With `plain` every recurrent synapse has a log-normal
weight of its own (coefficient of variation 0.5) and a delay between 0.5 and 2.5 ms. Exit code 1 if the bar is missed or
the results differ.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import numpy as np

import equipoise as eq
from equipoise.units import Hz, ms, mV, second

BARS = {"special": 60.0, "plain": 10.0}
WORDS = {"special": "no weights per synapse, one delay", "plain": "per-synapse weights, distributed delays"}
DELAY, SPREAD = eq.UniformDelay(low=0.5 * ms, high=2.5 * ms), eq.LogNormalSpread(0.5)
STRETCH, NEST_STRETCH, WARMUP = 2.0, 0.5, 0.5  # s of network time


def circuit(n: int, kind: str = "special") -> eq.Circuit:
    k = n // 10
    j = 0.1 * mV * (1250 / k) ** 0.5
    lif = eq.LIF(tau_m=20 * ms, tau_ref=2 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    external = 1.2 * 20 * mV / (j * 20 * ms)  # Hz, all trains of a neuron together
    how: dict[str, Any] = {"delay": DELAY, "weight_spread": SPREAD} if kind == "plain" else {"delay": 1.5 * ms}
    inputs = {"E": (j, k * 4 // 5), "I": (-5 * j, k // 5), "X": (j, 1000)}
    return eq.Circuit(
        name=f"Brunel network of {n:,} neurons",
        populations=[
            eq.Population("E", size=n * 4 // 5, neuron=lif),
            eq.Population("I", size=n // 5, neuron=lif),
            eq.Source("X", rate=external / 1000 * Hz),
        ],
        projections=[
            eq.Projection(
                source=s, target=t, weight=w, connectivity=eq.FixedInDegree(degree), **({} if s == "X" else how)
            )
            for t in "EI"
            for s, (w, degree) in inputs.items()
        ],
    )


class Ours:
    def __init__(self, network: eq.Circuit, threads: int):
        self.network = eq.spiking.build(network, seed=1, threads=threads)
        self.end = eq.spiking.run(self.network, duration=WARMUP).end
        self.runs: list[eq.spiking.Run] = []

    def turn(self) -> float:
        start = time.perf_counter()
        run = eq.spiking.run(self.network, duration=STRETCH * second, start=self.end)
        wall = time.perf_counter() - start
        self.end = run.end
        self.runs.append(run)
        return wall / STRETCH

    def statistics(self) -> tuple[float, float]:
        times = [(r.steps + 1) * r.provenance.dt + k * STRETCH for k, r in enumerate(self.runs)]
        units = np.concatenate([r.units for r in self.runs])
        times, units = np.concatenate(times)[units < 1000], units[units < 1000]
        rate, _ = rate_and_cv(times, units, STRETCH * len(self.runs))
        as_long = NEST_STRETCH * len(self.runs)  # as NEST: the C_v of slow neurons depends on it
        _, cv = rate_and_cv(times[times <= as_long], units[times <= as_long], as_long)
        return rate, cv


def rate_and_cv(times, units, duration: float) -> tuple[float, float]:
    order = np.argsort(times, kind="stable")
    trains = eq.SpikeTrains(times[order], units[order], 1000, 0.0, duration)
    cv = eq.measures.cv(trains)
    return times.size / 1000 / duration, float(cv.where(cv.n >= 10).mean())


def nest_process(pipe, n: int, threads: int, kind: str) -> None:
    """The same circuit in NEST, in a process of its own: a turn for every message."""
    nest: Any = import_module("nest")
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=0.1, local_num_threads=threads, rng_seed=1)
    network = circuit(n, kind)
    (source,) = network.sources
    assert isinstance(source, eq.Source)
    neuron = {"tau_m": 20.0, "t_ref": 2.0, "V_th": 20.0, "V_reset": 10.0, "E_L": 0.0, "C_m": 1.0}
    cells = {p.name: nest.Create("iaf_psc_delta", int(p.size), neuron) for p in network.populations}
    for population in cells.values():
        population.V_m = nest.random.uniform(10.0, 20.0)
    rule = {"rule": "fixed_indegree", "allow_autapses": False, "allow_multapses": False}
    for p in network.projections:
        synapse: dict[str, Any] = {"weight": p.weight / mV, "delay": 1.5}
        if p.weight_spread is not None:
            synapse["delay"] = nest.random.uniform(min=DELAY.low / ms, max=DELAY.high / ms)
            log_sd = SPREAD.log_sd
            synapse["weight"] = nest.random.lognormal(mean=-0.5 * log_sd**2, std=log_sd) * (p.weight / mV)
        if p.source == "X":
            rate = source.rate * p.connectivity.mean(np.inf)
            nest.Connect(nest.Create("poisson_generator", 1, {"rate": rate}), cells[p.target], syn_spec=synapse)
        else:
            degree = int(p.connectivity.mean(np.inf))
            nest.Connect(cells[p.source], cells[p.target], rule | {"indegree": degree}, synapse)
    answer(pipe, nest, cells["E"])


def answer(pipe, nest: Any, cells: Any) -> None:
    """Warm up, then a turn for every message, and rate and C_v of the first 1000 neurons at the end."""
    recorder = nest.Create("spike_recorder", 1, {"start": 1e3 * WARMUP})
    nest.Connect(cells[:1000], recorder)
    nest.Simulate(1e3 * WARMUP)
    pipe.send("ready")
    turns = 0
    while pipe.recv() == "turn":
        start = time.perf_counter()
        nest.Simulate(1e3 * NEST_STRETCH)
        pipe.send((time.perf_counter() - start) / NEST_STRETCH)
        turns += 1
    events = recorder.get("events")
    first = cells[0].global_id
    pipe.send(rate_and_cv(events["times"] / 1e3 - WARMUP, events["senders"] - first, turns * NEST_STRETCH))


def main() -> int:
    given = [int(x) for x in sys.argv[1:] if x != "plain"]
    n, pairs, threads = given + [12500, 5, 2][len(given) :]
    kind = "plain" if "plain" in sys.argv[1:] else "special"
    agreed = 0.03 if n <= 25_000 else 0.06
    return beside_nest(nest_process, (n, threads, kind), circuit(n, kind), pairs, (BARS[kind], agreed, WORDS[kind]))


def beside_nest(
    process: Callable[..., None], args: tuple, network: eq.Circuit, pairs: int, wanted: tuple[float, float, str]
) -> int:
    """Turns of NEST, in a process of its own, and of this package; `args` are its size, threads and more.

    `wanted`: the bar, how far rates may differ, and words about the comparison.
    """
    processes, threads, (bar, agreed, words) = get_context("spawn"), args[1], wanted
    here, there = processes.Pipe()
    nest = processes.Process(target=process, args=(there, *args), daemon=True)
    nest.start()
    here.recv()
    ours, ratios = Ours(network, threads), []
    print(ours.network)
    for k in range(pairs):
        here.send("turn")
        theirs, mine = here.recv(), ours.turn()
        ratios.append(theirs / mine)
        print(f"  turn {k + 1}: NEST {theirs:.3f}, equipoise {mine:.4f} s per simulated second: {ratios[-1]:.1f} times")
    here.send("statistics")
    (rate_nest, cv_nest), (rate, cv) = here.recv(), ours.statistics()
    print(f"rate {rate:.2f} Hz and C_v {cv:.3f}; NEST {rate_nest:.2f} Hz and {cv_nest:.3f}")
    print(f"load of the machine {os.getloadavg()[0]:.1f}; {words}")
    ratio, same = statistics.median(ratios), abs(rate / rate_nest - 1) < agreed and abs(cv - cv_nest) < 0.03
    verdict = "agree" if same else "DIFFER"
    print(f"median {ratio:.1f} times NEST on {threads} threads (bar {bar:g}); results {verdict}")
    return 0 if ratio >= bar and same else 1


if __name__ == "__main__":
    sys.exit(main())
