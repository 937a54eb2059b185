"""Is a circuit stabilised by inhibition? The paradoxical response of I to its own drive, in recorded units.

In an inhibition-stabilised network (g_E W_EE > 1) drive of all interneurons lowers E so far that I falls too; of a
threshold-linear pair dI/dE = (g_E W_EE - 1)/(g_E W_EI), which does not depend on the strength of the drive
(Tsodyks, Skaggs, Sejnowski & McNaughton 1997, J. Neurosci. 17:4382). What else makes or hides it:

- drive of a part of the interneurons: too small a part shows no paradox in an ISN, and driven cells alone rise (Sadeh,
  Silver, Mrsic-Flogel & Muir 2017, J. Neurosci. 37:12050; Sadeh & Clopath 2021, Nat. Rev. Neurosci. 22:21);
- strong drive: once E is (nearly) silent I rises with more of it, the reversal; an ISN is asked by the weakest drive;
- light or ligand that acts on E directly; depolarisation block of I, which lowers I as a paradox would, but raises E.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.measures.bootstrap import FEWEST, Estimate, Rows, over_units, resampled, unknown
from equipoise.measures.trains import group, same_units
from equipoise.quantities import Array, finite, seed_sequence, whole
from equipoise.results import Recording, SpikeTrains

WHOLE = 0.9
"""Driven part of the interneurons above which their rise speaks against an ISN."""
DEEP = 0.5
"""Fall of E, of its rate, beyond which a rise of I may be the far side of a reversal."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ISNSignature:
    """`decision` "ISN", "not ISN" or "undecided", with its `reason` and `caveats`.

    `amplitudes` (a,) rise; `excitatory` and `inhibitory` hold the change of the mean rate [Hz] at each, `driven` that
    of the driven interneurons; `ratio` is dI/dE at the `weakest` amplitude that counts, None without one. `reversal`
    says whether I falls under a weaker and rises under a stronger drive.
    """

    decision: str
    reason: str
    amplitudes: Array
    excitatory: tuple[Estimate, ...]
    inhibitory: tuple[Estimate, ...]
    driven: tuple[Estimate, ...]
    ratio: Estimate
    weakest: float | None
    reversal: bool
    caveats: tuple[str, ...]

    def __repr__(self) -> str:
        rows = [f"ISNSignature: {self.decision}. {self.reason}"]
        for k, a in enumerate(self.amplitudes):
            rows.append(f"  {a:8.3g}   E {self.excitatory[k]}   I {self.inhibitory[k]} Hz")
        return "\n".join(rows + [f"  {caveat}" for caveat in self.caveats])


def isn_signature(
    baseline: SpikeTrains | Recording,
    stimulated: Mapping[float, SpikeTrains | Recording],
    *,
    inhibitory: ArrayLike,
    driven: ArrayLike | None = None,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int | np.random.SeedSequence = 0,
) -> ISNSignature:
    """Responses of E and I to drive of I, and what they say about stabilisation by inhibition.

    `stimulated` holds the same units under drive by its amplitude, of any unit; amplitudes below 0 are of drive that
    suppresses interneurons, whose responses count with the opposite sign. `inhibitory` (units,) says which units are
    interneurons, `driven` (units,) which of all units are driven (default: all interneurons). Intervals of the changes
    are by bootstrap over units, at a confidence that allows for the number of amplitudes (Bonferroni). Fewer than five
    units of a type leave it undecided.
    """
    rates, amplitudes = _rates(baseline, stimulated)
    I = _mask("inhibitory", inhibitory, rates.shape[1])  # noqa: E741 - as in the equations
    light = I if driven is None else _mask("driven", driven, rates.shape[1])
    change = (rates[1:] - rates[0]) * np.sign(amplitudes)[:, None]
    rng = np.random.default_rng(seed_sequence(seed))
    n = whole("measures.isn_signature: samples", samples, low=100)
    narrow = min(1.0 - (1.0 - confidence) / amplitudes.size, 0.9999)
    E_rows, I_rows = (resampled(int(m.sum()), n, rng) for m in (~I, I))
    e = tuple(over_units(lambda i, x=x: x[~I][i].mean(axis=1), E_rows, narrow) for x in change)
    i = tuple(over_units(lambda r, x=x: x[I][r].mean(axis=1), I_rows, narrow) for x in change)
    of_driven = tuple(_of_some(x[I & light], narrow, n, rng) for x in change)
    order = np.argsort(np.abs(amplitudes), kind="stable")
    counts = [k for k in order if _sign(i[k]) and _sign(e[k])]
    weakest = counts[0] if counts else None
    decision, reason = _decision(e, i, weakest, float(rates[0][~I].mean()) if (~I).any() else 0.0, _part(I, light))
    ratio = unknown(int(I.sum())) if weakest is None else _ratio(change[weakest], I, (E_rows, I_rows), confidence)
    signs = [_sign(i[k]) for k in order]
    return ISNSignature(
        decision=decision, reason=reason, amplitudes=amplitudes, excitatory=e, inhibitory=i, driven=of_driven,
        ratio=ratio, weakest=None if weakest is None else float(amplitudes[weakest]),
        reversal=-1 in signs and 1 in signs[signs.index(-1) :], caveats=_caveats(I, light, decision),
    )  # fmt: skip


