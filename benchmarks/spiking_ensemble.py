"""Two networks side by side, one thread each, beside one network alone: ensembles should not slow each other down.

    python benchmarks/spiking_ensemble.py [neurons] [pairs]

The network of `spiking.py`, in two processes. They take turns: one alone, the other alone, both at once. Printed is how
much of its speed each keeps, as the median over turns. Exit code 1 below the bar.
"""

import os
import statistics
import sys
from multiprocessing import get_context

from spiking import Ours, circuit

BAR = 0.9


def worker(pipe, n: int) -> None:
    ours = Ours(circuit(n), 1)
    pipe.send("ready")
    while pipe.recv() == "turn":
        pipe.send(ours.turn())


def main() -> int:
    given = [int(x) for x in sys.argv[1:]]
    n, pairs = given + [12500, 5][len(given) :]
    context, pipes = get_context("spawn"), []
    for _ in range(2):
        here, there = context.Pipe()
        context.Process(target=worker, args=(there, n), daemon=True).start()
        pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    kept = []
    for k in range(pairs):
        alone = []
        for pipe in pipes:
            pipe.send("turn")
            alone.append(pipe.recv())
        for pipe in pipes:
            pipe.send("turn")
        both = [pipe.recv() for pipe in pipes]
        kept.append([a / b for a, b in zip(alone, both, strict=True)])
        walls = [f"{x:.4f}" for x in (*alone, *both)]
        print(
            f"  turn {k + 1}: alone {' and '.join(walls[:2])}, side by side {' and '.join(walls[2:])} s per simulated s"
        )
    median = [statistics.median(x) for x in zip(*kept, strict=True)]
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    print(f"two networks keep {median[0]:.2f} and {median[1]:.2f} of the speed of one (bar {BAR:g})")
    return 0 if min(median) >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
