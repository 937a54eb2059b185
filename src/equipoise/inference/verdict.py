"""Which homeostatic rules are compatible with a recording before, during and after a manipulation.

With y the observed logarithms, p_i the n predictions of a rule from its priors (see `predictions`), and C the sum of
the covariance of y, `tolerance`^2 on its diagonal for what mean-field circuits of equal cells leave out, and a
covariance that fills the gaps between the p_i near the data:

    evidence      Z = (1/n) sum_i N(y; p_i, C)
    posterior     Z over the sum of all rules' Z: all rules are equally likely before the data
    p             sum_i w_i P(chi^2 >= (y - p_i)' C^-1 (y - p_i)), w_i = N(y; p_i, C)/(n Z): a small one, incompatible

The decision is a rule only if others were compared, its posterior exceeds `threshold`, its p exceeds `least_p` and the
draws near the data are more than `LEAST_DRAWS`; "none of these" if no rule's p exceeds `least_p`; "undecided" else,
with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise.inference.candidates import Candidate
from equipoise.inference.observations import Observations, observe
from equipoise.inference.operating import Operating
from equipoise.inference.perturbations import Perturbation
from equipoise.inference.predictions import PHASES, Predictions, predictions
from equipoise.inference.resting import Resting
from equipoise.model.protocols import Protocol
from equipoise.quantities import Array, check_fields, quantity
from equipoise.results import Epoch, NumericalFailure, Recording, Status
from equipoise.units import day

if TYPE_CHECKING:
    import xarray as xr

UNDECIDED, NONE = "undecided", "none of these"
LEAST_DRAWS = 5.0
"""Effective number of draws near the data below which evidence is not to be trusted."""
NEAR, UNKNOWNS = 30.0, 7
"""Draws near the data that say how predictions spread there, and the unknowns that spread them."""
LEAST_PRIOR = 40
"""Draws below which a rule is left out."""


@dataclass(frozen=True, kw_only=True)
class VerdictSettings:
    """What a verdict assumes; `duration` and `washout` [s] say when the recording is after the changes."""

    operating: Operating = field(default_factory=Operating)
    draws: int = 400
    duration: float = quantity(
        "manipulation before the epoch during it", default=2 * day, unit="day", low=0.0, open_low=True
    )
    washout: float = quantity("time before the epoch after it", default=2 * day, unit="day", low=0.0, open_low=True)
    tolerance: float = quantity("error of the models' logarithms", default=0.05, low=0.0, open_low=True, high=1.0)
    threshold: float = quantity("posterior that decides", default=0.95, low=0.5, high=1.0)
    least_p: float = quantity("posterior predictive p of a compatible rule", default=0.02, low=0.0, high=0.5)

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Verdict:
    """What the data decide: `decision` is the name of a rule, "none of these" or "undecided", and `reason` says why.

    Over `rules` (R,): `log_evidence`, `posterior`, `p` (posterior predictive) and `draws`, the effective number near
    the data. `compatible` are the rules that the data do not refuse.
    """

    decision: str
    reason: str
    rules: tuple[str, ...] = ()
    log_evidence: Array = field(default_factory=lambda: np.zeros(0))
    posterior: Array = field(default_factory=lambda: np.zeros(0))
    p: Array = field(default_factory=lambda: np.zeros(0))
    draws: Array = field(default_factory=lambda: np.zeros(0))
    least_p: float = 0.02
    caveats: tuple[str, ...] = ()
    status: Status = Status.OK

    @property
    def compatible(self) -> tuple[str, ...]:
        """Rules whose p exceeds `least_p`."""
        return tuple(name for name, p in zip(self.rules, self.p, strict=True) if p > self.least_p)

    def dataset(self) -> "xr.Dataset":
        """The numbers by rule."""
        import xarray as xr

        names = ("log_evidence", "posterior", "p", "draws")
        attrs = {"decision": self.decision, "reason": self.reason, "status": self.status.name}
        return xr.Dataset({k: ("rule", getattr(self, k)) for k in names}, {"rule": list(self.rules)}, attrs)

    def __repr__(self) -> str:
        rows = [f"Verdict: {self.decision}. {self.reason}"]
        if self.rules:
            rows.append(f"  {'rule':18s}{'posterior':>10s}{'p':>8s}{'log evidence':>14s}")
        for k in np.argsort(-self.posterior, kind="stable"):
            rows.append(f"  {self.rules[k]:18s}{self.posterior[k]:10.3f}{self.p[k]:8.3f}{self.log_evidence[k]:14.1f}")
        return "\n".join(rows + [f"  {caveat}" for caveat in self.caveats])


def verdict(
    data: Recording | Observations,
    *,
    manipulation: str | Perturbation | Protocol | None = None,
    epochs: Mapping[str, str | Epoch] | None = None,
    rules: Sequence[str | Candidate] | None = None,
    settings: VerdictSettings | None = None,
    predicted: Sequence[Predictions] | None = None,
    seed: int = 0,
) -> Verdict:
    """Compare rules on a recording, or on `Observations`, of a manipulation.

    `epochs` maps "before" and some of the phases "acute", "during", "rebound" and "after" to epochs of the recording;
    left out, epochs of these names are taken. `rules` are names of `CANDIDATES` or candidates of one's own, all by
    default. `predicted` are predictions made before, of circuits that fire like these. Raises ValueError for unknown
    names; without a manipulation the verdict is "undecided".
    """
    how = VerdictSettings() if settings is None else settings
    if not isinstance(how, VerdictSettings):
        raise TypeError(f"verdict: settings must be VerdictSettings, got {how!r}.")
    if manipulation is None and predicted is None:
        return Verdict(
            decision=UNDECIDED, status=Status.INSUFFICIENT_DATA,
            reason="No manipulation is named: rules differ in what they do about a change that is known.",
        )  # fmt: skip
    seen = data if isinstance(data, Observations) else _observed(data, epochs, how, seed)
    if predicted is None:
        assert manipulation is not None
        try:
            predicted = predicted_for(seen, manipulation, how, rules=rules, seed=seed)
        except NumericalFailure as failure:
            return unmatched(seen, failure)
    return compared(seen, predicted, how)


def predicted_for(
    seen: Observations,
    manipulation: str | Perturbation | Protocol,
    how: VerdictSettings,
    *,
    rules: Sequence[str | Candidate] | None = None,
    seed: int = 0,
) -> tuple[Predictions, ...]:
    """What rules predict of circuits that fire as observed before; NumericalFailure where there are none."""
    return predictions(
        manipulation, operating=_operating(seen, how.operating), rules=rules, draws=how.draws,
        duration=how.duration, washout=how.washout, stretch=seen.stretch, seed=seed,
    )  # fmt: skip


def unmatched(seen: Observations, failure: NumericalFailure) -> Verdict:
    """The verdict where no model circuit fires as before."""
    reason = f"No model circuit fires as before: {failure.reason}"
    return Verdict(decision=UNDECIDED, reason=reason, status=failure.status, caveats=seen.caveats)


def _observed(data: object, epochs: Mapping[str, str | Epoch] | None, how: VerdictSettings, seed: int) -> Observations:
    if not isinstance(data, Recording):
        raise TypeError(f"verdict: data must be a Recording or Observations, got {type(data).__name__}.")
    if epochs is None:
        epochs = {e.name: e for e in data.epochs if e.name in ("before", *PHASES)}
    return observe(data, epochs, sensor=how.operating.sensor, seed=seed)


def _operating(seen: Observations, given: Operating) -> Operating:
    """Circuits that fire as observed before; where a type is not, as the ones given. A given circuit stays."""
    if isinstance(given, Resting):
        return given
    rate = tuple(r if np.isfinite(r) else d for r, d in zip(seen.rate, given.rate, strict=True))
    cv = tuple(c if np.isfinite(c) else d for c, d in zip(seen.cv, given.cv, strict=True))
    return replace(given, rate=rate, cv=cv)


def compared(seen: Observations, predicted: Sequence[Predictions], how: VerdictSettings) -> Verdict:
    """The verdict of observations on predictions; the arithmetic of this module."""
    used = np.flatnonzero(np.isfinite(seen.values))
    if not used.size:
        reason = "No population observable is known in all epochs."
        return Verdict(decision=UNDECIDED, reason=reason, status=Status.INSUFFICIENT_DATA, caveats=seen.caveats)
    usable = [one for one in predicted if len(one) >= LEAST_PRIOR]
    short = tuple(f"{one.name} is left out: {len(one)} draws." for one in predicted if len(one) < LEAST_PRIOR)
    covariance = seen.covariance[np.ix_(used, used)] + how.tolerance**2 * np.eye(used.size)
    y = seen.values.ravel()[used]
    rows = np.array([_of_rule(one.at(seen.phases).reshape(len(one), -1)[:, used], y, covariance) for one in usable])
    if not len(rows):
        reason = "No rule is stable in enough circuits of the priors."
        return Verdict(decision=UNDECIDED, reason=reason, status=Status.INSUFFICIENT_DATA, caveats=short)
    evidence, p, draws = rows.T
    posterior = np.exp(evidence - evidence.max())
    posterior /= posterior.sum()
    names = tuple(one.name for one in usable)
    decision, reason = _decision(names, posterior, p, draws, how)
    return Verdict(
        decision=decision, reason=reason, rules=names, log_evidence=evidence, posterior=posterior, p=p, draws=draws,
        least_p=how.least_p, caveats=(*seen.caveats, *short),
    )  # fmt: skip


def _of_rule(values: Array, y: Array, covariance: Array) -> tuple[float, float, float]:
    """Log evidence, posterior predictive p and the effective number of draws near the data of one rule."""
    from scipy.special import chdtrc, logsumexp

    squares, log_norm = _squares(values, y, covariance + _between(values, y, covariance))
    logs = log_norm - 0.5 * squares
    total = logsumexp(logs)
    weights = np.exp(logs - total)
    return float(total - np.log(len(logs))), float(weights @ chdtrc(y.size, squares)), float(1.0 / (weights**2).sum())


def _squares(values: Array, y: Array, covariance: Array) -> tuple[Array, float]:
    """(y - p_i)' C^-1 (y - p_i) (n,), and the logarithm of the Gaussian's height."""
    lower = np.linalg.cholesky(covariance)
    squares = (np.linalg.solve(lower, (y - values).T) ** 2).sum(axis=0)
    return squares, float(-np.log(np.diag(lower)).sum() - 0.5 * y.size * np.log(2.0 * np.pi))


def _between(values: Array, y: Array, covariance: Array) -> Array:
    """The covariance that fills the gaps between draws: h^2 that of the draws nearest to the data.

    Draws are weighted by N(y; p_i, T C), with the least T >= 1 at which `NEAR` of them count; h is Scott's.
    """
    squares, _ = _squares(values, y, covariance)
    squares = squares - squares.min()
    least, most = 0.0, np.log(squares.max() + 2.0) + 3.0
    for _ in range(40):
        middle = 0.5 * (least + most)
        least, most = (middle, most) if _count(squares, middle) < NEAR else (least, middle)
    weights = np.exp(-0.5 * squares / np.exp(most))
    weights /= weights.sum()
    off = values - weights @ values
    return _count(squares, most) ** (-2.0 / (UNKNOWNS + 4.0)) * (off * weights[:, None]).T @ off


def _count(squares: Array, log_temperature: float) -> float:
    weights = np.exp(-0.5 * squares / np.exp(log_temperature))
    return float(weights.sum() ** 2 / (weights**2).sum())


def _decision(
    names: tuple[str, ...], posterior: Array, p: Array, draws: Array, how: VerdictSettings
) -> tuple[str, str]:
    best = int(np.argmax(posterior))
    fits = [name for name, x in zip(names, p, strict=True) if x > how.least_p]
    if not fits:
        return NONE, f"No rule makes data like these: the largest p is {p.max():.2g}."
    if len(names) == 1:
        return UNDECIDED, f"{names[0]} is compatible (p {p[0]:.2g}), but there was no other rule to compare it with."
    leads = f"{names[best]} leads with posterior {posterior[best]:.2f}"
    if posterior[best] <= how.threshold:
        return UNDECIDED, f"{leads}, not above {how.threshold:g}. Compatible: {', '.join(fits)}."
    if names[best] not in fits:
        return UNDECIDED, f"{leads}, but its p is {p[best]:.2g}. Compatible: {', '.join(fits)}."
    if draws[best] < LEAST_DRAWS:
        return UNDECIDED, f"{leads}, on {draws[best]:.1f} draws near the data only; ask for more draws."
    return names[best], f"Posterior {posterior[best]:.3f}, p {p[best]:.2f}; the next is {_next(names, posterior)}."


def _next(names: tuple[str, ...], posterior: Array) -> str:
    second = int(np.argsort(-posterior)[1])
    return f"{names[second]} with {posterior[second]:.3f}"
