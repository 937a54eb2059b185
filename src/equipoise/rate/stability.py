"""Stability of a circuit of rates under its rules: spectra of both time scales, and conditions in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.slow_variables import SlowRule
from equipoise.rate.conditions import Condition, fast_conditions, slow_conditions
from equipoise.rate.network import RateNetwork, as_network
from equipoise.rate.pair import Pair, pair_of
from equipoise.rate.pair_rules import Form, Loop, forms, given, loop
from equipoise.rate.slow_point import SlowPoint, equilibrium
from equipoise.rate.slow_state import slow_system
from equipoise.results import Status

SAME = 1e-6
"""How far a closed form may be from the numerical spectrum, relative to its largest eigenvalue."""
APART = "The separation of time scales fails: rates and rules together behave otherwise than each by itself."


@dataclass(frozen=True, eq=False, repr=False)
class SlowStability:
    """How rates and rules answer small disturbances of a joint fixed point.

    `conditions` are in closed form where one is known, for the threshold-linear E-I pair; else they are empty and
    `remark` says why. `closed` (m,) are the slow eigenvalues [1/s] of the closed form, without the neutral directions
    of weights.
    """

    point: SlowPoint
    conditions: tuple[Condition, ...]
    closed: dynamics.ComplexArray
    remark: str

    @property
    def fast(self) -> dynamics.Spectrum:
        """Spectrum of the rates by themselves [1/s]."""
        return self.point.fast

    @property
    def slow(self) -> dynamics.Spectrum:
        """Spectrum of the slow variables with the rates at their fixed point [1/s]."""
        return self.point.slow

    @property
    def full(self) -> dynamics.Spectrum:
        """Spectrum of both together [1/s]."""
        return self.point.full

    @property
    def zero_modes(self) -> tuple[dict[str, float], ...]:
        """Neutral slow directions by name."""
        return self.slow.zero_modes

    @property
    def stable(self) -> bool:
        """Whether rates and slow variables return together, up to neutral directions."""
        return self.point.stable

    @property
    def separated(self) -> bool:
        """Whether the two time scales, each by itself, tell the stability of both together."""
        return separated(self.point)

    @property
    def status(self) -> Status:
        """That of the point."""
        return self.point.status

    def __repr__(self) -> str:
        rows = [repr(self.point).replace("SlowPoint", "SlowStability", 1)]
        for mode in self.zero_modes:
            rows.append("  neutral direction: " + ", ".join(f"{n} {v:+.4g}" for n, v in mode.items()))
        rows += [f"  {one!r}" for one in self.conditions]
        return "\n".join(rows + ([f"  {self.remark}"] if self.remark else []))


def separated(point: SlowPoint) -> bool:
    """Whether a point's fast and slow spectra, each by itself, tell the stability of the full one."""
    return point.full.stable == (point.slow.stable and bool((point.fast.eigenvalues.real < 0.0).all()))


def stability(
    circuit: Circuit | RateNetwork, rules: Sequence[SlowRule] = (), *, at: SlowPoint | None = None
) -> SlowStability:
    """Spectra and conditions of stability of `circuit` under `rules` (default: its own) at a joint fixed point.

    `at` is what eq.rate.equilibrium(circuit, rules) returns (default: that). TypeError or ValueError where it is no
    such point; NumericalFailure where none is found.
    """
    point = equilibrium(circuit, rules) if at is None else at
    if not isinstance(point, SlowPoint):
        raise TypeError(f"rate.stability: at must be what eq.rate.equilibrium(circuit, rules) returns, got {at!r}.")
    if not point.status.usable:
        raise ValueError(f"rate.stability: at must be a joint fixed point, got status {point.status.name}.")
    if point.system.rules != slow_system(as_network(circuit), rules).rules:
        raise ValueError("rate.stability: at is a point of other rules. Take eq.rate.equilibrium(circuit, rules).")
    found = _closed(point)
    if isinstance(found, str):
        return SlowStability(point, (), np.zeros(0, np.complex128), f"Conditions: {found}; the spectra are numerical.")
    pair, rows, whole = found
    values = np.linalg.eigvals(whole.slow).astype(np.complex128)
    remark = "" if _agrees(values, point.slow) else "the closed form does not describe this point."
    remark = " ".join(x for x in (remark, "" if separated(point) else APART) if x)
    return SlowStability(point, (*fast_conditions(pair), *slow_conditions(pair, rows, whole)), values, remark)


def _closed(point: SlowPoint) -> tuple[Pair, list[Form], Loop] | str:
    """The pair at the point with its rules, or why there is no closed form."""
    pair = pair_of(point.system.at(point.z))
    if isinstance(pair, str):
        return f"no closed form, for {pair}"
    order = [point.system.net.names.index(name) for name in pair.names]
    r = point.rates[order]
    if point.held:
        return f"no closed form with {', '.join(point.held)} at the lower bound"
    if not pair.active(r):
        return "no closed form, for both populations must be active and below their ceilings"
    rows = forms([given(rule) for rule in point.system.rules], pair, r)
    return rows if isinstance(rows, str) else (pair, rows, loop(pair, rows))


def _agrees(values: dynamics.ComplexArray, slow: dynamics.Spectrum) -> bool:
    """Whether the closed form's eigenvalues are those of the slow spectrum, which may have more, neutral ones."""
    size = float(np.abs(values).max())
    return all(bool((np.abs(slow.eigenvalues - x) < SAME * size).any()) for x in values)
