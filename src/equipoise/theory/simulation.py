"""The slow path spike by spike: what `evolve` averages, `simulate` plays out, and `resume` goes on with.

Both return the dataset layout of `evolve`. It carries the cell, the rule and the exact state of the loop and of its
random numbers, so that a run saved as netCDF goes on later, and a run in pieces equals the run in one piece bit by bit.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.homeostasis import AdaptiveCalciumHomeostasis, CalciumHomeostasis
from equipoise.model.inputs import DrivenNeuron, Weights
from equipoise.quantities import Array
from equipoise.renewal import simulate as event_loop
from equipoise.renewal.cell_run import CellRun, EventRule, Watch, positive_time
from equipoise.results import Status
from equipoise.theory.closed_loop import resolve
from equipoise.theory.evolution import UNITS, starting_state

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]

SAMPLES = 200
"""Samples of a run, where the caller does not say how often."""


def simulate(
    cell: DrivenNeuron,
    rule: EventRule,
    *,
    duration: float,
    seed: int | np.random.SeedSequence,
    start: Weights | ArrayLike | None = None,
    sample_every: float | None = None,
    keep_spikes: int = 0,
    progress: Progress | None = None,
) -> "xr.Dataset":
    """Run membrane, spikes, calcium and weights together for `duration` [s], from reset and without calcium.

    `start` is the weights or the whole slow state (default: the equilibrium of the cell without drive). Returns a
    Dataset over `time`, the ends of windows of `sample_every` [s] (default: 200 windows): slow variables, mu and sigma
    at that time, and over the window the rate and, for calcium rules, calcium_mean and calcium_second_moment;
    `spike_times` holds the first `keep_spikes` spikes. attrs carry status, message, advice and seed. Ctrl-C returns
    what is done with status INTERRUPTED; `resume` goes on. `progress` is called with the finished fraction.

    Runs PIF and LIF under RateHomeostasis, CalciumHomeostasis and AdaptiveCalciumHomeostasis, and raises TypeError for
    others.
    """
    event_loop.check_runs(cell, rule)
    stop = positive_time("simulate.duration", duration, "simulated time")
    watch = Watch(sample_every=_part(stop) if sample_every is None else sample_every, keep_spikes=keep_spikes)
    loop, state = starting_state("simulate", cell, rule, start)
    run = event_loop.begin(cell, loop.rule, start=state, seed=seed, watch=watch)  # type: ignore[arg-type]
    run = event_loop.advance(run, until=stop, progress=progress)
    return _dataset(run, stop, _seed_text(seed))


def resume(
    cell: DrivenNeuron,
    rule: EventRule,
    earlier: "xr.Dataset",
    *,
    until: float | None = None,
    progress: Progress | None = None,
) -> "xr.Dataset":
    """Go on with an earlier run up to the time `until` [s] and return the whole (default: to its intended end).

    `earlier` comes from `simulate` or `resume` of the same cell and rule, in memory or loaded from a file. Raises
    ValueError where it does not.
    """
    before = _restored(cell, rule, earlier)
    stop = float(earlier.attrs["until"]) if until is None else until
    run = event_loop.advance(before, until=stop, progress=progress)
    later = _dataset(run, stop, earlier.attrs["seed"])
    return _joined(earlier, later)


def _part(stop: float) -> float:
    """A window of which SAMPLES fit into a run, whatever the rounding."""
    every = stop / SAMPLES
    return float(every if every * SAMPLES <= stop else np.nextafter(every, 0.0))


def _dataset(run: CellRun, until: float, seed: int | str) -> "xr.Dataset":
    import xarray as xr

    dataset = xr.Dataset({name: ("time", values) for name, values in _columns(run).items()})
    dataset = dataset.assign_coords(time=run.samples.t)
    if run.watch.keep_spikes:
        dataset["spike_times"] = ("spike", run.spike_times)
    for name in dataset.variables:
        dataset[name].attrs["units"] = UNITS[str(name)]
    dataset.attrs |= {
        "status": run.status.name, "message": _message(run), "advice": run.status.advice, "seed": seed,
        "cell": repr(run.cell), "rule": repr(run.rule), "until": until, "stop": run.stop,
        "n_spikes": run.n_spikes, "sample_every": run.watch.every, "keep_spikes": run.watch.keep_spikes,
        "loop_state": run.state, "loop_words": run.words,
    }  # fmt: skip
    return dataset


def _columns(run: CellRun) -> dict[str, Array]:
    s, cell = run.samples, run.cell
    columns = {"j_e": s.j_e, "j_i": s.j_i}
    if isinstance(run.rule, AdaptiveCalciumHomeostasis):
        columns |= {"target_second_moment": s.target_e, "target_mean": s.target_i}
    columns |= {"mu": cell.input_mean(s.j_e, s.j_i), "sigma": np.sqrt(cell.input_variance(s.j_e, s.j_i))}
    columns["rate"] = s.spike_count / run.watch.every
    if isinstance(run.rule, CalciumHomeostasis):
        columns |= {"calcium_mean": s.calcium_mean, "calcium_second_moment": s.calcium_second_moment}
    return columns


def _message(run: CellRun) -> str:
    return {
        Status.OK: "the end was reached.",
        Status.WEIGHT_AT_ZERO: "the end was reached, with a weight at zero.",
        Status.INTERRUPTED: f"interrupted at {run.stop:g} s; equipoise.theory.resume goes on.",
        Status.NOT_CONVERGED: f"{run.steps.max_steps:g} steps were used up at {run.stop:g} s.",
        Status.RUNAWAY: f"the weights grew beyond all numbers at {run.stop:g} s.",
    }[run.status]


def _seed_text(seed: int | np.random.SeedSequence) -> int | str:
    """A seed as a file can hold it."""
    plain = not isinstance(seed, np.random.SeedSequence) and int(seed) < 2**63
    return int(seed) if plain else " ".join(repr(seed).split())  # type: ignore[call-overload]


def _restored(cell: DrivenNeuron, rule: EventRule, earlier: "xr.Dataset") -> CellRun:
    """The run at the point where the dataset leaves it."""
    at = earlier.attrs
    missing = {"loop_state", "loop_words", "cell", "rule"} - at.keys()
    if missing:
        raise ValueError("resume: earlier must be a result of equipoise.theory.simulate, its attrs included.")
    event_loop.check_runs(cell, rule)
    rule = resolve(cell, rule)  # type: ignore[assignment]
    for name, given in (("cell", cell), ("rule", rule)):
        if at[name] != repr(given):
            raise ValueError(f"resume: {name} must be that of the earlier run, {at[name]}, got {given!r}.")
    watch = Watch(sample_every=float(at["sample_every"]), keep_spikes=int(at["keep_spikes"]))
    blank = event_loop.begin(cell, rule, start=(0.0, 0.0), seed=0, watch=watch)
    state, words = np.array(at["loop_state"], dtype=np.float64), np.array(at["loop_words"], dtype=np.uint64)
    return replace(blank, stop=float(at["stop"]), state=state, words=words)


def _joined(earlier: "xr.Dataset", later: "xr.Dataset") -> "xr.Dataset":
    import xarray as xr

    spikes = [part["spike_times"] for part in (earlier, later) if "spike_times" in part]
    over_time = [part.drop_vars("spike_times", errors="ignore") for part in (earlier, later)]
    whole = xr.concat(over_time, dim="time")
    if spikes:
        whole["spike_times"] = xr.concat(spikes, dim="spike")[: int(later.attrs["keep_spikes"])]
    n_spikes = int(earlier.attrs["n_spikes"]) + int(later.attrs["n_spikes"])
    whole.attrs = later.attrs | {"n_spikes": n_spikes}
    return whole
