"""What each rule predicts of a manipulation: simulations from priors, in the observables of a recording.

Each draw is a circuit of E, I and a source X that fires as observed before (see `operating`), under a rule that holds
it there, for circuits in which the rule is stable. The manipulation begins, lasts `duration` and ends; rates are at
their mean-field fixed point all along and the rule moves its slow variables. Observables are natural logarithms beside
the state before, in four phases:

    acute     as the manipulation begins            during   as it has lasted `duration`
    rebound   as it ends                            after    `washout` later
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import Batch, C, batch_of, stable
from equipoise.inference.candidates import Candidate, candidates_of, columns, rules_of
from equipoise.inference.operating import NAMES, POPULATIONS, Draws, Operating, draws_of, joined, log_uniform
from equipoise.inference.perturbations import Perturbation, perturbation_of
from equipoise.inference.slow_batch import Course, SlowBatch, changed, follow, held
from equipoise.model.protocols import Protocol
from equipoise.quantities import Array, Quantity, check, seed_sequence, whole
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.laws import NeuronISI
from equipoise.results import NumericalFailure, Status
from equipoise.units import day

if TYPE_CHECKING:
    import xarray as xr

PHASES = ("acute", "during", "rebound", "after")
OBSERVABLES = tuple(f"{what}_{p}" for what in ("rate", "cv", "calcium_mean", "calcium_second") for p in POPULATIONS)
SPAN = Quantity("time", unit="day", low=0.0, open_low=True)
LARGEST = np.log(5.0)
"""Largest acute change of a rate: doses that do more than fivefold are not chosen."""
BLOCK, FEW, MOST = 8, 40, 400
"""Circuits drawn at a time, before a rule that is stable in none is given up, and at most, for each one asked for."""
Follow = Callable[[SlowBatch[C], Array, Array, float], Course]
NOTHING = (0, len(PHASES), len(OBSERVABLES))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Predictions:
    """Draws of one rule: `values` (draw, phase, observable), unknowns `u` (draw, len(NAMES)) in (0, 1), strengths.

    The rule is `stable` in that share of the circuits of the priors. Of those, `lost` had no stable state
    under the manipulation, or changed a rate more than fivefold at once, and are left out.
    """

    rule: Candidate
    what: "Experiment"
    values: Array
    u: Array
    strength: Array
    stable: float
    lost: int

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.rule.name

    def __len__(self) -> int:
        return len(self.values)

    def dataset(self) -> "xr.Dataset":
        """The draws by name."""
        import xarray as xr

        about = {"long_name": "log of the observable beside before", "units": "1"}
        return xr.Dataset(
            {
                "value": (("draw", "phase", "observable"), self.values, about),
                "unknown": (("draw", "name"), self.u, {"long_name": "quantile of the prior"}),
                "strength": ("draw", self.strength),
            },
            coords={"phase": list(PHASES), "observable": list(OBSERVABLES), "name": list(NAMES)},
            attrs={"rule": self.name, "stable": self.stable, "lost": self.lost},
        )

    def __repr__(self) -> str:
        few = f"{len(self)} draws; stable in {self.stable:.1%} of circuits, {self.lost} lost their state"
        return f"Predictions({self.name}: {few})"


def predictions(
    manipulation: str | Perturbation | Protocol,
    *,
    operating: Operating | None = None,
    rules: Sequence[str | Candidate] | None = None,
    draws: int = 400,
    duration: float = 2 * day,
    washout: float = 2 * day,
    seed: int = 0,
) -> tuple[Predictions, ...]:
    """What each rule predicts of a manipulation, from `draws` circuits of the priors that all rules share.

    `duration` [s] of the manipulation and `washout` [s] after it count beside the rules' own time, `Operating.tau`.
    Raises ValueError for unknown names, and NumericalFailure where no circuit rests as asked with any of the rules.
    """
    at = Operating() if operating is None else operating
    how = perturbation_of(manipulation)
    spans = check("predictions.duration", duration, SPAN), check("predictions.washout", washout, SPAN)
    n = whole("predictions: draws", draws, low=10, high=1_000_000)
    what, asked = Experiment(at=at, how=how, duration=spans[0], washout=spans[1]), candidates_of(rules)
    drawn, fits, offered = pool(at, asked, n, np.random.default_rng(seed_sequence(seed)))
    shares, fits = fits.sum(axis=1) / offered, fits & (np.cumsum(fits, axis=1) <= n)
    used = np.flatnonzero(fits.any(axis=0))
    if used.size == 0:
        raise NumericalFailure(
            Status.UNSTABLE, f"predictions: no circuit of the priors rests at {at.rate} Hz with a rule that is stable."
        )
    drawn, fits = drawn.take(used), fits[:, used]
    under, strength = manipulated(drawn, what)
    out = []
    for one, row, share in zip(asked, map(np.flatnonzero, fits), shares, strict=True):
        values = simulated(one, drawn.take(row), under.take(row), what) if row.size else np.zeros(NOTHING)
        known = np.isfinite(values).all(axis=(1, 2)) & (np.abs(values[:, 0, :2]) <= LARGEST).all(axis=1)
        kept = row[known]
        out.append(
            Predictions(
                rule=one, what=what, values=values[known], u=drawn.u[kept], strength=strength[kept],
                stable=float(share), lost=int((~known).sum()),
            )
        )  # fmt: skip
    return tuple(out)


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """What is simulated: the state before, the manipulation, and the times it lasts and is gone [s]."""

    at: Operating
    how: Perturbation
    duration: float
    washout: float


def pool(
    at: Operating, candidates: Sequence[Candidate], n: int, rng: np.random.Generator
) -> tuple[Draws, NDArray[np.bool_], int]:
    """Circuits from the priors that rest as asked, until every rule is stable in `n` of them.

    With them: which rule is stable in which (candidate, circuit), and how many circuits were drawn. A rule may stay
    short where `MOST` n circuits are not enough.
    """
    parts, stables, offered = [], [], 0
    while True:
        some = draws_of(at, rng.random((BLOCK * n, len(NAMES))))
        some, offered = some.take(some.plausible), offered + BLOCK * n
        batch = some.batch()
        r = np.tile(at.rate, (len(some.u), 1))
        fine = np.flatnonzero(stable(batch, r, np.full(len(POPULATIONS), at.neuron.tau_m)))
        some = some.take(fine)
        stables.append(np.array([held(system(one, some), r[fine]) for one in candidates]))
        parts.append(some)
        found = np.concatenate(stables, axis=1)
        enough = found.sum(axis=1) >= n
        hopeless = ~found.any(axis=1) & (offered >= FEW * n)
        if (enough | hopeless).all() or offered >= MOST * n:
            return joined(parts), found, offered


def system(candidate: Candidate, draws: Draws) -> SlowBatch[Batch]:
    """The circuits under the rules of a candidate."""
    rules = rules_of(candidate, draws.at)
    return SlowBatch(batch=draws.batch(), names=POPULATIONS, rules=rules, speed=draws.speed[:, columns(rules)])


def manipulated(draws: Draws, what: Experiment) -> tuple[Batch, Array]:
    """The circuits under the manipulation, and its strengths."""
    strength = log_uniform(draws.u[:, -1], what.how.low, what.how.high)
    pairs = zip(draws.circuits(), strength, strict=True)
    return batch_of([what.how.apply(circuit, what.at, float(x)) for circuit, x in pairs]), strength


def simulated(candidate: Candidate, draws: Draws, under: Batch, what: Experiment) -> Array:
    """Observables (n, phase, observable) of circuits under a rule; NaN where one does not rest at a stable state."""
    r = np.tile(what.at.rate, (len(draws.u), 1))
    return observed_phases(system(candidate, draws), under, r, what)


def observed_phases(first: SlowBatch[Batch], under: Batch, r: Array, what: Experiment) -> Array:
    """Observables (n, phase, observable) of circuits at rates r under their rules, beside those before."""
    before = _observed(first.batch, r, what.at)
    during, later = courses(first, under, r, (what.duration, what.washout))
    out = []
    for here, course in ((replace(first, batch=under), during), (first, later)):
        for k in (0, -1):
            out.append(_observed(here.moved(np.nan_to_num(course.z[k])), course.r[k], what.at) - before)
    return np.stack(out, axis=1)


def courses(
    first: SlowBatch[C], under: C, r: Array, spans: tuple[float, float], *, along: Follow = follow
) -> tuple[Course, Course]:
    """The course while a manipulation lasts, and after it; `along` follows each."""
    z = np.zeros_like(first.speed)
    other, acute = changed(first, under, z, r)
    during = along(other, z, acute, spans[0])
    _, rebound = changed(other, first.batch, np.nan_to_num(during.z[-1]), during.r[-1])
    return during, along(first, during.z[-1], rebound, spans[1])


def _observed(batch: Batch, r: Array, at: Operating) -> Array:
    """Logarithms of rate, C_v and both calcium moments of E and I (n, observable); NaN where they do not rest."""
    out = np.full((len(r), len(OBSERVABLES)), np.nan)
    known = stable(batch, r, np.full(r.shape[1], at.neuron.tau_m))
    some, rates = batch.take(known), r[known]
    mu, s = some.inputs(rates)
    columns = [rates, some.cv(rates)]
    moments = [
        calcium_moments(at.sensor, NeuronISI(cell, mu=mu[:, a], sigma=np.sqrt(s[:, a])))
        for a, cell in enumerate(batch.neurons)
    ]
    columns += [np.stack([m[k] for m in moments], axis=1) for k in (0, 1)]
    with np.errstate(divide="ignore"):
        out[known] = np.log(np.concatenate(columns, axis=1))
    return out
