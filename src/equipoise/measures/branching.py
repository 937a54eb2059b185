"""The branching ratio m of activity, from how it regresses on its past.

In a branching process under drive the slopes of A(t + k) on A(t) are m^k. Where only part of the units is seen they are
b m^k with b < 1, so that the slope at one step is too small, and what tells m is how slopes decay over many: multistep
regression (Wilting & Priesemann 2018, Nat. Commun. 9:2325). The time constant of the decay is tau = -bin/log m.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise import dynamics
from equipoise.measures.avalanches import Activity, activity
from equipoise.measures.estimates import CONFIDENCE
from equipoise.measures.regression import BLOCKS, block_sums, trial_sums
from equipoise.quantities import Array, check, finite, whole
from equipoise.results import Recording, SpikeTrains, Status
from equipoise.units import ms

BIN = 4 * ms
WINDOW = 6.0
"""Time constants that lags reach over by default."""
SHORTEST = 10
"""Lags that a fit by default has at least."""
LONGEST = 1000
"""And at most: slower changes are seldom those of a branching process."""
FEWEST_TRIALS = 5
FIRST, MISFIT = 5, 0.1
"""Lags whose slopes are compared with the fit, and the part of it by which they may differ."""
NO_SLOPES = "the first slopes do not stand out from none"
DRIFT = 0.68
"""Correlation of the means of 20 blocks with time that chance exceeds once in a thousand records."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BranchingRatio:
    """Branching ratio `value` per bin with its interval, from the slopes of `n` bins at lags 1 .. kmax.

    `slopes` (kmax,) are b m^k + c with b = `amplitude` and c = `offset` (0 where none is fitted). `bin` is in s, 1 for
    counts, whose `tau` is in bins then. `reasons` say why the status is DOUBTFUL or INSUFFICIENT_DATA.
    """

    value: float
    low: float
    high: float
    n: int
    status: Status
    reasons: tuple[str, ...]
    bin: float
    slopes: Array
    amplitude: float
    offset: float

    def __float__(self) -> float:
        return self.value

    @property
    def kmax(self) -> int:
        """The longest lag [bins]."""
        return self.slopes.size

    @property
    def one_step(self) -> float:
        """The slope at one bin: m where all units are seen, too small where a part of them is."""
        return float(self.slopes[0]) if self.slopes.size else np.nan

    @property
    def tau(self) -> float:
        """-bin/log m; infinite for m >= 1, 0 for m <= 0."""
        return _tau(self.value) * self.bin

    @property
    def tau_interval(self) -> tuple[float, float]:
        """The ends of the interval of m as time constants."""
        return _tau(self.low) * self.bin, _tau(self.high) * self.bin

    def __repr__(self) -> str:
        if not np.isfinite(self.value):
            return f"BranchingRatio({self.status.name}: {'; '.join(self.reasons)})"
        doubt = f"; doubtful: {'; '.join(self.reasons)}" if self.reasons else ""
        return (
            f"BranchingRatio(m {self.value:.4g} in [{self.low:.4g}, {self.high:.4g}], tau {self.tau:.4g}, "
            f"lags 1 to {self.kmax}, one step {self.one_step:.3g}{doubt})"
        )


def branching_ratio(
    data: Activity,
    *,
    bin: float | None = None,  # noqa: A002
    kmax: int | None = None,
    offset: bool = False,
    per_trial: bool = False,
    confidence: float = 0.95,
) -> BranchingRatio:
    """Branching ratio m per bin by multistep regression, with its interval.

    `data` are spike trains or a recording, counted in bins of `bin` [s] (4 ms), or counts (bins,) or (trials, bins).
    The slopes r_k at lags 1 .. `kmax` bins are fitted by b m^k, or with `offset` by b m^k + c, least squares with b
    positive. kmax = 1 is the regression at one step, which needs all units; by default lags reach over six time
    constants, 1000 bins at most. Means are those of all trials (stationary mean), or with `per_trial` the slopes of
    each trial, with its own mean, are averaged (trial-separated: free of differences between trials, biased by about
    -(1 + 3m)/bins).

    The interval is that of a jackknife over 20 blocks (or up to 20 groups of trials) with the quantile of Student's t,
    on the scale of log tau where m can be taken there. It holds for activity that is stationary. The status is
    DOUBTFUL, with reasons, where a condition of the method fails: slopes no larger than their errors, a first slope
    that is not positive, m above 1, a tau beyond the window of lags, activity that drifts, or first slopes that are
    off the fitted curve. Fewer than 20 bins a lag, lags longer than the data, or counts that never change give NaN
    and INSUFFICIENT_DATA.
    """
    counts, width = _trials(data, bin)
    tail = 0.5 * (1.0 - check("measures.confidence", confidence, CONFIDENCE))
    _check_settings(counts, kmax, offset, per_trial)
    lacking = _lacking(counts, SHORTEST if kmax is None else kmax)
    if lacking:
        return _unknown(counts.size, width, lacking)
    longest = _reach(counts, per_trial) if kmax is None else int(kmax)
    slopes, left_out = _slopes(counts, longest, per_trial)
    found, *rest = _Model(longest, offset).each(np.vstack([slopes, left_out]))
    others = np.array(rest)
    if not np.isfinite(found[0]):
        return _unknown(counts.size, width, "no slope is positive: activity does not follow its past", slopes)
    low, high = _interval(found[0], others[:, 0], tail)
    reasons = _doubts(counts, slopes, found, left_out, others)
    return BranchingRatio(
        value=float(found[0]), low=low, high=high, n=counts.size, status=Status.DOUBTFUL if reasons else Status.OK,
        reasons=reasons, bin=width, slopes=slopes, amplitude=float(found[1]), offset=float(found[2]),
    )  # fmt: skip


