"""How much logarithms of observables change from unit to unit and from recording to recording when nothing else does.

Between two stretches of time, unit u of recording r changes by

    d_ru = m + b_r + e_ru + c_ru,   sd(b) = `between`, sd(e) = `within`, sd(c) = `counting`

with m what a manipulation does, b what is shared by the units of a recording (an animal, a session), e the units' own
drift, and c the noise of counting spikes. The mean over n units of each of R recordings has the variance

    (between^2 + (within^2 + counting^2)/n)/R

so that more cells of the same animals do not help beyond between^2/R: units are nested in recordings. Components come
from the analysis of variance of recordings with unequal numbers of units (Searle, Casella & McCulloch 1992, Variance
Components, ch. 3), counting from the spikes of every unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from equipoise.inference.observations import KINDS, LEAST_UNITS, epoch_of, types_of
from equipoise.inference.operating import POPULATIONS, Operating
from equipoise.inference.predictions import OBSERVABLES
from equipoise.measures import calcium_moments, cv_local, drift
from equipoise.measures.calcium import BLOCKS
from equipoise.model.calcium import Calcium
from equipoise.quantities import Array, Quantity, check, suggest
from equipoise.renewal.calcium import calcium_moments as calcium_moments_of
from equipoise.renewal.laws import GammaISI
from equipoise.results import Epoch, Recording
from equipoise.units import minute

if TYPE_CHECKING:
    import xarray as xr

LEAST_RECORDINGS = 3
"""Recordings from which the spread between them is estimated."""
INTRACLASS = 0.1
"""Intraclass correlation that is assumed where it is not known."""
OF_CV = 0.25
"""Scatter of log C_v,local of units beside that of log rates, as between sleep and wake of the shipped recording."""
STEP = 0.01
"""Of log rates, for the slope of calcium."""
LV_NOISE = 0.67
"""n var(log C_v,local) of n Poisson intervals, to 5 %."""
SOME_SAMPLES = 100
_SHARE = Quantity("intraclass correlation", low=0.0, high=0.99)
_SPAN = Quantity("length of a stretch", unit="minute", low=0.0, open_low=True)
_SCATTER = Quantity("sd of the logarithm of rates of units", low=0.0, high=5.0)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Variability:
    """Standard deviations of changes of natural logarithms, each (len(OBSERVABLES),); NaN where not recorded.

    `between` recordings, `within` a recording from unit to unit, and `counting` of one unit in two stretches of
    `duration` [s] each. `units` and `recordings` say what they rest on, none where they are assumed.
    """

    between: Array
    within: Array
    counting: Array
    duration: float
    units: tuple[int, int] = (0, 0)
    recordings: int = 0
    caveats: tuple[str, ...] = ()

    def __post_init__(self):
        check("Variability.duration", self.duration, _SPAN)
        for name in ("between", "within", "counting"):
            given = np.asarray(getattr(self, name), np.float64)
            if given.shape != (len(OBSERVABLES),) or (given < 0.0).any():
                raise ValueError(
                    f"Variability.{name} must be {len(OBSERVABLES)} standard deviations, of {', '.join(OBSERVABLES)}, "
                    f"got {getattr(self, name)!r}."
                )
            object.__setattr__(self, name, given)

    @property
    def unit(self) -> Array:
        """sd of one unit about the mean of its recording."""
        return np.hypot(self.within, self.counting)

    @property
    def intraclass(self) -> Array:
        """between^2/(between^2 + unit^2): how alike units of one recording are."""
        total = self.between**2 + self.unit**2
        return np.where(total > 0.0, self.between**2 / np.where(total > 0.0, total, 1.0), 0.0 * total)

    def design_effect(self, units: int) -> Array:
        """1 + (units - 1) intraclass: how many times fewer independent units there are than were recorded."""
        return 1.0 + (units - 1) * self.intraclass

    def error(self, units: int, recordings: int) -> Array:
        """Standard error of the mean over `units` of each of so many recordings."""
        return np.sqrt((self.between**2 + self.unit**2 / units) / recordings)

    def lasting(self, duration: float) -> "Variability":
        """The same with stretches of another length [s]: the noise of counts goes as 1/sqrt(duration)."""
        span = check("Variability.lasting: duration", duration, _SPAN)
        return replace(self, duration=span, counting=self.counting * np.sqrt(self.duration / span))

    def dataset(self) -> "xr.Dataset":
        """The standard deviations by observable."""
        import xarray as xr

        names = ("between", "within", "counting", "unit", "intraclass")
        about = {"units": "1"}
        return xr.Dataset(
            {name: ("observable", getattr(self, name), about) for name in names},
            coords={"observable": list(OBSERVABLES)},
            attrs={"duration": self.duration, "recordings": self.recordings, "caveats": list(self.caveats)},
        )

    def __repr__(self) -> str:
        known = f"{self.recordings} recordings, {self.units[0]} E and {self.units[1]} I units"
        rows = [f"Variability({known if self.recordings else 'assumed'}; stretches of {self.duration / minute:g} min)"]
        rows.append(f"  {'sd of log changes':19s}{'between':>9s}{'within':>9s}{'counting':>9s}{'intraclass':>12s}")
        for k, name in enumerate(OBSERVABLES):
            if np.isfinite(self.unit[k]):
                cells = f"{self.between[k]:9.3f}{self.within[k]:9.3f}{self.counting[k]:9.3f}{self.intraclass[k]:12.3f}"
                rows.append(f"  {name:19s}{cells}")
        return "\n".join(rows + [f"  {caveat}" for caveat in self.caveats])


def assumed_variability(
    at: Operating | None = None,
    *,
    duration: float = 10 * minute,
    scatter: float = 0.5,
    intraclass: float = INTRACLASS,
) -> Variability:
    """Variability without a recording: counts of renewal spikes, units whose log rates scatter by `scatter`.

    Counting has the variance C_v^2/(rate duration) for the logarithm of the rate and `LV_NOISE`/(rate duration) for
    that of C_v, twice, for two stretches. Calcium follows the rate with its slope at the operating point `at`.
    """
    at = Operating() if at is None else at
    span, width = (
        check("assumed_variability: duration", duration, _SPAN),
        check("assumed_variability: scatter", scatter, _SCATTER),
    )
    rate, cv = np.array(at.rate), np.array(at.cv)
    of_rate, of_cv = np.sqrt(2.0 * cv**2 / (rate * span)), np.sqrt(2.0 * LV_NOISE / (rate * span))
    mean, second = _slopes(at)
    counting = np.concatenate([of_rate, of_cv, mean * of_rate, second * of_rate])
    within = width * np.concatenate([np.ones(2), np.full(2, OF_CV), mean, second])
    between = _between(np.hypot(within, counting), intraclass)
    said = f"Variability is assumed: units scatter by {width:g} in the logarithm of rates, intraclass {intraclass:g}."
    return Variability(between=between, within=within, counting=counting, duration=span, caveats=(said,))


def _slopes(at: Operating) -> Array:
    """d log(calcium moment)/d log(rate) at constant C_v (moment, population), for gamma intervals."""
    ends = [
        np.log(calcium_moments_of(at.sensor, GammaISI(rate=np.array(at.rate) * np.exp(x), cv=np.array(at.cv))))
        for x in (-STEP, STEP)
    ]
    return (ends[1] - ends[0]) / (2.0 * STEP)


def variability(
    recordings: Recording | Sequence[Recording],
    first: str | Epoch,
    second: str | Epoch,
    *,
    sensor: Calcium | None = None,
    intraclass: float | None = None,
) -> Variability:
    """Variability of units between two epochs of each recording, best two that nothing was done between.

    A change that all units of all recordings share is not in it. `intraclass` says how alike units of one recording
    are; left out, it is estimated from three recordings on, and 0.1 below. labels["type"] tells E from I, without it
    all units count as E. Raises ValueError for epochs that are not there or overlap, and where no type has five units.
    """
    many = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not many or not all(isinstance(one, Recording) for one in many):
        raise TypeError(f"variability: recordings must be a Recording or a list of them, got {recordings!r}.")
    tables, groups, caveats, spans = [], [], [], []
    for one in many:
        epochs = _apart(epoch_of(one, first), epoch_of(one, second))
        found, said = types_of(one)
        tables.append(_changes(one, epochs, sensor or Calcium()))
        groups.append(found)
        caveats += said
        spans += [epoch.stop - epoch.start for epoch in epochs]
    units = tuple(sum(found[a].size for found in groups) for a in range(len(POPULATIONS)))
    if not any(units):
        raise ValueError(
            f"variability: a recording needs at least {LEAST_UNITS} units of a type, got "
            f"{[one.spikes.n_units for one in many]} units. {' '.join(dict.fromkeys(caveats))}"
        )
    rows = []
    for k, a in product(range(KINDS), range(len(POPULATIONS))):
        parts = [(d[k, some[a]], v[k, some[a]]) for (d, v), some in zip(tables, groups, strict=True)]
        rows.append(_components(parts, intraclass))
    between, within, counting = np.array(rows).T
    if intraclass is None and len(many) < LEAST_RECORDINGS:
        caveats.append(f"The spread between recordings is assumed: intraclass correlation {INTRACLASS:g}.")
    # stretches of unequal lengths count as the one length that has the same noise of counts
    duration = float(1.0 / np.mean(1.0 / np.array(spans)))
    return Variability(
        between=between, within=within, counting=counting, duration=duration, units=(units[0], units[1]),
        recordings=len(many), caveats=tuple(dict.fromkeys(caveats)),
    )  # fmt: skip


def log_changes(
    recording: Recording, observable: str, beside: str | Epoch, phase: str | Epoch, *, sensor: Calcium | None = None
) -> Array:
    """Log changes (units,) of an observable such as "rate_E" between two epochs, as `Contrast.refuses` takes them.

    They are those that `variability` is of: half a spike is added to counts, and units are left out where C_v or
    calcium is not known, as of silent ones. Raises ValueError for unknown names, epochs that overlap, and no unit.
    """
    if observable not in OBSERVABLES:
        hint = suggest(str(observable), OBSERVABLES)
        raise ValueError(f"log_changes: observable must be one of {', '.join(OBSERVABLES)}, got {observable!r}.{hint}")
    epochs = _apart(epoch_of(recording, beside), epoch_of(recording, phase))
    groups, caveats = types_of(recording)
    kind, a = divmod(OBSERVABLES.index(observable), len(POPULATIONS))
    change, variance = (values[kind, groups[a]] for values in _changes(recording, epochs, sensor or Calcium()))
    found = change[np.isfinite(change) & np.isfinite(variance)]
    if not found.size:
        raise ValueError(f"log_changes: {observable} is not known of any unit. {' '.join(caveats)}".rstrip())
    return found


def _apart(first: Epoch, second: Epoch) -> tuple[Epoch, Epoch]:
    """Two epochs; ValueError where they share time, since the spikes that they share do not vary."""
    if min(first.stop, second.stop) > max(first.start, second.start):
        raise ValueError(
            f"variability: two epochs must not overlap, got {first.name!r} from {first.start:g} to "
            f"{first.stop:g} s and {second.name!r} from {second.start:g} to {second.stop:g} s."
        )
    return first, second


def _changes(recording: Recording, epochs: tuple[Epoch, Epoch], sensor: Calcium) -> tuple[Array, Array]:
    """Changes of the logarithms of each unit and their variances by counting, each (KINDS, units)."""
    trains = [recording.during(epoch) for epoch in epochs]
    rates = drift(*trains, samples=SOME_SAMPLES)
    rows = [(rates.change * np.log(2.0), (rates.error * np.log(2.0)) ** 2)]
    parts = [_irregularity(one) for one in trains]
    calcium = [_calcium(one, sensor) for one in trains]
    parts = [parts, *([found[k] for found in calcium] for k in range(2))]
    with np.errstate(invalid="ignore"):  # calcium of units that are silent in both
        rows += [(later[0] - before[0], later[1] + before[1]) for before, later in parts]
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])


def _irregularity(trains) -> tuple[Array, Array]:
    """log C_v,local of units and its variance."""
    from scipy.special import ndtri

    found = cv_local(trains, confidence=0.95)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(found.values), (np.log(found["high"].values / found.values) / ndtri(0.975)) ** 2


def _calcium(trains, sensor: Calcium) -> list[tuple[Array, Array]]:
    """Logarithms of both calcium moments of units and their variances."""
    from scipy.special import stdtrit

    found, reach = calcium_moments(trains, sensor, confidence=0.95), stdtrit(BLOCKS - 1, 0.975)
    out = []
    for name in ("mean", "second_moment"):
        value, high = found[name].values, found[f"{name}_high"].values
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append((np.log(value), ((high / value - 1.0) / reach) ** 2))
    return out


def _components(parts: Sequence[tuple[Array, Array]], intraclass: float | None) -> tuple[float, float, float]:
    """sd between, within and of counting of one observable; NaN where fewer than five units are known."""
    some = []
    for change, variance in parts:
        known = np.isfinite(change) & np.isfinite(variance)
        if known.sum() >= 2:
            some.append((change[known], variance[known]))
    sizes = np.array([len(d) for d, _ in some])
    if sizes.sum() < LEAST_UNITS:
        return np.nan, np.nan, np.nan
    N, R = sizes.sum(), len(some)
    square = float(sum(((d - d.mean()) ** 2).sum() for d, _ in some) / (N - R))
    counts = float(np.concatenate([v for _, v in some]).mean())
    within, unit = np.sqrt(max(square - counts, 0.0)), np.sqrt(max(square, counts))
    if intraclass is None and R >= LEAST_RECORDINGS:
        means = np.array([d.mean() for d, _ in some])
        grand = (sizes * means).sum() / N
        each = (N - (sizes**2).sum() / N) / (R - 1)
        between = np.sqrt(max(((sizes * (means - grand) ** 2).sum() / (R - 1) - square) / each, 0.0))
    else:
        between = float(_between(np.array(unit), INTRACLASS if intraclass is None else intraclass))
    return float(between), float(within), float(np.sqrt(counts))


def _between(unit: Array, intraclass: float) -> Array:
    """sd between recordings at which units with this sd within one are so much alike."""
    share = check("variability: intraclass", intraclass, _SHARE)
    return unit * np.sqrt(share / (1.0 - share))
