"""The design of an experiment that tells rules apart: which test, on how many cells of how many recordings.

The test of a `Contrast` refuses a rule where the mean over recordings of the units' mean log change lies outside all
that the rule predicts, [low, high], by more than chance:

    refuse if  mean > high + t se  or  mean < low - t se,   se = sd over recordings/sqrt(R),   t = t_{R-1}(1 - tail)

Recordings are the independent samples, units are nested in them (Aarts et al. 2014, Nat. Neurosci. 17:491). With
tail = alpha/4, and [low, high] the quantiles alpha/4 and 1 - alpha/4 of the rule's predictions, a rule that is right is
refused with probability alpha at most, whatever the unknowns are (Berger & Boos 1994, J. Am. Stat. Assoc. 89:1012).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.operating import NAMES
from equipoise.inference.operating import WORDS as UNKNOWNS
from equipoise.inference.predictions import OBSERVABLES
from equipoise.inference.variability import Variability
from equipoise.quantities import Array, finite

if TYPE_CHECKING:
    import xarray as xr

ASSUMES = "\n\nThis assumes:\n"
"""Between what is recommended and what that assumes."""
SHOWN = 4
"""Pairs of rules that are told first."""
QUANTILES = (0.1, 0.5, 0.9)
"""Of numbers that are needed, over the draws of the rule that is right."""
SEEN = 2.9
"""Rank correlations beyond this over sqrt(draws) are told: 5 % for the largest of eleven by chance."""
WORDS = {"rate": "firing rate", "cv": "irregularity (C_v,local)", "calcium_mean": "mean calcium",
         "calcium_second": "second moment of calcium"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A test that refuses the rule `refuted`, planned for the case that `truth` is right.

    It takes changes of the natural logarithm of an observable in a phase `beside` another; `refuted` predicts them in
    [low, high], with the error of the models in it. `tail` is the error to either side.
    """

    truth: str
    refuted: str
    observable: str
    phase: str
    beside: str
    low: float
    high: float
    tail: float

    def refuses(self, changes: Sequence, variability: Variability | None = None) -> bool:
        """Whether data refuse the rule; `changes` has the log changes of the units of each recording.

        A single recording does not know how far recordings differ: it needs the `variability`.
        """
        each = [finite("Contrast.refuses", "changes", one).ravel() for one in changes]
        if not each or not all(one.size for one in each):
            raise ValueError("Contrast.refuses: changes must hold at least one recording, each with at least one unit.")
        means = np.array([one.mean() for one in each])
        if means.size > 1:
            return bool(refused(means[None], self.low, self.high, self.tail)[0])
        if variability is None:
            raise ValueError("Contrast.refuses: one recording needs its variability=, two or more bring their own.")
        from scipy.special import ndtri

        error = variability.error(each[0].size, 1)[OBSERVABLES.index(self.observable)]
        return bool(max(means[0] - self.high, self.low - means[0]) > -ndtri(self.tail) * error)

    @property
    def words(self) -> str:
        """What is compared with what."""
        return f"{_named(self.observable)}, {when(self.phase)} beside {self.beside}"


def _named(observable: str) -> str:
    """An observable in words."""
    name, population = observable.rsplit("_", 1)
    return f"the {WORDS[name]} of {population}"


def percent(log: float) -> str:
    """A change of a logarithm in per cent."""
    return f"{np.round(100.0 * np.expm1(log)) + 0.0:+.0f} %"


def when(phase: str) -> str:
    """A phase, or a moment between phases, in words: "3 h" is 3 h into the manipulation."""
    if phase.endswith(" h"):
        return f"{phase} into the manipulation"
    return f"{phase} it" if phase.endswith(" h after") else phase


