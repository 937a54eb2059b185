"""A circuit studied spike by spike: all that a report shows, in one Dataset from which it can be redrawn.

For circuits that theory cannot represent: conductances, synapses that learn or tire, adaptation, volleys. Only what
applies is in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.studies import Part, provenance, told
from equipoise.quantities import finite, whole
from equipoise.results import Status
from equipoise.spiking import beside, collective, findings
from equipoise.spiking.checkpoint import previous
from equipoise.spiking.evolution import Evolution
from equipoise.spiking.evolve import evolve
from equipoise.spiking.network import build
from equipoise.spiking.watch import Span, Watched, watched
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]

UNDER_RULES = 24 * hour
"""Time under the rules of a circuit."""
RULES_SHARE = 0.8
"""Of the work, where there are rules."""


def study(
    circuit: Circuit,
    *,
    duration: float | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
) -> "xr.Dataset":
    """Everything this level says about a circuit.

    Of a circuit without rules it is about the run of `spiking.simulate` over `duration` [s], by default 10 s, 40 s
    where synapses learn, and until 0.5 s after the last volley; of one with rules, about 10 s with the weights to which
    `duration` [s], by default a day, under them leads (`spiking.evolve`). With a `checkpoint` file a study that was
    stopped goes on where it was.

    Over `population`: rates with intervals, their spread and that of C_v, synchrony; over `cell` the currents of
    neurons that were followed, conductances, balance index and tracking, with their means (`mean_*`); spectra, field
    proxy, avalanches and branching ratio `of` spikes and of chance; the `course` of rates and currents; a raster; and
    where it applies learned weights, answers to volleys, the path under rules, the rate of `renewal.quasi_static_rate`.
    `part_status` and `part_message` say how each part ended. Ctrl-C keeps the windows that are done, status
    INTERRUPTED. attrs carry the circuit as TOML. Raises what `spiking.build` raises.
    """
    if not isinstance(circuit, Circuit):
        raise TypeError(f"spiking.study: circuit must be an eq.Circuit, got {circuit!r}.")
    if duration is not None:
        duration = float(finite("spiking.study", "duration", duration, low=0.0, open_low=True))
    chance = np.random.SeedSequence(whole("spiking.study: seed", seed), spawn_key=(0,))
    tell = progress or (lambda _: None)
    if circuit.rules or circuit.slow_rules:
        moved, seen = _after_rules(circuit, duration or UNDER_RULES, seed, tell, checkpoint)
    else:
        rest = None if checkpoint is None else checkpoints_of(checkpoint)[-1]
        span, moved = Span.of(circuit, duration), None
        seen = watched(build(circuit, seed=seed), span, checkpoint=rest, progress=tell)
    data, parts = _found(seen, chance, {} if moved is None else _scales(moved))
    if moved is not None:
        data, parts = data.merge(_path(moved)), [_rules(moved), *parts]
    facts = {"seed": seed, "duration": seen.duration, "warmup": seen.span.warmup, "settled": seen.settled}
    return data.merge(told(parts)).assign_attrs(provenance(circuit, **facts), **data.attrs)


def _after_rules(
    circuit: Circuit, duration: float, seed: int, tell: Progress, checkpoint: str | Path | None
) -> tuple[Evolution, Watched]:
    """What the rules do, and a run with the weights to which they lead; that of rules that were stopped is not kept."""
    moved = evolve(
        circuit, duration=duration, seed=seed, checkpoint=checkpoint, progress=lambda f: tell(RULES_SHARE * f)
    )
    kept = None if checkpoint is None or moved.status is Status.INTERRUPTED else checkpoints_of(checkpoint)[-1]
    seen = watched(
        moved.network, replace(Span.of(circuit, None), warmup=0.0), start=moved.end,
        checkpoint=kept,
        progress=lambda f: tell(RULES_SHARE + (1.0 - RULES_SHARE) * f),
    )  # fmt: skip
    return moved, seen


def simulated_time(circuit: Circuit, duration: float | None = None) -> float:
    """What a study goes through [s]: the time under the rules, or that of the spikes with their warm-up."""
    if circuit.rules or circuit.slow_rules:
        return duration or UNDER_RULES
    span = Span.of(circuit, duration)
    return span.warmup + span.duration


def checkpoints_of(checkpoint: str | Path) -> tuple[Path, ...]:
    """The files that a study with this checkpoint may leave: of its rules, and of its spikes."""
    path = Path(checkpoint)
    return path, previous(path), path.with_name(f"{path.name}.spikes")


def _found(
    seen: Watched, chance: np.random.SeedSequence, scales: Mapping[str, float]
) -> "tuple[xr.Dataset, list[Part]]":
    """All pieces, and how they ended."""
    import xarray as xr

    firing, felt = findings.firing(seen), findings.balance(seen)
    rates = dict(zip(seen.names, firing["rate"].values.tolist(), strict=True))
    rates |= {s.name: findings.source_rate(s, seen) for s in seen.circuit.sources}
    of = beside.moments(seen, rates, scales)
    optional = [
        collective.spectra(seen),
        collective.avalanches(seen, chance),
        beside.single_cells(seen, rates, of),
    ]
    pieces = [
        findings.wiring(seen), firing, felt, findings.shown(seen), findings.traces(seen),
        findings.course(seen), findings.flow(seen, rates, felt["mean_potential"].values, of),
        *findings.learned(seen), *findings.answers(seen), *(d for d, _ in optional if d is not None),
    ]  # fmt: skip
    parts = [
        _simulation(seen),
        beside.state_of(firing["rate"].values, seen.names),
        *(p for _, own in optional for p in own),
    ]
    data = xr.merge(pieces, compat="no_conflicts", join="outer", combine_attrs="drop_conflicts")
    return data, parts


def _simulation(seen: Watched) -> Part:
    words = f"{seen.duration:g} of {seen.span.duration:g} s." if seen.status is Status.INTERRUPTED else ""
    return Part("simulation", seen.status.name, words)


def _rules(moved: Evolution) -> Part:
    return Part("homeostasis", moved.status.name, moved.message)


def _scales(moved: Evolution) -> dict[str, float]:
    """Mean weights at the end relative to those of the circuit, by projection."""
    circuit, data = moved.network.circuit, moved.data
    ends = {p: f"J_{p.target}{p.source}" for p in circuit.projections}
    return {str(p): abs(float(data[k][-1]) / p.weight) for p, k in ends.items() if k in data}


def _path(moved: Evolution) -> "xr.Dataset":
    """Slow variables and rates under the rules."""
    import xarray as xr

    data = moved.data
    names = [str(k) for k in data if f"{k}_sd_error" in data]
    return xr.Dataset(
        {
            "path_slow": (("path_time", "variable"), np.array([data[k].values for k in names]).T),
            "path_error": (("path_time", "variable"), np.array([data[f"{k}_error"].values for k in names]).T),
            "path_rate": (("path_population", "path_time"), data["rate"].values, {"units": "Hz"}),
            "path_unit": ("variable", [data[k].attrs["units"] for k in names]),
        },
        coords={
            "path_time": ("path_time", data["time"].values, {"units": "s"}), "variable": names,
            "path_population": data["population"].values,
        },
    )  # fmt: skip
