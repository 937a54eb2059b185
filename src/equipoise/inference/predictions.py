"""What each rule predicts of a manipulation: simulations from priors, in the observables of a recording.

Each draw is a circuit of E, I and a source X that fires as observed before (see `operating`), under a rule that holds
it there, for circuits in which the rule is stable. Around a given circuit, see `resting`, draws are its neighbours. The
manipulation begins, lasts `duration` and ends; rates are at their mean-field fixed point all along and the rule moves
its slow variables. Observables are natural logarithms beside the state before, of unequal cells the mean of the cells'
logarithms, in four phases:

    acute     as the manipulation begins            during   as it has lasted `duration`
    rebound   as it ends                            after    `washout` later

and at moments between, "3 h" into the manipulation or "3 h after" it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import Batch, C, Circuits, batch_of, stable
from equipoise.inference.candidates import Candidate, candidates_of, columns, rules_of
from equipoise.inference.neighbours import Neighbours, neighbours_of, together
from equipoise.inference.networks import Networks, networks_of
from equipoise.inference.operating import (
    NAMES,
    POPULATIONS,
    SET_POINTS,
    Draws,
    Operating,
    draws_of,
    joined,
    log_uniform,
)
from equipoise.inference.perturbations import Perturbation, perturbation_of
from equipoise.inference.resting import Resting
from equipoise.inference.slow_batch import Course, SlowBatch, changed, follow, held
from equipoise.model.protocols import Protocol
from equipoise.quantities import Array, Quantity, check, seed_sequence, whole
from equipoise.results import NumericalFailure, Status
from equipoise.units import day, hour

if TYPE_CHECKING:
    import xarray as xr

PHASES = ("acute", "during", "rebound", "after")
OBSERVABLES = tuple(f"{what}_{p}" for what in ("rate", "cv", "calcium_mean", "calcium_second") for p in POPULATIONS)
SPAN = Quantity("time", unit="day", low=0.0, open_low=True)
STRETCH = Quantity("length of a recording", unit="minute", low=0.0)
NODES = 4
"""Of the mean over a recording."""
LARGEST = np.log(5.0)
"""Largest acute change of a rate: doses that do more than fivefold are not chosen."""
BLOCK, FEW, MOST = 8, 40, 400
"""Circuits drawn at a time, before a rule that is stable in none is given up, and at most, for each one asked for."""
NEAR_BLOCK, NEAR_FEW, NEAR_MOST = 1, 1, 4
"""The same around a given circuit."""
POINTS = 32
"""Set points that circuits from the priors share."""
Follow = Callable[[SlowBatch[C], Array, Array, float], Course]
Drawn = Draws | Neighbours


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """What is simulated: the state before, the manipulation, the times it lasts and is gone, moments in both [s].

    Recordings last `stretch` [s]: acute and rebound are means over that long, of rules that move meanwhile.
    """

    at: Operating
    how: Perturbation
    duration: float
    washout: float
    moments: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    stretch: float = 0.0

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases and the moments between, in order of time."""
        into, past = self.moments
        between = [f"{t / hour:g} h" for t in into], [f"{t / hour:g} h after" for t in past]
        return (PHASES[0], *between[0], *PHASES[1:3], *between[1], PHASES[3])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Predictions:
    """Draws of one rule: `values` (draw, phase, observable), unknowns `u` (draw, len(NAMES)) in (0, 1), strengths.

    Its `phases` are those of the experiment, moments among them.

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

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of `values`."""
        return self.what.phases

    def at(self, phases: Sequence[str]) -> Array:
        """The values in some of the phases."""
        return self.values[:, [self.phases.index(phase) for phase in phases]]

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
            coords={"phase": list(self.phases), "observable": list(OBSERVABLES), "name": list(NAMES)},
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
    moments: Sequence[float] = (),
    stretch: float = 0.0,
    seed: int = 0,
) -> tuple[Predictions, ...]:
    """What each rule predicts of a manipulation, from `draws` circuits of the priors that all rules share.

    `operating` is where circuits of the priors fire, or a given circuit at rest (`resting`), around which they are
    drawn. `duration` [s] of the manipulation and `washout` [s] after it count beside the rules' own time,
    `Operating.tau`; `moments` [s] after each onset are told beside the phases, those within the time that there is.
    Recordings last `stretch` [s], over which acute and rebound are means; without one they are states of no length.
    Raises ValueError for unknown names, and NumericalFailure where no circuit rests as asked with any of the rules.
    """
    at = Operating() if operating is None else operating
    how = perturbation_of(manipulation)
    spans = check("predictions.duration", duration, SPAN), check("predictions.washout", washout, SPAN)
    n = whole("predictions: draws", draws, low=10, high=1_000_000)
    length, between = check("predictions.stretch", stretch, STRETCH), _moments(moments, spans)
    what = Experiment(at=at, how=how, duration=spans[0], washout=spans[1], moments=between, stretch=length)
    asked = candidates_of(rules)
    drawn, fits, offered = pool(at, asked, n, np.random.default_rng(seed_sequence(seed)))
    shares, fits = fits.sum(axis=1) / offered, fits & (np.cumsum(fits, axis=1) <= n)
    used = np.flatnonzero(fits.any(axis=0))
    if used.size == 0:
        raise NumericalFailure(
            Status.UNSTABLE, f"predictions: no circuit of the priors rests at {at.rate} Hz with a rule that is stable."
        )
    drawn, fits = drawn.take(used), fits[:, used]
    under, strength = manipulated(drawn, what)
    rows = zip(asked, map(np.flatnonzero, fits), shares, strict=True)
    return tuple(_predicted(one, drawn, (row, float(share)), (under, strength), what) for one, row, share in rows)


