"""Compute the 30-digit references of the leaky integrate-and-fire neuron (two minutes).

    python tests/systems/make_lif_reference.py

lif_integrals.csv: y_reset, y_threshold, d, scaled integrals of q and h.
lif_laplace.csv: a, y_reset, y_threshold, d, int r, r(y_th) - r(y_r), y_th r(y_th) - y_r r(y_r).
Inputs are rounded to 24 bits, so that y_threshold - d is y_reset exactly or to a harmless rounding.
"""

from pathlib import Path

import lif_oracle as oracle
import mpmath as mp
import numpy as np

HERE = Path(__file__).parent


def short(x: float) -> float:
    """A number with 24 significant bits."""
    return float(np.float32(x))


def ranges(rng: np.random.Generator, n: int) -> list[tuple[float, float]]:
    """Threshold and distance: far above, far below and around threshold, from tiny to huge distances."""
    out = []
    for i in range(n):
        exponent = rng.uniform(-3, (1.3, 4.0, 8.0)[i % 3])
        threshold = [-(10**exponent), 10 ** rng.uniform(-3, 1.6), rng.uniform(-6, 6), rng.uniform(-6, 6)][i % 4]
        d = 10 ** rng.uniform(-7, 2) if i % 4 else -threshold * 10 ** rng.uniform(-6, 3)
        out.append((short(threshold), short(d)))
    return out


EDGES = [
    (0.0, 1.0), (0.0, 1e-6), (0.0, 1e6), (1.0, 2.0), (4.0, 8.0), (25.0, 50.0), (27.5, 20.0), (40.0, 1.0),
    (500.0, 600.0), (1e4, 1e3), (1e4, 2.0**-14), (1e4, 2.0**-10), (-1e8, 1e9),
    (-1e8, 1.0), (1e-8, 2e-8), (0.5, 0.75), (0.25, 0.3125),
]  # fmt: skip
LAPLACE_EDGES = [
    (a, y, d)
    for a in (1e-300, 1e-100, 1e-30, 1e-8, 0.03125, 0.9375, 1.0, 2.0, 40.0, 1e3, 1e6)
    for y, d in ((1.0, 2.0), (-3.0, 0.015625), (7.0, 2.0), (12.0, 0.0625), (-50.0, 1000.0), (0.125, 0.25))
]


def line(*numbers) -> str:
    """Doubles as their shortest exact text, references with 30 digits."""
    return ",".join(repr(x) if isinstance(x, float) else mp.nstr(x, 30) for x in numbers) + "\n"


def main() -> None:
    """Write both files."""
    mp.mp.dps = 34
    rng = np.random.default_rng(20250904)
    with (HERE / "lif_integrals.csv").open("w") as file:
        file.write("y_reset,y_threshold,d,q_integral,h_integral\n")
        for y, d in EDGES + ranges(rng, 140):
            file.write(line(y - d, y, d, oracle.q_integral(y, d), oracle.h_integral(y, d)))
    with (HERE / "lif_laplace.csv").open("w") as file:
        file.write("a,y_reset,y_threshold,d,exponent,plain,weighted\n")
        random = [(short(10 ** rng.uniform(-8, 2.4)), short(rng.uniform(-12, 12)), short(10 ** rng.uniform(-6, 1.2)))
                  for _ in range(160)]  # fmt: skip
        for a, y, d in LAPLACE_EDGES + random:
            file.write(line(a, y - d, y, d, *oracle.laplace_exponent(a, y, d)))


if __name__ == "__main__":
    main()
