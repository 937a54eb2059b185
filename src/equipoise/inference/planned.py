"""The experiment that tells rules apart in a given circuit: predictions around it, and the design from them.

Every dose has a design of its own. Its draws are circuits around the given one (`Unknowns`), rules of other speeds, and
the strength of the dose within a factor. Rules that are lost under a dose are left out, with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from equipoise.inference.candidates import Candidate, candidates_of, rules_of
from equipoise.inference.design import ASSUMES, Design
from equipoise.inference.doses import Dose, What, doses_of
from equipoise.inference.power import PowerSettings, power
from equipoise.inference.predictions import SPAN, Predictions, predictions
from equipoise.inference.resting import Resting, Unknowns, resting
from equipoise.inference.variability import Variability, assumed_variability
from equipoise.inference.verdict import LEAST_PRIOR
from equipoise.model.circuit import Circuit
from equipoise.quantities import check, check_fields, quantity, whole
from equipoise.results import NumericalFailure
from equipoise.units import day, hour

if TYPE_CHECKING:
    import xarray as xr

PARTS = (1 / 16, 1 / 4)
"""Moments that are told between the phases by default, in units of how long the manipulation lasts."""


@dataclass(frozen=True, kw_only=True)
class DesignSettings:
    """What a design is made from.

    `variability` is that of a recording, assumed where there is none; `power` says which errors are accepted and what
    one can afford. The strength of a dose is known within a factor `strength` either way, everything else as `unknowns`
    says. `moments` [s] after each onset are told beside the phases. Rules have `draws` circuits each.
    """

    variability: Variability | None = None
    power: PowerSettings = field(default_factory=PowerSettings)
    unknowns: Unknowns = field(default_factory=Unknowns)
    strength: float = quantity("factor of the strength", default=1.5, low=1.0, high=10.0)
    moments: tuple[float, ...] | None = None
    draws: int = 80
    seed: int = 0

    def __post_init__(self):
        check_fields(self)
        whole("DesignSettings.draws", self.draws, low=LEAST_PRIOR, high=100_000)
        for name, kind in (("variability", Variability), ("power", PowerSettings), ("unknowns", Unknowns)):
            given = getattr(self, name)
            if not isinstance(given, kind) and not (given is None and name == "variability"):
                raise TypeError(f"DesignSettings.{name} must be a {kind.__name__}, got {given!r}.")
        for t in self.moments or ():
            check("DesignSettings.moments", t, SPAN)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Planned:
    """The `design` for a `dose`, none where fewer than two rules are left; `left_out` says which are not, and why.

    `predicted` are the draws that it is made from, for `simulated_power`.
    """

    dose: str
    design: Design | None
    predicted: tuple[Predictions, ...]
    left_out: Mapping[str, str]

    @property
    def recommendation(self) -> str:
        """What to measure for every pair of rules, in words; or why there is nothing to recommend."""
        lost = [f"Left out: {name}, {why}" for name, why in self.left_out.items()]
        found = NOTHING if self.design is None else self.design.recommendation
        head, gap, assumed = found.partition(ASSUMES)
        return "\n".join([head, *lost]) + gap + assumed

    def dataset(self) -> "xr.Dataset":
        """The design by name (`Design.dataset`), for netCDF; without one, the words alone."""
        import xarray as xr

        data = xr.Dataset() if self.design is None else self.design.dataset()
        return data.assign_attrs(dose=self.dose, recommendation=self.recommendation)

    def __repr__(self) -> str:
        rows = [f"{self.dose}: {NOTHING}" if self.design is None else repr(self.design)]
        return "\n".join([*rows, *(f"  left out: {name}, {why}" for name, why in self.left_out.items())])


NOTHING = "There is no design: it takes two rules at least that can be followed."


def design_of(
    circuit: Circuit,
    manipulation: What,
    *,
    rules: Sequence[str | Candidate] | None = None,
    spans: tuple[float, float] = (2 * day, 2 * day),
    tau: float = 1 * hour,
    settings: DesignSettings | None = None,
) -> tuple[Planned, ...]:
    """The experiment that tells rules apart by a manipulation of a circuit, for each dose.

    Arguments are those of `predict`. Raises ValueError and TypeError as it does, and for a variability that does not
    know any observable that is to be recorded; NumericalFailure where the circuit has no stable state.
    """
    how, asked = settings or DesignSettings(), candidates_of(rules)
    at = resting(circuit, tau=check("design_of.tau", tau, SPAN), unknowns=how.unknowns)
    lasting = check("design_of.spans[0]", spans[0], SPAN), check("design_of.spans[1]", spans[1], SPAN)
    return tuple(planned(at, dose, asked, lasting, how) for dose in doses_of(manipulation))


def planned(
    at: Resting,
    dose: Dose,
    rules: Sequence[Candidate],
    spans: tuple[float, float],
    how: DesignSettings,
    lost: Mapping[str, str] | None = None,
) -> Planned:
    """The design for one dose; rules that are `lost`, for a reason that is known, are not drawn."""
    known = lost or {}
    reasons = {rule.name: known.get(rule.name) or _refused(rule, at) for rule in rules}
    out = {name: why for name, why in reasons.items() if why}
    some, kept = [rule for rule in rules if rule.name not in out], ()
    noise = how.variability or assumed_variability(at)
    if len(some) > 1:
        try:
            drawn = _drawn(at, dose, some, spans, how, noise.duration)
        except NumericalFailure as failure:
            return Planned(dose=dose.label, design=None, predicted=(), left_out=out | _all(some, failure.reason))
        kept = tuple(one for one in drawn if len(one) >= LEAST_PRIOR)
        out |= {one.name: _short(one, how.draws) for one in drawn if len(one) < LEAST_PRIOR}
    design = None
    if len(kept) > 1:
        design = power(kept, variability=noise, settings=how.power)
    return Planned(dose=dose.label, design=design, predicted=kept, left_out=out)


def _all(rules: Sequence[Candidate], why: str) -> dict[str, str]:
    return {rule.name: why for rule in rules}


def _refused(rule: Candidate, at: Resting) -> str:
    """Why a rule cannot be followed in many circuits at once; empty if it can."""
    try:
        rules_of(rule, at)
    except TypeError as error:
        return str(error)
    return ""


def _drawn(
    at: Resting,
    dose: Dose,
    rules: Sequence[Candidate],
    spans: tuple[float, float],
    how: DesignSettings,
    stretch: float,
) -> tuple[Predictions, ...]:
    """What each rule predicts in circuits around the given one; NumericalFailure where none rests under any rule."""
    moments = tuple(part * spans[0] for part in PARTS) if how.moments is None else how.moments
    return predictions(
        dose.within(how.strength), operating=at, rules=rules, draws=how.draws, duration=spans[0], washout=spans[1],
        moments=moments, stretch=stretch, seed=how.seed,
    )  # fmt: skip


def _short(one: Predictions, asked: int) -> str:
    """Why a rule has too few draws."""
    if not one.stable:
        return "stable in none of the circuits around this one."
    kept, more = f"{len(one)} of {asked} draws are left", f"; it takes {LEAST_PRIOR}, ask for more draws"
    return f"stable in {one.stable:.0%} of the circuits around this one, its state is lost in {one.lost}: {kept}{more}."
