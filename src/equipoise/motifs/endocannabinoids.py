"""Endocannabinoids: a cell that fires strongly silences the inhibition that its own firing recruits, for a while.

Calcium C above a threshold theta makes them, the terminals of interneurons with CB1 receptors release less:

    de/dt = -e/tau + k [C - theta]_+,     weight = (1 - depth e/(1 + e)) J.

e is the concentration over that of half the effect. Depolarisation-induced suppression of inhibition takes calcium of
micromoles and lasts some 20 s (Wilson & Nicoll 2001, Nature 410:588). Terminals of the feedforward branch have no
receptors, and keep J.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import spiking
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import During, TonicDrive
from equipoise.model.populations import Population, Volleys
from equipoise.motifs.circuits import FeedbackInhibition, FeedforwardInhibition
from equipoise.quantities import Array, Quantity, check, check_fields, quantity
from equipoise.results import SpikeTrains
from equipoise.spiking.functions import SensedByNeurons
from equipoise.units import kHz, ms, nS, second, uM

if TYPE_CHECKING:
    import xarray as xr

SENSOR = Calcium(tau=300 * ms, influx=1 * uM, buffering=0.1)
WINDOW = 100 * ms
RECRUITMENT, STRENGTH = 100 * nS, 200 * nS
"""Of the feedback branch: enough to hold a sustained input back."""


@dataclass(frozen=True, kw_only=True)
class Endocannabinoids:
    """What calcium of `target` does to the release of the inhibitory terminals of `source` onto it.

    A rule for `eq.spiking.Homeostasis(functions={target: rule})`, cell by cell: it moves the weights J_<target><source>
    and nothing else, and keeps `endocannabinoids`, e. It multiplies the weights, so that rules on the same weights can
    stand beside it in a function that calls both.
    """

    source: str
    target: str
    depth: float = quantity("largest suppression of release", default=0.9, low=0.0, high=1.0)
    threshold: float = quantity("calcium above which they are made", default=5 * uM, unit="uM", low=0.0, symbol="theta")
    production: float = quantity("speed of their production", default=2.0, unit="1/(uM s)", low=0.0, symbol="k")
    tau: float = quantity(
        "time constant of their decay", default=20 * second, unit="second", low=0.1 * second, high=600
    )

    def __post_init__(self):
        check_fields(self)
        if self.depth == 1.0:
            object.__setattr__(self, "depth", 1.0 - 1e-9)  # weights that vanish could not be multiplied back

    def left(self, e: Array) -> Array:
        """The part of release that is left at the relative concentration e of any shape."""
        return 1.0 - self.depth * e / (1.0 + e)

    def after(self, e: Array, calcium: Array, h: float) -> Array:
        """e after h seconds at this calcium [µM]: the exact solution at constant calcium."""
        kept = math.exp(-h / self.tau)
        made = self.production * np.maximum(calcium - self.threshold, 0.0) * self.tau
        return e * kept + made * (1.0 - kept)

    def __call__(self, state: dict[str, Array], sensed: SensedByNeurons, h: float) -> Mapping[str, Array]:
        """The weights and e after h seconds."""
        name = f"J_{self.target}{self.source}"
        if name not in state:
            known = ", ".join(k for k in state if k.startswith("J_"))
            raise ValueError(f"Endocannabinoids: {self.target!r} has no weights {name!r}; it has {known}.")
        e = state.get("endocannabinoids", np.zeros_like(sensed.rate))
        later = self.after(e, sensed.calcium_mean, h)
        return {name: state[name] * self.left(later) / self.left(e), "endocannabinoids": later}


@dataclass(frozen=True, kw_only=True)
class Depolarisation:
    """Strong depolarisation: a tonic `drive` [V/s] from `start`, for `length` [s]."""

    drive: float = quantity("tonic drive", default=5.0, symbol="I")
    start: float = quantity("start", default=5 * second, unit="second", low=0.0, high=600)
    length: float = quantity("length", default=2 * second, unit="second", low=0.0, high=60, open_low=True)

    def __post_init__(self):
        check_fields(self)


_DRIVE = Quantity("excitatory background", unit="Hz", low=0.0, high=100 * kHz)
_TIME = Quantity("simulated time", unit="second", low=1 * second, high=3600 * second)
_LEVEL = Quantity("calcium of plasticity", unit="uM", low=0.0, open_low=True)
VOLLEY_EVERY = 250 * ms


def disinhibition(
    rule: Endocannabinoids,
    *,
    seed: int,
    drive: float = 3.5 * kHz,
    depolarisation: Depolarisation = Depolarisation(),
    duration: float = 40 * second,
    plasticity: float = 2.8 * uM,
    dt: float = 0.25 * ms,
) -> "xr.Dataset":
    """What strong depolarisation of E does where feedback inhibition "B" has the receptors and feedforward "F" has not.

    E is driven by an excitatory background `drive` [Hz], and every 250 ms by a volley that F takes, too; B follows E.
    By `time` [s] (the ends of windows of 100 ms): `rate` [Hz] and `calcium` [µM] of E, weights of all inhibition of a
    cell relative to rest `feedback` and `feedforward`, concentration `endocannabinoids`. By `volley`: its time,
    `latency` and `jitter` [s] of the first spike of E within 10 ms. `open` (time,): whether the mean calcium lies above
    `plasticity` [µM], and `open_time` [s] how long it does once five time constants of calcium have passed since the
    depolarisation.
    """
    import xarray as xr

    nu = check("disinhibition.drive", drive, _DRIVE)
    total = check("disinhibition.duration", duration, _TIME)
    _check_experiment(rule, depolarisation, total)
    level = check("disinhibition.plasticity", plasticity, _LEVEL)
    times = np.arange(VOLLEY_EVERY, total, VOLLEY_EVERY)
    circuit = two_branches(nu, tuple(times))
    built = spiking.build(circuit, seed=seed, dt=dt, apart=[("F", "E"), ("B", "E")])
    plan = spiking.Homeostasis(functions={rule.target: rule}, window=WINDOW, sensor=SENSOR)
    stop = depolarisation.start + depolarisation.length
    schedule = [During(TonicDrive(rule.target, depolarisation.drive), depolarisation.start, stop)]
    run = spiking.run(built, duration=total, homeostasis=plan, schedule=schedule)
    slow = run.homeostasis
    courses = _courses(slow, rule.target)
    after = slow["time"].values > stop + 5 * SENSOR.tau  # what the depolarisation itself left is gone
    data: dict[str, Any] = {n: ("time", values, {"units": unit}) for n, (values, unit) in courses.items()}
    data["open"] = ("time", courses["calcium"][0] > level)
    data["open_time"] = ((), float((data["open"][1] & after).sum()) * WINDOW, {"units": "s"})
    spikes = run.spikes_of("E")
    latency = np.array([_first(spikes, t) for t in times])
    data |= {n: ("volley", latency[:, k], {"units": "s"}) for k, n in enumerate(("latency", "jitter"))}
    coords = {"time": ("time", slow["time"].values, {"units": "s"}), "volley": ("volley", times, {"units": "s"})}
    return xr.Dataset(data, coords, {"status": run.status.name, "seed": seed, "rule": repr(rule), "stop": stop})


def _check_experiment(rule: object, depolarisation: object, total: float) -> None:
    if not isinstance(rule, Endocannabinoids) or (rule.source, rule.target) not in (("B", "E"), ("F", "E")):
        raise TypeError(
            f'disinhibition: rule must be an eq.motifs.Endocannabinoids(source="B", target="E"), got {rule!r}.'
        )
    if not isinstance(depolarisation, Depolarisation):
        raise TypeError(
            f"disinhibition: depolarisation must be an eq.motifs.Depolarisation(...), got {depolarisation!r}."
        )
    end = depolarisation.start + depolarisation.length
    if end >= total:
        raise ValueError(
            f"disinhibition: the depolarisation must end before duration={total / second:g} s, got {end / second:g} s. "
            f"Take duration={(end + 30 * second) / second:g} * second."
        )


def two_branches(drive: float, times: tuple[float, ...]) -> Circuit:
    """E with feedforward inhibition from F and feedback inhibition from B, under volleys and a background [Hz]."""
    forward, back = FeedforwardInhibition(), FeedbackInhibition(recruitment=RECRUITMENT, strength=STRENGTH)
    first = forward.circuit([Volleys("X", times=times, jitter=0.5 * ms)], drive=drive)
    second = back.circuit()
    renamed = {"I": "F"}, {"I": "B"}
    projections = [
        replace(p, source=names.get(p.source, p.source), target=names.get(p.target, p.target))
        for circuit, names in zip((first, second), renamed, strict=True)
        for p in circuit.projections
        if circuit is first or "I" in (p.source, p.target)
    ]
    populations = [
        first.node("E"),
        *(Population(n, size=back.interneurons, neuron=back.interneuron) for n in "FB"),
    ]
    return Circuit(name="Two branches", populations=[*populations, *first.sources], projections=projections)


def _courses(slow: "xr.Dataset", target: str) -> dict[str, tuple[Array, str]]:
    back, forward = (slow[f"J_{target}{name}"].values for name in "BF")
    return {
        "rate": (slow["rate"].sel(population=target).values, "Hz"),
        "calcium": (slow["calcium_mean"].sel(population=target).values, "uM"),
        "feedback": (back / back[0], "1"),
        "feedforward": (forward / forward[0], "1"),
        "endocannabinoids": (slow[f"endocannabinoids_{target}"].values, "1"),
    }


def _first(spikes: SpikeTrains, time: float) -> tuple[float, float]:
    """Mean and SD of the time of the first spike within 10 ms of a volley; NaN with fewer than 10."""
    begin, end = np.searchsorted(spikes.times, [time, time + 10 * ms])
    _, first = np.unique(spikes.units[begin:end], return_index=True)
    at = spikes.times[begin:end][first] - time
    return (float(at.mean()), float(at.std(ddof=1))) if at.size >= 10 else (np.nan, np.nan)
