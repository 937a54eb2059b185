"""What two runs of homeostasis at two speeds say together.

Every run errs in proportion to its speed f, and neurons with weights of their own scatter in proportion to sqrt(f). So
means and variances of runs at f and f/2.5 are extrapolated to f = 0, x = x_s + (x_s - x_f)/1.5 with s the slower and f
the faster run, and what that changes is the error. As far as the fluctuations of the network explain why the means
differ, both are averaged instead.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.spiking.history import dataset_of, label
from equipoise.spiking.kernel import State
from equipoise.spiking.network import Network
from equipoise.spiking.rule_group import Group, SlowRuleGroup
from equipoise.spiking.slow import RuleGroup
from equipoise.spiking.walk import NOISES, Walk, weights_in
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr

RATIO = 2.5
"""Speed of the faster run over that of the slower one."""
OFF, GROWING = 0.03, 0.05


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evolution:
    """Homeostasis over `data.time` [s], and the network at its end.

    `data`: the slow variables without speed-up as extrapolated from two runs, mean and spread over neurons (`_sd`) with
    the errors of both (`_error`, `_sd_error`; as standard deviations), and rates and calcium moments in the windows of
    the slower run. Where populations share their weights, set points that were measured on the network for T seconds
    add `_aim_error`/sqrt(T). `network` and `end` let `eq.spiking.run(e.network, start=e.end, duration=...)` go on from
    the slower run, at real speed. `speeds` are slow seconds per simulated second, at most; `simulated` [s] of spikes
    took `wall` [s].
    """

    data: "xr.Dataset"
    network: Network
    end: State
    speeds: tuple[float, ...]
    simulated: float
    wall: float
    status: Status
    message: str

    def __repr__(self) -> str:
        data, name = self.data, self.network.circuit.name or "unnamed"
        span = float(data.time[-1]) / hour
        rows = [f"Evolution({name}: {span:.4g} h; {self.status.name}: {self.message})"]
        for key in (str(k) for k in data if f"{k}_sd_error" in data):
            first, last, error = (float(data[k][i]) for k, i in ((key, 0), (key, -1), (f"{key}_error", -1)))
            spread = f", SD {float(data[f'{key}_sd'][-1]):.2g}" if data[f"{key}_sd"].any() else ""
            rows.append(f"  {key:<8} {first:.5g} -> {last:.5g} +- {error:.2g}{spread}")
        speeds = " and ".join(f"{s:.4g}" for s in self.speeds)
        rows.append(f"  speeds {speeds}: {self.simulated:.0f} s of spikes in {self.wall:.0f} s")
        return "\n".join(rows)


def together(walks: Sequence[Walk], started: float) -> Evolution:
    """The result of both walks, or of the faster one where the other has not begun."""
    faster, slower = walks
    whole = slower if slower.rows else faster
    status, message = _verdict(walks)
    wall = time.perf_counter() - started
    first = float(faster.limits[0, 1])
    hidden = tuple(f"_{kind}_" for kind in NOISES)
    rows = [{k: v for k, v in row.items() if not any(x in k for x in hidden)} for row in whole.rows]
    attrs = {"status": status.name, "message": message, "advice": status.advice}
    data = dataset_of(rows, faster.network.circuit, attrs)
    if slower.rows:
        for group in slower.coordinates.groups:
            for name in slower.regulator().values[group.name]:
                _extrapolate(data, walks, group, name)
    return Evolution(
        data=data, network=whole.network, end=whole.state, speeds=(first, max(1.0, first / RATIO)), status=status,
        message=message, simulated=sum(w.simulated for w in walks), wall=wall,
    )  # fmt: skip


def _extrapolate(data: "xr.Dataset", walks: Sequence[Walk], group: Group, name: str) -> None:
    """Put the limit of no speed-up and its errors in place of the slower run."""
    key, t = label(name, group.name), data["time"].values
    (fast, fast_noise, fast_sd), (slow, slow_noise, slow_sd) = (_along(w, group, name, t) for w in walks)
    share = _share(fast - slow, fast_noise, slow_noise)
    correction, noise = share * (slow - fast), np.hypot((1.0 + share) * slow_noise, share * fast_noise)
    variance = np.maximum(slow_sd**2 + (slow_sd**2 - fast_sd**2) / (RATIO - 1.0), 0.0)
    units = data[key].attrs
    limit = slow + correction
    data[key] = ("time", np.clip(limit, *group.limits[name]) if isinstance(group, SlowRuleGroup) else limit, units)
    data[f"{key}_error"] = ("time", np.hypot(correction, noise), units)
    aim = _noise(walks[-1], group, name, "aim", t)
    data[f"{key}_aim_error"] = ("time", aim, {"units": f"{units['units']} sqrt(s)"})
    data[f"{key}_sd"] = ("time", np.sqrt(variance), units)
    data[f"{key}_sd_error"] = ("time", np.abs(np.sqrt(variance) - slow_sd), units)


def _share(difference: Array, fast_noise: Array, slow_noise: Array) -> float:
    """The c of x = x_s + c (x_s - x_f) with the smallest expected error.

    With b the error of the slower run by its speed, difference^2 = (1.5 b)^2 + v_s + v_f on average, and

        b^2 (1 - 1.5 c)^2 + (1 + c)^2 v_s + c^2 v_f

    is smallest at c = (1.5 b^2 - v_s)/(2.25 b^2 + v_s + v_f): 1/1.5 without noise, the weighted mean of both without b.
    """
    more = RATIO - 1.0
    v_s, v_f = float(np.mean(slow_noise**2)), float(np.mean(fast_noise**2))
    systematic = max(0.0, float(np.mean(difference**2)) - v_s - v_f)
    total = systematic + v_s + v_f
    return (systematic / more - v_s) / total if total > 0.0 else 1.0 / more


def _along(walk: Walk, group: Group, name: str, t: Array) -> tuple[Array, Array, Array]:
    """Mean, its SD by fluctuations, and SD over neurons at the times t; straight lines between moves."""
    key = label(name, group.name)
    start = walk.start[group.name].get(name, np.array([np.nan]))
    if np.isnan(start).all():  # found in the first window: proteins, and what a function made up
        start = np.array([walk.rows[0][key]])
    times = np.array([0.0, *(row["time"] for row in walk.rows)])
    mean = np.array([start.mean(), *(row[key] for row in walk.rows)])
    sd = np.array([start.std(), *(row[f"{key}_sd"] for row in walk.rows)])
    mean, sd = (np.interp(t, times, x) for x in (mean, sd))
    return mean, _noise(walk, group, name, "noise", t), sd


def _noise(walk: Walk, group: Group, name: str, kind: str, t: Array) -> Array:
    """The SD of one kind of noise at the times t."""
    times, key = np.array([0.0, *(row["time"] for row in walk.rows)]), label(name, group.name)
    noise = np.array([0.0, *(row.get(f"{name}_{kind}_{group.name}", 0.0) for row in walk.rows)])
    scale = np.array([0.0, *(row[key] for row in walk.rows)]) if group.relative and name.startswith("J_") else 1.0
    return np.interp(t, times, noise * scale)


def _verdict(walks: Sequence[Walk]) -> tuple[Status, str]:
    """How it ended: the first failure of a walk, or weights that grow while calcium stays off its targets."""
    for walk in walks:
        if walk.status is not Status.OK:
            words = f"interrupted at {walk.t:.4g} s; a checkpoint goes on." if walk.status is Status.INTERRUPTED else ""
            return walk.status, walk.message or words
    slower = walks[-1]
    silent = [g.name for g in slower.coordinates.groups if slower.rows[-1][f"rate {g.name}"] == 0.0]
    if silent:
        return Status.SILENT, f"population {silent[0]!r} does not fire at the end."
    if growth := slower.growth():
        turns = f", turning once in {2 * np.pi / abs(growth.imag):.3g} s" if growth.imag else ""
        return Status.UNSTABLE, f"a disturbance of the weights grows e-fold in {1 / growth.real:.3g} s{turns}."
    for group in slower.coordinates.groups:
        if (told := _growing(slower, group)) is not None:
            return Status.RUNAWAY, told
    return Status.OK, "the end was reached."


def _growing(walk: Walk, group: Group) -> str | None:
    """Words for weights that kept growing over the last quarter while a calcium moment stayed off target, or None."""
    target = getattr(group.rule, "target", None) if isinstance(group, RuleGroup) and not group.extras else None
    if target is None:
        return None
    late = [row for row in walk.rows if row["time"] >= 0.75 * walk.t]
    wanted = {"calcium_mean": target.mean, "calcium_second_moment": target.second_moment}
    off = {k: float(np.mean([row[f"{k} {group.name}"] for row in late])) / v - 1.0 for k, v in wanted.items()}
    worst = max(off, key=lambda k: abs(off[k]))
    growth = {s.name: late[-1][s.name] / late[0][s.name] - 1.0 for s in weights_in(group)}
    name = max(growth, key=lambda k: growth[k])
    if len(late) < 2 or abs(off[worst]) < OFF or growth[name] < GROWING:
        return None
    text = (
        f"population {group.name!r} at {group.scope} scope: {worst.replace('_', ' ')} stays {off[worst]:+.1%} off its "
        f"target while {name} grew by {growth[name]:.1%} in the last quarter."
    )
    if group.scope == "population":
        return text
    return text + " Mean moments of different cells may be out of reach of each one; take a SetPoint(rate, cv)."
