"""The balance condition, sum_B K_AB J_AB r_B = 0: rates at which mean inputs of order sqrt(K) cancel (Sec. 4.5.4)."""

import numpy as np

from equipoise.quantities import Array
from equipoise.theory.wiring import Wiring


def rates(wiring: Wiring) -> Array | None:
    """Rates (n,) at which the mean input of every population vanishes; None where they are undetermined."""
    n, total = wiring.n, wiring.K * wiring.J
    inside, outside = total[:, :n], total[:, n:] @ wiring.source_rates + wiring.drive
    size = np.linalg.norm(inside, axis=1, keepdims=True)
    if (size == 0.0).any() or np.linalg.cond(inside / np.where(size == 0.0, 1.0, size)) > 1e12:
        return None
    return np.asarray(np.linalg.solve(inside, -outside), dtype=np.float64)


def impossible(wiring: Wiring, rates: Array | None, inequalities: tuple[str, ...]) -> str:
    """Why there is no balanced state, in words, from what `rates` and `inequalities` found."""
    if rates is None:
        return (
            "the balance condition does not determine the rates (the matrix K J is singular). Give the populations "
            "different ratios of their weights."
        )
    silent = [
        f"{n} would fire at {round(float(r), 9) + 0.0:.4g} Hz"
        for n, r in zip(wiring.names, rates, strict=True)
        if r <= 0.0
    ]
    return f"no balanced state: {', '.join(silent)}. {' '.join(inequalities)}".rstrip()


def inequalities(wiring: Wiring) -> tuple[str, ...]:
    """j_EX/j_IX > j_EI/j_II > j_EE/j_IE for one excitatory, one inhibitory population and one source."""
    total = np.abs(wiring.K * wiring.J)
    signs = np.sign(wiring.J[:, :2])
    if wiring.n != 2 or wiring.J.shape[1] != 3 or (total == 0.0).any() or not (signs == [[1, -1], [1, -1]]).all():
        return ()
    outer, inhibitory, excitatory = total[0, 2] / total[1, 2], total[0, 1] / total[1, 1], total[0, 0] / total[1, 0]
    e, i = wiring.names
    holds = outer > inhibitory > excitatory
    text = (
        f"{e}X/{i}X > {e}{i}/{i}{i} > {e}{e}/{i}{e}: {outer:.4g} > {inhibitory:.4g} > {excitatory:.4g} "
        f"{'holds' if holds else 'does not hold'}."
    )
    return (text,)
