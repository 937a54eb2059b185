"""The spiking kernel beside Brian2 C++ standalone, each at its best number of threads.

    python benchmarks/spiking_brian2.py path-to-python-with-brian2 [neurons] [pairs]

The network of `spiking.py`. Brian2's program is built without OpenMP and with one thread a processor, tried once each,
and the faster one takes turns with this package. Brian2 repeats one stretch, this package goes on; rates and C_v must
agree within 3 % and 0.03. The comparison is of one special structure: no weights per synapse, one delay. Exit code 1 if
the bar is missed or the results differ.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from spiking import Ours, circuit

BAR = 25.0


class Brian2:
    def __init__(self, python: str, n: int, threads: int, folder: str):
        script = Path(__file__).with_name("brian2_network.py")
        self.process = subprocess.Popen(
            [python, str(script), str(n), str(threads), f"{folder}/threads_{threads}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"OMP_WAIT_POLICY": "ACTIVE"},
        )  # fmt: skip
        self._line("ready")

    def turn(self) -> dict[str, float]:
        assert self.process.stdin
        print("turn", file=self.process.stdin, flush=True)
        return json.loads(self._line("{"))

    def _line(self, start: str) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(start):
                return line
        raise RuntimeError("Brian2 ended without an answer; its messages stand above")


def main() -> int:
    python, *numbers = sys.argv[1:]
    n, pairs = [int(x) for x in numbers] + [12500, 5][len(numbers) :]
    with tempfile.TemporaryDirectory() as folder:
        programs = {threads: Brian2(python, n, threads, folder) for threads in (0, os.cpu_count() or 1)}
        first = {threads: program.turn()["wall"] for threads, program in programs.items()}
        threads = min(first, key=first.__getitem__)
        print("Brian2, s per simulated second by threads (0: no OpenMP):", {k: round(v, 2) for k, v in first.items()})
        ours, ratios, theirs = Ours(circuit(n), os.cpu_count() or 1), [], {}
        for k in range(pairs):
            theirs, mine = programs[threads].turn(), ours.turn()
            ratios.append(theirs["wall"] / mine)
            print(f"  turn {k + 1}: Brian2 {theirs['wall']:.3f}, equipoise {mine:.4f}: {ratios[-1]:.1f} times")
        for program in programs.values():
            program.process.kill()
    rate, cv = ours.statistics()
    same = abs(rate / theirs["rate"] - 1) < 0.03 and abs(cv - theirs["cv"]) < 0.03
    print(f"rate {rate:.2f} Hz and C_v {cv:.3f}; Brian2 {theirs['rate']:.2f} Hz and {theirs['cv']:.3f}")
    print(f"load of the machine {os.getloadavg()[0]:.1f}; no weights per synapse, one delay")
    ratio = statistics.median(ratios)
    print(f"median {ratio:.1f} times Brian2 (bar {BAR:g}); results {'agree' if same else 'DIFFER'}")
    return 0 if ratio >= BAR and same else 1


if __name__ == "__main__":
    sys.exit(main())