def _rates(
    baseline: SpikeTrains | Recording, stimulated: Mapping[float, SpikeTrains | Recording]
) -> tuple[Array, Array]:
    """Rates before and under each amplitude (1 + a, units) [Hz], and the amplitudes, rising."""
    if not isinstance(stimulated, Mapping):
        raise TypeError(
            f"measures.isn_signature: stimulated must map amplitudes to trains, such as {{1.0: trains}}, got "
            f"{type(stimulated).__name__}."
        )
    amplitudes = np.sort(finite("measures.isn_signature", "stimulated", list(stimulated)).ravel())
    if amplitudes.size == 0 or (amplitudes == 0.0).any():
        raise ValueError(
            f"measures.isn_signature: stimulated must have at least one amplitude other than 0, got {list(stimulated)}."
        )
    groups = [group(baseline), *(group(stimulated[a]) for a in amplitudes)]
    same_units("measures.isn_signature", *groups)
    return np.array([g.n_spikes / g.duration for g in groups]), amplitudes


def _mask(name: str, given: ArrayLike, n: int) -> NDArray[np.bool_]:
    mask = np.asarray(given)
    if mask.shape != (n,) or mask.dtype != bool:
        raise ValueError(f"measures.isn_signature: {name} must be {n} of True or False, one a unit, got {given!r}.")
    return mask


def _of_some(x: Array, confidence: float, n: int, rng: np.random.Generator) -> Estimate:
    return over_units(lambda i: x[i].mean(axis=1), resampled(x.size, n, rng), confidence)


def _sign(change: Estimate) -> int:
    """1 or -1 where the interval of a change leaves out 0, else 0."""
    return int(change.low > 0.0) - int(change.high < 0.0)


def _part(I: NDArray[np.bool_], light: NDArray[np.bool_]) -> float:  # noqa: E741
    return float((I & light).sum() / max(I.sum(), 1))


def _ratio(change: Array, I: NDArray[np.bool_], rows: tuple[Rows, Rows], confidence: float) -> Estimate:  # noqa: E741
    e, i = change[~I][rows[0]].mean(axis=1), change[I][rows[1]].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # counts of a few units can add up to no change of E
        ratio = i / e
    return over_units(lambda _: ratio, rows[1], confidence)


def _decision(
    e: tuple[Estimate, ...], i: tuple[Estimate, ...], weakest: int | None, rate: float, part: float
) -> tuple[str, str]:
    if min(e[0].n, i[0].n) < FEWEST:
        return "undecided", f"{e[0].n} excitatory and {i[0].n} inhibitory units are too few."
    if weakest is None:
        return "undecided", "At no amplitude do both E and I change beyond their errors."
    E, I = e[weakest], i[weakest]  # noqa: E741
    if E.value > 0.0:
        return "undecided", "E rises with drive of I: does it act on E, or block I?"
    if I.value < 0.0:
        return "ISN", f"I falls with its own drive ({I.value:.2g} Hz), and E with it ({E.value:.2g} Hz)."
    if part < WHOLE:
        return "undecided", f"I rises, but {part:.0%} of the interneurons are driven: an ISN need not show its paradox."
    if -E.value > DEEP * rate:
        return "undecided", "I rises, but E has lost more than half its rate: weaker drive may show a paradox."
    return "not ISN", f"I rises with its drive ({I.value:.2g} Hz) while E falls little ({E.value:.2g} Hz)."


def _caveats(I: NDArray[np.bool_], light: NDArray[np.bool_], decision: str) -> tuple[str, ...]:  # noqa: E741
    out = []
    if (light & ~I).any():
        out.append(f"{int((light & ~I).sum())} excitatory units are driven directly.")
    if decision == "ISN" and _part(I, light) < WHOLE:
        out.append("Undriven interneurons fall with E in any network that excites them: look at the driven ones.")
    return tuple(out)
