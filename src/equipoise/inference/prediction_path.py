"""The path of a rule by spikes: `spiking.evolve` through a manipulation and its washout, and what it says of it."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.at_rest import AtRest
from equipoise.inference.doses import Dose
from equipoise.inference.prediction_observables import observables_of
from equipoise.inference.prediction_rest import PIECES, SpikingRest
from equipoise.inference.prediction_spikes import Spikes, forgotten
from equipoise.inference.slow_batch import STEPS, Rule
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import During
from equipoise.quantities import Array
from equipoise.spiking import evolve
from equipoise.spiking.evolution import Evolution
from equipoise.units import minute

if TYPE_CHECKING:
    import xarray as xr

LATE, FEWEST = 0.25, 4
"""The part of a stretch whose moves say where it ends, and how many these are at least."""
SENSED = {"rate": "rate", "calcium_mean": "calcium_mean", "calcium_second": "calcium_second_moment"}
"""Observables that an evolution has, under its own names."""


@dataclass(frozen=True)
class Acting:
    """A dose in a schedule, its strengths in units of the state `at` rest."""

    dose: Dose
    at: AtRest

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit under the dose."""
        return self.dose.apply(circuit, self.at)

    def __repr__(self) -> str:
        """What it does to the circuit at rest, the same in every process."""
        return f"Acting({self.dose.label}: {self.apply(self.at.circuit).digest})"


@dataclass(frozen=True, kw_only=True)
class Journey:
    """What all paths share: where they set out, doses with the state `unit` that gives their strengths, and times."""

    at: SpikingRest
    unit: AtRest
    doses: tuple[Dose, ...]
    spans: tuple[float, float]
    how: Spikes

    @property
    def circuit(self) -> Circuit:
        """The circuit without rules."""
        return self.at.circuit

    @property
    def names(self) -> list[str]:
        """All populations."""
        return [p.name for p in self.circuit.populations]

    @property
    def moments(self) -> Array:
        """Times of a course [s], dense after each change (2 (STEPS + 1),)."""
        parts = [np.geomspace(min(minute, 1e-2 * span), span, STEPS) for span in self.spans]
        return np.concatenate([[0.0], parts[0], self.spans[0] + np.concatenate([[0.0], parts[1]])])


@dataclass(frozen=True, kw_only=True, eq=False)
class States:
    """Slow variables of all populations at several times, with errors.

    `logs` (t, P, 2) of the gains of excitatory and inhibitory weights, `threshold` (t, P) [V/s].
    """

    logs: Array
    logs_error: Array
    threshold: Array
    threshold_error: Array


def evolved(rules: tuple[Rule, ...], dose: Dose, journey: Journey, tell: Callable[[float], None]) -> Evolution:
    """The evolution of the circuit under rules and dose."""
    how, circuit = journey.how, journey.circuit.with_rules(rules)
    schedule = [During(Acting(dose, journey.unit), 0.0, journey.spans[0])]
    return evolve(
        circuit, duration=sum(journey.spans), seed=how.seed, schedule=schedule, speed=how.speed, pace=how.pace,
        checkpoint=_file(how, circuit, schedule[0], journey.spans), progress=tell,
    )  # fmt: skip


def _file(how: Spikes, circuit: Circuit, acting: During, spans: tuple[float, float]) -> Path | None:
    """Where a path is kept: a name that holds for this circuit, dose and pace alone."""
    if how.store is None:
        return None
    from equipoise import __version__

    Path(how.store).mkdir(parents=True, exist_ok=True)
    facts = (__version__, circuit.digest, acting, spans, how.seed, how.speed, how.pace)
    return Path(how.store) / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:20]}.npz"


def still(P: int) -> States:
    """P populations at rest."""
    pair, one = np.zeros((1, P, 2)), np.zeros((1, P))
    return States(logs=pair, logs_error=pair, threshold=one, threshold_error=one)


