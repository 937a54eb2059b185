"""A full prediction at the level of theory (five rules, six kinds of observables, three manipulations), one with the
recommended experiment, and the standard network of 10,000 cells at both levels.

python benchmarks/predict.py [repetitions]
"""

import statistics
import sys
import time
from dataclasses import replace

import numpy as np

import equipoise as eq
from equipoise.units import hour, ms, second

RULES = ("no homeostasis", "single-loop", "calcium", "input-centric B", "output-centric")
OBSERVABLES = ("rate", "rate_sd", "cv", "calcium_mean", "calcium_second", "J_E")
MANIPULATIONS = ("optical", "input irregularity", "chemogenetic")
BAR = 30.0
SENSED = ["rate_E", "rate_I", "calcium_mean_E", "calcium_second_E"]
PULLED = ["J_E_E", "J_I_E", "J_E_I", "J_I_I"]
SIGNS = [-1.0, 1.0, -1.0, 1.0]
"""Of excitatory and inhibitory weights under more light, and under more irregular input."""


def once() -> float:
    circuit, began = eq.Circuit.example("balanced_network"), time.perf_counter()
    for manipulation in MANIPULATIONS:
        found = eq.inference.predict(circuit, manipulation, rules=RULES, observables=OBSERVABLES)
        assert found.data["value"].notnull().all()
    return time.perf_counter() - began


def with_design() -> float:
    circuit, began = eq.Circuit.example("balanced_network"), time.perf_counter()
    found = eq.inference.predict(circuit, "optical", rules=RULES, design=eq.inference.DesignSettings())
    assert "best" in found.designs[0]
    return time.perf_counter() - began


def at_both_levels() -> None:
    """The standard network with short delays, which is asynchronous: signs by theory and by spikes."""
    circuit = eq.Circuit.example("balanced_network")
    circuit = replace(circuit, projections=[replace(p, delay=0.1 * ms) for p in circuit.projections])
    for name, strength in (("optical", 0.3), ("input irregularity", 3.0)):
        found = eq.inference.predict(
            circuit, {name: strength}, rules=["calcium"], level="both", spans=(1 * hour, 1 * hour),
            spikes=eq.inference.Spikes(duration=4 * second, seed=1),
        )  # fmt: skip
        acute = {"dose": f"{name} {strength:g}", "rule": "calcium", "phase": "acute"}
        for level in ("theory", "spiking"):
            here = acute | {"level": level}
            change = found.change.sel(here | {"observable": SENSED}).values
            pull = found.data["pull"].sel(here | {"observable": PULLED}).values
            assert (change > 0.0).all(), change
            assert ((pull > 0.0) == (np.array(SIGNS) > 0.0)).all(), pull
            text = ", ".join(f"{n} {v:+.1%}" for n, v in zip(SENSED, change, strict=True))
            pulls = ", ".join(f"{n} {v:+.3f}" for n, v in zip(PULLED, pull, strict=True))
            print(f"{name} {strength:g}, {level}: at once {text}; weights move by {pulls} per hour")


def main(repetitions: int) -> None:
    spans = [once() for _ in range(repetitions)]
    print(
        f"{len(RULES)} rules, {len(OBSERVABLES)} kinds of observables, {len(MANIPULATIONS)} manipulations: "
        f"{statistics.median(spans):.1f} s ({min(spans):.1f}-{max(spans):.1f}); bar {BAR:g} s"
    )
    print(f"one manipulation with the recommended experiment: {with_design():.1f} s")
    at_both_levels()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
