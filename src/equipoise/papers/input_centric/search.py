"""A search for pairs on which a rule restores E while interneurons stay low under their own tonic drive.

With gamma = g_I/(1 + g_I W_II), w = W_EI gamma and D = W_EE - W_IE w, a drive x of I shifts the active pair from (E, I)
at once by dE = -G w x, G = g_E/(1 - g_E D), and I follows E by I' = I + gamma (W_IE dE + x). Where the rules come to
rest it is

    required input held (A, B; by threshold or gain)      dE = w x/D
    excitatory drive with a part kappa of inhibition      dE = kappa w x/(W_EE - kappa W_IE w)
    E held by what moves in E (rate, W_EI, dual control)  dE = 0, so that I' - I = gamma x
    E and I both held (pairs of rules, weights of both)   dE = dI = 0

Whatever holds E and leaves interneurons their own excitability and weights makes I' - I = gamma x: the sign of the
drive, above baseline.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

Bools = NDArray[np.bool_]

FAST = 10.0 / 2.0
"""tau_E/tau_I."""
RECOVERED = (0.8, 1.2)
"""Completeness that counts as recovery of E."""
LOW = -0.05
"""Change of I relative to baseline that counts as persistently low."""
CLASSES = (
    "required input, D < 0 (B)",
    "required input, D > 0 (A)",
    "excitatory drive, part of inhibition",
    "E held by what moves in E",
    "E and I held",
)


def networks(n: int, seed: int) -> dict[str, Array]:
    """`n` random inhibition-stabilised pairs at rest, both active and fast stable, and a drive x > 0 of I (n,).

    Rates are uniform in 1 to 10 and 2 to 30 Hz, W_EE g_E in 1 to 10, the other weights and gains log-uniform over two
    decades; thresholds follow. The drive lowers E at once by 5 to 60 %, and leaves I active.
    """
    rng, parts, found = np.random.default_rng(seed), [], 0
    while found < n:
        parts.append(_drawn(rng, 20 * n))
        found += parts[-1]["E"].size
    return {name: np.concatenate([p[name] for p in parts])[:n] for name in parts[0]}


def _drawn(rng: np.random.Generator, n: int) -> dict[str, Array]:
    g_E, g_I, W_EI, W_IE, W_II = 10.0 ** rng.uniform(-1.0, 1.0, (5, n))
    E, I = rng.uniform(1.0, 10.0, n), rng.uniform(2.0, 30.0, n)  # noqa: E741 - as in the equations
    W_EE = rng.uniform(1.0, 10.0, n) / g_E
    gamma = g_I / (1.0 + g_I * W_II)
    w = W_EI * gamma
    D = W_EE - W_IE * w
    stable = (g_E * D < 1.0) & ((1.0 + g_I * W_II) * FAST > g_E * W_EE - 1.0)
    G = g_E / np.where(stable, 1.0 - g_E * D, 1.0)
    x = rng.uniform(0.05, 0.6, n) * E / (G * w)
    drawn = {"E": E, "I": I, "W_EE": W_EE, "W_EI": W_EI, "W_IE": W_IE, "W_II": W_II, "g_E": g_E, "g_I": g_I, "x": x}
    drawn |= {"gamma": gamma, "w": w, "D": D, "G": G, "kappa": rng.uniform(0.0, 1.0, n)}
    active = I + gamma * (x - W_IE * G * w * x) > 0.0
    return {name: values[stable & active] for name, values in drawn.items()}


def searched(n: int, seed: int) -> dict[str, Array]:
    """Of each class (classes,): stable `pairs` that stay active, and how many have E `recovered`, I `low`, `both`."""
    net = networks(n, seed)
    rows = np.array([_counted(net, *at_rest(net, name)) for name in CLASSES])
    return dict(zip(("pairs", "recovered", "low", "both"), rows.T, strict=True))


def at_rest(net: dict[str, Array], name: str) -> tuple[Array, Array, Bools]:
    """Changes dE and dI of the rates where the rules of a class come to rest, and where they are stable, each (n,)."""
    gamma, x, W_IE, D = net["gamma"], net["x"], net["W_IE"], net["D"]
    everywhere, wx = np.ones(D.size, dtype=np.bool_), net["w"] * x
    if name == CLASSES[4]:
        return np.zeros(D.size), np.zeros(D.size), everywhere
    dE, stable = np.zeros(D.size), everywhere
    if name in CLASSES[:2]:
        dE, stable = wx / D, D < 0.0 if name == CLASSES[0] else D > 0.0
    elif name == CLASSES[2]:
        part = net["kappa"] * net["W_EE"]  # kappa W_IE w, below W_EE where the rule loses its stability
        dE = part * x / (W_IE * (net["W_EE"] - part))
    return dE, gamma * (W_IE * dE + x), stable


def _counted(net: dict[str, Array], dE: Array, dI: Array, stable: Bools) -> tuple[int, int, int, int]:
    active = stable & (net["E"] + dE > 0.0) & (net["I"] + dI > 0.0)
    completeness = 1.0 + dE / (net["G"] * net["w"] * net["x"])
    recovered = active & (completeness >= RECOVERED[0]) & (completeness <= RECOVERED[1])
    low = active & (dI < LOW * net["I"])
    return int(active.sum()), int(recovered.sum()), int(low.sum()), int((recovered & low).sum())