def _moments(moments: Sequence[float], spans: tuple[float, float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Moments that lie within each span, in order."""
    given = sorted({check("predictions.moments", t, SPAN) for t in moments})
    return tuple(t for t in given if t < spans[0]), tuple(t for t in given if t < spans[1])


def _predicted(
    one: Candidate, drawn: Drawn, rests: tuple[NDArray, float], under: tuple[Any, Array], what: Experiment
) -> Predictions:
    """The draws of one rule, in those rows of the circuits in which it is stable."""
    row, share = rests
    values = np.zeros((0, len(what.phases), len(OBSERVABLES)))
    if row.size:
        values = observed_phases(system(one, drawn).take(row), under[0].take(row), drawn.start[row], what)
    known = np.isfinite(values).all(axis=(1, 2))
    if isinstance(drawn, Draws):
        known &= (np.abs(values[:, 0, :2]) <= LARGEST).all(axis=1)
    kept = row[known]
    u = drawn.u[kept]
    if what.how.low == what.how.high:
        u[:, -1] = 0.5
    return Predictions(
        rule=one, what=what, values=values[known], u=u, strength=under[1][kept], stable=share,
        lost=int((~known).sum()),
    )  # fmt: skip


def pool(
    at: Operating, candidates: Sequence[Candidate], n: int, rng: np.random.Generator
) -> tuple[Drawn, NDArray[np.bool_], int]:
    """Circuits from the priors that rest as asked, until every rule is stable in `n` of them.

    With them: which rule is stable in which (candidate, circuit), and how many circuits were drawn. A rule may stay
    short where as many as may be drawn are not enough.
    """
    near = isinstance(at, Resting)
    offers = _near(at, n, rng) if near else _anywhere(at, n, rng)
    few, most = (NEAR_FEW, NEAR_MOST) if near else (FEW, MOST)
    parts, stables, offered, found = [], [], 0, np.zeros((len(candidates), 0), bool)
    for some, count in offers:
        offered += count
        stables.append(np.array([held(system(one, some), some.start) for one in candidates]))
        parts.append(some)
        found = np.concatenate(stables, axis=1)
        enough = found.sum(axis=1) >= n
        hopeless = ~found.any(axis=1) & (offered >= few * n)
        if (enough | hopeless).all() or offered >= most * n:
            break
    return (together(parts) if near else joined(parts)), found, offered


def _anywhere(at: Operating, n: int, rng: np.random.Generator) -> Iterator[tuple[Draws, int]]:
    """Circuits of the priors that rest at a stable state, and how many were drawn for them, again and again."""
    sets = _set_points(at, rng)
    while True:
        free = rng.random((BLOCK * n, len(NAMES) - sets.shape[1]))
        u = np.insert(free, SET_POINTS.start, np.resize(sets, (len(free), sets.shape[1])).T, axis=1)
        some = draws_of(at, u)
        some = some.take(some.plausible)
        tau = np.full(len(POPULATIONS), at.neuron.tau_m)
        yield some.take(np.flatnonzero(stable(some.batch(), some.start, tau))), BLOCK * n


def _set_points(at: Operating, rng: np.random.Generator) -> Array:
    """A low-discrepancy set of rates and C_v of E and I before (points, 4); one point where they are known."""
    from scipy.stats.qmc import Halton

    if not at.uncertain:
        return np.full((1, 4), 0.5)
    return Halton(4, rng=rng).random(POINTS)


def _near(at: Resting, n: int, rng: np.random.Generator) -> Iterator[tuple[Neighbours, int]]:
    """Circuits around a given one, of low discrepancy, and how many were drawn for them, again and again."""
    from scipy.stats.qmc import Halton

    sequence = Halton(len(NAMES), rng=rng)
    while True:
        yield neighbours_of(at, sequence.random(NEAR_BLOCK * n)), NEAR_BLOCK * n


def system(candidate: Candidate, draws: Drawn) -> SlowBatch[Any]:
    """The circuits under the rules of a candidate, each with its own set points."""
    sets = tuple(rules_of(candidate, point) for point in draws.points)
    return SlowBatch(
        batch=draws.batch(), names=draws.names, rules=sets[0], speed=draws.speed[:, columns(sets[0])],
        sets=sets if len(sets) > 1 else (), which=draws.which,
    )  # fmt: skip


def manipulated(draws: Drawn, what: Experiment) -> tuple[Any, Array]:
    """The circuits under the manipulation, and its strengths."""
    strength = log_uniform(draws.u[:, -1], what.how.low, what.how.high)
    pairs = zip(draws.circuits(), strength, strict=True)
    under = [what.how.apply(circuit, what.at, float(x)) for circuit, x in pairs]
    if isinstance(draws, Draws):
        return batch_of(under), strength
    return replace(draws.network, wirings=networks_of(under).wirings), strength


def observed_phases(first: SlowBatch[C], under: C, r: Array, what: Experiment) -> Array:
    """Observables (n, phase, observable) of circuits at states r under their rules, beside those before.

    NaN where a circuit does not rest at a stable state.
    """
    before = _observed(first.batch, r, first.names, what.at)
    during, later = courses(first, under, r, (what.duration, what.washout))
    out = []
    for batch, course, moments in ((under, during, what.moments[0]), (first.batch, later, what.moments[1])):
        here = replace(first, batch=batch)
        out.append(_onset(here, course, what))
        for z, state in (*_between(here, course, moments), (course.z[-1], course.r[-1])):
            out.append(_seen(here, z, state, what.at))
    return np.stack(out, axis=1) - before[:, None]


def _seen(here: SlowBatch[C], z: Array, state: Array, at: Operating) -> Array:
    """Logarithms of observables (n, observable) at slow variables z and states."""
    return _observed(here.moved(np.nan_to_num(z)), state, here.names, at)


def _onset(here: SlowBatch[C], course: Course, what: Experiment) -> Array:
    """Logarithms of the means over a recording that begins with a course; rules may move rates within minutes."""
    stretch = min(what.stretch, float(course.time[-1]))
    if not stretch or not here.speed.shape[1]:
        return _seen(here, course.z[0], course.r[0], what.at)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    stages = _between(here, course, 0.5 * stretch * (1.0 + nodes))
    values = np.exp([_seen(here, z, state, what.at) for z, state in stages])
    return np.log(np.tensordot(0.5 * weights, values, axes=1))


def _between(system: SlowBatch[C], course: Course, moments: Sequence[float] | Array) -> list[tuple[Array, Array]]:
    """Slow variables and states at moments of a course, by monotone cubics in log(time) and the states that follow."""
    from scipy.interpolate import PchipInterpolator

    if not len(moments):
        return []
    scale = course.time[1]
    known = np.asarray(np.isfinite(course.z).all(axis=(0, 2)) & np.isfinite(course.r).all(axis=(0, 2)))
    path = PchipInterpolator(np.arcsinh(course.time / scale), np.where(known[:, None], course.z, 0.0), axis=0)
    out = []
    for t in moments:
        z, near = path(np.arcsinh(t / scale)), course.r[np.searchsorted(course.time, t)]
        out.append((z, system.moved(z).settled(np.where(known[:, None], near, np.nan))))
    return out


def courses(
    first: SlowBatch[C], under: C, r: Array, spans: tuple[float, float], *, along: Follow = follow
) -> tuple[Course, Course]:
    """The course while a manipulation lasts, and after it; `along` follows each."""
    z = np.zeros_like(first.speed)
    other, acute = changed(first, under, z, r)
    during = along(other, z, acute, spans[0])
    _, rebound = changed(other, first.batch, np.nan_to_num(during.z[-1]), during.r[-1])
    return during, along(first, during.z[-1], rebound, spans[1])


def _observed(batch: Circuits, r: Array, names: Sequence[str], at: Operating) -> Array:
    """Logarithms of rate, C_v and both calcium moments of E and I (n, observable); NaN where they do not rest.

    Of unequal cells they are averages of the cells' own logarithms, as `Contrast.refuses` takes them.
    """
    pair = [names.index(name) for name in POPULATIONS]
    if isinstance(batch, Networks):
        each = [batch.logarithms(at.sensor, a, r) for a in pair]  # (population, 4, n)
        return np.stack(each, axis=1).reshape(-1, len(r)).T
    if isinstance(batch, Batch):
        r = np.where(stable(batch, r, np.full(r.shape[1], at.neuron.tau_m))[:, None], r, np.nan)
    moments = np.array([batch.calcium(at.sensor, a, r) for a in pair])  # (population, moment, n)
    columns = [r[:, pair], batch.irregularity(r)[:, pair], moments[:, 0].T, moments[:, 1].T]
    with np.errstate(divide="ignore"):
        return np.log(np.concatenate(columns, axis=1))
