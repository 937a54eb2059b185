"""Planning an experiment: what each rule predicts of a manipulation of a circuit, in every observable, over time.

The circuit rests; each rule has its set points there. The manipulation begins, lasts `duration` and ends; four phases
are told:

    acute     as the manipulation begins            during   as it has lasted `duration`
    rebound   as it ends                            after    `washout` later

Theory is mean field with quenched disorder: rates are averages over unequal cells at their fixed point, and the rule
moves its slow variables. Spikes stand by themselves where theory does not hold, or where asked for: set points are
those of the simulated network at rest, and rules follow what its spikes make them sense. Beside theory they are had
more cheaply, from the network at the slow states that theory reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from equipoise.inference.candidates import Candidate, candidates_of
from equipoise.inference.design import foremost
from equipoise.inference.doses import Dose, What, doses_of
from equipoise.inference.networks import networks_of
from equipoise.inference.planned import DesignSettings, Planned, planned
from equipoise.inference.prediction_levels import by_spikes, by_spikes_at_theory, by_theory
from equipoise.inference.prediction_observables import chosen, observables_of
from equipoise.inference.prediction_path import Journey
from equipoise.inference.prediction_rest import spiking_rest
from equipoise.inference.prediction_spikes import Spikes, refuse_unfit
from equipoise.inference.prediction_table import Level as LevelTable
from equipoise.inference.prediction_table import table
from equipoise.inference.prediction_theory import foreseen
from equipoise.inference.resting import Resting, resting
from equipoise.model.circuit import Circuit
from equipoise.quantities import Quantity, check, suggest
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
SPEED = Quantity("slow seconds per simulated second", low=1.0)
ASKED = ("rate_E", "rate_I", "cv_E", "calcium_second_E", "J_E_E", "J_I_E", "J_E_I", "threshold_E")
"""Observables on the screen, where there are more."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What rules predict, in `data`.

    `value` and `error` (level, dose, rule, phase, observable), and with the same dimensions `pull`: where the rule
    moves its weights [1/h] and thresholds [V/s/h] next by what that level makes it sense, beside its own rest.
    `baseline` (level, observable), `status` and `reason` (level, dose, rule), `note` (level, observable), `course`
    (level, dose, rule, moment, observable) at `time` (level, rule, moment) [s] where the level followed the rule.
    `level_reason` in the attributes says why spikes stand in for theory, if they do.

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
        shown = known if len(known) <= len(ASKED) else [n for n in known if n in ASKED]
        rows = [head, *(f"by spikes, since {why}" for why in [data.attrs["level_reason"]] if why)]
        for dose in data["dose"].values:
            rows += [str(dose), f"    {'change':27s} " + "  ".join(f"{phase!s:>9s}" for phase in data["phase"].values)]
            for rule in data["rule"].values:
                rows += _lines(self, str(dose), str(rule), shown)
        for design in self.designs:
            rows += [f"To tell the rules apart by {design.attrs['dose']}:", *(f"- {one}" for one in foremost(design))]
        return "\n".join(rows)