def _check_settings(counts: Array, kmax: int | None, offset: bool, per_trial: bool) -> None:
    if kmax is not None:
        whole("measures.branching_ratio: kmax", kmax, low=1)
    if offset and kmax is not None and kmax < 4:
        raise ValueError(f"measures.branching_ratio: a fit with an offset needs kmax of at least 4, got {kmax}.")
    if per_trial and len(counts) < FEWEST_TRIALS:
        raise ValueError(
            f"measures.branching_ratio: per_trial needs {FEWEST_TRIALS} trials at least, got {len(counts)}."
        )


def _trials(data: Activity, width: float | None) -> tuple[Array, float]:
    """Counts (trials, bins) and their bin."""
    if isinstance(data, SpikeTrains | Recording):
        bin_ = BIN if width is None else width
        return activity(data, bin=bin_)[None].astype(np.float64), float(bin_)
    if width is not None:
        raise ValueError("measures.branching_ratio: counts have their bins; give spike trains for bin.")
    given = finite("measures.branching_ratio", "data", data, low=0.0)
    if given.ndim not in (1, 2) or given.size == 0:
        raise ValueError(
            "measures.branching_ratio: data must be counts (bins,) or (trials, bins), spike trains or a recording, "
            f"got shape {given.shape}."
        )
    return np.atleast_2d(given), 1.0


def _lacking(counts: Array, kmax: int) -> str:
    """What the data lack for so many lags; empty where they lack nothing."""
    length = counts.shape[1]
    if kmax >= length:
        return f"the window of {kmax} lags is longer than the data of {length} bins"
    if counts.size < BLOCKS * (kmax + 1):
        return f"{counts.size} bins are fewer than {BLOCKS} for each of {kmax} lags"
    return "activity never changes" if np.ptp(counts) == 0.0 else ""


def _unknown(n: int, width: float, reason: str, slopes: Array | None = None) -> BranchingRatio:
    nothing = dict.fromkeys(("value", "low", "high", "amplitude", "offset"), np.nan)
    kept = np.empty(0) if slopes is None else slopes
    return BranchingRatio(**nothing, n=n, status=Status.INSUFFICIENT_DATA, reasons=(reason,), bin=width, slopes=kept)


def _reach(counts: Array, per_trial: bool) -> int:
    """Lags over six time constants, as found with few of them first; no more than the data allow."""
    most = min(counts.size // BLOCKS - 1, counts.shape[1] - 1, LONGEST)
    reach, wanted = SHORTEST, 2 * SHORTEST
    while reach < most and reach < wanted:
        reach = min(2 * reach, most)
        m = _Model(reach, False).each(_slopes(counts, reach, per_trial)[0][None])[0, 0]
        wanted = WINDOW * _tau(m) if np.isfinite(m) else 0.0
    return int(np.clip(wanted if np.isfinite(wanted) else most, SHORTEST, most))


def _slopes(counts: Array, kmax: int, per_trial: bool) -> tuple[Array, Array]:
    """Slopes (kmax,), and those with each block or group of trials left out (blocks, kmax)."""
    if not per_trial:
        sums = block_sums(counts, kmax)
        return sums.slopes(), sums.slopes_without()
    each = trial_sums(counts, kmax).slopes_of_each()
    each = each[np.isfinite(each).all(axis=1)]  # without the trials whose activity does not change
    if len(each) < FEWEST_TRIALS:
        return np.full(kmax, np.nan), np.full((BLOCKS, kmax), np.nan)
    groups = np.array_split(np.arange(len(each)), min(BLOCKS, len(each)))
    return each.mean(axis=0), np.array([np.delete(each, group, axis=0).mean(axis=0) for group in groups])


class _Model:
    """Least-squares fit of b m^k (+ c), b > 0, to slopes at lags 1 .. kmax: m alone is searched, b and c are linear."""

    def __init__(self, kmax: int, offset: bool):
        self.k, self.offset = np.arange(1.0, kmax + 1.0), offset
        # m = exp(-rate/kmax): from growth to a decay within a part of a bin, evenly in its logarithm.
        self.rates = np.concatenate([np.linspace(-5.0, -0.2, 12), np.geomspace(1e-2, 30.0 * kmax, 90)])
        self.shapes = self._shapes(self.rates)

    def _shapes(self, rates: Array) -> Array:
        """Unit vectors along m^k (rates, kmax), across the constant where there is an offset."""
        shapes = np.exp(-np.outer(rates / self.k.size, self.k - 1.0))
        if self.offset:
            shapes = shapes - shapes.mean(axis=1, keepdims=True)
        return shapes / np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-300)

    def each(self, rows: Array) -> Array:
        """m, b and c of each row of slopes (rows, kmax) as (rows, 3)."""
        return np.array([self._best(row, along) for row, along in zip(rows, rows @ self.shapes.T, strict=True)])

    def _best(self, slopes: Array, along: Array) -> tuple[float, float, float]:
        """m, b and c; NaN where no b is positive."""
        if self.k.size == 1:
            return float(slopes[0]), 1.0, 0.0
        best = int(np.argmax(along))
        if not along[best] > 0.0:
            return np.nan, np.nan, np.nan
        ends = self.rates[max(best - 1, 0)], self.rates[min(best + 1, self.rates.size - 1)]
        rate = dynamics.lowest_point(lambda r: -float(self._shapes(np.array([r]))[0] @ slopes), *ends)[0]
        m = float(np.exp(-rate / self.k.size))
        return (m, *self._linear(m, slopes))

    def _linear(self, m: float, slopes: Array) -> tuple[float, float]:
        power = m**self.k
        if not self.offset:
            return float(slopes @ power / (power @ power)), 0.0
        b = float(np.cov(power, slopes)[0, 1] / power.var(ddof=1))
        return b, float(slopes.mean() - b * power.mean())


