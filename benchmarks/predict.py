"""A full prediction at the level of theory: five rules, six kinds of observables, three manipulations.

python benchmarks/predict.py [repetitions]
"""

import statistics
import sys
import time

import equipoise as eq

RULES = ("no homeostasis", "single-loop", "calcium", "input-centric B", "output-centric")
OBSERVABLES = ("rate", "rate_sd", "cv", "calcium_mean", "calcium_second", "J_E")
MANIPULATIONS = ("optical", "input irregularity", "chemogenetic")
BAR = 30.0


def once() -> float:
    circuit, began = eq.Circuit.example("balanced_network"), time.perf_counter()
    for manipulation in MANIPULATIONS:
        found = eq.inference.predict(circuit, manipulation, rules=RULES, observables=OBSERVABLES)
        assert found.data["value"].notnull().all()
    return time.perf_counter() - began


def main(repetitions: int) -> None:
    spans = [once() for _ in range(repetitions)]
    print(
        f"{len(RULES)} rules, {len(OBSERVABLES)} kinds of observables, {len(MANIPULATIONS)} manipulations: "
        f"{statistics.median(spans):.1f} s ({min(spans):.1f}-{max(spans):.1f}); bar {BAR:g} s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