def _lines(found: Prediction, dose: str, rule: str, shown: Sequence[str]) -> list[str]:
    """The rows of one rule: its status, and changes by phase of each observable at each level."""
    here = found.data.sel(dose=dose, rule=rule)
    ends = {str(k): (str(here["status"].sel(level=k).item()), str(here["reason"].sel(level=k).item()))
            for k in here["level"].values}  # fmt: skip
    rows = []
    for level, (status, reason) in ends.items():
        whose = f" ({level})" if len(set(ends.values())) > 1 else ""
        rows += [f"  {rule}{whose}: {status}" + (f", {reason}" if reason else "")] if whose or not rows else []
    for level in found.data["level"].values:
        for name in shown:
            change = found.change.sel(dose=dose, rule=rule, level=level, observable=name).values
            if np.isfinite(change).any():
                relative = not bool(found.data["absolute"].sel(observable=name))
                text = "  ".join(_shown(v, relative) for v in change)
                rows.append(f"    {name:<18} {level!s:<8} {text}")
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
    level: Level | None = None,
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
    [s]. `level` is "theory" where mean field represents the circuit and "spiking" elsewhere, unless given: "spiking"
    follows rules by what spikes make them sense, "both" is theory and the network simulated at its slow states, or
    beside it all that "spiking" is, as `spikes` says. With `design` each dose has one,
    made in circuits around this one (`design_of`) from the rules that could be followed in theory.

    A rule that is not stable in the circuit, that senses what is not there, or whose state or weights are lost under a
    dose, is told with status and reason, and has no values from there on. Ctrl-C keeps all rules that are done. Raises
    TypeError for circuits that the level does not represent, NumericalFailure where there is no state to set out from.
    """
    how = spikes or Spikes()
    check("predict.spikes.duration", how.duration, LENGTH)
    if how.speed is not None:
        check("predict.spikes.speed", how.speed, SPEED)
    lasting = check("predict.spans[0]", spans[0], SPAN), check("predict.spans[1]", spans[1], SPAN)
    levels, why = levels_for(circuit, level)
    asked, doses = candidates_of(rules), doses_of(manipulation)
    names = chosen(observables, observables_of([p.name for p in circuit.populations]))
    slow = check("predict.tau", tau, SPAN)
    if "spiking" in levels:
        refuse_unfit(circuit)
    found: dict[str, LevelTable] = {}
    theory = resting(circuit, sensor=how.sensor, tau=slow) if "theory" in levels else None
    if theory is not None:
        paths = [foreseen(rule, theory, doses, lasting) for rule in asked]
        found["theory"] = by_theory(theory, doses, paths, field="aperiodic_exponent" in names)
        if "spiking" in levels and not how.follow:
            found["spiking"] = by_spikes_at_theory(theory, doses, paths, how)
    if "spiking" in levels and "spiking" not in found:
        at = spiking_rest(circuit, how, slow)
        found["spiking"] = by_spikes(asked, Journey(at=at, unit=theory or at, doses=doses, spans=lasting, how=how))
    about = _about(circuit, doses, lasting, tau, how) | {"level_reason": why}
    data = table(found, [p.name for p in circuit.populations], doses, lasting).assign_attrs(about)
    designs = ()
    if design is not None and theory is not None:
        designs = _designs(data, replace(theory, unknowns=design.unknowns), doses, asked, design)
    elif design is not None:
        designs = _no_designs(doses, why or "ask for level='both'.")
    return Prediction(data.sel(observable=names), designs)


def levels_for(circuit: Circuit, level: Level | None) -> tuple[tuple[str, ...], str]:
    """The levels at which a circuit is studied, and where nobody asked for spikes why it is by them."""
    if level is not None:
        if level not in LEVELS:
            raise ValueError(
                f"predict: level must be 'theory', 'spiking' or 'both', got {level!r}.{suggest(level, LEVELS)}"
            )
        return LEVELS[level], ""
    try:
        networks_of([circuit.with_rules([])])
    except TypeError as error:
        _, _, words = str(error).partition(": ")
        return LEVELS["spiking"], f"{words.partition('. ')[0].removesuffix('.')}."
    return LEVELS["theory"], ""


def _designs(
    data: "xr.Dataset", at: Resting, doses: Sequence[Dose], rules: Sequence[Candidate], how: DesignSettings
) -> "tuple[xr.Dataset, ...]":
    """A design for each dose, of the rules that were followed to the end there."""
    spans, out = (float(data.attrs["duration"]), float(data.attrs["washout"])), []
    for i, dose in enumerate(doses):
        here = data.sel(level="theory").isel(dose=i)
        rows = zip(rules, here["status"].values, here["reason"].values, strict=True)
        lost = {rule.name: f"{status}: {why}" for rule, status, why in rows if Status[status] not in FOLLOWED}
        out.append(planned(at, dose, rules, spans, how, lost).dataset())
    return tuple(out)


def _no_designs(doses: Sequence[Dose], why: str) -> "tuple[xr.Dataset, ...]":
    """Spikes alone have no draws of what is unknown."""
    lost = {"all rules": f"designs are made in theory: {why}"}
    return tuple(Planned(dose=d.label, design=None, predicted=(), left_out=lost).dataset() for d in doses)


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