def _tau(m: float) -> float:
    """Time constant -1/log m in bins."""
    if not m > 0.0:
        return 0.0 if m <= 0.0 else np.nan
    return np.inf if m >= 1.0 else float(-1.0 / np.log(m))


def _interval(value: float, left_out: Array, tail: float) -> tuple[float, float]:
    """Jackknife with Student's t, on the scale of log tau where all values lie between 0 and 1."""
    from scipy.special import stdtrit

    inside = 0.0 < value < 1.0 and bool(((left_out > 0.0) & (left_out < 1.0)).all())
    to: Callable = (lambda m: np.log(-np.log(m))) if inside else (lambda m: m)
    back: Callable = (lambda u: np.exp(-np.exp(u))) if inside else (lambda u: u)
    at, many = to(value), to(left_out)
    reach = float(stdtrit(many.size - 1, 1.0 - tail) * np.sqrt((many.size - 1) * many.var()))
    ends = sorted(float(back(at + side * reach)) for side in (-1.0, 1.0))
    return ends[0], ends[1]


def _doubts(counts: Array, slopes: Array, found: Array, left_out: Array, others: Array) -> tuple[str, ...]:
    """Which conditions of the method fail."""
    m, doubts = found[0], []
    if not np.isfinite(others).all():
        doubts.append("a single block holds all that changes: no interval")
    if slopes[0] <= 0.0:
        doubts.append(f"the first slope is not positive ({slopes[0]:.2g})")
    if m > 1.0:
        doubts.append(f"m = {m:.4g} is above 1, where activity is not stationary")
    elif slopes.size > 1 and _tau(m) > slopes.size:
        doubts.append(f"tau of {_tau(m):.3g} bins is beyond the window of {slopes.size} lags")
    if _within_error(slopes[:FIRST].mean(), left_out[:, :FIRST].mean(axis=1)):
        doubts.append(NO_SLOPES)
    drift = _drift(counts)
    if abs(drift) > DRIFT:
        doubts.append(f"activity {'rises' if drift > 0.0 else 'falls'} over the record")
    misfit = _misfit(slopes, left_out, found, others) if slopes.size >= SHORTEST and slopes[0] > 0.0 else ""
    return (*doubts, *([misfit] if misfit else []))


def _drift(counts: Array) -> float:
    """Correlation of the means of 20 blocks with time."""
    means = np.array([block.mean() for block in np.array_split(counts.ravel(), BLOCKS)])
    return float(np.corrcoef(means, np.arange(BLOCKS))[0, 1]) if np.ptp(means) > 0.0 else 0.0


def _misfit(slopes: Array, left_out: Array, found: Array, others: Array) -> str:
    """Whether the first slopes lie off the fitted curve, by a tenth of it and four errors; empty where they do not."""
    k = np.arange(1.0, min(FIRST, slopes.size) + 1.0)
    fitted = _curve(found, k)
    off = slopes[: k.size].mean() - fitted
    many = left_out[:, : k.size].mean(axis=1) - np.array([_curve(one, k) for one in others])
    if abs(off) < MISFIT * abs(fitted) or _within_error(off, many):
        return ""
    hint = "" if found[2] else "; try an offset"
    return f"the first slopes lie {100 * off / fitted:+.0f} % off the fit: not one time scale{hint}"


def _within_error(value: float, left_out: Array) -> bool:
    """Whether a value lies within four of its jackknife errors of 0."""
    return bool(abs(value) < 4.0 * np.sqrt((left_out.size - 1) * left_out.var()))


def _curve(found: Array, k: Array) -> float:
    """Mean of b m^k + c over lags."""
    m, b, c = found
    return float((b * m**k + c).mean())
