"""Two days of homeostasis in a spiking network, against a run at a tenth of the speed.

    python benchmarks/spiking_homeostasis.py [hours] [reference speed]

The standard balanced network with 5000 excitatory and 5000 inhibitory neurons, K = 1000, and delays of 0.1 ms, which
keep it asynchronous, starts at 0.8 of its weights; population scope, relative scale, tau_E = 2 h, tau_I = 1 h, set
points of the balanced limit. `evolve` runs it at speeds 1500 and 600 and extrapolates; the reference is a third run at
100. Printed are wall time, how many processors this process had, the largest difference of the mean weights over the
whole trajectory from tau_I/10 on, and the Fano factor of population counts in 1 ms. Exit code 1 if a bar is missed.
"""

import os
import sys
import time
from dataclasses import replace

import numpy as np

import equipoise as eq
from equipoise.spiking.evolve import SHARED_SPEED
from equipoise.spiking.pace import Pace
from equipoise.spiking.walk import Walk
from equipoise.units import hour, minute, ms, second

WALL_BAR, WEIGHT_BAR = 90.0, 0.005
TAU_E, TAU_I = 2 * hour, 1 * hour
SENSOR = eq.Calcium()


def circuit() -> eq.Circuit:
    plain = eq.Circuit.example("balanced_network")
    targets = eq.theory.network_set_points(plain.infinite(), SENSOR)
    rules = [
        eq.AttachedRule(name, eq.CalciumHomeostasis(SENSOR, target, tau_e=TAU_E, tau_i=TAU_I))
        for name, target in targets.items()
    ]
    near = [replace(p, delay=0.1 * ms, weight=0.8 * p.weight) for p in plain.projections]
    return replace(plain, populations=[replace(p, size=5000) for p in plain.populations], projections=near, rules=rules)


def reference(network: eq.spiking.Network, duration: float, speed: float) -> Walk:
    walk = Walk.blank(network, Pace(), duration)
    walk.warm_up()
    walk.speed, walk.share = speed, speed / SHARED_SPEED
    while walk.t < duration and walk.status is eq.Status.OK:
        walk.move(duration)
    return walk


def main() -> int:
    hours, speed = ([float(x) for x in sys.argv[1:]] + [48.0, 100.0][len(sys.argv) - 1 :])[:2]
    start, busy = time.perf_counter(), time.process_time()
    days = eq.spiking.evolve(circuit(), duration=hours * hour, seed=1)
    wall = time.perf_counter() - start
    share = (time.process_time() - busy) / wall
    print(days)
    run = eq.spiking.run(days.network, start=days.end, duration=2 * second)
    fano = run.counts.var(axis=1) / run.counts.mean(axis=1)
    print(f"{wall:.1f} s of wall time (bar {WALL_BAR:g}) with {share:.2f} processors, load {os.getloadavg()[0]:.1f}")
    print(f"{wall / days.simulated:.4f} s per simulated second; Fano factors {fano.round(1)}", flush=True)
    walk = reference(days.network, hours * hour, speed)
    late = days.data.isel(time=days.data.time > TAU_I / 10)
    times = np.array([row["time"] for row in walk.rows])
    worst = 0.0
    for name in ("J_EE", "J_EI", "J_EX", "J_IE", "J_II", "J_IX"):
        expected = np.interp(late.time, times, np.array([row[name] for row in walk.rows]))
        error = np.abs(late[name].values / expected - 1.0)
        reported = float((late[f"{name}_error"] / late[name]).max())
        at = float(late.time[int(np.argmax(error))]) / minute
        print(f"{name}: {error.max():.3%} at {at:.0f} min, {error[-1]:.3%} at the end; reported up to {reported:.3%}")
        worst = max(worst, float(error.max()))
    print(f"largest difference to a run at speed {speed:g}: {worst:.3%} (bar {WEIGHT_BAR:.1%})")
    return 0 if wall <= WALL_BAR and worst <= WEIGHT_BAR else 1


if __name__ == "__main__":
    sys.exit(main())
