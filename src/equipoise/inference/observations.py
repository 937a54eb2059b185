"""What a recording says about a manipulation: logarithms of population observables beside those before, with errors.

Of the units of each type, E and I: the logarithm of their mean rate, of their mean C_v,local, and of their mean calcium
moments (the spikes' own, `measures.calcium_moments`). Errors come from a bootstrap over units, the same units in all
phases, so that lasting differences between units cancel; it knows nothing of other animals.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.predictions import OBSERVABLES, PHASES
from equipoise.measures import calcium_moments, cv_local, rate
from equipoise.model.calcium import Calcium
from equipoise.quantities import Array, seed_sequence, suggest
from equipoise.results import Epoch, Recording

SAMPLES = 1000
LEAST_UNITS = 5
"""Units of a type below which it is left out."""
KINDS = 4
"""Observables of a type: rate, C_v and two calcium moments."""
Units = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observations:
    """`values` (phase, observable) and their `covariance` (n, n) over both, phase after phase; NaN is not observed.

    `rate` [Hz] and `cv` are those of E and I before, NaN where a type is not observed; `units` counts E and I. Epochs
    that begin with an onset, acute and rebound, last `stretch` [s] on average; 0 is not known.
    """

    phases: tuple[str, ...]
    values: Array
    covariance: Array
    rate: tuple[float, float]
    cv: tuple[float, float]
    units: tuple[int, int] = (0, 0)
    caveats: tuple[str, ...] = ()
    stretch: float = 0.0

    def __post_init__(self):
        unknown = [p for p in self.phases if p not in PHASES]
        if unknown or not self.phases:
            raise ValueError(f"Observations.phases must be some of {PHASES}, got {self.phases}.")
        values, covariance = np.asarray(self.values, np.float64), np.asarray(self.covariance, np.float64)
        n = len(self.phases) * len(OBSERVABLES)
        if values.shape != (len(self.phases), len(OBSERVABLES)) or covariance.shape != (n, n):
            raise ValueError(
                f"Observations: values must be {(len(self.phases), len(OBSERVABLES))} and covariance {(n, n)}, got "
                f"{values.shape} and {covariance.shape}."
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "covariance", covariance)

    def __repr__(self) -> str:
        sd = np.sqrt(np.diag(self.covariance)).reshape(self.values.shape)
        rows = [f"Observations({self.units[0]} E and {self.units[1]} I units; {', '.join(self.phases)})"]
        for k, name in enumerate(OBSERVABLES):
            if np.isfinite(self.values[:, k]).all():
                cells = [f"{x:+.3f} ± {e:.3f}" for x, e in zip(self.values[:, k], sd[:, k], strict=True)]
                rows.append(f"  {name:17s} " + "   ".join(cells))
        return "\n".join(rows)


def observe(
    recording: Recording, epochs: Mapping[str, str | Epoch], *, sensor: Calcium | None = None, seed: int = 0
) -> Observations:
    """Observations of a recording; `epochs` says which of its epochs is "before" and which are the other phases.

    labels["type"] of the recording tells E from I; without it all units count as E, and fewer than five units of a type
    as none. Raises ValueError for epochs that are not there.
    """
    chosen = _epochs(recording, epochs)
    phases = tuple(p for p in PHASES if p in chosen)
    of_units = {p: _of_units(recording, chosen[p], sensor or Calcium()) for p in ("before", *phases)}
    groups, caveats = types_of(recording)
    tables = np.stack([of_units[p] for p in ("before", *phases)])
    rng = np.random.default_rng(seed_sequence(seed))
    found = _logarithms(tables, groups)
    draws = np.stack([_logarithms(tables, [rng.choice(g, g.size) for g in groups]) for _ in range(SAMPLES)])
    covariance = np.cov((draws[:, 1:] - draws[:, :1]).reshape(SAMPLES, -1).T)
    before, onsets = np.exp(found[0]), [chosen[p] for p in ("acute", "rebound") if p in chosen]
    return Observations(
        phases=phases, values=found[1:] - found[0], covariance=covariance, rate=(before[0], before[1]),
        cv=(before[2], before[3]), units=(groups[0].size, groups[1].size), caveats=caveats,
        stretch=float(np.mean([e.stop - e.start for e in onsets])) if onsets else 0.0,
    )  # fmt: skip


def epoch_of(recording: Recording, epoch: str | Epoch) -> Epoch:
    """An epoch of a recording by name, or as given; ValueError where there is none of that name."""
    known = {e.name: e for e in recording.epochs}
    if not isinstance(epoch, Epoch) and epoch not in known:
        raise ValueError(f"observe: the recording has no epoch {epoch!r}." + suggest(str(epoch), known))
    return epoch if isinstance(epoch, Epoch) else known[epoch]


def _epochs(recording: Recording, epochs: Mapping[str, str | Epoch]) -> dict[str, Epoch]:
    out = {}
    for phase, epoch in epochs.items():
        if phase not in ("before", *PHASES):
            raise ValueError(f"observe: epochs must be of 'before' and {PHASES}, got {phase!r}.")
        out[phase] = epoch_of(recording, epoch)
    if "before" not in out or len(out) < 2:
        raise ValueError(f"observe: epochs must name 'before' and at least one other phase, got {dict(epochs)}.")
    return out


def _of_units(recording: Recording, epoch: Epoch, sensor: Calcium) -> Array:
    """Rate, C_v,local and both calcium moments of each unit (KINDS, units)."""
    trains = recording.during(epoch)
    calcium = calcium_moments(trains, sensor)
    return np.stack(
        [rate(trains).values, cv_local(trains).values, calcium["mean"].values, calcium["second_moment"].values]
    )


def types_of(recording: Recording) -> tuple[list[Units], tuple[str, ...]]:
    """The units of E and of I, and what has to be said about that."""
    n = recording.spikes.n_units
    kinds = recording.labels.get("type", ())
    if not any(kinds):
        return [np.arange(n), np.arange(0)], ("The types of units are not known: all count as excitatory.",)
    groups, caveats = [], []
    for name in ("E", "I"):
        found = np.flatnonzero(np.array(kinds) == name)
        if found.size < LEAST_UNITS:
            caveats.append(f"{found.size} units of type {name} are too few: that type is left out.")
            found = found[:0]
        groups.append(found.astype(np.int64))
    return groups, tuple(caveats)


def _logarithms(tables: Array, groups: list[Units]) -> Array:
    """Logarithms of the means over units of each type, (phase, observable), E and I of each kind in turn."""
    out = np.full((len(tables), KINDS, 2), np.nan)
    for a, some in enumerate(groups):
        if some.size:
            sample = tables[:, :, some]
            known = np.isfinite(sample).all(axis=0)  # a unit counts where it is known in all phases
            with np.errstate(divide="ignore", invalid="ignore"):
                out[:, :, a] = np.log((sample * known).sum(axis=-1) / known.sum(axis=-1))
    return np.where(np.isfinite(out), out, np.nan).reshape(len(tables), -1)
