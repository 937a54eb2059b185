"""Planning an experiment: what each rule predicts of a manipulation of a circuit, in every observable, over time.

The circuit rests; each rule has its set points there. The manipulation begins, lasts `duration` and ends; four phases
are told:

    acute     as the manipulation begins            during   as it has lasted `duration`
    rebound   as it ends                            after    `washout` later

Theory is mean field with quenched disorder: rates are averages over unequal cells at their fixed point, and the rule
moves its slow variables. Spikes are had where asked for: the network at the slow states that theory reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from equipoise.inference.candidates import Candidate, candidates_of
from equipoise.inference.design import foremost
from equipoise.inference.doses import Dose, What, doses_of
from equipoise.inference.planned import DesignSettings, planned
from equipoise.inference.prediction_observables import chosen, note_of, observables_of
from equipoise.inference.prediction_pull import filled
from equipoise.inference.prediction_spikes import OUTSIDE, Spikes, circuit_at, measured, refuse_endless
from equipoise.inference.prediction_theory import Foreseen, Refused, foreseen, observed
from equipoise.inference.predictions import PHASES
from equipoise.inference.resting import Resting, resting
from equipoise.inference.slow_batch import STEPS, SlowBatch
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, Quantity, check, suggest
from equipoise.results import Status, load_datasets, save_datasets
from equipoise.units import day, hour, second

if TYPE_CHECKING:
    import xarray as xr

Level = Literal["theory", "spiking", "both"]
LEVELS = {"theory": ("theory",), "spiking": ("spiking",), "both": ("theory", "spiking")}
FLAT = 0.01
"""A change smaller than this part, or than two standard errors, has no sign; of differences, in their own unit."""
FOLLOWED = (Status.OK, Status.MARGINAL)
"""How a rule ends that was followed to the end."""
SPAN = Quantity("time", unit="hour", low=0.0, high=3650 * day, open_low=True)
LENGTH = Quantity("length of a run", unit="second", low=1 * second, high=1 * hour)
ASKED = ("rate", "cv", "J_E", "J_I", "threshold_E")
"""Observables on the screen."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What rules predict, in `data`.

    `value` and `error` (level, dose, rule, phase, observable), and with the same dimensions `pull`: where the rule
    moves its weights [1/h] and thresholds [V/s/h] next by what that level makes it sense, beside its own rest.
    `baseline` (level, observable), `status` and `reason` (dose, rule), `note` (level, observable), `course` (dose,
    rule, moment, observable) at `time` (rule, moment) [s].

    `designs` are the experiments that tell the rules apart, one for each dose where they were asked for, by name as
    `Design.dataset` has them, with their `recommendation` in words among the attributes.
    """

    data: "xr.Dataset"
    designs: tuple["xr.Dataset", ...] = ()

    @property
    def change(self) -> "xr.DataArray":
        """What changes beside before: a part of it, or a difference for thresholds, branching ratio and exponent."""
        return changes(self.data["value"], self.data)

    @property
    def change_error(self) -> "xr.DataArray":
        """Standard errors of the changes; 0 in theory."""
        data = self.data
        difference = (data["error"] ** 2 + data["baseline_error"] ** 2) ** 0.5
        return difference.where(data["absolute"], difference / abs(data["baseline"]))

    @property
    def sign(self) -> "xr.DataArray":
        """+1, 0 or -1 where the change is more than 1 % and two errors, NaN where there is none."""
        change = self.change
        least = (2.0 * self.change_error).clip(min=FLAT)
        up, down = (change > least).astype(float), (change < -least).astype(float)
        return (up - down).where(change.notnull())

    @property
    def difference(self) -> "xr.DataArray":
        """Changes by spikes beside those by theory; KeyError unless both levels are there."""
        change = self.change
        return change.sel(level="spiking", drop=True) - change.sel(level="theory", drop=True)

    def save(self, path: str | Path) -> Path:
        """Write the data and the designs as netCDF; `load` reads them."""
        return save_datasets({"/": self.data} | {f"/design_{k}": d for k, d in enumerate(self.designs)}, path)

    @classmethod
    def load(cls, path: str | Path) -> "Prediction":
        """A prediction that was saved."""
        found = load_datasets(path)
        return cls(found["/"], tuple(found[f"/design_{k}"] for k in range(len(found) - 1)))

    def __repr__(self) -> str:
        data = self.data
        head = f"Prediction({data.attrs['title']}: {', '.join(map(str, data['level'].values))})"
        known = [str(n) for n in data["observable"].values]
        shown = [n for n in known if n in ASKED or n.rpartition("_")[0] in ASKED][:8]
        rows = [head]
        for dose in data["dose"].values:
            rows.append(f"{dose}")
            for rule in data["rule"].values:
                rows += _lines(self, str(dose), str(rule), shown)
        for design in self.designs:
            rows += [f"To tell the rules apart by {design.attrs['dose']}:", *(f"- {one}" for one in foremost(design))]
        return "\n".join(rows)


def _lines(found: Prediction, dose: str, rule: str, shown: Sequence[str]) -> list[str]:
    """The rows of one rule: its status, and changes by phase of each observable at each level."""
    here = found.data.sel(dose=dose, rule=rule)
    status, reason = str(here["status"].item()), str(here["reason"].item())
    rows = [f"  {rule}: {status}" + (f", {reason}" if reason else "")]
    for level in found.data["level"].values:
        for name in shown:
            change = found.change.sel(dose=dose, rule=rule, level=level, observable=name).values
            if np.isfinite(change).any():
                relative = not bool(found.data["absolute"].sel(observable=name))
                text = "  ".join(_shown(v, relative) for v in change)
                rows.append(f"    {name:<12} {level!s:<8} {text}")
    return rows


def _shown(value: float, relative: bool) -> str:
    """A change in nine characters; no negative zero."""
    if not np.isfinite(value):
        return "        –"
    return f"{round(100.0 * value, 1) + 0.0:+7.1f} %" if relative else f"{round(value, 3) + 0.0:+9.3f}"


def changes(values: "xr.DataArray", data: "xr.Dataset") -> "xr.DataArray":
    """Values beside the baseline: parts of it, or differences where `absolute`."""
    difference = values - data["baseline"]
    return difference.where(data["absolute"], difference / data["baseline"])


def predict(
    circuit: Circuit,
    manipulation: What,
    *,
    rules: Sequence[str | Candidate] | None = None,
    observables: Sequence[str] | None = None,
    level: Level = "theory",
    spans: tuple[float, float] = (2 * day, 2 * day),
    tau: float = 1 * hour,
    spikes: Spikes | None = None,
    design: DesignSettings | None = None,
) -> Prediction:
    """What each rule predicts of a manipulation of a circuit, beside where it rests.

    `manipulation` is a name of `MANIPULATIONS`, a protocol, a manipulation, a mapping of names to strengths (several:
    a dose series), or a list of these that act at once. `rules` are names of `CANDIDATES` or your own Candidates;
    "input-centric" stands for both readings. Set points are those of the circuit at rest, and rules move with `tau`
    [s]; rules of the circuit itself do not act. `spans` are how long the manipulation lasts and how long it is gone
    [s]. `level` "spiking" or "both" simulates the network at the slow states of theory as `spikes` says. With `design`
    each dose has one, made in circuits around this one (`design_of`) from the rules that could be followed.

    A rule that is not stable in the circuit, that senses what is not there, or whose state or weights are lost under a
    dose, is told with status and reason, and has no values from there on. Raises TypeError for circuits that mean
    field does not represent, NumericalFailure where there is no stable state to set out from.
    """
    how = spikes or Spikes()
    check("predict.spikes.duration", how.duration, LENGTH)
    lasting = check("predict.spans[0]", spans[0], SPAN), check("predict.spans[1]", spans[1], SPAN)
    if level not in LEVELS:
        raise ValueError(
            f"predict: level must be 'theory', 'spiking' or 'both', got {level!r}.{suggest(level, LEVELS)}"
        )
    asked, doses = candidates_of(rules), doses_of(manipulation)
    names = chosen(observables, observables_of([p.name for p in circuit.populations]))
    if "spiking" in LEVELS[level]:
        refuse_endless(circuit)
    at = resting(circuit, sensor=how.sensor, tau=check("predict.tau", tau, SPAN))
    found = [foreseen(rule, at, doses, lasting) for rule in asked]
    data = _dataset(at, doses, found, lasting, field="aperiodic_exponent" in names).assign_attrs(
        _about(circuit, doses, lasting, tau, how)
    )
    if "spiking" in LEVELS[level]:
        data = _with_spikes(data, at, doses, found, how)
    data = data.assign(pull=(data["value"].dims, _pulls(data, found), {"units": "1/h, V/s/h"}))
    designs = () if design is None else _designs(data, replace(at, unknowns=design.unknowns), doses, asked, design)
    return Prediction(data.sel(level=list(LEVELS[level]), observable=names), designs)


def _designs(
    data: "xr.Dataset", at: Resting, doses: Sequence[Dose], rules: Sequence[Candidate], how: DesignSettings
) -> "tuple[xr.Dataset, ...]":
    """A design for each dose, of the rules that were followed to the end there."""
    spans, out = (float(data.attrs["duration"]), float(data.attrs["washout"])), []
    for i, dose in enumerate(doses):
        rows = zip(rules, data["status"].values[i], data["reason"].values[i], strict=True)
        lost = {rule.name: f"{status}: {why}" for rule, status, why in rows if Status[status] not in FOLLOWED}
        out.append(planned(at, dose, rules, spans, how, lost).dataset())
    return tuple(out)


def _about(circuit: Circuit, doses: Sequence[Dose], spans: tuple[float, float], tau: float, how: Spikes) -> dict:
    from equipoise import __version__

    return {
        "title": circuit.name or "unnamed circuit", "description": circuit.description, "circuit": _text(circuit),
        "digest": circuit.digest, "equipoise_version": __version__, "duration": spans[0], "washout": spans[1],
        "tau": tau, "spikes": how.duration, "seed": how.seed, "manipulation": "; ".join(d.label for d in doses),
    }  # fmt: skip


def _text(circuit: Circuit) -> str:
    try:
        return circuit.to_toml()
    except TypeError:
        return repr(circuit)


def _dataset(
    at: Resting, doses: Sequence[Dose], found: Sequence[Foreseen | Refused], spans: tuple[float, float], *, field: bool
) -> "xr.Dataset":
    """All that theory says, of the field where asked for; spikes are NaN."""
    import xarray as xr

    known = observables_of(at.names)
    shape = (len(doses), len(found))
    value = np.full((2, *shape, len(PHASES), len(known)), np.nan)
    course = np.full((*shape, 2 * (STEPS + 1), len(known)), np.nan)
    time = np.full((len(found), 2 * (STEPS + 1)), np.nan)
    for j, one in enumerate(found):
        if isinstance(one, Foreseen):
            course[:, j], time[j] = _course(one, at, field)
            value[0, :, j] = course[:, j][:, [0, STEPS, STEPS + 1, -1]]
    baseline = np.full((2, len(known)), np.nan)
    baseline[0] = _baseline(at, field)
    status = [[(f.status.name, f.reason) if isinstance(f, Refused) else (f.status[i].name, f.reason[i]) for f in found]
              for i in range(len(doses))]  # fmt: skip
    levels, names, cell = LEVELS["both"], [k.name for k in known], ("level", "dose", "rule", "phase", "observable")
    return xr.Dataset(
        {
            "value": (cell, value), "error": (cell, np.where(np.isfinite(value), 0.0, np.nan)),
            "baseline": (("level", "observable"), baseline),
            "baseline_error": (("level", "observable"), np.where(np.isfinite(baseline), 0.0, np.nan)),
            "note": (("level", "observable"), [[note_of(level, n) for n in names] for level in levels]),
            "status": (("dose", "rule"), [[s for s, _ in row] for row in status]),
            "reason": (("dose", "rule"), [[w for _, w in row] for row in status]),
            "course": (("dose", "rule", "moment", "observable"), course),
            "time": (("rule", "moment"), time, {"units": "s"}),
            "phase_time": ("phase", np.repeat([0.0, spans[0], sum(spans)], [1, 2, 1]), {"units": "s"}),
            "course_baseline": ("observable", baseline[0]),
        },
        coords={
            "level": list(levels), "dose": [d.label for d in doses], "rule": [f.rule.name for f in found],
            "phase": list(PHASES), "observable": names, "unit": ("observable", [k.unit for k in known]),
            "absolute": ("observable", [k.absolute for k in known]),
        },
    )  # fmt: skip


def _pulls(data: "xr.Dataset", found: Sequence[Foreseen | Refused]) -> Array:
    """Where each rule moves its slow variables next, at each level (level, dose, rule, phase, observable)."""
    names, value, baseline = [str(n) for n in data["observable"].values], data["value"].values, data["baseline"].values
    out = np.full_like(value, np.nan)
    for j, one in enumerate(found):
        if isinstance(one, Foreseen):
            for level, dose, phase in np.ndindex(value.shape[0], value.shape[1], value.shape[3]):
                here = value[level, dose, j, phase]
                out[level, dose, j, phase] = filled(here, baseline[level], baseline[0], names, one.system)
    return out


def _course(one: Foreseen, at: Resting, field: bool) -> tuple[Array, Array]:
    """Observables (dose, moment, observable) and the times of a rule, through the manipulation and after it.

    The exponent of the `field` is told at the ends only.
    """
    out = []
    for net, course in ((one.under, one.during), (one.system.batch, one.after)):
        last = len(course.time) - 1
        for k, (z, r) in enumerate(zip(course.z, course.r, strict=True)):
            out.append(observed(net, z, r, one.system, at, field=field and k in (0, last)))
    times = np.concatenate([one.during.time, one.during.time[-1] + one.after.time])
    return np.stack(out, axis=1), times


def _baseline(at: Resting, field: bool) -> Array:
    """The state of rest; no rule has moved."""
    system = SlowBatch(batch=at.network, names=at.names, rules=(), speed=np.zeros((1, 0)))
    return observed(at.network, np.zeros((1, 0)), at.x[None], system, at, field=field)[0]


def _with_spikes(
    data: "xr.Dataset", at: Resting, doses: Sequence[Dose], found: Sequence[Foreseen | Refused], how: Spikes
) -> "xr.Dataset":
    """The table with the level of spikes filled in; a circuit that recurs is simulated once."""
    done: dict[str, tuple[Array, Array]] = {}

    def run(circuit: Circuit) -> tuple[Array, Array]:
        if circuit.digest not in done:
            done[circuit.digest] = measured(circuit, how)
        return done[circuit.digest]

    value, error = data["value"].values, data["error"].values
    slow = [str(n).startswith(OUTSIDE) for n in data["observable"].values]
    baseline, spread = run(at.circuit)
    data["baseline"].values[1] = np.where(slow, data["baseline"].values[0], baseline)
    data["baseline_error"].values[1] = np.where(slow, 0.0, spread)
    for j, one in enumerate(found):
        if isinstance(one, Refused):
            continue
        for i, dose in enumerate(doses):
            under = dose.apply(at.circuit, at)
            for k, (_, z, r) in enumerate(one.phases()):
                if np.isfinite(r[i]).all():
                    here = circuit_at(under if k < 2 else at.circuit, one.system, z[i])
                    v, e = run(here)
                    value[1, i, j, k] = np.where(slow, value[0, i, j, k], v)
                    error[1, i, j, k] = np.where(slow, 0.0, e)
    return data