# --- along an evolution -----------------------------------------------------------------------------------------------
def states_at(data: "xr.Dataset", journey: Journey, times: Array) -> States:
    """The slow variables of an evolution at `times` [s]; weights beside those of the circuit."""
    circuit = journey.circuit
    P, t = len(circuit.populations), times.size
    out = States(logs=np.zeros((t, P, 2)), logs_error=np.zeros((t, P, 2)), threshold=np.zeros((t, P)),
                 threshold_error=np.zeros((t, P)))  # fmt: skip
    for a, p in enumerate(circuit.populations):
        for k, sign in enumerate((1.0, -1.0)):
            found = [q for q in circuit.projections if q.target == p.name and circuit.sign_of(q) == sign
                     and f"J_{p.name}{q.source}" in data]  # fmt: skip
            if found:
                key, first = f"J_{p.name}{found[0].source}", abs(found[0].weight)
                gain, error = (x / first for x in _along(data, key, journey, times, first))
                out.logs[:, a, k], out.logs_error[:, a, k] = np.log(np.maximum(gain, 1e-12)), error / gain
        if f"theta_{p.name}" in data:
            out.threshold[:, a], out.threshold_error[:, a] = _along(data, f"theta_{p.name}", journey, times, 0.0)
    return out


def _along(data: "xr.Dataset", key: str, journey: Journey, times: Array, first: float) -> tuple[Array, Array]:
    """A slow variable at `times`, `first` at time 0, and its error with that of the set points."""
    t, none = np.concatenate([[0.0], data["time"].values]), np.full(data["time"].size, np.nan)
    own, aim = (data[f"{key}_{kind}"].values if f"{key}_{kind}" in data else none for kind in ("error", "aim_error"))
    error = np.hypot(own, aim / math.sqrt(PIECES * (journey.how.duration - forgotten(journey.how))))
    value = np.interp(times, t, np.concatenate([[first], data[key].values]))
    return value, np.interp(times, t, np.concatenate([[0.0], error]))


def state_at(data: "xr.Dataset", journey: Journey, stretch: tuple[float, float]) -> States:
    """The slow variables at the end of a stretch of time [s], by the line through its last moves.

    Each single move follows the fluctuations of one window, which hours do not.
    """
    rows, at = last_moves(data, stretch), np.array([stretch[1]])
    exact = states_at(data, journey, at)
    if rows.size < FEWEST:
        return exact
    along = states_at(data, journey, data["time"].values[rows])
    t = data["time"].values[rows] - stretch[1]
    logs, threshold = (np.polyfit(t, x.reshape(t.size, -1), 1)[1] for x in (along.logs, along.threshold))
    return replace(exact, logs=logs.reshape(exact.logs.shape), threshold=threshold.reshape(exact.threshold.shape))


def last_moves(data: "xr.Dataset", stretch: tuple[float, float]) -> NDArray[np.int64]:
    """The moves in the last quarter of a stretch, at least the last few."""
    t, (start, stop) = data["time"].values, stretch
    late = np.flatnonzero((t > stop - LATE * (stop - start)) & (t <= stop))
    return late if late.size >= FEWEST else np.flatnonzero((t > start) & (t <= stop))[-FEWEST:]


def course_of(data: "xr.Dataset", journey: Journey) -> Array:
    """Observables along an evolution (moment, observable), NaN where it has none or has ended.

    What is sensed belongs to the beginning of each move, slow variables to its end.
    """
    names, moments = [o.name for o in observables_of(journey.names)], journey.moments
    out, half, edge = np.full((moments.size, len(names)), np.nan), STEPS + 1, journey.spans[0]
    states = states_at(data, journey, moments)
    gains = np.exp(states.logs)
    for a, p in enumerate(journey.names):
        slow = {"J_E": gains[:, a, 0], "J_I": gains[:, a, 1], "threshold": states.threshold[:, a]}
        for kind, values in slow.items():
            out[:, names.index(f"{kind}_{p}")] = values
    ends = data["time"].values
    begins = np.concatenate([[0.0], ends[:-1]])
    for part, mine in ((slice(half), ends <= edge), (slice(half, None), ends > edge)):
        for kind, p in ((kind, p) for kind in SENSED for p in data["population"].values if mine.any()):
            seen = data[SENSED[kind]].sel(population=p).values[mine]
            out[part, names.index(f"{kind}_{p}")] = np.interp(moments[part], begins[mine], seen)
    out[moments > ends[-1]] = np.nan
    return out