def refused(means: Array, low: float, high: float, tail: float) -> NDArray[np.bool_]:
    """The test on means of R recordings, for each row of (n, R)."""
    from scipy.special import stdtrit

    R = means.shape[1]
    centre, error = means.mean(axis=1), means.std(axis=1, ddof=1) / np.sqrt(R)
    return np.maximum(centre - high, low - centre) > stdtrit(R - 1, 1.0 - tail) * error


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Design:
    """What each contrast needs to refuse a rule when another one is right.

    Over directions (D,), pairs of `truth` and `refuted`, and contrasts (C,), `places` of observable, phase and beside:
    `low` and `high` (D, C) what `refuted` predicts, `effect` (D, C) the difference of the medians, and numbers needed
    for `power` at error rate `alpha`, quantiles `QUANTILES` over the draws of `truth` (D, C, 3), infinite where none
    suffices: `cells_alone` in one recording, `cells_each` in each of `recordings`, and `recordings_needed` of `cells`
    units. `never` (D, C) is the share of draws that no number up to 1000 tells apart, `expected` (D, C, len(curve))
    the mean power with `curve` recordings of `cells` units. `best` (D,) is the contrast with the largest one at
    `recordings`; `sensitivity` (D, len(NAMES)) is the rank correlation of its number of recordings with each unknown,
    over so many `draws` (D,) of `truth`, NaN where that unknown is the same for all.
    """

    manipulation: str
    truth: tuple[str, ...]
    refuted: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    variability: Variability
    alpha: float
    power: float
    cells: int
    recordings: int
    tests: int
    tail: float
    low: Array
    high: Array
    effect: Array
    cells_alone: Array
    cells_each: Array
    recordings_needed: Array
    never: Array
    expected: Array
    curve: NDArray[np.int64]
    best: NDArray[np.int64]
    sensitivity: Array
    draws: NDArray[np.int64]
    assumptions: tuple[str, ...]

    def direction(self, truth: str, refuted: str) -> int:
        """The number of a pair; ValueError where it is none."""
        pairs = list(zip(self.truth, self.refuted, strict=True))
        if (truth, refuted) not in pairs:
            raise ValueError(
                f"Design: truth and refuted must be two of {', '.join(dict.fromkeys(self.truth))}, "
                f"got {truth!r} and {refuted!r}."
            )
        return pairs.index((truth, refuted))

    def contrast(self, truth: str, refuted: str) -> Contrast:
        """The best test that refuses one rule when another one is right."""
        d = self.direction(truth, refuted)
        c = int(self.best[d])
        observable, phase, beside = self.places[c]
        low, high = float(self.low[d, c]), float(self.high[d, c])
        return Contrast(
            truth=truth, refuted=refuted, observable=observable, phase=phase, beside=beside, low=low, high=high,
            tail=self.tail,
        )  # fmt: skip

    @property
    def stated(self) -> Array:
        """Mean power of the best contrasts (D,), with `recordings` of `cells` units."""
        return self.expected[np.arange(self.best.size), self.best, list(self.curve).index(self.recordings)]

    @property
    def recommendation(self) -> str:
        """What to measure for every pair of rules, in words, and what that assumes."""
        told = np.isfinite(self.recordings_needed[np.arange(self.best.size), self.best, 0])
        rows = [self._sentence(int(d)) for d in np.argsort(-self.stated, kind="stable") if told[d]]
        others = [f"{self.refuted[d]} if {self.truth[d]} is right" for d in np.flatnonzero(~told)]
        if others:
            rows.append(f"What this manipulation does not refuse: {'; '.join(others)}.")
        head = [self._summary(), self._terms()]
        return "\n".join([*head, *rows]) + ASSUMES + "\n".join(f"- {one}" for one in self.assumptions)

    def _summary(self) -> str:
        """What to record for all pairs together, and how many of them that tells apart."""
        each = self.expected[np.arange(self.best.size), self.best] >= self.power  # (D, curve)
        reached, all_at_once = each.sum(axis=0), each.any(axis=1)
        places = [self.places[c] for c in self.best[all_at_once if all_at_once.any() else slice(None)]]
        what = ", ".join(dict.fromkeys(_named(observable) for observable, _, _ in places))
        used, order = {p for _, *pair in places for p in pair}, ["before", *dict.fromkeys(p for _, p, _ in self.places)]
        times = ", ".join(when(phase) for phase in order if phase in used)
        told = [f"{n} recordings of {self.cells} cells tell {k or 'none'}" for n, k in self._steps(reached)]
        return (
            f"Record {what}: {times}. Of {self.best.size} cases, one rule right and another to be refused, "
            f"{', '.join(told) or 'no number of recordings tells any'} with a mean power of {self.power:g}."
        )

    def _steps(self, reached: Array) -> list[tuple[int, int]]:
        """Recordings that one has, and the least that tell as many cases as any number does: each with its cases."""
        here = list(self.curve).index(self.recordings)
        steps = {here, int(np.argmax(reached))} if reached.any() else set()
        return [(int(self.curve[k]), int(reached[k])) for k in sorted(steps) if k >= here]

    def _terms(self) -> str:
        columns = [OBSERVABLES.index(self.places[c][0]) for c in self.best]
        between = self.variability.between[columns] ** 2
        share = np.median(between / np.maximum(between + self.variability.unit[columns] ** 2 / self.cells, 1e-300))
        return (
            "A draw is a circuit with a speed of its rule and a strength of the manipulation, as stated below. "
            f"Of the variance with {self.cells} cells in each recording {share:.0%} lies between recordings, which "
            "more cells do not reduce."
        )

    def _sentence(self, d: int) -> str:
        """The advice for one direction."""
        c, contrast, alone = int(self.best[d]), self.contrast(self.truth[d], self.refuted[d]), ""
        if np.isfinite(self.cells_alone[d, c, 1]):
            cells = int(self.cells_alone[d, c, 1])
            alone = f" One recording alone takes {cells} cell{'s' if cells > 1 else ''}."
        return (
            f"If {contrast.truth} is right, to refuse {contrast.refuted}: {contrast.words}; {contrast.refuted} "
            f"predicts a change of {percent(contrast.low)} to {percent(contrast.high)}. {self._needed(d, c)} "
            f"Mean power with {self.recordings}: {self.stated[d]:.2f}.{alone}{self._decides(d)}"
        )

    def _needed(self, d: int, c: int) -> str:
        easy, middle, hard = self.recordings_needed[d, c]
        half = f"takes {middle:.0f} recordings" if np.isfinite(middle) else "is told apart by no number of recordings"
        end = f", {hard:.0f} in the hardest" if np.isfinite(hard) else ""
        never = f"; in {self.never[d, c]:.0%} no number suffices" if self.never[d, c] > 0.0 else ""
        spread = f"{easy:.0f} in the easiest tenth{end}{never}"
        return f"With {self.cells} cells in each, the median draw {half} ({spread})."

    def _decides(self, d: int) -> str:
        """The unknown that the number needed depends on most; none where that could be chance."""
        rho = np.nan_to_num(self.sensitivity[d])
        k = int(np.argmax(np.abs(rho)))
        if abs(rho[k]) < SEEN / np.sqrt(self.draws[d]):
            return ""
        return f" The number depends most on {UNKNOWNS[NAMES[k]]} (rank correlation {rho[k]:+.2f})."

    def dataset(self) -> "xr.Dataset":
        """Everything by direction and contrast, for netCDF; the test of a pair is that at its `best` contrast."""
        import xarray as xr

        both, places = ("direction", "contrast"), np.array(self.places)
        columns = [OBSERVABLES.index(place[0]) for place in self.places]
        noise = {"between": self.variability.between, "within": self.variability.unit,
                 "intraclass": self.variability.intraclass}  # fmt: skip
        about = {"units": "1", "long_name": "natural logarithm of the observable beside another phase"}
        data = {name: (both, getattr(self, name), about) for name in ("low", "high", "effect")}
        wide = {name: ((*both, "quantile"), getattr(self, name), {"units": "1"})
                for name in ("cells_alone", "cells_each", "recordings_needed")}  # fmt: skip
        more = {
            "never": (both, self.never),
            "expected_power": ((*both, "recordings"), self.expected),
            "best": ("direction", self.best),
            "stated_power": ("direction", self.stated),
            "sensitivity": (("direction", "unknown"), self.sensitivity),
            "draws": ("direction", self.draws),
        }
        coords = {
            "truth": ("direction", list(self.truth)), "refuted": ("direction", list(self.refuted)),
            "observable": ("contrast", places[:, 0]), "phase": ("contrast", places[:, 1]),
            "beside": ("contrast", places[:, 2]), "quantile": list(QUANTILES), "recordings": self.curve,
            "unknown": list(NAMES),
        }  # fmt: skip
        attrs = {name: getattr(self, name) for name in ("manipulation", "alpha", "power", "cells", "tests", "tail")}
        attrs |= {"chosen_recordings": self.recordings, "recommendation": self.recommendation}
        each = {name: ("contrast", sd[columns], {"units": "1"}) for name, sd in noise.items()}
        return xr.Dataset(data | wide | more | each, coords, attrs)

    def __repr__(self) -> str:
        head = (
            f"Design({self.manipulation}; alpha {self.alpha:g}, power {self.power:g}, {self.cells} cells a recording)"
        )
        title = f"  {'if':16s}{'refuse':16s}{'by':38s}{'recordings':>12s}{'never':>7s}{'power':>7s}"
        rows = [head, f"{title}  (mean, of {self.recordings} recordings)"]
        for d, c in enumerate(self.best):
            by = "{}, {} beside {}".format(*self.places[c])
            low, middle, high = (f"{x:.0f}" if np.isfinite(x) else "∞" for x in self.recordings_needed[d, c])
            needed = f"{middle} [{low}, {high}]"
            rows.append(
                f"  {self.truth[d]:16s}{self.refuted[d]:16s}{by:38s}{needed:>12s}{self.never[d, c]:7.0%}"
                f"{self.stated[d]:7.2f}"
            )
        return "\n".join(rows)


def foremost(data: "xr.Dataset") -> list[str]:
    """The recommendation of `Design.dataset` in lines: what to record, and the cases that are told apart best.

    One for each pair of rules, four at most; what cannot be told, and why rules are left out.
    """
    lines = data.attrs["recommendation"].partition(ASSUMES)[0].splitlines()
    if "best" not in data:
        return lines
    cases = [line for line in lines if line.startswith("If ")]
    order = np.argsort(-data["stated_power"].values, kind="stable")
    pairs = [{str(data[name].values[d]) for name in ("truth", "refuted")} for d in order]
    first = [k for k in range(len(cases)) if pairs[k] not in pairs[:k]][:SHOWN]
    more = f"These are {len(first)} of {len(pairs)} cases, those that are told apart best, one for each pair of rules."
    count = [more] if len(first) < len(pairs) else []
    return [*lines[:2], *(cases[k] for k in first), *count, *(one for one in lines[2:] if one not in cases)]
