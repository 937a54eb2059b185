"""The observables of a prediction: names, units, how they are compared with before, and why a level has none."""

from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.quantities import suggest


@dataclass(frozen=True)
class Observable:
    """One column of a prediction; a change is in parts of the value before, or where `absolute` a difference."""

    name: str
    unit: str
    absolute: bool = False


KINDS = {
    "rate": ("Hz", False), "rate_sd": ("Hz", False), "cv": ("1", False), "cv_local": ("1", False),
    "calcium_mean": ("uM", False), "calcium_second": ("uM^2", False), "J_E": ("1", False), "J_I": ("1", False),
    "threshold": ("V/s", True),
}  # fmt: skip
"""Of each population: rate and its spread over cells, C_v of all intervals and of neighbouring ones, calcium moments,
excitatory and inhibitory weights beside before, and the shift of the threshold."""
OF_NETWORK = {"branching_ratio": ("1", True), "aperiodic_exponent": ("1", True)}
NOTES = {
    ("theory", "cv_local"): "stationary trains of renewal cells: the same as cv.",
    ("theory", "branching_ratio"): "exp(-4 ms/tau) of the slowest mode of tau_m dx/dt = E(x) - x, the linear response.",
    ("theory", "aperiodic_exponent"): "linear response to finite size, in the four phases; none where LIF cells with "
    "delta synapses and fixed delays are not all there is, or where common oscillations grow by themselves.",
    ("theory", "rate_sd"): "from unequal in-degrees and synapses; no change is told where all cells are alike.",
    ("spiking", "rate_sd"): "without the spread of counting; none where that explains all of it.",
    ("spiking", "calcium_mean"): "errors are those of the rate.",
    ("spiking", "calcium_second"): "errors are twice those of the rate.",
    ("spiking", "branching_ratio"): "multistep regression on the spikes of E, 4 ms bins; none where it is doubtful.",
    ("spiking", "aperiodic_exponent"): "of the LFP proxy of E, 30-50 Hz; none where too little is left beside peaks.",
}
"""What the numbers of a level are, and when there are none."""
SLOW = ("J_E", "J_I", "threshold")
"""Kinds that rules move."""
OF_THEORY = "the slow state is that of theory."
OWN = "by spiking.evolve, two speeds extrapolated to none; errors with those of the set points."


def observables_of(populations: Sequence[str]) -> tuple[Observable, ...]:
    """All observables, those of each kind by population, then those of the network."""
    rows = [(f"{kind}_{p}", *about) for kind, about in KINDS.items() for p in populations]
    return tuple(Observable(*row) for row in rows) + tuple(Observable(k, *v) for k, v in OF_NETWORK.items())


def chosen(asked: Sequence[str] | None, known: Sequence[Observable]) -> list[str]:
    """Names of the observables asked for, all by default; a kind such as "rate" stands for all populations."""
    names = [one.name for one in known]
    if asked is None:
        return names
    out: list[str] = []
    for name in asked:
        fits = [n for n in names if n == name or n.rpartition("_")[0] == name]
        if not fits:
            raise ValueError(f"predict: no observable is named {name!r}.{suggest(str(name), [*KINDS, *names])}")
        out += [n for n in fits if n not in out]
    return out


def kind_of(name: str) -> str:
    """The kind of an observable: "rate" of "rate_E"."""
    kind = name.rpartition("_")[0]
    return kind if kind in KINDS else name


def note_of(level: str, name: str, *, followed: bool) -> str:
    """What there is to know of an observable at a level that followed rules by itself or not; empty if nothing."""
    key = (level, kind_of(name))
    if level == "spiking" and key[1] in SLOW:
        return OWN if followed else OF_THEORY
    return NOTES.get(key, "")
