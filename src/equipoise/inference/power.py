"""How many cells of how many recordings tell rules of homeostasis apart: power of the tests of `design`.

If rule A is right, at a change x of its predictions, the test that refuses B has the distance d beyond what B predicts,

    d = max(x - high_B, low_B - x),   s^2 = between^2 + unit^2/n,   delta = d/s

and the power 1 - F(t; R - 1, delta sqrt(R)) of a noncentral t (of one recording, whose spread is taken as known: of a
normal). The number needed is the least with the wanted power. It differs from draw to draw of A, whose unknowns nobody
knows: quantiles over draws are reported, and the mean power over draws (the assurance of O'Hagan, Stevens & Campbell
2005, Pharm. Stat. 4:187). Draws that lie in what B predicts are told apart by no number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.design import QUANTILES, Design, refused
from equipoise.inference.predictions import OBSERVABLES, Experiment, Predictions
from equipoise.inference.resting import Resting
from equipoise.inference.variability import Variability, assumed_variability
from equipoise.inference.verdict import LEAST_PRIOR
from equipoise.quantities import Array, check_fields, quantity, seed_sequence, suggest, whole
from equipoise.units import hour, minute

if TYPE_CHECKING:
    import xarray as xr

Place = tuple[str, str, str]
"""Observable, phase, and the phase that it is beside."""
MOST = 1000
"""Recordings that no experiment has: a draw that needs more is told apart by no number."""
CURVE = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 50, 100)
"""Recordings at which the mean power is given."""
FAR = np.concatenate([np.linspace(-6.0, 40.0, 921), np.geomspace(41.0, 400.0, 60)])
"""Noncentralities at which power is tabulated."""
FARTHEST = 1e4
"""t beyond which so few recordings are taken not to suffice."""


@dataclass(frozen=True, kw_only=True)
class PowerSettings:
    """What is asked: the rate `alpha` of refusing a rule that is right, the `power` to refuse one that is wrong.

    `cells` of the type that is measured in each recording, and `recordings`, are what one can afford. `tolerance` is
    the error of the models' logarithms. Where one contrast of each pair is fixed before the data are seen, it is
    `preregistered`; else `alpha` is shared by all contrasts (Bonferroni). `phases`, of those that are predicted, and
    `observables` are those that will be recorded, all by default.
    """

    alpha: float = quantity("rate of wrong refusals", default=0.05, low=0.0, open_low=True, high=0.5)
    power: float = quantity("rate of right refusals", default=0.8, low=0.5, high=1.0)
    cells: int = 20
    recordings: int = 6
    tolerance: float = quantity("error of the models' logarithms", default=0.05, low=0.0, high=1.0)
    preregistered: bool = True
    phases: tuple[str, ...] | None = None
    observables: tuple[str, ...] = OBSERVABLES

    def __post_init__(self):
        check_fields(self)
        for name, rate in (("alpha", self.alpha), ("power", 1.0 - self.power)):
            if not 0.0 < rate < 0.5:
                raise ValueError(
                    f"PowerSettings.{name} must leave an error rate above 0 and below 0.5, got {getattr(self, name):g}."
                )
        object.__setattr__(self, "cells", whole("PowerSettings.cells", self.cells, low=1))
        object.__setattr__(self, "recordings", whole("PowerSettings.recordings", self.recordings, low=2, high=MOST))
        _named("observables", self.observables, OBSERVABLES)


def _named(name: str, given: Sequence[str], known: tuple[str, ...]) -> None:
    odd = [one for one in given if one not in known]
    if odd or not given or len(set(given)) != len(given):
        hint = suggest(str(odd[0]), known) if odd else ""
        raise ValueError(f"PowerSettings.{name} must be different ones of {known}, got {given!r}.{hint}")


def power(
    predicted: Sequence[Predictions], *, variability: Variability | None = None, settings: PowerSettings | None = None
) -> Design:
    """The design that tells each two of several rules apart by what they predict of one manipulation.

    `predicted` come from `predictions`; `variability` is that of a recording, or assumed. Raises ValueError for rules
    with fewer than 40 draws, the same rule twice, different manipulations, and where nothing asked for is recorded.
    """
    how = settings or PowerSettings()
    _check_rules(predicted)
    noise = assumed_variability(predicted[0].what.at) if variability is None else variability
    places = _places(how, noise, predicted[0].phases)
    tests = 1 if how.preregistered else len(places)
    plan = _plan(how, noise, places, how.alpha / tests / 4.0)
    sides = [_side(one, places, plan) for one in predicted]
    pairs = list(permutations(sides, 2))
    rows = [_row(truth, wrong, plan) for truth, wrong in pairs]
    return Design(
        manipulation=predicted[0].what.how.name, truth=tuple(a.rule.name for a, _ in pairs),
        refuted=tuple(b.rule.name for _, b in pairs), places=places, variability=noise, alpha=how.alpha,
        power=how.power, cells=how.cells, recordings=how.recordings, tests=tests, tail=plan.tail, curve=plan.curve,
        draws=np.array([len(a.rule) for a, _ in pairs]),
        assumptions=_assumptions(predicted, noise, how, tests),
        **{key: np.array([row[key] for row in rows]) for key in rows[0]},
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Plan:
    """What all pairs share: sd of each contrast (C,), and the power of a t-test with error `tail` to either side.

    `least` is the delta that suffices with R = 1, 2, ..., MOST recordings; `powers` are those at `FAR` for each number
    of recordings in `curve`.
    """

    how: PowerSettings
    between: Array
    unit: Array
    tail: float
    curve: NDArray[np.int64]
    least: Array
    powers: Array

    @property
    def spread(self) -> Array:
        """sd of the mean of the cells of a recording (C,)."""
        return np.sqrt(self.between**2 + self.unit**2 / self.how.cells)


@dataclass(frozen=True, eq=False)
class _Side:
    """A rule with its changes `x` (draws, C), and what it predicts of them, `low` to `high` (C,)."""

    rule: Predictions
    x: Array
    low: Array
    high: Array


def _side(rule: Predictions, places: Sequence[Place], plan: _Plan) -> _Side:
    """All but `tail` of what it predicts to either side, all draws where they are too few for that.

    The kth of n draws has another draw beyond it with probability k/(n + 1), on average over draws.
    """
    x = _changes(rule, places)
    k, ranked = max(int(plan.tail * (len(x) + 1)), 1), np.sort(x, axis=0)
    return _Side(rule, x, ranked[k - 1] - plan.how.tolerance, ranked[-k] + plan.how.tolerance)


def _wrong(draws: int, alpha: float, tests: int) -> float:
    """Bound on the rate at which a right rule is refused: at most `alpha` with enough draws, more with few."""
    return min(max(alpha, alpha / 2.0 + tests * 2.0 / (draws + 1)), 1.0)


def _row(truth: _Side, wrong: _Side, plan: _Plan) -> dict[str, Any]:
    """The fields of a `Design` for one direction."""
    x, low, high = truth.x, wrong.low, wrong.high
    distance, least = np.maximum(x - high, low - x), plan.least
    needed = _recordings(distance / plan.spread, least)
    expected = _expected(x, low, high, plan)
    best = int(np.argmax(expected[:, list(plan.curve).index(plan.how.recordings)]))
    return {
        "low": low,
        "high": high,
        "effect": np.median(x, axis=0) - np.median(wrong.x, axis=0),
        "cells_alone": _quantiles(_cells(distance, plan, least[0])),
        "cells_each": _quantiles(_cells(distance, plan, least[plan.how.recordings - 1])),
        "recordings_needed": _quantiles(needed),
        "never": np.isinf(needed).mean(axis=0),
        "expected": expected,
        "best": best,
        "sensitivity": _sensitivity(truth.rule.u, needed[:, best]),
    }


def _check_rules(predicted: Sequence[Predictions]) -> None:
    if isinstance(predicted, Predictions) or not all(isinstance(one, Predictions) for one in predicted):
        raise TypeError("power: predicted must be what `predictions` returns, for two rules at least.")
    names = [one.name for one in predicted]
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError(f"power: predicted must be of different rules, two at least, got {names}.")
    for one in predicted:
        if len(one) < LEAST_PRIOR:
            raise ValueError(
                f"power: a rule needs at least {LEAST_PRIOR} draws, got {len(one)} of {one.name}, which is stable in "
                f"{one.stable:.1%} of circuits. Leave it out, or ask predictions for more draws."
            )
    whats = [one.what for one in predicted]
    done = {(w.how.name, w.duration, w.washout, w.phases, w.at.rate, w.at.cv, w.at.tau) for w in whats}
    if len(done) > 1:
        raise ValueError(f"power: predicted must be of one manipulation of one operating point, got {sorted(done)}.")


def _places(how: PowerSettings, noise: Variability, predicted: tuple[str, ...]) -> tuple[Place, ...]:
    """Observable, phase and what it is beside, of every contrast that is recorded."""
    error = dict(zip(OBSERVABLES, noise.error(how.cells, 1), strict=True))
    known = [name for name in how.observables if np.isfinite(error[name])]
    phases = predicted if how.phases is None else how.phases
    _named("phases", phases, predicted)
    beside = [(phase, "before") for phase in phases]
    if "acute" in phases:
        beside += [(phase, "acute") for phase in phases if phase != "acute"]
    if not known:
        raise ValueError(f"power: none of {how.observables} is recorded; the variability is not known of any.")
    if min(error[name] for name in known) == 0.0:
        raise ValueError("power: variability must be above 0 of every observable that is recorded, between or within.")
    return tuple((name, *pair) for name in known for pair in beside)


def _changes(one: Predictions, places: Sequence[Place]) -> Array:
    """Predicted log changes (draws, contrasts)."""
    columns = []
    for observable, phase, beside in places:
        x = one.values[:, :, OBSERVABLES.index(observable)]
        columns.append(x[:, one.phases.index(phase)] - (x[:, one.phases.index(beside)] if beside == "acute" else 0.0))
    return np.stack(columns, axis=1)


def _plan(how: PowerSettings, noise: Variability, places: Sequence[Place], tail: float) -> _Plan:
    """The noncentral t of every number of recordings, for the contrasts that are recorded."""
    from scipy.special import nctdtr, nctdtrinc, ndtri, stdtrit

    R = np.arange(2, MOST + 1)
    t = stdtrit(R - 1, 1.0 - tail)
    far = nctdtrinc(R - 1, 1.0 - how.power, np.minimum(t, FARTHEST))
    least = np.where(t < FARTHEST, np.nan_to_num(far, nan=np.inf), np.inf) / np.sqrt(R)
    curve = np.array(sorted({*CURVE, how.recordings}))
    at = np.minimum(stdtrit(curve - 1, 1.0 - tail), FARTHEST)
    powers = [1.0 - nctdtr(n - 1, FAR, x) for n, x in zip(curve, at, strict=True)]
    columns = [OBSERVABLES.index(place[0]) for place in places]
    return _Plan(
        how=how, between=noise.between[columns], unit=noise.unit[columns], tail=tail, curve=curve,
        least=np.concatenate([[ndtri(how.power) - ndtri(tail)], np.minimum.accumulate(least)]),
        # where the power is 1 to rounding, the series of scipy has no value at some points
        powers=np.fmax.accumulate(np.array(powers), axis=1),
    )  # fmt: skip


def _recordings(ratio: Array, least: Array) -> Array:
    """The least number of recordings, two or more, at which d/s is enough; infinite where `MOST` are not."""
    suffice = np.searchsorted(least[:0:-1], ratio, side="right")  # how many of MOST, ..., 2 recordings suffice
    return np.where(suffice > 0, MOST + 1.0 - suffice, np.inf)


def _cells(d: Array, plan: _Plan, least: float) -> Array:
    """Cells of each recording with which d/s reaches `least`; infinite where the recordings differ too much."""
    room = (np.maximum(d, 0.0) / least) ** 2 - plan.between**2
    return np.where(room > 0.0, np.maximum(np.ceil(plan.unit**2 / np.where(room > 0.0, room, 1.0)), 1.0), np.inf)


def _quantiles(x: Array) -> Array:
    """`QUANTILES` over draws (C, 3); none lies between a number and infinity."""
    return np.quantile(x, QUANTILES, axis=0, method="inverted_cdf").T


def _expected(x: Array, low: Array, high: Array, plan: _Plan) -> Array:
    """Mean power over draws (C, len(curve)), refusals to either side counted."""
    out = []
    for R, table in zip(plan.curve, plan.powers, strict=True):
        sides = [np.interp(np.sqrt(R) * side / plan.spread, FAR, table) for side in (x - high, low - x)]
        out.append(np.minimum(sides[0] + sides[1], 1.0).mean(axis=0))
    return np.stack(out, axis=1)


def _sensitivity(u: Array, needed: Array) -> Array:
    """Rank correlation (len(NAMES),) of the unknowns with the number needed; NaN where either is the same for all."""
    from scipy.stats import rankdata

    ranks = rankdata(needed) - 0.5 * (needed.size + 1)
    columns = rankdata(u, axis=0) - 0.5 * (needed.size + 1)
    size = np.sqrt((ranks**2).sum() * (columns**2).sum(axis=0))
    return np.where(size > 0.0, ranks @ columns / np.where(size > 0.0, size, 1.0), np.nan)


def _assumptions(
    predicted: Sequence[Predictions], noise: Variability, how: PowerSettings, tests: int
) -> tuple[str, ...]:
    what = predicted[0].what
    shared = (
        "one contrast of each pair, named before the data are seen; the best one of several looked at needs the "
        "correction of preregistered=False"
        if tests == 1
        else f"any of {tests} contrasts may be looked at: each is tested at alpha/{tests} (Bonferroni)"
    )
    fewest = min(map(len, predicted))
    return (
        f"{what.how.name} for {what.duration / hour:g} h, then {what.washout / hour:g} h without, and rules with a "
        f"time scale of {what.at.tau / hour:g} h",
        _drawn(what, fewest, min(one.stable for one in predicted)),
        f"a rule that is right is refused in at most {_wrong(fewest, how.alpha, tests):.2g} of experiments, one that "
        f"is wrong is kept in {1.0 - how.power:g} at the number needed, each pair by itself"
        f"{_too_few(fewest, tests, how)}",
        shared,
        f"the same cells in all phases, in stretches of {noise.duration / minute:g} min; t-test on means of recordings",
        _onsets(what),
        f"mean-field predictions of {'unequal' if isinstance(what.at, Resting) else 'equal'} cells, right to "
        f"{how.tolerance:g} of each logarithm; calcium is that of the spikes",
        "cells that answer unequally scatter no more than stated above; where they do, power is less, alpha is not",
        *noise.caveats,
    )


def _onsets(what: Experiment) -> str:
    """What acute and rebound are."""
    if what.stretch:
        return f"acute and rebound are means over the first {what.stretch / minute:g} min, in which rules already move"
    return "acute and rebound are the states before rules move; a stretch shows less, see stretch= of predictions"


def _too_few(draws: int, tests: int, how: PowerSettings) -> str:
    """How many draws keep to alpha, where there are fewer."""
    if _wrong(draws, how.alpha, tests) <= how.alpha:
        return ""
    return f"; at most {how.alpha:g} takes {int(np.ceil(4.0 * tests / how.alpha - 1e-9)) - 1} draws of each rule"


def _drawn(what: Experiment, fewest: int, share: float) -> str:
    """What is drawn, how often at least, and which share at least of circuits rests so."""
    at, how = what.at, what.how
    if not isinstance(at, Resting):
        known = f", rates within a factor {at.rate_factor:g} and C_v within {at.cv_factor:g}" if at.uncertain else ""
        return f"at least {fewest} circuits and strengths from the stated priors{known}"
    u = at.unknowns
    strength = f", strength within {np.sqrt(how.high / how.low):g}" if how.high > how.low else ""
    return (
        f"at least {fewest} circuits around the given one: in-degrees within a factor {u.in_degree:g} either way, "
        f"rates before within {u.rate:g}, C_v before within {u.cv:g}, speeds of rules within {u.speed:g}{strength}; "
        f"{1.0 - share:.0%} of circuits have no such state that is stable, and are left out"
    )


def simulated_power(
    design: Design, predicted: Sequence[Predictions], *, experiments: int = 2000, seed: int = 0
) -> "xr.Dataset":
    """The power of the best contrasts, and how often they refuse a rule that is right, in simulated experiments.

    Each has the design's `recordings` of `cells` units, with normal errors of the design's variability about a draw of
    `truth` (`power`), or of `refuted` (`wrong`), with 99 % intervals `_low` and `_high` (Wilson).
    """
    import xarray as xr
    from scipy.stats import binomtest

    n, rng = whole("simulated_power: experiments", experiments, low=100), np.random.default_rng(seed_sequence(seed))
    changes = {one.name: _changes(one, design.places) for one in predicted}
    if set(design.truth) - set(changes):
        raise ValueError(
            f"simulated_power: predicted must be of {', '.join(sorted(set(design.truth)))}, got {[*changes]}."
        )
    pairs = enumerate(zip(design.truth, design.refuted, strict=True))
    rates = np.array([[_rate_of(design, d, changes[rule], n, rng) for rule in pair] for d, pair in pairs])
    ends = np.array([[binomtest(round(n * r), n).proportion_ci(0.99, method="wilson") for r in row] for row in rates])
    data = {"stated": design.stated}
    for k, name in enumerate(("power", "wrong")):
        data |= {name: rates[:, k], f"{name}_low": ends[:, k, 0], f"{name}_high": ends[:, k, 1]}
    coords = {"truth": ("direction", list(design.truth)), "refuted": ("direction", list(design.refuted))}
    return xr.Dataset({key: ("direction", x) for key, x in data.items()}, coords, {"experiments": n})


def _rate_of(design: Design, d: int, changes: Array, n: int, rng: np.random.Generator) -> float:
    """How often the best contrast of a direction refuses its rule in n experiments on draws of another."""
    best = design.contrast(design.truth[d], design.refuted[d])
    k, shape = OBSERVABLES.index(best.observable), (n, design.recordings)
    m = rng.choice(changes[:, design.best[d]], n)[:, None] + design.variability.between[k] * rng.standard_normal(shape)
    means = m + design.variability.unit[k] / np.sqrt(design.cells) * rng.standard_normal(shape)
    return float(refused(means, best.low, best.high, best.tail).mean())
